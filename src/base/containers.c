/* SPDX-License-Identifier: Apache-2.0 */
/* The map probes linearly in a power of two of slots, at most 3/4 full; a removal moves the followers of its run back,
 * so that no tombstones pile up. */
#include "base/containers.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

void *vec_grow(void *p, size_t *cap, size_t need, size_t item_bytes)
{
    size_t to = *cap ? *cap * 2 : 8, bytes;
    if (to < need)
        to = need;
    if (__builtin_mul_overflow(to, item_bytes, &bytes))
        out_of_memory();
    *cap = to;
    return xrealloc(p, bytes);
}

static uint64_t hash_of(struct text key)
{
    uint64_t h = text_hash(key);
    return h ? h : 1; /* 0 marks a free slot */
}

/* The slot that holds key or, if there is none, the free one where it would go. */
static size_t probe(const struct map *m, struct text key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].hash && !(m->slots[i].hash == hash && text_eq(m->slots[i].key, key)))
        i = (i + 1) & (m->cap - 1);
    return i;
}

static void map_grow(struct map *m)
{
    struct map to = {.cap = m->cap ? m->cap * 2 : 16, .n = m->n};
    to.slots = xcalloc(to.cap, sizeof(*to.slots));
    for (size_t i = 0; i < m->cap; i++) {
        if (!m->slots[i].hash)
            continue;
        size_t at = m->slots[i].hash & (to.cap - 1);
        while (to.slots[at].hash)
            at = (at + 1) & (to.cap - 1);
        to.slots[at] = m->slots[i];
    }
    free(m->slots);
    *m = to;
}

void map_deinit(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}

void *map_get(const struct map *m, struct text key)
{
    if (m->n == 0)
        return NULL;
    const struct map_slot *s = &m->slots[probe(m, key, hash_of(key))];
    return s->hash ? s->value : NULL;
}

void *map_put(struct map *m, struct text key, void *value)
{
    if (m->n >= m->cap / 4 * 3)
        map_grow(m);
    uint64_t hash = hash_of(key);
    struct map_slot *s = &m->slots[probe(m, key, hash)];
    void *old = s->hash ? s->value : NULL;
    if (!s->hash)
        m->n++;
    /* The key too: the old one dies with the value it came with. */
    *s = (struct map_slot){.key = key, .hash = hash, .value = value};
    return old;
}

void *map_remove(struct map *m, struct text key)
{
    if (m->n == 0)
        return NULL;
    size_t mask = m->cap - 1, hole = probe(m, key, hash_of(key));
    if (!m->slots[hole].hash)
        return NULL;
    void *old = m->slots[hole].value;
    for (size_t i = (hole + 1) & mask; m->slots[i].hash; i = (i + 1) & mask) {
        /* An entry may move back into the hole unless its home lies behind the hole. */
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
    m->n--;
    return old;
}

struct map_slot *map_next(const struct map *m, size_t *pos)
{
    while (*pos < m->cap) {
        struct map_slot *s = &m->slots[(*pos)++];
        if (s->hash)
            return s;
    }
    return NULL;
}
