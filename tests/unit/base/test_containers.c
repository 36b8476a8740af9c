/* SPDX-License-Identifier: Apache-2.0 */
#include "base/containers.h"

#include <stdio.h>

#include "unit.h"

START_TEST(vectors_grow)
{
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++)
        vec_push(&v, i);
    ck_assert_uint_eq(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(v.p[i], i);
    vec_deinit(&v);
    ck_assert_uint_eq(v.n, 0);
}
END_TEST

struct node {
    struct list link;
    int i;
};

START_TEST(lists_keep_order_and_let_go)
{
    struct list head;
    struct node nodes[5];
    int expected = 0;
    list_init(&head);
    ck_assert(list_is_empty(&head));
    for (int i = 0; i < 5; i++) {
        nodes[i].i = i;
        list_append(&head, &nodes[i].link);
    }
    list_for_each_safe(pos, &head) {
        struct node *n = CONTAINER_OF(pos, struct node, link);
        ck_assert_int_eq(n->i, expected++);
        if (n->i % 2)
            list_remove(&n->link);
    }
    expected = 0;
    list_for_each(pos, &head) {
        ck_assert_int_eq(CONTAINER_OF(pos, struct node, link)->i, expected);
        expected += 2;
    }
    ck_assert_int_eq(expected, 6);
    list_remove(&nodes[1].link); /* already out: nothing happens */
}
END_TEST

/* Random puts and removals against an array of the values. */
START_TEST(maps_equal_an_array)
{
    enum { N = 500 };
    static char keys[N][16];
    static int values[N], other[N];
    void *model[N] = {0};
    struct map m = {0};
    size_t n = 0;
    srand(3);
    for (int i = 0; i < N; i++)
        snprintf(keys[i], sizeof(keys[i]), "key-%d", i);
    for (int round = 0; round < 50000; round++) {
        int i = rand() % N;
        struct text key = text_of(keys[i]);
        if (rand() % 100 < (round / 5000 % 2 ? 30 : 70)) {
            void *value = rand() % 2 ? &values[i] : &other[i];
            ck_assert_ptr_eq(map_put(&m, key, value), model[i]);
            n += !model[i];
            model[i] = value;
        } else {
            ck_assert_ptr_eq(map_remove(&m, key), model[i]);
            n -= model[i] != NULL;
            model[i] = NULL;
        }
        ck_assert_uint_eq(m.n, n);
        int j = rand() % N;
        ck_assert_ptr_eq(map_get(&m, text_of(keys[j])), model[j]);
    }
    size_t pos = 0, seen = 0;
    for (struct map_slot *s; (s = map_next(&m, &pos)); seen++)
        ck_assert_ptr_eq(s->value, model[atoi(s->key.p + 4)]);
    ck_assert_uint_eq(seen, n);
    map_deinit(&m);
    ck_assert_ptr_null(map_get(&m, TEXT("key-1")));
    ck_assert_ptr_null(map_remove(&m, TEXT("key-1")));
}
END_TEST

UNIT_MAIN("base/containers", vectors_grow, lists_keep_order_and_let_go, maps_equal_an_array)
