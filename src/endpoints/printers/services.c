/* SPDX-License-Identifier: Apache-2.0 */
/* Services and what lies behind and before them: endpoints, slices, ingresses, addresses. */
#include "endpoints/printers/printers.h"

/* --- services --------------------------------------------------------------------------------------------------------------- */

static void print_cluster_ip(struct row *r, struct text arg)
{
    const struct value *ips = value_find(r->o, "spec.clusterIPs");

    row_or(r, value_count(ips) ? value_text(&ips->items[0]) : TEXT_NONE, "<none>");
}

/* The addresses that a load balancer has given. */
static void add_load_balancer(struct row *r, struct buffer *b)
{
    const struct value *points = value_find(r->o, "status.loadBalancer.ingress");
    struct text_set set = {0};

    for (size_t i = 0; i < value_count(points); i++) {
        struct text ip = value_get_text(&points->items[i], TEXT("ip"));
        struct text name = value_get_text(&points->items[i], TEXT("hostname"));
        if (ip.n || name.n)
            text_set_add(r->a, &set, ip.n ? ip : name);
    }
    add_joined(b, &set.list, ",");
}

static void print_external_ip(struct row *r, struct text arg)
{
    struct text type = value_find_text(r->o, "spec.type");
    const struct value *ips = value_find(r->o, "spec.externalIPs");
    struct buffer b = BUFFER_IN(r->a);
    const char *otherwise = "<unknown>";

    if (text_is(type, "ExternalName")) {
        row_text(r, value_find_text(r->o, "spec.externalName"));
        return;
    }
    if (text_is(type, "LoadBalancer")) {
        add_load_balancer(r, &b);
        otherwise = "<pending>";
    } else if (text_is(type, "ClusterIP") || text_is(type, "NodePort")) {
        otherwise = "<none>";
    } else {
        ips = NULL;
    }
    if (b.n && value_count(ips))
        buffer_add_char(&b, ',');
    add_list(&b, ips, ",");
    row_or(r, buffer_text(&b), otherwise);
}

static void print_ports(struct row *r, struct text arg)
{
    const struct value *ports = value_find(r->o, "spec.ports");
    struct buffer b = BUFFER_IN(r->a);

    for (size_t i = 0; i < value_count(ports); i++) {
        const struct value *port = &ports->items[i];
        int64_t node_port = value_get_int(port, TEXT("nodePort"), 0);
        if (i)
            buffer_add_char(&b, ',');
        buffer_add_i64(&b, value_get_int(port, TEXT("port"), 0));
        if (node_port > 0)
            buffer_addf(&b, ":%lld", (long long)node_port);
        buffer_add_char(&b, '/');
        buffer_add(&b, value_get_text(port, TEXT("protocol")));
    }
    row_or(r, buffer_text(&b), "<none>");
}

/* --- endpoints -------------------------------------------------------------------------------------------------------------- */

static void add_endpoint(struct short_list *l, struct text ip, const struct value *port)
{
    struct buffer *b = short_list_next(l);
    bool is_v6 = text_find(ip, ':') >= 0;

    if (!b)
        return;
    if (!port)
        buffer_add(b, ip);
    else
        buffer_addf(b, "%s%.*s%s:%lld", is_v6 ? "[" : "", TEXT_ARG(ip), is_v6 ? "]" : "",
                    (long long)value_get_int(port, TEXT("port"), 0));
}

static void print_endpoints(struct row *r, struct text arg)
{
    const struct value *subsets = value_find(r->o, "subsets");
    struct short_list l = {.b = BUFFER_IN(r->a), .separator = ",", .max = 3};

    for (size_t i = 0; i < value_count(subsets); i++) {
        const struct value *ports = value_find(&subsets->items[i], "ports");
        const struct value *addresses = value_find(&subsets->items[i], "addresses");
        size_t n_ports = value_count(ports);

        for (size_t p = 0; p < (n_ports ? n_ports : 1); p++)
            for (size_t j = 0; j < value_count(addresses); j++)
                add_endpoint(&l, value_get_text(&addresses->items[j], TEXT("ip")), n_ports ? &ports->items[p] : NULL);
    }
    row_short_list(r, &l, value_count(subsets) ? "" : "<none>");
}

static void print_slice_ports(struct row *r, struct text arg)
{
    const struct value *ports = value_find(r->o, "ports");
    struct short_list l = {.b = BUFFER_IN(r->a), .separator = ",", .max = 3};

    for (size_t i = 0; i < value_count(ports); i++) {
        const struct value *number = value_find(&ports->items[i], "port"), *name = value_find(&ports->items[i], "name");
        struct buffer *b = short_list_next(&l);
        if (!b)
            continue;
        if (number)
            buffer_add_i64(b, number->integer);
        else
            buffer_add(b, name ? value_text(name) : TEXT("*"));
    }
    row_short_list(r, &l, "<unset>");
}

