/* SPDX-License-Identifier: Apache-2.0 */
/* Updating: versions and conflicts, what is kept, generations, status apart from spec, finalizers. */
#include "world.h"

static struct world w;

static void create(const char *api_version, const char *resource, const char *json)
{
    struct operation op = {0};

    ck_assert_msg(world_create(&w, &op, api_version, resource, "ns", json) == 0, "%s: %s", json,
                  op.st.message);
    operation_clear(&op);
}

START_TEST(put_replaces_and_bumps_the_version)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "configmaps", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}");
    ck_assert_int_eq(world_put(&w, &op, "v1", "configmaps", "ns", "a",
                               "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"w\"}}"),
                     0);
    ck_assert(!op.was_unchanged);
    ck_assert_str_eq(world_at(&w, &op, "data.k"), "w");
    uint64_t revision = op.result->revision;
    operation_clear(&op);
    /* The same again writes nothing. */
    ck_assert_int_eq(world_put(&w, &op, "v1", "configmaps", "ns", "a",
                               "{\"metadata\":{\"name\":\"a\",\"creationTimestamp\":\"2001-01-01T00:00:00Z\","
                               "\"generation\":5,\"selfLink\":\"/x\"},\"data\":{\"k\":\"w\"}}"),
                     0);
    ck_assert(op.was_unchanged);
    ck_assert_uint_eq(op.result->revision, revision);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

static const struct refused_row {
    const char *json;
    int code;
    const char *says;
} refused[] = {
    {"{\"metadata\":{\"name\":\"b\"}}", 400,
     "the name of the object (b) does not match the name on the URL (a)"},
    {"{\"metadata\":{}}", 400,
     "the name of the object (a based on URL) was undeterminable: name must be provided"},
    {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"other\"}}", 400,
     "the namespace of the provided object does not match the namespace sent on the request"},
    {"{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"abc\"}}", 500,
     "strconv.ParseUint: parsing \"abc\": invalid syntax"},
    {"{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}", 409,
     "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your "
     "changes to the "
     "latest version and try again"},
    {"{\"metadata\":{\"name\":\"a\",\"uid\":\"other\"}}", 422, "field is immutable"},
    {"{\"metadata\":{\"name\":\"a\",\"deletionTimestamp\":\"2001-01-01T00:00:00Z\"}}", 422,
     "field is immutable"},
    {"{\"metadata\":{\"name\":\"a\",\"labels\":{\"a b\":\"c\"}}}", 422, "metadata.labels"},
    {"{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"0\"},\"data\":{\"k\":\"z\"}}", 0, NULL},
};

START_TEST(bad_updates_are_refused)
{
    world_start(&w);
    create("v1", "configmaps", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}");
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        struct operation op = {0};
        int code = world_put(&w, &op, "v1", "configmaps", "ns", "a", refused[i].json);
        ck_assert_msg(code == refused[i].code && (!refused[i].says || strstr(op.st.message, refused[i].says)),
                      "%s: %d %s", refused[i].json, code, op.st.message ? op.st.message : "");
        if (refused[i].says && strstr(refused[i].says, "immutable"))
            ck_assert_uint_eq(op.st.n_causes, 2);
        if (refused[i].says && strstr(refused[i].says, "metadata.labels"))
            ck_assert_uint_eq(op.st.n_causes, 4);
        operation_clear(&op);
    }
    world_stop(&w);
}
END_TEST

START_TEST(some_types_demand_a_version)
{
    struct operation op = {0};

    world_start(&w);
    create("coordination.k8s.io/v1", "leases", "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert_int_eq(world_put(&w, &op, "coordination.k8s.io/v1", "leases", "ns", "a",
                               "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"holderIdentity\":\"me\"}}"),
                     422);
    ck_assert_str_eq(op.st.kind, "leases");
    ck_assert_str_eq(op.st.causes[0].field, "metadata.resourceVersion");
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "coordination.k8s.io/v1", "leases", "ns", "a",
                                 "{\"spec\":{\"holderIdentity\":\"me\"}}"),
                     0);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(only_some_types_are_created_by_updates)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(world_put(&w, &op, "v1", "configmaps", "ns", "a", "{\"metadata\":{\"name\":\"a\"}}"),
                     404);
    ck_assert_str_eq(op.st.message, "configmaps \"a\" not found");
    operation_clear(&op);
    ck_assert_int_eq(world_put(&w, &op, "v1", "endpoints", "ns", "a",
                               "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}"),
                     0);
    ck_assert(op.was_created);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(a_put_for_another_uid_conflicts)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "configmaps", "{\"metadata\":{\"name\":\"a\"}}");
    world_op(&w, &op, OPERATION_UPDATE, "v1", "configmaps", "ns", "a");
    op.transform = world_put_json;
    op.expected_uid = TEXT("other");
    world_change.json = "{\"metadata\":{\"name\":\"a\",\"uid\":\"other\"}}";
    ck_assert_int_eq(registry_run(&op), -1);
    ck_assert_int_eq(op.st.code, 409);
    ck_assert_str_eq(op.st.kind, "configmaps");
    ck_assert_ptr_nonnull(
        strstr(op.st.message, "Precondition failed: UID in precondition: other, UID in object meta: "));
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

