/* SPDX-License-Identifier: Apache-2.0 */
/* Creating: what the server fills in, which names are good, what is refused. Rows of names and metadata are
 * recorded answers. */
#include "world.h"

static struct world w;

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define X250 X60 X60 X60 X60 X10

static const struct name_row {
    const char *api_version, *resource, *name;
    int code;
    unsigned n_causes;
} names[] = {
    {"v1", "configmaps", "a.b-c.d", 0},
    {"v1", "configmaps", "ABC", 422, 1},
    {"v1", "configmaps", "a_b", 422, 1},
    {"v1", "configmaps", "-a", 422, 1},
    {"v1", "configmaps", "a..b", 422, 1},
    {"v1", "configmaps", "1a", 0},
    {"v1", "configmaps", "a/b", 422, 1},
    {"v1", "configmaps", "..", 422, 1},
    {"v1", "configmaps", "", 422, 1},
    {"v1", "configmaps", X250 "xxx", 0},
    {"v1", "configmaps", X250 "xxxx", 422, 1},
    {"batch/v1", "cronjobs", X10 X10 X10 X10 X10 "xx", 0},
    {"batch/v1", "cronjobs", X10 X10 X10 X10 X10 "xxx", 422, 1},
    {"v1", "services", "a.b", 422, 1},
    {"v1", "services", "1a", 0},
    {"v1", "services", X60 "xxxx", 422, 1},
    {"rbac.authorization.k8s.io/v1", "roles", "ABC", 0},
    {"rbac.authorization.k8s.io/v1", "roles", "a..b", 0},
    {"rbac.authorization.k8s.io/v1", "roles", "a b", 0},
    {"rbac.authorization.k8s.io/v1", "roles", "a/b", 422, 1},
    {"rbac.authorization.k8s.io/v1", "roles", "a%b", 422, 1},
    {"rbac.authorization.k8s.io/v1", "roles", "..", 422, 1},
    {"rbac.authorization.k8s.io/v1", "roles", "", 422, 1},
};

START_TEST(names_follow_the_rule_of_their_kind)
{
    world_start(&w);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const struct name_row *r = &names[i];
        struct operation op = {.is_dry_run = true};
        int code = world_create(&w, &op, r->api_version, r->resource, "ns",
                                arena_printf(w.arena, "{\"metadata\":{\"name\":\"%s\"}}", r->name));
        ck_assert_msg(code == r->code && op.st.n_causes == r->n_causes, "%s %s: %d with %zu causes: %s",
                      r->resource, r->name, code, op.st.n_causes, op.st.message ? op.st.message : "");
        operation_clear(&op);
    }
    world_stop(&w);
}
END_TEST

static const struct metadata_row {
    const char *member; /* beside name */
    int code;
    const char *causes; /* fields, joined by blanks */
} metadata[] = {
    {"\"labels\":{\"a\":\"b_c.d-e\",\"1\":\"2\"}", 0, ""},
    {"\"labels\":{\"bad key!\":\"v\",\"a/b/c\":\"v\"}", 422, "metadata.labels metadata.labels"},
    {"\"labels\":{\"a\":\"-b\"}", 422, "metadata.labels"},
    {"\"annotations\":{\"A.B/c\":\"any value !\"}", 0, ""},
    {"\"annotations\":{\"Bad Key\":\"v\"}", 422, "metadata.annotations"},
    {"\"annotations\":{\"\":\"b\"}", 422, "metadata.annotations metadata.annotations"},
    {"\"finalizers\":[\"a.b/c\",\"a.b/c\"]", 0, ""},
    {"\"finalizers\":[\"kubernetes\"]", 0, ""},
    {"\"finalizers\":[\"orphan\",\"foregroundDeletion\"]", 422, "metadata.finalizers"},
    {"\"finalizers\":[\"plain\"]", 422, "metadata.finalizers[0]"},
    {"\"finalizers\":[\"\"]", 422, "metadata.finalizers metadata.finalizers metadata.finalizers[0]"},
    {"\"finalizers\":[\"A.B/c\"]", 422, "metadata.finalizers"},
    {"\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}]", 422,
     "metadata.ownerReferences.name metadata.ownerReferences.uid"},
    {"\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"x\",\"uid\":\"u\"}]", 422,
     "metadata.ownerReferences"},
    {"\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"x\",\"uid\":\"u\","
     "\"controller\":true},"
     "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"y\",\"uid\":\"v\",\"controller\":true}]",
     422, "metadata.ownerReferences"},
    {"\"generation\":-1", 422, "metadata.generation"},
    {"\"namespace\":\"elsewhere\"", 400, ""},
    {"\"namespace\":\"ns\"", 0, ""},
    {"\"resourceVersion\":\"5\"", 0, ""},
    {"\"managedFields\":[{\"manager\":\"x\"}]", 0, ""},
};

