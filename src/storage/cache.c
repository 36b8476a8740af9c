/* SPDX-License-Identifier: Apache-2.0 */
/* The watch cache's state: the committer makes the next tree beside the current one, then swaps pointers under the lock.
 * A snapshot's revision is the store's, read before the tree: whatever the store had reached by then is in the tree.
 * A past state is the base of the ring's chunk of that time with the chunk's events applied; the last few that were asked
 * for are kept, since the pages of one list ask for the same. */
#include "storage/cache_internal.h"

#include <stdlib.h>

void snapshot_release(struct snapshot *s)
{
    tree_unref(&object_tree_ops, s->tree);
    *s = (struct snapshot){0};
}

const char *event_type_name(enum event_type t)
{
    static const char *const names[] = {[EVENT_ADDED] = "ADDED", [EVENT_MODIFIED] = "MODIFIED",
                                        [EVENT_DELETED] = "DELETED", [EVENT_BOOKMARK] = "BOOKMARK",
                                        [EVENT_ERROR] = "ERROR"};
    return names[t];
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Watchers of one node's pods are many, and each pod concerns one of them. Source: kubernetes pkg/registry/core/pod/strategy.go,
 * NodeNameTriggerFunc; names, which upstream indexes elsewhere, always are. */
static int find_indexed_field(const struct resource_type *type)
{
    if (type->group.n || !text_is(type->name, "pods"))
        return -1;
    for (size_t i = 0; i < type->n_selectable; i++)
        if (text_is(type->selectable[i].name, "spec.nodeName"))
            return type->selectable[i].index;
    return -1;
}

struct cache *cache_new(const struct resource_type *type, const struct store_clock *clock)
{
    struct cache *c = xcalloc(1, sizeof(*c));
    c->refs = 1;
    c->type = type;
    c->clock = clock;
    c->indexed_field = find_indexed_field(type);
    cache_counters_init(&c->counters, type);
    pthread_mutex_init(&c->change_mu, NULL);
    pthread_mutex_init(&c->mu, NULL);
    pthread_mutex_init(&c->watch_mu, NULL);
    list_init(&c->watchers);
    return c;
}

struct cache *cache_ref(struct cache *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

/* Whoever borrows from them is the committer, who makes the next change now. */
static void drop_left_behind(struct cache *c)
{
    for (size_t i = 0; i < c->left_behind.n; i++)
        tree_unref(&object_tree_ops, c->left_behind.p[i]);
    c->left_behind.n = 0;
}

void cache_unref(struct cache *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    cursor_close(&c->undelivered);
    ring_deinit(&c->ring);
    for (size_t i = 0; i < ROLLED_MAX; i++)
        snapshot_release(&c->rolled[i]);
    tree_unref(&object_tree_ops, c->tree);
    tree_unref(&object_tree_ops, c->loading); /* of a start that failed */
    drop_left_behind(c);
    vec_deinit(&c->left_behind);
    map_deinit(&c->by_namespace);
    map_deinit(&c->by_key);
    map_deinit(&c->by_field);
    pthread_mutex_destroy(&c->change_mu);
    pthread_mutex_destroy(&c->mu);
    pthread_mutex_destroy(&c->watch_mu);
    free(c);
}

void cache_load(struct cache *c, struct object *o)
{
    c->loading = tree_put(&object_tree_ops, c->loading, o);
}

void cache_loaded(struct cache *c, uint64_t revision, size_t events_max, int64_t history_ms)
{
    c->tree = MOVE(c->loading);
    c->revision = revision;
    ring_init(&c->ring, events_max, history_ms, tree_ref(c->tree), revision);
}

void cache_ready(struct cache *c)
{
    c->undelivered = ring_end_locked(&c->ring);
    metric_add(c->counters.initializations, 1);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static struct event *event_new(const struct change *ch)
{
    struct event *e = xmalloc(sizeof(*e));
    *e = (struct event){.refs = 1, .revision = ch->revision, .at_ms = ch->at_ms,
                        .previous = object_ref(ch->previous)};
    if (ch->op == WRITE_DELETE) {
        e->type = EVENT_DELETED;
        e->object = object_with_revision(ch->previous, ch->revision);
    } else {
        e->type = ch->previous ? EVENT_MODIFIED : EVENT_ADDED;
        e->object = object_ref(ch->object);
    }
    return e;
}

/* Takes t. */
static struct tree *tree_apply(struct tree *t, const struct event *e)
{
    if (e->type == EVENT_DELETED)
        return tree_remove(&object_tree_ops, t, e->object->key);
    return tree_put(&object_tree_ops, t, object_ref(e->object));
}

static void unref_chunks(chunk_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        chunk_unref(list->p[i]);
    vec_deinit(list);
}

/* Past states that the history has left behind; they go to ret to be released without the lock. */
static void drop_rolled_locked(struct cache *c, struct snapshot ret[ROLLED_MAX])
{
    uint64_t start = ring_start_locked(&c->ring);
    for (size_t i = 0; i < ROLLED_MAX; i++) {
        if (c->rolled[i].revision < start) {
            ret[i] = c->rolled[i];
            c->rolled[i] = (struct snapshot){0};
        }
    }
}

/* The next state's pointers. prepared: see ring_prepare. */
static void push_locked(struct cache *c, struct event *e, struct tree *after, struct chunk *prepared,
                        chunk_list *surplus)
{
    e->serial = ++c->serial;
    c->tree = after;
    c->revision = e->revision;
    ring_push_locked(&c->ring, prepared, e);
    if (prepared)
        ring_trim_locked(&c->ring, clock_mono_ms(), surplus);
}

static void apply_one(struct cache *c, const struct change *ch, chunk_list *surplus)
{
    struct event *e = event_new(ch);
    struct tree *before = c->tree, *after = tree_apply(tree_ref(before), e);
    struct chunk *prepared = ring_prepare(&c->ring, before, c->revision);

    pthread_mutex_lock(&c->mu);
    push_locked(c, e, after, prepared, surplus);
    pthread_mutex_unlock(&c->mu);
    tree_unref(&object_tree_ops, before);
}

/* Rare: what one expired lease or one foreign transaction did. Nobody may see a part of it, so all is done with the lock
 * held. */
static void apply_together(struct cache *c, const struct change *ch, size_t n, chunk_list *surplus)
{
    pthread_mutex_lock(&c->mu);
    for (size_t i = 0; i < n; i++) {
        struct event *e = event_new(&ch[i]);
        struct chunk *prepared = ring_prepare(&c->ring, c->tree, c->revision);
        push_locked(c, e, tree_apply(c->tree, e), prepared, surplus);
    }
    pthread_mutex_unlock(&c->mu);
}

void cache_apply(struct cache *c, const struct change *ch, size_t n)
{
    chunk_list surplus = {0};

    pthread_mutex_lock(&c->change_mu);
    drop_left_behind(c);
    if (n == 1)
        apply_one(c, ch, &surplus);
    else
        apply_together(c, ch, n, &surplus);
    pthread_mutex_unlock(&c->change_mu);
    unref_chunks(&surplus);
}

void cache_reveal(struct cache *c, const struct revealed *r, size_t n)
{
    pthread_mutex_lock(&c->change_mu);
    struct tree *before = c->tree, *after = tree_ref(before);
    for (size_t i = 0; i < n; i++)
        if (tree_get(&object_tree_ops, before, r[i].unreadable->key) == r[i].unreadable)
            after = tree_put(&object_tree_ops, after, object_ref(r[i].object));
    pthread_mutex_lock(&c->mu);
    c->tree = after;
    pthread_mutex_unlock(&c->mu);
    vec_push(&c->left_behind, before);
    pthread_mutex_unlock(&c->change_mu);
}

struct object *cache_current(struct cache *c, struct text key)
{
    pthread_mutex_lock(&c->mu); /* against cache_reveal, which leaves the tree alive */
    struct tree *t = c->tree;
    pthread_mutex_unlock(&c->mu);
    return tree_get(&object_tree_ops, t, key);
}

/* What cache_replace puts in place, and what it finds there. */
struct replacement {
    struct tree *tree;
    uint64_t revision;
    struct ring ring;
    struct cursor undelivered;
    struct snapshot rolled[ROLLED_MAX];
};

static void swap_state(struct cache *c, void *arg)
{
    struct replacement *r = arg, old = {.tree = c->tree, .undelivered = c->undelivered};

    pthread_mutex_lock(&c->mu);
    old.ring = c->ring;
    memcpy(old.rolled, c->rolled, sizeof(old.rolled));
    c->tree = r->tree;
    c->revision = r->revision;
    c->ring = r->ring;
    c->undelivered = ring_end_locked(&c->ring);
    memset(c->rolled, 0, sizeof(c->rolled));
    pthread_mutex_unlock(&c->mu);
    *r = old;
}

void cache_replace(struct cache *c, struct tree *tree, uint64_t revision)
{
    struct replacement r = {.tree = tree, .revision = revision};

    ring_init(&r.ring, c->ring.events_max, c->ring.history_ms, tree_ref(tree), revision);
    pthread_mutex_lock(&c->change_mu);
    drop_left_behind(c);
    cache_restart_watches(c, swap_state, &r);
    pthread_mutex_unlock(&c->change_mu);
    metric_add(c->counters.initializations, 1);
    cursor_close(&r.undelivered);
    ring_deinit(&r.ring);
    tree_unref(&object_tree_ops, r.tree);
    for (size_t i = 0; i < ROLLED_MAX; i++)
        snapshot_release(&r.rolled[i]);
}

void cache_trim(struct cache *c)
{
    chunk_list surplus = {0};
    struct snapshot gone[ROLLED_MAX] = {0};
    pthread_mutex_lock(&c->mu);
    ring_trim_locked(&c->ring, clock_mono_ms(), &surplus);
    drop_rolled_locked(c, gone);
    pthread_mutex_unlock(&c->mu);
    unref_chunks(&surplus);
    for (size_t i = 0; i < ROLLED_MAX; i++)
        snapshot_release(&gone[i]);
}

/* --- reads -------------------------------------------------------------------------------------------------------- */

void cache_snapshot(struct cache *c, struct snapshot *ret)
{
    uint64_t reached = atomic_load_explicit(&c->clock->revision, memory_order_acquire);
    pthread_mutex_lock(&c->mu);
    *ret = (struct snapshot){tree_ref(c->tree), c->revision > reached ? c->revision : reached};
    pthread_mutex_unlock(&c->mu);
}

static bool find_rolled_locked(struct cache *c, uint64_t revision, struct snapshot *ret)
{
    for (size_t i = 0; i < ROLLED_MAX; i++) {
        if (c->rolled[i].revision == revision) {
            *ret = (struct snapshot){tree_ref(c->rolled[i].tree), revision};
            return true;
        }
    }
    return false;
}

static int expired(struct status *st, uint64_t revision, uint64_t start)
{
    return status_set(st, STATUS_EXPIRED, "too old resource version: %llu (%llu)", (unsigned long long)revision,
                      (unsigned long long)start);
}

/* Takes one reference of ch, whose base and events lead to the revision. */
static void roll_forward(struct cache *c, struct chunk *ch, uint64_t revision, struct snapshot *ret)
{
    struct tree *t = tree_ref(ch->base);
    size_t n = atomic_load_explicit(&ch->n, memory_order_acquire);
    for (size_t i = 0; i < n && ch->events[i]->revision <= revision; i++)
        t = tree_apply(t, ch->events[i]);
    chunk_unref(ch);
    *ret = (struct snapshot){t, revision};

    pthread_mutex_lock(&c->mu);
    struct snapshot *slot = &c->rolled[c->next_rolled++ % ROLLED_MAX], replaced = *slot;
    *slot = (struct snapshot){tree_ref(t), revision};
    pthread_mutex_unlock(&c->mu);
    snapshot_release(&replaced);
}

int cache_snapshot_at(struct cache *c, uint64_t revision, struct snapshot *ret, struct status *st)
{
    struct chunk *ch = NULL;
    uint64_t reached = atomic_load_explicit(&c->clock->revision, memory_order_acquire);
    pthread_mutex_lock(&c->mu);
    uint64_t newest = c->revision > reached ? c->revision : reached, start = ring_start_locked(&c->ring);
    if (revision >= start && revision <= newest) {
        if (revision >= c->revision)
            *ret = (struct snapshot){tree_ref(c->tree), revision};
        else if (!find_rolled_locked(c, revision, ret))
            ch = chunk_ref(ring_chunk_at_locked(&c->ring, revision));
    }
    pthread_mutex_unlock(&c->mu);
    if (revision < start)
        return expired(st, revision, start);
    if (revision > newest)
        return revision_too_large(st, revision, newest);
    if (ch)
        roll_forward(c, ch, revision, ret);
    return 0;
}

struct object *cache_get(struct cache *c, struct text key)
{
    struct snapshot s;
    cache_snapshot(c, &s);
    struct object *o = object_ref(tree_get(&object_tree_ops, s.tree, key));
    snapshot_release(&s);
    return o;
}

bool cache_is_bypassed(const struct cache *c)
{
    return c->is_bypassed;
}

bool cache_has_past(const struct cache *c)
{
    return c->has_past;
}

size_t cache_count(struct cache *c)
{
    pthread_mutex_lock(&c->mu);
    size_t n = tree_count(c->tree);
    pthread_mutex_unlock(&c->mu);
    return n;
}
