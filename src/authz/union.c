/* SPDX-License-Identifier: Apache-2.0 */
/* The union of the modes: the first with an opinion decides.
 * system:masters may do everything, whatever the modes: the way in that no policy can lock. */
#include "authz/modes.h"

static struct metric_family decisions_total = {
    .name = "apiserver_authorization_decisions_total",
    .help = "Total number of terminal decisions made by an authorizer split by authorizer type, name, and "
            "decision.",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .labels = {"type", "name", "decision", NULL},
};

static struct mode_set *set_new(struct authz_mode **modes, size_t n)
{
    struct mode_set *s = xmalloc(sizeof(*s) + n * sizeof(s->modes[0]));

    atomic_init(&s->refs, 1);
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        s->modes[i] = modes[i];
        atomic_fetch_add(&modes[i]->refs, 1);
    }
    return s;
}

static void set_unref(struct mode_set *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        if (atomic_fetch_sub(&s->modes[i]->refs, 1) == 1)
            s->modes[i]->free(s->modes[i]);
    free(s);
}
DEFINE_CLEANUP(struct mode_set *, set_unref)

static struct mode_set *set_of(struct authorizer *a)
{
    pthread_mutex_lock(&a->mu);
    struct mode_set *s = a->set;
    atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&a->mu);
    return s;
}

struct authorizer *authorizer_new(struct authz_mode **modes, size_t n)
{
    struct authorizer *a = xcalloc(1, sizeof(*a));

    pthread_mutex_init(&a->mu, NULL);
    a->set = set_new(modes, n);
    metrics_register(&decisions_total);
    return a;
}

void authorizer_replace(struct authorizer *a, struct authz_mode **modes, size_t n)
{
    struct mode_set *now = set_new(modes, n);

    pthread_mutex_lock(&a->mu);
    struct mode_set *old = a->set;
    a->set = now;
    pthread_mutex_unlock(&a->mu);
    set_unref(old);
}

void authorizer_free(struct authorizer *a)
{
    if (!a)
        return;
    set_unref(a->set);
    if (a->own_rbac)
        a->own_rbac->free(a->own_rbac);
    pthread_mutex_destroy(&a->mu);
    free(a);
}

static void count(struct authz_mode *m, enum authz_decision d)
{
    bool is_denied = d == AUTHZ_DENY;
    struct metric_cell *cell = atomic_load_explicit(&m->decisions[is_denied], memory_order_relaxed);

    if (!cell) {
        cell = metric_cell(&decisions_total, m->type, m->name, is_denied ? "denied" : "allowed");
        atomic_store_explicit(&m->decisions[is_denied], cell, memory_order_relaxed);
    }
    metric_add(cell, 1);
}

static struct text join(struct arena *a, struct text before, const char *between, struct text more)
{
    if (!before.n || !more.n)
        return before.n ? before : more;
    return arena_textf(a, "%.*s%s%.*s", TEXT_ARG(before), between, TEXT_ARG(more));
}

enum authz_decision authorizer_ask(struct authorizer *a, struct arena *arena,
                                   const struct authz_attributes *attrs, struct authz_answer *ret)
{
    *ret = (struct authz_answer){0};
    if (user_in_group(attrs->user, TEXT("system:masters")))
        return ret->decision = AUTHZ_ALLOW;
    CLEANUP(set_unrefp) struct mode_set *s = set_of(a);
    for (size_t i = 0; i < s->n; i++) {
        struct authz_answer answer = {0};
        s->modes[i]->authorize(s->modes[i], arena, attrs, &answer);
        if (answer.decision != AUTHZ_NO_OPINION) {
            if (answer.decision != AUTHZ_WOULD_BLOCK)
                count(s->modes[i], answer.decision);
            *ret = answer;
            return ret->decision;
        }
        ret->reason = join(arena, ret->reason, "\n", answer.reason);
        ret->error = join(arena, ret->error, ", ", answer.error);
    }
    return AUTHZ_NO_OPINION;
}

bool authorizer_may_block(struct authorizer *a)
{
    CLEANUP(set_unrefp) struct mode_set *s = set_of(a);
    bool may_block = false;

    for (size_t i = 0; i < s->n; i++)
        may_block |= s->modes[i]->may_block;
    return may_block;
}

/* --- rules --- */

void authz_rules_add(struct authz_rules *rules, const struct policy_rule *rule)
{
    if (rules->n == rules->cap) {
        size_t cap = rules->cap ? 2 * rules->cap : 32;
        rules->p = arena_grow(rules->arena, rules->p, rules->cap * sizeof(*rule), cap * sizeof(*rule));
        rules->cap = cap;
    }
    rules->p[rules->n++] = *rule;
}

void authorizer_list_rules(struct authorizer *a, const struct user_info *user, struct text namespace,
                           struct authz_rules *rules)
{
    CLEANUP(set_unrefp) struct mode_set *s = set_of(a);

    for (size_t i = 0; i < s->n; i++)
        if (s->modes[i]->list_rules)
            s->modes[i]->list_rules(s->modes[i], user, namespace, rules);
}
