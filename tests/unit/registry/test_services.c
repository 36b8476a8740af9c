/* SPDX-License-Identifier: Apache-2.0 */
/* What services take and give back: ranges, ports as bits, and that nothing is kept for a service that was not written. */
#include <pthread.h>

#include "registry/core/cluster_ips.h"
#include "registry/core/node_ports.h"
#include "world.h"

static struct world w;

#define PORT_BASE 31000
#define N_PORTS 40 /* the first 16 by number only, as long as there are others */

static const struct service_options options = {
    .ranges = {TEXT("10.0.0.0/24")}, .port_base = PORT_BASE, .n_ports = N_PORTS};

static void start(void)
{
    struct status st = {0};
    struct operation op = {0};

    world_start(&w);
    world_close(&w);
    w.services = &options;
    world_open(&w, 0);
    ck_assert_int_eq(world_create(&w, &op, "networking.k8s.io/v1", "servicecidrs", "",
                                  "{\"metadata\":{\"name\":\"kubernetes\"},\"spec\":{\"cidrs\":[\"10.0.0.0/24\"]}}"),
                     0);
    operation_clear(&op);
    ck_assert_int_eq(registry_repair_services(w.registry, &st), 0);
}

static size_t n_addresses(void)
{
    return cache_count(world_resource(&w, "networking.k8s.io/v1", "ipaddresses")->cache);
}

/* --- ranges --- */

static const struct range_row {
    const char *cidr;
    uint64_t n, band; /* n 0: no range */
    const char *first, *last, *outside;
} ranges[] = {
    {"10.0.0.0/24", 254, 16, "10.0.0.1", "10.0.0.254", "10.0.0.255"},
    {"10.0.0.0/28", 14, 0, "10.0.0.1", "10.0.0.14", "10.0.0.0"},
    {"10.0.0.0/27", 30, 16, "10.0.0.1", "10.0.0.30", "10.0.0.32"},
    {"10.0.0.0/16", 65534, 256, "10.0.0.1", "10.0.255.254", "10.1.0.1"},
    {"192.168.255.0/30", 2, 0, "192.168.255.1", "192.168.255.2", "192.168.255.3"},
    {"fd00::/120", 255, 16, "fd00::1", "fd00::ff", "fd00::"},
    {"fd00:1:2:3::/64", UINT64_MAX, 256, "fd00:1:2:3::1", "fd00:1:2:3:ffff:ffff:ffff:ffff", "fd00:1:2:4::1"},
    {"fd00::/63", 0},
    {"10.0.0.0", 0},
};

START_TEST(ranges_leave_out_what_is_no_address)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(ranges); i++) {
        const struct range_row *row = &ranges[i];
        struct ip_range r;
        struct format_ip ip;
        bool is_range = ip_range_read(text_of(row->cidr), &r);
        ck_assert_msg(is_range == (row->n > 0), "%s", row->cidr);
        if (!is_range)
            continue;
        ck_assert_msg(r.n == row->n && r.band == row->band, "%s: %llu, %llu", row->cidr, (unsigned long long)r.n,
                      (unsigned long long)r.band);
        ip = ip_range_at(&r, 0);
        ck_assert_str_eq(arena_str(a, format_ip_text(a, &ip)), row->first);
        ck_assert(ip_range_has(&r, &ip));
        ip = ip_range_at(&r, r.n - 1);
        ck_assert_str_eq(arena_str(a, format_ip_text(a, &ip)), row->last);
        ck_assert(ip_range_has(&r, &ip));
        ck_assert(format_ip_read(text_of(row->outside), &ip));
        ck_assert_msg(!ip_range_has(&r, &ip), "%s in %s", row->outside, row->cidr);
    }
}
END_TEST

/* --- ports --- */

static struct node_ports *ports;

struct asked {
    struct port_request request;
    struct completion ended;
};

static void answered(struct port_request *r)
{
    completion_signal(&CONTAINER_OF(r, struct asked, request)->ended);
}

static enum port_problem ask(struct port_want *wants, size_t n_wants, const uint32_t *frees, size_t n_frees)
{
    struct asked a = {.request = {
                          .wants = wants, .n_wants = n_wants, .frees = frees, .n_frees = n_frees, .done = answered}};

    completion_init(&a.ended);
    node_ports_submit(ports, &a.request);
    completion_wait(&a.ended);
    status_clear(&a.request.st);
    return a.request.problem;
}

static enum port_problem take(uint32_t port)
{
    struct port_want want = {.port = port};
    return ask(&want, 1, NULL, 0);
}

static void repair(const uint8_t *used)
{
    struct status st = {0};
    ck_assert_msg(node_ports_repair(ports, used, node_ports_revision(ports), &st) == 0, "%s", st.message);
}

