/* SPDX-License-Identifier: Apache-2.0 */
/* Upstream's golden objects, each as JSON and as protobuf, must turn into each other byte for byte; and
 * messages that are cut, changed or unusual must be refused or read as upstream reads them. */
#include "schema.h"

#include <glob.h>
#include <stdio.h>
#include <time.h>

#include "unit.h"

#define GOLDEN "../shared/facts/golden/"

static struct text read_whole(struct arena *a, const char *path)
{
    struct buffer b = BUFFER_IN(a);
    struct status st = {0};
    ck_assert_msg(file_read(path, &b, &st) == 0, "%s", st.message);
    return buffer_text(&b);
}

/* "core.v1.WatchEvent.json": the file's name says it too, and a type without type meta has an empty envelope. */
static const struct schema_kind *golden_kind(const char *json_path)
{
    struct text name = text_of(strrchr(json_path, '/') + 1), part[8];
    size_t n = 0;
    while (n < N_ELEMENTS(part) && text_split(&name, '.', &part[n]))
        n++;
    ck_assert_uint_ge(n, 4); /* group, version, kind, json; the group may have dots */
    struct text group = {part[0].p, (size_t)(part[n - 4].p + part[n - 4].n - part[0].p)};
    if (text_is(group, "core"))
        group = TEXT("");
    return schema_kind_find((struct gvk){group, part[n - 3], part[n - 2]});
}

static void check_pair(const char *json_path, unsigned *n_checked)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer pb_path = BUFFER_IN(a), out = BUFFER_IN(a);
    struct value from_pb, from_json;

    buffer_add_bytes(&pb_path, json_path, strlen(json_path) - strlen("json"));
    buffer_add_str(&pb_path, "pb");
    struct text json = read_whole(a, json_path), pb = read_whole(a, buffer_str(&pb_path));
    const struct schema_kind *kind = golden_kind(json_path);
    ck_assert_msg(kind != NULL, "%s is of no kind here", json_path);
    ck_assert_msg(schema_protobuf_read(a, kind->schema, pb, &from_pb, &st) == 0, "%s: %s", json_path,
                  st.message);
    json_write_pretty(&out, &from_pb);
    ck_assert_msg(text_eq(buffer_text(&out), json), "%s from protobuf:\n%s", json_path, buffer_str(&out));

    buffer_clear(&out);
    schema_protobuf_write(&out, kind->schema, &from_pb);
    ck_assert_msg(text_eq(buffer_text(&out), pb), "%s: protobuf again", json_path);

    ck_assert(json_read(a, json, NULL, &from_json, &st) == 0);
    buffer_clear(&out);
    schema_protobuf_write(&out, kind->schema, &from_json);
    ck_assert_msg(text_eq(buffer_text(&out), pb), "%s: protobuf of an object that has no field indexes",
                  json_path);

    ck_assert_msg(schema_decode(a, kind->schema, &from_json, NULL, &st) == 0, "%s: %s", json_path,
                  st.message);
    buffer_clear(&out);
    schema_protobuf_write(&out, kind->schema, &from_json);
    ck_assert_msg(text_eq(buffer_text(&out), pb), "%s: protobuf of the decoded object", json_path);
    ++*n_checked;
}

