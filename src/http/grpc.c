/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 is nghttp2's: it reads bytes and calls back with headers and data of our one stream, and says which bytes to send.
 * We move the bytes, with poll and a deadline. A call is a POST whose body is one message behind a header of five bytes (not
 * compressed, length); so is the answer's, followed by trailers with the status; an answer without a body has the status in
 * its only headers. Whatever breaks a connection ends the call; the next one connects anew. */
#include "http/grpc.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base.h"

#define FRAME_HEAD 5
#define HEADERS_BYTES_MAX (16 * 1024)
#define CONNECT_RETRY_MS 50
#define TEXT_MAX 1024 /* of a status' message that we pass on */

static const char *const code_names[] = {
    "OK",          "Canceled",         "Unknown",         "InvalidArgument",   "DeadlineExceeded",   "NotFound",
    "AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",         "OutOfRange",
    "Unimplemented", "Internal",         "Unavailable",     "DataLoss",          "Unauthenticated",
};

const char *grpc_code_name(enum grpc_code c)
{
    return (size_t)c < N_ELEMENTS(code_names) ? code_names[c] : "Unknown";
}

struct call {
    struct text message; /* framed: head, then bytes */
    uint8_t head[FRAME_HEAD];
    size_t sent;
    int32_t stream;
    struct buffer body;
    struct buffer text; /* grpc-message, decoded */
    size_t headers_bytes;
    int http_status, code; /* -1: not said */
    bool is_grpc, is_closed;
    uint32_t http2_error;
    enum grpc_code broken; /* an answer that we refuse; OK: none */
    const char *why;
};

struct grpc_client {
    char *socket; /* NULL: adopted */
    int cancel_fd;
    atomic_bool is_cancelled;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_busy;             /* mu: a call runs; what follows is its own */
    int fd;                   /* -1: not connected */
    nghttp2_session *session;
    struct call *call;
};

/* --- what nghttp2 tells ----------------------------------------------------------------------------------------------- */

static void refuse(struct call *call, enum grpc_code code, const char *why)
{
    if (call->broken == GRPC_OK) {
        call->broken = code;
        call->why = why;
    }
}

static void add_decoded(struct buffer *b, struct text t)
{
    for (size_t i = 0; i < t.n && b->n < TEXT_MAX; i++) {
        int high = t.p[i] == '%' && i + 2 < t.n ? text_hex_digit(t.p[i + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(t.p[i + 2]) : -1;
        if (low >= 0) {
            buffer_add_char(b, (char)(high << 4 | low));
            i += 2;
        } else {
            buffer_add_char(b, t.p[i]);
        }
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user_data)
{
    struct call *call = ((struct grpc_client *)user_data)->call;
    struct text n = {(const char *)name, name_n}, v = {(const char *)value, value_n};
    uint64_t number;
    (void)session;
    (void)flags;
    if (!call || frame->hd.stream_id != call->stream)
        return 0;
    call->headers_bytes += name_n + value_n;
    if (call->headers_bytes > HEADERS_BYTES_MAX) {
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "the answer has too many headers");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (text_is(n, ":status"))
        call->http_status = text_to_u64(v, &number) && number < 1000 ? (int)number : 0;
    else if (text_is(n, "content-type"))
        call->is_grpc = text_starts(v, TEXT("application/grpc"));
    else if (text_is(n, "grpc-status"))
        call->code = text_to_u64(v, &number) && number < N_ELEMENTS(code_names) ? (int)number : GRPC_UNKNOWN;
    else if (text_is(n, "grpc-message") && !call->text.n)
        add_decoded(&call->text, v);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *user_data)
{
    struct call *call = ((struct grpc_client *)user_data)->call;
    (void)session;
    (void)flags;
    if (!call || stream != call->stream)
        return 0;
    if (call->body.n + n > GRPC_MESSAGE_MAX + FRAME_HEAD) {
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "the answer is larger than 4 MiB");
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
        return 0;
    }
    buffer_add_bytes(&call->body, data, n);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user_data)
{
    struct call *call = ((struct grpc_client *)user_data)->call;
    (void)session;
    if (call && stream == call->stream) {
        call->is_closed = true;
        call->http2_error = error;
    }
    return 0;
}

static ssize_t give_data(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user_data)
{
    struct call *call = source->ptr;
    size_t total = FRAME_HEAD + call->message.n, n = 0;
    (void)session;
    (void)stream;
    (void)user_data;
    for (; n < room && call->sent < FRAME_HEAD; n++)
        to[n] = call->head[call->sent++];
    size_t part = total - call->sent < room - n ? total - call->sent : room - n;
    if (part)
        memcpy(to + n, call->message.p + (call->sent - FRAME_HEAD), part);
    call->sent += part;
    if (call->sent == total)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(n + part);
}

/* --- the connection ------------------------------------------------------------------------------------------------------ */

static void disconnect(struct grpc_client *c)
{
    nghttp2_session_del(MOVE(c->session));
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* The largest table of header names that we keep for the server, and no pushes. */
static bool start_session(struct grpc_client *c)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_BYTES_MAX}};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        out_of_memory();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_max_outbound_ack(option, 100);
    int rc = nghttp2_session_client_new2(&c->session, callbacks, c, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rc == 0 && nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, N_ELEMENTS(settings)) == 0;
}

