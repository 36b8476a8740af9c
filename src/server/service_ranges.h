/* SPDX-License-Identifier: Apache-2.0 */
/* service_ranges.h - the flags that say what services get: --service-cluster-ip-range,
 * --service-node-port-range. */
#pragma once

#include "registry.h"
#include "server.h"

struct service_ranges {
    struct service_options options;
    const char *first_ip; /* of the first range: that of the kubernetes service */
};
/* BAD_REQUEST in upstream's words. a owns the texts. */
int service_ranges_read(struct arena *a, const struct settings *set, struct service_ranges *ret,
                        struct status *st);
