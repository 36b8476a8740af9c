/* SPDX-License-Identifier: Apache-2.0 */
/* Client certificates: who they name, and which are refused. The CAs and leaves are made here. */
#include "fixture.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DAY_S (24 * 3600)
#define NOW_S 1790000000LL

struct issuer {
    X509 *cert;
    EVP_PKEY *key;
};

static void add_extension(X509 *c, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    ck_assert_ptr_nonnull(e);
    X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
}

/* subject is OID or short name, value, ...; NULL ends it. by is NULL for a CA that signs itself. */
static X509 *make_cert(EVP_PKEY *key, const struct issuer *by, const char *usage, const char *const *subject)
{
    static long serial = 1;
    X509 *c = X509_new();
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
    ASN1_TIME_set(X509_getm_notBefore(c), (time_t)(NOW_S - DAY_S));
    ASN1_TIME_set(X509_getm_notAfter(c), (time_t)(NOW_S + DAY_S));
    X509_NAME *name = X509_NAME_new();
    for (; *subject; subject += 2) {
        ASN1_OBJECT *type = OBJ_txt2obj(subject[0], 0);
        ck_assert_int_eq(X509_NAME_add_entry_by_OBJ(name, type, MBSTRING_UTF8,
                                                    (const unsigned char *)subject[1], -1, -1, 0),
                         1);
        ASN1_OBJECT_free(type);
    }
    X509_set_subject_name(c, name);
    X509_set_issuer_name(c, by ? X509_get_subject_name(by->cert) : name);
    X509_NAME_free(name);
    X509_set_pubkey(c, key);
    add_extension(c, NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (usage)
        add_extension(c, NID_ext_key_usage, usage);
    ck_assert_int_gt(X509_sign(c, by ? by->key : key, EVP_sha256()), 0);
    return c;
}

static struct issuer make_ca(const char *name)
{
    struct issuer ca = {.key = EVP_EC_gen("P-256")};
    ca.cert = make_cert(ca.key, NULL, NULL, (const char *const[]){"CN", name, NULL});
    return ca;
}

static void free_ca(struct issuer *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

static struct arena *a;
static struct issuer ca, other_ca;
static struct authn_method *method;

static void start(void)
{
    struct status st = {0};
    char *pem;
    a = arena_new();
    clock_fake(NOW_S * 1000000000);
    ca = make_ca("ca");
    other_ca = make_ca("ca"); /* the same name, another key */
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, ca.cert);
    long n = BIO_get_mem_data(out, &pem);
    int rc = authn_x509_new(write_file((struct text){pem, (size_t)n}), NULL, &method, &st);
    drop_file();
    BIO_free(out);
    ck_assert_msg(rc == 0, "%s", st.message);
}

static void stop(void)
{
    method->free(method);
    free_ca(&ca);
    free_ca(&other_ca);
    clock_real();
    arena_free(a);
}

/* A request over a connection with a fresh leaf. */
static struct request *request_with(const struct issuer *by, const char *usage, const char *const *subject)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = make_cert(key, by, usage, subject);
    unsigned char *der = NULL;
    int n = i2d_X509(leaf, &der);
    struct request *r = request_of(a, "/api", NULL);
    struct text *chain = ARENA_NEW(a, struct text);
    *chain = arena_text(a, (struct text){(const char *)der, (size_t)n});
    r->client_certs = chain;
    r->n_client_certs = 1;
    OPENSSL_free(der);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return r;
}
#define SUBJECT(...) ((const char *const[]){__VA_ARGS__, NULL})

static enum authn_decision ask(struct request *r, struct user_info *ret)
{
    *ret = (struct user_info){0};
    return method->authenticate(method, r, ret);
}