START_TEST(golden_objects)
{
    glob_t found;
    unsigned n_checked = 0;
    if (glob(GOLDEN "*.json", 0, NULL, &found) != 0) {
        printf("skipped: no golden objects in " GOLDEN "\n");
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_pair(found.gl_pathv[i], &n_checked);
    globfree(&found);
    ck_assert_uint_ge(n_checked, 180);
}
END_TEST

static const struct schema *schema_of(const char *api_version, const char *kind)
{
    const struct schema_kind *k = schema_kind_of(text_of(api_version), text_of(kind));
    ck_assert_ptr_nonnull(k);
    return k->schema;
}

/* The message, given as JSON, must become the expected JSON, without envelope. */
struct row {
    const char *api_version, *kind, *message;
    size_t n;
    const char *json; /* or the error, after "!" */
};
#define MESSAGE(literal) literal, sizeof(literal) - 1
#define META "\"metadata\":{\"name\":\"a\"}"

static const struct row rows[] = {
    {"v1", "ConfigMap", MESSAGE(""), "{\"metadata\":{}}"},
    {"v1", "ConfigMap",
     MESSAGE("\x0a\x03\x0a\x01"
             "a"),
     "{" META "}"},
    /* map entries without a key or a value, out of order, twice */
    {"v1", "ConfigMap",
     MESSAGE("\x12\x06\x0a\x01"
             "b\x12\x01"
             "1\x12\x00\x12\x03\x0a\x01"
             "a\x12\x06\x0a\x01"
             "b\x12\x01"
             "2"),
     "{\"metadata\":{},\"data\":{\"\":\"\",\"a\":\"\",\"b\":\"2\"}}"},
    /* bytes; unknown numbers of every wire type are skipped */
    {"v1", "Secret",
     MESSAGE("\x12\x07\x0a\x01k\x12\x02hi\xa0\x06\x01\xa1\x06"
             "12345678\xa2\x06\x01z\xa3\x06\x08\x01\xa4\x06\xa5\x06"
             "1234"),
     "{\"metadata\":{},\"data\":{\"k\":\"aGk=\"}}"},
    /* what is never left out; times to the second and to the microsecond, before 1970 too, and zero */
    {"v1", "Event", MESSAGE(""),
     "{\"metadata\":{},\"involvedObject\":{},\"source\":{},\"firstTimestamp\":null,\"lastTimestamp\":null,"
     "\"eventTime\":null,\"reportingComponent\":\"\",\"reportingInstance\":\"\"}"},
    {"v1", "Event",
     MESSAGE("\x32\x04\x08\x01\x10\x05\x52\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x05"),
     "{\"metadata\":{},\"involvedObject\":{},\"source\":{},\"firstTimestamp\":\"1970-01-01T00:00:01Z\","
     "\"lastTimestamp\":null,\"eventTime\":\"1969-12-31T23:59:59.000000Z\",\"reportingComponent\":\"\","
     "\"reportingInstance\":\"\"}"},
    {"v1", "Event", MESSAGE("\x32\x07\x08\xff\xff\xff\xff\xff\x7f"),
     "!Time.MarshalJSON: year outside of range"},
    /* pointers count when they are there, though what they point to is zero */
    {"apps/v1", "Deployment", MESSAGE("\x12\x02\x08\x00"),
     "{\"metadata\":{},\"spec\":{\"replicas\":0,\"selector\":null,\"template\":{\"metadata\":{},\"spec\":"
     "{\"containers\":null}},\"strategy\":{}},\"status\":{}}"},
    /* quantities take their canonical form */
    {"v1", "LimitRange",
     MESSAGE("\x12\x18\x0a\x16\x0a\x03Pod\x12\x0f\x0a\x03"
             "cpu\x12\x08\x0a\x06"
             "0.5000"),
     "{\"metadata\":{},\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":\"500m\"}}]}}"},
    {"v1", "LimitRange",
     MESSAGE("\x12\x0e\x0a\x0c\x12\x0a\x0a\x03"
             "cpu\x12\x03\x0a\x01x"),
     "!quantities must match the regular expression"},
    {"v1", "ConfigMap", MESSAGE("\x08\x01"), "!proto: wrong wireType = 0 for field metadata"},
    {"v1", "ConfigMap", MESSAGE("\x0a"), "!unexpected EOF"},
    {"v1", "ConfigMap", MESSAGE("\x0a\x05"), "!unexpected EOF"},
    {"v1", "ConfigMap", MESSAGE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "!proto: negative length"},
    {"v1", "ConfigMap", MESSAGE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "!proto: integer overflow"},
    {"v1", "ConfigMap", MESSAGE("\x00"), "!proto: ConfigMap: illegal tag 0 (wire type 0)"},
    {"v1", "ConfigMap", MESSAGE("\x0c"), "!proto: ConfigMap: wiretype end group for non-group"},
    {"v1", "ConfigMap", MESSAGE("\x0e"), "!proto: wrong wireType"},
    {"v1", "ConfigMap", MESSAGE("\xa6\x06"), "!proto: illegal wireType 6"},
    {"v1", "ConfigMap", MESSAGE("\x0a\x03\x0a\x01\xff"), "!proto: invalid UTF-8 string"},
};

START_TEST(unusual_messages)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct buffer out = BUFFER_IN(a);
        struct value v;
        const struct schema *s = schema_of(rows[i].api_version, rows[i].kind);
        int rc = schema_protobuf_decode(a, s, (struct text){rows[i].message, rows[i].n}, &v, &st);
        if (rows[i].json[0] == '!') {
            ck_assert_msg(rc < 0, "row %zu was read", i);
            ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
            ck_assert_msg(strncmp(st.message, rows[i].json + 1, strlen(rows[i].json + 1)) == 0, "row %zu: %s",
                          i, st.message);
            continue;
        }
        ck_assert_msg(rc == 0, "row %zu: %s", i, st.message);
        json_write(&out, &v);
        ck_assert_str_eq(buffer_str(&out), rows[i].json);
        /* The tree is the one that decoding this JSON gives, absent fields and all. */
        struct value again;
        struct buffer first = BUFFER_IN(a), second = BUFFER_IN(a);
        ck_assert(json_read(a, text_of(rows[i].json), NULL, &again, &st) == 0);
        ck_assert_msg(schema_decode(a, s, &again, NULL, &st) == 0, "row %zu: %s", i, st.message);
        schema_protobuf_encode(&first, s, &v);
        schema_protobuf_encode(&second, s, &again);
        ck_assert_msg(value_equal(&v, &again), "row %zu: another tree", i);
        ck_assert_msg(text_eq(buffer_text(&first), buffer_text(&second)), "row %zu: another message", i);
    }
}
END_TEST

