/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine: one committer thread takes the whole queue of writes and makes them one transaction, so that many
 * writers share one fsync; while it syncs, the next batch gathers. A write's precondition is the WHERE of its statement:
 * no row changed means conflict, and within a batch later writes see earlier ones. After the commit, and only then,
 * objects are sealed and the changes published in order of revision; then the writers are told.
 * The write-ahead log is moved into the database when the queue is empty or the log grows long, after the writers were
 * told, so that a write's cost does not grow with the store. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "storage/sqlite_internal.h"

#define BATCH_MAX 512
/* Pages of the log: from here on it is moved in an idle moment, and at once. */
#define WAL_IDLE_PAGES 1000
#define WAL_MAX_PAGES 8000

enum statement { INSERT_OBJECT, UPDATE_OBJECT, DELETE_OBJECT, SET_REVISION, BEGIN, COMMIT, ROLLBACK, N_STATEMENTS };
static const char *const statement_sql[N_STATEMENTS] = {
    [INSERT_OBJECT] = "INSERT INTO objects(key, revision, value) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [UPDATE_OBJECT] = "UPDATE objects SET revision = ?2, value = ?3 WHERE key = ?1 AND revision = ?4",
    [DELETE_OBJECT] = "DELETE FROM objects WHERE key = ?1 AND revision = ?4",
    [SET_REVISION] = "UPDATE meta SET value = ?1 WHERE name = 'revision'",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

struct sqlite {
    struct backend base;
    char *path;
    const struct storage_sink *sink;
    pthread_t committer;
    bool has_committer;

    /* start, then committer only */
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    uint64_t revision;
    struct buffer key, value;
    int wal_pages;

    pthread_mutex_t mu;
    pthread_cond_t work;  /* the queue is no longer empty, or the end has come */
    struct list queue;    /* mu */
    bool is_waiting;      /* mu: the committer is, so a signal is worth its cost */
    bool is_stopping;     /* mu */
    char *broken;         /* mu: why the last commit failed; NULL: it did not */
};

static struct sqlite *of(struct backend *b)
{
    return CONTAINER_OF(b, struct sqlite, base);
}

static int run(struct sqlite *s, enum statement which)
{
    sqlite3_stmt *stmt = s->statements[which];
    int rc = sqlite3_step(stmt);
    int reset_rc = sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? reset_rc : rc;
}

/* --- load --------------------------------------------------------------------------------------------------------- */

static const struct text key_prefix = TEXT("/registry/");

static int damaged(struct sqlite *s, struct status *st, const char *what)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "the database %s is damaged (%s): restore it from a backup", s->path,
                      what);
}

static int load_revision(struct sqlite *s, struct status *st)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE name = 'revision'", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        s->revision = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    if (rc == SQLITE_DONE || (rc == SQLITE_ROW && s->revision < 1))
        return damaged(s, st, "it has no revision");
    return rc == SQLITE_ROW ? 0 : sqlite_explain(st, s->path, s->db, rc);
}

static int load_row(struct sqlite *s, sqlite3_stmt *row, struct status *st)
{
    struct text key = {(const char *)sqlite3_column_text(row, 0), (size_t)sqlite3_column_bytes(row, 0)};
    uint64_t revision = (uint64_t)sqlite3_column_int64(row, 1);
    struct text value = {sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2)};
    if (revision > s->revision)
        return damaged(s, st, "an object is newer than the store");
    if (!text_starts(key, key_prefix))
        return damaged(s, st, "a key has no place");
    return s->sink->loaded(s->sink->ctx, text_from(key, key_prefix.n), value, revision, st);
}

static int load_objects(struct sqlite *s, struct status *st)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT key, revision, value FROM objects ORDER BY key", -1, &row, NULL);
    int result = 0;
    while (rc == SQLITE_OK && result == 0) {
        rc = sqlite3_step(row);
        if (rc != SQLITE_ROW)
            break;
        result = load_row(s, row, st);
        rc = SQLITE_OK;
    }
    if (result == 0 && rc != SQLITE_DONE)
        result = sqlite_explain(st, s->path, s->db, rc);
    sqlite3_finalize(row);
    return result;
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

static void set_key(struct buffer *b, const struct storage_write *w)
{
    buffer_clear(b);
    buffer_add(b, key_prefix);
    buffer_add(b, w->type->storage_prefix);
    buffer_add_char(b, '/');
    buffer_add(b, w->key);
}

