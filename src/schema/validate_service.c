/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of services. Addresses and their families are checked where they are given (src/registry/core/service_families.c).
 * Source: kubernetes pkg/apis/core/validation/validation.go (validateService, ValidateServiceUpdate). */
#include "schema/checks.h"

static bool is_type(const struct value *spec, const char *type)
{
    return text_is(value_get_text(spec, TEXT("type")), type);
}

static struct text first_ip(const struct value *spec)
{
    const struct value *ips = value_get(spec, TEXT("clusterIPs"));
    return n_items(ips) ? value_text(&ips->items[0]) : TEXT_NONE;
}

static bool is_headless(const struct value *spec)
{
    return text_is(first_ip(spec), "None");
}

static void check_external_name(struct validation *w, const struct field_path *at, const struct value *v)
{
    static const struct text of_addresses[] = {TEXT("clusterIPs"), TEXT("ipFamilies"),
                                               TEXT("ipFamilyPolicy")};
    struct text name = value_get_text(v, TEXT("externalName"));

    for (size_t i = 0; i < N_ELEMENTS(of_addresses); i++) {
        const struct value *field = value_get(v, of_addresses[i]);
        if (field && !value_is_empty(field))
            check_error(w, FIELD_FORBIDDEN, &(struct field_path){at, of_addresses[i], PATH_NAME}, NULL,
                        "may not be set for ExternalName services");
    }
    if (text_ends(name, TEXT(".")))
        name = text_first(name, name.n - 1);
    if (name.n)
        check_format_at(w, PATH_FIELD(at, "externalName"), FORMAT_DNS1123_SUBDOMAIN, name);
    else
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "externalName"), NULL, "%s", "");
}

/* Names and numbers of ports, each once. */
static void check_ports(struct validation *w, const struct field_path *at, const struct value *v)
{
    CLEANUP(seen_deinit) struct seen_texts names = {.n = 0}, numbers = {.n = 0}, node_ports = {.n = 0};
    const struct value *ports = value_get(v, TEXT("ports"));

    for (uint32_t i = 0; i < n_items(ports); i++) {
        const struct value *port = &ports->items[i], *name = value_get(port, TEXT("name"));
        const struct field_path *item = PATH_INDEX(PATH_FIELD(at, "ports"), i);
        struct text protocol = value_get_text(port, TEXT("protocol"));
        int64_t number = value_get_int(port, TEXT("port"), 0),
                node_port = value_get_int(port, TEXT("nodePort"), 0);
        if (ports->n > 1 && !value_text(name).n)
            check_error(w, FIELD_REQUIRED, PATH_FIELD(item, "name"), NULL, "%s", "");
        if (value_text(name).n && !seen_add(&names, value_text(name)))
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(item, "name"), name, "%s", "");
        if (node_port && is_type(v, "ClusterIP"))
            check_error(w, FIELD_FORBIDDEN, PATH_FIELD(item, "nodePort"), NULL,
                        "may not be used when `type` is 'ClusterIP'");
        if (ports->n < 2)
            continue;
        struct text key = arena_textf(w->errs->arena, "%.*s/%lld", TEXT_ARG(protocol), (long long)number);
        if (node_port && !seen_add(&node_ports, arena_textf(w->errs->arena, "%.*s/%lld", TEXT_ARG(protocol),
                                                            (long long)node_port)))
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(item, "nodePort"), value_get(port, TEXT("nodePort")),
                        "%s", "");
        if (!seen_add(&numbers, key))
            check_error(w, FIELD_DUPLICATE, item, port, "%s", "");
    }
}

static bool has_text(const struct value *list, struct text t)
{
    for (uint32_t i = 0; i < n_items(list); i++)
        if (text_eq(value_text(&list->items[i]), t))
            return true;
    return false;
}

/* Addresses that were there before stay good; those of this machine or of groups are no service's. */
static void check_external_ips(struct validation *w, const struct field_path *at, const struct value *ips,
                               const struct value *old_ips)
{
    for (uint32_t i = 0; i < n_items(ips); i++) {
        struct text t = value_text(&ips->items[i]);
        const char *problem = has_text(old_ips, t) ? NULL : format_ip_legacy(t, true);
        if (problem)
            check_error(w, FIELD_INVALID, PATH_INDEX(at, i), &ips->items[i], "%s", problem);
        else
            check_endpoint_ip(w, PATH_INDEX(at, i), t);
    }
}

