/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine: a log of changes. One committer thread takes the whole queue of writes and makes them one transaction,
 * so that many writers share one fsync; while it syncs, the next batch gathers. A write appends one row and changes none: what
 * it replaces stays for the history (sqlite_history.c). The table has no index but its revision: a write's precondition is
 * checked against the caches, which hold every object anyway, and against the writes that stand before it in its batch.
 * After the commit, and only then, objects are sealed and the changes published in order of revision; then the writers are told.
 * The write-ahead log is moved into the database when the queue is empty or the log grows long, after the writers were
 * told, so that a write's cost does not grow with the store. It starts anew from its first page each time: syncing pages
 * that were there before costs half of what syncing a growing file does. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "storage/sqlite_internal.h"

#define BATCH_MAX 512
/* See gather_locked: how long it goes on at most, and how long nobody may have come. */
#define GATHER_MAX_NS 2000000
#define GATHER_PAUSE_NS 200000
#define WRITTEN_SLOTS (2 * BATCH_MAX)
/* Pages of the log: from here on it is moved in an idle moment, and at once. */
#define WAL_IDLE_PAGES 500
#define WAL_MAX_PAGES 2000

static const char *const statement_sql[N_STATEMENTS] = {
    [STMT_INSERT] = "INSERT INTO changes(revision, previous, at, expires, key, value) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [STMT_TRIM_REPLACED] = "DELETE FROM changes WHERE revision IN "
                             "(SELECT previous FROM changes WHERE revision > ?1 AND revision <= ?2)",
    [STMT_TRIM_DELETED] = "DELETE FROM changes WHERE revision > ?1 AND revision <= ?2 AND value IS NULL",
    [STMT_SET_META] = "UPDATE meta SET value = ?2 WHERE name = ?1",
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
};

static struct sqlite *of(struct backend *b)
{
    return CONTAINER_OF(b, struct sqlite, base);
}

static struct metric_family commits_metric = {
    .name = "keelson_sqlite_commits_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Transactions of the embedded store, each one sync of its log, however many writes it has."};
static struct metric_family writes_metric = {
    .name = "keelson_sqlite_writes_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Writes that the embedded store has committed."};
static struct metric_cell *n_commits, *n_writes;

static void register_metrics(void)
{
    metrics_register(&commits_metric);
    metrics_register(&writes_metric);
    n_commits = metric_cell_of(&commits_metric, NULL);
    n_writes = metric_cell_of(&writes_metric, NULL);
}

int sqlite_run(struct sqlite *s, enum statement which)
{
    sqlite3_stmt *stmt = s->statements[which];
    int rc = sqlite3_step(stmt);
    int reset_rc = sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? reset_rc : rc;
}

/* --- the committer ------------------------------------------------------------------------------------------------ */

/* An error of ours, for one write. */
static void fail(struct storage_write *w, const char *path, sqlite3 *db, int rc)
{
    w->result = WRITE_FAILED;
    if (w->st.message) /* it has no bytes */
        return;
    sqlite_explain(&w->st, path, db, rc);
    status_wrap(&w->st, "the write was not stored");
}

/* The slot of the last write of this key in the batch, or the free one where it belongs. */
static struct storage_write **find_written(struct sqlite *s, const struct storage_write *w)
{
    size_t i = text_hash(w->key) % WRITTEN_SLOTS;
    while (s->written[i] && !(s->written[i]->type == w->type && text_eq(s->written[i]->key, w->key)))
        i = (i + 1) % WRITTEN_SLOTS;
    return &s->written[i];
}

/* Is the key, with what the batch has done so far, at the revision that the write expects? */
static bool holds(struct sqlite *s, const struct storage_write *w, const struct storage_write *earlier)
{
    if (!earlier)
        return s->sink->current(s->sink->ctx, w) == w->expected_revision;
    return (earlier->op == WRITE_DELETE ? 0 : earlier->revision) == w->expected_revision;
}

static void set_key(struct buffer *b, const struct storage_write *w)
{
    buffer_clear(b);
    buffer_add(b, STORED_KEY_PREFIX);
    buffer_add(b, w->type->storage_prefix);
    buffer_add_char(b, '/');
    buffer_add(b, w->key);
}

