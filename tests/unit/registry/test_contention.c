/* SPDX-License-Identifier: Apache-2.0 */
/* Many writers of one object: every change must be in the end, whoever was first; and of one generated name. */
#include <pthread.h>
#include <stdio.h>

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

/* --- one that loses each race but the last --- */

#define N_RACES 25

static int races;

static void interfere(void)
{
    struct operation op = {0};
    const char *json = world_change.json;

    if (races++ == N_RACES)
        return;
    world_change.between = NULL;
    char other[64];
    snprintf(other, sizeof(other), "{\"data\":{\"other\":\"%d\"}}", races);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", other), 0);
    operation_clear(&op);
    world_change.json = json;
    world_change.between = interfere;
}

static void *next_try(void *op)
{
    ((struct operation *)op)->next(op);
    return NULL;
}

/* The other writes in between, which the committer's thread must not wait for. */
static void on_a_thread(struct operation *op)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, next_try, op), 0);
    pthread_detach(thread);
}

/* As upstream since its handlers of PATCH have no limit of their own any more; what names a version is refused at the first. */
START_TEST(a_change_is_tried_as_often_as_it_takes)
{
    struct operation op = {0}, got = {0};

    world_start(&w);
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    char versioned[128];
    snprintf(versioned, sizeof(versioned), "{\"metadata\":{\"resourceVersion\":\"%llu\"},\"data\":{\"late\":\"1\"}}",
             (unsigned long long)op.result->revision);
    operation_clear(&op);
    for (int i = 0; i < 2; i++) {
        races = 0;
        world_op(&w, &op, OPERATION_UPDATE, "v1", "configmaps", "ns", "a");
        op.transform = world_merge_json;
        op.resume = on_a_thread;
        world_change.json = i ? versioned : "{\"data\":{\"mine\":\"1\"}}";
        world_change.between = interfere;
        ck_assert_int_eq(registry_run(&op), i ? -1 : 0);
        ck_assert_int_eq(op.st.reason, i ? STATUS_CONFLICT : STATUS_OK);
        ck_assert_int_eq(races, i ? 1 : N_RACES + 1);
        operation_clear(&op);
    }
    world_change.between = NULL;
    ck_assert_int_eq(world_merge(&w, &got, "v1", "configmaps", "ns", "a", "{}"), 0);
    ck_assert_str_eq(world_at(&w, &got, "data.mine"), "1");
    operation_clear(&got);
    world_stop(&w);
}
END_TEST

UNIT_MAIN("contention", no_change_is_lost, each_generated_name_is_another, a_change_is_tried_as_often_as_it_takes)
