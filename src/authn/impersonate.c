/* SPDX-License-Identifier: Apache-2.0 */
/* Impersonation: who may asks as somebody else, by the headers Impersonate-User, -Group, -Uid and -Extra-KEY.
 *
 * There are five modes, tried in this order until one lets the requestor: four are constrained (what the
 * requestor does under the other name is checked too: verb impersonate-on:MODE:VERB on the request itself,
 * then impersonate:MODE on each part of the other identity), the last is the old, unlimited one (verb
 * impersonate). A mode that does not fit who is to be impersonated is passed over. The refusal that a client
 * sees is the first mode's, where the search began: at the mode by which this requestor was last let through.
 * Source: kubernetes/apiserver pkg/endpoints/filters/impersonation. Its caches of successes are left out:
 * here a check costs no more than a look-up. */
#include "authn.h"

#include "authn/users.h"
#include "authz.h"

#define PREFIX_EXTRA TEXT("Impersonate-Extra-")
#define PREFIX_NODE TEXT("system:node:")
#define PREFIX_ACCOUNT TEXT("system:serviceaccount:")
#define NODE_NAME_KEY "authentication.kubernetes.io/node-name"
#define MANY_CHECKS 4 /* from so many values on, one check of "*" comes first */

/* --- who is asked for --- */

static struct text *grow_texts(struct arena *a, struct text *p, size_t n, struct text t)
{
    p = arena_grow(a, p, n * sizeof(t), (n + 1) * sizeof(t));
    p[n] = t;
    return p;
}

/* False: the request does not impersonate. */
static bool read_headers(const struct request *r, struct user_info *ret)
{
    bool found = false;

    *ret = (struct user_info){.name = request_header(r, "Impersonate-User"),
                              .uid = request_header(r, "Impersonate-Uid")};
    for (size_t i = 0; i < r->n_headers; i++) {
        const struct header *h = &r->headers[i];
        if (h->name.n < 12 || !text_eq_nocase(text_first(h->name, 12), TEXT("Impersonate-")))
            continue;
        if (text_eq_nocase(h->name, TEXT("Impersonate-Group"))) {
            ret->groups = grow_texts(r->arena, ret->groups, ret->n_groups, h->value);
            ret->n_groups++;
        } else if (h->name.n >= PREFIX_EXTRA.n &&
                   text_eq_nocase(text_first(h->name, PREFIX_EXTRA.n), PREFIX_EXTRA)) {
            user_extend_extra(r->arena, ret, user_extra_key(r->arena, text_from(h->name, PREFIX_EXTRA.n)),
                              h->value);
        }
        found = true;
    }
    return found && (ret->name.n || ret->uid.n || ret->n_groups || ret->n_extra);
}

static void print_texts(struct buffer *b, const struct text *p, size_t n)
{
    buffer_add_str(b, n ? "[]string{" : "[]string(nil)");
    for (size_t i = 0; i < n; i++) {
        buffer_add_str(b, i ? ", " : "");
        buffer_add_quoted(b, p[i]);
    }
    buffer_add_str(b, n ? "}" : "");
}

/* As Go's %#v prints what was asked for. */
static int fail_without_name(struct arena *a, const struct user_info *u, struct status *st)
{
    struct buffer b = BUFFER_IN(a);

    buffer_add_str(&b, "requested &user.DefaultInfo{Name:\"\", UID:");
    buffer_add_quoted(&b, u->uid);
    buffer_add_str(&b, ", Groups:");
    print_texts(&b, u->groups, u->n_groups);
    buffer_add_str(&b, u->n_extra ? ", Extra:map[string][]string{" : ", Extra:map[string][]string(nil)");
    for (size_t i = 0; i < u->n_extra; i++) {
        buffer_add_str(&b, i ? ", " : "");
        buffer_add_quoted(&b, u->extra[i].key);
        buffer_add_char(&b, ':');
        print_texts(&b, u->extra[i].values, u->extra[i].n_values);
    }
    buffer_add_str(&b, u->n_extra ? "}} without impersonating a user name"
                                  : "} without impersonating a user name");
    return status_set(st, STATUS_BAD_REQUEST, "%s", buffer_str(&b));
}