/* 0, or an errno. A Unix socket connects at once or not at all, unless its queue is full. */
static int connect_socket(struct grpc_client *c)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(c->socket);
    if (n == 0 || n >= sizeof(to.sun_path))
        return n ? ENAMETOOLONG : ENOENT;
    memcpy(to.sun_path, c->socket, n);
    socklen_t size = sizeof(to);
    if (to.sun_path[0] == '@') {
        to.sun_path[0] = '\0';
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    }
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return errno;
    if (connect(c->fd, (struct sockaddr *)&to, size) == 0)
        return 0;
    int error = errno;
    disconnect(c);
    return error;
}

/* By the clock that poll goes by, whatever clock.h is made to say. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- moving bytes ----------------------------------------------------------------------------------------------------------- */

/* Waits for the descriptor; DEADLINE_EXCEEDED or CANCELLED when it is not to be. */
static enum grpc_code wait_for(struct grpc_client *c, int fd, short events, int64_t end_ms)
{
    struct pollfd p[] = {{.fd = c->cancel_fd, .events = POLLIN}, {.fd = fd, .events = events}};
    int64_t left = end_ms - now_ms();
    if (left <= 0)
        return GRPC_DEADLINE_EXCEEDED;
    poll(p, fd < 0 ? 1 : 2, (int)(left < INT32_MAX ? left : INT32_MAX));
    return p[0].revents ? GRPC_CANCELLED : GRPC_OK;
}

static enum grpc_code fail(struct status *st, enum grpc_code code, const char *fmt, const char *detail)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    buffer_addf(&b, "rpc error: code = %s desc = ", grpc_code_name(code));
    buffer_addf(&b, fmt, detail); // NOLINT(clang-diagnostic-format-nonliteral)
    status_record(st, STATUS_INTERNAL_ERROR, "%s", buffer_str(&b));
    return code;
}

static enum grpc_code fail_waiting(struct status *st, enum grpc_code code, const char *what)
{
    return fail(st, code, code == GRPC_CANCELLED ? "context canceled%s" : "context deadline exceeded%s", what);
}

/* Sends what nghttp2 has. OK, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE. */
static enum grpc_code flush(struct grpc_client *c, int64_t end_ms)
{
    const uint8_t *p;
    for (;;) {
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (n <= 0)
            return n == 0 ? GRPC_OK : GRPC_UNAVAILABLE;
        for (size_t done = 0; done < (size_t)n;) {
            ssize_t sent = send(c->fd, p + done, (size_t)n - done, MSG_NOSIGNAL);
            if (sent > 0) {
                done += (size_t)sent;
            } else if (errno == EAGAIN) {
                enum grpc_code code = wait_for(c, c->fd, POLLOUT, end_ms);
                if (code != GRPC_OK)
                    return code;
            } else if (errno != EINTR) {
                return GRPC_UNAVAILABLE;
            }
        }
    }
}

/* Takes in what has come. False: the connection has ended, or is no HTTP/2. */
static bool take_in(struct grpc_client *c)
{
    uint8_t bytes[16384];
    for (;;) {
        ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0 || nghttp2_session_mem_recv(c->session, bytes, (size_t)n) != n)
            return false;
        if (c->call && c->call->is_closed)
            return true;
    }
}

