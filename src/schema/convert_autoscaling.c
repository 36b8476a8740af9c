/* SPDX-License-Identifier: Apache-2.0 */
/* HorizontalPodAutoscaler v1 knows one metric, CPU utilisation; whatever else v2 says travels in annotations
 * of the v1 object, as JSON of autoscaling/v1's own metric types (and, for the behavior, of upstream's
 * internal type, which has Go's capitalised names and writes nil as null). Annotations that are no such JSON
 * are dropped without a word. Source: pkg/apis/autoscaling/v1/conversion.go,
 * pkg/apis/autoscaling/{annotations,helpers}.go. */
#include "schema/convert.h"

#include <stdio.h>

#define PREFIX "autoscaling.alpha.kubernetes.io/"
#define METRICS TEXT(PREFIX "metrics")
#define CURRENT_METRICS TEXT(PREFIX "current-metrics")
#define CONDITIONS TEXT(PREFIX "conditions")
#define BEHAVIOR TEXT(PREFIX "behavior")
#define UPDATE_POLICY TEXT(PREFIX "updatePolicy")
#define CPU_UTILIZATION_DEFAULT 80

static const struct schema *type_of(const char *version, const char *name)
{
    char full[128];
    int n = snprintf(full, sizeof(full), "io.k8s.api.autoscaling.%s.%s", version, name);
    return schema_find((struct text){full, (size_t)n});
}

/* --- metrics --- */

/* One member of a v1 metric and where v2 has it: `outer`.`inner`, or `outer` alone. */
struct metric_member {
    const char *v1, *outer, *inner;
};
/* outer "target" is "current" in a status. */
static const struct metric_kind {
    const char *name;
    struct metric_member spec[5], status[5];
    const char *type_if_set[3]; /* v1 member that decides the target's type; the type with it, without it */
} metric_kinds[] = {
    {"resource",
     {{"name", "name", NULL},
      {"targetAverageUtilization", "target", "averageUtilization"},
      {"targetAverageValue", "target", "averageValue"}},
     {{"name", "name", NULL},
      {"currentAverageUtilization", "current", "averageUtilization"},
      {"currentAverageValue", "current", "averageValue"}},
     {"targetAverageUtilization", "Utilization", "AverageValue"}},
    {"containerResource",
     {{"name", "name", NULL},
      {"container", "container", NULL},
      {"targetAverageUtilization", "target", "averageUtilization"},
      {"targetAverageValue", "target", "averageValue"}},
     {{"name", "name", NULL},
      {"container", "container", NULL},
      {"currentAverageUtilization", "current", "averageUtilization"},
      {"currentAverageValue", "current", "averageValue"}},
     {"targetAverageUtilization", "Utilization", "AverageValue"}},
    {"pods",
     {{"metricName", "metric", "name"},
      {"selector", "metric", "selector"},
      {"targetAverageValue", "target", "averageValue"}},
     {{"metricName", "metric", "name"},
      {"selector", "metric", "selector"},
      {"currentAverageValue", "current", "averageValue"}},
     {"targetAverageValue", "AverageValue", "AverageValue"}},
    {"object",
     {{"target", "describedObject", NULL},
      {"metricName", "metric", "name"},
      {"selector", "metric", "selector"},
      {"targetValue", "target", "value"},
      {"averageValue", "target", "averageValue"}},
     {{"target", "describedObject", NULL},
      {"metricName", "metric", "name"},
      {"selector", "metric", "selector"},
      {"currentValue", "current", "value"},
      {"averageValue", "current", "averageValue"}},
     {"averageValue", "AverageValue", "Value"}},
    {"external",
     {{"metricName", "metric", "name"},
      {"metricSelector", "metric", "selector"},
      {"targetValue", "target", "value"},
      {"targetAverageValue", "target", "averageValue"}},
     {{"metricName", "metric", "name"},
      {"metricSelector", "metric", "selector"},
      {"currentValue", "current", "value"},
      {"currentAverageValue", "current", "averageValue"}},
     {"targetValue", "Value", "AverageValue"}},
};

