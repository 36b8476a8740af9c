/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs over HTTP, on a registry and a store of their own. */
#include "fixture.h"

#define CONFIG_MAPS "/api/v1/namespaces/demo/configmaps"
#define JSON "Content-Type: application/json\r\n"

static void make_namespace(struct fixture *f)
{
    ck_code(post(f, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"demo\"}}"), 201);
}

START_TEST(create_get_update_delete)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    r = post(&f, CONFIG_MAPS,
             "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"y\"}},\"data\":{\"k\":\"v\"}}");
    ck_code(r, 201);
    ck_assert(text_is(reply_header(&r, "Content-Type"), "application/json"));
    ck_assert(text_is(reply_header(&r, "Cache-Control"), "no-cache, private"));
    ck_assert_uint_eq(reply_header(&r, "Audit-Id").n, 36);
    ck_has(r.body, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":"
                   "\"demo\",\"uid\":\"");
    ck_assert(text_ends(r.body, TEXT("\"data\":{\"k\":\"v\"}}\n")));

    struct reply got = get(&f, CONFIG_MAPS "/a");
    ck_code(got, 200);
    ck_assert(text_eq(got.body, r.body));
    ck_code(get(&f, CONFIG_MAPS "/none"), 404);
    ck_code(post(&f, CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"}}"), 409);

    r = call(&f, "PUT", CONFIG_MAPS "/a", JSON, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"w\"}}");
    ck_code(r, 200);
    ck_has(r.body, "\"data\":{\"k\":\"w\"}");
    ck_has_not(r.body, "labels");
    ck_code(call(&f, "PUT", CONFIG_MAPS "/a", JSON, "{\"metadata\":{\"name\":\"b\"}}"), 400);
    ck_code(
        call(&f, "PUT", CONFIG_MAPS "/a", JSON, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}"),
        409);

    r = call(&f, "DELETE", CONFIG_MAPS "/a", "", NULL);
    ck_code(r, 200);
    ck_has(r.body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\","
                   "\"details\":{\"name\":\"a\",\"kind\":\"configmaps\",\"uid\":\"");
    ck_code(call(&f, "DELETE", CONFIG_MAPS "/a", "", NULL), 404);
    fixture_stop(&f);
}
END_TEST

START_TEST(patches)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    ck_code(post(&f, CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}"), 201);
    r = call(&f, "PATCH", CONFIG_MAPS "/a", "Content-Type: application/merge-patch+json\r\n",
             "{\"data\":{\"m\":\"1\"}}");
    ck_code(r, 200);
    ck_has(r.body, "\"data\":{\"k\":\"v\",\"m\":\"1\"}");
    r = call(&f, "PATCH", CONFIG_MAPS "/a", "Content-Type: application/json-patch+json\r\n",
             "[{\"op\":\"remove\",\"path\":\"/data/k\"}]");
    ck_code(r, 200);
    ck_has(r.body, "\"data\":{\"m\":\"1\"}");
    r = call(&f, "PATCH", CONFIG_MAPS "/a", "Content-Type: application/strategic-merge-patch+json\r\n",
             "{\"metadata\":{\"labels\":{\"s\":\"t\"}}}");
    ck_code(r, 200);
    ck_has(r.body, "\"labels\":{\"s\":\"t\"}");
    r = call(&f, "PATCH", CONFIG_MAPS "/a", "Content-Type: application/merge-patch+json\r\n",
             "{\"kind\":null}");
    ck_code(r, 200);
    ck_code(call(&f, "PATCH", CONFIG_MAPS "/a", "Content-Type: application/merge-patch+json\r\n",
                 "{\"kind\":\"Secret\"}"),
            422);
    ck_code(call(&f, "PATCH", CONFIG_MAPS "/a", JSON, "{}"), 415);
    ck_code(call(&f, "PATCH", CONFIG_MAPS "/none", "Content-Type: application/merge-patch+json\r\n", "{}"),
            404);
    r = call(&f, "PATCH", CONFIG_MAPS "/a", "Content-Type: application/merge-patch+json\r\n", "{\"data\":5}");
    ck_code(r, 422);
    ck_has(r.body, "\"field\":\"patch\"");
    fixture_stop(&f);
}
END_TEST

