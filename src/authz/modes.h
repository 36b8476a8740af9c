/* SPDX-License-Identifier: Apache-2.0 */
/* modes.h - what the files of this floor know of one another's modes. */
#pragma once

#include "authz.h"

struct rbac;

struct authorizer {
    struct authz_mode **modes;
    size_t n;
    struct rbac *rbac;           /* what roles grant: of the mode RBAC, or of the next; NULL before authz_guard */
    struct authz_mode *own_rbac; /* where RBAC is no mode */
};

int rbac_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
/* The index of a mode that is RBAC; NULL: another mode. */
struct rbac *rbac_of_mode(struct authz_mode *m);
int node_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
struct authz_mode *always_allow_new(void);
struct authz_mode *always_deny_new(void);
void authz_metrics_register(void); /* the filter's */
