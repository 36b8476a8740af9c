/* SPDX-License-Identifier: Apache-2.0 */
/* rbac_index.h - who has which rules: the index of RBAC's four resources.
 * A published index is immutable; a reader takes one reference, a change publishes a new index that shares
 * all but the path to what changed. Threads: any for rbac_index_ref and the readers; changes
 * come one at a time. */
#pragma once

#include "authz/rule.h"
#include "storage.h"

enum rbac_role_kind { RBAC_ROLE, RBAC_CLUSTER_ROLE, RBAC_OTHER_ROLE };

/* The rules of a Role or ClusterRole. */
struct rbac_role {
    atomic_uint refs;
    size_t n;
    struct policy_rule *rules;
};

struct rbac_subject {
    char kind; /* 'U', 'G', 'S' for service accounts, 0 for others */
    struct text name, namespace;
    struct text
        username; /* of a service account: what it is called when it asks; empty if it has no namespace */
    struct text words; /* `User "jane"` */
};

/* A RoleBinding or, with an empty namespace, a ClusterRoleBinding. Lives in one block. */
struct rbac_binding {
    atomic_uint refs;
    struct text key, namespace, name;
    enum rbac_role_kind role_kind;
    struct text role_kind_name, role_name;
    uint32_t role_id; /* of the index */
    struct text
        words; /* `RBAC: allowed by RoleBinding "b/ns" of Role "r" to `: said with each yes, so kept ready */
    size_t n_subjects;
    struct rbac_subject *subjects;
};

/* All bindings of one subject in one namespace or in the whole cluster, by name. */
struct rbac_grants {
    atomic_uint refs;
    struct text key;
    size_t n;
    struct rbac_binding *bindings[];
};

#define ROLE_PAGE 64
struct rbac_role_page {
    atomic_uint refs;
    struct rbac_role *roles[ROLE_PAGE]; /* NULL: there is no such role */
};

struct rbac_index {
    atomic_uint refs;
    struct tree *cluster, *namespaced; /* of struct rbac_grants, by SUBJECT or NAMESPACE/SUBJECT */
    size_t n_pages;
    struct rbac_role_page *pages[]; /* the role of id i is pages[i / ROLE_PAGE]->roles[i % ROLE_PAGE] */
};
static inline const struct rbac_role *rbac_index_role(const struct rbac_index *x, uint32_t id)
{
    return id / ROLE_PAGE < x->n_pages ? x->pages[id / ROLE_PAGE]->roles[id % ROLE_PAGE] : NULL;
}

struct rbac;
struct rbac *rbac_new(void);
void rbac_free(struct rbac *r);
/* Each event of the four resources; removed: the object is gone. Objects that cannot be read count as gone.
 */
void rbac_put(struct rbac *r, struct object *o, bool is_removed);
/* While held, changes are not published. */
void rbac_hold(struct rbac *r);
void rbac_release(struct rbac *r);
void rbac_clear(struct rbac *r); /* forgets everything, while held */

struct rbac_index *rbac_index_get(struct rbac *r); /* one reference */
void rbac_index_unref(struct rbac_index *x);
DEFINE_CLEANUP(struct rbac_index *, rbac_index_unref)

/* Calls visit with each binding that applies to the user, those of the cluster first, then the namespace's,
 * until it says false. A binding that applies by several of its subjects may come several times. role NULL:
 * it refers to none that exists. */
typedef bool (*rbac_visit)(void *ctx, const struct rbac_binding *binding, const struct rbac_role *role);
void rbac_visit_user(const struct rbac_index *x, struct arena *a, const struct user_info *user,
                     struct text namespace, rbac_visit visit, void *ctx);
/* Of a role reference; *ret NULL: there is none. */
const struct rbac_role *rbac_find_role(struct rbac *r, struct rbac_index *x, enum rbac_role_kind kind,
                                       struct text namespace, struct text name);
enum rbac_role_kind rbac_role_kind_of(struct text kind);
