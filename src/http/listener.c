/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's side of a request. Its callbacks come in this order, all on the connection's event loop:
 *
 *   on_connection  a connection is open
 *   on_uri         a request's first line is there, untouched: the exchange is made, in its own arena
 *   on_request     with the header; with each piece of the body; at its end: the chain starts. Once more when the chain
 *                  was done elsewhere and has resumed the connection: the response is queued
 *   on_completed   the response was sent or the connection lost: the chain unwinds, the arena goes
 *   on_connection  the connection is closed
 *
 * but for streams over TLS, which go on when libmicrohttpd has let go of their connection (leave.c). Therefore the request's
 * first line and header are copied. */
#include "http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "http/http_internal.h"

#define BODY_DEADLINE_MS 60000 /* where no request timeout is set */
/* What is read and thrown away of a body past the limit, so that the client has sent it all and reads the
 * answer. */
#define DISCARD_MAX_BYTES ((uint64_t)64 << 20)

/* --- connections --- */

static void name_peer(struct connection *c, const struct sockaddr *addr)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(c->peer, sizeof(c->peer), "%s:%u", host, ntohs(in->sin_port));
    } else if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        bool is_v4 = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? &in6->sin6_addr.s6_addr[12] : in6->sin6_addr.s6_addr,
                  host, sizeof(host));
        snprintf(c->peer, sizeof(c->peer), is_v4 ? "%s:%u" : "[%s]:%u", host, ntohs(in6->sin6_port));
    }
}

static void set_deadline(struct connection *c, int64_t in_ms)
{
    atomic_store_explicit(&c->deadline_ms, in_ms ? clock_mono_ms() + in_ms : 0, memory_order_relaxed);
}

static void start_tls(struct listener *l, struct connection *c, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    pthread_mutex_lock(&l->tls_mu);
    c->tls = tls_context_ref(l->tls);
    pthread_mutex_unlock(&l->tls_mu);
    c->tls_session = info ? info->tls_session : NULL;
    if (!c->tls_session || !tls_context_apply(c->tls, c->tls_session))
        shutdown(c->fd, SHUT_RDWR);
    else
        transport_start(c, connection_await_input);
}

static struct connection *open_connection(struct listener *l, struct MHD_Connection *mhd)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    c->mhd = mhd;
    c->is_new = true;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    name_peer(c, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    set_deadline(c, (int64_t)l->opt.header_timeout_s * 1000);
    if (l->opt.tls)
        start_tls(l, c, mhd);
    connections_add(l->connections, c);
    return c;
}

static void close_connection(struct connection *c)
{
    connections_remove(c);
    if (c->exchange)
        exchange_free(c->exchange);
    tls_context_unref(c->tls);
    free((void *)c->certs);
    free(c);
}

static void let_go(struct connection *c)
{
    if (c->writer)
        connection_left(c);
    else
        close_connection(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *context = open_connection(cls, mhd);
    else if (*context)
        let_go(MOVE(*(struct connection **)context));
}

/* The client's chain as the TLS session holds it; looked up once. */
static void look_up_certs(struct connection *c)
{
    c->has_certs = true;
    unsigned n = 0;
    const gnutls_datum_t *list = c->tls_session ? gnutls_certificate_get_peers(c->tls_session, &n) : NULL;
    if (!list || n == 0)
        return;
    struct text *certs = xcalloc(n, sizeof(*certs));
    for (unsigned i = 0; i < n; i++)
        certs[i] = (struct text){(const char *)list[i].data, list[i].size};
    c->certs = certs;
    c->n_certs = n;
}

/* --- what came --- */

static struct text without_scheme(struct text target)
{
    static const struct text schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
        if (!text_starts(target, schemes[i]))
            continue;
        struct text rest = text_from(target, schemes[i].n);
        ptrdiff_t slash = text_find(rest, '/');
        return slash < 0 ? TEXT("/") : text_from(rest, (size_t)slash);
    }
    return target;
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct listener *l = cls;
    struct connection *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (c->exchange)
        exchange_free(c->exchange); /* of a request that libmicrohttpd refused */
    struct arena *a = arena_new();
    struct exchange *ex = ARENA_NEW(a, struct exchange);
    struct request *r = &ex->r;
    c->exchange = ex;
    ex->connection = c;
    ex->listener = l;
    ex->mhd = mhd;
    ex->body = BUFFER_IN(a);
    r->arena = a;
    r->connection = ex;
    r->wiring = l->opt.wiring;
    r->filters = l->opt.filters;
    r->start_ns = clock_mono_ns();
    r->peer = c->peer;
    r->target = arena_text(a, text_of(uri ? uri : ""));
    struct text rest = without_scheme(r->target), path;
    if (!text_split(&rest, '?', &path))
        path = TEXT("");
    r->path = url_decode(a, path, false);
    r->raw_query = rest;
    c->is_new = false;
    if (c->was_used)
        set_deadline(c, (int64_t)l->opt.header_timeout_s * 1000);
    return ex;
}

