/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - what the files about services share: reading a service, and the parts of a write in their
 * order: the fields of addresses are completed (service_families.c), addresses and ports are taken
 * (service_claims.c), what no longer fits the type is dropped (service.c). Source: kubernetes
 * pkg/registry/core/service/storage/{storage,alloc}.go, strategy.go. */
#pragma once

#include "registry/core/cluster_ips.h"
#include "registry/core/node_ports.h"
#include "registry/registry_internal.h"

struct services {
    struct node_ports *node_ports;
    const char *families[2]; /* configured ones; the first is the default */
    size_t n_families;
};
/* NULL: no options, or services are not served (res NULL). */
struct services *services_new(const struct registry_options *opt, const struct resource *res);
void services_free(struct services *s);

extern const struct strategy_claims service_claims;

/* --- reading a service --- */

static inline const struct value *service_field(const struct value *svc, const char *name)
{
    return value_get(value_get(svc, TEXT("spec")), text_of(name));
}
static inline struct text service_text(const struct value *svc, const char *name)
{
    return value_text(service_field(svc, name));
}
static inline bool service_is(const struct value *svc, const char *type)
{
    return text_is(service_text(svc, "type"), type);
}
static inline size_t service_count(const struct value *svc, const char *list)
{
    const struct value *v = service_field(svc, list);
    return v && v->kind == VALUE_LIST ? v->n : 0;
}
static inline struct text service_item(const struct value *svc, const char *list,
                                       size_t i) /* of a list of strings; empty past its end */
{
    return i < service_count(svc, list) ? value_text(&service_field(svc, list)->items[i]) : TEXT_NONE;
}
static inline bool service_is_headless(const struct value *svc)
{
    return text_is(service_item(svc, "clusterIPs", 0), "None");
}
static inline bool service_has_node_ports(const struct value *svc) /* its type has them, allocated or not */
{
    return service_is(svc, "NodePort") || service_is(svc, "LoadBalancer");
}
static inline bool service_allocates_node_ports(const struct value *svc)
{
    const struct value *wanted = service_field(svc, "allocateLoadBalancerNodePorts");
    return service_is(svc, "NodePort") ||
           (service_is(svc, "LoadBalancer") && !(wanted && wanted->kind == VALUE_BOOL && !wanted->boolean));
}
static inline bool service_needs_health_port(const struct value *svc)
{
    return service_is(svc, "LoadBalancer") && text_is(service_text(svc, "externalTrafficPolicy"), "Local");
}
static inline int64_t service_health_port(const struct value *svc)
{
    return value_get_int(value_get(svc, TEXT("spec")), TEXT("healthCheckNodePort"), 0);
}
static inline struct value *service_port(const struct value *svc, size_t i)
{
    return &service_field(svc, "ports")->items[i];
}
static inline int64_t service_node_port(const struct value *svc, size_t i)
{
    return value_get_int(service_port(svc, i), TEXT("nodePort"), 0);
}
bool service_same_list(const struct value *x, const struct value *y, const char *list); /* of strings */

/* --- the parts of a write --- */

/* Lets stand what was allocated and the client did not repeat, and makes clusterIP and clusterIPs agree. */
void service_complete(struct operation *op, struct value *obj, const struct value *old);
/* ipFamilyPolicy, ipFamilies and clusterIPs against each other and against the cluster; fills in what can be
 * inferred. INVALID. */
int service_init_families(struct operation *op, struct value *obj, const struct value *old);
/* Both sides prefer two families and agree: such a service neither gains nor loses an address. */
bool service_keeps_preference(const struct value *obj, const struct value *old);
