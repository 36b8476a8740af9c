/* SPDX-License-Identifier: Apache-2.0 */
/* Accept, Accept-Encoding and Content-Type: rows of header and outcome. */
#include "base.h"
#include "http.h"
#include "unit.h"

#define ALL (1u << MEDIA_JSON | 1u << MEDIA_YAML | 1u << MEDIA_PROTOBUF)
#define NO_PROTOBUF (1u << MEDIA_JSON | 1u << MEDIA_YAML)

START_TEST(accept_headers_are_negotiated)
{
    static const struct {
        const char *header;
        unsigned media_bits;
        bool transforms;
        int media; /* -1: 406 */
        int as;
        bool pretty, is_stream;
    } rows[] = {
        {"", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"*/*", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"*", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"application/*", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"application/json", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"application/json;pretty=1", ALL, true, MEDIA_JSON, AS_OBJECT, true, false},
        {"application/json;pretty=0", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"application/yaml", ALL, true, MEDIA_YAML, AS_OBJECT, false, false},
        {"application/vnd.kubernetes.protobuf", ALL, true, MEDIA_PROTOBUF, AS_OBJECT, false, false},
        {"application/vnd.kubernetes.protobuf", NO_PROTOBUF, true, -1, 0, false, false},
        {"application/vnd.kubernetes.protobuf,application/json", NO_PROTOBUF, true, MEDIA_JSON, AS_OBJECT,
         false, false},
        {"application/vnd.kubernetes.protobuf;stream=watch", ALL, true, MEDIA_PROTOBUF, AS_OBJECT, false,
         true},
        {"application/json;stream=watch", ALL, true, MEDIA_JSON, AS_OBJECT, false, true},
        {"application/yaml;stream=watch", ALL, true, -1, 0, false, false},
        {"application/json;stream=other", ALL, true, -1, 0, false, false},
        {"text/plain", ALL, true, -1, 0, false, false},
        {"text/plain, */*;q=0.1", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ALL, true, MEDIA_JSON, AS_OBJECT,
         false, false},
        {"application/json;q=0.5,application/yaml", ALL, true, MEDIA_YAML, AS_OBJECT, false, false},
        {"*/*,application/yaml", ALL, true, MEDIA_YAML, AS_OBJECT, false, false},
        {"application/cbor", ALL, true, -1, 0, false, false},
        {"application/cbor", ALL | 1u << MEDIA_CBOR, true, MEDIA_CBOR, AS_OBJECT, false, false},
        {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", ALL, true, MEDIA_JSON, AS_TABLE,
         false, false},
        {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", ALL, false, MEDIA_JSON, AS_OBJECT,
         false, false},
        {"application/json;as=Table;v=v1beta1;g=meta.k8s.io", ALL, true, MEDIA_JSON, AS_TABLE, false, false},
        {"application/json;as=Table;v=v2;g=meta.k8s.io", ALL, true, -1, 0, false, false},
        {"application/json;as=Table;v=v1;g=apps", ALL, true, -1, 0, false, false},
        {"application/json;as=Other;v=v1;g=meta.k8s.io", ALL, true, -1, 0, false, false},
        {"application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io, "
         "application/json;as=Table;v=v1;g=meta.k8s.io",
         ALL, true, MEDIA_JSON, AS_TABLE, false, false},
        {"application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", ALL, true,
         MEDIA_PROTOBUF, AS_PARTIAL, false, false},
        {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", ALL, true, MEDIA_JSON,
         AS_PARTIAL_LIST, false, false},
        {"application/json;as=Table", ALL, true, -1, 0, false, false},
        {"application/json;sv=v1", ALL, true, MEDIA_JSON, AS_OBJECT, false, false},
        {"application/json;sv=v2", ALL, true, -1, 0, false, false},
        {"nonsense", ALL, true, -1, 0, false, false},
        {"/,//,;,application/,a/b/c", ALL, true, -1, 0, false, false},
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct accepted got = {0};
        bool ok = negotiate_accept(a, text_of(rows[i].header), rows[i].media_bits, rows[i].transforms, &got);
        ck_assert_msg(ok == (rows[i].media >= 0), "row %zu (%s): %d", i, rows[i].header, ok);
        if (!ok)
            continue;
        ck_assert_msg((int)got.media == rows[i].media && (int)got.as == rows[i].as &&
                          got.pretty == rows[i].pretty && got.is_stream == rows[i].is_stream,
                      "row %zu (%s): media %d as %d pretty %d stream %d", i, rows[i].header, got.media,
                      got.as, got.pretty, got.is_stream);
    }
    arena_free(a);
}
END_TEST