/* Runs the write's statement; the value stays bound to our buffer until the next one. */
static int apply(struct sqlite *s, struct storage_write *w, uint64_t revision)
{
    enum statement which = w->op == WRITE_DELETE ? DELETE_OBJECT : w->expected_revision ? UPDATE_OBJECT : INSERT_OBJECT;
    sqlite3_stmt *stmt = s->statements[which];
    set_key(&s->key, w);
    int rc = sqlite3_bind_text(stmt, 1, s->key.p, (int)s->key.n, SQLITE_STATIC);
    if (rc == SQLITE_OK && w->op == WRITE_PUT) {
        buffer_clear(&s->value);
        if (s->sink->encode(s->sink->ctx, w, &s->value, &w->st) < 0)
            return SQLITE_MISUSE; /* w->st says why */
        sqlite3_bind_int64(stmt, 2, (sqlite3_int64)revision);
        rc = sqlite3_bind_blob(stmt, 3, s->value.p, (int)s->value.n, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK && which != INSERT_OBJECT)
        rc = sqlite3_bind_int64(stmt, 4, (sqlite3_int64)w->expected_revision);
    return rc == SQLITE_OK ? run(s, which) : rc;
}

/* Gives each write its result as if the commit will succeed; the number of changes. */
static size_t apply_all(struct sqlite *s, struct list *batch)
{
    uint64_t revision = s->revision;
    list_for_each(l, batch) {
        struct storage_write *w = CONTAINER_OF(l, struct storage_write, link);
        int rc = apply(s, w, revision + 1);
        if (rc != SQLITE_OK) {
            fail(w, s->path, s->db, rc);
            if (sqlite3_get_autocommit(s->db))
                return 0; /* SQLite has rolled back all of it: the commit will say so to the others */
        } else if (sqlite3_changes(s->db) == 1) {
            w->result = WRITE_DONE;
            w->revision = ++revision;
        } else {
            w->result = WRITE_CONFLICT;
        }
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
    sqlite_explain(&why, s->path, s->db, rc);
    if (!sqlite3_get_autocommit(s->db))
        run(s, ROLLBACK);
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
    list_for_each(l, batch) {
        struct storage_write *w = CONTAINER_OF(l, struct storage_write, link);
        if (w->result != WRITE_DONE)
            continue;
        if (w->op == WRITE_PUT)
            object_seal(w->object, w->revision);
        s->revision = w->revision;
        s->sink->changed(s->sink->ctx, w);
    }
}

/* The transaction, from begin to commit. */
static int commit_batch(struct sqlite *s, struct list *batch)
{
    int rc = run(s, BEGIN);
    if (rc != SQLITE_OK)
        return rc;
    size_t n = apply_all(s, batch);
    if (sqlite3_get_autocommit(s->db))
        return SQLITE_ABORT_ROLLBACK;
    if (n == 0)
        return run(s, ROLLBACK);
    sqlite3_bind_int64(s->statements[SET_REVISION], 1, (sqlite3_int64)s->revision + (sqlite3_int64)n);
    rc = run(s, SET_REVISION);
    return rc == SQLITE_OK ? run(s, COMMIT) : rc;
}

static void process(struct sqlite *s, struct list *batch)
{
    int rc = commit_batch(s, batch);
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
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK)
        log_error("The write-ahead log cannot be moved into the database", LOG_STR("path", s->path),
                  LOG_STR("error", sqlite3_errmsg(s->db)));
    s->wal_pages = 0;
}

/* Moves what is queued, up to a batch, to the empty list; false once there is nothing and the end has come. */
static bool take_batch(struct sqlite *s, struct list *batch)
{
    size_t n = 0;
    pthread_mutex_lock(&s->mu);
    while (list_is_empty(&s->queue)) {
        if (s->wal_pages >= WAL_IDLE_PAGES) {
            pthread_mutex_unlock(&s->mu);
            checkpoint(s);
            pthread_mutex_lock(&s->mu);
            continue;
        }
        if (s->is_stopping)
            break;
        s->is_waiting = true;
        pthread_cond_wait(&s->work, &s->mu);
        s->is_waiting = false;
    }
    while (n < BATCH_MAX && !list_is_empty(&s->queue)) {
        struct list *l = s->queue.next;
        list_remove(l);
        list_append(batch, l);
        n++;
    }
    pthread_mutex_unlock(&s->mu);
    return n > 0;
}

static void *committer(void *arg)
{
    struct sqlite *s = arg;
    struct list batch;
    list_init(&batch);
    while (take_batch(s, &batch)) {
        process(s, &batch);
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
        int rc = sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        if (rc != SQLITE_OK)
            return sqlite_explain(st, s->path, s->db, rc);
    }
    if (load_revision(s, st) < 0 || load_objects(s, st) < 0)
        return -1;
    sqlite3_wal_hook(s->db, note_wal_pages, s);
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
    bool is_waiting = s->is_waiting;
    pthread_mutex_unlock(&s->mu);
    if (is_waiting)
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
    sqlite3_close(s->db); /* moves the rest of the log */
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
    .stop = stop,
};

int sqlite_open(const char *path, struct backend **ret, struct status *st)
{
    sqlite3 *db;
    if (sqlite_file_open(path, &db, st) < 0)
        return -1;
    struct sqlite *s = xcalloc(1, sizeof(*s));
    s->base.ops = &sqlite_ops;
    s->path = xstrdup(path);
    s->db = db;
    list_init(&s->queue);
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->work, NULL);
    *ret = &s->base;
    return 0;
}
