/* SPDX-License-Identifier: Apache-2.0 */
/* The union of token methods, and the two ways in which a request brings a token.
 *
 * A token that was known is known for ten seconds more without asking anybody: a client's next request then costs one
 * keyed hash. The hash, of the token and the audiences, is all that is kept of the token, and its key is made at start, so
 * that nobody can choose tokens that collide. The cache lies in stripes, each with a lock of its own and a bounded number
 * of entries.
 * Source: kubernetes/apiserver pkg/authentication/token/{union,cache}, request/{bearertoken,websocket},
 * authenticator/audagnostic.go; kubernetes pkg/kubeapiserver/options/authentication.go for the ten seconds. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "authn/users.h"

#define KNOWN_MS 10000
#define N_STRIPES 16
#define STRIPE_MAX 1024
#define DIGEST_BYTES 32

struct known_token {
    struct arena *arena; /* owns all of it, itself included */
    struct text digest;
    int64_t until_ms;
    struct user_info user;
    struct text_list audiences;
    const char *warning;
};

struct stripe {
    pthread_mutex_t mu; /* guards by_digest; nothing is called with it held */
    struct map by_digest;
};

struct tokens {
    struct token_method **methods;
    size_t n_methods;
    struct arena *arena; /* api_audiences */
    struct text_list api_audiences;
    EVP_MAC_CTX *mac; /* keyed; copied for each use */
    struct stripe stripes[N_STRIPES];
};

/* --- the cache --- */

static void mac_add(EVP_MAC_CTX *mac, struct text t)
{
    uint32_t n = (uint32_t)t.n;

    EVP_MAC_update(mac, (const unsigned char *)&n, sizeof(n)); /* the lengths tell "ab","c" from "a","bc" */
    EVP_MAC_update(mac, (const unsigned char *)t.p, t.n);
}

static struct text digest_of(const struct tokens *t, const struct token_question *q)
{
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(t->mac);
    char *digest = arena_alloc(q->arena, DIGEST_BYTES);
    size_t n = 0;

    mac_add(mac, q->token);
    for (size_t i = 0; q->audiences && i < q->audiences->n; i++)
        mac_add(mac, q->audiences->p[i]);
    if (!EVP_MAC_final(mac, (unsigned char *)digest, &n, DIGEST_BYTES))
        n = 0;
    EVP_MAC_CTX_free(mac);
    return (struct text){digest, n};
}

static void copy_audiences(struct arena *a, const struct text_list *from, struct text_list *to)
{
    *to = (struct text_list){0};
    for (size_t i = 0; i < from->n; i++)
        text_list_add(a, to, arena_text(a, from->p[i]));
}

static void forget_all_locked(struct stripe *s)
{
    size_t i = 0;
    struct map_slot *slot;

    while ((slot = map_next(&s->by_digest, &i)))
        arena_free(((struct known_token *)slot->value)->arena);
    map_deinit(&s->by_digest);
    s->by_digest = (struct map){0};
}

static struct stripe *stripe_of(struct tokens *t, struct text digest)
{
    return &t->stripes[(unsigned char)digest.p[0] % N_STRIPES];
}

static bool recall(struct tokens *t, struct text digest, struct token_question *q)
{
    struct stripe *s = stripe_of(t, digest);

    pthread_mutex_lock(&s->mu);
    struct known_token *k = map_get(&s->by_digest, digest);
    bool good = k && clock_mono_ms() < k->until_ms;
    if (good) {
        user_copy(q->arena, &k->user, &q->user);
        copy_audiences(q->arena, &k->audiences, &q->ret_audiences);
        q->warning = k->warning;
    }
    pthread_mutex_unlock(&s->mu);
    return good;
}

static void remember(struct tokens *t, struct text digest, const struct token_question *q)
{
    struct stripe *s = stripe_of(t, digest);
    struct arena *a = arena_new();
    struct known_token *k = ARENA_NEW(a, struct known_token);

    k->arena = a;
    k->digest = arena_text(a, digest);
    k->until_ms = clock_mono_ms() + KNOWN_MS;
    user_copy(a, &q->user, &k->user);
    copy_audiences(a, &q->ret_audiences, &k->audiences);
    k->warning = q->warning;
    pthread_mutex_lock(&s->mu);
    if (s->by_digest.n >= STRIPE_MAX)
        forget_all_locked(s);
    struct known_token *old = map_put(&s->by_digest, k->digest, k);
    pthread_mutex_unlock(&s->mu);
    if (old)
        arena_free(old->arena);
}

