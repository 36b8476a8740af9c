/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of tokens: from PEM, from and to JWKS. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "authn/jwt.h"

void jwt_keys_deinit(struct jwt_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++)
        EVP_PKEY_free(keys->p[i].key);
    arena_free(keys->arena);
    *keys = (struct jwt_keys){0};
}

/* Takes key. */
static void add(struct jwt_keys *keys, EVP_PKEY *key, struct text kid)
{
    if (!keys->arena)
        keys->arena = arena_new();
    if (keys->n == keys->cap) {
        size_t cap = keys->cap ? 2 * keys->cap : 4;
        keys->p = arena_grow(keys->arena, keys->p, keys->cap * sizeof(*keys->p), cap * sizeof(*keys->p));
        keys->cap = cap;
    }
    keys->p[keys->n++] = (struct jwt_key){key, kid.p ? arena_text(keys->arena, kid) : jwt_key_id(keys->arena, key)};
}

struct text jwt_key_id(struct arena *a, EVP_PKEY *key)
{
    unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH];
    int n = i2d_PUBKEY(key, &der);
    unsigned digest_n = sizeof(digest);

    if (n <= 0 || !EVP_Digest(der, (size_t)n, digest, &digest_n, EVP_sha256(), NULL))
        digest_n = 0;
    OPENSSL_free(der);
    return base64_encode(a, BASE64_RAW_URL, (struct text){(const char *)digest, digest_n});
}

/* --- PEM --- */

static EVP_PKEY *public_half(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = key ? i2d_PUBKEY(key, &der) : 0;
    const unsigned char *p = der;
    EVP_PKEY *half = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;

    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return half;
}

static EVP_PKEY *key_of_block(const char *name, const unsigned char *der, long n)
{
    struct text t = text_of(name);

    if (text_is(t, "PUBLIC KEY"))
        return d2i_PUBKEY(NULL, &der, n);
    if (text_is(t, "RSA PUBLIC KEY"))
        return d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, n);
    if (text_is(t, "CERTIFICATE")) {
        X509 *c = d2i_X509(NULL, &der, n);
        EVP_PKEY *key = c ? X509_get_pubkey(c) : NULL;
        X509_free(c);
        return key;
    }
    return text_ends(t, TEXT("PRIVATE KEY")) ? public_half(d2i_AutoPrivateKey(NULL, &der, n)) : NULL;
}

int jwt_keys_add_pem(struct jwt_keys *keys, struct text pem, const char *what, struct status *st)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    char *name, *header;
    unsigned char *der;
    long n;
    size_t before = keys->n;
    bool is_useless = false;

    while (in && PEM_read_bio(in, &name, &header, &der, &n)) {
        EVP_PKEY *key = key_of_block(name, der, n);
        if (key && jwt_method_of(key)) {
            add(keys, key, TEXT_NONE);
        } else if (key) {
            EVP_PKEY_free(key);
            is_useless = true;
        }
        OPENSSL_clear_free(der, (size_t)n);
        OPENSSL_free(name);
        OPENSSL_free(header);
    }
    BIO_free(in);
    ERR_clear_error();
    if (is_useless)
        return status_set(st, STATUS_BAD_REQUEST, "%s: a key must be RSA or of a curve P-256, P-384 or P-521", what);
    if (keys->n == before)
        return status_set(st, STATUS_BAD_REQUEST, "%s does not contain any valid RSA or ECDSA public keys", what);
    return 0;
}

EVP_PKEY *jwt_private_key(struct text pem)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;

    BIO_free(in);
    ERR_clear_error();
    return key;
}

/* --- key sets, in --- */

