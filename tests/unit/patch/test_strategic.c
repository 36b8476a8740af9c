/* SPDX-License-Identifier: Apache-2.0 */
/* Strategic merge: each directive and how they order, by the types of Deployment, ConfigMap and Service. Most rows are recorded
 * behaviour of the API. */
#include "golden.h"

static const struct schema *schema;

static int run(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
               struct status *st)
{
    return patch_strategic(a, schema, doc, patch, ret, st);
}

#define META(doc) "{\"metadata\":" doc "}"
#define SPEC(x) "{\"spec\":{\"template\":{\"spec\":" x "}}}"
#define C1C2 SPEC("{\"containers\":[{\"name\":\"c1\",\"image\":\"1\"},{\"name\":\"c2\",\"image\":\"2\"}]}")
#define ENV(x) SPEC("{\"containers\":[{\"name\":\"c1\"," x "}]}")
#define ABC "\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"C\",\"value\":\"3\"}]"

static const struct golden_row deployments[] = {
    {"merge-by-key", C1C2, SPEC("{\"containers\":[{\"name\":\"c2\",\"image\":\"new\"}]}"),
     SPEC("{\"containers\":[{\"name\":\"c1\",\"image\":\"1\"},{\"name\":\"c2\",\"image\":\"new\"}]}")},
    {"new-items-come-first", C1C2, SPEC("{\"containers\":[{\"name\":\"c3\"}]}"),
     SPEC("{\"containers\":[{\"name\":\"c3\"},{\"name\":\"c1\",\"image\":\"1\"},{\"name\":\"c2\",\"image\":\"2\"}]}")},
    {"key-missing", C1C2, SPEC("{\"containers\":[{\"image\":\"i\"}]}"), NULL, STATUS_UNKNOWN,
     "map: map[image:i] does not contain declared merge key: name"},
    {"key-null", C1C2, SPEC("{\"containers\":[{\"name\":null,\"image\":\"i\"}]}"),
     SPEC("{\"containers\":[{\"name\":null,\"image\":\"i\"},{\"name\":\"c1\",\"image\":\"1\"},{\"name\":\"c2\","
          "\"image\":\"2\"}]}")},
    {"delete-item", C1C2, SPEC("{\"containers\":[{\"name\":\"c2\",\"$patch\":\"delete\"}]}"),
     SPEC("{\"containers\":[{\"name\":\"c1\",\"image\":\"1\"}]}")},
    {"replace-list", C1C2, SPEC("{\"containers\":[{\"name\":\"only\"},{\"$patch\":\"replace\"}]}"),
     SPEC("{\"containers\":[{\"name\":\"only\"}]}")},
    {"merge-directive-in-list", C1C2, SPEC("{\"containers\":[{\"$patch\":\"merge\"}]}"), NULL, STATUS_UNKNOWN},
    {"replace-map", SPEC("{\"nodeSelector\":{\"a\":\"1\",\"b\":\"2\"}}"),
     SPEC("{\"nodeSelector\":{\"$patch\":\"replace\",\"z\":\"9\"}}"), SPEC("{\"nodeSelector\":{\"z\":\"9\"}}")},
    {"delete-map", SPEC("{\"nodeSelector\":{\"a\":\"1\"}}"), SPEC("{\"nodeSelector\":{\"$patch\":\"delete\"}}"),
     SPEC("{\"nodeSelector\":{}}")},
    {"null-map", SPEC("{\"nodeSelector\":{\"a\":\"1\"}}"), SPEC("{\"nodeSelector\":null}"), SPEC("{}")},
    {"bad-directive", SPEC("{\"nodeSelector\":{\"a\":\"1\"}}"), SPEC("{\"nodeSelector\":{\"$patch\":\"frob\"}}"), NULL,
     STATUS_UNKNOWN, "unknown patch type: frob in map: map[$patch:frob]"},
    {"directive-where-nothing-was", SPEC("{}"), SPEC("{\"nodeSelector\":{\"$patch\":\"delete\"}}"), SPEC("{}")},
    {"nulls-where-nothing-was", SPEC("{}"), SPEC("{\"affinity\":{\"podAffinity\":null,\"nodeAffinity\":{}}}"),
     SPEC("{\"affinity\":{\"nodeAffinity\":{}}}")},
    {"retain-keys", "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1}}}}",
     "{\"spec\":{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}}}",
     "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}"},
    {"retain-keys-bad", "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\"}}}",
     "{\"spec\":{\"strategy\":{\"$retainKeys\":[\"rollingUpdate\"],\"type\":\"Recreate\"}}}", NULL, STATUS_BAD_REQUEST,
     "invalid patch format of retainKeys"},
    {"retain-keys-of-item", SPEC("{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}"),
     SPEC("{\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"name\",\"hostPath\"],\"hostPath\":{\"path\":\"/h\"}}]}"),
     SPEC("{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/h\"}}]}")},
    {"scalars-unite", META("{\"finalizers\":[\"a/1\",\"a/2\"]}"), META("{\"finalizers\":[\"a/2\",\"a/3\"]}"),
     META("{\"finalizers\":[\"a/1\",\"a/2\",\"a/3\"]}")},
    {"scalars-deleted", META("{\"finalizers\":[\"a/1\",\"a/2\"]}"),
     META("{\"$deleteFromPrimitiveList/finalizers\":[\"a/1\",\"none\"]}"), META("{\"finalizers\":[\"a/2\"]}")},
    {"scalars-deleted-no-list", META("{\"finalizers\":[\"a/1\"]}"),
     META("{\"$deleteFromPrimitiveList/finalizers\":\"a/1\"}"), META("{\"finalizers\":[\"a/1\"]}")},
    {"scalars-deleted-no-field", META("{\"finalizers\":[\"a/1\"]}"), META("{\"$deleteFromPrimitiveList\":[\"a/1\"]}"),
     NULL, STATUS_BAD_REQUEST, "invalid patch format of primitive list"},
    {"scalars-ordered", META("{\"finalizers\":[\"a/1\",\"a/2\"]}"),
     META("{\"$setElementOrder/finalizers\":[\"a/3\",\"a/2\",\"a/1\"],\"finalizers\":[\"a/3\"]}"),
     META("{\"finalizers\":[\"a/3\",\"a/2\",\"a/1\"]}")},
    {"items-ordered", C1C2, SPEC("{\"$setElementOrder/containers\":[{\"name\":\"c2\"},{\"name\":\"c1\"}]}"),
     SPEC("{\"containers\":[{\"name\":\"c2\",\"image\":\"2\"},{\"name\":\"c1\",\"image\":\"1\"}]}")},
    {"order-mismatch", C1C2,
     SPEC("{\"$setElementOrder/containers\":[{\"name\":\"c1\"}],\"containers\":[{\"name\":\"c3\"}]}"), NULL,
     STATUS_UNKNOWN, "doesn't match $setElementOrder list"},
    {"order-no-list", C1C2, SPEC("{\"$setElementOrder/containers\":\"x\"}"), NULL, STATUS_UNKNOWN,
     "expected a []interface {}, but received a string"},
    {"order-unknown-field", C1C2, SPEC("{\"$setElementOrder/nothing\":[\"x\"]}"), NULL, STATUS_UNKNOWN,
     "unable to find api field in struct PodSpec for the json field \"nothing\""},
    {"order-no-field", C1C2, SPEC("{\"$setElementOrder\":[\"x\"]}"), NULL, STATUS_BAD_REQUEST,
     "invalid patch format of setElementOrder list"},
    {"order-partial", ENV(ABC), ENV("\"$setElementOrder/env\":[{\"name\":\"C\"},{\"name\":\"A\"}]"),
     ENV("\"env\":[{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"C\",\"value\":\"3\"},{\"name\":\"A\",\"value\":\"1\"}]")},
    {"apply-adds-changes-deletes", ENV(ABC),
     ENV("\"$setElementOrder/env\":[{\"name\":\"D\"},{\"name\":\"C\"}],\"env\":[{\"name\":\"D\",\"value\":\"4\"},"
         "{\"name\":\"C\",\"value\":\"new\"},{\"$patch\":\"delete\",\"name\":\"A\"}]"),
     ENV("\"env\":[{\"name\":\"D\",\"value\":\"4\"},{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"C\",\"value\":\"new\"}]")},
    {"value-to-ref", ENV(ABC), ENV("\"env\":[{\"name\":\"A\",\"value\":null,\"valueFrom\":{}}]"),
     ENV("\"env\":[{\"name\":\"A\",\"valueFrom\":{}},{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"C\",\"value\":\"3\"}]")},
    {"integer-key", ENV("\"ports\":[{\"containerPort\":80},{\"containerPort\":81}]"),
     ENV("\"ports\":[{\"containerPort\":80,\"name\":\"web\"}]"),
     ENV("\"ports\":[{\"containerPort\":80,\"name\":\"web\"},{\"containerPort\":81}]")},
    {"atomic-list", SPEC("{\"tolerations\":[{\"key\":\"a\"},{\"key\":\"b\"}]}"),
     SPEC("{\"tolerations\":[{\"key\":\"z\"}]}"), SPEC("{\"tolerations\":[{\"key\":\"z\"}]}")},
    {"atomic-scalars", ENV("\"command\":[\"a\",\"b\"]"), ENV("\"command\":[\"c\"]"), ENV("\"command\":[\"c\"]")},
    {"map-member-null", ENV("\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}"),
     ENV("\"resources\":{\"limits\":{\"cpu\":null,\"memory\":\"2Gi\"}}"),
     ENV("\"resources\":{\"limits\":{\"memory\":\"2Gi\"}}")},
    {"other-kind-is-taken", SPEC("{\"nodeSelector\":{\"a\":\"1\"}}"), SPEC("{\"nodeSelector\":[\"x\"]}"),
     SPEC("{\"nodeSelector\":[\"x\"]}")},
    {"mixed-items", C1C2, SPEC("{\"containers\":[\"x\"]}"), NULL, STATUS_UNKNOWN, "list element types are not identical"},
    {"empty", C1C2, "{}", C1C2},
    {"null", C1C2, "null", C1C2},
    {"list", C1C2, "[]", NULL, STATUS_BAD_REQUEST, "cannot unmarshal array"},
};