START_TEST(metadata_is_checked)
{
    world_start(&w);
    for (size_t i = 0; i < N_ELEMENTS(metadata); i++) {
        const struct metadata_row *r = &metadata[i];
        struct operation op = {.is_dry_run = true};
        struct buffer causes = BUFFER_IN(w.arena);
        int code = world_create(&w, &op, "v1", "configmaps", "ns",
                                arena_printf(w.arena, "{\"metadata\":{\"name\":\"a\",%s}}", r->member));
        for (size_t k = 0; k < op.st.n_causes; k++)
            buffer_addf(&causes, "%s%s", k ? " " : "", op.st.causes[k].field);
        ck_assert_msg(code == r->code && text_is(buffer_text(&causes), r->causes), "%s: %d, %s, %s",
                      r->member, code, buffer_str(&causes), op.st.message ? op.st.message : "");
        operation_clear(&op);
    }
    world_stop(&w);
}
END_TEST

START_TEST(annotations_have_a_limit)
{
    struct buffer json = BUFFER_INIT;
    struct operation op = {.is_dry_run = true};

    world_start(&w);
    buffer_add_str(&json, "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"a\":\"");
    for (int i = 0; i < 256 * 1024 - 1; i++)
        buffer_add_char(&json, 'x');
    size_t n = json.n;
    buffer_add_str(&json, "\"}}}");
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", buffer_str(&json)), 0);
    operation_clear(&op);
    json.n = n;
    buffer_add_str(&json, "x\"}}}");
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", buffer_str(&json)), 422);
    ck_assert_str_eq(op.st.causes[0].reason, "FieldValueTooLong");
    operation_clear(&op);
    buffer_deinit(&json);
    world_stop(&w);
}
END_TEST

