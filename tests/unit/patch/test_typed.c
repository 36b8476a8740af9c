/* SPDX-License-Identifier: Apache-2.0 */
/* Objects by their types: what of them is a field, what changed, how two are made one, what is left when fields go. The rows retell
 * behaviours of structured-merge-diff's own tests (typed/merge_test.go, symdiff_test.go, remove_test.go, toset_test.go) with types
 * of Kubernetes. The last tests are about size. */
#include <time.h>

#include "patch/typed.h"
#include "trees.h"

static const char *written_set(struct arena *a, const struct field_set *s)
{
    return arena_str(a, field_set_write(a, s));
}

static struct schema_type type_of(const char *kind)
{
    static const char *const versions[] = {"v1", "apps/v1", "apiextensions.k8s.io/v1"};
    const struct schema_kind *k = NULL;

    for (size_t i = 0; i < N_ELEMENTS(versions) && !k; i++)
        k = schema_kind_of(text_of(versions[i]), text_of(kind));
    ck_assert_msg(k != NULL, "%s", kind);
    return (struct schema_type){.kind = TYPE_STRUCT, .schema = k->schema};
}

/* --- fields --- */

START_TEST(fields_are_what_may_be_owned_apart)
{
    static const struct {
        const char *kind, *object, *fields;
    } rows[] = {
        {"ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"f:data\":{\"f:a\":{},\"f:b\":{}}}"},
        {"ConfigMap", "{\"data\":{}}", "{\"f:data\":{}}"},
        {"ConfigMap", "{\"data\":null}", "{\"f:data\":{}}"},
        {"Service", "{\"spec\":{\"selector\":{\"a\":\"b\"}}}", "{\"f:spec\":{\"f:selector\":{}}}"}, /* an atomic map */
        {"Pod", "{\"spec\":{\"nodeSelector\":{\"a\":\"b\"}}}", "{\"f:spec\":{\"f:nodeSelector\":{}}}"},
        {"Pod", "{\"metadata\":{\"finalizers\":[\"b\",\"a\"]}}", /* a set */
         "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a\\\"\":{},\"v:\\\"b\\\"\":{}}}}"},
        {"Pod", "{\"spec\":{\"tolerations\":[{\"key\":\"a\"}]}}", "{\"f:spec\":{\"f:tolerations\":{}}}"}, /* an atomic list */
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"c\",\"args\":[\"x\"],\"resources\":{}}]}}", /* a list by keys */
         "{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{\".\":{},\"f:args\":{},\"f:name\":{},"
         "\"f:resources\":{}}}}}"},
        {"Service", "{\"spec\":{\"ports\":[{\"port\":80},{\"port\":80,\"protocol\":\"UDP\"}]}}", /* a key has a default */
         "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:port\":{}},"
         "\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"UDP\\\"}\":{\".\":{},\"f:port\":{},\"f:protocol\":{}}}}}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"c\",\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\"},"
                "{\"name\":\"B\"}]}]}}", /* repeated items are one thing */
         "{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{\".\":{},\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{},"
         "\"k:{\\\"name\\\":\\\"B\\\"}\":{\".\":{},\"f:name\":{}}},\"f:name\":{}}}}}"},
        {"Pod", "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"configMap\":{\"items\":[{\"key\":\"k\"}]}}]}}",
         "{\"f:spec\":{\"f:volumes\":{\"k:{\\\"name\\\":\\\"v\\\"}\":{\".\":{},\"f:configMap\":{\"f:items\":{}},\"f:name\":{}}}}}"},
        {"ControllerRevision", "{\"data\":{\"a\":{\"b\":1}},\"revision\":1}", "{\"f:data\":{},\"f:revision\":{}}"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct schema_type type = type_of(rows[i].kind);
        const struct value v = read_json(a, rows[i].object);
        ck_assert_str_eq(written_set(a, typed_fields(a, typed_of(&type), &v)), rows[i].fields);
    }
}
END_TEST

/* --- comparing --- */

#define C(x) "{\"spec\":{\"containers\":[{\"name\":\"c\"," x "}]}}"
#define IN_C(x) "{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{" x "}}}}"

