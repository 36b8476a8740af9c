/* SPDX-License-Identifier: Apache-2.0 */
/* schemac: turns .schema files into the const tables of schema.h, as one C file.
 * Three steps, a file each: parse (lines to declarations), resolve (names to pointers, inlined structs to fields, the order of
 * groups), emit (declarations to C). */
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

int main(int argc, char **argv)
{
    static struct model m;

    if (argc < 4 || strcmp(argv[1], "-o") != 0) {
        fprintf(stderr, "usage: schemac -o OUT.c FILE.schema...\n");
        return 2;
    }
    for (int i = 3; i < argc; i++)
        parse_file(&m, argv[i]);
    resolve(&m);

    FILE *out = fopen(argv[2], "w");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    emit(&m, out);
    if (ferror(out) | fclose(out)) {
        perror(argv[2]);
        return 1;
    }
    return 0;
}
