/* SPDX-License-Identifier: Apache-2.0 */
/* What a decision costs: bench_authz [ROLES [BINDINGS]]. Nanoseconds of CPU for authentication by a
 * certificate that was seen before, and for RBAC, of a user who may read pods of his namespace by a
 * RoleBinding: first with the bootstrap policy alone, then with so many roles and bindings (1,000 and 10,000)
 * in 100 namespaces besides; and what one change of the index costs. Target: 3 us for both, and no more than
 * twice that with all the bindings. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "authn.h"
#include "authz.h"
#include "authz/bootstrap.h"
#include "authz/rbac.h"

#define N_ASKS 400000

static struct arena *arena;
static struct rbac *rbac;

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* --- policy, put into the index as the watches do --- */

static struct object *object_of(const char *resource, const char *json)
{
    const struct resource_type *type =
        schema_resource_find(TEXT("rbac.authorization.k8s.io"), TEXT("v1"), text_of(resource));
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct status st = {0};
    struct value tree;
    struct buffer b = BUFFER_IN(a);
    size_t rv_at;

    if (json_read(a, text_of(json), NULL, &tree, &st) < 0 ||
        schema_decode(a, type->kind->schema, &tree, NULL, &st) < 0) {
        fprintf(stderr, "%s: %s\n", json, st.message);
        exit(1);
    }
    schema_encode(&b, type->kind->schema, &tree, &rv_at);
    struct object *o = object_new(type, buffer_text(&b), rv_at, &tree);
    object_seal(o, 1);
    return o;
}

static void put(const char *resource, const char *json)
{
    struct object *o = object_of(resource, json);

    rbac_put(rbac, o, false);
    object_unref(o);
}

static const char *role_json(int i)
{
    return arena_printf(arena,
                        "{\"metadata\":{\"name\":\"role-%d\",\"namespace\":\"ns-%d\",\"creationTimestamp\":"
                        "\"2026-01-02T03:04:05Z\"},"
                        "\"rules\":[{\"verbs\":[\"create\",\"update\"],\"apiGroups\":[\"apps\"],"
                        "\"resources\":[\"deployments\"]},"
                        "{\"verbs\":[\"get\",\"list\",\"watch\"],\"apiGroups\":[\"\"],\"resources\":["
                        "\"pods\",\"services\"]}]}",
                        i, i % 100);
}

static const char *binding_json(int i, int n_roles)
{
    int role = i % n_roles;

    return arena_printf(
        arena,
        "{\"metadata\":{\"name\":\"b-%d\",\"namespace\":\"ns-%d\",\"creationTimestamp\":\"2026-01-02T03:04:"
        "05Z\"},"
        "\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"role-%d\"},"
        "\"subjects\":[{\"kind\":\"User\",\"name\":\"user-%d\",\"apiGroup\":\"rbac.authorization.k8s.io\"},"
        "{\"kind\":\"Group\",\"name\":\"team-%d\",\"apiGroup\":\"rbac.authorization.k8s.io\"}]}",
        i, role % 100, role, i, i % 500);
}

static void put_bootstrap(void)
{
    struct bootstrap_object *objects;
    struct status st = {0};
    size_t n;

    bootstrap_parse(arena, text_of(bootstrap_policy), &objects, &n, &st);
    for (size_t i = 0; i < n; i++) {
        struct buffer b = BUFFER_IN(arena);
        value_set(arena, value_get(&objects[i].tree, TEXT("metadata")), TEXT("creationTimestamp"),
                  value_string(TEXT("2026-01-02T03:04:05Z")));
        json_write(&b, &objects[i].tree);
        put(arena_str(arena, objects[i].resource), buffer_str(&b));
    }
}

/* --- asking --- */

/* As the mode does it, by way of the union and all. */
static double ask(struct authorizer *z, const char *user, const char *namespace, bool expected)
{
    struct text groups[] = {TEXT("dev"), TEXT("qa"), TEXT("system:authenticated")};
    const struct user_info u = {.name = text_of(user), .groups = groups, .n_groups = 3};
    const struct request_info info = {.is_resource = true,
                                      .verb = TEXT("get"),
                                      .version = TEXT("v1"),
                                      .namespace = text_of(namespace),
                                      .resource = TEXT("pods"),
                                      .name = TEXT("web-0")};
    const struct authz_attributes attrs = {.user = &u, .info = &info};
    struct arena *a = arena_new();
    int64_t begun = cpu_ns();

    for (int i = 0; i < N_ASKS; i++) {
        struct authz_answer answer;
        bool is_allowed = authorizer_ask(z, a, &attrs, &answer) == AUTHZ_ALLOW;
        if (is_allowed != expected) {
            fprintf(stderr, "%s is %s\n", user, is_allowed ? "allowed" : "refused");
            exit(1);
        }
        if (i % 16 == 15)
            arena_reset(a);
    }
    double ns = (double)(cpu_ns() - begun) / N_ASKS;
    arena_free(a);
    return ns;
}

