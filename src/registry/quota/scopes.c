/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: which objects a quota means. Source: kubernetes pkg/quota/v1/evaluator/core/pods.go,
 * persistent_volume_claims.go, pkg/apis/core/v1/helper/helpers.go
 * (ScopedResourceSelectorRequirementsAsSelector). */
#include "registry/quota/quota.h"

static size_t length(const struct value *list)
{
    return list && list->kind == VALUE_LIST ? list->n : 0;
}

/* name empty: there is none. */
static bool selects(const struct value *scope, struct text name)
{
    struct text how = value_get_text(scope, TEXT("operator"));
    const struct value *values = value_get(scope, TEXT("values"));
    bool is_among = false;

    for (size_t i = 0; i < length(values); i++)
        is_among |= name.n && text_eq(value_text(&values->items[i]), name);
    if (text_is(how, "In"))
        return is_among;
    if (text_is(how, "NotIn"))
        return !is_among;
    return text_is(how, "DoesNotExist") ? !name.n : name.n > 0;
}

/* --- pods --- */

static bool is_cross_namespace(const struct value *term)
{
    return length(value_get(term, TEXT("namespaces"))) || value_get(term, TEXT("namespaceSelector"));
}

static bool uses_other_namespaces(const struct value *spec)
{
    static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        const struct value *affinity = value_at(spec, "affinity", kinds[i], NULL);
        const struct value *hard =
            value_get(affinity, TEXT("requiredDuringSchedulingIgnoredDuringExecution"));
        const struct value *soft =
            value_get(affinity, TEXT("preferredDuringSchedulingIgnoredDuringExecution"));
        for (size_t k = 0; k < length(hard); k++)
            if (is_cross_namespace(&hard->items[k]))
                return true;
        for (size_t k = 0; k < length(soft); k++)
            if (is_cross_namespace(value_get(&soft->items[k], TEXT("podAffinityTerm"))))
                return true;
    }
    return false;
}

static bool is_best_effort(const struct value *spec)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();

    return text_is(pod_qos_class(a, spec), "BestEffort");
}

bool quota_scope_of_pod(const struct value *scope, const struct value *pod)
{
    const struct value *spec = value_get(pod, TEXT("spec"));
    struct text name = value_get_text(scope, TEXT("scopeName"));
    bool is_terminating = value_get_int(spec, TEXT("activeDeadlineSeconds"), -1) >= 0;

    if (text_is(name, "Terminating"))
        return is_terminating;
    if (text_is(name, "NotTerminating"))
        return !is_terminating;
    if (text_is(name, "BestEffort"))
        return is_best_effort(spec);
    if (text_is(name, "NotBestEffort"))
        return !is_best_effort(spec);
    if (text_is(name, "PriorityClass"))
        return selects(scope, value_get_text(spec, TEXT("priorityClassName")));
    return text_is(name, "CrossNamespacePodAffinity") && uses_other_namespaces(spec);
}

/* --- claims --- */

/* A claim may be on the way from one class to another: it is of all that it names. */
bool quota_scope_of_claim(const struct value *scope, const struct value *claim)
{
    const struct text names[] = {
        value_text(value_at(claim, "spec", "volumeAttributesClassName", NULL)),
        value_text(value_at(claim, "status", "currentVolumeAttributesClassName", NULL)),
        value_text(value_at(claim, "status", "modifyVolumeStatus", "targetVolumeAttributesClassName", NULL))};
    bool has_any = false;

    if (!text_is(value_get_text(scope, TEXT("scopeName")), "VolumeAttributesClass"))
        return false;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        has_any |= names[i].n > 0;
        if (names[i].n && selects(scope, names[i]))
            return true;
    }
    return !has_any && selects(scope, TEXT_NONE);
}

struct value quota_scopes(struct arena *a, const struct value *quota)
{
    const struct value *plain = value_at(quota, "spec", "scopes", NULL);
    const struct value *selected = value_at(quota, "spec", "scopeSelector", "matchExpressions", NULL);
    struct value all = value_list();

    for (size_t i = 0; i < length(plain); i++) {
        struct value scope = value_object();
        value_add(a, &scope, TEXT("scopeName"), plain->items[i]);
        value_add(a, &scope, TEXT("operator"), value_string(TEXT("Exists")));
        value_append(a, &all, scope);
    }
    for (size_t i = 0; i < length(selected); i++)
        value_append(a, &all, selected->items[i]);
    return all;
}
