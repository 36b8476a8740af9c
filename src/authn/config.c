/* SPDX-License-Identifier: Apache-2.0 */
/* The file AuthenticationConfiguration: its tree is held against tables of what may stand where, then read
 * into small structs, then checked as upstream checks it, in its words. Source: kubernetes/apiserver
 * pkg/apis/apiserver/v1 (types), pkg/apis/apiserver/validation/validation.go. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "authn.h"
#include "schema/formats.h"

#define FILE_BYTES_MAX (4 << 20)
#define ISSUERS_MAX 64

/* --- shapes --- */

enum shape_kind { A_TEXT, A_BOOL, TEXTS, OBJECT, OBJECTS };
struct shape {
    const char *name; /* NULL ends a table */
    enum shape_kind kind;
    const struct shape *members;
};

static const struct shape issuer_shape[] = {{"url"},
                                            {"discoveryURL"},
                                            {"certificateAuthority"},
                                            {"audiences", TEXTS},
                                            {"audienceMatchPolicy"},
                                            {"egressSelectorType"},
                                            {0}};
static const struct shape claim_rule_shape[] = {
    {"claim"}, {"requiredValue"}, {"expression"}, {"message"}, {0}};
static const struct shape prefixed_shape[] = {{"claim"}, {"prefix"}, {"expression"}, {0}};
static const struct shape claim_shape[] = {{"claim"}, {"expression"}, {0}};
static const struct shape extra_shape[] = {{"key"}, {"valueExpression"}, {0}};
static const struct shape mappings_shape[] = {{"username", OBJECT, prefixed_shape},
                                              {"groups", OBJECT, prefixed_shape},
                                              {"uid", OBJECT, claim_shape},
                                              {"extra", OBJECTS, extra_shape},
                                              {0}};
static const struct shape user_rule_shape[] = {{"expression"}, {"message"}, {0}};
static const struct shape jwt_shape[] = {{"issuer", OBJECT, issuer_shape},
                                         {"claimValidationRules", OBJECTS, claim_rule_shape},
                                         {"claimMappings", OBJECT, mappings_shape},
                                         {"userValidationRules", OBJECTS, user_rule_shape},
                                         {0}};
static const struct shape condition_shape[] = {{"path"}, {0}};
static const struct shape anonymous_shape[] = {
    {"enabled", A_BOOL}, {"conditions", OBJECTS, condition_shape}, {0}};
static const struct shape root_shape[] = {
    {"kind"}, {"apiVersion"}, {"jwt", OBJECTS, jwt_shape}, {"anonymous", OBJECT, anonymous_shape}, {0}};

struct shape_check {
    struct arena *arena;
    struct buffer unknown; /* `unknown field "a.b"`, joined */
    struct status *st;
};

static int wrong_kind(struct shape_check *c, const struct value *v, const char *path, const char *expected)
{
    return status_set(c->st, STATUS_BAD_REQUEST, "json: cannot unmarshal %s into %s: expected %s",
                      value_kind_name(v->kind), path, expected);
}

static int check_shape(struct shape_check *c, const struct value *v, const char *path,
                       const struct shape *members);

static int check_member(struct shape_check *c, const struct value *v, const char *path, const struct shape *s)
{
    static const char *const expected[] = {"a string", "a bool", "a list", "an object", "a list"};
    static const enum value_kind kinds[] = {VALUE_STRING, VALUE_BOOL, VALUE_LIST, VALUE_OBJECT, VALUE_LIST};

    if (v->kind == VALUE_NULL)
        return 0;
    if (v->kind != kinds[s->kind])
        return wrong_kind(c, v, path, expected[s->kind]);
    if (s->kind == OBJECT)
        return check_shape(c, v, path, s->members);
    for (size_t i = 0; (s->kind == TEXTS || s->kind == OBJECTS) && i < v->n; i++) {
        const char *at = arena_printf(c->arena, "%s[%zu]", path, i);
        const struct shape item = {"", s->kind == TEXTS ? A_TEXT : OBJECT, s->members};
        if (check_member(c, &v->items[i], at, &item) < 0)
            return -1;
    }
    return 0;
}