/* A connection that can take a call. */
static enum grpc_code be_connected(struct grpc_client *c, int64_t end_ms, struct status *st)
{
    /* What came since the last call: mostly nothing, else a ping, or that the server goes away. */
    if (c->fd >= 0 && c->session && (!take_in(c) || !nghttp2_session_check_request_allowed(c->session)))
        disconnect(c);
    while (c->fd < 0) {
        int error = c->socket ? connect_socket(c) : ENOTCONN;
        if (error == 0)
            break;
        int64_t until = now_ms() + CONNECT_RETRY_MS;
        enum grpc_code code = wait_for(c, -1, 0, until < end_ms ? until : end_ms);
        if (code == GRPC_CANCELLED || now_ms() >= end_ms || !c->socket) {
            char why[256];
            snprintf(why, sizeof(why), ": connection error: dial unix %.150s: %s", c->socket ? c->socket : "",
                     strerror(error));
            return fail_waiting(st, code == GRPC_CANCELLED ? code : GRPC_DEADLINE_EXCEEDED, why);
        }
    }
    if (!c->session && !start_session(c)) {
        disconnect(c);
        return fail(st, GRPC_UNAVAILABLE, "%s", "no HTTP/2 session");
    }
    return GRPC_OK;
}

/* --- one call --------------------------------------------------------------------------------------------------------------- */

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct grpc_client *c, const char *method, int64_t timeout_ms)
{
    char timeout[32];
    /* At most eight digits. */
    snprintf(timeout, sizeof(timeout), "%lld%c", (long long)(timeout_ms < 100000000 ? timeout_ms : timeout_ms / 1000),
             timeout_ms < 100000000 ? 'm' : 'S');
    const nghttp2_nv headers[] = {
        header(":method", "POST"),       header(":scheme", "http"),
        header(":path", method),         header(":authority", "localhost"),
        header("content-type", "application/grpc"), header("user-agent", "keelson/" KEELSON_VERSION),
        header("te", "trailers"),        header("grpc-timeout", timeout),
    };
    const nghttp2_data_provider body = {.source = {.ptr = c->call}, .read_callback = give_data};
    c->call->stream = nghttp2_submit_request(c->session, NULL, headers, N_ELEMENTS(headers), &body, NULL);
}

/* Until the stream has closed. */
static enum grpc_code run(struct grpc_client *c, int64_t end_ms, struct status *st)
{
    while (!c->call->is_closed && c->call->broken == GRPC_OK) {
        enum grpc_code code = flush(c, end_ms);
        if (code == GRPC_OK && !nghttp2_session_want_read(c->session))
            code = GRPC_UNAVAILABLE;
        if (code == GRPC_OK)
            code = wait_for(c, c->fd, POLLIN, end_ms);
        if (code == GRPC_OK && !take_in(c) && !c->call->is_closed)
            code = GRPC_UNAVAILABLE;
        if (code == GRPC_UNAVAILABLE)
            return fail(st, code, "%s", "error reading from server: the connection has ended");
        if (code != GRPC_OK)
            return fail_waiting(st, code, "");
    }
    return GRPC_OK;
}

/* From a closed stream to a message or an error. */
static enum grpc_code conclude(struct call *call, struct buffer *ret, struct status *st)
{
    char http[64];
    if (call->broken != GRPC_OK)
        return fail(st, call->broken, "%s", call->why);
    if (call->code > 0)
        return fail(st, (enum grpc_code)call->code, "%s", buffer_str(&call->text));
    if (call->http2_error != NGHTTP2_NO_ERROR && call->code < 0)
        return fail(st, call->http2_error == NGHTTP2_REFUSED_STREAM ? GRPC_UNAVAILABLE : GRPC_INTERNAL,
                    "stream terminated by RST_STREAM with error code: %s", nghttp2_http2_strerror(call->http2_error));
    if (call->http_status != 200 || !call->is_grpc) {
        snprintf(http, sizeof(http), "%d", call->http_status);
        return fail(st, call->http_status == 404 ? GRPC_UNIMPLEMENTED : GRPC_UNKNOWN,
                    "unexpected HTTP answer with status %s", http);
    }
    if (call->code < 0)
        return fail(st, GRPC_INTERNAL, "%s", "server closed the stream without sending trailers");
    const uint8_t *p = (const uint8_t *)call->body.p;
    if (call->body.n < FRAME_HEAD)
        return fail(st, GRPC_INTERNAL, "%s", "the answer has no message");
    if (p[0] != 0)
        return fail(st, GRPC_INTERNAL, "%s", "the answer is compressed, which was not asked for");
    size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (n != call->body.n - FRAME_HEAD)
        return fail(st, GRPC_INTERNAL, "%s", "the answer is not one message");
    buffer_add_bytes(ret, p + FRAME_HEAD, n);
    return GRPC_OK;
}

