/* SPDX-License-Identifier: Apache-2.0 */
/* What was replaced or deleted is kept as long as watches and exact reads may reach back, restarts included, and then taken
 * away in parts, each a transaction of its own, by the committer. Marks, one a second, tell how old a revision is. Nothing is
 * ever taken from behind the newest change, whose row carries the store's revision. */
#include "storage/sqlite_internal.h"

#include <assert.h>

#define MARK_MS 1000
/* Of replaced values on disk, whatever their age: each of them is read at the next start, which shall not take long. The
 * rings in memory are bounded likewise. A row costs time besides its bytes. */
#define OLD_BYTES_MAX ((uint64_t)256 << 20)
#define ROW_BYTES 1000
#define TRIM_REVISIONS 500 /* a transaction's: some milliseconds */

static void update_hints(struct sqlite *s)
{
    bool is_long = s->marks.n > 0 && s->old_bytes - s->marks.p[0].old_bytes > OLD_BYTES_MAX;
    atomic_store_explicit(&s->oldest_ms, s->marks.n ? s->marks.p[0].at_ms : INT64_MAX, memory_order_relaxed);
    atomic_store_explicit(&s->is_history_long, is_long, memory_order_relaxed);
}

void history_replaced(struct sqlite *s, size_t bytes)
{
    s->old_bytes += bytes + ROW_BYTES;
}

void history_note(struct sqlite *s, uint64_t revision, int64_t at_ms)
{
    const struct history_mark *last = s->marks.n ? &s->marks.p[s->marks.n - 1] : NULL;
    if (last && at_ms - last->at_ms < MARK_MS)
        return;
    assert(s->marks.p || s->marks.cap == s->marks.n); /* for the analyzer */
    vec_push(&s->marks, ((struct history_mark){revision, at_ms, s->old_bytes}));
    update_hints(s);
}

bool history_is_due(struct sqlite *s)
{
    int64_t oldest = atomic_load_explicit(&s->oldest_ms, memory_order_relaxed);
    return (oldest != INT64_MAX && clock_mono_ms() - oldest > s->sink->history_ms) ||
           atomic_load_explicit(&s->is_history_long, memory_order_relaxed);
}

/* The state at this revision is the oldest to be kept: the one that the last mark too old has ended. */
static uint64_t find_limit(struct sqlite *s)
{
    int64_t now_ms = clock_mono_ms();
    uint64_t limit = s->trimmed;
    size_t n = 0;
    while (n < s->marks.n && (now_ms - s->marks.p[n].at_ms > s->sink->history_ms ||
                              (n + 1 < s->marks.n && s->old_bytes - s->marks.p[n].old_bytes > OLD_BYTES_MAX)))
        limit = s->marks.p[n++].revision - 1;
    return limit > s->trimmed ? limit : s->trimmed;
}

/* Marks that have nothing left to say. */
static void drop_marks(struct sqlite *s)
{
    size_t n = 0;
    while (n < s->marks.n && s->marks.p[n].revision - 1 <= s->trimmed)
        n++;
    s->marks.n -= n;
    if (n > 0 && s->marks.n > 0)
        memmove(s->marks.p, s->marks.p + n, s->marks.n * sizeof(*s->marks.p));
    update_hints(s);
}

static int set_meta(struct sqlite *s, const char *name, uint64_t value)
{
    sqlite3_stmt *stmt = s->statements[STMT_SET_META];
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)value);
    return sqlite_run(s, STMT_SET_META);
}

static int trim_range(struct sqlite *s, uint64_t from, uint64_t to)
{
    int rc = SQLITE_OK;
    for (enum statement which = STMT_TRIM_REPLACED; which <= STMT_TRIM_DELETED && rc == SQLITE_OK; which++) {
        sqlite3_bind_int64(s->statements[which], 1, (sqlite3_int64)from);
        sqlite3_bind_int64(s->statements[which], 2, (sqlite3_int64)to);
        rc = sqlite_run(s, which);
    }
    return rc == SQLITE_OK ? set_meta(s, "trimmed", to) : rc;
}

bool history_trim(struct sqlite *s)
{
    uint64_t limit = find_limit(s), to = limit - s->trimmed > TRIM_REVISIONS ? s->trimmed + TRIM_REVISIONS : limit;
    if (to <= s->trimmed) {
        drop_marks(s);
        return false;
    }
    int rc = sqlite_run(s, STMT_BEGIN);
    if (rc == SQLITE_OK)
        rc = trim_range(s, s->trimmed, to);
    if (rc == SQLITE_OK)
        rc = sqlite_run(s, STMT_COMMIT);
    if (rc != SQLITE_OK) { /* tried again a second later; writes go on, or fail for the same reason */
        log_error("Old history was not taken away", LOG_STR("path", s->path),
                  LOG_STR("error", sqlite3_errmsg(s->file.db)));
        if (!sqlite3_get_autocommit(s->file.db))
            sqlite_run(s, STMT_ROLLBACK);
        return false;
    }
    s->trimmed = to;
    drop_marks(s);
    return to < limit;
}
