/* SPDX-License-Identifier: Apache-2.0 */
/* A B+ tree of refcounted nodes. A writer makes every node of its path its own on the way down: a node with one reference
 * is changed in place, a shared one is cloned, which adds a reference to each child or item and so makes the ones below
 * shared in turn. Inner nodes keep, for each child, the key of the first item below it; that view points into the item
 * and stays valid because each change renews the keys along its path. */
#include "base/tree.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define INNER_MAX 32
#define LEAF_MIN (TREE_LEAF_MAX / 2)
#define INNER_MIN (INNER_MAX / 2)

struct tree {
    atomic_uint refs;
    uint16_t n; /* items or children */
    bool is_leaf;
    size_t count; /* items below */
    _Atomic(void *) extra;
    union {
        void *items[TREE_LEAF_MAX];
        struct {
            struct tree *child;
            struct text key; /* of the first item below child */
        } slots[INNER_MAX];
    };
};

/* --- nodes --- */

static struct tree *node_new(bool is_leaf)
{
    struct tree *t = xmalloc(is_leaf ? offsetof(struct tree, items) + sizeof(t->items) : sizeof(*t));
    atomic_init(&t->refs, 1);
    atomic_init(&t->extra, NULL);
    t->n = 0;
    t->is_leaf = is_leaf;
    t->count = 0;
    return t;
}

static void drop_extra(const struct tree_ops *ops, struct tree *t)
{
    void *extra = atomic_load_explicit(&t->extra, memory_order_acquire);
    if (extra) {
        ops->free_extra(extra);
        atomic_store_explicit(&t->extra, NULL, memory_order_relaxed);
    }
}

/* Frees the node alone: what it held has moved elsewhere. */
static void shell_free(const struct tree_ops *ops, struct tree *t)
{
    drop_extra(ops, t);
    free(t);
}

struct tree *tree_ref(struct tree *t)
{
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tree_unref(const struct tree_ops *ops, struct tree *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < t->n; i++) {
        if (t->is_leaf)
            ops->unref(t->items[i]);
        else
            tree_unref(ops, t->slots[i].child);
    }
    shell_free(ops, t);
}

/* Takes t; gives the same node if nobody else holds it, else a copy. */
static struct tree *node_own(const struct tree_ops *ops, struct tree *t)
{
    if (atomic_load_explicit(&t->refs, memory_order_acquire) == 1) {
        drop_extra(ops, t);
        return t;
    }
    struct tree *own = node_new(t->is_leaf);
    own->n = t->n;
    own->count = t->count;
    if (t->is_leaf) {
        memcpy(own->items, t->items, t->n * sizeof(t->items[0]));
        for (size_t i = 0; i < t->n; i++)
            ops->ref(t->items[i]);
    } else {
        memcpy(own->slots, t->slots, t->n * sizeof(t->slots[0]));
        for (size_t i = 0; i < t->n; i++)
            tree_ref(t->slots[i].child);
    }
    tree_unref(ops, t);
    return own;
}

static struct text first_key(const struct tree_ops *ops, const struct tree *t)
{
    return t->is_leaf ? ops->key(t->items[0]) : t->slots[0].key;
}

static void count_again(struct tree *t)
{
    if (t->is_leaf) {
        t->count = t->n;
        return;
    }
    t->count = 0;
    for (size_t i = 0; i < t->n; i++)
        t->count += t->slots[i].child->count;
}

/* --- search --- */

/* Of a leaf: the first item whose key is not below key. */
static size_t leaf_search(const struct tree_ops *ops, const struct tree *t, struct text key, bool *ret_found)
{
    size_t low = 0, high = t->n;
    *ret_found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = text_cmp(ops->key(t->items[mid]), key);
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
            if (c == 0)
                *ret_found = true;
        }
    }
    return low;
}

