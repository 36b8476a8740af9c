/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of autoscalers. Source: kubernetes pkg/apis/autoscaling/validation, pkg/registry/autoscaling
 * (validationOptionsForHorizontalPodAutoscaler). */
#include "schema/checks.h"

/* What is wrong with the apiVersion of a reference; NULL: nothing. */
static const char *api_version_problem(struct arena *a, const struct value *ref, bool may_lack_group)
{
    struct text api_version = value_get_text(ref, TEXT("apiVersion"));
    long slash = text_find(api_version, '/');

    if (slash >= 0 && text_find(text_from(api_version, (size_t)slash + 1), '/') >= 0)
        return arena_printf(a, "unexpected GroupVersion string: %.*s", TEXT_ARG(api_version));
    return may_lack_group || slash > 0 ? NULL : "apiVersion must specify API group";
}

static void check_api_version(struct validation *w, const struct field_path *at, const struct value *ref,
                              bool may_lack_group)
{
    const char *problem = api_version_problem(w->errs->arena, ref, may_lack_group);
    struct value bad = value_string(value_get_text(ref, TEXT("apiVersion")));

    if (problem)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "apiVersion"), &bad, "%s", problem);
}

/* What has not changed is not looked at again; replication controllers are the one kind of the core group. */
CHECK(scale_target)
{
    struct text kind = value_get_text(v, TEXT("kind"));

    if (old && text_eq(kind, value_get_text(old, TEXT("kind"))) &&
        text_eq(value_get_text(v, TEXT("apiVersion")), value_get_text(old, TEXT("apiVersion"))))
        return;
    check_api_version(w, at, v, text_is(kind, "ReplicationController"));
}

/* Not looked at once the object had a wrong one. */
CHECK(described_object)
{
    const struct value *metrics = value_at(w->old, "spec", "metrics", NULL);

    for (uint32_t i = 0; i < n_items(metrics); i++) {
        const struct value *was = value_at(&metrics->items[i], "object", "describedObject", NULL);
        if (was && api_version_problem(w->errs->arena, was, true))
            return;
    }
    check_api_version(w, at, v, true);
}

CHECK(metrics_to_zero)
{
    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text type = value_get_text(&v->items[i], TEXT("type"));
        if (text_is(type, "Object") || text_is(type, "External"))
            return;
    }
    check_error(w, FIELD_FORBIDDEN, at, NULL,
                "must specify at least one Object or External metric to support scaling to zero replicas");
}

/* Sources beside that which the type names. */
CHECK(one_metric_source)
{
    static const struct {
        struct text type, field;
    } sources[] = {{TEXT("Object"), TEXT("object")},
                   {TEXT("External"), TEXT("external")},
                   {TEXT("Pods"), TEXT("pods")},
                   {TEXT("Resource"), TEXT("resource")},
                   {TEXT("ContainerResource"), TEXT("containerResource")}};
    struct text type = value_get_text(v, TEXT("type"));
    unsigned n = 0;

    for (size_t i = 0; i < N_ELEMENTS(sources); i++)
        n += is_set(v, sources[i].field);
    for (size_t i = 0; n > 1 && i < N_ELEMENTS(sources); i++)
        if (is_set(v, sources[i].field) && !text_eq(type, sources[i].type))
            check_error(w, FIELD_FORBIDDEN, &(struct field_path){at, sources[i].field, PATH_NAME}, NULL,
                        "must populate the given metric source only");
}
