/* SPDX-License-Identifier: Apache-2.0 */
/* One request to etcd. What its failure means is decided here, for all: a request that never left or was turned away at the
 * door has not happened; one whose answer did not come may have, or may still; the rest the server has refused for good.
 * Source of the codes: gRPC's, as the gateway writes them into an error's body; of the messages: go.etcd.io/etcd
 * api/v3rpc/rpctypes/error.go. */
#include "storage/etcd_internal.h"

static const double buckets[] = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2,
                                 3,     4,     5,    6,   8,   10,  15,  20,  30,  45,   60};
static struct metric_family duration_metric = {
    .name = "etcd_request_duration_seconds", .type = METRIC_HISTOGRAM, .stability = "ALPHA",
    .help = "Time that a request to etcd took, by operation and resource.",
    .labels = {"operation", "group", "resource"}, .buckets = buckets, .n_buckets = N_ELEMENTS(buckets)};
static struct metric_family requests_metric = {
    .name = "etcd_requests_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Requests to etcd by operation and resource.", .labels = {"operation", "group", "resource"}};
static struct metric_family errors_metric = {
    .name = "etcd_request_errors_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Requests to etcd that failed, by operation and resource.",
    .labels = {"operation", "group", "resource"}};

static void register_metrics(void)
{
    metrics_register(&duration_metric);
    metrics_register(&requests_metric);
    metrics_register(&errors_metric);
}

static void record(const struct etcd_call *call, bool has_failed)
{
    const struct resource_type *t = call->type;
    const struct text labels[] = {text_of(call->operation ? call->operation : "get"), t ? t->group : TEXT_NONE,
                                  t ? t->name : TEXT("etcd")};
    metric_observe(metric_cell_of(&duration_metric, labels), (double)(call->x.ended_ns - call->x.begun_ns) / 1e9);
    metric_add(metric_cell_of(&requests_metric, labels), 1);
    if (has_failed)
        metric_add(metric_cell_of(&errors_metric, labels), 1);
}

/* gRPC's codes. */
enum { CODE_INVALID = 3, CODE_NOT_FOUND = 5, CODE_DENIED = 7, CODE_EXHAUSTED = 8, CODE_PRECONDITION = 9, CODE_RANGE = 11,
       CODE_UNIMPLEMENTED = 12, CODE_UNAVAILABLE = 14, CODE_UNAUTHENTICATED = 16 };

static enum call_outcome refused(struct etcd_call *call)
{
    struct text message = TEXT_NONE;
    int code = 0;
    bool is_error = etcd_read_error(buffer_text(&call->x.body_in), &message, &code);
    const char *server = call->etcd->servers[call->server];

    if (!is_error) {
        status_set(&call->st, STATUS_SERVICE_UNAVAILABLE, "etcd at %s answered with HTTP code %d", server, call->x.code);
        return CALL_UNKNOWN;
    }
    switch (code) {
    case CODE_EXHAUSTED: /* too many requests, no space */
        status_set(&call->st, STATUS_SERVICE_UNAVAILABLE, "%.*s", TEXT_ARG(message));
        call->st.has_details = true;
        call->st.retry_after_seconds = 1;
        return CALL_REFUSED;
    case CODE_INVALID:
    case CODE_NOT_FOUND:
    case CODE_DENIED:
    case CODE_PRECONDITION:
    case CODE_RANGE:
    case CODE_UNIMPLEMENTED:
    case CODE_UNAUTHENTICATED:
        status_set(&call->st, STATUS_INTERNAL_ERROR, "%.*s", TEXT_ARG(message));
        return CALL_REFUSED;
    default: /* no leader, leader changed, timed out, connection lost: who knows */
        status_set(&call->st, STATUS_TIMEOUT, "%.*s", TEXT_ARG(message));
        return CALL_UNKNOWN;
    }
}

