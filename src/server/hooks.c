/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a fresh server makes by itself: the four system namespaces, the policy of RBAC, the kubernetes service
 * and, where it is the only server, its endpoints (see presence.c for the others). They are written as JSON, with the few
 * values of this server filled in; what is there already is left alone, but for the endpoints. */
#include "server/hooks.h"

#include <arpa/inet.h>

#include "authz.h"
#include "server/fixtures.h"

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
        if (fixture_ensure(ctx->registry, &f, st) < 0)
            return -1;
    }
    return 0;
}

static int make_kubernetes_service(const struct hook_context *ctx, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct in6_addr unused;
    const char *family = inet_pton(AF_INET6, ctx->service_ip, &unused) == 1 ? "IPv6" : "IPv4";
    const struct text own = text_of(ctx->advertise_address);
    const struct fixture service = {
        "", "v1", "services", "default",
        arena_textf(a,
                    "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
                    "\"component\":\"apiserver\",\"provider\":\"kubernetes\"}},"
                    "\"spec\":{\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":443,\"targetPort\":%u}],"
                    "\"clusterIP\":\"%s\",\"clusterIPs\":[\"%s\"],\"type\":\"ClusterIP\",\"sessionAffinity\":\"None\","
                    "\"ipFamilies\":[\"%s\"],\"ipFamilyPolicy\":\"SingleStack\",\"internalTrafficPolicy\":\"Cluster\"}}",
                    ctx->secure_port, ctx->service_ip, ctx->service_ip, family),
        false};
    if (fixture_ensure(ctx->registry, &service, st) < 0)
        return -1;
    /* Several servers take turns with the endpoints. */
    if (ctx->reconciler == RECONCILER_NONE || !ctx->is_alone)
        return 0;
    if (ctx->reconciler == RECONCILER_MASTER_COUNT)
        return service_endpoints_join(ctx->registry, own, ctx->secure_port, ctx->apiserver_count, st);
    return service_endpoints_write(ctx->registry, &own, 1, ctx->secure_port, st);
}

static int make_policy(const struct hook_context *ctx, struct status *st)
{
    return authz_bootstrap(ctx->registry, st) < 0 ? -1 : authz_aggregate(ctx->registry, st);
}

/* Those that only the system's own pods may have; kube-apiserver makes them in this order, too. */
static int make_priority_classes(const struct hook_context *ctx, struct status *st)
{
    static const struct text classes[] = {
        TEXT("{\"metadata\":{\"name\":\"system-node-critical\"},\"value\":2000001000,\"description\":"
             "\"For the pods that a node itself cannot do without.\"}"),
        TEXT("{\"metadata\":{\"name\":\"system-cluster-critical\"},\"value\":2000000000,\"description\":"
             "\"For the pods that the cluster cannot do without, on whatever node they run.\"}"),
    };
    for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
        const struct fixture f = {"scheduling.k8s.io", "v1", "priorityclasses", "", classes[i], false};
        if (fixture_ensure(ctx->registry, &f, st) < 0)
            return -1;
    }
    return 0;
}

const struct hook hooks[] = {
    {"start-system-namespaces-controller", make_namespaces},
    {"rbac/bootstrap-roles", make_policy},
    {"scheduling/bootstrap-system-priority-classes", make_priority_classes},
    {"bootstrap-controller", make_kubernetes_service},
};
const size_t n_hooks = N_ELEMENTS(hooks);
