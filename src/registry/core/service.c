/* SPDX-License-Identifier: Apache-2.0 */
/* A service's type says which of its fields mean anything. When an update changes the type, what the old one
 * had and the new one does not need is dropped, unless the client has changed it as well: then validation
 * shall say so. Source: kubernetes pkg/registry/core/service/strategy.go (dropTypeDependentFields),
 * storage/storage.go (defaultOnReadInternalTrafficPolicy). */
#include "registry/core/service.h"

static const struct value *spec_of(const struct value *svc)
{
    return value_get(svc, TEXT("spec"));
}

static bool same(const struct value *obj, const struct value *old, const char *field)
{
    return same_member(spec_of(obj), spec_of(old), text_of(field));
}

static void drop(struct value *obj, const char *field)
{
    value_remove(value_get(obj, TEXT("spec")), text_of(field));
}

static void drop_ips(struct value *obj, const struct value *old)
{
    if (same(obj, old, "clusterIP") && service_same_list(obj, old, "clusterIPs")) {
        drop(obj, "clusterIP");
        drop(obj, "clusterIPs");
    }
    if (same(obj, old, "ipFamilies"))
        drop(obj, "ipFamilies");
    if (same(obj, old, "ipFamilyPolicy"))
        drop(obj, "ipFamilyPolicy");
}

/* Ports may have come and gone, as long as no node port is new. */
static void drop_node_ports(struct value *obj, const struct value *old)
{
    for (size_t i = 0; i < service_count(obj, "ports"); i++) {
        bool is_known = !service_node_port(obj, i);
        for (size_t k = 0; k < service_count(old, "ports"); k++)
            is_known |= service_node_port(old, k) == service_node_port(obj, i);
        if (!is_known)
            return;
    }
    for (size_t i = 0; i < service_count(obj, "ports"); i++)
        value_remove(service_port(obj, i), TEXT("nodePort"));
}

static bool is_reached_from_outside(const struct value *svc)
{
    return service_has_node_ports(svc) || (service_is(svc, "ClusterIP") && service_count(svc, "externalIPs"));
}

static void drop_what_does_not_fit(struct operation *op, struct value *obj, const struct value *old)
{
    bool was_balanced = service_is(old, "LoadBalancer"), is_balanced = service_is(obj, "LoadBalancer");

    if (!service_is(old, "ExternalName") && service_is(obj, "ExternalName"))
        drop_ips(obj, old);
    if (service_has_node_ports(old) && !service_has_node_ports(obj))
        drop_node_ports(obj, old);
    if (service_needs_health_port(old) && !service_needs_health_port(obj) &&
        service_health_port(old) == service_health_port(obj))
        drop(obj, "healthCheckNodePort");
    if (was_balanced && !is_balanced && same(obj, old, "allocateLoadBalancerNodePorts"))
        drop(obj, "allocateLoadBalancerNodePorts");
    if (was_balanced && !is_balanced && same(obj, old, "loadBalancerClass"))
        drop(obj, "loadBalancerClass");
    if (is_reached_from_outside(old) && !is_reached_from_outside(obj) &&
        same(obj, old, "externalTrafficPolicy"))
        drop(obj, "externalTrafficPolicy");
    if (!is_balanced)
        value_remove(value_object_at(op->arena, obj, TEXT("status")), TEXT("loadBalancer"));
}

/* Upstream leaves it in the store and hides it from readers; there is one form here. */
static void drop_internal_policy(struct value *obj)
{
    if (service_is(obj, "ExternalName"))
        drop(obj, "internalTrafficPolicy");
}

static void prepare_create(struct operation *op UNUSED, struct value *obj)
{
    drop_internal_policy(obj);
}

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    drop_what_does_not_fit(op, obj, old);
    drop_internal_policy(obj);
}

const struct strategy strategy_services = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_CREATE_ON_UPDATE,
    .name = NAME_LABEL,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .claims = &service_claims,
};
