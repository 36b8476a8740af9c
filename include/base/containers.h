/* containers.h - vector, intrusive list, hash map. Not locked: guard them where they live. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/text.h"

/* VEC(type) declares a growing array: struct { type *p; size_t n, cap; }. Zero-initialise it. */
#define VEC(type)                                                                                                \
    struct {                                                                                                     \
        type *p;                                                                                                 \
        size_t n, cap;                                                                                           \
    }
void *vec_grow(void *p, size_t *cap, size_t need, size_t item_bytes) __attribute__((returns_nonnull));
#define vec_push(v, item)                                                                                        \
    do {                                                                                                         \
        if ((v)->n == (v)->cap)                                                                                  \
            (v)->p = vec_grow((v)->p, &(v)->cap, (v)->n + 1, sizeof(*(v)->p));                                   \
        (v)->p[(v)->n++] = (item);                                                                               \
    } while (0)
#define vec_deinit(v)                                                                                            \
    do {                                                                                                         \
        free((v)->p);                                                                                            \
        (v)->p = NULL;                                                                                           \
        (v)->n = (v)->cap = 0;                                                                                   \
    } while (0)

/* A circular list with a head of its own; an unlinked node points to itself. */
struct list {
    struct list *prev, *next;
};
static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}
static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}
#define list_append(head, node) list_insert_before((head), (node))
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
#define list_for_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, head)                                                                            \
    for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head);                                \
         pos = pos##_next, pos##_next = pos->next)

/* text -> pointer, open addressing. Keys are borrowed: they must live as long as their entry. */
struct map_slot {
    struct text key;
    uint64_t hash; /* 0: free */
    void *value;
};
struct map {
    struct map_slot *slots;
    size_t n, cap;
};
void map_deinit(struct map *m);
void *map_get(const struct map *m, struct text key); /* NULL when absent */
/* Returns the value it replaces, or NULL; the new key takes the place of the old one too. value is not NULL. */
void *map_put(struct map *m, struct text key, void *value);
void *map_remove(struct map *m, struct text key);
/* Iteration in no order: size_t i = 0; struct map_slot *s; while ((s = map_next(m, &i))) ... No change meanwhile. */
struct map_slot *map_next(const struct map *m, size_t *pos);