static void start_ports(void)
{
    static const uint8_t none[65536];

    world_start(&w);
    ports = node_ports_new(w.storage, PORT_BASE, N_PORTS);
    ck_assert_int_eq(take(PORT_BASE), PORT_FAILED); /* nobody has made the object yet */
    repair(none);
}

static void stop_ports(void)
{
    node_ports_free(ports);
    world_stop(&w);
}

START_TEST(a_request_gets_all_or_nothing)
{
    uint32_t first = PORT_BASE + 5;
    struct port_want several[] = {{.port = PORT_BASE + 20}, {0}, {.port = PORT_BASE + 5}};

    start_ports();
    ck_assert_int_eq(take(first), PORT_NO_PROBLEM);
    ck_assert_int_eq(take(first), PORT_TAKEN);
    ck_assert_int_eq(take(PORT_BASE - 1), PORT_NOT_IN_RANGE);
    ck_assert_int_eq(take(PORT_BASE + N_PORTS), PORT_NOT_IN_RANGE);
    ck_assert_int_eq(ask(several, 3, NULL, 0), PORT_TAKEN);
    ck_assert_int_eq(take(PORT_BASE + 20), PORT_NO_PROBLEM);
    ck_assert_int_eq(ask(NULL, 0, &first, 1), PORT_NO_PROBLEM);
    ck_assert_int_eq(take(first), PORT_NO_PROBLEM);
    stop_ports();
}
END_TEST

START_TEST(any_port_comes_from_the_upper_part_first)
{
    struct port_want wants[N_PORTS + 1] = {0};

    start_ports();
    ck_assert_int_eq(ask(wants, N_PORTS - 16, NULL, 0), PORT_NO_PROBLEM);
    for (size_t i = 0; i < N_PORTS - 16; i++)
        ck_assert_uint_ge(wants[i].port, PORT_BASE + 16);
    memset(wants, 0, sizeof(wants));
    ck_assert_int_eq(ask(wants, 17, NULL, 0), PORT_RANGE_FULL);
    memset(wants, 0, sizeof(wants));
    ck_assert_int_eq(ask(wants, 16, NULL, 0), PORT_NO_PROBLEM);
    ck_assert_int_eq(take(PORT_BASE), PORT_TAKEN);
    stop_ports();
}
END_TEST

START_TEST(what_no_service_has_is_kept_for_three_rounds)
{
    uint8_t *used = xcalloc(65536, 1);

    start_ports();
    used[PORT_BASE + 1] = 1;
    ck_assert_int_eq(take(PORT_BASE), PORT_NO_PROBLEM);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(take(PORT_BASE), PORT_TAKEN);
        repair(used);
    }
    ck_assert_int_eq(take(PORT_BASE), PORT_NO_PROBLEM);
    ck_assert_int_eq(take(PORT_BASE + 1), PORT_TAKEN);
    free(used);
    stop_ports();
}
END_TEST

START_TEST(another_range_begins_with_what_services_have)
{
    uint8_t *used = xcalloc(65536, 1);

    start_ports();
    ck_assert_int_eq(take(PORT_BASE + 2), PORT_NO_PROBLEM);
    node_ports_free(ports);
    ports = node_ports_new(w.storage, PORT_BASE, N_PORTS + 1);
    ck_assert_int_eq(take(PORT_BASE + 3), PORT_FAILED);
    used[PORT_BASE + 2] = 1;
    repair(used);
    ck_assert_int_eq(take(PORT_BASE + 2), PORT_TAKEN);
    ck_assert_int_eq(take(PORT_BASE + N_PORTS), PORT_NO_PROBLEM);
    free(used);
    stop_ports();
}
END_TEST

/* --- services --- */

#define SERVICE(name, spec) "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"ports\":[{\"port\":80}]," spec "}}"

static int create_service(struct operation *op, const char *json)
{
    *op = (struct operation){.is_dry_run = op->is_dry_run};
    return world_create(&w, op, "v1", "services", "ns", json);
}

START_TEST(what_is_not_written_keeps_nothing)
{
    struct operation op = {0};
    const char *port;

    start();
    ck_assert_int_eq(create_service(&op, SERVICE("a", "\"type\":\"NodePort\"")), 0);
    port = world_at(&w, &op, "spec.ports.0.nodePort");
    operation_clear(&op);
    ck_assert_uint_eq(n_addresses(), 1);
    /* there already; a port that is taken; a name that is none; a dry run */
    ck_assert_int_eq(create_service(&op, SERVICE("a", "\"type\":\"NodePort\"")), 409);
    operation_clear(&op);
    ck_assert_int_eq(create_service(&op, arena_printf(w.arena,
                                              "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"type\":\"NodePort\",\"ports\":["
                                              "{\"name\":\"x\",\"port\":80},{\"name\":\"y\",\"port\":81,\"nodePort\":%s}]}}",
                                              port)),
                     422);
    ck_assert_str_eq(op.st.causes[0].field, "spec.ports[1].nodePort");
    operation_clear(&op);
    ck_assert_int_eq(create_service(&op, SERVICE("a.b", "\"type\":\"NodePort\"")), 422);
    operation_clear(&op);
    op.is_dry_run = true;
    ck_assert_int_eq(create_service(&op, SERVICE("c", "\"type\":\"NodePort\"")), 0);
    operation_clear(&op);
    ck_assert_uint_eq(n_addresses(), 1);
    /* all other ports are free: so many services of one port each */
    for (int i = 1; i < N_PORTS; i++) {
        op.is_dry_run = false;
        ck_assert_int_eq(create_service(&op, arena_printf(w.arena, SERVICE("s%d", "\"type\":\"NodePort\""), i)), 0);
        operation_clear(&op);
    }
    ck_assert_int_eq(create_service(&op, SERVICE("more", "\"type\":\"NodePort\"")), 500);
    operation_clear(&op);
    ck_assert_uint_eq(n_addresses(), N_PORTS);
    world_stop(&w);
}
END_TEST