START_TEST(int_or_string)
{
    static const struct {
        struct text message;
        const char *json;
    } values[] = {
        {{MESSAGE("")}, "0"},
        {{MESSAGE("\x08\x00\x10\x50\x1a\x00")}, "80"},
        {{MESSAGE("\x08\x01\x10\x00\x1a\x04http")}, "\"http\""},
        {{MESSAGE("\x08\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00")}, "-1"},
        {{MESSAGE("\x08\x02")}, NULL},
    };
    const struct schema *s = schema_find(TEXT("io.k8s.api.core.v1.TCPSocketAction"));
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct buffer in = BUFFER_IN(a), out = BUFFER_IN(a);
        struct value v;
        protobuf_field_bytes(&in, 1, values[i].message);
        int rc = schema_protobuf_decode(a, s, buffer_text(&in), &v, &st);
        ck_assert_msg((rc == 0) == (values[i].json != NULL), "row %zu", i);
        if (rc < 0)
            continue;
        json_write(&out, value_get(&v, TEXT("port")));
        ck_assert_str_eq(buffer_str(&out), values[i].json);
    }
}
END_TEST

START_TEST(deep_messages_are_refused)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct schema *s =
        schema_find(TEXT("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"));
    ck_assert_ptr_nonnull(s);
    struct text inner = TEXT("");
    struct value v;
    for (int i = 0; i < 5000; i++) { /* not: {not: {not: ...}} */
        struct buffer b = BUFFER_IN(a);
        protobuf_field_bytes(&b, schema_field_of(s, TEXT("not"))->number, inner);
        inner = buffer_text(&b);
        if (i == 500)
            ck_assert_msg(schema_protobuf_decode(a, s, inner, &v, &st) == 0, "%s", st.message);
    }
    ck_assert_int_lt(schema_protobuf_decode(a, s, inner, &v, &st), 0);
    ck_assert_str_eq(st.message, "proto: message is nested too deeply");
}
END_TEST

START_TEST(envelopes)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);
    struct text api_version, kind, message;
    protobuf_envelope(&b, TEXT("apps/v1"), TEXT("Deployment"), TEXT("bytes"));
    ck_assert(text_eq(buffer_text(&b), (struct text){MESSAGE("k8s\0\x0a\x15\x0a\x07"
                                                             "apps/v1\x12\x0a"
                                                             "Deployment\x12\x05"
                                                             "bytes\x1a\x00\x22\x00")}));
    ck_assert(protobuf_is_envelope(buffer_text(&b)));
    ck_assert_int_eq(protobuf_open(buffer_text(&b), &api_version, &kind, &message, &st), 0);
    ck_assert(text_is(api_version, "apps/v1") && text_is(kind, "Deployment") && text_is(message, "bytes"));
    ck_assert_int_lt(protobuf_open(TEXT("{}"), &api_version, &kind, &message, &st), 0);
    for (size_t n = 4; n < b.n - 4;
         n++) /* cut anywhere inside a field, it is no envelope or an emptier one */
        if (protobuf_open(text_first(buffer_text(&b), n), &api_version, &kind, &message, &st) == 0)
            ck_assert_msg(message.n == 0 || message.n == 5, "cut at %zu", n);
}
END_TEST

/* Every prefix of a whole pod is read or refused, never overrun: the sanitizers watch. */
START_TEST(cut_messages)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    if (!file_exists(GOLDEN "core.v1.Pod.pb")) {
        printf("skipped: no golden objects in " GOLDEN "\n");
        return;
    }
    struct text pb = read_whole(a, GOLDEN "core.v1.Pod.pb");
    const struct schema *s = schema_of("v1", "Pod");
    for (size_t n = 0; n < pb.n; n++) {
        CLEANUP(arena_freep) struct arena *scratch = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct text cut = arena_text(scratch, text_first(pb, n));
        struct value v;
        schema_protobuf_read(scratch, s, cut, &v, &st);
    }
}
END_TEST

UNIT_MAIN("protobuf", golden_objects, unusual_messages, int_or_string, deep_messages_are_refused, envelopes,
          cut_messages)
