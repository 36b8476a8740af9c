/* SPDX-License-Identifier: Apache-2.0 */
/* node_ports.h - which node ports are taken: one bit each, in one object of the store,
 * ranges/servicenodeports, with key and form of upstream's RangeAllocation, so that kube-apiservers on the
 * same store see the same. All that waits while one write of it is on its way goes into the next one
 * together: a thousand services that come at once share a few writes. Each request gets all that it asks for
 * or nothing. Source: kubernetes pkg/registry/core/service/portallocator, allocator/bitmap.go,
 * allocator/storage/storage.go. */
#pragma once

#include "registry.h"

struct node_ports;
struct bits;

/* Of no version: of no API. To be among the storage's types. Start-up calls it first, later any thread. */
const struct resource_type *node_ports_type(void);
struct node_ports *node_ports_new(struct storage *s, uint32_t base, uint32_t n_ports);
void node_ports_free(struct node_ports *np); /* all requests have been answered; before the storage stops */

/* One port that is asked for. */
struct port_want {
    uint32_t port; /* 0: any; done fills it in */
    bool is_any;   /* private */
};
enum port_problem {
    PORT_NO_PROBLEM,
    PORT_TAKEN,
    PORT_NOT_IN_RANGE,
    PORT_RANGE_FULL,
    PORT_FAILED, /* the store's fault, or the range is not there yet: st says why */
};
struct port_request {
    struct port_want *wants;
    size_t n_wants;
    const uint32_t
        *frees; /* given back in the same write; those outside of the range and free ones are let go */
    size_t n_frees;
    void (*done)(
        struct port_request *r); /* once, perhaps before the call returns, mostly on the committer thread */
    enum port_problem problem;
    size_t problem_at; /* of wants */
    struct status st;  /* the owner's to clear */
    /* private */
    struct list link;
    const struct bits *rebuilt;
    uint64_t revision;
};
void node_ports_submit(struct node_ports *np, struct port_request *r);
/* What a dry run would get: nothing is taken, and any port is a guess. */
void node_ports_pretend(struct node_ports *np, struct port_request *r);
/* The words of a problem, as upstream's error has them. */
const char *node_ports_words(struct arena *a, const struct node_ports *np, const struct port_request *r);

/* Puts the bits right: used has a byte for each of the 65536 ports, not 0 where a service has it. A bit that
 * no service has is kept for three rounds, since the service may be on its way. Blocks. CONFLICT: somebody
 * wrote since revision, which node_ports_revision gave before the services were looked at. One thread. */
uint64_t node_ports_revision(struct node_ports *np);
int node_ports_repair(struct node_ports *np, const uint8_t *used, uint64_t revision, struct status *st);
