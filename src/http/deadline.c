/* SPDX-License-Identifier: Apache-2.0 */
/* When a request must have been answered, and what happens if it has not.
 *
 * The filter sets the deadline. Nothing watches a request that is answered on the event loop, as most are; when a
 * request first leaves the loop (parked, or for a worker) a timer is armed. Who comes first decides, by
 * compare-and-swap: the chain's end, or the timer. The timer answers 504 on the suspended connection itself, past
 * libmicrohttpd, and leaves the request to whoever runs it: its headers, certificates and arena stay until it ends,
 * and then there is nothing to send any more and the connection closes.
 * Source: kubernetes/apiserver pkg/endpoints/filters/request_deadline.go, pkg/server/filters/timeout.go. */
#include <gnutls/gnutls.h>
#include <sys/socket.h>
#include <time.h>

#include "base.h"
#include "http/http_internal.h"

/* --- the filter --- */

/* Source: kubernetes/kubernetes pkg/controlplane/apiserver/config.go, LongRunningFunc. */
static bool runs_long(const struct request_info *info)
{
    static const char *const subresources[] = {"attach", "exec", "proxy", "log", "portforward"};
    if (text_is(info->verb, "watch") || text_is(info->verb, "proxy"))
        return true;
    for (size_t i = 0; info->is_resource && i < N_ELEMENTS(subresources); i++)
        if (text_is(info->subresource, subresources[i]))
            return true;
    return false;
}

/* The answer as Go's encoder writes a Status without type meta. */
static struct text late_body(struct arena *a)
{
    return arena_textf(a, "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not complete within "
                          "the allotted timeout\",\"reason\":\"Timeout\",\"details\":{},\"code\":504}\n");
}
#define LATE_TYPE "text/plain; charset=utf-8" /* what Go takes it for: upstream names none */

static enum flow enter_request_deadline(struct request *r)
{
    struct exchange *ex = CONTAINER_OF(r, struct exchange, r);
    int64_t limit_ns = (int64_t)ex->listener->opt.request_timeout_ms * 1000000, asked_ns;
    struct text asked = request_query(r, "timeout");
    struct status st = {0}, why = {0};

    r->is_long_running = runs_long(&r->info);
    if (r->is_long_running)
        return FLOW_NEXT;
    if (asked.n) {
        if (duration_read(asked, &asked_ns, &why) < 0) {
            status_set(&st, STATUS_BAD_REQUEST, "invalid timeout specified in the request URL - %s", why.message);
            status_clear(&why);
            return request_fail(r, &st);
        }
        if (asked_ns > 0 && (!limit_ns || asked_ns < limit_ns))
            limit_ns = asked_ns;
    }
    if (!limit_ns)
        return FLOW_NEXT;
    r->deadline_ms = (r->start_ns + limit_ns) / 1000000;
    if (clock_mono_ns() >= r->start_ns + limit_ns) {
        response_bytes(r, 504, LATE_TYPE, late_body(r->arena));
        return FLOW_DONE;
    }
    /* A late answer has the headers of the filters before this one. */
    ex->n_late_headers = r->response.n_headers;
    struct header *copies = arena_alloc(r->arena, ex->n_late_headers * sizeof(*copies));
    for (size_t i = 0; i < ex->n_late_headers; i++)
        copies[i] = r->response.headers[i];
    ex->late_headers = copies;
    return FLOW_NEXT;
}

const struct filter filter_request_deadline = {.name = "request-deadline", .enter = enter_request_deadline};

/* --- the late answer --- */

static struct text late_answer(struct exchange *ex, struct arena *a)
{
    struct buffer b = BUFFER_IN(a);
    struct text body = late_body(a);
    char date[64];
    time_t now = time(NULL);
    struct tm tm;

    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    buffer_add_str(&b, "HTTP/1.1 504 Gateway Timeout\r\n");
    for (size_t i = 0; i < ex->n_late_headers; i++)
        buffer_addf(&b, "%.*s: %.*s\r\n", TEXT_ARG(ex->late_headers[i].name), TEXT_ARG(ex->late_headers[i].value));
    buffer_addf(&b, "Connection: close\r\nContent-Type: " LATE_TYPE "\r\nDate: %s\r\nContent-Length: %zu\r\n\r\n", date,
                body.n);
    if (!text_is(ex->r.method, "HEAD"))
        buffer_add(&b, body);
    return buffer_text(&b);
}

/* Nothing else is on its way on this connection, so the socket has room; if not, its client gets the end only. */
static void send_late(struct exchange *ex)
{
    CLEANUP(arena_freep) struct arena *scratch = arena_new(); /* the request's own belongs to whoever runs it */
    struct text answer = late_answer(ex, scratch);
    gnutls_session_t tls = ex->connection->tls_session;

    transport_send(ex->connection, answer);
    if (tls)
        gnutls_bye(tls, GNUTLS_SHUT_WR);
    shutdown(ex->connection->fd, SHUT_WR);
}

static bool decide(struct exchange *ex, enum outcome outcome)
{
    enum outcome expected = OUTCOME_OPEN;
    return atomic_compare_exchange_strong(&ex->outcome, &expected, outcome);
}

static void on_deadline(struct timer *t)
{
    struct exchange *ex = CONTAINER_OF(t, struct exchange, deadline);
    if (!decide(ex, OUTCOME_LATE))
        return;
    log_info("Request did not complete in time", LOG_TEXT("method", ex->r.method), LOG_TEXT("path", ex->r.path));
    send_late(ex);
}

void deadline_arm(struct exchange *ex)
{
    struct timers *timers = ex->listener->opt.timers;
    if (!timers || !ex->r.deadline_ms)
        return;
    ex->deadline.fire = on_deadline;
    ex->has_timer = true;
    timer_arm(timers, &ex->deadline, ex->r.deadline_ms - clock_mono_ms());
}

void deadline_disarm(struct exchange *ex)
{
    if (!ex->has_timer)
        return;
    ex->has_timer = false;
    decide(ex, OUTCOME_IN_TIME);
    timer_cancel(ex->listener->opt.timers, &ex->deadline);
}
