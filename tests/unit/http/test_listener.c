/* SPDX-License-Identifier: Apache-2.0 */
/* A real listener on a free port, over TLS and plain, with real clients. The handler does what the path asks
 * for. */
#include <pthread.h>
#include <signal.h>
#include <zlib.h>

#include "client.h"
#include "http.h"
#include "unit.h"

#define BIG_BYTES (6 << 20)

/* --- the server under test --- */

static atomic_int n_left; /* leave ran */
static atomic_int n_on_worker;
static pthread_mutex_t parked_mu = PTHREAD_MUTEX_INITIALIZER;
static struct request *parked; /* parked_mu: the last one of /park */
static enum flow parked_how;

static void leave_outer(struct request *r)
{
    atomic_fetch_add(&n_left, 1);
}
static enum flow enter_outer(struct request *r)
{
    response_add_header(r, "X-First", TEXT("1"));
    response_add_header(r, "Audit-Id", TEXT("an-id"));
    return FLOW_NEXT;
}
static const struct filter outer = {"outer", enter_outer, leave_outer};

static void *resume_at_once(void *arg)
{
    request_resume(arg, FLOW_NEXT);
    return NULL;
}
/* Parks on /race, with the resume racing enter's return. */
static enum flow enter_racer(struct request *r)
{
    if (!text_is(r->path, "/race"))
        return FLOW_NEXT;
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, resume_at_once, r), 0);
    pthread_detach(t);
    if (text_is(request_query(r, "wait"), "1"))
        usleep(2000);
    return FLOW_PARK;
}
static const struct filter racer = {"racer", enter_racer, NULL};

static ptrdiff_t read_pattern(void *ctx, char *dst, size_t max)
{
    size_t *pos = ctx, n = BIG_BYTES - *pos < max ? BIG_BYTES - *pos : max;
    for (size_t i = 0; i < n; i++)
        dst[i] = (char)('a' + (*pos + i) % 23);
    *pos += n;
    return (ptrdiff_t)n;
}

static enum flow serve_source(struct request *r)
{
    struct body_source source = {.read = read_pattern,
                                 .free = free,
                                 .ctx = xcalloc(1, sizeof(size_t)),
                                 .bytes = request_has_query(r, "chunked") ? -1 : BIG_BYTES};
    response_source(r, 200, "text/plain", source);
    return FLOW_DONE;
}

static enum flow serve_echo(struct request *r)
{
    struct buffer b = BUFFER_IN(r->arena);
    buffer_addf(&b, "%.*s %.*s %.*s|%.*s|certs=%zu|", TEXT_ARG(r->method), TEXT_ARG(r->path),
                TEXT_ARG(r->raw_query), TEXT_ARG(request_header(r, "x-test")), r->n_client_certs);
    buffer_add(&b, r->body);
    response_bytes(r, r->body_too_large ? 413 : 200, "text/plain", buffer_text(&b));
    return FLOW_DONE;
}

static enum flow serve_block(struct request *r)
{
    if (!request_may_block(r))
        return FLOW_BLOCK;
    atomic_fetch_add(&n_on_worker, 1);
    return serve_echo(r);
}

static enum flow serve_parked(struct request *r)
{
    if (r->handler_state) { /* entered again after FLOW_BLOCK */
        ck_assert(request_may_block(r));
        response_bytes(r, 200, "text/plain", TEXT("again"));
        return FLOW_DONE;
    }
    r->handler_state = r;
    pthread_mutex_lock(&parked_mu);
    parked = r;
    pthread_mutex_unlock(&parked_mu);
    return FLOW_PARK;
}

static enum flow serve_fail(struct request *r)
{
    struct status st = {0};
    request_warn(r, "careful");
    request_warn(r, "say \"%s\"", "no");
    request_warn(r, "careful");
    status_set(&st, STATUS_NOT_FOUND, "nothing here");
    return request_fail(r, &st);
}

static enum flow serve_large(struct request *r)
{
    char *p = arena_alloc(r->arena, 200000);
    memset(p, 'z', 200000);
    response_bytes(r, 200, "text/plain", (struct text){p, 200000});
    return FLOW_DONE;
}

static enum flow serve_nothing(struct request *r)
{
    return FLOW_DONE; /* a bug */
}

static enum flow serve_past_end(struct request *r)
{
    return FLOW_NEXT; /* another */
}

/* --- a stream --- */

static struct watch {
    struct stream *stream;
    atomic_int n_closed;
    atomic_int n_drained;
    bool pulls; /* pushes from drained */
    int left;   /* to pull */
} watch;

static void on_closed(void *ctx)
{
    struct watch *w = ctx;
    atomic_fetch_add(&w->n_closed, 1);
}

static void on_drained(void *ctx)
{
    struct watch *w = ctx;
    atomic_fetch_add(&w->n_drained, 1);
    if (w->pulls && w->left-- > 0)
        stream_push_owned(w->stream, TEXT("pulled\n"), NULL, NULL);
    else if (w->pulls)
        stream_finish(w->stream);
}