static struct header copy_header(struct arena *a, struct text name, struct text value)
{
    char *p = arena_alloc(a, name.n + value.n);
    memcpy(p, name.p, name.n);
    if (value.n)
        memcpy(p + name.n, value.p, value.n);
    return (struct header){{p, name.n}, {p + name.n, value.n}};
}

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                  const char *value, size_t value_n)
{
    struct request *r = cls;
    /* Room is always a multiple of 16. */
    struct header *headers = (struct header *)r->headers;
    if (r->n_headers % 16 == 0)
        r->headers = headers = arena_grow(r->arena, headers, r->n_headers * sizeof(*headers),
                                          (r->n_headers + 16) * sizeof(*headers));
    headers[r->n_headers++] = copy_header(r->arena, (struct text){name, name_n}, (struct text){value, value_n});
    return MHD_YES;
}

/* True if a body will come, with *ret_bytes as announced or 0. */
static bool announces_body(const struct request *r, uint64_t *ret_bytes)
{
    *ret_bytes = 0;
    if (request_header(r, "Transfer-Encoding").p)
        return true;
    text_to_u64(request_header(r, "Content-Length"), ret_bytes);
    return *ret_bytes > 0;
}

static void take_header(struct exchange *ex, const char *method)
{
    struct request *r = &ex->r;
    struct connection *c = ex->connection;
    r->method = arena_text(r->arena, text_of(method));
    MHD_get_connection_values_n(ex->mhd, MHD_HEADER_KIND, add_header, r);
    if (r->raw_query.n)
        r->n_query = query_parse(r->arena, r->raw_query, &r->query);
    if (!c->has_certs)
        look_up_certs(c);
    r->client_certs = c->certs;
    r->n_client_certs = c->n_certs;

    uint64_t bytes;
    bool has_body = announces_body(r, &bytes);
    int64_t limit_ms = ex->listener->opt.request_timeout_ms; /* reading its body included */
    set_deadline(c, !has_body ? 0 : limit_ms ? limit_ms : BODY_DEADLINE_MS);
    r->body_too_large = bytes > ex->listener->opt.body_max_bytes;
    /* Room for an honest client at once, without trusting a dishonest one. */
    if (bytes && !r->body_too_large)
        buffer_room(&ex->body, bytes < 64 << 10 ? bytes : 64 << 10);
}

/* False: this client goes on and on. */
static bool take_body(struct exchange *ex, struct text piece)
{
    struct request *r = &ex->r;
    ex->body_bytes += piece.n;
    if (ex->body_bytes > ex->listener->opt.body_max_bytes)
        r->body_too_large = true;
    if (!r->body_too_large)
        buffer_add(&ex->body, piece);
    return ex->body_bytes <= ex->listener->opt.body_max_bytes + DISCARD_MAX_BYTES;
}

