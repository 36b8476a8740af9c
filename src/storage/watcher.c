/* SPDX-License-Identifier: Apache-2.0 */
/* A watcher's life: STARTING --initial objects and the ring replayed, without a lock--> LIVE --watch_stop--> gone.
 * It goes live under watch_mu, where the committer's fan-out cannot run; `seen` keeps apart what the ring had and what the
 * fan-out still brings. Live watchers stand in lists by what they watch (one namespace, one object, one node's pods, all),
 * so that an event walks only the lists that it concerns. A watcher that a callback stops is freed when the lock is given
 * back. */
#include "storage/cache_internal.h"

#include <stdlib.h>

struct scope { /* the watchers of one namespace, of one object, or of one value of the indexed field */
    struct list watchers;
    struct map *in;
    struct text key;
    char bytes[];
};

struct watcher {
    struct list link;
    struct scope *scope; /* NULL: the cache's own list */
    struct cache *cache;
    const struct watcher_ops *ops;
    void *ctx;
    const struct selector *labels, *fields; /* NULL: everything */
    struct text namespace, name;            /* these three in bytes */
    struct text key;                        /* "namespace/name", or what there is of it: "namespace/", "name" */
    uint64_t from;        /* the watch begins behind this revision */
    uint64_t seen;        /* up to here the watcher was told; starting thread, then watch_mu */
    uint64_t seen_serial; /* the last event it was told of: the ring and the fan-out overlap */
    unsigned era;         /* of the cache when it began */
    struct watcher *next_stopped;
    bool is_starting;     /* the starting thread's */
    bool is_stopped;
    bool is_over;         /* told so */
    char bytes[];
};

/* The cache whose watch_mu this thread holds while it runs callbacks. */
static _Thread_local struct cache *calling;

static const struct selector *useful(const struct selector *s)
{
    return s && s->n ? s : NULL;
}

static struct watcher *watcher_new(struct cache *c, const struct watch_options *opt)
{
    size_t prefix = opt->namespace.n ? opt->namespace.n + 1 : 0;
    struct watcher *w = xcalloc(1, sizeof(*w) + prefix + opt->name.n);
    w->cache = cache_ref(c);
    w->ops = opt->ops;
    w->ctx = opt->ctx;
    w->labels = useful(opt->labels);
    w->fields = useful(opt->fields);
    if (prefix) {
        memcpy(w->bytes, opt->namespace.p, opt->namespace.n);
        w->bytes[prefix - 1] = '/';
    }
    if (opt->name.n)
        memcpy(w->bytes + prefix, opt->name.p, opt->name.n);
    w->key = (struct text){w->bytes, prefix + opt->name.n};
    w->namespace = text_first(w->key, opt->namespace.n);
    w->name = text_from(w->key, prefix);
    w->is_starting = true;
    return w;
}

static void watcher_free(struct watcher *w)
{
    cache_unref(w->cache);
    free(w);
}

/* --- one event for one watcher ------------------------------------------------------------------------------------ */

static bool matches(const struct watcher *w, const struct object *o)
{
    return (!w->name.n || text_eq(w->name, o->name)) && (!w->namespace.n || text_eq(w->namespace, o->namespace)) &&
           (!w->labels || selector_match_labels(w->labels, o)) && (!w->fields || selector_match_fields(w->fields, o));
}

/* The previous content at the revision of the event, for those whose selection the object leaves. */
static struct object *event_leaving(struct event *e)
{
    struct object *o = atomic_load_explicit(&e->leaving, memory_order_acquire), *none = NULL;
    if (o)
        return o;
    o = object_with_revision(e->previous, e->revision);
    if (atomic_compare_exchange_strong_explicit(&e->leaving, &none, o, memory_order_acq_rel, memory_order_acquire))
        return o;
    object_unref(o);
    return none;
}

static void tell(struct watcher *w, struct event *e)
{
    if (w->is_stopped || w->is_over || e->revision <= w->from || e->serial <= w->seen_serial)
        return;
    w->seen = e->revision;
    w->seen_serial = e->serial;
    bool is_in = e->type != EVENT_DELETED && matches(w, e->object);
    bool was_in = e->previous && matches(w, e->previous);
    if (is_in)
        w->ops->event(w->ctx, was_in ? EVENT_MODIFIED : EVENT_ADDED, e->object, e);
    else if (was_in)
        w->ops->event(w->ctx, EVENT_DELETED, e->type == EVENT_DELETED ? e->object : event_leaving(e), e);
}

/* --- the lists of live watchers ----------------------------------------------------------------------------------- */

/* The value of the indexed field that alone can match; p NULL: there is none. */
static struct text indexed_value(const struct watcher *w)
{
    for (size_t i = 0; w->fields && w->cache->indexed_field >= 0 && i < w->fields->n; i++) {
        const struct requirement *r = &w->fields->requirements[i];
        if ((int)r->field == w->cache->indexed_field && r->op == SELECT_EQUALS)
            return r->values[0].p ? r->values[0] : TEXT("");
    }
    return TEXT_NONE;
}

