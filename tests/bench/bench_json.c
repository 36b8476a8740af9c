/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds to read and to write a pod's JSON, the best of several rounds: bench_json [FILE]. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

#define ROUNDS 15
#define OPS_PER_ROUND 4000

struct job {
    struct arena *arena;
    struct buffer *out;
    struct text in;
    const struct json_options *options;
    struct value tree;
};

static void read_once(struct job *j)
{
    struct status st = {0};
    struct value v;

    arena_reset(j->arena);
    if (json_read(j->arena, j->in, j->options, &v, &st) < 0) {
        fprintf(stderr, "bench_json: %s\n", st.message);
        exit(1);
    }
    __asm__ volatile("" : : "r"(&v) : "memory");
}

static void write_once(struct job *j)
{
    buffer_clear(j->out);
    json_write(j->out, &j->tree);
}

static double best_ns(void (*op)(struct job *), struct job *j)
{
    int64_t best = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = clock_mono_ns();
        for (int i = 0; i < OPS_PER_ROUND; i++)
            op(j);
        int64_t took = clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    return (double)best / OPS_PER_ROUND;
}

static struct text read_file(const char *path)
{
    static char bytes[1 << 20];
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        exit(1);
    }
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    return (struct text){bytes, n};
}

int main(int argc, char **argv)
{
    struct text_list duplicates = {0};
    struct json_options strict = {.duplicates = &duplicates};
    struct buffer out = BUFFER_INIT;
    struct arena *tree_arena = arena_new();
    struct status st = {0};
    struct job j = {.arena = arena_new(), .out = &out, .in = read_file(argc > 1 ? argv[1] : "tests/bench/data/pod.json")};

    if (json_read(tree_arena, j.in, NULL, &j.tree, &st) < 0) {
        fprintf(stderr, "bench_json: %s\n", st.message);
        return 1;
    }
    printf("json: document of %zu bytes\n", j.in.n);
    printf("json: read              %7.0f ns\n", best_ns(read_once, &j));
    j.options = &strict;
    printf("json: read, duplicates  %7.0f ns\n", best_ns(read_once, &j));
    printf("json: write             %7.0f ns\n", best_ns(write_once, &j));
    arena_free(j.arena);
    arena_free(tree_arena);
    buffer_deinit(&out);
    return 0;
}
