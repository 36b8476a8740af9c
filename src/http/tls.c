/* SPDX-License-Identifier: Apache-2.0 */
/* A tls_context is GnuTLS credentials and priorities, refcounted: each connection holds the one it began
 * with, so new certificates need no lock and no restart.
 *
 * GnuTLS chooses by key exchange, cipher and MAC, not by suite: a list of suites allows every combination of
 * its parts that is a suite (ECDHE-RSA with AES-128-GCM and ECDHE-ECDSA with AES-256-GCM allow all four). Its
 * ciphers limit TLS 1.3 too, where Go would still offer all three suites; so the TLS 1.3 ciphers stay in
 * unless the list names some. The order is ours, not the client's, as with Go: AES-128 comes first and costs a
 * quarter less than the AES-256 that OpenSSL's clients would rather have. */
#include "http/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base.h"
#include "http/http_internal.h"

/* Names and order as k8s.io/component-base/cli/flag prints them; the insecure ones last. */
static const struct suite {
    const char *name, *kx, *cipher, *mac;
    bool is_default;
} suites[] = {
    {"TLS_AES_128_GCM_SHA256", NULL, "AES-128-GCM", "AEAD", true},
    {"TLS_AES_256_GCM_SHA384", NULL, "AES-256-GCM", "AEAD", true},
    {"TLS_CHACHA20_POLY1305_SHA256", NULL, "CHACHA20-POLY1305", "AEAD", true},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA", "AES-128-CBC", "SHA1", false},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA", "AES-128-GCM", "AEAD", true},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA", "AES-256-CBC", "SHA1", false},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA", "AES-256-GCM", "AEAD", true},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA", "CHACHA20-POLY1305", "AEAD", true},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA", "CHACHA20-POLY1305", "AEAD", true},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA", "AES-128-CBC", "SHA1", false},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA", "AES-128-GCM", "AEAD", true},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA", "AES-256-CBC", "SHA1", false},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA", "AES-256-GCM", "AEAD", true},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA", "CHACHA20-POLY1305", "AEAD", true},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA", "CHACHA20-POLY1305", "AEAD", true},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA", "AES-128-CBC", "SHA256", false},
    {"TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "ECDHE-ECDSA", "ARCFOUR-128", "SHA1", false},
    {"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "ECDHE-RSA", "3DES-CBC", "SHA1", false},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA", "AES-128-CBC", "SHA256", false},
    {"TLS_ECDHE_RSA_WITH_RC4_128_SHA", "ECDHE-RSA", "ARCFOUR-128", "SHA1", false},
    {"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "RSA", "3DES-CBC", "SHA1", false},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "RSA", "AES-128-CBC", "SHA1", false},
    {"TLS_RSA_WITH_AES_128_CBC_SHA256", "RSA", "AES-128-CBC", "SHA256", false},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "RSA", "AES-128-GCM", "AEAD", false},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "RSA", "AES-256-CBC", "SHA1", false},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "RSA", "AES-256-GCM", "AEAD", false},
    {"TLS_RSA_WITH_RC4_128_SHA", "RSA", "ARCFOUR-128", "SHA1", false},
};

static const struct version {
    const char *name, *priority;
} versions[] = {
    {"VersionTLS10", "+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0"},
    {"VersionTLS11", "+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1"},
    {"VersionTLS12", "+VERS-TLS1.3:+VERS-TLS1.2"},
    {"VersionTLS13", "+VERS-TLS1.3"},
};
#define DEFAULT_VERSION "VersionTLS12"

const char *const *tls_version_names(void)
{
    static const char *names[N_ELEMENTS(versions) + 1];
    for (size_t i = 0; i < N_ELEMENTS(versions); i++)
        names[i] = versions[i].name;
    return names;
}

const char *const *tls_cipher_suite_names(void)
{
    static const char *names[N_ELEMENTS(suites) + 1];
    for (size_t i = 0; i < N_ELEMENTS(suites); i++)
        names[i] = suites[i].name;
    return names;
}

/* --- priorities --- */

static const struct suite *find_suite(struct text name)
{
    for (size_t i = 0; i < N_ELEMENTS(suites); i++)
        if (text_is(name, suites[i].name))
            return &suites[i];
    return NULL;
}

static const struct version *find_version(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(versions); i++)
        if (strcmp(versions[i].name, name ? name : DEFAULT_VERSION) == 0)
            return &versions[i];
    return NULL;
}

