/* SPDX-License-Identifier: Apache-2.0 */
/* json_internal.h - what the files of the JSON reader share. */
#pragma once

#include "base/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSON_DUPLICATES_MAX 100            /* as sigs.k8s.io/json caps its strict errors */
#define JSON_INPUT_MAX ((size_t)1 << 30)   /* so that every size and offset fits 32 bits */

/* The first byte at or after p that a string cannot simply contain: '"', '\\', a control character; or one that is
 * not ASCII, which the caller must look at. end when there is none. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');

    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* The comparison is signed: bytes from 0x80 on are negative and so below the space, too. */
        __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                                       _mm_cmplt_epi8(v, space));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Decodes the inside of a string whose escapes are known to be well formed; invalid UTF-8 becomes U+FFFD.
 * out needs n bytes, or 3 * n when the UTF-8 has not been checked. Returns the bytes written. */
size_t json_unquote(const char *p, size_t n, char *out);

/* Adds the paths of the keys whose opening quotes lie at these ascending offsets of in, which is valid JSON. */
void json_key_paths(struct arena *a, struct text in, const uint32_t *offsets, unsigned n_offsets,
                    struct text_list *ret);

/* The fewest decimal digits that read back as d (as a 32-bit float if is_float32), without trailing zeros, and the
 * exponent of the first of them. d is finite; its sign is left aside. digits holds JSON_DIGITS_MAX. */
#define JSON_DIGITS_MAX 20
int json_float_digits(double d, bool is_float32, char *digits, int *ret_exponent);