static void interfere(void)
{
    struct operation op = {0};

    world_change.between = NULL;
    const char *json = world_change.json;
    int calls = world_change.calls;
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"data\":{\"other\":\"1\"}}"), 0);
    operation_clear(&op);
    world_change.json = json;
    world_change.calls = calls;
}

START_TEST(a_lost_race_is_run_again)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "configmaps", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}");
    world_change.between = interfere;
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"data\":{\"mine\":\"2\"}}"), 0);
    ck_assert_int_eq(world_change.calls, 2);
    ck_assert_str_eq(world_at(&w, &op, "data"), "{\"k\":\"v\",\"mine\":\"2\",\"other\":\"1\"}");
    operation_clear(&op);
    /* With a version demanded it is a conflict. */
    const struct resource *r = world_resource(&w, "v1", "configmaps");
    struct object *o;
    struct status st = {0};
    ck_assert_int_eq(registry_get(r, TEXT("ns"), TEXT("a"), &o, &st), 0);
    const char *json =
        arena_printf(w.arena, "{\"metadata\":{\"resourceVersion\":\"%llu\"},\"data\":{\"x\":\"1\"}}",
                     (unsigned long long)o->revision);
    object_unref(o);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"data\":{\"other\":\"2\"}}"), 0);
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", json), 409);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(generations_count_what_is_no_status)
{
    struct operation op = {0};
    static const struct {
        const char *patch, *generation;
    } rows[] = {
        {"{\"spec\":{\"replicas\":9}}", "2"},
        {"{\"spec\":{\"replicas\":9}}", "2"},
        {"{\"spec\":{\"paused\":true}}", "3"},
        {"{\"metadata\":{\"labels\":{\"z\":\"1\"}}}", "3"},
        {"{\"metadata\":{\"annotations\":{\"z\":\"1\"}}}", "4"},
        {"{\"status\":{\"replicas\":4}}", "4"},
        {"{\"metadata\":{\"generation\":77}}", "4"},
    };

    world_start(&w);
    create("apps/v1", "deployments", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"replicas\":2}}");
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        ck_assert_int_eq(world_merge(&w, &op, "apps/v1", "deployments", "ns", "a", rows[i].patch), 0);
        ck_assert_msg(!strcmp(world_at(&w, &op, "metadata.generation"), rows[i].generation), "%s: %s",
                      rows[i].patch, world_at(&w, &op, "metadata.generation"));
        operation_clear(&op);
    }
    create("scheduling.k8s.io/v1", "priorityclasses", "{\"metadata\":{\"name\":\"a\"},\"value\":1}");
    ck_assert_int_eq(
        world_merge(&w, &op, "scheduling.k8s.io/v1", "priorityclasses", "", "a", "{\"description\":\"d\"}"),
        0);
    ck_assert_str_eq(world_at(&w, &op, "metadata.generation"), "1");
    operation_clear(&op);
    create("discovery.k8s.io/v1", "endpointslices",
           "{\"metadata\":{\"name\":\"a\"},\"addressType\":\"IPv4\",\"endpoints\":[]}");
    ck_assert_int_eq(world_merge(&w, &op, "discovery.k8s.io/v1", "endpointslices", "ns", "a",
                                 "{\"metadata\":{\"labels\":{\"z\":\"1\"}}}"),
                     0);
    ck_assert_str_eq(world_at(&w, &op, "metadata.generation"), "2");
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(status_and_spec_are_written_apart)
{
    struct operation op = {0};

    world_start(&w);
    create("apps/v1", "deployments", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"replicas\":2}}");
    const char *both =
        "{\"metadata\":{\"labels\":{\"l\":\"m\"},\"annotations\":{\"a\":\"b\"}},\"spec\":{\"replicas\":5},"
        "\"status\":{\"replicas\":3}}";
    ck_assert_int_eq(world_update(&w, &op, false, "apps/v1", "deployments", "ns", "a", "status", both), 0);
    ck_assert_str_eq(world_at(&w, &op, "spec.replicas"), "2");
    ck_assert_str_eq(world_at(&w, &op, "status.replicas"), "3");
    ck_assert_str_eq(world_at(&w, &op, "metadata.generation"), "1");
    ck_assert_str_eq(world_at(&w, &op, "metadata.labels"), "");
    ck_assert_str_eq(world_at(&w, &op, "metadata.annotations.a"), "b");
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "apps/v1", "deployments", "ns", "a",
                                 "{\"spec\":{\"replicas\":7},\"status\":null}"),
                     0);
    ck_assert_str_eq(world_at(&w, &op, "spec.replicas"), "7");
    ck_assert_str_eq(world_at(&w, &op, "status.replicas"), "3");
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(finalizers_end_a_deletion)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "configmaps", "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"a.b/c\",\"a.b/d\"]}}");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", NULL), 0);
    ck_assert(!op.was_removed);
    ck_assert_str_eq(world_at(&w, &op, "metadata.deletionGracePeriodSeconds"), "0");
    uint64_t revision = op.result->revision;
    operation_clear(&op);
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "a", NULL), 0);
    ck_assert_uint_eq(op.result->revision, revision);
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a",
                                 "{\"metadata\":{\"finalizers\":[\"a.b/c\",\"a.b/e\"]}}"),
                     422);
    ck_assert_uint_eq(op.st.n_causes, 2);
    ck_assert_ptr_nonnull(strstr(op.st.message, "found new finalizers []string{\"a.b/e\"}"));
    operation_clear(&op);
    ck_assert_int_eq(
        world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"metadata\":{\"deletionTimestamp\":null}}"),
        0);
    ck_assert(op.was_unchanged);
    operation_clear(&op);
    ck_assert_int_eq(
        world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"data\":{\"still\":\"writable\"}}"), 0);
    revision = op.result->revision;
    operation_clear(&op);
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 409);
    ck_assert_str_eq(op.st.message, "object is being deleted: configmaps \"a\" already exists");
    operation_clear(&op);
    ck_assert_int_eq(
        world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"metadata\":{\"finalizers\":null}}"), 0);
    ck_assert(op.was_removed);
    ck_assert_uint_eq(op.result->revision, revision);
    ck_assert_str_eq(world_at(&w, &op, "metadata.finalizers"), "");
    operation_clear(&op);
    ck_assert(!world_exists(&w, "v1", "configmaps", "ns", "a"));
    world_stop(&w);
}
END_TEST

