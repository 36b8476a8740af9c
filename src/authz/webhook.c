/* SPDX-License-Identifier: Apache-2.0 */
/* The mode Webhook: another service decides, asked by SubjectAccessReviews. Answers are remembered for a
 * while by what was asked, the 8,192 asked for last, so that most questions cost a look-up; the others need a
 * thread that may wait. A service that cannot be asked has no opinion, or denies where the configuration says
 * so; it never allows. Source: kubernetes/apiserver plugin/pkg/authorizer/webhook/webhook.go. */
#include "authz/webhook.h"

#include <pthread.h>

#include "http/remote.h"

#define CACHE_MAX 8192
#define CACHED_ATTRIBUTES_MAX 10000 /* bytes that a client controls: more are not worth remembering */

/* An answer, and until when it is good. */
struct entry {
    struct list link; /* by use, the latest first */
    struct text key, reason;
    int64_t until_ms;
    bool is_allowed, is_denied;
    char bytes[];
};

struct webhook_mode {
    struct authz_mode mode;
    struct webhook_options opt;
    char *name;
    struct remote *remote;
    pthread_mutex_t mu; /* the next three */
    struct map cache;
    struct list used;
};

/* --- metrics --- */

static const double buckets[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static struct metric_family evaluations_total = {
    .name = "apiserver_authorization_webhook_evaluations_total",
    .help = "Round-trips to authorization webhooks.",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .labels = {"name", "result", NULL},
};
static struct metric_family duration_seconds = {
    .name = "apiserver_authorization_webhook_duration_seconds",
    .help = "Request latency in seconds.",
    .type = METRIC_HISTOGRAM,
    .stability = "ALPHA",
    .labels = {"name", "result", NULL},
    .buckets = buckets,
    .n_buckets = N_ELEMENTS(buckets),
};
static struct metric_family fail_open_total = {
    .name = "apiserver_authorization_webhook_evaluations_fail_open_total",
    .help = "NoOpinion results due to webhook timeout or error.",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .labels = {"name", "result", NULL},
};

static const char *result_name(enum remote_result r)
{
    return r == REMOTE_SUCCESS ? "success" : r == REMOTE_TIMEOUT ? "timeout" : "error";
}

/* --- the question --- */

static void add_text(struct arena *a, struct value *to, const char *key, struct text t)
{
    if (t.n)
        value_add(a, to, text_of(key), value_string(t));
}

static const char *operator_of(enum selector_op op)
{
    switch (op) {
    case SELECT_EQUALS:
    case SELECT_IN:
        return "In";
    case SELECT_NOT_EQUALS:
    case SELECT_NOT_IN:
        return "NotIn";
    case SELECT_EXISTS:
        return "Exists";
    case SELECT_NOT_EXISTS:
        return "DoesNotExist";
    default:
        return NULL; /* left out: the question gets broader */
    }
}

static void add_selector(struct arena *a, struct value *to, const char *key, const struct selector *s)
{
    struct value list = value_list(), wrapped = value_object();

    for (size_t i = 0; s && i < s->n; i++) {
        const struct requirement *q = &s->requirements[i];
        const char *op = operator_of(q->op);
        struct value v = value_object();
        if (!op)
            continue;
        value_add(a, &v, TEXT("key"), value_string(q->key));
        value_add(a, &v, TEXT("operator"), value_string(text_of(op)));
        if (q->n_values)
            value_add(a, &v, TEXT("values"), value_texts(a, q->values, q->n_values));
        value_append(a, &list, v);
    }
    if (!list.n)
        return;
    value_add(a, &wrapped, TEXT("requirements"), list);
    value_add(a, to, text_of(key), wrapped);
}

static struct value spec_of(struct arena *a, const struct authz_attributes *attrs, bool is_v1)
{
    const struct request_info *info = attrs->info;
    const struct user_info *u = attrs->user;
    struct value spec = value_object(), what = value_object(), extra = value_object();

    if (info->is_resource) {
        add_text(a, &what, "namespace", info->namespace);
        add_text(a, &what, "verb", info->verb);
        add_text(a, &what, "group", info->group);
        add_text(a, &what, "version", info->version);
        add_text(a, &what, "resource", info->resource);
        add_text(a, &what, "subresource", info->subresource);
        add_text(a, &what, "name", info->name);
        add_selector(a, &what, "fieldSelector", attrs->fields);
        add_selector(a, &what, "labelSelector", attrs->labels);
    } else {
        add_text(a, &what, "path", attrs->path);
        add_text(a, &what, "verb", info->verb);
    }
    value_add(a, &spec, info->is_resource ? TEXT("resourceAttributes") : TEXT("nonResourceAttributes"), what);
    add_text(a, &spec, "user", u->name);
    if (u->n_groups)
        value_add(a, &spec, is_v1 ? TEXT("groups") : TEXT("group"), value_texts(a, u->groups, u->n_groups));
    for (size_t i = 0; i < u->n_extra; i++)
        value_add(a, &extra, u->extra[i].key, value_texts(a, u->extra[i].values, u->extra[i].n_values));
    if (extra.n)
        value_add(a, &spec, TEXT("extra"), extra);
    add_text(a, &spec, "uid", u->uid);
    return spec;
}

static bool is_worth_keeping(const struct authz_attributes *attrs)
{
    const struct request_info *i = attrs->info;

    return i->namespace.n + i->verb.n + i->group.n + i->version.n + i->resource.n + i->subresource.n +
               i->name.n + attrs->path.n <
           CACHED_ATTRIBUTES_MAX;
}

/* --- the cache --- */

static void drop_locked(struct webhook_mode *m, struct entry *e)
{
    map_remove(&m->cache, e->key);
    list_remove(&e->link);
    free(e);
}

static bool find_answer(struct webhook_mode *m, struct arena *a, struct text key, struct entry *ret)
{
    bool found = false;

    pthread_mutex_lock(&m->mu);
    struct entry *e = map_get(&m->cache, key);
    if (e && e->until_ms <= clock_mono_ms()) {
        drop_locked(m, e);
    } else if (e) {
        list_remove(&e->link);
        list_insert_before(m->used.next, &e->link);
        *ret = (struct entry){
            .is_allowed = e->is_allowed, .is_denied = e->is_denied, .reason = arena_text(a, e->reason)};
        found = true;
    }
    pthread_mutex_unlock(&m->mu);
    return found;
}

static void keep_answer(struct webhook_mode *m, struct text key, const struct entry *answer)
{
    int64_t ttl_ms = answer->is_allowed ? m->opt.authorized_ttl_ms : m->opt.unauthorized_ttl_ms;
    struct entry *e;

    if (ttl_ms <= 0)
        return;
    e = xmalloc(sizeof(*e) + key.n + answer->reason.n);
    *e = *answer;
    memcpy(e->bytes, key.p, key.n);
    if (answer->reason.n)
        memcpy(e->bytes + key.n, answer->reason.p, answer->reason.n);
    e->key = (struct text){e->bytes, key.n};
    e->reason = (struct text){e->bytes + key.n, answer->reason.n};
    e->until_ms = clock_mono_ms() + ttl_ms;
    pthread_mutex_lock(&m->mu);
    struct entry *old = map_get(&m->cache, key);
    if (old)
        drop_locked(m, old);
    else if (m->cache.n >= CACHE_MAX)
        drop_locked(m, CONTAINER_OF(m->used.prev, struct entry, link));
    map_put(&m->cache, e->key, e);
    list_insert_before(m->used.next, &e->link);
    pthread_mutex_unlock(&m->mu);
}

/* --- asking --- */

static int read_answer(struct arena *a, struct text body, struct entry *ret, struct status *st)
{
    static const struct json_options options = {.depth_max = 64};
    const struct value *status;
    struct value root;

    if (json_read(a, body, &options, &root, st) < 0)
        return -1;
    status = value_get(&root, TEXT("status"));
    if (!text_is(value_get_text(&root, TEXT("kind")), "SubjectAccessReview") || !status)
        return status_set(st, STATUS_INTERNAL_ERROR,
                          "the webhook's answer is no SubjectAccessReview with a status");
    ret->is_allowed = value_get_bool(status, TEXT("allowed"), false);
    ret->is_denied = value_get_bool(status, TEXT("denied"), false);
    ret->reason = value_get_text(status, TEXT("reason"));
    return 0;
}

static int ask(struct webhook_mode *m, struct arena *a, const struct value *spec, struct entry *ret,
               struct status *st)
{
    struct value review = value_object(), status = value_object();
    struct buffer body = BUFFER_IN(a), answer = BUFFER_IN(a);
    int64_t start_ns = clock_mono_ns();

    value_add(a, &review, TEXT("kind"), value_string(TEXT("SubjectAccessReview")));
    value_add(
        a, &review, TEXT("apiVersion"),
        value_string(m->opt.is_v1 ? TEXT("authorization.k8s.io/v1") : TEXT("authorization.k8s.io/v1beta1")));
    value_add(a, &review, TEXT("metadata"), value_object());
    value_add(a, &review, TEXT("spec"), *spec);
    value_add(a, &status, TEXT("allowed"), value_bool(false));
    value_add(a, &review, TEXT("status"), status);
    json_write(&body, &review);
    enum remote_result result = remote_post(m->remote, buffer_text(&body), &answer, st);
    if (result == REMOTE_SUCCESS && read_answer(a, buffer_text(&answer), ret, st) < 0)
        result = REMOTE_ERROR;
    metric_add(metric_cell(&evaluations_total, m->name, result_name(result)), 1);
    metric_observe(metric_cell(&duration_seconds, m->name, result_name(result)),
                   (double)(clock_mono_ns() - start_ns) / 1e9);
    if (result == REMOTE_SUCCESS)
        return 0;
    if (!m->opt.denies_on_failure)
        metric_add(metric_cell(&fail_open_total, m->name, result_name(result)), 1);
    log_error("Failed to make webhook authorizer request", LOG_STR("webhook", m->name),
              LOG_STR("err", st->message));
    return -1;
}

static void webhook_authorize(struct authz_mode *mode, struct arena *a, const struct authz_attributes *attrs,
                              struct authz_answer *ret)
{
    struct webhook_mode *m = CONTAINER_OF(mode, struct webhook_mode, mode);
    struct value spec = spec_of(a, attrs, m->opt.is_v1);
    CLEANUP(status_clear) struct status st = {0};
    struct buffer key = BUFFER_IN(a);
    struct entry answer = {0};

    json_write(&key, &spec);
    if (!find_answer(m, a, buffer_text(&key), &answer)) {
        if (!attrs->may_block) {
            ret->decision = AUTHZ_WOULD_BLOCK;
            return;
        }
        if (ask(m, a, &spec, &answer, &st) < 0) {
            ret->decision = m->opt.denies_on_failure ? AUTHZ_DENY : AUTHZ_NO_OPINION;
            ret->error = arena_text(a, text_of(st.message));
            return;
        }
        if (is_worth_keeping(attrs))
            keep_answer(m, buffer_text(&key), &answer);
    }
    ret->reason = answer.reason;
    ret->decision = answer.is_denied ? AUTHZ_DENY : answer.is_allowed ? AUTHZ_ALLOW : AUTHZ_NO_OPINION;
    if (answer.is_denied && answer.is_allowed)
        ret->error = TEXT("webhook subject access review returned both allow and deny response");
}

static void webhook_list_rules(struct authz_mode *m, const struct user_info *user, struct text namespace,
                               struct authz_rules *rules)
{
    rules->is_incomplete = true;
    text_list_add(rules->arena, &rules->errors, TEXT("webhook authorizer does not support user rule resolution"));
}

/* --- the mode --- */

static void webhook_free(struct authz_mode *mode)
{
    struct webhook_mode *m = CONTAINER_OF(mode, struct webhook_mode, mode);

    remote_close(m->remote);
    while (!list_is_empty(&m->used))
        drop_locked(m, CONTAINER_OF(m->used.next, struct entry, link));
    map_deinit(&m->cache);
    pthread_mutex_destroy(&m->mu);
    free(m->name);
    free(m);
}

int webhook_mode_make(const struct webhook_options *opt, struct authz_mode **ret, struct status *st)
{
    struct webhook_mode *m = xcalloc(1, sizeof(*m));
    const struct remote_options remote = {.kubeconfig = opt->kubeconfig, .timeout_ms = opt->timeout_ms};

    m->name = xstrdup(opt->name);
    m->opt = *opt;
    m->opt.name = m->name;
    m->opt.kubeconfig = NULL; /* read below, and not kept */
    m->mode = (struct authz_mode){.type = "Webhook",
                                  .name = m->name,
                                  .authorize = webhook_authorize,
                                  .list_rules = webhook_list_rules,
                                  .free = webhook_free,
                                  .may_block = true};
    pthread_mutex_init(&m->mu, NULL);
    list_init(&m->used);
    metrics_register(&evaluations_total);
    metrics_register(&duration_seconds);
    metrics_register(&fail_open_total);
    if (remote_open(&remote, &m->remote, st) < 0) {
        webhook_free(&m->mode);
        return -1;
    }
    *ret = &m->mode;
    return 0;
}

int webhook_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    const char *version = opt->webhook_version ? opt->webhook_version : "v1beta1";
    const struct webhook_options webhook = {.name = "default",
                                            .kubeconfig = opt->webhook_config_file,
                                            .is_v1 = strcmp(version, "v1") == 0,
                                            .authorized_ttl_ms = opt->webhook_authorized_ttl_ms,
                                            .unauthorized_ttl_ms = opt->webhook_unauthorized_ttl_ms,
                                            .timeout_ms = 30000};

    if (!opt->webhook_config_file)
        return status_set(st, STATUS_BAD_REQUEST,
                          "authorization-mode Webhook's authorization config file not passed");
    if (!webhook.is_v1 && strcmp(version, "v1beta1") != 0)
        return status_set(
            st, STATUS_BAD_REQUEST,
            "unsupported webhook authorizer version \"%s\", supported versions are \"v1\", \"v1beta1\"",
            version);
    return webhook_mode_make(&webhook, ret, st);
}
