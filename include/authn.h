/* authn.h - floor 7: who asks. A union of methods behind one interface; the first that knows the credential
 * decides. Threads: the methods are made before the first request and then asked by any thread. Errors: a
 * method that is sure that a credential is bad says AUTHN_REFUSED; the client is told no more than
 * "Unauthorized". Source: kubernetes/apiserver pkg/authentication/request/union and
 * pkg/endpoints/filters/authentication.go; kubernetes pkg/kubeapiserver/authenticator/config.go for the order
 * of the methods. */
#pragma once

#include "base.h"
#include "http.h"
#include "registry.h"

enum authn_decision {
    AUTHN_NO_OPINION,  /* no credential of this kind: ask the next */
    AUTHN_KNOWN,       /* the user is set */
    AUTHN_REFUSED,     /* a credential of this kind that is no good; later methods may still know it */
    AUTHN_WOULD_BLOCK, /* ask again on a thread that may block */
};

/* One method. A new one is a file with such a struct and its constructor. */
struct authn_method {
    const char *name; /* "x509" */
    /* Any thread; blocks only where request_may_block. The user's strings are in r->arena. */
    enum authn_decision (*authenticate)(struct authn_method *m, struct request *r, struct user_info *ret);
    void (*free)(struct authn_method *m);
};

/* Client certificates (--client-ca-file): verified against the CAs with the key usage clientAuth, CN is the
 * name, O the groups, attribute 1.3.6.1.4.1.57683.2 the uid. Fails for a file that holds no certificate; the
 * file is read again when it changes, unless timers is NULL. */
int authn_x509_new(const char *ca_file, struct timers *timers, struct authn_method **ret, struct status *st);

/* Do two files of authorities have one in common? False too when one cannot be read: that is said elsewhere.
 */
bool authn_authorities_overlap(const char *file, const char *other);

/* A front proxy's word, by headers (--requestheader-*). */
struct request_header_names {
    struct text_list allowed; /* common names of proxies; empty: any */
    struct text_list user, uid, groups, extra_prefixes;
};
/* names is copied. */
int authn_request_header_new(const char *ca_file, struct timers *timers,
                             const struct request_header_names *names, struct authn_method **ret,
                             struct status *st);

/* --- bearer tokens --- */

/* One token and what is known of it. */
struct token_question {
    struct arena *arena; /* what comes back lies in it */
    struct text token;
    const struct text_list *audiences; /* that the asker stands for; NULL: this API server's own */
    bool may_block;
    /* answer, when AUTHN_KNOWN */
    struct user_info user;
    struct text_list ret_audiences; /* those of the asked that the token is for */
    const char *warning;            /* for the client, static; or NULL */
    /* answer, when AUTHN_REFUSED: why, for TokenReview; never the token. May be NULL. */
    const char *error;
};
struct token_method {
    const char *name; /* "tokenfile" */
    /* The tokens are for whatever the API server is: asked for other audiences, the method is not asked. */
    bool is_audience_agnostic;
    enum authn_decision (*authenticate)(struct token_method *m, struct token_question *q);
    void (*free)(struct token_method *m);
};

/* CSV (--token-auth-file): token,user,uid[,"group1,group2"]. */
int authn_token_file_new(const char *file, struct token_method **ret, struct status *st);
/* Bootstrap tokens (--enable-bootstrap-token-auth): secrets of kube-system. */
struct token_method *authn_bootstrap_token_new(const struct registry *registry);

/* The methods in order, and a cache of those tokens that were known in the last seconds. Takes the methods.
 */
struct tokens;
struct tokens *tokens_new(struct token_method **methods, size_t n, const struct text_list *api_audiences);
void tokens_free(struct tokens *t);
enum authn_decision tokens_ask(struct tokens *t, struct token_question *q);
/* Tokens in the Authorization header, and in the subprotocols of a WebSocket request. t is borrowed. */
struct authn_method *authn_bearer_new(struct tokens *t);

/* --- service accounts --- */

struct service_accounts; /* keys, issuers and audiences of their tokens */
struct service_account_options {
    const struct registry *registry;
    const char *const *issuers;   /* the first one issues; all are known */
    const char *const *key_files; /* NULL: the signing key's public half */
    const char *signing_key_file; /* NULL: nothing can be issued */
    const struct text_list *api_audiences;
    bool lookup;              /* legacy tokens: the secret must still be there */
    bool extend_expiration;   /* --service-account-extend-token-expiration */
    int64_t max_expiration_s; /* 0: no limit of one's own */
};
int service_accounts_new(const struct service_account_options *opt, struct service_accounts **ret,
                         struct status *st);
void service_accounts_free(struct service_accounts *sa);
/* The two methods: tokens of secrets, and those bound to objects and times. sa is borrowed. */
struct token_method *authn_legacy_service_account_new(struct service_accounts *sa);
struct token_method *authn_service_account_new(struct service_accounts *sa);

/* A token to be made. The objects are trees; at most one of secret and (pod, node) is set. */
struct token_order {
    const struct value *account, *pod, *secret, *node;
    struct text node_name; /* of a pod whose node is not there */
    struct text_list audiences;
    int64_t expiration_s; /* that was asked for */
};
bool service_accounts_can_issue(const struct service_accounts *sa);
/* Audiences of tokens that ask for none. */
const struct text_list *service_accounts_audiences(const struct service_accounts *sa);
int64_t service_accounts_max_expiration_s(const struct service_accounts *sa);
int service_accounts_issue(struct service_accounts *sa, struct arena *a, const struct token_order *order,
                           struct text *ret_token, struct status *st);
