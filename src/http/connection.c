/* SPDX-License-Identifier: Apache-2.0 */
/* The list of open connections and the thread that watches them, for three things that libmicrohttpd cannot
 * do:
 * - a suspended connection is not in its epoll set, so a watch whose client has gone would lie there until
 * the next event;
 * - its one timeout is renewed by every byte, so a header, or an answer, could trickle for ever;
 * - while a TLS handshake waits for the peer it polls without pause. Such a connection is suspended here
 * instead. The thread has an epoll set of its own for the first and the last, which also tells streams when a full
 * socket has room again, and looks at the read deadlines now and then.
 *
 * Events are fetched with the mutex held, after poll has said that there are some: a connection that is
 * removed under the same mutex can so never turn up in a batch. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "http/http_internal.h"

struct connections {
    int epoll_fd, stop_fd;
    int64_t check_every_ms;
    pthread_t thread;
    pthread_mutex_t mu; /* above libmicrohttpd's own; no stream is called with it held */
    struct list all;    /* mu: struct connection.link */
    bool is_aborting;   /* mu: streams are not wanted any more */
    bool is_cutting;    /* mu: connections neither */
    atomic_size_t n;    /* in all */
};

#define BATCH 64

static void wake_locked(struct connection *c)
{
    c->awaits_input = false;
    epoll_ctl(c->home->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    MHD_resume_connection(c->mhd);
}

/* What the thread has seen of a stream's connection. */
struct sight {
    struct stream *stream;
    bool has_room; /* otherwise its peer has gone */
};

/* Wakes whose input has come, and gives back what is to be told to streams. */
static size_t fetch_events_locked(struct connections *cs, struct sight *ret)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(cs->epoll_fd, events, BATCH, 0);
    size_t found = 0;
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->awaits_input)
            wake_locked(c);
        else if (c->stream)
            ret[found++] = (struct sight){stream_ref(c->stream), events[i].events == EPOLLOUT};
    }
    return found;
}

static void tell_streams(const struct sight *seen, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (seen[i].has_room)
            stream_has_room(seen[i].stream);
        else
            stream_abort(seen[i].stream);
        stream_unref(seen[i].stream);
    }
}

static void abort_all(struct stream **streams, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        stream_abort(streams[i]);
        stream_unref(streams[i]);
    }
}

static void cut_late_locked(struct connections *cs, int64_t now_ms)
{
    list_for_each(pos, &cs->all)
    {
        struct connection *c = CONTAINER_OF(pos, struct connection, link);
        int64_t deadline_ms = atomic_load_explicit(&c->deadline_ms, memory_order_relaxed);
        if (deadline_ms && now_ms > deadline_ms)
            shutdown(c->fd, SHUT_RDWR);
    }
}

static void *watch_connections(void *arg)
{
    struct connections *cs = arg;
    int64_t next_check_ms = clock_mono_ms() + cs->check_every_ms;
    for (;;) {
        struct pollfd fds[] = {{.fd = cs->epoll_fd, .events = POLLIN}, {.fd = cs->stop_fd, .events = POLLIN}};
        int64_t wait_ms = next_check_ms - clock_mono_ms();
        if (wait_ms < 0)
            wait_ms = 0;
        if (wait_ms > cs->check_every_ms)
            wait_ms = cs->check_every_ms; /* a fake clock may have been turned back */
        poll(fds, N_ELEMENTS(fds), (int)wait_ms);
        if (fds[1].revents)
            return NULL;

        struct sight seen[BATCH];
        pthread_mutex_lock(&cs->mu);
        size_t n = fetch_events_locked(cs, seen);
        int64_t now_ms = clock_mono_ms();
        if (now_ms >= next_check_ms) {
            cut_late_locked(cs, now_ms);
            next_check_ms = now_ms + cs->check_every_ms;
        }
        pthread_mutex_unlock(&cs->mu);
        tell_streams(seen, n);
    }
}

