/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"

/* How many bytes from p on are c. One assertion for many bytes: Check sends each to its parent process. */
static size_t run_of(const unsigned char *p, size_t n, unsigned char c)
{
    size_t i = 0;
    while (i < n && p[i] == c)
        i++;
    return i;
}

START_TEST(allocations_are_aligned_and_apart)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    unsigned char *p[2000];
    size_t n[2000];
    for (int i = 0; i < 2000; i++) {
        n[i] = (size_t)(i * 37 % 900) + (i % 100 == 0 ? 40000 : 0);
        p[i] = arena_alloc(a, n[i]);
        ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
        memset(p[i], i & 0xff, n[i]);
    }
    for (int i = 0; i < 2000; i++)
        ck_assert_uint_eq(run_of(p[i], n[i], i & 0xff), n[i]);
    ck_assert_uint_gt(arena_bytes(a), 800000);
}
END_TEST

START_TEST(zeroed_memory_is_zero_after_reuse)
{
    for (int round = 0; round < 3; round++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        for (int i = 0; i < 100; i++) {
            unsigned char *p = arena_alloc0(a, 500);
            ck_assert_uint_eq(run_of(p, 500, 0), 500);
            memset(p, 0xff, 500);
        }
    }
}
END_TEST

START_TEST(empty_allocations_are_distinct)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    ck_assert_ptr_ne(arena_alloc(a, 0), arena_alloc(a, 0));
}
END_TEST

START_TEST(growing_keeps_the_bytes)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    unsigned char *p = NULL;
    size_t n = 0;
    for (size_t to = 1; to < 3000000; to = to * 3 / 2 + 1) {
        p = arena_grow(a, p, n, to);
        for (size_t i = 0; i < n; i += 97)
            ck_assert_uint_eq(p[i], (unsigned char)(i * 7));
        for (size_t i = n; i < to; i++)
            p[i] = (unsigned char)(i * 7);
        n = to;
        if (to % 2)
            memset(arena_alloc(a, 33), 0xaa, 33); /* so that it is not always the newest */
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(p[i], (unsigned char)(i * 7));
}
END_TEST

#ifndef KS_ARENA_MALLOC
START_TEST(the_newest_grows_in_place)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    char *p = arena_alloc(a, 10);
    ck_assert_ptr_eq(arena_grow(a, p, 10, 1000), p);
    arena_alloc(a, 1);
    ck_assert_ptr_ne(arena_grow(a, p, 1000, 2000), p);
}
END_TEST

START_TEST(large_lists_leave_nothing_behind)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    size_t n = 1 << 16;
    void *p = arena_alloc(a, n);
    for (; n < 1 << 24; n *= 2)
        p = arena_grow(a, p, n, 2 * n);
    ck_assert_uint_lt(arena_bytes(a), n + n / 8);
}
END_TEST
#endif

static char order[8];

static void note(void *ptr)
{
    strncat(order, ptr, 1);
}

START_TEST(deferred_calls_run_in_reverse)
{
    struct arena *a = arena_new();
    order[0] = '\0';
    arena_defer(a, note, "a");
    arena_defer(a, note, "b");
    arena_reset(a);
    ck_assert_str_eq(order, "ba");
    arena_defer(a, note, "c");
    arena_free(a);
    ck_assert_str_eq(order, "bac");
    arena_free(NULL);
}
END_TEST

START_TEST(reset_keeps_only_the_first_block)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    size_t fresh = arena_bytes(a);
    for (int i = 0; i < 100; i++)
        arena_alloc(a, 5000);
    arena_alloc(a, 100000);
    ck_assert_uint_gt(arena_bytes(a), 600000);
    arena_reset(a);
    ck_assert_uint_eq(arena_bytes(a), fresh);
    memset(arena_alloc(a, 5000), 1, 5000);
}
END_TEST

START_TEST(strings)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    ck_assert_str_eq(arena_strdup(a, "abc"), "abc");
    ck_assert_str_eq(arena_str(a, (struct text){"abcdef", 3}), "abc");
    ck_assert_str_eq(arena_str(a, TEXT_NONE), "");
    struct text t = arena_textf(a, "%s-%d", "x", 42);
    ck_assert_uint_eq(t.n, 4);
    ck_assert_str_eq(t.p, "x-42");
    char *wide = arena_printf(a, "%01000d", 7);
    ck_assert_uint_eq(strlen(wide), 1000);
    ck_assert_int_eq(wide[999], '7');
}
END_TEST

static void *free_elsewhere(void *arg)
{
    arena_free(arg);
    for (int i = 0; i < 100; i++) {
        struct arena *a = arena_new();
        arena_alloc(a, 20000);
        arena_free(a);
    }
    return NULL;
}

START_TEST(lower_case_is_a_copy_only_when_it_differs)
{
    struct arena *a = arena_new();
    struct text same = TEXT("a-z09\xc3\x84"), got = arena_lower(a, TEXT("aBZ[@\xc3\x84"));
    ck_assert_ptr_eq(arena_lower(a, same).p, same.p);
    ck_assert(text_is(got, "abz[@\xc3\x84"));
    arena_free(a);
}
END_TEST

START_TEST(an_arena_may_die_on_another_thread)
{
    for (int i = 0; i < 20; i++) {
        struct arena *a = arena_new();
        for (int j = 0; j < 50; j++)
            memset(arena_alloc(a, 3000), j, 3000);
        pthread_t t;
        ck_assert_int_eq(pthread_create(&t, NULL, free_elsewhere, a), 0);
        pthread_join(t, NULL);
    }
}
END_TEST

UNIT_MAIN("base/arena", allocations_are_aligned_and_apart, zeroed_memory_is_zero_after_reuse,
          empty_allocations_are_distinct, growing_keeps_the_bytes,
#ifndef KS_ARENA_MALLOC
          the_newest_grows_in_place, large_lists_leave_nothing_behind,
#endif
          deferred_calls_run_in_reverse, reset_keeps_only_the_first_block, strings, lower_case_is_a_copy_only_when_it_differs,
          an_arena_may_die_on_another_thread)
