/* SPDX-License-Identifier: Apache-2.0 */
/* What a bearer token costs: bench_authn. Nanoseconds of CPU for one that was seen before, by way of the
 * Authorization header and all, and for an RS256 token that was not: read by each of the three methods that
 * read such tokens, and its signature checked once. Targets: 5 us together with RBAC (see bench_authz), and
 * 120 us. */
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "authn.h"
#include "authn/jwt.h"

#define N_SEEN 200000
#define N_UNSEEN 5000
#define N_READERS 3 /* legacy and bound service account tokens, OpenID Connect */

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static struct text make_token(struct arena *a, EVP_PKEY *key)
{
    struct status st = {0};
    struct text token;

    must(jwt_sign(
             a, key, TEXT("k1"),
             TEXT("{\"aud\":[\"https://kubernetes.default.svc.cluster.local\"],\"exp\":4102444800,\"iat\":"
                  "1767225600,\"iss\":\"https://kubernetes.default.svc.cluster.local\",\"jti\":"
                  "\"2d0cbe18-9a3f-4f0e-8a0e-0b7a5c1d2e3f\",\"kubernetes.io\":{\"namespace\":\"default\","
                  "\"pod\":{\"name\":\"web-0\",\"uid\":\"4e0d1b8e-4c0b-4a55-8a2f-b2a1c3d4e5f6\"},"
                  "\"serviceaccount\":{\"name\":\"web\",\"uid\":\"c0f3a1b2-7d8e-4f90-9a1b-2c3d4e5f6a7b\"}},"
                  "\"nbf\":1767225600,\"sub\":\"system:serviceaccount:default:web\"}"),
             &token, &st) == 0,
         "the token cannot be signed");
    return token;
}

/* --- seen --- */

static enum authn_decision knows_all(struct token_method *m, struct token_question *q)
{
    static struct text groups[] = {TEXT("system:serviceaccounts"), TEXT("system:serviceaccounts:default")};

    (void)m;
    q->user = (struct user_info){
        .name = TEXT("system:serviceaccount:default:web"), .groups = groups, .n_groups = 2};
    return AUTHN_KNOWN;
}

static void nothing(struct token_method *m)
{
    (void)m;
}

static double seen(struct text token)
{
    static struct token_method method = {.name = "bench", .authenticate = knows_all, .free = nothing};
    struct token_method *methods[] = {&method};
    const struct text_list audiences = {0};
    struct tokens *t = tokens_new(methods, 1, &audiences);
    struct authn_method *bearer = authn_bearer_new(t);
    struct arena *a = arena_new(), *kept = arena_new();
    const struct header header = {TEXT("Authorization"), arena_textf(kept, "Bearer %.*s", TEXT_ARG(token))};
    struct request r = {.arena = a, .headers = &header, .n_headers = 1};
    int64_t begun = cpu_ns();

    for (int i = 0; i < N_SEEN; i++) {
        struct user_info u = {0};
        must(bearer->authenticate(bearer, &r, &u) == AUTHN_KNOWN, "the token is not known");
        arena_reset(a);
    }
    double ns = (double)(cpu_ns() - begun) / N_SEEN;
    bearer->free(bearer);
    tokens_free(t);
    arena_free(a);
    arena_free(kept);
    return ns;
}

/* --- not seen --- */

static double unseen(struct text token, EVP_PKEY *key)
{
    struct arena *a = arena_new();
    struct status st = {0};
    int64_t begun = cpu_ns();

    for (int i = 0; i < N_UNSEEN; i++) {
        struct jwt t;
        for (int k = 0; k < N_READERS; k++)
            must(jwt_parse(a, token, &t, &st) == 0, "the token cannot be read");
        must(jwt_verify(&t, key) && !jwt_time_problem(&t.claims, clock_now_ns() / 1000000000),
             "the token is no good");
        arena_reset(a);
    }
    double ns = (double)(cpu_ns() - begun) / N_UNSEEN;
    arena_free(a);
    return ns;
}

int main(void)
{
    struct arena *a = arena_new();
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct text token = make_token(a, key);

    printf("authentication by a token seen before: %.0f ns\n", seen(token));
    printf("by an RS256 token not seen before: %.1f us\n", unseen(token, key) / 1000);
    EVP_PKEY_free(key);
    arena_free(a);
    return 0;
}