static int check_shape(struct shape_check *c, const struct value *v, const char *path,
                       const struct shape *members)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct shape *s = members;
        while (s->name && !text_is(member_key(&v->members[i]), s->name))
            s++;
        const char *at = arena_printf(c->arena, "%s%s%.*s", path, *path ? "." : "",
                                      TEXT_ARG(member_key(&v->members[i])));
        if (!s->name)
            buffer_addf(&c->unknown, "%sunknown field \"%s\"", c->unknown.n ? ", " : "", at);
        else if (check_member(c, &v->members[i].value, at, s) < 0)
            return -1;
    }
    return 0;
}

static int check_head(const struct value *root, struct status *st)
{
    static const char *const versions[] = {"v1", "v1beta1", "v1alpha1"};
    struct text kind = value_get_text(root, TEXT("kind")), version = value_get_text(root, TEXT("apiVersion")),
                rest = version, group;

    if (root->kind != VALUE_OBJECT || !kind.n)
        return status_set(st, STATUS_BAD_REQUEST, "Object 'Kind' is missing");
    if (!version.n)
        return status_set(st, STATUS_BAD_REQUEST, "Object 'apiVersion' is missing");
    text_split(&rest, '/', &group);
    if (text_is(kind, "AuthenticationConfiguration") && text_is(group, "apiserver.config.k8s.io"))
        for (size_t i = 0; i < N_ELEMENTS(versions); i++)
            if (text_is(rest, versions[i]))
                return 0;
    return status_set(st, STATUS_BAD_REQUEST, "no kind \"%.*s\" is registered for version \"%.*s\"",
                      TEXT_ARG(kind), TEXT_ARG(version));
}

/* --- URLs --- */

static bool is_in_host(unsigned char c)
{
    return c > 0x7f || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-_.~%!$&'()*+,;=:[]<>\"", c));
}

/* What Go's url.Parse says against it, or NULL. */
static const char *parse_problem(struct arena *a, struct text url, struct text authority)
{
    ptrdiff_t at = text_find(authority, '@'), end = text_find(authority, ']');
    struct text host = text_from(authority, (size_t)(at + 1)), port;

    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] < 0x20 || url.p[i] == 0x7f)
            return "net/url: invalid control character in URL";
    if (url.n && url.p[0] == ':')
        return "missing protocol scheme";
    for (size_t i = 0; i < host.n; i++)
        if (!is_in_host((unsigned char)host.p[i]))
            return arena_printf(a, "invalid character \"%c\" in host name", host.p[i]);
    host = text_from(host, end < 0 ? 0 : (size_t)end + 1);
    ptrdiff_t colon = text_find(host, ':');
    port = colon < 0 ? TEXT_NONE : text_from(host, (size_t)colon + 1);
    for (size_t i = 0; i < port.n; i++)
        if (port.p[i] < '0' || port.p[i] > '9')
            return arena_printf(a, "invalid port \":%.*s\" after host", TEXT_ARG(port));
    return NULL;
}

static void check_url(struct field_errors *errs, const char *path, struct text url)
{
    ptrdiff_t colon = text_find(url, ':');
    const struct value bad = value_string(url);
    struct text rest = url, before_fragment, before_query, authority = TEXT_NONE;

    text_split(&rest, '#', &before_fragment);
    struct text fragment = rest, query = before_fragment;
    text_split(&query, '?', &before_query);
    ptrdiff_t slashes = text_find_text(before_query, TEXT("://"));
    if (slashes >= 0) {
        rest = text_from(before_query, (size_t)slashes + 3);
        text_split(&rest, '/', &authority);
    }
    const char *problem = parse_problem(errs->arena, url, authority);
    if (problem) {
        field_error(errs, FIELD_INVALID, path, &bad, "parse \"%.*s\": %s", TEXT_ARG(url), problem);
        return;
    }
    if (!text_eq_nocase(text_first(url, colon < 0 ? 0 : (size_t)colon), TEXT("https")))
        field_error(errs, FIELD_INVALID, path, &bad, "URL scheme must be https");
    if (text_find(authority, '@') >= 0)
        field_error(errs, FIELD_INVALID, path, &bad, "URL must not contain a username or password");
    if (query.n)
        field_error(errs, FIELD_INVALID, path, &bad, "URL must not contain a query");
    if (fragment.n)
        field_error(errs, FIELD_INVALID, path, &bad, "URL must not contain a fragment");
}

