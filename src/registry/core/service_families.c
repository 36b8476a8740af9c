/* SPDX-License-Identifier: Apache-2.0 */
/* One address or two, and of which family: four fields that say it together (clusterIP, clusterIPs,
 * ipFamilies, ipFamilyPolicy), of which a client may give any part. What it left out is inferred: from the
 * old service, from each other, from the ranges of the cluster. Source: kubernetes
 * pkg/registry/core/service/storage/storage.go (normalizeClusterIPs, patchAllocatedValues), alloc.go
 * (initIPFamilyFields), pkg/apis/core/validation (ValidateServiceClusterIPsRelatedFields). */
#include "registry/core/service.h"

#define SINGLE "SingleStack"
#define PREFER "PreferDualStack"
#define REQUIRE "RequireDualStack"

bool service_same_list(const struct value *x, const struct value *y, const char *list)
{
    size_t n = service_count(x, list);

    if (n != service_count(y, list))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!text_eq(service_item(x, list, i), service_item(y, list, i)))
            return false;
    return true;
}

static struct value *spec_of(struct operation *op, struct value *obj)
{
    return value_object_at(op->arena, obj, TEXT("spec"));
}

static void keep(struct operation *op, struct value *obj, const struct value *old, const char *field)
{
    keep_member(op->arena, spec_of(op, obj), value_get(old, TEXT("spec")), text_of(field));
}

static void set_text(struct operation *op, struct value *obj, const char *field, const char *text)
{
    value_set(op->arena, spec_of(op, obj), text_of(field), value_string(text_of(text)));
}

static void set_list(struct operation *op, struct value *obj, const char *field, struct text item)
{
    value_set(op->arena, spec_of(op, obj), text_of(field), value_texts(op->arena, &item, 1));
}

static void add_item(struct operation *op, struct value *obj, const char *field, struct text item)
{
    struct value *list = value_get(spec_of(op, obj), text_of(field));

    if (!list || list->kind != VALUE_LIST)
        list = value_set(op->arena, spec_of(op, obj), text_of(field), value_list());
    value_append(op->arena, list, value_string(item));
}

/* --- what the client left out --- */

static bool node_port_is_used(const struct value *svc, int64_t port)
{
    for (size_t i = 0; i < service_count(svc, "ports"); i++)
        if (service_node_port(svc, i) == port)
            return true;
    return false;
}

/* A port keeps its node port by its name, whatever else of it has changed, unless that is used for another
 * one now. */
static void keep_node_ports(struct operation *op, struct value *obj, const struct value *old)
{
    const struct value sent = value_copy(op->arena, obj);

    for (size_t i = 0; i < service_count(obj, "ports"); i++) {
        int64_t kept = 0;
        struct text name = value_get_text(service_port(obj, i), TEXT("name"));
        for (size_t k = 0; k < service_count(old, "ports"); k++)
            if (text_eq(value_get_text(service_port(old, k), TEXT("name")), name))
                kept = service_node_port(old, k);
        if (!service_node_port(&sent, i) && kept && !node_port_is_used(&sent, kept))
            value_set(op->arena, service_port(obj, i), TEXT("nodePort"), value_int(kept));
    }
}

static void keep_allocated(struct operation *op, struct value *obj, const struct value *old)
{
    if (!service_is(old, "ExternalName") && !service_is(obj, "ExternalName")) {
        if (!service_text(obj, "clusterIP").n)
            keep(op, obj, old, "clusterIP");
        if (!service_count(obj, "clusterIPs") && service_count(old, "clusterIPs"))
            keep(op, obj, old, "clusterIPs");
    }
    if (service_allocates_node_ports(old) && service_allocates_node_ports(obj))
        keep_node_ports(op, obj, old);
    if (service_needs_health_port(old) && service_needs_health_port(obj) && !service_health_port(obj))
        keep(op, obj, old, "healthCheckNodePort");
}