/* --- the union --- */

/* Which of the wanted the API server is; all of its own when nobody is asked for. */
static void intersect(struct arena *a, const struct text_list *wanted, const struct text_list *own, struct text_list *ret)
{
    *ret = (struct text_list){0};
    if (!wanted) {
        *ret = *own;
        return;
    }
    for (size_t i = 0; i < own->n; i++)
        for (size_t j = 0; j < wanted->n; j++)
            if (text_eq(own->p[i], wanted->p[j])) {
                text_list_add(a, ret, own->p[i]);
                break;
            }
}

static enum authn_decision ask_one(struct tokens *t, struct token_method *m, struct token_question *q)
{
    struct text_list audiences;

    if (!m->is_audience_agnostic)
        return m->authenticate(m, q);
    intersect(q->arena, q->audiences, &t->api_audiences, &audiences);
    if (q->audiences && !audiences.n)
        return AUTHN_NO_OPINION;
    enum authn_decision d = m->authenticate(m, q);
    if (d == AUTHN_KNOWN)
        q->ret_audiences = audiences;
    return d;
}

enum authn_decision tokens_ask(struct tokens *t, struct token_question *q)
{
    struct text digest = digest_of(t, q);
    enum authn_decision ret = AUTHN_NO_OPINION;

    if (digest.n != DIGEST_BYTES)
        return AUTHN_REFUSED;
    if (recall(t, digest, q))
        return AUTHN_KNOWN;
    for (size_t i = 0; i < t->n_methods; i++) {
        enum authn_decision d = ask_one(t, t->methods[i], q);
        if (d == AUTHN_KNOWN) {
            if (!user_in_group(&q->user, GROUP_AUTHENTICATED))
                user_add_group(q->arena, &q->user, TEXT(GROUP_AUTHENTICATED));
            remember(t, digest, q);
        }
        if (d == AUTHN_KNOWN || d == AUTHN_WOULD_BLOCK)
            return d;
        if (d == AUTHN_REFUSED)
            ret = d;
    }
    return ret;
}

struct tokens *tokens_new(struct token_method **methods, size_t n, const struct text_list *api_audiences)
{
    struct tokens *t = xcalloc(1, sizeof(*t));
    unsigned char key[DIGEST_BYTES];
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0), OSSL_PARAM_END};

    t->methods = xcalloc(n + 1, sizeof(struct token_method *));
    for (; t->n_methods < n; t->n_methods++)
        t->methods[t->n_methods] = methods[t->n_methods];
    t->arena = arena_new();
    copy_audiences(t->arena, api_audiences, &t->api_audiences);
    t->mac = EVP_MAC_CTX_new(hmac);
    if (RAND_bytes(key, sizeof(key)) != 1 || !EVP_MAC_init(t->mac, key, sizeof(key), params))
        out_of_memory(); /* the library has no randomness or no SHA-256: nothing can be done without */
    OPENSSL_cleanse(key, sizeof(key));
    EVP_MAC_free(hmac);
    for (size_t i = 0; i < N_STRIPES; i++)
        pthread_mutex_init(&t->stripes[i].mu, NULL);
    return t;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_methods; i++)
        t->methods[i]->free(t->methods[i]);
    for (size_t i = 0; i < N_STRIPES; i++) {
        forget_all_locked(&t->stripes[i]);
        pthread_mutex_destroy(&t->stripes[i].mu);
    }
    EVP_MAC_CTX_free(t->mac);
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
        request_warn(r, "the provided Authorization header contains extra space before the bearer token, and is ignored");
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
            if (n_tokens++ || !base64_decode(r->arena, BASE64_RAW_URL, text_from(part, sizeof(WEBSOCKET_BEARER_PREFIX) - 1), ret) ||
                !text_is_utf8(*ret))
                return BAD_TOKEN;
        }
    }
    if (!n_tokens || !ret->n)
        return NO_TOKEN;
    return n_others ? TOKEN : BAD_TOKEN; /* there must be one to answer with */
}

static enum authn_decision bearer_authenticate(struct authn_method *method, struct request *r, struct user_info *ret)
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

    m->method = (struct authn_method){.name = "bearertoken", .authenticate = bearer_authenticate, .free = bearer_free};
    m->tokens = t;
    return &m->method;
}
