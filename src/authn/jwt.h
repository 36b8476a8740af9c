/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.h - JSON web tokens in compact form, signed by public key methods, and sets of keys (JWKS).
 * The method that a token names is taken only when it is one of the key's own: "none" and the shared secret methods are
 * nobody's, so a token can neither go unsigned nor be signed with a public key as if that were a secret.
 * Threads: any. Source: RFC 7515, 7517, 7518. */
#pragma once

#include <openssl/evp.h>

#include "base.h"

#define JWT_BYTES_MAX 65536

struct jwt {
    struct text alg, kid; /* kid empty: not said */
    struct text signed_part, signature;
    struct value claims; /* an object; not to be believed before jwt_verify */
};
/* BAD_REQUEST for anything that is no such token; a repeated member counts as such. */
int jwt_parse(struct arena *a, struct text token, struct jwt *ret, struct status *st);
bool jwt_verify(const struct jwt *t, EVP_PKEY *key);
/* The method that a key signs with here: "RS256" for RSA, "ES256", "ES384" or "ES512" by the curve; NULL: no such key. */
const char *jwt_method_of(const EVP_PKEY *key);
/* claims: JSON. kid: may be empty. */
int jwt_sign(struct arena *a, EVP_PKEY *key, struct text kid, struct text claims, struct text *ret, struct status *st);

/* The claims' times, with a minute of leeway as go-jose; NULL: the token is valid now. */
const char *jwt_time_problem(const struct value *claims, int64_t now_s);
/* "aud": a text or a list of them. */
struct text_list jwt_audiences(struct arena *a, const struct value *claims);

/* --- keys --- */

struct jwt_key {
    EVP_PKEY *key;
    struct text kid;
};
struct jwt_keys {
    struct arena *arena; /* the texts and the array */
    struct jwt_key *p;
    size_t n, cap;
};
void jwt_keys_deinit(struct jwt_keys *keys);
/* Adds every public key of a PEM text: keys, the public halves of private ones, certificates. Their kid is that of upstream: the SHA-256
 * of the key's DER. Fails, naming what, when there is none or one is of no use here. */
int jwt_keys_add_pem(struct jwt_keys *keys, struct text pem, const char *what, struct status *st);
/* Adds the keys of a JWKS that are for signatures and of a kind known here. -1: it is no key set. */
int jwt_keys_add_set(struct jwt_keys *keys, struct text json, struct status *st);
/* {"keys":[...]}, each with use, kty, kid, alg. */
void jwt_keys_write_set(struct buffer *b, const struct jwt_keys *keys);
struct text jwt_key_id(struct arena *a, EVP_PKEY *key);
EVP_PKEY *jwt_private_key(struct text pem); /* NULL: there is none */