static enum flow serve_watch(struct request *r)
{
    static const struct stream_ops ops = {.closed = on_closed, .drained = on_drained};
    if (request_has_query(r, "pull")) {
        watch.pulls = true;
        watch.left = 5;
    }
    struct stream *s = stream_new(&ops, &watch, 256 << 10);
    response_stream(r, 200, "application/json", stream_ref(s));
    pthread_mutex_lock(&parked_mu);
    watch.stream = s;
    pthread_mutex_unlock(&parked_mu);
    return FLOW_DONE;
}

static struct stream *wait_for_stream(void)
{
    for (;;) {
        pthread_mutex_lock(&parked_mu);
        struct stream *s = watch.stream;
        pthread_mutex_unlock(&parked_mu);
        if (s)
            return s;
        usleep(500);
    }
}

static const struct {
    const char *path;
    enum flow (*serve)(struct request *);
} routes[] = {
    {"/source", serve_source}, {"/block", serve_block}, {"/park", serve_parked},
    {"/fail", serve_fail},     {"/large", serve_large}, {"/nothing", serve_nothing},
    {"/past", serve_past_end}, {"/watch", serve_watch},
};

static enum flow enter_handler(struct request *r)
{
    for (size_t i = 0; i < N_ELEMENTS(routes); i++)
        if (text_is(r->path, routes[i].path))
            return routes[i].serve(r);
    return serve_echo(r);
}
static const struct filter handler = {"handler", enter_handler, NULL};
static const struct filter *const chain[] = {
    &outer, &filter_request_info, &filter_request_deadline, &racer, &handler, NULL};

struct fixture {
    struct arena *a;
    struct listener *l;
    struct workers *workers;
    struct timers *timers;
    struct text cert, key;
    struct listener_options opt;
};

static struct fixture start(bool with_tls, void (*adjust)(struct listener_options *))
{
    signal(SIGPIPE, SIG_IGN);
    struct fixture f = {.a = arena_new(), .workers = workers_start(4, "worker"), .timers = timers_start()};
    make_pair(f.a, "server", &f.cert, &f.key);
    struct tls_config tls = {.cert_pem = f.cert, .key_pem = f.key, .ask_client_cert = true};
    f.opt = (struct listener_options){.bind_address = "127.0.0.1",
                                      .tls = with_tls ? &tls : NULL,
                                      .n_threads = 2,
                                      .workers = f.workers,
                                      .timers = f.timers,
                                      .filters = chain};
    if (adjust)
        adjust(&f.opt);
    struct status st = {0};
    if (listener_start(&f.opt, &f.l, &st) < 0)
        ck_abort_msg("%s", st.message);
    return f;
}

static void stop(struct fixture *f)
{
    listener_stop(f->l, 2000);
    timers_stop(f->timers);
    workers_stop(f->workers);
    stream_unref(watch.stream);
    arena_free(f->a);
}

static struct client connect_tls(struct fixture *f)
{
    struct client c = client_connect(listener_port(f->l));
    int err = client_start_tls(&c, TEXT_NONE, TEXT_NONE, NULL);
    ck_assert_msg(err == 0, "%s", gnutls_strerror(err));
    return c;
}

static void check_text(struct text got, const char *wanted)
{
    ck_assert_msg(text_is(got, wanted), "got \"%.*s\", wanted \"%s\"", TEXT_ARG(got), wanted);
}

/* --- requests --- */

START_TEST(requests_over_tls_keep_the_connection)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    gnutls_datum_t alpn = {0};
    ck_assert_int_eq(gnutls_alpn_get_selected_protocol(c.tls, &alpn), 0);
    check_text((struct text){(char *)alpn.data, alpn.size}, "http/1.1");
    for (int i = 0; i < 20; i++) {
        struct reply r = client_do(&c, f.a, "GET", "/a%20b/c%2Fd?x=1&y=%zz", "X-Test: yes\r\n", TEXT_NONE);
        ck_assert_int_eq(r.code, 200);
        check_text(r.body, "GET /a b/c/d x=1&y=%zz|yes|certs=0|");
        check_text(reply_header(&r, "Content-Type"), "text/plain");
        ptrdiff_t first = text_find_text(r.header, TEXT("X-First")),
                  second = text_find_text(r.header, TEXT("Audit-Id"));
        ck_assert(first > 0 && second > first);
    }
    client_close(&c);
    stop(&f);
    ck_assert_int_eq(n_left, 20);
}
END_TEST

START_TEST(head_is_get_without_a_body)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    struct reply r = client_do(&c, f.a, "HEAD", "/large", "Accept-Encoding: gzip\r\n", TEXT_NONE);
    ck_assert_int_eq(r.code, 200);
    check_text(reply_header(&r, "Content-Length"), "200000");
    r = client_do(&c, f.a, "HEAD", "/source", NULL, TEXT_NONE);
    check_text(reply_header(&r, "Content-Length"), "6291456");
    r = client_do(&c, f.a, "GET", "/", NULL, TEXT_NONE);
    check_text(r.body, "GET / ||certs=0|");
    client_close(&c);
    stop(&f);
}
END_TEST

