/* SPDX-License-Identifier: Apache-2.0 */
/* service_endpoints.h - the endpoints of the kubernetes service and their slice, through which pods reach the
 * API servers; and
 * --endpoint-reconciler-type, which says how a server comes among them. Everything here blocks.
 * Source: kubernetes pkg/controlplane/reconcilers. */
#pragma once

#include "registry.h"

enum reconciler {
    RECONCILER_LEASE, /* each server writes its address down for a while (presence.c); those that are there
                         are in */
    RECONCILER_MASTER_COUNT, /* each server adds itself, and takes others out when there are more than it was
                                told */
    RECONCILER_NONE,         /* somebody else sees to them */
};
/* NULL or "": lease. BAD_REQUEST for what is none. */
int reconciler_parse(const char *name, enum reconciler *ret, struct status *st);

/* Makes them these addresses, sorted. */
int service_endpoints_write(const struct registry *reg, const struct text *addresses, size_t n, uint16_t port,
                            struct status *st);
/* For RECONCILER_MASTER_COUNT: adds the own address to them, count at most; takes it away. Endpoints of
 * another form than ours become the own address alone. */
int service_endpoints_join(const struct registry *reg, struct text own, uint16_t port, size_t count,
                           struct status *st);
int service_endpoints_leave(const struct registry *reg, struct text own, uint16_t port, struct status *st);

/* The rule of who stays. addresses: n sorted ones, room for one more; returns how many are left. Too many:
 * those that follow own go, from the beginning again behind the last. Source: instancecount.go. */
size_t service_endpoints_add(struct text *addresses, size_t n, struct text own, size_t count);
