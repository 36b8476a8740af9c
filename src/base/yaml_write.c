/* SPDX-License-Identifier: Apache-2.0 */
/* Trees to YAML through libyaml's emitter, with the settings and the choice of styles of sigs.k8s.io/yaml: a string is
 * plain unless it would read back as something else, then quoted; one with line breaks is a literal block.
 * Source: go.yaml.in/yaml/v2 encode.go and sorter.go. */
#include "base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/containers.h"
#include "base/json_internal.h"
#include "base/yaml_internal.h"

/* --- the order of keys -------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What is not ASCII counts as a letter. */
static bool is_letter(char c)
{
    return (signed char)c < 0 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The number at t.p[i]; *ret_end is behind its digits. start is 1 when a number with other digits goes before. */
static uint64_t number_at(struct text t, size_t i, uint64_t start, size_t *ret_end)
{
    uint64_t n = start;

    for (; i < t.n && is_digit(t.p[i]); i++)
        n = n * 10 + (uint64_t)(t.p[i] - '0');
    *ret_end = i;
    return n;
}

static bool follows_number(struct text t, size_t i)
{
    while (i-- > 0 && is_digit(t.p[i])) {
        if (t.p[i] != '0')
            return true;
    }
    return false;
}

/* Natural order: a2 before a10, letters behind everything else. */
static bool key_less(struct text a, struct text b)
{
    size_t i = 0, a_end, b_end;

    while (i < a.n && i < b.n && a.p[i] == b.p[i])
        i++;
    if (i == a.n || i == b.n)
        return a.n < b.n;
    bool a_letter = is_letter(a.p[i]), b_letter = is_letter(b.p[i]);
    if (a_letter && b_letter)
        return (unsigned char)a.p[i] < (unsigned char)b.p[i];
    if (a_letter || b_letter)
        return b_letter;
    uint64_t start = (a.p[i] == '0' || b.p[i] == '0') && follows_number(a, i);
    uint64_t a_number = number_at(a, i, start, &a_end), b_number = number_at(b, i, start, &b_end);
    if (a_number != b_number)
        return (int64_t)a_number < (int64_t)b_number;
    if (a_end != b_end)
        return a_end < b_end;
    return (unsigned char)a.p[i] < (unsigned char)b.p[i];
}

static int compare_members(const void *left, const void *right)
{
    struct text a = member_key(*(const struct value_member *const *)left);
    struct text b = member_key(*(const struct value_member *const *)right);

    return key_less(a, b) ? -1 : key_less(b, a);
}

/* --- scalars ------------------------------------------------------------------------------------------------------ */

size_t yaml_format_float(double d, bool is_float32, char *out)
{
    char digits[JSON_DIGITS_MAX];
    int exponent, n;
    char *w = out;

    if (is_float32)
        d = (float)d;
    if (!isfinite(d))
        return (size_t)snprintf(out, YAML_FLOAT_TEXT_MAX, "%s", isnan(d) ? ".nan" : d < 0 ? "-.inf" : ".inf");
    if (signbit(d))
        *w++ = '-';
    if (d == 0) {
        *w++ = '0';
        return (size_t)(w - out);
    }
    n = json_float_digits(d, is_float32, digits, &exponent);
    if (exponent < -4 || exponent >= 6) {
        *w++ = digits[0];
        if (n > 1)
            *w++ = '.';
        memcpy(w, digits + 1, (size_t)n - 1);
        w += n - 1;
        w += snprintf(w, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return (size_t)(w - out);
    }
    if (exponent < 0) {
        memcpy(w, "0.000", (size_t)(1 - exponent));
        w += 1 - exponent;
        memcpy(w, digits, (size_t)n);
        return (size_t)(w + n - out);
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1)
            *w++ = '.';
        *w++ = i < n ? digits[i] : '0';
    }
    return (size_t)(w - out);
}

/* YAML 1.1's numbers to base 60, which the reader does not know but others do:
 * [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)? */
static bool is_base60(struct text t)
{
    if (!t.n || !t.p)
        return false;
    size_t i = *t.p == '-' || *t.p == '+', n_groups = 0;

    if (i >= t.n || !is_digit(t.p[i]))
        return false;
    while (i < t.n && (is_digit(t.p[i]) || t.p[i] == '_'))
        i++;
    for (; i < t.n && t.p[i] == ':'; n_groups++) {
        size_t n_digits = 0;
        for (i++; i < t.n && is_digit(t.p[i]); i++)
            n_digits++;
        if (n_digits == 0 || n_digits > 2 || (n_digits == 2 && t.p[i - 2] > '5'))
            return false;
    }
    if (i < t.n && t.p[i] == '.') {
        i++;
        while (i < t.n && (is_digit(t.p[i]) || t.p[i] == '_'))
            i++;
    }
    return n_groups > 0 && i == t.n;
}

static const struct text unicode_breaks[] = {
    {"\xc2\x85", 2}, {"\xe2\x80\xa8", 3}, {"\xe2\x80\xa9", 3}};

static yaml_scalar_style_t string_style(struct text t)
{
    /* libyaml would take these for line breaks of a quoted scalar and indent behind them. */
    for (size_t i = 0; i < N_ELEMENTS(unicode_breaks); i++) {
        if (text_find_text(t, unicode_breaks[i]) >= 0)
            return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    }
    if (text_find(t, '\n') >= 0)
        return YAML_LITERAL_SCALAR_STYLE;
    if (yaml_resolve(t).type == YAML_TYPE_STRING && !is_base60(t))
        return YAML_PLAIN_SCALAR_STYLE;
    return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

/* --- the tree ----------------------------------------------------------------------------------------------------- */

struct frame {
    const struct value *v;
    const struct value_member **sorted; /* of an object */
    size_t next;
};

struct writer {
    struct arena *arena;
    struct buffer *out;
    yaml_emitter_t emitter;
    VEC(struct frame) frames;
};

static int append_output(void *data, unsigned char *bytes, size_t n)
{
    buffer_add_bytes(data, bytes, n);
    return 1;
}

/* The events are ours, so libyaml can refuse one only when memory is out. */
static void emit(struct writer *w, int is_initialized, yaml_event_t *e)
{
    if (!is_initialized || !yaml_emitter_emit(&w->emitter, e))
        abort();
}

static void emit_scalar(struct writer *w, struct text t, yaml_scalar_style_t style)
{
    yaml_event_t e;

    emit(w, yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *)t.p, (int)t.n, 1, 1, style), &e);
}

