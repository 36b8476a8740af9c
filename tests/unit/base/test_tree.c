/* SPDX-License-Identifier: Apache-2.0 */
/* The tree against a sorted array: random puts and removals while many snapshots are held and compared later. */
#include "base/tree.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "unit.h"

struct item {
    atomic_int refs;
    int version;
    char key[24];
};

static atomic_int n_items, n_extras; /* alive */

static struct item *item_new(int number, int version)
{
    struct item *i = xcalloc(1, sizeof(*i));
    i->refs = 1;
    i->version = version;
    snprintf(i->key, sizeof(i->key), "ns-%d/name-%d", number % 7, number);
    n_items++;
    return i;
}

static struct text item_key(const void *item)
{
    return text_of(((const struct item *)item)->key);
}

static void item_ref(void *item)
{
    ((struct item *)item)->refs++;
}

static void item_unref(void *item)
{
    struct item *i = item;
    int before = atomic_fetch_sub(&i->refs, 1);
    ck_assert_int_gt(before, 0);
    if (before == 1) {
        memset(i, 0xee, sizeof(*i));
        free(i);
        n_items--;
    }
}

static void extra_free(void *extra)
{
    n_extras--;
    free(extra);
}

static const struct tree_ops ops = {item_key, item_ref, item_unref, extra_free};