static enum call_outcome outcome_of(struct etcd_call *call)
{
    const char *server = call->etcd->servers[call->server];
    switch (call->x.result) {
    case HTTP_DONE:
        return call->x.code == 200 ? CALL_OK : refused(call);
    case HTTP_NOT_SENT:
        status_set(&call->st, STATUS_SERVICE_UNAVAILABLE, "etcd at %s cannot be reached: %s", server, call->x.why);
        call->st.has_details = true;
        call->st.retry_after_seconds = 1;
        return CALL_NOT_SENT;
    case HTTP_BROKEN:
        status_set(&call->st, STATUS_TIMEOUT, "etcd at %s did not answer: %s", server, call->x.why);
        call->st.has_details = true;
        call->st.retry_after_seconds = 1;
        return CALL_UNKNOWN;
    default:
        status_set(&call->st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
        return CALL_STOPPED;
    }
}

static void call_done(struct http_exchange *x)
{
    struct etcd_call *call = CONTAINER_OF(x, struct etcd_call, x);
    enum call_outcome outcome = outcome_of(call);
    if (!call->x.piece)
        record(call, outcome != CALL_OK);
    if (outcome == CALL_NOT_SENT || outcome == CALL_UNKNOWN)
        call_rotate(call);
    call->done(call, outcome);
}

void call_rotate(struct etcd_call *call)
{
    struct etcd *e = call->etcd;
    size_t expected = call->server;
    atomic_compare_exchange_strong(&e->server, &expected, (call->server + 1) % e->n_servers);
}

void call_send(struct etcd_call *call, const char *path, struct text body, int64_t timeout_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const struct http_header_out headers[] = {{TEXT("Content-Type"), TEXT("application/json")}};
    struct etcd *e = call->etcd;

    pthread_once(&once, register_metrics);
    call_clear(call);
    call->server = atomic_load(&e->server);
    snprintf(call->url, sizeof(call->url), "%s%s", e->servers[call->server], path);
    call->begun_ms = clock_mono_ms();
    struct http_exchange *x = &call->x;
    x->url = call->url;
    x->tls = &e->tls;
    x->headers = headers;
    x->n_headers = 1;
    x->body = body;
    x->timeout_ms = timeout_ms;
    x->connect_timeout_ms = 2000;
    x->answer_max = (size_t)256 << 20;
    x->done = call_done;
    http_client_submit(e->client, x);
}

void call_clear(struct etcd_call *call)
{
    buffer_deinit(&call->x.body_in);
    call->x.body_in = BUFFER_INIT;
    status_clear(&call->st);
}

/* --- and wait ----------------------------------------------------------------------------------------------------- */

struct waited_call {
    struct etcd_call call;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_done; /* mu */
    enum call_outcome outcome;
};

static void wake(struct etcd_call *call, enum call_outcome outcome)
{
    struct waited_call *w = CONTAINER_OF(call, struct waited_call, call);
    pthread_mutex_lock(&w->mu);
    w->outcome = outcome;
    w->is_done = true;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->mu);
}

enum call_outcome call_wait(struct etcd *e, const char *path, struct text body, int64_t timeout_ms,
                            struct buffer *ret_answer, struct status *st)
{
    struct waited_call w = {.call = {.etcd = e, .done = wake}, .mu = PTHREAD_MUTEX_INITIALIZER,
                            .ended = PTHREAD_COND_INITIALIZER};
    call_send(&w.call, path, body, timeout_ms);
    pthread_mutex_lock(&w.mu);
    while (!w.is_done)
        pthread_cond_wait(&w.ended, &w.mu);
    pthread_mutex_unlock(&w.mu);
    pthread_mutex_destroy(&w.mu);
    pthread_cond_destroy(&w.ended);
    buffer_deinit(ret_answer);
    *ret_answer = w.call.x.body_in;
    w.call.x.body_in = BUFFER_INIT;
    if (w.outcome != CALL_OK)
        status_move(st, &w.call.st);
    call_clear(&w.call);
    return w.outcome;
}
