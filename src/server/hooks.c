/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a fresh server makes by itself: the four system namespaces, the policy of RBAC, the range of the services'
 * addresses, the kubernetes service and, where it is the only server, its endpoints (see presence.c for the others). They are
 * written as JSON, with the few values of this server filled in; what is there already is left alone, but for the endpoints. */
#include "server/hooks.h"

#include "authz.h"
#include "server/fixtures.h"
#include "server/service_upkeep.h"

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

/* The service may have to wait: another server is about to make it, or its address is taken still; the rounds try again. */
static int make_kubernetes_service(const struct hook_context *ctx, struct status *st)
{
    const struct text own = text_of(ctx->advertise_address);

    if (service_upkeep_make_kubernetes(ctx->registry, ctx->service_ip, ctx->secure_port, st) < 0) {
        log_warning("The kubernetes service was not made", LOG_STR("error", st->message));
        status_clear(st);
    }
    /* Several servers take turns with the endpoints. */
    if (ctx->reconciler == RECONCILER_NONE || !ctx->is_alone)
        return 0;
    if (ctx->reconciler == RECONCILER_MASTER_COUNT)
        return service_endpoints_join(ctx->registry, own, ctx->secure_port, ctx->apiserver_count, st);
    return service_endpoints_write(ctx->registry, &own, 1, ctx->secure_port, st);
}

static int make_service_cidr(const struct hook_context *ctx, struct status *st)
{
    return service_upkeep_make_cidr(ctx->registry, ctx->services, st);
}

static int repair_services(const struct hook_context *ctx, struct status *st)
{
    return registry_repair_services(ctx->registry, st);
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
    {"start-kubernetes-service-cidr-controller", make_service_cidr},
    {"start-service-ip-repair-controllers", repair_services},
    {"rbac/bootstrap-roles", make_policy},
    {"scheduling/bootstrap-system-priority-classes", make_priority_classes},
    {"bootstrap-controller", make_kubernetes_service},
};
const size_t n_hooks = N_ELEMENTS(hooks);
