/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to verbs and resources, queries, and what a handler sets of a response. */
#include "base.h"
#include "http.h"
#include "unit.h"

/* Rows with a "*" are those of kubernetes/apiserver pkg/endpoints/request/requestinfo_test.go. */
static const struct info_row {
    const char *method, *target;
    bool is_resource;
    const char *verb, *prefix, *group, *version, *ns, *resource, *subresource, *name, *parts;
} info_rows[] = {
    /* * resource paths */
    {"GET", "/api/v1/namespaces", true, "list", "api", "", "v1", "", "namespaces", "", "", "namespaces"},
    {"GET", "/api/v1/namespaces/other", true, "get", "api", "", "v1", "other", "namespaces", "", "other",
     "namespaces|other"},
    {"GET", "/api/v1/namespaces/other/pods", true, "list", "api", "", "v1", "other", "pods", "", "", "pods"},
    {"GET", "/api/v1/namespaces/other/pods/foo", true, "get", "api", "", "v1", "other", "pods", "", "foo",
     "pods|foo"},
    {"HEAD", "/api/v1/namespaces/other/pods/foo", true, "get", "api", "", "v1", "other", "pods", "", "foo",
     "pods|foo"},
    {"GET", "/api/v1/pods", true, "list", "api", "", "v1", "", "pods", "", "", "pods"},
    {"HEAD", "/api/v1/pods", true, "list", "api", "", "v1", "", "pods", "", "", "pods"},
    /* * special verbs */
    {"GET", "/api/v1/proxy/namespaces/other/pods/foo", true, "proxy", "api", "", "v1", "other", "pods", "",
     "foo", "pods|foo"},
    {"GET", "/api/v1/proxy/namespaces/other/pods/foo/subpath/not/a/subresource", true, "proxy", "api", "",
     "v1", "other", "pods", "", "foo", "pods|foo|subpath|not|a|subresource"},
    {"GET", "/api/v1/watch/pods", true, "watch", "api", "", "v1", "", "pods", "", "", "pods"},
    {"GET", "/api/v1/pods?watch=true", true, "watch", "api", "", "v1", "", "pods", "", "", "pods"},
    {"GET", "/api/v1/pods?watch=false", true, "list", "api", "", "v1", "", "pods", "", "", "pods"},
    {"GET", "/api/v1/watch/namespaces/other/pods", true, "watch", "api", "", "v1", "other", "pods", "", "",
     "pods"},
    {"GET", "/api/v1/namespaces/other/pods?watch=1", true, "watch", "api", "", "v1", "other", "pods", "", "",
     "pods"},
    {"GET", "/api/v1/namespaces/other/pods?watch=0", true, "list", "api", "", "v1", "other", "pods", "", "",
     "pods"},
    {"GET", "/api/v1/pods?watch", true, "watch", "api", "", "v1", "", "pods", "", "", "pods"},
    {"GET", "/api/v1/watch", true, "get", "api", "", "v1", "", "", "", "", ""},
    /* * fieldSelector */
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", true, "list", "api", "", "v1", "", "pods", "",
     "foo", "pods"},
    {"GET", "/api/v1/pods?watch=1&fieldSelector=metadata.name==foo,spec.x%3D1", true, "watch", "api", "",
     "v1", "", "pods", "", "foo", "pods"},
    {"DELETE", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", true, "deletecollection", "api", "", "v1",
     "", "pods", "", "", "pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name!=foo", true, "list", "api", "", "v1", "", "pods", "",
     "", "pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Da/b", true, "list", "api", "", "v1", "", "pods", "",
     "", "pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3D..", true, "list", "api", "", "v1", "", "pods", "",
     "", "pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo&limit=x", true, "list", "api", "", "v1", "",
     "pods", "", "", "pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo,bad", true, "list", "api", "", "v1", "", "pods",
     "", "", "pods"},
    {"GET", "/api/v1/pods?fieldSelector=spec.a%3Dx%5C%2Cy,metadata.name%3Da%5C%3Db", true, "list", "api", "",
     "v1", "", "pods", "", "a=b", "pods"},
    /* * subresources */
    {"GET", "/api/v1/namespaces/other/pods/foo/status", true, "get", "api", "", "v1", "other", "pods",
     "status", "foo", "pods|foo|status"},
    {"GET", "/api/v1/namespaces/foo/finalize", true, "get", "api", "", "v1", "foo", "namespaces", "finalize",
     "foo", "namespaces|foo|finalize"},
    {"PUT", "/api/v1/namespaces/foo/status", true, "update", "api", "", "v1", "foo", "namespaces", "status",
     "foo", "namespaces|foo|status"},
    {"PUT", "/api/v1/namespaces/other/finalize", true, "update", "api", "", "v1", "other", "namespaces",
     "finalize", "other", "namespaces|other|finalize"},
    {"GET", "/apis/apps/v1/namespaces/a/deployments/d/scale", true, "get", "apis", "apps", "v1", "a",
     "deployments", "scale", "d", "deployments|d|scale"},
    /* * verbs */
    {"PATCH", "/api/v1/namespaces/other/pods/foo", true, "patch", "api", "", "v1", "other", "pods", "", "foo",
     "pods|foo"},
    {"DELETE", "/api/v1/namespaces/other/pods/foo", true, "delete", "api", "", "v1", "other", "pods", "",
     "foo", "pods|foo"},
    {"POST", "/api/v1/namespaces/other/pods", true, "create", "api", "", "v1", "other", "pods", "", "",
     "pods"},
    {"DELETE", "/api/v1/namespaces/other/pods", true, "deletecollection", "api", "", "v1", "other", "pods",
     "", "", "pods"},
    {"DELETE", "/api/v1/nodes", true, "deletecollection", "api", "", "v1", "", "nodes", "", "", "nodes"},
    {"OPTIONS", "/api/v1/nodes", true, "", "api", "", "v1", "", "nodes", "", "", "nodes"},
    /* * other groups */
    {"POST", "/apis/extensions/v1beta3/namespaces/other/pods", true, "create", "apis", "extensions",
     "v1beta3", "other", "pods", "", "", "pods"},
    {"GET", "/apis/apps/v1/", false, "get", "apis", "", "", "", "", "", "", ""},
    /* * non-resource paths */
    {"GET", "/", false, "get", "", "", "", "", "", "", "", ""},
    {"POST", "/api", false, "post", "", "", "", "", "", "", "", ""},
    {"GET", "/api/v1", false, "get", "", "", "", "", "", "", "", ""},
    {"GET", "/apis/apps", false, "get", "", "", "", "", "", "", "", ""},
    {"GET", "/healthz/ready/x", false, "get", "", "", "", "", "", "", "", ""},
    {"GET", "/version", false, "get", "", "", "", "", "", "", "", ""},
    /* slashes */
    {"GET", "//api/v1/pods//", true, "list", "api", "", "v1", "", "pods", "", "", "pods"},
    {"GET", "/api/v1/namespaces//pods", true, "list", "api", "", "v1", "", "pods", "", "", "pods"},
    {"GET", "/api/v1/n/a/b/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", true, "get", "api", "", "v1", "", "n",
     "b", "a", "n|a|b|4|5|6|7|8|9|10|11|12|13|14|15|16/17/18"},
};