static bool node_of(struct text username, struct text *ret_name)
{
    *ret_name = text_from(username, PREFIX_NODE.n);
    return text_starts(username, PREFIX_NODE) && !format_dns1123_subdomain(*ret_name);
}

static bool account_of(struct text username, struct text *ret_namespace, struct text *ret_name)
{
    struct text rest = text_from(username, PREFIX_ACCOUNT.n);

    if (!text_starts(username, PREFIX_ACCOUNT) || !text_split(&rest, ':', ret_namespace) || !rest.p)
        return false;
    *ret_name = rest;
    return !format_dns1123_label(*ret_namespace) && !format_dns1123_subdomain(rest);
}

/* --- checks --- */

/* The attempt to impersonate by one mode. A check gives NO with *st set, or BLOCK. */
enum verdict { YES, NO, BLOCK, NOT_THIS_WAY };
struct mode;
struct attempt {
    struct request *request;
    struct arena *arena;
    const struct authz_attributes *attrs; /* of the request, as its requestor */
    const struct user_info *wanted;
    const struct mode *mode;
    struct user_info requestor; /* as the checks see it */
    struct status *st;
};

struct mode {
    const char *name; /* NULL: legacy */
    bool (*fits)(const struct user_info *wanted, const struct user_info *requestor);
    bool is_associated_node;
};

static const char *mode_label(const struct mode *m)
{
    return m->name ? m->name : "legacy";
}

static void count_check(const struct mode *m, bool is_allowed, int64_t ns);

static enum verdict check(const struct attempt *t, const struct request_info *info)
{
    struct authz_attributes attrs = *t->attrs;
    struct authz_answer answer;
    struct text why;
    int64_t start_ns = clock_mono_ns();

    attrs.user = &t->requestor;
    attrs.info = info;
    enum authz_decision d = authorizer_ask(t->request->wiring->authz, t->arena, &attrs, &answer);
    if (d == AUTHZ_WOULD_BLOCK)
        return BLOCK;
    count_check(t->mode, d == AUTHZ_ALLOW, clock_mono_ns() - start_ns);
    if (d == AUTHZ_ALLOW)
        return YES;
    why = answer.error.n && answer.reason.n
              ? arena_textf(t->arena, "%.*s: %.*s", TEXT_ARG(answer.error), TEXT_ARG(answer.reason))
          : answer.error.n ? answer.error
                           : answer.reason;
    authz_forbid(t->arena, &attrs, why, t->st);
    return NO;
}

/* The question about one part of the other identity. */
static struct request_info part(const struct attempt *t, const char *resource, struct text name,
                                bool is_of_core)
{
    bool is_core = is_of_core && !t->mode->name; /* where the old mode found users and groups */

    return (struct request_info){
        .is_resource = true,
        .verb = t->mode->name ? arena_textf(t->arena, "impersonate:%s", t->mode->name) : TEXT("impersonate"),
        .group = is_core ? TEXT("") : TEXT("authentication.k8s.io"),
        .version = TEXT("v1"),
        .resource = text_of(resource),
        .name = name};
}

static enum verdict refuse(const struct attempt *t, const struct request_info *info, const char *why)
{
    struct authz_attributes attrs = *t->attrs;

    attrs.user = &t->requestor;
    attrs.info = info;
    authz_forbid(t->arena, &attrs, text_of(why), t->st);
    return NO;
}

static void set_groups(struct arena *a, struct user_info *u, struct text first, struct text second)
{
    u->groups = ARENA_ARRAY(a, struct text, 2);
    u->groups[0] = first;
    u->groups[1] = second;
    u->n_groups = second.n ? 2 : 1;
}

static enum verdict check_name(const struct attempt *t, struct user_info *actual)
{
    struct request_info info = part(t, "users", t->wanted->name, true);
    struct text namespace, name;

