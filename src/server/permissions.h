/* SPDX-License-Identifier: Apache-2.0 */
/* permissions.h - the authorizer that the settings ask for. */
#pragma once

#include "authz.h"
#include "server.h"

/* Checks the flags against one another; -1: one sentence. *ret_config: NULL unless there is a configuration
 * file. */
int permissions_start(const struct settings *set, struct arena *a, struct registry *registry,
                      struct workers *workers, struct timers *timers, struct authorizer **ret,
                      struct authz_config **ret_config, struct status *st);
