/* SPDX-License-Identifier: Apache-2.0 */
/* service_upkeep.h - what keeps services going while the server runs: the default ServiceCIDR, of which they get their
 * addresses, the kubernetes service, and the rounds that put right what crashes have left. */
#pragma once

#include "registry.h"

struct service_upkeep;
struct service_upkeep_options {
    struct registry *registry; /* borrowed, like all below */
    struct workers *workers;
    struct timers *timers;
    const struct service_options *ranges;
    const char *kubernetes_ip; /* of the kubernetes service */
    uint16_t port;             /* behind it */
};
/* Both block: start-up hooks. */
int service_upkeep_make_kubernetes(const struct registry *reg, const char *ip, uint16_t port, struct status *st);
int service_upkeep_make_cidr(const struct registry *reg, const struct service_options *ranges,
                             struct status *st);
/* Goes on with it, and with registry_repair_services, on a worker now and then. */
struct service_upkeep *service_upkeep_start(const struct service_upkeep_options *opt);
void service_upkeep_stop(struct service_upkeep *u); /* waits for a round that runs; accepts NULL */
