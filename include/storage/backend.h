/* backend.h - what a storage engine is: a revisioned map of keys to bytes, seen by storage.c only. Engines: sqlite, etcd.
 * Each write is checked against its precondition and committed; only then its events are published in order of revision
 * and its writer told. An engine whose store has other writers (etcd) publishes their changes in the same order, and is
 * asked for the store's revision before a read that must be the newest. Every engine passes the same tests
 * (tests/unit/storage/suite.h).
 * The committer is the one thread of the engine that calls the sink and the writers. */
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
    /* PUT: what the object's JSON says, perhaps with a resourceVersion; saves an engine that keeps another form from reading it
     * again. Stays as it is until done. NULL: not at hand. */
    const struct value *tree;
    struct object *previous;    /* the object at expected_revision, one reference; NULL when that is 0 */
    /* Called once, on the committer thread (or by storage_submit when it refuses), after the cache has applied the write;
     * must be short. May free this. Watchers may hear of the write a moment later. */
    void (*done)(struct storage_write *w);
    enum write_result result;
    uint64_t revision;
    struct status st;
    /* CONFLICT: what the store has under the key, when the engine was told (has_found): one reference, the owner's; NULL when
     * there is no such key. It may be newer than the cache: who tries again starts from it. */
    struct object *found;
    bool has_found;
};

/* The store's revision as of some moment after the asking: the start of a read that must see every write that ended before.
 * Embedded in its owner's struct. */
struct revision_ask {
    struct list link;
    /* Once, on any thread; may free this. revision 0: st says why the store did not tell. */
    void (*done)(struct revision_ask *ask);
    uint64_t revision;
    struct status st;
    int64_t begun_ms; /* the engine's */
};

struct stored_change;
/* One resource as it was at a revision. Embedded in its owner's struct. */
struct revision_read {
    struct text folder; /* of its paths: "pods/"; lives until done */
    uint64_t revision;
    const struct resource_type *type; /* the storage version's; of the metrics */
    void (*found)(struct revision_read *r, const struct stored_change *row); /* each key, in order; committer thread */
    /* Once, on the committer thread or at stop, never within read_at; may free this. st: EXPIRED when the store does not know that
     * revision any more, otherwise why it does not tell; no error: everything was found. */
    void (*done)(struct revision_read *r);
    struct status st;
};

/* A row of the store, as it is fed into the sink at load. Paths are keys without "/registry/": "pods/default/web". */
struct stored_change {
    struct text path;
    struct text value;           /* p NULL: a deletion */
    uint64_t revision, previous; /* previous: the key's revision that this one replaced; 0: it was created, or is not known */
    int64_t at_ms;               /* wall clock of its commit; 0: not known */
    int64_t expires_ms;          /* see object.expires_ms */
};

struct storage_sink {
    /* Adds the bytes to be kept for w's object; any thread. The one place where objects become an engine's bytes. */
    int (*encode)(void *ctx, const struct storage_write *w, struct buffer *b, struct status *st);
    /* A committed change, in order of revision, on the committer thread, before its writer is told. */
    void (*changed)(void *ctx, struct storage_write *w);
    /* The same for an engine that learns of changes from the store: stored.p is NULL for a deletion. own: the write that this
     * change is, when it is one of ours, which spares the decoding (stored.p then only says that it is no deletion). A path of no resource is let go. Changes of one
     * revision come one after the other; reached ends them. */
    void (*observed)(void *ctx, struct text path, struct text stored, uint64_t revision, struct storage_write *own);
    /* Everything up to this revision was observed. */
    void (*reached)(void *ctx, uint64_t revision);
    /* The writers of the changes since the last call were told: now the slower followers. Committer thread. */
    void (*settled)(void *ctx);
    /* The revision of the newest state of w's key that was published, 0: there is none. Committer thread; for engines that keep
     * no index of their own. */
    uint64_t (*current)(void *ctx, const struct storage_write *w);
    /* At load: every key of the store. An engine that keeps what was replaced gives them as they were when its history begins,
     * then calls history_begins with that revision, once, and then gives each change since, in order of revision. */
    int (*loaded)(void *ctx, const struct stored_change *c, struct status *st);
    void (*history_begins)(void *ctx, uint64_t revision);
    int64_t history_ms; /* how far back such an engine shall keep what was replaced or deleted */
    /* An engine that has lost the thread of changes loads everything once more, on the committer thread: reload_begin, then loaded
     * for each key, then reload_end with the revision that this was the state of, or 0 when it failed half-way. Watches end,
     * and history begins anew. */
    void (*reload_begin)(void *ctx);
    void (*reload_end)(void *ctx, uint64_t revision);
    bool (*holds)(void *ctx, struct text path); /* is this key in its cache? Committer. */
    /* A failed compare's answer as an object: NULL when the path is of no resource. An unreadable one is held as such. */
    struct object *(*decode)(void *ctx, struct text path, struct text stored, uint64_t revision);
    void *ctx;
};

