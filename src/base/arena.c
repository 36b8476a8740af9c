/* SPDX-License-Identifier: Apache-2.0 */
/* An arena is a chain of blocks in which a position only moves forward. Blocks double from 4 KB to 256 KB; what is
 * larger than BIG_MIN gets a block of its own, so that a growing list of megabytes is reallocated instead of copied and
 * left behind. The struct arena itself lies at the start of its first block.
 *
 * Freed blocks stay in a small cache of the thread that freed them: a request's arena then costs no call of malloc.
 * Invariant: an allocation is a block of its own exactly if it has more than BIG_MIN bytes (with KS_ARENA_MALLOC:
 * always), so arena_grow knows from the size where it stands. */
#include "base/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define ALIGN 16
#ifdef KS_ARENA_MALLOC
#define BIG_MIN 0
#else
#define BIG_MIN ((size_t)32 << 10)
#endif

struct block {
    struct block *next; /* the one before it */
    size_t size;        /* with this header */
};

/* A block that holds one allocation, in a ring so that it can be replaced when it grows. */
struct big {
    struct big *prev, *next;
    size_t size; /* with this header */
    size_t pad;
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *ptr;
};

struct arena {
    struct block *block; /* newest first, ending with the one that holds this struct */
    char *pos, *end;     /* the free part of the newest block */
    char *last;          /* newest allocation: it may grow in place */
    struct big bigs;     /* head of the ring */
    struct deferred *deferred;
    size_t bytes;
};

_Static_assert(sizeof(struct block) % ALIGN == 0 && sizeof(struct big) % ALIGN == 0, "data stays aligned");

