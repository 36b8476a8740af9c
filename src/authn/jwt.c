/* SPDX-License-Identifier: Apache-2.0 */
#include "authn/jwt.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#define LEEWAY_S 60
#define RSA_BITS_MIN 1024 /* as Go's crypto/rsa */

/* Every method that a token may name. curve NULL: RSA. */
static const struct method {
    const char *name, *hash, *curve;
    unsigned coordinate_bytes;
    bool is_pss;
} methods[] = {
    {"RS256", "SHA256", NULL, 0, false},
    {"RS384", "SHA384", NULL, 0, false},
    {"RS512", "SHA512", NULL, 0, false},
    {"PS256", "SHA256", NULL, 0, true},
    {"PS384", "SHA384", NULL, 0, true},
    {"PS512", "SHA512", NULL, 0, true},
    {"ES256", "SHA256", "prime256v1", 32, false},
    {"ES384", "SHA384", "secp384r1", 48, false},
    {"ES512", "SHA512", "secp521r1", 66, false},
};

static bool fits_key(const struct method *m, const EVP_PKEY *key)
{
    int type = EVP_PKEY_get_base_id(key);
    char group[32];
    size_t n;

    if (!m->curve)
        return type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    return type == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 && strcmp(group, m->curve) == 0;
}

static const struct method *method_find(struct text name)
{
    for (size_t i = 0; i < N_ELEMENTS(methods); i++)
        if (text_is(name, methods[i].name))
            return &methods[i];
    return NULL;
}

static const struct method *method_of(const EVP_PKEY *key)
{
    for (size_t i = 0; i < N_ELEMENTS(methods); i++)
        if (!methods[i].is_pss && fits_key(&methods[i], key))
            return &methods[i];
    return NULL;
}

const char *jwt_method_of(const EVP_PKEY *key)
{
    const struct method *m = method_of(key);
    return m ? m->name : NULL;
}

/* --- parsing --- */

static bool read_object(struct arena *a, struct text encoded, struct value *ret, struct status *st)
{
    struct text_list duplicates = {0};
    const struct json_options opt = {.depth_max = 64, .duplicates = &duplicates};
    struct text json;

    return base64_decode(a, BASE64_RAW_URL, encoded, &json) && json_read(a, json, &opt, ret, st) == 0 &&
           duplicates.n == 0 && ret->kind == VALUE_OBJECT;
}

int jwt_parse(struct arena *a, struct text token, struct jwt *ret, struct status *st)
{
    struct text rest = token, header, claims, signature;
    struct value head;

    if (token.n > JWT_BYTES_MAX)
        return status_set(st, STATUS_BAD_REQUEST, "the token is larger than %d bytes", JWT_BYTES_MAX);
    if (!text_split(&rest, '.', &header) || !text_split(&rest, '.', &claims) || !text_split(&rest, '.', &signature) ||
        rest.p || !signature.n || !read_object(a, header, &head, st) || !read_object(a, claims, &ret->claims, st) ||
        !base64_decode(a, BASE64_RAW_URL, signature, &ret->signature))
        return status_set(st, STATUS_BAD_REQUEST, "not a signed JSON web token in compact form");
    if (value_get(&head, TEXT("crit")))
        return status_set(st, STATUS_BAD_REQUEST, "the token demands extensions (crit) that are not known");
    ret->signed_part = text_first(token, header.n + 1 + claims.n);
    ret->alg = value_get_text(&head, TEXT("alg"));
    ret->kid = value_get_text(&head, TEXT("kid"));
    return 0;
}

/* --- signatures --- */

/* r and s as two numbers of fixed length, which is the token's form, as DER, which is OpenSSL's. */
static bool signature_to_der(const struct method *m, struct text raw, unsigned char **ret, int *ret_n)
{
    size_t half = m->coordinate_bytes;

    if (raw.n != 2 * half)
        return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn((const unsigned char *)raw.p, (int)half, NULL);
    BIGNUM *s = BN_bin2bn((const unsigned char *)raw.p + half, (int)half, NULL);
    ECDSA_SIG_set0(sig, r, s);
    *ret_n = i2d_ECDSA_SIG(sig, ret);
    ECDSA_SIG_free(sig);
    return *ret_n > 0;
}

static bool signature_from_der(struct arena *a, const struct method *m, const unsigned char *der, size_t n,
                               struct text *ret)
{
    int half = (int)m->coordinate_bytes;
    unsigned char *raw = arena_alloc(a, 2 * (size_t)half);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, half) == half &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, half) == half;

    ECDSA_SIG_free(sig);
    *ret = (struct text){(const char *)raw, 2 * (size_t)half};
    return good;
}

