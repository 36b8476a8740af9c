/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of ingresses, network policies and service ranges. Source: kubernetes
 * pkg/apis/networking/validation. */
#include "schema/checks.h"

/* --- ingresses --- */

/* Creation only: what was made before there was a field for it goes on. */
CHECK(ingress_class_annotation)
{
    struct text key = TEXT("kubernetes.io/ingress.class");
    const struct value *annotation = value_get(value_at(v, "metadata", "annotations", NULL), key);
    const struct value *class = value_at(v, "spec", "ingressClassName", NULL);

    if (annotation && class && !value_equal(annotation, class))
        check_error(w, FIELD_INVALID, &(struct field_path){PATH_FIELD(NULL, "annotations"), key, PATH_NAME},
                    annotation, "must match `ingressClassName` when both are specified");
}

CHECK(host)
{
    bool has_star = text_find(value_text(v), '*') >= 0;

    check_format_at(w, at, has_star ? FORMAT_DNS1123_WILDCARD : FORMAT_DNS1123_SUBDOMAIN, value_text(v));
}

CHECK(http_path)
{
    static const struct text parts[] = {TEXT("//"), TEXT("/./"), TEXT("/../"), TEXT("%2f"), TEXT("%2F")};
    static const struct text ends[] = {TEXT("/.."), TEXT("/.")};
    struct text type = value_get_text(v, TEXT("pathType")), path = value_get_text(v, TEXT("path"));
    bool is_compared = text_is(type, "Exact") || text_is(type, "Prefix");
    const struct field_path *path_at = PATH_FIELD(at, "path");

    if (!is_compared && !text_is(type, "ImplementationSpecific"))
        return;
    if ((is_compared || path.n) && !text_starts(path, TEXT("/")))
        check_invalid_text(w, path_at, path, "must be an absolute path");
    for (size_t i = 0; is_compared && i < N_ELEMENTS(parts); i++)
        if (text_find_text(path, parts[i]) >= 0)
            check_invalid_text(w, path_at, path,
                               arena_printf(w->errs->arena, "must not contain '%s'", parts[i].p));
    for (size_t i = 0; is_compared && i < N_ELEMENTS(ends); i++)
        if (text_ends(path, ends[i]))
            check_invalid_text(w, path_at, path,
                               arena_printf(w->errs->arena, "cannot end with '%s'", ends[i].p));
}

static void check_required_name(struct validation *w, const struct field_path *at, struct text name,
                                enum format f)
{
    if (!name.n)
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
    else
        check_format_at(w, at, f, name);
}

static void check_resource_backend(struct validation *w, const struct field_path *at,
                                   const struct value *resource)
{
    const struct value *group = value_get(resource, TEXT("apiGroup"));

    if (group && group->kind == VALUE_STRING)
        check_format_at(w, PATH_FIELD(at, "apiGroup"), FORMAT_DNS1123_SUBDOMAIN, value_text(group));
    check_required_name(w, PATH_FIELD(at, "kind"), value_get_text(resource, TEXT("kind")),
                        FORMAT_PATH_SEGMENT);
    check_required_name(w, PATH_FIELD(at, "name"), value_get_text(resource, TEXT("name")),
                        FORMAT_PATH_SEGMENT);
}

static void check_service_backend(struct validation *w, const struct field_path *at,
                                  const struct value *service)
{
    const struct field_path *service_at = PATH_FIELD(at, "service"),
                            *port_at = PATH_FIELD(service_at, "port");
    const struct value *port = value_get(service, TEXT("port")), *number = value_get(port, TEXT("number"));
    struct text name = value_get_text(port, TEXT("name"));
    bool has_number = number && !value_is_empty(number);

    check_required_name(w, PATH_FIELD(service_at, "name"), value_get_text(service, TEXT("name")),
                        FORMAT_DNS1123_LABEL);
    if (name.n && has_number)
        check_invalid_text(w, at, TEXT(""), "cannot set both port name & port number");
    else if (name.n)
        check_format_at(w, PATH_FIELD(port_at, "name"), FORMAT_PORT_NAME, name);
    else if (has_number)
        check_port_or_name(w, PATH_FIELD(port_at, "number"), number, NULL);
    else
        check_error(w, FIELD_REQUIRED, at, NULL, "port name or number is required");
}

CHECK(ingress_backend)
{
    const struct value *service = value_get(v, TEXT("service")), *resource = value_get(v, TEXT("resource"));

    if (service && resource)
        check_invalid_text(w, at, TEXT(""), "cannot set both resource and service backends");
    else if (resource)
        check_resource_backend(w, PATH_FIELD(at, "resource"), resource);
    else if (service)
        check_service_backend(w, at, service);
    else
        check_invalid_text(w, at, TEXT(""), "resource or service backend is required");
}

CHECK(ingress_status_ip)
{
    const struct value *points = value_at(w->old, "status", "loadBalancer", "ingress", NULL);

    for (uint32_t i = 0; i < n_items(points); i++)
        if (text_eq(value_get_text(&points->items[i], TEXT("ip")), value_text(v)))
            return; /* whatever it is, it was there */
    check_format_at(w, at, FORMAT_IP, value_text(v));
}

/* --- network policies --- */

static bool block_has(const struct value *block, struct text cidr)
{
    const struct value *except = value_get(block, TEXT("except"));

    if (text_eq(value_get_text(block, TEXT("cidr")), cidr))
        return true;
    for (uint32_t i = 0; i < n_items(except); i++)
        if (text_eq(value_text(&except->items[i]), cidr))
            return true;
    return false;
}