static size_t round_up(size_t n)
{
    if (n > SIZE_MAX / 2)
        out_of_memory();
    return n ? (n + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
}

/* --- blocks and the cache of each thread --- */

#define N_CLASSES 7
#define CLASS_SIZE(c) (((size_t)4096 << (c)) - 32) /* minus malloc's own words: whole pages in all */

/* A write of a few KB takes all up to 64 KB, and an event loop has several of them under way. */
static const unsigned char cache_max[N_CLASSES] = {16, 8, 8, 8, 8, 2, 1};

struct cache {
    struct block *free[N_CLASSES];
    unsigned char n[N_CLASSES];
    bool is_registered;
};
static _Thread_local struct cache cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static void cache_free(void *ptr)
{
    struct cache *c = ptr;
    for (size_t i = 0; i < N_CLASSES; i++) {
        while (c->free[i]) {
            struct block *b = c->free[i];
            c->free[i] = b->next;
            free(b);
        }
        c->n[i] = 0;
    }
    c->is_registered = false;
}

static void cache_make_key(void)
{
    if (pthread_key_create(&cache_key, cache_free) != 0)
        abort();
}

static struct block *block_get(size_t class)
{
    struct block *b = cache.free[class];
    if (b) {
        cache.free[class] = b->next;
        cache.n[class]--;
    } else {
        b = xmalloc(CLASS_SIZE(class));
        b->size = CLASS_SIZE(class);
    }
    b->next = NULL;
    return b;
}

static size_t class_of(size_t size)
{
    size_t class = 0;
    while (class < N_CLASSES - 1 && CLASS_SIZE(class) < size)
        class++;
    return class;
}

static void block_put(struct block *b)
{
    size_t class = class_of(b->size);
#ifdef KS_ARENA_MALLOC
    free(b);
    return;
#endif
    if (cache.n[class] >= cache_max[class]) {
        free(b);
        return;
    }
    if (UNLIKELY(!cache.is_registered)) {
        pthread_once(&cache_once, cache_make_key);
        pthread_setspecific(cache_key, &cache);
        cache.is_registered = true;
    }
    b->next = cache.free[class];
    cache.free[class] = b;
    cache.n[class]++;
}

/* --- life --- */

static void arena_start(struct arena *a, struct block *first)
{
    a->block = first;
    a->pos = (char *)a + round_up(sizeof(*a));
    a->end = (char *)first + first->size;
    a->last = NULL;
    a->bigs.prev = a->bigs.next = &a->bigs;
    a->deferred = NULL;
    a->bytes = first->size;
}

struct arena *arena_new(void)
{
    struct block *first = block_get(0);
    struct arena *a = (struct arena *)(first + 1);
    arena_start(a, first);
    return a;
}

/* Runs the deferred calls and gives back all blocks but the first. */
static struct block *arena_empty(struct arena *a)
{
    while (a->deferred) {
        struct deferred *d = a->deferred;
        a->deferred = d->next;
        d->fn(d->ptr);
    }
    while (a->bigs.next != &a->bigs) {
        struct big *big = a->bigs.next;
        a->bigs.next = big->next;
        free(big);
    }
    struct block *b = a->block;
    while (b->next) {
        struct block *next = b->next;
        block_put(b);
        b = next;
    }
    return b;
}

void arena_reset(struct arena *a)
{
    arena_start(a, arena_empty(a));
}

void arena_free(struct arena *a)
{
    if (a)
        block_put(arena_empty(a));
}

void arena_defer(struct arena *a, void (*fn)(void *), void *ptr)
{
    struct deferred *d = arena_alloc(a, sizeof(*d));
    *d = (struct deferred){.next = a->deferred, .fn = fn, .ptr = ptr};
    a->deferred = d;
}

size_t arena_bytes(const struct arena *a)
{
    return a->bytes;
}

/* --- allocation --- */

static void big_link(struct arena *a, struct big *big)
{
    big->next = &a->bigs;
    big->prev = a->bigs.prev;
    big->prev->next = big;
    a->bigs.prev = big;
    a->bytes += big->size;
}

static void *big_alloc(struct arena *a, size_t n)
{
    struct big *big = xmalloc(sizeof(*big) + n);
    big->size = sizeof(*big) + n;
    big_link(a, big);
    return big + 1;
}

static void *big_grow(struct arena *a, void *old, size_t old_bytes, size_t n)
{
    struct big *big = (struct big *)old - 1;
    big->prev->next = big->next;
    big->next->prev = big->prev;
    a->bytes -= big->size;
#ifdef KS_ARENA_MALLOC
    /* Moves always, so that ASan sees who still uses the old place. */
    void *ret = big_alloc(a, n);
    memcpy(ret, old, old_bytes < n ? old_bytes : n);
    free(big);
    return ret;
#else
    big = xrealloc(big, sizeof(*big) + n);
    big->size = sizeof(*big) + n;
    big_link(a, big);
    return big + 1;
#endif
}

static void *alloc_slow(struct arena *a, size_t n)
{
    size_t class = class_of(a->block->size) + 1;
    size_t fitting = class_of(n + sizeof(struct block));
    if (class > N_CLASSES - 1)
        class = N_CLASSES - 1;
    struct block *b = block_get(class > fitting ? class : fitting);
    b->next = a->block;
    a->block = b;
    a->bytes += b->size;
    char *p = (char *)(b + 1);
    a->end = (char *)b + b->size;
    a->pos = p + n;
    a->last = p;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
#ifdef KS_ARENA_MALLOC
    if (n > SIZE_MAX / 2)
        out_of_memory();
    return big_alloc(a, n);
#endif
    n = round_up(n);
    if (LIKELY((size_t)(a->end - a->pos) >= n && n <= BIG_MIN)) {
        char *p = a->pos;
        a->pos += n;
        a->last = p;
        return p;
    }
    return n > BIG_MIN ? big_alloc(a, n) : alloc_slow(a, n);
}

void *arena_alloc0(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t new_bytes)
{
    if (!old)
        return arena_alloc(a, new_bytes);
#ifdef KS_ARENA_MALLOC
    return big_grow(a, old, old_bytes, new_bytes);
#endif
    size_t from = round_up(old_bytes), to = round_up(new_bytes);
    if (to <= from)
        return old;
    if (from > BIG_MIN)
        return big_grow(a, old, old_bytes, to);
    if (old == a->last && to <= BIG_MIN && (size_t)(a->end - a->last) >= to) {
        a->pos = a->last + to;
        return old;
    }
    return memcpy(arena_alloc(a, new_bytes), old, old_bytes);
}

/* --- strings --- */

struct text arena_lower(struct arena *a, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < 'A' || t.p[i] > 'Z')
            continue;
        char *p = arena_str(a, t);
        for (; i < t.n; i++)
            if (p[i] >= 'A' && p[i] <= 'Z')
                p[i] += 'a' - 'A';
        return (struct text){p, t.n};
    }
    return t;
}

char *arena_str(struct arena *a, struct text t)
{
    char *p = arena_alloc(a, t.n + 1);
    if (t.n)
        memcpy(p, t.p, t.n);
    p[t.n] = '\0';
    return p;
}

struct text arena_text(struct arena *a, struct text t)
{
    return (struct text){arena_str(a, t), t.n};
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_str(a, text_of(s));
}

static struct text vtextf(struct arena *a, const char *fmt, va_list args)
{
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    if (n < 0)
        abort(); /* only a broken format string fails */
    char *p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof(small))
        memcpy(p, small, (size_t)n + 1);
    else
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct text){p, (size_t)n};
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list args)
{
    return (char *)vtextf(a, fmt, args).p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct text t = vtextf(a, fmt, args);
    va_end(args);
    return (char *)t.p;
}

struct text arena_textf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct text t = vtextf(a, fmt, args);
    va_end(args);
    return t;
}