/* --- checks of an issuer --- */

static const char *below(struct field_errors *errs, const char *path, const char *name)
{
    return arena_printf(errs->arena, "%s.%s", path, name);
}

static void check_audiences(struct field_errors *errs, const char *path, const struct text_list *audiences)
{
    const char *at = below(errs, path, "audiences");
    struct text_list seen = {0};

    if (!audiences->n)
        field_error(errs, FIELD_REQUIRED, at, NULL, "at least one %s is required", at);
    for (size_t i = 0; i < audiences->n; i++) {
        const char *item = arena_printf(errs->arena, "%s[%zu]", at, i);
        const struct value bad = value_string(audiences->p[i]);
        if (!audiences->p[i].n)
            field_error(errs, FIELD_REQUIRED, item, NULL, "%s", "");
        if (text_list_has(&seen, audiences->p[i]))
            field_error(errs, FIELD_DUPLICATE, item, &bad, "%s", "");
        text_list_add(errs->arena, &seen, audiences->p[i]);
    }
}

/* NULL: there is a certificate, and nothing that is no good. */
static const char *authority_problem(struct text pem)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    char *name, *header;
    unsigned char *der;
    long n;
    size_t n_certs = 0;
    bool is_bad = false;

    while (in && PEM_read_bio(in, &name, &header, &der, &n)) {
        const unsigned char *p = der;
        if (strcmp(name, "CERTIFICATE") == 0) {
            X509 *c = d2i_X509(NULL, &p, n);
            is_bad = is_bad || !c;
            n_certs += c != NULL;
            X509_free(c);
        }
        OPENSSL_free(der);
        OPENSSL_free(name);
        OPENSSL_free(header);
    }
    BIO_free(in);
    ERR_clear_error();
    return is_bad    ? "x509: malformed certificate"
           : n_certs ? NULL
                     : "data does not contain any valid RSA or ECDSA certificates";
}

static struct text without_slashes(struct text t)
{
    while (t.n && t.p[t.n - 1] == '/')
        t.n--;
    return t;
}