/* Issuer discovery, ready-made: /.well-known/openid-configuration and /openid/v1/jwks. jwks_uri is where the
 * second one is found. False: the issuer is no https URL, and there is none. */
bool service_accounts_discovery(const struct service_accounts *sa, struct arena *a, const char *jwks_uri,
                                struct text *ret_configuration, struct text *ret_keys);

/* --- OpenID Connect, and the file that says more of it --- */

struct authn_required_claim {
    struct text claim, value;
};
/* Who issues tokens, for whom, and which claims name the user. Empty claims: not wanted. */
struct authn_issuer {
    struct text url, discovery_url, egress_selector;
    struct text ca_pem; /* empty: the system's authorities */
    struct text_list audiences;
    struct text username_claim, username_prefix, groups_claim, groups_prefix, uid_claim;
    struct authn_required_claim *required;
    size_t n_required;
};
/* AuthenticationConfiguration of apiserver.config.k8s.io, its CEL expressions apart: they are refused. */
struct authn_config {
    struct arena *arena; /* owns all of it */
    struct authn_issuer *issuers;
    size_t n_issuers;
    bool has_anonymous, allows_anonymous;
    const char **anonymous_paths; /* NULL-terminated; NULL: everywhere */
    struct text anonymous;        /* that part as JSON: it must not change while the server runs */
};
/* Reads the file's content, and checks it as upstream does; disallowed: issuers that are taken. BAD_REQUEST
 * with the line of bad YAML, or all that is wrong by its path: "[jwt[0].issuer.url: Required value, ...]". */
int authn_config_read(struct text content, const struct text_list *disallowed, struct authn_config *ret,
                      struct status *st);
/* The same checks, for one that flags have made. */
int authn_config_check(const struct authn_config *c, const struct text_list *disallowed, struct status *st);
void authn_config_deinit(struct authn_config *c);

struct authn_oidc_options {
    struct authn_config *config; /* taken, and left empty */
    const char *file;            /* that it was read from, to be followed; NULL: none */
    struct text content;         /* of that file */
    const struct text_list
        *signing_algs;                  /* NULL: all that are known; else BAD_REQUEST names one that is not */
    const struct text_list *disallowed; /* issuers, for changes of the file. Lives as long as the method */
    const char *server_id;              /* for metrics */
    struct timers *timers;
};
/* Keys are fetched in the background, tried again every ten seconds: until then the issuer's tokens are
 * refused. A token by a key that is not known has the keys fetched anew, at most once a second, and waits for
 * them on a thread that may block. A changed file counts once it is right and all its issuers have answered;
 * the anonymous part must stay. Source: kubernetes/apiserver plugin/pkg/authenticator/token/oidc; kubernetes
 * pkg/kubeapiserver/options/authentication.go. */
int authn_oidc_new(const struct authn_oidc_options *opt, struct token_method **ret, struct status *st);

/* --- another service that knows tokens (--authentication-token-webhook-*) --- */

struct authn_webhook_options {
    const char *kubeconfig; /* of the service: see http/remote.h */
    const char *version;    /* of the TokenReview: "v1" or "v1beta1" */
    int64_t cache_ms;       /* for which its answers, good or bad, are remembered; 0: not at all */
    const struct text_list *api_audiences; /* of a token that the service names no audience for. Copied */
};
/* Source: kubernetes/apiserver plugin/pkg/authenticator/token/webhook. */
int authn_webhook_new(const struct authn_webhook_options *opt, struct token_method **ret, struct status *st);

/* --- the union --- */

struct authn_options {
    struct authn_method **methods; /* in order; taken */
    size_t n_methods;
    struct tokens *tokens;                     /* taken; NULL: there are none */
    struct service_accounts *service_accounts; /* taken; NULL: there are none */
    bool allow_anonymous;
    /* Paths on which a request without credentials is let in as system:anonymous; NULL: everywhere. A const
     * NULL-terminated array. */
    const char *const *anonymous_paths;
};
struct authenticator *authenticator_new(const struct authn_options *opt);
void authenticator_free(struct authenticator *a);
/* For reviews and token requests; NULL: there are none. */
struct tokens *authenticator_tokens(const struct authenticator *a);
struct service_accounts *authenticator_service_accounts(const struct authenticator *a);

/* Fills r->user or answers 401. Finds its authenticator in r->wiring. */
extern const struct filter filter_authentication;

/* Lets who may ask as somebody else (Impersonate-User and its like): r->user becomes the other, r->requestor
 * who asked. Stands behind authentication and before authorization. Downstream nobody reads the headers. */
extern const struct filter filter_impersonation;
void authn_impersonation_metrics_register(void);

#define USER_ANONYMOUS "system:anonymous"
#define GROUP_AUTHENTICATED "system:authenticated"
#define GROUP_UNAUTHENTICATED "system:unauthenticated"
#define GROUP_MASTERS "system:masters"
#define EXTRA_CREDENTIAL_ID "authentication.kubernetes.io/credential-id"
