/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of errors name the words of kubernetes/apimachinery pkg/labels/selector.go and pkg/fields/selector.go. */
#include "things.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

/* The object: labels app=web, tier=, size=10, x.io/k=v; spec.color=red, spec.count=3; things ns/x. */
static struct object *sample(void)
{
    struct object *o = make_object(&things, "ns/x", "\"app\":\"web\",\"tier\":\"\",\"size\":\"10\",\"x.io/k\":\"v\"",
                                   "\"color\":\"red\",\"count\":3");
    object_seal(o, 2);
    return o;
}

START_TEST(label_selectors_match)
{
    static const struct {
        const char *selector;
        bool matches;
    } rows[] = {
        {"", true},
        {"app", true},
        {"!app", false},
        {"none", false},
        {"!none", true},
        {" app = web ", true},
        {"app==web", true},
        {"app!=web", false},
        {"none!=web", true},
        {"none=", false},
        {"tier=", true},
        {"tier", true},
        {"app=web,tier=", true},
        {"app=web,tier=x", false},
        {"app in (a,web,b)", true},
        {"app in (a,b)", false},
        {"app notin (a,b)", true},
        {"app notin(web)", false},
        {"none notin (web)", true},
        {"tier in ()", true},
        {"tier in (,)", true},
        {"tier in (a,,b)", true},
        {"app in (,)", false},
        {"size>9", true},
        {"size>10", false},
        {"size<11", true},
        {"size < 10", false},
        {"app>1", false},
        {"none>1", false},
        {"x.io/k=v", true},
        {"in", false},
        {"app=in", false},
        {"notin in (in,notin)", false},
        {"!x.io/k,app", false},
    };
    struct object *o = sample();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct arena *a = arena_new();
        struct selector s;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert_msg(selector_parse_labels(a, t_of(rows[i].selector), &s, &st) == 0, "%s: %s", rows[i].selector,
                      st.message);
        ck_assert_msg(selector_match_labels(&s, o) == rows[i].matches, "%s", rows[i].selector);
        struct selector *copy = selector_copy(&s);
        arena_free(a);
        ck_assert_msg(selector_match_labels(copy, o) == rows[i].matches, "a copy of %s", rows[i].selector);
        free(copy);
    }
    object_unref(o);
}
END_TEST