START_TEST(client_certificates_are_optional_and_seen)
{
    struct fixture f = start(true, NULL);
    struct text cert, key;
    make_pair(f.a, "client", &cert, &key);
    for (int i = 0; i < 2; i++) {
        struct client c = client_connect(listener_port(f.l));
        int err = client_start_tls(&c, cert, key, i ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : NULL);
        ck_assert_msg(err == 0, "%s", gnutls_strerror(err));
        struct reply r = client_do(&c, f.a, "GET", "/", NULL, TEXT_NONE);
        check_text(r.body, "GET / ||certs=1|");
        client_close(&c);
    }
    stop(&f);
}
END_TEST

START_TEST(bodies_are_read_whole)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    size_t n = 1000000;
    char *p = arena_alloc(f.a, n);
    memset(p, 'q', n);
    struct reply r = client_do(&c, f.a, "POST", "/", NULL, (struct text){p, n});
    ck_assert_int_eq(r.code, 200);
    ck_assert_uint_eq(r.body.n, n + strlen("POST / ||certs=0|"));

    client_send(&c, TEXT("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                         "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    r = client_read(&c, f.a, true);
    check_text(r.body, "PUT /x ||certs=0|abcde");

    client_send(&c, TEXT("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    struct text line;
    ck_assert(client_line(&c, f.a, &line));
    check_text(line, "HTTP/1.1 100 Continue");
    ck_assert(client_line(&c, f.a, &line));
    client_send(&c, TEXT("ok"));
    r = client_read(&c, f.a, true);
    check_text(r.body, "POST / ||certs=0|ok");
    client_close(&c);
    stop(&f);
}
END_TEST

static void small_body_limit(struct listener_options *opt)
{
    opt->body_max_bytes = 1000;
}

START_TEST(too_large_bodies_are_told_to_the_handler)
{
    struct fixture f = start(true, small_body_limit);
    struct client c = connect_tls(&f);
    char *p = arena_alloc(f.a, 300000);
    memset(p, 'q', 300000);
    struct reply r = client_do(&c, f.a, "POST", "/", NULL, (struct text){p, 300000});
    ck_assert_int_eq(r.code, 413);
    check_text(r.body, "POST / ||certs=0|");
    client_send(&c, TEXT("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n"));
    client_send(&c, (struct text){p, 0x401});
    client_send(&c, TEXT("\r\n0\r\n\r\n"));
    r = client_read(&c, f.a, true);
    ck_assert_int_eq(r.code, 413);
    r = client_do(&c, f.a, "POST", "/", NULL, (struct text){p, 1000});
    ck_assert_int_eq(r.code, 200);
    client_close(&c);
    stop(&f);
}
END_TEST

START_TEST(sources_are_pulled_and_gzipped)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    static const char *const targets[] = {"/source", "/source?chunked"};
    for (size_t t = 0; t < 2; t++) {
        struct reply r = client_do(&c, f.a, "GET", targets[t], NULL, TEXT_NONE);
        ck_assert(r.is_complete);
        ck_assert_uint_eq(r.body.n, BIG_BYTES);
        for (size_t i = 0; i < r.body.n; i++)
            if (r.body.p[i] != (char)('a' + i % 23))
                ck_abort_msg("byte %zu differs", i);
    }
    struct reply r = client_do(&c, f.a, "GET", "/source", "Accept-Encoding: gzip\r\n", TEXT_NONE);
    check_text(reply_header(&r, "Content-Encoding"), "gzip");
    check_text(reply_header(&r, "Vary"), "Accept-Encoding");
    ck_assert(r.is_complete && r.body.n < BIG_BYTES / 10);
    z_stream z = {.next_in = (Bytef *)r.body.p, .avail_in = (uInt)r.body.n};
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    char *plain = arena_alloc(f.a, BIG_BYTES + 1);
    z.next_out = (Bytef *)plain;
    z.avail_out = BIG_BYTES + 1;
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.total_out, BIG_BYTES);
    ck_assert_int_eq(plain[BIG_BYTES - 1], 'a' + (BIG_BYTES - 1) % 23);
    inflateEnd(&z);
    client_close(&c);
    stop(&f);
}
END_TEST

START_TEST(large_bodies_are_gzipped_for_those_who_ask)
{
    struct fixture f = start(false, NULL);
    struct client c = client_connect(listener_port(f.l));
    struct reply r = client_do(&c, f.a, "GET", "/large", "Accept-Encoding: gzip\r\n", TEXT_NONE);
    check_text(reply_header(&r, "Content-Encoding"), "gzip");
    ck_assert_uint_lt(r.body.n, 2000);
    r = client_do(&c, f.a, "GET", "/large", NULL, TEXT_NONE);
    ck_assert(!reply_header(&r, "Content-Encoding").p);
    ck_assert_uint_eq(r.body.n, 200000);
    r = client_do(&c, f.a, "GET", "/", "Accept-Encoding: gzip\r\n", TEXT_NONE);
    ck_assert(!reply_header(&r, "Content-Encoding").p);
    client_close(&c);
    stop(&f);
}
END_TEST

/* --- the chain --- */

START_TEST(blocking_steps_run_on_a_worker)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    for (int i = 0; i < 10; i++) {
        struct reply r = client_do(&c, f.a, "POST", "/block", NULL, TEXT("body"));
        check_text(r.body, "POST /block ||certs=0|body");
    }
    ck_assert_int_eq(n_on_worker, 10);
    client_close(&c);
    stop(&f);
    ck_assert_int_eq(n_left, 10);
}
END_TEST

