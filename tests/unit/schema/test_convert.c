/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one version become those of another. Rows show the members that differ; the golden objects,
 * which have every field set, show that nothing is lost on the way to the stored version and back. */
#include "schema.h"

#include <stdio.h>

#include "unit.h"

#define GOLDEN "../shared/facts/golden/"
#define CORE_EVENT                                                                                          \
    "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"e\"},\"involvedObject\":{\"kind\":" \
    "\"Pod\"},"                                                                                             \
    "\"message\":\"m\",\"source\":{\"component\":\"c\"},\"firstTimestamp\":\"2026-01-01T00:00:00Z\","       \
    "\"lastTimestamp\":null,\"count\":2,\"eventTime\":null,\"reportingComponent\":\"r\","                   \
    "\"reportingInstance\":\"\"}"
#define NEW_EVENT                                                                                       \
    "{\"kind\":\"Event\",\"apiVersion\":\"events.k8s.io/"                                               \
    "v1\",\"metadata\":{\"name\":\"e\"},\"eventTime\":null,"                                            \
    "\"reportingController\":\"r\",\"regarding\":{\"kind\":\"Pod\"},\"note\":\"m\","                    \
    "\"deprecatedSource\":{\"component\":\"c\"},\"deprecatedFirstTimestamp\":\"2026-01-01T00:00:00Z\"," \
    "\"deprecatedLastTimestamp\":null,\"deprecatedCount\":2}"
#define HPA(version) "{\"kind\":\"HorizontalPodAutoscaler\",\"apiVersion\":\"autoscaling/" version "\","
#define REFERENCE "\"spec\":{\"scaleTargetRef\":{\"kind\":\"D\",\"name\":\"d\"},\"maxReplicas\":3"
#define V2_STATUS "\"status\":{\"desiredReplicas\":0,\"currentMetrics\":null}}"
#define V1_STATUS "\"status\":{\"currentReplicas\":0,\"desiredReplicas\":0}}"
#define CPU(percent)                                                                              \
    "{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\"," \
    "\"averageUtilization\":" percent "}}}"
#define PODS_V2                                                                                       \
    "{\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"q\"},\"target\":{\"type\":\"AverageValue\"," \
    "\"averageValue\":\"5\"}}}"
#define CLAIM(version, request)                                             \
    "{\"kind\":\"ResourceClaim\",\"apiVersion\":\"resource.k8s.io/" version \
    "\",\"metadata\":{\"name\":\"c\"},"                                     \
    "\"spec\":{\"devices\":{\"requests\":[{\"name\":\"r\"" request "}]}},\"status\":{}}"
#define SLICE(version, device, node)                                                                       \
    "{\"kind\":\"ResourceSlice\",\"apiVersion\":\"resource.k8s.io/" version                                \
    "\",\"metadata\":{\"name\":\"s\"},"                                                                    \
    "\"spec\":{\"driver\":\"d\",\"pool\":{\"name\":\"p\",\"generation\":1,\"resourceSliceCount\":1}," node \
    "\"devices\":[{\"name\":\"x\"" device "}]}}"
#define DEFINITION(version, spec)                                                           \
    "{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/" version \
    "\",\"metadata\":{\"name\":\"d\"},\"spec\":{\"group\":\"g\","                           \
    "\"names\":{\"plural\":\"ds\",\"kind\":\"D\"},\"scope\":\"Cluster\"" spec               \
    "},\"status\":{\"conditions\":null,\"acceptedNames\":{\"plural\":\"\",\"kind\":\"\"},"  \
    "\"storedVersions\":null}}"
#define ONE_SCHEMA "{\"openAPIV3Schema\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}"
#define DEFINED(name, is_stored, more) \
    "{\"name\":\"" name "\",\"served\":true,\"storage\":" is_stored more "}"
#define COLUMN(path) \
    "\"additionalPrinterColumns\":[{\"name\":\"C\",\"type\":\"string\",\"" path "\":\".spec.c\"}]"