static void check_text(size_t row, const char *what, struct text got, const char *wanted)
{
    ck_assert_msg(text_is(got, wanted), "row %zu (%s): %s is \"%.*s\", wanted \"%s\"", row,
                  info_rows[row].target, what, TEXT_ARG(got), wanted);
}

START_TEST(paths_and_methods_become_verbs_and_resources)
{
    for (size_t i = 0; i < N_ELEMENTS(info_rows); i++) {
        const struct info_row *row = &info_rows[i];
        struct arena *a = arena_new();
        struct text rest = text_of(row->target), path;
        struct query_param *query;
        struct request_info info;
        text_split(&rest, '?', &path);
        size_t n = query_parse(a, rest, &query);
        request_info_parse(a, text_of(row->method), path, query, n, &info);
        ck_assert_msg(info.is_resource == row->is_resource, "row %zu: is_resource", i);
        if (strcmp(row->verb, "get") || info.n_parts || !row->is_resource)
            check_text(i, "verb", info.verb, row->verb);
        check_text(i, "prefix", info.prefix, row->prefix);
        check_text(i, "group", info.group, row->group);
        check_text(i, "version", info.version, row->version);
        check_text(i, "namespace", info.namespace, row->ns);
        check_text(i, "resource", info.resource, row->resource);
        check_text(i, "subresource", info.subresource, row->subresource);
        check_text(i, "name", info.name, row->name);
        struct buffer parts = BUFFER_IN(a);
        for (size_t p = 0; p < info.n_parts; p++) {
            if (p)
                buffer_add_char(&parts, '|');
            buffer_add(&parts, info.parts[p]);
        }
        check_text(i, "parts", buffer_text(&parts), row->parts);
        arena_free(a);
    }
}
END_TEST