START_TEST(lists)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    r = get(&f, CONFIG_MAPS);
    ck_code(r, 200);
    ck_has(r.body, "\"items\":[]}");
    for (int i = 0; i < 5; i++)
        ck_code(post(&f, CONFIG_MAPS,
                     arena_printf(f.a, "{\"metadata\":{\"name\":\"c%d\",\"labels\":{\"even\":\"%s\"}}}", i,
                                  i % 2 ? "no" : "yes")),
                201);
    r = get(&f, CONFIG_MAPS);
    ck_code(r, 200);
    ck_has(r.body, "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"");
    ck_has(r.body, "\"items\":[{\"metadata\":{\"name\":\"c0\"");
    struct value v = tree_of(&f, &r);
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 5);

    r = get(&f, CONFIG_MAPS "?labelSelector=even%3Dyes");
    v = tree_of(&f, &r);
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 3);

    r = get(&f, CONFIG_MAPS "?limit=2");
    v = tree_of(&f, &r);
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 2);
    ck_assert_int_eq(value_get_int(value_get(&v, TEXT("metadata")), TEXT("remainingItemCount"), 0), 3);
    struct text token = value_get_text(value_get(&v, TEXT("metadata")), TEXT("continue"));
    r = get(&f, arena_printf(f.a, CONFIG_MAPS "?limit=9&continue=%.*s", TEXT_ARG(token)));
    v = tree_of(&f, &r);
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 3);
    ck_assert_uint_eq(value_get_text(value_get(&v, TEXT("metadata")), TEXT("continue")).n, 0);

    r = get(&f, CONFIG_MAPS "?limit=2&resourceVersion=0");
    v = tree_of(&f, &r);
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 5);
    r = get(&f, CONFIG_MAPS "?resourceVersion=99999999");
    ck_code(r, 504);
    ck_assert(text_is(reply_header(&r, "Retry-After"), "1"));
    ck_code(get(&f, CONFIG_MAPS "?limit=x"), 400);
    ck_code(get(&f, CONFIG_MAPS "?sendInitialEvents=true"), 422);
    fixture_stop(&f);
}
END_TEST

START_TEST(forms)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    ck_code(post(&f, CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}"), 201);
    r = call(&f, "GET", CONFIG_MAPS "/a", "Accept: application/yaml\r\n", NULL);
    ck_code(r, 200);
    ck_assert(text_is(reply_header(&r, "Content-Type"), "application/yaml"));
    ck_assert(text_starts(r.body, TEXT("apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\n")));
    r = get(&f, CONFIG_MAPS "/a?pretty=true");
    ck_assert(text_starts(r.body, TEXT("{\n  \"kind\": \"ConfigMap\",\n")));
    r = call(&f, "GET", CONFIG_MAPS "/a", "Accept: application/vnd.kubernetes.protobuf\r\n", NULL);
    ck_code(r, 200);
    ck_assert(protobuf_is_envelope(r.body));

    struct status st = {0};
    struct text version, kind, message;
    struct value v;
    r = call(&f, "GET", CONFIG_MAPS, "Accept: application/vnd.kubernetes.protobuf\r\n", NULL);
    ck_code(r, 200);
    ck_assert_int_eq(protobuf_open(r.body, &version, &kind, &message, &st), 0);
    ck_assert(text_is(kind, "ConfigMapList"));
    const struct schema_kind *list = schema_kind_of(TEXT("v1"), TEXT("ConfigMapList"));
    must(schema_protobuf_decode(f.a, list->schema, message, &v, &st));
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 1);
    ck_assert(text_is(
        value_get_text(value_get(&value_get(&v, TEXT("items"))->items[0], TEXT("metadata")), TEXT("name")),
        "a"));

    r = call(&f, "GET", CONFIG_MAPS,
             "Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1\r\n", NULL);
    ck_code(r, 200);
    ck_has(r.body, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\"");
    ck_has(
        r.body,
        "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"name\":\"a\"");
    ck_has_not(r.body, "\"data\"");
    r = call(&f, "GET", CONFIG_MAPS "/a",
             "Accept: application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1\r\n",
             NULL);
    ck_code(r, 200);
    ck_assert_int_eq(protobuf_open(r.body, &version, &kind, &message, &st), 0);
    ck_assert(text_is(kind, "PartialObjectMetadata"));
    ck_code(call(&f, "GET", CONFIG_MAPS "/a",
                 "Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1\r\n", NULL),
            406);
    ck_code(call(&f, "GET", CONFIG_MAPS, "Accept: text/html\r\n", NULL), 406);
    fixture_stop(&f);
}
END_TEST

