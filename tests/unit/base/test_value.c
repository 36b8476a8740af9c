/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of values: look-ups, changes, copies, comparison. */
#include "base/json.h"
#include "unit.h"

static struct value read_tree(struct arena *a, const char *json)
{
    struct value v;
    struct status st = {0};

    ck_assert_msg(json_read(a, text_of(json), NULL, &v, &st) == 0, "%s: %s", json, st.message);
    return v;
}

static void assert_json(const struct value *v, const char *json)
{
    struct buffer b = BUFFER_INIT;

    json_write(&b, v);
    ck_assert_str_eq(buffer_str(&b), json);
    buffer_deinit(&b);
}

START_TEST(look_ups_bear_what_is_absent)
{
    struct arena *a = arena_new();
    struct value v = read_tree(a, "{\"metadata\":{\"name\":\"web\",\"generation\":3,\"ok\":true},\"list\":[1]}");

    ck_assert(text_is(value_get_text(value_at(&v, "metadata", NULL), TEXT("name")), "web"));
    ck_assert_int_eq(value_get_int(value_at(&v, "metadata", NULL), TEXT("generation"), -1), 3);
    ck_assert_int_eq(value_get_int(value_at(&v, "metadata", NULL), TEXT("name"), -1), -1);
    ck_assert(value_get_bool(value_at(&v, "metadata", NULL), TEXT("ok"), false));
    ck_assert_ptr_null(value_at(&v, "metadata", "labels", "app", NULL));
    ck_assert_ptr_null(value_at(&v, "list", "app", NULL));
    ck_assert_ptr_null(value_get(NULL, TEXT("x")));
    ck_assert(value_get_text(&v, TEXT("metadata")).n == 0);
    arena_free(a);
}
END_TEST

START_TEST(members_are_set_added_and_removed_in_order)
{
    struct arena *a = arena_new();
    struct value v = value_object();

    value_set(a, &v, TEXT("a"), value_int(1));
    value_set(a, &v, TEXT("b"), value_bool(true));
    value_set(a, &v, TEXT("a"), value_int(2));
    value_set(a, value_object_at(a, &v, TEXT("c")), TEXT("d"), value_null);
    value_set(a, value_object_at(a, &v, TEXT("c")), TEXT("e"), value_list());
    assert_json(&v, "{\"a\":2,\"b\":true,\"c\":{\"d\":null,\"e\":[]}}");
    ck_assert(value_remove(&v, TEXT("b")));
    ck_assert(!value_remove(&v, TEXT("b")));
    assert_json(&v, "{\"a\":2,\"c\":{\"d\":null,\"e\":[]}}");
    value_remove(&v, TEXT("a"));
    value_remove(&v, TEXT("c"));
    value_set(a, &v, TEXT("again"), value_string(TEXT("x")));
    assert_json(&v, "{\"again\":\"x\"}");
    arena_free(a);
}
END_TEST

/* The capacity is not stored but follows from n: every number of children, and arrays that were read, must grow. */
START_TEST(arrays_grow_from_any_size)
{
    for (int n_read = 0; n_read < 20; n_read++) {
        struct arena *a = arena_new();
        struct buffer json = BUFFER_IN(a);
        buffer_add_char(&json, '[');
        for (int i = 0; i < n_read; i++)
            buffer_addf(&json, "%s%d", i ? "," : "", i);
        buffer_add_char(&json, ']');
        struct value v = read_tree(a, buffer_str(&json));
        char *neighbour = arena_alloc(a, 64); /* growing in place must not reach it */
        memset(neighbour, 'n', 64);
        for (int i = n_read; i < 70; i++)
            value_append(a, &v, value_int(i));
        ck_assert_uint_eq(v.n, 70);
        for (int i = 0; i < 70; i++)
            ck_assert_int_eq(v.items[i].integer, i);
        for (int i = 0; i < 64; i++)
            ck_assert_int_eq(neighbour[i], 'n');
        arena_free(a);
    }
}
END_TEST