    if (t->mode->name && node_of(t->wanted->name, &name)) {
        info.resource = TEXT("nodes");
        info.name = t->mode->is_associated_node ? TEXT("*") : name;
        set_groups(t->arena, actual, TEXT("system:nodes"), TEXT_NONE);
    }
    if (account_of(t->wanted->name, &namespace, &name)) {
        info.resource = TEXT("serviceaccounts");
        info.namespace = namespace;
        info.name = name;
        if (!t->wanted->n_groups)
            set_groups(t->arena, actual, TEXT("system:serviceaccounts"),
                       arena_textf(t->arena, "system:serviceaccounts:%.*s", TEXT_ARG(namespace)));
    }
    return check(t, &info);
}

static enum verdict check_groups(const struct attempt *t)
{
    const struct user_info *u = t->wanted;
    struct request_info info = part(t, "groups", TEXT(""), true);
    enum verdict v = YES;

    for (size_t i = 0; t->mode->name && i < u->n_groups; i++)
        if (!u->groups[i].n)
            return refuse(t, &info, "impersonating the empty string group is not allowed");
    if (t->mode->name && user_in_group(u, TEXT(GROUP_MASTERS))) {
        info.name = TEXT(GROUP_MASTERS);
        return refuse(t, &info, "impersonating the system:masters group is not allowed");
    }
    if (t->mode->name && u->n_groups >= MANY_CHECKS) {
        info.name = TEXT("*");
        if ((v = check(t, &info)) != NO)
            return v;
        v = YES;
    }
    for (size_t i = 0; i < u->n_groups && v == YES; i++) {
        info.name = u->groups[i];
        v = check(t, &info);
    }
    return v;
}

/* NULL: fit for the constrained modes. */
static const char *extra_problem(struct arena *a, const struct user_extra *e)
{
    struct text path = e->key, domain;
    struct buffer b = BUFFER_IN(a);
    bool has_path = text_split(&path, '/', &domain) && path.n;

    if (!e->key.n)
        return "impersonating the empty string key in extra is not allowed";
    if (!has_path || format_dns1123_subdomain(domain)) {
        buffer_add_str(&b,
                       "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ");
        buffer_add_quoted(&b, e->key);
        buffer_add_str(&b, ": must be a domain-prefixed path (such as \"acme.io/foo\")");
        return buffer_str(&b);
    }
    for (size_t i = 0; i < e->n_values; i++)
        if (!e->values[i].n)
            return "impersonating the empty string value in extra is not allowed";
    return NULL;
}

static enum verdict check_extra(const struct attempt *t)
{
    const struct user_info *u = t->wanted;
    struct request_info info = part(t, "userextras", TEXT(""), false);
    enum verdict v = YES;
    const char *problem;
    size_t n_values = 0;

    for (size_t i = 0; i < u->n_extra; i++) {
        n_values += u->extra[i].n_values;
        if (t->mode->name && (problem = extra_problem(t->arena, &u->extra[i])))
            return refuse(t, &info, problem);
    }
    if (t->mode->name && n_values >= MANY_CHECKS) {
        info.subresource = info.name = TEXT("*");
        if ((v = check(t, &info)) != NO)
            return v;
        v = YES;
    }
    for (size_t i = 0; i < u->n_extra; i++) {
        info.subresource = u->extra[i].key;
        for (size_t j = 0; j < u->extra[i].n_values && v == YES; j++) {
            info.name = u->extra[i].values[j];
            v = check(t, &info);
        }
    }
    return v;
}

static void ensure_group(struct arena *a, struct user_info *u, struct text group)
{
    if (!user_in_group(u, group))
        user_add_group(a, u, group);
}

/* What a service account on its own node is known by: not its extra, but that there is one. */
static void hide_extra(struct attempt *t)
{
    const struct user_info *u = t->attrs->user;
    struct user_extra *e = ARENA_NEW(t->arena, struct user_extra);

    e->key = TEXT("authentication.kubernetes.io/associated-node-keys");
    for (size_t i = 0; i < u->n_extra; i++)
        e->values = grow_texts(t->arena, e->values, e->n_values++, u->extra[i].key);
    t->requestor.extra = e;
    t->requestor.n_extra = 1;
}