START_TEST(queries_are_decoded)
{
    struct arena *a = arena_new();
    struct query_param *q;
    ck_assert_uint_eq(query_parse(a, TEXT_NONE, &q), 0);
    ck_assert_uint_eq(query_parse(a, TEXT("&&"), &q), 0);
    ck_assert_uint_eq(query_parse(a, TEXT("a=1&b&c=x+y%2Bz&a=2&%=%4&d=%00=e"), &q), 6);
    struct request r = {.arena = a, .query = q, .n_query = 6};
    ck_assert(text_is(request_query(&r, "a"), "1"));
    ck_assert(request_has_query(&r, "b") && request_query(&r, "b").n == 0);
    ck_assert(text_is(request_query(&r, "c"), "x y+z"));
    ck_assert(text_is(request_query(&r, "%"), "%4"));
    ck_assert(text_eq(request_query(&r, "d"), (struct text){"\0=e", 3}));
    ck_assert(!request_has_query(&r, "e"));
    arena_free(a);
}
END_TEST

START_TEST(booleans_are_go_s)
{
    static const struct {
        const char *query;
        bool otherwise, wanted;
    } rows[] = {
        {"x=1", false, true}, {"x=true", false, true}, {"x=True", false, true},  {"x=t", false, true},
        {"x=0", true, false}, {"x=F", true, false},    {"x=yes", false, false},  {"x=yes", true, true},
        {"x=", false, false}, {"y=1", true, true},     {"x=tRUE", false, false},
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct request r = {.arena = a};
        r.n_query = query_parse(a, text_of(rows[i].query), &r.query);
        ck_assert_msg(request_query_bool(&r, "x", rows[i].otherwise) == rows[i].wanted, "row %zu", i);
    }
    arena_free(a);
}
END_TEST

START_TEST(headers_keep_their_order)
{
    struct request r = {.arena = arena_new()};
    response_add_header(&r, "Vary", TEXT("a"));
    response_bytes(&r, 200, "text/plain", TEXT("x"));
    response_add_header(&r, "vary", TEXT("b"));
    response_set_header(&r, "content-type", TEXT("application/json"));
    for (int i = 0; i < 20; i++)
        response_add_header(&r, "X", TEXT("y"));
    ck_assert_uint_eq(r.response.n_headers, 23);
    ck_assert(text_is(r.response.headers[0].value, "a"));
    ck_assert(text_is(r.response.headers[1].value, "application/json"));
    ck_assert(text_is(r.response.headers[2].value, "b"));
    response_set_header(&r, "VARY", TEXT("c"));
    ck_assert_uint_eq(r.response.n_headers, 22);
    ck_assert(text_is(r.response.headers[0].value, "c"));
    response_set_header(&r, "X", TEXT("z"));
    ck_assert_uint_eq(r.response.n_headers, 3);
    arena_free(r.arena);
}
END_TEST

static int n_freed;
static void count_free(void *ctx)
{
    n_freed++;
}
static ptrdiff_t read_none(void *ctx, char *dst, size_t max)
{
    return 0;
}

START_TEST(a_replaced_response_is_let_go)
{
    struct request r = {.arena = arena_new()};
    response_source(&r, 200, "text/plain", (struct body_source){.read = read_none, .free = count_free});
    struct blob *b = blob_new(TEXT("bytes"));
    response_blob(&r, 200, "text/plain", blob_ref(b));
    ck_assert_int_eq(n_freed, 1);
    ck_assert_uint_eq(b->refs, 2);
    response_bytes(&r, 500, NULL, TEXT("no"));
    ck_assert_uint_eq(b->refs, 1);
    ck_assert_uint_eq(r.response.n_headers, 1);
    blob_unref(b);
    arena_free(r.arena);
}
END_TEST

UNIT_MAIN("request", paths_and_methods_become_verbs_and_resources, queries_are_decoded, booleans_are_go_s,
          headers_keep_their_order, a_replaced_response_is_let_go)
