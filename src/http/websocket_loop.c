/* SPDX-License-Identifier: Apache-2.0 */
/* One thread with an epoll set serves all connections that have become WebSockets, however many. Such a
 * connection is suspended before it is answered and lent to this thread, which writes the answer's header
 * itself: libmicrohttpd's own upgrade would, over TLS, forward through whatever is left of the connection's
 * memory, mostly four bytes at a time, and closing such a connection from another thread is a race inside
 * libmicrohttpd. A connection sleeps until its stream has something (wake, from the producer's thread,
 * through the list of ready ones and an eventfd), its client has, or its socket takes more.
 *
 *   OPEN --stream ended, client closed, error--> CLOSING --close frame sent, or it cannot be--> given back
 *
 * Given back, the connection is resumed; on_request is called once more and has it closed, which unwinds the
 * chain and detaches the stream. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base.h"
#include "http/http_internal.h"
#include "http/websocket.h"

#define READ_BYTES 4096
#define RECORD_BYTES ((size_t)16 << 10)
#define BATCH 64
#define TURN_MESSAGES 256 /* of one connection, before the others have their turn */
#define TURN_READS 16

struct websocket_loop {
    int epoll_fd, wake_fd;
    pthread_t thread;
    pthread_mutex_t mu; /* a leaf, below a stream's */
    struct list ready;  /* mu */
    size_t n_ready;     /* mu */
    bool is_stopping;   /* mu */
};

struct websocket {
    struct list ready_link; /* loop.mu */
    bool is_ready;          /* loop.mu */
    struct websocket_loop *loop;
    struct stream *stream; /* the response's, which outlives this */
    struct connection *connection;
    bool is_text;

    /* the loop thread's */
    struct websocket_reader reader;
    bool is_joined;      /* its socket is watched, its stream wakes it */
    struct text message; /* what is left to send of the stream's entry */
    struct buffer frame; /* before it: a header; or a whole control frame */
    size_t frame_at;
    char pong[WEBSOCKET_CONTROL_MAX]; /* the latest ping wins */
    size_t n_pong;
    unsigned close_code; /* 0: nothing ends yet */
    bool has_pong, is_closing, waits_to_write, has_input;
    bool is_in_tls; /* a record was begun, and goes on with the same bytes */
};

/* --- sending --- */

/* Any thread, with the stream's mutex held. */
static void wake(void *ctx)
{
    struct websocket *w = ctx;
    struct websocket_loop *loop = w->loop;
    const uint64_t one = 1;

    pthread_mutex_lock(&loop->mu);
    if (!w->is_ready) {
        w->is_ready = true;
        loop->n_ready++;
        list_append(&loop->ready, &w->ready_link);
        while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
    }
    pthread_mutex_unlock(&loop->mu);
}

static void add_frame(struct websocket *w, enum websocket_opcode opcode, struct text payload)
{
    char header[WEBSOCKET_HEADER_MAX];

    buffer_add_bytes(&w->frame, header, websocket_header(header, opcode, payload.n));
    buffer_add(&w->frame, payload);
}

static void add_close(struct websocket *w)
{
    const char payload[2] = {(char)(w->close_code >> 8), (char)w->close_code};

    add_frame(w, WEBSOCKET_CLOSE, (struct text){payload, sizeof(payload)});
    w->is_closing = true;
}

/* Fills frame and message with what is to be sent next; false: nothing now. */
static bool next_message(struct websocket *w)
{
    char header[WEBSOCKET_HEADER_MAX];

    buffer_clear(&w->frame);
    w->frame_at = 0;
    if (w->is_closing)
        return false;
    if (w->close_code) {
        add_close(w);
        return true;
    }
    if (w->has_pong) {
        w->has_pong = false;
        add_frame(w, WEBSOCKET_PONG, (struct text){w->pong, w->n_pong});
        return true;
    }
    switch (stream_take(w->stream, &w->message)) {
    case STREAM_NOTHING:
        return false;
    case STREAM_MESSAGE:
        buffer_add_bytes(
            &w->frame, header,
            websocket_header(header, w->is_text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, w->message.n));
        return true;
    case STREAM_END:
        w->close_code = WEBSOCKET_NORMAL;
        add_close(w);
        return true;
    case STREAM_CUT:
        w->is_closing = true;
        return false;
    }
    return false;
}

#define NOT_NOW (-2)

/* What was sent of the two pieces, NOT_NOW or -1. */
static ssize_t send_plain(struct websocket *w, struct iovec pieces[2])
{
    struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = 2};
    ssize_t sent;

    do
        sent = sendmsg(w->connection->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? NOT_NOW : sent;
}

