/* SPDX-License-Identifier: Apache-2.0 */
/* The ciphers with a key of the file's own, and AES-GCM for the envelopes. What stands in front of the encrypted bytes: CBC an
 * IV of 16 bytes, GCM a nonce of 12, secretbox one of 24. Only GCM authenticates the key under which a value is stored.
 * Source: kubernetes/apiserver pkg/storage/value/encrypt/aes/aes.go, secretbox/secretbox.go; RFC 5869 (HKDF). */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sodium.h>
#include <stdlib.h>

#include "base.h"
#include "storage/encryption_internal.h"

#define BLOCK_BYTES 16
#define GCM_NONCE_BYTES 12
#define GCM_TAG_BYTES 16
#define INFO_BYTES 32 /* in front of a value with a derived key */

static const char too_short[] = "the stored data was shorter than the required size";

void random_fill(void *p, size_t n)
{
    if (RAND_bytes(p, (int)n) != 1) {
        log_error("OpenSSL has no randomness");
        abort();
    }
}

static int fail(struct status *st, const char *what)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "%s", what);
}

static void sha256_of(const struct text *parts, size_t n, unsigned char ret[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        out_of_memory();
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = parts[i].n; /* so that no two lists of parts are one text */
        EVP_DigestUpdate(ctx, &bytes, n > 1 ? sizeof(bytes) : 0);
        EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
    }
    EVP_DigestFinal_ex(ctx, ret, NULL);
    EVP_MD_CTX_free(ctx);
}

uint32_t transformer_id(const struct text *parts, size_t n)
{
    unsigned char digest[32];
    uint32_t id;
    sha256_of(parts, n, digest);
    memcpy(&id, digest, sizeof(id));
    return id ? id : 1;
}

struct text hash_text(struct arena *a, struct text t)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[32];
    struct buffer b = BUFFER_IN(a);
    if (!t.n)
        return TEXT("");
    sha256_of(&t, 1, digest);
    buffer_add_str(&b, "sha256:");
    for (size_t i = 0; i < sizeof(digest); i++) {
        buffer_add_char(&b, hex[digest[i] >> 4]);
        buffer_add_char(&b, hex[digest[i] & 15]);
    }
    return buffer_text(&b);
}

/* --- AES -------------------------------------------------------------------------------------------------------------- */

/* OpenSSL looks a cipher up by name at each use of EVP_aes_...(), which costs more than the encryption: fetch them once. */
static EVP_CIPHER *ciphers[2][3]; /* CBC, GCM; 128, 192, 256 */

static void fetch_ciphers(void)
{
    static const char *const names[2][3] = {{"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"},
                                            {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"}};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 3; k++)
            ciphers[i][k] = EVP_CIPHER_fetch(NULL, names[i][k], NULL);
}

static const EVP_CIPHER *aes(bool is_gcm, size_t key_bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_ciphers);
    return key_bytes == 16 || key_bytes == 24 || key_bytes == 32 ? ciphers[is_gcm][key_bytes / 8 - 2] : NULL;
}

static void cipher_ctx_free(EVP_CIPHER_CTX *c)
{
    EVP_CIPHER_CTX_free(c);
}
DEFINE_CLEANUP(EVP_CIPHER_CTX *, cipher_ctx_free)

/* A context at the start of a run over one value. */
static EVP_CIPHER_CTX *cipher_begin(bool is_gcm, bool encrypts, struct text key, const void *iv)
{
    const EVP_CIPHER *cipher = aes(is_gcm, key.n);
    EVP_CIPHER_CTX *c = cipher ? EVP_CIPHER_CTX_new() : NULL;
    if (c && EVP_CipherInit_ex2(c, cipher, (const unsigned char *)key.p, iv, encrypts, NULL) == 1)
        return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

static bool cipher_run(EVP_CIPHER_CTX *c, char *to, struct text from)
{
    int n = 0;
    return from.n == 0 || (from.n <= INT32_MAX && EVP_CipherUpdate(c, (unsigned char *)to, &n,
                                                                   (const unsigned char *)from.p, (int)from.n) == 1 &&
                           n == (int)from.n);
}

static bool authenticate(EVP_CIPHER_CTX *c, struct text data)
{
    int n;
    return data.n == 0 || EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)data.p, (int)data.n) == 1;
}

