/* SPDX-License-Identifier: Apache-2.0 */
/* The engine suite over SQLite, then what is SQLite's own: files that are no store, disks that fail. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "suite.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

/* --- a disk that fails at will: SQLite's own, but writes and syncs are counted down --- */

static atomic_int writes_left = -1, syncs_left = -1;
static sqlite3_io_methods failing_methods[2]; /* of the database, which is locked, and of other files */
static const sqlite3_io_methods *real_methods[2];
static sqlite3_vfs failing_vfs, *real_vfs;

static bool is_due(atomic_int *left)
{
    int n = atomic_load(left);
    if (n < 0)
        return false;
    if (n > 0)
        atomic_store(left, n - 1);
    return n == 0;
}

static const sqlite3_io_methods *real_of(sqlite3_file *f)
{
    return real_methods[f->pMethods == &failing_methods[1]];
}

static int failing_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return is_due(&writes_left) ? SQLITE_FULL : real_of(f)->xWrite(f, p, n, at);
}

static int failing_sync(sqlite3_file *f, int flags)
{
    return is_due(&syncs_left) ? SQLITE_IOERR_FSYNC : real_of(f)->xSync(f, flags);
}

static int failing_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, f, flags, ret_flags);
    if (rc == SQLITE_OK && f->pMethods) {
        bool is_other = !(flags & SQLITE_OPEN_MAIN_DB);
        real_methods[is_other] = f->pMethods;
        failing_methods[is_other] = *f->pMethods;
        failing_methods[is_other].xWrite = failing_write;
        failing_methods[is_other].xSync = failing_sync;
        f->pMethods = &failing_methods[is_other];
    }
    return rc;
}

static void use_failing_disk(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    failing_vfs = *real_vfs;
    failing_vfs.zName = "failing";
    failing_vfs.xOpen = failing_open;
    ck_assert_int_eq(sqlite3_vfs_register(&failing_vfs, 1), SQLITE_OK);
}

static void expect_failing_writes(struct house *h, const char *words)
{
    enum { N = 8 };
    static struct waited_write writes[N];
    char keys[N][16];
    uint64_t revision = storage_revision(h->storage);
    memset(writes, 0, sizeof(writes));
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof(keys[i]), "ns/f%d", i);
        writes[i].write = (struct storage_write){.type = &things, .key = text_of(keys[i]), .op = WRITE_PUT,
                                                 .object = make_object(&things, keys[i], NULL, NULL)};
        write_submit(h->storage, &writes[i]);
    }
    for (int i = 0; i < N; i++) {
        pthread_mutex_lock(&writes[i].mu);
        while (!writes[i].is_done)
            pthread_cond_wait(&writes[i].cond, &writes[i].mu);
        pthread_mutex_unlock(&writes[i].mu);
        ck_assert_int_eq(writes[i].write.result, WRITE_FAILED);
        ck_assert_msg(strstr(writes[i].write.st.message, words) != NULL, "%s", writes[i].write.st.message);
        write_wait(&writes[i]);
        ck_assert_ptr_null(cache_get(cache_of(h), text_of(keys[i])));
    }
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_int_lt(storage_check(h->storage, PROBE_LIVE, &st), 0);
    ck_assert_uint_eq(storage_revision(h->storage), revision);
}

START_TEST(a_failed_commit_publishes_nothing)
{
    struct house h;
    struct heard heard;
    struct watcher *w;
    uint64_t at;
    struct status st = {0};
    heard_init(&heard);
    use_failing_disk();
    house_new(&h, 0);
    struct watch_options opt = {.ops = &heard_ops, .ctx = &heard};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    put(h.storage, "ns/a", "\"color\":\"red\"");
    atomic_store(&writes_left, 0);
    expect_failing_writes(&h, "the disk of the database");
    atomic_store(&writes_left, -1);
    ck_assert_uint_eq(put(h.storage, "ns/a", "\"color\":\"blue\""), 3);
    ck_assert_int_eq(storage_check(h.storage, PROBE_LIVE, &st), 0);
    atomic_store(&syncs_left, 0);
    expect_failing_writes(&h, "the database");
    atomic_store(&syncs_left, -1);
    ck_assert_uint_eq(put(h.storage, "ns/b", "\"color\":\"green\""), 4);
    heard_expect(&heard, 3, "ADDED ns/a 2 red\nMODIFIED ns/a 3 blue\nADDED ns/b 4 green\n");
    watch_stop(w);
    house_close(&h);
    house_open(&h, 0);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 2);
    ck_assert_uint_eq(storage_revision(h.storage), 4);
    house_free(&h);
    heard_deinit(&heard);
}
END_TEST

/* --- files --- */

static void write_file(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
    close(fd);
}

