/* SPDX-License-Identifier: Apache-2.0 */
/* The response that the chain has left behind, as libmicrohttpd sends it.
 *
 * Over TLS libmicrohttpd sends header and body apart: two records, two system calls, two packets. A small
 * body is sent with the GnuTLS session corked instead, and uncorked when libmicrohttpd says that the request
 * is completed: one record and one send, which takes a quarter off the cost of a small GET. The flush cannot
 * wait for the socket, so corking is done only when the socket's queue has room for all of it; the kernel is asked
 * now and then, for its least room holds several answers. */
#include <gnutls/gnutls.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base.h"
#include "http/gzip.h"
#include "http/http_internal.h"
#include "http/negotiate.h"

#define BLOCK_BYTES ((size_t)64 << 10) /* of a pulled body: four TLS records */
#define HTTP_1_0_BLOCK_BYTES \
    512 /* of an endless one for clients without chunks; allocated for every watcher */
#define CORK_MAX_BYTES ((size_t)14 << 10) /* with its header still one record */
#define IN_FLIGHT_MAX_BYTES ((size_t)32 << 10) /* fits into a socket's queue whatever the peer */
#define HEADER_BYTES 2048                      /* more than most */
#define PACKET_BYTES 1400 /* libmicrohttpd's: what is smaller with its header it sends corked */
#define GZIP_LEVEL 1      /* as upstream */

/* --- compression --- */

static bool has_response_header(const struct response *rsp, const char *name)
{
    for (size_t i = 0; i < rsp->n_headers; i++)
        if (text_eq_nocase(rsp->headers[i].name, text_of(name)))
            return true;
    return false;
}

static bool may_gzip(const struct exchange *ex, uint64_t bytes)
{
    const struct request *r = &ex->r;
    return bytes >= ex->listener->opt.gzip_min_bytes && !r->response.is_compressed &&
           !text_is(r->method, "HEAD") && !has_response_header(&r->response, "Content-Encoding") &&
           negotiate_gzip(request_header(r, "Accept-Encoding"));
}

static void mark_gzipped(struct request *r)
{
    response_add_header(r, "Content-Encoding", TEXT("gzip"));
    response_add_header(r, "Vary", TEXT("Accept-Encoding"));
    r->response.is_compressed = true;
}

bool exchange_wants_gzip(const struct exchange *ex)
{
    return ex->r.response.body == BODY_BYTES && may_gzip(ex, ex->r.response.bytes.n);
}

void exchange_gzip(struct exchange *ex)
{
    struct response *rsp = &ex->r.response;
    struct blob *small = gzip_blob(rsp->bytes, GZIP_LEVEL);
    blob_unref(rsp->owner);
    rsp->owner = small;
    rsp->bytes = blob_text(small);
    mark_gzipped(&ex->r);
}

/* A source that deflates another one. */
struct gzip_source {
    struct body_source plain;
    z_stream z;
    bool has_ended;
    char in[32 << 10];
};

static ptrdiff_t read_gzip(void *ctx, char *dst, size_t max)
{
    struct gzip_source *g = ctx;
    g->z.next_out = (Bytef *)dst;
    g->z.avail_out = (uInt)max;
    while (g->z.avail_out == max) {
        if (g->z.avail_in == 0 && !g->has_ended) {
            ptrdiff_t n = g->plain.read(g->plain.ctx, g->in, sizeof(g->in));
            if (n < 0)
                return -1;
            g->has_ended = n == 0;
            g->z.next_in = (const Bytef *)g->in;
            g->z.avail_in = (uInt)n;
        }
        int err = deflate(&g->z, g->has_ended ? Z_FINISH : Z_NO_FLUSH);
        if (err == Z_STREAM_END)
            break;
        if (err != Z_OK && err != Z_BUF_ERROR)
            return -1;
    }
    return (ptrdiff_t)(max - g->z.avail_out);
}

static void free_gzip(void *ctx)
{
    struct gzip_source *g = ctx;
    deflateEnd(&g->z);
    if (g->plain.free)
        g->plain.free(g->plain.ctx);
    free(g);
}

