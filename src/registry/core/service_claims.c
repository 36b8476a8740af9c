/* SPDX-License-Identifier: Apache-2.0 */
/* What a service takes for itself: an address for each of its families, a node port for each port where its
 * type has them, one more for health checks. Addresses come first, one after the other, then all ports
 * together; only then is the service written. So a crash in between leaves something taken that nobody has,
 * which the repairer (service_repair.c) finds; never something had by two.
 *
 *   TAKING --an address is taken--> TAKING --all are--> PORTS --taken--> HELD --the registry writes the service--> HELD
 *   HELD --written--> RETURNING what only the old service had
 *   HELD, TAKING or PORTS --it will not be written--> RETURNING what was taken
 *   (the service is removed) --> RETURNING what it had, its endpoints besides
 *   RETURNING --all is given back--> over
 *
 * Source: kubernetes pkg/registry/core/service/storage/alloc.go, storage.go (afterDelete). */
#include "registry/core/service.h"

#include <assert.h>

enum state { TAKING, PORTS, HELD, RETURNING };

struct place {   /* where a wanted port goes */
    size_t port; /* of spec.ports; SIZE_MAX: the port for health checks */
    size_t want;
};

struct claim {
    struct operation *op;
    enum state state;
    struct ip_request ip;            /* the one under way */
    struct text wanted[2], taken[2]; /* addresses by family; empty: any, none */
    size_t at[2];                    /* of spec.clusterIPs */
    size_t n_wanted, n_taken;
    struct text old_ips[2]; /* given back once the service is written */
    size_t n_old_ips;
    struct port_request ports;
    struct place *places;
    size_t n_places;
    uint32_t *old_ports;
    size_t n_old_ports;
    struct text *returned; /* addresses, RETURNING */
    size_t n_returned, at_returned;
    struct operation endpoints; /* the removal of its endpoints */
    bool fails;                 /* op->st says why */
};

static struct claim *claim_new(struct operation *op)
{
    struct claim *c = ARENA_NEW(op->arena, struct claim);
    c->op = op;
    return c;
}

static struct text own_name(const struct value *svc)
{
    return value_get_text(metadata_of(svc), TEXT("name"));
}

static void go_to(struct claim *c, enum state state)
{
    assert(state == RETURNING || state >= c->state);
    c->state = state;
}

/* --- what is wanted --- */

static void want_ip(struct claim *c, size_t at, struct text ip)
{
    c->at[c->n_wanted] = at;
    c->wanted[c->n_wanted++] = ip;
}

static void want_all_ips(struct claim *c, const struct value *obj)
{
    if (service_is(obj, "ExternalName") || service_is_headless(obj))
        return;
    for (size_t i = 0; i < service_count(obj, "ipFamilies") && i < 2; i++)
        want_ip(c, i, service_item(obj, "clusterIPs", i));
}

static void plan_ips(struct claim *c, const struct value *obj, const struct value *old)
{
    size_t before = service_count(old, "ipFamilies"), now = service_count(obj, "ipFamilies");

    if (!old || (service_is(old, "ExternalName") && !service_is(obj, "ExternalName"))) {
        if (!old || !service_keeps_preference(obj, old))
            want_all_ips(c, obj);
        return;
    }
    if (service_keeps_preference(obj, old) || service_is_headless(old) || service_is(old, "ExternalName"))
        return;
    if (service_is(obj, "ExternalName")) {
        for (size_t i = 0; i < service_count(old, "clusterIPs") && i < 2; i++)
            c->old_ips[c->n_old_ips++] = service_item(old, "clusterIPs", i);
    } else if (before == 1 && now == 2) {
        want_ip(c, 1, service_item(obj, "clusterIPs", 1));
    } else if (before == 2 && now == 1 && service_count(old, "clusterIPs") == 2) {
        c->old_ips[c->n_old_ips++] = service_item(old, "clusterIPs", 1);
    }
}