/* Clients of the time before clusterIPs change clusterIP only. */
static void sync_ips(struct operation *op, struct value *obj, const struct value *old)
{
    struct text ip = service_text(obj, "clusterIP"), before = service_text(old, "clusterIP");

    if (!old) {
        if (ip.n && !service_count(obj, "clusterIPs"))
            set_list(op, obj, "clusterIPs", ip);
        return;
    }
    if (text_eq(before, ip)) {
        if (service_count(old, "clusterIPs") && !service_count(obj, "clusterIPs"))
            keep(op, obj, old, "clusterIPs");
    } else if (service_same_list(obj, old, "clusterIPs")) {
        if (before.n && !ip.n)
            value_remove(spec_of(op, obj), TEXT("clusterIPs"));
        else
            set_list(op, obj, "clusterIPs", ip);
    }
}

void service_complete(struct operation *op, struct value *obj, const struct value *old)
{
    if (old)
        keep_allocated(op, obj, old);
    sync_ips(op, obj, old);
}

/* --- the fields against each other --- */

static const struct value *shown(const struct value *obj, const char *field)
{
    const struct value *v = service_field(obj, field);
    return v ? v : &value_null;
}

static void check_agreement(const struct value *obj, struct field_errors *errs)
{
    struct text ip = service_text(obj, "clusterIP");
    size_t n = service_count(obj, "clusterIPs");

    if (ip.n && !n)
        field_error(errs, FIELD_REQUIRED, "spec.clusterIPs", NULL, "%s", "");
    else if (ip.n && !text_eq(service_item(obj, "clusterIPs", 0), ip))
        field_error(errs, FIELD_INVALID, "spec.clusterIPs", shown(obj, "clusterIPs"),
                    "first value must match `clusterIP`");
    else if (!ip.n && n)
        field_error(errs, FIELD_INVALID, "spec.clusterIPs", shown(obj, "clusterIPs"),
                    "must be empty when `clusterIP` is not specified");
}

static void check_families(struct operation *op, const struct value *obj, struct field_errors *errs)
{
    static const char *const known[] = {"IPv4", "IPv6"}, *const policies[] = {PREFER, REQUIRE, SINGLE};
    struct text policy = service_text(obj, "ipFamilyPolicy");

    for (size_t i = 0; i < service_count(obj, "ipFamilies"); i++) {
        const struct value family = value_string(service_item(obj, "ipFamilies", i));
        const char *path = arena_printf(op->arena, "spec.ipFamilies[%zu]", i);
        bool is_repeated = false;
        if (!text_is(value_text(&family), "IPv4") && !text_is(value_text(&family), "IPv6"))
            field_not_supported(errs, path, &family, known, N_ELEMENTS(known));
        for (size_t k = 0; k < i; k++)
            is_repeated |= text_eq(service_item(obj, "ipFamilies", k), value_text(&family));
        if (is_repeated)
            field_error(errs, FIELD_DUPLICATE, path, &family, "%s", "");
    }
    if (service_field(obj, "ipFamilyPolicy") && !text_is(policy, SINGLE) && !text_is(policy, PREFER) &&
        !text_is(policy, REQUIRE))
        field_not_supported(errs, "spec.ipFamilyPolicy", shown(obj, "ipFamilyPolicy"), policies,
                            N_ELEMENTS(policies));
}

static bool has_item(const struct value *svc, const char *list, struct text item)
{
    for (size_t i = 0; i < service_count(svc, list); i++)
        if (text_eq(service_item(svc, list, i), item))
            return true;
    return false;
}

/* False: what is no address would only make the other errors odd. */
static bool check_ips(struct operation *op, const struct value *obj, const struct value *old,
                      struct field_errors *errs)
{
    size_t n = service_count(obj, "clusterIPs");
    bool is_good = true;

    for (size_t i = 0; i < n; i++) {
        struct value ip = value_string(service_item(obj, "clusterIPs", i));
        const char *problem;
        if (i == 0 && text_is(value_text(&ip), "None")) {
            if (n > 1)
                field_error(errs, FIELD_INVALID, "spec.clusterIPs", shown(obj, "clusterIPs"),
                            "'None' must be the first and only value");
            is_good = n == 1;
        } else if ((problem = format_ip_legacy(value_text(&ip), true)) &&
                   !has_item(old, "clusterIPs", value_text(&ip))) {
            field_error(errs, FIELD_INVALID, arena_printf(op->arena, "spec.clusterIPs[%zu]", i), &ip, "%s",
                        problem);
            is_good = false;
        }
    }
    if (n > 2)
        field_error(errs, FIELD_INVALID, "spec.clusterIPs", shown(obj, "clusterIPs"),
                    "may only hold up to 2 values");
    return is_good;
}

