/* SPDX-License-Identifier: Apache-2.0 */
/* Many writers of one object: every change must be in the end, whoever was first; and of one generated name.
 */
#include <pthread.h>

#include "world.h"

#define N_THREADS 6
#define N_CHANGES 40

static struct world w;

/* Adds one to data.n: only right on the newest object. */
static int add_one(struct operation *op, const struct object *current, const struct value *tree,
                   struct value *ret, struct status *st)
{
    int64_t n = 0;

    *ret = value_copy(op->arena, tree);
    struct value *data = value_object_at(op->arena, ret, TEXT("data"));
    text_to_i64(value_get_text(data, TEXT("n")), &n);
    value_set(op->arena, data, TEXT("n"), value_string(arena_textf(op->arena, "%lld", (long long)n + 1)));
    return schema_decode(op->arena, op->resource->type->kind->schema, ret, NULL, st);
}

static void *write_often(void *arg)
{
    for (int i = 0; i < N_CHANGES; i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct operation op = {.kind = OPERATION_UPDATE,
                               .registry = w.registry,
                               .resource = world_resource(&w, "v1", "configmaps"),
                               .arena = a,
                               .namespace = TEXT("ns"),
                               .name = TEXT("a"),
                               .transform = add_one};
        if (registry_run(&op) < 0)
            ck_abort_msg("%s", op.st.message);
        operation_clear(&op);
    }
    return arg;
}

static void *create_often(void *arg)
{
    for (int i = 0; i < N_CHANGES; i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct operation op = {.kind = OPERATION_CREATE,
                               .registry = w.registry,
                               .resource = world_resource(&w, "v1", "configmaps"),
                               .arena = a,
                               .namespace = TEXT("ns")};
        ck_assert_int_eq(
            json_read(a, TEXT("{\"metadata\":{\"generateName\":\"g-\"}}"), NULL, &op.object, &op.st), 0);
        ck_assert_int_eq(schema_decode(a, op.resource->type->kind->schema, &op.object, NULL, &op.st), 0);
        if (registry_run(&op) < 0)
            ck_abort_msg("%s", op.st.message);
        operation_clear(&op);
    }
    return arg;
}

static void run_threads(void *(*run)(void *))
{
    pthread_t threads[N_THREADS];

    for (int i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(no_change_is_lost)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    operation_clear(&op);
    run_threads(write_often);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{}"), 0);
    ck_assert_int_eq(atoi(world_at(&w, &op, "data.n")), N_THREADS * N_CHANGES);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(each_generated_name_is_another)
{
    world_start(&w);
    run_threads(create_often);
    ck_assert_uint_eq(cache_count(world_resource(&w, "v1", "configmaps")->cache), N_THREADS * N_CHANGES);
    world_stop(&w);
}
END_TEST

UNIT_MAIN("contention", no_change_is_lost, each_generated_name_is_another)