START_TEST(the_subject_names_user_groups_and_uid)
{
    start();
    struct user_info u;
    struct request *r =
        request_with(&ca, "clientAuth",
                     SUBJECT("O", "dev", "CN", "ann", "O", "ops", "1.3.6.1.4.1.57683.2", "uid-7", "OU", "x"));
    for (unsigned i = 0; i < 2; i++) { /* verified, then recalled */
        ck_assert_int_eq(ask(r, &u), AUTHN_KNOWN);
        ck_assert(text_is(u.name, "ann"));
        ck_assert(text_is(u.uid, "uid-7"));
        ck_assert_int_eq(u.n_groups, 2);
        ck_assert(text_is(u.groups[0], "dev") && text_is(u.groups[1], "ops"));
        ck_assert_int_eq(u.n_extra, 1);
        ck_assert(text_is(u.extra[0].key, "authentication.kubernetes.io/credential-id"));
        ck_assert_int_eq(u.extra[0].n_values, 1);
        ck_assert(text_starts(u.extra[0].values[0], TEXT("X509SHA256=")));
        ck_assert_int_eq(u.extra[0].values[0].n, 11 + 64);
    }
    stop();
}
END_TEST

START_TEST(a_subject_without_a_name_says_nothing)
{
    start();
    struct user_info u;
    ck_assert_int_eq(ask(request_with(&ca, "clientAuth", SUBJECT("O", "dev")), &u), AUTHN_NO_OPINION);
    ck_assert_int_eq(ask(request_of(a, "/api", NULL), &u), AUTHN_NO_OPINION);
    stop();
}
END_TEST

START_TEST(a_leaf_counts_only_between_its_times)
{
    start();
    struct user_info u;
    struct request *r = request_with(&ca, "clientAuth", SUBJECT("CN", "ann"));
    ck_assert_int_eq(ask(r, &u), AUTHN_KNOWN);
    clock_fake_advance_ms((DAY_S + 1) * 1000LL);
    ck_assert_int_eq(ask(r, &u), AUTHN_REFUSED); /* though it was remembered */
    ck_assert_int_eq(ask(request_with(&ca, "clientAuth", SUBJECT("CN", "bob")), &u), AUTHN_REFUSED);
    clock_fake((NOW_S - DAY_S - 1) * 1000000000);
    ck_assert_int_eq(ask(r, &u), AUTHN_REFUSED);
    clock_fake(NOW_S * 1000000000);
    ck_assert_int_eq(ask(r, &u), AUTHN_KNOWN);
    stop();
}
END_TEST

START_TEST(strangers_are_refused)
{
    start();
    struct user_info u;
    ck_assert_int_eq(ask(request_with(&other_ca, "clientAuth", SUBJECT("CN", "eve")), &u), AUTHN_REFUSED);
    ck_assert_int_eq(ask(request_with(NULL, "clientAuth", SUBJECT("CN", "self")), &u), AUTHN_REFUSED);
    ck_assert_int_eq(ask(request_with(&ca, "serverAuth", SUBJECT("CN", "server")), &u), AUTHN_REFUSED);
    ck_assert_int_eq(ask(request_with(&ca, "serverAuth,clientAuth", SUBJECT("CN", "both")), &u), AUTHN_KNOWN);

    struct request *r = request_of(a, "/api", NULL);
    static const struct text garbage = {"\x30\x03garbage", 9};
    r->client_certs = &garbage;
    r->n_client_certs = 1;
    ck_assert_int_eq(ask(r, &u), AUTHN_REFUSED);
    ck_assert_int_eq(u.name.n, 0);
    stop();
}
END_TEST

START_TEST(a_file_without_certificates_is_an_error)
{
    struct status st = {0};
    struct authn_method *m = NULL;
    int rc = authn_x509_new(write_file(TEXT("no certificate\n")), NULL, &m, &st);
    drop_file();
    ck_assert_int_eq(rc, -1);
    ck_assert_ptr_null(m);
    ck_assert_ptr_nonnull(strstr(st.message, "holds no PEM certificate"));
    status_clear(&st);
}
END_TEST

UNIT_MAIN("x509", the_subject_names_user_groups_and_uid, a_subject_without_a_name_says_nothing,
          a_leaf_counts_only_between_its_times, strangers_are_refused,
          a_file_without_certificates_is_an_error)
