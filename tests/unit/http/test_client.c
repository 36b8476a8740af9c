/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a little server that misbehaves by path. */
#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "unit.h"

/* --- the server --- */

static atomic_int n_connections, n_requests;

static bool read_request(int fd, struct buffer *b, struct text *ret_path, struct text *ret_body)
{
    char bytes[4096];
    buffer_clear(b);
    for (;;) {
        const char *end = b->n ? strstr(buffer_str(b), "\r\n\r\n") : NULL;
        if (end) {
            const char *length = strstr(b->p, "Content-Length: ");
            size_t n = length && length < end ? strtoul(length + 16, NULL, 10) : 0, head = (size_t)(end + 4 - b->p);
            if (b->n >= head + n) {
                struct text rest = text_first(buffer_text(b), head), word;
                text_split(&rest, ' ', &word);
                text_split(&rest, ' ', ret_path);
                *ret_body = (struct text){b->p + head, n};
                return true;
            }
        }
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n <= 0)
            return false;
        buffer_add_bytes(b, bytes, (size_t)n);
    }
}

static void say(int fd, const char *text)
{
    ck_assert_int_ge(send(fd, text, strlen(text), MSG_NOSIGNAL), -1);
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    struct text path, body;
    char head[128];
    atomic_fetch_add(&n_connections, 1);
    while (read_request(fd, &b, &path, &body)) {
        atomic_fetch_add(&n_requests, 1);
        if (text_is(path, "/echo")) {
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.n);
            say(fd, head);
            ck_assert_int_ge(send(fd, body.p, body.n, MSG_NOSIGNAL), -1);
        } else if (text_is(path, "/slow")) {
            usleep(30000);
            say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
        } else if (text_is(path, "/stream")) {
            say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 3; i++) {
                say(fd, "5\r\nline\n\r\n");
                usleep(5000);
            }
            if (read(fd, head, 1) <= 0) /* until the client goes */
                break;
        } else if (text_is(path, "/refuse")) {
            say(fd, "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
        } else if (text_is(path, "/hang")) {
            usleep(1000000);
        } else { /* /drop: the connection goes without an answer */
            break;
        }
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    pthread_t t;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_create(&t, NULL, serve, (void *)(intptr_t)fd);
        pthread_detach(t);
    }
    return NULL;
}

static void start_server(int listener)
{
    pthread_t t;
    ck_assert_int_eq(listen(listener, 64), 0);
    pthread_create(&t, NULL, accept_all, (void *)(intptr_t)listener);
    pthread_detach(t);
}

static int start_tcp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    start_server(fd);
    return ntohs(a.sin_port);
}

/* --- exchanges that are waited for --- */

struct waited {
    struct http_exchange x;
    char url[100];
    pthread_mutex_t mu;
    pthread_cond_t told;
    bool is_done;
};

static void wake(struct http_exchange *x)
{
    struct waited *w = CONTAINER_OF(x, struct waited, x);
    pthread_mutex_lock(&w->mu);
    w->is_done = true;
    pthread_cond_signal(&w->told);
    pthread_mutex_unlock(&w->mu);
}

static void begin(struct http_client *c, struct waited *w, int port, const char *path)
{
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d%s", port, path);
    w->x.url = w->url;
    w->x.done = wake;
    w->is_done = false;
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->told, NULL);
    http_client_submit(c, &w->x);
}

static void end(struct waited *w)
{
    pthread_mutex_lock(&w->mu);
    while (!w->is_done)
        pthread_cond_wait(&w->told, &w->mu);
    pthread_mutex_unlock(&w->mu);
    pthread_mutex_destroy(&w->mu);
    pthread_cond_destroy(&w->told);
}

static enum http_result once(struct http_client *c, struct waited *w, int port, const char *path)
{
    buffer_clear(&w->x.body_in);
    begin(c, w, port, path);
    end(w);
    return w->x.result;
}

/* --- tests --- */

START_TEST(answers_come_over_few_connections)
{
    enum { N = 40 };
    static struct waited each[N];
    const struct http_client_options opt = {.name = "client", .connections_max = 4};
    struct http_client *c = http_client_start(&opt);
    char bodies[N][16];
    int port = start_tcp();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            snprintf(bodies[i], sizeof(bodies[i]), "body %d", i);
            each[i] = (struct waited){.x = {.body = text_of(bodies[i])}};
            begin(c, &each[i], port, "/echo");
        }
        for (int i = 0; i < N; i++) {
            end(&each[i]);
            ck_assert_int_eq(each[i].x.result, HTTP_DONE);
            ck_assert_int_eq(each[i].x.code, 200);
            ck_assert_str_eq(buffer_str(&each[i].x.body_in), bodies[i]);
            buffer_deinit(&each[i].x.body_in);
        }
    }
    ck_assert_int_eq(atomic_load(&n_requests), 2 * N);
    ck_assert_int_le(atomic_load(&n_connections), 4);
    http_client_stop(c);
}
END_TEST

