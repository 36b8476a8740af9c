/* SPDX-License-Identifier: Apache-2.0 */
/* Priority: the number and the preemption policy that a pod's class stands for; without a class those of the
 * default class, or 0. Which class is the default is found by a look at all of them, once for each state of
 * the cache. Source: kubernetes plugin/pkg/admission/priority/admission.go. */
#include "admission/plugin.h"

#include <pthread.h>

#define GROUP "scheduling.k8s.io"

struct priority_class {
    struct text name, policy; /* policy may be empty */
    int64_t value;
};

struct priorities {
    struct cache *classes; /* NULL: none are served */
    pthread_mutex_t mu;    /* rank 1: all below */
    struct snapshot
        seen; /* the state that what follows was found in; held, so that no other has its address */
    bool is_seen, has_default;
    struct text name; /* of the default class; malloc'd */
};

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    struct priorities *p = ARENA_NEW(c->arena, struct priorities);

    p->classes = admission_cache(c->opt->registry, GROUP, "v1", "priorityclasses");
    pthread_mutex_init(&p->mu, NULL);
    *ret_state = p;
    return 0;
}

static void stop(void *state)
{
    struct priorities *p = state;

    snapshot_release(&p->seen);
    free((char *)p->name.p);
    pthread_mutex_destroy(&p->mu);
}

/* --- the classes --- */

static struct priority_class class_of(const struct value *tree)
{
    return (struct priority_class){name_of(tree), text_at(tree, "preemptionPolicy"),
                                   value_get_int(tree, TEXT("value"), 0)};
}

static bool find_class(const struct admission_attributes *a, struct text name, struct priority_class *ret)
{
    struct value tree;

    if (!admission_find(a, GROUP, "v1", "priorityclasses", TEXT_NONE, name, &tree))
        return false;
    *ret = class_of(&tree);
    return true;
}

/* Of several, which a race may leave, the one with the lowest value. */
static void look_at_all_locked(struct priorities *p, struct arena *a)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct tree_iter iter;
    struct object *o;
    struct priority_class best = {0};

    tree_iter_init(&iter, &object_tree_ops, p->seen.tree);
    p->has_default = false;
    while ((o = tree_iter_next(&iter))) {
        struct value tree;
        if (o->is_unreadable || object_tree(a, o, &tree, &ignored) < 0 ||
            !value_get_bool(&tree, TEXT("globalDefault"), false))
            continue;
        struct priority_class found = class_of(&tree);
        if (!p->has_default || found.value < best.value)
            best = found;
        p->has_default = true;
    }
    free((char *)p->name.p);
    p->name = TEXT_NONE;
    if (p->has_default)
        p->name = (struct text){strndup(best.name.p, best.name.n), best.name.n};
}

/* False: no class is the default. */
static bool find_default(struct priorities *p, const struct admission_attributes *a,
                         struct priority_class *ret)
{
    struct snapshot now;
    struct text name = TEXT_NONE;

    if (!p->classes)
        return false;
    cache_snapshot(p->classes, &now);
    pthread_mutex_lock(&p->mu);
    if (!p->is_seen || now.tree != p->seen.tree) {
        struct snapshot before = p->seen;
        p->seen = now;
        now = before;
        p->is_seen = true;
        look_at_all_locked(p, a->arena);
    }
    if (p->has_default)
        name = arena_text(a->arena, p->name);
    pthread_mutex_unlock(&p->mu);
    snapshot_release(&now);
    return name.p && find_class(a, name, ret);
}

/* --- pods --- */

static int find_class_of(struct priorities *p, const struct admission_attributes *a, struct text name,
                         struct priority_class *ret, struct status *st)
{
    if (!name.n) {
        if (!find_default(p, a, ret))
            *ret = (struct priority_class){TEXT_NONE, TEXT("PreemptLowerPriority"), 0};
        return 0;
    }
    if (!find_class(a, name, ret))
        return admission_forbid(a, st, "no PriorityClass with name %.*s was found", TEXT_ARG(name));
    return 0;
}

static int resolve(void *state, struct admission_attributes *a, struct status *st)
{
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    const struct value *given = value_get(spec, TEXT("priority"));
    struct text policy = text_at(spec, "preemptionPolicy");
    struct priority_class class = {0};

    if (find_class_of(state, a, text_at(spec, "priorityClassName"), &class, st) < 0)
        return -1;
    if (given && given->kind == VALUE_INT && given->integer != class.value)
        return admission_forbid(
            a, st,
            "the integer value of priority (%lld) must not be provided in pod spec; priority admission "
            "controller computed %lld from the given PriorityClass name",
            (long long)given->integer, (long long)class.value);
    if (class.name.n)
        value_set(a->arena, spec, TEXT("priorityClassName"), value_string(class.name));
    value_set(a->arena, spec, TEXT("priority"), value_int(class.value));
    if (!class.policy.n)
        return 0;
    if (policy.n && !text_eq(policy, class.policy))
        return admission_forbid(a, st,
                                "the string value of PreemptionPolicy (%.*s) must not be provided in pod "
                                "spec; priority admission "
                                "controller computed %.*s from the given PriorityClass name",
                                TEXT_ARG(policy), TEXT_ARG(class.policy));
    value_set(a->arena, spec, TEXT("preemptionPolicy"), value_string(class.policy));
    return 0;
}

/* Clients that do not know the fields leave them out, which shall not count as a change. */
static int keep(void *state, struct admission_attributes *a, struct status *st)
{
    static const struct text kept[] = {TEXT("priority"), TEXT("preemptionPolicy")};
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));

    for (size_t i = 0; i < N_ELEMENTS(kept); i++) {
        const struct value *before = value_get(spec_of(a->old), kept[i]);
        if (before && !value_get(spec, kept[i]))
            value_set(a->arena, spec, kept[i], *before);
    }
    return 0;
}

/* --- classes --- */

static int check_default(void *state, struct admission_attributes *a, struct status *st)
{
    struct priority_class there;

    if (!value_get_bool(a->object, TEXT("globalDefault"), false) || !find_default(state, a, &there) ||
        (a->verb == ADMISSION_UPDATE && text_eq(there.name, name_of(a->object))))
        return 0;
    return admission_forbid(a, st,
                            "PriorityClass %.*s is already marked as default. Only one default can exist",
                            TEXT_ARG(there.name));
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE, .admit = resolve},
    {TEXT(""), TEXT("pods"), TEXT(""), UPDATE, .admit = keep},
    {TEXT(GROUP), TEXT("priorityclasses"), TEXT(""), CREATE | UPDATE, .validate = check_default},
};
const struct admission_plugin plugin_priority = {"Priority", true, RULES(rules), .start = start,
                                                 .stop = stop};
