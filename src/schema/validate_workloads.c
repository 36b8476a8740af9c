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

static bool has_demands(const struct value *selector)
{
    return n_items(value_get(selector, TEXT("matchLabels"))) ||
           n_items(value_get(selector, TEXT("matchExpressions")));
}

static void check_not_empty(struct validation *w, const struct field_path *at, const struct value *selector,
                            const char *what)
{
    if (!has_demands(selector))
        check_error(w, FIELD_INVALID, at, selector, "empty selector is invalid for %s", what);
}

CHECK(selector_not_empty)
{
    check_not_empty(w, at, v, "deployment");
}

CHECK(stateful_selector)
{
    check_not_empty(w, at, v, "statefulset");
}

CHECK(daemon_selector)
{
    check_not_empty(w, at, v, "daemonset");
}

/* Pods of all workloads but jobs run forever. */
static void check_runs_forever(struct validation *w, const struct field_path *template_path,
                               const struct value *template, const char *what)
{
    static const char *const always[] = {"Always"};
    const struct value *spec = value_get(template, TEXT("spec"));
    const struct field_path *path = PATH_FIELD(template_path, "spec");
    struct text policy = value_get_text(spec, TEXT("restartPolicy"));

    if (!text_is(policy, "Always"))
        check_not_supported(w, PATH_FIELD(path, "restartPolicy"), policy, always, 1);
    if (is_set(spec, TEXT("activeDeadlineSeconds")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(path, "activeDeadlineSeconds"), NULL,
                    "activeDeadlineSeconds in %s is not Supported", what);
}

static void complain_of_labels(struct validation *w, const struct field_path *template_path,
                               const struct value *labels)
{
    check_error(w, FIELD_INVALID, PATH_FIELD(PATH_FIELD(template_path, "metadata"), "labels"),
                labels ? labels : &value_null, "`selector` does not match template `labels`");
}

/* What a workload's spec and its template owe each other. No selector picks nothing; an empty one is
 * complained of elsewhere. */
static void check_template(struct validation *w, const struct field_path *at, const struct value *v,
                           const char *what, bool needs_selector)
{
    const struct value *selector = value_get(v, TEXT("selector")), *template = value_get(v, TEXT("template"));
    const struct value *labels = value_at(template, "metadata", "labels", NULL);
    const struct field_path *path = PATH_FIELD(at, "template");
    bool is_unset = !selector || selector->kind == VALUE_NULL;

    if (!is_unset && !selector_is_good(selector)) {
        if (needs_selector) { /* upstream then lets the template be */
            check_error(w, FIELD_INVALID, PATH_FIELD(at, "selector"), selector, "invalid label selector");
            return;
        }
    } else if (is_unset || (has_demands(selector) && !selector_matches(selector, labels))) {
        complain_of_labels(w, path, labels);
    }
    check_runs_forever(w, path, template, what);
}

CHECK(replica_template)
{
    check_template(w, at, v, "ReplicaSet", true);
}

/* Of a replication controller, whose selector is but labels, good or not. */
CHECK(controller_template)
{
    const struct value *wanted = value_get(v, TEXT("selector")), *template = value_get(v, TEXT("template"));
    const struct value *labels = value_at(template, "metadata", "labels", NULL);
    struct value_member member = {"matchLabels", 11, 0, wanted ? *wanted : value_null};
    const struct value selector = {.kind = VALUE_OBJECT, .n = 1, .members = &member};

    if (!template || template->kind != VALUE_OBJECT)
        return;
    if (!selector_matches(&selector, labels))
        complain_of_labels(w, PATH_FIELD(at, "template"), labels);
    check_runs_forever(w, PATH_FIELD(at, "template"), template, "ReplicationController");
}

CHECK(stateful_template)
{
    const struct value *selector = value_get(v, TEXT("selector"));

    if (selector && selector->kind == VALUE_OBJECT && !selector_is_good(selector))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "selector"), selector, "%s", "");
    check_template(w, at, v, "StatefulSet", false);
}

CHECK(daemon_template)
{
    check_template(w, at, v, "DaemonSet", false);
}

/* --- strategies --- */

