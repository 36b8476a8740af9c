/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting: propagation, preconditions, grace, namespaces. Rows are recorded answers. */
#include "world.h"

#include <sqlite3.h>

#include "base/features.h"

static struct world w;

static void create(const char *api_version, const char *resource, const char *ns, const char *json)
{
    struct operation op = {0};

    ck_assert_msg(world_create(&w, &op, api_version, resource, ns, json) == 0, "%s: %s", json, op.st.message);
    operation_clear(&op);
}

static const struct propagation_row {
    const char *finalizers, *policy;
    int orphan_dependents;
    const char *left; /* finalizers of what stays; NULL: it is gone */
} rows[] = {
    {"[]", "", -1, NULL},
    {"[]", "Orphan", -1, "[\"orphan\"]"},
    {"[\"orphan\"]", "Orphan", -1, "[\"orphan\"]"},
    {"[\"foregroundDeletion\"]", "Orphan", -1, "[\"orphan\"]"},
    {"[]", "Foreground", -1, "[\"foregroundDeletion\"]"},
    {"[\"a.b/c\"]", "Foreground", -1, "[\"a.b/c\",\"foregroundDeletion\"]"},
    {"[\"orphan\"]", "Foreground", -1, "[\"foregroundDeletion\"]"},
    {"[]", "Background", -1, NULL},
    {"[\"a.b/c\"]", "Background", -1, "[\"a.b/c\"]"},
    {"[\"orphan\"]", "Background", -1, NULL},
    {"[\"orphan\"]", "", -1, "[\"orphan\"]"},
    {"[\"foregroundDeletion\"]", "", -1, "[\"foregroundDeletion\"]"},
    {"[]", "", 1, "[\"orphan\"]"},
    {"[\"orphan\"]", "", 0, NULL},
};

START_TEST(propagation_sets_finalizers)
{
    world_start(&w);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct propagation_row *r = &rows[i];
        const char *name = arena_printf(w.arena, "a%zu", i);
        struct operation op = {0};
        struct delete_options del = delete_options();
        del.propagation = text_of(r->policy);
        del.orphan_dependents = r->orphan_dependents;
        create(
            "v1", "configmaps", "ns",
            arena_printf(w.arena, "{\"metadata\":{\"name\":\"%s\",\"finalizers\":%s}}", name, r->finalizers));
        ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", name, &del), 0);
        ck_assert_msg(op.was_removed == !r->left, "row %zu", i);
        ck_assert_int_eq(world_exists(&w, "v1", "configmaps", "ns", name), r->left != NULL);
        if (r->left)
            ck_assert_str_eq(world_at(&w, &op, "metadata.finalizers"), r->left);
        operation_clear(&op);
    }
    world_stop(&w);
}
END_TEST

START_TEST(options_that_contradict_are_refused)
{
    struct operation op = {0};

    world_start(&w);
    struct delete_options del = delete_options();
    del.propagation = TEXT("Background");
    del.orphan_dependents = 1;
    create("v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", &del), 422);
    ck_assert_str_eq(op.st.kind, "DeleteOptions");
    ck_assert_str_eq(op.st.group, "meta.k8s.io");
    operation_clear(&op);
    del = delete_options();
    del.propagation = TEXT("Sideways");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", &del), 422);
    ck_assert_str_eq(op.st.causes[0].reason, "FieldValueNotSupported");
    operation_clear(&op);
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "none", NULL), 404);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(preconditions_are_checked)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}");
    struct delete_options del = delete_options();
    del.uid = TEXT("x");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", &del), 409);
    ck_assert_str_eq(op.st.kind, "ConfigMap");
    ck_assert_ptr_nonnull(strstr(op.st.message,
                                 "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the "
                                 "precondition (x) does not match the UID in record ("));
    operation_clear(&op);
    del = delete_options();
    del.resource_version = TEXT("1");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", &del), 409);
    operation_clear(&op);
    ck_assert(world_exists(&w, "v1", "configmaps", "ns", "a"));
    op.is_dry_run = true;
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", NULL), 0);
    ck_assert(op.was_removed);
    operation_clear(&op);
    ck_assert(world_exists(&w, "v1", "configmaps", "ns", "a"));
    world_stop(&w);
}
END_TEST

