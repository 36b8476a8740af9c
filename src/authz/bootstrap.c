/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the policy that every cluster begins with and keeps it up at each start: what is missing comes back
 * (objects, rules, subjects, labels, annotations), what an administrator has added stays, and an object whose
 * annotation rbac.authorization.kubernetes.io/autoupdate says "false" is left alone. All objects are
 * submitted at once, so that a fresh server pays for one commit, not for a hundred. A binding to another role
 * than it should be is made anew, since the role of a binding cannot change. Source: kubernetes
 * pkg/registry/rbac/rest/storage_rbac.go, pkg/registry/rbac/reconciliation. */
#include "authz/bootstrap.h"

#include <pthread.h>

#define RBAC_GROUP "rbac.authorization.k8s.io"
#define AUTOUPDATE TEXT("rbac.authorization.kubernetes.io/autoupdate")

/* Counts the operations under way. */
struct crowd {
    pthread_mutex_t mu;
    pthread_cond_t ended;
    size_t n_running; /* mu */
};

struct reconciliation {
    struct operation op;
    const struct bootstrap_object *wanted;
    struct crowd *crowd;
    bool grants_another_role;
    bool is_done; /* crowd->mu */
};

/* --- what is missing --- */

/* Members of wanted that v lacks or has otherwise. */
static void merge_map(struct arena *a, struct value *metadata, const struct value *wanted_metadata,
                      struct text key)
{
    const struct value *wanted = value_get(wanted_metadata, key);
    struct value *map = value_object_at(a, metadata, key);

    for (size_t i = 0; wanted && i < wanted->n; i++)
        value_set(a, map, member_key(&wanted->members[i]), wanted->members[i].value);
}

static struct value *list_at(struct arena *a, struct value *v, struct text key)
{
    struct value *list = value_get(v, key);

    return list && list->kind == VALUE_LIST ? list : value_set(a, v, key, value_list());
}

static void append_missing(struct arena *a, struct value *to, const struct value *wanted)
{
    for (size_t i = 0; wanted && wanted->kind == VALUE_LIST && i < wanted->n; i++) {
        bool found = false;
        for (size_t j = 0; j < to->n && !found; j++)
            found = value_equal(&to->items[j], &wanted->items[i]);
        if (!found)
            value_append(a, to, wanted->items[i]);
    }
}

static void reconcile_role(struct arena *a, struct value *role, const struct value *wanted)
{
    const struct value *selectors = value_at(wanted, "aggregationRule", "clusterRoleSelectors", NULL);
    struct policy_rule *has, *needs, *missing;
    size_t n_has, n_needs, n;

    if (selectors) { /* its rules are the aggregation's business */
        append_missing(
            a, list_at(a, value_object_at(a, role, TEXT("aggregationRule")), TEXT("clusterRoleSelectors")),
            selectors);
        return;
    }
    has = rules_of_value(a, value_get(role, TEXT("rules")), &n_has);
    needs = rules_of_value(a, value_get(wanted, TEXT("rules")), &n_needs);
    n = rules_missing(a, has, n_has, needs, n_needs, &missing);
    for (size_t i = 0; i < n; i++)
        value_append(a, list_at(a, role, TEXT("rules")), rule_as_value(a, &missing[i]));
}

/* Subjects are the same if kind, name and namespace are. */
static void reconcile_subjects(struct arena *a, struct value *binding, const struct value *wanted)
{
    static const char *const keys[] = {"kind", "name", "namespace"};
    const struct value *needs = value_get(wanted, TEXT("subjects"));

    for (size_t i = 0; needs && i < needs->n; i++) {
        struct value *has = list_at(a, binding, TEXT("subjects"));
        bool found = false;
        for (size_t j = 0; j < has->n && !found; j++) {
            found = true;
            for (size_t k = 0; k < N_ELEMENTS(keys); k++)
                found = found && text_eq(value_get_text(&has->items[j], text_of(keys[k])),
                                         value_get_text(&needs->items[i], text_of(keys[k])));
        }
        if (!found)
            value_append(a, has, needs->items[i]);
    }
}

static bool same_role(const struct value *x, const struct value *y)
{
    const struct value *a = value_get(x, TEXT("roleRef")), *b = value_get(y, TEXT("roleRef"));

    return text_eq(value_get_text(a, TEXT("kind")), value_get_text(b, TEXT("kind"))) &&
           text_eq(value_get_text(a, TEXT("name")), value_get_text(b, TEXT("name")));
}

static int reconcile(struct operation *op, const struct object *current, const struct value *tree,
                     struct value *ret_new, struct status *st)
{
    struct reconciliation *r = CONTAINER_OF(op, struct reconciliation, op);
    const struct value *wanted = &r->wanted->tree;
    bool is_role = value_get(wanted, TEXT("rules")) != NULL;

