/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader and writer. Expected texts and messages are what Go 1.26's encoding/json and sigs.k8s.io/json give. */
#include <pthread.h>

#include "rows.h"
#include "unit.h"

START_TEST(values_read_and_write)
{
    static const struct row rows[] = {
        {" null ", "null"},
        {"\t[ true , false,\r\n{ } ,[ ]]", "[true,false,{},[]]"},
        {"{\"a\" : {\"b\":[1,{\"c\":null}]} , \"d\":\"\"}", "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"\"}"},
        {"\"0123456789abcdef\"", "\"0123456789abcdef\""},
        {"\"0123456789abcdefg\"", "\"0123456789abcdefg\""},
    };
    check_read_rows(json_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(strings_escape_as_go_does)
{
    static const struct row rows[] = {
        {"\"<a href=x>&\"", "\"\\u003ca href=x\\u003e\\u0026\""},
        {"\"\\b\\f\\n\\r\\t\\\"\\\\\\/\"", "\"\\b\\f\\n\\r\\t\\\"\\\\/\""},
        {"\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\""},
        {"\"\\u2028\xe2\x80\xa9\xe2\x80\xa7\"", "\"\\u2028\\u2029\xe2\x80\xa7\""},
        {"\"\\u00e9\\u20AC\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        /* Halves of pairs, and bytes that are no UTF-8, become U+FFFD each. */
        {"\"\\ud800\"", "\"\xef\xbf\xbd\""},
        {"\"\\ud800\\u0041\\udc00\"", "\"\xef\xbf\xbd" "A\xef\xbf\xbd\""},
        {"\"a\xff\xc0\x80z\"", "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\""},
        {"\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\"0123456789abcde\\n0123456789abcdef<\"", "\"0123456789abcde\\n0123456789abcdef\\u003c\""},
    };
    check_read_rows(json_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(written_bytes_that_are_no_utf8_are_escaped)
{
    struct buffer b = BUFFER_INIT;

    json_write_string(&b, TEXT("a\xff" "b\xe2\x80"));
    ck_assert_str_eq(buffer_str(&b), "\"a\\ufffdb\\ufffd\\ufffd\"");
    buffer_deinit(&b);
}
END_TEST

/* Each length and each position of the special character meets another path of the 16-byte copies. */
START_TEST(strings_of_every_length_survive)
{
    static const char specials[] = "x\"\\<\n";

    for (size_t n = 1; n < 70; n++) {
        for (size_t at = 0; at < n; at++) {
            for (const char *special = specials; *special; special++) {
                struct arena *a = arena_new();
                char *s = malloc(n);
                memset(s, 'p', n);
                s[at] = *special;
                struct value v = value_string((struct text){s, n}), back;
                struct buffer b = BUFFER_IN(a);
                struct status st = {0};
                json_write(&b, &v);
                ck_assert(json_read(a, buffer_text(&b), NULL, &back, &st) == 0);
                ck_assert(value_equal(&v, &back));
                free(s);
                arena_free(a);
            }
        }
    }
}
END_TEST

START_TEST(numbers)
{
    static const struct row rows[] = {
        {"0", "0"},
        {"-0", "0"},
        {"-0.0", "-0"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "9223372036854776000"},
        {"18446744073709551616", "18446744073709552000"},
        {"123456789012345678901", "123456789012345680000"},
        {"1.0", "1"},
        {"1e3", "1000"},
        {"1E+2", "100"},
        {"0.1", "0.1"},
        {"0.000001", "0.000001"},
        {"0.0000001", "1e-7"},
        {"1.5e-7", "1.5e-7"},
        {"1e20", "100000000000000000000"},
        {"1e21", "1e+21"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"5e-324", "5e-324"},
        {"2.2250738585072014e-308", "2.2250738585072014e-308"},
        {"5.684341886080802e-14", "5.684341886080802e-14"},
        {"1e-400", "0"},
        {"1e400", "error: json: cannot unmarshal number 1e400 into Go value of type float64"},
        {"[1e400,x", "error: invalid character 'x' looking for beginning of value"},
    };
    check_read_rows(json_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(integers_stay_integers)
{
    struct arena *a = arena_new();
    struct status st = {0};
    struct value v;

    ck_assert(json_read(a, TEXT("[7,7.0,7e0,9223372036854775808]"), NULL, &v, &st) == 0);
    ck_assert_int_eq(v.items[0].kind, VALUE_INT);
    for (int i = 1; i < 4; i++)
        ck_assert_int_eq(v.items[i].kind, VALUE_FLOAT);
    arena_free(a);
}
END_TEST

START_TEST(errors_are_worded_as_go_words_them)
{
    static const struct row rows[] = {
        {"", "error: unexpected end of JSON input"},
        {"  ", "error: unexpected end of JSON input"},
        {"{", "error: unexpected end of JSON input"},
        {"{\"a\"", "error: unexpected end of JSON input"},
        {"{\"a\":", "error: unexpected end of JSON input"},
        {"{\"a\":1", "error: unexpected end of JSON input"},
        {"{\"a\":1,", "error: unexpected end of JSON input"},
        {"[1", "error: unexpected end of JSON input"},
        {"\"abc", "error: unexpected end of JSON input"},
        {"\"abc\xff", "error: unexpected end of JSON input"},
        {"x", "error: invalid character 'x' looking for beginning of value"},
        {"[1,]", "error: invalid character ']' looking for beginning of value"},
        {"{x", "error: invalid character 'x' looking for beginning of object key string"},
        {"{\"a\":1,}", "error: invalid character '}' looking for beginning of object key string"},
        {"{\"a\" 1}", "error: invalid character '1' after object key"},
        {"{\"a\":1 \"b\"", "error: invalid character '\"' after object key:value pair"},
        {"[1 2]", "error: invalid character '2' after array element"},
        {"01", "error: invalid character '1' after top-level value"},
        {"{} '", "error: invalid character '\\'' after top-level value"},
        {"1 \\", "error: invalid character '\\\\' after top-level value"},
        {"\"a\nb\"", "error: invalid character '\\n' in string literal"},
        {"\"a\x01\"", "error: invalid character '\\x01' in string literal"},
        {"\"\\x\"", "error: invalid character 'x' in string escape code"},
        {"\"\\", "error: invalid character ' ' in string escape code"},
        {"\"\\u12g4\"", "error: invalid character 'g' in \\u hexadecimal character escape"},
        {"\"\\u12", "error: invalid character ' ' in \\u hexadecimal character escape"},
        {"-", "error: invalid character ' ' in numeric literal"},
        {"-x", "error: invalid character 'x' in numeric literal"},
        {"1.", "error: invalid character ' ' after decimal point in numeric literal"},
        {"1.e", "error: invalid character 'e' after decimal point in numeric literal"},
        {"1e", "error: invalid character ' ' in exponent of numeric literal"},
        {"1e+}", "error: invalid character '}' in exponent of numeric literal"},
        {"tru", "error: invalid character ' ' in literal true (expecting 'e')"},
        {"faLse", "error: invalid character 'L' in literal false (expecting 'l')"},
        {"nulx", "error: invalid character 'x' in literal null (expecting 'l')"},
        {"\xff", "error: invalid character '\xc3\xbf' looking for beginning of value"},
        {"\x80", "error: invalid character '\\u0080' looking for beginning of value"},
        {"\xa0", "error: invalid character '\\u00a0' looking for beginning of value"},
        {"\x7f", "error: invalid character '\\x7f' looking for beginning of value"},
        {"\v", "error: invalid character '\\v' looking for beginning of value"},
    };
    check_read_rows(json_read, rows, N_ELEMENTS(rows));
}
END_TEST

START_TEST(repeated_keys_are_reported_by_path)
{
    static const struct {
        const char *in, *out, *paths;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}", ""},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}", "a "},
        /* In the order in which the keys are read, each once. */
        {"{\"a\":{\"x\":1,\"x\":2},\"a\":{\"y\":1,\"y\":2},\"a\":4}", "{\"a\":4}", "a.x a a.y "},
        {"{\"spec\":{\"containers\":[{},{\"name\":1,\"name\":2}]}}", "{\"spec\":{\"containers\":[{},{\"name\":2}]}}",
         "spec.containers[1].name "},
        {"[[{\"a\":1,\"\\u0061\":2}]]", "[[{\"a\":2}]]", "[0][0].a "},
        {"{\"\":1,\"\":2}", "{\"\":2}", " "},
        {"{\"a.b/c\":{\"\":0,\"\":1}}", "{\"a.b/c\":{\"\":1}}", "a.b/c. "},
        {"{\"a\":[{\"k\":1,\"k\":1},{\"k\":\"}\\\"\",\"k\":1}]}", "{\"a\":[{\"k\":1},{\"k\":1}]}", "a[0].k a[1].k "},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct arena *a = arena_new();
        struct text_list found = {0};
        struct buffer paths = BUFFER_IN(a);
        ck_assert_str_eq(read_to_json(json_read, a, text_of(rows[i].in), &found), rows[i].out);
        for (size_t k = 0; k < found.n; k++)
            buffer_addf(&paths, "%.*s ", TEXT_ARG(found.p[k]));
        ck_assert_str_eq(buffer_str(&paths), rows[i].paths);
        arena_free(a);
    }
}
END_TEST

START_TEST(large_objects_find_their_repetitions)
{
    struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a);
    struct text_list found = {0};
    struct json_options opt = {.duplicates = &found};
    struct status st = {0};
    struct value v;

    buffer_add_char(&b, '{');
    for (int i = 0; i < 200000; i++) /* quadratic work would take minutes */
        buffer_addf(&b, "\"key-%d\":%d,", i % 199900, i);
    buffer_addf(&b, "\"last\":0}");
    ck_assert(json_read(a, buffer_text(&b), &opt, &v, &st) == 0);
    ck_assert_uint_eq(v.n, 199901);
    ck_assert_uint_eq(found.n, 100);
    ck_assert(text_is(found.p[0], "key-0"));
    ck_assert(text_is(found.p[99], "key-99"));
    ck_assert_int_eq(value_get_int(&v, TEXT("key-42"), -1), 199942);
    ck_assert_int_eq(value_get_int(&v, TEXT("key-100"), -1), 100);
    for (size_t i = 0; i < v.n; i++) {
        ck_assert_uint_eq(v.members[i].field, 0);
        ck_assert_uint_eq(v.members[i].value.reserved, 0);
    }
    arena_free(a);
}
END_TEST

static void *read_deep(void *unused)
{
    struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a), out = BUFFER_IN(a);
    struct status st = {0};
    struct value v;

    for (int i = 0; i < JSON_DEPTH_MAX / 2; i++)
        buffer_add_str(&b, "[{\"a\":");
    buffer_add_str(&b, "1");
    for (int i = 0; i < JSON_DEPTH_MAX / 2; i++)
        buffer_add_str(&b, "}]");
    ck_assert(json_read(a, buffer_text(&b), NULL, &v, &st) == 0);
    json_write(&out, &v);
    ck_assert(text_eq(buffer_text(&out), buffer_text(&b)));
    struct value copy = value_copy_deep(a, &v);
    ck_assert(value_equal(&v, &copy));

    struct buffer deeper = BUFFER_IN(a);
    for (int i = 0; i < JSON_DEPTH_MAX + 1; i++)
        buffer_add_char(&deeper, '[');
    ck_assert(json_read(a, buffer_text(&deeper), NULL, &v, &st) < 0);
    ck_assert_str_eq(st.message, "invalid character '[' exceeded max depth");
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

START_TEST(depth_can_be_limited)
{
    struct arena *a = arena_new();
    struct json_options opt = {.depth_max = 2};
    struct status st = {0};
    struct value v;

    ck_assert(json_read(a, TEXT("[{}]"), &opt, &v, &st) == 0);
    ck_assert(json_read(a, TEXT("[{\"a\":{}}]"), &opt, &v, &st) < 0);
    ck_assert_str_eq(st.message, "invalid character '{' exceeded max depth");
    status_clear(&st);
    arena_free(a);
}
END_TEST

START_TEST(strings_point_into_the_input_unless_copied)
{
    struct arena *a = arena_new();
    char input[] = "[\"plain\",\"esc\\taped\"]";
    struct json_options copying = {.copy_strings = true};
    struct status st = {0};
    struct value borrowed, copied;

    ck_assert(json_read(a, text_of(input), NULL, &borrowed, &st) == 0);
    ck_assert(json_read(a, text_of(input), &copying, &copied, &st) == 0);
    ck_assert_ptr_eq(borrowed.items[0].string, input + 2);
    memset(input, '?', sizeof(input) - 1);
    ck_assert(text_is(value_text(&copied.items[0]), "plain"));
    ck_assert(text_is(value_text(&copied.items[1]), "esc\taped"));
    arena_free(a);
}
END_TEST

static int count_raw(const struct value *v)
{
    int n = v->kind == VALUE_RAW;

    for (size_t i = 0; v->kind >= VALUE_LIST && i < v->n; i++)
        n += count_raw(v->kind == VALUE_OBJECT ? &v->members[i].value : &v->items[i]);
    return n;
}

START_TEST(values_at_the_raw_path_stay_text)
{
    static const char *const path[] = {"m", "list", "raw", NULL};
    static const struct {
        const char *json;
        int n_raw;
    } rows[] = {
        {"{\"m\":{\"list\":[{\"raw\":{\"a\":{\"b\":[1,{}]}}},{\"raw\":{}},{\"raw\":[]}]},\"x\":1}", 3},
        {"{\"m\":{\"list\":{\"raw\":\"}\\\"]{\\\\\",\"z\":true}}}", 1},
        {"{\"m\":{\"list\":[[{\"raw\":12}]]}}", 1},
        {"{\"m\":[{\"list\":[{\"raw\":\"\u00e4\"}]}]}", 1},
        {"{\"raw\":{\"a\":1},\"list\":[{\"raw\":{}}],\"m\":{\"raw\":{},\"x\":{\"raw\":{}},\"list\":[{\"x\":{\"raw\":{}}}]}}", 0},
        {"{\"x\":{\"m\":{\"list\":[{\"raw\":{}}]}}}", 0},
    };
    const struct json_options opt = {.raw_path = path};

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct buffer b = BUFFER_IN(a);
        struct status st = {0};
        struct value v, plain;
        ck_assert(json_read(a, text_of(rows[i].json), &opt, &v, &st) == 0);
        ck_assert(json_read(a, text_of(rows[i].json), NULL, &plain, &st) == 0);
        json_write(&b, &v);
        ck_assert_str_eq(buffer_str(&b), rows[i].json);
        ck_assert_int_eq(count_raw(&v), rows[i].n_raw);
        ck_assert(value_equal(&v, &plain) == (rows[i].n_raw == 0));
        json_expand(a, &v);
        ck_assert(value_equal(&v, &plain));
    }
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct value v;
    ck_assert(json_read(a, TEXT("{\"m\":{\"list\":[{\"raw\":{\"a"), &opt, &v, &st) < 0);
    ck_assert_str_eq(st.message, "unexpected end of JSON input");
}
END_TEST

START_TEST(indented_form)
{
    static const char json[] = "{\"a\":[1,{},[],{\"b\":\"x:,{[\\\"\\\\\"}],\"c\":\"\"}";
    static const char pretty[] = "{\n  \"a\": [\n    1,\n    {},\n    [],\n    {\n      \"b\": \"x:,{[\\\"\\\\\"\n    }\n  ],\n"
                                 "  \"c\": \"\"\n}";
    struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a), again = BUFFER_IN(a);
    struct status st = {0};
    struct value v;

    ck_assert(json_read(a, text_of(json), NULL, &v, &st) == 0);
    json_write_pretty(&b, &v);
    ck_assert_str_eq(buffer_str(&b), pretty);
    json_indent(&again, buffer_text(&b));
    ck_assert_str_eq(buffer_str(&again), pretty);
    arena_free(a);
}
END_TEST

UNIT_MAIN("json", values_read_and_write, strings_escape_as_go_does, written_bytes_that_are_no_utf8_are_escaped,
          strings_of_every_length_survive, numbers, integers_stay_integers, errors_are_worded_as_go_words_them,
          repeated_keys_are_reported_by_path, large_objects_find_their_repetitions, deep_documents_fit_a_small_stack,
          depth_can_be_limited, strings_point_into_the_input_unless_copied,
          values_at_the_raw_path_stay_text, indented_form)
