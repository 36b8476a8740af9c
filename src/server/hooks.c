/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a fresh server makes by itself: the four system namespaces, the kubernetes service and its endpoints.
 * They are written as JSON, with the few values of this server filled in; what is there already is left alone, but for the
 * endpoints, which must name this server. */
#include "server/hooks.h"

#include <arpa/inet.h>

#include "authz.h"

/* What a hook keeps in place. */
struct fixture {
    const char *group, *version, *resource;
    const char *namespace; /* "" for cluster-scoped ones */
    struct text json;
    bool is_kept_up; /* an object that says otherwise is replaced */
};

/* registry_run needs the operation's own ctx. */
struct replacement {
    struct operation op;
    const struct value *wanted;
};

static int replace_with_fixture(struct operation *op, const struct object *current, const struct value *tree,
                                struct value *ret_new, struct status *st)
{
    struct value next = value_copy(op->arena, CONTAINER_OF(op, struct replacement, op)->wanted);
    struct value *meta = value_get(&next, TEXT("metadata"));
    struct value *now = value_at(tree, "metadata", "resourceVersion", NULL);

    if (now)
        value_set(op->arena, meta, TEXT("resourceVersion"), *now);
    *ret_new = next;
    return 0;
}

static int decode_fixture(struct arena *a, const struct resource *res, struct text json, struct value *ret,
                          struct status *st)
{
    static const struct json_options options = {0};
    const struct schema *s = res->storage->kind->schema;
    if (json_read(a, json, &options, ret, st) < 0 || schema_decode(a, s, ret, NULL, st) < 0)
        return -1;
    schema_default(a, s, ret);
    return 0;
}

static int keep_up(const struct registry *reg, const struct resource *res, const struct fixture *f, struct arena *a,
                   const struct value *wanted, struct status *st)
{
    struct replacement r = {.op = {.kind = OPERATION_UPDATE,
                                   .registry = reg,
                                   .resource = res,
                                   .arena = a,
                                   .namespace = text_of(f->namespace),
                                   .name = value_text(value_at(wanted, "metadata", "name", NULL)),
                                   .transform = replace_with_fixture},
                            .wanted = wanted};
    int rc = registry_run(&r.op);
    if (rc < 0)
        status_move(st, &r.op.st);
    operation_clear(&r.op);
    return rc;
}

static int ensure(const struct registry *reg, const struct fixture *f, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct resource *res =
        registry_find(reg, text_of(f->group), text_of(f->version), text_of(f->resource));
    struct value object;

    if (!res)
        return 0; /* switched off by --runtime-config */
    if (decode_fixture(a, res, f->json, &object, st) < 0)
        return -1;
    struct operation op = {.kind = OPERATION_CREATE,
                           .registry = reg,
                           .resource = res,
                           .arena = a,
                           .namespace = text_of(f->namespace),
                           .object = value_copy(a, &object)};
    int rc = registry_run(&op);
    if (rc < 0 && op.st.reason == STATUS_ALREADY_EXISTS)
        rc = f->is_kept_up ? keep_up(reg, res, f, a, &object, st) : 0;
    else if (rc < 0)
        status_move(st, &op.st);
    operation_clear(&op);
    return rc;
}

static int make_namespaces(const struct hook_context *ctx, struct status *st)
{
    static const struct text names[] = {
        TEXT("{\"metadata\":{\"name\":\"kube-system\"}}"),
        TEXT("{\"metadata\":{\"name\":\"kube-public\"}}"),
        TEXT("{\"metadata\":{\"name\":\"kube-node-lease\"}}"),
        TEXT("{\"metadata\":{\"name\":\"default\"}}"),
    };
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const struct fixture f = {"", "v1", "namespaces", "", names[i], false};
        if (ensure(ctx->registry, &f, st) < 0)
            return -1;
    }
    return 0;
}

static int make_kubernetes_service(const struct hook_context *ctx, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct in6_addr unused;
    const char *family = inet_pton(AF_INET6, ctx->advertise_address, &unused) == 1 ? "IPv6" : "IPv4";
    const char *service_family = inet_pton(AF_INET6, ctx->service_ip, &unused) == 1 ? "IPv6" : "IPv4";
    const struct fixture fixtures[] = {
        {"", "v1", "services", "default",
         arena_textf(a,
                     "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
                     "\"component\":\"apiserver\",\"provider\":\"kubernetes\"}},"
                     "\"spec\":{\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":443,\"targetPort\":%u}],"
                     "\"clusterIP\":\"%s\",\"clusterIPs\":[\"%s\"],\"type\":\"ClusterIP\",\"sessionAffinity\":\"None\","
                     "\"ipFamilies\":[\"%s\"],\"ipFamilyPolicy\":\"SingleStack\",\"internalTrafficPolicy\":\"Cluster\"}}",
                     ctx->secure_port, ctx->service_ip, ctx->service_ip, service_family),
         false},
        {"", "v1", "endpoints", "default",
         arena_textf(a,
                     "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
                     "\"endpointslice.kubernetes.io/skip-mirror\":\"true\"}},"
                     "\"subsets\":[{\"addresses\":[{\"ip\":\"%s\"}],"
                     "\"ports\":[{\"name\":\"https\",\"port\":%u,\"protocol\":\"TCP\"}]}]}",
                     ctx->advertise_address, ctx->secure_port),
         true},
        {"discovery.k8s.io", "v1", "endpointslices", "default",
         arena_textf(a,
                     "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
                     "\"kubernetes.io/service-name\":\"kubernetes\"}},\"addressType\":\"%s\","
                     "\"endpoints\":[{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":true}}],"
                     "\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":%u}]}",
                     family, ctx->advertise_address, ctx->secure_port),
         true},
    };
    for (size_t i = 0; i < N_ELEMENTS(fixtures); i++)
        if (ensure(ctx->registry, &fixtures[i], st) < 0)
            return -1;
    return 0;
}

static int make_policy(const struct hook_context *ctx, struct status *st)
{
    return authz_bootstrap(ctx->registry, st) < 0 ? -1 : authz_aggregate(ctx->registry, st);
}

const struct hook hooks[] = {
    {"start-system-namespaces-controller", make_namespaces},
    {"rbac/bootstrap-roles", make_policy},
    {"bootstrap-controller", make_kubernetes_service},
};
const size_t n_hooks = N_ELEMENTS(hooks);
