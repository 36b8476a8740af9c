/* SPDX-License-Identifier: Apache-2.0 */
/* Three bytes are four characters. */
#include "base/base64.h"

static const char *const alphabets[] = {
    [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_RAW_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

/* 1 + a character's value, or 0. */
#define DIGITS(c62, c63)                                                                                         \
    {                                                                                                            \
        ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,           \
        ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,          \
        ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,          \
        ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,          \
        ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,          \
        ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,          \
        ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,          \
        ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, [c62] = 63, [c63] = 64,          \
    }
static const unsigned char digits[][256] = {
    [BASE64_STANDARD] = DIGITS('+', '/'),
    [BASE64_RAW_URL] = DIGITS('-', '_'),
};

static size_t encode(enum base64_form form, struct text bytes, char *out)
{
    const char *alphabet = alphabets[form];
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t n = 0, i = 0;

    for (; i + 3 <= bytes.n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        out[n++] = alphabet[v >> 18];
        out[n++] = alphabet[v >> 12 & 63];
        out[n++] = alphabet[v >> 6 & 63];
        out[n++] = alphabet[v & 63];
    }
    size_t left = bytes.n - i;
    if (!left)
        return n;
    uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0);
    for (unsigned k = 0; k < 4; k++) {
        if (k <= left)
            out[n++] = alphabet[v >> (18 - 6 * k) & 63];
        else if (form == BASE64_STANDARD)
            out[n++] = '=';
    }
    return n;
}

struct text base64_encode(struct arena *a, enum base64_form form, struct text bytes)
{
    char *out = arena_alloc(a, (bytes.n + 2) / 3 * 4);

    return (struct text){out, encode(form, bytes, out)};
}

void base64_add(struct buffer *b, enum base64_form form, struct text bytes)
{
    b->n += encode(form, bytes, buffer_room(b, (bytes.n + 2) / 3 * 4));
}

static int sextet(enum base64_form form, char c)
{
    return (int)digits[form][(unsigned char)c] - 1;
}

static size_t skip_line_ends(struct text t, size_t i)
{
    while (i < t.n && (t.p[i] == '\r' || t.p[i] == '\n'))
        i++;
    return i;
}

/* The two or three characters of the last four, and what fills them up. */
static ptrdiff_t read_rest(enum base64_form form, struct text t, size_t i, uint32_t bits, unsigned n, char *dst,
                           size_t *ret_at)
{
    *ret_at = i;
    if (i == t.n) /* Go names the start of the four that are not complete */
        *ret_at = i - n;
    if (n < 2 || (form == BASE64_STANDARD ? i == t.n || t.p[i] != '=' : i < t.n))
        return -1;
    if (n == 2) {
        dst[0] = (char)(bits >> 4);
    } else {
        dst[0] = (char)(bits >> 10);
        dst[1] = (char)(bits >> 2);
    }
    if (form == BASE64_RAW_URL)
        return n - 1;
    if (n == 2) {
        i = skip_line_ends(t, i + 1);
        if (i == t.n || t.p[i] != '=') {
            *ret_at = i == t.n ? i : i - 1; /* the '=' that stands alone */
            return -1;
        }
    }
    *ret_at = i = skip_line_ends(t, i + 1);
    return i == t.n ? (ptrdiff_t)n - 1 : -1;
}

/* Whole fours of characters, as far as there is nothing else; how many characters. */
static size_t read_fours(enum base64_form form, struct text t, char **out)
{
    const unsigned char *p = (const unsigned char *)t.p, *digit = digits[form];
    char *to = *out;
    size_t i = 0;

    for (; i + 4 <= t.n; i += 4) {
        uint32_t a = digit[p[i]], b = digit[p[i + 1]], c = digit[p[i + 2]], d = digit[p[i + 3]];
        if (!a || !b || !c || !d)
            break;
        uint32_t v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *to++ = (char)(v >> 16);
        *to++ = (char)(v >> 8);
        *to++ = (char)v;
    }
    *out = to;
    return i;
}

ptrdiff_t base64_read(enum base64_form form, struct text t, char *dst, size_t *ret_fault)
{
    char *out = dst;
    uint32_t bits = 0;
    unsigned n = 0; /* characters of the current four */
    size_t i = skip_line_ends(t, read_fours(form, t, &out));

    for (; i < t.n; i = skip_line_ends(t, i + 1)) {
        int v = sextet(form, t.p[i]);
        if (v < 0)
            break;
        bits = bits << 6 | (uint32_t)v;
        if (++n == 4) {
            *out++ = (char)(bits >> 16);
            *out++ = (char)(bits >> 8);
            *out++ = (char)bits;
            n = 0;
        }
    }
    if (i == t.n && n == 0)
        return out - dst;
    ptrdiff_t rest = read_rest(form, t, i, bits, n, out, ret_fault);
    return rest < 0 ? -1 : out - dst + rest;
}

bool base64_decode(struct arena *a, enum base64_form form, struct text in, struct text *ret_bytes)
{
    char *out = arena_alloc(a, BASE64_BYTES(in.n) + !in.n);
    size_t fault;
    ptrdiff_t n = base64_read(form, in, out, &fault);

    if (n < 0)
        return false;
    *ret_bytes = (struct text){out, (size_t)n};
    return true;
}

bool base64_add_decoded(struct buffer *b, enum base64_form form, struct text in)
{
    size_t fault;
    ptrdiff_t n = base64_read(form, in, buffer_room(b, BASE64_BYTES(in.n) + 1), &fault);

    if (n < 0)
        return false;
    b->n += (size_t)n;
    return true;
}