START_TEST(jobs_orphan_by_default)
{
    struct operation op = {0};

    world_start(&w);
    create("batch/v1", "jobs", "ns", "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert_int_eq(world_delete(&w, &op, "batch/v1", "jobs", "ns", "a", NULL), 0);
    ck_assert_str_eq(world_at(&w, &op, "metadata.finalizers"), "[\"orphan\"]");
    ck_assert_str_eq(world_at(&w, &op, "metadata.generation"), "2");
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

#define POD(name, more)                                                           \
    "{\"metadata\":{\"name\":\"" name "\"" more "},\"spec\":{\"nodeName\":\"n\"," \
    "\"terminationGracePeriodSeconds\":7,\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"

START_TEST(pods_have_grace)
{
    static const struct {
        int64_t asked;
        const char *seconds;
        bool is_unchanged, is_gone;
    } steps[] = {{-1, "7", false, false},
                 {20, "7", true, false},
                 {-1, "7", true, false},
                 {3, "3", false, false},
                 {0, "0", false, true}};

    world_start(&w);
    create("v1", "pods", "ns", POD("a", ""));
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        struct operation op = {0};
        struct delete_options del = delete_options();
        del.grace_seconds = steps[i].asked;
        ck_assert_int_eq(world_delete(&w, &op, "v1", "pods", "ns", "a", &del), 0);
        ck_assert_str_eq(world_at(&w, &op, "metadata.deletionGracePeriodSeconds"), steps[i].seconds);
        ck_assert_str_eq(world_at(&w, &op, "metadata.generation"), "2");
        ck_assert_int_eq(op.was_unchanged, steps[i].is_unchanged);
        ck_assert_int_eq(op.was_removed, steps[i].is_gone);
        operation_clear(&op);
    }
    ck_assert(!world_exists(&w, "v1", "pods", "ns", "a"));
    world_stop(&w);
}
END_TEST

START_TEST(unscheduled_pods_go_at_once)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "pods", "ns", "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "pods", "ns", "a", NULL), 0);
    ck_assert(op.was_removed);
    operation_clear(&op);
    create("v1", "pods", "ns", POD("b", ",\"finalizers\":[\"a.b/c\"]"));
    struct delete_options del = delete_options();
    del.grace_seconds = 0;
    ck_assert_int_eq(world_delete(&w, &op, "v1", "pods", "ns", "b", &del), 0);
    ck_assert(!op.was_removed);
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "pods", "ns", "b", "{\"metadata\":{\"finalizers\":null}}"),
                     0);
    ck_assert(op.was_removed);
    operation_clear(&op);
    /* While grace runs, losing the finalizer removes nothing. */
    create("v1", "pods", "ns", POD("c", ",\"finalizers\":[\"a.b/c\"]"));
    ck_assert_int_eq(world_delete(&w, &op, "v1", "pods", "ns", "c", NULL), 0);
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "pods", "ns", "c", "{\"metadata\":{\"finalizers\":null}}"),
                     0);
    ck_assert(!op.was_removed);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(namespaces_end_in_two_steps)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(world_delete(&w, &op, "v1", "namespaces", "", "ns", NULL), 0);
    ck_assert(!op.was_removed);
    ck_assert_str_eq(world_at(&w, &op, "status.phase"), "Terminating");
    ck_assert_str_ne(world_at(&w, &op, "metadata.deletionTimestamp"), "");
    ck_assert_str_eq(world_at(&w, &op, "metadata.deletionGracePeriodSeconds"), "");
    operation_clear(&op);
    ck_assert_int_eq(world_delete(&w, &op, "v1", "namespaces", "", "ns", NULL), 0);
    ck_assert(op.was_unchanged && !op.was_removed);
    operation_clear(&op);
    /* spec.finalizers are the finalize subresource's. */
    ck_assert_int_eq(world_merge(&w, &op, "v1", "namespaces", "", "ns", "{\"spec\":{\"finalizers\":null}}"),
                     0);
    ck_assert(op.was_unchanged);
    operation_clear(&op);
    ck_assert_int_eq(world_update(&w, &op, false, "v1", "namespaces", "", "ns", "finalize",
                                  "{\"spec\":{\"finalizers\":null}}"),
                     0);
    ck_assert(op.was_removed);
    operation_clear(&op);
    ck_assert(!world_exists(&w, "v1", "namespaces", "", "ns"));
    world_stop(&w);
}
END_TEST

static void damage(const char *key)
{
    sqlite3 *db;
    const char *sql = arena_printf(w.arena, "UPDATE changes SET value='{\"metadata' WHERE key='%s'", key);

    ck_assert_int_eq(sqlite3_open(world_path(&w), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
}

START_TEST(what_cannot_be_read_goes_when_told_so)
{
    struct operation op = {0};
    struct delete_options del = delete_options();

    world_start(&w);
    create("v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}");
    create("v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"b\"}}");
    world_close(&w);
    damage("/registry/configmaps/ns/b");
    world_open(&w, 0);
    feature_switch(FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION, true);
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "b", NULL), 500);
    ck_assert_ptr_nonnull(strstr(op.st.message, "StorageError: corrupt object, Code: 7, Key: /configmaps/ns/b, "
                                                "ResourceVersion: 0, AdditionalErrorMsg: object not decodable revision="));
    operation_clear(&op);
    del.ignores_read_error = true;
    for (size_t i = 0; i < 2; i++) { /* what can be read, what is not there */
        ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", i ? "none" : "a", &del), 422);
        ck_assert_str_eq(op.st.kind, "configmaps");
        ck_assert_str_eq(op.st.causes[0].field, "ignoreStoreReadErrorWithClusterBreakingPotential");
        operation_clear(&op);
    }
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "b", &del), 0);
    ck_assert(op.was_removed);
    operation_clear(&op);
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "b", NULL), 404);
    operation_clear(&op);
    create("v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"b\"}}");
    ck_assert(world_exists(&w, "v1", "configmaps", "ns", "a") && world_exists(&w, "v1", "configmaps", "ns", "b"));
    world_stop(&w);
}
END_TEST

UNIT_MAIN("delete", propagation_sets_finalizers, options_that_contradict_are_refused,
          preconditions_are_checked, jobs_orphan_by_default, pods_have_grace, unscheduled_pods_go_at_once,
          namespaces_end_in_two_steps, what_cannot_be_read_goes_when_told_so)