static const struct value *present(const struct value *v, const char *name)
{
    const struct value *child = value_get(v, text_of(name));
    return child && child->kind != VALUE_NULL ? child : NULL;
}

/* A metric (spec or status) of one version as that of the other, the types' order and zero values not yet in
 * place. */
static struct value convert_metric(struct arena *a, const struct value *metric, bool is_status, bool to_v1)
{
    struct value ret = value_object();
    value_add(a, &ret, TEXT("type"), value_string(value_get_text(metric, TEXT("type"))));
    for (size_t k = 0; k < N_ELEMENTS(metric_kinds); k++) {
        const struct metric_kind *kind = &metric_kinds[k];
        const struct metric_member *members = is_status ? kind->status : kind->spec;
        const struct value *in = present(metric, kind->name);
        struct value out = value_object();
        for (size_t i = 0; in && i < N_ELEMENTS(kind->spec) && members[i].v1; i++) {
            const struct metric_member *m = &members[i];
            const struct value *child = to_v1 ? present(m->inner ? value_get(in, text_of(m->outer)) : in,
                                                        m->inner ? m->inner : m->outer)
                                              : present(in, m->v1);
            struct value *parent = !to_v1 && m->inner ? value_object_at(a, &out, text_of(m->outer)) : &out;
            if (child)
                value_set(a, parent,
                          text_of(to_v1      ? m->v1
                                  : m->inner ? m->inner
                                             : m->outer),
                          value_copy(a, child));
        }
        if (in && !to_v1 && !is_status)
            value_set(a, value_object_at(a, &out, TEXT("target")), TEXT("type"),
                      value_string(text_of(kind->type_if_set[present(in, kind->type_if_set[0]) ? 1 : 2])));
        if (in)
            value_add(a, &ret, text_of(kind->name), out);
    }
    return ret;
}

static bool is_cpu_utilization(const struct value *metric, const char *holder, const struct value **ret)
{
    const struct value *resource = present(metric, "resource");
    if (!text_is(value_get_text(metric, TEXT("type")), "Resource") ||
        !text_is(value_get_text(resource, TEXT("name")), "cpu"))
        return false;
    *ret = present(value_get(resource, text_of(holder)), "averageUtilization");
    return true;
}

/* --- annotations --- */

static void drop_annotations(struct value *object)
{
    struct value *annotations = value_at(object, "metadata", "annotations", NULL);
    const struct text names[] = {METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR, UPDATE_POLICY};
    for (size_t i = 0; annotations && i < N_ELEMENTS(names); i++)
        value_remove(annotations, names[i]);
}

static void annotate(struct arena *a, struct value *object, struct text name, const struct value *v)
{
    struct value *metadata = value_object_at(a, object, TEXT("metadata"));
    struct buffer b = BUFFER_IN(a);
    json_write(&b, v);
    value_set(a, value_object_at(a, metadata, TEXT("annotations")), name, value_string(buffer_text(&b)));
}

/* The annotation's JSON; NULL when there is none or it is no JSON of this kind. */
static struct value *read_annotation(struct arena *a, const struct value *object, struct text name,
                                     enum value_kind kind)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct value *text = value_get(value_at(object, "metadata", "annotations", NULL), name);
    struct value *v = ARENA_NEW(a, struct value);
    return text && json_read(a, value_text(text), NULL, v, &st) == 0 && v->kind == kind ? v : NULL;
}

static bool decode_items(struct arena *a, const struct schema *s, struct value *list)
{
    CLEANUP(status_clear) struct status st = {0};
    for (uint32_t i = 0; list && i < list->n; i++)
        if (schema_decode(a, s, &list->items[i], NULL, &st) < 0)
            return false;
    return list != NULL;
}

/* --- the behavior --- */