START_TEST(comparisons_say_what_was_added_removed_and_modified)
{
    static const struct {
        const char *kind, *x, *y, *added, *removed, *modified;
    } rows[] = {
        {"ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"1\"}}", "{\"data\":{\"b\":\"2\",\"c\":\"1\"}}", "{\"f:data\":{\"f:c\":{}}}",
         "{\"f:data\":{\"f:a\":{}}}", "{\"f:data\":{\"f:b\":{}}}"},
        {"ConfigMap", "{}", "{\"data\":{\"a\":\"1\"}}", "{\"f:data\":{\".\":{},\"f:a\":{}}}", "{}", "{}"},
        {"ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{}", "{}", "{\"f:data\":{\".\":{},\"f:a\":{}}}", "{}"},
        {"ConfigMap", "{}", "{\"data\":{}}", "{\"f:data\":{}}", "{}", "{}"},
        {"ConfigMap", "{\"data\":null}", "{\"data\":{}}", "{}", "{}", "{\"f:data\":{}}"},
        {"Pod", C("\"args\":[\"a\"]"), C("\"args\":[\"b\"]"), "{}", "{}", IN_C("\"f:args\":{}")},
        {"Pod", C("\"image\":\"a\""), C("\"image\":\"a\""), "{}", "{}", "{}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}", "{}", "{}", "{}"}, /* order is no change */
        {"Pod", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}", "{\"metadata\":{\"finalizers\":[\"b\",\"c\"]}}",
         "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"c\\\"\":{}}}}", "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a\\\"\":{}}}}", "{}"},
        {"Pod", C("\"env\":[{\"name\":\"A\"},{\"name\":\"A\",\"value\":\"1\"}]"),
         C("\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\"}]"), "{}", "{}",
         IN_C("\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}")}, /* of repeated items the order counts */
        {"Pod", C("\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]"), C("\"env\":[{\"name\":\"A\"}]"),
         IN_C("\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\".\":{},\"f:name\":{}}}"), IN_C("\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}"), "{}"},
        {"Pod", C("\"env\":[{\"name\":\"A\"}]"), C("\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]"),
         IN_C("\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}"), IN_C("\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\".\":{},\"f:name\":{}}}"), "{}"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct schema_type type = type_of(rows[i].kind);
        const struct value x = read_json(a, rows[i].x), y = read_json(a, rows[i].y);
        const struct comparison c = typed_compare(a, typed_of(&type), &x, &y), back = typed_compare(a, typed_of(&type), &y, &x);
        ck_assert_str_eq(written_set(a, c.added), rows[i].added);
        ck_assert_str_eq(written_set(a, c.removed), rows[i].removed);
        ck_assert_str_eq(written_set(a, c.modified), rows[i].modified);
        ck_assert_str_eq(written_set(a, back.added), rows[i].removed);
        ck_assert_str_eq(written_set(a, back.removed), rows[i].added);
    }
}
END_TEST

/* --- merging --- */

START_TEST(lists_are_merged_in_the_order_of_the_second)
{
    static const char *const rows[][3] = { /* items of x, of y, of the result, one letter each */
        {"", "", ""},         {"abc", "", "abc"},     {"", "abc", "abc"},    {"abc", "abc", "abc"}, {"abc", "cba", "cba"},
        {"abc", "d", "abcd"}, {"abc", "db", "adbc"},  {"abc", "bd", "abcd"}, {"ab", "ba", "ba"},    {"abc", "ca", "bca"},
        {"abcd", "dxa", "bcdxa"}, {"axb", "ab", "axb"}, {"abcde", "ec", "abdec"}, {"a", "xay", "xay"}, {"abc", "axc", "abxc"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct schema_type type = type_of("ConfigMap");

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct value lists[2], merged;
        struct status st = {0};
        struct buffer got = BUFFER_IN(a);
        for (int k = 0; k < 2; k++) {
            lists[k] = value_object();
            struct value *list = value_set(a, value_object_at(a, &lists[k], TEXT("metadata")), TEXT("finalizers"), value_list());
            for (const char *p = rows[i][k]; *p; p++)
                value_append(a, list, value_string((struct text){p, 1}));
        }
        ck_assert_int_eq(typed_merge(a, typed_of(&type), &lists[0], &lists[1], &merged, &st), 0);
        const struct value *list = value_at(&merged, "metadata", "finalizers", NULL);
        for (size_t k = 0; list && k < list->n; k++)
            buffer_add(&got, value_text(&list->items[k]));
        ck_assert_msg(strcmp(buffer_str(&got), rows[i][2]) == 0, "%s and %s: %s, wanted %s", rows[i][0], rows[i][1],
                      buffer_str(&got), rows[i][2]);
    }
}
END_TEST

START_TEST(merging_is_by_parts_and_idempotent)
{
    static const struct {
        const char *kind, *x, *y, *result; /* NULL: refused */
    } rows[] = {
        {"ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"1\"}}", "{\"data\":{\"b\":\"2\"}}", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}"},
        {"ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{\"data\":{}}", "{\"data\":{\"a\":\"1\"}}"},
        {"ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{\"data\":null}", "{\"data\":{\"a\":\"1\"}}"},
        {"ConfigMap", "{\"immutable\":true}", "{\"immutable\":null}", "{\"immutable\":null}"},
        {"Service", "{\"spec\":{\"selector\":{\"a\":\"1\"}}}", "{\"spec\":{\"selector\":{\"b\":\"1\"}}}",
         "{\"spec\":{\"selector\":{\"b\":\"1\"}}}"},
        {"Pod", C("\"image\":\"a\",\"tty\":true"), C("\"image\":\"b\""), C("\"image\":\"b\",\"tty\":true")},
        {"Pod", C("\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\"}]"), C("\"env\":[{\"name\":\"A\",\"value\":\"2\"}]"),
         C("\"env\":[{\"name\":\"A\",\"value\":\"2\"}]")}, /* repeated items are replaced */
        {"Pod", C("\"env\":[{\"name\":\"A\"},{\"name\":\"B\"},{\"name\":\"A\"}]"), C("\"tty\":true"),
         C("\"env\":[{\"name\":\"A\"},{\"name\":\"B\"},{\"name\":\"A\"}],\"tty\":true")},
        {"Pod", C("\"tty\":true"), C("\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]"), C("\"tty\":true,\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]")},
        {"Service", "{\"spec\":{\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}}", "{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"n\"}]}}",
         "{\"spec\":{\"ports\":[{\"port\":80,\"protocol\":\"TCP\",\"name\":\"n\"}]}}"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct schema_type type = type_of(rows[i].kind);
        const struct value x = read_json(a, rows[i].x), y = read_json(a, rows[i].y), want = read_json(a, rows[i].result);
        struct value merged, again;
        struct status st = {0};
        if (i == 8) { /* the one that applies a repeated item */
            ck_assert_int_lt(typed_merge(a, typed_of(&type), &x, &y, &merged, &st), 0);
            ck_assert_ptr_nonnull(strstr(st.message, "duplicate entries for key [name=\"A\"]"));
            status_clear(&st);
            continue;
        }
        ck_assert_int_eq(typed_merge(a, typed_of(&type), &x, &y, &merged, &st), 0);
        ck_assert_msg(value_equal(&merged, &want), "%s", written(a, &merged));
        ck_assert_int_eq(typed_merge(a, typed_of(&type), &merged, &y, &again, &st), 0);
        ck_assert_str_eq(written(a, &again), written(a, &merged));
    }
}
END_TEST

START_TEST(fields_are_removed_with_what_lies_below_them)
{
    static const struct {
        const char *kind, *object, *fields, *left;
    } rows[] = {
        {"ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"f:data\":{\"f:a\":{}}}", "{\"data\":{\"b\":\"2\"}}"},
        {"ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{\"f:data\":{}}", "{}"},
        {"ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{\"f:data\":{\"f:a\":{}}}", "{\"data\":null}"},
        {"Pod", C("\"image\":\"i\",\"tty\":true"), IN_C("\"f:tty\":{}"), C("\"image\":\"i\"")},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
         "{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{}}}}", "{\"spec\":{\"containers\":[{\"name\":\"b\"}]}}"},
        {"Pod", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}", "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a\\\"\":{}}}}",
         "{\"metadata\":{\"finalizers\":[\"b\"]}}"},
        {"Service", "{\"spec\":{\"selector\":{\"a\":\"1\"},\"type\":\"t\"}}", "{\"f:spec\":{\"f:selector\":{\"f:a\":{}}}}",
         "{\"spec\":{\"selector\":null,\"type\":\"t\"}}"},
        {"Service", "{\"spec\":{\"ports\":[{\"port\":80}]}}", "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{}}}}",
         "{\"spec\":{\"ports\":null}}"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct schema_type type = type_of(rows[i].kind);
        const struct value v = read_json(a, rows[i].object), want = read_json(a, rows[i].left);
        const struct field_set *s;
        struct status st = {0};
        ck_assert_int_eq(field_set_read(a, text_of(rows[i].fields), &s, &st), 0);
        const struct value left = typed_remove(a, typed_of(&type), &v, s);
        ck_assert_msg(value_equal(&left, &want), "%zu: %s", i, written(a, &left));
    }
}
END_TEST

START_TEST(sets_follow_types_that_became_atomic)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct schema_type type = type_of("Service");
    const struct text fields = TEXT("{\"f:spec\":{\"f:selector\":{\".\":{},\"f:app\":{}},\"f:type\":{}},\"f:gone\":{\"f:x\":{}}}");
    const struct field_set *s;
    struct status st = {0};

    ck_assert_int_eq(field_set_read(a, fields, &s, &st), 0);
    ck_assert_str_eq(written_set(a, typed_reconcile(a, typed_of(&type), s)),
                     "{\"f:gone\":{\"f:x\":{}},\"f:spec\":{\"f:selector\":{},\"f:type\":{}}}");
}
END_TEST

/* --- size --- */

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* n keys, or n items of a list by keys; backwards when down. */
static struct value large(struct arena *a, size_t n, bool is_list, bool down)
{
    struct value object = value_object();
    struct value *spec = value_object_at(a, &object, is_list ? TEXT("spec") : TEXT("data"));
    struct value *list = is_list ? value_set(a, spec, TEXT("volumes"), value_list()) : NULL;

    for (size_t i = 0; i < n; i++) {
        struct text name = arena_textf(a, "k%08zu", down ? n - i : i + 1);
        if (is_list)
            value_set(a, value_append(a, list, value_object()), TEXT("name"), value_string(name));
        else
            value_add(a, spec, name, value_string(TEXT("v")));
    }
    return object;
}

START_TEST(large_objects_cost_in_proportion)
{
    for (int is_list = 0; is_list < 2; is_list++) {
        double took[2];
        for (int big = 0; big < 2; big++) {
            CLEANUP(arena_freep) struct arena *a = arena_new();
            const struct schema_type type = type_of(is_list ? "Pod" : "ConfigMap");
            const size_t n = big ? 80000 : 10000;
            const struct value x = large(a, n, is_list, false), y = large(a, n, is_list, true);
            struct status st = {0};
            struct value merged;
            double began = cpu_ms();
            const struct comparison c = typed_compare(a, typed_of(&type), &x, &y);
            ck_assert(!c.added && !c.removed && !c.modified);
            ck_assert_int_eq(typed_merge(a, typed_of(&type), &x, &y, &merged, &st), 0);
            const struct field_set *fields = typed_fields(a, typed_of(&type), &merged);
            ck_assert_ptr_nonnull(fields);
            const struct value left = typed_remove(a, typed_of(&type), &merged, fields);
            (void)left;
            took[big] = cpu_ms() - began;
        }
        ck_assert_msg(took[1] < 40 * took[0] + 100, "8 times the size took %.1f and %.1f ms", took[0], took[1]);
    }
}
END_TEST

UNIT_MAIN("typed", fields_are_what_may_be_owned_apart, comparisons_say_what_was_added_removed_and_modified,
          lists_are_merged_in_the_order_of_the_second, merging_is_by_parts_and_idempotent,
          fields_are_removed_with_what_lies_below_them, sets_follow_types_that_became_atomic, large_objects_cost_in_proportion)
