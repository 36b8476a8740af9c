/* SPDX-License-Identifier: Apache-2.0 */
/* JSON patch: rows from RFC 6902's appendix A and from recorded behaviour of the API. */
#include "golden.h"

#define DOC "{\"data\":{\"k\":\"v\",\"k2\":\"v2\"},\"list\":[1,2,3],\"x/y\":{\"~\":1}}"

static const struct golden_row rows[] = {
    {"add-member", DOC,
     "[{\"op\":\"add\",\"path\":\"/data/n\",\"value\":\"n\"},{\"op\":\"remove\",\"path\":\"/list\"}]",
     "{\"data\":{\"k\":\"v\",\"k2\":\"v2\",\"n\":\"n\"},\"x/y\":{\"~\":1}}"},
    {"add-replaces", "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":[2]}]", "{\"a\":[2]}"},
    {"add-null", "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}"},
    {"add-no-value", "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\"}]", "{\"a\":null}"},
    {"add-missing-parent", DOC, "[{\"op\":\"add\",\"path\":\"/no/k\",\"value\":1}]", NULL, STATUS_INVALID,
     "the server rejected our request due to an error in our request"},
    {"add-into-string", DOC, "[{\"op\":\"add\",\"path\":\"/data/k/l\",\"value\":1}]", NULL, STATUS_INVALID},
    {"add-at-front", "{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/0\",\"value\":0}]", "{\"l\":[0,1,2]}"},
    {"add-at-end", "{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/2\",\"value\":3}]", "{\"l\":[1,2,3]}"},
    {"add-dash", "{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/-\",\"value\":3}]", "{\"l\":[1,2,3]}"},
    {"add-past-end", "{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/3\",\"value\":3}]", NULL,
     STATUS_INVALID},
    {"add-negative", "{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/-1\",\"value\":3}]", "{\"l\":[1,2,3]}"},
    {"add-no-index", "{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/x\",\"value\":3}]", NULL,
     STATUS_INVALID},
    {"add-to-root", "{\"l\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":{}}]", NULL, STATUS_INVALID},
    {"leading-zero", "{\"l\":[1,{\"a\":1}]}", "[{\"op\":\"replace\",\"path\":\"/l/01/a\",\"value\":2}]",
     "{\"l\":[1,{\"a\":2}]}"},
    {"replace-missing-is-set", "{\"a\":{}}", "[{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":1}]",
     "{\"a\":{\"b\":1}}"},
    {"replace-past-end", "{\"l\":[1]}", "[{\"op\":\"replace\",\"path\":\"/l/1\",\"value\":1}]", NULL,
     STATUS_INVALID},
    {"replace-root", "{\"l\":[1]}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"a\":1}}]", "{\"a\":1}"},
    {"replace-root-by-scalar", "{\"l\":[1]}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":1}]", NULL,
     STATUS_INVALID},
    {"remove-missing", DOC, "[{\"op\":\"remove\",\"path\":\"/data/none\"}]", NULL, STATUS_INVALID},
    {"remove-item", "{\"l\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/l/1\"}]", "{\"l\":[1,3]}"},
    {"remove-negative", "{\"l\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/l/-1\"}]", "{\"l\":[1,2]}"},
    {"remove-past-end", "{\"l\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/l/3\"}]", NULL, STATUS_INVALID},
    {"move", "{\"a\":{\"b\":1},\"c\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/c/d\"}]",
     "{\"c\":{\"d\":{\"b\":1}}}"},
    {"move-in-list", "{\"l\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/l/2\",\"path\":\"/l/0\"}]",
     "{\"l\":[3,1,2]}"},
    {"move-into-itself", "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/c\"}]", NULL,
     STATUS_INVALID},
    {"move-missing", DOC, "[{\"op\":\"move\",\"from\":\"/data/none\",\"path\":\"/data/m\"}]", NULL,
     STATUS_INVALID},
    {"move-no-from", DOC, "[{\"op\":\"move\",\"path\":\"/data/m\"}]", NULL, STATUS_INVALID},
    {"copy-is-apart", "{\"a\":{\"b\":1}}",
     "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"replace\",\"path\":\"/c/b\",\"value\":2}]",
     "{\"a\":{\"b\":1},\"c\":{\"b\":2}}"},
    {"test-ok", DOC, "[{\"op\":\"test\",\"path\":\"/data\",\"value\":{\"k2\":\"v2\",\"k\":\"v\"}}]", DOC},
    {"test-missing-null", DOC, "[{\"op\":\"test\",\"path\":\"/data/none\",\"value\":null}]", DOC},
    {"test-fails", DOC, "[{\"op\":\"test\",\"path\":\"/data/k\",\"value\":5}]", NULL, STATUS_INVALID,
     "test failed"},
    {"test-root", "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1}}]", "{\"a\":1}"},
    {"escapes", DOC, "[{\"op\":\"test\",\"path\":\"/x~1y/~0\",\"value\":1}]", DOC},
    {"no-slash", "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"q/k\",\"value\":1}]", "{\"a\":1,\"k\":1}"},
    {"no-path", DOC, "[{\"op\":\"add\",\"value\":1}]", NULL, STATUS_INVALID},
    {"unknown-op", DOC, "[{\"op\":\"frob\",\"path\":\"/a\"}]", NULL, STATUS_INVALID, "Unexpected kind: frob"},
    {"null-operation", DOC, "[null]", NULL, STATUS_INVALID},
    {"null", DOC, "null", DOC},
    {"empty", DOC, "[]", DOC},
    {"object", DOC, "{}", NULL, STATUS_BAD_REQUEST, "cannot unmarshal object into Go value of type"},
    {"strings", DOC, "[\"x\"]", NULL, STATUS_BAD_REQUEST},
    {"number-op", DOC, "[{\"op\":5}]", NULL, STATUS_BAD_REQUEST, "jsonPatchOp.op of type string"},
};

