/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash between the steps of a write has left, or a hand that wrote where it should not: addresses and
 * ports that no service has are given back, those that a service has without having taken them are taken. An
 * address of which nobody knows whose it is may belong to a service that is on its way, so it is left alone
 * for as long as a request may take. Source: kubernetes
 * pkg/registry/core/service/ipallocator/controller/repairip.go, portallocator/controller/repair.go. */
#include "registry/core/service.h"

#define GRACE_MS 60000      /* of an address whose service is not there */
#define SHORT_GRACE_MS 5000 /* of one that its service does not name */
#define ATTEMPTS 5
#define MANAGED TEXT("ipallocator.k8s.io")

struct repair {
    struct registry *registry;
    const struct resource *services, *addresses;
    struct arena *arena; /* reset for each object */
    struct ip_range *ranges;
    size_t n_ranges;
    struct arena *range_arena;
};

/* Calls each for the decoded objects of the resource. */
static void walk(struct repair *r, const struct resource *res,
                 void (*each)(struct repair *r, struct object *o, const struct value *tree, void *ctx),
                 void *ctx)
{
    struct snapshot s;
    struct tree_iter it;

    cache_snapshot(res->cache, &s);
    tree_iter_init(&it, &object_tree_ops, s.tree);
    for (struct object *o; (o = tree_iter_next(&it)); arena_reset(r->arena)) {
        CLEANUP(status_clear) struct status st = {0};
        struct value tree;
        if (!o->is_unreadable && object_tree(r->arena, o, &tree, &st) == 0)
            each(r, o, &tree, ctx);
    }
    snapshot_release(&s);
}

/* --- ports --- */

enum { NOT_USED, USED, USED_BY_THIS };

/* Those of one service; one port may serve several protocols. */
static void mark_ports(uint8_t *used, const struct object *o, const struct value *svc, uint8_t mark)
{
    size_t n = service_count(svc, "ports");

    for (size_t i = 0; i <= n; i++) {
        int64_t port = i < n ? service_node_port(svc, i) : service_health_port(svc);
        if (port <= 0 || port > 65535)
            continue;
        if (mark == USED_BY_THIS && used[port] == USED)
            log_warning("A node port was assigned to several services; please recreate one of them",
                        LOG_I64("port", port), LOG_TEXT("service", o->key));
        used[port] = mark;
    }
}

static void note_ports(struct repair *r UNUSED, struct object *o, const struct value *svc, void *ctx)
{
    mark_ports(ctx, o, svc, USED_BY_THIS);
    mark_ports(ctx, o, svc, USED);
}

static int repair_ports(struct repair *r, struct status *st)
{
    struct node_ports *np = r->registry->services->node_ports;
    int result = -1;

    for (int i = 0; i < ATTEMPTS && result < 0; i++) {
        uint64_t revision = node_ports_revision(np);
        uint8_t *used = xcalloc(65536, 1);
        walk(r, r->services, note_ports, used);
        result = node_ports_repair(np, used, revision, st);
        free(used);
        if (result < 0 && st->reason != STATUS_CONFLICT)
            break;
    }
    return result;
}

/* --- addresses --- */

static int run(struct repair *r, struct operation op, struct status *st)
{
    op.registry = r->registry;
    op.resource = r->addresses;
    op.arena = r->arena;
    int result = registry_run(&op);

    if (result < 0 && op.st.reason != STATUS_NOT_FOUND && op.st.reason != STATUS_ALREADY_EXISTS)
        status_move(st, &op.st);
    else
        result = 0;
    operation_clear(&op);
    return result;
}

/* Just as it was seen: who has changed it since is not our business. */
static void remove_address(struct repair *r, const struct object *o, const char *why)
{
    CLEANUP(status_clear) struct status st = {0};

    log_warning("An address was given back", LOG_TEXT("address", o->name), LOG_STR("reason", why));
    if (run(r,
            (struct operation){.kind = OPERATION_DELETE,
                               .name = o->name,
                               .del = {.grace_seconds = -1, .orphan_dependents = -1, .uid = o->uid}},
            &st) < 0)
        log_warning("It was not", LOG_STR("error", st.message));
}

static void create_address(struct repair *r, const struct object *svc, const struct format_ip *ip)
{
    CLEANUP(status_clear) struct status st = {0};

    if (run(r,
            (struct operation){.kind = OPERATION_CREATE,
                               .field_manager = TEXT("kube-apiserver"),
                               .object = ip_address_object(r->arena, ip, svc->namespace, svc->name)},
            &st) < 0)
        log_warning("A service's address was not taken for it", LOG_TEXT("service", svc->key),
                    LOG_STR("error", st.message));
}

static bool is_labelled(const struct value *address, const struct format_ip *ip)
{
    const struct value *labels = value_at(address, "metadata", "labels", NULL);

    return text_is(value_get_text(labels, TEXT("ipaddress.kubernetes.io/ip-family")), ip_family(ip)) &&
           text_eq(value_get_text(labels, TEXT("ipaddress.kubernetes.io/managed-by")), MANAGED);
}