/* The members of upstream's internal types in their order: each is written, null when nil. */
static const char *const behavior_names[] = {"scaleUp", "scaleDown", NULL};
static const char *const rules_names[] = {"stabilizationWindowSeconds", "selectPolicy", "policies",
                                          "tolerance", NULL};
static const char *const policy_names[] = {"type", "value", "periodSeconds", NULL};

static struct text with_first(struct arena *a, struct text t, char (*turn)(char))
{
    char *p = arena_str(a, t);
    if (t.n)
        p[0] = turn(p[0]);
    return (struct text){p, t.n};
}
static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct value in_go_names(struct arena *a, const struct value *v, const char *const *names)
{
    struct value ret = value_object();
    for (; *names; names++) {
        const struct value *child = value_get(v, text_of(*names));
        value_add(a, &ret, with_first(a, text_of(*names), upper), child ? value_copy(a, child) : value_null);
    }
    return ret;
}

static struct value behavior_in_go_names(struct arena *a, const struct value *behavior)
{
    struct value ret = in_go_names(a, behavior, behavior_names);
    for (uint32_t i = 0; i < ret.n; i++) {
        struct value *rules = &ret.members[i].value;
        if (rules->kind != VALUE_OBJECT)
            continue;
        *rules = in_go_names(a, rules, rules_names);
        struct value *policies = value_get(rules, TEXT("Policies"));
        for (uint32_t k = 0; policies->kind == VALUE_LIST && k < policies->n; k++)
            policies->items[k] = in_go_names(a, &policies->items[k], policy_names);
    }
    return ret;
}

/* Go matches names without regard to case; only the first letters differ here. */
static void in_json_names(struct arena *a, struct value *v)
{
    for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->n; i++)
        in_json_names(a, &v->items[i]);
    for (uint32_t i = 0; v->kind == VALUE_OBJECT && i < v->n; i++) {
        struct text name = with_first(a, member_key(&v->members[i]), lower);
        v->members[i].key = name.p;
        in_json_names(a, &v->members[i].value);
    }
}

static void read_behavior(struct arena *a, const struct value *v, struct value *spec)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value *behavior = read_annotation(a, v, BEHAVIOR, VALUE_OBJECT);
    if (!behavior)
        return;
    in_json_names(a, behavior);
    if (schema_decode(a, type_of("v2", "HorizontalPodAutoscalerBehavior"), behavior, NULL, &st) == 0 &&
        behavior->n)
        value_set(a, spec, TEXT("behavior"), *behavior);
}

/* --- to v1 --- */

static void annotate_metrics(struct arena *a, const struct value *metrics, bool is_status,
                             struct value *object)
{
    const struct schema *s = type_of("v1", is_status ? "MetricStatus" : "MetricSpec");
    struct value list = value_list();
    for (uint32_t i = 0; metrics && metrics->kind == VALUE_LIST && i < metrics->n; i++) {
        const struct value *utilization = NULL;
        /* A status is kept even when v1 shows its utilisation: it has the raw value too. */
        if (!is_status && is_cpu_utilization(&metrics->items[i], "target", &utilization) && utilization)
            continue;
        struct value metric = convert_metric(a, &metrics->items[i], is_status, true);
        schema_arrange(a, s, &metric);
        value_append(a, &list, metric);
    }
    if (list.n)
        annotate(a, object, is_status ? CURRENT_METRICS : METRICS, &list);
}

void convert_autoscaler_to_v1(struct arena *a, const struct schema *to, const struct value *v,
                              struct value *ret)
{
    const struct value *metrics = value_at(v, "spec", "metrics", NULL),
                       *behavior = present(value_get(v, TEXT("spec")), "behavior");
    const struct value *current = value_at(v, "status", "currentMetrics", NULL);
    const struct value *conditions = value_at(v, "status", "conditions", NULL), *utilization = NULL;

