/* SPDX-License-Identifier: Apache-2.0 */
/* Events are checked by the group that brings them: core's rules are of the days when nobody checked, those of events.k8s.io are
 * every kind's. Source: kubernetes pkg/apis/core/validation/events.go. */
#include "registry/registry_internal.h"

/* Lengths that both groups demand of events that say when they happened, the new kind. */
static void check_length(struct field_errors *errs, const struct value *obj, const char *field, size_t max,
                         bool is_required)
{
    static const struct value hidden = {.kind = VALUE_STRING, .string = ""};
    size_t n = value_get_text(obj, text_of(field)).n;

    if (!n && is_required)
        field_error(errs, FIELD_REQUIRED, field, NULL, "%s", "");
    if (n > max)
        field_error(errs, FIELD_INVALID, field, &hidden, "can have at most %zu characters", max);
}

static void check_new_kind(struct field_errors *errs, const struct value *obj, bool is_of_core)
{
    struct text reporter = value_get_text(obj, TEXT("reportingComponent"));
    const char *field = is_of_core ? "reportingComponent" : "reportingController",
               *problems[FORMAT_ERRORS_MAX];
    struct value bad = value_string(reporter);
    size_t n = format_check(FORMAT_QUALIFIED_NAME, reporter, problems);

    if (!reporter.n)
        field_error(errs, FIELD_REQUIRED, field, NULL, "%s", "");
    for (size_t i = 0; i < n; i++)
        field_error(errs, FIELD_INVALID, field, &bad, "%s", problems[i]);
    check_length(errs, obj, "reportingInstance", 128, true);
    check_length(errs, obj, "action", 128, true);
    check_length(errs, obj, "reason", 128, true);
    check_length(errs, obj, "message", 1024, false);
}

static bool has_time(const struct value *obj, const char *field)
{
    return value_get_text(obj, text_of(field)).n > 0;
}

/* What holds whoever brings the event. */
static void check_any(struct field_errors *errs, const struct value *obj, bool is_of_core)
{
    struct text namespace = value_get_text(value_get(obj, TEXT("metadata")), TEXT("namespace"));
    struct text about = value_get_text(value_get(obj, TEXT("involvedObject")), TEXT("namespace"));
    bool is_new = has_time(obj, "eventTime"), is_default = text_is(namespace, "default");
    bool fits = is_new    ? about.n || is_default || text_is(namespace, "kube-system")
                : about.n ? text_eq(about, namespace)
                          : !namespace.n || is_default;
    struct value bad = value_string(about), bad_namespace = value_string(namespace);
    const char *problems[FORMAT_ERRORS_MAX];
    size_t n = format_check(FORMAT_DNS1123_SUBDOMAIN, namespace, problems);

    if (!fits)
        field_error(errs, FIELD_INVALID, "involvedObject.namespace", &bad, "does not match event.namespace");
    if (is_new)
        check_new_kind(errs, obj, is_of_core);
    for (size_t i = 0; i < n; i++)
        field_error(errs, FIELD_INVALID, "namespace", &bad_namespace, "%s", problems[i]);
}

static void check_series(struct field_errors *errs, const struct value *obj)
{
    static const struct value hidden = {.kind = VALUE_STRING, .string = ""};
    const struct value *series = value_get(obj, TEXT("series"));

    if (!series || series->kind != VALUE_OBJECT)
        return;
    if (value_get_int(series, TEXT("count"), 0) < 2)
        field_error(errs, FIELD_INVALID, "series.count", &hidden, "should be at least 2");
    if (!has_time(series, "lastObservedTime"))
        field_error(errs, FIELD_REQUIRED, "series.lastObservedTime", NULL, "%s", "");
}

static void check_create(struct field_errors *errs, const struct value *obj)
{
    static const struct value hidden = {.kind = VALUE_STRING, .string = ""};
    static const char *const gone[] = {"firstTimestamp", "lastTimestamp", "count", "source"};
    struct text type = value_get_text(obj, TEXT("type"));

    check_series(errs, obj);
    if (!has_time(obj, "eventTime"))
        field_error(errs, FIELD_REQUIRED, "eventTime", NULL, "%s", "");
    if (!text_is(type, "Normal") && !text_is(type, "Warning"))
        field_error(errs, FIELD_INVALID, "type", &hidden, "has invalid value: %.*s", TEXT_ARG(type));
    for (size_t i = 0; i < N_ELEMENTS(gone); i++)
        if (!value_is_empty(value_get(obj, text_of(gone[i]))))
            field_error(errs, FIELD_INVALID, gone[i], &hidden, "needs to be unset");
}

static bool has_changed(const struct value *obj, const struct value *old, const char *field)
{
    const struct value *now = value_get(obj, text_of(field)), *before = value_get(old, text_of(field));

    return (!value_is_empty(now) || !value_is_empty(before)) &&
           !value_equal(now ? now : &value_null, before ? before : &value_null);
}

static void check_update(struct field_errors *errs, const struct value *obj, const struct value *old)
{
    static const struct {
        const char *member, *field;
    } fixed[] = {{"involvedObject", "involvedObject"},
                 {"reason", "reason"},
                 {"message", "message"},
                 {"source", "source"},
                 {"firstTimestamp", "firstTimestamp"},
                 {"lastTimestamp", "lastTimestamp"},
                 {"count", "count"},
                 {"reason", "reason"},
                 {"type", "type"},
                 {"eventTime", "eventTime"},
                 {"action", "action"},
                 {"related", "related"},
                 {"reportingComponent", "reportingController"},
                 {"reportingInstance", "reportingInstance"}};

    if (has_changed(obj, old, "series"))
        check_series(errs, obj);
    for (size_t i = 0; i < N_ELEMENTS(fixed); i++) {
        const struct value *now = value_get(obj, text_of(fixed[i].member));
        if (has_changed(obj, old, fixed[i].member))
            field_error(errs, FIELD_INVALID, fixed[i].field, now ? now : &value_null, "field is immutable");
    }
}

static void validate(struct operation *op, const struct value *obj, const struct value *old,
                     struct field_errors *errs)
{
    static const struct strategy as_others = {.flags = STRATEGY_ANY_FINALIZER};
    bool is_of_core = !op->resource->type->group.n;

    check_any(errs, obj, is_of_core);
    if (is_of_core)
        return;
    if (old) {
        metadata_check_update(obj, old, errs);
        check_update(errs, obj, old);
    } else {
        if (!errs->n)
            metadata_check(op->arena, op->resource->storage, &as_others, obj, errs);
        check_create(errs, obj);
    }
}

const struct strategy strategy_events = {
    .flags = STRATEGY_CREATE_ON_UPDATE | STRATEGY_ANY_FINALIZER | STRATEGY_CHECKS_UPDATE_ONCE |
             STRATEGY_NO_COLLECTION | STRATEGY_EXPIRES,
    .name = NAME_PATH_SEGMENT,
    .validate = validate,
};
