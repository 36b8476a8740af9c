/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to trees and back. Expected texts and messages are what sigs.k8s.io/yaml 1.6 gives. */
#include <pthread.h>

#include "base/yaml.h"
#include "rows.h"
#include "unit.h"

START_TEST(scalars_have_the_types_of_yaml_1_1)
{
    static const struct row rows[] = {
        {"[yes, No, ON, off, y, N, True, FALSE]", "[true,false,true,false,true,false,true,false]"},
        {"[yEs, tRue, 'yes', \"on\"]", "[\"yEs\",\"tRue\",\"yes\",\"on\"]"},
        {"[~, null, NULL, '', 'null']", "[null,null,null,\"\",\"null\"]"},
        {"a:", "{\"a\":null}"},
        {"[0, -1, +2, 017, 0o17, 0x1F, -0x1f, 0b101, 1_000]", "[0,-1,2,15,15,31,-31,5,1000]"},
        {"[08, 1.5, 1.0, .5, 5., 1e3, 1E-7, -.5, 1_0.5]", "[8,1.5,1,0.5,5,1000,1e-7,-0.5,10.5]"},
        {"[1.2.3, 0x, 0xg, 1e, '1', 1:2, .5.5, -, _1]",
         "[\"1.2.3\",\"0x\",\"0xg\",\"1e\",\"1\",\"1:2\",\".5.5\",\"-\",\"_1\"]"},
        {"[1e999, -1e999]", "[\"1e999\",\"-1e999\"]"},
        {"[9223372036854775807, -9223372036854775808, 18446744073709551615]",
         "[9223372036854775807,-9223372036854775808,18446744073709552000]"},
        {"[2001-12-14, 2001-12-14T21:59:43.10-05:00]", "[\"2001-12-14\",\"2001-12-14T21:59:43.10-05:00\"]"},
        {"[.inf]", "error: json: unsupported value: +Inf"},
        {"[-.Inf]", "error: json: unsupported value: -Inf"},
        {".nan", "error: json: unsupported value: NaN"},
    };
    check_read_rows(yaml_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(tags_decide_the_type)
{
    static const struct row rows[] = {
        {"[!!str 1, !!int '7', !!float 3, !!bool 'yes', !own 5]", "[\"1\",7,3,true,\"5\"]"},
        {"!!binary aGVs\n bG8=", "error: yaml: !!binary value contains invalid base64 data"},
        {"[!!binary aGVsbG8=, !!binary aGVsbG8h, !!binary /w==]", "[\"hello\",\"hello!\",\"\xef\xbf\xbd\"]"},
        {"!!binary aGVsbG8", "error: yaml: !!binary value contains invalid base64 data"},
        {"!!int x", "error: yaml: cannot decode !!str `x` as a !!int"},
        {"!!null 1", "error: yaml: cannot decode !!int `1` as a !!null"},
    };
    check_read_rows(yaml_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(keys_become_strings)
{
    static const struct row rows[] = {
        /* Sorted, as they stand in the JSON that upstream makes first. */
        {"b: 1\na: 2\n10: x\n2: v\ntrue: z\n1.5: w\n", "{\"1.5\":\"w\",\"10\":\"x\",\"2\":\"v\",\"a\":2,\"b\":1,\"true\":\"z\"}"},
        {"{a: b}: c", "error: yaml: invalid map key: map[interface {}]interface {}{\"a\":\"b\"}"},
        {"x: {{ .Values.name }}",
         "error: yaml: invalid map key: map[interface {}]interface {}{\".Values.name\":interface {}(nil)}"},
        {"~: 1", "error: unsupported map key of type: %!s(<nil>), key: <nil>, value: 1"},
    };
    check_read_rows(yaml_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(aliases_and_merges_expand)
{
    static const struct row rows[] = {
        {"a: &x [1, 2]\nb: *x\n", "{\"a\":[1,2],\"b\":[1,2]}"},
        {"a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n", "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"k\":3,\"l\":2}}"},
        /* The earlier map of a list wins; a merge that comes behind a key replaces it. */
        {"a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc:\n  <<: [*x, *y]\n",
         "{\"a\":{\"k\":1},\"b\":{\"k\":2,\"l\":2},\"c\":{\"k\":1,\"l\":2}}"},
        {"a: &x {k: 1}\nb:\n  k: 3\n  <<: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"},
        {"a:\n  <<: 1\n", "error: yaml: map merge requires map or sequence of maps as the value"},
        {"a: \"<<\"\n\"<<\": b\n", "{\"\\u003c\\u003c\":\"b\",\"a\":\"\\u003c\\u003c\"}"},
        {"a: *x\n", "error: yaml: unknown anchor 'x' referenced"},
        {"a: &x [*x]\n", "error: yaml: anchor 'x' value contains itself"},
    };
    check_read_rows(yaml_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(alias_bombs_are_refused)
{
    struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a);

    buffer_add_str(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        buffer_addf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buffer_addf(&b, "%s*a%d", k ? "," : "", i - 1);
        buffer_add_str(&b, "]\n");
    }
    ck_assert_str_eq(read_to_json(yaml_read, a, buffer_text(&b), NULL), "error: yaml: document contains excessive aliasing");
    arena_free(a);
}
END_TEST

START_TEST(errors_name_the_line)
{
    static const struct row rows[] = {
        {"a: b: c", "error: yaml: mapping values are not allowed in this context"},
        {"a: 1\nb: c: d\n", "error: yaml: line 2: mapping values are not allowed in this context"},
        {"a: 1\n  b: 2\n", "error: yaml: line 2: mapping values are not allowed in this context"},
        {"a:\n- b\n c: d\n", "error: yaml: line 3: mapping values are not allowed in this context"},
        {"a: 1\n- b\n", "error: yaml: line 1: did not find expected key"},
        {"a: &x [1\nb: 2\n", "error: yaml: line 1: did not find expected ',' or ']'"},
        {"a: \x80", "error: yaml: invalid leading UTF-8 octet"},
        {"a: [1,\n", "error: yaml: line 1: did not find expected node content"},
        {"a: 'x", "error: yaml: found unexpected end of stream"},
    };
    check_read_rows(yaml_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(only_the_first_document_counts)
{
    static const struct row rows[] = {
        {"", "null"},
        {"# nothing\n", "null"},
        {"---\na: 1\n---\nb: 2\n", "{\"a\":1}"},
        {"--- |\n  text\n  more\n...\n", "\"text\\nmore\\n\""},
    };
    check_read_rows(yaml_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(repeated_keys_are_reported)
{
    struct arena *a = arena_new();
    struct text_list found = {0};
    struct buffer b = BUFFER_IN(a);

    ck_assert_str_eq(read_to_json(yaml_read, a, TEXT("a: 1\nb:\n  c: 1\n  c: 2\n1: x\na: 3\n1: w\nz: {q: 1, q: 2}\n"), &found),
                     "{\"1\":\"w\",\"a\":3,\"b\":{\"c\":2},\"z\":{\"q\":2}}");
    for (size_t i = 0; i < found.n; i++)
        buffer_addf(&b, "%.*s\n", TEXT_ARG(found.p[i]));
    ck_assert_str_eq(buffer_str(&b), "line 4: key \"c\" already set in map\n"
                                     "line 6: key \"a\" already set in map\n"
                                     "line 7: key 1 already set in map\n"
                                     "line 8: key \"q\" already set in map\n");
    arena_free(a);
}
END_TEST

static void *read_deep(void *unused)
{
    struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a), out = BUFFER_IN(a);
    struct status st = {0};
    struct value v;

    for (int i = 0; i < 9000; i++)
        buffer_add_str(&b, "- ");
    buffer_add_char(&b, 'x');
    ck_assert(yaml_read(a, buffer_text(&b), NULL, &v, &st) == 0);
    yaml_write(&out, &v);
    ck_assert_uint_eq(out.n, b.n + 1);
    buffer_clear(&b);
    for (int i = 0; i < 10001; i++)
        buffer_add_str(&b, "- ");
    ck_assert(yaml_read(a, buffer_text(&b), NULL, &v, &st) < 0);
    ck_assert_str_eq(st.message, "yaml: exceeded max depth of 10000");
    buffer_clear(&b);
    for (int i = 0; i < 300; i++)
        buffer_add_char(&b, '[');
    ck_assert(yaml_read(a, buffer_text(&b), NULL, &v, &st) < 0);
    ck_assert_str_eq(st.message, "yaml: exceeded max depth of 200");
    status_clear(&st);
    arena_free(a);
    return NULL;
}

START_TEST(deep_documents_fit_a_small_stack)
{
    pthread_attr_t attr;
    pthread_t thread;

    ck_assert(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, 256 << 10) == 0);
    ck_assert(pthread_create(&thread, &attr, read_deep, NULL) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}
END_TEST

/* libyaml's work grows with items times depth; what is allowed grows with the document only. */
START_TEST(items_in_deep_brackets_are_limited)
{
    static const struct {
        int depth, items;
        const char *message; /* NULL: read */
    } rows[] = {
        {10, 200000, NULL},
        {190, 100, NULL},
        {30, 200000, NULL},
        {100, 200000, "yaml: line 1: too many items in deep brackets"},
        {190, 2000, "yaml: line 1: too many items in deep brackets"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct buffer b = BUFFER_IN(a);
        struct value v;
        for (int k = 0; k < rows[i].depth; k++)
            buffer_add_char(&b, '[');
        for (int k = 0; k < rows[i].items; k++)
            buffer_add_str(&b, "a,");
        for (int k = 0; k < rows[i].depth; k++)
            buffer_add_char(&b, ']');
        int rc = yaml_read(a, buffer_text(&b), NULL, &v, &st);
        ck_assert_msg((rc == 0) == (rows[i].message == NULL), "row %zu: %s", i, st.message);
        if (rc < 0)
            ck_assert_str_eq(st.message, rows[i].message);
    }
}
END_TEST

START_TEST(written_form)
{
    static const struct row rows[] = {
        {"{}", "{}\n"},
        {"[]", "[]\n"},
        {"\"x\"", "x\n"},
        {"null", "null\n"},
        {"{\"b\":[1,{\"y\":null,\"x\":true}],\"a\":{\"l\":[],\"o\":{}},\"c\":[[1,2],[]]}",
         "a:\n  l: []\n  o: {}\nb:\n- 1\n- x: true\n  \"y\": null\nc:\n- - 1\n  - 2\n- []\n"},
        {"{\"a10\":1,\"a2\":2,\"B\":3,\"_\":4}", "_: 4\nB: 3\na2: 2\na10: 1\n"},
        {"[\"yes\",\"null\",\"1\",\"1.5\",\"0x1F\",\"\",\"~\",\"2001-01-01\",\"12:30:45\",\"1_0\",\".inf\"]",
         "- \"yes\"\n- \"null\"\n- \"1\"\n- \"1.5\"\n- \"0x1F\"\n- \"\"\n- \"~\"\n- \"2001-01-01\"\n- \"12:30:45\"\n- \"1_0\"\n- \".inf\"\n"},
        {"[\"a: b\",\"# c\",\"- d\",\" e \",\"{f\",\"*g\",\"h\\ti\",\"it's\",\"@j\"]",
         "- 'a: b'\n- '# c'\n- '- d'\n- ' e '\n- '{f'\n- '*g'\n- \"h\\ti\"\n- it's\n- '@j'\n"},
        {"{\"a\":\"l1\\nl2\\n\",\"b\":\"l1\\nl2\",\"c\":\"l\\n\\n\",\"d\":\" x\\n\"}",
         "a: |\n  l1\n  l2\nb: |-\n  l1\n  l2\nc: |+\n  l\n\nd: |2\n   x\n"},
        {"[1.5,1e21,1234567.5,0.00001,-0.0,1e3,18446744073709551616]",
         "- 1.5\n- 1e+21\n- 1.2345675e+06\n- 1e-05\n- 0\n- 1000\n- 1.8446744073709552e+19\n"},
        /* No line is folded. */
        {"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccc\"",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccc\n"},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct arena *a = arena_new();
        struct status st = {0};
        struct value v, back;
        struct buffer b = BUFFER_IN(a);
        ck_assert(json_read(a, text_of(rows[i].in), NULL, &v, &st) == 0);
        yaml_write(&b, &v);
        ck_assert_str_eq(buffer_str(&b), rows[i].out);
        ck_assert(yaml_read(a, buffer_text(&b), NULL, &back, &st) == 0);
        ck_assert_msg(value_equal(&v, &back), "%s", rows[i].in);
        arena_free(a);
    }
}
END_TEST

UNIT_MAIN("yaml", scalars_have_the_types_of_yaml_1_1, tags_decide_the_type, keys_become_strings,
          aliases_and_merges_expand, alias_bombs_are_refused, errors_name_the_line, only_the_first_document_counts,
          repeated_keys_are_reported, deep_documents_fit_a_small_stack, items_in_deep_brackets_are_limited, written_form)