static const struct row {
    const char *from, *to_api_version, *to;
    bool is_one_way;
} rows[] = {
    {CORE_EVENT, "events.k8s.io/v1", NEW_EVENT, false},
    /* the default that the controller once took for granted comes into being in v2 */
    {HPA("v1") "\"metadata\":{\"name\":\"h\"}," REFERENCE "}," V1_STATUS, "autoscaling/v2",
     HPA("v2") "\"metadata\":{\"name\":\"h\"}," REFERENCE ",\"metrics\":[" CPU("80") "]}," V2_STATUS, true},
    {HPA("v1") "\"metadata\":{\"name\":\"h\"}," REFERENCE
               ",\"targetCPUUtilizationPercentage\":50}," V1_STATUS,
     "autoscaling/v2",
     HPA("v2") "\"metadata\":{\"name\":\"h\"}," REFERENCE ",\"metrics\":[" CPU("50") "]}," V2_STATUS, false},
    /* all else is in annotations, which are dropped once they are read */
    {HPA("v2") "\"metadata\":{\"name\":\"h\",\"annotations\":{\"a\":\"b\"}}," REFERENCE
               ",\"metrics\":[" PODS_V2 "," CPU(
                   "50") "],\"behavior\":{\"scaleDown\":{\"stabilizationWindowSeconds\":0,"
                         "\"policies\":[{\"type\":\"Pods\",\"value\":1,\"periodSeconds\":9}]}}}," V2_STATUS,
     "autoscaling/v1",
     HPA("v1") "\"metadata\":{\"name\":\"h\",\"annotations\":{\"a\":\"b\","
               "\"autoscaling.alpha.kubernetes.io/behavior\":\"{\\\"ScaleUp\\\":null,\\\"ScaleDown\\\":"
               "{\\\"StabilizationWindowSeconds\\\":0,\\\"SelectPolicy\\\":null,\\\"Policies\\\":[{"
               "\\\"Type\\\":"
               "\\\"Pods\\\",\\\"Value\\\":1,\\\"PeriodSeconds\\\":9}],\\\"Tolerance\\\":null}}\","
               "\"autoscaling.alpha.kubernetes.io/metrics\":\"[{\\\"type\\\":\\\"Pods\\\",\\\"pods\\\":{"
               "\\\"metricName\\\":\\\"q\\\",\\\"targetAverageValue\\\":\\\"5\\\"}}]\"}}," REFERENCE
               ",\"targetCPUUtilizationPercentage\":50}," V1_STATUS,
     false},
    {HPA("v1") "\"metadata\":{\"name\":\"h\",\"annotations\":{\"autoscaling.alpha.kubernetes.io/"
               "metrics\":\"[{\","
               "\"autoscaling.alpha.kubernetes.io/behavior\":\"[]\"}}," REFERENCE "}," V1_STATUS,
     "autoscaling/v2",
     HPA("v2") "\"metadata\":{\"name\":\"h\"}," REFERENCE ",\"metrics\":[" CPU("80") "]}," V2_STATUS, true},
    /* device requests are flat in v1beta1, devices nested */
    {CLAIM("v1beta1", ",\"deviceClassName\":\"g\",\"count\":2"), "resource.k8s.io/v1",
     CLAIM("v1", ",\"exactly\":{\"deviceClassName\":\"g\",\"count\":2}"), false},
    {CLAIM("v1beta1", ",\"deviceClassName\":\"\""), "resource.k8s.io/v1beta2", CLAIM("v1beta2", ""), false},
    {CLAIM("v1", ",\"exactly\":{\"deviceClassName\":\"\"}"), "resource.k8s.io/v1beta1",
     CLAIM("v1beta1", ",\"deviceClassName\":\"\""), true},
    {SLICE("v1", ",\"capacity\":{\"m\":{\"value\":\"1Gi\"}},\"allNodes\":false",
           "\"nodeName\":\"n\",\"allNodes\":false,"),
     "resource.k8s.io/v1beta1",
     SLICE("v1beta1", ",\"basic\":{\"capacity\":{\"m\":{\"value\":\"1Gi\"}},\"allNodes\":false}",
           "\"nodeName\":\"n\","),
     true},
    /* what v1beta1 says once holds for all versions of v1; its webhook is flat */
    {DEFINITION(
         "v1beta1",
         ",\"version\":\"a\",\"validation\":" ONE_SCHEMA
         ",\"subresources\":{\"status\":{}},\"versions\":[" DEFINED("a", "true", "") "," DEFINED(
             "b", "false",
             "") "]," COLUMN("JSONPath") ",\"selectableFields\":[{\"jsonPath\":\".spec.c\"}],\"conversion\":{"
                                         "\"strategy\":\"Webhook\",\"webhookClientConfig\":"
                                         "{\"url\":\"https://"
                                         "h\"},\"conversionReviewVersions\":[\"v1\"]},"
                                         "\"preserveUnknownFields\":false"),
     "apiextensions.k8s.io/v1",
#define SHARED                                                             \
    ",\"schema\":" ONE_SCHEMA ",\"subresources\":{\"status\":{}}," COLUMN( \
        "jsonPath") ",\"selectableFields\":[{\"jsonPath\":\".spec.c\"}]"
     DEFINITION("v1", ",\"versions\":[" DEFINED("a", "true", SHARED) "," DEFINED(
                          "b", "false", SHARED) "],\"conversion\":{\"strategy\":\"Webhook\",\"webhook\":{"
                                                "\"clientConfig\":{\"url\":\"https://h\"},"
                                                "\"conversionReviewVersions\":[\"v1\"]}}"),
     true},
    {DEFINITION("v1beta1", ",\"version\":\"a\",\"validation\":" ONE_SCHEMA), "apiextensions.k8s.io/v1",
     DEFINITION("v1", ",\"versions\":[" DEFINED("a", "true", ",\"schema\":" ONE_SCHEMA) "]"), true},
    {SLICE("v1", "", "\"nodeName\":\"n\","), "resource.k8s.io/v1beta1",
     SLICE("v1beta1", ",\"basic\":{}", "\"nodeName\":\"n\","), false},
};

