/* SPDX-License-Identifier: Apache-2.0 */
/* Large lists in gzip: joined out of shared leaves they must inflate to what a plain list is. */
#include <zlib.h>

#include "fixture.h"

static struct text inflated(struct fixture *f, struct text in)
{
    z_stream z = {.next_in = (Bytef *)in.p, .avail_in = (uInt)in.n};
    struct buffer out = BUFFER_IN(f->a);
    int err;

    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    do {
        z.next_out = (Bytef *)buffer_room(&out, 65536);
        z.avail_out = 65536;
        err = inflate(&z, Z_NO_FLUSH);
        out.n += 65536 - z.avail_out;
    } while (err == Z_OK);
    ck_assert_int_eq(err, Z_STREAM_END);
    ck_assert_uint_eq(z.avail_in, 0);
    inflateEnd(&z);
    return buffer_text(&out);
}

static void fill(struct fixture *f, const char *namespace, int n)
{
    ck_code(post(f, "/api/v1/namespaces", arena_printf(f->a, "{\"metadata\":{\"name\":\"%s\"}}", namespace)),
            201);
    for (int i = 0; i < n; i++) {
        struct buffer b = BUFFER_IN(f->a);
        buffer_addf(&b, "{\"metadata\":{\"name\":\"c%03d\",\"annotations\":{\"note\":\"%01000d\"}},\"data\":{\"k\":\"", i,
                    i);
        for (int k = 0; k < 100; k++)
            buffer_addf(&b, "%d words of no great value, ", i * k);
        buffer_add_str(&b, "\"}}");
        ck_code(post(f, arena_printf(f->a, "/api/v1/namespaces/%s/configmaps", namespace), buffer_str(&b)),
                201);
    }
}

static void compare_as(struct fixture *f, const char *path, const char *accept)
{
    struct reply plain = call(f, "GET", path, accept, NULL);
    struct reply small = call(f, "GET", path, arena_printf(f->a, "%sAccept-Encoding: gzip\r\n", accept), NULL);

    ck_code(plain, 200);
    ck_code(small, 200);
    ck_assert(!reply_header(&plain, "Content-Encoding").p);
    ck_assert(text_is(reply_header(&small, "Content-Encoding"), "gzip"));
    ck_assert(text_is(reply_header(&small, "Vary"), "Accept-Encoding"));
    ck_assert_uint_lt(small.body.n, plain.body.n / 2);
    ck_assert(text_eq(inflated(f, small.body), plain.body));
}

static void compare(struct fixture *f, const char *path)
{
    compare_as(f, path, "");
}

static void compare_forms(struct fixture *f, const char *path)
{
    compare_as(f, path, "Accept: application/vnd.kubernetes.protobuf\r\n");
    compare_as(f, path, "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n");
    compare_as(f, path,
               "Accept: application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n");
}

START_TEST(whole_lists)
{
    struct fixture f;

    fixture_start(&f);
    fill(&f, "a", 90);
    fill(&f, "b", 150);
    fill(&f, "c", 90);
    compare(&f, "/api/v1/configmaps");
    compare(&f, "/api/v1/configmaps"); /* out of the leaves that the first one made */
    compare_forms(&f, "/api/v1/configmaps");
    compare_forms(&f, "/api/v1/namespaces/b/configmaps");
    compare(&f, "/api/v1/namespaces/b/configmaps");
    ck_code(call(&f, "DELETE", "/api/v1/namespaces/b/configmaps/c070", "", NULL), 200);
    compare(&f, "/api/v1/namespaces/b/configmaps");
    compare(&f, "/api/v1/configmaps");
    fixture_stop(&f);
}
END_TEST

START_TEST(other_lists)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    fill(&f, "a", 200);
    compare(&f, "/api/v1/configmaps?limit=190");
    compare(&f, "/api/v1/configmaps?fieldSelector=metadata.namespace%3Da");
    compare(&f, "/api/v1/configmaps?pretty=true");
    r = call(&f, "GET", "/api/v1/configmaps?limit=2", "Accept-Encoding: gzip\r\n", NULL);
    ck_assert(!reply_header(&r, "Content-Encoding").p);

    struct reply plain =
        call(&f, "GET", "/api/v1/configmaps", "Accept: application/vnd.kubernetes.protobuf\r\n", NULL);
    r = call(&f, "GET", "/api/v1/configmaps",
             "Accept: application/vnd.kubernetes.protobuf\r\nAccept-Encoding: gzip\r\n", NULL);
    ck_assert(text_is(reply_header(&r, "Content-Encoding"), "gzip"));
    ck_assert(text_eq(inflated(&f, r.body), plain.body));
    fixture_stop(&f);
}
END_TEST

UNIT_MAIN("endpoints/list_gzip", whole_lists, other_lists)
