/* SPDX-License-Identifier: Apache-2.0 */
/* The union of token methods, and the two ways in which a request brings a token. A token that was known is
 * known for ten seconds more without asking anybody. Source: kubernetes/apiserver
 * pkg/authentication/token/union, request/{bearertoken,websocket}, authenticator/audagnostic.go; kubernetes
 * pkg/kubeapiserver/options/authentication.go for the ten seconds. */
#include "authn/metrics.h"
#include "authn/token_cache.h"
#include "authn/users.h"

#define KNOWN_MS 10000

struct tokens {
    struct token_method **methods;
    size_t n_methods;
    struct arena *arena; /* api_audiences */
    struct text_list api_audiences;
    struct token_cache *cache;
};

/* --- the union --- */

static enum authn_decision ask_one(struct tokens *t, struct token_method *m, struct token_question *q)
{
    struct text_list audiences = t->api_audiences;

    if (!m->is_audience_agnostic)
        return m->authenticate(m, q);
    if (q->audiences)
        audiences = text_list_common(q->arena, &t->api_audiences, q->audiences);
    if (q->audiences && !audiences.n)
        return AUTHN_NO_OPINION;
    enum authn_decision d = m->authenticate(m, q);
    if (d == AUTHN_KNOWN)
        q->ret_audiences = audiences;
    return d;
}

static enum authn_decision ask_all(struct tokens *t, struct token_question *q)
{
    enum authn_decision ret = AUTHN_NO_OPINION;

    for (size_t i = 0; i < t->n_methods; i++) {
        enum authn_decision d = ask_one(t, t->methods[i], q);
        if (d == AUTHN_KNOWN && !user_in_group(&q->user, TEXT(GROUP_AUTHENTICATED)))
            user_add_group(q->arena, &q->user, TEXT(GROUP_AUTHENTICATED));
        if (d == AUTHN_KNOWN || d == AUTHN_WOULD_BLOCK)
            return d;
        if (d == AUTHN_REFUSED)
            ret = d;
    }
    return ret;
}

enum authn_decision tokens_ask(struct tokens *t, struct token_question *q)
{
    struct text key = token_cache_key(t->cache, q);
    int64_t start_ns = clock_mono_ns();
    enum authn_decision d;

    if (!key.n)
        return AUTHN_REFUSED;
    if (token_cache_find(t->cache, key, q, &d))
        return d;
    authn_fetch_begins();
    d = ask_all(t, q);
    authn_fetch_ends(d == AUTHN_REFUSED ? FETCH_ERROR : d == AUTHN_WOULD_BLOCK ? FETCH_PUT_OFF : FETCH_OK);
    if (d == AUTHN_WOULD_BLOCK)
        return d;
    authn_count_cache(false, clock_mono_ns() - start_ns);
    token_cache_keep(t->cache, key, q, d);
    return d;
}

struct tokens *tokens_new(struct token_method **methods, size_t n, const struct text_list *api_audiences)
{
    struct tokens *t = xcalloc(1, sizeof(*t));

    t->methods = xcalloc(n + 1, sizeof(struct token_method *));
    for (; t->n_methods < n; t->n_methods++)
        t->methods[t->n_methods] = methods[t->n_methods];
    t->arena = arena_new();
    for (size_t i = 0; i < api_audiences->n; i++)
        text_list_add(t->arena, &t->api_audiences, arena_text(t->arena, api_audiences->p[i]));
    t->cache = token_cache_new(KNOWN_MS, 0);
    return t;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_methods; i++)
        t->methods[i]->free(t->methods[i]);
    token_cache_free(t->cache);
    arena_free(t->arena);
    free(t->methods);
    free(t);
}

/* --- tokens in requests --- */

struct bearer_method {
    struct authn_method method;
    struct tokens *tokens;
};

enum found { NO_TOKEN, TOKEN, BAD_TOKEN };

static enum found token_of_header(struct request *r, struct text *ret)
{
    struct text rest = text_trim(request_header(r, "Authorization")), scheme;

    if (!text_split(&rest, ' ', &scheme) || !text_eq_nocase(scheme, TEXT("bearer")) || !rest.p)
        return NO_TOKEN;
    text_split(&rest, ' ', ret);
    if (ret->n)
        return TOKEN;
    if (rest.p)
        request_warn(
            r,
            "the provided Authorization header contains extra space before the bearer token, and is ignored");
    return NO_TOKEN;
}

static bool is_websocket(const struct request *r)
{
    return text_eq_nocase(request_header(r, "Upgrade"), TEXT("websocket"));
}

/* Browsers cannot set headers on WebSockets, so the token may come as one of several subprotocols. */
static enum found token_of_protocols(struct request *r, struct text *ret)
{
    struct text rest, part;
    size_t n_others = 0, n_tokens = 0;

    if (!is_websocket(r))
        return NO_TOKEN;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (!text_eq_nocase(r->headers[i].name, TEXT("Sec-WebSocket-Protocol")))
            continue;
        rest = r->headers[i].value;
        while (text_split(&rest, ',', &part)) {
            part = text_trim(part);
            if (!text_starts(part, TEXT(WEBSOCKET_BEARER_PREFIX))) {
                n_others++;
                continue;
            }
            if (n_tokens++ ||
                !base64_decode(r->arena, BASE64_RAW_URL, text_from(part, sizeof(WEBSOCKET_BEARER_PREFIX) - 1),
                               ret) ||
                !text_is_utf8(*ret))
                return BAD_TOKEN;
        }
    }
    if (!n_tokens || !ret->n)
        return NO_TOKEN;
    return n_others ? TOKEN : BAD_TOKEN; /* there must be one to answer with */
}

static enum authn_decision bearer_authenticate(struct authn_method *method, struct request *r,
                                               struct user_info *ret)
{
    struct bearer_method *m = CONTAINER_OF(method, struct bearer_method, method);
    struct token_question q = {.arena = r->arena, .may_block = request_may_block(r)};
    enum found found = token_of_header(r, &q.token);

    if (found == NO_TOKEN)
        found = token_of_protocols(r, &q.token);
    if (found == NO_TOKEN)
        return AUTHN_NO_OPINION;
    enum authn_decision d = found == TOKEN ? tokens_ask(m->tokens, &q) : AUTHN_REFUSED;
    if (d == AUTHN_KNOWN)
        *ret = q.user;
    if (d == AUTHN_KNOWN && q.warning)
        request_warn(r, "%s", q.warning);
    return d == AUTHN_NO_OPINION ? AUTHN_REFUSED : d; /* nobody knows it: it is a bad one */
}

static void bearer_free(struct authn_method *method)
{
    free(CONTAINER_OF(method, struct bearer_method, method));
}

struct authn_method *authn_bearer_new(struct tokens *t)
{
    struct bearer_method *m = xcalloc(1, sizeof(*m));

    m->method = (struct authn_method){
        .name = "bearertoken", .authenticate = bearer_authenticate, .free = bearer_free};
    m->tokens = t;
    return &m->method;
}
