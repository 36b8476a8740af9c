/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_internal.h - the database file, for sqlite.c: one connection, used by one thread at a time. */
#pragma once

#include <sqlite3.h>

#include "storage/backend.h"

/* Opens the file, made when absent, and takes its exclusive lock. */
int sqlite_file_open(const char *path, sqlite3 **ret, struct status *st);
/* One clear sentence for a failed call on this connection (NULL: there is none); always -1. */
int sqlite_explain(struct status *st, const char *path, sqlite3 *db, int rc);
