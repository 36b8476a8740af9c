/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds to fill in the defaults of a pod that has them all, as clients send it again, and of the same without what
 * has a default, the best of several rounds: bench_default [FILE]. */
#include "micro.h"
#include "schema.h"

struct job {
    struct arena *arena;
    const struct schema *schema;
    struct value tree; /* decoded; each operation takes a copy */
};

static void copy(void *ctx)
{
    struct job *j = ctx;

    arena_reset(j->arena);
    struct value v = value_copy(j->arena, &j->tree);
    __asm__ volatile("" : : "r"(&v) : "memory");
}

static void copy_and_fill(void *ctx)
{
    struct job *j = ctx;

    arena_reset(j->arena);
    struct value v = value_copy(j->arena, &j->tree);
    schema_default(j->arena, j->schema, &v);
    __asm__ volatile("" : : "r"(&v) : "memory");
}

/* Takes away what a rule with a constant would put there. */
static void strip(const struct schema *s, struct value *v)
{
    for (uint16_t i = 0; i < s->n_rules; i++)
        if (s->rules[i].kind == RULE_CONSTANT && s->rules[i].path.n == 1)
            value_remove(v, s->fields[s->rules[i].path.fields[0]].name);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct schema_type *t = &s->fields[v->members[i].field - 1].type;
        struct value *child = &v->members[i].value;
        if (t->kind == TYPE_STRUCT && child->kind == VALUE_OBJECT)
            strip(t->schema, child);
        for (uint32_t k = 0; t->kind == TYPE_LIST && t->elem->kind == TYPE_STRUCT && k < child->n; k++)
            strip(t->elem->schema, &child->items[k]);
    }
}

static void report(struct job *j, const char *what)
{
    double with = best_ns(copy_and_fill, j), without = best_ns(copy, j);

    printf("default: %-22s %5.0f ns\n", what, with - without);
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new();
    struct status st = {0};
    struct job j = {.arena = arena_new(), .schema = schema_kind_of(TEXT("v1"), TEXT("Pod"))->schema};

    if (json_read(a, document(a, argc, argv), NULL, &j.tree, &st) < 0 ||
        schema_decode(a, j.schema, &j.tree, NULL, &st) < 0) {
        fprintf(stderr, "bench_default: %s\n", st.message);
        return 1;
    }
    report(&j, "a pod as sent");
    schema_default(a, j.schema, &j.tree);
    report(&j, "with all defaults");
    strip(j.schema, &j.tree);
    report(&j, "without any");
    arena_free(j.arena);
    arena_free(a);
    return 0;
}
