/* SPDX-License-Identifier: Apache-2.0 */
/* How the database file is made, recognised and locked. A new file is prepared beside its place and then renamed into it:
 * so a file that is there is whole or damaged, and an empty or half-made one is never taken for a fresh store.
 * The exclusive locking mode keeps other processes out and the WAL's index in our memory. */
#include "storage/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x6b656c73 /* "kels" */
#define FORMAT_VERSION 1          /* of the tables below, in user_version */
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

/* The load walks the index of keys and fetches every row, so it meets every damaged page of both. */
static const char schema_sql[] =
    "BEGIN;"
    "CREATE TABLE objects(key TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('revision', 1);" /* as etcd: 1 is the empty store */
    "PRAGMA application_id=" STRING(APPLICATION_ID) ";"
    "PRAGMA user_version=" STRING(FORMAT_VERSION) ";"
    "COMMIT;";

int sqlite_explain(struct status *st, const char *path, sqlite3 *db, int rc)
{
    int error = db ? sqlite3_system_errno(db) : 0;
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        return status_set(st, STATUS_INTERNAL_ERROR, "%s is not a database", path);
    case SQLITE_CORRUPT:
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s is damaged (%s): restore it from a backup", path,
                          why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s is in use by another process", path);
    case SQLITE_CANTOPEN:
        return status_set(st, STATUS_INTERNAL_ERROR, "cannot open the database %s: %s", path,
                          error ? strerror(error) : why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s cannot be written to", path);
    case SQLITE_FULL:
        return status_set(st, STATUS_INTERNAL_ERROR, "the disk of the database %s is full", path);
    default:
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s: %s%s%s", path, why, error ? ": " : "",
                          error ? strerror(error) : "");
    }
}

static int failed(struct status *st, const char *what, const char *path)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "cannot %s %s: %s", what, path, strerror(errno));
}

/* The rename is only durable once the folder is. */
static int sync_folder_of(const char *path, struct status *st)
{
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? xstrdup(".") : slash == path ? xstrdup("/") : strndup(path, (size_t)(slash - path));
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = fd < 0 || fsync(fd) < 0 ? failed(st, "sync the folder", folder ? folder : path) : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return result;
}

static int create_at(const char *path, const char *temporary, struct status *st)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(temporary, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, schema_sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        sqlite_explain(st, path, db, rc);
    sqlite3_close(db);
    if (rc != SQLITE_OK)
        return -1;
    if (chmod(temporary, 0600) < 0 || rename(temporary, path) < 0)
        return failed(st, "make", path);
    return sync_folder_of(path, st);
}

static int create(const char *path, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;
    struct stat sb;
    buffer_addf(&name, "%s-wal", path);
    if (stat(buffer_str(&name), &sb) == 0 && sb.st_size > 0)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the database %s is missing although its write-ahead log %s is there: restore it from a "
                          "backup, or remove the log to start anew",
                          path, buffer_str(&name));
    buffer_clear(&name);
    buffer_addf(&name, "%s.new", path);
    if (unlink(buffer_str(&name)) < 0 && errno != ENOENT)
        return failed(st, "remove", buffer_str(&name));
    int result = create_at(path, buffer_str(&name), st);
    if (result < 0)
        unlink(buffer_str(&name));
    return result;
}

static int find_or_create(const char *path, struct status *st)
{
    struct stat sb;
    if (stat(path, &sb) < 0)
        return errno == ENOENT ? create(path, st) : failed(st, "open", path);
    if (!S_ISREG(sb.st_mode))
        return status_set(st, STATUS_INTERNAL_ERROR, "%s is not a regular file", path);
    if (sb.st_size == 0)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the database %s is empty: restore it from a backup, or remove it to start anew", path);
    return 0;
}

static int pragma_int(sqlite3 *db, const char *sql, int *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *ret = sqlite3_column_int(stmt, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* Whose file is it? Nothing is written before that is known. */
static int recognise(sqlite3 *db, const char *path, struct status *st)
{
    int id = 0, version = 0, rc = pragma_int(db, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = pragma_int(db, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return sqlite_explain(st, path, db, rc);
    if (id != APPLICATION_ID)
        return status_set(st, STATUS_INTERNAL_ERROR, "%s is a database, but not one of keelson's", path);
    if (version > FORMAT_VERSION)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the database %s was written by a newer keelson: its format is %d, this one knows up to %d",
                          path, version, FORMAT_VERSION);
    if (version < 1)
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s has the unknown format %d", path, version);
    return 0;
}

/* Checkpoints are the committer's: sqlite.c. The first write takes the lock that is never given back. */
static const char set_up_sql[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                                 "PRAGMA journal_size_limit=67108864; BEGIN IMMEDIATE; COMMIT;";

int sqlite_file_open(const char *path, sqlite3 **ret, struct status *st)
{
    sqlite3 *db = NULL;
    if (find_or_create(path, st) < 0)
        return -1;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(db, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        sqlite_explain(st, path, db, rc);
    else if (recognise(db, path, st) < 0)
        rc = SQLITE_ERROR;
    else if ((rc = sqlite3_exec(db, set_up_sql, NULL, NULL, NULL)) != SQLITE_OK)
        sqlite_explain(st, path, db, rc);
    if (rc == SQLITE_OK) {
        *ret = db;
        return 0;
    }
    sqlite3_close(db);
    return -1;
}