static bool peers_have(const struct value *rules, struct text peers_name, struct text cidr)
{
    for (uint32_t i = 0; i < n_items(rules); i++) {
        const struct value *peers = value_get(&rules->items[i], peers_name);
        for (uint32_t k = 0; k < n_items(peers); k++) {
            const struct value *block = value_get(&peers->items[k], TEXT("ipBlock"));
            if (block && block_has(block, cidr))
                return true;
        }
    }
    return false;
}

/* A range that the policy had anywhere before is not looked at again. False: it cannot be read. */
static bool check_cidr(struct validation *w, const struct field_path *at, struct text cidr,
                       struct format_ip *ret_network, unsigned *ret_prefix)
{
    struct format_ip address;
    const struct value *spec = value_get(w->old, TEXT("spec"));

    if (!w->old || (!peers_have(value_get(spec, TEXT("ingress")), TEXT("from"), cidr) &&
                    !peers_have(value_get(spec, TEXT("egress")), TEXT("to"), cidr)))
        check_format_at(w, at, FORMAT_CIDR, cidr);
    return format_cidr_read(cidr, &address, ret_network, ret_prefix);
}

static bool network_has(const struct format_ip *network, unsigned prefix, const struct format_ip *ip)
{
    if (network->is_v4 != ip->is_v4)
        return false;
    for (unsigned i = 0; i < prefix; i++)
        if ((network->bytes[i / 8] ^ ip->bytes[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

CHECK(ip_block)
{
    const struct value *except = value_get(v, TEXT("except"));
    struct text cidr = value_get_text(v, TEXT("cidr"));
    struct format_ip network, inner;
    unsigned prefix, inner_prefix;

    if (!cidr.n || !check_cidr(w, PATH_FIELD(at, "cidr"), cidr, &network, &prefix))
        return;
    for (uint32_t i = 0; i < n_items(except); i++) {
        struct text t = value_text(&except->items[i]);
        const struct field_path *item = PATH_INDEX(PATH_FIELD(at, "except"), i);
        if (check_cidr(w, item, t, &inner, &inner_prefix) &&
            (!network_has(&network, prefix, &inner) || prefix >= inner_prefix))
            check_invalid_text(w, item, t, "must be a strict subset of `cidr`");
    }
}

CHECK(lone_ip_block)
{
    if (is_set(v, TEXT("podSelector")) || is_set(v, TEXT("namespaceSelector")))
        check_error(w, FIELD_FORBIDDEN, at, NULL, "may not specify both ipBlock and another peer");
}

CHECK(policy_port)
{
    const struct value *port = value_get(v, TEXT("port")), *end = value_get(v, TEXT("endPort"));
    const struct field_path *port_at = PATH_FIELD(at, "port"), *end_at = PATH_FIELD(at, "endPort");
    bool is_number = port && port->kind == VALUE_INT;

    if (end && !port)
        check_error(w, FIELD_INVALID, end_at, end, "may not be specified when `port` is not specified");
    else if (end && !is_number)
        check_error(w, FIELD_INVALID, end_at, end, "may not be specified when `port` is non-numeric");
    if (port)
        check_port_or_name(w, port_at, port, NULL);
    if (end && is_number && end->integer < port->integer)
        check_error(w, FIELD_INVALID, end_at, port, "must be greater than or equal to `port`");
    if (end && is_number)
        check_port_or_name(w, end_at, end, NULL);
}

CHECK(policy_types)
{
    static const char *const types[] = {"Ingress", "Egress"};

    if (n_items(v) > N_ELEMENTS(types)) {
        check_error(w, FIELD_INVALID, at, v, "may not specify more than two policyTypes");
        return;
    }
    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text type = value_text(&v->items[i]);
        if (!text_is(type, "Ingress") && !text_is(type, "Egress"))
            check_not_supported(w, PATH_INDEX(at, i), type, types, N_ELEMENTS(types));
    }
}

/* --- ranges of services --- */

static void check_ranges(struct validation *w, const struct field_path *at, const struct value *ranges)
{
    uint32_t n = n_items(ranges);
    struct format_ip address, networks[2];
    unsigned prefix, n_good = 0;

    if (n == 0 || n > 2) {
        if (n == 0)
            check_error(w, FIELD_REQUIRED, at, NULL, "at least one CIDR required");
        else
            check_error(w, FIELD_INVALID, at, ranges, "may only hold up to 2 values");
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct text t = value_text(&ranges->items[i]);
        const char *problem = format_cidr_canonical(w->errs->arena, t);
        if (problem)
            check_invalid_text(w, PATH_INDEX(at, i), t, problem);
        n_good += format_cidr_read(t, &address, &networks[i], &prefix);
    }
    if (n_good == 2 && networks[0].is_v4 == networks[1].is_v4)
        check_error(
            w, FIELD_INVALID, at, ranges,
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64");
}

/* Ranges stay, but a second one may join the first. */
CHECK(service_cidrs)
{
    bool grows = n_items(old) == 1 && n_items(v) == 2;

    if (!old) {
        check_ranges(w, at, v);
    } else if (n_items(old) != n_items(v) && !grows) {
        check_error(w, FIELD_INVALID, at, v ? v : &value_null, "field is immutable");
    } else {
        for (uint32_t i = 0; i < n_items(old); i++)
            if (!value_equal(&v->items[i], &old->items[i]))
                check_error(w, FIELD_INVALID, PATH_INDEX(at, i), &v->items[i], "field is immutable");
        if (grows)
            check_ranges(w, at, v);
    }
}
