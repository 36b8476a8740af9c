/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say what services get: what they mean, and what is refused in upstream's words. */
#include "server/service_ranges.h"
#include "unit.h"

static const struct row {
    const char *cidrs, *ports;
    const char *says; /* of what is refused */
    const char *first, *second, *first_ip;
    uint32_t base, n;
} rows[] = {
    {NULL, NULL, NULL, "10.0.0.0/24", "", "10.0.0.1", 30000, 2768},
    {"10.1.2.3/16", "80", NULL, "10.1.0.0/16", "", "10.1.0.1", 80, 1},
    {"fd00::/108,10.0.0.0/24", "30000+100", NULL, "fd00::/108", "10.0.0.0/24", "fd00::1", 30000, 101},
    {"10.0.0.0/29", " 0-65535 ", NULL, "10.0.0.0/29", "", "10.0.0.1", 0, 65536},
    {"10.0.0.0", NULL, "--service-cluster-ip-range[0] is not a valid cidr"},
    {"10.0.0.0/24,x", NULL, "--service-cluster-ip-range[1] is not a valid cidr"},
    {"10.0.0.0/24,10.1.0.0/24", NULL,
     "--service-cluster-ip-range[0] and --service-cluster-ip-range[1] must be of different IP family"},
    {"10.0.0.0/24,fd00::/108,fd01::/108", NULL, "--service-cluster-ip-range must not contain more than two entries"},
    {"10.0.0.0/30", NULL, "--service-cluster-ip-range: the service cluster IP range must be at least 8 IP addresses"},
    {"fd00::/48", NULL, "--service-cluster-ip-range[0]: shortest allowed prefix length for service CIDR is 64, got 48"},
    {NULL, "30000-", "--service-node-port-range: unable to parse port range: 30000-"},
    {NULL, "1+2-3", "--service-node-port-range: unable to parse port range: 1+2-3"},
    {NULL, "65000+1000", "--service-node-port-range: the port range cannot be greater than 65535: 65000+1000"},
    {NULL, "30001-30000", "--service-node-port-range: end port cannot be less than start port: 30001-30000"},
};

START_TEST(ranges_are_read_and_checked)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        const struct settings set = {.service_cluster_ip_range = row->cidrs, .service_node_port_range = row->ports};
        struct service_ranges got;
        struct status st = {0};
        int result = service_ranges_read(a, &set, &got, &st);
        if (row->says) {
            ck_assert_int_eq(result, -1);
            ck_assert_str_eq(st.message, row->says);
            status_clear(&st);
            continue;
        }
        ck_assert_msg(result == 0, "row %zu: %s", i, st.message);
        ck_assert_str_eq(arena_str(a, got.options.ranges[0]), row->first);
        ck_assert_str_eq(arena_str(a, got.options.ranges[1]), row->second);
        ck_assert_str_eq(got.first_ip, row->first_ip);
        ck_assert_uint_eq(got.options.port_base, row->base);
        ck_assert_uint_eq(got.options.n_ports, row->n);
    }
}
END_TEST

UNIT_MAIN("service_ranges", ranges_are_read_and_checked)