enum storage_probe { PROBE_LIVE, PROBE_READY };

struct backend; /* an engine's own */
struct backend_ops {
    const char *name;
    bool expires_keys; /* deletes by itself what has expired; otherwise it is told to, key by key (expiry.c) */
    /* Feeds what is stored into the sink, then starts taking writes. The sink is borrowed until stop. Once, also after
     * a failure of which only stop may follow. The revision of a store that nobody wrote to is 1. */
    int (*start)(struct backend *b, const struct storage_sink *sink, uint64_t *ret_revision, struct status *st);
    /* Begins to call the sink with what others write; once, after start, when the caches are ready. NULL: there are none. */
    void (*follow)(struct backend *b);
    /* Takes w until done is called. Any thread; never blocks. */
    void (*submit)(struct backend *b, struct storage_write *w);
    /* Takes ask until its done is called. NULL: the store has no other writers, so the cache is the newest there is. */
    void (*ask_revision)(struct backend *b, struct revision_ask *ask);
    /* Takes r until its done is called: a revision older than the caches' history. Never blocks. NULL: the store knows no more of
     * the past than the caches. */
    void (*read_at)(struct backend *b, struct revision_read *r);
    /* Is the store able to answer? For the health pages. May block. */
    int (*check)(struct backend *b, enum storage_probe probe, struct status *st);
    int64_t (*size_bytes)(struct backend *b);
    /* About once a second, from the timer thread: history that has grown too old may go. Never blocks. NULL: no need. */
    void (*trim)(struct backend *b);
    void (*stop)(struct backend *b); /* ends after the queued writes, frees */
};
struct backend {
    const struct backend_ops *ops;
};

/* The embedded engine. path: the database file, made when absent. Fails with one clear sentence for a file that is no database, was
 * damaged, was written by a newer keelson, or is locked by another process; it never starts empty instead. Damage inside is
 * found by start, which reads everything. */
int sqlite_open(const char *path, struct backend **ret, struct status *st);

/* Copies of the embedded store. */
struct sqlite_snapshot {
    uint64_t revision;
    size_t n_objects;
    int64_t bytes;
};
/* Copies the database at path into one file at target, which is replaced as a whole. A server may be running on it: the copy is
 * the state of one moment, history included, and holds up nobody but checkpoints. Checked before it is put in place. */
int sqlite_snapshot_save(const char *path, const char *target, struct sqlite_snapshot *ret, struct status *st);
/* Makes the database at path, where none may be, from such a file. Its revisions go on far behind those of the snapshot, and
 * its history is empty: who has seen what happened after the snapshot must not take a new revision for one that it knows. */
int sqlite_snapshot_restore(const char *snapshot, const char *path, struct sqlite_snapshot *ret, struct status *st);
/* Lets the store's revisions go on far behind this one and its own, with an empty history: for a store that was filled from
 * another one. No server may be running on it. */
int sqlite_leap(const char *path, uint64_t revision, struct status *st);

/* etcd through its v3 HTTP/JSON gateway. Texts are copied. */
struct etcd_options {
    const char *const *servers; /* "https://host:port", tried in turn when one fails */
    size_t n_servers;
    const char *flag;           /* where they come from, for errors; lives as long as the engine; NULL: "--etcd-servers" */
    const char *prefix;         /* "/registry"; NULL: that */
    const char *ca_file, *cert_file, *key_file; /* NULL: none */
    struct timers *timers;      /* borrowed */
    int64_t compaction_interval_ms; /* 0: somebody else compacts */
    int64_t health_timeout_ms, ready_timeout_ms; /* 0: two seconds */
    int64_t size_poll_ms;       /* how often the database's size is asked for; 0: 30 seconds, -1: never */
    int64_t lease_reuse_s;      /* how long one lease is shared, at most; 0: 60 */
    int64_t start_timeout_ms;   /* how long start tries to reach it; 0: 20 seconds */
};
/* Fails for servers that are no URLs and files that cannot be read; whether anybody answers, start finds out. */
int etcd_open(const struct etcd_options *opt, struct backend **ret, struct status *st);
struct text etcd_key_prefix(struct backend *b); /* "/registry/"; lives as long as the engine */