static const struct schema_kind *kind_of(const struct value *v)
{
    const struct schema_kind *k =
        schema_kind_of(value_get_text(v, TEXT("apiVersion")), value_get_text(v, TEXT("kind")));
    ck_assert_ptr_nonnull(k);
    return k;
}

static void read_object(struct arena *a, struct text json, struct value *ret)
{
    struct status st = {0};
    ck_assert_msg(json_read(a, json, NULL, ret, &st) == 0, "%s", st.message);
    ck_assert_msg(schema_decode(a, kind_of(ret)->schema, ret, NULL, &st) == 0, "%s", st.message);
}

static void check_row(const char *from, const char *to)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer before = BUFFER_IN(a), after = BUFFER_IN(a), source = BUFFER_IN(a);
    struct value v, expect, got;
    read_object(a, text_of(from), &v);
    read_object(a, text_of(to), &expect);
    json_write(&before, &v);
    ck_assert_int_eq(schema_convert(a, kind_of(&v), kind_of(&expect), &v, &got, &st), 0);
    schema_encode(&after, kind_of(&expect)->schema, &got, NULL);
    ck_assert_str_eq(buffer_str(&after), to);
    json_write(&source, &v);
    ck_assert_str_eq(buffer_str(&source), buffer_str(&before)); /* untouched */
}

START_TEST(differing_members)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        check_row(rows[i].from, rows[i].to);
        if (!rows[i].is_one_way)
            check_row(rows[i].to, rows[i].from);
    }
}
END_TEST

/* From a served version to the stored one and back, with every field set. */
static bool check_resource(const struct resource_type *r)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer path = BUFFER_IN(a), json = BUFFER_IN(a), back = BUFFER_IN(a);
    struct text group = r->group.n ? r->group : TEXT("core");
    struct value v, stored, again;

    buffer_addf(&path, GOLDEN "%.*s.%.*s.%.*s.json", TEXT_ARG(group), TEXT_ARG(r->version),
                TEXT_ARG(r->kind->gvk.kind));
    if (file_read(buffer_str(&path), &json, &st) < 0)
        return false;
    read_object(a, buffer_text(&json), &v);
    const struct schema_kind *storage = r->storage->kind;
    ck_assert_int_eq(schema_convert(a, r->kind, storage, &v, &stored, &st), 0);
    ck_assert(text_eq(value_get_text(&stored, TEXT("apiVersion")), storage->api_version));
    ck_assert_int_eq(schema_convert(a, storage, r->kind, &stored, &again, &st), 0);
    json_write_pretty(&back, &again);
    if (text_is(r->name, "horizontalpodautoscalers")) /* loses the sample values of its annotations */
        return true;
    ck_assert_str_eq(buffer_str(&back), buffer_str(&json));
    return true;
}

START_TEST(stored_and_back)
{
    unsigned n = 0;
    if (!file_exists(GOLDEN "core.v1.Pod.json")) {
        printf("skipped: no golden objects in " GOLDEN "\n");
        return;
    }
    for (size_t i = 0; i < n_schema_resources; i++)
        if (schema_resources[i].storage != &schema_resources[i] && schema_resources[i].storage)
            n += check_resource(&schema_resources[i]);
    ck_assert_uint_ge(n, 15);
}
END_TEST

START_TEST(other_kinds_are_refused)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct value v = value_object(), ret;
    ck_assert_int_lt(schema_convert(a, schema_kind_of(TEXT("v1"), TEXT("Pod")),
                                    schema_kind_of(TEXT("v1"), TEXT("Secret")), &v, &ret, &st),
                     0);
    ck_assert_str_eq(st.message, "converting (v1.Pod) to (v1.Secret): unknown conversion");
}
END_TEST

UNIT_MAIN("convert", differing_members, stored_and_back, other_kinds_are_refused)