/* Of an inner node: the child in whose range key falls. */
static size_t inner_search(const struct tree *t, struct text key)
{
    size_t low = 1, high = t->n; /* the first child takes all that lies before it too */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (text_cmp(t->slots[mid].key, key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

void *tree_get(const struct tree_ops *ops, const struct tree *t, struct text key)
{
    bool found;
    if (!t)
        return NULL;
    while (!t->is_leaf)
        t = t->slots[inner_search(t, key)].child;
    size_t i = leaf_search(ops, t, key, &found);
    return found ? t->items[i] : NULL;
}

size_t tree_count(const struct tree *t)
{
    return t ? t->count : 0;
}

size_t tree_rank(const struct tree_ops *ops, const struct tree *t, struct text key)
{
    size_t rank = 0;
    bool found;
    if (!t)
        return 0;
    while (!t->is_leaf) {
        size_t at = inner_search(t, key);
        for (size_t i = 0; i < at; i++)
            rank += t->slots[i].child->count;
        t = t->slots[at].child;
    }
    return rank + leaf_search(ops, t, key, &found);
}

/* --- put --- */

/* Moves the upper half of t, which is owned, to a new node; almost nothing when the entry that does not fit goes behind
 * all others: keys that come in order leave full nodes. */
static struct tree *node_split(struct tree *t, size_t at)
{
    struct tree *right = node_new(t->is_leaf);
    uint16_t keep = at < t->n ? t->n / 2 : t->n - 1;
    right->n = t->n - keep;
    t->n = keep;
    if (t->is_leaf)
        memcpy(right->items, t->items + keep, right->n * sizeof(t->items[0]));
    else
        memcpy(right->slots, t->slots + keep, right->n * sizeof(t->slots[0]));
    count_again(t);
    count_again(right);
    return right;
}

static void leaf_insert(struct tree *t, size_t at, void *item)
{
    memmove(t->items + at + 1, t->items + at, (t->n - at) * sizeof(t->items[0]));
    t->items[at] = item;
    t->n++;
    t->count++;
}

static void inner_insert(struct tree *t, size_t at, struct tree *child, struct text key)
{
    memmove(t->slots + at + 1, t->slots + at, (t->n - at) * sizeof(t->slots[0]));
    t->slots[at].child = child;
    t->slots[at].key = key;
    t->n++;
}

/* Both take t and give it back as their own; *ret_right is the node that a split made, or NULL. */
static struct tree *leaf_put(const struct tree_ops *ops, struct tree *t, struct text key, void *item,
                             struct tree **ret_right)
{
    bool found;
    t = node_own(ops, t);
    size_t at = leaf_search(ops, t, key, &found);
    if (found) {
        void *old = t->items[at];
        t->items[at] = item;
        ops->unref(old);
    } else if (t->n < TREE_LEAF_MAX) {
        leaf_insert(t, at, item);
    } else {
        struct tree *right = *ret_right = node_split(t, at);
        if (at <= t->n)
            leaf_insert(t, at, item);
        else
            leaf_insert(right, at - t->n, item);
    }
    return t;
}

static struct tree *node_put(const struct tree_ops *ops, struct tree *t, struct text key, void *item,
                             struct tree **ret_right)
{
    struct tree *below = NULL;
    *ret_right = NULL;
    if (t->is_leaf)
        return leaf_put(ops, t, key, item, ret_right);
    t = node_own(ops, t);
    size_t at = inner_search(t, key);
    struct tree *child = t->slots[at].child;
    size_t before = child->count;
    child = t->slots[at].child = node_put(ops, child, key, item, &below);
    t->slots[at].key = first_key(ops, child);
    t->count += child->count + (below ? below->count : 0) - before;
    if (!below)
        return t;
    struct text below_key = first_key(ops, below);
    at++;
    if (t->n < INNER_MAX) {
        inner_insert(t, at, below, below_key);
        return t;
    }
    struct tree *right = *ret_right = node_split(t, at);
    if (at <= t->n)
        inner_insert(t, at, below, below_key);
    else
        inner_insert(right, at - t->n, below, below_key);
    count_again(t);
    count_again(right);
    return t;
}

struct tree *tree_put(const struct tree_ops *ops, struct tree *t, void *item)
{
    struct tree *right;
    if (!t)
        t = node_new(true);
    t = node_put(ops, t, ops->key(item), item, &right);
    if (!right)
        return t;
    struct tree *root = node_new(false);
    inner_insert(root, 0, t, first_key(ops, t));
    inner_insert(root, 1, right, first_key(ops, right));
    count_again(root);
    return root;
}

/* --- remove --- */

/* Appends the first n of from's entries to to; both are owned. */
static void node_move_front(struct tree *to, struct tree *from, size_t n)
{
    if (to->is_leaf) {
        memcpy(to->items + to->n, from->items, n * sizeof(to->items[0]));
        memmove(from->items, from->items + n, (from->n - n) * sizeof(to->items[0]));
    } else {
        memcpy(to->slots + to->n, from->slots, n * sizeof(to->slots[0]));
        memmove(from->slots, from->slots + n, (from->n - n) * sizeof(to->slots[0]));
    }
    to->n += (uint16_t)n;
    from->n -= (uint16_t)n;
}

/* Moves the last n of from's entries before to's first. */
static void node_move_back(struct tree *from, struct tree *to, size_t n)
{
    size_t keep = from->n - n;
    if (to->is_leaf) {
        memmove(to->items + n, to->items, to->n * sizeof(to->items[0]));
        memcpy(to->items, from->items + keep, n * sizeof(to->items[0]));
    } else {
        memmove(to->slots + n, to->slots, to->n * sizeof(to->slots[0]));
        memcpy(to->slots, from->slots + keep, n * sizeof(to->slots[0]));
    }
    to->n += (uint16_t)n;
    from->n = (uint16_t)keep;
}

/* Child at of t, which is owned, has become too small: merges it with a neighbour or shares evenly with it. */
static void rebalance(const struct tree_ops *ops, struct tree *t, size_t at)
{
    size_t l = at ? at - 1 : 0, r = l + 1;
    struct tree *left = t->slots[l].child = node_own(ops, t->slots[l].child);
    struct tree *right = t->slots[r].child = node_own(ops, t->slots[r].child);
    size_t all = left->n + right->n, max = left->is_leaf ? TREE_LEAF_MAX : INNER_MAX;
    if (all <= max) {
        node_move_front(left, right, right->n);
        shell_free(ops, right);
        memmove(t->slots + r, t->slots + r + 1, (t->n - r - 1) * sizeof(t->slots[0]));
        t->n--;
    } else if (left->n < all / 2) {
        node_move_front(left, right, all / 2 - left->n);
    } else {
        node_move_back(left, right, left->n - all / 2);
    }
    count_again(left);
    t->slots[l].key = first_key(ops, left);
    if (all > max) {
        count_again(right);
        t->slots[r].key = first_key(ops, right);
    }
}

/* Takes t, in which key is known to be; gives it back as its own, maybe empty. */
static struct tree *node_remove(const struct tree_ops *ops, struct tree *t, struct text key)
{
    bool found;
    t = node_own(ops, t);
    t->count--;
    if (t->is_leaf) {
        size_t at = leaf_search(ops, t, key, &found);
        void *old = t->items[at];
        t->n--;
        memmove(t->items + at, t->items + at + 1, (t->n - at) * sizeof(t->items[0]));
        ops->unref(old);
        return t;
    }
    size_t at = inner_search(t, key);
    struct tree *child = t->slots[at].child = node_remove(ops, t->slots[at].child, key);
    if (child->n < (child->is_leaf ? LEAF_MIN : INNER_MIN))
        rebalance(ops, t, at);
    else
        t->slots[at].key = first_key(ops, child);
    return t;
}

struct tree *tree_remove(const struct tree_ops *ops, struct tree *t, struct text key)
{
    if (!tree_get(ops, t, key))
        return t;
    t = node_remove(ops, t, key);
    if (t->n == 0) {
        shell_free(ops, t);
        return NULL;
    }
    if (!t->is_leaf && t->n == 1) {
        struct tree *child = t->slots[0].child;
        shell_free(ops, t);
        return child;
    }
    return t;
}

/* --- iteration --- */

/* Goes down from t to its first leaf. */
static void push_first(struct tree_iter *it, const struct tree *t)
{
    for (;;) {
        assert((size_t)it->depth < N_ELEMENTS(it->path));
        it->path[it->depth] = t;
        it->index[it->depth++] = 0;
        if (t->is_leaf)
            return;
        t = t->slots[0].child;
    }
}

/* Moves to the start of the next leaf; false at the end. */
static bool next_leaf(struct tree_iter *it)
{
    while (--it->depth > 0) {
        const struct tree *parent = it->path[it->depth - 1];
        size_t at = ++it->index[it->depth - 1];
        if (at < parent->n) {
            push_first(it, parent->slots[at].child);
            return true;
        }
    }
    return false;
}

void tree_iter_init(struct tree_iter *it, const struct tree_ops *ops, const struct tree *t)
{
    it->ops = ops;
    it->depth = 0;
    if (t)
        push_first(it, t);
}

void tree_iter_seek(struct tree_iter *it, const struct tree_ops *ops, const struct tree *t, struct text first_key)
{
    bool found;
    it->ops = ops;
    it->depth = 0;
    if (!t)
        return;
    for (; !t->is_leaf; t = t->slots[it->index[it->depth - 1]].child) {
        it->path[it->depth] = t;
        it->index[it->depth++] = (unsigned char)inner_search(t, first_key);
    }
    it->path[it->depth] = t;
    it->index[it->depth++] = (unsigned char)leaf_search(ops, t, first_key, &found);
}

/* Leaves an exhausted leaf; false at the end. */
static bool stand_on_item(struct tree_iter *it)
{
    if (it->depth == 0)
        return false;
    return it->index[it->depth - 1] < it->path[it->depth - 1]->n || next_leaf(it);
}

void *tree_iter_next(struct tree_iter *it)
{
    if (!stand_on_item(it))
        return NULL;
    return it->path[it->depth - 1]->items[it->index[it->depth - 1]++];
}

bool tree_iter_next_leaf(struct tree_iter *it, struct tree_leaf *ret_leaf)
{
    if (!stand_on_item(it))
        return false;
    struct tree *leaf = (struct tree *)it->path[it->depth - 1];
    *ret_leaf = (struct tree_leaf){
        .n = leaf->n, .from = it->index[it->depth - 1], .items = leaf->items, .extra = &leaf->extra};
    it->index[it->depth - 1] = (unsigned char)leaf->n;
    return true;
}
