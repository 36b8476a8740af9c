/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text_list.h"
#include "unit.h"

START_TEST(texts_stay_in_order_and_once_where_asked)
{
    struct arena *a = arena_new();
    struct text_list list = {0};

    for (size_t i = 0; i < 9; i++)
        text_list_add(a, &list, arena_textf(a, "%zu", i));
    text_list_add_once(a, &list, TEXT("3"));
    ck_assert_uint_eq(list.n, 9);
    text_list_add_once(a, &list, TEXT("nine"));
    ck_assert_uint_eq(list.n, 10);
    ck_assert(text_is(list.p[0], "0") && text_is(list.p[8], "8") && text_is(list.p[9], "nine"));
    ck_assert(text_list_has(&list, TEXT("3")) && !text_list_has(&list, TEXT("")));
    ck_assert(!text_list_has(NULL, TEXT("3")));
    arena_free(a);
}
END_TEST

START_TEST(what_is_common_has_the_order_of_the_first)
{
    struct arena *a = arena_new();
    struct text one[] = {TEXT("c"), TEXT("a"), TEXT("x"), TEXT("a")}, other[] = {TEXT("a"), TEXT("b"), TEXT("c")};
    struct text_list first = {.p = one, .n = 4}, second = {.p = other, .n = 3}, none = {0};
    struct text_list both = text_list_common(a, &first, &second);

    ck_assert_uint_eq(both.n, 3);
    ck_assert(text_is(both.p[0], "c") && text_is(both.p[1], "a") && text_is(both.p[2], "a"));
    ck_assert_uint_eq(text_list_common(a, &first, &none).n, 0);
    ck_assert_uint_eq(text_list_common(a, &none, &first).n, 0);
    arena_free(a);
}
END_TEST

START_TEST(errors_read_as_an_aggregate)
{
    struct text texts[] = {TEXT("one"), TEXT("two"), TEXT("three")};
    static const char *const expected[] = {"", "one", "[one, two]", "[one, two, three]"};

    for (size_t n = 0; n < N_ELEMENTS(expected); n++) {
        CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
        text_list_write_errors(&b, &(struct text_list){.p = texts, .n = n});
        ck_assert_str_eq(buffer_str(&b), expected[n]);
    }
}
END_TEST

UNIT_MAIN("base/text_list", texts_stay_in_order_and_once_where_asked, what_is_common_has_the_order_of_the_first,
          errors_read_as_an_aggregate)