static int count_failed(const char *api_version, const char *kind, const struct golden_row *rows, size_t n)
{
    int failed = 0;

    schema = schema_kind_of(text_of(api_version), text_of(kind))->schema;
    for (size_t i = 0; i < n; i++)
        failed += !golden_check(&rows[i], run);
    return failed;
}

START_TEST(rows_hold)
{
    ck_assert_int_eq(count_failed("apps/v1", "Deployment", deployments, N_ELEMENTS(deployments)), 0);
}
END_TEST

static const struct golden_row services[] = {
    {"merge-port", "{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"p\"},{\"port\":81,\"name\":\"q\"}]}}",
     "{\"spec\":{\"ports\":[{\"port\":81,\"$patch\":\"delete\"}],\"$setElementOrder/ports\":[{\"port\":82},{\"port\":80}]}}",
     "{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"p\"}]}}"},
};
static const struct golden_row maps[] = {
    {"members", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"data\":{\"a\":null,\"c\":\"3\"}}",
     "{\"data\":{\"b\":\"2\",\"c\":\"3\"}}"},
    {"order-in-a-map", "{\"data\":{\"a\":\"1\"}}", "{\"data\":{\"$setElementOrder/a\":[\"1\"]}}", NULL, STATUS_UNKNOWN,
     "expected a []interface {}, but received a string"},
};

