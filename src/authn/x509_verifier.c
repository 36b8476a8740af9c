/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying a chain costs some 100 us, so the outcome is remembered by the leaf's bytes until the leaf ends: a keep-alive
 * connection's requests, and a client's next connection, then cost one hash and one comparison. The memory of outcomes
 * is bounded; when full, and when the authorities change, it is emptied.
 * Source: kubernetes/apiserver pkg/authentication/request/x509/x509.go. */
#include "authn/x509_verifier.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <time.h>

#include "authn/users.h"

#define REMEMBERED_MAX 1024
/* UID of a user in a certificate's subject, as Kubernetes has registered it. */
#define OID_USER_UID "1.3.6.1.4.1.57683.2"

struct verified {
    struct arena *arena; /* owns all of it, itself included */
    struct text leaf;    /* DER */
    int64_t not_before_s, not_after_s;
    struct user_info user;
};

struct x509_verifier {
    char *ca_file;
    struct watched_file *watch;
    ASN1_OBJECT *uid_oid;
    pthread_mutex_t mu; /* guards what follows; a leaf lock: nothing is called with it held */
    X509_STORE *roots;  /* immutable, counted; replaced as a whole */
    struct map verified_by_leaf;
};

#define REREAD_MS 60000

static struct text name_entry(struct arena *a, const X509_NAME_ENTRY *e)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
    struct text t = n > 0 ? arena_text(a, (struct text){(const char *)utf8, (size_t)n}) : TEXT_NONE;
    OPENSSL_free(utf8);
    return t;
}

static void read_subject(const struct x509_verifier *v, X509 *leaf, struct arena *a, struct user_info *u)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    int n = X509_NAME_entry_count(subject);

    u->groups = ARENA_ARRAY(a, struct text, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(subject, i);
        const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(e);
        if (OBJ_obj2nid(type) == NID_commonName)
            u->name = name_entry(a, e);
        else if (OBJ_obj2nid(type) == NID_organizationName)
            u->groups[u->n_groups++] = name_entry(a, e);
        else if (OBJ_cmp(type, v->uid_oid) == 0)
            u->uid = name_entry(a, e);
    }
}

/* The certificate's own fingerprint goes along as upstream's audit extra. */
static void add_credential_id(X509 *leaf, struct arena *a, struct user_info *u)
{
    unsigned char digest[32];
    unsigned n = sizeof(digest);
    struct buffer hex = BUFFER_IN(a);

    if (!X509_digest(leaf, EVP_sha256(), digest, &n))
        return;
    buffer_add(&hex, TEXT("X509SHA256="));
    for (unsigned i = 0; i < n; i++)
        buffer_addf(&hex, "%02x", digest[i]);
    user_add_extra(a, u, TEXT(EXTRA_CREDENTIAL_ID), buffer_text(&hex));
}

static int64_t asn1_seconds(const ASN1_TIME *t)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static X509 *parse_der(struct text der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    return d2i_X509(NULL, &p, (long)der.n);
}

static bool chain_is_good(X509_STORE *roots, X509 *leaf, STACK_OF(X509) *between)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = ctx && X509_STORE_CTX_init(ctx, roots, leaf, between) &&
                X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
    if (good) {
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(clock_now_ns() / 1000000000));
        good = X509_verify_cert(ctx) == 1;
        if (!good)
            log_verbose(3, "Client certificate refused",
                        LOG_STR("reason", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx))));
    }
    X509_STORE_CTX_free(ctx);
    return good;
}

/* NULL: not to be trusted. */
static struct verified *verify(const struct x509_verifier *v, X509_STORE *roots, const struct text *chain, size_t n)
{
    X509 *leaf = parse_der(chain[0]);
    STACK_OF(X509) *between = sk_X509_new_null();
    struct verified *ret = NULL;

    for (size_t i = 1; i < n && i < 16; i++) {
        X509 *c = parse_der(chain[i]);
        if (c)
            sk_X509_push(between, c);
    }
    if (leaf && chain_is_good(roots, leaf, between)) {
        struct arena *a = arena_new();
        ret = ARENA_NEW(a, struct verified);
        ret->arena = a;
        ret->leaf = arena_text(a, chain[0]);
        ret->not_before_s = asn1_seconds(X509_get0_notBefore(leaf));
        ret->not_after_s = asn1_seconds(X509_get0_notAfter(leaf));
        read_subject(v, leaf, a, &ret->user);
        add_credential_id(leaf, a, &ret->user);
    }
    sk_X509_pop_free(between, X509_free);
    X509_free(leaf);
    return ret;
}

/* --- what is remembered --- */

static void forget_all_locked(struct x509_verifier *v)
{
    size_t i = 0;
    struct map_slot *s;
    while ((s = map_next(&v->verified_by_leaf, &i)))
        arena_free(((struct verified *)s->value)->arena);
    map_deinit(&v->verified_by_leaf);
    v->verified_by_leaf = (struct map){0};
}

