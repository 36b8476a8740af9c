/* SPDX-License-Identifier: Apache-2.0 */
/* A client's next request costs one keyed hash and one look-up. The key is made at start, so that nobody can
 * choose tokens that collide. The cache lies in stripes, each with a lock of its own and a bounded number of
 * entries; one that is full is emptied. */
#include "authn/token_cache.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "authn/metrics.h"
#include "authn/users.h"

#define N_STRIPES 16
#define STRIPE_MAX 1024
#define DIGEST_BYTES 32

struct entry {
    struct arena *arena; /* owns all of it, itself included */
    struct text digest;
    int64_t until_ms;
    enum authn_decision decision;
    struct user_info user;
    struct text_list audiences;
    const char *warning, *error;
};

struct stripe {
    pthread_mutex_t mu; /* guards by_digest; nothing is called with it held */
    struct map by_digest;
};

struct token_cache {
    int64_t known_ms, unknown_ms;
    EVP_MAC_CTX *mac; /* keyed; copied for each use */
    struct stripe stripes[N_STRIPES];
};

static void mac_add(EVP_MAC_CTX *mac, struct text t)
{
    uint32_t n = (uint32_t)t.n;

    EVP_MAC_update(mac, (const unsigned char *)&n, sizeof(n)); /* the lengths tell "ab","c" from "a","bc" */
    EVP_MAC_update(mac, (const unsigned char *)t.p, t.n);
}

struct text token_cache_key(const struct token_cache *c, const struct token_question *q)
{
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(c->mac);
    char *digest = arena_alloc(q->arena, DIGEST_BYTES);
    size_t n = 0;

    if (!mac)
        return TEXT_NONE;
    mac_add(mac, q->token);
    for (size_t i = 0; q->audiences && i < q->audiences->n; i++)
        mac_add(mac, q->audiences->p[i]);
    if (!EVP_MAC_final(mac, (unsigned char *)digest, &n, DIGEST_BYTES) || n != DIGEST_BYTES)
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
        arena_free(((struct entry *)slot->value)->arena);
    map_deinit(&s->by_digest);
    s->by_digest = (struct map){0};
}

static struct stripe *stripe_of(struct token_cache *c, struct text key)
{
    return &c->stripes[(unsigned char)key.p[0] % N_STRIPES];
}

bool token_cache_find(struct token_cache *c, struct text key, struct token_question *q,
                      enum authn_decision *ret)
{
    struct stripe *s = stripe_of(c, key);
    int64_t start_ns = clock_mono_ns();

    pthread_mutex_lock(&s->mu);
    const struct entry *e = map_get(&s->by_digest, key);
    bool is_good = e && clock_mono_ms() < e->until_ms;
    if (is_good) {
        *ret = e->decision;
        user_copy(q->arena, &e->user, &q->user);
        copy_audiences(q->arena, &e->audiences, &q->ret_audiences);
        q->warning = e->warning;
        q->error = e->error ? arena_strdup(q->arena, e->error) : NULL;
    }
    pthread_mutex_unlock(&s->mu);
    if (is_good)
        authn_count_cache(true, clock_mono_ns() - start_ns);
    return is_good;
}

void token_cache_keep(struct token_cache *c, struct text key, const struct token_question *q,
                      enum authn_decision d)
{
    int64_t keep_ms = d == AUTHN_KNOWN ? c->known_ms : c->unknown_ms;
    struct stripe *s = stripe_of(c, key);

    if (keep_ms <= 0)
        return;
    struct arena *a = arena_new();
    struct entry *e = ARENA_NEW(a, struct entry);
    e->arena = a;
    e->digest = arena_text(a, key);
    e->until_ms = clock_mono_ms() + keep_ms;
    e->decision = d;
    user_copy(a, &q->user, &e->user);
    copy_audiences(a, &q->ret_audiences, &e->audiences);
    e->warning = q->warning;
    e->error = q->error ? arena_strdup(a, q->error) : NULL;
    pthread_mutex_lock(&s->mu);
    if (s->by_digest.n >= STRIPE_MAX)
        forget_all_locked(s);
    struct entry *old = map_put(&s->by_digest, e->digest, e);
    pthread_mutex_unlock(&s->mu);
    if (old)
        arena_free(old->arena);
}

struct token_cache *token_cache_new(int64_t known_ms, int64_t unknown_ms)
{
    struct token_cache *c = xcalloc(1, sizeof(*c));
    unsigned char key[DIGEST_BYTES];
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                           OSSL_PARAM_END};

    authn_metrics_register();
    c->known_ms = known_ms;
    c->unknown_ms = unknown_ms;
    c->mac = EVP_MAC_CTX_new(hmac);
    if (RAND_bytes(key, sizeof(key)) != 1 || !EVP_MAC_init(c->mac, key, sizeof(key), params))
        out_of_memory(); /* the library has no randomness or no SHA-256: nothing can be done without */
    OPENSSL_cleanse(key, sizeof(key));
    EVP_MAC_free(hmac);
    for (size_t i = 0; i < N_STRIPES; i++)
        pthread_mutex_init(&c->stripes[i].mu, NULL);
    return c;
}

void token_cache_free(struct token_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < N_STRIPES; i++) {
        forget_all_locked(&c->stripes[i]);
        pthread_mutex_destroy(&c->stripes[i].mu);
    }
    EVP_MAC_CTX_free(c->mac);
    free(c);
}
