/* SPDX-License-Identifier: Apache-2.0 */
/* Knowing a service account by its token: the signature, the audience, the times, and that what the token is bound to still
 * exists and is the same, not another of the same name.
 * Source: kubernetes pkg/serviceaccount/{jwt,claims,legacy}.go. */
#include <openssl/crypto.h>

#include "authn/metrics.h"
#include "authn/service_accounts.h"
#include "authn/users.h"

#define LEGACY_ISSUER "kubernetes/serviceaccount"
#define LAST_USED_LABEL "kubernetes.io/legacy-token-last-used"
#define INVALID_SINCE_LABEL "kubernetes.io/legacy-token-invalid-since"
#define DELETION_LEEWAY_S 60 /* what is being deleted counts as there for as long as a time may be off */

struct service_account_method {
    struct token_method method;
    struct service_accounts *sa;
    bool is_legacy;
};

static enum authn_decision refuse(struct token_question *q, const char *why)
{
    q->error = why;
    return AUTHN_REFUSED;
}

/* --- what both kinds of tokens have in common --- */

static bool has_issuer(const struct service_account_method *m, struct text issuer)
{
    return m->is_legacy ? text_is(issuer, LEGACY_ISSUER) : text_list_has(&m->sa->issuers, issuer);
}

static bool is_signed(const struct service_accounts *sa, const struct jwt *t)
{
    for (size_t i = 0; i < sa->keys.n; i++)
        if ((!t->kid.n || text_eq(t->kid, sa->keys.p[i].kid)) && jwt_verify(t, sa->keys.p[i].key))
            return true;
    return false;
}

/* A legacy token has no audience: it is for the API server. */
static bool fits_audience(const struct service_accounts *sa, const struct jwt *t, struct token_question *q)
{
    struct text_list of_token = jwt_audiences(q->arena, &t->claims);
    const struct text_list *wanted = q->audiences ? q->audiences : &sa->audiences;

    if (!of_token.n) {
        authn_count_service_account(LEGACY_TOKEN);
        of_token = sa->audiences;
    }
    q->ret_audiences = text_list_common(q->arena, &of_token, wanted);
    return q->ret_audiences.n || !sa->audiences.n;
}

/* --- objects that a token is bound to --- */

enum bound { BOUND, IS_GONE, IS_ANOTHER, IS_DELETED };

static struct object *find(const struct service_accounts *sa, const char *resource, struct text namespace, struct text name)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct resource *res = registry_find(sa->registry, TEXT(""), TEXT("v1"), text_of(resource));
    struct object *o = NULL;

    if (!res || !name.n || registry_get(res, namespace, name, &o, &st) < 0)
        return NULL;
    return o;
}

static bool was_deleted_long_ago(struct arena *a, const struct object *o)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value tree;
    int64_t at_ns;

    if (!o->is_deleting)
        return false;
    return object_tree(a, o, &tree, &st) < 0 ||
           !clock_parse_rfc3339(value_text(value_at(&tree, "metadata", "deletionTimestamp", NULL)), &at_ns) ||
           at_ns < clock_now_ns() - DELETION_LEEWAY_S * 1000000000LL;
}

static enum bound check_bound(const struct service_accounts *sa, struct arena *a, const char *resource, struct text namespace,
                              const struct value *ref)
{
    CLEANUP(object_unrefp) struct object *o = find(sa, resource, namespace, value_get_text(ref, TEXT("name")));

    if (!o)
        return IS_GONE;
    if (!text_eq(o->uid, value_get_text(ref, TEXT("uid"))))
        return IS_ANOTHER;
    return was_deleted_long_ago(a, o) ? IS_DELETED : BOUND;
}

/* --- bound tokens --- */

static void add_pair(struct arena *a, struct user_info *u, const char *what, const struct value *ref)
{
    struct text uid = value_get_text(ref, TEXT("uid"));

    user_add_extra(a, u, arena_textf(a, "authentication.kubernetes.io/%s-name", what), value_get_text(ref, TEXT("name")));
    if (uid.n)
        user_add_extra(a, u, arena_textf(a, "authentication.kubernetes.io/%s-uid", what), uid);
}

static enum authn_decision check_bound_token(struct service_accounts *sa, const struct jwt *t, struct token_question *q)
{
    const struct value *claims = value_get(&t->claims, TEXT("kubernetes.io"));
    const struct value *account = value_get(claims, TEXT("serviceaccount")), *pod = value_get(claims, TEXT("pod"));
    const struct value *secret = value_get(claims, TEXT("secret")), *node = value_get(claims, TEXT("node"));
    struct text namespace = value_get_text(claims, TEXT("namespace")), jti = value_get_text(&t->claims, TEXT("jti"));
    const char *problem = jwt_time_problem(&t->claims, clock_now_ns() / 1000000000);
    int64_t warn_after_s = value_get_int(claims, TEXT("warnafter"), 0);