/* Appends the write's row; key and value stay bound to our buffers until the next one. */
static int append(struct sqlite *s, struct storage_write *w, uint64_t revision, int64_t at_ms)
{
    sqlite3_stmt *stmt = s->statements[STMT_INSERT];
    set_key(&s->key, w);
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)revision);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)w->expected_revision);
    sqlite3_bind_int64(stmt, 3, at_ms);
    sqlite3_bind_int64(stmt, 4, w->op == WRITE_PUT ? w->object->expires_ms : 0);
    int rc = sqlite3_bind_text(stmt, 5, s->key.p, (int)s->key.n, SQLITE_STATIC);
    if (rc == SQLITE_OK && w->op == WRITE_PUT) {
        buffer_clear(&s->value);
        if (s->sink->encode(s->sink->ctx, w, &s->value, &w->st) < 0)
            return SQLITE_MISUSE; /* w->st says why */
        rc = sqlite3_bind_blob(stmt, 6, s->value.p, (int)s->value.n, SQLITE_STATIC);
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_bind_null(stmt, 6);
    }
    return rc == SQLITE_OK ? sqlite_run(s, STMT_INSERT) : rc;
}

/* Gives each write its result as if the commit will succeed; the number of changes. */
static size_t append_all(struct sqlite *s, struct list *batch)
{
    uint64_t revision = s->revision;
    int64_t at_ms = clock_now_ns() / 1000000;
    memset(s->written, 0, WRITTEN_SLOTS * sizeof(struct storage_write *));
    list_for_each(l, batch) {
        struct storage_write *w = CONTAINER_OF(l, struct storage_write, link), **slot = find_written(s, w);
        if (!holds(s, w, *slot)) {
            w->result = WRITE_CONFLICT;
            continue;
        }
        int rc = append(s, w, revision + 1, at_ms);
        if (rc == SQLITE_OK) {
            w->result = WRITE_DONE;
            w->revision = ++revision;
            *slot = w;
            continue;
        }
        fail(w, s->path, s->file.db, rc);
        if (sqlite3_get_autocommit(s->file.db))
            return 0; /* SQLite has rolled back all of it: the commit will say so to the others */
    }
    return (size_t)(revision - s->revision);
}

static void set_broken(struct sqlite *s, const char *why)
{
    pthread_mutex_lock(&s->mu);
    char *old = s->broken;
    s->broken = why ? xstrdup(why) : NULL;
    pthread_mutex_unlock(&s->mu);
    free(old);
}

/* The transaction is lost: nobody's write has happened. */
static void fail_all(struct sqlite *s, struct list *batch, int rc)
{
    CLEANUP(status_clear) struct status why = {0};
    sqlite_explain(&why, s->path, s->file.db, rc);
    if (!sqlite3_get_autocommit(s->file.db))
        sqlite_run(s, STMT_ROLLBACK);
    list_for_each(l, batch) {
        struct storage_write *w = CONTAINER_OF(l, struct storage_write, link);
        if (w->result == WRITE_FAILED && w->st.message)
            continue;
        w->result = WRITE_FAILED;
        w->revision = 0;
        status_set(&w->st, STATUS_INTERNAL_ERROR, "the write was not stored: %s", why.message);
    }
    log_error("A commit failed", LOG_STR("error", why.message));
    set_broken(s, why.message);
}

static void publish(struct sqlite *s, struct list *batch)
{
    int64_t now_ms = clock_mono_ms();
    list_for_each(l, batch) {
        struct storage_write *w = CONTAINER_OF(l, struct storage_write, link);
        if (w->result != WRITE_DONE)
            continue;
        if (w->op == WRITE_PUT)
            object_seal(w->object, w->revision);
        s->revision = w->revision;
        if (w->previous)
            history_replaced(s, w->previous->json.n);
        history_note(s, w->revision, now_ms);
        s->sink->changed(s->sink->ctx, w);
    }
}

/* The transaction, from begin to commit. */
static int commit_batch(struct sqlite *s, struct list *batch)
{
    int rc = sqlite_run(s, STMT_BEGIN);
    if (rc != SQLITE_OK)
        return rc;
    size_t n = append_all(s, batch);
    if (sqlite3_get_autocommit(s->file.db))
        return SQLITE_ABORT_ROLLBACK;
    if (n == 0)
        return sqlite_run(s, STMT_ROLLBACK);
    rc = sqlite_run(s, STMT_COMMIT);
    if (rc == SQLITE_OK) {
        metric_add(n_commits, 1);
        metric_add(n_writes, (double)n);
    }
    return rc;
}