/* Places a port by number, or any. */
static size_t want_port(struct claim *c, int64_t number)
{
    c->ports.wants[c->ports.n_wants].port = (uint32_t)number;
    return c->ports.n_wants++;
}

static void place(struct claim *c, size_t port, size_t want)
{
    c->places[c->n_places++] = (struct place){port, want};
}

static int64_t port_number(const struct value *svc, size_t i)
{
    return value_get_int(service_port(svc, i), TEXT("port"), 0);
}

/* One node port serves all ports of one number: TCP and UDP, say. */
static void plan_new_ports(struct claim *c, const struct value *obj)
{
    size_t n = service_count(obj, "ports");

    for (size_t i = 0; i < n; i++) {
        int64_t wanted = service_node_port(obj, i);
        const struct place *same = NULL;
        if (!wanted && !service_allocates_node_ports(obj))
            continue;
        for (size_t k = 0; k < c->n_places && !same; k++)
            if (port_number(obj, c->places[k].port) == port_number(obj, i))
                same = &c->places[k];
        if (same && (!wanted || wanted == (int64_t)c->ports.wants[same->want].port)) {
            place(c, i, same->want);
            continue;
        }
        for (size_t k = 0; k < n && !wanted; k++)
            if (port_number(obj, k) == port_number(obj, i))
                wanted = service_node_port(obj, k);
        place(c, i, want_port(c, wanted));
    }
}

static bool is_among(const uint32_t *ports, size_t n, int64_t port)
{
    for (size_t i = 0; i < n; i++)
        if (ports[i] == port)
            return true;
    return false;
}

static size_t collect_ports(struct arena *a, const struct value *svc, uint32_t **ret)
{
    size_t n = service_count(svc, "ports"), n_found = 0;

    *ret = ARENA_ARRAY(a, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++)
        if (service_node_port(svc, i) > 0)
            (*ret)[n_found++] = (uint32_t)service_node_port(svc, i);
    return n_found;
}

static int check_repeated(struct claim *c, const struct value *obj)
{
    for (size_t i = 0; i < service_count(obj, "ports"); i++) {
        struct text protocol = value_get_text(service_port(obj, i), TEXT("protocol"));
        int64_t port = service_node_port(obj, i);
        for (size_t k = 0; k < i && port; k++)
            if (service_node_port(obj, k) == port &&
                text_eq(value_get_text(service_port(obj, k), TEXT("protocol")), protocol))
                return status_set(&c->op->st, STATUS_UNKNOWN, "duplicate nodePort: {%.*s %lld}",
                                  TEXT_ARG(protocol), (long long)port);
    }
    return 0;
}

static int plan_changed_ports(struct claim *c, const struct value *obj, const uint32_t *old, size_t n_old)
{
    uint32_t *now;
    size_t n_now = collect_ports(c->op->arena, obj, &now);

    if (check_repeated(c, obj) < 0)
        return -1;
    for (size_t i = 0; i < service_count(obj, "ports"); i++) {
        int64_t wanted = service_node_port(obj, i);
        bool is_planned = false;
        for (size_t k = 0; k < c->ports.n_wants && wanted; k++)
            is_planned |= c->ports.wants[k].port == wanted;
        if (wanted ? !is_planned && !is_among(old, n_old, wanted) : service_allocates_node_ports(obj))
            place(c, i, want_port(c, wanted));
    }
    for (size_t i = 0; i < n_old; i++)
        if (!is_among(now, n_now, old[i]))
            c->old_ports[c->n_old_ports++] = old[i];
    return 0;
}

