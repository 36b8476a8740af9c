/* SPDX-License-Identifier: Apache-2.0 */
/* The keys, and the tokens that are made with them.
 * Source: kubernetes pkg/serviceaccount/{jwt,claims,openidmetadata}.go, pkg/registry/core/serviceaccount/storage/token.go. */
#include "authn/service_accounts.h"

#include "authn/users.h"

/* The kubelet asks for an hour and seven seconds where it would once have got a token without an end. Clients that have not
 * learned to read their token anew go on working for a year, and are counted meanwhile. */
#define TRANSITION_EXPIRATION_S (3600 + 7)
#define EXTENDED_EXPIRATION_S (365 * 24 * 3600)

static int read_keys(struct service_accounts *sa, const struct service_account_options *opt, struct status *st)
{
    for (const char *const *file = opt->key_files; file && *file; file++) {
        CLEANUP(buffer_deinit) struct buffer pem = BUFFER_INIT;
        if (file_read(*file, &pem, st) < 0 || jwt_keys_add_pem(&sa->keys, buffer_text(&pem), *file, st) < 0)
            return -1;
    }
    if (!opt->signing_key_file)
        return 0;
    CLEANUP(buffer_deinit) struct buffer pem = BUFFER_INIT;
    if (file_read(opt->signing_key_file, &pem, st) < 0)
        return -1;
    sa->signing_key = jwt_private_key(buffer_text(&pem));
    if (!sa->signing_key || !jwt_method_of(sa->signing_key)) {
        OPENSSL_cleanse(pem.p, pem.n);
        return status_set(st, STATUS_BAD_REQUEST, "%s holds no RSA or ECDSA private key", opt->signing_key_file);
    }
    sa->signing_kid = jwt_key_id(sa->arena, sa->signing_key);
    int rc = sa->keys.n ? 0 : jwt_keys_add_pem(&sa->keys, buffer_text(&pem), opt->signing_key_file, st);
    OPENSSL_cleanse(pem.p, pem.n);
    return rc;
}

int service_accounts_new(const struct service_account_options *opt, struct service_accounts **ret, struct status *st)
{
    struct service_accounts *sa = xcalloc(1, sizeof(*sa));

    *sa = (struct service_accounts){.arena = arena_new(),
                                    .registry = opt->registry,
                                    .lookup = opt->lookup,
                                    .extend_expiration = opt->extend_expiration,
                                    .max_expiration_s = opt->max_expiration_s};
    for (const char *const *issuer = opt->issuers; issuer && *issuer; issuer++)
        text_list_add(sa->arena, &sa->issuers, arena_text(sa->arena, text_of(*issuer)));
    for (size_t i = 0; i < opt->api_audiences->n; i++)
        text_list_add(sa->arena, &sa->audiences, arena_text(sa->arena, opt->api_audiences->p[i]));
    if (read_keys(sa, opt, st) < 0) {
        service_accounts_free(sa);
        return -1;
    }
    *ret = sa;
    return 0;
}

void service_accounts_free(struct service_accounts *sa)
{
    if (!sa)
        return;
    jwt_keys_deinit(&sa->keys);
    EVP_PKEY_free(sa->signing_key);
    arena_free(sa->arena);
    free(sa);
}

bool service_accounts_can_issue(const struct service_accounts *sa)
{
    return sa && sa->signing_key && sa->issuers.n;
}

const struct text_list *service_accounts_audiences(const struct service_accounts *sa)
{
    return &sa->audiences;
}

int64_t service_accounts_max_expiration_s(const struct service_accounts *sa)
{
    return sa->max_expiration_s;
}

/* --- making a token --- */

static void add_reference(struct arena *a, struct value *to, const char *key, struct text name, struct text uid)
{
    struct value ref = value_object();

    value_add(a, &ref, TEXT("name"), value_string(name));
    if (uid.n)
        value_add(a, &ref, TEXT("uid"), value_string(uid));
    value_add(a, to, text_of(key), ref);
}

static void add_object(struct arena *a, struct value *to, const char *key, const struct value *object)
{
    const struct value *metadata = value_get(object, TEXT("metadata"));

    if (object)
        add_reference(a, to, key, value_get_text(metadata, TEXT("name")), value_get_text(metadata, TEXT("uid")));
}

static bool is_for_api_server(const struct service_accounts *sa, const struct text_list *audiences)
{
    for (size_t i = 0; i < audiences->n; i++)
        if (!text_list_has(&sa->audiences, audiences->p[i]))
            return false;
    return true;
}

