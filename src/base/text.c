/* SPDX-License-Identifier: Apache-2.0 */
/* Views. The hash multiplies 64 x 64 -> 128 bits and folds the halves, 16 bytes a step; both factors
 * are masked with secrets drawn at start, so that a client cannot choose keys that fall together. */
#include "base/text.h"

#include <stdlib.h>
#include <sys/random.h>

/* --- views --- */

int text_cmp(struct text a, struct text b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool text_eq_nocase(struct text a, struct text b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool text_starts(struct text t, struct text prefix)
{
    return t.n >= prefix.n && text_eq(text_first(t, prefix.n), prefix);
}

bool text_ends(struct text t, struct text suffix)
{
    return t.n >= suffix.n && text_eq(text_from(t, t.n - suffix.n), suffix);
}

ptrdiff_t text_find(struct text t, char c)
{
    const char *at = t.n ? memchr(t.p, c, t.n) : NULL;
    return at ? at - t.p : -1;
}

ptrdiff_t text_find_text(struct text t, struct text needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = t.n ? memmem(t.p, t.n, needle.p, needle.n) : NULL;
    return at ? at - t.p : -1;
}

struct text text_from(struct text t, size_t start)
{
    if (start >= t.n)
        return (struct text){t.p ? t.p + t.n : NULL, 0};
    return (struct text){t.p + start, t.n - start};
}

struct text text_first(struct text t, size_t n)
{
    return (struct text){t.p, n < t.n ? n : t.n};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text t)
{
    while (t.n && is_space(t.p[t.n - 1]))
        t.n--;
    size_t i = 0;
    while (i < t.n && is_space(t.p[i]))
        i++;
    return text_from(t, i);
}

bool text_split(struct text *rest, char sep, struct text *ret_part)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = text_find(*rest, sep);
    if (at < 0) {
        *ret_part = *rest;
        *rest = TEXT_NONE;
    } else {
        *ret_part = text_first(*rest, (size_t)at);
        *rest = text_from(*rest, (size_t)at + 1);
    }
    return true;
}

bool text_to_u64(struct text t, uint64_t *ret)
{
    uint64_t v = 0;
    if (t.n == 0)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        unsigned digit = (unsigned char)t.p[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool text_to_i64(struct text t, int64_t *ret)
{
    bool negative = t.n && t.p[0] == '-';
    uint64_t v;
    if (!text_to_u64(negative || (t.n && t.p[0] == '+') ? text_from(t, 1) : t, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? -v : v);
    return true;
}

/* Bytes of the well-formed sequence at p (with n bytes left), its rune in *ret; 0: ill-formed. Unicode table 3-7. */
size_t text_rune(struct text t, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)t.p;
    if (t.n == 0)
        return 0;
    unsigned char c = p[0];
    if (c < 0x80) {
        *ret = c;
        return 1;
    }
    size_t n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n == 0 || t.n < n)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    uint32_t rune = c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        rune = rune << 6 | (p[i] & 0x3f);
    }
    *ret = rune;
    return n;
}

bool text_to_bool(struct text t, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
        if (text_is(t, yes[i]) || text_is(t, no[i])) {
            *ret = text_is(t, yes[i]);
            return true;
        }
    }
    return false;
}

bool text_is_utf8(struct text t)
{
    size_t i = 0;
    while (i < t.n) {
        uint64_t eight;
        if (t.n - i >= 8 && (memcpy(&eight, t.p + i, 8), (eight & 0x8080808080808080) == 0)) {
            i += 8;
            continue;
        }
        uint32_t rune;
        size_t n = text_rune((struct text){t.p + i, t.n - i}, &rune);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* --- hash --- */

static uint64_t secrets[4];

__attribute__((constructor)) static void draw_secrets(void)
{
    if (getrandom(secrets, sizeof(secrets), 0) != (ssize_t)sizeof(secrets))
        abort();
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint64_t load32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

uint64_t text_hash(struct text t)
{
    uint64_t h = secrets[0] ^ t.n, a = 0, b = 0;
    const char *p = t.p;
    size_t n = t.n;
    if (n > 16) {
        for (; n > 16; n -= 16, p += 16)
            h = fold(load64(p) ^ secrets[1], load64(p + 8) ^ h);
        a = load64(p + n - 16);
        b = load64(p + n - 8);
    } else if (n >= 8) {
        a = load64(p);
        b = load64(p + n - 8);
    } else if (n >= 4) {
        a = load32(p);
        b = load32(p + n - 4);
    } else if (n > 0) {
        a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 | (unsigned char)p[n - 1];
    }
    return fold(fold(a ^ secrets[1], b ^ h) ^ secrets[2], secrets[3] ^ t.n);
}