/* True: *ret is the user. Otherwise *ret_roots is one reference to what to check against. */
static bool recall(struct x509_verifier *v, struct text leaf, struct arena *a, struct user_info *ret,
                   X509_STORE **ret_roots)
{
    int64_t now_s = clock_now_ns() / 1000000000;
    pthread_mutex_lock(&v->mu);
    struct verified *known = map_get(&v->verified_by_leaf, leaf);
    bool good = known && now_s >= known->not_before_s && now_s <= known->not_after_s;
    if (good) {
        user_copy(a, &known->user, ret);
    } else {
        X509_STORE_up_ref(v->roots);
        *ret_roots = v->roots;
    }
    pthread_mutex_unlock(&v->mu);
    return good;
}

static void remember(struct x509_verifier *v, const X509_STORE *checked_against, struct verified *new)
{
    struct verified *old = new;

    pthread_mutex_lock(&v->mu);
    if (checked_against == v->roots) {
        if (v->verified_by_leaf.n >= REMEMBERED_MAX)
            forget_all_locked(v);
        old = map_put(&v->verified_by_leaf, new->leaf, new);
    }
    pthread_mutex_unlock(&v->mu);
    if (old)
        arena_free(old->arena);
}

bool x509_verifier_check(struct x509_verifier *v, struct arena *a, const struct text *chain, size_t n,
                         struct user_info *ret)
{
    X509_STORE *roots = NULL;

    if (recall(v, chain[0], a, ret, &roots))
        return true;
    struct verified *known = verify(v, roots, chain, n);
    if (known) {
        user_copy(a, &known->user, ret);
        remember(v, roots, known);
    }
    X509_STORE_free(roots);
    return known != NULL;
}

/* --- the authorities --- */

/* NULL: there is no certificate in it. */
static X509_STORE *load_roots(struct text pem)
{
    X509_STORE *roots = X509_STORE_new();
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    size_t n = 0;
    X509 *c;

    while (in && (c = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        n += X509_STORE_add_cert(roots, c) == 1;
        X509_free(c);
    }
    BIO_free(in);
    if (n)
        return roots;
    X509_STORE_free(roots);
    return NULL;
}

static void ca_changed(void *ctx, struct text pem)
{
    struct x509_verifier *v = ctx;
    X509_STORE *roots = load_roots(pem), *old;

    if (!roots) {
        log_error("The changed CA file holds no PEM certificate; its last good content stays in use",
                  LOG_STR("file", v->ca_file));
        return;
    }
    pthread_mutex_lock(&v->mu);
    old = v->roots;
    v->roots = roots;
    forget_all_locked(v);
    pthread_mutex_unlock(&v->mu);
    X509_STORE_free(old);
    log_info("Loaded the changed CA file", LOG_STR("file", v->ca_file));
}

int x509_verifier_new(const char *ca_file, struct timers *timers, struct x509_verifier **ret, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer pem = BUFFER_INIT;

    if (file_read(ca_file, &pem, st) < 0)
        return -1;
    X509_STORE *roots = load_roots(buffer_text(&pem));
    if (!roots)
        return status_set(st, STATUS_BAD_REQUEST, "client CA file \"%s\" holds no PEM certificate", ca_file);
    struct x509_verifier *v = xcalloc(1, sizeof(*v));
    v->ca_file = xstrdup(ca_file);
    v->roots = roots;
    v->uid_oid = OBJ_txt2obj(OID_USER_UID, 1);
    pthread_mutex_init(&v->mu, NULL);
    if (timers)
        v->watch = watched_file_start(timers, ca_file, buffer_text(&pem), REREAD_MS, ca_changed, v);
    *ret = v;
    return 0;
}

void x509_verifier_free(struct x509_verifier *v)
{
    if (!v)
        return;
    watched_file_stop(v->watch);
    forget_all_locked(v);
    X509_STORE_free(v->roots);
    ASN1_OBJECT_free(v->uid_oid);
    pthread_mutex_destroy(&v->mu);
    free(v->ca_file);
    free(v);
}

/* The certificates of a file; NULL: it cannot be read, or has none. */
static X509_STORE *roots_of(const char *file)
{
    CLEANUP(buffer_deinit) struct buffer pem = BUFFER_INIT;
    CLEANUP(status_clear) struct status st = {0};

    return file_read(file, &pem, &st) < 0 ? NULL : load_roots(buffer_text(&pem));
}

bool authn_authorities_overlap(const char *file, const char *other)
{
    X509_STORE *a = roots_of(file), *b = roots_of(other);
    STACK_OF(X509) *as = a ? X509_STORE_get1_all_certs(a) : NULL, *bs = b ? X509_STORE_get1_all_certs(b) : NULL;
    bool overlap = false;

    for (int i = 0; as && bs && i < sk_X509_num(as); i++)
        for (int j = 0; j < sk_X509_num(bs); j++)
            overlap |= X509_cmp(sk_X509_value(as, i), sk_X509_value(bs, j)) == 0;
    sk_X509_pop_free(as, X509_free);
    sk_X509_pop_free(bs, X509_free);
    X509_STORE_free(a);
    X509_STORE_free(b);
    return overlap;
}