START_TEST(the_server_fills_in)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(
        world_create(&w, &op, "v1", "configmaps", "ns",
                     "{\"metadata\":{\"name\":\"a\",\"uid\":\"mine\",\"generation\":9,\"selfLink\":\"/x\","
                     "\"creationTimestamp\":\"2001-01-01T00:00:00Z\",\"deletionTimestamp\":"
                     "\"2001-01-01T00:00:00Z\",\"deletionGracePeriodSeconds\":3}}"),
        0);
    ck_assert_str_ne(world_at(&w, &op, "metadata.uid"), "mine");
    ck_assert_uint_eq(strlen(world_at(&w, &op, "metadata.uid")), 36);
    ck_assert_int_eq(world_at(&w, &op, "metadata.uid")[14], '4');
    ck_assert_str_eq(world_at(&w, &op, "metadata.namespace"), "ns");
    ck_assert_str_eq(world_at(&w, &op, "metadata.generation"), "9"); /* kept for kinds that count none */
    ck_assert_str_eq(world_at(&w, &op, "metadata.deletionTimestamp"), "");
    ck_assert_str_eq(world_at(&w, &op, "metadata.deletionGracePeriodSeconds"), "");
    ck_assert_str_eq(world_at(&w, &op, "metadata.selfLink"), "");
    ck_assert_str_gt(world_at(&w, &op, "metadata.creationTimestamp"), "2020");
    ck_assert_str_eq(world_at(&w, &op, "kind"), "ConfigMap");
    ck_assert_str_ne(world_at(&w, &op, "metadata.resourceVersion"), "");
    operation_clear(&op);
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 409);
    ck_assert_str_eq(op.st.message, "configmaps \"a\" already exists");
    operation_clear(&op);
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns",
                                  "{\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"5\"}}"),
                     500);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(names_are_generated)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(
        world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"generateName\":\"gen-\"}}"), 0);
    ck_assert_uint_eq(op.result->name.n, 9);
    ck_assert(text_starts(op.result->name, TEXT("gen-")));
    operation_clear(&op);
    ck_assert_int_eq(
        world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"generateName\":\"" X60 X10 "\"}}"),
        0);
    ck_assert_uint_eq(op.result->name.n, 63);
    operation_clear(&op);
    ck_assert_int_eq(
        world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"generateName\":\"UPPER\"}}"), 422);
    ck_assert_uint_eq(op.st.n_causes, 2);
    ck_assert_str_eq(op.st.causes[0].field, "metadata.generateName");
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(dry_runs_store_nothing_but_check)
{
    struct operation op = {.is_dry_run = true};

    world_start(&w);
    ck_assert_int_eq(
        world_create(&w, &op, "v1", "configmaps", "ns",
                     "{\"metadata\":{\"name\":\"a\",\"labels\":{\"l\":\"m\"}},\"data\":{\"k\":\"v\"}}"),
        0);
    ck_assert_str_eq(world_at(&w, &op, "metadata.resourceVersion"), "");
    ck_assert_str_eq(world_at(&w, &op, "metadata.labels.l"), "m");
    ck_assert_str_eq(world_at(&w, &op, "data.k"), "v");
    operation_clear(&op);
    ck_assert(!world_exists(&w, "v1", "configmaps", "ns", "a"));
    op.is_dry_run = false;
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    operation_clear(&op);
    op.is_dry_run = true;
    ck_assert_int_eq(world_create(&w, &op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 409);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(cluster_scoped_objects_lose_their_namespace)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(
        world_create(&w, &op, "v1", "nodes", "", "{\"metadata\":{\"name\":\"n\",\"namespace\":\"x\"}}"), 0);
    ck_assert_str_eq(world_at(&w, &op, "metadata.namespace"), "");
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

/* Of a key that nobody kept. */
#define SIGNING_REQUEST \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISE1HNENBUUF3RERFS01BZ0dBMVVFQXd3QllUQl" \
    "pNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCQ2p5MDBNUWZlbDZUdjlIZloyZ3BtcEVPbnNXZ3hUMnBq" \
    "N3A2dTZkbWV5TzNrSmlqU2poc2hOaGZvQnNMSVVoCjZYcXNsR3JhU0tsK2k1RjRyRTA5TUNXZ0FEQUtCZ2dxaGtqT1" \
    "BRUURBZ05KQURCR0FpRUFvWXNYbG9ob25mWlMKWExKcXlqc2pOTFVYNnhIZUM4NFJkT3phNnBJcW8rSUNJUURpbFRm" \
    "NFJUbFV0NTVlcGxNRHh0VHlOOXhWZFpkVQpqR2FhcURxdklSa2lqUT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUV" \
    "VFU1QtLS0tLQo="

static const struct kind_row {
    const char *api_version, *resource, *ns, *json, *path, *expect;
} kinds[] = {
    {"v1", "pods", "ns", "{\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":\"Running\"}}", "status",
     "{\"phase\":\"Pending\",\"qosClass\":\"BestEffort\"}"},
    {"v1", "pods", "ns", "{\"metadata\":{\"name\":\"b\"}}", "metadata.generation", "1"},
    {"v1", "pods", "ns",
     "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"limits\":{"
     "\"cpu\":\"1\","
     "\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1000m\",\"memory\":\"1Gi\"}}}]}}",
     "status.qosClass", "Guaranteed"},
    {"v1", "pods", "ns",
     "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{"
     "\"cpu\":"
     "\"1\"}}}]}}",
     "status.qosClass", "Burstable"},
    {"apps/v1", "deployments", "ns",
     "{\"metadata\":{\"name\":\"a\",\"generation\":7},\"status\":{\"replicas\":3}}", "status", "{}"},
    {"apps/v1", "deployments", "ns", "{\"metadata\":{\"name\":\"b\",\"generation\":7}}",
     "metadata.generation", "1"},
    {"apps/v1", "replicasets", "ns", "{\"metadata\":{\"name\":\"a\"},\"status\":{\"replicas\":3}}", "status",
     "{\"replicas\":0}"},
    {"v1", "persistentvolumeclaims", "ns", "{\"metadata\":{\"name\":\"a\"}}", "status",
     "{\"phase\":\"Pending\"}"},
    {"v1", "persistentvolumes", "", "{\"metadata\":{\"name\":\"a\"}}", "status.phase", "Pending"},
    {"v1", "nodes", "", "{\"metadata\":{\"name\":\"n\"},\"status\":{\"phase\":\"Running\"}}", "status.phase",
     "Running"},
    {"v1", "namespaces", "", "{\"metadata\":{\"name\":\"n\"}}", "status.phase", "Active"},
    {"v1", "namespaces", "", "{\"metadata\":{\"name\":\"m\"}}", "spec.finalizers", "[\"kubernetes\"]"},
    {"v1", "namespaces", "", "{\"metadata\":{\"name\":\"o\"}}", "metadata.labels",
     "{\"kubernetes.io/metadata.name\":\"o\"}"},
    {"v1", "secrets", "ns",
     "{\"metadata\":{\"name\":\"b\"},\"data\":{\"a\":\"eA==\",\"b\":\"eA==\"},\"stringData\":{\"a\":"
     "\"hello\"}}",
     "data", "{\"a\":\"aGVsbG8=\",\"b\":\"eA==\"}"},
    {"v1", "services", "ns", "{\"metadata\":{\"name\":\"a\"}}", "status", "{\"loadBalancer\":{}}"},
    {"apiregistration.k8s.io/v1", "apiservices", "", "{\"metadata\":{\"name\":\"v1.x\"},\"spec\":{\"group\":\"x\",\"version\":\"v1\","
     "\"groupPriorityMinimum\":1,\"versionPriority\":1}}",
     "status.conditions.0.reason", "Local"},
    {"apiextensions.k8s.io/v1", "customresourcedefinitions", "",
     "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"versions\":[{\"name\":\"v1\",\"storage\":true}]}}", "status",
     "{\"conditions\":null,\"acceptedNames\":{\"plural\":\"\",\"kind\":\"\"},\"storedVersions\":[\"v1\"]}"},
    {"certificates.k8s.io/v1", "certificatesigningrequests", "",
     "{\"metadata\":{\"name\":\"Some Name\"},\"spec\":{\"username\":\"forged\",\"signerName\":\"a.example/b\","
     "\"usages\":[\"any\"],\"request\":\"" SIGNING_REQUEST "\"}}",
     "spec.username", ""},
};

START_TEST(kinds_begin_as_they_should)
{
    world_start(&w);
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        const struct kind_row *r = &kinds[i];
        struct operation op = {0};
        int code = world_create(&w, &op, r->api_version, r->resource, r->ns, r->json);
        ck_assert_msg(code == 0, "%s %s: %s", r->resource, r->json, op.st.message);
        const char *got = world_at(&w, &op, r->path);
        ck_assert_msg(strcmp(got, r->expect) == 0, "%s %s: %s is %s", r->resource, r->json, r->path, got);
        operation_clear(&op);
    }
    world_stop(&w);
}
END_TEST

UNIT_MAIN("create", names_follow_the_rule_of_their_kind, metadata_is_checked, annotations_have_a_limit,
          the_server_fills_in, names_are_generated, dry_runs_store_nothing_but_check, cluster_scoped_objects_lose_their_namespace,
          kinds_begin_as_they_should)
