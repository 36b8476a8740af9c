/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.h - the policy that every cluster begins with, as trees. */
#pragma once

#include "authz/rule.h"

struct bootstrap_object {
    struct text resource, namespace, name; /* "clusterroles", ... of rbac.authorization.k8s.io/v1 */
    struct value tree;
};
/* Reads a policy text (policy/bootstrap.txt explains the form). BAD_REQUEST names the line. */
int bootstrap_parse(struct arena *a, struct text in, struct bootstrap_object **ret, size_t *ret_n,
                    struct status *st);
/* The text that is compiled in. */
extern const char bootstrap_policy[];
