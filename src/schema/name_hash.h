/* SPDX-License-Identifier: Apache-2.0 */
/* name_hash.h - the hash of member names that the schema compiler and the look-ups share.
 * Eight bytes a step: most names are one or two steps. Not for tables that a client can fill: a custom resource's schema gets a
 * seed of its own, and its author pays for collisions himself. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t name_hash(const char *p, size_t n, uint32_t seed)
{
    const uint64_t k = 0x9e3779b97f4a7c15u;
    uint64_t h = (seed + n * 0x100000001u) * k, w;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * k;
        h ^= h >> 29;
    }
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        w = first | (uint64_t)last << 32;
    } else if (n) {
        w = (uint8_t)p[0] | (uint64_t)(uint8_t)p[n / 2] << 8 | (uint64_t)(uint8_t)p[n - 1] << 16;
    } else {
        w = 0;
    }
    h = (h ^ w) * k;
    return (uint32_t)(h >> 32);
}

/* Equality of n bytes, without a call: names are short. */
static inline int name_eq(const char *a, const char *b, size_t n)
{
    uint64_t x, y;

    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8) {
            memcpy(&x, a + i, 8);
            memcpy(&y, b + i, 8);
            if (x != y)
                return 0;
        }
        memcpy(&x, a + n - 8, 8);
        memcpy(&y, b + n - 8, 8);
        return x == y;
    }
    if (n >= 4) {
        uint32_t p, q, r, s;
        memcpy(&p, a, 4);
        memcpy(&q, b, 4);
        memcpy(&r, a + n - 4, 4);
        memcpy(&s, b + n - 4, 4);
        return p == q && r == s;
    }
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

/* Of a kind's or a resource's three names. */
static inline uint32_t name_hash3(const char *a, size_t na, const char *b, size_t nb, const char *c, size_t nc)
{
    return name_hash(c, nc, name_hash(b, nb, name_hash(a, na, 1)));
}
