/* SPDX-License-Identifier: Apache-2.0 */
/* The gRPC client against a small server: answers, errors, deadlines, servers that come late or go away. */
#include "http/grpc.h"

#include "grpc_server.h"

static int handle(void *ctx, struct text method, struct text message, struct buffer *answer, const char **text)
{
    if (text_is(method, "/t.T/Hang"))
        return SERVE_HANG;
    if (text_is(method, "/t.T/HangUp"))
        return SERVE_HANG_UP;
    if (text_is(method, "/t.T/Large")) {
        for (size_t i = 0; i < 300000; i++)
            buffer_add_str(answer, "large");
        return 0;
    }
    if (text_is(method, "/t.T/TooLarge")) {
        for (size_t i = 0; i < 1000000; i++)
            buffer_add_str(answer, "large");
        return 0;
    }
    if (!text_is(method, "/t.T/Echo")) {
        *text = "no %22such%22 method";
        return GRPC_UNIMPLEMENTED;
    }
    buffer_add(answer, message);
    return 0;
}

struct place {
    char folder[64], socket[96];
    struct grpc_server server;
};

static void place_new(struct place *p)
{
    *p = (struct place){.folder = "/tmp/keelson-grpc-XXXXXX", .server = {.handle = handle}};
    ck_assert_ptr_nonnull(mkdtemp(p->folder));
    snprintf(p->socket, sizeof(p->socket), "%s/s", p->folder);
}

static void place_free(struct place *p)
{
    unlink(p->socket);
    rmdir(p->folder);
}

static char said[512];

/* The answer's length, or minus the code with said set. */
static int64_t call(struct grpc_client *c, const char *method, struct text message, int64_t timeout_ms)
{
    struct buffer b = BUFFER_INIT;
    struct status st = {0};
    enum grpc_code code = grpc_call(c, method, message, timeout_ms, &b, &st);
    snprintf(said, sizeof(said), "%s", code == GRPC_OK ? "" : st.message);
    if (code == GRPC_OK && text_is(text_of(method), "/t.T/Echo"))
        ck_assert(text_eq(buffer_text(&b), message));
    int64_t n = (int64_t)b.n;
    buffer_deinit(&b);
    status_clear(&st);
    return code == GRPC_OK ? n : -(int64_t)code;
}

START_TEST(calls_are_answered_over_one_connection)
{
    struct place p;
    place_new(&p);
    grpc_server_start(&p.server, p.socket);
    struct grpc_client *c = grpc_client_new(p.socket);
    char *large = malloc(200000);
    memset(large, 'x', 200000);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("hello"), 5000), 5);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT(""), 5000), 0);
    ck_assert_int_eq(call(c, "/t.T/Echo", (struct text){large, 200000}, 5000), 200000);
    ck_assert_int_eq(call(c, "/t.T/Large", TEXT(""), 5000), 1500000);
    ck_assert_int_eq(call(c, "/t.T/None", TEXT(""), 5000), -GRPC_UNIMPLEMENTED);
    ck_assert_str_eq(said, "rpc error: code = Unimplemented desc = no \"such\" method");
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("again"), 5000), 5);
    ck_assert_int_eq(p.server.n_connections, 1);
    free(large);
    grpc_client_free(c);
    grpc_server_stop(&p.server);
    place_free(&p);
}
END_TEST

START_TEST(a_deadline_ends_a_call_and_the_next_one_works)
{
    struct place p;
    place_new(&p);
    grpc_server_start(&p.server, p.socket);
    struct grpc_client *c = grpc_client_new(p.socket);
    ck_assert_int_eq(call(c, "/t.T/Hang", TEXT(""), 100), -GRPC_DEADLINE_EXCEEDED);
    ck_assert_str_eq(said, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), 1);
    ck_assert_int_eq(call(c, "/t.T/HangUp", TEXT(""), 5000), -GRPC_UNAVAILABLE);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), 1);
    ck_assert_int_eq(call(c, "/t.T/TooLarge", TEXT(""), 5000), -GRPC_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), 1);
    grpc_client_free(c);
    grpc_server_stop(&p.server);
    place_free(&p);
}
END_TEST

static void *start_late(void *arg)
{
    struct place *p = arg;
    usleep(200 * 1000);
    grpc_server_start(&p->server, p->socket);
    return NULL;
}

START_TEST(a_server_that_comes_late_is_waited_for)
{
    struct place p;
    pthread_t late;
    place_new(&p);
    struct grpc_client *c = grpc_client_new(p.socket);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 100), -GRPC_DEADLINE_EXCEEDED);
    ck_assert_ptr_nonnull(strstr(said, "No such file or directory"));
    pthread_create(&late, NULL, start_late, &p);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), 1);
    pthread_join(late, NULL);
    grpc_server_stop(&p.server);
    p.server = (struct grpc_server){.handle = handle};
    grpc_server_start(&p.server, p.socket); /* another one, in its place */
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), 1);
    grpc_client_free(c);
    grpc_server_stop(&p.server);
    place_free(&p);
}
END_TEST

START_TEST(abstract_sockets_have_names)
{
    struct grpc_server server = {.handle = handle};
    char name[64];
    snprintf(name, sizeof(name), "@keelson-test-%d", getpid());
    grpc_server_start(&server, name);
    struct grpc_client *c = grpc_client_new(name);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), 1);
    grpc_client_free(c);
    grpc_server_stop(&server);
}
END_TEST

static void *cancel_soon(void *arg)
{
    usleep(100 * 1000);
    grpc_client_cancel(arg);
    return NULL;
}

START_TEST(cancelling_ends_the_call_that_runs)
{
    struct place p;
    pthread_t canceller;
    place_new(&p);
    grpc_server_start(&p.server, p.socket);
    struct grpc_client *c = grpc_client_new(p.socket);
    pthread_create(&canceller, NULL, cancel_soon, c);
    ck_assert_int_eq(call(c, "/t.T/Hang", TEXT(""), 60000), -GRPC_CANCELLED);
    pthread_join(canceller, NULL);
    ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 60000), -GRPC_CANCELLED);
    grpc_client_free(c);
    grpc_server_stop(&p.server);
    place_free(&p);
}
END_TEST

START_TEST(what_is_no_http2_is_refused)
{
    static const struct text rows[] = {TEXT("HTTP/1.1 400 Bad Request\r\n\r\n"), TEXT(""),
                                       TEXT("\0\0\0\4\0\0\0\0\0\0\0\0\1\0\0\0\0")};
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int fds[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        if (rows[i].n)
            ck_assert_int_eq(write(fds[1], rows[i].p, rows[i].n), (ssize_t)rows[i].n);
        shutdown(fds[1], SHUT_WR);
        struct grpc_client *c = grpc_client_adopt(fds[0]);
        ck_assert_int_eq(call(c, "/t.T/Echo", TEXT("x"), 5000), -GRPC_UNAVAILABLE);
        grpc_client_free(c);
        close(fds[1]);
    }
}
END_TEST

UNIT_MAIN("http/grpc", calls_are_answered_over_one_connection, a_deadline_ends_a_call_and_the_next_one_works,
          a_server_that_comes_late_is_waited_for, abstract_sockets_have_names, cancelling_ends_the_call_that_runs,
          what_is_no_http2_is_refused)
