/* SPDX-License-Identifier: Apache-2.0 */
/* Source: kubernetes cmd/kube-apiserver/app/options/{completion,validation}.go,
 * pkg/controlplane/apiserver/options/options.go (ServiceIPRange), apimachinery pkg/util/net/port_range.go. */
#include "server/service_ranges.h"

#include "schema/formats.h"

#define DEFAULT_RANGE "10.0.0.0/24"
#define DEFAULT_PORTS "30000-32767"
#define IP_FLAG "--service-cluster-ip-range"
#define PORT_FLAG "--service-node-port-range"

static int read_range(struct arena *a, struct text cidr, size_t i, struct format_ip *ret_network,
                      struct text *ret, struct status *st)
{
    struct format_ip address;
    unsigned prefix;

    if (!format_cidr_read(cidr, &address, ret_network, &prefix))
        return status_set(st, STATUS_BAD_REQUEST, IP_FLAG "[%zu] is not a valid cidr", i);
    unsigned host_bits = (ret_network->is_v4 ? 32 : 128) - prefix;
    if (host_bits < 3)
        return status_set(st, STATUS_BAD_REQUEST,
                          IP_FLAG ": the service cluster IP range must be at least 8 IP addresses");
    if (host_bits > 64)
        return status_set(st, STATUS_BAD_REQUEST,
                          IP_FLAG "[%zu]: shortest allowed prefix length for service CIDR is 64, got %u", i,
                          prefix);
    *ret = arena_textf(a, "%.*s/%u", TEXT_ARG(format_ip_text(a, ret_network)), prefix);
    return 0;
}

static int read_ranges(struct arena *a, const struct settings *set, struct service_ranges *ret,
                       struct status *st)
{
    struct text rest = text_of(set->service_cluster_ip_range ? set->service_cluster_ip_range : DEFAULT_RANGE),
                part;
    struct format_ip networks[2] = {0};
    size_t n = 0;

    while (text_split(&rest, ',', &part)) {
        if (n == 2)
            return status_set(st, STATUS_BAD_REQUEST, IP_FLAG " must not contain more than two entries");
        if (read_range(a, part, n, &networks[n], &ret->options.ranges[n], st) < 0)
            return -1;
        n++;
    }
    if (n == 2 && networks[0].is_v4 == networks[1].is_v4)
        return status_set(st, STATUS_BAD_REQUEST,
                          IP_FLAG "[0] and " IP_FLAG "[1] must be of different IP family");
    networks[0].bytes[networks[0].is_v4 ? 3 : 15]++; /* a network's last byte is even */
    ret->first_ip = arena_str(a, format_ip_text(a, &networks[0]));
    return 0;
}

static bool read_port(struct text t, uint64_t *ret)
{
    return text_to_u64(t, ret) && *ret <= 65535;
}

/* "30000-32767", "30000+2767" or a single port. */
static int read_ports(const struct settings *set, struct service_options *ret, struct status *st)
{
    struct text t =
        text_trim(text_of(set->service_node_port_range ? set->service_node_port_range : DEFAULT_PORTS));
    ptrdiff_t hyphen = text_find(t, '-'), plus = text_find(t, '+');
    ptrdiff_t at = hyphen >= 0 ? hyphen : plus;
    uint64_t low, high;

    if ((hyphen >= 0 && plus >= 0) || !read_port(at < 0 ? t : text_first(t, (size_t)at), &low) ||
        !read_port(at < 0 ? t : text_from(t, (size_t)at + 1), &high))
        return status_set(st, STATUS_BAD_REQUEST, PORT_FLAG ": unable to parse port range: %.*s",
                          TEXT_ARG(t));
    if (hyphen < 0 && plus >= 0)
        high += low;
    if (high > 65535)
        return status_set(st, STATUS_BAD_REQUEST,
                          PORT_FLAG ": the port range cannot be greater than 65535: %.*s", TEXT_ARG(t));
    if (high < low)
        return status_set(st, STATUS_BAD_REQUEST, PORT_FLAG ": end port cannot be less than start port: %.*s",
                          TEXT_ARG(t));
    ret->port_base = (uint32_t)low;
    ret->n_ports = (uint32_t)(high - low + 1);
    return 0;
}

int service_ranges_read(struct arena *a, const struct settings *set, struct service_ranges *ret,
                        struct status *st)
{
    *ret = (struct service_ranges){0};
    if (read_ranges(a, set, ret, st) < 0)
        return -1;
    return read_ports(set, &ret->options, st);
}