static void check_issuer(struct field_errors *errs, const char *path, const struct authn_issuer *i,
                         const struct text_list *disallowed, struct text policy)
{
    static const struct value omitted = {.kind = VALUE_STRING, .n = 9, .string = "<omitted>"};
    const struct value url = value_string(i->url), discovery = value_string(i->discovery_url),
                       match = value_string(policy), egress = value_string(i->egress_selector);
    const char *problem = i->ca_pem.n ? authority_problem(i->ca_pem) : NULL;

    if (!i->url.n)
        field_error(errs, FIELD_REQUIRED, below(errs, path, "url"), NULL, "%s", "");
    if (i->url.n && text_list_has(disallowed, i->url)) {
        struct buffer b = BUFFER_IN(errs->arena);
        for (size_t k = 0; k < disallowed->n; k++)
            buffer_addf(&b, "%s%.*s", k ? " " : "", TEXT_ARG(disallowed->p[k]));
        field_error(errs, FIELD_INVALID, below(errs, path, "url"), &url,
                    "URL must not overlap with disallowed issuers: [%s]", buffer_str(&b));
    }
    if (i->url.n)
        check_url(errs, below(errs, path, "url"), i->url);
    if (i->discovery_url.n) {
        if (i->url.n && text_eq(without_slashes(i->url), without_slashes(i->discovery_url)))
            field_error(errs, FIELD_INVALID, below(errs, path, "discoveryURL"), &discovery,
                        "discoveryURL must be different from URL");
        check_url(errs, below(errs, path, "discoveryURL"), i->discovery_url);
    }
    check_audiences(errs, path, &i->audiences);
    if (i->audiences.n > 1 && !text_is(policy, "MatchAny"))
        field_error(errs, FIELD_INVALID, below(errs, path, "audienceMatchPolicy"), &match,
                    "audienceMatchPolicy must be MatchAny for multiple audiences");
    if (i->audiences.n == 1 && policy.n && !text_is(policy, "MatchAny"))
        field_error(errs, FIELD_INVALID, below(errs, path, "audienceMatchPolicy"), &match,
                    "audienceMatchPolicy must be empty or MatchAny for single audience");
    if (problem)
        field_error(errs, FIELD_INVALID, below(errs, path, "certificateAuthority"), &omitted, "%s", problem);
    if (text_is(i->egress_selector, "controlplane") || text_is(i->egress_selector, "cluster"))
        field_error(errs, FIELD_INVALID, below(errs, path, "egressSelectorType"), &egress,
                    "oidc: egress lookup required with egress selector type \"%.*s\"",
                    TEXT_ARG(i->egress_selector));
    else if (i->egress_selector.n)
        field_error(errs, FIELD_INVALID, below(errs, path, "egressSelectorType"), &egress,
                    "egress selector must be either controlplane or cluster");
}

/* --- checks of the rest of an authenticator, on the file's tree --- */

static void refuse_expression(struct field_errors *errs, const char *path, struct text expression)
{
    const struct value bad = value_string(expression);
    field_error(errs, FIELD_INVALID, path, &bad, "CEL expressions are not supported by this server");
}

static void check_claim_rules(struct field_errors *errs, const char *path, const struct value *rules)
{
    struct text_list seen = {0};

    for (size_t i = 0; rules && rules->kind == VALUE_LIST && i < rules->n; i++) {
        const char *at = arena_printf(errs->arena, "%s.claimValidationRules[%zu]", path, i);
        const struct value *rule = &rules->items[i];
        struct text claim = value_get_text(rule, TEXT("claim")),
                    expression = value_get_text(rule, TEXT("expression"));
        struct text message = value_get_text(rule, TEXT("message")),
                    wanted = value_get_text(rule, TEXT("requiredValue"));
        const struct value bad_claim = value_string(claim), bad_message = value_string(message),
                           bad_value = value_string(wanted);
        if (claim.n && expression.n) {
            field_error(errs, FIELD_INVALID, at, &bad_claim, "claim and expression can't both be set");
        } else if (!claim.n && !expression.n) {
            field_error(errs, FIELD_REQUIRED, at, NULL, "claim or expression is required");
        } else if (claim.n) {
            if (message.n)
                field_error(errs, FIELD_INVALID, below(errs, at, "message"), &bad_message,
                            "may not be specified when claim is set");
            if (text_list_has(&seen, claim))
                field_error(errs, FIELD_DUPLICATE, below(errs, at, "claim"), &bad_claim, "%s", "");
            text_list_add(errs->arena, &seen, claim);
        } else {
            if (wanted.n)
                field_error(errs, FIELD_INVALID, below(errs, at, "requiredValue"), &bad_value,
                            "may not be specified when expression is set");
            refuse_expression(errs, below(errs, at, "expression"), expression);
        }
    }
}

