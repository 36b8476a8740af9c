/* SPDX-License-Identifier: Apache-2.0 */
/* cache_internal.h - what ring.c, cache.c, watcher.c and storage.c know of each other.
 * Writers: the committer thread alone changes trees and appends to rings; the timer thread only takes old chunks away.
 * Lock order: cache.watch_mu, then cache.mu. Callbacks of watchers run with watch_mu held, nothing runs with mu held. */
#pragma once

#include <pthread.h>

#include "storage.h"

/* Where the committer stands, shared by all caches. */
struct store_clock {
    _Atomic uint64_t revision;  /* every change up to it is in the caches */
    _Atomic uint64_t delivered; /* ... and was told to the watchers */
};

/* --- ring.c: the recent events ------------------------------------------------------------------------------------ */

#define CHUNK_EVENTS_MAX 128

/* The ring is a list of chunks. A chunk knows the state before its first event, so that any state of its time can be
 * rolled forward from there; it keeps its successor alive, so that a reader who holds a chunk can go on without a lock
 * and without ever missing an event, whatever is taken off the ring meanwhile. */
struct chunk {
    atomic_uint refs;
    size_t cap;
    _Atomic size_t n;               /* only grows; an event is in place before it counts */
    _Atomic(struct chunk *) next;   /* set once this one is full */
    struct tree *base;              /* the state before the first event, which was true ... */
    uint64_t base_revision;         /* ... from this revision on */
    size_t bytes;                   /* of the events' objects; committer only, and under mu */
    struct event *events[];
};
struct chunk *chunk_new(size_t cap, struct tree *base, uint64_t base_revision); /* takes base */
struct chunk *chunk_ref(struct chunk *ch);
void chunk_unref(struct chunk *ch);

/* A reader's place. */
struct cursor {
    struct chunk *chunk; /* one reference; NULL: closed */
    size_t at;
};
struct event *cursor_next(struct cursor *c); /* borrowed until the next call; NULL: none yet */
void cursor_close(struct cursor *c);

struct ring { /* guarded by its cache's mu */
    VEC(struct chunk *) chunks; /* oldest first; never empty */
    size_t n_events, bytes;
    size_t events_max, events_min;
    int64_t history_ms;
};
/* Events after base_revision can be replayed, states since then be had. */
void ring_init(struct ring *r, size_t events_max, int64_t history_ms, struct tree *base, uint64_t base_revision);
void ring_deinit(struct ring *r);
/* The committer makes the chunk that the next event will need, before it takes the lock; NULL: none is needed. */
struct chunk *ring_prepare(const struct ring *r, struct tree *base, uint64_t base_revision);
void ring_push_locked(struct ring *r, struct chunk *prepared, struct event *e); /* takes both */
/* Takes off what is too old or too much, to be unreferenced without the lock: the chunks lie in ret. */
typedef VEC(struct chunk *) chunk_list;
void ring_trim_locked(struct ring *r, int64_t now_ms, chunk_list *ret);
uint64_t ring_start_locked(const struct ring *r); /* the oldest revision to watch from */
/* The chunk whose base and events make up the state at this revision, which is not older than the start. */
struct chunk *ring_chunk_at_locked(const struct ring *r, uint64_t revision);
struct cursor ring_after_locked(const struct ring *r, uint64_t revision); /* before the first event after revision */
struct cursor ring_end_locked(const struct ring *r);

/* --- cache.c ------------------------------------------------------------------------------------------------------ */

#define ROLLED_MAX 4

struct cache {
    atomic_uint refs; /* the storage's and each watcher's */
    const struct resource_type *type;
    const struct store_clock *clock;
    struct cache_counters counters;
    bool is_bypassed;               /* see storage_bypass */
    bool has_past;                  /* the engine has read_at; set before the first reader */
    int indexed_field;              /* of type->selectable: watchers of one value of it are found by the value; -1: none */

    pthread_mutex_t change_mu;      /* before the others: whoever makes the next tree, the committer or cache_reveal */
    VEC(struct tree *) left_behind; /* change_mu: trees that cache_reveal has replaced */
    pthread_mutex_t mu;
    struct tree *tree;              /* mu to change and to read, but the committer may read it without */
    uint64_t revision;              /* likewise: of the last event, or when the cache was loaded */
    struct ring ring;               /* mu */
    struct snapshot rolled[ROLLED_MAX]; /* mu: past states that somebody paid for; revision 0: free */
    unsigned next_rolled;

    pthread_mutex_t watch_mu;
    struct list watchers;           /* watch_mu: those of all objects, and of one name in all namespaces */
    struct map by_namespace, by_key, by_field; /* watch_mu: struct scope */
    size_t n_watchers;
    struct watcher *stopped;        /* watch_mu: by a callback, to be freed when the lock is given back */
    struct cursor undelivered;      /* watch_mu: what the watchers have not heard of */
    bool is_ended;                  /* watch_mu */
    _Atomic unsigned era;           /* watch_mu to change: how often all watches were restarted */
    uint64_t serial;                /* mu: of the last event */

    struct tree *loading;           /* start, then committer only: what is being loaded */
    size_t n_reused;                /* ... of it as it was before */
    struct cache *next_dirty;       /* committer only */
    bool is_dirty;
};
struct cache *cache_new(const struct resource_type *type, const struct store_clock *clock);
struct cache *cache_ref(struct cache *c);
void cache_unref(struct cache *c);
void cache_load(struct cache *c, struct object *o); /* into c->loading; takes o */
/* What was loaded is the state at this revision, where history begins; cache_apply may follow, then cache_ready. */
void cache_loaded(struct cache *c, uint64_t revision, size_t events_max, int64_t history_ms);
void cache_ready(struct cache *c);
/* One committed change. References are borrowed. */
struct change {
    enum write_op op;
    uint64_t revision;
    struct object *object;   /* PUT: sealed */
    struct object *previous; /* NULL: there was none */
    int64_t at_ms;           /* clock_mono_ms */
};
/* Committer. Several: those of one revision, which nobody sees a part of. */
void cache_apply(struct cache *c, const struct change *ch, size_t n);
/* Any thread: objects that have become readable take the place of those that stood for them, where they still do. It is no
 * change: revisions stay, nobody is told. */
struct revealed {
    struct object *unreadable, *object;
};
void cache_reveal(struct cache *c, const struct revealed *r, size_t n);
struct object *cache_current(struct cache *c, struct text key); /* committer; borrowed until the next change; or NULL */
/* Committer: puts the tree (taken) in place of all that is known, history included; watches end. */
void cache_replace(struct cache *c, struct tree *tree, uint64_t revision);
void cache_trim(struct cache *c);                           /* timer */

/* --- cache_counters.c --- */

void cache_counters_init(struct cache_counters *m, const struct resource_type *type);
void cache_count_up(struct cache *c, uint64_t reached); /* timer: what is counted every second */

/* --- watcher.c ---------------------------------------------------------------------------------------------------- */

size_t cache_deliver(struct cache *c); /* committer: tells the watchers; how many events */
void cache_progress(struct cache *c);  /* timer */
void cache_end_watches(struct cache *c);     /* for good */
/* Ends those of now; new ones begin on what swap has put in place. */
void cache_restart_watches(struct cache *c, void (*swap)(struct cache *c, void *arg), void *arg);