static void expect_refused(struct house *h, const char *words)
{
    CLEANUP(status_clear) struct status st = {0};
    struct storage_options opt = {.types = all_types, .n_types = 2, .timers = h->timers};
    int result = sqlite_open(h->path, &opt.backend, &st);
    if (result == 0)
        result = storage_start(&opt, &h->storage, &st);
    ck_assert_msg(result < 0, "it was opened; expected: %s", words);
    ck_assert_msg(strstr(st.message, words) != NULL, "%s", st.message);
    ck_assert_msg(strstr(st.message, h->path) != NULL && !strchr(st.message, '\n'), "%s", st.message);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

START_TEST(files_that_are_no_store_are_refused)
{
    struct house h;
    char garbage[8192];
    house_new(&h, 0);
    put(h.storage, "ns/a", "");
    house_close(&h);

    sql(h.path, "PRAGMA user_version=3");
    expect_refused(&h, "was written by a newer keelson");
    sql(h.path, "PRAGMA user_version=0");
    expect_refused(&h, "unknown format");
    sql(h.path, "PRAGMA user_version=2; PRAGMA application_id=7");
    expect_refused(&h, "not one of keelson's");
    sql(h.path, "PRAGMA application_id=1801809011; UPDATE changes SET previous=900");
    expect_refused(&h, "is damaged");
    sql(h.path, "UPDATE changes SET previous=0; UPDATE meta SET value=7 WHERE name='trimmed'");
    expect_refused(&h, "is damaged");
    sql(h.path, "UPDATE meta SET value=1 WHERE name='trimmed'; INSERT INTO changes VALUES(3, 2, 0, 0, '/registry/things/ns/b', NULL)");
    expect_refused(&h, "is damaged");
    sql(h.path, "DELETE FROM changes WHERE revision=3; DELETE FROM meta WHERE name='revision'");
    expect_refused(&h, "is damaged");
    sql(h.path, "INSERT INTO meta VALUES('revision', 2)");
    house_open(&h, 0);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 1);
    house_close(&h);

    memset(garbage, 'x', sizeof(garbage));
    write_file(h.path, garbage, sizeof(garbage));
    expect_refused(&h, "is not a database");
    write_file(h.path, "", 0);
    expect_refused(&h, "is empty");
    ck_assert_int_eq(unlink(h.path), 0);
    ck_assert_int_eq(mkdir(h.path, 0700), 0);
    expect_refused(&h, "is not a regular file");
    ck_assert_int_eq(rmdir(h.path), 0);

    /* the log is there, the database is not: somebody lost it */
    char wal[160];
    snprintf(wal, sizeof(wal), "%s-wal", h.path);
    write_file(wal, garbage, 100);
    expect_refused(&h, "is missing");
    ck_assert_int_eq(unlink(wal), 0);
    house_open(&h, 0);
    house_free(&h);
}
END_TEST

START_TEST(a_damaged_file_is_refused)
{
    struct house h;
    char key[32], zero[4096];
    house_new(&h, 0);
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "ns/x%d", i);
        put(h.storage, key, "\"color\":\"red\"");
    }
    house_close(&h);
    struct stat sb;
    ck_assert_int_eq(stat(h.path, &sb), 0);
    memset(zero, 0xee, sizeof(zero));
    int fd = open(h.path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, zero, 4096, sb.st_size / 2 / 4096 * 4096), 4096);
    close(fd);
    expect_refused(&h, "is damaged");
    ck_assert_int_eq(truncate(h.path, sb.st_size / 2), 0);
    expect_refused(&h, "is damaged");
    timers_stop(h.timers);
    remove_folder(h.folder);
}
END_TEST

START_TEST(a_second_process_is_told_so)
{
    struct house h;
    house_new(&h, 0);
    put(h.storage, "ns/a", "");
    pid_t pid = fork();
    if (pid == 0) {
        struct backend *b;
        struct status st = {0};
        bool is_refused = sqlite_open(h.path, &b, &st) < 0 && strstr(st.message, "is in use by another process");
        _exit(is_refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_uint_eq(put(h.storage, "ns/b", ""), 3);
    house_free(&h);
}
END_TEST

START_TEST(unreadable_objects_are_kept)
{
    struct house h;
    house_new(&h, 0);
    put(h.storage, "ns/a", "\"color\":\"red\"");
    put(h.storage, "ns/b", "");
    house_close(&h);
    sql(h.path, "UPDATE changes SET value='{\"metadata' WHERE key='/registry/things/ns/b';"
                "INSERT INTO changes VALUES(4, 0, 0, 0, '/registry/unknown/x', 'something')");
    house_open(&h, 0);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 2);
    struct object *o = cache_get(cache_of(&h), TEXT("ns/b"));
    ck_assert(o->is_unreadable);
    object_unref(o);
    /* it can be replaced, and what is unknown stays */
    ck_assert_uint_eq(put(h.storage, "ns/b", "\"color\":\"blue\""), 5);
    house_close(&h);
    sql(h.path, "UPDATE changes SET key='/registry/things/ns/z' WHERE key='/registry/unknown/x' AND value='something'");
    house_open(&h, 0);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 3);
    o = cache_get(cache_of(&h), TEXT("ns/b"));
    ck_assert(!o->is_unreadable);
    object_unref(o);
    house_free(&h);
}
END_TEST

