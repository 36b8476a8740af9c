/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap tokens, ID.SECRET: a secret bootstrap-token-ID in kube-system knows the other half, until when, for what and with which
 * groups. A secret that does not fit says why in the log, at -v=3, and the token stays unknown.
 * Source: kubernetes plugin/pkg/auth/authenticator/token/bootstrap, k8s.io/cluster-bootstrap. */
#include <openssl/crypto.h>

#include "authn/users.h"

#define ID_BYTES 6
#define SECRET_BYTES 16
#define GROUP_PREFIX "system:bootstrappers:"
#define DEFAULT_GROUP "system:bootstrappers"

struct bootstrap_method {
    struct token_method method;
    const struct registry *registry;
};

static bool is_word(struct text t, size_t n)
{
    for (size_t i = 0; i < t.n; i++)
        if (!((t.p[i] >= 'a' && t.p[i] <= 'z') || (t.p[i] >= '0' && t.p[i] <= '9')))
            return false;
    return t.n == n;
}

static struct text data_of(struct arena *a, const struct value *secret, const char *key)
{
    struct text bytes;

    if (!base64_decode(a, BASE64_STANDARD, value_get_text(value_get(secret, TEXT("data")), text_of(key)), &bytes))
        return TEXT_NONE;
    return bytes;
}

/* "system:bootstrappers:" and 1 to 55 of a-z, 0-9, ':' and '-', none of the two at the end. */
static bool is_group(struct text group)
{
    struct text rest = text_from(group, sizeof(GROUP_PREFIX) - 1);

    if (!text_starts(group, TEXT(GROUP_PREFIX)) || !rest.n || rest.n > 256)
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if (!is_word(text_first(text_from(rest, i), 1), 1) && (i + 1 == rest.n || (rest.p[i] != ':' && rest.p[i] != '-')))
            return false;
    return true;
}

/* Sorted, each once, with the group of all. False: one of them is none that a token may bring. */
static bool read_groups(struct arena *a, struct text extra, struct user_info *u)
{
    struct text group;

    user_add_group(a, u, TEXT(DEFAULT_GROUP));
    if (!extra.n)
        return true;
    while (text_split(&extra, ',', &group)) {
        if (!is_group(group))
            return false;
        if (!user_in_group(u, group))
            user_add_group(a, u, arena_text(a, group));
    }
    for (size_t i = 1; i < u->n_groups; i++)
        for (size_t j = i; j > 0 && text_cmp(u->groups[j - 1], u->groups[j]) > 0; j--) {
            struct text t = u->groups[j];
            u->groups[j] = u->groups[j - 1];
            u->groups[j - 1] = t;
        }
    return true;
}

/* NULL: the secret stands for the token; q->user is set. */
static const char *problem_of(struct arena *a, const struct value *secret, struct text id, struct text half,
                              struct token_question *q)
{
    struct text expiration = data_of(a, secret, "expiration"), stored = data_of(a, secret, "token-secret");
    int64_t ends_ns;

    if (value_text(value_at(secret, "metadata", "deletionTimestamp", NULL)).n)
        return "it is deleted and awaiting removal";
    if (!text_is(value_get_text(secret, TEXT("type")), "bootstrap.kubernetes.io/token"))
        return "its type is not bootstrap.kubernetes.io/token";
    if (stored.n != half.n || CRYPTO_memcmp(stored.p, half.p, half.n) != 0)
        return "token-secret is another";
    if (!text_eq(data_of(a, secret, "token-id"), id))
        return "token-id is another";
    if (expiration.n && (!clock_parse_rfc3339(expiration, &ends_ns) || ends_ns <= clock_now_ns()))
        return "it has expired, or its expiration is no time";
    if (!text_is(data_of(a, secret, "usage-bootstrap-authentication"), "true"))
        return "usage-bootstrap-authentication is not true";
    q->user = (struct user_info){.name = arena_textf(a, "system:bootstrap:%.*s", TEXT_ARG(id))};
    return read_groups(a, data_of(a, secret, "auth-extra-groups"), &q->user) ? NULL : "auth-extra-groups is invalid";
}

static enum authn_decision bootstrap_authenticate(struct token_method *method, struct token_question *q)
{
    struct bootstrap_method *m = CONTAINER_OF(method, struct bootstrap_method, method);
    CLEANUP(status_clear) struct status st = {0};
    CLEANUP(object_unrefp) struct object *o = NULL;
    const struct resource *secrets = registry_find(m->registry, TEXT(""), TEXT("v1"), TEXT("secrets"));
    struct text rest = q->token, id;
    struct value tree;

    text_split(&rest, '.', &id);
    if (!rest.p || !is_word(id, ID_BYTES) || !is_word(rest, SECRET_BYTES))
        return AUTHN_NO_OPINION;
    struct text name = arena_textf(q->arena, "bootstrap-token-%.*s", TEXT_ARG(id));
    if (!secrets || registry_get(secrets, TEXT("kube-system"), name, &o, &st) < 0)
        return AUTHN_NO_OPINION;
    if (object_tree(q->arena, o, &tree, &st) < 0)
        return AUTHN_NO_OPINION;
    const char *problem = problem_of(q->arena, &tree, id, rest, q);
    if (!problem)
        return AUTHN_KNOWN;
    log_verbose(3, "A bootstrap token's secret does not fit", LOG_TEXT("secret", name), LOG_STR("reason", problem));
    return AUTHN_NO_OPINION;
}

static void bootstrap_free(struct token_method *method)
{
    free(CONTAINER_OF(method, struct bootstrap_method, method));
}

struct token_method *authn_bootstrap_token_new(const struct registry *registry)
{
    struct bootstrap_method *m = xcalloc(1, sizeof(*m));

    m->method = (struct token_method){.name = "bootstraptoken",
                                      .is_audience_agnostic = true,
                                      .authenticate = bootstrap_authenticate,
                                      .free = bootstrap_free};
    m->registry = registry;
    return &m->method;
}
