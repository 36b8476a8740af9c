/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what is signed is verified, and nothing else. */
#include "authn/jwt.h"

#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "unit.h"

static EVP_PKEY *make(const char *kind)
{
    EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(kind);
    ck_assert_ptr_nonnull(key);
    return key;
}

static struct text pem_of(struct arena *a, EVP_PKEY *key, bool is_private)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    if (is_private)
        PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PUBKEY(b, key);
    long n = BIO_get_mem_data(b, &p);
    struct text t = arena_text(a, (struct text){p, (size_t)n});
    BIO_free(b);
    return t;
}

static struct text url64(struct arena *a, const char *s)
{
    return base64_encode(a, BASE64_RAW_URL, text_of(s));
}

static const struct {
    const char *kind, *method;
} key_rows[] = {{"RSA", "RS256"}, {"P-256", "ES256"}, {"P-384", "ES384"}, {"P-521", "ES512"}};

START_TEST(what_is_signed_is_verified_by_its_key_only)
{
    struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    for (size_t i = 0; i < N_ELEMENTS(key_rows); i++) {
        EVP_PKEY *key = make(key_rows[i].kind), *other = make(key_rows[i].kind);
        struct text token;
        struct jwt t;
        ck_assert_int_eq(jwt_sign(a, key, TEXT("k1"), TEXT("{\"sub\":\"me\"}"), &token, &st), 0);
        ck_assert_int_eq(jwt_parse(a, token, &t, &st), 0);
        ck_assert(text_is(t.alg, key_rows[i].method));
        ck_assert(text_is(t.kid, "k1"));
        ck_assert(text_is(value_get_text(&t.claims, TEXT("sub")), "me"));
        ck_assert(jwt_verify(&t, key));
        ck_assert(!jwt_verify(&t, other));
        /* each byte of it counts */
        for (size_t at = 0; at < token.n; at += 7) {
            char *bad = arena_str(a, token);
            bad[at] = bad[at] == 'A' ? 'B' : 'A';
            if (jwt_parse(a, (struct text){bad, token.n}, &t, &st) == 0)
                ck_assert_msg(!jwt_verify(&t, key) || at == token.n - 1, "%s: byte %zu", key_rows[i].kind, at);
        }
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
    }
    arena_free(a);
}
END_TEST

START_TEST(none_and_shared_secrets_are_no_methods)
{
    struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    EVP_PKEY *key = make("RSA");
    struct text pem = pem_of(a, key, false);
    static const char *const heads[] = {"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}", "{\"alg\":\"None\"}", "{}",
                                        "{\"alg\":\"ES256\"}", "{\"alg\":\"rs256\"}"};
    for (size_t i = 0; i < N_ELEMENTS(heads); i++) {
        unsigned char mac[32];
        unsigned n = sizeof(mac);
        struct jwt t;
        struct text head = url64(a, heads[i]), claims = url64(a, "{\"sub\":\"me\"}");
        struct text part = arena_textf(a, "%.*s.%.*s", TEXT_ARG(head), TEXT_ARG(claims));
        /* signed with the public key as if it were a secret: the confusion of keys */
        HMAC(EVP_sha256(), pem.p, (int)pem.n, (const unsigned char *)part.p, part.n, mac, &n);
        struct text token = arena_textf(a, "%.*s.%.*s", TEXT_ARG(part),
                                        TEXT_ARG(base64_encode(a, BASE64_RAW_URL, (struct text){(char *)mac, n})));
        ck_assert_int_eq(jwt_parse(a, token, &t, &st), 0);
        ck_assert(!jwt_verify(&t, key));
    }
    EVP_PKEY_free(key);
    arena_free(a);
}
END_TEST

START_TEST(what_is_no_token_is_refused)
{
    struct arena *a = arena_new();
    static const char *const bad[] = {"", ".", "..", "a.b", "e30.e30.", "e30.e30", "e30.e30.AA.AA", "e30=.e30.AA", "W10.e30.AA",
                                      "e30.W10.AA", "e30.e30.A", " e30.e30.AA", "eyJjcml0IjpbXX0.e30.AA",
                                      /* {"sub":"a","sub":"b"} */ "e30.eyJzdWIiOiJhIiwic3ViIjoiYiJ9.AA"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        CLEANUP(status_clear) struct status st = {0};
        struct jwt t;
        ck_assert_msg(jwt_parse(a, text_of(bad[i]), &t, &st) < 0, "%s", bad[i]);
        ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
    }
    CLEANUP(status_clear) struct status st = {0};
    struct jwt t;
    char *big = arena_alloc0(a, JWT_BYTES_MAX + 1);
    memset(big, 'e', JWT_BYTES_MAX + 1);
    ck_assert_int_eq(jwt_parse(a, (struct text){big, JWT_BYTES_MAX + 1}, &t, &st), -1);
    ck_assert_ptr_nonnull(strstr(st.message, "larger"));
    arena_free(a);
}
END_TEST