static int plan_ports(struct claim *c, const struct value *obj, const struct value *old)
{
    struct arena *a = c->op->arena;
    size_t room = service_count(obj, "ports") + 1;
    uint32_t *before;
    size_t n_before = collect_ports(a, old, &before);
    bool had_health = service_needs_health_port(old), has_health = service_needs_health_port(obj);

    c->ports.wants = ARENA_ARRAY(a, struct port_want, room);
    c->places = ARENA_ARRAY(a, struct place, room);
    c->old_ports = ARENA_ARRAY(a, uint32_t, n_before + 1);
    if (!service_has_node_ports(obj)) {
        for (size_t i = 0; i < n_before && service_has_node_ports(old); i++)
            c->old_ports[c->n_old_ports++] = before[i];
    } else if (!old) {
        plan_new_ports(c, obj);
    } else if (plan_changed_ports(c, obj, before, n_before) < 0) {
        return -1;
    }
    if (has_health && !had_health)
        place(c, SIZE_MAX, want_port(c, service_health_port(obj)));
    if (had_health && !has_health && service_health_port(old) > 0)
        c->old_ports[c->n_old_ports++] = (uint32_t)service_health_port(old);
    return 0;
}

/* --- taking --- */

static void give_back(struct claim *c, struct text *ips, size_t n_ips, const uint32_t *ports, size_t n_ports);

/* op->st says why; what was taken so far goes back before anybody hears of it. */
static void fail(struct claim *c)
{
    c->fails = true;
    give_back(c, c->taken, c->n_taken, NULL, 0);
}

static int fail_ip(struct claim *c)
{
    struct operation *op = c->op;
    const struct value *ips = service_field(op->obj, "clusterIPs");
    struct field_errors errs = {.arena = op->arena};
    struct text wanted = c->wanted[c->n_taken], name = own_name(op->obj);

    if (c->ip.problem == IP_RANGE_FULL)
        return status_internal_error(&op->st, "failed to allocate a serviceIP for Service \"%.*s\": %s",
                                     TEXT_ARG(name), c->ip.words);
    field_error(&errs, FIELD_INVALID, "spec.clusterIPs", ips ? ips : &value_null,
                "failed to allocate IP%s%.*s: %s", wanted.n ? " " : "", TEXT_ARG(wanted), c->ip.words);
    return status_invalid(&op->st, TEXT(""), TEXT("Service"), name, &errs);
}

static int fail_port(struct claim *c)
{
    struct operation *op = c->op;
    struct field_errors errs = {.arena = op->arena};
    const struct port_want *want = &c->ports.wants[c->ports.problem_at];
    const char *words = node_ports_words(op->arena, op->registry->services->node_ports, &c->ports);
    const struct place *p = c->places;

    while (&c->ports.wants[p->want] != want)
        p++;
    bool is_given = c->ports.problem == PORT_TAKEN || c->ports.problem == PORT_NOT_IN_RANGE;
    struct value number = value_int(want->port);
    if (p->port == SIZE_MAX && is_given)
        return status_internal_error(&op->st, "failed to allocate requested HealthCheck NodePort %u: %s",
                                     want->port, words);
    if (p->port == SIZE_MAX)
        return status_internal_error(&op->st, "failed to allocate a HealthCheck NodePort 0: %s", words);
    if (!is_given && want->is_any)
        return status_internal_error(&op->st, "failed to allocate a nodePort: %s", words);
    field_error(&errs, FIELD_INVALID, arena_printf(op->arena, "spec.ports[%zu].nodePort", p->port), &number,
                "%s", words);
    return status_invalid(&op->st, TEXT(""), TEXT("Service"), own_name(op->obj), &errs);
}

static void put_ports(struct claim *c)
{
    struct arena *a = c->op->arena;
    struct value *spec = value_object_at(a, c->op->obj, TEXT("spec"));

    for (size_t i = 0; i < c->n_places; i++) {
        const struct place *p = &c->places[i];
        struct value number = value_int(c->ports.wants[p->want].port);
        if (p->port == SIZE_MAX)
            value_set(a, spec, TEXT("healthCheckNodePort"), number);
        else
            value_set(a, service_port(c->op->obj, p->port), TEXT("nodePort"), number);
    }
}

static void ports_taken(struct port_request *r)
{
    struct claim *c = CONTAINER_OF(r, struct claim, ports);

    if (r->problem) {
        fail_port(c);
        status_clear(&r->st);
        fail(c);
        return;
    }
    put_ports(c);
    go_to(c, HELD);
    c->op->claim = c;
    operation_claimed(c->op);
}