static bool names(const struct value *svc, struct text ip)
{
    for (size_t i = 0; i < service_count(svc, "clusterIPs"); i++)
        if (text_eq(service_item(svc, "clusterIPs", i), ip))
            return true;
    return false;
}

/* The service that the address says it is of, if there is one: 1, *ret its tree. */
static int find_service(struct repair *r, const struct value *address, struct value *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct value *parent = value_at(address, "spec", "parentRef", NULL);
    struct text key = arena_textf(r->arena, "%.*s/%.*s", TEXT_ARG(value_get_text(parent, TEXT("namespace"))),
                                  TEXT_ARG(value_get_text(parent, TEXT("name"))));
    struct object *o = cache_get(r->services->cache, key);

    if (!o)
        return 0;
    arena_defer(r->arena, (void (*)(void *))object_unref, o);
    return !o->is_unreadable && object_tree(r->arena, o, ret, &st) == 0;
}

static bool is_of_a_service(const struct value *address)
{
    const struct value *parent = value_at(address, "spec", "parentRef", NULL);
    return ip_address_is_of(address, value_get_text(parent, TEXT("namespace")),
                            value_get_text(parent, TEXT("name")));
}

/* Is the address that the service names its own? */
static void check_service_ip(struct repair *r, const struct object *svc, const struct format_ip *ip)
{
    struct text name = format_ip_text(r->arena, ip);
    CLEANUP(object_unrefp) struct object *o = cache_get(r->addresses->cache, name);
    CLEANUP(status_clear) struct status st = {0};
    struct value address, other;

    if (!o) {
        log_warning("A service's address was not taken; it is now", LOG_TEXT("service", svc->key),
                    LOG_TEXT("address", name));
        create_address(r, svc, ip);
        return;
    }
    if (o->is_unreadable || object_tree(r->arena, o, &address, &st) < 0)
        return;
    bool is_own = ip_address_is_of(&address, svc->namespace, svc->name);
    if (!is_own && is_of_a_service(&address) && find_service(r, &address, &other) && names(&other, name)) {
        log_warning("An address was assigned to several services; please recreate one of them",
                    LOG_TEXT("service", svc->key), LOG_TEXT("address", name));
        return;
    }
    if (is_own && is_labelled(&address, ip))
        return;
    remove_address(r, o, "it does not say whose it is");
    create_address(r, svc, ip);
}

static void check_service(struct repair *r, struct object *o, const struct value *svc, void *ctx UNUSED)
{
    if (service_is(svc, "ExternalName") || service_is_headless(svc))
        return;
    for (size_t i = 0; i < service_count(svc, "clusterIPs"); i++) {
        struct format_ip ip;
        bool is_in_range = false;
        if (!format_ip_read(service_item(svc, "clusterIPs", i), &ip))
            continue;
        for (size_t k = 0; k < r->n_ranges; k++)
            is_in_range |= ip_range_has(&r->ranges[k], &ip);
        if (is_in_range)
            check_service_ip(r, o, &ip);
        else
            log_warning("A service's address is in no range; please recreate the service",
                        LOG_TEXT("service", o->key), LOG_TEXT("address", service_item(svc, "clusterIPs", i)));
    }
}

static void check_address(struct repair *r, struct object *o, const struct value *address, void *ctx UNUSED)
{
    const struct value *labels = value_at(address, "metadata", "labels", NULL);
    int64_t age_ms = (clock_now_ns() - o->creation_ns) / 1000000;
    struct value svc;

    if (!text_eq(value_get_text(labels, TEXT("ipaddress.kubernetes.io/managed-by")), MANAGED))
        return;
    if (!is_of_a_service(address)) {
        remove_address(r, o, "it is of no service");
    } else if (!find_service(r, address, &svc)) {
        if (age_ms > GRACE_MS)
            remove_address(r, o, "its service is not there");
    } else if (!names(&svc, o->name) &&
               age_ms > (service_is(&svc, "ExternalName") ? GRACE_MS : SHORT_GRACE_MS)) {
        remove_address(r, o, "its service does not name it");
    }
}

int registry_repair_services(struct registry *reg, struct status *st)
{
    struct repair r = {
        .registry = reg,
        .services = registry_find(reg, TEXT_NONE, TEXT("v1"), TEXT("services")),
        .addresses = registry_find(reg, TEXT("networking.k8s.io"), TEXT("v1"), TEXT("ipaddresses")),
    };
    int result;

    if (!reg->services || !r.services)
        return 0;
    r.arena = arena_new();
    r.range_arena = arena_new();
    r.n_ranges = ip_ranges(r.range_arena, reg, false, &r.ranges);
    if (r.addresses && r.n_ranges) {
        walk(&r, r.services, check_service, NULL);
        walk(&r, r.addresses, check_address, NULL);
    }
    result = repair_ports(&r, st);
    arena_free(r.range_arena);
    arena_free(r.arena);
    return result;
}