START_TEST(other_versions)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    r = post(&f, "/apis/autoscaling/v2/namespaces/demo/horizontalpodautoscalers",
             "{\"metadata\":{\"name\":\"h\"},\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":"
             "\"d\",\"apiVersion\":\"apps/v1\"},\"maxReplicas\":3,"
             "\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
             "\"Utilization\",\"averageUtilization\":50}}}]}}");
    ck_code(r, 201);
    r = get(&f, "/apis/autoscaling/v1/namespaces/demo/horizontalpodautoscalers/h");
    ck_code(r, 200);
    ck_has(r.body, "\"apiVersion\":\"autoscaling/v1\"");
    ck_has(r.body, "\"targetCPUUtilizationPercentage\":50");
    r = get(&f, "/apis/autoscaling/v1/namespaces/demo/horizontalpodautoscalers");
    ck_has(r.body, "\"items\":[{\"metadata\":{\"name\":\"h\"");
    r = call(&f, "PATCH", "/apis/autoscaling/v1/namespaces/demo/horizontalpodautoscalers/h",
             "Content-Type: application/merge-patch+json\r\n",
             "{\"spec\":{\"targetCPUUtilizationPercentage\":60}}");
    ck_code(r, 200);
    ck_has(r.body, "\"targetCPUUtilizationPercentage\":60");
    fixture_stop(&f);
}
END_TEST

/* An object sent in another version than the stored one gets the defaults of both: those of v1 leave behavior alone. */
START_TEST(defaults_of_the_stored_version)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    r = post(&f, "/apis/autoscaling/v1/namespaces/demo/horizontalpodautoscalers",
             "{\"metadata\":{\"name\":\"h\",\"annotations\":{\"autoscaling.alpha.kubernetes.io/behavior\":"
             "\"{\\\"ScaleUp\\\":{\\\"StabilizationWindowSeconds\\\":5}}\"}},"
             "\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"d\"},"
             "\"maxReplicas\":3}}");
    ck_code(r, 201);
    ck_has(r.body, "\"minReplicas\":1,\"maxReplicas\":3");
    ck_has(r.body, "\\\"StabilizationWindowSeconds\\\":5,\\\"SelectPolicy\\\":\\\"Max\\\"");
    r = get(&f, "/apis/autoscaling/v2/namespaces/demo/horizontalpodautoscalers/h");
    ck_has(r.body, "\"scaleDown\":{\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Percent\",\"value\":100,");
    fixture_stop(&f);
}
END_TEST

