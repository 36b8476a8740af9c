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

static int digit_of(const char *alphabet, char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;

    return at ? (int)(at - alphabet) : -1;
}

bool base64_decode(struct arena *a, enum base64_form form, struct text in, struct text *ret_bytes)
{
    char *out = arena_alloc(a, in.n / 4 * 3 + 3);
    uint32_t v = 0;
    unsigned bits = 0;
    size_t n = 0;

    if (form == BASE64_STANDARD) {
        if (in.n % 4)
            return false;
        for (unsigned k = 0; k < 2 && in.n && in.p[in.n - 1] == '='; k++)
            in.n--;
    }
    if (in.n % 4 == 1)
        return false;
    for (size_t i = 0; i < in.n; i++) {
        int d = digit_of(alphabets[form], in.p[i]);
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(v >> bits & 255);
        }
    }
    *ret_bytes = (struct text){out, n};
    return true;
}
