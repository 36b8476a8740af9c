/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that another service knows: it is sent a TokenReview and says whose the token is. Its answers are
 * remembered, good ones and bad ones; what is no answer is not, and never lets anybody in. Source:
 * kubernetes/apiserver plugin/pkg/authenticator/token/webhook/webhook.go. */
#include "authn/metrics.h"
#include "authn/token_cache.h"
#include "authn/users.h"
#include "http/remote.h"

#define TIMEOUT_MS 30000

struct webhook_method {
    struct token_method method;
    struct arena *arena; /* the next two */
    const char *api_version;
    struct text_list api_audiences;
    struct remote *remote;
    struct token_cache *cache;
};

static enum authn_decision refuse(struct token_question *q, const char *why)
{
    q->error = arena_strdup(q->arena, why);
    return AUTHN_REFUSED;
}

/* --- the question --- */

static const struct text_list *wanted_audiences(const struct webhook_method *m,
                                                const struct token_question *q)
{
    return q->audiences ? q->audiences : &m->api_audiences;
}

static struct text review_of(const struct webhook_method *m, const struct token_question *q)
{
    const struct text_list *audiences = wanted_audiences(m, q);
    struct buffer b = BUFFER_IN(q->arena);

    buffer_addf(&b, "{\"kind\":\"TokenReview\",\"apiVersion\":\"%s\",\"metadata\":{},\"spec\":{\"token\":",
                m->api_version);
    json_write_string(&b, q->token);
    for (size_t i = 0; i < audiences->n; i++) {
        buffer_add_str(&b, i ? "," : ",\"audiences\":[");
        json_write_string(&b, audiences->p[i]);
    }
    buffer_add_str(&b, audiences->n ? "]},\"status\":{\"user\":{}}}" : "},\"status\":{\"user\":{}}}");
    return buffer_text(&b);
}

/* --- the answer --- */

static bool is_of_kind(const struct value *v, enum value_kind kind)
{
    return !v || v->kind == VALUE_NULL || v->kind == kind;
}

/* Adds the texts of a list that may be absent; false: there is something else. */
static bool read_texts(struct arena *a, const struct value *v, struct text_list *ret)
{
    if (!is_of_kind(v, VALUE_LIST))
        return false;
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->n; i++) {
        if (v->items[i].kind != VALUE_STRING)
            return false;
        text_list_add(a, ret, value_text(&v->items[i]));
    }
    return true;
}

static bool read_extra(struct arena *a, const struct value *extra, struct user_info *ret)
{
    if (!is_of_kind(extra, VALUE_OBJECT))
        return false;
    if (!extra || extra->kind != VALUE_OBJECT)
        return true;
    ret->extra = ARENA_ARRAY(a, struct user_extra, extra->n + 1);
    for (; ret->n_extra < extra->n; ret->n_extra++) {
        const struct value_member *e = &extra->members[ret->n_extra];
        struct text_list values = {0};
        if (!read_texts(a, &e->value, &values))
            return false;
        ret->extra[ret->n_extra] = (struct user_extra){member_key(e), values.p, values.n};
    }
    return true;
}

static bool read_user(struct arena *a, const struct value *user, struct user_info *ret)
{
    struct text_list groups = {0};

    *ret = (struct user_info){.name = value_get_text(user, TEXT("username")),
                              .uid = value_get_text(user, TEXT("uid"))};
    if (!is_of_kind(user, VALUE_OBJECT) || !is_of_kind(value_get(user, TEXT("username")), VALUE_STRING) ||
        !is_of_kind(value_get(user, TEXT("uid")), VALUE_STRING) ||
        !read_texts(a, value_get(user, TEXT("groups")), &groups))
        return false;
    ret->groups = groups.p;
    ret->n_groups = groups.n;
    return read_extra(a, value_get(user, TEXT("extra")), ret);
}

static bool is_review(const struct webhook_method *m, const struct value *root)
{
    const struct value *kind = value_get(root, TEXT("kind")), *version = value_get(root, TEXT("apiVersion"));

    return root->kind == VALUE_OBJECT && (!kind || text_is(value_text(kind), "TokenReview")) &&
           (!version || text_is(value_text(version), m->api_version)) &&
           is_of_kind(value_get(root, TEXT("status")), VALUE_OBJECT);
}

