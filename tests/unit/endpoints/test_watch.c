/* SPDX-License-Identifier: Apache-2.0 */
/* Watches over HTTP: where they begin, what they tell, how they end. */
#include "fixture.h"

#define CONFIG_MAPS "/api/v1/namespaces/demo/configmaps"

struct watching {
    struct client client;
    struct reply header;
    struct buffer in; /* chunks not yet taken */
};

static struct watching open_watch(struct fixture *f, const char *query, const char *headers)
{
    struct watching w = {.client = client_connect(listener_port(f->listener)), .in = BUFFER_IN(f->a)};

    ck_assert(client_send(
        &w.client,
        arena_textf(f->a, "GET " CONFIG_MAPS "?watch=1%s HTTP/1.1\r\nHost: t\r\n%s\r\n", query, headers)));
    w.header = client_read_header(&w.client, f->a);
    return w;
}

/* The next line; NULL text at the end of the watch. */
static struct text next_event(struct fixture *f, struct watching *w)
{
    for (;;) {
        ptrdiff_t end = text_find(buffer_text(&w->in), '\n');
        if (end >= 0) {
            struct text line = arena_text(f->a, text_first(buffer_text(&w->in), (size_t)end));
            struct text rest = arena_text(f->a, text_from(buffer_text(&w->in), (size_t)end + 1));
            buffer_clear(&w->in);
            buffer_add(&w->in, rest);
            return line;
        }
        if (client_chunk(&w->client, f->a, &w->in) <= 0)
            return TEXT_NONE;
    }
}

/* The code of a watch that does not begin. */
static int refused(struct fixture *f, const char *query, const char *headers)
{
    struct watching w = open_watch(f, query, headers);

    client_close(&w.client);
    return w.header.code;
}

static void start(struct fixture *f)
{
    fixture_start(f);
    ck_code(post(f, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"demo\"}}"), 201);
}

static void make(struct fixture *f, const char *name, const char *labels)
{
    ck_code(post(f, CONFIG_MAPS,
                 arena_printf(f->a, "{\"metadata\":{\"name\":\"%s\",\"labels\":{%s}}}", name, labels)),
            201);
}

static void merge(struct fixture *f, const char *name, const char *patch)
{
    ck_code(call(f, "PATCH", arena_printf(f->a, CONFIG_MAPS "/%s", name),
                 "Content-Type: application/merge-patch+json\r\n", patch),
            200);
}

static void ck_event(struct text line, const char *type, const char *name)
{
    ck_assert_msg(line.p, "the watch ended before %s %s", type, name);
    if (!text_starts(line, text_of(type)))
        ck_abort_msg("no %s: %.*s", type, TEXT_ARG(line));
    ck_has(line, name);
}
#define ADDED "{\"type\":\"ADDED\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{"
#define MODIFIED "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"ConfigMap\","
#define DELETED "{\"type\":\"DELETED\",\"object\":{\"kind\":\"ConfigMap\","
#define BOOKMARK \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{"

START_TEST(initial_objects_then_changes)
{
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    struct watching w = open_watch(&f, "", "");
    ck_assert_int_eq(w.header.code, 200);
    ck_assert(text_is(reply_header(&w.header, "Content-Type"), "application/json"));
    ck_assert(text_is(reply_header(&w.header, "Transfer-Encoding"), "chunked"));
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"a\"");
    make(&f, "b", "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"b\"");
    merge(&f, "a", "{\"data\":{\"k\":\"v\"}}");
    ck_event(next_event(&f, &w), MODIFIED, "\"data\":{\"k\":\"v\"}");
    ck_code(call(&f, "DELETE", CONFIG_MAPS "/b", "", NULL), 200);
    ck_event(next_event(&f, &w), DELETED, "\"name\":\"b\"");
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