START_TEST(a_type_keeps_what_it_needs)
{
    struct operation op = {0};
    const char *ip, *port;

    start();
    ck_assert_int_eq(create_service(&op, SERVICE("a", "\"type\":\"NodePort\"")), 0);
    ip = world_at(&w, &op, "spec.clusterIP");
    port = world_at(&w, &op, "spec.ports.0.nodePort");
    operation_clear(&op);
    /* who says nothing of it keeps it */
    ck_assert_int_eq(world_put(&w, &op, "v1", "services", "ns", "a", SERVICE("a", "\"type\":\"NodePort\"")), 0);
    ck_assert(op.was_unchanged);
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "v1", "services", "ns", "a", "{\"spec\":{\"type\":\"ClusterIP\"}}"), 0);
    ck_assert_str_eq(world_at(&w, &op, "spec.clusterIP"), ip);
    ck_assert_str_eq(world_at(&w, &op, "spec.ports.0.nodePort"), "");
    operation_clear(&op);
    ck_assert_int_eq(create_service(&op, arena_printf(w.arena,
                                              "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"type\":\"NodePort\",\"ports\":["
                                              "{\"port\":80,\"nodePort\":%s}]}}",
                                              port)),
                     0);
    operation_clear(&op);
    ck_assert_int_eq(
        world_merge(&w, &op, "v1", "services", "ns", "a", "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x.y\"}}"), 0);
    ck_assert_str_eq(world_at(&w, &op, "spec.clusterIP"), "");
    ck_assert_str_eq(world_at(&w, &op, "spec.clusterIPs"), "");
    operation_clear(&op);
    ck_assert(!world_exists(&w, "networking.k8s.io/v1", "ipaddresses", "", ip));
    ck_assert_int_eq(world_delete(&w, &op, "v1", "services", "ns", "b", NULL), 0);
    operation_clear(&op);
    ck_assert_uint_eq(n_addresses(), 0);
    world_stop(&w);
}
END_TEST

#define N_THREADS 6
#define N_EACH 40

static void *create_and_delete(void *arg)
{
    for (int i = 0; i < N_EACH; i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct world mine = w;
        struct operation op = {0};
        mine.arena = a;
        ck_assert_int_eq(world_create(&mine, &op, "v1", "services", "ns",
                                      "{\"metadata\":{\"generateName\":\"g-\"},\"spec\":{\"ports\":[{\"port\":80}],"
                                      "\"type\":\"NodePort\"}}"),
                         0);
        const char *name = arena_str(a, op.result->name);
        operation_clear(&op);
        if (i % 8 == 0)
            continue;
        ck_assert_int_eq(world_delete(&mine, &op, "v1", "services", "ns", name, NULL), 0);
        operation_clear(&op);
    }
    return arg;
}

/* 30 stay: were one address or port kept too many or had twice, the range would not have room for exactly ten more. */
START_TEST(many_at_once_share_nothing)
{
    pthread_t threads[N_THREADS];
    struct operation op = {0};
    int i = 0;

    start();
    for (i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, create_and_delete, NULL), 0);
    for (i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(n_addresses(), N_THREADS * N_EACH / 8);
    for (i = N_THREADS * N_EACH / 8; i < N_PORTS; i++) {
        ck_assert_int_eq(create_service(&op, arena_printf(w.arena, SERVICE("s%d", "\"type\":\"NodePort\""), i)), 0);
        operation_clear(&op);
    }
    ck_assert_int_eq(create_service(&op, SERVICE("more", "\"type\":\"NodePort\"")), 500);
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

UNIT_MAIN("services", ranges_leave_out_what_is_no_address, a_request_gets_all_or_nothing,
          any_port_comes_from_the_upper_part_first, what_no_service_has_is_kept_for_three_rounds,
          another_range_begins_with_what_services_have, what_is_not_written_keeps_nothing, a_type_keeps_what_it_needs,
          many_at_once_share_nothing)
