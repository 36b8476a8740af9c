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

/* One write, embedded in its owner's struct: submitting allocates nothing. */
struct storage_write {
    struct list link;
    const struct resource_type *type; /* the storage version's */
    enum write_op op;
    struct text key;            /* of the object, see object.key; lives until done */
    uint64_t expected_revision; /* the object's revision, or 0: the key must not exist */
    struct object *object;      /* PUT: unsealed, one reference; the engine seals it. NULL for DELETE. */
    struct object *previous;    /* the object at expected_revision, one reference; NULL when that is 0 */
    /* Called once, on the committer thread, after the cache has applied the write; must be short. May free this. */
    void (*done)(struct storage_write *w);
    enum write_result result;
    uint64_t revision;
    struct status st;
};

struct storage_sink {
    /* A committed change, in order of revision, on the committer thread, before the writer is told. */
    void (*changed)(void *ctx, struct storage_write *w);
    /* At load: every object, in any order. */
    int (*loaded)(void *ctx, const struct resource_type *type, struct text key, struct text stored, uint64_t revision,
                  struct status *st);
    void *ctx;
};

struct backend; /* an engine's own */
struct backend_ops {
    const char *name;
    /* Feeds every stored object into the sink, then starts taking writes. The sink is borrowed for ever. */
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
 * damaged, was written by a newer keelson, or is locked by another process; it never starts empty instead. */
int sqlite_open(const char *path, struct backend **ret, struct status *st);