struct connections *connections_start(int64_t check_every_ms)
{
    struct connections *cs = xcalloc(1, sizeof(*cs));
    cs->check_every_ms = check_every_ms;
    cs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    cs->stop_fd = eventfd(0, EFD_CLOEXEC);
    list_init(&cs->all);
    pthread_mutex_init(&cs->mu, NULL);
    if (cs->epoll_fd < 0 || cs->stop_fd < 0 ||
        pthread_create(&cs->thread, NULL, watch_connections, cs) != 0) {
        int err = errno;
        if (cs->epoll_fd >= 0)
            close(cs->epoll_fd);
        if (cs->stop_fd >= 0)
            close(cs->stop_fd);
        pthread_mutex_destroy(&cs->mu);
        free(cs);
        errno = err;
        return NULL;
    }
    return cs;
}

void connections_stop(struct connections *cs)
{
    if (!cs)
        return;
    uint64_t one = 1;
    while (write(cs->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(cs->thread, NULL);
    close(cs->epoll_fd);
    close(cs->stop_fd);
    pthread_mutex_destroy(&cs->mu);
    free(cs);
}

size_t connections_count(struct connections *cs)
{
    return atomic_load_explicit(&cs->n, memory_order_relaxed);
}

void connections_add(struct connections *cs, struct connection *c)
{
    c->home = cs;
    c->watch_fd = cs->epoll_fd;
    pthread_mutex_lock(&cs->mu);
    list_append(&cs->all, &c->link);
    atomic_fetch_add(&cs->n, 1);
    if (cs->is_cutting)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&cs->mu);
}

void connections_remove(struct connection *c)
{
    connection_set_stream(c, NULL);
    pthread_mutex_lock(&c->home->mu);
    list_remove(&c->link);
    atomic_fetch_sub(&c->home->n, 1);
    pthread_mutex_unlock(&c->home->mu);
}

void connection_set_stream(struct connection *c, struct stream *s)
{
    struct connections *cs = c->home;
    struct epoll_event hang_up = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};
    pthread_mutex_lock(&cs->mu);
    struct stream *before = c->stream;
    c->stream = s ? stream_ref(s) : NULL;
    if (before && !s)
        epoll_ctl(cs->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    else if (s && !before)
        epoll_ctl(cs->epoll_fd, EPOLL_CTL_ADD, c->fd, &hang_up);
    bool is_unwanted = s && cs->is_aborting;
    pthread_mutex_unlock(&cs->mu);
    stream_unref(before);
    if (is_unwanted)
        stream_abort(s);
}

void connection_change_fd(struct connection *c)
{
    struct connections *cs = c->home;
    struct epoll_event hang_up = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};
    pthread_mutex_lock(&cs->mu);
    if (c->stream)
        epoll_ctl(cs->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->fd = c->own_fd;
    if (c->stream)
        epoll_ctl(cs->epoll_fd, EPOLL_CTL_ADD, c->fd, &hang_up);
    pthread_mutex_unlock(&cs->mu);
}

void connection_await_input(struct connection *c)
{
    struct connections *cs = c->home;
    struct epoll_event input = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
    pthread_mutex_lock(&cs->mu);
    if (!cs->is_cutting && !c->awaits_input && epoll_ctl(cs->epoll_fd, EPOLL_CTL_ADD, c->fd, &input) == 0) {
        c->awaits_input = true;
        MHD_suspend_connection(c->mhd);
    }
    pthread_mutex_unlock(&cs->mu);
}

void connections_abort(struct connections *cs, bool cut_all)
{
    VEC(struct stream *) streams = {0};
    pthread_mutex_lock(&cs->mu);
    cs->is_aborting = true;
    cs->is_cutting |= cut_all;
    list_for_each(pos, &cs->all)
    {
        struct connection *c = CONTAINER_OF(pos, struct connection, link);
        if (c->stream)
            vec_push(&streams, stream_ref(c->stream));
        if (cut_all)
            shutdown(c->fd, SHUT_RDWR);
        if (cut_all && c->awaits_input)
            wake_locked(c);
    }
    pthread_mutex_unlock(&cs->mu);
    abort_all(streams.p, streams.n);
    vec_deinit(&streams);
}