static const char *family_of(struct text ip)
{
    struct format_ip read;
    return format_ip_read(ip, &read) ? ip_family(&read) : "unknown";
}

static bool is_dual(const struct value *obj)
{
    bool has_v4 = false, has_v6 = false;

    for (size_t i = 0; i < service_count(obj, "clusterIPs"); i++) {
        bool is_v4 = strcmp(family_of(service_item(obj, "clusterIPs", i)), "IPv4") == 0;
        has_v4 |= is_v4;
        has_v6 |= !is_v4;
    }
    return has_v4 && has_v6;
}

static void check_ip_families(struct operation *op, const struct value *obj, struct field_errors *errs)
{
    size_t n = service_count(obj, "clusterIPs");

    if (n > 1 && !is_dual(obj))
        field_error(errs, FIELD_INVALID, "spec.clusterIPs", shown(obj, "clusterIPs"),
                    "may specify no more than one IP for each IP family");
    for (size_t i = 0; !service_is_headless(obj) && i < n && i < service_count(obj, "ipFamilies"); i++) {
        struct value ip = value_string(service_item(obj, "clusterIPs", i));
        struct text family = service_item(obj, "ipFamilies", i);
        if ((text_is(family, "IPv4") || text_is(family, "IPv6")) &&
            !text_is(family, family_of(value_text(&ip))))
            field_error(errs, FIELD_INVALID, arena_printf(op->arena, "spec.clusterIPs[%zu]", i), &ip,
                        "expected an %.*s value as indicated by `ipFamilies[%zu]`", TEXT_ARG(family), i);
    }
}

static int fail(struct operation *op, const struct value *obj, const struct field_errors *errs)
{
    return errs->n ? status_invalid(&op->st, TEXT(""), TEXT("Service"),
                                    value_get_text(metadata_of(obj), TEXT("name")), errs)
                   : 0;
}

static int check_fields(struct operation *op, const struct value *obj, const struct value *old)
{
    struct field_errors errs = {.arena = op->arena};

    check_agreement(obj, &errs);
    check_families(op, obj, &errs);
    if (check_ips(op, obj, old, &errs))
        check_ip_families(op, obj, &errs);
    return fail(op, obj, &errs);
}

/* --- against the cluster --- */

bool service_keeps_preference(const struct value *obj, const struct value *old)
{
    struct text before = service_text(old, "ipFamilyPolicy");

    return old && text_is(service_text(obj, "ipFamilyPolicy"), PREFER) &&
           (!before.n || text_is(before, PREFER)) &&
           text_eq(service_text(old, "type"), service_text(obj, "type")) &&
           !service_is(obj, "ExternalName") && service_same_list(obj, old, "clusterIPs") &&
           service_same_list(obj, old, "ipFamilies");
}

static bool is_headless_without_selector(const struct value *obj)
{
    const struct value *selector = service_field(obj, "selector");

    return text_is(service_text(obj, "clusterIP"), "None") &&
           !(selector && selector->kind == VALUE_OBJECT && selector->n);
}

static void infer_policy(struct operation *op, struct value *obj, const struct value *old)
{
    if (service_field(obj, "ipFamilyPolicy"))
        return;
    if (service_field(old, "ipFamilyPolicy"))
        keep(op, obj, old, "ipFamilyPolicy");
    else
        set_text(op, obj, "ipFamilyPolicy", is_headless_without_selector(obj) ? REQUIRE : SINGLE);
}

static void policy_error(const struct value *obj, struct field_errors *errs, const char *words)
{
    field_error(errs, FIELD_INVALID, "spec.ipFamilyPolicy", shown(obj, "ipFamilyPolicy"), "%s", words);
}

static void cut(struct operation *op, struct value *obj, const struct value *old, const char *list)
{
    if (service_same_list(obj, old, list) && service_count(obj, list) > 1)
        set_list(op, obj, list, service_item(obj, list, 0));
}

static bool is_reduced(const struct value *obj, const struct value *old, const char *list)
{
    return service_count(obj, list) && service_count(obj, list) < service_count(old, list);
}

