/* SPDX-License-Identifier: Apache-2.0 */
/* The structured configuration of authorization (--authorization-config): apiserver.config.k8s.io
 * AuthorizationConfiguration, an ordered list of authorizers, several webhooks among them. The file is read
 * again when it changes: webhooks are made anew, the other modes stay as they are and must all still be
 * named; a file that is no good is logged, counted and not used. Source: kubernetes/apiserver
 * pkg/apis/apiserver/validation, kubernetes pkg/kubeapiserver/authorizer/{config,reload}.go. */
#include <sys/stat.h>

#include "authz/webhook.h"

#define LOOK_EVERY_MS 1000
#define AUTHORIZERS_MAX 64
#define FORM "AuthorizationConfiguration"

struct authz_config {
    struct authorizer *authorizer;
    struct authz_options opt;
    char *path;
    struct authz_mode *builtin[AUTHORIZERS_MAX]; /* of the first reading; the authorizer's */
    size_t n_builtin;
    struct watched_file *file;
};

/* One authorizer of the file. */
struct row {
    struct text type, name;
    bool is_webhook;
    struct webhook_options webhook;
};

/* --- metrics --- */

static struct metric_family reloads_total = {
    .name = "apiserver_authorization_config_controller_automatic_reloads_total",
    .help = "Total number of automatic reloads of authorization configuration split by status and apiserver "
            "identity.",
    .type = METRIC_COUNTER,
    .stability = "BETA",
    .labels = {"status", "apiserver_id_hash", NULL},
};
static struct metric_family reload_timestamp = {
    .name = "apiserver_authorization_config_controller_automatic_reload_last_timestamp_seconds",
    .help = "Timestamp of the last automatic reload of authorization configuration split by status and "
            "apiserver identity.",
    .type = METRIC_GAUGE,
    .stability = "BETA",
    .labels = {"status", "apiserver_id_hash", NULL},
};

static void count_reload(bool is_good)
{
    const char *status = is_good ? "success" : "failure";

    metric_add(metric_cell(&reloads_total, status, ""), 1);
    metric_set(metric_cell(&reload_timestamp, status, ""), (double)clock_now_ns() / 1e9);
}

/* --- reading --- */

/* A validation under way: where we are, and what is wrong. */
struct reader {
    struct arena *arena;
    struct field_errors errs;
    const char *at; /* "authorizers[0]" */
};

static const char *path_of(struct reader *r, const char *name)
{
    return arena_printf(r->arena, "%s.%s", r->at, name);
}

static void need(struct reader *r, const char *name, const char *why)
{
    field_error(&r->errs, FIELD_REQUIRED, path_of(r, name), NULL, "%s", why);
}

/* A duration in milliseconds; otherwise where there is none (-1: it must be there). */
static int64_t read_duration(struct reader *r, const struct value *v, const char *name, int64_t otherwise,
                             int64_t max_ms)
{
    const struct value *given = value_get(v, text_of(name));
    int64_t ns = 0;

    if (given && !duration_parse(value_text(given), &ns)) {
        field_error(&r->errs, FIELD_INVALID, path_of(r, name), given, "must be a duration such as 30s");
        return 1;
    }
    if (!ns && otherwise < 0)
        need(r, name, "");
    else if (ns < 0 || (max_ms && ns > max_ms * 1000000))
        field_error(&r->errs, FIELD_INVALID, path_of(r, name), given, "%s",
                    max_ms ? "must be > 0s and <= 30s" : "must be > 0s");
    return ns ? ns / 1000000 : otherwise;
}

