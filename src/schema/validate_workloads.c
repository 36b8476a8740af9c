/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what makes pods. Source: kubernetes pkg/apis/apps/validation, pkg/apis/core/validation
 * (ValidatePodTemplateSpec). */
#include "schema/checks.h"

/* Upstream names the labels without the metadata in which they lie. */
CHECK(pod_template)
{
    const struct value *metadata = value_get(v, TEXT("metadata"));

    check_labels(w, PATH_FIELD(at, "labels"), value_get(metadata, TEXT("labels")), NULL);
    check_annotations(w, PATH_FIELD(at, "annotations"), value_get(metadata, TEXT("annotations")), NULL);
    if (n_items(value_at(v, "spec", "ephemeralContainers", NULL)))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(PATH_FIELD(at, "spec"), "ephemeralContainers"), NULL,
                    "ephemeral containers not allowed in pod template");
}

CHECK(selector_not_empty)
{
    if (!n_items(value_get(v, TEXT("matchLabels"))) && !n_items(value_get(v, TEXT("matchExpressions"))))
        check_error(w, FIELD_INVALID, at, v, "empty selector is invalid for deployment");
}

static const char *const always[] = {"Always"};

/* Of the spec of a replica set or a deployment: selector and template belong together. */
CHECK(replica_template)
{
    const struct value *selector = value_get(v, TEXT("selector")), *template = value_get(v, TEXT("template"));
    const struct value *labels = value_at(template, "metadata", "labels", NULL),
                       *spec = value_get(template, TEXT("spec"));
    const struct field_path *path = PATH_FIELD(at, "template"), *spec_path = PATH_FIELD(path, "spec");
    bool has_demands = n_items(value_get(selector, TEXT("matchLabels"))) ||
                       n_items(value_get(selector, TEXT("matchExpressions")));
    struct text policy = value_get_text(spec, TEXT("restartPolicy"));

    if (has_demands && !selector_matches(selector, labels))
        check_error(w, FIELD_INVALID, PATH_FIELD(PATH_FIELD(path, "metadata"), "labels"),
                    labels ? labels : &value_null, "`selector` does not match template `labels`");
    if (!text_is(policy, "Always"))
        check_not_supported(w, PATH_FIELD(spec_path, "restartPolicy"), policy, always, 1);
    if (is_set(spec, TEXT("activeDeadlineSeconds")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(spec_path, "activeDeadlineSeconds"), NULL,
                    "activeDeadlineSeconds in ReplicaSet is not Supported");
}

/* The whole strategy is what is not supported. */
CHECK(strategy_type)
{
    static const char *const types[] = {"Recreate", "RollingUpdate"};

    field_not_supported(w->errs, field_path_str(w->errs->arena, at), v, types, N_ELEMENTS(types));
}

/* The number, be it a percentage or not; 0 for what is none. */
static int64_t number_of(const struct value *v, bool *is_percent)
{
    struct text t = value_text(v);
    int64_t n = v && v->kind == VALUE_INT ? v->integer : 0;

    *is_percent = t.n && t.p[t.n - 1] == '%' && text_to_i64(text_first(t, t.n - 1), &n);
    return n;
}

CHECK(rolling_deployment)
{
    const struct value *unavailable = value_get(v, TEXT("maxUnavailable"));
    const struct field_path *path = PATH_FIELD(at, "maxUnavailable");
    bool is_percent, is_surge_percent;
    int64_t n = number_of(unavailable, &is_percent);

    if (n == 0 && number_of(value_get(v, TEXT("maxSurge")), &is_surge_percent) == 0)
        check_error(w, FIELD_INVALID, path, unavailable ? unavailable : &value_null,
                    "may not be 0 when `maxSurge` is 0");
    if (is_percent && n > 100)
        check_error(w, FIELD_INVALID, path, unavailable, "must not be greater than 100%%");
}