static struct map *scope_map(struct watcher *w, struct text *ret_key)
{
    struct cache *c = w->cache;
    bool is_one = w->name.n && (w->namespace.n || !c->type->is_namespaced);
    struct text value = indexed_value(w);
    if (!is_one && value.p) {
        *ret_key = value;
        return &c->by_field;
    }
    *ret_key = is_one ? w->key : w->namespace;
    return is_one ? &c->by_key : w->namespace.n ? &c->by_namespace : NULL;
}

static void link_locked(struct watcher *w)
{
    struct text key;
    struct map *map = scope_map(w, &key);
    w->cache->n_watchers++;
    if (!map) {
        list_append(&w->cache->watchers, &w->link);
        return;
    }
    struct scope *s = map_get(map, key);
    if (!s) {
        s = xmalloc(sizeof(*s) + key.n);
        list_init(&s->watchers);
        s->in = map;
        memcpy(s->bytes, key.p, key.n);
        s->key = (struct text){s->bytes, key.n};
        map_put(map, s->key, s);
    }
    w->scope = s;
    list_append(&s->watchers, &w->link);
}

static void unlink_locked(struct watcher *w)
{
    w->cache->n_watchers--;
    list_remove(&w->link);
    if (w->scope && list_is_empty(&w->scope->watchers)) {
        map_remove(w->scope->in, w->scope->key);
        free(w->scope);
    }
    w->scope = NULL;
}

/* Callbacks may be run between these two. */
static void calls_begin(struct cache *c)
{
    pthread_mutex_lock(&c->watch_mu);
    calling = c;
}

static void calls_end(struct cache *c)
{
    calling = NULL;
    struct watcher *stopped = MOVE(c->stopped);
    for (struct watcher *w = stopped; w; w = w->next_stopped)
        unlink_locked(w);
    pthread_mutex_unlock(&c->watch_mu);
    while (stopped) {
        struct watcher *next = stopped->next_stopped;
        watcher_free(stopped);
        stopped = next;
    }
}

/* --- fan-out ------------------------------------------------------------------------------------------------------ */

static struct text object_field(const struct object *o, int field)
{
    struct text value = (uint32_t)field < o->n_fields ? o->fields[field] : TEXT_NONE;
    return value.p ? value : TEXT("");
}

static void tell_list(struct list *watchers, struct event *e)
{
    list_for_each(l, watchers)
        tell(CONTAINER_OF(l, struct watcher, link), e);
}

static void tell_scope(struct map *map, struct text key, struct event *e)
{
    struct scope *s = map->n ? map_get(map, key) : NULL;
    if (s)
        tell_list(&s->watchers, e);
}

/* Those of the value that it has, and those of the one that it had. */
static void tell_by_field(struct cache *c, struct event *e)
{
    struct text now = object_field(e->object, c->indexed_field);
    struct text before = e->previous ? object_field(e->previous, c->indexed_field) : now;
    tell_scope(&c->by_field, now, e);
    if (!text_eq(now, before))
        tell_scope(&c->by_field, before, e);
}

size_t cache_deliver(struct cache *c)
{
    struct event *e;
    size_t n = 0;
    calls_begin(c);
    while ((e = cursor_next(&c->undelivered))) {
        n++;
        if (!c->n_watchers)
            continue;
        tell_list(&c->watchers, e);
        tell_scope(&c->by_namespace, e->object->namespace, e);
        tell_scope(&c->by_key, e->object->key, e);
        if (c->by_field.n)
            tell_by_field(c, e);
    }
    calls_end(c);
    return n;
}

static void each_in_list(struct list *watchers, void (*fn)(struct watcher *w, uint64_t arg), uint64_t arg)
{
    list_for_each(l, watchers) {
        struct watcher *w = CONTAINER_OF(l, struct watcher, link);
        if (!w->is_stopped && !w->is_over)
            fn(w, arg);
    }
}

static void each_watcher(struct cache *c, void (*fn)(struct watcher *w, uint64_t arg), uint64_t arg)
{
    struct map *const maps[] = {&c->by_namespace, &c->by_key, &c->by_field};
    each_in_list(&c->watchers, fn, arg);
    for (size_t m = 0; m < N_ELEMENTS(maps); m++) {
        size_t pos = 0;
        for (struct map_slot *slot; (slot = map_next(maps[m], &pos));)
            each_in_list(&((struct scope *)slot->value)->watchers, fn, arg);
    }
}

static void tell_progress(struct watcher *w, uint64_t delivered)
{
    if (delivered > w->seen)
        w->seen = delivered; /* nothing that old can come any more */
    if (w->ops->progress)
        w->ops->progress(w->ctx, w->seen);
}

void cache_progress(struct cache *c)
{
    calls_begin(c);
    /* Read with the lock held: all that was delivered up to here was told to every watcher in the lists. */
    each_watcher(c, tell_progress, atomic_load_explicit(&c->clock->delivered, memory_order_acquire));
    calls_end(c);
}

