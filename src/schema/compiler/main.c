/* SPDX-License-Identifier: Apache-2.0 */
/* schemac: turns .schema files into the const tables of schema.h, as one C file.
 * Three steps, a file each: parse (lines to declarations), resolve (names to pointers, inlined structs to fields, the order of
 * groups), emit (declarations to C). */
#include "compiler.h"

#include <string.h>

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
