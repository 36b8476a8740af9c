/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps share: failing, memory, words. A program that runs once and ends frees nothing. */
#include "compiler.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void fail(struct place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "%s:%d: ", at.file, at.line);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n == *cap) {
        *cap = *cap ? *cap * 2 : 4;
        p = realloc(p, *cap * size);
        if (!p)
            abort();
    }
    memset((char *)p + n * size, 0, size);
    return p;
}

char *copy(const char *s, size_t n)
{
    char *ret = strndup(s, n);
    if (!ret)
        abort();
    return ret;
}

char *joined(const char *fmt, ...)
{
    char *ret;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&ret, fmt, args) < 0)
        abort();
    va_end(args);
    return ret;
}

void split(strings *to, const char *s, char sep)
{
    while (*s) {
        const char *end = strchrnul(s, sep);
        *PUSH(to) = copy(s, (size_t)(end - s));
        s = *end ? end + 1 : end;
    }
}

const char *value_of(const char *w, const char *key)
{
    size_t n = strlen(key);
    return strncmp(w, key, n) == 0 && w[n] == '=' ? w + n + 1 : NULL;
}

void emit_literal(FILE *to, const char *s)
{
    fputc('"', to);
    for (const char *c = s; *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', to);
        if (*c == '?') /* no trigraphs */
            fputc('\\', to);
        fputc(*c, to);
    }
    fputc('"', to);
}