START_TEST(failures_say_whether_the_server_may_know)
{
    struct http_client *c = http_client_start(&(struct http_client_options){.name = "client"});
    struct waited w = {.x = {.body = TEXT("x")}};
    int port = start_tcp();
    ck_assert_int_eq(once(c, &w, 1, "/echo"), HTTP_NOT_SENT);
    ck_assert_msg(strstr(w.x.why, "connect") != NULL, "%s", w.x.why);
    ck_assert_int_eq(once(c, &w, port, "/refuse"), HTTP_DONE);
    ck_assert_int_eq(w.x.code, 503);
    ck_assert_str_eq(buffer_str(&w.x.body_in), "no");
    ck_assert_int_eq(once(c, &w, port, "/drop"), HTTP_BROKEN);
    w.x.timeout_ms = 50;
    ck_assert_int_eq(once(c, &w, port, "/hang"), HTTP_BROKEN);
    w.x.timeout_ms = 0;
    w.x.answer_max = 3;
    ck_assert_int_eq(once(c, &w, port, "/slow"), HTTP_BROKEN);
    ck_assert_str_eq(w.x.why, "the answer is too long");
    buffer_deinit(&w.x.body_in);
    http_client_stop(c);
}
END_TEST

/* A kept connection that breaks as it is used again: nobody knows what the server has seen. */
START_TEST(nothing_is_sent_twice_unless_it_may_be)
{
    for (int can_repeat = 0; can_repeat < 2; can_repeat++) {
        struct http_client *c =
            http_client_start(&(struct http_client_options){.name = "client", .can_repeat = can_repeat});
        struct waited w = {.x = {.body = TEXT("x")}};
        int port = start_tcp();
        ck_assert_int_eq(once(c, &w, port, "/echo"), HTTP_DONE);
        int before = atomic_load(&n_requests);
        ck_assert_int_eq(once(c, &w, port, "/drop"), HTTP_BROKEN);
        ck_assert_int_eq(atomic_load(&n_requests) - before, 1 + can_repeat);
        buffer_deinit(&w.x.body_in);
        http_client_stop(c);
    }
}
END_TEST

struct streamed {
    struct waited w;
    struct http_client *client;
    int n;
};

static bool take(struct http_exchange *x, struct text piece)
{
    struct streamed *s = CONTAINER_OF(CONTAINER_OF(x, struct waited, x), struct streamed, w);
    for (size_t i = 0; i < piece.n; i++)
        s->n += piece.p[i] == '\n';
    if (s->n == 3)
        http_client_cancel(s->client, x);
    return true;
}

START_TEST(a_stream_is_heard_and_canceled)
{
    struct http_client *c = http_client_start(&(struct http_client_options){.name = "client"});
    struct streamed s = {.w = {.x = {.piece = take}}, .client = c};
    ck_assert_int_eq(once(c, &s.w, start_tcp(), "/stream"), HTTP_CANCELED);
    ck_assert_int_eq(s.n, 3);
    http_client_stop(c);
}
END_TEST

START_TEST(the_end_cancels_what_runs)
{
    struct http_client *c = http_client_start(&(struct http_client_options){.name = "client", .connections_max = 1});
    struct waited w[3] = {0};
    int port = start_tcp();
    for (int i = 0; i < 3; i++)
        begin(c, &w[i], port, "/hang");
    usleep(20000);
    http_client_stop(c);
    for (int i = 0; i < 3; i++) {
        end(&w[i]);
        ck_assert_int_eq(w[i].x.result, HTTP_CANCELED);
    }
}
END_TEST

START_TEST(a_unix_socket_will_do)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct http_client *c = http_client_start(&(struct http_client_options){.name = "client"});
    char folder[] = "/tmp/keelson-client-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    start_server(fd);
    struct waited w = {.x = {.body = TEXT("hello"), .unix_socket = a.sun_path}};
    ck_assert_int_eq(once(c, &w, 80, "/echo"), HTTP_DONE);
    ck_assert_str_eq(buffer_str(&w.x.body_in), "hello");
    buffer_deinit(&w.x.body_in);
    http_client_stop(c);
    unlink(a.sun_path);
    rmdir(folder);
}
END_TEST

UNIT_MAIN("http/client", answers_come_over_few_connections, failures_say_whether_the_server_may_know,
          nothing_is_sent_twice_unless_it_may_be, a_stream_is_heard_and_canceled, the_end_cancels_what_runs,
          a_unix_socket_will_do)
