/* file.h - whole files in and out. Threads: any; they block. */
#pragma once

#include <sys/types.h>

#include "base/status.h"
#include "base/buffer.h"

/* Adds the file's bytes to b. "open PATH: no such file or directory", as Go words it, otherwise. */
int file_read(const char *path, struct buffer *b, struct status *st);
/* Replaces the file as a whole, by a rename, so that a reader or a crash sees the old or the new one. */
int file_write(const char *path, struct text content, mode_t mode, struct status *st);
bool file_exists(const char *path);
/* Makes the folder and those above it, mode 0700 for new ones. */
int folder_make(const char *path, struct status *st);
