/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_server.h - a gRPC server on a Unix socket for tests: one thread, one connection at a time, unary calls by a function. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "unit.h"

enum { SERVE_HANG = -1, SERVE_HANG_UP = -2 }; /* instead of a status: never answers; closes the connection */

struct grpc_server {
    /* Adds the answer and gives the gRPC status; text: its message. */
    int (*handle)(void *ctx, struct text method, struct text message, struct buffer *answer, const char **text);
    void *ctx;
    int listen_fd, fd, stop[2];
    pthread_t thread;
    atomic_int n_connections;
    /* of the request */
    struct buffer method, message, answer;
    size_t sent;
    char status[16];
    const char *text;
    bool hangs_up;
};

static ssize_t server_give(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *user_data)
{
    struct grpc_server *s = user_data;
    size_t n = s->answer.n - s->sent < room ? s->answer.n - s->sent : room;
    if (n)
        memcpy(to, s->answer.p + s->sent, n);
    s->sent += n;
    if (s->sent == s->answer.n) {
        const nghttp2_nv trailers[] = {
            {(uint8_t *)"grpc-status", (uint8_t *)s->status, 11, strlen(s->status), 0},
            {(uint8_t *)"grpc-message", (uint8_t *)s->text, 12, strlen(s->text), 0}};
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, stream, trailers, 2);
    }
    return (ssize_t)n;
}

static int server_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                         const uint8_t *value, size_t value_n, uint8_t flags, void *user_data)
{
    struct grpc_server *s = user_data;
    if (name_n == 5 && memcmp(name, ":path", 5) == 0) {
        buffer_clear(&s->method);
        buffer_clear(&s->message);
        buffer_add_bytes(&s->method, value, value_n);
    }
    return 0;
}

static int server_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
                       void *user_data)
{
    buffer_add_bytes(&((struct grpc_server *)user_data)->message, data, n);
    return 0;
}

static int server_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    static const nghttp2_nv headers[] = {{(uint8_t *)":status", (uint8_t *)"200", 7, 3, 0},
                                         {(uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16, 0}};
    struct grpc_server *s = user_data;
    if (frame->hd.type != NGHTTP2_DATA || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct buffer answer = BUFFER_INIT;
    s->text = "";
    int code = s->handle(s->ctx, buffer_text(&s->method), text_from(buffer_text(&s->message), 5), &answer, &s->text);
    buffer_clear(&s->answer);
    s->sent = 0;
    if (code == 0) {
        const char head[5] = {0, (char)(answer.n >> 24), (char)(answer.n >> 16), (char)(answer.n >> 8), (char)answer.n};
        buffer_add_bytes(&s->answer, head, 5);
        buffer_add(&s->answer, buffer_text(&answer));
    }
    buffer_deinit(&answer);
    s->hangs_up = code == SERVE_HANG_UP;
    snprintf(s->status, sizeof(s->status), "%d", code);
    const nghttp2_data_provider body = {.read_callback = server_give};
    if (code >= 0)
        nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &body);
    return 0;
}

static void server_serve(struct grpc_server *s)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, server_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, server_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, server_frame);
    nghttp2_session_server_new(&session, callbacks, s);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
    s->hangs_up = false;
    while (!s->hangs_up) {
        const uint8_t *p;
        uint8_t bytes[4096];
        ssize_t n;
        while ((n = nghttp2_session_mem_send(session, &p)) > 0)
            for (ssize_t done = 0, sent; done < n; done += sent)
                if ((sent = send(s->fd, p + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0)
                    goto end;
        struct pollfd fds[] = {{.fd = s->stop[0], .events = POLLIN}, {.fd = s->fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 || fds[0].revents)
            break;
        n = recv(s->fd, bytes, sizeof(bytes), 0);
        if (n <= 0 || nghttp2_session_mem_recv(session, bytes, (size_t)n) < 0)
            break;
    }
end:
    nghttp2_session_del(session);
    close(s->fd);
}

static void *server_run(void *arg)
{
    struct grpc_server *s = arg;
    for (;;) {
        struct pollfd fds[] = {{.fd = s->stop[0], .events = POLLIN}, {.fd = s->listen_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 || fds[0].revents)
            return NULL;
        s->fd = accept(s->listen_fd, NULL, NULL);
        atomic_fetch_add(&s->n_connections, 1);
        server_serve(s);
    }
}

/* socket: a path or "@name". handle and ctx are set. */
UNUSED static void grpc_server_start(struct grpc_server *s, const char *socket_name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(socket_name);
    memcpy(at.sun_path, socket_name, n);
    if (at.sun_path[0] == '@')
        at.sun_path[0] = '\0';
    else
        unlink(socket_name);
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s->listen_fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
    ck_assert_int_eq(listen(s->listen_fd, 4), 0);
    ck_assert_int_eq(pipe(s->stop), 0);
    pthread_create(&s->thread, NULL, server_run, s);
}

UNUSED static void grpc_server_stop(struct grpc_server *s)
{
    ck_assert_int_eq(write(s->stop[1], "x", 1), 1);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->stop[1]);
    close(s->listen_fd);
    buffer_deinit(&s->method);
    buffer_deinit(&s->message);
    buffer_deinit(&s->answer);
}
