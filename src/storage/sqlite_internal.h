/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_internal.h - what the files of the embedded engine know of each other. One connection, used by one thread at a time:
 * who starts the engine, then the committer. */
#pragma once

#include <pthread.h>
#include <sqlite3.h>

#include "storage/backend.h"

#define STORED_KEY_PREFIX TEXT("/registry/")

/* --- sqlite_file.c ------------------------------------------------------------------------------------------------ */

struct sqlite_file {
    sqlite3 *db;
    int lock_fd; /* holds the lock that keeps other servers out; -1: none */
};
/* Opens the file, made when absent, takes its lock, and brings an older format up to date. */
int sqlite_file_open(const char *path, struct sqlite_file *ret, struct status *st);
void sqlite_file_close(struct sqlite_file *f);
/* Takes the lock of the database at this path; -1 with a sentence when another process has it. */
int sqlite_file_lock(const char *path, struct status *st);
#define SQLITE_FORMAT_VERSION 2 /* of the tables, in user_version */
/* Is it a database of ours, of a format that is known? Reads only. */
int sqlite_file_recognise(sqlite3 *db, const char *path, int *ret_version, struct status *st);
/* NOT_FOUND if nothing is at the path; another status for what cannot be a database. */
int sqlite_file_find(const char *path, struct status *st);
/* Refuses a log that is there without its database. */
int sqlite_file_check_orphan(const char *path, struct status *st);
/* Moves what was made at temporary to path, for good. */
int sqlite_file_rename(const char *temporary, const char *path, struct status *st);
/* One clear sentence for a failed call on this connection (NULL: there is none); always -1. */
int sqlite_explain(struct status *st, const char *path, sqlite3 *db, int rc);

/* --- the engine --------------------------------------------------------------------------------------------------- */

enum statement {
    STMT_INSERT,        /* a change */
    STMT_TRIM_REPLACED, /* what the changes behind ?1 up to ?2 have replaced */
    STMT_TRIM_DELETED,  /* deletions behind ?1 up to ?2 */
    STMT_SET_META,
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_ROLLBACK,
    N_STATEMENTS
};

/* From this revision on, changes were committed at this time or later. */
struct history_mark {
    uint64_t revision;
    int64_t at_ms;      /* clock_mono_ms */
    uint64_t old_bytes; /* sqlite.old_bytes then */
};

struct sqlite {
    struct backend base;
    char *path;
    const struct storage_sink *sink;
    pthread_t committer;
    bool has_committer;

    /* start, then committer only */
    struct sqlite_file file;
    sqlite3_stmt *statements[N_STATEMENTS];
    uint64_t revision;
    uint64_t trimmed;   /* the state at this revision and all changes behind it are kept */
    uint64_t old_bytes; /* what all values that were ever replaced or deleted cost */
    VEC(struct history_mark) marks; /* oldest first, a second or more apart */
    struct buffer key, value;
    struct storage_write **written; /* of the batch, by key: see sqlite.c */
    int wal_pages;
    size_t n_expected;  /* writers that seem to be at work: see gather */
    int64_t commit_ns;  /* how long a commit takes, smoothed */

    atomic_int_least64_t oldest_ms; /* the first mark's, for trim(); INT64_MAX: there is none */
    atomic_bool is_history_long;

    pthread_mutex_t mu;
    pthread_cond_t work;  /* the queue is no longer empty, there is history to trim, or the end has come */
    struct list queue;    /* mu */
    size_t n_queued;      /* mu: in the queue */
    size_t n_wanted;      /* mu: the committer waits for so many; 0: it is at work, so a signal would be wasted */
    bool is_trim_due;     /* mu */
    bool is_stopping;     /* mu */
    char *broken;         /* mu: why the last commit failed; NULL: it did not */
};

int sqlite_run(struct sqlite *s, enum statement which); /* SQLITE_OK when it ran to its end */

/* sqlite_load.c: feeds everything into the sink. */
int sqlite_load(struct sqlite *s, struct status *st);

/* sqlite_history.c */
void history_replaced(struct sqlite *s, size_t bytes);                 /* a value of so many bytes, by the next change */
void history_note(struct sqlite *s, uint64_t revision, int64_t at_ms); /* a change at this time (clock_mono_ms) */
bool history_is_due(struct sqlite *s);                                 /* any thread */
/* Committer: takes away a part of what is too old, as a transaction of its own. False: there is no more to do. */
bool history_trim(struct sqlite *s);
