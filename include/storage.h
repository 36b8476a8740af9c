/* storage.h - floor 3: where the objects are. One engine below, one watch cache per resource above it; the registry calls
 * nothing else.
 * Threads: any thread may call any function; writes end on the committer thread. */
#pragma once

#include "storage/backend.h"  /* an engine's interface */
#include "storage/cache.h"    /* snapshots, ring, watchers */
#include "storage/encryption.h" /* between bytes and engine */
#include "storage/object.h"   /* immutable bytes and their other forms */
#include "storage/selector.h" /* label and field selectors */

struct storage;

struct storage_options {
    struct backend *backend; /* taken */
    const struct resource_type *const *types; /* storage versions, each one a cache */
    size_t n_types;
    struct timers *timers;   /* borrowed: progress of watches, history */
    int64_t history_ms;      /* 0: five minutes */
    int64_t count_ms;        /* how often objects are counted for the metrics; 0: every second; -1: never */
    bool stores_protobuf;    /* where the type has a message; else JSON. Both are read, whatever was written. */
    size_t ring_max_events;  /* 0: default */
    struct encryption *encryption; /* borrowed until storage_stop; NULL: none */
    struct text key_prefix;  /* before all keys, for what encryption authenticates; borrowed; empty: "/registry/" */
    const char *cluster_id;  /* which store it is, for the metrics; NULL: the engine's name */
};
/* Loads everything. A stored value that cannot be read is reported by key, kept in the store, and served as an error. */
int storage_start(const struct storage_options *opt, struct storage **ret, struct status *st);
/* Ends all watches, finishes what is queued, closes the engine. */
void storage_stop(struct storage *s);

struct cache *storage_cache(struct storage *s, const struct resource_type *type);
/* Before the first reader: lists of this type that take any version are paged like others, as upstream does without a watch cache
 * for it. */
void storage_bypass(struct storage *s, const struct resource_type *type);
uint64_t storage_revision(struct storage *s);
/* Calls done once the revision has been reached (true) or timeout_ms have passed (false); at once when it already is. Any
 * thread. Source of the 3 s and the 504: cacher's waitUntilFreshAndBlock. */
void storage_wait(struct storage *s, uint64_t revision, int64_t timeout_ms, void (*done)(void *ctx, bool reached),
                  void *ctx);

/* The state of the cache's resource at exactly this revision: from its history or, when that does not reach back so far and the
 * engine keeps more, from the engine, which takes a while and the memory of what has changed since; a few such reads run at
 * once, others wait for them, and what was read is kept for the next pages. Calls done, perhaps at once, perhaps on another
 * thread, with a snapshot whose reference it takes, or with NULL and the status: EXPIRED, SERVICE_UNAVAILABLE, TIMEOUT. */
void storage_snapshot_at(struct storage *s, struct cache *c, uint64_t revision,
                         void (*done)(void *ctx, struct snapshot *snapshot, struct status *st), void *ctx);

/* For a read that must see every write that ended before it began, anybody's: calls done once the caches are that fresh (st is
 * NULL), or with the status to answer: SERVICE_UNAVAILABLE or TIMEOUT with a retry hint. At once when the store has no other
 * writers. Reads that ask at the same time share one question to the store. */
void storage_refresh(struct storage *s, void (*done)(void *ctx, struct status *st), void *ctx);
/* Has the store no other writers, so that the cache is always the newest state? */
bool storage_is_sole_writer(const struct storage *s);

/* Is o, which is current, kept in another form than a write would give it now, so that a write which changes nothing is
 * worth making? Source: kubernetes/apiserver pkg/storage/etcd3/store.go, objState.stale. */
bool storage_is_stale(struct storage *s, const struct object *o);

/* Takes w until its done is called. A write for a store that is stopping fails with SERVICE_UNAVAILABLE. */
void storage_submit(struct storage *s, struct storage_write *w);
int storage_check(struct storage *s, enum storage_probe probe, struct status *st);

/* metadata.resourceVersion texts; empty is 0. BAD_REQUEST for anything that is no number. */
int revision_parse(struct text t, uint64_t *ret, struct status *st);
/* TIMEOUT, for a revision that the store has not reached in time: clients know to retry. Source: kubernetes/apiserver
 * pkg/storage/errors.go, NewTooLargeResourceVersionError. */
int revision_too_large(struct status *st, uint64_t revision, uint64_t current);