/* --- the chain --- */

static bool begin(struct exchange *ex)
{
    struct listener *l = ex->listener;
    /* Counted before the look, and the other way round in listener_stop: one of the two sees the other. */
    atomic_fetch_add(&l->n_exchanges, 1);
    if (atomic_load(&l->is_stopping)) {
        atomic_fetch_sub(&l->n_exchanges, 1);
        return false;
    }
    if (atomic_load_explicit(&ex->connection->deadline_ms, memory_order_relaxed))
        set_deadline(ex->connection, 0);
    if (!ex->r.body_too_large)
        ex->r.body = buffer_text(&ex->body);
    chain_start(ex);
    return true;
}

static enum MHD_Result respond(struct exchange *ex)
{
    if (ex->was_websocket)
        return MHD_NO; /* it is over, and so is the connection */
    if (ex->r.is_long_running || ex->r.response.body == BODY_STREAM) {
        ex->counts_as_long_running = true;
        atomic_fetch_add(&ex->listener->n_long_running, 1);
    } else if (ex->r.deadline_ms) {
        atomic_store_explicit(&ex->connection->deadline_ms, ex->r.deadline_ms, memory_order_relaxed);
    }
    if (ex->r.response.is_websocket)
        return websocket_begin(ex) ? MHD_YES : MHD_NO;
    return exchange_respond(ex);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_n, void **context)
{
    struct exchange *ex = *context;
    if (!ex)
        return MHD_NO;
    switch (atomic_load_explicit(&ex->phase, memory_order_acquire)) {
    case PHASE_READING:
        if (!ex->r.method.p) {
            ex->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
            take_header(ex, method);
            return MHD_YES;
        }
        if (*body_n) {
            if (!take_body(ex, (struct text){body, *body_n}))
                return MHD_NO;
            *body_n = 0;
            return MHD_YES;
        }
        if (!begin(ex))
            return MHD_NO;
        /* Suspended: it may be done already, but this connection is first to be resumed. */
        return ex->is_suspended ? MHD_YES : respond(ex);
    case PHASE_DONE:
        ex->is_suspended = false;
        if (atomic_load_explicit(&ex->outcome, memory_order_relaxed) == OUTCOME_LATE)
            return MHD_NO; /* answered and closed, see deadline.c */
        return respond(ex);
    default:
        return MHD_YES;
    }
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct listener *l = cls;
    struct exchange *ex = *context;
    if (!ex)
        return;
    *context = NULL;
    struct connection *c = ex->connection;
    exchange_uncork(ex);
    if (c->writer)
        return; /* for libmicrohttpd only */
    c->exchange = NULL;
    c->was_used = true;
    set_deadline(c, ((int64_t)l->opt.idle_timeout_s + l->opt.header_timeout_s) * 1000);
    exchange_end(ex);
}

/* --- start --- */

static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *s)
{
    return strlen(s); /* ours are the target's own, see on_uri */
}

static void on_log(void *cls, const char *fmt, va_list args)
{
    if (!log_enabled(__FILE__, 4))
        return;
    char line[512];
    vsnprintf(line, sizeof(line), fmt, args);
    log_info("libmicrohttpd", LOG_TEXT("message", text_trim(text_of(line))));
}

/* As Go's net.Listen words it. */
static int fail_listen(const struct listener_options *opt, const char *step, int err, struct status *st)
{
    char reason[128];
    snprintf(reason, sizeof(reason), "%s", strerror(err));
    if (reason[0] >= 'A' && reason[0] <= 'Z')
        reason[0] += 'a' - 'A';
    bool is_v6 = strchr(opt->bind_address, ':') != NULL;
    return status_set(st, STATUS_INTERNAL_ERROR, "listen tcp %s%s%s:%u: %s: %s", is_v6 ? "[" : "",
                      opt->bind_address, is_v6 ? "]" : "", opt->port, step, reason);
}

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value));
}

