/* SPDX-License-Identifier: Apache-2.0 */
/* The filter that asks the union about each request, and the words of a refusal.
 * Source: kubernetes/apiserver pkg/endpoints/filters/authorization.go, metrics.go,
 * pkg/endpoints/handlers/responsewriters/errors.go. */
#include "authz/modes.h"

/* --- attributes --- */

/* Undoes \\ \, and \= of a field selector's value. */
static int unescape(struct arena *a, struct text in, struct text *ret, struct status *st)
{
    char *p = arena_alloc(a, in.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '=')
            return status_set(st, STATUS_BAD_REQUEST,
                              "invalid field selector: unescaped character in value: %c", in.p[i]);
        if (in.p[i] == '\\' && (++i == in.n || !strchr("\\,=", in.p[i])))
            return status_set(st, STATUS_BAD_REQUEST, "invalid field selector: invalid escape sequence");
        p[n++] = in.p[i];
    }
    *ret = (struct text){p, n};
    return 0;
}

/* One KEY=VALUE, KEY==VALUE or KEY!=VALUE. */
static int parse_field(struct arena *a, struct text term, struct requirement *ret, struct status *st)
{
    size_t i = 0;

    while (i < term.n && term.p[i] != '=' && !(term.p[i] == '!' && i + 1 < term.n && term.p[i + 1] == '='))
        i += term.p[i] == '\\' && i + 1 < term.n ? 2 : 1;
    if (i == term.n)
        return status_set(st, STATUS_BAD_REQUEST, "invalid selector: '%.*s'; can't understand '%.*s'",
                          TEXT_ARG(term), TEXT_ARG(term));
    *ret = (struct requirement){.op = term.p[i] == '!' ? SELECT_NOT_EQUALS : SELECT_EQUALS,
                                .key = text_first(term, i),
                                .values = ARENA_NEW(a, struct text),
                                .n_values = 1};
    i += term.p[i] == '!' || (i + 1 < term.n && term.p[i + 1] == '=') ? 2 : 1;
    return unescape(a, text_from(term, i), &ret->values[0], st);
}

int authz_parse_fields(struct arena *a, struct text in, struct selector *ret, struct status *st)
{
    struct selector s = {.requirements = ARENA_ARRAY(a, struct requirement, in.n / 2 + 1)};

    while (in.n) {
        size_t n = 0;
        while (n < in.n && in.p[n] != ',')
            n += in.p[n] == '\\' && n + 1 < in.n ? 2 : 1;
        if (n && parse_field(a, text_first(in, n), &s.requirements[s.n++], st) < 0)
            return -1;
        in = text_from(in, n + 1);
    }
    *ret = s;
    return 0;
}

static bool selects(struct text verb)
{
    return text_is(verb, "list") || text_is(verb, "watch") || text_is(verb, "deletecollection");
}

void authz_attributes_of(struct request *r, struct authz_attributes *ret)
{
    *ret = (struct authz_attributes){
        .user = &r->user, .info = &r->info, .path = r->path, .may_block = request_may_block(r)};
    if (!r->n_query || !r->info.is_resource || !selects(r->info.verb))
        return;
    CLEANUP(status_clear) struct status st = {0};
    struct text fields = request_query(r, "fieldSelector"), labels = request_query(r, "labelSelector");
    struct selector *s = ARENA_ARRAY(r->arena, struct selector, 2);
    if (fields.n && authz_parse_fields(r->arena, fields, &s[0], &st) == 0 && s[0].n)
        ret->fields = &s[0];
    if (labels.n && selector_parse_labels(r->arena, labels, &s[1], &st) == 0 && s[1].n)
        ret->labels = &s[1];
}

/* --- refusals --- */

/* Upstream keeps what looks like HTML out of this text. */
static void add_sanitized(struct buffer *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const char *plain = t.p[i] == '&' ? "&amp;" : t.p[i] == '<' ? "&lt;" : t.p[i] == '>' ? "&gt;" : NULL;
        if (plain)
            buffer_add_str(b, plain);
        else
            buffer_add_char(b, t.p[i]);
    }
}

static struct text refusal_text(struct arena *a, const struct authz_attributes *attrs)
{
    const struct request_info *info = attrs->info;
    struct buffer b = BUFFER_IN(a);