static int64_t sql_int(const char *path, const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

/* Whatever is written, in the end the file holds the current objects and the newest second. */
START_TEST(the_file_does_not_grow_for_ever)
{
    enum { N = 3000 };
    struct house h;
    char spec[64];
    clock_fake(1767323045000000000);
    house_new(&h, 0);
    for (int i = 0; i < N; i++) {
        snprintf(spec, sizeof(spec), "\"color\":\"red\",\"count\":%d", i);
        put(h.storage, i % 3 ? "ns/a" : "ns/b", spec);
        if (i % 10 == 9)
            clock_fake_advance_ms(1000);
    }
    clock_fake_advance_ms(6 * 60 * 1000);
    put(h.storage, "ns/a", "");
    for (int i = 0; i < 200 && sql_int(h.path, "SELECT count(*) FROM changes") > 30; i++) {
        clock_fake_advance_ms(1000);
        usleep(10000);
    }
    ck_assert_int_le(sql_int(h.path, "SELECT count(*) FROM changes"), 30);
    uint64_t revision = storage_revision(h.storage);
    house_close(&h);
    house_open(&h, 0);
    ck_assert_uint_eq(storage_revision(h.storage), revision);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 2);
    house_free(&h);
    clock_real();
}
END_TEST

/* A store that ends with a deletion keeps its revision, however old that is. */
START_TEST(an_old_deletion_keeps_the_revision)
{
    struct house h;
    clock_fake(1767323045000000000);
    house_new(&h, 0);
    put(h.storage, "ns/a", "");
    put(h.storage, "ns/b", "");
    clock_fake_advance_ms(10000);
    ck_assert_uint_eq(del(h.storage, "ns/b"), 4);
    for (int i = 0; i < 3; i++) {
        clock_fake_advance_ms(10 * 60 * 1000);
        usleep(20000);
        house_close(&h);
        house_open(&h, 0);
        ck_assert_uint_eq(storage_revision(h.storage), 4);
        ck_assert_uint_eq(cache_count(cache_of(&h)), 1);
    }
    ck_assert_uint_eq(put(h.storage, "ns/b", ""), 5);
    house_free(&h);
    clock_real();
}
END_TEST

/* A file of the first format, as that version made it. */
static void make_format_1(const char *path)
{
    sql(path, "CREATE TABLE objects(key TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL);"
              "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
              "INSERT INTO meta VALUES('revision', 90);"
              "INSERT INTO objects VALUES('/registry/things/ns/b', 40, CAST('{\"kind\":\"Thing\",\"apiVersion\":\"v1\",\"metadata\":"
              "{\"name\":\"b\",\"namespace\":\"ns\",\"uid\":\"u\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},"
              "\"spec\":{\"color\":\"red\"}}' AS BLOB)),"
              "('/registry/things/ns/a', 50, CAST('{\"kind\":\"Thing\",\"apiVersion\":\"v1\",\"metadata\":"
              "{\"name\":\"a\",\"namespace\":\"ns\",\"uid\":\"u\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},"
              "\"spec\":{\"color\":\"blue\"}}' AS BLOB)),"
              "('/registry/events/ns/e', 60, CAST('{}' AS BLOB));"
              "PRAGMA application_id=1801809011; PRAGMA user_version=1");
}

START_TEST(a_file_of_the_first_format_is_brought_up_to_date)
{
    struct house h;
    struct snapshot s;
    CLEANUP(status_clear) struct status st = {0};
    house_new(&h, 0);
    house_close(&h);
    ck_assert_int_eq(unlink(h.path), 0);
    make_format_1(h.path);
    for (int i = 0; i < 2; i++) {
        house_open(&h, 0);
        ck_assert_uint_eq(storage_revision(h.storage), 90 + (unsigned)i);
        expect_state(&h, 90, "ns/a@50=blue ns/b@40=red ");
        ck_assert_int_lt(cache_snapshot_at(cache_of(&h), 89, &s, &st), 0);
        ck_assert_int_eq(st.reason, STATUS_EXPIRED);
        if (i == 0)
            ck_assert_uint_eq(put(h.storage, "ns/a", "\"color\":\"green\""), 91);
        house_close(&h);
    }
    int64_t left = sql_int(h.path, "SELECT expires / 1000 - strftime('%s') FROM changes WHERE key GLOB '/registry/events/*'");
    ck_assert_int_le(left, 3600);
    ck_assert_int_gt(left, 3500);
    ck_assert_int_eq(sql_int(h.path, "PRAGMA user_version"), 2);
    house_open(&h, 0);
    house_free(&h);
}
END_TEST

UNIT_MAIN("storage/sqlite", ENGINE_TESTS, EMBEDDED_ENGINE_TESTS, a_failed_commit_publishes_nothing, files_that_are_no_store_are_refused,
          a_damaged_file_is_refused, a_second_process_is_told_so, unreadable_objects_are_kept, the_file_does_not_grow_for_ever,
          an_old_deletion_keeps_the_revision, a_file_of_the_first_format_is_brought_up_to_date)