static struct value private_claims(struct arena *a, const struct token_order *order, int64_t warn_after_s)
{
    struct value claims = value_object();
    struct text namespace = value_get_text(value_get(order->account, TEXT("metadata")), TEXT("namespace"));

    value_add(a, &claims, TEXT("namespace"), value_string(namespace));
    add_object(a, &claims, "node", order->node);
    if (!order->node && order->node_name.n)
        add_reference(a, &claims, "node", order->node_name, TEXT_NONE);
    add_object(a, &claims, "pod", order->pod);
    add_object(a, &claims, "secret", order->secret);
    add_object(a, &claims, "serviceaccount", order->account);
    if (warn_after_s)
        value_add(a, &claims, TEXT("warnafter"), value_int(warn_after_s));
    return claims;
}

int service_accounts_issue(struct service_accounts *sa, struct arena *a, const struct token_order *order,
                           struct text *ret_token, struct status *st)
{
    const struct value *metadata = value_get(order->account, TEXT("metadata"));
    int64_t now_s = clock_now_ns() / 1000000000, expires_s = order->expiration_s, warn_after_s = 0;
    struct value claims = value_object(), audiences = value_list();
    struct buffer json = BUFFER_IN(a);
    struct user_info user;

    if (!service_accounts_can_issue(sa))
        return status_internal_error(st, "failed to generate token: there is no signing key");
    if (sa->extend_expiration && order->pod && expires_s == TRANSITION_EXPIRATION_S &&
        is_for_api_server(sa, &order->audiences)) {
        warn_after_s = now_s + expires_s;
        expires_s = EXTENDED_EXPIRATION_S;
    }
    user_service_account(a, value_get_text(metadata, TEXT("namespace")), value_get_text(metadata, TEXT("name")), TEXT_NONE,
                         &user);
    for (size_t i = 0; i < order->audiences.n; i++)
        value_append(a, &audiences, value_string(order->audiences.p[i]));
    value_add(a, &claims, TEXT("aud"), audiences);
    value_add(a, &claims, TEXT("exp"), value_int(now_s + expires_s));
    value_add(a, &claims, TEXT("iat"), value_int(now_s));
    value_add(a, &claims, TEXT("iss"), value_string(sa->issuers.p[0]));
    value_add(a, &claims, TEXT("jti"), value_string(random_uuid(a)));
    value_add(a, &claims, TEXT("kubernetes.io"), private_claims(a, order, warn_after_s));
    value_add(a, &claims, TEXT("nbf"), value_int(now_s));
    value_add(a, &claims, TEXT("sub"), value_string(user.name));
    json_write(&json, &claims);
    return jwt_sign(a, sa->signing_key, sa->signing_kid, buffer_text(&json), ret_token, st);
}

/* --- discovery --- */

static bool is_issuer_url(struct text issuer)
{
    return text_starts(issuer, TEXT("https://")) && issuer.n > 8 && text_find(issuer, '?') < 0 &&
           text_find(issuer, '#') < 0;
}

bool service_accounts_discovery(const struct service_accounts *sa, struct arena *a, const char *jwks_uri,
                                struct text *ret_configuration, struct text *ret_keys)
{
    struct buffer configuration = BUFFER_IN(a), keys = BUFFER_IN(a);

    if (!sa->keys.n || !sa->issuers.n || !is_issuer_url(sa->issuers.p[0]))
        return false;
    buffer_add_str(&configuration, "{\"issuer\":");
    json_write_string(&configuration, sa->issuers.p[0]);
    buffer_add_str(&configuration, ",\"jwks_uri\":");
    json_write_string(&configuration, text_of(jwks_uri));
    buffer_add_str(&configuration, ",\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":[\"public\"],"
                                   "\"id_token_signing_alg_values_supported\":[");
    size_t n = 0;
    for (size_t i = 0; i < sa->keys.n; i++) {
        bool is_repeated = false;
        for (size_t j = 0; j < i; j++)
            is_repeated |= jwt_method_of(sa->keys.p[i].key) == jwt_method_of(sa->keys.p[j].key);
        if (!is_repeated)
            buffer_addf(&configuration, "%s\"%s\"", n++ ? "," : "", jwt_method_of(sa->keys.p[i].key));
    }
    buffer_add_str(&configuration, "]}");
    jwt_keys_write_set(&keys, &sa->keys);
    *ret_configuration = buffer_text(&configuration);
    *ret_keys = buffer_text(&keys);
    return true;
}