static bool use_padding(const struct method *m, EVP_PKEY_CTX *ctx)
{
    return !m->is_pss || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                          EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

bool jwt_verify(const struct jwt *t, EVP_PKEY *key)
{
    const struct method *m = method_find(t->alg);
    struct text signature = t->signature;
    unsigned char *der = NULL;
    int der_n = 0;

    if (!m || !fits_key(m, key))
        return false;
    if (m->curve) {
        if (!signature_to_der(m, t->signature, &der, &der_n))
            return false;
        signature = (struct text){(const char *)der, (size_t)der_n};
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    bool good = ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, m->hash, NULL, NULL, key, NULL) == 1 &&
                use_padding(m, pctx) &&
                EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                                 (const unsigned char *)t->signed_part.p, t->signed_part.n) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return good;
}

static bool sign_bytes(struct arena *a, const struct method *m, EVP_PKEY *key, struct text bytes, struct text *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 0;
    bool good = ctx && EVP_DigestSignInit_ex(ctx, NULL, m->hash, NULL, NULL, key, NULL) == 1 &&
                EVP_DigestSign(ctx, NULL, &n, (const unsigned char *)bytes.p, bytes.n) == 1;

    if (good) {
        unsigned char *signature = arena_alloc(a, n);
        good = EVP_DigestSign(ctx, signature, &n, (const unsigned char *)bytes.p, bytes.n) == 1;
        *ret = (struct text){(const char *)signature, n};
        if (good && m->curve)
            good = signature_from_der(a, m, signature, n, ret);
    }
    EVP_MD_CTX_free(ctx);
    return good;
}

int jwt_sign(struct arena *a, EVP_PKEY *key, struct text kid, struct text claims, struct text *ret, struct status *st)
{
    const struct method *m = method_of(key);
    struct buffer head = BUFFER_IN(a), token = BUFFER_IN(a);
    struct text signature;

    if (!m)
        return status_internal_error(st, "the signing key is neither RSA nor of a curve P-256, P-384 or P-521");
    buffer_addf(&head, "{\"alg\":\"%s\"", m->name);
    if (kid.n) {
        buffer_add_str(&head, ",\"kid\":");
        json_write_string(&head, kid);
    }
    buffer_add_char(&head, '}');
    buffer_add(&token, base64_encode(a, BASE64_RAW_URL, buffer_text(&head)));
    buffer_add_char(&token, '.');
    buffer_add(&token, base64_encode(a, BASE64_RAW_URL, claims));
    if (!sign_bytes(a, m, key, buffer_text(&token), &signature))
        return status_internal_error(st, "the token could not be signed");
    buffer_add_char(&token, '.');
    buffer_add(&token, base64_encode(a, BASE64_RAW_URL, signature));
    *ret = buffer_text(&token);
    return 0;
}

/* --- claims --- */

/* Seconds, whole or not. False: there is no such claim. */
static bool seconds_of(const struct value *claims, const char *name, double *ret)
{
    const struct value *v = value_get(claims, text_of(name));

    if (!v || (v->kind != VALUE_INT && v->kind != VALUE_FLOAT))
        return false;
    *ret = v->kind == VALUE_INT ? (double)v->integer : v->number;
    return true;
}

const char *jwt_time_problem(const struct value *claims, int64_t now_s)
{
    double t;

    if (seconds_of(claims, "nbf", &t) && (double)(now_s + LEEWAY_S) < t)
        return "token not valid yet (nbf)";
    if (seconds_of(claims, "exp", &t) && (double)(now_s - LEEWAY_S) > t)
        return "token is expired (exp)";
    if (seconds_of(claims, "iat", &t) && (double)(now_s + LEEWAY_S) < t)
        return "token issued in the future (iat)";
    return NULL;
}

struct text_list jwt_audiences(struct arena *a, const struct value *claims)
{
    const struct value *aud = value_get(claims, TEXT("aud"));
    struct text_list list = {0};

    if (aud && aud->kind == VALUE_STRING)
        text_list_add(a, &list, value_text(aud));
    for (size_t i = 0; aud && aud->kind == VALUE_LIST && i < aud->n; i++)
        if (aud->items[i].kind == VALUE_STRING)
            text_list_add(a, &list, value_text(&aud->items[i]));
    return list;
}
