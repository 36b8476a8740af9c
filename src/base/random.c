/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <string.h>
#include <sys/random.h>

static void from_kernel(unsigned char *p, size_t n)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = getrandom(p + got, n - got, 0);
        if (r > 0)
            got += (size_t)r;
    }
}

void random_bytes(void *p, size_t n)
{
    static _Thread_local unsigned char pool[512];
    static _Thread_local size_t left;

    if (n > sizeof(pool)) {
        from_kernel(p, n);
        return;
    }
    if (left < n) {
        from_kernel(pool, sizeof(pool));
        left = sizeof(pool);
    }
    left -= n;
    memcpy(p, pool + left, n);
    explicit_bzero(pool + left, n);
}

struct text random_uuid(struct arena *a)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    char *out = arena_alloc(a, 37);
    size_t n = 0;

    random_bytes(b, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[n++] = '-';
        out[n++] = hex[b[i] >> 4];
        out[n++] = hex[b[i] & 15];
    }
    out[n] = '\0';
    return (struct text){out, n};
}