/* As much as one record takes. */
static ssize_t send_tls(struct websocket *w, const struct iovec pieces[2])
{
    gnutls_session_t tls = w->connection->tls_session;
    char record[RECORD_BYTES];
    size_t n = 0;
    ssize_t sent;

    for (size_t i = 0; i < 2 && !w->is_in_tls; i++) {
        size_t part = pieces[i].iov_len < sizeof(record) - n ? pieces[i].iov_len : sizeof(record) - n;
        if (part)
            memcpy(record + n, pieces[i].iov_base, part);
        n += part;
    }
    do
        sent = gnutls_record_send(tls, w->is_in_tls ? NULL : record, w->is_in_tls ? 0 : n);
    while (sent == GNUTLS_E_INTERRUPTED);
    w->is_in_tls = sent == GNUTLS_E_AGAIN; /* GnuTLS keeps the record's bytes */
    return w->is_in_tls ? NOT_NOW : sent < 0 ? -1 : sent;
}

/* False: the connection is lost. */
static bool send_some(struct websocket *w)
{
    struct iovec pieces[2] = {{w->frame.p + w->frame_at, w->frame.n - w->frame_at},
                              {(void *)w->message.p, w->message.n}};
    ssize_t sent = w->connection->tls_session ? send_tls(w, pieces) : send_plain(w, pieces);

    w->waits_to_write = sent == NOT_NOW;
    if (sent < 0)
        return w->waits_to_write;
    size_t n = (size_t)sent, of_frame = n < pieces[0].iov_len ? n : pieces[0].iov_len;
    w->frame_at += of_frame;
    w->message = text_from(w->message, n - of_frame);
    return true;
}

/* False: the connection is to be given back. */
static bool send_all(struct websocket *w)
{
    for (size_t turns = 0; !w->waits_to_write;) {
        if (w->frame_at == w->frame.n && !w->message.n) {
            if (turns++ == TURN_MESSAGES) {
                wake(w);
                return true;
            }
            if (!next_message(w))
                return !w->is_closing;
        } else if (!send_some(w)) {
            return false;
        }
    }
    return true;
}

/* --- receiving --- */

static void take_control(struct websocket *w)
{
    if (w->reader.opcode == WEBSOCKET_CLOSE) {
        w->close_code = WEBSOCKET_NORMAL;
    } else if (w->reader.opcode == WEBSOCKET_PING) {
        w->n_pong = w->reader.payload.n;
        if (w->n_pong)
            memcpy(w->pong, w->reader.payload.p, w->n_pong);
        w->has_pong = true;
    }
}

static void take_input(struct websocket *w, char *in, size_t n)
{
    while (!w->close_code) {
        switch (websocket_read(&w->reader, &in, &n)) {
        case WEBSOCKET_MORE:
            return;
        case WEBSOCKET_DATA:
        case WEBSOCKET_END:
            break; /* a watch's client has nothing to say */
        case WEBSOCKET_CONTROL:
            take_control(w);
            break;
        case WEBSOCKET_BROKEN:
            w->close_code = WEBSOCKET_PROTOCOL_ERROR;
            break;
        }
    }
}

static ssize_t read_some(struct websocket *w, char *dst, size_t max)
{
    ssize_t n;

    if (w->connection->tls_session) {
        do
            n = gnutls_record_recv(w->connection->tls_session, dst, max);
        while (n == GNUTLS_E_INTERRUPTED);
        return n == GNUTLS_E_AGAIN ? NOT_NOW : n < 0 ? -1 : n;
    }
    do
        n = recv(w->connection->fd, dst, max, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? NOT_NOW : n;
}

/* False: the client is gone. */
static bool receive(struct websocket *w)
{
    char in[READ_BYTES];

    w->has_input = false;
    for (size_t turns = 0;; turns++) {
        if (turns == TURN_READS) {
            w->has_input = true;
            wake(w);
            return true;
        }
        ssize_t n = read_some(w, in, sizeof(in));
        if (n <= 0)
            return n == NOT_NOW;
        take_input(w, in, (size_t)n);
    }
}

/* --- the loop --- */

static void give_back(struct websocket *w)
{
    stream_set_reader(w->stream, NULL, NULL); /* no wake comes any more */
    pthread_mutex_lock(&w->loop->mu);
    if (w->is_ready) {
        list_remove(&w->ready_link);
        w->loop->n_ready--;
    }
    pthread_mutex_unlock(&w->loop->mu);
    epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_DEL, w->connection->fd, NULL);
    if (w->connection->tls_session && w->is_closing)
        gnutls_bye(w->connection->tls_session, GNUTLS_SHUT_WR);
    shutdown(w->connection->fd, SHUT_WR);
    struct MHD_Connection *mhd = w->connection->mhd;
    buffer_deinit(&w->frame);
    free(w);
    MHD_resume_connection(mhd);
}

