/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_ips.h - addresses of services: an address is taken by creating the IPAddress of its name, which
 * only one can do, and given back by deleting it. The ranges are those of the ServiceCIDRs that are ready and
 * not being deleted. Source: kubernetes pkg/registry/core/service/ipallocator/ipallocator.go,
 * cidrallocator.go. */
#pragma once

#include "registry.h"
#include "schema/formats.h"

/* A network that gives addresses: all but its first one and, of IPv4, its last one. */
struct ip_range {
    struct format_ip network;
    unsigned prefix;
    uint64_t n;    /* addresses that can be given */
    uint64_t band; /* of these the first, which are only given by number as long as there are others */
};
/* False: no CIDR, or one too large to count (IPv6 with less than 64 bits of prefix). */
bool ip_range_read(struct text cidr, struct ip_range *ret);
bool ip_range_has(const struct ip_range *r, const struct format_ip *ip);
struct format_ip ip_range_at(const struct ip_range *r, uint64_t i); /* i < n */
struct text ip_range_text(struct arena *a, const struct ip_range *r);
static inline const char *ip_family(const struct format_ip *ip)
{
    return ip->is_v4 ? "IPv4" : "IPv6";
}

enum ip_problem { IP_NO_PROBLEM, IP_RANGE_FULL, IP_REFUSED };
/* One address asked for or given back, embedded in its owner's struct. */
struct ip_request {
    const struct registry *registry;
    struct arena *arena;
    bool is_v4;
    bool is_dry;
    struct text ip;              /* empty: any; done fills it in, and has a wanted one as it was given */
    struct text namespace, name; /* of the service that has it */
    void (*done)(
        struct ip_request *r); /* once, perhaps before the call returns, mostly on the committer thread */
    enum ip_problem problem;
    const char *words; /* of the problem, as upstream's error has them */
    /* private */
    struct operation op;
    struct ip_range *ranges; /* ready ones of the family */
    size_t n_ranges, at_range;
    struct snapshot taken; /* the IPAddresses when the search began */
    uint64_t first, count, start,
        tried; /* the search: count addresses of the range from first on, beginning at start */
    bool is_in_band, is_fresh;
    struct format_ip candidate;
};
void ip_take(struct ip_request *r);
/* No problem is reported: who cannot give back leaves it to the repairer. An address that somebody else has
 * by now is left alone. */
void ip_give_back(struct ip_request *r);

/* The object that makes ip the service's. */
struct value ip_address_object(struct arena *a, const struct format_ip *ip, struct text namespace,
                               struct text name);
/* Whose it is: the parentRef of a decoded IPAddress. */
bool ip_address_is_of(const struct value *address, struct text namespace, struct text name);
/* The ranges of all ServiceCIDRs, ready or only those that are. */
size_t ip_ranges(struct arena *a, const struct registry *reg, bool only_ready, struct ip_range **ret);
