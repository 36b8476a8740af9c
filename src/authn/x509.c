/* SPDX-License-Identifier: Apache-2.0 */
/* Client certificates.
 *
 * Verifying a chain costs some 100 us, so the outcome is remembered by the leaf's bytes until the leaf ends: a keep-alive
 * connection's requests, and a client's next connection, then cost one hash and one comparison. The memory of outcomes
 * is bounded; when full it is emptied. Source: kubernetes/apiserver pkg/authentication/request/x509/x509.go. */
#include "authn.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <time.h>

#define REMEMBERED_MAX 1024
/* UID of a user in a certificate's subject, as Kubernetes has registered it. */
#define OID_USER_UID "1.3.6.1.4.1.57683.2"

struct verified {
    struct arena *arena; /* owns all of it, itself included */
    struct text leaf;    /* DER */
    int64_t not_before_s, not_after_s;
    struct user_info user;
};

struct x509_method {
    struct authn_method method;
    X509_STORE *roots;   /* read-only once loaded */
    ASN1_OBJECT *uid_oid;
    pthread_mutex_t mu;  /* guards verified_by_leaf; a leaf lock: nothing is called with it held */
    struct map verified_by_leaf;
};

static struct text name_entry(struct arena *a, const X509_NAME_ENTRY *e)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
    struct text t = n > 0 ? arena_text(a, (struct text){(const char *)utf8, (size_t)n}) : TEXT_NONE;
    OPENSSL_free(utf8);
    return t;
}

static void read_subject(const struct x509_method *m, X509 *leaf, struct arena *a, struct user_info *u)
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
        else if (OBJ_cmp(type, m->uid_oid) == 0)
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
    u->extra = ARENA_NEW(a, struct user_extra);
    u->extra->key = TEXT("authentication.kubernetes.io/credential-id");
    u->extra->values = ARENA_NEW(a, struct text);
    u->extra->values[0] = buffer_text(&hex);
    u->extra->n_values = u->n_extra = 1;
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

static bool chain_is_good(struct x509_method *m, X509 *leaf, STACK_OF(X509) *between)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = ctx && X509_STORE_CTX_init(ctx, m->roots, leaf, between) &&
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
static struct verified *verify(struct x509_method *m, const struct text *chain, size_t n)
{
    X509 *leaf = parse_der(chain[0]);
    STACK_OF(X509) *between = sk_X509_new_null();
    struct verified *v = NULL;

    for (size_t i = 1; i < n && i < 16; i++) {
        X509 *c = parse_der(chain[i]);
        if (c)
            sk_X509_push(between, c);
    }
    if (leaf && chain_is_good(m, leaf, between)) {
        struct arena *a = arena_new();
        v = ARENA_NEW(a, struct verified);
        v->arena = a;
        v->leaf = arena_text(a, chain[0]);
        v->not_before_s = asn1_seconds(X509_get0_notBefore(leaf));
        v->not_after_s = asn1_seconds(X509_get0_notAfter(leaf));
        read_subject(m, leaf, a, &v->user);
        add_credential_id(leaf, a, &v->user);
    }
    sk_X509_pop_free(between, X509_free);
    X509_free(leaf);
    return v;
}

static void copy_user(struct arena *a, const struct user_info *from, struct user_info *to)
{
    *to = (struct user_info){.name = arena_text(a, from->name), .uid = arena_text(a, from->uid)};
    to->groups = ARENA_ARRAY(a, struct text, from->n_groups + 1);
    for (; to->n_groups < from->n_groups; to->n_groups++)
        to->groups[to->n_groups] = arena_text(a, from->groups[to->n_groups]);
    to->extra = ARENA_ARRAY(a, struct user_extra, from->n_extra + 1);
    for (; to->n_extra < from->n_extra; to->n_extra++) {
        const struct user_extra *e = &from->extra[to->n_extra];
        struct text *values = ARENA_ARRAY(a, struct text, e->n_values);
        for (size_t i = 0; i < e->n_values; i++)
            values[i] = arena_text(a, e->values[i]);
        to->extra[to->n_extra] = (struct user_extra){arena_text(a, e->key), values, e->n_values};
    }
}

static void forget_all_locked(struct x509_method *m)
{
    size_t i = 0;
    struct map_slot *s;
    while ((s = map_next(&m->verified_by_leaf, &i)))
        arena_free(((struct verified *)s->value)->arena);
    map_deinit(&m->verified_by_leaf);
    m->verified_by_leaf = (struct map){0};
}

static bool recall(struct x509_method *m, struct text leaf, struct arena *a, struct user_info *ret)
{
    int64_t now_s = clock_now_ns() / 1000000000;
    pthread_mutex_lock(&m->mu);
    struct verified *v = map_get(&m->verified_by_leaf, leaf);
    bool good = v && now_s >= v->not_before_s && now_s <= v->not_after_s;
    if (good)
        copy_user(a, &v->user, ret);
    pthread_mutex_unlock(&m->mu);
    return good;
}

static void remember(struct x509_method *m, struct verified *v)
{
    pthread_mutex_lock(&m->mu);
    if (m->verified_by_leaf.n >= REMEMBERED_MAX)
        forget_all_locked(m);
    struct verified *old = map_remove(&m->verified_by_leaf, v->leaf);
    map_put(&m->verified_by_leaf, v->leaf, v);
    pthread_mutex_unlock(&m->mu);
    if (old)
        arena_free(old->arena);
}

static enum authn_decision x509_authenticate(struct authn_method *method, struct request *r, struct user_info *ret)
{
    struct x509_method *m = CONTAINER_OF(method, struct x509_method, method);

    if (!r->n_client_certs)
        return AUTHN_NO_OPINION;
    if (!recall(m, r->client_certs[0], r->arena, ret)) {
        struct verified *v = verify(m, r->client_certs, r->n_client_certs);
        if (!v)
            return AUTHN_REFUSED;
        copy_user(r->arena, &v->user, ret);
        remember(m, v);
    }
    return ret->name.n ? AUTHN_KNOWN : AUTHN_NO_OPINION;
}

static void x509_free(struct authn_method *method)
{
    struct x509_method *m = CONTAINER_OF(method, struct x509_method, method);
    forget_all_locked(m);
    X509_STORE_free(m->roots);
    ASN1_OBJECT_free(m->uid_oid);
    pthread_mutex_destroy(&m->mu);
    free(m);
}

static size_t load_roots(X509_STORE *roots, struct text pem)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    size_t n = 0;
    X509 *c;
    while (in && (c = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        n += X509_STORE_add_cert(roots, c) == 1;
        X509_free(c);
    }
    BIO_free(in);
    return n;
}

int authn_x509_new(const char *ca_file, struct authn_method **ret, struct status *st)
{
    struct buffer pem = BUFFER_INIT;
    if (file_read(ca_file, &pem, st) < 0)
        return -1;
    struct x509_method *m = xcalloc(1, sizeof(*m));
    m->method = (struct authn_method){.name = "x509", .authenticate = x509_authenticate, .free = x509_free};
    m->roots = X509_STORE_new();
    m->uid_oid = OBJ_txt2obj(OID_USER_UID, 1);
    pthread_mutex_init(&m->mu, NULL);
    size_t n = load_roots(m->roots, buffer_text(&pem));
    buffer_deinit(&pem);
    if (n == 0) {
        x509_free(&m->method);
        return status_set(st, STATUS_BAD_REQUEST, "client CA file \"%s\" holds no PEM certificate", ca_file);
    }
    *ret = &m->method;
    return 0;
}
