/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps aggregated ClusterRoles up to date: their rules are those of all ClusterRoles that their selectors
 * match, in order of name, each rule once. A change of any ClusterRole queues one run over all of them, which
 * is cheap: there are few. A controller manager that runs beside comes to the same rules. Source: kubernetes
 * pkg/controller/clusterroleaggregation. */
#include "authz.h"

#include <pthread.h>

#include "authz/follow.h"

struct aggregation {
    const struct registry *registry;
    struct workers *workers;
    struct follow *follow;
    struct work work;
    pthread_mutex_t mu; /* rank 1: the next */
    pthread_cond_t idle;
    bool is_queued, is_again, is_ending;
};

/* One aggregated role on its way to new rules. */
struct sync {
    struct operation op;
    const struct value *rules;
};

/* --- one run --- */

static void add_rules(struct arena *a, struct value *to, const struct value *rules)
{
    for (size_t i = 0; rules && rules->kind == VALUE_LIST && i < rules->n; i++) {
        bool found = false;
        for (size_t j = 0; j < to->n && !found; j++)
            found = value_equal(&to->items[j], &rules->items[i]);
        if (!found)
            value_append(a, to, rules->items[i]);
    }
}

/* The rules of those that selector matches, self apart. The snapshot's order is that of the names. */
static void gather(struct arena *a, const struct snapshot *snapshot, const struct selector *selector,
                   const struct object *self, struct value *to)
{
    struct tree_iter it;
    struct object *o;

    tree_iter_init(&it, &object_tree_ops, snapshot->tree);
    while ((o = tree_iter_next(&it))) {
        CLEANUP(status_clear) struct status st = {0};
        struct value tree;
        if (o != self && !o->is_unreadable && selector_match_labels(selector, o) &&
            object_tree(a, o, &tree, &st) == 0)
            add_rules(a, to, value_get(&tree, TEXT("rules")));
    }
}

static int set_rules(struct operation *op, const struct object *current, const struct value *tree,
                     struct value *ret_new, struct status *st)
{
    if (!current)
        return status_not_found(st, op->resource->type->group, op->resource->type->name, op->name);
    *ret_new = value_copy(op->arena, tree);
    if (value_get(tree, TEXT("aggregationRule")))
        value_set(op->arena, ret_new, TEXT("rules"), *CONTAINER_OF(op, struct sync, op)->rules);
    return 0;
}

/* Returns -1, or whether the role has changed. */
static int sync_role(const struct registry *reg, const struct resource *roles, struct arena *a,
                     const struct object *role, const struct value *rules, struct status *st)
{
    struct sync s = {.op = {.kind = OPERATION_UPDATE,
                            .registry = reg,
                            .resource = roles,
                            .arena = a,
                            .name = role->name,
                            .transform = set_rules},
                     .rules = rules};
    int rc = registry_run(&s.op);

    if (rc == 0)
        rc = !s.op.was_unchanged;
    else if (s.op.st.reason == STATUS_NOT_FOUND)
        rc = 0;
    else
        status_move(st, &s.op.st);
    operation_clear(&s.op);
    return rc;
}

static int aggregate_role(const struct registry *reg, const struct resource *roles,
                          const struct snapshot *snapshot, const struct object *role, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct value tree, rules = value_list();
    const struct value *selectors;

    /* Most roles do not aggregate: look before reading. */
    if (role->is_unreadable || text_find_text(role->json, TEXT("\"aggregationRule\"")) < 0)
        return 0;
    if (object_tree(a, role, &tree, st) < 0)
        return -1;
    if (!value_get(&tree, TEXT("aggregationRule")))
        return 0;
    selectors = value_at(&tree, "aggregationRule", "clusterRoleSelectors", NULL);
    for (size_t i = 0; selectors && selectors->kind == VALUE_LIST && i < selectors->n; i++) {
        struct selector selector;
        if (selector_from_object(a, &selectors->items[i], &selector, st) < 0)
            return -1;
        gather(a, snapshot, &selector, role, &rules);
    }
    const struct value *now = value_get(&tree, TEXT("rules"));
    if (now ? value_equal(now, &rules) || (value_is_empty(now) && !rules.n) : !rules.n)
        return 0;
    return sync_role(reg, roles, a, role, &rules, st);
}