/* The model: for each number its version, 0 when absent. */
#define N_NUMBERS 2000
struct model {
    int version[N_NUMBERS];
    size_t n;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

static void assert_same(const struct tree *t, const struct model *m)
{
    struct item *sorted = xcalloc(m->n + 1, sizeof(*sorted));
    size_t n = 0;
    for (int i = 0; i < N_NUMBERS; i++) {
        if (!m->version[i])
            continue;
        struct item *made = item_new(i, m->version[i]);
        memcpy(&sorted[n++], made, sizeof(*made));
        item_unref(made);
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    ck_assert_uint_eq(n, m->n);
    ck_assert_uint_eq(tree_count(t), n);
    struct tree_iter it;
    tree_iter_init(&it, &ops, t);
    for (size_t i = 0; i < n; i++) {
        struct item *got = tree_iter_next(&it);
        ck_assert_ptr_nonnull(got);
        ck_assert_str_eq(got->key, sorted[i].key);
        ck_assert_int_eq(got->version, sorted[i].version);
        if (i % 17 == 0) {
            ck_assert_uint_eq(tree_rank(&ops, t, text_of(sorted[i].key)), i);
            ck_assert_ptr_eq(tree_get(&ops, t, text_of(sorted[i].key)), got);
            struct tree_iter seek;
            tree_iter_seek(&seek, &ops, t, text_of(sorted[i].key));
            ck_assert_ptr_eq(tree_iter_next(&seek), got);
        }
    }
    ck_assert_ptr_null(tree_iter_next(&it));
    ck_assert_ptr_null(tree_iter_next(&it));
    free(sorted);
}

/* Hangs a sum of the versions on each leaf that has none, and checks those that are there. */
static void check_extras(const struct tree *t)
{
    struct tree_iter it;
    struct tree_leaf leaf;
    size_t n = 0;
    tree_iter_init(&it, &ops, t);
    while (tree_iter_next_leaf(&it, &leaf)) {
        unsigned long sum = 0;
        for (size_t i = 0; i < leaf.n; i++)
            sum = sum * 31 + (unsigned long)((const struct item *)leaf.items[i])->version;
        n += leaf.n;
        ck_assert_uint_ge(leaf.n, 1);
        ck_assert_uint_le(leaf.n, TREE_LEAF_MAX);
        unsigned long *extra = atomic_load(leaf.extra);
        if (extra) {
            ck_assert_uint_eq(*extra, sum);
            continue;
        }
        extra = xmalloc(sizeof(*extra));
        *extra = sum;
        n_extras++;
        void *expected = NULL;
        ck_assert(atomic_compare_exchange_strong(leaf.extra, &expected, extra));
    }
    ck_assert_uint_eq(n, tree_count(t));
}

static struct tree *change(struct tree *t, struct model *m, int number, int version)
{
    if (version) {
        m->n += !m->version[number];
        m->version[number] = version;
        return tree_put(&ops, t, item_new(number, version));
    }
    m->n -= m->version[number] != 0;
    m->version[number] = 0;
    struct item *key = item_new(number, 0);
    t = tree_remove(&ops, t, text_of(key->key));
    item_unref(key);
    return t;
}

START_TEST(equals_a_sorted_array_and_snapshots_stay)
{
    enum { N_HELD = 12, N_ROUNDS = 120 };
    static struct model now, held_model[N_HELD];
    struct tree *t = NULL, *held[N_HELD] = {0};
    int version = 0;
    srand(7);
    for (int round = 0; round < N_ROUNDS; round++) {
        /* Phases that grow, churn and shrink, so that splits, merges and the way to empty are all met. */
        int percent_put = round % 100 < 40 ? 85 : round % 100 < 70 ? 50 : 8;
        for (int i = 0; i < 120; i++) {
            int number = rand() % N_NUMBERS;
            t = change(t, &now, number, rand() % 100 < percent_put ? ++version : 0);
        }
        int slot = rand() % N_HELD;
        assert_same(held[slot], &held_model[slot]);
        if (round % 3 == 0)
            check_extras(t);
        check_extras(held[slot]);
        tree_unref(&ops, held[slot]);
        held[slot] = tree_ref(t);
        held_model[slot] = now;
        assert_same(t, &now);
    }
    for (int i = 0; i < N_NUMBERS; i++)
        t = change(t, &now, i, 0);
    ck_assert_ptr_null(t);
    for (int i = 0; i < N_HELD; i++) {
        assert_same(held[i], &held_model[i]);
        check_extras(held[i]);
        tree_unref(&ops, held[i]);
    }
    ck_assert_int_eq(n_items, 0);
    ck_assert_int_eq(n_extras, 0);
}
END_TEST

START_TEST(grows_and_shrinks_in_order)
{
    static struct model m;
    struct tree *t = NULL;
    for (int i = 0; i < N_NUMBERS; i++)
        t = change(t, &m, i, i + 1);
    assert_same(t, &m);
    for (int i = N_NUMBERS - 1; i >= 0; i--) {
        t = change(t, &m, i, 0);
        if (i % 500 == 0)
            assert_same(t, &m);
    }
    ck_assert_ptr_null(t);
    ck_assert_int_eq(n_items, 0);
}
END_TEST

START_TEST(unshared_nodes_are_changed_in_place)
{
    struct tree *t = tree_put(&ops, NULL, item_new(1, 1)), *first = t;
    t = tree_put(&ops, t, item_new(2, 1));
    ck_assert_ptr_eq(t, first);
    struct tree *held = tree_ref(t);
    t = tree_put(&ops, t, item_new(3, 1));
    ck_assert_ptr_ne(t, held);
    ck_assert_uint_eq(tree_count(held), 2);
    ck_assert_uint_eq(tree_count(t), 3);
    tree_unref(&ops, held);
    tree_unref(&ops, t);
    ck_assert_int_eq(n_items, 0);
}
END_TEST

START_TEST(the_empty_tree)
{
    struct tree_iter it;
    struct tree_leaf leaf;
    tree_iter_init(&it, &ops, NULL);
    ck_assert_ptr_null(tree_iter_next(&it));
    ck_assert(!tree_iter_next_leaf(&it, &leaf));
    tree_iter_seek(&it, &ops, NULL, TEXT("x"));
    ck_assert_ptr_null(tree_iter_next(&it));
    ck_assert_ptr_null(tree_get(&ops, NULL, TEXT("x")));
    ck_assert_ptr_null(tree_remove(&ops, NULL, TEXT("x")));
    ck_assert_uint_eq(tree_rank(&ops, NULL, TEXT("x")), 0);
    ck_assert_uint_eq(tree_count(NULL), 0);
}
END_TEST

START_TEST(seek_between_and_behind_the_keys)
{
    static struct model m;
    struct tree *t = NULL;
    struct tree_iter it;
    for (int i = 0; i < 1000; i++)
        t = change(t, &m, i, 1);
    tree_iter_seek(&it, &ops, t, TEXT("ns-3/"));
    ck_assert_str_eq(((struct item *)tree_iter_next(&it))->key, "ns-3/name-10");
    ck_assert_uint_eq(tree_rank(&ops, t, TEXT("ns-3/")), 3 * 143);
    tree_iter_seek(&it, &ops, t, TEXT("zz"));
    ck_assert_ptr_null(tree_iter_next(&it));
    tree_iter_seek(&it, &ops, t, TEXT(""));
    ck_assert_str_eq(((struct item *)tree_iter_next(&it))->key, "ns-0/name-0");
    tree_unref(&ops, t);
}
END_TEST

/* One writer publishes a snapshot after each change; readers walk what they got while it goes on. */
static pthread_mutex_t published_mu = PTHREAD_MUTEX_INITIALIZER;
static struct tree *published;
static atomic_bool is_over;

static void *read_snapshots(void *arg)
{
    while (!is_over) {
        pthread_mutex_lock(&published_mu);
        struct tree *t = tree_ref(published);
        pthread_mutex_unlock(&published_mu);
        struct tree_iter it;
        struct tree_leaf leaf;
        size_t n = 0;
        long sum = 0;
        tree_iter_init(&it, &ops, t);
        for (struct item *i; (i = tree_iter_next(&it)); n++)
            sum += i->version;
        ck_assert_uint_eq(n, tree_count(t));
        ck_assert_int_ge(sum, (long)n);
        tree_iter_init(&it, &ops, t);
        while (tree_iter_next_leaf(&it, &leaf)) {
            void *expected = NULL, *extra = xmalloc(1);
            if (atomic_compare_exchange_strong(leaf.extra, &expected, extra))
                n_extras++;
            else
                free(extra);
        }
        tree_unref(&ops, t);
    }
    return NULL;
}

START_TEST(readers_of_snapshots_are_left_in_peace)
{
    static struct model m;
    pthread_t readers[3];
    struct tree *t = NULL;
    for (int i = 0; i < 500; i++)
        t = change(t, &m, i, 1);
    published = tree_ref(t);
    for (size_t i = 0; i < N_ELEMENTS(readers); i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_snapshots, NULL), 0);
    for (int i = 0; i < 5000; i++) {
        t = change(t, &m, i * 7919 % N_NUMBERS, i % 3 ? i + 1 : 0);
        pthread_mutex_lock(&published_mu);
        struct tree *old = published;
        published = tree_ref(t);
        pthread_mutex_unlock(&published_mu);
        tree_unref(&ops, old);
    }
    is_over = true;
    for (size_t i = 0; i < N_ELEMENTS(readers); i++)
        pthread_join(readers[i], NULL);
    tree_unref(&ops, published);
    assert_same(t, &m);
    tree_unref(&ops, t);
    ck_assert_int_eq(n_items, 0);
    ck_assert_int_eq(n_extras, 0);
}
END_TEST

UNIT_MAIN("base/tree", equals_a_sorted_array_and_snapshots_stay, grows_and_shrinks_in_order,
          unshared_nodes_are_changed_in_place, the_empty_tree, seek_between_and_behind_the_keys,
          readers_of_snapshots_are_left_in_peace)
