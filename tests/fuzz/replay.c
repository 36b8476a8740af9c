/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a fuzz target without libFuzzer: feeds it every file of the files and folders that are given. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t n_inputs;

static int feed_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    size_t n = 0, cap = 1 << 16;
    uint8_t *data = malloc(cap);
    while (data) {
        size_t got = fread(data + n, 1, cap - n, f);
        n += got;
        if (got == 0)
            break;
        if (n == cap)
            data = realloc(data, cap *= 2);
    }
    fclose(f);
    /* A buffer of exactly the input's size, so that ASan sees a read past its end. */
    uint8_t *exact = data ? malloc(n ? n : 1) : NULL;
    if (!exact) {
        free(data);
        return -1;
    }
    memcpy(exact, data, n);
    free(data);
    printf("%s: %zu bytes\n", path, n);
    fflush(stdout); /* so that the input that crashes is named */
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    n_inputs++;
    return 0;
}

static int feed(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return feed_file(path);
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort), failed = 0;
    if (n < 0) {
        perror(path);
        return -1;
    }
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && feed(child) < 0)
            failed = -1;
        free(names[i]);
    }
    free(names);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        if (feed(argv[i]) < 0)
            failed = 1;
    printf("%zu inputs\n", n_inputs);
    return failed || n_inputs == 0;
}