static void take_ports(struct claim *c)
{
    struct node_ports *np = c->op->registry->services->node_ports;

    go_to(c, PORTS);
    c->ports.done = ports_taken;
    if (c->op->is_dry_run)
        node_ports_pretend(np, &c->ports);
    if (c->op->is_dry_run || !c->ports.n_wants)
        ports_taken(&c->ports);
    else
        node_ports_submit(np, &c->ports);
}

/* ipFamilies has them in the order of the addresses. */
static void put_ips(struct claim *c)
{
    struct arena *a = c->op->arena;
    struct value *obj = c->op->obj, *spec = value_object_at(a, obj, TEXT("spec"));
    size_t n = service_count(obj, "clusterIPs");
    struct text ips[2] = {service_item(obj, "clusterIPs", 0), service_item(obj, "clusterIPs", 1)};

    for (size_t i = 0; i < c->n_taken; i++) {
        ips[c->at[i]] = c->taken[i];
        n = c->at[i] + 1 > n ? c->at[i] + 1 : n;
    }
    if (!c->n_taken)
        return;
    value_set(a, spec, TEXT("clusterIPs"), value_texts(a, ips, n));
    value_set(a, spec, TEXT("clusterIP"), value_string(ips[0]));
}

static void take_next_ip(struct claim *c);

static void ip_taken(struct ip_request *r)
{
    struct claim *c = CONTAINER_OF(r, struct claim, ip);

    if (r->problem) {
        fail_ip(c);
        fail(c);
        return;
    }
    c->taken[c->n_taken++] = r->ip;
    take_next_ip(c);
}

static struct ip_request ip_request(const struct claim *c, const struct value *svc, struct text ip,
                                    void (*done)(struct ip_request *r))
{
    return (struct ip_request){
        .registry = c->op->registry,
        .arena = c->op->arena,
        .is_dry = c->op->is_dry_run,
        .ip = ip,
        .namespace = c->op->namespace,
        .name = own_name(svc),
        .done = done,
    };
}

static void take_next_ip(struct claim *c)
{
    if (c->n_taken == c->n_wanted) {
        put_ips(c);
        take_ports(c);
        return;
    }
    c->ip = ip_request(c, c->op->obj, c->wanted[c->n_taken], ip_taken);
    c->ip.is_v4 = text_is(service_item(c->op->obj, "ipFamilies", c->at[c->n_taken]), "IPv4");
    ip_take(&c->ip);
}

static void take(struct operation *op, struct value *obj, const struct value *old)
{
    struct claim *c;

    if (!op->registry->services) {
        operation_claimed(op);
        return;
    }
    c = claim_new(op);
    service_complete(op, obj, old);
    if (service_init_families(op, obj, old) == 0) {
        plan_ips(c, obj, old);
        if (plan_ports(c, obj, old) == 0) {
            op->may_block = op->may_block && !c->n_wanted && !c->ports.n_wants;
            take_next_ip(c);
            return;
        }
    }
    operation_claimed(op);
}

/* --- giving back --- */

static void return_next(struct claim *c);

static void ports_returned(struct port_request *r)
{
    struct claim *c = CONTAINER_OF(r, struct claim, ports);

    if (r->problem)
        log_warning("Node ports were not given back", LOG_STR("error", r->st.message));
    status_clear(&r->st);
    if (c->fails)
        operation_claimed(c->op);
    else
        operation_settled(c->op);
}

static void ip_returned(struct ip_request *r)
{
    return_next(CONTAINER_OF(r, struct claim, ip));
}

static void return_next(struct claim *c)
{
    if (c->at_returned < c->n_returned) {
        const struct value *svc = c->op->obj;
        c->ip = ip_request(c, svc, c->returned[c->at_returned++], ip_returned);
        ip_give_back(&c->ip);
    } else if (c->ports.n_frees) {
        node_ports_submit(c->op->registry->services->node_ports, &c->ports);
    } else {
        ports_returned(&c->ports);
    }
}