START_TEST(gzip_is_taken_when_wanted)
{
    static const struct {
        const char *header;
        bool wanted;
    } rows[] = {
        {"gzip", true},
        {"", false},
        {"deflate", false},
        {"gzip, deflate, br", true},
        {"gzip;q=0", false},
        {"gzip;q=0.1", true},
        {"deflate, gzip;q=1.0", true},
        {"identity;q=1, *;q=0", false},
        {"GZIP", true},
        {"gzip2", false},
        {"br,gzip ; q=0.000", false},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ck_assert_msg(negotiate_gzip(text_of(rows[i].header)) == rows[i].wanted, "row %zu", i);
}
END_TEST

START_TEST(content_types_are_read_strictly)
{
    static const struct {
        const char *header;
        enum media_type wanted;
    } rows[] = {
        {"", MEDIA_JSON},
        {"application/json", MEDIA_JSON},
        {"Application/JSON; charset=utf-8", MEDIA_JSON},
        {"application/json;", MEDIA_JSON},
        {" application/yaml ", MEDIA_YAML},
        {"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
        {"application/cbor", MEDIA_CBOR},
        {"application/json; charset=\"a\\\"b\"", MEDIA_JSON},
        {"application/json; charset", MEDIA_OTHER},
        {"application/json; a=1; a=2", MEDIA_OTHER},
        {"application/json, text/plain", MEDIA_OTHER},
        {"application/json-patch+json", MEDIA_OTHER},
        {"application", MEDIA_OTHER},
        {"application/", MEDIA_OTHER},
        {"/json", MEDIA_OTHER},
        {"application/json; a=\"unclosed", MEDIA_OTHER},
        {"text/plain", MEDIA_OTHER},
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        enum media_type got = media_type_of(a, text_of(rows[i].header));
        ck_assert_msg(got == rows[i].wanted, "row %zu (%s): %d", i, rows[i].header, got);
    }
    struct media m;
    ck_assert(media_parse_one(a, TEXT("application/Apply-patch+yaml; Charset=\"UTF-8\""), &m));
    ck_assert(text_is(m.subtype, "apply-patch+yaml"));
    ck_assert(text_is(media_param(&m, "charset"), "UTF-8"));
    arena_free(a);
}
END_TEST

START_TEST(clauses_are_sorted_as_upstream_sorts_them)
{
    static const struct {
        const char *header, *order;
    } rows[] = {
        {"a/a,b/b", "a/a b/b"},
        {"a/a;q=0.1,b/b;q=0.9,c/c;q=0.5", "b/b c/c a/a"},
        {"*/*,a/*,a/b", "a/b a/* */*"},
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct media *m;
        size_t n = media_parse_accept(a, text_of(rows[i].header), &m);
        struct buffer b = BUFFER_IN(a);
        for (size_t j = 0; j < n; j++)
            buffer_addf(&b, "%s%.*s/%.*s", j ? " " : "", TEXT_ARG(m[j].type), TEXT_ARG(m[j].subtype));
        ck_assert_str_eq(buffer_str(&b), rows[i].order);
    }
    arena_free(a);
}
END_TEST

UNIT_MAIN("negotiate", accept_headers_are_negotiated, gzip_is_taken_when_wanted,
          content_types_are_read_strictly, clauses_are_sorted_as_upstream_sorts_them)