static enum grpc_code call_alone(struct grpc_client *c, const char *method, struct text message, int64_t end_ms,
                                  struct buffer *ret, struct status *st)
{
    struct call call = {.message = message, .code = -1, .stream = -1};
    for (int i = 0; i < 4; i++)
        call.head[1 + i] = (uint8_t)(message.n >> (24 - 8 * i));
    enum grpc_code code = be_connected(c, end_ms, st);
    if (code != GRPC_OK)
        return code;
    c->call = &call;
    submit(c, method, end_ms - now_ms());
    code = call.stream < 0 ? fail(st, GRPC_UNAVAILABLE, "%s", "no more streams") : run(c, end_ms, st);
    if (code == GRPC_OK)
        code = conclude(&call, ret, st);
    else
        disconnect(c); /* whatever is still to come of this call must not meet the next one */
    if (call.broken != GRPC_OK)
        disconnect(c);
    c->call = NULL;
    buffer_deinit(&call.body);
    buffer_deinit(&call.text);
    return code;
}

/* Waits for the call that runs, not a mutex, since waiting has an end. False: it did not end in time. */
static bool take_turn(struct grpc_client *c, int64_t end_ms)
{
    const struct timespec until = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
    int rc = 0;
    pthread_mutex_lock(&c->mu);
    while (c->is_busy && rc == 0)
        rc = pthread_cond_timedwait(&c->ended, &c->mu, &until);
    bool is_mine = !c->is_busy;
    c->is_busy = true;
    pthread_mutex_unlock(&c->mu);
    return is_mine;
}

static void end_turn(struct grpc_client *c)
{
    pthread_mutex_lock(&c->mu);
    c->is_busy = false;
    pthread_mutex_unlock(&c->mu);
    pthread_cond_signal(&c->ended);
}

enum grpc_code grpc_call(struct grpc_client *c, const char *method, struct text message, int64_t timeout_ms,
                         struct buffer *ret, struct status *st)
{
    int64_t end_ms = now_ms() + timeout_ms;
    if (!take_turn(c, end_ms))
        return fail_waiting(st, GRPC_DEADLINE_EXCEEDED, "");
    enum grpc_code code = atomic_load(&c->is_cancelled) ? fail_waiting(st, GRPC_CANCELLED, "")
                                                        : call_alone(c, method, message, end_ms, ret, st);
    end_turn(c);
    return code;
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

static struct grpc_client *client_new(void)
{
    struct grpc_client *c = xcalloc(1, sizeof(*c));
    c->fd = -1;
    c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->ended, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&c->mu, NULL);
    return c;
}

struct grpc_client *grpc_client_new(const char *socket)
{
    struct grpc_client *c = client_new();
    c->socket = xstrdup(socket);
    return c;
}

struct grpc_client *grpc_client_adopt(int fd)
{
    struct grpc_client *c = client_new();
    c->fd = fd;
    return c;
}

void grpc_client_cancel(struct grpc_client *c)
{
    static const uint64_t one = 1;
    atomic_store(&c->is_cancelled, true);
    while (write(c->cancel_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void grpc_client_free(struct grpc_client *c)
{
    if (!c)
        return;
    disconnect(c);
    if (c->cancel_fd >= 0)
        close(c->cancel_fd);
    pthread_mutex_destroy(&c->mu);
    pthread_cond_destroy(&c->ended);
    free(c->socket);
    free(c);
}
