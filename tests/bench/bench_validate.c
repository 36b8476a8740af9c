/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds to validate a pod that has all defaults, the best of several rounds: bench_validate [FILE]. */
#include "micro.h"
#include "schema/validate.h"

struct job {
    const struct schema *schema;
    struct value tree;
    struct field_errors errs;
};

static void validate(void *ctx)
{
    struct job *j = ctx;

    schema_validate(j->schema, &j->tree, NULL, VALIDATE_BUT_STATUS, TEXT_NONE, &j->errs);
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new();
    struct status st = {0};
    struct job j = {.schema = schema_kind_of(TEXT("v1"), TEXT("Pod"))->schema, .errs = {.arena = a}};

    if (json_read(a, document(a, argc, argv), NULL, &j.tree, &st) < 0 ||
        schema_decode(a, j.schema, &j.tree, NULL, &st) < 0) {
        fprintf(stderr, "bench_validate: %s\n", st.message);
        return 1;
    }
    schema_default(a, j.schema, &j.tree);
    validate(&j);
    if (j.errs.n) {
        fprintf(stderr, "bench_validate: the pod is not good: %s: %s\n", j.errs.p[0].field,
                j.errs.p[0].message);
        return 1;
    }
    printf("validate: a pod %5.0f ns\n", best_ns(validate, &j));
    arena_free(a);
    return 0;
}