static void emit_string(struct writer *w, struct text t)
{
    if (!text_is_utf8(t))
        t = yaml_replace_invalid_utf8(w->arena, t);
    emit_scalar(w, t.p ? t : TEXT(""), string_style(t));
}

static void emit_float(struct writer *w, double d)
{
    struct buffer json = BUFFER_IN(w->arena);
    char text[YAML_FLOAT_TEXT_MAX];

    /* Upstream comes by way of JSON, where a whole number loses its point: beyond uint64 alone it is a float again. */
    json_write_float(&json, d);
    struct yaml_scalar s = yaml_resolve(buffer_text(&json));
    if (s.type == YAML_TYPE_INT) /* -0 is the integer 0 */
        emit_scalar(w, s.i ? buffer_text(&json) : TEXT("0"), YAML_PLAIN_SCALAR_STYLE);
    else
        emit_scalar(w, (struct text){text, yaml_format_float(d, false, text)}, YAML_PLAIN_SCALAR_STYLE);
}

static void begin_container(struct writer *w, const struct value *v)
{
    struct frame f = {.v = v};
    yaml_event_t e;

    if (v->kind == VALUE_LIST) {
        emit(w, yaml_sequence_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE), &e);
    } else {
        emit(w, yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE), &e);
        f.sorted = arena_alloc(w->arena, v->n * sizeof(*f.sorted));
        for (size_t i = 0; i < v->n; i++)
            f.sorted[i] = &v->members[i];
        qsort(f.sorted, v->n, sizeof(*f.sorted), compare_members);
    }
    vec_push(&w->frames, f);
}

static void emit_value(struct writer *w, const struct value *v)
{
    char digits[24];

    switch ((enum value_kind)v->kind) {
    case VALUE_NULL:
        emit_scalar(w, TEXT("null"), YAML_PLAIN_SCALAR_STYLE);
        break;
    case VALUE_BOOL:
        emit_scalar(w, v->boolean ? TEXT("true") : TEXT("false"), YAML_PLAIN_SCALAR_STYLE);
        break;
    case VALUE_INT:
        snprintf(digits, sizeof(digits), "%lld", (long long)v->integer);
        emit_scalar(w, text_of(digits), YAML_PLAIN_SCALAR_STYLE);
        break;
    case VALUE_FLOAT:
        emit_float(w, v->number);
        break;
    case VALUE_STRING:
        emit_string(w, value_text(v));
        break;
    case VALUE_RAW: {
        struct value *expanded = ARENA_NEW(w->arena, struct value);
        *expanded = *v;
        json_expand(w->arena, expanded);
        emit_value(w, expanded);
        break;
    }
    default:
        begin_container(w, v);
        break;
    }
}

static void end_container(struct writer *w, const struct frame *f)
{
    yaml_event_t e;

    emit(w, f->v->kind == VALUE_LIST ? yaml_sequence_end_event_initialize(&e) : yaml_mapping_end_event_initialize(&e),
         &e);
    w->frames.n--;
}

static void emit_tree(struct writer *w, const struct value *v)
{
    emit_value(w, v);
    while (w->frames.n) {
        struct frame *f = &w->frames.p[w->frames.n - 1];
        if (f->next == f->v->n) {
            end_container(w, f);
        } else if (f->v->kind == VALUE_LIST) {
            emit_value(w, &f->v->items[f->next++]);
        } else {
            const struct value_member *m = f->sorted[f->next++];
            emit_string(w, member_key(m));
            emit_value(w, &m->value);
        }
    }
}

void yaml_write(struct buffer *b, const struct value *v)
{
    struct writer w = {.arena = arena_new(), .out = b};
    yaml_event_t e;

    if (!yaml_emitter_initialize(&w.emitter))
        abort();
    yaml_emitter_set_output(&w.emitter, append_output, b);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, -1);
    emit(&w, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING), &e);
    emit(&w, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1), &e);
    emit_tree(&w, v);
    emit(&w, yaml_document_end_event_initialize(&e, 1), &e);
    w.emitter.open_ended = 0; /* as upstream: no "..." behind a block scalar that ends the document */
    emit(&w, yaml_stream_end_event_initialize(&e), &e);
    yaml_emitter_delete(&w.emitter);
    vec_deinit(&w.frames);
    arena_free(w.arena);
}