    if (problem)
        return refuse(q, problem);
    switch (check_bound(sa, q->arena, "serviceaccounts", namespace, account)) {
    case IS_GONE:
        return refuse(q, "the service account of the token does not exist");
    case IS_ANOTHER:
        return refuse(q, "the service account's UID does not match the token's claim");
    case IS_DELETED:
        return refuse(q, "the service account has been deleted");
    case BOUND:
        break;
    }
    if ((secret && check_bound(sa, q->arena, "secrets", namespace, secret) != BOUND) ||
        (pod && check_bound(sa, q->arena, "pods", namespace, pod) != BOUND) ||
        (node && !pod && check_bound(sa, q->arena, "nodes", TEXT_NONE, node) != BOUND))
        return refuse(q, "service account token has been invalidated");

    if (warn_after_s)
        authn_count_service_account(clock_now_ns() / 1000000000 > warn_after_s ? STALE_TOKEN : VALID_TOKEN);
    user_service_account(q->arena, namespace, value_get_text(account, TEXT("name")), value_get_text(account, TEXT("uid")),
                         &q->user);
    if (pod)
        add_pair(q->arena, &q->user, "pod", pod);
    if (jti.n)
        user_add_extra(q->arena, &q->user, TEXT(EXTRA_CREDENTIAL_ID), arena_textf(q->arena, "JTI=%.*s", TEXT_ARG(jti)));
    if (node)
        add_pair(q->arena, &q->user, "node", node);
    return AUTHN_KNOWN;
}

/* --- tokens of secrets --- */

struct marking {
    struct operation op;
    struct text uid;
};

static struct text today(struct arena *a)
{
    char *dst = arena_alloc(a, CLOCK_TEXT_MAX);

    return text_first(clock_rfc3339(clock_now_ns(), dst), sizeof("2026-01-02") - 1);
}

static int mark_used(struct operation *op, const struct object *current, const struct value *tree, struct value *ret_new,
                     struct status *st)
{
    struct marking *m = CONTAINER_OF(op, struct marking, op);

    if (!tree || !text_eq(current->uid, m->uid))
        return status_set(st, STATUS_CONFLICT, "the secret is another one now");
    *ret_new = value_copy(op->arena, tree);
    struct value *labels = value_object_at(op->arena, value_object_at(op->arena, ret_new, TEXT("metadata")), TEXT("labels"));
    value_set(op->arena, labels, TEXT(LAST_USED_LABEL), value_string(today(op->arena)));
    schema_arrange(op->arena, op->resource->storage->kind->schema, ret_new);
    return 0;
}

static void marked(struct operation *op)
{
    struct marking *m = CONTAINER_OF(op, struct marking, op);
    struct arena *a = op->arena;

    if (op->st.reason != STATUS_OK)
        log_warning("A legacy service account token's secret could not be labelled with the day of its use",
                    LOG_STR("error", op->st.message));
    operation_clear(&m->op);
    arena_free(a);
}

/* The day on which a token of a secret was used last, so that unused ones can be cleaned up. Nobody waits for it. */
static void note_use(struct service_accounts *sa, const struct object *secret, const struct value *tree)
{
    struct arena *a = arena_new();
    struct text last = value_text(value_at(tree, "metadata", "labels", LAST_USED_LABEL, NULL));

    if (text_cmp(last, today(a)) >= 0) {
        arena_free(a);
        return;
    }
    struct marking *m = ARENA_NEW(a, struct marking);
    m->uid = arena_text(a, secret->uid);
    m->op = (struct operation){.kind = OPERATION_UPDATE,
                               .registry = sa->registry,
                               .resource = registry_find(sa->registry, TEXT(""), TEXT("v1"), TEXT("secrets")),
                               .arena = a,
                               .namespace = arena_text(a, secret->namespace),
                               .name = arena_text(a, secret->name),
                               .transform = mark_used,
                               .done = marked};
    registry_submit(&m->op);
}

static bool lists_secret(struct arena *a, const struct object *account, struct text secret)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value tree;

    if (object_tree(a, account, &tree, &st) < 0)
        return false;
    const struct value *secrets = value_get(&tree, TEXT("secrets"));
    for (size_t i = 0; secrets && secrets->kind == VALUE_LIST && i < secrets->n; i++)
        if (text_eq(value_get_text(&secrets->items[i], TEXT("name")), secret))
            return true;
    return false;
}