static void *resume_parked(void *arg)
{
    struct request *r = NULL;
    while (!r) {
        pthread_mutex_lock(&parked_mu);
        r = parked;
        parked = NULL;
        pthread_mutex_unlock(&parked_mu);
        usleep(500);
    }
    if (parked_how == FLOW_DONE)
        response_bytes(r, 201, "text/plain", TEXT("done elsewhere"));
    request_resume(r, parked_how);
    return NULL;
}

START_TEST(parked_requests_are_resumed_by_another_thread)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    pthread_t t;
    parked_how = FLOW_DONE;
    pthread_create(&t, NULL, resume_parked, NULL);
    struct reply r = client_do(&c, f.a, "GET", "/park", NULL, TEXT_NONE);
    ck_assert_int_eq(r.code, 201);
    check_text(r.body, "done elsewhere");
    pthread_join(t, NULL);
    parked_how = FLOW_BLOCK;
    pthread_create(&t, NULL, resume_parked, NULL);
    r = client_do(&c, f.a, "GET", "/park", NULL, TEXT_NONE);
    check_text(r.body, "again");
    pthread_join(t, NULL);
    client_close(&c);
    stop(&f);
    ck_assert_int_eq(n_left, 2);
}
END_TEST

#define LATE                                                                                              \
    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not complete within the " \
    "allotted "                                                                                           \
    "timeout\",\"reason\":\"Timeout\",\"details\":{},\"code\":504}\n"

static void limit_to_200_ms(struct listener_options *opt)
{
    opt->request_timeout_ms = 200;
}

static struct request *wait_for_parked(void)
{
    for (;;) {
        pthread_mutex_lock(&parked_mu);
        struct request *r = MOVE(parked);
        pthread_mutex_unlock(&parked_mu);
        if (r)
            return r;
        usleep(500);
    }
}

/* The client has its 504 while the request is still parked; then the late answer goes nowhere. */
START_TEST(a_parked_request_is_answered_at_its_deadline)
{
    static const struct {
        bool with_tls;
        const char *method, *target, *body;
    } rows[] = {{true, "GET", "/park?timeout=100ms", LATE},
                {true, "GET", "/park?timeout=1h", LATE},
                {false, "GET", "/park", LATE},
                {false, "HEAD", "/park", ""}};
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f = start(rows[i].with_tls, limit_to_200_ms);
        struct client c = rows[i].with_tls ? connect_tls(&f) : client_connect(listener_port(f.l));
        atomic_store(&n_left, 0);
        struct reply r = client_do(&c, f.a, rows[i].method, rows[i].target, "X-Test: yes\r\n", TEXT_NONE);
        ck_assert_int_eq(r.code, 504);
        check_text(r.body, rows[i].body);
        check_text(reply_header(&r, "Content-Type"), "text/plain; charset=utf-8");
        check_text(reply_header(&r, "Connection"), "close");
        check_text(reply_header(&r, "Audit-Id"), "an-id");
        struct text line;
        ck_assert(!client_line(&c, f.a, &line)); /* the end */
        ck_assert_int_eq(n_left, 0);

        struct request *late = wait_for_parked();
        check_text(request_header(late, "X-Test"), "yes"); /* all of it is still there */
        response_bytes(late, 201, "text/plain", TEXT("too late"));
        request_resume(late, FLOW_DONE);
        client_close(&c);
        stop(&f);
        ck_assert_int_eq(n_left, 1);
    }
}
END_TEST

START_TEST(deadlines_of_the_client)
{
    static const struct {
        const char *target;
        int code;
        const char *word;
    } rows[] = {
        {"/x?timeout=10s", 200, "GET /x"},
        {"/x?timeout=0s", 200, "GET /x"},
        {"/x?timeout=-1s", 200, "GET /x"},
        {"/x?timeout=", 200, "GET /x"},
        {"/x?timeout=1ns", 504, "Timeout: request did not complete"},
        {"/x?timeout=bad", 400,
         "invalid timeout specified in the request URL - time: invalid duration \\\"bad\\\""},
        {"/x?timeout=5", 400, "time: missing unit in duration \\\"5\\\""},
        {"/api/v1/pods?watch=1&timeout=bad", 200, "GET /api"}, /* long-running */
        {"/api/v1/namespaces/a/pods/b/log?timeout=1ns", 200, "GET /api"},
    };
    struct fixture f = start(true, limit_to_200_ms);
    struct client c = connect_tls(&f);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct reply r = client_do(&c, f.a, "GET", rows[i].target, NULL, TEXT_NONE);
        ck_assert_msg(r.code == rows[i].code, "%s: %d", rows[i].target, r.code);
        ck_assert_msg(text_find_text(r.body, text_of(rows[i].word)) >= 0, "%s: %.*s", rows[i].target,
                      TEXT_ARG(r.body));
    }
    client_close(&c);
    stop(&f);
}
END_TEST

