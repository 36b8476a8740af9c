/* backend.h - what a storage engine is: a revisioned map of keys, seen by storage.c only. Engines: sqlite.
 * Each write is checked against its precondition and committed; only then its events are published in order of revision
 * and its writer told. Every engine passes the same tests (tests/unit/storage/suite.h). */
#pragma once

#include "storage/object.h"

enum write_op { WRITE_PUT, WRITE_DELETE };
enum write_result {
    WRITE_DONE,     /* committed; revision is set */
    WRITE_CONFLICT, /* the key is not at expected_revision: nothing was written */
    WRITE_FAILED,   /* st says why; nothing was written, or the outcome is unknown and st says so */
};

/* One write, embedded in its owner's struct: submitting allocates nothing. The references in it stay the owner's, who drops
 * them after done; the cache takes its own. */
struct storage_write {
    struct list link;
    const struct resource_type *type; /* the storage version's */
    enum write_op op;
    struct text key;            /* of the object, see object.key; lives until done */
    uint64_t expected_revision; /* the object's revision, or 0: the key must not exist */
    struct object *object;      /* PUT: unsealed, one reference; the engine seals it. NULL for DELETE. */
    struct object *previous;    /* the object at expected_revision, one reference; NULL when that is 0 */
    /* Called once, on the committer thread (or by storage_submit when it refuses), after the cache has applied the write;
     * must be short. May free this. Watchers may hear of the write a moment later. */
    void (*done)(struct storage_write *w);
    enum write_result result;
    uint64_t revision;
    struct status st;
};

struct storage_sink {
    /* A committed change, in order of revision, on the committer thread, before its writer is told. */
    void (*changed)(void *ctx, struct storage_write *w);
    /* The writers of the changes since the last call were told: now the slower followers. Committer thread. */
    void (*settled)(void *ctx);
    /* At load: every key of the store, ascending, without "/registry/": "pods/default/web". */
    int (*loaded)(void *ctx, struct text path, struct text stored, uint64_t revision, struct status *st);
    void *ctx;
};

struct backend; /* an engine's own */
struct backend_ops {
    const char *name;
    /* Feeds every stored object into the sink, then starts taking writes. The sink is borrowed until stop. Once, also after
     * a failure of which only stop may follow. The revision of a store that nobody wrote to is 1. */
    int (*start)(struct backend *b, const struct storage_sink *sink, uint64_t *ret_revision, struct status *st);
    /* Takes w until done is called. Any thread; never blocks. */
    void (*submit)(struct backend *b, struct storage_write *w);
    /* Is the store able to answer? For readyz. May block. */
    int (*check)(struct backend *b, struct status *st);
    int64_t (*size_bytes)(struct backend *b);
    void (*stop)(struct backend *b); /* ends after the queued writes, frees */
};
struct backend {
    const struct backend_ops *ops;
};

/* The embedded engine. path: the database file, made when absent. Fails with one clear sentence for a file that is no database, was
 * damaged, was written by a newer keelson, or is locked by another process; it never starts empty instead. Damage inside is
 * found by start, which reads everything. */
int sqlite_open(const char *path, struct backend **ret, struct status *st);
