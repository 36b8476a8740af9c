/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS secret whose key is not its certificate's is kept, with a warning in the words of Go's crypto/tls, X509KeyPair. Source:
 * kubernetes pkg/registry/core/secret/strategy.go. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "registry/warnings/warnings.h"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* A block of PEM text; name NULL: there is no more. */
struct block {
    char *name, *header;
    unsigned char *data;
    long n;
};

static void block_clear(struct block *b)
{
    OPENSSL_free(b->name);
    OPENSSL_free(b->header);
    OPENSSL_free(b->data);
    *b = (struct block){0};
}

static bool read_block(BIO *in, struct block *ret)
{
    block_clear(ret);
    return PEM_read_bio(in, &ret->name, &ret->header, &ret->data, &ret->n) == 1;
}

static bool is_certificate(const char *name)
{
    return strcmp(name, "CERTIFICATE") == 0;
}

static bool is_key(const char *name)
{
    return text_is(text_of(name), "PRIVATE KEY") || text_ends(text_of(name), TEXT(" PRIVATE KEY"));
}

struct skipped {
    struct buffer names; /* blank between them */
    size_t n;
    bool is_other; /* the last one is what the other input should have */
};

/* The first block that is wanted, in *ret; false: there is none, and *skipped says what was there. */
static bool find_block(BIO *in, bool (*is_wanted)(const char *), bool (*is_other)(const char *), struct skipped *skipped,
                       struct block *ret)
{
    while (read_block(in, ret)) {
        if (is_wanted(ret->name))
            return true;
        buffer_addf(&skipped->names, "%s%s", skipped->n++ ? " " : "", ret->name);
        skipped->is_other = is_other(ret->name);
    }
    return false;
}

static bool ends_as_key(const char *name)
{
    return text_ends(text_of(name), TEXT("PRIVATE KEY"));
}

/* NULL: the two belong together. */
static const char *pair_problem(struct arena *a, struct text certificates, struct text keys)
{
    CLEANUP(BIO_free_allp) BIO *cert_in = BIO_new_mem_buf(certificates.n ? certificates.p : "", (int)certificates.n);
    CLEANUP(BIO_free_allp) BIO *key_in = BIO_new_mem_buf(keys.n ? keys.p : "", (int)keys.n);
    CLEANUP(block_clear) struct block cert = {0}, key = {0};
    struct skipped skipped = {.names = BUFFER_IN(a)};

    if (!find_block(cert_in, is_certificate, ends_as_key, &skipped, &cert)) {
        if (!skipped.n)
            return "tls: failed to find any PEM data in certificate input";
        if (skipped.n == 1 && skipped.is_other)
            return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may "
                   "have been switched";
        return arena_printf(a,
                            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of "
                            "the following types: [%s]",
                            buffer_str(&skipped.names));
    }
    skipped = (struct skipped){.names = BUFFER_IN(a)};
    if (!find_block(key_in, is_key, is_certificate, &skipped, &key)) {
        if (!skipped.n)
            return "tls: failed to find any PEM data in key input";
        if (skipped.n == 1 && skipped.is_other)
            return "tls: found a certificate rather than a key in the PEM for the private key";
        return arena_printf(a,
                            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM "
                            "blocks of the following types: [%s]",
                            buffer_str(&skipped.names));
    }
    const unsigned char *p = cert.data;
    CLEANUP(X509_freep) X509 *x509 = d2i_X509(NULL, &p, cert.n);
    if (!x509)
        return "x509: malformed certificate";
    p = key.data;
    CLEANUP(EVP_PKEY_freep) EVP_PKEY *private = d2i_AutoPrivateKey(NULL, &p, key.n);
    EVP_PKEY *public = X509_get0_pubkey(x509);
    if (!public)
        return "tls: unknown public key algorithm";
    if (!private)
        return "tls: failed to parse private key";
    if (EVP_PKEY_base_id(private) != EVP_PKEY_base_id(public))
        return "tls: private key type does not match public key type";
    return EVP_PKEY_eq(private, public) == 1 ? NULL : "tls: private key does not match public key";
}

static struct text data_of(struct arena *a, const struct value *obj, struct text key)
{
    struct text decoded;

    return base64_decode(a, BASE64_STANDARD, value_get_text(value_get(obj, TEXT("data")), key), &decoded) ? decoded : TEXT("");
}

void warn_secret(struct operation *op, const struct value *obj, const struct value *old)
{
    const char *problem;

    if (!text_is(value_get_text(obj, TEXT("type")), "kubernetes.io/tls"))
        return;
    problem = pair_problem(op->arena, data_of(op->arena, obj, TEXT("tls.crt")), data_of(op->arena, obj, TEXT("tls.key")));
    ERR_clear_error();
    if (problem)
        operation_warn(op, "%s", problem);
}