    drop_annotations(ret);
    for (uint32_t i = 0; metrics && metrics->kind == VALUE_LIST && i < metrics->n; i++)
        if (is_cpu_utilization(&metrics->items[i], "target", &utilization))
            break;
    if (utilization)
        value_set(a, value_object_at(a, ret, TEXT("spec")), TEXT("targetCPUUtilizationPercentage"),
                  *utilization);
    for (uint32_t i = 0; current && current->kind == VALUE_LIST && i < current->n; i++)
        if (is_cpu_utilization(&current->items[i], "current", &utilization) && utilization)
            value_set(a, value_object_at(a, ret, TEXT("status")), TEXT("currentCPUUtilizationPercentage"),
                      *utilization);
    annotate_metrics(a, metrics, false, ret);
    annotate_metrics(a, current, true, ret);
    if (behavior) {
        struct value in_go = behavior_in_go_names(a, behavior);
        annotate(a, ret, BEHAVIOR, &in_go);
    }
    if (conditions && conditions->n)
        annotate(a, ret, CONDITIONS, conditions); /* of the same shape in both versions */
    schema_arrange(a, to, ret);
}

/* --- to v2 --- */

static struct value cpu_metric(struct arena *a, const char *holder, int64_t percent)
{
    struct value metric = value_object(), *resource, *target;
    value_add(a, &metric, TEXT("type"), value_string(TEXT("Resource")));
    resource = value_object_at(a, &metric, TEXT("resource"));
    value_add(a, resource, TEXT("name"), value_string(TEXT("cpu")));
    target = value_object_at(a, resource, text_of(holder));
    if (strcmp(holder, "target") == 0)
        value_add(a, target, TEXT("type"), value_string(TEXT("Utilization")));
    value_add(a, target, TEXT("averageUtilization"), value_int(percent));
    return metric;
}

static struct value metrics_of(struct arena *a, const struct value *v, bool is_status)
{
    struct value *list = read_annotation(a, v, is_status ? CURRENT_METRICS : METRICS, VALUE_LIST);
    struct value ret = value_list();
    if (decode_items(a, type_of("v1", is_status ? "MetricStatus" : "MetricSpec"), list))
        for (uint32_t i = 0; i < list->n; i++)
            value_append(a, &ret, convert_metric(a, &list->items[i], is_status, false));
    return ret;
}

void convert_autoscaler_to_v2(struct arena *a, const struct schema *to, const struct value *v,
                              struct value *ret)
{
    value_object_at(a, ret, TEXT("spec"));
    struct value *status = value_object_at(a, ret, TEXT("status"));
    struct value *spec = value_get(ret, TEXT("spec")); /* making the status may have moved it */
    const struct value *target = present(value_get(v, TEXT("spec")), "targetCPUUtilizationPercentage");
    const struct value *current = present(value_get(v, TEXT("status")), "currentCPUUtilizationPercentage");
    struct value metrics = metrics_of(a, v, false), current_metrics = metrics_of(a, v, true);
    struct value *conditions = read_annotation(a, v, CONDITIONS, VALUE_LIST);

    if (target)
        value_append(a, &metrics, cpu_metric(a, "target", target->integer));
    if (!metrics.n) /* what the controller once took for granted */
        value_append(a, &metrics, cpu_metric(a, "target", CPU_UTILIZATION_DEFAULT));
    value_set(a, spec, TEXT("metrics"), metrics);
    read_behavior(a, v, spec);
    if (!current_metrics.n && current)
        value_append(a, &current_metrics, cpu_metric(a, "current", current->integer));
    if (current_metrics.n)
        value_set(a, status, TEXT("currentMetrics"), current_metrics);
    if (decode_items(a, type_of("v1", "HorizontalPodAutoscalerCondition"), conditions) && conditions->n)
        value_set(a, status, TEXT("conditions"), *conditions);
    drop_annotations(ret);
    schema_arrange(a, to, ret);
}
