/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding: the place of the resource version, and trees that were changed by hand. */
#include "unit.h"

#include "schema.h"

static struct arena *a;
static const struct schema *pod;

static struct value decoded(const char *json)
{
    struct status st = {0};
    struct value v;

    a = arena_new();
    pod = schema_kind_of(TEXT("v1"), TEXT("Pod"))->schema;
    ck_assert_int_eq(json_read(a, text_of(json), NULL, &v, &st), 0);
    ck_assert_int_eq(schema_decode(a, pod, &v, NULL, &st), 0);
    return v;
}

static void assert_version_fits(const char *json, const char *with_version)
{
    struct value v = decoded(json);
    struct buffer b = BUFFER_IN(a), whole = BUFFER_IN(a);
    size_t at;

    schema_encode(&b, pod, &v, &at);
    ck_assert_uint_ne(at, SIZE_MAX);
    buffer_add(&whole, text_first(buffer_text(&b), at));
    buffer_add_str(&whole, "\"resourceVersion\":\"42\",");
    buffer_add(&whole, text_from(buffer_text(&b), at));
    ck_assert_str_eq(buffer_str(&whole), with_version);
    arena_free(a);
}

START_TEST(version_has_its_place)
{
    assert_version_fits("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\",\"generation\":1}}",
                        "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"42\",\"generation\":1},"
                        "\"spec\":{\"containers\":null},\"status\":{}}");
    assert_version_fits("{\"metadata\":{\"uid\":\"u\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"}}",
                        "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"42\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},"
                        "\"spec\":{\"containers\":null},\"status\":{}}");
    assert_version_fits("{\"metadata\":{\"labels\":{\"a\":\"b\"}}}",
                        "{\"metadata\":{\"resourceVersion\":\"42\",\"labels\":{\"a\":\"b\"}},"
                        "\"spec\":{\"containers\":null},\"status\":{}}");
}
END_TEST

START_TEST(version_stays_when_nothing_follows)
{
    struct value v = decoded("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}");
    struct buffer b = BUFFER_IN(a);
    size_t at;

    schema_encode(&b, pod, &v, &at);
    ck_assert_uint_eq(at, SIZE_MAX);
    ck_assert_str_eq(buffer_str(&b), "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"},"
                                     "\"spec\":{\"containers\":null},\"status\":{}}");
    arena_free(a);
}
END_TEST

/* In the wrong order, with a container that lacks what JSON always has, an unsorted map, an empty list, a field that is not there. */
static struct value changed_by_hand(void)
{
    struct value v = decoded("{\"metadata\":{\"name\":\"a\",\"labels\":{\"k\":\"v\"}},\"spec\":{\"containers\":[],\"nodeName\":\"n\"}}");
    struct value container = value_object();
    struct value *spec = value_get(&v, TEXT("spec")), *labels = value_at(&v, "metadata", "labels", NULL);

    value_add(a, &container, TEXT("image"), value_string(TEXT("i")));
    value_add(a, &container, TEXT("name"), value_string(TEXT("c")));
    value_append(a, value_get(spec, TEXT("containers")), container);
    value_set(a, spec, TEXT("tolerations"), value_list());
    value_set(a, spec, TEXT("restartPolicy"), value_string(TEXT("Never")));
    value_set(a, labels, TEXT("a"), value_string(TEXT("b")));
    value_set(a, &v, TEXT("apiVersion"), value_string(TEXT("v1")));
    value_set(a, &v, TEXT("nonsense"), value_int(1));
    return v;
}

#define ARRANGED                                                                                                 \
    "{\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"labels\":{\"a\":\"b\",\"k\":\"v\"}},\"spec\":"        \
    "{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{}}],\"restartPolicy\":\"Never\","           \
    "\"nodeName\":\"n\"},\"status\":{}}"

START_TEST(hands_leave_no_trace)
{
    struct value v = changed_by_hand();
    struct buffer b = BUFFER_IN(a);

    schema_encode(&b, pod, &v, NULL);
    ck_assert_str_eq(buffer_str(&b), ARRANGED);
    arena_free(a);
}
END_TEST

START_TEST(arranging_makes_canonical)
{
    struct value v = changed_by_hand();
    struct buffer b = BUFFER_IN(a);

    schema_arrange(a, pod, &v);
    json_write(&b, &v);
    ck_assert_str_eq(buffer_str(&b), ARRANGED);
    for (uint32_t i = 0; i < v.n; i++)
        ck_assert(text_eq(pod->fields[v.members[i].field - 1].name, member_key(&v.members[i])));
    arena_free(a);
}
END_TEST

/* As a custom resource has them: names in alphabetical order, nothing in protobuf. */
START_TEST(types_made_at_run_time)
{
    a = arena_new();
    struct schema_field *fields = ARENA_ARRAY(a, struct schema_field, 400);
    struct schema s = {.name = TEXT("Widget"), .go_name = TEXT("v1.Widget"), .fields = fields, .n_fields = 400};
    struct status st = {0};
    struct value v;
    struct buffer b = BUFFER_IN(a);

    for (int i = 0; i < 400; i++) {
        fields[i].name = arena_textf(a, "field%03d", i);
        fields[i].type.kind = TYPE_INT64;
        fields[i].type.is_pointer = true;
    }
    schema_index(a, &s);
    for (int i = 0; i < 400; i++)
        ck_assert_ptr_eq(schema_field_of(&s, fields[i].name), &fields[i]);
    ck_assert_ptr_null(schema_field_of(&s, TEXT("field400")));
    ck_assert_int_eq(json_read(a, TEXT("{\"field399\":0,\"field007\":7,\"x\":1}"), NULL, &v, &st), 0);
    ck_assert_int_eq(schema_decode(a, &s, &v, NULL, &st), 0);
    schema_encode(&b, &s, &v, NULL);
    ck_assert_str_eq(buffer_str(&b), "{\"field007\":7,\"field399\":0}");
    arena_free(a);
}
END_TEST

UNIT_MAIN("encode", version_has_its_place, version_stays_when_nothing_follows, hands_leave_no_trace, arranging_makes_canonical,
          types_made_at_run_time)