static enum verdict try_mode(struct attempt *t, struct user_info *ret_actual)
{
    struct user_info actual = *t->wanted;
    enum verdict v = YES;

    if (t->mode->fits && !t->mode->fits(t->wanted, t->attrs->user))
        return NOT_THIS_WAY;
    t->requestor = *t->attrs->user;
    if (t->mode->is_associated_node)
        hide_extra(t);
    if (t->mode->name) {
        struct request_info on = *t->attrs->info;
        on.verb = arena_textf(t->arena, "impersonate-on:%s:%.*s", t->mode->name, TEXT_ARG(on.verb));
        v = check(t, &on);
    }
    if (v == YES)
        v = check_name(t, &actual);
    if (v == YES && t->wanted->uid.n) {
        const struct request_info info = part(t, "uids", t->wanted->uid, false);
        v = check(t, &info);
    }
    if (v == YES)
        v = check_groups(t);
    if (v == YES)
        v = check_extra(t);
    if (v != YES)
        return v;
    if (text_is(actual.name, USER_ANONYMOUS))
        ensure_group(t->arena, &actual, TEXT(GROUP_UNAUTHENTICATED));
    else if (!user_in_group(&actual, TEXT(GROUP_UNAUTHENTICATED)))
        ensure_group(t->arena, &actual, TEXT(GROUP_AUTHENTICATED));
    *ret_actual = actual;
    return YES;
}

/* --- modes --- */

static bool only_name(const struct user_info *u)
{
    return !u->uid.n && !u->n_groups && !u->n_extra;
}

static bool is_any_node(const struct user_info *wanted, const struct user_info *requestor)
{
    struct text name;
    return only_name(wanted) && node_of(wanted->name, &name);
}

/* A service account that runs on the very node. */
static bool is_own_node(const struct user_info *wanted, const struct user_info *requestor)
{
    struct text node, namespace, name;

    if (!only_name(wanted) || !node_of(wanted->name, &node) ||
        !account_of(requestor->name, &namespace, &name))
        return false;
    for (size_t i = 0; i < requestor->n_extra; i++)
        if (text_is(requestor->extra[i].key, NODE_NAME_KEY))
            return requestor->extra[i].n_values == 1 && text_eq(requestor->extra[i].values[0], node);
    return false;
}

static bool is_account(const struct user_info *wanted, const struct user_info *requestor)
{
    struct text namespace, name;
    return only_name(wanted) && account_of(wanted->name, &namespace, &name);
}

static bool is_plain_user(const struct user_info *wanted, const struct user_info *requestor)
{
    struct text namespace, name;
    return !node_of(wanted->name, &name) && !account_of(wanted->name, &namespace, &name);
}

static const struct mode modes[] = {
    {"associated-node", is_own_node, true},
    {"arbitrary-node", is_any_node},
    {"serviceaccount", is_account},
    {"user-info", is_plain_user},
    {NULL, NULL},
};

/* By which mode a requestor was last let through. Two names that share a slot only change where the search
 * begins. */
#define N_LAST 4096
static _Atomic(uint64_t) last_modes[N_LAST]; /* hash of the name, its lowest byte 1 + the mode */

static size_t last_mode(struct text name)
{
    uint64_t hash = text_hash(name),
             slot = atomic_load_explicit(&last_modes[hash / 256 % N_LAST], memory_order_relaxed);

    return slot / 256 == hash / 256 && slot % 256 ? slot % 256 - 1 : N_ELEMENTS(modes);
}

static void remember_mode(struct text name, size_t mode)
{
    uint64_t hash = text_hash(name);

    atomic_store_explicit(&last_modes[hash / 256 % N_LAST], hash / 256 * 256 + mode + 1,
                          memory_order_relaxed);
}

/* --- metrics --- */

static const double buckets[] = {0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
                                 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384};
