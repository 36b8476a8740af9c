/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: the bytes that Go's encoding/json makes. Strings are copied 16 bytes at a time and looked at while
 * in the register; what needs an escape goes the slow way for that one character. The tree is walked with a stack of
 * its own, since a document may nest deeper than a thread's stack bears. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_internal.h"
#include "base/memory.h"
#include "base/utf8.h"

#define CHUNK 16 /* string copies may write that much more than the string */

/* The writer keeps the end of the text in a register; b->n is right again after sync. */
static __attribute__((returns_nonnull)) inline char *room(struct buffer *b, char *w, size_t n)
{
    if (LIKELY((size_t)(b->p + b->cap - w) >= n))
        return w;
    b->n = (size_t)(w - b->p);
    return buffer_room(b, n);
}

static inline char *begin(struct buffer *b)
{
    return buffer_room(b, 256);
}

static inline void sync_end(struct buffer *b, char *w)
{
    b->n = (size_t)(w - b->p);
}

/* --- strings ---------------------------------------------------------------------------------------------------- */

/* The first of n loaded bytes that is '"', '\\', '<', '>', '&', a control character or not ASCII; n when there is none. */
#ifdef __SSE2__
static inline unsigned first_special(__m128i v, unsigned n)
{
    __m128i special = _mm_or_si128(
        _mm_or_si128(/* '"' and '&' differ in one bit, '<' and '>' too; the comparison is signed, see json_skip_plain */
                     _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8('"' ^ '&')), _mm_set1_epi8('"' | '&')),
                     _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8('<' ^ '>')), _mm_set1_epi8('<' | '>'))),
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')), _mm_cmplt_epi8(v, _mm_set1_epi8(' '))));
    unsigned mask = (unsigned)_mm_movemask_epi8(special) | 1u << n;

    return (unsigned)__builtin_ctz(mask);
}

