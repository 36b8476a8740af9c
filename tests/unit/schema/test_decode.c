/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding: rows of input and the canonical JSON, or the error, that comes of it. Source of the words: sigs.k8s.io/json and the
 * UnmarshalJSON methods of apimachinery. */
#include "unit.h"

#include "schema.h"

struct row {
    const char *api_version, *kind, *in;
    const char *out;     /* NULL: fails */
    const char *problem; /* the error, or the unknown paths joined by blanks; NULL: none */
};

#define POD "v1", "Pod"
#define CONFIG_MAP "v1", "ConfigMap"
#define SECRET "v1", "Secret"
#define CRD "apiextensions.k8s.io/v1", "CustomResourceDefinition"

static const struct row rows[] = {
    /* what is always there, what is left out */
    {POD, "{}", "{\"metadata\":{},\"spec\":{\"containers\":null},\"status\":{}}"},
    {POD, "null", "{\"metadata\":{},\"spec\":{\"containers\":null},\"status\":{}}"},
    {POD, "{\"status\":null,\"spec\":{\"containers\":[],\"nodeName\":\"\",\"hostNetwork\":false,\"volumes\":[]},\"metadata\":{\"labels\":{}}}",
     "{\"metadata\":{},\"spec\":{\"containers\":[]},\"status\":{}}"},
    {POD, "{\"spec\":{\"containers\":[{}],\"priority\":0,\"securityContext\":{}}}",
     "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"\",\"resources\":{}}],\"securityContext\":{},\"priority\":0},\"status\":{}}"},
    {"v1", "Service", "{\"spec\":{\"ports\":[{\"port\":80}]}}",
     "{\"metadata\":{},\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":0}]},\"status\":{\"loadBalancer\":{}}}"},
    /* order of members, of maps */
    {POD, "{\"spec\":{\"nodeName\":\"n\",\"containers\":[]},\"metadata\":{\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"name\":\"x\"},\"kind\":\"Pod\"}",
     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\",\"b\":\"2\"}},\"spec\":{\"containers\":[],\"nodeName\":\"n\"},\"status\":{}}"},
    /* null among values */
    {CONFIG_MAP, "{\"data\":{\"a\":null}}", "{\"metadata\":{},\"data\":{\"a\":\"\"}}"},
    {POD, "{\"metadata\":{\"finalizers\":[null,\"x\"]}}",
     "{\"metadata\":{\"finalizers\":[\"\",\"x\"]},\"spec\":{\"containers\":null},\"status\":{}}"},
    {SECRET, "{\"data\":{\"a\":null}}", "{\"metadata\":{},\"data\":{\"a\":null}}"},
    /* scalars in their canonical form */
    {POD, "{\"metadata\":{\"creationTimestamp\":\"2026-01-02T03:04:05+02:00\"}}",
     "{\"metadata\":{\"creationTimestamp\":\"2026-01-02T01:04:05Z\"},\"spec\":{\"containers\":null},\"status\":{}}"},
    {POD, "{\"metadata\":{\"creationTimestamp\":\"0001-01-01T00:00:00Z\"}}",
     "{\"metadata\":{},\"spec\":{\"containers\":null},\"status\":{}}"},
    {"coordination.k8s.io/v1", "Lease", "{\"spec\":{\"renewTime\":\"2026-01-02T03:04:05Z\"}}",
     "{\"metadata\":{},\"spec\":{\"renewTime\":\"2026-01-02T03:04:05.000000Z\"}}"},
    {"v1", "ResourceQuota", "{\"spec\":{\"hard\":{\"memory\":\"1024Mi\",\"cpu\":1.5,\"pods\":\"1000\"}}}",
     "{\"metadata\":{},\"spec\":{\"hard\":{\"cpu\":\"1500m\",\"memory\":\"1Gi\",\"pods\":\"1k\"}},\"status\":{}}"},
    {SECRET, "{\"data\":{\"a\":\"aGVs\\nbG8=\"}}", "{\"metadata\":{},\"data\":{\"a\":\"aGVsbG8=\"}}"},
    {"v1", "ResourceQuota", "{\"spec\":{\"hard\":{\"pods\":null}}}",
     "{\"metadata\":{},\"spec\":{\"hard\":{\"pods\":\"0\"}},\"status\":{}}"},
    /* unknown fields; case matters */
    {POD, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"foo\":1}],\"NodeName\":\"n\"},\"bar\":{\"x\":1}}",
     "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{}}]},\"status\":{}}",
     "spec.containers[0].foo spec.NodeName bar"},
    /* wrong types */
    {POD, "{\"metadata\":{\"name\":1}}", NULL,
     "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string"},
    {POD, "{\"metadata\":{\"labels\":{\"a\":1}}}", NULL,
     "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"},
    {POD, "{\"metadata\":{\"labels\":[]}}", NULL,
     "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string"},
    {POD, "{\"metadata\":{\"uid\":1}}", NULL,
     "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.uid of type types.UID"},
    {POD, "{\"spec\":{\"containers\":\"x\"}}", NULL,
     "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container"},
    {POD, "{\"spec\":{\"containers\":[\"x\"]}}", NULL,
     "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container"},
    {POD, "{\"spec\":{\"containers\":[{\"name\":{}}]}}", NULL,
     "json: cannot unmarshal object into Go struct field Container.spec.containers.name of type string"},
    {POD, "{\"spec\":{\"restartPolicy\":true}}", NULL,
     "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy"},
    {POD, "{\"spec\":{\"priority\":\"1\"}}", NULL,
     "json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32"},
    {POD, "{\"spec\":{\"priority\":3000000000}}", NULL,
     "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32"},
    {POD, "{\"spec\":{\"activeDeadlineSeconds\":1.5}}", NULL,
     "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64"},
    {POD, "{\"spec\":1}", NULL, "json: cannot unmarshal number into Go struct field Pod.spec of type v1.PodSpec"},
    {POD, "[]", NULL, "json: cannot unmarshal array into Go value of type v1.Pod"},
    {POD, "{\"metadata\":{\"creationTimestamp\":5}}", NULL,
     "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string"},
    /* the first wrong type is told, but a text that cannot be read goes before it */
    {POD, "{\"kind\":1,\"apiVersion\":2}", NULL, "json: cannot unmarshal number into Go struct field Pod.kind of type string"},
    {POD, "{\"kind\":1,\"metadata\":{\"creationTimestamp\":\"x\"}}", NULL,
     "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""},
    {POD, "{\"metadata\":{\"creationTimestamp\":\"2026-13-02T03:04:05Z\"}}", NULL,
     "parsing time \"2026-13-02T03:04:05Z\": month out of range"},
    {POD, "{\"metadata\":{\"creationTimestamp\":\"2026-02-30T03:04:05Z\"}}", NULL,
     "parsing time \"2026-02-30T03:04:05Z\": day out of range"},
    {POD, "{\"metadata\":{\"creationTimestamp\":\"2026-02-03 03:04:05Z\"}}", NULL,
     "parsing time \"2026-02-03 03:04:05Z\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \" 03:04:05Z\" as \"T\""},
    {"v1", "ResourceQuota", "{\"spec\":{\"hard\":{\"cpu\":\"1x\"}}}", NULL,
     "quantities must match the regular expression"},
    {SECRET, "{\"data\":{\"a\":\"aGVsbG8\"}}", NULL, "illegal base64 data at input byte 4"},
    {SECRET, "{\"data\":{\"a\":\"a*==\"}}", NULL, "illegal base64 data at input byte 1"},
    /* types with two faces, raw values */
    {CRD, "{\"spec\":{\"versions\":[{\"schema\":{\"openAPIV3Schema\":{\"additionalProperties\":true,\"items\":{\"type\":\"string\"},"
          "\"default\":{\"b\":1,\"a\":null},\"example\":null}}}]}}",
     "{\"metadata\":{},\"spec\":{\"group\":\"\",\"names\":{\"plural\":\"\",\"kind\":\"\"},\"scope\":\"\",\"versions\":[{\"name\":\"\","
     "\"served\":false,\"storage\":false,\"schema\":{\"openAPIV3Schema\":{\"default\":{\"b\":1,\"a\":null},\"items\":{\"type\":\"string\"},"
     "\"additionalProperties\":true}}}]},\"status\":{\"conditions\":null,\"acceptedNames\":{\"plural\":\"\",\"kind\":\"\"},"
     "\"storedVersions\":null}}"},
    {CRD, "{\"spec\":{\"versions\":[{\"schema\":{\"openAPIV3Schema\":{\"additionalProperties\":1}}}]}}", NULL,
     "boolean or JSON schema expected"},
    {"apps/v1", "ControllerRevision", "{\"data\":{\"z\":1,\"a\":[null]},\"revision\":1}",
     "{\"metadata\":{},\"data\":{\"z\":1,\"a\":[null]},\"revision\":1}"},
};