static int open_socket(struct listener *l, struct status *st)
{
    const struct listener_options *opt = &l->opt;
    struct sockaddr_storage addr = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&addr;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;
    socklen_t size;
    if (inet_pton(AF_INET, opt->bind_address, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(opt->port);
        size = sizeof(*in);
    } else if (inet_pton(AF_INET6, opt->bind_address, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(opt->port);
        size = sizeof(*in6);
    } else {
        return status_set(st, STATUS_BAD_REQUEST, "listen tcp: \"%s\" is not an IP address",
                          opt->bind_address);
    }
    l->listen_fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->listen_fd < 0)
        return fail_listen(opt, "socket", errno, st);
    set_option(l->listen_fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (addr.ss_family == AF_INET6)
        set_option(l->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    /* Accepted sockets inherit these: a peer that vanished is noticed within two minutes. */
    set_option(l->listen_fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(l->listen_fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(l->listen_fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_option(l->listen_fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
    set_option(l->listen_fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (bind(l->listen_fd, (struct sockaddr *)&addr, size) < 0)
        return fail_listen(opt, "bind", errno, st);
    if (listen(l->listen_fd, 1024) < 0)
        return fail_listen(opt, "listen", errno, st);
    if (getsockname(l->listen_fd, (struct sockaddr *)&addr, &size) < 0)
        return fail_listen(opt, "getsockname", errno, st);
    l->port = ntohs(addr.ss_family == AF_INET ? in->sin_port : in6->sin6_port);
    return 0;
}

static void fill_defaults(struct listener_options *opt)
{
    struct rlimit files = {0};
    if (opt->n_threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        opt->n_threads = cores > 0 ? (unsigned)cores : 1;
    }
    if (opt->max_connections == 0) {
        getrlimit(RLIMIT_NOFILE, &files);
        rlim_t reserve =
            files.rlim_cur / 8 < 64 ? files.rlim_cur / 8 : 64; /* databases, pipes, certificates */
        rlim_t limit = files.rlim_cur - reserve;
        opt->max_connections = limit > 1000000 ? 1000000 : (unsigned)limit;
    }
    if (opt->max_connections < opt->n_threads)
        opt->max_connections = opt->n_threads;
    if (opt->body_max_bytes == 0)
        opt->body_max_bytes = 3 << 20;
    if (opt->header_max_bytes == 0)
        opt->header_max_bytes = 16 << 10;
    if (opt->idle_timeout_s == 0)
        opt->idle_timeout_s = 180;
    if (opt->header_timeout_s == 0)
        opt->header_timeout_s = 32;
    if (opt->gzip_min_bytes == 0)
        opt->gzip_min_bytes = 128 << 10;
}

/* GnuTLS sets up each session from on_connection; this is never asked. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *issuers, int n_issuers,
                          const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **certs,
                          unsigned *n_certs, gnutls_privkey_t *key)
{
    return -1;
}

/* libmicrohttpd's own limit does not know of connections that have left it. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *addr, socklen_t n)
{
    struct listener *l = cls;
    return connections_count(l->connections) < l->opt.max_connections ? MHD_YES : MHD_NO;
}

static int start_daemon(struct listener *l, struct status *st)
{
    const struct listener_options *opt = &l->opt;
    struct MHD_OptionItem items[16];
    size_t n = 0;
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, l->listen_fd, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, (intptr_t)opt->max_connections, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)opt->idle_timeout_s, NULL};
    items[n++] =
        (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)opt->header_max_bytes, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, l};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, l};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_uri, l};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL};
    if (opt->n_threads > 1)
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)opt->n_threads, NULL};
    if (opt->tls)
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (opt->tls)
        flags |= MHD_USE_TLS;
    if (strchr(opt->bind_address, ':'))
        flags |= MHD_USE_IPv6;
    l->daemon =
        MHD_start_daemon(flags, 0, on_accept, l, on_request, l, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (!l->daemon)
        return status_set(st, STATUS_INTERNAL_ERROR, "the HTTP server on %s:%u could not be started: %s",
                          opt->bind_address, l->port, strerror(errno));
    return 0;
}

static void listener_free(struct listener *l)
{
    if (!l)
        return;
    workers_stop(l->senders);
    connections_stop(l->connections);
    if (l->listen_fd >= 0)
        close(l->listen_fd);
    tls_context_unref(l->tls);
    pthread_mutex_destroy(&l->tls_mu);
    pthread_mutex_destroy(&l->websockets_mu);
    free(l);
}
DEFINE_CLEANUP(struct listener *, listener_free)

int listener_start(const struct listener_options *opt, struct listener **ret, struct status *st)
{
    CLEANUP(listener_freep) struct listener *l = xcalloc(1, sizeof(*l));
    l->opt = *opt;
    l->listen_fd = -1;
    pthread_mutex_init(&l->tls_mu, NULL);
    pthread_mutex_init(&l->websockets_mu, NULL);
    fill_defaults(&l->opt);
    if (opt->tls && !(l->tls = tls_context_new(opt->tls, st)))
        return -1;
    if (open_socket(l, st) < 0)
        return -1;
    int64_t check_every_ms = (int64_t)l->opt.header_timeout_s * 250;
    l->connections = connections_start(check_every_ms > 2000 ? 2000 : check_every_ms);
    if (!l->connections)
        return status_set(st, STATUS_INTERNAL_ERROR, "cannot watch connections: %s", strerror(errno));
    l->senders = workers_start(l->opt.n_threads, "stream");
    if (start_daemon(l, st) < 0)
        return -1;
    *ret = MOVE(l);
    return 0;
}

uint16_t listener_port(const struct listener *l)
{
    return l->port;
}

int listener_set_tls(struct listener *l, const struct tls_config *tls, struct status *st)
{
    struct tls_context *t = tls_context_new(tls, st);
    if (!t)
        return -1;
    pthread_mutex_lock(&l->tls_mu);
    struct tls_context *before = l->tls;
    l->tls = t;
    pthread_mutex_unlock(&l->tls_mu);
    tls_context_unref(before);
    return 0;
}

/* --- stop --- */

void listener_quiesce(struct listener *l)
{
    if (l->is_quiesced_once)
        return;
    l->is_quiesced_once = true;
    atomic_store(&l->is_quiesced, true);
    MHD_quiesce_daemon(l->daemon);
}

void listener_counts(const struct listener *l, unsigned *ret_requests, unsigned *ret_long_running)
{
    unsigned all = atomic_load(&l->n_exchanges), long_running = atomic_load(&l->n_long_running);
    *ret_requests = all > long_running ? all - long_running : 0;
    *ret_long_running = long_running;
}

/* Until nothing runs any more; at most limit_ms, or for ever when that is negative. Looking again is good
 * enough: it happens once in a process's life. */
static void wait_until_idle(struct listener *l, int64_t limit_ms)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t end_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000 + limit_ms;
    while (atomic_load(&l->n_exchanges)) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (limit_ms >= 0 && now.tv_sec * 1000 + now.tv_nsec / 1000000 >= end_ms)
            return;
        nanosleep(&pause, NULL);
    }
}

void listener_stop(struct listener *l, int64_t grace_ms)
{
    if (!l)
        return;
    listener_quiesce(l);
    wait_until_idle(l, grace_ms);
    atomic_store(&l->is_stopping, true);
    connections_abort(l->connections, true);
    /* A parked request belongs to whoever will resume it, and libmicrohttpd must not be stopped before. */
    wait_until_idle(l, -1);
    websocket_loop_stop(l->websockets); /* its thread may be about to return from libmicrohttpd */
    MHD_stop_daemon(l->daemon);
    listener_free(l);
}