START_TEST(rows_hold)
{
    int failed = 0;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        failed += !golden_check(&rows[i], patch_json);
    ck_assert_int_eq(failed, 0);
}
END_TEST

static void run_text(struct arena *a, const char *doc, struct text patch, struct status *st)
{
    struct value d = read_json(a, doc), p, got;

    ck_assert_int_eq(json_read(a, patch, NULL, &p, st), 0);
    patch_json(a, &d, &p, &got, st);
}

START_TEST(too_many_operations_are_refused)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);

    buffer_add_char(&b, '[');
    for (int i = 0; i <= PATCH_OPERATIONS_MAX; i++)
        buffer_addf(&b, "%s{\"op\":\"test\",\"path\":\"/a\",\"value\":1}", i ? "," : "");
    buffer_add_char(&b, ']');
    run_text(a, "{\"a\":1}", buffer_text(&b), &st);
    ck_assert_int_eq(st.code, 413);
}
END_TEST

START_TEST(copies_are_bounded)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);

    buffer_add_char(&b, '[');
    for (int i = 0; i < 40; i++)
        buffer_addf(&b, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/x%d\"}", i ? "," : "", i);
    buffer_add_char(&b, ']');
    run_text(a, "{\"a\":{\"b\":1}}", buffer_text(&b), &st);
    ck_assert_int_eq(st.reason, STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(st.message, "copied"));
}
END_TEST

/* Each round hangs a deep value below the deepest place of the last one. */
START_TEST(depth_is_bounded)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);
    const int deep = 3000;

    buffer_add_char(&b, '[');
    for (int round = 0; round < 4; round++) {
        buffer_addf(&b, "%s{\"op\":\"add\",\"path\":\"/b\",\"value\":", round ? "," : "");
        for (int i = 0; i < deep; i++)
            buffer_add_str(&b, "{\"n\":");
        buffer_add_str(&b, "{}");
        for (int i = 0; i < deep; i++)
            buffer_add_char(&b, '}');
        buffer_add_str(&b, "},{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b");
        for (int i = 0; i < deep; i++)
            buffer_add_str(&b, "/n");
        buffer_add_str(&b, "/a\"},{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/a\"}");
    }
    buffer_add_char(&b, ']');
    run_text(a, "{\"a\":{}}", buffer_text(&b), &st);
    ck_assert_int_eq(st.reason, STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(st.message, "depth"));
}
END_TEST

START_TEST(moves_of_shallow_values_go_on)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);

    buffer_add_char(&b, '[');
    for (int i = 0; i < 9000; i++)
        buffer_addf(&b, "%s{\"op\":\"move\",\"from\":\"/%c/x\",\"path\":\"/%c/x\"}", i ? "," : "",
                    i & 1 ? 'b' : 'a', i & 1 ? 'a' : 'b');
    buffer_add_char(&b, ']');
    run_text(a, "{\"a\":{\"x\":{\"y\":{}}},\"b\":{}}", buffer_text(&b), &st);
    ck_assert_int_eq(st.reason, STATUS_OK);
}
END_TEST

START_TEST(unknown_members_are_named)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct value p = read_json(a, "[{\"op\":\"add\",\"path\":\"/a\",\"foo\":1},{\"bar\":2}]");
    struct text_list unknown = {0};

    patch_json_unknown(a, &p, &unknown);
    ck_assert_uint_eq(unknown.n, 2);
    ck_assert(text_is(unknown.p[0], "[0].foo"));
    ck_assert(text_is(unknown.p[1], "[1].bar"));
}
END_TEST

START_TEST(raw_values_are_looked_into)
{
    static const struct {
        const char *patch, *want; /* NULL: it does not apply */
    } cases[] = {
        {"[{\"op\":\"add\",\"path\":\"/l/0/raw/b\",\"value\":{}}]", "{\"l\":[{\"raw\":{\"a\":{},\"b\":{}}}]}"},
        {"[{\"op\":\"remove\",\"path\":\"/l/0/raw/a\"}]", "{\"l\":[{\"raw\":{}}]}"},
        {"[{\"op\":\"remove\",\"path\":\"/l/0/raw\"}]", "{\"l\":[{}]}"},
        {"[{\"op\":\"test\",\"path\":\"/l\",\"value\":[{\"raw\":{\"a\":{}}}]}]", "{\"l\":[{\"raw\":{\"a\":{}}}]}"},
        {"[{\"op\":\"test\",\"path\":\"/l/0/raw\",\"value\":{\"a\":1}}]", NULL},
        {"[{\"op\":\"copy\",\"from\":\"/l/0/raw\",\"path\":\"/m\"}]", "{\"l\":[{\"raw\":{\"a\":{}}}],\"m\":{\"a\":{}}}"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct value doc = read_json(a, "{\"l\":[{}]}"), patch = read_json(a, cases[i].patch), got;
        value_set(a, &value_get(&doc, TEXT("l"))->items[0], TEXT("raw"), value_raw(TEXT("{\"a\":{}}")));
        int rc = patch_json(a, &doc, &patch, &got, &st);
        ck_assert_int_eq(rc, cases[i].want ? 0 : -1);
        if (cases[i].want)
            ck_assert_str_eq(written(a, &got), cases[i].want);
    }
}
END_TEST

UNIT_MAIN("json_patch", rows_hold, too_many_operations_are_refused, copies_are_bounded, depth_is_bounded,
          moves_of_shallow_values_go_on, unknown_members_are_named, raw_values_are_looked_into)