/* Which of the choices the member is; -1: none, which was noted. */
static int read_choice(struct reader *r, const struct value *v, const char *name, const char *const *choices,
                       size_t n)
{
    const struct value *given = value_get(v, text_of(name));

    if (value_is_empty(given)) {
        need(r, name, "");
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        if (text_is(value_text(given), choices[i]))
            return (int)i;
    field_not_supported(&r->errs, path_of(r, name), given, choices, n);
    return -1;
}

static void read_connection(struct reader *r, const struct value *webhook, struct webhook_options *ret)
{
    static const char *const types[] = {"InClusterConfig", "KubeConfigFile"};
    const struct value *info = value_get(webhook, TEXT("connectionInfo"));
    const struct value *file = value_get(info, TEXT("kubeConfigFile"));
    const char *outer = r->at;
    struct stat sb;

    r->at = path_of(r, "connectionInfo");
    int type = read_choice(r, info, "type", types, N_ELEMENTS(types));
    if (type == 0) {
        field_error(&r->errs, FIELD_INVALID, path_of(r, "type"), value_get(info, TEXT("type")),
                    "this server does not run in a pod; use KubeConfigFile");
    } else if (type == 1) {
        ret->kubeconfig = arena_str(r->arena, value_text(file));
        if (value_is_empty(file))
            need(r, "kubeConfigFile", "");
        else if (ret->kubeconfig[0] != '/')
            field_error(&r->errs, FIELD_INVALID, path_of(r, "kubeConfigFile"), file,
                        "must be an absolute path");
        else if (stat(ret->kubeconfig, &sb) < 0)
            field_error(&r->errs, FIELD_INVALID, path_of(r, "kubeConfigFile"), file,
                        "error loading file: stat %s: no such file or directory", ret->kubeconfig);
        else if (!S_ISREG(sb.st_mode))
            field_error(&r->errs, FIELD_INVALID, path_of(r, "kubeConfigFile"), file,
                        "must be a regular file");
    }
    r->at = outer;
}

static void read_webhook(struct reader *r, const struct value *v, struct webhook_options *ret)
{
    static const char *const versions[] = {"v1", "v1beta1"}, *const policies[] = {"NoOpinion", "Deny"};
    const char *outer = r->at;

    r->at = path_of(r, "webhook");
    ret->timeout_ms = read_duration(r, v, "timeout", -1, 30000);
    ret->authorized_ttl_ms = read_duration(r, v, "authorizedTTL", 300000, 0);
    ret->unauthorized_ttl_ms = read_duration(r, v, "unauthorizedTTL", 30000, 0);
    if (!value_get_bool(v, TEXT("cacheAuthorizedRequests"), true))
        ret->authorized_ttl_ms = 0;
    if (!value_get_bool(v, TEXT("cacheUnauthorizedRequests"), true))
        ret->unauthorized_ttl_ms = 0;
    ret->is_v1 = read_choice(r, v, "subjectAccessReviewVersion", versions, N_ELEMENTS(versions)) == 0;
    ret->denies_on_failure = read_choice(r, v, "failurePolicy", policies, N_ELEMENTS(policies)) == 1;
    if (!value_is_empty(value_get(v, TEXT("matchConditions"))))
        field_error(&r->errs, FIELD_FORBIDDEN, path_of(r, "matchConditions"), NULL,
                    "CEL expressions are not evaluated here by this server yet: leave the conditions out, "
                    "and the webhook is asked "
                    "about every request");
    read_connection(r, v, ret);
    r->at = outer;
}

static bool is_known_member(struct text key, const char *const *known)
{
    for (size_t i = 0; known[i]; i++)
        if (text_is(key, known[i]))
            return true;
    return false;
}

static void refuse_unknown(struct reader *r, const struct value *v, const char *const *known)
{
    for (size_t i = 0; v && v->kind == VALUE_OBJECT && i < v->n; i++)
        if (!is_known_member(member_key(&v->members[i]), known))
            field_error(&r->errs, FIELD_FORBIDDEN,
                        path_of(r, arena_str(r->arena, member_key(&v->members[i]))), NULL, "unknown field");
}

static void read_row(struct reader *r, const struct value *v, const struct row *before, size_t n,
                     struct row *ret)
{
    static const char *const members[] = {"type", "name", "webhook", NULL};
    static const char *const webhook_members[] = {"authorizedTTL",
                                                  "cacheAuthorizedRequests",
                                                  "unauthorizedTTL",
                                                  "cacheUnauthorizedRequests",
                                                  "timeout",
                                                  "subjectAccessReviewVersion",
                                                  "matchConditionSubjectAccessReviewVersion",
                                                  "failurePolicy",
                                                  "connectionInfo",
                                                  "matchConditions",
                                                  NULL};
    const struct value *type = value_get(v, TEXT("type")), *name = value_get(v, TEXT("name")),
                       *webhook = value_get(v, TEXT("webhook"));
    const char *expected, *problem;

    *ret = (struct row){.type = value_text(type),
                        .name = value_text(name),
                        .is_webhook = text_is(value_text(type), "Webhook")};
    refuse_unknown(r, v, members);
    if (read_choice(r, v, "type", authz_mode_names, n_authz_modes) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        if (!ret->is_webhook && text_eq(before[i].type, ret->type))
            field_error(&r->errs, FIELD_DUPLICATE, path_of(r, "type"), type, "%s", "");
        if (ret->name.n && text_eq(before[i].name, ret->name))
            field_error(&r->errs, FIELD_DUPLICATE, path_of(r, "name"), name, "%s", "");
    }
    if (!ret->name.n)
        need(r, "name", "");
    else if ((problem = format_dns1123_subdomain(ret->name)))
        field_error(&r->errs, FIELD_INVALID, path_of(r, "name"), name, "authorizer name is invalid: %s",
                    problem);
    expected = authz_mode_metric_name(r->arena, ret->type);
    if (!ret->is_webhook && ret->name.n && !text_is(ret->name, expected))
        field_error(&r->errs, FIELD_INVALID, path_of(r, "name"), name, "expected name %s for authorizer %.*s",
                    expected, TEXT_ARG(ret->type));
    if (ret->is_webhook && !webhook) {
        need(r, "webhook", "required when type=Webhook");
    } else if (!ret->is_webhook && webhook) {
        field_error(&r->errs, FIELD_FORBIDDEN, path_of(r, "webhook"), NULL,
                    "may only be specified when type=Webhook");
    } else if (webhook) {
        ret->webhook.name = arena_str(r->arena, ret->name);
        read_webhook(r, webhook, &ret->webhook);
        r->at = path_of(r, "webhook");
        refuse_unknown(r, webhook, webhook_members);
    }
}

/* All that is wrong, as Go's aggregate prints it. */
static int fail_with(struct reader *r, struct status *st)
{
    struct buffer b = BUFFER_IN(r->arena);

    for (size_t i = 0; i < r->errs.n; i++)
        buffer_addf(&b, "%s%s: %s", i ? ", " : "", r->errs.p[i].field, r->errs.p[i].message);
    return status_set(st, STATUS_BAD_REQUEST, r->errs.n > 1 ? "[%s]" : "%s", buffer_str(&b));
}

static int read_config(struct arena *a, struct text content, struct row *rows, size_t *ret_n,
                       struct status *st)
{
    struct reader r = {.arena = a, .errs = {.arena = a}};
    struct text_list duplicates = {0};
    const struct json_options options = {.duplicates = &duplicates, .copy_strings = true, .depth_max = 32};
    struct value root;
    struct text group, version;

    if (yaml_read(a, content, &options, &root, st) < 0)
        return -1;
    if (duplicates.n)
        return status_set(st, STATUS_BAD_REQUEST, "%.*s", TEXT_ARG(duplicates.p[0]));
    group_version_parse(value_get_text(&root, TEXT("apiVersion")), &group, &version);
    if (!text_is(value_get_text(&root, TEXT("kind")), FORM) || !text_is(group, "apiserver.config.k8s.io") ||
        !(text_is(version, "v1") || text_is(version, "v1beta1") || text_is(version, "v1alpha1")))
        return status_set(st, STATUS_BAD_REQUEST,
                          "expected " FORM " of apiserver.config.k8s.io/v1, got %.*s of %.*s",
                          TEXT_ARG(value_get_text(&root, TEXT("kind"))),
                          TEXT_ARG(value_get_text(&root, TEXT("apiVersion"))));
    const struct value *list = value_get(&root, TEXT("authorizers"));
    size_t n = list && list->kind == VALUE_LIST ? list->n : 0;
    if (!n)
        field_error(&r.errs, FIELD_REQUIRED, "authorizers", NULL,
                    "at least one authorization mode must be defined");
    if (n > AUTHORIZERS_MAX)
        return status_set(st, STATUS_BAD_REQUEST, "authorizers: at most %d are taken", AUTHORIZERS_MAX);
    for (size_t i = 0; i < n; i++) {
        r.at = arena_printf(a, "authorizers[%zu]", i);
        read_row(&r, &list->items[i], rows, i, &rows[i]);
    }
    *ret_n = n;
    return r.errs.n ? fail_with(&r, st) : 0;
}

/* --- modes --- */

static struct authz_mode *find_builtin(const struct authz_config *c, struct text type)
{
    for (size_t i = 0; i < c->n_builtin; i++)
        if (text_is(type, c->builtin[i]->type))
            return c->builtin[i];
    return NULL;
}

/* Takes down the modes that were made for a configuration that will not be used. */
static void drop_made(struct authz_mode **modes, size_t n, const struct authz_config *c)
{
    for (size_t i = 0; i < n; i++)
        if (!c || !find_builtin(c, text_of(modes[i]->type)))
            modes[i]->free(modes[i]);
}

/* The modes of the rows. c: whose builtin modes are there already; NULL: the first reading makes them. */
static int make_modes(const struct row *rows, size_t n, const struct authz_options *opt,
                      const struct authz_config *c, struct authz_mode **modes, struct status *st)
{
    for (size_t i = 0; i < n; i++) {
        int rc = 0;
        if (rows[i].is_webhook)
            rc = webhook_mode_make(&rows[i].webhook, &modes[i], st);
        else if (!c)
            rc = authz_mode_new(rows[i].type, opt, &modes[i], st);
        else if (!(modes[i] = find_builtin(c, rows[i].type)))
            rc = status_set(st, STATUS_BAD_REQUEST, "authorizer type %.*s was not there at the start",
                            TEXT_ARG(rows[i].type));
        if (rc < 0) {
            status_wrap(st, "authorizers[%zu]", i);
            drop_made(modes, i, c);
            return -1;
        }
    }
    return 0;
}

static int check_required(const struct authz_config *c, const struct row *rows, size_t n, struct status *st)
{
    for (size_t k = 0; k < c->n_builtin; k++) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++)
            found = text_is(rows[i].type, c->builtin[k]->type);
        if (!found)
            return status_set(st, STATUS_BAD_REQUEST, "authorizer(s) %s are required", c->builtin[k]->type);
    }
    return 0;
}

