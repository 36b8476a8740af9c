/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of fields: FieldsV1 from and to, the algebra against plain lists of paths, and what hostile clients send. */
#include "patch/field_set.h"
#include "trees.h"

static int read_set(struct arena *a, const char *json, const struct field_set **ret)
{
    struct status st = {0};
    int rc = field_set_read(a, text_of(json), ret, &st);
    status_clear(&st);
    return rc;
}

static const struct field_set *set_of(struct arena *a, const char *json)
{
    const struct field_set *s = NULL;

    ck_assert_msg(read_set(a, json, &s) == 0, "%s", json);
    return s;
}

static const char *text_of_set(struct arena *a, const struct field_set *s)
{
    return arena_str(a, field_set_write(a, s));
}

START_TEST(sets_are_written_as_they_are_read)
{
    static const char *const rows[][2] = { /* as sent, and as written (NULL: the same) */
        {"{}", NULL},
        {"{\"f:a\":{},\"f:b\":{\".\":{},\"f:c\":{}},\"f:d\":{\"f:e\":{}}}", NULL},
        {"{\"f:l\":{\".\":{},\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:name\":{}},"
         "\"k:{\\\"port\\\":443,\\\"protocol\\\":\\\"tcp\\\"}\":{}}}", NULL},
        {"{\"v:1\":{},\"v:2\":{},\"v:1.5\":{}}", "{\"v:1\":{},\"v:1.5\":{},\"v:2\":{}}"},
        {"{\"i:10\":{},\"v:true\":{},\"v:\\\"a\\\"\":{},\"v:1\":{},\"k:{\\\"a\\\":1}\":{},\"f:z\":{},\"i:2\":{}}",
         "{\"f:z\":{},\"k:{\\\"a\\\":1}\":{},\"v:1\":{},\"v:\\\"a\\\"\":{},\"v:true\":{},\"i:2\":{},\"i:10\":{}}"},
        {"{\"k:{ \\\"protocol\\\":\\\"udp\\\",\\\"port\\\":443}\":{},\"v: 3\":{}}",
         "{\"k:{\\\"port\\\":443,\\\"protocol\\\":\\\"udp\\\"}\":{},\"v:3\":{}}"},
        {"{\"k:{\\\"a\\\":1}\":{\"f:x\":{}},\"k:{\\\"a\\\": 1}\":{\"f:y\":{}}}", "{\"k:{\\\"a\\\":1}\":{\"f:x\":{},\"f:y\":{}}}"},
        {"{\"f:aaa\":{},\"r:aab\":{}}", "{\"f:aaa\":{}}"}, /* of a later version */
        {"{\"f:a\":null}", "{\"f:a\":{}}"},
        {"{\"f:a\":{\"r:b\":{}}}", "{\"f:a\":{}}"},
        {"{\"f:\":{},\"f:a.b/c\":{}}", NULL},
        {"{\"v:\\\"<&>\\\"\":{}}", "{\"v:\\\"\\\\u003c\\\\u0026\\\\u003e\\\"\":{}}"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct field_set *s = set_of(a, rows[i][0]);
        const char *text = text_of_set(a, s);
        struct value want, got;
        struct status st = {0};
        ck_assert_int_eq(json_read(a, text_of(rows[i][1] ? rows[i][1] : rows[i][0]), NULL, &want, &st), 0);
        ck_assert_int_eq(json_read(a, text_of(text), NULL, &got, &st), 0);
        ck_assert_msg(value_equal(&want, &got), "%s: got %s", rows[i][0], text);
        ck_assert_msg(field_set_equal(set_of(a, text), s), "%s", text);
    }
}
END_TEST

START_TEST(what_is_no_set_is_refused)
{
    static const char *const rows[] = {
        "[]", "1", "\"f:a\"", "{\"f:a\":1}", "{\"f:a\":[]}", "{\"a\":{}}", "{\"\":{}}", "{\"x\":{}}", "{\"k:\":{}}",
        "{\"k:[]\":{}}", "{\"k:{\":{}}", "{\"v:\":{}}", "{\"v:{\":{}}", "{\"i:\":{}}", "{\"i:1x\":{}}",
        "{\"i:99999999999999999999\":{}}",
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer deep = BUFFER_IN(a);
    const struct field_set *s;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ck_assert_msg(read_set(a, rows[i], &s) < 0, "%s", rows[i]);
    for (int i = 0; i < 9000; i++)
        buffer_add_str(&deep, "{\"f:a\":");
    buffer_add_str(&deep, "{}");
    for (int i = 0; i < 9000; i++)
        buffer_add_char(&deep, '}');
    ck_assert_int_lt(read_set(a, buffer_str(&deep), &s), 0);
}
END_TEST

/* --- the algebra --- */

enum { NAMES = 4, PATHS = NAMES + NAMES * NAMES + NAMES * NAMES * NAMES };

/* Every path of at most three names has a number. */
static size_t path_number(const int *names, int n)
{
    if (n == 1)
        return (size_t)names[0];
    if (n == 2)
        return (size_t)(NAMES + names[0] * NAMES + names[1]);
    return (size_t)(NAMES + NAMES * NAMES + (names[0] * NAMES + names[1]) * NAMES + names[2]);
}

static void mark(const struct field_set *s, int *names, int depth, bool *has)
{
    for (size_t i = 0; s && i < s->n; i++) {
        const struct field_node *n = &s->nodes[i];
        ck_assert(n->is_member || n->below);
        ck_assert(i == 0 || path_element_cmp(&s->nodes[i - 1].at, &n->at) < 0);
        names[depth] = n->at.name.p[0] - 'a';
        has[path_number(names, depth + 1)] = n->is_member;
        mark(n->below, names, depth + 1, has);
    }
}

static const struct field_set *random_set(struct arena *a, unsigned *seed, int depth)
{
    static const char *const letters[NAMES] = {"a", "b", "c", "d"};
    struct field_set_builder b = {.arena = a};
    int start = rand_r(seed) % NAMES;

    for (int k = 0; k < NAMES; k++) {
        const struct path_element at = {.kind = PATH_FIELD, .name = text_of(letters[(start + k) % NAMES])};
        const struct field_set *below = depth < 2 && rand_r(seed) % 2 ? random_set(a, seed, depth + 1) : NULL;
        field_set_add(&b, at, below, rand_r(seed) % 3 == 0);
    }
    return field_set_built(&b);
}

static bool has_ancestor(const bool *has, size_t path)
{
    if (path < NAMES)
        return false;
    if (path < NAMES + NAMES * NAMES)
        return has[(path - NAMES) / NAMES];
    size_t two = (path - NAMES - NAMES * NAMES) / NAMES;
    return has[NAMES + two] || has[two / NAMES];
}

static void check_op(const char *name, const struct field_set *got, const bool *x, const bool *y,
                     bool (*want)(const bool *x, const bool *y, size_t path))
{
    bool has[PATHS] = {0};
    int names[3];

    mark(got, names, 0, has);
    for (size_t p = 0; p < PATHS; p++)
        ck_assert_msg(has[p] == want(x, y, p), "%s of path %zu", name, p);
}

static bool in_either(const bool *x, const bool *y, size_t p)
{
    return x[p] || y[p];
}
static bool in_both(const bool *x, const bool *y, size_t p)
{
    return x[p] && y[p];
}
static bool in_first(const bool *x, const bool *y, size_t p)
{
    return x[p] && !y[p];
}
static bool in_first_deep(const bool *x, const bool *y, size_t p)
{
    return x[p] && !y[p] && !has_ancestor(y, p);
}

START_TEST(operations_are_those_of_sets_of_paths)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    unsigned seed = 7;

    for (int i = 0; i < 2000; i++) {
        const struct field_set *x = random_set(a, &seed, 0), *y = random_set(a, &seed, 0);
        bool of_x[PATHS] = {0}, of_y[PATHS] = {0};
        int names[3];
        mark(x, names, 0, of_x);
        mark(y, names, 0, of_y);
        check_op("union", field_set_union(a, x, y), of_x, of_y, in_either);
        check_op("intersection", field_set_intersection(a, x, y), of_x, of_y, in_both);
        check_op("difference", field_set_difference(a, x, y), of_x, of_y, in_first);
        ck_assert(field_set_has_all(x, y) == !field_set_difference(a, y, x));
        ck_assert(field_set_has_all(x, field_set_intersection(a, x, y)));
        check_op("deep difference", field_set_difference_deep(a, x, y), of_x, of_y, in_first_deep);
        ck_assert(field_set_equal(set_of(a, text_of_set(a, x)), x));
        ck_assert(field_set_equal(field_set_union(a, x, x), x));
        ck_assert_ptr_null(field_set_difference(a, x, x));
        arena_reset(a);
    }
}
END_TEST

static void gather(void *ctx, struct text path)
{
    buffer_addf(ctx, "%.*s\n", TEXT_ARG(path));
}

START_TEST(paths_are_printed_as_messages_want_them)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a);

    field_set_each(set_of(a, "{\"f:a\":{\".\":{},\"k:{\\\"n\\\":\\\"x\\\",\\\"p\\\":1}\":{\"f:b\":{}},\"v:\\\"s\\\"\":{},\"i:3\":{}},"
                             "\"f:c\":{}}"), a, gather, &b);
    ck_assert_str_eq(buffer_str(&b), ".a\n.c\n.a[=\"s\"]\n.a[3]\n.a[n=\"x\",p=1].b\n");
}
END_TEST

UNIT_MAIN("field_set", sets_are_written_as_they_are_read, what_is_no_set_is_refused, operations_are_those_of_sets_of_paths,
          paths_are_printed_as_messages_want_them)