static void gzip_source(struct exchange *ex)
{
    struct body_source *source = &ex->r.response.source;
    struct gzip_source *g = xcalloc(1, sizeof(*g));
    g->plain = *source;
    if (deflateInit2(&g->z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        out_of_memory();
    *source = (struct body_source){.read = read_gzip, .free = free_gzip, .ctx = g, .bytes = -1};
    mark_gzipped(&ex->r);
}

/* --- headers --- */

static size_t count_runes(struct text t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += (t.p[i] & 0xc0) != 0x80;
    return n;
}

static struct text first_runes(struct text t, size_t n)
{
    size_t i = 0;
    while (i < t.n && ((t.p[i] & 0xc0) == 0x80 || n-- > 0))
        i++;
    return text_first(t, i);
}

/* 299 - "text", quoted as k8s.io/apimachinery pkg/util/net NewWarningHeader has it; control characters cannot
 * be sent. */
static struct text warning_header(struct arena *a, struct text warning)
{
    struct buffer b = BUFFER_IN(a);
    buffer_add_str(&b, "299 - \"");
    for (size_t i = 0; i < warning.n; i++) {
        char c = warning.p[i];
        if (c == '"' || c == '\\')
            buffer_add_char(&b, '\\');
        buffer_add_char(&b, (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c);
    }
    buffer_add_char(&b, '"');
    buffer_str(&b);
    return buffer_text(&b);
}

/* Past 4096 characters in all, each warning is cut to 256 and the list ends where that is too much again.
 * Source: kubernetes/apiserver pkg/endpoints/filters/warning.go. */
static void add_warnings(struct request *r, struct MHD_Response *mhd)
{
    const size_t total_max = 4096, each_max = 256;
    size_t total = 0, sent = 0;
    for (size_t i = 0; i < r->n_warnings; i++)
        total += count_runes(r->warnings[i]);
    for (size_t i = 0; i < r->n_warnings && sent < total_max; i++) {
        struct text warning = r->warnings[i];
        if (total > total_max)
            warning = first_runes(warning, each_max);
        sent += count_runes(warning);
        MHD_add_response_header(mhd, "Warning", warning_header(r->arena, warning).p);
    }
}

static void add_headers(struct exchange *ex, struct MHD_Response *mhd)
{
    const struct response *rsp = &ex->r.response;
    for (size_t i = 0; i < rsp->n_headers; i++)
        MHD_add_response_header(mhd, rsp->headers[i].name.p, rsp->headers[i].value.p);
    if (ex->r.n_warnings)
        add_warnings(&ex->r, mhd);
    if (ex->connection->leaves || atomic_load_explicit(&ex->listener->is_quiesced, memory_order_relaxed))
        MHD_add_response_header(mhd, "Connection", "close");
}

/* --- bodies --- */

static ssize_t pull_source(void *ctx, uint64_t pos, char *dst, size_t max)
{
    struct exchange *ex = ctx;
    struct body_source *source = &ex->r.response.source;
    ptrdiff_t n = source->read(source->ctx, dst, max);
    ex->connection->has_more = n > 0 && (source->bytes < 0 || pos + (uint64_t)n < (uint64_t)source->bytes);
    if (n > 0)
        return n;
    return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t pull_stream(void *ctx, uint64_t pos, char *dst, size_t max)
{
    return stream_read(ctx, dst, max);
}

static struct MHD_Response *make_response(struct exchange *ex)
{
    struct response *rsp = &ex->r.response;
    switch (rsp->body) {
    case BODY_NONE:
    case BODY_BYTES:
        return MHD_create_response_from_buffer(rsp->bytes.n, (void *)rsp->bytes.p, MHD_RESPMEM_PERSISTENT);
    case BODY_SOURCE:
        if (rsp->source.bytes >= 0 && may_gzip(ex, (uint64_t)rsp->source.bytes))
            gzip_source(ex);
        return MHD_create_response_from_callback(rsp->source.bytes < 0 ? MHD_SIZE_UNKNOWN
                                                                       : (uint64_t)rsp->source.bytes,
                                                 BLOCK_BYTES, pull_source, ex, NULL);
    case BODY_STREAM:
        ex->connection->leaves = connection_may_leave(ex);
        stream_attach(rsp->stream, ex->connection, ex->listener->senders, !ex->is_http_1_0);
        connection_set_stream(ex->connection, rsp->stream);
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_1_0_BLOCK_BYTES, pull_stream,
                                                 rsp->stream, NULL);
    }
    return NULL;
}

/* False: what was sent before may still fill the queue. */
static bool has_room(struct connection *c, size_t n)
{
    int queued;
    if (c->in_flight_bytes + n > IN_FLIGHT_MAX_BYTES) {
        if (ioctl(c->fd, SIOCOUTQ, &queued) != 0 || queued != 0)
            return false;
        c->in_flight_bytes = 0;
    }
    c->in_flight_bytes += n;
    return true;
}

static void cork(struct exchange *ex)
{
    const struct response *rsp = &ex->r.response;
    struct connection *c = ex->connection;
    if (!c->tls_session)
        return;
    if (rsp->body > BODY_BYTES || rsp->bytes.n > CORK_MAX_BYTES ||
        !has_room(c, HEADER_BYTES + rsp->bytes.n)) {
        c->in_flight_bytes = IN_FLIGHT_MAX_BYTES; /* ask the next time */
        return;
    }
    if (rsp->bytes.n < PACKET_BYTES)
        c->was_corked = true;
    gnutls_record_cork(c->tls_session);
    ex->is_corked = true;
}

void exchange_uncork(struct exchange *ex)
{
    if (!ex->is_corked)
        return;
    ex->is_corked = false;
    int sent;
    do
        sent = gnutls_record_uncork(ex->connection->tls_session, 0);
    while (sent == GNUTLS_E_INTERRUPTED);
    /* The empty queue of cork() had room for this. If not, what is left would wait for ever: end the
     * connection. */
    if (sent < 0)
        shutdown(ex->connection->fd, SHUT_RDWR);
    /* libmicrohttpd pushes what it believes it has sent by setting TCP_NODELAY (which Linux does again each
     * time it is set); the record has come after that and would lie in a corked socket for 200 ms. */
    if (ex->connection->was_corked)
        setsockopt(ex->connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

enum MHD_Result exchange_respond(struct exchange *ex)
{
    atomic_store_explicit(&ex->phase, PHASE_SENDING, memory_order_relaxed);
    struct MHD_Response *mhd = make_response(ex);
    if (!mhd)
        return MHD_NO;
    add_headers(ex, mhd);
    enum MHD_Result result = MHD_queue_response(ex->mhd, (unsigned)ex->r.response.code, mhd);
    MHD_destroy_response(mhd); /* drops our reference */
    if (result == MHD_YES)
        cork(ex);
    return result;
}