int aes_gcm_seal(struct text key, struct text authenticated, struct text plain, struct buffer *ret, struct status *st)
{
    char *out = buffer_room(ret, GCM_NONCE_BYTES + plain.n + GCM_TAG_BYTES), *sealed = out + GCM_NONCE_BYTES;
    int n = 0;
    random_fill(out, GCM_NONCE_BYTES);
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = cipher_begin(true, true, key, out);
    if (!c || !authenticate(c, authenticated) || !cipher_run(c, sealed, plain) ||
        EVP_CipherFinal_ex(c, (unsigned char *)sealed + plain.n, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, sealed + plain.n) != 1)
        return fail(st, "AES-GCM failed to encrypt");
    ret->n += GCM_NONCE_BYTES + plain.n + GCM_TAG_BYTES;
    return 0;
}

int aes_gcm_open(struct text key, struct text authenticated, struct text data, struct buffer *scratch, struct text *ret,
                 struct status *st)
{
    static const char wrong[] = "cipher: message authentication failed"; /* crypto/cipher's words */
    if (data.n < GCM_NONCE_BYTES)
        return fail(st, too_short);
    if (data.n < GCM_NONCE_BYTES + GCM_TAG_BYTES)
        return fail(st, wrong);
    struct text sealed = text_from(data, GCM_NONCE_BYTES);
    sealed.n -= GCM_TAG_BYTES;
    buffer_clear(scratch);
    char *out = buffer_room(scratch, sealed.n + 1);
    int n = 0;
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = cipher_begin(true, false, key, data.p);
    if (!c)
        return fail(st, "crypto/aes: invalid key size");
    if (!authenticate(c, authenticated) || !cipher_run(c, out, sealed) ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, (char *)sealed.p + sealed.n) != 1 ||
        EVP_CipherFinal_ex(c, (unsigned char *)out + sealed.n, &n) != 1)
        return fail(st, wrong);
    scratch->n = sealed.n;
    *ret = buffer_text(scratch);
    return 0;
}

static int cbc_seal(struct text key, struct text plain, struct buffer *ret, struct status *st)
{
    size_t padding = BLOCK_BYTES - plain.n % BLOCK_BYTES, padded = plain.n + padding;
    char *out = buffer_room(ret, BLOCK_BYTES + padded);
    random_fill(out, BLOCK_BYTES);
    if (plain.n)
        memcpy(out + BLOCK_BYTES, plain.p, plain.n);
    memset(out + BLOCK_BYTES + plain.n, (int)padding, padding);
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = cipher_begin(false, true, key, out);
    if (!c || EVP_CIPHER_CTX_set_padding(c, 0) != 1 ||
        !cipher_run(c, out + BLOCK_BYTES, (struct text){out + BLOCK_BYTES, padded}))
        return fail(st, "AES-CBC failed to encrypt");
    ret->n += BLOCK_BYTES + padded;
    return 0;
}

static int cbc_open(struct text key, struct text data, struct buffer *scratch, struct text *ret, struct status *st)
{
    if (data.n < BLOCK_BYTES)
        return fail(st, too_short);
    struct text sealed = text_from(data, BLOCK_BYTES);
    if (sealed.n % BLOCK_BYTES)
        return fail(st, "the stored data is not a multiple of the block size");
    buffer_clear(scratch);
    char *out = buffer_room(scratch, sealed.n + 1);
    CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = cipher_begin(false, false, key, data.p);
    if (!c || EVP_CIPHER_CTX_set_padding(c, 0) != 1 || !cipher_run(c, out, sealed))
        return fail(st, "AES-CBC failed to decrypt");
    size_t padding = sealed.n ? (unsigned char)out[sealed.n - 1] : 0;
    if (padding == 0 || padding > sealed.n)
        return fail(st, "invalid PKCS7 data (empty or not padded)");
    for (size_t i = sealed.n - padding; i < sealed.n; i++)
        if ((unsigned char)out[i] != padding)
            return fail(st, "invalid padding on input");
    scratch->n = sealed.n - padding;
    *ret = buffer_text(scratch);
    return 0;
}

/* --- a key for each value ----------------------------------------------------------------------------------------------- */

/* HKDF-Expand's first 32 bytes: one HMAC. */
static void derive_key(struct text seed, const char *info, unsigned char ret[32])
{
    unsigned char message[INFO_BYTES + 1];
    unsigned n = 32;
    memcpy(message, info, INFO_BYTES);
    message[INFO_BYTES] = 1;
    HMAC(EVP_sha256(), seed.p, (int)seed.n, message, sizeof(message), ret, &n);
}