static enum authn_decision judge(const struct webhook_method *m, struct text answer, struct token_question *q)
{
    static const struct json_options opt = {.depth_max = 64, .copy_strings = true};
    CLEANUP(status_clear) struct status st = {0};
    struct text_list named = {0};
    struct value root;

    if (json_read(q->arena, answer, &opt, &root, &st) < 0 || !is_review(m, &root))
        return refuse(q, "the webhook's answer is no TokenReview of the version asked for");
    const struct value *status = value_get(&root, TEXT("status")),
                       *good = value_get(status, TEXT("authenticated"));
    if (!is_of_kind(good, VALUE_BOOL) ||
        !read_texts(q->arena, value_get(status, TEXT("audiences")), &named) ||
        !read_user(q->arena, value_get(status, TEXT("user")), &q->user))
        return refuse(q, "the webhook's answer has something that is not of its type");
    const struct text_list *wanted = wanted_audiences(m, q);
    /* An answer that names no audience is for the API server. */
    q->ret_audiences = text_list_common(q->arena, wanted, named.n ? &named : &m->api_audiences);
    if (wanted->n && !q->ret_audiences.n)
        return AUTHN_NO_OPINION;
    if (!good || good->kind != VALUE_BOOL || !good->boolean) {
        struct text error = value_get_text(status, TEXT("error"));
        return error.n ? refuse(q, arena_str(q->arena, error)) : AUTHN_NO_OPINION;
    }
    return q->user.name.n ? AUTHN_KNOWN : refuse(q, "the webhook's answer names no user");
}

/* --- the method --- */

static enum authn_decision ask(struct webhook_method *m, struct token_question *q)
{
    CLEANUP(status_clear) struct status st = {0};
    struct buffer answer = BUFFER_IN(q->arena);

    if (remote_post(m->remote, review_of(m, q), &answer, &st) == REMOTE_SUCCESS)
        return judge(m, buffer_text(&answer), q);
    log_error("Failed to make webhook authenticator request", LOG_STR("err", st.message));
    return refuse(q, st.message ? st.message : "the webhook has not answered in time");
}

static enum authn_decision webhook_authenticate(struct token_method *method, struct token_question *q)
{
    struct webhook_method *m = CONTAINER_OF(method, struct webhook_method, method);
    struct text key = token_cache_key(m->cache, q);
    int64_t start_ns = clock_mono_ns();
    enum authn_decision d;

    if (!key.n)
        return AUTHN_REFUSED;
    if (token_cache_find(m->cache, key, q, &d))
        return d;
    if (!q->may_block)
        return AUTHN_WOULD_BLOCK;
    authn_fetch_begins();
    d = ask(m, q);
    authn_fetch_ends(d == AUTHN_REFUSED ? FETCH_ERROR : FETCH_OK);
    authn_count_cache(false, clock_mono_ns() - start_ns);
    if (d != AUTHN_REFUSED)
        token_cache_keep(m->cache, key, q, d);
    return d;
}

static void webhook_free(struct token_method *method)
{
    struct webhook_method *m = CONTAINER_OF(method, struct webhook_method, method);

    remote_close(m->remote);
    token_cache_free(m->cache);
    arena_free(m->arena);
    free(m);
}

int authn_webhook_new(const struct authn_webhook_options *opt, struct token_method **ret, struct status *st)
{
    const struct remote_options remote = {.kubeconfig = opt->kubeconfig, .timeout_ms = TIMEOUT_MS};
    const char *version = opt->version ? opt->version : "";

    if (strcmp(version, "v1") != 0 && strcmp(version, "v1beta1") != 0)
        return status_set(
            st, STATUS_BAD_REQUEST,
            "unsupported authentication webhook version \"%s\", supported versions are \"v1\", \"v1beta1\"",
            version);
    struct webhook_method *m = xcalloc(1, sizeof(*m));
    m->method =
        (struct token_method){.name = "webhook", .authenticate = webhook_authenticate, .free = webhook_free};
    m->arena = arena_new();
    m->api_version = arena_printf(m->arena, "authentication.k8s.io/%s", version);
    for (size_t i = 0; i < opt->api_audiences->n; i++)
        text_list_add(m->arena, &m->api_audiences, arena_text(m->arena, opt->api_audiences->p[i]));
    m->cache = token_cache_new(opt->cache_ms, opt->cache_ms);
    if (remote_open(&remote, &m->remote, st) < 0) {
        webhook_free(&m->method);
        return -1;
    }
    *ret = &m->method;
    return 0;
}
