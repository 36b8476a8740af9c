/* SPDX-License-Identifier: Apache-2.0 */
/* How the database file is made, recognised and locked. A new file is prepared beside its place and then renamed into it:
 * so a file that is there is whole or damaged, and an empty or half-made one is never taken for a fresh store.
 * A lock on a file beside it keeps other servers out. SQLite's own exclusive mode would do so as well, but also keep out those
 * who only read, like `keelson snapshot save` beside the running server. */
#include "storage/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x6b656c73 /* "kels" */
#define PAGE_BYTES 16384          /* three pods of 4 to 5 KB, of which 8192 would hold one and be half empty; a third of the calls */
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

/* Each write is a row, appended; value NULL is a deletion. previous is the row that it replaces, which stays until the history
 * has no use for it. at and expires are in milliseconds since 1970. meta: the store's revision where no row says more, and
 * where the history begins ("trimmed"). */
#define CHANGES_SQL                                                                                                    \
    "CREATE TABLE changes(revision INTEGER PRIMARY KEY, previous INTEGER NOT NULL, at INTEGER NOT NULL,"              \
    " expires INTEGER NOT NULL, key TEXT NOT NULL, value BLOB);"
#define VERSION_SQL "PRAGMA user_version=" STRING(SQLITE_FORMAT_VERSION) ";"

static const char schema_sql[] =
    "PRAGMA page_size=" STRING(PAGE_BYTES) ";BEGIN;" CHANGES_SQL
    "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('revision', 1), ('trimmed', 1);" /* as etcd: 1 is the empty store */
    "PRAGMA application_id=" STRING(APPLICATION_ID) ";" VERSION_SQL "COMMIT;";

/* Format 1 had the current objects only, by key, and forgot when events expire. */
static const char from_1_sql[] =
    "BEGIN IMMEDIATE;" CHANGES_SQL
    "INSERT INTO changes SELECT revision, 0, 0,"
    " CASE WHEN key GLOB '/registry/events/*' THEN (CAST(strftime('%s') AS INTEGER) + 3600) * 1000 ELSE 0 END,"
    " key, value FROM objects ORDER BY revision;"
    "INSERT INTO meta SELECT 'trimmed', value FROM meta WHERE name = 'revision';"
    "DROP TABLE objects;" VERSION_SQL "COMMIT;";

int sqlite_explain(struct status *st, const char *path, sqlite3 *db, int rc)
{
    int error = db ? sqlite3_system_errno(db) : 0;
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        return status_set(st, STATUS_INTERNAL_ERROR, "%s is not a database", path);
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT: /* two rows of one revision */
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

int sqlite_file_rename(const char *temporary, const char *path, struct status *st)
{
    if (chmod(temporary, 0600) < 0 || rename(temporary, path) < 0)
        return failed(st, "make", path);
    return sync_folder_of(path, st);
}

int sqlite_file_lock(const char *path, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;
    buffer_addf(&name, "%s.lock", path);
    int fd = open(buffer_str(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(st, "open", buffer_str(&name));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    if (error != EWOULDBLOCK)
        return failed(st, "lock", buffer_str(&name));
    return sqlite_explain(st, path, NULL, SQLITE_BUSY);
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
    return sqlite_file_rename(temporary, path, st);
}

int sqlite_file_check_orphan(const char *path, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;
    struct stat sb;
    buffer_addf(&name, "%s-wal", path);
    if (stat(buffer_str(&name), &sb) < 0 || sb.st_size == 0)
        return 0;
    return status_set(st, STATUS_INTERNAL_ERROR,
                      "the database %s is missing although its write-ahead log %s is there: restore it from a "
                      "backup, or remove the log to start anew",
                      path, buffer_str(&name));
}

static int create(const char *path, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;
    if (sqlite_file_check_orphan(path, st) < 0)
        return -1;
    buffer_addf(&name, "%s.new", path);
    if (unlink(buffer_str(&name)) < 0 && errno != ENOENT)
        return failed(st, "remove", buffer_str(&name));
    int result = create_at(path, buffer_str(&name), st);
    if (result < 0)
        unlink(buffer_str(&name));
    return result;
}

int sqlite_file_find(const char *path, struct status *st)
{
    struct stat sb;
    if (stat(path, &sb) < 0 && errno == ENOENT)
        return status_set(st, STATUS_NOT_FOUND, "there is no database at %s", path);
    if (stat(path, &sb) < 0)
        return failed(st, "open", path);
    if (!S_ISREG(sb.st_mode))
        return status_set(st, STATUS_INTERNAL_ERROR, "%s is not a regular file", path);
    if (sb.st_size == 0)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the database %s is empty: restore it from a backup, or remove it to start anew", path);
    return 0;
}

static int find_or_create(const char *path, struct status *st)
{
    if (sqlite_file_find(path, st) == 0)
        return 0;
    if (st->reason != STATUS_NOT_FOUND)
        return -1;
    status_clear(st);
    return create(path, st);
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
int sqlite_file_recognise(sqlite3 *db, const char *path, int *ret_version, struct status *st)
{
    int id = 0, version = 0, rc = pragma_int(db, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = pragma_int(db, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return sqlite_explain(st, path, db, rc);
    if (id != APPLICATION_ID)
        return status_set(st, STATUS_INTERNAL_ERROR, "%s is a database, but not one of keelson's", path);
    if (version > SQLITE_FORMAT_VERSION)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the database %s was written by a newer keelson: its format is %d, this one knows up to %d",
                          path, version, SQLITE_FORMAT_VERSION);
    if (version < 1)
        return status_set(st, STATUS_INTERNAL_ERROR, "the database %s has the unknown format %d", path, version);
    *ret_version = version;
    return 0;
}

static int bring_up_to_date(sqlite3 *db, const char *path, int version, struct status *st)
{
    if (version == SQLITE_FORMAT_VERSION)
        return 0;
    int rc = sqlite3_exec(db, from_1_sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return sqlite_explain(st, path, db, rc);
    log_info("The database has a newer format now", LOG_STR("path", path), LOG_I64("from", version),
             LOG_I64("to", SQLITE_FORMAT_VERSION));
    return 0;
}

/* Checkpoints are the committer's: sqlite.c. Others hold locks for moments only, which a start and a checkpoint can wait for. */
static const char set_up_sql[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                                 "PRAGMA journal_size_limit=67108864; PRAGMA secure_delete=FAST; PRAGMA temp_store=MEMORY;";
#define BUSY_MS 5000

static int open_database(const char *path, sqlite3 **ret, struct status *st)
{
    int version = 0, rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(*ret, 1);
    if (rc != SQLITE_OK)
        return sqlite_explain(st, path, *ret, rc);
    if (sqlite_file_recognise(*ret, path, &version, st) < 0)
        return -1;
    sqlite3_busy_timeout(*ret, BUSY_MS);
    rc = sqlite3_exec(*ret, set_up_sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? bring_up_to_date(*ret, path, version, st) : sqlite_explain(st, path, *ret, rc);
}

int sqlite_file_open(const char *path, struct sqlite_file *ret, struct status *st)
{
    *ret = (struct sqlite_file){.lock_fd = sqlite_file_lock(path, st)};
    if (ret->lock_fd >= 0 && find_or_create(path, st) == 0 && open_database(path, &ret->db, st) == 0)
        return 0;
    sqlite_file_close(ret);
    return -1;
}

void sqlite_file_close(struct sqlite_file *f)
{
    sqlite3_close(f->db);
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    *f = (struct sqlite_file){.lock_fd = -1};
}
