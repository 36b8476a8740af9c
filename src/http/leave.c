/* SPDX-License-Identifier: Apache-2.0 */
/* How a stream's connection leaves libmicrohttpd. Suspended ones cost: libmicrohttpd walks all of them
 * whenever one connection is resumed, which every write does, and each keeps its room for headers and its TLS
 * session. So a stream over TLS says "Connection: close", and once its header is out
 *
 *   connection_leave  takes the writing keys and a second descriptor of the socket, and lets libmicrohttpd believe that the
 *                     body is over: what it still sends, the last chunk and the session's farewell, goes nowhere
 *   connection_left   in its very last callback, before it closes its descriptor: the connection, the exchange with its
 *                     arena and the stream are ours alone, and a sender begins
 *   connection_end    by that sender, when all is sent or the client has gone: the chain unwinds, the socket is closed
 *
 * Where that cannot be (no TLS, a suite that is no AEAD) the connection is suspended and lent, see stream.c.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "http/http_internal.h"
#include "http/tls_writer.h"

bool connection_may_leave(const struct exchange *ex)
{
    const struct connection *c = ex->connection;
    return c->tls_session && !ex->is_http_1_0 && tls_writer_knows(c->tls_session);
}

bool connection_leave(struct connection *c)
{
    if (!c->leaves)
        return false;
    c->own_fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (c->own_fd < 0)
        return false;
    c->writer = tls_writer_new(c->tls_session);
    if (!c->writer)
        close(c->own_fd);
    return c->writer != NULL;
}

void connection_left(struct connection *c)
{
    struct exchange *ex = c->exchange;
    ex->r.client_certs = NULL; /* were the session's */
    ex->r.n_client_certs = 0;
    ex->mhd = c->mhd = NULL;
    c->tls_session = NULL;
    tls_context_unref(MOVE(c->tls));
    free((void *)MOVE(c->certs));
    stream_take_over(ex->r.response.stream);
}

void connection_end(struct connection *c, bool is_clean)
{
    if (is_clean)
        tls_writer_bye(c->writer, c->fd);
    shutdown(c->fd, is_clean ? SHUT_WR : SHUT_RDWR);
    exchange_end(MOVE(c->exchange));
    connections_remove(c);
    close(c->fd);
    tls_writer_free(c->writer);
    free(c);
}
