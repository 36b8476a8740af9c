/* SPDX-License-Identifier: Apache-2.0 */
/* The recent events of one cache, in chunks: appended by the committer, read without a lock by whoever holds a chunk, taken
 * off at the old end a chunk at a time, by age, number and memory. Source of the limits: kubernetes/apiserver
 * pkg/storage/cacher/watch_cache_history.go; the one on memory is ours. */
#include "storage/cache_internal.h"

#include <stdlib.h>

#define EVENTS_MIN 100              /* kept whatever their age */
#define EVENTS_MAX ((size_t)100 * 1024)
#define BYTES_MAX ((size_t)64 << 20) /* of the events' objects; most of them nobody else holds any more */

struct event *event_ref(struct event *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void event_unref(struct event *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    object_unref(e->object);
    object_unref(e->previous);
    object_unref(atomic_load_explicit(&e->leaving, memory_order_relaxed));
    free(e);
}

/* --- chunks ------------------------------------------------------------------------------------------------------- */

struct chunk *chunk_new(size_t cap, struct tree *base, uint64_t base_revision)
{
    struct chunk *ch = xcalloc(1, sizeof(*ch) + cap * sizeof(ch->events[0]));
    ch->refs = 1;
    ch->cap = cap;
    ch->base = base;
    ch->base_revision = base_revision;
    return ch;
}

struct chunk *chunk_ref(struct chunk *ch)
{
    atomic_fetch_add_explicit(&ch->refs, 1, memory_order_relaxed);
    return ch;
}

void chunk_unref(struct chunk *ch)
{
    /* A loop: the last holder of an old chunk may free a long row of them. */
    while (ch && atomic_fetch_sub_explicit(&ch->refs, 1, memory_order_acq_rel) == 1) {
        struct chunk *next = atomic_load_explicit(&ch->next, memory_order_relaxed);
        size_t n = atomic_load_explicit(&ch->n, memory_order_relaxed);
        for (size_t i = 0; i < n; i++)
            event_unref(ch->events[i]);
        tree_unref(&object_tree_ops, ch->base);
        free(ch);
        ch = next;
    }
}

struct event *cursor_next(struct cursor *c)
{
    for (;;) {
        if (c->at < atomic_load_explicit(&c->chunk->n, memory_order_acquire))
            return c->chunk->events[c->at++];
        struct chunk *next = atomic_load_explicit(&c->chunk->next, memory_order_acquire);
        if (!next || c->at < c->chunk->cap)
            return NULL;
        chunk_ref(next);
        chunk_unref(c->chunk);
        *c = (struct cursor){.chunk = next};
    }
}

void cursor_close(struct cursor *c)
{
    chunk_unref(c->chunk);
    *c = (struct cursor){0};
}

/* --- the ring ----------------------------------------------------------------------------------------------------- */

static struct chunk *last_chunk(const struct ring *r)
{
    return r->chunks.p[r->chunks.n - 1];
}

static size_t chunk_cap(const struct ring *r)
{
    size_t cap = r->events_max / 8;
    return cap > CHUNK_EVENTS_MAX ? CHUNK_EVENTS_MAX : cap < 2 ? 2 : cap;
}

void ring_init(struct ring *r, size_t events_max, int64_t history_ms, struct tree *base, uint64_t base_revision)
{
    *r = (struct ring){.events_max = events_max ? events_max : EVENTS_MAX, .history_ms = history_ms};
    r->events_min = r->events_max < EVENTS_MIN ? r->events_max : EVENTS_MIN;
    vec_push(&r->chunks, chunk_new(chunk_cap(r), base, base_revision));
}

void ring_deinit(struct ring *r)
{
    for (size_t i = 0; i < r->chunks.n; i++)
        chunk_unref(r->chunks.p[i]);
    vec_deinit(&r->chunks);
}

static bool is_full(const struct chunk *ch)
{
    return atomic_load_explicit(&ch->n, memory_order_relaxed) == ch->cap;
}

struct chunk *ring_prepare(const struct ring *r, struct tree *base, uint64_t base_revision)
{
    return is_full(last_chunk(r)) ? chunk_new(chunk_cap(r), tree_ref(base), base_revision) : NULL;
}

void ring_push_locked(struct ring *r, struct chunk *prepared, struct event *e)
{
    if (prepared) {
        atomic_store_explicit(&last_chunk(r)->next, chunk_ref(prepared), memory_order_release);
        vec_push(&r->chunks, prepared);
    }
    struct chunk *ch = last_chunk(r);
    size_t n = atomic_load_explicit(&ch->n, memory_order_relaxed), bytes = sizeof(*e) + e->object->bytes;
    ch->events[n] = e;
    atomic_store_explicit(&ch->n, n + 1, memory_order_release);
    ch->bytes += bytes;
    r->bytes += bytes;
    r->n_events++;
}

static bool is_surplus(const struct ring *r, const struct chunk *ch, int64_t now_ms)
{
    size_t n = atomic_load_explicit(&ch->n, memory_order_relaxed), rest = r->n_events - n;
    if (rest < r->events_min)
        return false;
    return rest >= r->events_max || r->bytes > BYTES_MAX || now_ms - ch->events[n - 1]->at_ms > r->history_ms;
}

void ring_trim_locked(struct ring *r, int64_t now_ms, chunk_list *ret)
{
    size_t n = 0;
    while (n + 1 < r->chunks.n && is_surplus(r, r->chunks.p[n], now_ms)) {
        struct chunk *ch = r->chunks.p[n++];
        r->n_events -= atomic_load_explicit(&ch->n, memory_order_relaxed);
        r->bytes -= ch->bytes;
        vec_push(ret, ch);
    }
    if (n == 0)
        return;
    r->chunks.n -= n;
    memmove(r->chunks.p, r->chunks.p + n, r->chunks.n * sizeof(*r->chunks.p));
}

uint64_t ring_start_locked(const struct ring *r)
{
    return r->chunks.p[0]->base_revision;
}

struct chunk *ring_chunk_at_locked(const struct ring *r, uint64_t revision)
{
    size_t low = 0, high = r->chunks.n; /* the last one whose base is not younger */
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (r->chunks.p[mid]->base_revision <= revision)
            low = mid;
        else
            high = mid;
    }
    return r->chunks.p[low];
}

struct cursor ring_after_locked(const struct ring *r, uint64_t revision)
{
    struct chunk *ch = ring_chunk_at_locked(r, revision);
    size_t low = 0, high = atomic_load_explicit(&ch->n, memory_order_relaxed);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (ch->events[mid]->revision <= revision)
            low = mid + 1;
        else
            high = mid;
    }
    return (struct cursor){chunk_ref(ch), low};
}

struct cursor ring_end_locked(const struct ring *r)
{
    struct chunk *ch = last_chunk(r);
    return (struct cursor){chunk_ref(ch), atomic_load_explicit(&ch->n, memory_order_relaxed)};
}
