/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates of the server's own making.
 * All keys are EC P-256: made in under a millisecond, so that a first start is as quick as any other, and cheap to shake
 * hands with. */
#include "server/pki.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define DAY_S (24 * 3600L)
#define CA_DAYS 3650
#define LEAF_DAYS 365
#define RENEW_DAYS 30
#define BACKDATE_S 300 /* for clients whose clocks are a little behind */

struct pair {
    EVP_PKEY *key;
    X509 *cert;
};

static void pair_deinit(struct pair *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
    *p = (struct pair){0};
}

static int fail_crypto(struct status *st, const char *what)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "%s: %s", what, ERR_reason_error_string(ERR_get_error()));
}

/* --- files --- */

static int write_bio(const char *path, BIO *b, mode_t mode, struct status *st)
{
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    int rc = file_write(path, (struct text){p, (size_t)n}, mode, st);
    BIO_free(b);
    return rc;
}

static int write_key(const char *path, EVP_PKEY *key, struct status *st)
{
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey_traditional(b, key, NULL, NULL, 0, NULL, NULL);
    return write_bio(path, b, 0600, st);
}

static int write_public_key(const char *path, EVP_PKEY *key, struct status *st)
{
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(b, key);
    return write_bio(path, b, 0644, st);
}

static int write_cert(const char *path, X509 *cert, struct status *st)
{
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, cert);
    return write_bio(path, b, 0644, st);
}

static int read_key(const char *path, EVP_PKEY **ret, struct status *st)
{
    struct buffer pem = BUFFER_INIT;
    if (file_read(path, &pem, st) < 0)
        return -1;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    *ret = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    OPENSSL_cleanse(pem.p, pem.n);
    buffer_deinit(&pem);
    return *ret ? 0 : status_set(st, STATUS_BAD_REQUEST, "%s holds no PEM private key", path);
}

static int read_cert(const char *path, X509 **ret, struct status *st)
{
    struct buffer pem = BUFFER_INIT;
    if (file_read(path, &pem, st) < 0)
        return -1;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    *ret = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    buffer_deinit(&pem);
    return *ret ? 0 : status_set(st, STATUS_BAD_REQUEST, "%s holds no PEM certificate", path);
}

static int read_pair(const char *cert_path, const char *key_path, struct pair *ret, struct status *st)
{
    if (read_cert(cert_path, &ret->cert, st) < 0 || read_key(key_path, &ret->key, st) < 0)
        return -1;
    if (X509_check_private_key(ret->cert, ret->key) != 1)
        return status_set(st, STATUS_BAD_REQUEST, "%s and %s do not belong together", cert_path, key_path);
    return 0;
}

/* --- certificates --- */

struct leaf_spec {
    const char *common_name, *organization; /* organization may be NULL */
    const char *alternative_names;          /* as OpenSSL's configuration has them; NULL: none */
    const char *key_usage, *extended_usage;
    long days;
};

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = e && X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
    return good;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f;
    BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return good;
}

static bool set_names(X509 *cert, const struct leaf_spec *spec)
{
    X509_NAME *name = X509_get_subject_name(cert);
    const unsigned char *o = (const unsigned char *)spec->organization;
    return (!o || X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, o, -1, -1, 0)) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->common_name, -1, -1, 0);
}

