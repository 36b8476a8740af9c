/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - one step through UTF-8, for the readers and writers of base. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence that begins at p (p < end), 1 to 4, or 0 when it is invalid: overlong, a surrogate, past
 * U+10FFFF or cut short. As Go does, whoever meets 0 replaces one byte and goes on behind it. */
static inline unsigned utf8_sequence(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t n = (size_t)(end - p);
    unsigned char c = s[0];

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (n < 2 || (s[1] & 0xc0) != 0x80)
        return 0;
    if (c < 0xe0)
        return 2;
    if (n < 3 || (s[2] & 0xc0) != 0x80)
        return 0;
    if (c < 0xf0)
        return (c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] >= 0xa0) ? 0 : 3;
    if (n < 4 || (s[3] & 0xc0) != 0x80)
        return 0;
    return (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] >= 0x90) ? 0 : 4;
}

/* Code point of a sequence of n bytes that utf8_sequence accepted. */
static inline uint32_t utf8_decode(const char *p, unsigned n)
{
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t rune = (unsigned char)p[0] & lead_mask[n];

    for (unsigned i = 1; i < n; i++)
        rune = rune << 6 | ((unsigned char)p[i] & 0x3f);
    return rune;
}

/* Writes rune, at most 4 bytes; what is no code point becomes U+FFFD. */
static inline unsigned utf8_encode(uint32_t rune, char *out)
{
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        rune = 0xfffd;
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xc0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3f));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xe0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
        out[2] = (char)(0x80 | (rune & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
    out[3] = (char)(0x80 | (rune & 0x3f));
    return 4;
}
