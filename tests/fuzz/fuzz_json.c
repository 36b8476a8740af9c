/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader against jansson: what jansson accepts must give an equal tree here; what it alone refuses must be one
 * of the known differences. What was read must come out of the writer so that reading it again changes nothing. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "require.h"

/* jansson refuses invalid UTF-8 and lone surrogates (Go replaces them), integers beyond int64 (they become floats), NUL
 * in keys, and depths beyond 2048. */
static bool is_known_difference(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_invalid_utf8:
    case json_error_numeric_overflow:
    case json_error_stack_overflow:
    case json_error_null_byte_in_key:
        return true;
    default:
        return strstr(e->text, "Unicode") != NULL;
    }
}

static bool is_same(const struct value *v, const json_t *j);

static bool is_same_object(const struct value *v, const json_t *j)
{
    if (json_object_size(j) != v->n)
        return false;
    for (size_t i = 0; i < v->n; i++) {
        struct text key = member_key(&v->members[i]);
        const json_t *other = json_object_getn(j, key.p, key.n);
        if (!other || !is_same(&v->members[i].value, other))
            return false;
    }
    return true;
}

static bool is_same_list(const struct value *v, const json_t *j)
{
    if (json_array_size(j) != v->n)
        return false;
    for (size_t i = 0; i < v->n; i++) {
        if (!is_same(&v->items[i], json_array_get(j, i)))
            return false;
    }
    return true;
}

/* Recursion is bounded by jansson's depth. */
static bool is_same(const struct value *v, const json_t *j)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_NULL:
        return json_is_null(j);
    case VALUE_BOOL:
        return json_is_boolean(j) && json_is_true(j) == v->boolean;
    case VALUE_INT:
        return json_is_integer(j) && json_integer_value(j) == v->integer;
    case VALUE_FLOAT:
        return json_is_real(j) && json_real_value(j) == v->number;
    case VALUE_STRING:
        return json_is_string(j) &&
               text_eq(value_text(v), (struct text){json_string_value(j), json_string_length(j)});
    case VALUE_LIST:
        return json_is_array(j) && is_same_list(v, j);
    default:
        return json_is_object(j) && is_same_object(v, j);
    }
}

/* Compared as text: a float beyond 2^53 may come back as an integer that no double holds, with the same digits. Only
 * -0.0 changes: it is written as -0, which is the integer 0. */
static void check_stability(struct arena *a, const struct value *v)
{
    struct buffer once = BUFFER_IN(a), twice = BUFFER_IN(a), pretty = BUFFER_IN(a);
    struct status st = {0};
    struct value back, again;

    json_write(&once, v);
    REQUIRE(text_is_utf8(buffer_text(&once)));
    REQUIRE(json_read(a, buffer_text(&once), NULL, &back, &st) == 0);
    json_write(&twice, &back);
    REQUIRE(text_eq(buffer_text(&once), buffer_text(&twice)) || text_find_text(buffer_text(&once), TEXT("-0")) >= 0);
    json_write_pretty(&pretty, v);
    REQUIRE(json_read(a, buffer_text(&pretty), NULL, &again, &st) == 0);
    REQUIRE(value_equal(&back, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct text_list duplicates = {0};
    struct json_options opt = {.duplicates = &duplicates};
    struct status st = {0};
    struct value v;
    json_error_t error;

    int status = json_read(a, (struct text){(const char *)data, n}, &opt, &v, &st);
    json_t *reference = json_loadb((const char *)data, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    /* jansson 2.14 loses a NUL byte behind a number, so such an input tells nothing. */
    if (n && memchr(data, '\0', n) != NULL) {
        json_decref(reference);
        reference = NULL;
    } else if (reference) {
        REQUIRE(status == 0);
        REQUIRE(is_same(&v, reference));
    } else if (status == 0) {
        REQUIRE(is_known_difference(&error));
    }
    if (status == 0)
        check_stability(a, &v);
    else
        REQUIRE(st.reason == STATUS_BAD_REQUEST && st.message[0]);
    json_decref(reference);
    status_clear(&st);
    arena_free(a);
    return 0;
}