START_TEST(other_types_too)
{
    ck_assert_int_eq(count_failed("v1", "Service", services, N_ELEMENTS(services)), 0);
    ck_assert_int_eq(count_failed("v1", "ConfigMap", maps, N_ELEMENTS(maps)), 0);
}
END_TEST

/* Long lists stay cheap: this would take minutes if each item were looked for in turn. */
START_TEST(long_lists_merge)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer doc = BUFFER_IN(a), patch = BUFFER_IN(a);
    struct status st = {0};
    struct value got;
    const int n = 50000;

    schema = schema_kind_of(TEXT("v1"), TEXT("ConfigMap"))->schema;
    buffer_add_str(&doc, "{\"metadata\":{\"finalizers\":[");
    buffer_add_str(&patch, "{\"metadata\":{\"finalizers\":[");
    for (int i = 0; i < n; i++) {
        buffer_addf(&doc, "%s\"f/%d\"", i ? "," : "", i);
        buffer_addf(&patch, "%s\"f/%d\"", i ? "," : "", i + n / 2);
    }
    buffer_add_str(&doc, "]}}");
    buffer_add_str(&patch, "]}}");
    struct value d = read_json(a, buffer_str(&doc)), p = read_json(a, buffer_str(&patch));
    ck_assert_int_eq(run(a, &d, &p, &got, &st), 0);
    ck_assert_uint_eq(value_at(&got, "metadata", "finalizers", NULL)->n, n + n / 2);
}
END_TEST

UNIT_MAIN("strategic", rows_hold, other_types_too, long_lists_merge)