START_TEST(label_selector_errors_have_upstreams_words)
{
    static const struct {
        const char *selector, *message;
    } rows[] = {
        {",", "found ',', expected: !, identifier, or 'end of string'"},
        {"=x", "found '=', expected: !, identifier, or 'end of string'"},
        {"a,", "found '', expected: identifier after ','"},
        {"a,,b", "found ',', expected: identifier after ','"},
        {"app=x y", "found 'y', expected: ',' or 'end of string'"},
        {"!", "unable to parse requirement: found '', expected: identifier"},
        {"!a=b", "found '=', expected: ',' or 'end of string'"},
        {"a (b)", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt"},
        {"a in b", "unable to parse requirement: found 'b' expected: '('"},
        {"a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"},
        {"app in (x", "unable to parse requirement: found '', expected: ',' or ')'"},
        {"a in (x,", "unable to parse requirement: found '', expected: ',', or identifier"},
        {"a in (x=)", "unable to parse requirement: found '=', expected: ',' or ')'"},
        {"a==)", "unable to parse requirement: found ')', expected: identifier"},
        {"tier>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value "
                   "must be an integer"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct selector s;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert_msg(selector_parse_labels(a, t_of(rows[i].selector), &s, &st) < 0, "%s", rows[i].selector);
        ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
        ck_assert_str_eq(st.message, rows[i].message);
    }
    static const struct {
        const char *selector, *begin;
    } formats[] = {
        {"a/b/c=d", "unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a valid label key must"},
        {"a=b/c", "unable to parse requirement: values[0][a]: Invalid value: \"b/c\": a valid label must"},
    };
    for (size_t i = 0; i < N_ELEMENTS(formats); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct selector s;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert(selector_parse_labels(a, t_of(formats[i].selector), &s, &st) < 0);
        ck_assert_msg(text_starts(t_of(st.message), t_of(formats[i].begin)), "%s", st.message);
    }
}
END_TEST

START_TEST(field_selectors_match)
{
    static const struct {
        const char *selector;
        bool matches;
    } rows[] = {
        {"", true},
        {"=", true},
        {",", true},
        {"metadata.name=x", true},
        {"metadata.name!=x", false},
        {"metadata.name==x,metadata.namespace=ns", true},
        {"metadata.namespace=other", false},
        {"metadata.name=x,metadata.name=y", false},
        {"metadata.name=a\\,b", false},
        {"spec.color=red", true},
        {"spec.color!=red", false},
        {"spec.count=3", true},
        {"spec.count=x", false},
        {"spec.color=", false},
    };
    struct object *o = sample();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct selector s;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert_msg(selector_parse_fields(a, t_of(rows[i].selector), &things, &s, &st) == 0, "%s: %s",
                      rows[i].selector, st.message);
        ck_assert_msg(selector_match_fields(&s, o) == rows[i].matches, "%s", rows[i].selector);
    }
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct selector s;
    struct status st = {0};
    ck_assert_int_eq(selector_parse_fields(a, TEXT("spec.color=red,metadata.name=x\\,y"), &things, &s, &st), 0);
    ck_assert(text_is(selector_single_name(&s), "x,y"));
    ck_assert_int_eq(selector_parse_fields(a, TEXT("metadata.name!=x"), &things, &s, &st), 0);
    ck_assert_uint_eq(selector_single_name(&s).n, 0);
    object_unref(o);
}
END_TEST

START_TEST(field_selector_errors_have_upstreams_words)
{
    static const struct {
        const struct resource_type *type;
        const char *selector, *message;
    } rows[] = {
        {&things, "metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"},
        {&things, "spec.other=1", "field label not supported: spec.other"},
        {&things, "=x", "field label not supported: "},
        {&rooms, "spec.x=1",
         "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
        {&things, "metadata.name=a=b", "invalid field selector: unescaped character in value: 61"},
        {&things, "metadata.name=a\\x", "invalid field selector: invalid escape sequence: \\x"},
        {&things, "metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct selector s;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert_msg(selector_parse_fields(a, t_of(rows[i].selector), rows[i].type, &s, &st) < 0, "%s",
                      rows[i].selector);
        ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
        ck_assert_str_eq(st.message, rows[i].message);
    }
}
END_TEST

START_TEST(label_selector_objects_match)
{
    static const struct {
        const char *json;
        int matches; /* -1: an error */
    } rows[] = {
        {"null", 0},
        {"{}", 1},
        {"{\"matchLabels\":{\"app\":\"web\"}}", 1},
        {"{\"matchLabels\":{\"app\":\"web\",\"tier\":\"x\"}}", 0},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\",\"values\":[\"a\",\"web\"]}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"NotIn\",\"values\":[\"a\",\"web\"]}]}", 0},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"Exists\"}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"DoesNotExist\"}]}", 0},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"Like\"}]}", -1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\"}]}", -1},
        {"{\"matchLabels\":{\"a/b/c\":\"web\"}}", -1},
    };
    struct object *o = sample();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct value v;
        struct selector s;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert_int_eq(json_read(a, t_of(rows[i].json), &(struct json_options){0}, &v, &st), 0);
        int result = selector_from_object(a, &v, &s, &st);
        ck_assert_msg((result < 0 ? -1 : selector_match_labels(&s, o)) == rows[i].matches, "%s", rows[i].json);
    }
    object_unref(o);
}
END_TEST

UNIT_MAIN("storage/selector", label_selectors_match, label_selector_errors_have_upstreams_words, field_selectors_match,
          field_selector_errors_have_upstreams_words, label_selector_objects_match)