static void add_once(struct buffer *b, const char *algorithm)
{
    struct buffer item = BUFFER_INIT;
    buffer_addf(&item, ":+%s:", algorithm);
    buffer_add_char(b, ':'); /* so that the last one is found as well */
    bool is_there = text_find_text(buffer_text(b), buffer_text(&item)) >= 0;
    b->n--;
    buffer_deinit(&item);
    if (!is_there)
        buffer_addf(b, ":+%s", algorithm);
}

static void add_suite(struct buffer *b, const struct suite *s)
{
    add_once(b, s->cipher);
    add_once(b, s->mac);
    if (s->kx)
        add_once(b, s->kx);
}

static bool has_tls13_suite(const struct tls_config *c)
{
    for (size_t i = 0; i < c->n_cipher_suites; i++)
        if (!find_suite(c->cipher_suites[i])->kx)
            return true;
    return false;
}

static int make_priorities(const struct tls_config *c, gnutls_priority_t *ret, struct status *st)
{
    const struct version *v = find_version(c->min_version);
    if (!v)
        return status_set(st, STATUS_BAD_REQUEST, "unknown tls version \"%s\"", c->min_version);
    for (size_t i = 0; i < c->n_cipher_suites; i++)
        if (!find_suite(c->cipher_suites[i]))
            return status_set(st, STATUS_BAD_REQUEST, "Cipher suite %.*s not supported or doesn't exist",
                              TEXT_ARG(c->cipher_suites[i]));

    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    buffer_addf(&b,
                "NONE:%s:+COMP-NULL:+SIGN-ALL:+CTYPE-X509:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
                ":+GROUP-SECP521R1:%%SERVER_PRECEDENCE",
                v->priority);
    bool keep_tls13 = c->n_cipher_suites == 0 || !has_tls13_suite(c);
    for (size_t i = 0; i < c->n_cipher_suites; i++)
        add_suite(&b, find_suite(c->cipher_suites[i]));
    for (size_t i = 0; i < N_ELEMENTS(suites); i++)
        if (suites[i].is_default && (c->n_cipher_suites == 0 || (keep_tls13 && !suites[i].kx)))
            add_suite(&b, &suites[i]);

    const char *where = NULL;
    int err = gnutls_priority_init(ret, buffer_str(&b), &where);
    if (err < 0)
        return status_set(st, STATUS_BAD_REQUEST, "TLS settings are refused: %s at \"%s\"",
                          gnutls_strerror(err), where ? where : "");
    return 0;
}

/* --- the context --- */

struct tls_context {
    atomic_uint refs;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priorities;
    bool ask_client_cert;
};

void tls_context_unref(struct tls_context *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (t->credentials)
        gnutls_certificate_free_credentials(t->credentials);
    if (t->priorities)
        gnutls_priority_deinit(t->priorities);
    free(t);
}
DEFINE_CLEANUP(struct tls_context *, tls_context_unref)

struct tls_context *tls_context_ref(struct tls_context *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

static gnutls_datum_t datum(struct text t)
{
    return (gnutls_datum_t){(unsigned char *)t.p, (unsigned)t.n};
}

struct tls_context *tls_context_new(const struct tls_config *c, struct status *st)
{
    CLEANUP(tls_context_unrefp) struct tls_context *t = xcalloc(1, sizeof(*t));
    t->refs = 1;
    t->ask_client_cert = c->ask_client_cert;
    if (make_priorities(c, &t->priorities, st) < 0)
        return NULL;
    if (gnutls_certificate_allocate_credentials(&t->credentials) < 0)
        out_of_memory();
    gnutls_datum_t cert = datum(c->cert_pem), key = datum(c->key_pem), ca = datum(c->client_ca_pem);
    int err = gnutls_certificate_set_x509_key_mem2(t->credentials, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (err < 0) {
        status_set(st, STATUS_BAD_REQUEST, "tls: certificate and private key cannot be used: %s",
                   gnutls_strerror(err));
        return NULL;
    }
    if (ca.size) {
        err = gnutls_certificate_set_x509_trust_mem(t->credentials, &ca, GNUTLS_X509_FMT_PEM);
        if (err <= 0) {
            status_set(st, STATUS_BAD_REQUEST, "tls: client CA holds no usable certificate%s%s",
                       err < 0 ? ": " : "", err < 0 ? gnutls_strerror(err) : "");
            return NULL;
        }
    }
    return MOVE(t);
}

bool tls_context_apply(const struct tls_context *t, void *session)
{
    if (gnutls_priority_set(session, t->priorities) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials) < 0)
        return false;
    if (t->ask_client_cert)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    return true;
}

int tls_config_check(const struct tls_config *c, struct status *st)
{
    struct tls_context *t = tls_context_new(c, st);
    if (!t)
        return -1;
    tls_context_unref(t);
    return 0;
}
