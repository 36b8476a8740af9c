/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the embedded store, by SQLite's backup interface: read in one transaction beside the running server, whose
 * writers it does not hold up, or made into a store that is not there yet. Both are made beside their place, examined, and
 * renamed into it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sqlite_internal.h"

#define BUSY_MS 10000
/* How far behind the snapshot a restored store's revisions go on; more than are written between two snapshots. */
#define REVISION_STRIDE "1000000"

static int query_int(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

/* Opens what must be a store's database. *ret is the caller's to close, on failure too. */
static int open_known(const char *path, int flags, sqlite3 **ret, struct status *st)
{
    int version, rc = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return sqlite_explain(st, path, *ret, rc);
    sqlite3_busy_timeout(*ret, BUSY_MS);
    if (sqlite_file_recognise(*ret, path, &version, st) < 0)
        return -1;
    if (version < SQLITE_FORMAT_VERSION)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the database %s has the older format %d: start the server on it once, which brings it up to date",
                          path, version);
    return 0;
}

/* Every page and row is looked at. */
static int examine(sqlite3 *db, const char *path, struct sqlite_snapshot *ret, struct status *st)
{
    int64_t revision = 0, n_objects = 0, pages = 0, page_bytes = 0, is_whole = 0;
    int rc = query_int(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check(1)", &is_whole);
    if (rc == SQLITE_OK && !is_whole)
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_OK)
        rc = query_int(db, "SELECT max((SELECT value FROM meta WHERE name = 'revision'),"
                           " coalesce((SELECT max(revision) FROM changes), 1))", &revision);
    if (rc == SQLITE_OK)
        rc = query_int(db, "SELECT count(*) FROM changes WHERE value IS NOT NULL"
                           " AND revision NOT IN (SELECT previous FROM changes)", &n_objects);
    if (rc == SQLITE_OK)
        rc = query_int(db, "PRAGMA page_count", &pages);
    if (rc == SQLITE_OK)
        rc = query_int(db, "PRAGMA page_size", &page_bytes);
    if (rc == SQLITE_OK && revision < 1)
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_CORRUPT)
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s is damaged", path);
    if (rc != SQLITE_OK)
        return sqlite_explain(st, path, db, rc);
    *ret = (struct sqlite_snapshot){(uint64_t)revision, (size_t)n_objects, pages * page_bytes};
    return 0;
}

/* All pages in one step, which is one read transaction: a later step would begin anew after each write of the server. */
static int copy(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (!b)
        return sqlite3_errcode(to);
    int rc = sqlite3_backup_step(b, -1);
    int end_rc = sqlite3_backup_finish(b);
    return rc == SQLITE_DONE || rc == SQLITE_OK ? end_rc : rc;
}

static void remove_copy(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;
        buffer_addf(&name, "%s%s", path, suffixes[i]);
        unlink(buffer_str(&name));
    }
}

/* Copies into a file beside target, runs sql on it, examines it, and moves it there. from_path and target: for errors. */
static int copy_to(sqlite3 *from, const char *from_path, const char *target, const char *sql, struct sqlite_snapshot *ret,
                   struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;
    sqlite3 *to = NULL;
    buffer_addf(&name, "%s.new", target);
    const char *temporary = buffer_str(&name);
    remove_copy(temporary);
    int rc = sqlite3_open_v2(temporary, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK && chmod(temporary, 0600) < 0 && errno != ENOENT)
        rc = SQLITE_CANTOPEN;
    if (rc == SQLITE_OK)
        rc = copy(from, to);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(to, sql, NULL, NULL, NULL);
    int result = rc == SQLITE_OK ? examine(to, from_path, ret, st) : sqlite_explain(st, target, to, rc);
    sqlite3_close(to);
    if (result == 0)
        result = sqlite_file_rename(temporary, target, st);
    if (result < 0)
        remove_copy(temporary);
    return result;
}

static int check_target(const char *path, const char *target, struct status *st)
{
    struct stat from, to;
    if (stat(target, &to) < 0)
        return 0; /* what else may be wrong with it, making it will tell */
    if (!S_ISREG(to.st_mode))
        return status_set(st, STATUS_BAD_REQUEST, "%s is not a regular file", target);
    if (stat(path, &from) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
        return status_set(st, STATUS_BAD_REQUEST, "%s is the store itself", target);
    return 0;
}

int sqlite_snapshot_save(const char *path, const char *target, struct sqlite_snapshot *ret, struct status *st)
{
    sqlite3 *from = NULL;
    if (sqlite_file_find(path, st) < 0 || check_target(path, target, st) < 0)
        return -1;
    int result = open_known(path, SQLITE_OPEN_READWRITE, &from, st); /* a log's index is written by its readers too */
    if (result == 0) {
        sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        result = copy_to(from, path, target, "PRAGMA journal_mode=DELETE", ret, st); /* one file, without a log */
    }
    sqlite3_close(from);
    return result;
}

/* The current objects only, and the next revision far away. */
static const char renew_sql[] =
    "PRAGMA journal_mode=DELETE; BEGIN;"
    "DELETE FROM changes WHERE revision IN (SELECT previous FROM changes);"
    "UPDATE meta SET value = max(value, coalesce((SELECT max(revision) FROM changes), 1)) + " REVISION_STRIDE
    " WHERE name = 'revision';"
    "UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'revision') WHERE name = 'trimmed';"
    "DELETE FROM changes WHERE value IS NULL;"
    "COMMIT;";

static int restore_locked(const char *snapshot, const char *path, struct sqlite_snapshot *ret, struct status *st)
{
    sqlite3 *from = NULL;
    struct sqlite_snapshot before;
    struct stat sb;
    if (lstat(path, &sb) == 0)
        return status_set(st, STATUS_ALREADY_EXISTS,
                          "there is a store already, %s: move it away, or restore into another folder", path);
    if (sqlite_file_check_orphan(path, st) < 0)
        return -1;
    int result = open_known(snapshot, SQLITE_OPEN_READONLY, &from, st);
    if (result == 0)
        result = examine(from, snapshot, &before, st);
    if (result == 0)
        result = copy_to(from, snapshot, path, renew_sql, ret, st);
    sqlite3_close(from);
    return result;
}

int sqlite_snapshot_restore(const char *snapshot, const char *path, struct sqlite_snapshot *ret, struct status *st)
{
    if (sqlite_file_find(snapshot, st) < 0)
        return -1;
    int lock = sqlite_file_lock(path, st);
    if (lock < 0)
        return -1;
    int result = restore_locked(snapshot, path, ret, st);
    close(lock);
    return result;
}

int sqlite_leap(const char *path, uint64_t revision, struct status *st)
{
    struct sqlite_file file;
    char sql[512];
    if (sqlite_file_open(path, &file, st) < 0)
        return -1;
    snprintf(sql, sizeof(sql),
             "BEGIN IMMEDIATE;"
             "UPDATE meta SET value = max(value, %lld) + " REVISION_STRIDE " WHERE name = 'revision';"
             "UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'revision') WHERE name = 'trimmed';"
             "COMMIT;",
             (long long)revision);
    int rc = sqlite3_exec(file.db, sql, NULL, NULL, NULL);
    int result = rc == SQLITE_OK ? 0 : sqlite_explain(st, path, file.db, rc);
    sqlite_file_close(&file);
    return result;
}
