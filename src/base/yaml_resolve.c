/* SPDX-License-Identifier: Apache-2.0 */
/* Which type a plain YAML scalar has: by its first byte, then by a table of words, then by number syntax.
 * Source: go.yaml.in/yaml/v2 resolve.go, whose number syntax is that of Go's strconv. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "base/yaml_internal.h"

static const struct {
    const char *words[6];
    struct yaml_scalar scalar;
} word_table[] = {
    {{"y", "Y", "yes", "Yes", "YES"}, {.type = YAML_TYPE_BOOL, .b = true}},
    {{"true", "True", "TRUE"}, {.type = YAML_TYPE_BOOL, .b = true}},
    {{"on", "On", "ON"}, {.type = YAML_TYPE_BOOL, .b = true}},
    {{"n", "N", "no", "No", "NO"}, {.type = YAML_TYPE_BOOL, .b = false}},
    {{"false", "False", "FALSE"}, {.type = YAML_TYPE_BOOL, .b = false}},
    {{"off", "Off", "OFF"}, {.type = YAML_TYPE_BOOL, .b = false}},
    {{"", "~", "null", "Null", "NULL"}, {.type = YAML_TYPE_NULL}},
    {{".nan", ".NaN", ".NAN"}, {.type = YAML_TYPE_FLOAT, .d = NAN}},
    {{".inf", ".Inf", ".INF"}, {.type = YAML_TYPE_FLOAT, .d = INFINITY}},
    {{"+.inf", "+.Inf", "+.INF"}, {.type = YAML_TYPE_FLOAT, .d = INFINITY}},
    {{"-.inf", "-.Inf", "-.INF"}, {.type = YAML_TYPE_FLOAT, .d = -INFINITY}},
};
#define WORD_BYTES_MAX 5

static bool find_word(struct text in, struct yaml_scalar *ret)
{
    if (in.n > WORD_BYTES_MAX)
        return false;
    for (size_t row = 0; row < N_ELEMENTS(word_table); row++) {
        for (const char *const *word = word_table[row].words; *word; word++) {
            if (text_is(in, *word)) {
                *ret = word_table[row].scalar;
                return true;
            }
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(struct text t)
{
    size_t n = 0;

    while (n < t.n && is_digit(t.p[n]))
        n++;
    return n;
}

/* --- timestamps --------------------------------------------------------------------------------------------------- */

/* One or two digits that make a number from min to max. */
static bool take_number(struct text *t, int min, int max, int *ret)
{
    size_t n = count_digits(*t);

    if (n == 0)
        return false;
    n = n > 2 ? 2 : n;
    *ret = n == 1 ? t->p[0] - '0' : (t->p[0] - '0') * 10 + t->p[1] - '0';
    *t = text_from(*t, n);
    return *ret >= min && *ret <= max;
}

static bool take_char(struct text *t, char c)
{
    if (!t->n || *t->p != c)
        return false;
    *t = text_from(*t, 1);
    return true;
}

static bool take_clock(struct text *t)
{
    int part;

    if (!take_number(t, 0, 23, &part) || !take_char(t, ':') || !take_number(t, 0, 59, &part) ||
        !take_char(t, ':') || !take_number(t, 0, 59, &part))
        return false;
    if (t->n >= 2 && (*t->p == '.' || *t->p == ',') && is_digit(t->p[1]))
        *t = text_from(*t, 1 + count_digits(text_from(*t, 1)));
    return true;
}

static bool take_zone(struct text *t)
{
    int part;

    if (take_char(t, 'Z'))
        return true;
    if (t->n != 6 || (*t->p != '+' && *t->p != '-'))
        return false;
    *t = text_from(*t, 1);
    return is_digit(t->p[1]) && take_number(t, 0, 24, &part) && take_char(t, ':') && is_digit(t->p[1]) &&
           take_number(t, 0, 60, &part);
}

static int days_in_month(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && is_leap);
}

static bool is_timestamp(struct text t)
{
    int month, day;

    if (count_digits(t) != 4)
        return false;
    int year = (t.p[0] - '0') * 1000 + (t.p[1] - '0') * 100 + (t.p[2] - '0') * 10 + t.p[3] - '0';
    t = text_from(t, 4);
    if (!take_char(&t, '-') || !take_number(&t, 1, 12, &month) || !take_char(&t, '-') ||
        !take_number(&t, 1, days_in_month(year, month), &day))
        return false;
    if (t.n == 0)
        return true;
    if (take_char(&t, 'T') || take_char(&t, 't'))
        return take_clock(&t) && take_zone(&t) && t.n == 0;
    if (!take_char(&t, ' '))
        return false;
    while (take_char(&t, ' '))
        ;
    return take_clock(&t) && t.n == 0;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static unsigned take_base(struct text *t)
{
    static const struct {
        char letter;
        unsigned base;
    } prefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};

    if (t->n < 2 || *t->p != '0')
        return 10;
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        if (t->n > 2 && (t->p[1] | 0x20) == prefixes[i].letter) {
            *t = text_from(*t, 2);
            return prefixes[i].base;
        }
    }
    *t = text_from(*t, 1);
    return 8;
}