/* On the loop's own thread, so that nothing else can end it meanwhile. */
static bool join(struct websocket *w)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = w};

    w->is_joined = true;
    stream_set_reader(w->stream, wake, w);
    return epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_ADD, w->connection->fd, &wanted) == 0;
}

static void serve(struct websocket *w, uint32_t events)
{
    bool is_alive = (w->is_joined || join(w)) && !stream_is_cut(w->stream); /* cut off, perhaps amid a message */

    if (events & EPOLLOUT)
        w->waits_to_write = false;
    if (is_alive && (w->has_input || events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
        is_alive = receive(w);
    if (!is_alive || !send_all(w))
        give_back(w);
}

/* One of those that were woken; NULL: there is none. */
static struct websocket *take_ready(struct websocket_loop *loop)
{
    struct websocket *w = NULL;

    pthread_mutex_lock(&loop->mu);
    if (loop->n_ready) {
        w = CONTAINER_OF(loop->ready.next, struct websocket, ready_link);
        list_remove(&w->ready_link);
        loop->n_ready--;
        w->is_ready = false;
    }
    pthread_mutex_unlock(&loop->mu);
    return w;
}

/* As many as are ready now; who is woken again has its turn after the sockets have theirs. False: the loop
 * ends. */
static bool serve_ready(struct websocket_loop *loop)
{
    const uint64_t one = 1;
    uint64_t count;
    struct websocket *w;

    while (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&loop->mu);
    size_t n = loop->n_ready;
    bool is_stopping = loop->is_stopping;
    pthread_mutex_unlock(&loop->mu);
    while (n-- > 0 && (w = take_ready(loop)))
        serve(w, 0);
    pthread_mutex_lock(&loop->mu);
    bool is_more = loop->n_ready > 0;
    pthread_mutex_unlock(&loop->mu);
    while (is_more && write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    return !is_stopping;
}

static void *run(void *arg)
{
    struct websocket_loop *loop = arg;
    struct epoll_event events[BATCH];

    for (;;) {
        int n = epoll_wait(loop->epoll_fd, events, BATCH, -1);
        bool is_woken = false;
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr, events[i].events);
            else
                is_woken = true;
        }
        if (is_woken && !serve_ready(loop))
            return NULL;
    }
}

static void loop_free(struct websocket_loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->mu);
    free(loop);
}

static struct websocket_loop *loop_start(void)
{
    struct websocket_loop *loop = xcalloc(1, sizeof(*loop));
    struct epoll_event woken = {.events = EPOLLIN, .data.ptr = NULL};

    list_init(&loop->ready);
    pthread_mutex_init(&loop->mu, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd >= 0 && loop->wake_fd >= 0 &&
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &woken) == 0 &&
        pthread_create(&loop->thread, NULL, run, loop) == 0)
        return loop;
    log_error("Cannot serve WebSockets", LOG_STR("error", strerror(errno)));
    loop_free(loop);
    return NULL;
}

void websocket_loop_stop(struct websocket_loop *loop)
{
    const uint64_t one = 1;

    if (!loop)
        return;
    pthread_mutex_lock(&loop->mu);
    loop->is_stopping = true;
    pthread_mutex_unlock(&loop->mu);
    while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(loop->thread, NULL);
    loop_free(loop);
}

/* --- joining it --- */

/* The first one starts the thread. */
static struct websocket_loop *loop_of(struct listener *l)
{
    pthread_mutex_lock(&l->websockets_mu);
    if (!l->websockets)
        l->websockets = loop_start();
    struct websocket_loop *loop = l->websockets;
    pthread_mutex_unlock(&l->websockets_mu);
    return loop;
}

static void add_header(struct buffer *b, const struct response *rsp)
{
    buffer_add_str(b, "HTTP/1.1 101 Switching Protocols\r\n");
    for (size_t i = 0; i < rsp->n_headers; i++) {
        buffer_add(b, rsp->headers[i].name);
        buffer_add_str(b, ": ");
        buffer_add(b, rsp->headers[i].value);
        buffer_add_str(b, "\r\n");
    }
    buffer_add_str(b, "\r\n");
}

bool websocket_begin(struct exchange *ex)
{
    struct websocket_loop *loop = loop_of(ex->listener);
    struct connection *c = ex->connection;
    struct websocket *w;

    if (!loop)
        return false;
    ex->was_websocket = true;
    MHD_suspend_connection(ex->mhd);
    /* libmicrohttpd may have left it corked after an earlier answer. */
    setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    w = xcalloc(1, sizeof(*w));
    *w = (struct websocket){
        .loop = loop, .stream = ex->r.response.stream, .connection = c, .is_text = ex->r.response.is_text};
    add_header(&w->frame, &ex->r.response);
    wake(w);
    return true;
}