static const struct {
    const char *claims;
    bool is_good;
} time_rows[] = {
    {"{}", true},
    {"{\"exp\":1000}", true},
    {"{\"exp\":940}", true}, /* a minute of leeway */
    {"{\"exp\":939}", false},
    {"{\"exp\":939.5}", false},
    {"{\"nbf\":1060}", true},
    {"{\"nbf\":1061}", false},
    {"{\"iat\":1061}", false},
    {"{\"iat\":5,\"nbf\":5,\"exp\":5000}", true},
};

START_TEST(times_have_a_minute_of_leeway)
{
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(time_rows); i++) {
        CLEANUP(status_clear) struct status st = {0};
        struct value v;
        ck_assert_int_eq(json_read(a, text_of(time_rows[i].claims), NULL, &v, &st), 0);
        ck_assert_msg((jwt_time_problem(&v, 1000) == NULL) == time_rows[i].is_good, "%s", time_rows[i].claims);
    }
    arena_free(a);
}
END_TEST

START_TEST(keys_go_through_pem_and_sets)
{
    struct arena *a = arena_new();
    struct jwt_keys keys = {0}, again = {0};
    CLEANUP(status_clear) struct status st = {0};
    struct buffer pem = BUFFER_IN(a), set = BUFFER_IN(a);
    EVP_PKEY *own[N_ELEMENTS(key_rows)];

    for (size_t i = 0; i < N_ELEMENTS(key_rows); i++) {
        own[i] = make(key_rows[i].kind);
        buffer_add(&pem, pem_of(a, own[i], i % 2)); /* private ones give their public half */
    }
    ck_assert_int_eq(jwt_keys_add_pem(&keys, buffer_text(&pem), "f", &st), 0);
    ck_assert_int_eq(keys.n, N_ELEMENTS(key_rows));
    jwt_keys_write_set(&set, &keys);
    ck_assert_int_eq(jwt_keys_add_set(&again, buffer_text(&set), &st), 0);
    ck_assert_int_eq(again.n, N_ELEMENTS(key_rows));
    for (size_t i = 0; i < N_ELEMENTS(key_rows); i++) {
        ck_assert(EVP_PKEY_eq(own[i], keys.p[i].key) == 1 && EVP_PKEY_eq(own[i], again.p[i].key) == 1);
        ck_assert(text_eq(keys.p[i].kid, again.p[i].kid) && keys.p[i].kid.n == 43);
        EVP_PKEY_free(own[i]);
    }
    jwt_keys_deinit(&keys);
    jwt_keys_deinit(&again);
    ck_assert_int_eq(jwt_keys_add_pem(&keys, TEXT("nothing"), "some file", &st), -1);
    ck_assert_ptr_nonnull(strstr(st.message, "some file does not contain any valid"));
    EVP_PKEY *odd = make("secp256k1");
    ck_assert_int_eq(jwt_keys_add_pem(&keys, pem_of(a, odd, false), "f", &st), -1);
    EVP_PKEY_free(odd);
    jwt_keys_deinit(&keys);
    arena_free(a);
}
END_TEST

static const char *const bad_sets[] = {"", "[]", "{}", "{\"keys\":{}}", "{\"keys\":1}"};

START_TEST(sets_skip_what_they_do_not_know)
{
    CLEANUP(status_clear) struct status st = {0};
    struct jwt_keys keys = {0};
    for (size_t i = 0; i < N_ELEMENTS(bad_sets); i++)
        ck_assert_int_eq(jwt_keys_add_set(&keys, text_of(bad_sets[i]), &st), -1);
    ck_assert_int_eq(jwt_keys_add_set(&keys,
                                      TEXT("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"},"
                                           "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},"
                                           "{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"AQAB\",\"e\":\"AQAB\"},7]}"),
                                      &st),
                     0);
    ck_assert_int_eq(keys.n, 0);
    jwt_keys_deinit(&keys);
}
END_TEST

UNIT_MAIN("jwt", what_is_signed_is_verified_by_its_key_only, none_and_shared_secrets_are_no_methods, what_is_no_token_is_refused,
          times_have_a_minute_of_leeway, keys_go_through_pem_and_sets, sets_skip_what_they_do_not_know)