/* On the timer thread: making webhooks reads small files and starts threads. */
static void on_change(void *ctx, struct text content)
{
    struct authz_config *c = ctx;
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct row *rows = ARENA_ARRAY(a, struct row, AUTHORIZERS_MAX);
    struct authz_mode *modes[AUTHORIZERS_MAX];
    size_t n;

    if (read_config(a, content, rows, &n, &st) < 0 || check_required(c, rows, n, &st) < 0 ||
        make_modes(rows, n, &c->opt, c, modes, &st) < 0) {
        count_reload(false);
        log_error("The changed authorization configuration is not used", LOG_STR("file", c->path),
                  LOG_STR("err", st.message));
        return;
    }
    authorizer_replace(c->authorizer, modes, n);
    count_reload(true);
    log_info("Authorization configuration reloaded", LOG_STR("file", c->path), LOG_U64("authorizers", n));
}

int authz_config_start(const char *path, const struct authz_options *opt, struct timers *timers,
                       struct authorizer **ret_authorizer, struct authz_config **ret, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct row *rows = ARENA_ARRAY(a, struct row, AUTHORIZERS_MAX);
    struct authz_mode *modes[AUTHORIZERS_MAX];
    struct buffer content = BUFFER_IN(a);
    struct authz_config *c;
    size_t n;

    if (file_read(path, &content, st) < 0 || read_config(a, buffer_text(&content), rows, &n, st) < 0 ||
        make_modes(rows, n, opt, NULL, modes, st) < 0)
        return status_wrap(st, "failed to load " FORM " from file %s", path);
    metrics_register(&reloads_total);
    metrics_register(&reload_timestamp);
    c = xcalloc(1, sizeof(*c));
    c->opt = *opt;
    c->path = xstrdup(path);
    for (size_t i = 0; i < n; i++)
        if (!rows[i].is_webhook)
            c->builtin[c->n_builtin++] = modes[i];
    c->authorizer = *ret_authorizer = authorizer_new(modes, n);
    c->file = watched_file_start(timers, c->path, buffer_text(&content), LOOK_EVERY_MS, on_change, c);
    *ret = c;
    return 0;
}

void authz_config_stop(struct authz_config *c)
{
    if (!c)
        return;
    watched_file_stop(c->file);
    free(c->path);
    free(c);
}