static void *resume_soon(void *arg)
{
    struct request *r = wait_for_parked();
    usleep((useconds_t)(uintptr_t)arg);
    response_bytes(r, 201, "text/plain", TEXT("in time"));
    request_resume(r, FLOW_DONE);
    return NULL;
}

/* Whoever wins, there is one whole answer. */
START_TEST(the_answer_may_race_the_deadline)
{
    struct fixture f = start(true, NULL);
    int n_late = 0;
    for (uintptr_t i = 0; i < 60; i++) {
        struct client c = connect_tls(&f);
        pthread_t t;
        pthread_create(&t, NULL, resume_soon, (void *)(18500 + i * 50));
        struct reply r = client_do(&c, f.a, "GET", "/park?timeout=20ms", NULL, TEXT_NONE);
        if (r.code == 504)
            check_text(r.body, LATE);
        else
            check_text(r.body, "in time");
        n_late += r.code == 504;
        pthread_join(t, NULL);
        client_close(&c);
    }
    ck_assert_int_lt(n_late, 60);
    stop(&f);
}
END_TEST

START_TEST(resume_may_come_before_enter_returns)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    for (int i = 0; i < 200; i++) {
        struct reply r = client_do(&c, f.a, "GET", i % 2 ? "/race" : "/race?wait=1", NULL, TEXT_NONE);
        ck_assert_int_eq(r.code, 200);
    }
    client_close(&c);
    stop(&f);
    ck_assert_int_eq(n_left, 200);
}
END_TEST

START_TEST(failures_are_statuses_with_warnings)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    struct reply r = client_do(&c, f.a, "GET", "/fail", NULL, TEXT_NONE);
    ck_assert_int_eq(r.code, 404);
    ck_assert(text_find_text(r.body, TEXT("\"message\":\"nothing here\"")) > 0);
    ptrdiff_t first = text_find_text(r.header, TEXT("Warning: 299 - \"careful\"\n"));
    ck_assert(first > 0);
    ck_assert(text_find_text(r.header, TEXT("Warning: 299 - \"say \\\"no\\\"\"\n")) > first);
    ck_assert(text_find_text(text_from(r.header, (size_t)first + 1), TEXT("careful")) < 20);
    ck_assert_int_eq(client_do(&c, f.a, "GET", "/nothing", NULL, TEXT_NONE).code, 500);
    ck_assert_int_eq(client_do(&c, f.a, "GET", "/past", NULL, TEXT_NONE).code, 500);
    ck_assert_int_eq(client_do(&c, f.a, "GET", "/api/v1/watch", NULL, TEXT_NONE).code, 500);
    client_close(&c);
    stop(&f);
}
END_TEST

/* --- bad input --- */

START_TEST(malformed_requests_are_refused)
{
    static const struct {
        const char *raw;
        int code; /* 0: the connection just ends */
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400}, /* no Host */
        {"GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"\x16\x03\x01\r\n\r\n", 0},
        {"GET\r\n\r\n", 0},
    };
    struct fixture f = start(false, NULL);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct client c = client_connect(listener_port(f.l));
        client_send(&c, text_of(rows[i].raw));
        struct reply r = client_read(&c, f.a, true);
        ck_assert_msg(r.code == rows[i].code, "row %zu: %d", i, r.code);
        client_close(&c);
    }
    stop(&f);
    ck_assert_int_eq(n_left, 0);
}
END_TEST

START_TEST(long_headers_and_targets_are_bounded)
{
    struct fixture f = start(false, NULL);
    char *p = arena_alloc(f.a, 70000);
    memset(p, 'h', 70000);
    struct buffer b = BUFFER_IN(f.a);

    struct client c = client_connect(listener_port(f.l));
    buffer_addf(&b, "X-Test: %.*s\r\n", 13000, p);
    struct reply r = client_do(&c, f.a, "GET", "/", buffer_str(&b), TEXT_NONE);
    ck_assert_int_eq(r.code, 200);
    ck_assert_uint_gt(r.body.n, 13000);
    buffer_clear(&b);
    buffer_addf(&b, "X-Test: %.*s\r\n", 70000, p);
    ck_assert_int_eq(client_do(&c, f.a, "GET", "/", buffer_str(&b), TEXT_NONE).code, 431);
    client_close(&c);

    c = client_connect(listener_port(f.l));
    buffer_clear(&b);
    buffer_addf(&b, "/%.*s", 70000, p);
    ck_assert_int_eq(client_do(&c, f.a, "GET", buffer_str(&b), NULL, TEXT_NONE).code, 414);
    client_close(&c);
    stop(&f);
}
END_TEST

