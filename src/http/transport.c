/* SPDX-License-Identifier: Apache-2.0 */
/* How GnuTLS reads from the socket and writes to it. It asks for a record's five bytes of header and then for
 * the rest, which are two system calls; here one read takes what is there, up to INPUT_BYTES. Only the socket says EAGAIN,
 * never this buffer: libmicrohttpd goes on reading until then, and its edge-triggered epoll set reports what
 * comes later.
 *
 * Writing, it makes a system call for each record of 16 KB. While a body has more to come, the kernel is told
 * so: it then fills its segments before it sends them. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base.h"
#include "http/http_internal.h"
#include "http/tls_writer.h"

static ssize_t nothing_now(struct connection *c)
{
    if (c->is_new)
        c->starved(c);
    errno = EAGAIN;
    return -1;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *dst, size_t max)
{
    struct connection *c = ptr;
    size_t ahead = (size_t)(c->input_end - c->input_pos);
    if (c->writer)
        return 0; /* the session only ends */
    if (ahead == 0) {
        bool is_large = max >= INPUT_BYTES;
        ssize_t n = recv(c->fd, is_large ? dst : c->input, is_large ? max : INPUT_BYTES, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return nothing_now(c);
        if (n <= 0 || is_large)
            return n;
        c->input_pos = 0;
        c->input_end = (unsigned short)n;
        ahead = (size_t)n;
    }
    size_t n = ahead < max ? ahead : max;
    memcpy(dst, c->input + c->input_pos, n);
    c->input_pos += (unsigned short)n;
    return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int n)
{
    struct connection *c = ptr;
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    if (c->writer) { /* what the session still says is not for the peer */
        ssize_t all = 0;
        for (int i = 0; i < n; i++)
            all += (ssize_t)iov[i].iov_len;
        return all;
    }
    return sendmsg(c->fd, &msg, MSG_NOSIGNAL | (c->has_more ? MSG_MORE : 0));
}

ptrdiff_t transport_send(struct connection *c, struct text bytes)
{
    size_t done = 0;
    if (c->writer)
        return tls_writer_send(c->writer, c->fd, bytes);
    while (done < bytes.n) {
        ssize_t n = c->tls_session ? gnutls_record_send(c->tls_session, bytes.p + done, bytes.n - done)
                                   : send(c->fd, bytes.p + done, bytes.n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            done += (size_t)n;
        else if (c->tls_session ? n == GNUTLS_E_AGAIN : errno == EAGAIN)
            break;
        else if (c->tls_session ? n != GNUTLS_E_INTERRUPTED : errno != EINTR)
            return -1;
    }
    return (ptrdiff_t)done;
}

void transport_await_room(struct connection *c)
{
    struct epoll_event room = {.events = EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    epoll_ctl(c->watch_fd, EPOLL_CTL_MOD, c->fd, &room);
}

void transport_start(struct connection *c, void (*starved)(struct connection *c))
{
    c->starved = starved;
    gnutls_transport_set_ptr2(c->tls_session, c, c);
    gnutls_transport_set_vec_push_function(c->tls_session, push);
    gnutls_transport_set_pull_function(c->tls_session, pull);
}