/* The field's path begins with a capital, as upstream's does. */
static void check_source_ranges(struct validation *w, const struct field_path *at, const struct value *v,
                                const struct value *old)
{
    const struct value *ranges = value_get(v, TEXT("loadBalancerSourceRanges"));
    const struct field_path *path = PATH_FIELD(at, "LoadBalancerSourceRanges");

    if (n_items(ranges) && !is_type(v, "LoadBalancer"))
        check_error(w, FIELD_FORBIDDEN, path, NULL, "may only be used when `type` is 'LoadBalancer'");
    for (uint32_t i = 0; i < n_items(ranges); i++) {
        const char *problem =
            has_text(value_get(old, TEXT("loadBalancerSourceRanges")), value_text(&ranges->items[i]))
                ? NULL
                : format_cidr_legacy(text_trim(value_text(&ranges->items[i])), true);
        if (problem)
            check_error(w, FIELD_INVALID, PATH_INDEX(path, i), &ranges->items[i], "%s", problem);
    }
}

CHECK(service)
{
    const struct value *spec = value_get(v, TEXT("spec")), *old_spec = value_get(w->old, TEXT("spec"));
    const struct field_path *path = PATH_FIELD(at, "spec");
    const struct value none = value_string(TEXT("None"));

    if (!n_items(value_get(spec, TEXT("ports"))) && !is_headless(spec) && !is_type(spec, "ExternalName"))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(path, "ports"), NULL, "%s", "");
    if (is_headless(spec) && (is_type(spec, "LoadBalancer") || is_type(spec, "NodePort")))
        check_error(w, FIELD_INVALID, PATH_INDEX(PATH_FIELD(path, "clusterIPs"), 0), &none,
                    "may not be set to 'None' for %.*s services",
                    TEXT_ARG(value_get_text(spec, TEXT("type"))));
    if (is_type(spec, "ExternalName"))
        check_external_name(w, path, spec);
    check_ports(w, path, spec);
    check_external_ips(w, PATH_FIELD(path, "externalIPs"), value_get(spec, TEXT("externalIPs")),
                       value_get(old_spec, TEXT("externalIPs")));
    check_source_ranges(w, path, spec, old_spec);
}