/* issuer NULL: signed by itself, an authority. */
static int make_pair(const struct leaf_spec *spec, const struct pair *issuer, struct pair *ret, struct status *st)
{
    time_t now = (time_t)(clock_now_ns() / 1000000000);
    ret->key = EVP_EC_gen("P-256");
    ret->cert = X509_new();
    X509 *c = ret->cert;
    if (!ret->key || !c)
        return fail_crypto(st, "making a key");
    X509 *signer = issuer ? issuer->cert : c;
    bool good = X509_set_version(c, X509_VERSION_3) && set_serial(c) && set_names(c, spec) &&
                X509_time_adj_ex(X509_getm_notBefore(c), 0, -BACKDATE_S, &now) &&
                X509_time_adj_ex(X509_getm_notAfter(c), (int)spec->days, 0, &now) && X509_set_pubkey(c, ret->key) &&
                X509_set_issuer_name(c, X509_get_subject_name(signer)) &&
                add_extension(c, signer, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE") &&
                add_extension(c, signer, NID_key_usage, spec->key_usage) &&
                add_extension(c, signer, NID_subject_key_identifier, "hash") &&
                (!issuer || add_extension(c, signer, NID_authority_key_identifier, "keyid")) &&
                (!spec->extended_usage || add_extension(c, signer, NID_ext_key_usage, spec->extended_usage)) &&
                (!spec->alternative_names || add_extension(c, signer, NID_subject_alt_name, spec->alternative_names)) &&
                X509_sign(c, issuer ? issuer->key : ret->key, EVP_sha256());
    return good ? 0 : fail_crypto(st, "making a certificate");
}

static bool ends_soon(X509 *cert)
{
    time_t limit = (time_t)(clock_now_ns() / 1000000000) + RENEW_DAYS * DAY_S;
    return X509_cmp_time(X509_get0_notAfter(cert), &limit) <= 0;
}

static bool has_names(X509 *cert, const struct pki_names *names)
{
    for (const char *const *n = names->dns; *n; n++)
        if (X509_check_host(cert, *n, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
            return false;
    for (const char *const *n = names->ips; *n; n++)
        if (X509_check_ip_asc(cert, *n, 0) != 1)
            return false;
    return true;
}

static const char *alternative_names(struct arena *a, const struct pki_names *names)
{
    struct buffer b = BUFFER_IN(a);
    for (const char *const *n = names->dns; *n; n++)
        buffer_addf(&b, "%sDNS:%s", b.n ? "," : "", *n);
    for (const char *const *n = names->ips; *n; n++)
        buffer_addf(&b, "%sIP:%s", b.n ? "," : "", *n);
    return buffer_str(&b);
}

/* --- what is kept --- */

static int ensure_ca(const struct pki_paths *paths, struct pair *ca, struct status *st)
{
    static const struct leaf_spec spec = {
        .common_name = "kubernetes", .key_usage = "critical,digitalSignature,keyEncipherment,keyCertSign", .days = CA_DAYS};

    /* A key without its certificate is a first start that was cut off: nobody has trusted it yet. */
    if (file_exists(paths->ca_cert))
        return read_pair(paths->ca_cert, paths->ca_key, ca, st);
    if (make_pair(&spec, NULL, ca, st) < 0 || write_key(paths->ca_key, ca->key, st) < 0)
        return -1;
    return write_cert(paths->ca_cert, ca->cert, st);
}

/* names NULL: any will do. */
static int ensure_leaf(const char *cert_path, const char *key_path, const struct leaf_spec *spec,
                       const struct pki_names *names, const struct pair *ca, struct status *st)
{
    CLEANUP(pair_deinit) struct pair leaf = {0};

    if (file_exists(cert_path) && file_exists(key_path)) {
        if (read_pair(cert_path, key_path, &leaf, st) < 0)
            return -1;
        bool is_ours = X509_verify(leaf.cert, ca->key) == 1;
        if (is_ours && !ends_soon(leaf.cert) && (!names || has_names(leaf.cert, names)))
            return 0;
        pair_deinit(&leaf);
        log_info("Certificate is made anew", LOG_STR("file", cert_path));
        /* Should the process end between the two writes, then half a pair is left, which is made anew, and never two
         * halves that do not fit. */
        remove(cert_path);
    }
    if (make_pair(spec, ca, &leaf, st) < 0 || write_key(key_path, leaf.key, st) < 0)
        return -1;
    return write_cert(cert_path, leaf.cert, st);
}

static int ensure_service_account_key(const struct pki_paths *paths, struct status *st)
{
    EVP_PKEY *key = NULL;
    int rc = 0;

    if (file_exists(paths->service_account_key)) {
        rc = read_key(paths->service_account_key, &key, st);
    } else {
        key = EVP_EC_gen("P-256");
        rc = key ? write_key(paths->service_account_key, key, st) : fail_crypto(st, "making a key");
    }
    if (rc == 0 && !file_exists(paths->service_account_public_key))
        rc = write_public_key(paths->service_account_public_key, key, st);
    EVP_PKEY_free(key);
    return rc;
}

int pki_ensure(struct arena *a, const char *folder, const struct pki_names *names, struct pki_paths *ret,
               struct status *st)
{
    CLEANUP(pair_deinit) struct pair ca = {0};
    const struct leaf_spec serving = {.common_name = "kube-apiserver",
                                      .alternative_names = alternative_names(a, names),
                                      .key_usage = "critical,digitalSignature,keyEncipherment",
                                      .extended_usage = "serverAuth",
                                      .days = LEAF_DAYS};
    static const struct leaf_spec admin = {.common_name = "kubernetes-admin",
                                           .organization = "system:masters",
                                           .key_usage = "critical,digitalSignature,keyEncipherment",
                                           .extended_usage = "clientAuth",
                                           .days = LEAF_DAYS};
    const struct pki_paths paths = {
        .ca_cert = arena_printf(a, "%s/ca.crt", folder),
        .ca_key = arena_printf(a, "%s/ca.key", folder),
        .serving_cert = arena_printf(a, "%s/apiserver.crt", folder),
        .serving_key = arena_printf(a, "%s/apiserver.key", folder),
        .admin_cert = arena_printf(a, "%s/admin.crt", folder),
        .admin_key = arena_printf(a, "%s/admin.key", folder),
        .service_account_key = arena_printf(a, "%s/sa.key", folder),
        .service_account_public_key = arena_printf(a, "%s/sa.pub", folder),
    };

    if (folder_make(folder, st) < 0 || ensure_ca(&paths, &ca, st) < 0 ||
        ensure_leaf(paths.serving_cert, paths.serving_key, &serving, names, &ca, st) < 0 ||
        ensure_leaf(paths.admin_cert, paths.admin_key, &admin, NULL, &ca, st) < 0 ||
        ensure_service_account_key(&paths, st) < 0)
        return -1;
    *ret = paths;
    return 0;
}