static void short_timeouts(struct listener_options *opt)
{
    opt->header_timeout_s = 1;
}

START_TEST(trickling_headers_time_out)
{
    struct fixture f = start(true, short_timeouts);
    struct client silent = client_connect(listener_port(f.l)); /* no handshake at all */
    struct client trickler = connect_tls(&f);
    struct reply r = client_do(&trickler, f.a, "GET", "/", NULL, TEXT_NONE);
    ck_assert_int_eq(r.code, 200);
    client_send(&trickler, TEXT("GET / HTTP/1.1\r\n"));
    int i = 0;
    while (client_send(&trickler, TEXT("X-A: b\r\n")) && i++ < 100)
        usleep(100000);
    ck_assert_int_lt(i, 50);
    ck_assert(!client_fill(&silent));
    client_close(&silent);
    client_close(&trickler);
    stop(&f);
}
END_TEST

START_TEST(a_taken_port_is_named)
{
    struct fixture f = start(false, NULL);
    struct listener_options opt = f.opt;
    opt.tls = NULL;
    opt.port = listener_port(f.l);
    struct listener *l = NULL;
    struct status st = {0};
    ck_assert_int_eq(listener_start(&opt, &l, &st), -1);
    char wanted[100];
    snprintf(wanted, sizeof(wanted), "listen tcp 127.0.0.1:%u: bind: address already in use", opt.port);
    ck_assert_str_eq(st.message, wanted);
    opt.bind_address = "nowhere";
    ck_assert_int_eq(listener_start(&opt, &l, &st), -1);
    ck_assert_ptr_null(l);
    status_clear(&st);
    stop(&f);
}
END_TEST

/* --- TLS --- */

static struct text server_name(struct client *c, struct arena *a)
{
    unsigned n;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(c->tls, &n);
    gnutls_x509_crt_t cert;
    gnutls_x509_crt_init(&cert);
    gnutls_x509_crt_import(cert, &list[0], GNUTLS_X509_FMT_DER);
    char name[64];
    size_t size = sizeof(name);
    gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
    gnutls_x509_crt_deinit(cert);
    return arena_text(a, (struct text){name, size});
}

START_TEST(new_certificates_serve_new_connections)
{
    struct fixture f = start(true, NULL);
    struct client before = connect_tls(&f);
    check_text(server_name(&before, f.a), "server");
    struct tls_config next = {0};
    make_pair(f.a, "next", &next.cert_pem, &next.key_pem);
    struct status st = {0};
    ck_assert_int_eq(listener_set_tls(f.l, &next, &st), 0);
    struct client after = connect_tls(&f);
    check_text(server_name(&after, f.a), "next");
    ck_assert_int_eq(client_do(&before, f.a, "GET", "/", NULL, TEXT_NONE).code, 200);
    ck_assert_int_eq(client_do(&after, f.a, "GET", "/", NULL, TEXT_NONE).code, 200);

    next.key_pem = f.key; /* of another pair */
    ck_assert_int_eq(listener_set_tls(f.l, &next, &st), -1);
    ck_assert_ptr_nonnull(strstr(st.message, "private key"));
    status_clear(&st);
    client_close(&before);
    client_close(&after);
    stop(&f);
}
END_TEST

static void tls13_only(struct listener_options *opt)
{
    ((struct tls_config *)opt->tls)->min_version = "VersionTLS13";
}
static const struct text one_suite[] = {{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 39}};
static void one_cipher(struct listener_options *opt)
{
    ((struct tls_config *)opt->tls)->cipher_suites = one_suite;
    ((struct tls_config *)opt->tls)->n_cipher_suites = 1;
}

