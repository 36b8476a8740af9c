/* SPDX-License-Identifier: Apache-2.0 */
/* Which methods there are, in upstream's order: the front proxy's word, client certificates, then tokens: the
 * file's, those of service accounts, bootstrap tokens, those of OpenID Connect issuers, those that a webhook
 * knows. Source: kubernetes pkg/kubeapiserver/authenticator/config.go and
 * pkg/kubeapiserver/options/authentication.go, the checks of flags included. */
#include "server/identity.h"

#include "base/features.h"

#define HOUR_S 3600
#define TOKEN_LIFE_MAX_S (1LL << 32)

struct building {
    const struct settings *set;
    struct arena *arena;
    struct timers *timers;
    const char *server_id;
    struct authn_method *methods[4];
    struct token_method *tokens[8];
    size_t n_methods, n_tokens;
    struct text_list audiences;
    struct service_accounts *service_accounts;
    struct authn_config config;
    struct buffer content; /* of --authentication-config */
};

static void take_down(struct building *b)
{
    while (b->n_methods)
        b->n_methods--, b->methods[b->n_methods]->free(b->methods[b->n_methods]);
    while (b->n_tokens)
        b->n_tokens--, b->tokens[b->n_tokens]->free(b->tokens[b->n_tokens]);
    service_accounts_free(MOVE(b->service_accounts));
    if (b->config.arena)
        authn_config_deinit(&b->config);
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

/* --- flags --- */

static int check_issuers(const struct text_list *issuers, struct status *st)
{
    for (size_t i = 0; i < issuers->n; i++) {
        struct text issuer = issuers->p[i];
        if (text_find(issuer, ':') >= 0 && !text_starts(issuer, TEXT("https://")) &&
            text_find_text(issuer, TEXT("://")) < 0)
            return status_set(st, STATUS_BAD_REQUEST,
                              "service-account-issuer \"%.*s\" contained a ':' but was not a valid URL",
                              TEXT_ARG(issuer));
        for (size_t j = 0; j < i; j++)
            if (text_eq(issuer, issuers->p[j]))
                return status_set(st, STATUS_BAD_REQUEST,
                                  "service-account-issuer \"%.*s\" is already specified", TEXT_ARG(issuer));
    }
    return 0;
}

static int check_service_accounts(const struct settings *set, struct status *st)
{
    int64_t life_s = set->service_account_max_token_expiration / 1000000000;
    const char *uri = set->service_account_jwks_uri;

    if (uri && !text_starts(text_of(uri), TEXT("https://")))
        return status_set(st, STATUS_BAD_REQUEST,
                          "service-account-jwks-uri requires https scheme, parsed as: %s", uri);
    if (life_s && (life_s < HOUR_S || life_s > TOKEN_LIFE_MAX_S))
        return status_set(st, STATUS_BAD_REQUEST,
                          "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds");
    return check_issuers(&set->service_account_issuer, st);
}

static bool has_header(const struct text_list *list, struct text name)
{
    for (size_t i = 0; i < list->n; i++)
        if (text_eq_nocase(list->p[i], name))
            return true;
    return false;
}

static int check_proxies(const struct settings *set, const char *client_ca_file, struct status *st)
{
    const struct {
        const char *flag, *usual;
        const struct text_list *list;
        bool is_old; /* from before it was an error */
    } rows[] = {
        {"requestheader-username-headers", "X-Remote-User header", &set->requestheader_username_headers,
         true},
        {"requestheader-group-headers", "X-Remote-Group header", &set->requestheader_group_headers, true},
        {"requestheader-extra-headers-prefix", "X-Remote-Extra- header prefix",
         &set->requestheader_extra_headers_prefix, true},
        {"requestheader-uid-headers", "X-Remote-Uid header", &set->requestheader_uid_headers, false},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct text rest = text_of(rows[i].usual), name;
        text_split(&rest, ' ', &name);
        if (!rows[i].list->n || has_header(rows[i].list, name))
            continue;
        status_record(st, STATUS_BAD_REQUEST,
                      "--%s is set without specifying the standard %s - API aggregation will not work",
                      rows[i].flag, rows[i].usual);
        if (!rows[i].is_old)
            return -1;
        log_warning("A flag is unusual", LOG_STR("reason", st->message));
        status_clear(st);
    }
    if (client_ca_file && set->requestheader_client_ca_file && !set->requestheader_allowed_names.n &&
        authn_authorities_overlap(client_ca_file, set->requestheader_client_ca_file))
        return status_set(
            st, STATUS_BAD_REQUEST,
            "--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; "
            "--requestheader-allowed-names must be specified to ensure regular client certificates cannot "
            "set "
            "authenticating proxy headers for arbitrary users");
    return 0;
}

static int check_oidc(const struct settings *set, struct status *st)
{
    if (set->authentication_config && set->oidc_is_set)
        return status_set(st, STATUS_BAD_REQUEST,
                          "authentication-config file and oidc-* flags are mutually exclusive");
    if (set->oidc_is_set && (!set->oidc_issuer_url || !set->oidc_client_id))
        return status_set(
            st, STATUS_BAD_REQUEST,
            "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set");
    for (size_t i = 0; i < set->oidc_required_claim.n; i++)
        if (text_find(set->oidc_required_claim.p[i], '=') < 0)
            return status_set(st, STATUS_BAD_REQUEST,
                              "invalid argument \"%.*s\" for \"--oidc-required-claim\" flag: malformed pair, "
                              "expect string=string",
                              TEXT_ARG(set->oidc_required_claim.p[i]));
    return 0;
}

/* --- methods --- */

static int add_proxies(struct building *b, struct status *st)
{
    const struct settings *set = b->set;
    const struct request_header_names names = {.allowed = set->requestheader_allowed_names,
                                               .user = set->requestheader_username_headers,
                                               .uid = set->requestheader_uid_headers,
                                               .groups = set->requestheader_group_headers,
                                               .extra_prefixes = set->requestheader_extra_headers_prefix};

    if (set->requestheader_uid_headers.n && !feature_is_on(FEATURE_REMOTE_REQUEST_HEADER_UID))
        return status_set(st, STATUS_BAD_REQUEST,
                          "--requestheader-uid-headers requires the \"RemoteRequestHeaderUID\" feature to be enabled");
    if (!set->requestheader_client_ca_file)
        return 0;
    if (authn_request_header_new(set->requestheader_client_ca_file, b->timers, &names,
                                 &b->methods[b->n_methods], st) < 0)
        return status_wrap(st, "--requestheader-client-ca-file");
    b->n_methods++;
    return 0;
}

static int add_certificates(struct building *b, const char *ca_file, struct status *st)
{
    if (!ca_file)
        return 0;
    if (authn_x509_new(ca_file, b->timers, &b->methods[b->n_methods], st) < 0)
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

static int add_service_accounts(struct building *b, const struct pki_paths *pki,
                                const struct registry *registry, struct status *st)
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

/* What the file says, or an empty configuration. */
static int read_config(struct building *b, struct status *st)
{
    const char *path = b->set->authentication_config;

    b->content = BUFFER_IN(b->arena);
    if (!path)
        return 0;
    if (file_read(path, &b->content, st) < 0 ||
        authn_config_read(buffer_text(&b->content), &b->set->service_account_issuer, &b->config, st) < 0)
        return status_wrap(st, "failed to load authentication configuration from file \"%s\"", path);
    if (b->config.has_anonymous && b->set->anonymous_auth_is_set)
        return status_set(st, STATUS_BAD_REQUEST,
                          "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field "
                          "is configured in authentication configuration file");
    return 0;
}

static struct text username_prefix(struct arena *a, const struct settings *set)
{
    const char *prefix = set->oidc_username_prefix;

    if (prefix)
        return strcmp(prefix, "-") == 0 ? TEXT("") : text_of(prefix);
    if (set->oidc_username_claim && strcmp(set->oidc_username_claim, "email") == 0)
        return TEXT("");
    return arena_textf(a, "%s#", set->oidc_issuer_url);
}

/* The same by flags: one issuer. */
static int config_of_flags(struct building *b, struct status *st)
{
    const struct settings *set = b->set;
    struct arena *a = arena_new();
    struct authn_issuer *issuer = ARENA_NEW(a, struct authn_issuer);
    struct buffer pem = BUFFER_IN(a);
    struct text claim, value;

    b->config = (struct authn_config){.arena = a, .issuers = issuer, .n_issuers = 1};
    *issuer = (struct authn_issuer){.url = text_of(set->oidc_issuer_url),
                                    .username_claim = text_of(set->oidc_username_claim),
                                    .username_prefix = username_prefix(a, set),
                                    .groups_claim = text_of(set->oidc_groups_claim),
                                    .groups_prefix = text_of(set->oidc_groups_prefix)};
    text_list_add(a, &issuer->audiences, text_of(set->oidc_client_id));
    if (set->oidc_ca_file && file_read(set->oidc_ca_file, &pem, st) < 0)
        return status_wrap(st, "--oidc-ca-file");
    issuer->ca_pem = buffer_text(&pem);
    issuer->required = ARENA_ARRAY(a, struct authn_required_claim, set->oidc_required_claim.n + 1);
    for (size_t i = 0; i < set->oidc_required_claim.n; i++) {
        value = set->oidc_required_claim.p[i];
        text_split(&value, '=', &claim);
        issuer->required[issuer->n_required++] = (struct authn_required_claim){claim, value};
    }
    return authn_config_check(&b->config, &set->service_account_issuer, st);
}

static int add_oidc(struct building *b, struct status *st)
{
    const struct settings *set = b->set;
    const struct authn_oidc_options opt = {.config = &b->config,
                                           .file = set->authentication_config,
                                           .content = buffer_text(&b->content),
                                           .signing_algs =
                                               set->authentication_config ? NULL : &set->oidc_signing_algs,
                                           .disallowed = &set->service_account_issuer,
                                           .server_id = b->server_id,
                                           .timers = b->timers};

    if (!set->authentication_config && !set->oidc_issuer_url)
        return 0;
    if (!set->authentication_config && config_of_flags(b, st) < 0)
        return -1;
    if (authn_oidc_new(&opt, &b->tokens[b->n_tokens], st) < 0)
        return -1;
    b->n_tokens++;
    return 0;
}

static int add_webhook(struct building *b, struct status *st)
{
    const struct settings *set = b->set;
    const struct authn_webhook_options opt = {.kubeconfig = set->authentication_token_webhook_config_file,
                                              .version = set->authentication_token_webhook_version,
                                              .cache_ms =
                                                  set->authentication_token_webhook_cache_ttl / 1000000,
                                              .api_audiences = &b->audiences};

    if (!opt.kubeconfig)
        return 0;
    if (authn_webhook_new(&opt, &b->tokens[b->n_tokens], st) < 0)
        return status_wrap(st, "--authentication-token-webhook-config-file");
    b->n_tokens++;
    return 0;
}

static int add_all(struct building *b, const struct identity_options *o, const char *ca_file,
                   struct status *st)
{
    if (add_proxies(b, st) < 0 || add_certificates(b, ca_file, st) < 0 || add_token_file(b, st) < 0 ||
        add_service_accounts(b, o->pki, o->registry, st) < 0)
        return -1;
    if (b->set->enable_bootstrap_token_auth)
        b->tokens[b->n_tokens++] = authn_bootstrap_token_new(o->registry);
    /* Behind service accounts: a token of theirs must not have an issuer's keys fetched. */
    return add_oidc(b, st) < 0 || add_webhook(b, st) < 0 ? -1 : 0;
}

static const char *const *copy_paths(struct arena *a, const char *const *paths)
{
    size_t n = 0;

    while (paths[n])
        n++;
    const char **copy = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_strdup(a, paths[i]);
    return copy;
}

int identity_start(const struct identity_options *o, struct authenticator **ret, struct status *st)
{
    /* Where everybody may do everything, those without a name may only ask how the server is. */
    static const char *const public_paths[] = {"/healthz", "/livez",    "/readyz",
                                               "/version", "/version/", NULL};
    const struct settings *set = o->settings;
    struct building b = {.set = set,
                         .arena = o->arena,
                         .timers = o->timers,
                         .server_id = o->server_id,
                         .audiences =
                             set->api_audiences.n ? set->api_audiences : set->service_account_issuer};
    const char *ca_file = set->client_ca_file ? set->client_ca_file : o->pki ? o->pki->ca_cert : NULL;
    struct authn_options opt = {.methods = b.methods,
                                .allow_anonymous = set->anonymous_auth,
                                .anonymous_paths = allows_always(set) ? public_paths : NULL};

    if (check_service_accounts(set, st) < 0 || check_proxies(set, ca_file, st) < 0 ||
        check_oidc(set, st) < 0 || read_config(&b, st) < 0) {
        take_down(&b);
        return -1;
    }
    if (b.config.has_anonymous) {
        opt.allow_anonymous = b.config.allows_anonymous;
        opt.anonymous_paths =
            b.config.anonymous_paths ? copy_paths(o->arena, b.config.anonymous_paths) : NULL;
    }
    if (add_all(&b, o, ca_file, st) < 0) {
        take_down(&b);
        return -1;
    }
    opt.service_accounts = b.service_accounts;
    if (b.n_tokens) {
        opt.tokens = tokens_new(b.tokens, b.n_tokens, &b.audiences);
        b.methods[b.n_methods++] = authn_bearer_new(opt.tokens);
    }
    opt.n_methods = b.n_methods;
    *ret = authenticator_new(&opt);
    return 0;
}