/* The arrays live as long as the claim. */
static void give_back(struct claim *c, struct text *ips, size_t n_ips, const uint32_t *ports, size_t n_ports)
{
    bool is_dry = c->op->is_dry_run;

    go_to(c, RETURNING);
    c->returned = ips;
    c->n_returned = is_dry ? 0 : n_ips;
    c->at_returned = 0;
    c->ports = (struct port_request){.frees = ports, .n_frees = is_dry ? 0 : n_ports, .done = ports_returned};
    return_next(c);
}

static void settle(struct operation *op, bool is_written)
{
    struct claim *c = op->claim;
    size_t n = c->ports.n_wants;
    uint32_t *taken = ARENA_ARRAY(op->arena, uint32_t, n + 1);

    for (size_t i = 0; i < n; i++)
        taken[i] = c->ports.wants[i].port;
    if (is_written)
        give_back(c, c->old_ips, c->n_old_ips, c->old_ports, c->n_old_ports);
    else
        give_back(c, c->taken, c->n_taken, taken, n);
}

/* --- removal --- */

/* Endpoints of a service that is no more must not serve the next one of its name. */
static void endpoints_removed(struct operation *endpoints)
{
    struct claim *c = CONTAINER_OF(endpoints, struct claim, endpoints);
    struct operation *op = c->op;
    const struct value *svc = op->obj;
    uint32_t *ports;
    size_t n_ports = collect_ports(op->arena, svc, &ports);
    size_t n_ips =
        service_is(svc, "ExternalName") || service_is_headless(svc) ? 0 : service_count(svc, "clusterIPs");
    struct text *ips = ARENA_ARRAY(op->arena, struct text, n_ips + 1);

    if (endpoints->st.reason != STATUS_OK && endpoints->st.reason != STATUS_NOT_FOUND)
        log_warning("The endpoints of a removed service were not removed",
                    LOG_TEXT("service", op->current->key), LOG_STR("error", endpoints->st.message));
    operation_clear(endpoints);
    for (size_t i = 0; i < n_ips; i++)
        ips[i] = service_item(svc, "clusterIPs", i);
    if (service_needs_health_port(svc) && service_health_port(svc) > 0)
        ports[n_ports++] = (uint32_t)service_health_port(svc); /* collect_ports has room for one more */
    give_back(c, ips, n_ips, ports, n_ports);
}

static void let_go(struct operation *op)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value *svc = ARENA_NEW(op->arena, struct value);
    struct claim *c;

    if (!op->registry->services || object_tree(op->arena, op->current, svc, &st) < 0) {
        operation_settled(op);
        return;
    }
    op->obj = svc;
    c = claim_new(op);
    c->endpoints = (struct operation){
        .kind = OPERATION_DELETE,
        .registry = op->registry,
        .resource = registry_find(op->registry, TEXT_NONE, TEXT("v1"), TEXT("endpoints")),
        .arena = op->arena,
        .namespace = op->namespace,
        .name = own_name(svc),
        .done = endpoints_removed,
        .del = {.grace_seconds = -1, .orphan_dependents = -1},
    };
    if (c->endpoints.resource)
        registry_submit(&c->endpoints);
    else
        endpoints_removed(&c->endpoints);
}

const struct strategy_claims service_claims = {.take = take, .settle = settle, .let_go = let_go};

/* --- life --- */

struct services *services_new(const struct registry_options *opt, const struct resource *res)
{
    const struct service_options *given = opt->services;
    struct services *s;

    if (!given || !res)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->node_ports = node_ports_new(res->store, given->port_base, given->n_ports);
    for (size_t i = 0; i < 2 && given->ranges[i].n; i++)
        s->families[s->n_families++] = text_find(given->ranges[i], ':') >= 0 ? "IPv6" : "IPv4";
    return s;
}

void services_free(struct services *s)
{
    if (!s)
        return;
    node_ports_free(s->node_ports);
    free(s);
}
