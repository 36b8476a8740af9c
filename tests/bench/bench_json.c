/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds to read and to write a pod's JSON, the best of several rounds: bench_json [FILE]. */
#include "base/json.h"
#include "micro.h"

struct job {
    struct arena *arena;
    struct buffer *out;
    struct text in;
    const struct json_options *options;
    struct value tree;
};

static void read_once(void *ctx)
{
    struct job *j = ctx;
    struct status st = {0};
    struct value v;

    arena_reset(j->arena);
    if (json_read(j->arena, j->in, j->options, &v, &st) < 0) {
        fprintf(stderr, "bench_json: %s\n", st.message);
        exit(1);
    }
    __asm__ volatile("" : : "r"(&v) : "memory");
}

static void write_once(void *ctx)
{
    struct job *j = ctx;

    buffer_clear(j->out);
    json_write(j->out, &j->tree);
}

int main(int argc, char **argv)
{
    struct text_list duplicates = {0};
    struct json_options strict = {.duplicates = &duplicates};
    struct buffer out = BUFFER_INIT;
    struct arena *tree_arena = arena_new();
    struct status st = {0};
    struct job j = {.arena = arena_new(), .out = &out, .in = document(tree_arena, argc, argv)};

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