START_TEST(versions_and_suites_are_limited)
{
    static const struct {
        void (*adjust)(struct listener_options *);
        const char *priorities;
        bool works;
    } rows[] = {
        {NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
        {NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
        {NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
        {tls13_only, "NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
        {tls13_only, "NORMAL:-VERS-ALL:+VERS-TLS1.2", false},
        {one_cipher, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM", true},
        {one_cipher, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC", false},
        {one_cipher, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM", true},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f = start(true, rows[i].adjust);
        struct client c = client_connect(listener_port(f.l));
        int err = client_start_tls(&c, TEXT_NONE, TEXT_NONE, rows[i].priorities);
        ck_assert_msg((err == 0) == rows[i].works, "row %zu: %s", i, gnutls_strerror(err));
        client_close(&c);
        stop(&f);
    }
}
END_TEST

START_TEST(wrong_tls_settings_are_named)
{
    struct arena *a = arena_new();
    struct tls_config c = {0};
    struct status st = {0};
    make_pair(a, "x", &c.cert_pem, &c.key_pem);
    ck_assert_int_eq(tls_config_check(&c, &st), 0);
    c.min_version = "VersionTLS14";
    ck_assert_int_eq(tls_config_check(&c, &st), -1);
    ck_assert_str_eq(st.message, "unknown tls version \"VersionTLS14\"");
    c.min_version = NULL;
    struct text suites[] = {TEXT("TLS_MADE_UP")};
    c.cipher_suites = suites;
    c.n_cipher_suites = 1;
    ck_assert_int_eq(tls_config_check(&c, &st), -1);
    ck_assert_str_eq(st.message, "Cipher suite TLS_MADE_UP not supported or doesn't exist");
    c.n_cipher_suites = 0;
    c.cert_pem = TEXT("not a certificate");
    ck_assert_int_eq(tls_config_check(&c, &st), -1);
    status_clear(&st);
    for (const char *const *name = tls_cipher_suite_names(); *name; name++)
        ck_assert(strncmp(*name, "TLS_", 4) == 0);
    arena_free(a);
}
END_TEST

/* --- streams --- */

static void wait_for(atomic_int *n, int wanted)
{
    for (int i = 0; i < 20000 && atomic_load(n) < wanted; i++)
        usleep(1000);
    ck_assert_int_ge(atomic_load(n), wanted);
}

static struct client open_watch_on(struct fixture *f, struct client c, const char *target)
{
    struct buffer b = BUFFER_IN(f->a);
    buffer_addf(&b, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    client_send(&c, buffer_text(&b));
    struct reply r = client_read_header(&c, f->a);
    ck_assert_int_eq(r.code, 200);
    check_text(reply_header(&r, "Transfer-Encoding"), "chunked");
    return c;
}

static struct client open_watch(struct fixture *f, const char *target)
{
    return open_watch_on(f, connect_tls(f), target);
}

static void deliver(bool is_tls)
{
    struct fixture f = start(is_tls, NULL);
    struct client c =
        open_watch_on(&f, is_tls ? connect_tls(&f) : client_connect(listener_port(f.l)), "/watch");
    struct stream *s = wait_for_stream();
    struct buffer got = BUFFER_IN(f.a), wanted = BUFFER_IN(f.a);
    for (int i = 0; i < 2000; i++) {
        struct buffer line = BUFFER_INIT;
        buffer_addf(&line, "{\"event\":%d}\n", i);
        struct blob *b = blob_new(buffer_text(&line));
        ck_assert(stream_push(s, b, blob_text(b)));
        buffer_add(&wanted, blob_text(b));
        blob_unref(b);
        buffer_deinit(&line);
        if (i % 100 == 0) /* let it fall asleep now and then */
            ck_assert_int_gt(client_chunk(&c, f.a, &got), 0);
    }
    unsigned requests, long_running;
    listener_counts(f.l, &requests, &long_running);
    ck_assert_uint_eq(requests, 0);
    ck_assert_uint_eq(long_running, 1);
    stream_finish(s);
    ptrdiff_t n;
    while ((n = client_chunk(&c, f.a, &got)) > 0)
        ;
    ck_assert_int_eq(n, 0);
    ck_assert(text_eq(buffer_text(&got), buffer_text(&wanted)));
    wait_for(&watch.n_closed, 1);
    /* Over TLS the connection has ended with it, see leave.c. */
    if (is_tls)
        ck_assert_int_lt(client_chunk(&c, f.a, &got), 0);
    else
        ck_assert_int_eq(client_do(&c, f.a, "GET", "/", NULL, TEXT_NONE).code, 200);
    ck_assert(!stream_push_owned(s, TEXT("late"), NULL, NULL));
    client_close(&c);
    stop(&f);
    ck_assert_int_eq(watch.n_closed, 1);
}

START_TEST(streams_deliver_in_order_and_end_cleanly)
{
    deliver(true);
}
END_TEST

START_TEST(streams_without_tls_leave_the_connection)
{
    deliver(false);
}
END_TEST

START_TEST(drained_asks_for_more)
{
    struct fixture f = start(true, NULL);
    struct client c = open_watch(&f, "/watch?pull");
    struct buffer got = BUFFER_IN(f.a);
    while (client_chunk(&c, f.a, &got) > 0)
        ;
    check_text(buffer_text(&got), "pulled\npulled\npulled\npulled\npulled\n");
    client_close(&c);
    stop(&f);
}
END_TEST

static atomic_int n_released;
static void release(void *owner)
{
    atomic_fetch_add(&n_released, 1);
}

START_TEST(a_client_that_does_not_read_is_cut_off)
{
    struct fixture f = start(true, NULL);
    struct client c = open_watch(&f, "/watch");
    struct stream *s = wait_for_stream();
    static char event[20000];
    int pushed = 0;
    while (stream_push_owned(s, (struct text){event, sizeof(event)}, event, release)) {
        pushed++;
        ck_assert_int_lt(pushed, 100000);
        if (pushed > 100)
            usleep(100);
    }
    ck_assert(!stream_is_open(s));
    wait_for(&watch.n_closed, 1);
    struct buffer got = BUFFER_IN(f.a);
    ptrdiff_t n;
    while ((n = client_chunk(&c, f.a, &got)) > 0)
        got.n = 0;
    ck_assert_int_eq(n, -1);
    client_close(&c);
    listener_stop(f.l, 2000);
    workers_stop(f.workers);
    stream_unref(watch.stream);
    ck_assert_int_eq(n_released, pushed + 1); /* the refused one too */
    arena_free(f.a);
}
END_TEST

START_TEST(a_client_that_hangs_up_is_noticed_while_idle)
{
    struct fixture f = start(true, NULL);
    struct client c = open_watch(&f, "/watch");
    wait_for_stream();
    client_close(&c);
    wait_for(&watch.n_closed, 1);
    stop(&f);
    ck_assert_int_eq(n_left, 1);
}
END_TEST

START_TEST(abort_cuts_without_an_end)
{
    struct fixture f = start(true, NULL);
    struct client c = open_watch(&f, "/watch");
    struct stream *s = wait_for_stream();
    stream_push_owned(s, TEXT("one"), NULL, NULL);
    struct buffer got = BUFFER_IN(f.a);
    ck_assert_int_eq(client_chunk(&c, f.a, &got), 3);
    stream_abort(s);
    ck_assert_int_eq(client_chunk(&c, f.a, &got), -1);
    wait_for(&watch.n_closed, 1);
    client_close(&c);
    stop(&f);
}
END_TEST

/* --- stopping --- */

START_TEST(quiesce_ends_keep_alive)
{
    struct fixture f = start(true, NULL);
    struct client c = connect_tls(&f);
    struct reply r = client_do(&c, f.a, "GET", "/", NULL, TEXT_NONE);
    ck_assert(!reply_header(&r, "Connection").p);
    listener_quiesce(f.l);
    r = client_do(&c, f.a, "GET", "/", NULL, TEXT_NONE);
    ck_assert_int_eq(r.code, 200);
    check_text(reply_header(&r, "Connection"), "close");
    ck_assert(!client_fill(&c));
    client_close(&c);
    stop(&f);
}
END_TEST

static atomic_bool is_loading = true;
static void *load(void *arg)
{
    struct fixture *f = arg;
    static const char *const targets[] = {"/", "/block", "/race", "/large", "/source", "/fail"};
    for (unsigned i = 0; atomic_load(&is_loading); i++) {
        struct arena *a = arena_new();
        struct sockaddr_in addr = {.sin_family = AF_INET,
                                   .sin_port = htons(listener_port(f->l)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
            client_start_tls(&c, TEXT_NONE, TEXT_NONE, NULL) == 0)
            for (unsigned j = 0; j < 7; j++)
                if (client_do(&c, a, "GET", targets[(i + j) % N_ELEMENTS(targets)], NULL, TEXT_NONE).code ==
                    0)
                    break;
        client_close(&c);
        arena_free(a);
    }
    return NULL;
}

START_TEST(stop_under_load_waits_for_all)
{
    struct fixture f = start(true, NULL);
    uint16_t port = listener_port(f.l);
    pthread_t threads[6], resumer;
    struct client half = client_connect(port); /* in its handshake for ever */
    client_send(&half, TEXT("\x16\x03\x01"));
    struct client watcher = open_watch(&f, "/watch");
    wait_for_stream();
    parked_how = FLOW_DONE;
    struct client waiting = connect_tls(&f);
    client_send(&waiting, TEXT("GET /park HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct listener_counts_of {
        unsigned requests, long_running;
    } n = {0};
    while (n.requests == 0)
        listener_counts(f.l, &n.requests, &n.long_running);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        pthread_create(&threads[i], NULL, load, &f);
    usleep(300000);
    pthread_create(&resumer, NULL, resume_parked, NULL);
    atomic_store(&is_loading, false);
    listener_stop(f.l, 10);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
    pthread_join(resumer, NULL);
    workers_stop(f.workers);
    ck_assert_int_eq(watch.n_closed, 1);
    stream_unref(watch.stream);
    client_close(&half);
    client_close(&watcher);
    client_close(&waiting);
    arena_free(f.a);
}
END_TEST

UNIT_MAIN("listener", requests_over_tls_keep_the_connection, head_is_get_without_a_body,
          client_certificates_are_optional_and_seen, bodies_are_read_whole,
          too_large_bodies_are_told_to_the_handler, sources_are_pulled_and_gzipped,
          large_bodies_are_gzipped_for_those_who_ask, blocking_steps_run_on_a_worker,
          parked_requests_are_resumed_by_another_thread, a_parked_request_is_answered_at_its_deadline,
          deadlines_of_the_client, the_answer_may_race_the_deadline, resume_may_come_before_enter_returns,
          failures_are_statuses_with_warnings, malformed_requests_are_refused,
          long_headers_and_targets_are_bounded, trickling_headers_time_out, a_taken_port_is_named,
          new_certificates_serve_new_connections, versions_and_suites_are_limited,
          wrong_tls_settings_are_named, streams_deliver_in_order_and_end_cleanly,
          streams_without_tls_leave_the_connection, drained_asks_for_more,
          a_client_that_does_not_read_is_cut_off, a_client_that_hangs_up_is_noticed_while_idle,
          abort_cuts_without_an_end, quiesce_ends_keep_alive, stop_under_load_waits_for_all)