/* One look at all roles: -1, or how many have changed. */
static int aggregate_once(const struct registry *reg, const struct resource *roles, struct status *st)
{
    struct snapshot snapshot;
    struct tree_iter it;
    struct object *o;
    int n = 0;
    bool has_failed = false;

    cache_snapshot(roles->cache, &snapshot);
    tree_iter_init(&it, &object_tree_ops, snapshot.tree);
    while ((o = tree_iter_next(&it))) {
        CLEANUP(status_clear) struct status one = {0};
        int rc = aggregate_role(reg, roles, &snapshot, o, &one);
        n += rc > 0;
        if (rc >= 0)
            continue;
        status_wrap(&one, "clusterrole %.*s", TEXT_ARG(o->name));
        status_move(st, &one); /* the others go on */
        has_failed = true;
    }
    snapshot_release(&snapshot);
    return has_failed ? -1 : n;
}

#define ROUNDS_MAX 16

int authz_aggregate(const struct registry *reg, struct status *st)
{
    const struct resource *roles =
        registry_find(reg, TEXT("rbac.authorization.k8s.io"), TEXT("v1"), TEXT("clusterroles"));
    int n = roles ? 1 : 0;

    /* Aggregated roles may be parts of others. */
    for (int round = 0; n > 0 && round < ROUNDS_MAX; round++)
        n = aggregate_once(reg, roles, st);
    return n < 0 ? -1 : 0;
}

/* --- the loop --- */

static void run(struct work *w)
{
    struct aggregation *g = CONTAINER_OF(w, struct aggregation, work);
    CLEANUP(status_clear) struct status st = {0};
    bool is_again;

    if (authz_aggregate(g->registry, &st) < 0)
        log_error("Aggregating roles failed", LOG_STR("err", st.message));
    pthread_mutex_lock(&g->mu);
    is_again = g->is_again && !g->is_ending;
    g->is_again = false;
    g->is_queued = is_again;
    if (!is_again)
        pthread_cond_broadcast(&g->idle);
    pthread_mutex_unlock(&g->mu);
    if (is_again)
        workers_add(g->workers, &g->work);
}

static void on_event(void *ctx, struct object *o, const struct object *previous, bool is_removed)
{
    struct aggregation *g = ctx;
    bool starts;

    pthread_mutex_lock(&g->mu);
    starts = !g->is_queued && !g->is_ending;
    g->is_again = g->is_queued;
    g->is_queued = g->is_queued || starts;
    pthread_mutex_unlock(&g->mu);
    if (starts)
        workers_add(g->workers, &g->work);
}

int authz_aggregation_start(const struct registry *reg, struct workers *workers, struct aggregation **ret,
                            struct status *st)
{
    const struct resource *roles =
        registry_find(reg, TEXT("rbac.authorization.k8s.io"), TEXT("v1"), TEXT("clusterroles"));
    struct aggregation *g;

    *ret = NULL;
    if (!roles)
        return 0;
    g = xcalloc(1, sizeof(*g));
    g->registry = reg;
    g->workers = workers;
    g->work.run = run;
    pthread_mutex_init(&g->mu, NULL);
    pthread_cond_init(&g->idle, NULL);
    const struct follow_options opt = {
        .resources = &roles, .n = 1, .workers = workers, .event = on_event, .ctx = g};
    *ret = g;
    return follow_start(&opt, &g->follow, st);
}

void authz_aggregation_stop(struct aggregation *g)
{
    if (!g)
        return;
    follow_stop(g->follow);
    pthread_mutex_lock(&g->mu);
    g->is_ending = true;
    while (g->is_queued)
        pthread_cond_wait(&g->idle, &g->mu);
    pthread_mutex_unlock(&g->mu);
    pthread_cond_destroy(&g->idle);
    pthread_mutex_destroy(&g->mu);
    free(g);
}
