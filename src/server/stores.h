/* SPDX-License-Identifier: Apache-2.0 */
/* stores.h - which stores the server has, and what lies in which: one for everything, the embedded file or
 * etcd, and with
 * --etcd-servers-overrides others for single resources. Each has revisions, caches and health checks of its
 * own. */
#pragma once

#include "endpoints.h"
#include "server.h"
#include "server/runtime_config.h"

struct stores_options {
    const struct settings *settings; /* all borrowed */
    struct arena *arena;             /* lives as long as the stores */
    struct timers *timers;
    struct encryption *encryption;
    struct runtime_config *runtime_config;
};
struct stores {
    struct storage **all; /* n; the first is the main one */
    size_t n;
    struct storage *leases; /* that has the addresses of all servers; NULL: there can be no other servers */
    struct health_check *checks; /* n_checks, in the order of the health pages */
    size_t n_checks;
};
/* Loads everything. What has been started when it fails is in ret: stores_stop is owed. */
int stores_start(const struct stores_options *opt, struct stores *ret, struct status *st);
void stores_stop(struct stores *s);