static void print_slice_endpoints(struct row *r, struct text arg)
{
    const struct value *endpoints = value_find(r->o, "endpoints");
    struct short_list l = {.b = BUFFER_IN(r->a), .separator = ",", .max = 3};

    for (size_t i = 0; i < value_count(endpoints); i++) {
        const struct value *addresses = value_find(&endpoints->items[i], "addresses");
        for (size_t j = 0; j < value_count(addresses); j++) {
            struct buffer *b = short_list_next(&l);
            if (b)
                buffer_add(b, value_text(&addresses->items[j]));
        }
    }
    row_short_list(r, &l, "<unset>");
}

/* --- ingresses -------------------------------------------------------------------------------------------------------------- */

/* What is left out is counted by rules, those without a host too. */
static void print_ingress_hosts(struct row *r, struct text arg)
{
    const struct value *rules = value_find(r->o, "spec.rules");
    struct buffer b = BUFFER_IN(r->a);
    size_t n = 0;
    bool has_more = false;

    for (size_t i = 0; i < value_count(rules); i++) {
        struct text host = value_get_text(&rules->items[i], TEXT("host"));
        has_more |= n == 3;
        if (has_more || !host.n)
            continue;
        if (n++)
            buffer_add_char(&b, ',');
        buffer_add(&b, host);
    }
    if (has_more)
        buffer_addf(&b, " + %zu more...", value_count(rules) - 3);
    row_or(r, buffer_text(&b), "*");
}

static void print_load_balancer(struct row *r, struct text arg)
{
    struct buffer b = BUFFER_IN(r->a);

    add_load_balancer(r, &b);
    row_buffer(r, &b);
}

static void print_ingress_ports(struct row *r, struct text arg)
{
    row_str(r, value_count(value_find(r->o, "spec.tls")) ? "80, 443" : "80");
}

static void print_class_parameters(struct row *r, struct text arg)
{
    const struct value *p = value_find(r->o, "spec.parameters"), *group = value_find(p, "apiGroup");
    struct buffer b = BUFFER_IN(r->a);

    if (p) {
        buffer_add(&b, value_get_text(p, TEXT("kind")));
        if (group) {
            buffer_add_char(&b, '.');
            buffer_add(&b, value_text(group));
        }
        buffer_add_char(&b, '/');
        buffer_add(&b, value_get_text(p, TEXT("name")));
    }
    row_or(r, buffer_text(&b), "<none>");
}

/* --- addresses -------------------------------------------------------------------------------------------------------------- */

static void print_parent_ref(struct row *r, struct text arg)
{
    const struct value *p = value_find(r->o, "spec.parentRef");
    struct text group = value_get_text(p, TEXT("group")), namespace = value_get_text(p, TEXT("namespace"));
    struct buffer b = BUFFER_IN(r->a);

    if (p) {
        buffer_add(&b, value_get_text(p, TEXT("resource")));
        if (group.n)
            buffer_addf(&b, ".%.*s", TEXT_ARG(group));
        if (namespace.n)
            buffer_addf(&b, "/%.*s", TEXT_ARG(namespace));
        buffer_addf(&b, "/%.*s", TEXT_ARG(value_get_text(p, TEXT("name"))));
    }
    row_or(r, buffer_text(&b), "<none>");
}

/* --- API services ----------------------------------------------------------------------------------------------------------- */

static void print_api_service(struct row *r, struct text arg)
{
    const struct value *s = value_find(r->o, "spec.service");

    if (s)
        row_text(r, arena_textf(r->a, "%.*s/%.*s", TEXT_ARG(value_get_text(s, TEXT("namespace"))),
                               TEXT_ARG(value_get_text(s, TEXT("name")))));
    else
        row_str(r, "Local");
}

static void print_api_available(struct row *r, struct text arg)
{
    const struct value *c = condition_find(value_find(r->o, "status.conditions"), "Available");
    struct text status = value_get_text(c, TEXT("status")), reason = value_get_text(c, TEXT("reason"));

    if (c && !text_is(status, "True") && reason.n)
        row_text(r, arena_textf(r->a, "%.*s (%.*s)", TEXT_ARG(status), TEXT_ARG(reason)));
    else
        row_or(r, status, "Unknown");
}

const struct printer service_printers[] = {
    {"service_cluster_ip", print_cluster_ip},
    {"service_external_ip", print_external_ip},
    {"service_ports", print_ports},
    {"endpoints", print_endpoints},
    {"slice_ports", print_slice_ports},
    {"slice_endpoints", print_slice_endpoints},
    {"ingress_hosts", print_ingress_hosts},
    {"ingress_ports", print_ingress_ports},
    {"load_balancer", print_load_balancer},
    {"class_parameters", print_class_parameters},
    {"parent_ref", print_parent_ref},
    {"api_service", print_api_service},
    {"api_available", print_api_available},
    {NULL, NULL},
};
