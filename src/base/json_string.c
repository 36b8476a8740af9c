/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a JSON string, decoded. */
#include <string.h>

#include "base/json_internal.h"
#include "base/utf8.h"

static uint32_t hex4(const char *p)
{
    return (uint32_t)text_hex_digit(p[0]) << 12 | (uint32_t)text_hex_digit(p[1]) << 8 | (uint32_t)text_hex_digit(p[2]) << 4 |
           (uint32_t)text_hex_digit(p[3]);
}

static size_t unquote_unicode(const char **p, const char *end, char *out)
{
    uint32_t rune = hex4(*p);

    *p += 4;
    if (rune >= 0xd800 && rune < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        uint32_t low = hex4(*p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            rune = 0x10000 + ((rune - 0xd800) << 10 | (low - 0xdc00));
        }
    }
    return utf8_encode(rune, out);
}

size_t json_unquote(const char *p, size_t n, char *out)
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    const char *end = p + n;
    char *w = out;

    while (p < end) {
        const char *stop = json_skip_plain(p, end);
        memcpy(w, p, (size_t)(stop - p));
        w += stop - p;
        p = stop;
        if (p == end)
            break;
        if (*p == '\\') {
            char c = p[1];
            p += 2;
            if (c == 'u')
                w += unquote_unicode(&p, end, w);
            else
                *w++ = plain[(unsigned char)c];
            continue;
        }
        unsigned sequence = utf8_sequence(p, end);
        if (sequence) {
            memcpy(w, p, sequence);
            w += sequence;
            p += sequence;
        } else {
            w += utf8_encode(0xfffd, w);
            p++;
        }
    }
    return (size_t)(w - out);
}