int seeded_gcm_seal(struct text seed, struct text authenticated, struct text plain, struct buffer *ret, struct status *st)
{
    char info[INFO_BYTES];
    unsigned char key[32];
    random_fill(info, sizeof(info));
    derive_key(seed, info, key);
    buffer_add_bytes(ret, info, sizeof(info));
    int rc = aes_gcm_seal((struct text){(char *)key, sizeof(key)}, authenticated, plain, ret, st);
    OPENSSL_cleanse(key, sizeof(key));
    return rc;
}

int seeded_gcm_open(struct text seed, struct text authenticated, struct text data, struct buffer *scratch,
                    struct text *ret, struct status *st)
{
    unsigned char key[32];
    if (data.n < INFO_BYTES)
        return fail(st, too_short);
    derive_key(seed, data.p, key);
    int rc = aes_gcm_open((struct text){(char *)key, sizeof(key)}, authenticated, text_from(data, INFO_BYTES), scratch,
                          ret, st);
    OPENSSL_cleanse(key, sizeof(key));
    return rc;
}

/* --- secretbox ------------------------------------------------------------------------------------------------------------ */

static int secretbox_seal(struct text key, struct text plain, struct buffer *ret)
{
    size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.n;
    unsigned char *out = (unsigned char *)buffer_room(ret, n);
    random_fill(out, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, (const unsigned char *)plain.p, plain.n, out,
                          (const unsigned char *)key.p);
    ret->n += n;
    return 0;
}

static int secretbox_open(struct text key, struct text data, struct buffer *scratch, struct text *ret, struct status *st)
{
    if (data.n < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
        return fail(st, too_short);
    struct text sealed = text_from(data, crypto_secretbox_NONCEBYTES);
    buffer_clear(scratch);
    unsigned char *out = (unsigned char *)buffer_room(scratch, sealed.n);
    if (crypto_secretbox_open_easy(out, (const unsigned char *)sealed.p, sealed.n, (const unsigned char *)data.p,
                                   (const unsigned char *)key.p) != 0)
        return fail(st, "output array was not large enough for encryption"); /* upstream's words for a wrong key */
    scratch->n = sealed.n - crypto_secretbox_MACBYTES;
    *ret = buffer_text(scratch);
    return 0;
}

/* --- transformers ------------------------------------------------------------------------------------------------------------ */

struct cipher {
    struct transformer base;
    enum cipher_kind kind;
    uint32_t id;
    size_t key_bytes;
    char key[CIPHER_KEY_MAX];
};

static int cipher_seal(struct transformer *t, struct transform *x, struct text plain, struct buffer *ret)
{
    struct cipher *c = CONTAINER_OF(t, struct cipher, base);
    struct text key = {c->key, c->key_bytes};
    x->id = c->id;
    switch (c->kind) {
    case CIPHER_AESCBC:
        return cbc_seal(key, plain, ret, x->st);
    case CIPHER_AESGCM:
        return aes_gcm_seal(key, x->key, plain, ret, x->st);
    default:
        return secretbox_seal(key, plain, ret);
    }
}

static int cipher_open(struct transformer *t, struct transform *x, struct text data, struct buffer *scratch,
                       struct text *ret)
{
    struct cipher *c = CONTAINER_OF(t, struct cipher, base);
    struct text key = {c->key, c->key_bytes};
    x->id = c->id;
    switch (c->kind) {
    case CIPHER_AESCBC:
        return cbc_open(key, data, scratch, ret, x->st);
    case CIPHER_AESGCM:
        return aes_gcm_open(key, x->key, data, scratch, ret, x->st);
    default:
        return secretbox_open(key, data, scratch, ret, x->st);
    }
}

static uint32_t cipher_write_id(struct transformer *t)
{
    return CONTAINER_OF(t, struct cipher, base)->id;
}

static void cipher_free(struct transformer *t)
{
    struct cipher *c = CONTAINER_OF(t, struct cipher, base);
    OPENSSL_cleanse(c->key, sizeof(c->key));
    free(c);
}

static const struct transformer_ops cipher_ops = {
    .seal = cipher_seal, .open = cipher_open, .write_id = cipher_write_id, .free = cipher_free};

struct transformer *cipher_new(enum cipher_kind kind, struct text name, struct text key)
{
    static const struct text kinds[] = {TEXT("aescbc"), TEXT("aesgcm"), TEXT("secretbox")};
    const struct text parts[] = {kinds[kind], name, key};
    struct cipher *c = xcalloc(1, sizeof(*c));
    c->base.ops = &cipher_ops;
    c->kind = kind;
    c->key_bytes = key.n < sizeof(c->key) ? key.n : sizeof(c->key);
    memcpy(c->key, key.p, c->key_bytes);
    c->id = transformer_id(parts, N_ELEMENTS(parts));
    return &c->base;
}