/* The whole strategy is what is not supported. */
CHECK(strategy_type)
{
    static const char *const types[] = {"Recreate", "RollingUpdate"}, *const of_daemons[] = {"RollingUpdate",
                                                                                             "OnDelete"};
    bool is_of_daemons = text_is(value_get_text(w->object, TEXT("kind")), "DaemonSet");

    field_not_supported(w->errs, field_path_str(w->errs->arena, at), v, is_of_daemons ? of_daemons : types,
                        2);
}

/* The number, be it a percentage or not; 0 for what is none. */
static int64_t number_of(const struct value *v, bool *is_percent)
{
    struct text t = value_text(v);
    int64_t n = v && v->kind == VALUE_INT ? v->integer : 0;

    *is_percent = t.n && t.p[t.n - 1] == '%' && text_to_i64(text_first(t, t.n - 1), &n);
    return n;
}

static int64_t number_at(const struct value *v, struct text name)
{
    bool is_percent;
    return number_of(value_get(v, name), &is_percent);
}

CHECK(percent_at_most_100)
{
    bool is_percent;

    if (number_of(v, &is_percent) > 100 && is_percent)
        check_error(w, FIELD_INVALID, at, v, "must not be greater than 100%%");
}

CHECK(rolling_deployment)
{
    const struct value *unavailable = value_get(v, TEXT("maxUnavailable"));

    if (number_at(v, TEXT("maxUnavailable")) == 0 && number_at(v, TEXT("maxSurge")) == 0)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "maxUnavailable"),
                    unavailable ? unavailable : &value_null, "may not be 0 when `maxSurge` is 0");
    if (unavailable)
        check_percent_at_most_100(w, PATH_FIELD(at, "maxUnavailable"), unavailable, NULL);
}

CHECK(rolling_daemon)
{
    bool has_unavailable = number_at(v, TEXT("maxUnavailable")) != 0,
         has_surge = number_at(v, TEXT("maxSurge")) != 0;

    if (has_unavailable && has_surge)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "maxSurge"), value_get(v, TEXT("maxSurge")),
                    "may not be set when maxUnavailable is non-zero");
    else if (!has_unavailable && !has_surge)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "maxUnavailable"), NULL,
                    "cannot be 0 when maxSurge is 0");
}

/* --- stateful sets --- */

CHECK(stateful_management)
{
    if (!text_is(value_text(v), "OrderedReady") && !text_is(value_text(v), "Parallel"))
        check_error(w, FIELD_INVALID, at, v, "must be 'OrderedReady' or 'Parallel'");
}

CHECK(stateful_strategy)
{
    struct text type = value_get_text(v, TEXT("type"));

    if (!type.n)
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
    else if (text_is(type, "OnDelete") && is_set(v, TEXT("rollingUpdate")))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "rollingUpdate"), value_get(v, TEXT("rollingUpdate")),
                    "only allowed for updateStrategy 'RollingUpdate'");
    else if (!text_is(type, "OnDelete") && !text_is(type, "RollingUpdate"))
        check_error(w, FIELD_INVALID, at, v, "must be 'RollingUpdate' or 'OnDelete'");
}

CHECK(stateful_update)
{
    static const struct text free_fields[] = {TEXT("replicas"),
                                              TEXT("template"),
                                              TEXT("updateStrategy"),
                                              TEXT("minReadySeconds"),
                                              TEXT("ordinals"),
                                              TEXT("revisionHistoryLimit"),
                                              TEXT("persistentVolumeClaimRetentionPolicy")};

    if (old && differs_besides(v, old, free_fields, N_ELEMENTS(free_fields)))
        check_error(w, FIELD_FORBIDDEN, at, NULL,
                    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                    "'updateStrategy', "
                    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
                    "are forbidden");
}

CHECK(revision_data)
{
    if (w->old)
        return;
    if (!v || v->kind == VALUE_NULL)
        check_error(w, FIELD_REQUIRED, at, NULL, "data is mandatory");
    else if (v->kind != VALUE_OBJECT)
        check_error(w, FIELD_REQUIRED, at, NULL, "data must be a valid JSON object");
}