static bool to_magnitude(struct text t, unsigned base, uint64_t *ret)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        unsigned digit = is_digit(c) ? (unsigned)(c - '0') : (c | 0x20) >= 'a' ? (unsigned)((c | 0x20) - 'a' + 10) : 99;
        if (digit >= base || __builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)digit, &sum))
            return false;
    }
    *ret = sum;
    return t.n > 0;
}

static bool to_integer(struct text t, struct yaml_scalar *ret)
{
    bool is_negative = t.n && *t.p == '-', has_sign = is_negative || (t.n && *t.p == '+');
    uint64_t magnitude;

    if (has_sign)
        t = text_from(t, 1);
    unsigned base = take_base(&t);
    if (!to_magnitude(t, base, &magnitude))
        return false;
    if (magnitude <= (uint64_t)INT64_MAX + is_negative) {
        *ret = (struct yaml_scalar){.type = YAML_TYPE_INT, .i = (int64_t)(is_negative ? 0 - magnitude : magnitude)};
        return true;
    }
    *ret = (struct yaml_scalar){.type = YAML_TYPE_INT, .is_unsigned = true, .u = magnitude};
    return !has_sign;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool has_float_syntax(struct text t)
{
    if (t.n && (*t.p == '-' || *t.p == '+'))
        t = text_from(t, 1);
    size_t n_whole = count_digits(t), n_fraction = 0;
    t = text_from(t, n_whole);
    if (take_char(&t, '.')) {
        n_fraction = count_digits(t);
        t = text_from(t, n_fraction);
    }
    if (n_whole + n_fraction == 0)
        return false;
    if (take_char(&t, 'e') || take_char(&t, 'E')) {
        if (!take_char(&t, '-'))
            take_char(&t, '+');
        size_t n_exponent = count_digits(t);
        t = text_from(t, n_exponent);
        return n_exponent > 0 && t.n == 0;
    }
    return t.n == 0;
}

/* t is NUL-terminated. What no double can hold stays a string. */
static bool to_float(struct text t, struct yaml_scalar *ret)
{
    if (!has_float_syntax(t))
        return false;
    *ret = (struct yaml_scalar){.type = YAML_TYPE_FLOAT, .d = strtod(t.p, NULL)};
    return isfinite(ret->d);
}

static bool has_lone_underscore(struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '_' && (i == 0 || i + 1 == t.n || !is_digit(t.p[i - 1]) || !is_digit(t.p[i + 1])))
            return true;
    }
    return false;
}

/* What begins with a point is a float only, and may have underscores only between digits. */
static bool to_number(struct text in, struct yaml_scalar *ret)
{
    bool is_float = *in.p == '.';
    char inline_copy[128];
    char *copy = in.n < sizeof(inline_copy) ? inline_copy : xmalloc(in.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '_')
            copy[n++] = in.p[i];
    }
    copy[n] = '\0';
    struct text plain = {copy, n};
    bool is_number =
        is_float ? !has_lone_underscore(in) && to_float(plain, ret) : to_integer(plain, ret) || to_float(plain, ret);
    if (copy != inline_copy)
        free(copy);
    return is_number;
}

struct yaml_scalar yaml_resolve(struct text in)
{
    struct yaml_scalar ret = {.type = YAML_TYPE_STRING};
    char first = in.n ? *in.p : '~';

    if (!is_digit(first) && !strchr("+-.yYnNtTfFoO~", first))
        return ret;
    if (find_word(in, &ret))
        return ret;
    if (is_digit(first) && is_timestamp(in)) {
        ret.type = YAML_TYPE_TIMESTAMP;
        return ret;
    }
    bool may_be_number = is_digit(first) || first == '.' || first == '+' || first == '-';
    if (!may_be_number || !to_number(in, &ret))
        ret = (struct yaml_scalar){.type = YAML_TYPE_STRING};
    return ret;
}

struct text yaml_replace_invalid_utf8(struct arena *a, struct text t)
{
    if (text_is_utf8(t))
        return t;
    char *out = arena_alloc(a, 3 * t.n);
    size_t n = 0;
    for (const char *p = t.p, *end = p + t.n; p < end;) {
        unsigned sequence = utf8_sequence(p, end);
        if (sequence)
            memcpy(out + n, p, sequence);
        n += sequence ? sequence : utf8_encode(0xfffd, out + n);
        p += sequence ? sequence : 1;
    }
    return (struct text){out, n};
}