START_TEST(bodies_that_are_refused)
{
    static const struct {
        const char *query, *headers, *body;
        int code;
        const char *message;
    } rows[] = {
        {"", JSON, "{\"metadata\": ", 400,
         "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json "
         "parse error: unexpected end of JSON input ({\\\"metadata\\\": )"},
        {"", JSON, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"x\"}}", 400,
         "Secret in version \\\"v1\\\" cannot be handled as a ConfigMap: converting (v1.Secret) to "
         "(core.ConfigMap): unknown conversion"},
        {"", JSON, "{\"apiVersion\":\"v9\",\"kind\":\"Nope\"}", 400,
         "no kind \\\"Nope\\\" is registered for version \\\"v9\\\""},
        {"", JSON, "{\"metadata\":{\"name\":\"x\"},\"data\":\"text\"}", 400,
         "ConfigMap in version \\\"v1\\\" cannot be handled as a ConfigMap: json: cannot unmarshal string "
         "into Go struct field ConfigMap.data of type map[string]string"},
        {"?fieldValidation=Strict", JSON, "{\"metadata\":{\"name\":\"x\"},\"dota\":{}}", 400,
         "strict decoding error: unknown field \\\"dota\\\""},
        {"?fieldValidation=Maybe", JSON, "{}", 422,
         "supported values: \\\"\\\", \\\"Ignore\\\", \\\"Strict\\\", \\\"Warn\\\""},
        {"?dryRun=Some", JSON, "{}", 422,
         "dryRun: Unsupported value: [\\\"Some\\\"]: supported values: \\\"All\\\""},
        {"", "Content-Type: text/plain\r\n", "x", 415,
         "the body of the request was in an unknown format - accepted media types include: application/json, "
         "application/yaml, application/vnd.kubernetes.protobuf"},
        {"", JSON, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"other\"}}", 400,
         "the namespace of the provided object does not match the namespace sent on the request"},
        {"", JSON, "null", 422, "metadata.name"},
        {"", "Content-Type: application/vnd.kubernetes.protobuf\r\n", "{}", 400,
         "the object provided is unrecognized"},
        {"", "Content-Type: application/yaml\r\n", "hello", 400, "the object provided is unrecognized"},
        {"", "Content-Type: application/yaml\r\nAccept: application/json\r\n", "metadata:\n\tname: a\n", 400,
         "error converting YAML to JSON"},
    };
    struct fixture f;

    fixture_start(&f);
    make_namespace(&f);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct reply r = call(&f, "POST", arena_printf(f.a, CONFIG_MAPS "%s", rows[i].query), rows[i].headers,
                              rows[i].body);
        ck_code(r, rows[i].code);
        ck_has(r.body, rows[i].message);
    }
    struct reply r = post(&f, CONFIG_MAPS "?dryRun=All", "{\"metadata\":{\"name\":\"x\"},\"dota\":{}}");
    ck_code(r, 201);
    ck_assert(text_is(reply_header(&r, "Warning"), "299 - \"unknown field \\\"dota\\\"\""));
    ck_code(get(&f, CONFIG_MAPS "/x"), 404);
    r = post(&f, CONFIG_MAPS "?dryRun=All",
             "{\"metadata\":{\"name\":\"x\"},\"data\":{\"k\":\"v\"},\"data\":{\"l\":\"w\"}}");
    ck_code(r, 201);
    ck_assert(text_is(reply_header(&r, "Warning"), "299 - \"duplicate field \\\"data\\\"\""));
    ck_has(r.body, "\"data\":{\"k\":\"v\",\"l\":\"w\"}");
    r = post(&f, "/api/v1/namespaces//configmaps", "{\"metadata\":{\"name\":\"x\"}}");
    ck_code(r, 422);
    ck_has(r.body, "metadata.namespace");
    r = get(&f, "/api/v1/namespaces/demo/endpoints");
    ck_assert(
        text_is(reply_header(&r, "Warning"),
                "299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\""));
    fixture_stop(&f);
}
END_TEST