static void process(struct sqlite *s, struct list *batch)
{
    int64_t begun_ns = clock_mono_ns();
    int rc = commit_batch(s, batch);
    s->commit_ns += (clock_mono_ns() - begun_ns - s->commit_ns) / 8;
    if (rc == SQLITE_OK) {
        publish(s, batch);
        if (s->broken) /* only this thread sets it */
            set_broken(s, NULL);
    } else {
        fail_all(s, batch, rc);
    }
    list_for_each_safe(l, batch) {
        struct storage_write *w = CONTAINER_OF(l, struct storage_write, link);
        list_remove(l);
        w->done(w);
    }
    s->sink->settled(s->sink->ctx);
}

static int note_wal_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct sqlite *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

static void checkpoint(struct sqlite *s)
{
    int rc = sqlite3_wal_checkpoint_v2(s->file.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK)
        log_error("The write-ahead log cannot be moved into the database", LOG_STR("path", s->path),
                  LOG_STR("error", sqlite3_errmsg(s->file.db)));
    s->wal_pages = 0;
}

/* Nobody waits for the committer: moves the log, trims the history. False: there is nothing of that to do. mu is given back
 * meanwhile. */
static bool use_idle_moment_locked(struct sqlite *s)
{
    bool is_trim_due = s->is_trim_due;
    if (s->wal_pages < WAL_IDLE_PAGES && !is_trim_due)
        return false;
    pthread_mutex_unlock(&s->mu);
    if (s->wal_pages >= WAL_IDLE_PAGES)
        checkpoint(s);
    bool has_more = is_trim_due && history_trim(s);
    pthread_mutex_lock(&s->mu);
    s->is_trim_due = has_more;
    return true;
}

/* Waits until so many writes are queued; false when the time was over first. */
static bool wait_queued_locked(struct sqlite *s, size_t n, int64_t at_most_ns)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end); /* the system's, which the condition goes by */
    int64_t ns = end.tv_nsec + at_most_ns;
    end.tv_sec += ns / 1000000000;
    end.tv_nsec = ns % 1000000000;
    s->n_wanted = n;
    int rc = 0;
    while (s->n_queued < n && !s->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&s->work, &s->mu, &end);
    s->n_wanted = 0;
    return rc == 0;
}

/* A sync costs the same for one write as for many. Writers who were just answered, if they have more to write, come back in
 * a fraction of the time that a sync takes; without a wait, the quickest of them would be synced alone, the others after it.
 * So it goes on as long as they keep coming, at most about as long as a sync takes. Where nobody else writes, nobody waits. */
static void gather_locked(struct sqlite *s)
{
    int64_t left_ns = s->commit_ns < GATHER_MAX_NS ? s->commit_ns : GATHER_MAX_NS;
    for (size_t n = 0; s->n_expected > 1 && s->n_queued < s->n_expected && s->n_queued > n && left_ns > 0;) {
        n = s->n_queued;
        if (wait_queued_locked(s, s->n_expected, GATHER_PAUSE_NS))
            break;
        left_ns -= GATHER_PAUSE_NS;
    }
}

/* How many were at work during this commit: those that it answered and those that came meanwhile. Fewer count slowly. */
static void expect_locked(struct sqlite *s, size_t n_batch)
{
    size_t n = n_batch + s->n_queued, less = s->n_expected - (s->n_expected + 3) / 4;
    s->n_expected = n > less ? n : less;
}

/* Moves what is queued, up to a batch, to the empty list, and returns how many; 0 once the end has come. */
static size_t take_batch(struct sqlite *s, size_t n_last, struct list *batch)
{
    size_t n = 0;
    pthread_mutex_lock(&s->mu);
    expect_locked(s, n_last);
    while (list_is_empty(&s->queue)) {
        if (s->is_stopping)
            break;
        if (use_idle_moment_locked(s))
            continue;
        s->n_wanted = 1;
        pthread_cond_wait(&s->work, &s->mu);
        s->n_wanted = 0;
    }
    gather_locked(s);
    while (n < BATCH_MAX && !list_is_empty(&s->queue)) {
        struct list *l = s->queue.next;
        list_remove(l);
        list_append(batch, l);
        n++;
    }
    s->n_queued -= n;
    pthread_mutex_unlock(&s->mu);
    return n;
}

