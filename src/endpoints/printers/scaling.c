/* SPDX-License-Identifier: Apache-2.0 */
/* Autoscalers: what is scaled, by which metrics, and how these stand. */
#include "endpoints/printers/printers.h"

static void print_reference(struct row *r, struct text arg)
{
    row_text(r, arena_textf(r->a, "%.*s/%.*s", TEXT_ARG(value_find_text(r->o, "spec.scaleTargetRef.kind")),
                           TEXT_ARG(value_find_text(r->o, "spec.scaleTargetRef.name"))));
}

/* How a type of metric is written: member of the spec and of the status, and what goes with it. */
struct metric_kind {
    const char *type;
    struct text member;
    bool has_name;        /* "cpu: " before it, and its own utilization in percent */
    bool is_average_only; /* there is no plain value */
};
static const struct metric_kind metric_kinds[] = {
    {"External", {"external", 8}, false, false},
    {"Pods", {"pods", 4}, false, true},
    {"Object", {"object", 6}, false, false},
    {"Resource", {"resource", 8}, true, false},
    {"ContainerResource", {"containerResource", 17}, true, false},
};

static void add_percent(struct buffer *b, const struct value *v, const char *otherwise)
{
    if (v)
        buffer_addf(b, "%lld%%", (long long)v->integer);
    else
        buffer_add_str(b, otherwise);
}

static void add_metric(struct buffer *b, const struct metric_kind *kind, const struct value *spec, const struct value *status)
{
    const struct value *of = value_get(spec, kind->member), *target = value_find(of, "target");
    const struct value *current = value_find(value_get(status, kind->member), "current");
    struct text average = value_find_text(target, "averageValue"), now;

    if (kind->has_name)
        buffer_addf(b, "%.*s: ", TEXT_ARG(value_get_text(of, TEXT("name"))));
    if (kind->has_name && !average.n) {
        add_percent(b, value_find(current, "averageUtilization"), "<unknown>");
        buffer_add_char(b, '/');
        add_percent(b, value_find(target, "averageUtilization"), "<auto>");
        return;
    }
    now = average.n || kind->is_average_only ? value_find_text(current, "averageValue") : value_find_text(current, "value");
    buffer_add(b, now.n ? now : TEXT("<unknown>"));
    buffer_add_char(b, '/');
    buffer_add(b, average.n ? average : value_find_text(target, "value"));
    if (average.n && !kind->has_name && !kind->is_average_only)
        buffer_add_str(b, " (avg)");
}

static void print_targets(struct row *r, struct text arg)
{
    const struct value *specs = value_find(r->o, "spec.metrics"), *statuses = value_find(r->o, "status.currentMetrics");
    struct short_list l = {.b = BUFFER_IN(r->a), .separator = ", ", .max = 2};

    for (size_t i = 0; i < value_count(specs); i++) {
        struct text type = value_get_text(&specs->items[i], TEXT("type"));
        struct buffer *b = short_list_next(&l);
        size_t k = 0;
        if (!b)
            continue;
        while (k < N_ELEMENTS(metric_kinds) && !text_is(type, metric_kinds[k].type))
            k++;
        if (k < N_ELEMENTS(metric_kinds))
            add_metric(b, &metric_kinds[k], &specs->items[i], i < value_count(statuses) ? &statuses->items[i] : NULL);
        else
            buffer_add_str(b, "<unknown type>");
    }
    row_short_list(r, &l, "<none>");
}

const struct printer scaling_printers[] = {
    {"hpa_reference", print_reference},
    {"hpa_targets", print_targets},
    {NULL, NULL},
};