static void check_affinity(struct validation *w, const struct field_path *at, const struct value *v)
{
    enum { SECONDS_MAX = 86400 };
    const struct value *seconds = value_at(v, "sessionAffinityConfig", "clientIP", "timeoutSeconds", NULL);
    const struct field_path *path =
        PATH_FIELD(PATH_FIELD(PATH_FIELD(at, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");

    if (text_is(value_get_text(v, TEXT("sessionAffinity")), "ClientIP") && seconds &&
        (seconds->integer <= 0 || seconds->integer > SECONDS_MAX))
        check_error(w, FIELD_INVALID, path, seconds, "must be greater than 0 and less than %d", SECONDS_MAX);
}

static bool needs_health_check(const struct value *spec)
{
    return is_type(spec, "LoadBalancer") &&
           text_is(value_get_text(spec, TEXT("externalTrafficPolicy")), "Local");
}

/* How traffic from outside and inside is led, and what only load balancers have. */
CHECK(service_traffic)
{
    static const char *const policies[] = {"Cluster", "Local"};
    const struct value *external = value_get(v, TEXT("externalTrafficPolicy")),
                       *internal = value_get(v, TEXT("internalTrafficPolicy"));
    const struct value *port = value_get(v, TEXT("healthCheckNodePort")),
                       *class = value_get(v, TEXT("loadBalancerClass"));
    bool is_balanced = is_type(v, "LoadBalancer");
    bool is_external = is_balanced || is_type(v, "NodePort") ||
                       (is_type(v, "ClusterIP") && n_items(value_get(v, TEXT("externalIPs"))));
    struct text policy = value_text(external);

    check_affinity(w, at, v);
    if (!is_balanced && is_set(v, TEXT("allocateLoadBalancerNodePorts")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "allocateLoadBalancerNodePorts"), NULL,
                    "may only be used when `type` is 'LoadBalancer'");
    if (is_balanced && !is_set(v, TEXT("allocateLoadBalancerNodePorts")))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(NULL, "allocateLoadBalancerNodePorts"), NULL, "%s", "");
    if (class && class->kind == VALUE_STRING && is_balanced)
        check_format_at(w, PATH_FIELD(at, "loadBalancerClass"), FORMAT_QUALIFIED_NAME, value_text(class));
    else if (class && class->kind == VALUE_STRING)
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "loadBalancerClass"), NULL,
                    "may only be used when `type` is 'LoadBalancer'");
    if (!is_external && policy.n)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "externalTrafficPolicy"), external,
                    "may only be set for externally-accessible services");
    else if (is_external && !policy.n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "externalTrafficPolicy"), NULL, "%s", "");
    else if (is_external && !text_is(policy, "Cluster") && !text_is(policy, "Local"))
        check_not_supported(w, PATH_FIELD(at, "externalTrafficPolicy"), policy, policies,
                            N_ELEMENTS(policies));
    if (!needs_health_check(v) && port && port->integer)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "healthCheckNodePort"), port,
                    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    if (!internal && !is_type(v, "ExternalName") && (is_external || is_type(v, "ClusterIP")))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "internalTrafficPolicy"), NULL, "%s", "");
    if (internal && !text_is(value_text(internal), "Cluster") && !text_is(value_text(internal), "Local"))
        check_not_supported(w, PATH_FIELD(at, "internalTrafficPolicy"), value_text(internal), policies,
                            N_ELEMENTS(policies));
}

/* --- updates --- */

/* A list of addresses or families: its first must stay, its second may come, and go with a word about the policy. */
static void check_kept(struct validation *w, const struct field_path *spec, const struct value *v,
                       const struct value *old, struct text name, bool names_each, const char *what)
{
    const struct value *now = value_get(v, name), *before = value_get(old, name),
                       *policy = value_get(v, TEXT("ipFamilyPolicy"));
    const struct field_path list = {spec, name, PATH_NAME}, first = {&list, TEXT_NONE, 0};
    uint32_t n = n_items(now), n_before = n_items(before);

    if (n < n_before && !n_items(value_get(v, TEXT("clusterIPs"))))
        check_error(w, FIELD_INVALID, &first, now ? now : &value_null, "primary %s can not be unset", what);
    for (uint32_t i = 0; i < n && i < n_before && (i == 0 || n == n_before); i++)
        if (!value_equal(&now->items[i], &before->items[i]))
            check_error(w, FIELD_INVALID, names_each ? PATH_INDEX(&list, i) : &first, now,
                        "may not change once set");
    if (n < n_before && n == 1 && !text_is(value_text(policy), "SingleStack"))
        check_error(w, FIELD_INVALID, PATH_FIELD(spec, "ipFamilyPolicy"), policy ? policy : &value_null,
                    "must be set to 'SingleStack' when releasing the secondary %s", what);
}

CHECK(service_update)
{
    const struct value *class = value_get(v, TEXT("loadBalancerClass"));

    if (!is_type(v, "ExternalName") && !is_type(old, "ExternalName")) {
        if (!is_headless(v) || !is_headless(old))
            check_kept(w, at, v, old, TEXT("clusterIPs"), true, "clusterIP");
        if (!is_headless(v) && !is_headless(old))
            check_kept(w, at, v, old, TEXT("ipFamilies"), false, "ipFamily");
    }
    if (is_type(v, "LoadBalancer") && is_type(old, "LoadBalancer") &&
        differs_at(v, old, TEXT("loadBalancerClass")))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "loadBalancerClass"), class ? class : &value_null,
                    "may not change once set");
    if (needs_health_check(v) && needs_health_check(old) && differs_at(v, old, TEXT("healthCheckNodePort")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "healthCheckNodePort"), NULL, "field is immutable");
}