/* To say that one family is enough is the one way to give the other up. */
static void check_reduction(struct operation *op, struct value *obj, const struct value *old,
                            struct field_errors *errs)
{
    if (text_is(service_text(obj, "ipFamilyPolicy"), SINGLE)) {
        cut(op, obj, old, "clusterIPs");
        cut(op, obj, old, "ipFamilies");
        return;
    }
    if (is_reduced(obj, old, "clusterIPs"))
        policy_error(obj, errs, "must be 'SingleStack' to release the secondary cluster IP");
    if (is_reduced(obj, old, "ipFamilies"))
        policy_error(obj, errs, "must be 'SingleStack' to release the secondary IP family");
}

static bool is_configured(const struct operation *op, struct text family)
{
    const struct services *s = op->registry->services;

    return text_is(family, s->families[0]) || (s->n_families > 1 && text_is(family, s->families[1]));
}

static void infer_families(struct operation *op, struct value *obj, struct field_errors *errs)
{
    for (size_t i = service_count(obj, "ipFamilies"); i < service_count(obj, "clusterIPs"); i++) {
        struct text ip = service_item(obj, "clusterIPs", i), family = text_of(family_of(ip));
        if (text_is(ip, "None"))
            return;
        if (is_configured(op, family))
            add_item(op, obj, "ipFamilies", family);
        else
            field_error(errs, FIELD_INVALID, arena_printf(op->arena, "spec.clusterIPs[%zu]", i),
                        shown(obj, "clusterIPs"), "%.*s is not configured on this cluster", TEXT_ARG(family));
    }
}

static void add_other_family(struct operation *op, struct value *obj)
{
    if (service_count(obj, "ipFamilies") == 1 && !text_is(service_text(obj, "ipFamilyPolicy"), SINGLE))
        add_item(op, obj, "ipFamilies",
                 text_is(service_item(obj, "ipFamilies", 0), "IPv4") ? TEXT("IPv6") : TEXT("IPv4"));
}

static void default_family(struct operation *op, struct value *obj)
{
    if (!service_count(obj, "ipFamilies"))
        set_list(op, obj, "ipFamilies", text_of(op->registry->services->families[0]));
}

/* With addresses of its own: of families that the cluster has. */
static int fit_to_cluster(struct operation *op, struct value *obj)
{
    struct field_errors errs = {.arena = op->arena};
    bool is_dual_cluster = op->registry->services->n_families > 1;

    if (text_is(service_text(obj, "ipFamilyPolicy"), REQUIRE) && !is_dual_cluster)
        policy_error(obj, &errs, "this cluster is not configured for dual-stack services");
    for (size_t i = 0; i < service_count(obj, "ipFamilies"); i++) {
        struct value family = value_string(service_item(obj, "ipFamilies", i));
        if (!is_configured(op, value_text(&family)))
            field_error(&errs, FIELD_INVALID, arena_printf(op->arena, "spec.ipFamilies[%zu]", i), &family,
                        "not configured on this cluster");
    }
    if (errs.n)
        return fail(op, obj, &errs);
    default_family(op, obj);
    if (is_dual_cluster)
        add_other_family(op, obj);
    return 0;
}

int service_init_families(struct operation *op, struct value *obj, const struct value *old)
{
    struct field_errors errs = {.arena = op->arena};

    if (service_is(obj, "ExternalName") || service_keeps_preference(obj, old))
        return 0;
    infer_policy(op, obj, old);
    if (check_fields(op, obj, old) < 0)
        return -1;
    if (old)
        check_reduction(op, obj, old, &errs);
    if (text_is(service_text(obj, "ipFamilyPolicy"), SINGLE)) {
        if (service_count(obj, "clusterIPs") == 2)
            policy_error(
                obj, &errs,
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
        if (service_count(obj, "ipFamilies") == 2)
            policy_error(
                obj, &errs,
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
    }
    infer_families(op, obj, &errs);
    if (errs.n)
        return fail(op, obj, &errs);
    if (!is_headless_without_selector(obj))
        return fit_to_cluster(op, obj);
    /* Nobody knows what stands behind it, so it may have both, whatever the cluster has. */
    default_family(op, obj);
    add_other_family(op, obj);
    return 0;
}