START_TEST(dry_runs_change_nothing)
{
    struct operation op = {0};

    world_start(&w);
    create("v1", "configmaps", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}");
    op.is_dry_run = true;
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{\"data\":{\"k\":\"w\"}}"), 0);
    ck_assert_str_eq(world_at(&w, &op, "data.k"), "w");
    uint64_t revision = op.result->revision;
    operation_clear(&op);
    op.is_dry_run = false;
    ck_assert_int_eq(world_merge(&w, &op, "v1", "configmaps", "ns", "a", "{}"), 0);
    ck_assert_str_eq(world_at(&w, &op, "data.k"), "v");
    ck_assert_uint_eq(op.result->revision, revision);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

/* How often the types' own validation says it, as seen at kube-apiserver 1.36.3. */
START_TEST(finalizers_without_a_domain_are_refused)
{
    static const struct {
        const char *api_version, *resource, *ns;
        size_t n_causes;
    } rows[] = {{"v1", "configmaps", "ns", 2},
                {"v1", "nodes", "", 2},
                {"apps/v1", "deployments", "ns", 1},
                {"networking.k8s.io/v1", "networkpolicies", "ns", 1},
                {"coordination.k8s.io/v1", "leases", "ns", 0}};

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct operation op = {0};
        world_start(&w);
        ck_assert_int_eq(world_create(&w, &op, rows[i].api_version, rows[i].resource, rows[i].ns, "{\"metadata\":{\"name\":\"a\"}}"), 0);
        operation_clear(&op);
        int code = world_merge(&w, &op, rows[i].api_version, rows[i].resource, rows[i].ns, "a",
                               "{\"metadata\":{\"finalizers\":[\"lonely\"]}}");
        ck_assert_msg(code == (rows[i].n_causes ? 422 : 0), "%s: %d %s", rows[i].resource, code, op.st.message);
        ck_assert_msg(op.st.n_causes == rows[i].n_causes, "%s: %zu causes", rows[i].resource, (size_t)op.st.n_causes);
        operation_clear(&op);
        world_stop(&w);
    }
}
END_TEST

UNIT_MAIN("update", put_replaces_and_bumps_the_version, bad_updates_are_refused, some_types_demand_a_version,
          only_some_types_are_created_by_updates, a_put_for_another_uid_conflicts, a_lost_race_is_run_again,
          generations_count_what_is_no_status, status_and_spec_are_written_apart, finalizers_end_a_deletion,
          dry_runs_change_nothing,
          finalizers_without_a_domain_are_refused)