static void tell_end(struct watcher *w, uint64_t arg)
{
    w->is_over = true;
    if (w->ops->ended)
        w->ops->ended(w->ctx);
}

void cache_end_watches(struct cache *c)
{
    calls_begin(c);
    c->is_ended = true;
    each_watcher(c, tell_end, 0);
    calls_end(c);
}

void cache_restart_watches(struct cache *c, void (*swap)(struct cache *c, void *arg), void *arg)
{
    calls_begin(c);
    swap(c, arg);
    atomic_fetch_add(&c->era, 1);
    each_watcher(c, tell_end, 0);
    calls_end(c);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

/* Where the watch begins: the state to send first (or none) and the place in the ring from which to go on. */
static int choose_start(struct watcher *w, const struct watch_options *opt, struct snapshot *ret, struct cursor *from,
                        struct status *st)
{
    struct cache *c = w->cache;
    bool is_replay = opt->from == WATCH_FROM_REVISION && !opt->send_initial;
    uint64_t reached = atomic_load_explicit(&c->clock->revision, memory_order_acquire);
    w->era = atomic_load(&c->era); /* before the state is read: a replacement in between ends the watch */
    pthread_mutex_lock(&c->mu);
    uint64_t start = ring_start_locked(&c->ring), newest = c->revision > reached ? c->revision : reached;
    bool is_expired = is_replay && opt->revision < start;
    if (is_replay && !is_expired) {
        *from = ring_after_locked(&c->ring, opt->revision);
        w->seen = opt->revision;
    } else if (!is_expired) {
        *from = ring_end_locked(&c->ring);
        *ret = (struct snapshot){opt->send_initial ? tree_ref(c->tree) : NULL, newest};
        w->seen = newest;
    }
    w->from = w->seen;
    pthread_mutex_unlock(&c->mu);
    if (is_expired)
        return status_set(st, STATUS_EXPIRED, "too old resource version: %llu (%llu)",
                          (unsigned long long)opt->revision, (unsigned long long)start);
    return 0;
}

static void send_initial(struct watcher *w, const struct snapshot *s)
{
    struct tree_iter it;
    struct object *o;
    struct text prefix = text_first(w->key, w->namespace.n ? w->namespace.n + 1 : 0);
    if (w->key.n)
        tree_iter_seek(&it, &object_tree_ops, s->tree, prefix);
    else
        tree_iter_init(&it, &object_tree_ops, s->tree);
    while (!w->is_stopped && (o = tree_iter_next(&it)) && text_starts(o->key, prefix))
        if (matches(w, o))
            w->ops->event(w->ctx, EVENT_ADDED, o, NULL);
    if (!w->is_stopped && w->ops->progress)
        w->ops->progress(w->ctx, s->revision);
}

/* From STARTING to LIVE; only what came in the last moment is told with the lock held. */
static bool go_live(struct watcher *w, struct cursor *from)
{
    struct cache *c = w->cache;
    struct event *e;
    calls_begin(c);
    bool is_ended = c->is_ended;
    while (!is_ended && (e = cursor_next(from)))
        tell(w, e);
    w->is_starting = false;
    if (!is_ended && !w->is_stopped) {
        link_locked(w);
        if (w->era != atomic_load(&c->era))
            tell_end(w, 0);
    }
    calls_end(c);
    return !is_ended;
}

int watch_start(struct cache *c, const struct watch_options *opt, struct watcher **ret, uint64_t *ret_revision,
                struct status *st)
{
    struct watcher *w = watcher_new(c, opt);
    struct snapshot first = {0};
    struct cursor from;
    struct event *e;

    if (choose_start(w, opt, &first, &from, st) < 0) {
        watcher_free(w);
        return -1;
    }
    *ret_revision = w->seen;
    *ret = w;
    if (opt->send_initial)
        send_initial(w, &first);
    snapshot_release(&first);
    size_t n_replayed = 0;
    for (; !w->is_stopped && (e = cursor_next(&from)); n_replayed++)
        tell(w, e);
    if (n_replayed)
        metric_add(c->counters.init_events, (double)n_replayed);
    bool is_live = go_live(w, &from), is_stopped = w->is_stopped;
    cursor_close(&from);
    if (is_live && !is_stopped)
        return 0;
    watcher_free(w);
    return is_live ? 0 : status_set(st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
}

void watch_stop(struct watcher *w)
{
    if (!w)
        return;
    struct cache *c = w->cache;
    if (w->is_starting) {
        w->is_stopped = true; /* watch_start frees it */
        return;
    }
    if (calling == c) {
        if (!w->is_stopped) {
            w->is_stopped = true;
            w->next_stopped = c->stopped;
            c->stopped = w;
        }
        return;
    }
    pthread_mutex_lock(&c->watch_mu);
    unlink_locked(w);
    pthread_mutex_unlock(&c->watch_mu);
    watcher_free(w);
}
