/* watched_file.h - a small file that is read again when it changes: keys, authorities, policies, configurations.
 * The owner reads it once at start, where a fault ends the start; from then on a fault is the owner's to log, with what
 * was good before kept in use. */
#pragma once

#include "base/text.h"
#include "base/workers.h"

struct watched_file;

/* Looks at the file's time, size and identity every period_ms, and calls changed with its content when that differs from
 * `known`, the content that the owner has. On the timer thread, so it must be short; longer work goes to workers. A
 * file that cannot be read just now (it may be replaced this moment) is looked at again next time. */
struct watched_file *watched_file_start(struct timers *ts, const char *path, struct text known, int64_t period_ms,
                                        void (*changed)(void *ctx, struct text content), void *ctx);
/* Waits for a callback that runs. Accepts NULL. Before timers_stop. */
void watched_file_stop(struct watched_file *f);