    buffer_add(&b, TEXT("User "));
    buffer_add_quoted(&b, attrs->user->name);
    buffer_addf(&b, " cannot %.*s ", TEXT_ARG(info->verb));
    if (!info->is_resource) {
        buffer_add(&b, TEXT("path "));
        buffer_add_quoted(&b, attrs->path);
        return buffer_text(&b);
    }
    buffer_add(&b, TEXT("resource "));
    buffer_add_quoted(&b, info->subresource.n ? arena_textf(a, "%.*s/%.*s", TEXT_ARG(info->resource),
                                                            TEXT_ARG(info->subresource))
                                              : info->resource);
    buffer_add(&b, TEXT(" in API group "));
    buffer_add_quoted(&b, info->group);
    if (!info->namespace.n) {
        buffer_add(&b, TEXT(" at the cluster scope"));
        return buffer_text(&b);
    }
    buffer_add(&b, TEXT(" in the namespace "));
    buffer_add_quoted(&b, info->namespace);
    return buffer_text(&b);
}

int authz_forbid(struct arena *a, const struct authz_attributes *attrs, struct text reason, struct status *st)
{
    static const struct request_info nothing;
    const struct request_info *info = attrs->info->is_resource ? attrs->info : &nothing;
    struct buffer b = BUFFER_IN(a);

    add_sanitized(&b, refusal_text(a, attrs));
    if (reason.n)
        buffer_addf(&b, ": %.*s", TEXT_ARG(reason));
    return status_forbidden(st, info->group, info->resource, info->name, buffer_str(&b));
}

/* A mode has failed, and none has allowed. */
static enum flow fail_internally(struct request *r, struct text error)
{
    struct buffer b = BUFFER_IN(r->arena), plain = BUFFER_IN(r->arena);

    buffer_add_str(&plain, "Internal Server Error: ");
    buffer_add_quoted(&plain, r->target);
    buffer_addf(&plain, ": %.*s", TEXT_ARG(error));
    add_sanitized(&b, buffer_text(&plain));
    buffer_add_char(&b, '\n');
    response_set_header(r, "X-Content-Type-Options", TEXT("nosniff"));
    response_bytes(r, 500, "text/plain; charset=utf-8", buffer_text(&b));
    return FLOW_DONE;
}

/* --- the filter --- */

static const double duration_buckets[] = {0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
                                          0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384};
static struct metric_family attempts_total = {
    .name = "authorization_attempts_total",
    .help = "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', "
            "'no-opinion' or "
            "'error'.",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .labels = {"result", NULL},
};
static struct metric_family duration_seconds = {
    .name = "authorization_duration_seconds",
    .help = "Authorization duration in seconds broken out by result.",
    .type = METRIC_HISTOGRAM,
    .stability = "ALPHA",
    .labels = {"result", NULL},
    .buckets = duration_buckets,
    .n_buckets = N_ELEMENTS(duration_buckets),
};

void authorization_metrics_register(void)
{
    metrics_register(&attempts_total);
    metrics_register(&duration_seconds);
}

enum result { ALLOWED, ERROR, DENIED, NO_OPINION, N_RESULTS };

/* Cells are made when first needed, then found without a look-up. */
static void record(enum result result, int64_t ns)
{
    static const char *const names[] = {"allowed", "error", "denied", "no-opinion"};
    static _Atomic(struct metric_cell *) counters[N_RESULTS], histograms[N_RESULTS];
    struct metric_cell *counter = atomic_load_explicit(&counters[result], memory_order_acquire);
    struct metric_cell *histogram = atomic_load_explicit(&histograms[result], memory_order_acquire);

    if (!counter || !histogram) {
        counter = metric_cell(&attempts_total, names[result]);
        histogram = metric_cell(&duration_seconds, names[result]);
        atomic_store_explicit(&counters[result], counter, memory_order_release);
        atomic_store_explicit(&histograms[result], histogram, memory_order_release);
    }
    metric_add(counter, 1);
    metric_observe(histogram, (double)ns / 1e9);
}

static enum flow authorization_enter(struct request *r)
{
    CLEANUP(status_clear) struct status st = {0};
    int64_t start_ns = clock_mono_ns();
    struct authz_attributes attrs;
    struct authz_answer answer;

    authz_attributes_of(r, &attrs);
    if (authorizer_ask(r->wiring->authz, r->arena, &attrs, &answer) == AUTHZ_WOULD_BLOCK)
        return FLOW_BLOCK;
    record(answer.decision == AUTHZ_ALLOW  ? ALLOWED
           : answer.error.n                ? ERROR
           : answer.decision == AUTHZ_DENY ? DENIED
                                           : NO_OPINION,
           clock_mono_ns() - start_ns);
    r->authorization_reason = answer.reason;
    if (answer.decision == AUTHZ_ALLOW)
        return FLOW_NEXT;
    if (answer.error.n)
        return fail_internally(r, answer.error);
    authz_forbid(r->arena, &attrs, answer.reason, &st);
    return request_fail(r, &st);
}

const struct filter filter_authorization = {.name = "authorization", .enter = authorization_enter};