START_TEST(paths)
{
    static const struct {
        const char *method, *path;
        int code;
        const char *says; /* in the body */
    } rows[] = {
        {"GET", "/nothing", 404, "404 page not found\n"},
        {"POST", "/nothing", 404, "404 page not found\n"},
        {"GET", "/apis/none.example.com", 404, "404 page not found\n"},
        {"GET", "/apis/none.example.com/v1/foos", 404, "404 page not found\n"},
        {"GET", "//api/v1/namespaces", 404, "404 page not found\n"},
        {"GET", "/API/v1/pods", 404, "404 page not found\n"},
        {"GET", "/api/v2", 404, "the server could not find the requested resource"},
        {"GET", "/api//v1/namespaces", 404, "the server could not find the requested resource"},
        {"GET", "/api/v1//namespaces", 404, "the server could not find the requested resource"},
        {"GET", "/apis/apps/v9/deployments", 404, "the server could not find the requested resource"},
        {"GET", "/api/v1/nothings", 404, "the server could not find the requested resource"},
        {"GET", "/api/v1/pods/x", 404, "the server could not find the requested resource"},
        {"GET", "/api/v1/nodes/x/y/z", 404, "the server could not find the requested resource"},
        {"GET", "/api/v1/namespaces/demo/pods/x/nothing", 404,
         "the server could not find the requested resource"},
        {"GET", "/api/v1/namespaces/demo/configmaps/a%2Fb", 404,
         "the server could not find the requested resource"},
        {"GET", "/version/x", 404, "the server could not find the requested resource"},
        {"GET", "/api/v1/namespaces/demo/pods/%2e%2e", 400, "BadRequest"},
        {"GET", "/api/v1/namespaces/demo/configmaps/", 200, "ConfigMapList"},
        {"GET", "/api/v1/namespaces//configmaps", 200, "ConfigMapList"},
        {"PUT", "/api/v1/namespaces", 405, "the server does not allow this method on the requested resource"},
        {"POST", "/api/v1/configmaps", 405,
         "the server does not allow this method on the requested resource"},
        {"OPTIONS", "/api/v1/namespaces/demo/configmaps", 405, "MethodNotAllowed"},
        {"FOO", "/api/v1/namespaces/demo/configmaps/a", 405, "MethodNotAllowed"},
        {"POST", "/api/v1/namespaces/demo/configmaps/a", 405, "MethodNotAllowed"},
        {"POST", "/api/v1/namespaces/demo/pods/a/log", 405, "MethodNotAllowed"},
        {"GET", "/api/v1/namespaces/demo/pods/a/eviction", 405, "MethodNotAllowed"},
        {"PUT", "/api/v1/namespaces/demo/pods/a/binding", 405, "MethodNotAllowed"},
        {"GET", "/api/v1/namespaces/demo/bindings", 405, "MethodNotAllowed"},
        {"PUT", "/apis/authorization.k8s.io/v1/subjectaccessreviews", 405, "MethodNotAllowed"},
        {"POST", "/api/v1/componentstatuses", 405, "MethodNotAllowed"},
        {"POST", "/version", 405, "MethodNotAllowed"},
        {"DELETE", "/api/v1/namespaces/demo/finalize", 405, "MethodNotAllowed"},
        {"GET", "/healthz/nothing", 404, "404 page not found\n"},
        {"GET", "/healthz/", 404, "404 page not found\n"},
        {"GET", "/metrics/x", 404, "404 page not found\n"},
        {"POST", "/healthz", 200, "ok"},
        {"GET", "/version", 200, "\"gitVersion\": \"v1.36.3"},
        {"GET", "/version/", 200, "\"minor\": \"36\""},
        {"GET", "/metrics", 200, ""},
    };
    struct fixture f;

    fixture_start(&f);
    make_namespace(&f);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct reply r = call(&f, rows[i].method, rows[i].path, "", NULL);
        if (r.code != rows[i].code)
            ck_abort_msg("%s %s gives %d: %.*s", rows[i].method, rows[i].path, r.code, TEXT_ARG(r.body));
        ck_has(r.body, rows[i].says);
    }
    ck_code(call(&f, "HEAD", CONFIG_MAPS, "", NULL), 405);
    ck_code(call(&f, "HEAD", "/healthz", "", NULL), 200);
    fixture_stop(&f);
}
END_TEST

START_TEST(collection)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    for (int i = 0; i < 70; i++)
        ck_code(post(&f, CONFIG_MAPS, arena_printf(f.a, "{\"metadata\":{\"name\":\"c%02d\"}}", i)), 201);
    r = call(&f, "DELETE", CONFIG_MAPS "?fieldSelector=metadata.name%3Dc00", "", NULL);
    ck_code(r, 200);
    ck_has(r.body, "\"items\":[{\"metadata\":{\"name\":\"c00\"");
    r = call(&f, "DELETE", CONFIG_MAPS, "", NULL);
    ck_code(r, 200);
    struct value v = tree_of(&f, &r);
    ck_assert_uint_eq(value_get(&v, TEXT("items"))->n, 69);
    r = get(&f, CONFIG_MAPS);
    ck_has(r.body, "\"items\":[]");
    fixture_stop(&f);
}
END_TEST

