/* SPDX-License-Identifier: Apache-2.0 */
/* Loading is one walk over the table in order of revision: first the rows up to where the history begins, which are the state
 * at that time, then each change since. So the caches get the current objects and their recent events from the same rows. */
#include <stdlib.h>

#include "storage/sqlite_internal.h"

static int damaged(struct sqlite *s, struct status *st, const char *what)
{
    char *why = xstrdup(what); /* may be st's own */
    status_set(st, STATUS_INTERNAL_ERROR, "the database %s is damaged (%s): restore it from a backup", s->path, why);
    free(why);
    return -1;
}

static int load_meta(struct sqlite *s, const char *name, uint64_t *ret, struct status *st)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->file.db, "SELECT value FROM meta WHERE name = ?1", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    if (rc == SQLITE_DONE || (rc == SQLITE_ROW && (int64_t)*ret < 1))
        return damaged(s, st, "it has no revision");
    return rc == SQLITE_ROW ? 0 : sqlite_explain(st, s->path, s->file.db, rc);
}

/* The time of a change by the clock that does not jump. */
static int64_t mono_of(int64_t at_ms)
{
    int64_t age = clock_now_ns() / 1000000 - at_ms;
    return clock_mono_ms() - (age > 0 ? age : 0);
}

static int load_row(struct sqlite *s, sqlite3_stmt *row, struct status *st)
{
    struct text key = {(const char *)sqlite3_column_text(row, 4), (size_t)sqlite3_column_bytes(row, 4)};
    bool is_deletion = sqlite3_column_type(row, 5) == SQLITE_NULL;
    struct stored_change c = {
        .revision = (uint64_t)sqlite3_column_int64(row, 0),
        .previous = (uint64_t)sqlite3_column_int64(row, 1),
        .at_ms = sqlite3_column_int64(row, 2),
        .expires_ms = sqlite3_column_int64(row, 3),
    };
    if (!is_deletion) {
        const void *value = sqlite3_column_blob(row, 5);
        c.value = (struct text){value ? value : "", (size_t)sqlite3_column_bytes(row, 5)};
    }
    if (!text_starts(key, STORED_KEY_PREFIX))
        return damaged(s, st, "a key has no place");
    c.path = text_from(key, STORED_KEY_PREFIX.n);
    if (c.revision > s->trimmed) {
        if (c.previous)
            history_replaced(s, c.value.n); /* about what it has replaced */
        history_note(s, c.revision, mono_of(c.at_ms));
    }
    s->revision = c.revision > s->revision ? c.revision : s->revision;
    return s->sink->loaded(s->sink->ctx, &c, st) < 0 ? damaged(s, st, st->message) : 0;
}

static int load_changes(struct sqlite *s, struct status *st)
{
    static const char sql[] = "SELECT revision, previous, at, expires, key, value FROM changes ORDER BY revision";
    sqlite3_stmt *row = NULL;
    bool has_begun = false;
    int result = 0, rc = sqlite3_prepare_v2(s->file.db, sql, -1, &row, NULL);
    while (rc == SQLITE_OK && result == 0) {
        rc = sqlite3_step(row);
        if (rc != SQLITE_ROW)
            break;
        if (!has_begun && (uint64_t)sqlite3_column_int64(row, 0) > s->trimmed) {
            has_begun = true;
            s->sink->history_begins(s->sink->ctx, s->trimmed);
        }
        result = load_row(s, row, st);
        rc = SQLITE_OK;
    }
    if (result == 0 && rc != SQLITE_DONE)
        result = sqlite_explain(st, s->path, s->file.db, rc);
    sqlite3_finalize(row);
    if (result == 0 && !has_begun)
        s->sink->history_begins(s->sink->ctx, s->trimmed);
    return result;
}

int sqlite_load(struct sqlite *s, struct status *st)
{
    if (load_meta(s, "revision", &s->revision, st) < 0 || load_meta(s, "trimmed", &s->trimmed, st) < 0 ||
        load_changes(s, st) < 0)
        return -1;
    return s->trimmed > s->revision ? damaged(s, st, "its newest changes are missing") : 0;
}