/* Copies at most 16 bytes up to the first special one; returns their number. n < 16 loads nothing behind p + n. */
static inline __attribute__((always_inline)) unsigned copy_chunk(char *w, const char *p, size_t n)
{
    if (n >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        _mm_storeu_si128((__m128i *)(void *)w, v);
        return first_special(v, 16);
    }
    uint64_t low = 0, high = 0;
    if (n >= 8) {
        memcpy(&low, p, 8);
        memcpy(&high, p + n - 8, 8);
        /* The upper half without the bytes that the lower one has already; n == 8 would shift by 64. */
        high = high >> 1 >> (8 * (16 - n) - 1);
    } else if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        low = first | (uint64_t)last << (8 * (n - 4));
    } else if (n) {
        low = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << (8 * (n / 2)) |
              (uint64_t)(unsigned char)p[n - 1] << (8 * (n - 1));
    }
    __m128i v = _mm_set_epi64x((long long)high, (long long)low);
    _mm_storeu_si128((__m128i *)(void *)w, v);
    return first_special(v, (unsigned)n);
}
#else
static inline __attribute__((always_inline)) unsigned copy_chunk(char *w, const char *p, size_t n)
{
    unsigned i = 0;

    for (; i < n && i < CHUNK; i++) {
        char c = p[i];
        if ((signed char)c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&')
            break;
        w[i] = c;
    }
    return i;
}
#endif

static inline char *put(char *w, const char *s, size_t n)
{
    memcpy(w, s, n);
    return w + n;
}

static char *put_u00(char *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    w = put(w, "\\u00", 4);
    *w++ = hex[c >> 4];
    *w++ = hex[c & 15];
    return w;
}

/* One character at *p that copy_chunk stopped at, at most 6 bytes out. */
static char *put_special(char *w, const char **p, const char *end)
{
    static const char letters[256] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                      ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    unsigned char c = (unsigned char)**p;

    if (letters[c]) {
        (*p)++;
        *w++ = '\\';
        *w++ = letters[c];
        return w;
    }
    if (c < 0x80) {
        (*p)++;
        return put_u00(w, c);
    }
    unsigned n = utf8_sequence(*p, end);
    if (n == 0) {
        (*p)++;
        return put(w, "\\ufffd", 6);
    }
    /* The two line separators that JavaScript does not bear in a string. */
    if (n == 3 && memcmp(*p, "\xe2\x80", 2) == 0 && ((unsigned char)(*p)[2] & 0xfe) == 0xa8)
        w = put(w, (*p)[2] & 1 ? "\\u2029" : "\\u2028", 6);
    else
        w = put(w, *p, n);
    *p += n;
    return w;
}

static __attribute__((noinline)) char *put_string_slow(struct buffer *b, char *w, const char *p, const char *end)
{
    for (;;) {
        unsigned n = copy_chunk(w, p, (size_t)(end - p));
        w += n;
        p += n;
        if (p == end)
            break;
        if (n < CHUNK) {
            w = room(b, w, (size_t)(end - p) + CHUNK + 8);
            w = put_special(w, &p, end);
            while (p < end && (signed char)*p < 0) {
                w = room(b, w, (size_t)(end - p) + CHUNK + 8);
                w = put_special(w, &p, end);
            }
        }
    }
    *w++ = '"';
    return w;
}

/* A string of 16 bytes at least: whole chunks, then the last 16 bytes again, overlapping. Returns what is left for the
 * slow way: 0 when there is nothing special in it. */
static inline size_t copy_long(char **w, const char *p, size_t n)
{
    const char *end = p + n;

    for (; n > CHUNK; n -= CHUNK) {
        unsigned plain = copy_chunk(*w, end - n, CHUNK);
        *w += plain;
        if (UNLIKELY(plain < CHUNK))
            return n - plain;
    }
    if (UNLIKELY(copy_chunk(*w + n - CHUNK, end - CHUNK, CHUNK) < CHUNK))
        return n;
    *w += n;
    return 0;
}

/* Leaves room for a colon or a bracket behind the string. */
static inline char *put_string(struct buffer *b, char *w, const char *p, size_t n)
{
    const char *end = p + n;
    size_t rest;

    w = room(b, w, n + CHUNK + 10);
    *w++ = '"';
    if (n >= CHUNK) {
        rest = copy_long(&w, p, n);
    } else {
        unsigned plain = copy_chunk(w, p, n);
        w += plain;
        rest = n - plain;
    }
    if (UNLIKELY(rest))
        return put_string_slow(b, w, end - rest, end);
    *w++ = '"';
    return w;
}

void json_write_string(struct buffer *b, struct text s)
{
    sync_end(b, put_string(b, begin(b), s.p ? s.p : "", s.n));
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

static inline char *put_int(char *w, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;
    char digits[20], *p = digits + sizeof(digits);

    if (value < 0) {
        *w++ = '-';
        magnitude = 0 - magnitude;
    }
    do {
        *--p = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    return put(w, p, (size_t)(digits + sizeof(digits) - p));
}

static bool reads_back(const char *text, double d, bool is_float32)
{
    return is_float32 ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d;
}

/* 9 or 17 digits always suffice. One digit less than that may suffice though the nearest such decimal does not: below a
 * power of two the floats lie closer, so the next decimal upwards can be the one. */
int json_float_digits(double d, bool is_float32, char *digits, int *ret_exponent)
{
    char text[40];
    int n_max = is_float32 ? 9 : 17, n = 0, n_digits = 1;

    d = fabs(d);
    for (; n_digits <= n_max; n_digits++) {
        snprintf(text, sizeof(text), "%.*e", n_digits - 1, d);
        if (reads_back(text, d, is_float32))
            break;
        char *last = &text[n_digits == 1 ? 0 : n_digits];
        if (*last < '9' && ++*last && reads_back(text, d, is_float32))
            break;
    }
    for (const char *p = text; *p != 'e'; p++) {
        if (*p != '.')
            digits[n++] = *p;
    }
    *ret_exponent = atoi(strchr(text, 'e') + 1);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

/* At most 32 bytes. */
static char *put_float(char *w, double d)
{
    char digits[JSON_DIGITS_MAX] = {0};
    int exponent = 0, n;

    if (!isfinite(d)) /* Go refuses them; no reader makes them */
        return put(w, "null", 4);
    if (signbit(d))
        *w++ = '-';
    if (d == 0) {
        *w++ = '0';
        return w;
    }
    if (fabs(d) < 0x1p53 && trunc(d) == d)
        return put_int(w, (int64_t)fabs(d));
    n = json_float_digits(d, false, digits, &exponent);
    if (exponent < -6 || exponent >= 21) {
        *w++ = digits[0];
        if (n > 1) {
            *w++ = '.';
            w = put(w, digits + 1, (size_t)n - 1);
        }
        *w++ = 'e';
        *w++ = exponent < 0 ? '-' : '+';
        return put_int(w, abs(exponent));
    }
    if (exponent < 0) {
        w = put(w, "0.00000", (size_t)(1 - exponent));
        return put(w, digits, (size_t)n);
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1)
            *w++ = '.';
        *w++ = i < n ? digits[i] : '0';
    }
    return w;
}

void json_write_float(struct buffer *b, double d)
{
    sync_end(b, put_float(begin(b), d));
}

/* --- trees ------------------------------------------------------------------------------------------------------ */

struct open_container {
    const struct value *v;
    size_t next; /* the child to write next */
};

struct open_stack {
    struct open_container *p;
    size_t n, cap;
    struct open_container inline_frames[48];
};

static __attribute__((cold, noinline)) void grow_stack(struct open_stack *s)
{
    bool was_inline = s->p == s->inline_frames;
    struct open_container *p = xrealloc(was_inline ? NULL : s->p, 2 * s->cap * sizeof(*p));

    if (was_inline)
        memcpy(p, s->inline_frames, sizeof(s->inline_frames));
    s->p = p;
    s->cap *= 2;
}

/* There is room for 8 bytes at w before and after. */
static inline char *put_scalar(struct buffer *b, char *w, const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_STRING:
        return put_string(b, w, v->string, v->n);
    case VALUE_RAW:
        return put(room(b, w, (size_t)v->n + 8), v->string, v->n);
    case VALUE_INT:
        return put_int(room(b, w, 32), v->integer);
    case VALUE_FLOAT:
        return put_float(room(b, w, 48), v->number);
    case VALUE_BOOL:
        w = room(b, w, 16);
        return v->boolean ? put(w, "true", 4) : put(w, "false", 5);
    default:
        return put(room(b, w, 16), "null", 4);
    }
}

static char *put_tree(struct buffer *b, char *w, const struct value *v, struct open_stack *open)
{
    for (;;) {
        if (v->kind < VALUE_LIST) {
            w = put_scalar(b, w, v);
        } else {
            if (UNLIKELY(open->n == open->cap))
                grow_stack(open);
            open->p[open->n++] = (struct open_container){v, 0};
            w = room(b, w, 16);
            *w++ = v->kind == VALUE_OBJECT ? '{' : '[';
        }
        for (;;) {
            if (open->n == 0)
                return w;
            struct open_container *in = &open->p[open->n - 1];
            w = room(b, w, 16);
            if (in->next == in->v->n) {
                *w++ = in->v->kind == VALUE_OBJECT ? '}' : ']';
                open->n--;
                continue;
            }
            if (in->next)
                *w++ = ',';
            if (in->v->kind == VALUE_LIST) {
                v = &in->v->items[in->next++];
                break;
            }
            const struct value_member *m = &in->v->members[in->next++];
            w = put_string(b, w, m->key, m->key_n);
            *w++ = ':';
            v = &m->value;
            break;
        }
    }
}

void json_write(struct buffer *b, const struct value *v)
{
    struct open_stack open;

    open.p = open.inline_frames;
    open.n = 0;
    open.cap = N_ELEMENTS(open.inline_frames);
    sync_end(b, put_tree(b, begin(b), v, &open));
    if (open.p != open.inline_frames)
        free(open.p);
}

/* --- indented ----------------------------------------------------------------------------------------------------- */

static void new_line(struct buffer *b, size_t depth)
{
    char *w = buffer_room(b, 1 + 2 * depth);

    *w = '\n';
    memset(w + 1, ' ', 2 * depth);
    b->n += 1 + 2 * depth;
}

/* p is at the opening quote; returns behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p = json_skip_plain(p, end)) {
        if (*p == '\\')
            p++;
        if (p < end)
            p++;
    }
    return p < end ? p + 1 : end;
}

void json_indent(struct buffer *b, struct text json)
{
    const char *end = json.p + json.n;
    size_t depth = 0;
    bool is_fresh = false; /* right behind an opening bracket */

    for (const char *p = json.p; p < end;) {
        char c = *p;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            p++;
            continue;
        }
        if (is_fresh && c != '}' && c != ']')
            new_line(b, ++depth);
        else if (!is_fresh && (c == '}' || c == ']'))
            new_line(b, depth ? --depth : 0);
        is_fresh = c == '{' || c == '[';
        const char *stop = c == '"' ? skip_string(p, end) : p + 1;
        buffer_add_bytes(b, p, (size_t)(stop - p));
        p = stop;
        if (c == ',')
            new_line(b, depth);
        else if (c == ':')
            buffer_add_char(b, ' ');
    }
}

void json_write_pretty(struct buffer *b, const struct value *v)
{
    struct buffer compact = BUFFER_INIT;

    json_write(&compact, v);
    json_indent(b, buffer_text(&compact));
    buffer_deinit(&compact);
}