static void check_prefixed(struct field_errors *errs, const char *path, const struct value *mapping,
                           bool is_required)
{
    static const struct value empty = {.kind = VALUE_STRING, .string = ""};
    struct text claim = value_get_text(mapping, TEXT("claim")),
                expression = value_get_text(mapping, TEXT("expression"));
    const struct value *prefix = value_get(mapping, TEXT("prefix"));
    bool has_prefix = prefix && prefix->kind == VALUE_STRING;

    if (expression.n && claim.n) {
        field_error(errs, FIELD_INVALID, path, &empty, "claim and expression can't both be set");
    } else if (!expression.n && !claim.n && is_required) {
        field_error(errs, FIELD_REQUIRED, path, NULL, "claim or expression is required");
    } else if (expression.n) {
        if (has_prefix)
            field_error(errs, FIELD_INVALID, below(errs, path, "prefix"), prefix,
                        "may not be specified when expression is set");
        refuse_expression(errs, below(errs, path, "expression"), expression);
    } else if (claim.n && !has_prefix) {
        field_error(
            errs, FIELD_REQUIRED, below(errs, path, "prefix"), NULL,
            "prefix is required when claim is set. It can be set to an empty string to disable prefixing");
    }
}

static bool is_reserved(struct text key)
{
    struct text host;

    if (!text_split(&key, '/', &host) || !key.p)
        return false;
    return text_is(host, "kubernetes.io") || text_ends(host, TEXT(".kubernetes.io")) ||
           text_is(host, "k8s.io") || text_ends(host, TEXT(".k8s.io"));
}

static void check_extra_key(struct field_errors *errs, const char *path, struct text key)
{
    const struct value bad = value_string(key);
    struct text rest = key, host;

    if (!key.n) {
        field_error(errs, FIELD_REQUIRED, path, NULL, "%s", "");
        return;
    }
    text_split(&rest, '/', &host);
    const struct value bad_host = value_string(host);
    if (!host.n || !rest.n)
        field_error(errs, FIELD_INVALID, path, &bad,
                    "must be a domain-prefixed path (such as \"acme.io/foo\")");
    else if (format_dns1123_subdomain(host))
        field_error(errs, FIELD_INVALID, path, &bad_host, "%s", format_dns1123_subdomain(host));
    if (!text_eq(arena_lower(errs->arena, key), key))
        field_error(errs, FIELD_INVALID, path, &bad, "must be lowercase");
    if (is_reserved(key))
        field_error(errs, FIELD_INVALID, path, &bad,
                    "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use");
}

static void check_mappings(struct field_errors *errs, const char *path, const struct value *m)
{
    static const struct value empty = {.kind = VALUE_STRING, .string = ""};
    const struct value *uid = value_get(m, TEXT("uid")), *extra = value_get(m, TEXT("extra"));
    struct text uid_expression = value_get_text(uid, TEXT("expression"));
    struct text_list seen = {0};

    path = below(errs, path, "claimMappings");
    check_prefixed(errs, below(errs, path, "username"), value_get(m, TEXT("username")), true);
    check_prefixed(errs, below(errs, path, "groups"), value_get(m, TEXT("groups")), false);
    if (uid_expression.n && value_get_text(uid, TEXT("claim")).n)
        field_error(errs, FIELD_INVALID, below(errs, path, "uid"), &empty,
                    "claim and expression can't both be set");
    else if (uid_expression.n)
        refuse_expression(errs, below(errs, path, "uid.expression"), uid_expression);
    for (size_t i = 0; extra && extra->kind == VALUE_LIST && i < extra->n; i++) {
        const char *at = arena_printf(errs->arena, "%s.extra[%zu]", path, i);
        struct text key = value_get_text(&extra->items[i], TEXT("key"));
        struct text expression = value_get_text(&extra->items[i], TEXT("valueExpression"));
        const struct value bad = value_string(key);
        check_extra_key(errs, below(errs, at, "key"), key);
        if (text_list_has(&seen, key)) {
            field_error(errs, FIELD_DUPLICATE, below(errs, at, "key"), &bad, "%s", "");
            continue;
        }
        text_list_add(errs->arena, &seen, key);
        if (expression.n)
            refuse_expression(errs, below(errs, at, "valueExpression"), expression);
        else
            field_error(errs, FIELD_REQUIRED, below(errs, at, "valueExpression"), NULL, "%s", "");
    }
}

