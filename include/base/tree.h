/* tree.h - a persistent (copy-on-write) ordered tree of items, keyed by a text that lies in the item.
 * A tree is a value: put and remove give a new tree and leave every other holder's as it was, so a snapshot is one
 * reference. Nodes that nobody else holds are changed in place, so that building a tree is as cheap as a mutable one.
 * It is a B+ tree with leaves of up to TREE_LEAF_MAX items; inner nodes count the items below them.
 * Threads: trees and nodes are shared by any thread; put and remove belong to the one that owns that reference. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define TREE_LEAF_MAX 48

struct tree_ops {
    struct text (*key)(const void *item); /* constant while the item is in a tree */
    void (*ref)(void *item);
    void (*unref)(void *item);
    void (*free_extra)(void *extra); /* frees what was hung on a leaf; NULL: nothing ever is */
};

struct tree; /* NULL is the empty tree */

struct tree *tree_ref(struct tree *t);
void tree_unref(const struct tree_ops *ops, struct tree *t);

/* Takes t and one reference of item; an item of the same key is replaced (and unreferenced). */
struct tree *tree_put(const struct tree_ops *ops, struct tree *t, void *item) __attribute__((warn_unused_result));
/* Takes t; gives it back unchanged when there is no such key. */
struct tree *tree_remove(const struct tree_ops *ops, struct tree *t, struct text key)
    __attribute__((warn_unused_result));

void *tree_get(const struct tree_ops *ops, const struct tree *t, struct text key); /* borrowed from t */
size_t tree_count(const struct tree *t);
size_t tree_rank(const struct tree_ops *ops, const struct tree *t, struct text key); /* items with a smaller key */

/* A leaf as readers see it. extra starts as NULL: whoever first derives something from exactly these items (their
 * compressed bytes, say) hangs it here by compare-and-swap and it goes when the leaf goes. */
struct tree_leaf {
    size_t n;
    size_t from; /* the first item that the iterator had not given yet */
    void *const *items;
    _Atomic(void *) *extra;
};

/* In key order, borrowed from the tree, which must be held meanwhile. */
struct tree_iter {
    const struct tree_ops *ops;
    const struct tree *path[12];
    unsigned char index[12]; /* position in each node of the path; depth 12 holds more than memory does */
    int depth;
};
void tree_iter_init(struct tree_iter *it, const struct tree_ops *ops, const struct tree *t);
void tree_iter_seek(struct tree_iter *it, const struct tree_ops *ops, const struct tree *t, struct text first_key);
void *tree_iter_next(struct tree_iter *it); /* NULL at the end */
/* The leaf in which the iterator stands, which goes on behind it; false at the end. */
bool tree_iter_next_leaf(struct tree_iter *it, struct tree_leaf *ret_leaf);
