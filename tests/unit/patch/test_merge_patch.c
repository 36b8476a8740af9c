/* SPDX-License-Identifier: Apache-2.0 */
/* Merge patch: the table of RFC 7386's appendix, and what upstream does where the RFC is silent. */
#include "golden.h"

static const struct golden_row rows[] = {
    {"replace", "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"add", "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"remove-last", "{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"remove", "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"list-to-string", "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"string-to-list", "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"nested", "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"list-of-objects", "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"list-patch", "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"null-patch", "{\"a\":\"b\"}", "null", NULL, STATUS_BAD_REQUEST},
    {"string-patch", "{\"a\":\"b\"}", "\"c\"", NULL, STATUS_BAD_REQUEST},
    {"null-kept-in-doc", "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"object-over-list", "{\"l\":[1,2]}", "{\"l\":{\"a\":\"b\",\"c\":null}}", "{\"l\":{\"a\":\"b\"}}"},
    {"nested-nulls-of-new", "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    {"nulls-in-new-lists", "{}", "{\"a\":[null,{\"b\":null,\"c\":1}]}", "{\"a\":[null,{\"c\":1}]}"},
    {"delete-missing", "{\"a\":{\"b\":1}}", "{\"a\":{\"none\":null}}", "{\"a\":{\"b\":1}}"},
    {"several-levels", "{\"a\":{\"b\":{\"c\":1,\"d\":2}},\"e\":{\"f\":1}}",
     "{\"e\":{\"f\":null,\"g\":{\"h\":1}},\"a\":{\"b\":{\"c\":null,\"x\":[]},\"n\":1}}",
     "{\"a\":{\"b\":{\"d\":2,\"x\":[]},\"n\":1},\"e\":{\"g\":{\"h\":1}}}"},
    {"scalar-then-sibling-object", "{\"x\":1,\"y\":{\"z\":1},\"w\":{}}",
     "{\"x\":null,\"y\":{\"z\":2},\"w\":{\"q\":1}}", "{\"y\":{\"z\":2},\"w\":{\"q\":1}}"},
};

START_TEST(rows_hold)
{
    int failed = 0;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        failed += !golden_check(&rows[i], patch_merge);
    ck_assert_int_eq(failed, 0);
}
END_TEST

/* Half of many members are removed, the others changed, and as many added. */
START_TEST(many_members_merge)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer doc = BUFFER_IN(a), patch = BUFFER_IN(a);
    struct status st = {0};
    struct value got;
    const int n = 20000;

    for (int i = 0; i < n; i++)
        buffer_addf(&doc, "%s\"k%d\":\"v\"", i ? "," : "{", i);
    for (int i = 0; i < n; i++) {
        buffer_add_char(&patch, i ? ',' : '{');
        if (i % 2)
            buffer_addf(&patch, "\"k%d\":null,\"n%d\":1", i, i);
        else
            buffer_addf(&patch, "\"k%d\":\"new\"", i);
    }
    buffer_add_char(&doc, '}');
    buffer_add_char(&patch, '}');
    struct value d = read_json(a, buffer_str(&doc)), p = read_json(a, buffer_str(&patch));
    ck_assert_int_eq(patch_merge(a, &d, &p, &got, &st), 0);
    ck_assert_uint_eq(got.n, n);
    ck_assert_ptr_null(value_get(&got, TEXT("k19999")));
    ck_assert(text_is(value_get_text(&got, TEXT("k19998")), "new"));
    ck_assert_int_eq(value_get_int(&got, TEXT("n19999"), 0), 1);
}
END_TEST

UNIT_MAIN("merge_patch", rows_hold, many_members_merge)
