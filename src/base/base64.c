/* SPDX-License-Identifier: Apache-2.0 */
/* Three bytes are four characters. */
#include "base/base64.h"

static const char *const alphabets[] = {
    [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_RAW_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

struct text base64_encode(struct arena *a, enum base64_form form, struct text bytes)
{
    const char *alphabet = alphabets[form];
    char *out = arena_alloc(a, (bytes.n + 2) / 3 * 4);
    size_t n = 0;

    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        v |= left > 1 ? (uint32_t)(unsigned char)bytes.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(unsigned char)bytes.p[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++) {
            if (k <= left)
                out[n++] = alphabet[v >> (18 - 6 * k) & 63];
            else if (form == BASE64_STANDARD)
                out[n++] = '=';
        }
    }
    return (struct text){out, n};
}

static int sextet(enum base64_form form, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == alphabets[form][62] ? 62 : c == alphabets[form][63] ? 63 : -1;
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

ptrdiff_t base64_read(enum base64_form form, struct text t, char *dst, size_t *ret_fault)
{
    char *out = dst;
    uint32_t bits = 0;
    unsigned n = 0; /* characters of the current four */
    size_t i = skip_line_ends(t, 0);

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