START_TEST(scale_and_binding)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    ck_code(post(&f, "/apis/apps/v1/namespaces/demo/deployments",
                 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{"
                 "\"tier\":\"front\",\"app\":\"web\"}},"
                 "\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\",\"tier\":\"front\"}},\"spec\":{"
                 "\"containers\":[{\"name\":\"a\",\"image\":\"a\"}]}}}}"),
            201);
    r = get(&f, "/apis/apps/v1/namespaces/demo/deployments/web/scale");
    ck_code(r, 200);
    ck_has(r.body, "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/"
                   "v1\",\"metadata\":{\"name\":\"web\",\"namespace\":\"demo\",\"uid\":\"");
    ck_has(r.body,
           "\"spec\":{\"replicas\":3},\"status\":{\"replicas\":0,\"selector\":\"app=web,tier=front\"}}");
    r = call(&f, "GET", "/apis/apps/v1/namespaces/demo/deployments/web/scale",
             "Accept: application/json;as=Table;g=meta.k8s.io;v=v1\r\n", NULL);
    ck_code(r, 200);
    ck_has(r.body, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"");
    ck_has(r.body, "\"name\":\"Desired\",\"type\":\"integer\"");
    ck_has(r.body, "\"rows\":[{\"cells\":[\"web\",3,0,\"");
    ck_has(r.body, "\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"name\":\"web\"");
    r = call(&f, "PUT", "/apis/apps/v1/namespaces/demo/deployments/web/scale", JSON,
             "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":7}}");
    ck_code(r, 200);
    ck_has(r.body, "\"spec\":{\"replicas\":7}");
    r = call(&f, "PATCH", "/apis/apps/v1/namespaces/demo/deployments/web/scale",
             "Content-Type: application/merge-patch+json\r\n", "{\"spec\":{\"replicas\":4}}");
    ck_code(r, 200);
    r = get(&f, "/apis/apps/v1/namespaces/demo/deployments/web");
    ck_has(r.body, "\"replicas\":4");
    r = call(&f, "PUT", "/apis/apps/v1/namespaces/demo/deployments/web/scale", JSON,
             "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":-1}}");
    ck_code(r, 422);
    ck_has(r.body, "Scale.autoscaling \\\"web\\\" is invalid: spec.replicas: Invalid value: -1: must be "
                   "greater than or equal to 0");

    ck_code(
        post(&f, "/api/v1/namespaces/demo/pods",
             "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"a\"}]}}"),
        201);
    r = post(&f, "/api/v1/namespaces/demo/pods/p/binding",
             "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}");
    ck_code(r, 201);
    ck_assert(text_is(
        r.body,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"code\":201}\n"));
    r = get(&f, "/api/v1/namespaces/demo/pods/p");
    ck_has(r.body, "\"nodeName\":\"n1\"");
    ck_has(r.body, "{\"type\":\"PodScheduled\",\"status\":\"True\"");
    r = post(&f, "/api/v1/namespaces/demo/bindings",
             "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n2\"}}");
    ck_code(r, 409);
    ck_has(r.body, "Operation cannot be fulfilled on pods/binding \\\"p\\\": pod p is already assigned to "
                   "node \\\"n1\\\"");
    fixture_stop(&f);
}
END_TEST

START_TEST(evictions_ask_the_budget)
{
    struct fixture f;
    struct reply r;

    fixture_start(&f);
    make_namespace(&f);
    ck_code(post(&f, "/api/v1/namespaces/demo/pods",
                 "{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"),
            201);
    ck_code(call(&f, "PATCH", "/api/v1/namespaces/demo/pods/p/status", "Content-Type: application/merge-patch+json\r\n",
                 "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"),
            200);
    ck_code(post(&f, "/apis/policy/v1/namespaces/demo/poddisruptionbudgets",
                 "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}"),
            201);
    r = post(&f, "/api/v1/namespaces/demo/pods/p/eviction", "{\"metadata\":{\"name\":\"p\"}}");
    ck_code(r, 429); /* nobody has counted the pods yet */
    ck_has(r.body, "still being processed");
    ck_code(call(&f, "PATCH", "/apis/policy/v1/namespaces/demo/poddisruptionbudgets/d/status",
                 "Content-Type: application/merge-patch+json\r\n",
                 "{\"status\":{\"observedGeneration\":1,\"disruptionsAllowed\":1}}"),
            200);
    ck_code(post(&f, "/api/v1/namespaces/demo/pods/p/eviction", "{\"metadata\":{\"name\":\"p\"}}"), 201);
    r = get(&f, "/apis/policy/v1/namespaces/demo/poddisruptionbudgets/d");
    ck_has(r.body, "\"disruptedPods\":{\"p\":");
    ck_has(r.body, "\"disruptionsAllowed\":0");
    ck_code(get(&f, "/api/v1/namespaces/demo/pods/p"), 404);
    fixture_stop(&f);
}
END_TEST

UNIT_MAIN("endpoints/rest", create_get_update_delete, patches, lists, forms, other_versions, defaults_of_the_stored_version,
          bodies_that_are_refused, paths, collection, scale_and_binding,
          evictions_ask_the_budget)
