/* SPDX-License-Identifier: Apache-2.0 */
/* Which methods there are, in upstream's order: the front proxy's word, client certificates, then tokens: the file's, those of
 * service accounts, bootstrap tokens. Source: kubernetes pkg/kubeapiserver/authenticator/config.go and
 * pkg/kubeapiserver/options/authentication.go, the checks of flags included. */
#include "server/identity.h"

#define HOUR_S 3600
#define TOKEN_LIFE_MAX_S (1LL << 32)

struct building {
    const struct settings *set;
    struct arena *arena;
    struct authn_method *methods[4];
    struct token_method *tokens[8];
    size_t n_methods, n_tokens;
    struct text_list audiences;
    struct service_accounts *service_accounts;
};

static void take_down(struct building *b)
{
    while (b->n_methods)
        b->n_methods--, b->methods[b->n_methods]->free(b->methods[b->n_methods]);
    while (b->n_tokens)
        b->n_tokens--, b->tokens[b->n_tokens]->free(b->tokens[b->n_tokens]);
    service_accounts_free(MOVE(b->service_accounts));
}

static bool allows_always(const struct settings *set)
{
    for (size_t i = 0; i < set->authorization_mode.n; i++)
        if (text_is(set->authorization_mode.p[i], "AlwaysAllow"))
            return true;
    return false;
}

static const char *const *strings_of(struct arena *a, const struct text_list *list)
{
    const char **strings = ARENA_ARRAY(a, const char *, list->n + 1);

    for (size_t i = 0; i < list->n; i++)
        strings[i] = arena_str(a, list->p[i]);
    return strings;
}

static int check_settings(const struct settings *set, struct status *st)
{
    int64_t life_s = set->service_account_max_token_expiration / 1000000000;

    for (size_t i = 0; i < set->service_account_issuer.n; i++) {
        struct text issuer = set->service_account_issuer.p[i];
        if (text_find(issuer, ':') >= 0 && !text_starts(issuer, TEXT("https://")) && text_find_text(issuer, TEXT("://")) < 0)
            return status_set(st, STATUS_BAD_REQUEST,
                              "--service-account-issuer \"%.*s\" contained a ':' but was not a valid URL", TEXT_ARG(issuer));
    }
    if (life_s && (life_s < HOUR_S || life_s > TOKEN_LIFE_MAX_S))
        return status_set(st, STATUS_BAD_REQUEST,
                          "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds");
    return 0;
}

static int add_proxies(struct building *b, struct timers *timers, struct status *st)
{
    const struct settings *set = b->set;
    const struct request_header_names names = {.allowed = set->requestheader_allowed_names,
                                               .user = set->requestheader_username_headers,
                                               .uid = set->requestheader_uid_headers,
                                               .groups = set->requestheader_group_headers,
                                               .extra_prefixes = set->requestheader_extra_headers_prefix};

    if (!set->requestheader_client_ca_file)
        return 0;
    if (authn_request_header_new(set->requestheader_client_ca_file, timers, &names, &b->methods[b->n_methods], st) < 0)
        return status_wrap(st, "--requestheader-client-ca-file");
    b->n_methods++;
    return 0;
}

static int add_certificates(struct building *b, const char *ca_file, struct timers *timers, struct status *st)
{
    if (!ca_file)
        return 0;
    if (authn_x509_new(ca_file, timers, &b->methods[b->n_methods], st) < 0)
        return status_wrap(st, "--client-ca-file");
    b->n_methods++;
    return 0;
}

static int add_token_file(struct building *b, struct status *st)
{
    if (!b->set->token_auth_file)
        return 0;
    if (authn_token_file_new(b->set->token_auth_file, &b->tokens[b->n_tokens], st) < 0)
        return status_wrap(st, "--token-auth-file");
    b->n_tokens++;
    return 0;
}

static int add_service_accounts(struct building *b, const struct pki_paths *pki, const struct registry *registry,
                                struct status *st)
{
    const struct settings *set = b->set;
    const struct service_account_options opt = {
        .registry = registry,
        .issuers = strings_of(b->arena, &set->service_account_issuer),
        .key_files = strings_of(b->arena, &set->service_account_key_file),
        .signing_key_file = set->service_account_signing_key_file ? set->service_account_signing_key_file
                            : pki                                 ? pki->service_account_key
                                                                  : NULL,
        .api_audiences = &b->audiences,
        .lookup = set->service_account_lookup,
        .extend_expiration = set->service_account_extend_token_expiration,
        .max_expiration_s = set->service_account_max_token_expiration / 1000000000,
    };

    if (!opt.signing_key_file && !set->service_account_key_file.n)
        return 0;
    if (service_accounts_new(&opt, &b->service_accounts, st) < 0)
        return status_wrap(st, "--service-account-key-file, --service-account-signing-key-file");
    b->tokens[b->n_tokens++] = authn_legacy_service_account_new(b->service_accounts);
    b->tokens[b->n_tokens++] = authn_service_account_new(b->service_accounts);
    return 0;
}

int identity_start(const struct settings *set, const struct pki_paths *pki, struct arena *a,
                   const struct registry *registry, struct timers *timers, struct authenticator **ret, struct status *st)
{
    /* Where everybody may do everything, those without a name may only ask how the server is. */
    static const char *const public_paths[] = {"/healthz", "/livez", "/readyz", "/version", "/version/", NULL};
    struct building b = {.set = set, .arena = a, .audiences = set->api_audiences};
    const char *ca_file = set->client_ca_file ? set->client_ca_file : pki ? pki->ca_cert : NULL;

    if (!b.audiences.n && set->service_account_issuer.n)
        text_list_add(a, &b.audiences, set->service_account_issuer.p[0]);
    if (check_settings(set, st) < 0 || add_proxies(&b, timers, st) < 0 || add_certificates(&b, ca_file, timers, st) < 0 ||
        add_token_file(&b, st) < 0 || add_service_accounts(&b, pki, registry, st) < 0) {
        take_down(&b);
        return -1;
    }
    if (set->enable_bootstrap_token_auth)
        b.tokens[b.n_tokens++] = authn_bootstrap_token_new(registry);
    struct authn_options opt = {.methods = b.methods,
                                .service_accounts = b.service_accounts,
                                .allow_anonymous = set->anonymous_auth,
                                .anonymous_paths = allows_always(set) ? public_paths : NULL};
    if (b.n_tokens) {
        opt.tokens = tokens_new(b.tokens, b.n_tokens, &b.audiences);
        b.methods[b.n_methods++] = authn_bearer_new(opt.tokens);
    }
    opt.n_methods = b.n_methods;
    *ret = authenticator_new(&opt);
    return 0;
}
