/* micro.h - what the benchmarks of single calls share: the time of one, and the document to work on. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"

#define ROUNDS 15
#define OPS_PER_ROUND 4000

/* Nanoseconds of one op, by the best of the rounds: the others had to share the machine. */
static inline double best_ns(void (*op)(void *), void *ctx)
{
    int64_t best = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = clock_mono_ns();
        for (int i = 0; i < OPS_PER_ROUND; i++)
            op(ctx);
        int64_t took = clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    return (double)best / OPS_PER_ROUND;
}

/* The file that the command line names, or the pod; lies in a. */
static inline struct text document(struct arena *a, int argc, char **argv)
{
    struct buffer b = BUFFER_IN(a);
    struct status st = {0};

    if (file_read(argc > 1 ? argv[1] : "tests/bench/data/pod.json", &b, &st) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], st.message);
        exit(1);
    }
    return buffer_text(&b);
}