static void check_user_rules(struct field_errors *errs, const char *path, const struct value *rules)
{
    for (size_t i = 0; rules && rules->kind == VALUE_LIST && i < rules->n; i++) {
        const char *at = arena_printf(errs->arena, "%s.userValidationRules[%zu].expression", path, i);
        struct text expression = value_get_text(&rules->items[i], TEXT("expression"));
        if (expression.n)
            refuse_expression(errs, at, expression);
        else
            field_error(errs, FIELD_REQUIRED, at, NULL, "%s", "");
    }
}

/* --- the whole --- */

/* jwt: the list in the file; NULL: flags have made the configuration. */
static void check_all(struct field_errors *errs, const struct authn_config *c, const struct value *jwt,
                      const struct text_list *disallowed)
{
    struct text_list urls = {0}, discovery_urls = {0};

    if (c->n_issuers > ISSUERS_MAX) {
        field_too_many(errs, "jwt", (int64_t)c->n_issuers, ISSUERS_MAX);
        return;
    }
    for (size_t i = 0; i < c->n_issuers; i++) {
        const struct authn_issuer *issuer = &c->issuers[i];
        const struct value *tree = jwt ? &jwt->items[i] : NULL;
        const char *path = arena_printf(errs->arena, "jwt[%zu]", i);
        const struct value url = value_string(issuer->url), discovery = value_string(issuer->discovery_url);
        check_issuer(errs, below(errs, path, "issuer"), issuer, disallowed,
                     value_text(value_at(tree, "issuer", "audienceMatchPolicy", NULL)));
        if (tree) {
            check_claim_rules(errs, path, value_get(tree, TEXT("claimValidationRules")));
            check_mappings(errs, path, value_get(tree, TEXT("claimMappings")));
            check_user_rules(errs, path, value_get(tree, TEXT("userValidationRules")));
        }
        if (text_list_has(&urls, issuer->url))
            field_error(errs, FIELD_DUPLICATE, below(errs, path, "issuer.url"), &url, "%s", "");
        text_list_add(errs->arena, &urls, issuer->url);
        if (issuer->discovery_url.n && text_list_has(&discovery_urls, issuer->discovery_url))
            field_error(errs, FIELD_DUPLICATE, below(errs, path, "issuer.discoveryURL"), &discovery, "%s",
                        "");
        text_list_add(errs->arena, &discovery_urls, issuer->discovery_url);
    }
}

static int finish_check(const struct field_errors *errs, struct status *st)
{
    struct buffer b = BUFFER_IN(errs->arena);

    if (!errs->n)
        return 0;
    field_errors_write(&b, errs);
    return status_set(st, STATUS_BAD_REQUEST, "invalid authentication configuration: %s", buffer_str(&b));
}

int authn_config_check(const struct authn_config *c, const struct text_list *disallowed, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct field_errors errs = {.arena = a};

    check_all(&errs, c, NULL, disallowed);
    return finish_check(&errs, st);
}

static void read_issuer(struct arena *a, const struct value *v, struct authn_issuer *ret)
{
    const struct value *issuer = value_get(v, TEXT("issuer")),
                       *audiences = value_get(issuer, TEXT("audiences"));
    const struct value *mappings = value_get(v, TEXT("claimMappings")),
                       *rules = value_get(v, TEXT("claimValidationRules"));
    const struct value *name = value_get(mappings, TEXT("username")),
                       *groups = value_get(mappings, TEXT("groups"));

    *ret = (struct authn_issuer){.url = value_get_text(issuer, TEXT("url")),
                                 .discovery_url = value_get_text(issuer, TEXT("discoveryURL")),
                                 .egress_selector = value_get_text(issuer, TEXT("egressSelectorType")),
                                 .ca_pem = value_get_text(issuer, TEXT("certificateAuthority")),
                                 .username_claim = value_get_text(name, TEXT("claim")),
                                 .username_prefix = value_get_text(name, TEXT("prefix")),
                                 .groups_claim = value_get_text(groups, TEXT("claim")),
                                 .groups_prefix = value_get_text(groups, TEXT("prefix")),
                                 .uid_claim = value_text(value_at(mappings, "uid", "claim", NULL))};
    for (size_t i = 0; audiences && audiences->kind == VALUE_LIST && i < audiences->n; i++)
        text_list_add(a, &ret->audiences, value_text(&audiences->items[i]));
    if (!rules || rules->kind != VALUE_LIST)
        return;
    ret->required = ARENA_ARRAY(a, struct authn_required_claim, rules->n + 1);
    for (size_t i = 0; i < rules->n; i++)
        ret->required[ret->n_required++] =
            (struct authn_required_claim){value_get_text(&rules->items[i], TEXT("claim")),
                                          value_get_text(&rules->items[i], TEXT("requiredValue"))};
}

