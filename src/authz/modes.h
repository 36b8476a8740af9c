/* SPDX-License-Identifier: Apache-2.0 */
/* modes.h - what the files of this floor know of one another's modes. */
#pragma once

#include <pthread.h>

#include "authz.h"

struct rbac;

/* Immutable; shared by the authorizer and those who are asking. */
struct mode_set {
    atomic_uint refs;
    size_t n;
    struct authz_mode *modes[];
};

struct authorizer {
    pthread_mutex_t mu; /* the next; held for a few instructions */
    struct mode_set *set;
    struct rbac *rbac; /* what roles grant: of the mode RBAC, or of the next; NULL before authz_guard */
    struct authz_mode *own_rbac; /* where RBAC is no mode */
};

int rbac_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
/* The index of a mode that is RBAC; NULL: another mode. */
struct rbac *rbac_of_mode(struct authz_mode *m);
int node_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
int abac_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
int webhook_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
int always_allow_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
int always_deny_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st);

/* The modes by name, as flags and files write them. */
extern const char *const authz_mode_names[];
extern const size_t n_authz_modes;
const char *authz_mode_metric_name(struct arena *a, struct text type); /* "rbac" for "RBAC" */