    if (!current) {
        *ret_new = value_copy(op->arena, wanted);
        return 0;
    }
    *ret_new = value_copy(op->arena, tree);
    if (text_is(value_get_text(value_at(tree, "metadata", "annotations", NULL), AUTOUPDATE), "false"))
        return 0;
    r->grants_another_role = !is_role && !same_role(tree, wanted);
    if (r->grants_another_role)
        return 0;
    struct value *metadata = value_get(ret_new, TEXT("metadata"));
    merge_map(op->arena, metadata, value_get(wanted, TEXT("metadata")), TEXT("labels"));
    merge_map(op->arena, metadata, value_get(wanted, TEXT("metadata")), TEXT("annotations"));
    if (is_role)
        reconcile_role(op->arena, ret_new, wanted);
    else
        reconcile_subjects(op->arena, ret_new, wanted);
    return 0;
}

/* --- all at once --- */

static void one_done(struct operation *op)
{
    struct reconciliation *r = CONTAINER_OF(op, struct reconciliation, op);
    struct crowd *c = r->crowd;

    pthread_mutex_lock(&c->mu);
    r->is_done = true;
    if (--c->n_running == 0)
        pthread_cond_signal(&c->ended);
    pthread_mutex_unlock(&c->mu);
}

static void prepare(struct reconciliation *r, const struct registry *reg,
                    const struct bootstrap_object *wanted, enum operation_kind kind)
{
    *r = (struct reconciliation){
        .op = {.kind = kind,
               .registry = reg,
               .resource = registry_find(reg, TEXT(RBAC_GROUP), TEXT("v1"), wanted->resource),
               .arena = arena_new(),
               .namespace = wanted->namespace,
               .name = wanted->name,
               .transform = reconcile,
               .may_create = true,
               .del = {.grace_seconds = -1, .orphan_dependents = -1},
               .done = one_done},
        .wanted = wanted,
    };
}

static void dispose(struct reconciliation *r)
{
    operation_clear(&r->op);
    arena_free(r->op.arena);
}

/* The role of a binding cannot change: it is made anew. */
static int make_anew(const struct registry *reg, const struct bootstrap_object *wanted, struct status *st)
{
    static const enum operation_kind steps[] = {OPERATION_DELETE, OPERATION_UPDATE};

    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        struct reconciliation r;
        prepare(&r, reg, wanted, steps[i]);
        int rc = registry_run(&r.op);
        if (rc < 0 && r.op.st.reason != STATUS_NOT_FOUND)
            status_move(st, &r.op.st);
        else
            rc = 0;
        dispose(&r);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* What came of one; the first failure counts. */
static void conclude(const struct registry *reg, struct reconciliation *r, int *rc, struct status *st)
{
    if (r->op.st.reason != STATUS_OK && *rc == 0) {
        status_move(st, &r->op.st);
        *rc = status_wrap(st, "%.*s %.*s", TEXT_ARG(r->wanted->resource), TEXT_ARG(r->wanted->name));
    } else if (r->grants_another_role && *rc == 0) {
        *rc = make_anew(reg, r->wanted, st);
    }
    dispose(r);
}

/* Those with nothing to write, at most starts all of them, are over at once and give back their memory. */
static bool is_over(struct reconciliation *r)
{
    pthread_mutex_lock(&r->crowd->mu);
    bool is_done = r->is_done;
    pthread_mutex_unlock(&r->crowd->mu);
    return is_done;
}

static int run_all(const struct registry *reg, const struct bootstrap_object *objects, size_t n,
                   struct status *st)
{
    struct crowd crowd = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, n};
    struct reconciliation *all = xcalloc(n, sizeof(*all));
    size_t n_waiting = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        struct reconciliation *r = &all[n_waiting];
        prepare(r, reg, &objects[i], OPERATION_UPDATE);
        r->crowd = &crowd;
        registry_submit(&r->op);
        if (is_over(r))
            conclude(reg, r, &rc, st);
        else
            n_waiting++;
    }
    pthread_mutex_lock(&crowd.mu);
    while (crowd.n_running)
        pthread_cond_wait(&crowd.ended, &crowd.mu);
    pthread_mutex_unlock(&crowd.mu);
    for (size_t i = 0; i < n_waiting; i++)
        conclude(reg, &all[i], &rc, st);
    free(all);
    pthread_cond_destroy(&crowd.ended);
    pthread_mutex_destroy(&crowd.mu);
    return rc;
}

int authz_bootstrap(const struct registry *reg, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct bootstrap_object *objects;
    size_t n;

    if (!registry_find(reg, TEXT(RBAC_GROUP), TEXT("v1"), TEXT("clusterroles")))
        return 0; /* switched off by --runtime-config */
    if (bootstrap_parse(a, text_of(bootstrap_policy), &objects, &n, st) < 0)
        return -1;
    return run_all(reg, objects, n, st);
}