START_TEST(items_are_inserted_and_removed)
{
    struct arena *a = arena_new();
    struct value v = read_tree(a, "[1,2,3]");

    value_insert(a, &v, 0, value_int(0));
    value_insert(a, &v, 4, value_int(4));
    value_insert(a, &v, 2, value_string(TEXT("x")));
    assert_json(&v, "[0,1,\"x\",2,3,4]");
    value_remove_at(&v, 5);
    value_remove_at(&v, 0);
    assert_json(&v, "[1,\"x\",2,3]");
    arena_free(a);
}
END_TEST

START_TEST(copies_share_nothing_that_changes)
{
    struct arena *a = arena_new();
    struct value v = read_tree(a, "{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"e\":\"f\"}");
    struct value copy = value_copy(a, &v);

    value_set(a, value_at(&copy, "a", NULL), TEXT("new"), value_int(1));
    value_set(a, &value_at(&copy, "a", "b", NULL)->items[1], TEXT("c"), value_int(2));
    assert_json(&v, "{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"e\":\"f\"}");
    assert_json(&copy, "{\"a\":{\"b\":[1,{\"c\":2}],\"new\":1},\"e\":\"f\"}");
    arena_free(a);
}
END_TEST

START_TEST(deep_copies_outlive_the_input)
{
    struct arena *a = arena_new(), *b = arena_new();
    char input[] = "{\"key\":[\"text\",{\"in\":\"side\"}],\"\":\"\"}";
    struct value v = read_tree(a, input), copy = value_copy_deep(b, &v);

    memset(input, 'x', sizeof(input) - 1);
    arena_free(a);
    assert_json(&copy, "{\"key\":[\"text\",{\"in\":\"side\"}],\"\":\"\"}");
    arena_free(b);
}
END_TEST

START_TEST(equality_is_that_of_json)
{
    static const struct {
        const char *a, *b;
        bool is_equal;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1.0}", true},
        {"1", "1.5", false},
        {"9223372036854775807", "9223372036854775808", false},
        {"-9223372036854775808", "-9.223372036854775808e18", true},
        {"[1,2]", "[2,1]", false},
        {"[1,[2,{\"a\":[]}]]", "[1,[2,{\"a\":[]}]]", true},
        {"[1,[2,{\"a\":[]}]]", "[1,[2,{\"a\":{}}]]", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"{\"a\":null}", "{}", false},
        {"\"a\"", "\"a\"", true},
        {"\"a\"", "\"b\"", false},
        {"true", "true", true},
        {"true", "false", false},
        {"null", "false", false},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct arena *a = arena_new();
        struct value left = read_tree(a, rows[i].a), right = read_tree(a, rows[i].b);
        ck_assert_msg(value_equal(&left, &right) == rows[i].is_equal, "%s and %s", rows[i].a, rows[i].b);
        ck_assert_msg(value_equal(&right, &left) == rows[i].is_equal, "%s and %s", rows[i].b, rows[i].a);
        arena_free(a);
    }
}
END_TEST

START_TEST(emptiness)
{
    static const char *const empty[] = {"null", "\"\"", "0", "0.0", "false", "[]", "{}"};
    static const char *const full[] = {"\"x\"", "1", "0.5", "true", "[null]", "{\"a\":null}"};
    struct arena *a = arena_new();

    ck_assert(value_is_empty(NULL));
    for (size_t i = 0; i < N_ELEMENTS(empty); i++) {
        struct value v = read_tree(a, empty[i]);
        ck_assert_msg(value_is_empty(&v), "%s", empty[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(full); i++) {
        struct value v = read_tree(a, full[i]);
        ck_assert_msg(!value_is_empty(&v), "%s", full[i]);
    }
    arena_free(a);
}
END_TEST

UNIT_MAIN("value", look_ups_bear_what_is_absent, members_are_set_added_and_removed_in_order,
          arrays_grow_from_any_size, items_are_inserted_and_removed, copies_share_nothing_that_changes,
          deep_copies_outlive_the_input, equality_is_that_of_json, emptiness)