#define FAMILY(variable, the_name, the_help, the_type, ...)                       \
    static struct metric_family variable = {.name = (the_name),                   \
                                            .help = (the_help),                   \
                                            .type = (the_type),                   \
                                            .stability = "ALPHA",                 \
                                            .labels = {"mode", "decision", NULL}, \
                                            ##__VA_ARGS__}
FAMILY(attempts_total, "apiserver_impersonation_attempts_total",
       "Total number of impersonation attempts split by mode and decision.", METRIC_COUNTER);
FAMILY(attempts_seconds, "apiserver_impersonation_attempts_duration_seconds",
       "Impersonation attempts duration in seconds split by mode and decision.", METRIC_HISTOGRAM,
       .buckets = buckets, .n_buckets = N_ELEMENTS(buckets));
FAMILY(checks_total, "apiserver_impersonation_authorization_attempts_total",
       "Total number of authorization checks of impersonation split by mode and decision.", METRIC_COUNTER);
FAMILY(checks_seconds, "apiserver_impersonation_authorization_attempts_duration_seconds",
       "Authorization checks of impersonation duration in seconds split by mode and decision.",
       METRIC_HISTOGRAM, .buckets = buckets, .n_buckets = N_ELEMENTS(buckets));

void authn_impersonation_metrics_register(void)
{
    metrics_register(&attempts_total);
    metrics_register(&attempts_seconds);
    metrics_register(&checks_total);
    metrics_register(&checks_seconds);
}

static void count_check(const struct mode *m, bool is_allowed, int64_t ns)
{
    const char *decision = is_allowed ? "allowed" : "denied";

    metric_add(metric_cell(&checks_total, mode_label(m), decision), 1);
    metric_observe(metric_cell(&checks_seconds, mode_label(m), decision), (double)ns / 1e9);
}

static void count_attempt(const char *mode, const char *decision, int64_t start_ns)
{
    metric_add(metric_cell(&attempts_total, mode, decision), 1);
    metric_observe(metric_cell(&attempts_seconds, mode, decision),
                   (double)(clock_mono_ns() - start_ns) / 1e9);
}

/* --- the filter --- */

static enum flow impersonate(struct request *r, const struct user_info *wanted)
{
    CLEANUP(status_clear) struct status first = {0}, later = {0};
    int64_t start_ns = clock_mono_ns();
    size_t begin = last_mode(r->user.name);
    struct authz_attributes attrs;
    struct user_info actual;

    authz_attributes_of(r, &attrs);
    for (size_t i = 0; i <= N_ELEMENTS(modes); i++) {
        size_t at = i == 0 ? begin : i - 1;
        if (at == N_ELEMENTS(modes) || (i > 0 && at == begin))
            continue;
        struct attempt t = {.request = r,
                            .arena = r->arena,
                            .attrs = &attrs,
                            .wanted = wanted,
                            .mode = &modes[at],
                            .st = first.reason == STATUS_OK ? &first : &later};
        enum verdict v = try_mode(&t, &actual);
        if (v == BLOCK)
            return FLOW_BLOCK;
        if (v != YES)
            continue;
        remember_mode(r->user.name, at);
        count_attempt(mode_label(&modes[at]), "allowed", start_ns);
        log_verbose(4, "Impersonating", LOG_TEXT("requestor", r->user.name), LOG_TEXT("user", actual.name));
        r->requestor = r->user;
        r->user = actual;
        return FLOW_NEXT;
    }
    count_attempt("", "denied", start_ns);
    return request_fail(r, &first);
}

static enum flow impersonation_enter(struct request *r)
{
    CLEANUP(status_clear) struct status st = {0};
    struct user_info wanted;

    if (!read_headers(r, &wanted))
        return FLOW_NEXT;
    if (wanted.name.n)
        return impersonate(r, &wanted);
    fail_without_name(r->arena, &wanted, &st);
    return request_fail(r, &st);
}

const struct filter filter_impersonation = {.name = "impersonation", .enter = impersonation_enter};