START_TEST(from_a_revision)
{
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    struct reply r = get(&f, CONFIG_MAPS);
    struct value list = tree_of(&f, &r);
    struct text rv = value_get_text(value_get(&list, TEXT("metadata")), TEXT("resourceVersion"));
    make(&f, "b", "");
    struct watching w = open_watch(&f, arena_printf(f.a, "&resourceVersion=%.*s", TEXT_ARG(rv)), "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"b\"");
    make(&f, "c", "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"c\"");
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

START_TEST(selection_comes_and_goes)
{
    struct fixture f;

    start(&f);
    struct watching w = open_watch(&f, "&labelSelector=x%3Dy", "");
    make(&f, "a", "");
    merge(&f, "a", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"a\"");
    merge(&f, "a", "{\"metadata\":{\"labels\":{\"x\":\"z\"}}}");
    ck_event(next_event(&f, &w), DELETED, "\"x\":\"y\"");
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

START_TEST(initial_events_end_with_a_bookmark)
{
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    struct watching w = open_watch(
        &f, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"a\"");
    struct text line = next_event(&f, &w);
    ck_event(line, BOOKMARK, "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}");
    ck_has(line, "\"resourceVersion\":\"");
    client_close(&w.client);
    ck_assert_int_eq(refused(&f, "&sendInitialEvents=true", ""), 422);
    fixture_stop(&f);
}
END_TEST

START_TEST(ends_at_its_timeout)
{
    struct fixture f;

    start(&f);
    struct watching w = open_watch(&f, "&timeoutSeconds=1", "");
    ck_assert_ptr_null(next_event(&f, &w).p);
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

START_TEST(last_bookmark_before_the_timeout)
{
    struct fixture f;

    start(&f);
    struct watching w = open_watch(&f, "&timeoutSeconds=3&allowWatchBookmarks=true&resourceVersion=1", "");
    make(&f, "a", "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"a\"");
    struct text line = next_event(&f, &w);
    ck_event(line, BOOKMARK, "resourceVersion");
    ck_has_not(line, "initial-events-end");
    ck_assert_ptr_null(next_event(&f, &w).p);
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

START_TEST(partial_metadata_and_refusals)
{
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    struct watching w =
        open_watch(&f, "", "Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1\r\n");
    ck_event(next_event(&f, &w),
             "{\"type\":\"ADDED\",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s."
             "io/v1\",",
             "\"name\":\"a\"");
    client_close(&w.client);
    ck_assert_int_eq(refused(&f, "", "Accept: application/yaml\r\n"), 406);
    ck_assert_int_eq(refused(&f, "&resourceVersion=abc", ""), 500); /* as upstream's storage has it */
    fixture_stop(&f);
}
END_TEST

START_TEST(protobuf_frames)
{
    struct fixture f;
    struct buffer body;

    start(&f);
    make(&f, "a", "");
    struct watching w = open_watch(&f, "", "Accept: application/vnd.kubernetes.protobuf;stream=watch\r\n");
    body = BUFFER_IN(f.a);
    ck_assert(
        text_is(reply_header(&w.header, "Content-Type"), "application/vnd.kubernetes.protobuf;stream=watch"));
    ck_assert_int_gt(client_chunk(&w.client, f.a, &body), 4);
    size_t n = (size_t)(unsigned char)body.p[2] << 8 | (unsigned char)body.p[3];
    ck_assert_uint_eq(n + 4, body.n);
    /* type = 1, then object = 2, whose raw = 1 is an envelope */
    ck_assert(text_starts(text_from(buffer_text(&body), 4), TEXT("\x0a\x05"
                                                                 "ADDED\x12")));
    ck_has(buffer_text(&body), "k8s");
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

START_TEST(legacy_paths)
{
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    make(&f, "b", "");
    struct client c = client_connect(listener_port(f.listener));
    struct buffer b = BUFFER_IN(f.a);
    client_send(&c, TEXT("GET /api/v1/watch/namespaces/demo/configmaps/b HTTP/1.1\r\nHost: t\r\n\r\n"));
    ck_assert_int_eq(client_read_header(&c, f.a).code, 200);
    ck_assert_int_gt(client_chunk(&c, f.a, &b), 0);
    ck_event(buffer_text(&b), ADDED, "\"name\":\"b\"");
    client_close(&c);
    fixture_stop(&f);
}
END_TEST

START_TEST(many_watchers_and_a_drain)
{
    enum { N = 50 };
    struct fixture f;
    struct watching w[N];

    start(&f);
    for (int i = 0; i < N; i++)
        w[i] = open_watch(&f, "&resourceVersion=1", "");
    ck_assert_uint_eq(endpoints_n_watches(f.endpoints), N);
    for (int i = 0; i < 20; i++)
        make(&f, arena_printf(f.a, "c%d", i), "");
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 20; k++)
            ck_event(next_event(&f, &w[i]), ADDED, arena_printf(f.a, "\"name\":\"c%d\"", k));
    endpoints_end_watches(f.endpoints);
    for (int i = 0; i < N; i++) {
        ck_assert_ptr_null(next_event(&f, &w[i]).p);
        client_close(&w[i].client);
    }
    ck_assert_int_eq(refused(&f, "", ""), 503);
    fixture_stop(&f);
}
END_TEST

/* More than a stream's queue takes at once. */
START_TEST(many_initial_objects)
{
    struct fixture f;
    char *data;

    start(&f);
    data = arena_alloc(f.a, 60001);
    memset(data, 'x', 60000);
    data[60000] = '\0';
    for (int i = 0; i < 40; i++)
        ck_code(
            post(&f, CONFIG_MAPS,
                 arena_printf(f.a, "{\"metadata\":{\"name\":\"c%02d\"},\"data\":{\"k\":\"%s\"}}", i, data)),
            201);
    struct watching w = open_watch(&f, "", "");
    for (int i = 0; i < 40; i++)
        ck_event(next_event(&f, &w), ADDED, arena_printf(f.a, "\"name\":\"c%02d\"", i));
    make(&f, "last", "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"last\"");
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

/* Without sendInitialEvents in the query: upstream's defaults turn it on for the old ways to begin. */
START_TEST(bookmark_after_the_objects_by_default)
{
    static const struct {
        const char *query;
        bool has_end;
    } rows[] = {{"&allowWatchBookmarks=true", true},
                {"&allowWatchBookmarks=true&resourceVersion=0", true},
                {"&allowWatchBookmarks=true&timeoutSeconds=3&sendInitialEvents=false"
                 "&resourceVersionMatch=NotOlderThan",
                 false}};
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct watching w = open_watch(&f, rows[i].query, "");
        if (rows[i].has_end) {
            ck_event(next_event(&f, &w), ADDED, "\"name\":\"a\"");
            ck_event(next_event(&f, &w), BOOKMARK, "initial-events-end");
        } else { /* nothing has happened since: there is nothing to say */
            ck_assert_ptr_null(next_event(&f, &w).p);
        }
        client_close(&w.client);
    }
    fixture_stop(&f);
}
END_TEST

/* What goes wrong behind the checks of the options is an event of the watch. */
START_TEST(errors_are_events)
{
    struct fixture f;

    start(&f);
    struct watching w = open_watch(
        &f, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999", "");
    ck_assert_int_eq(w.header.code, 200);
    struct text line = next_event(&f, &w);
    ck_assert(text_starts(line, TEXT("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\"")));
    ck_has(line, "Too large resource version: 999999, current: ");
    ck_has(line, "\"retryAfterSeconds\":1");
    ck_has(line, "\"code\":504");
    ck_assert_ptr_null(next_event(&f, &w).p);
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

/* A watch from the future says nothing of the present, and ends on time. */
START_TEST(the_future_and_the_past)
{
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    struct watching w =
        open_watch(&f, "&resourceVersion=999999&allowWatchBookmarks=true&timeoutSeconds=3", "");
    make(&f, "b", "");
    ck_assert_ptr_null(next_event(&f, &w).p);
    client_close(&w.client);
    w = open_watch(&f, "&timeoutSeconds=-1&resourceVersion=1", "");
    ck_assert_int_eq(w.header.code, 200);
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

/* The old paths are checked as lists are. */
START_TEST(legacy_paths_know_no_initial_events)
{
    struct fixture f;

    start(&f);
    ck_code(get(&f, "/api/v1/watch/namespaces/demo/configmaps?sendInitialEvents=true"), 422);
    ck_code(get(&f, "/api/v1/watch/namespaces/demo/configmaps?resourceVersionMatch=Exact"), 422);
    make(&f, "a", "");
    struct client c = client_connect(listener_port(f.listener));
    struct buffer b = BUFFER_IN(f.a);
    client_send(&c,
                TEXT("GET /api/v1/watch/namespaces/demo/configmaps?allowWatchBookmarks=true&timeoutSeconds=1 "
                     "HTTP/1.1\r\nHost: t\r\n\r\n"));
    ck_assert_int_eq(client_read_header(&c, f.a).code, 200);
    while (client_chunk(&c, f.a, &b) > 0)
        ;
    ck_event(buffer_text(&b), ADDED, "\"name\":\"a\"");
    ck_has_not(buffer_text(&b), "initial-events-end");
    client_close(&c);
    fixture_stop(&f);
}
END_TEST

static struct watching open_pods(struct fixture *f, const char *query)
{
    struct watching w = {.client = client_connect(listener_port(f->listener)), .in = BUFFER_IN(f->a)};

    ck_assert(client_send(
        &w.client,
        arena_textf(f->a, "GET /api/v1/pods?watch=1&resourceVersion=1&%s HTTP/1.1\r\nHost: t\r\n\r\n",
                    query)));
    w.header = client_read_header(&w.client, f->a);
    ck_assert_int_eq(w.header.code, 200);
    return w;
}

static void make_pod(struct fixture *f, const char *name, const char *node)
{
    ck_code(post(f, "/api/v1/namespaces/demo/pods",
                 arena_printf(f->a,
                              "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"containers\":[{\"name\":\"c\","
                              "\"image\":\"i\"}]%s}}",
                              name, *node ? arena_printf(f->a, ",\"nodeName\":\"%s\"", node) : "")),
            201);
}

/* A node's watcher is found by the node; a pod that is bound leaves those that wait for one. */
START_TEST(pods_of_a_node)
{
    struct fixture f;

    start(&f);
    struct watching one = open_pods(&f, "fieldSelector=spec.nodeName%3Done"),
                    two = open_pods(&f, "fieldSelector=spec.nodeName%3Dtwo"),
                    none = open_pods(&f, "fieldSelector=spec.nodeName%3D"),
                    not_one = open_pods(&f, "fieldSelector=spec.nodeName!%3Done");
    make_pod(&f, "a", "");
    make_pod(&f, "b", "one");
    make_pod(&f, "c", "two");
    ck_code(post(&f, "/api/v1/namespaces/demo/pods/a/binding",
                 "{\"metadata\":{\"name\":\"a\"},\"target\":{\"kind\":\"Node\",\"name\":\"one\"}}"),
            201);
    ck_code(call(&f, "DELETE", "/api/v1/namespaces/demo/pods/b?gracePeriodSeconds=0", "", NULL), 200);
    static const struct {
        int watch;
        const char *type, *name;
    } rows[] = {{0, "ADDED", "b"}, {0, "ADDED", "a"},  {0, "MODIFIED", "b"}, {0, "DELETED", "b"},
                {1, "ADDED", "c"}, {2, "ADDED", "a"},  {2, "DELETED", "a"},  {3, "ADDED", "a"},
                {3, "ADDED", "c"}, {3, "DELETED", "a"}};
    struct watching *watches[] = {&one, &two, &none, &not_one};
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ck_event(next_event(&f, watches[rows[i].watch]), arena_printf(f.a, "{\"type\":\"%s\"", rows[i].type),
                 arena_printf(f.a, "\"name\":\"%s\"", rows[i].name));
    for (size_t i = 0; i < N_ELEMENTS(watches); i++)
        client_close(&watches[i]->client);
    fixture_stop(&f);
}
END_TEST

/* Every minute there is a bookmark, with or without news, but for the revision at which the watch began. */
START_TEST(bookmarks_by_the_minute)
{
    struct fixture f;

    clock_fake(1800000000 * 1000000000LL);
    start(&f);
    make(&f, "a", "");
    struct reply r = get(&f, CONFIG_MAPS);
    struct value list = tree_of(&f, &r);
    struct text rv = value_get_text(value_get(&list, TEXT("metadata")), TEXT("resourceVersion"));
    struct watching w =
        open_watch(&f, arena_printf(f.a, "&allowWatchBookmarks=true&resourceVersion=%.*s", TEXT_ARG(rv)), "");
    for (int i = 0; i < 130; i++) /* two minutes in which nothing happens, and nothing is said */
        clock_fake_advance_ms(1000);
    make(&f, "b", "");
    ck_event(next_event(&f, &w), ADDED, "\"name\":\"b\"");
    for (int minute = 0; minute < 2; minute++) {
        for (int i = 0; i < 61; i++)
            clock_fake_advance_ms(1000);
        ck_event(next_event(&f, &w), BOOKMARK, "\"resourceVersion\":\"");
    }
    client_close(&w.client);
    fixture_stop(&f);
}
END_TEST

/* Over TLS: tests/integration/test_watch. */
START_TEST(websocket_without_tls)
{
    static const char close_frame[] = "\x88\x82\0\0\0\0\x03\xe8";
    struct fixture f;

    start(&f);
    make(&f, "a", "");
    struct client c = client_connect(listener_port(f.listener));
    client_send(
        &c,
        TEXT(
            "GET " CONFIG_MAPS "?watch=1 HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: x\r\n\r\n"));
    struct reply r = client_read_header(&c, f.a);
    ck_assert_int_eq(r.code, 101);
    ck_assert(
        text_is(reply_header(&r, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); /* of RFC 6455 */
    struct buffer in = BUFFER_IN(f.a);
    ck_assert(client_bytes(&c, &in, 4));
    ck_assert_int_eq((unsigned char)in.p[0], 0x81);
    ck_assert_int_eq((unsigned char)in.p[1], 126);
    size_t n = (size_t)(unsigned char)in.p[2] << 8 | (unsigned char)in.p[3];
    ck_assert(client_bytes(&c, &in, n));
    ck_event(text_from(buffer_text(&in), 4), ADDED, "\"name\":\"a\"");
    client_send(&c, (struct text){close_frame, sizeof(close_frame) - 1});
    ck_assert(client_bytes(&c, &in, 4));
    ck_assert_mem_eq(in.p + 4 + n, "\x88\x02\x03\xe8", 4);
    client_close(&c);
    fixture_stop(&f);
}
END_TEST

UNIT_MAIN("endpoints/watch", initial_objects_then_changes, from_a_revision, selection_comes_and_goes,
          initial_events_end_with_a_bookmark, ends_at_its_timeout, last_bookmark_before_the_timeout,
          partial_metadata_and_refusals, protobuf_frames, legacy_paths, many_watchers_and_a_drain,
          many_initial_objects, bookmark_after_the_objects_by_default, errors_are_events,
          the_future_and_the_past, legacy_paths_know_no_initial_events, pods_of_a_node,
          bookmarks_by_the_minute, websocket_without_tls)