static bool number_at(struct arena *a, const struct value *jwk, const char *name, BIGNUM **ret)
{
    struct text bytes;

    if (!base64_decode(a, BASE64_RAW_URL, value_get_text(jwk, text_of(name)), &bytes) || !bytes.n || bytes.n > 1024)
        return false;
    *ret = BN_bin2bn((const unsigned char *)bytes.p, (int)bytes.n, NULL);
    return *ret != NULL;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(struct arena *a, const struct value *jwk)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL, *e = NULL;
    EVP_PKEY *key = NULL;

    if (number_at(a, jwk, "n", &n) && number_at(a, jwk, "e", &e) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
        key = key_from("RSA", build);
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static const struct curve {
    const char *name, *group;
    size_t bytes;
} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

static EVP_PKEY *ec_key(struct arena *a, const struct value *jwk)
{
    struct text name = value_get_text(jwk, TEXT("crv")), x, y;
    const struct curve *c = curves;
    unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};

    while (c < curves + N_ELEMENTS(curves) && !text_is(name, c->name))
        c++;
    if (c == curves + N_ELEMENTS(curves) ||
        !base64_decode(a, BASE64_RAW_URL, value_get_text(jwk, TEXT("x")), &x) ||
        !base64_decode(a, BASE64_RAW_URL, value_get_text(jwk, TEXT("y")), &y) || x.n != c->bytes || y.n != c->bytes)
        return NULL;
    memcpy(point + 1, x.p, x.n);
    memcpy(point + 1 + x.n, y.p, y.n);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->bytes))
        key = key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

int jwt_keys_add_set(struct jwt_keys *keys, struct text json, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct json_options opt = {.depth_max = 64};
    struct value root;

    if (json_read(a, json, &opt, &root, st) < 0)
        return status_wrap(st, "key set");
    const struct value *list = value_get(&root, TEXT("keys"));
    if (!list || list->kind != VALUE_LIST)
        return status_set(st, STATUS_BAD_REQUEST, "key set: there is no list of keys");
    for (size_t i = 0; i < list->n; i++) {
        const struct value *jwk = &list->items[i];
        struct text use = value_get_text(jwk, TEXT("use")), type = value_get_text(jwk, TEXT("kty"));
        EVP_PKEY *key = NULL;
        if (use.n && !text_is(use, "sig"))
            continue;
        if (text_is(type, "RSA"))
            key = rsa_key(a, jwk);
        else if (text_is(type, "EC"))
            key = ec_key(a, jwk);
        ERR_clear_error();
        if (key && jwt_method_of(key))
            add(keys, key, value_get_text(jwk, TEXT("kid")).n ? value_get_text(jwk, TEXT("kid")) : TEXT(""));
        else
            EVP_PKEY_free(key);
    }
    return 0;
}

/* --- key sets, out --- */

static void write_number(struct buffer *b, const char *name, EVP_PKEY *key, const char *param, int bytes)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    BIGNUM *n = NULL;

    if (EVP_PKEY_get_bn_param(key, param, &n) != 1)
        return;
    int size = bytes ? bytes : BN_num_bytes(n);
    unsigned char *raw = arena_alloc(a, (size_t)size);
    BN_bn2binpad(n, raw, size);
    BN_free(n);
    buffer_addf(b, ",\"%s\":\"%.*s\"", name,
                TEXT_ARG(base64_encode(a, BASE64_RAW_URL, (struct text){(const char *)raw, (size_t)size})));
}

static void write_key(struct buffer *b, const struct jwt_key *k)
{
    bool is_ec = EVP_PKEY_get_base_id(k->key) == EVP_PKEY_EC;
    const struct curve *c = curves;

    while (is_ec && c < curves + N_ELEMENTS(curves) - 1 && 8 * c->bytes < (size_t)EVP_PKEY_get_bits(k->key))
        c++;
    buffer_addf(b, "{\"use\":\"sig\",\"kty\":\"%s\",\"kid\":", is_ec ? "EC" : "RSA");
    json_write_string(b, k->kid);
    if (is_ec) {
        buffer_addf(b, ",\"crv\":\"%s\",\"alg\":\"%s\"", c->name, jwt_method_of(k->key));
        write_number(b, "x", k->key, OSSL_PKEY_PARAM_EC_PUB_X, (int)c->bytes);
        write_number(b, "y", k->key, OSSL_PKEY_PARAM_EC_PUB_Y, (int)c->bytes);
    } else {
        buffer_addf(b, ",\"alg\":\"%s\"", jwt_method_of(k->key));
        write_number(b, "n", k->key, OSSL_PKEY_PARAM_RSA_N, 0);
        write_number(b, "e", k->key, OSSL_PKEY_PARAM_RSA_E, 0);
    }
    buffer_add_char(b, '}');
}

void jwt_keys_write_set(struct buffer *b, const struct jwt_keys *keys)
{
    buffer_add_str(b, "{\"keys\":[");
    for (size_t i = 0; i < keys->n; i++) {
        if (i)
            buffer_add_char(b, ',');
        write_key(b, &keys->p[i]);
    }
    buffer_add_str(b, "]}");
}