static bool is_token_of(struct arena *a, const struct value *secret, struct text token)
{
    struct text stored;

    return base64_decode(a, BASE64_STANDARD, value_text(value_at(secret, "data", "token", NULL)), &stored) &&
           stored.n == token.n && CRYPTO_memcmp(stored.p, token.p, token.n) == 0;
}

struct legacy_claims {
    struct text namespace, secret, account, uid;
};

static enum authn_decision look_up_legacy(struct service_accounts *sa, const struct legacy_claims *c, struct token_question *q)
{
    CLEANUP(status_clear) struct status st = {0};
    CLEANUP(object_unrefp) struct object *secret = find(sa, "secrets", c->namespace, c->secret);
    CLEANUP(object_unrefp) struct object *account = find(sa, "serviceaccounts", c->namespace, c->account);
    struct value tree;

    if (!secret || secret->is_deleting || object_tree(q->arena, secret, &tree, &st) < 0)
        return refuse(q, "Token has been invalidated");
    if (!is_token_of(q->arena, &tree, q->token))
        return refuse(q, "Token does not match server's copy");
    if (!account || account->is_deleting)
        return refuse(q, "the service account of the token does not exist");
    if (!text_eq(account->uid, c->uid))
        return refuse(q, "the service account's UID does not match the token's claim");
    note_use(sa, secret, &tree);
    if (value_text(value_at(&tree, "metadata", "labels", INVALID_SINCE_LABEL, NULL)).n) {
        authn_count_service_account(INVALID_LEGACY_AUTO_TOKEN);
        return refuse(q, "the token's secret has been marked invalid. Use tokens from the TokenRequest API or manually created "
                         "secret-based tokens, or remove the '" INVALID_SINCE_LABEL
                         "' label from the secret to temporarily allow use of this token");
    }
    bool is_auto = lists_secret(q->arena, account, c->secret);
    authn_count_service_account(is_auto ? LEGACY_AUTO_TOKEN : LEGACY_MANUAL_TOKEN);
    if (is_auto)
        q->warning = "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated "
                     "secret-based tokens.";
    return AUTHN_KNOWN;
}

static enum authn_decision check_legacy_token(struct service_accounts *sa, const struct jwt *t, struct token_question *q)
{
    const struct legacy_claims c = {
        .namespace = value_get_text(&t->claims, TEXT("kubernetes.io/serviceaccount/namespace")),
        .secret = value_get_text(&t->claims, TEXT("kubernetes.io/serviceaccount/secret.name")),
        .account = value_get_text(&t->claims, TEXT("kubernetes.io/serviceaccount/service-account.name")),
        .uid = value_get_text(&t->claims, TEXT("kubernetes.io/serviceaccount/service-account.uid")),
    };

    if (!c.namespace.n || !c.secret.n || !c.account.n || !c.uid.n)
        return refuse(q, "a claim is missing");
    user_service_account(q->arena, c.namespace, c.account, c.uid, &q->user);
    if (!text_eq(value_get_text(&t->claims, TEXT("sub")), q->user.name))
        return refuse(q, "sub claim is invalid");
    return sa->lookup ? look_up_legacy(sa, &c, q) : AUTHN_KNOWN;
}

/* --- the method --- */

static enum authn_decision service_account_authenticate(struct token_method *method, struct token_question *q)
{
    struct service_account_method *m = CONTAINER_OF(method, struct service_account_method, method);
    CLEANUP(status_clear) struct status st = {0};
    struct jwt t;

    if (jwt_parse(q->arena, q->token, &t, &st) < 0 || !has_issuer(m, value_get_text(&t.claims, TEXT("iss"))))
        return AUTHN_NO_OPINION;
    if (!is_signed(m->sa, &t))
        return refuse(q, "invalid signature, no key fits");
    if (!fits_audience(m->sa, &t, q))
        return refuse(q, "the token's audiences are invalid for the target audiences");
    return m->is_legacy ? check_legacy_token(m->sa, &t, q) : check_bound_token(m->sa, &t, q);
}

static void service_account_free(struct token_method *method)
{
    free(CONTAINER_OF(method, struct service_account_method, method));
}

static struct token_method *method_new(struct service_accounts *sa, bool is_legacy)
{
    struct service_account_method *m = xcalloc(1, sizeof(*m));

    m->method = (struct token_method){.name = is_legacy ? "legacy-serviceaccount" : "serviceaccount",
                                      .authenticate = service_account_authenticate,
                                      .free = service_account_free};
    m->sa = sa;
    m->is_legacy = is_legacy;
    return &m->method;
}

struct token_method *authn_legacy_service_account_new(struct service_accounts *sa)
{
    return method_new(sa, true);
}

struct token_method *authn_service_account_new(struct service_accounts *sa)
{
    return method_new(sa, false);
}
