/* SPDX-License-Identifier: Apache-2.0 */
/* RuntimeClass: a pod takes on its class's overhead and where it may be scheduled. Source: kubernetes
 * plugin/pkg/admission/runtimeclass/admission.go. */
#include "admission/toleration_sets.h"

/* *ret_has: the pod has a class, which is in *ret. */
static int find_class(const struct admission_attributes *a, struct value *ret, bool *ret_has,
                      struct status *st)
{
    const struct value *name = value_get(spec_of(a->object), TEXT("runtimeClassName"));

    *ret_has = name != NULL;
    if (!name || admission_find(a, "node.k8s.io", "v1", "runtimeclasses", TEXT_NONE, value_text(name), ret))
        return 0;
    return admission_forbid(a, st, "pod rejected: RuntimeClass %.*s not found",
                            TEXT_ARG(quoted(a->arena, value_text(name))));
}

/* As quantities: 100m is 0.1. */
static bool same_amounts(const struct value *x, const struct value *y)
{
    size_t n = x && x->kind == VALUE_OBJECT ? x->n : 0, n_other = y && y->kind == VALUE_OBJECT ? y->n : 0;

    for (size_t i = 0; i < n; i++) {
        const struct value *other = value_get(y, member_key(&x->members[i]));
        if (!other || quantity_cmp(value_text(&x->members[i].value), value_text(other)) != 0)
            return false;
    }
    return n == n_other;
}

static int forbid_mismatch(const struct admission_attributes *a, struct status *st)
{
    return admission_forbid(a, st,
                            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
}

static int set_scheduling(struct admission_attributes *a, struct value *spec, const struct value *scheduling,
                          struct status *st)
{
    const struct value *wanted = value_get(scheduling, TEXT("nodeSelector"));
    struct value *own;

    for (size_t i = 0; wanted && wanted->kind == VALUE_OBJECT && i < wanted->n; i++) {
        struct text key = member_key(&wanted->members[i]), value = value_text(&wanted->members[i].value);
        own = value_object_at(a->arena, spec, TEXT("nodeSelector"));
        const struct value *there = value_get(own, key);
        if (there && !text_eq(value_text(there), value))
            return admission_forbid(a, st,
                                    "conflict: runtimeClass.scheduling.nodeSelector[%.*s] = %.*s; "
                                    "pod.spec.nodeSelector[%.*s] = %.*s",
                                    TEXT_ARG(key), TEXT_ARG(value), TEXT_ARG(key),
                                    TEXT_ARG(value_text(there)));
        value_set(a->arena, own, key, value_string(value));
    }
    tolerations_merge(a->arena, spec, value_get(scheduling, TEXT("tolerations")));
    return 0;
}

static int fill(void *state, struct admission_attributes *a, struct status *st)
{
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    const struct value *overhead, *scheduling;
    struct value class;
    bool has_class;

    if (find_class(a, &class, &has_class, st) < 0)
        return -1;
    if (!has_class)
        return 0;
    overhead = value_get(&class, TEXT("overhead"));
    scheduling = value_get(&class, TEXT("scheduling"));
    if (overhead) {
        const struct value *fixed = value_get(overhead, TEXT("podFixed")),
                           *own = value_get(spec, TEXT("overhead"));
        if (!value_is_empty(own) && !same_amounts(fixed, own))
            return forbid_mismatch(a, st);
        if (fixed)
            value_set(a->arena, spec, TEXT("overhead"), value_copy(a->arena, fixed));
    }
    return scheduling ? set_scheduling(a, spec, scheduling, st) : 0;
}

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *own = value_get(spec_of(a->object), TEXT("overhead")), *overhead;
    struct value class = value_object();
    bool has_class;

    if (find_class(a, &class, &has_class, st) < 0)
        return -1;
    overhead = value_get(&class, TEXT("overhead"));
    if (overhead)
        return same_amounts(value_get(overhead, TEXT("podFixed")), own) ? 0 : forbid_mismatch(a, st);
    if (own && own->kind == VALUE_OBJECT)
        return admission_forbid(a, st,
                                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined "
                                "Overhead");
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE, .admit = fill, .validate = check},
};
const struct admission_plugin plugin_runtime_class = {"RuntimeClass", true, RULES(rules)};
