/* cache.h - the watch cache: the current objects of one resource as a persistent tree, and the ring of its recent
 * events. A reader takes a snapshot (one reference) and then holds no lock; a watcher is told of each event by
 * reference. Source of the rules: kubernetes/apiserver pkg/storage/cacher. */
#pragma once

#include "storage/backend.h"
#include "storage/selector.h"

struct cache;

/* A consistent view of one resource. */
struct snapshot {
    struct tree *tree; /* of objects; NULL is empty */
    uint64_t revision; /* the store's revision at which this was true */
};
void snapshot_release(struct snapshot *s);

enum event_type { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED, EVENT_BOOKMARK, EVENT_ERROR };
const char *event_type_name(enum event_type t); /* "ADDED" */

/* One change. A deletion's object is the last state with the revision of the deletion. */
struct event {
    atomic_uint refs;
    enum event_type type; /* of the change itself, before any selector */
    uint64_t revision; /* one transaction of the store may have several events, all of one revision */
    uint64_t serial;   /* counts the cache's events */
    int64_t at_ms; /* clock_mono_ms */
    struct object *object, *previous; /* previous: NULL for ADDED */
    _Atomic(struct object *) leaving; /* previous at this revision, made for the first watcher whose selection it leaves */
};
struct event *event_ref(struct event *e);
void event_unref(struct event *e);

/* The newest state. Its revision is the whole store's, so that it counts as fresh. */
void cache_snapshot(struct cache *c, struct snapshot *ret);
/* The state at exactly this revision, as far back as the kept history goes (five minutes): EXPIRED otherwise. Never a
 * revision of the future: see storage_wait. */
int cache_snapshot_at(struct cache *c, uint64_t revision, struct snapshot *ret, struct status *st);
struct object *cache_get(struct cache *c, struct text key); /* one reference, or NULL */
size_t cache_count(struct cache *c);

/* What those who read and watch count, in cells of upstream's metrics. */
struct metric_cell;
struct cache_counters {
    struct metric_cell *objects, *objects_old, *received, *dispatched, *initializations, *revision, *decode_errors;
    struct metric_cell *capacity, *capacity_increase, *capacity_decrease;
    struct metric_cell *read_wait, *consistent_reads, *lists, *list_fetched, *list_returned;
    struct metric_cell *init_events, *terminated;
};
const struct cache_counters *cache_counters(const struct cache *c);
bool cache_is_bypassed(const struct cache *c); /* see storage_bypass */
bool cache_has_past(const struct cache *c); /* the store may know states older than the kept history: storage_snapshot_at */

/* --- watching --- */
struct watcher;
struct watcher_ops {
    /* An event that the selectors let through, with the type as this watcher shall see it: a change into the selection is
     * ADDED, out of it DELETED with the previous object's content. Called in order of revision, one at a time, by the
     * committer or, for initial objects (e is NULL) and what the ring replays, by the thread that starts the watch.
     * Must not block; object and e are borrowed. */
    void (*event)(void *ctx, enum event_type type, struct object *object, const struct event *e);
    /* The store has reached this revision and everything up to it was delivered: a bookmark may say so. Called by a timer
     * about once a second, and by the starting thread at the end of the initial objects. NULL: not asked for. */
    void (*progress)(void *ctx, uint64_t revision);
    /* The cache ends the watch (shutdown, or its engine has lost the thread of changes): nothing more is called; watch_stop is still owed. */
    void (*ended)(void *ctx);
};
struct watch_options {
    const struct watcher_ops *ops;
    void *ctx;
    struct text namespace;          /* empty: all */
    struct text name;               /* empty: all; a watch of one object */
    const struct selector *labels, *fields; /* borrowed for the watch's life */
    enum { WATCH_FROM_NOW, WATCH_FROM_ANY, WATCH_FROM_REVISION } from;
    uint64_t revision;              /* events after this one */
    bool send_initial;              /* first the current objects as ADDED (from NOW with an unset version, ANY, or sendInitialEvents) */
};
/* EXPIRED ("too old resource version: 5 (100)") when the ring no longer reaches back to the revision. ret_revision: where the
 * watch began (the initial objects' revision). Both ret_ are set before the first callback. No other thread may stop the
 * watch before this returns; a callback may. */
int watch_start(struct cache *c, const struct watch_options *opt, struct watcher **ret, uint64_t *ret_revision,
                struct status *st);
/* After this returns no callback runs or will run, unless called from one. Waits for one that runs: hold no lock that a
 * callback takes. Before storage_stop returns, or after. */
void watch_stop(struct watcher *w);
