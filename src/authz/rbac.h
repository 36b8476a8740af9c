/* SPDX-License-Identifier: Apache-2.0 */
/* rbac.h - what RBAC's roles and bindings say of a user. Threads: any. */
#pragma once

#include "authz/rbac_index.h"

/* What the mode answers. */
void rbac_decide(struct rbac *r, struct arena *a, const struct authz_attributes *attrs,
                 struct authz_answer *ret);
/* All rules of the user in the namespace; errors are those of bindings to roles that are not there. */
void rbac_rules_for(struct rbac *r, const struct user_info *user, struct text namespace,
                    struct authz_rules *ret);
/* `clusterrole.rbac.authorization.k8s.io "x" not found` */
struct text rbac_role_error(struct arena *a, const struct rbac_binding *b);