static void read_anonymous(struct arena *a, const struct value *v, struct authn_config *ret,
                           struct field_errors *errs)
{
    const struct value *conditions = value_get(v, TEXT("conditions"));
    size_t n = conditions && conditions->kind == VALUE_LIST ? conditions->n : 0;
    struct buffer json = BUFFER_IN(a);

    if (!v || v->kind != VALUE_OBJECT)
        return;
    ret->has_anonymous = true;
    ret->allows_anonymous = value_get_bool(v, TEXT("enabled"), false);
    json_write(&json, v);
    ret->anonymous = buffer_text(&json);
    if (!n)
        return;
    if (!ret->allows_anonymous)
        field_error(errs, FIELD_INVALID, "anonymous.conditions", conditions,
                    "enabled should be set to true when conditions are defined");
    ret->anonymous_paths = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        ret->anonymous_paths[i] = arena_str(a, value_get_text(&conditions->items[i], TEXT("path")));
}

static int read_tree(struct arena *a, struct text content, struct value *ret, struct status *st)
{
    struct text_list duplicates = {0};
    const struct json_options opt = {.depth_max = 100, .duplicates = &duplicates};
    struct shape_check check = {.arena = a, .unknown = BUFFER_IN(a), .st = st};

    if (!content.n)
        return status_set(st, STATUS_BAD_REQUEST, "empty config data");
    if (content.n > FILE_BYTES_MAX)
        return status_set(st, STATUS_BAD_REQUEST, "the file is larger than %d bytes", FILE_BYTES_MAX);
    if (yaml_read(a, content, &opt, ret, st) < 0 || check_head(ret, st) < 0)
        return -1;
    if (duplicates.n)
        return status_set(st, STATUS_BAD_REQUEST, "strict decoding error: yaml: unmarshal errors:\n  %.*s",
                          TEXT_ARG(duplicates.p[0]));
    if (check_shape(&check, ret, "", root_shape) < 0)
        return -1;
    if (check.unknown.n)
        return status_set(st, STATUS_BAD_REQUEST, "strict decoding error: %s", buffer_str(&check.unknown));
    return 0;
}

int authn_config_read(struct text content, const struct text_list *disallowed, struct authn_config *ret,
                      struct status *st)
{
    struct authn_config c = {.arena = arena_new()};
    struct field_errors errs = {.arena = c.arena};
    struct value root;

    if (read_tree(c.arena, content, &root, st) < 0) {
        arena_free(c.arena);
        return -1;
    }
    const struct value *jwt = value_get(&root, TEXT("jwt"));
    if (jwt && jwt->kind == VALUE_LIST) {
        c.issuers = ARENA_ARRAY(c.arena, struct authn_issuer, jwt->n + 1);
        for (; c.n_issuers < jwt->n; c.n_issuers++)
            read_issuer(c.arena, &jwt->items[c.n_issuers], &c.issuers[c.n_issuers]);
    }
    check_all(&errs, &c, jwt, disallowed);
    read_anonymous(c.arena, value_get(&root, TEXT("anonymous")), &c, &errs);
    if (finish_check(&errs, st) < 0) {
        arena_free(c.arena);
        return -1;
    }
    *ret = c;
    return 0;
}

void authn_config_deinit(struct authn_config *c)
{
    arena_free(c->arena);
    *c = (struct authn_config){0};
}