/* --- a certificate --- */

/* Its own authority, for clients, of the user jane in the group dev. */
static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *c = X509_new();
    X509_NAME *name = X509_get_subject_name(c);
    X509_EXTENSION *usage = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "clientAuth");

    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
    X509_gmtime_adj(X509_getm_notBefore(c), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"dev", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"jane", -1, -1, 0);
    X509_set_issuer_name(c, name);
    X509_set_pubkey(c, key);
    X509_add_ext(c, usage, -1);
    X509_EXTENSION_free(usage);
    X509_sign(c, key, EVP_sha256());
    return c;
}

static double authenticate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = make_certificate(key);
    char path[] = "/tmp/bench-authz-XXXXXX";
    struct authn_method *m = NULL;
    struct status st = {0};
    unsigned char *der = NULL;
    int fd = mkstemp(path), n = i2d_X509(c, &der);
    FILE *f = fdopen(fd, "w");
    struct arena *a = arena_new();
    const struct text chain = {(const char *)der, (size_t)n};
    struct request r = {.arena = a, .client_certs = &chain, .n_client_certs = 1};

    PEM_write_X509(f, c);
    fclose(f);
    if (authn_x509_new(path, NULL, &m, &st) < 0) {
        fprintf(stderr, "%s\n", st.message);
        exit(1);
    }
    unlink(path);
    int64_t begun = 0;
    for (int i = -1; i < N_ASKS; i++) { /* the first time is not measured: it verifies */
        struct user_info u = {0};
        if (i == 0)
            begun = cpu_ns();
        if (m->authenticate(m, &r, &u) != AUTHN_KNOWN) {
            fprintf(stderr, "the certificate is not known\n");
            exit(1);
        }
        if (i % 16 == 15)
            arena_reset(a);
    }
    double ns = (double)(cpu_ns() - begun) / N_ASKS;
    m->free(m);
    arena_free(a);
    OPENSSL_free(der);
    X509_free(c);
    EVP_PKEY_free(key);
    return ns;
}

static void bench_mode(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                       struct authz_answer *ret)
{
    (void)m;
    rbac_decide(rbac, a, attrs, ret);
}

static void nothing(struct authz_mode *m)
{
    (void)m;
}

int main(int argc, char **argv)
{
    int n_roles = argc > 1 ? atoi(argv[1]) : 1000, n_bindings = argc > 2 ? atoi(argv[2]) : 10000;
    struct authz_mode mode = {.type = "RBAC", .name = "rbac", .authorize = bench_mode, .free = nothing};
    struct authz_mode *modes[] = {&mode};

    arena = arena_new();
    rbac = rbac_new();
    struct authorizer *z = authorizer_new(modes, 1);
    put_bootstrap();
    put("roles", role_json(0));
    put("rolebindings", binding_json(0, 1));
    printf("authentication by a known certificate: %.0f ns\n", authenticate());
    printf("RBAC, bootstrap policy: allowed %.0f ns, refused %.0f ns\n", ask(z, "user-0", "ns-0", true),
           ask(z, "nobody", "ns-0", false));
    int64_t begun = cpu_ns();
    for (int i = 0; i < n_roles; i++)
        put("roles", role_json(i));
    for (int i = 0; i < n_bindings; i++)
        put("rolebindings", binding_json(i, n_roles));
    printf("a change: %.1f us (reading the object included)\n",
           (double)(cpu_ns() - begun) / 1000 / (n_roles + n_bindings));
    printf("RBAC, %d roles and %d bindings: allowed %.0f ns, refused %.0f ns\n", n_roles, n_bindings,
           ask(z, "user-4242", "ns-42", true), ask(z, "nobody", "ns-42", false));
    authorizer_free(z);
    rbac_free(rbac);
    arena_free(arena);
    return 0;
}
