/* SPDX-License-Identifier: Apache-2.0 */
/* presence.h - what the servers of one store tell each other and the cluster of themselves, kept fresh while
 * they run and taken back when they end: each one's address, of which the endpoints of the kubernetes service
 * are made, and its identity lease. */
#pragma once

#include "registry.h"
#include "server/service_endpoints.h"

/* The addresses of the servers that are there: keys with a time to live, "masterleases/ADDRESS", as
 * kube-apiserver keeps them. To be among the storage's types where there may be several servers. */
extern const struct resource_type presence_lease_type;

struct presence;
struct presence_options {
    const struct registry *registry; /* borrowed */
    struct storage *leases;          /* the store of presence_lease_type; borrowed */
    const char *address;             /* of this server, as others reach it */
    uint16_t port;
    const char *identity;       /* "apiserver-...": the name of its lease in kube-system */
    enum reconciler reconciler; /* how it comes among the endpoints */
    size_t count;               /* of servers, for RECONCILER_MASTER_COUNT */
};
int presence_start(const struct presence_options *opt, struct presence **ret, struct status *st);
/* Takes back what was said, within a few seconds. Accepts NULL. Before registry and storage stop. */
void presence_stop(struct presence *p);