static struct text joined(struct arena *a, const struct text_list *list)
{
    struct buffer b = BUFFER_IN(a);
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buffer_add_char(&b, ' ');
        buffer_add(&b, list->p[i]);
    }
    return buffer_text(&b);
}

START_TEST(rows_decode_as_upstream)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct row *r = &rows[i];
        CLEANUP(arena_freep) struct arena *a = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct decode_notes notes = {0};
        struct buffer out = BUFFER_IN(a);
        struct value v;
        const struct schema_kind *k = schema_kind_of(text_of(r->api_version), text_of(r->kind));

        ck_assert_msg(json_read(a, text_of(r->in), NULL, &v, &st) == 0, "%s: %s", r->in, st.message);
        int ret = schema_decode(a, k->schema, &v, &notes, &st);
        if (!r->out) {
            ck_assert_msg(ret == -1 && st.reason == STATUS_BAD_REQUEST, "%s: no error", r->in);
            ck_assert_msg(strstr(st.message, r->problem), "%s:\nwant %s\ngot  %s", r->in, r->problem, st.message);
            continue;
        }
        ck_assert_msg(ret == 0, "%s: %s", r->in, st.message);
        json_write(&out, &v);
        ck_assert_msg(text_is(buffer_text(&out), r->out), "%s:\nwant %s\ngot  %s", r->in, r->out, buffer_str(&out));
        struct text unknown = joined(a, &notes.unknown);
        ck_assert_msg(text_is(unknown, r->problem ? r->problem : ""), "%s: unknown %.*s", r->in, TEXT_ARG(unknown));
    }
}
END_TEST

START_TEST(unknown_fields_are_noted_a_hundred_times)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct status st = {0};
    struct decode_notes notes = {0};
    struct buffer in = BUFFER_IN(a);
    struct value v;

    buffer_add_char(&in, '{');
    for (int i = 0; i < 150; i++)
        buffer_addf(&in, "%s\"x%d\":1", i ? "," : "", i);
    buffer_add_char(&in, '}');
    ck_assert_int_eq(json_read(a, buffer_text(&in), NULL, &v, &st), 0);
    ck_assert_int_eq(schema_decode(a, schema_kind_of(TEXT("v1"), TEXT("Pod"))->schema, &v, &notes, &st), 0);
    ck_assert_uint_eq(notes.unknown.n, 100);
}
END_TEST

UNIT_MAIN("decode", rows_decode_as_upstream, unknown_fields_are_noted_a_hundred_times)