/* A server that is never idle must trim too, a part between two batches. */
static void trim_between(struct sqlite *s)
{
    pthread_mutex_lock(&s->mu);
    bool is_due = s->is_trim_due;
    pthread_mutex_unlock(&s->mu);
    if (!is_due)
        return;
    bool has_more = history_trim(s);
    pthread_mutex_lock(&s->mu);
    s->is_trim_due = has_more;
    pthread_mutex_unlock(&s->mu);
}

static void *committer(void *arg)
{
    struct sqlite *s = arg;
    struct list batch;
    list_init(&batch);
    for (size_t n = 0; (n = take_batch(s, n, &batch)) > 0;) {
        process(s, &batch);
        trim_between(s);
        if (s->wal_pages >= WAL_MAX_PAGES)
            checkpoint(s);
    }
    return NULL;
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

static int start(struct backend *b, const struct storage_sink *sink, uint64_t *ret_revision, struct status *st)
{
    struct sqlite *s = of(b);
    s->sink = sink;
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(s->file.db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        if (rc != SQLITE_OK)
            return sqlite_explain(st, s->path, s->file.db, rc);
    }
    if (sqlite_load(s, st) < 0)
        return -1;
    sqlite3_wal_hook(s->file.db, note_wal_pages, s);
    if (!thread_start(&s->committer, "committer", committer, s))
        return status_set(st, STATUS_INTERNAL_ERROR, "no thread can be started");
    s->has_committer = true;
    *ret_revision = s->revision;
    return 0;
}

static void submit(struct backend *b, struct storage_write *w)
{
    struct sqlite *s = of(b);
    pthread_mutex_lock(&s->mu);
    list_append(&s->queue, &w->link);
    bool is_wanted = ++s->n_queued == s->n_wanted;
    pthread_mutex_unlock(&s->mu);
    if (is_wanted)
        pthread_cond_signal(&s->work);
}

static int check(struct backend *b, enum storage_probe probe, struct status *st)
{
    struct sqlite *s = of(b);
    int result = 0;
    pthread_mutex_lock(&s->mu);
    if (s->broken)
        result = status_set(st, STATUS_INTERNAL_ERROR, "the last commit failed: %s", s->broken);
    pthread_mutex_unlock(&s->mu);
    return result;
}

static void trim(struct backend *b)
{
    struct sqlite *s = of(b);
    if (!history_is_due(s))
        return;
    pthread_mutex_lock(&s->mu);
    s->is_trim_due = true;
    pthread_mutex_unlock(&s->mu);
    pthread_cond_signal(&s->work);
}

static int64_t size_bytes(struct backend *b)
{
    CLEANUP(buffer_deinit) struct buffer wal = BUFFER_INIT;
    struct stat sb;
    int64_t n = 0;
    if (stat(of(b)->path, &sb) == 0)
        n += sb.st_blocks * 512;
    buffer_addf(&wal, "%s-wal", of(b)->path);
    if (stat(buffer_str(&wal), &sb) == 0)
        n += sb.st_blocks * 512;
    return n;
}

static void stop(struct backend *b)
{
    struct sqlite *s = of(b);
    if (s->has_committer) {
        pthread_mutex_lock(&s->mu);
        s->is_stopping = true;
        pthread_mutex_unlock(&s->mu);
        pthread_cond_signal(&s->work);
        pthread_join(s->committer, NULL);
    }
    for (size_t i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite_file_close(&s->file); /* moves the rest of the log */
    vec_deinit(&s->marks);
    free(s->written);
    buffer_deinit(&s->key);
    buffer_deinit(&s->value);
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->work);
    free(s->broken);
    free(s->path);
    free(s);
}

static const struct backend_ops sqlite_ops = {
    .name = "sqlite",
    .start = start,
    .submit = submit,
    .check = check,
    .size_bytes = size_bytes,
    .trim = trim,
    .stop = stop,
};

int sqlite_open(const char *path, struct backend **ret, struct status *st)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sqlite_file file;
    pthread_once(&once, register_metrics);
    if (sqlite_file_open(path, &file, st) < 0)
        return -1;
    struct sqlite *s = xcalloc(1, sizeof(*s));
    s->base.ops = &sqlite_ops;
    s->path = xstrdup(path);
    s->file = file;
    s->written = xcalloc(WRITTEN_SLOTS, sizeof(struct storage_write *));
    s->oldest_ms = INT64_MAX;
    list_init(&s->queue);
    pthread_mutex_init(&s->mu, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = &s->base;
    return 0;
}
