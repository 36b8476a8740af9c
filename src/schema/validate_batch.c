/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of jobs and cron jobs. Source: kubernetes pkg/apis/batch/validation/validation.go,
 * pkg/registry/batch/job/strategy.go. */
#include <unistd.h>

#include "schema/checks.h"

#define COMPLETIONS_SOFT_LIMIT 100000
#define HIGH_COMPLETIONS_LIMIT 10000 /* of parallelism and failed indexes when there are more completions */
#define INDEXES_BYTES_MAX (64 * 1024)

/* --- selectors --- */

static void check_label(struct validation *w, const struct field_path *metadata, const struct value *labels,
                        const char *key, struct text wanted)
{
    const struct value *label = value_get(labels, text_of(key));
    const struct field_path *at = PATH_FIELD(metadata, "labels");

    if (!label)
        check_error(w, FIELD_REQUIRED, PATH_OF_KEY(at, text_of(key)), NULL, "must be '%.*s'",
                    TEXT_ARG(wanted));
    else if (!text_eq(value_text(label), wanted))
        check_error(w, FIELD_INVALID, PATH_OF_KEY(at, text_of(key)), labels, "must be '%.*s'",
                    TEXT_ARG(wanted));
}

/* A selector that nobody chose is by the labels that the server makes up, and the template has them. */
CHECK(job_selector)
{
    const struct value *selector = value_get(v, TEXT("selector")),
                       *metadata = value_get(w->object, TEXT("metadata"));
    const struct value *labels = value_at(v, "template", "metadata", "labels", NULL);
    const struct value *before = value_at(w->old, "spec", "template", "metadata", "labels", NULL);
    const struct field_path *path = PATH_FIELD(PATH_FIELD(at, "template"), "metadata");
    const struct value name = value_string(value_get_text(metadata, TEXT("name")));
    const struct value uid = value_string(value_get_text(metadata, TEXT("uid")));
    bool wants_prefixed = !w->old || (value_get(before, TEXT("batch.kubernetes.io/job-name")) &&
                                      value_get(before, TEXT("batch.kubernetes.io/controller-uid")));
    struct value_member made_up[] = {{"batch.kubernetes.io/controller-uid", 34, 0, uid},
                                     {"batch.kubernetes.io/job-name", 28, 0, name},
                                     {"controller-uid", 14, 0, uid},
                                     {"job-name", 8, 0, name}};
    const struct value expected = {
        .kind = VALUE_OBJECT, .n = wants_prefixed ? 4 : 2, .members = made_up + (wants_prefixed ? 0 : 2)};

    if (value_get_bool(v, TEXT("manualSelector"), false) || !selector || selector->kind == VALUE_NULL)
        return;
    check_label(w, path, labels, "controller-uid", value_text(&uid));
    check_label(w, path, labels, "job-name", value_text(&name));
    if (wants_prefixed) {
        check_label(w, path, labels, "batch.kubernetes.io/controller-uid", value_text(&uid));
        check_label(w, path, labels, "batch.kubernetes.io/job-name", value_text(&name));
    }
    if (selector_is_good(selector) && !selector_matches(selector, &expected))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "selector"), selector, "`selector` not auto-generated");
}

static void check_job_labels(struct validation *w, const struct field_path *at, const struct value *v)
{
    const struct value *selector = value_get(v, TEXT("selector")),
                       *labels = value_at(v, "template", "metadata", "labels", NULL);
    bool is_unset = !selector || selector->kind == VALUE_NULL;

    if (is_unset)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "selector"), NULL, "%s", "");
    if (is_unset || (selector_is_good(selector) && !selector_matches(selector, labels)))
        check_error(w, FIELD_INVALID,
                    PATH_FIELD(PATH_FIELD(PATH_FIELD(at, "template"), "metadata"), "labels"),
                    labels ? labels : &value_null, "`selector` does not match template `labels`");
}

/* --- the spec --- */

static void check_many_completions(struct validation *w, const struct field_path *at, const struct value *v)
{
    const struct value *parallelism = value_get(v, TEXT("parallelism")),
                       *failed = value_get(v, TEXT("maxFailedIndexes"));

    if (value_get_int(v, TEXT("completions"), 0) <= COMPLETIONS_SOFT_LIMIT ||
        !is_set(v, TEXT("backoffLimitPerIndex")))
        return;
    if (!failed)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "maxFailedIndexes"), NULL,
                    "must be specified when completions is above %d", COMPLETIONS_SOFT_LIMIT);
    if (parallelism && parallelism->integer > HIGH_COMPLETIONS_LIMIT)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "parallelism"), parallelism,
                    "must be less than or equal to %d when completions are above %d and used with backoff "
                    "limit per index",
                    HIGH_COMPLETIONS_LIMIT, COMPLETIONS_SOFT_LIMIT);
    if (failed && failed->integer > HIGH_COMPLETIONS_LIMIT)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "maxFailedIndexes"), failed,
                    "must be less than or equal to %d when completions are above %d and used with backoff "
                    "limit per index",
                    HIGH_COMPLETIONS_LIMIT, COMPLETIONS_SOFT_LIMIT);
}

static void check_restart_policy(struct validation *w, const struct field_path *at, const struct value *v)
{
    static const char *const good[] = {"OnFailure", "Never"};
    const struct value *policy = value_at(v, "template", "spec", "restartPolicy", NULL);
    const struct field_path *path =
        PATH_FIELD(PATH_FIELD(PATH_FIELD(at, "template"), "spec"), "restartPolicy");
    struct text t = value_text(policy);

    if (!t.n || text_is(t, "Always"))
        check_error(w, FIELD_REQUIRED, path, NULL, "valid values: \"OnFailure\", \"Never\"");
    else if (!text_is(t, "OnFailure") && !text_is(t, "Never"))
        check_not_supported(w, path, t, good, N_ELEMENTS(good));
    else if (is_set(v, TEXT("podFailurePolicy")) && !text_is(t, "Never"))
        check_error(w, FIELD_INVALID, path, policy,
                    "only \"Never\" is supported when podFailurePolicy is specified");
}

/* What rules of the failure policy say of the job and its containers. */
static void check_failure_rules(struct validation *w, const struct field_path *at, const struct value *v)
{
    CLEANUP(seen_deinit) struct seen_texts names = {.n = 0};
    const struct value *rules = value_at(v, "podFailurePolicy", "rules", NULL);
    const struct value *lists[] = {value_at(v, "template", "spec", "containers", NULL),
                                   value_at(v, "template", "spec", "initContainers", NULL)};

    for (size_t k = 0; n_items(rules) && k < N_ELEMENTS(lists); k++)
        for (uint32_t i = 0; i < n_items(lists[k]); i++)
            seen_add(&names, value_get_text(&lists[k]->items[i], TEXT("name")));
    for (uint32_t i = 0; i < n_items(rules); i++) {
        const struct field_path *rule =
            PATH_INDEX(PATH_FIELD(PATH_FIELD(at, "podFailurePolicy"), "rules"), i);
        const struct value *action = value_get(&rules->items[i], TEXT("action"));
        const struct value *container = value_at(&rules->items[i], "onExitCodes", "containerName", NULL);
        if (text_is(value_text(action), "FailIndex") && !is_set(v, TEXT("backoffLimitPerIndex")))
            check_error(w, FIELD_INVALID, PATH_FIELD(rule, "action"), action,
                        "requires the backoffLimitPerIndex to be set");
        if (container && container->kind == VALUE_STRING && !seen_has(&names, value_text(container)))
            check_error(w, FIELD_INVALID, PATH_FIELD(PATH_FIELD(rule, "onExitCodes"), "containerName"),
                        container, "must be one of the container or initContainer names in the pod template");
    }
}

/* "1,3-5": how many indexes these are; -1: *ret_problem says what is wrong. */
static int64_t count_indexes(struct validation *w, struct text t, int64_t completions,
                             const char **ret_problem)
{
    struct arena *a = w->errs->arena;
    int64_t n = 0, last = -1, x = 0, y = 0;
    struct text interval;

    while (t.n && text_split(&t, ',', &interval)) {
        ptrdiff_t dash = text_find(interval, '-');
        struct text low = text_first(interval, dash < 0 ? interval.n : (size_t)dash);
        struct text high = dash < 0 ? low : text_from(interval, (size_t)dash + 1);
        if (text_find(high, '-') >= 0)
            *ret_problem = arena_printf(
                a,
                "the fragment \"%.*s\" violates the requirement that an index interval can have at most two "
                "parts separated by '-'",
                TEXT_ARG(interval));
        else if (!text_to_i64(low, &x) || !text_to_i64(high, &y))
            *ret_problem =
                arena_printf(a, "cannot convert string to integer for index: \"%.*s\"", TEXT_ARG(interval));
        else if (x >= completions || y >= completions)
            *ret_problem =
                arena_printf(a, "too large index: \"%.*s\"", TEXT_ARG(x >= completions ? low : high));
        else if ((dash >= 0 && x >= y) || last >= x)
            *ret_problem = arena_printf(a, "non-increasing order, previous: %lld, current: %lld",
                                        (long long)(last >= x ? last : x), (long long)(last >= x ? x : y));
        if (*ret_problem)
            return -1;
        n += y - x + 1;
        last = y;
    }
    return n;
}

static void check_success_rules(struct validation *w, const struct field_path *at, const struct value *v)
{
    const struct value *rules = value_at(v, "successPolicy", "rules", NULL);
    int64_t completions = value_get_int(v, TEXT("completions"), 0);

    for (uint32_t i = 0; i < n_items(rules); i++) {
        const struct field_path *rule = PATH_INDEX(PATH_FIELD(PATH_FIELD(at, "successPolicy"), "rules"), i);
        const struct value *indexes = value_get(&rules->items[i], TEXT("succeededIndexes"));
        const struct value *count = value_get(&rules->items[i], TEXT("succeededCount"));
        const char *problem = NULL;
        int64_t n = indexes ? count_indexes(w, value_text(indexes), completions, &problem) : 0;
        if (n < 0)
            n = 0;
        if (indexes && indexes->n > INDEXES_BYTES_MAX)
            field_too_long(w->errs, field_path_str(w->errs->arena, PATH_FIELD(rule, "succeededIndexes")),
                           INDEXES_BYTES_MAX);
        if (problem)
            check_error(w, FIELD_INVALID, PATH_FIELD(rule, "succeededIndexes"), indexes,
                        "error parsing succeededIndexes: %s", problem);
        if (!count || count->kind != VALUE_INT)
            continue;
        if (count->integer > completions)
            check_error(w, FIELD_INVALID, PATH_FIELD(rule, "succeededCount"), count,
                        "must be less than or equal to %lld (the number of specified completions)",
                        (long long)completions);
        if (indexes && count->integer > n)
            check_error(w, FIELD_INVALID, PATH_FIELD(rule, "succeededCount"), count,
                        "must be less than or equal to %lld (the number of indexes in the specified "
                        "succeededIndexes field)",
                        (long long)n);
    }
}

CHECK(job_spec)
{
    bool is_indexed = text_is(value_get_text(v, TEXT("completionMode")), "Indexed");

    if (is_indexed)
        check_many_completions(w, at, v);
    check_failure_rules(w, at, v);
    if (is_indexed)
        check_success_rules(w, at, v);
    check_restart_policy(w, at, v);
    if (text_is(value_get_text(w->object, TEXT("kind")), "Job"))
        check_job_labels(w, at, v);
}

CHECK(failure_rule)
{
    bool has_codes = is_set(v, TEXT("onExitCodes")),
         has_conditions = n_items(value_get(v, TEXT("onPodConditions"))) > 0;

    if (has_codes && has_conditions)
        check_error(w, FIELD_INVALID, at, NULL,
                    "specifying both OnExitCodes and OnPodConditions is not supported");
    if (!has_codes && !has_conditions)
        check_error(w, FIELD_INVALID, at, NULL,
                    "specifying one of OnExitCodes and OnPodConditions is required");
}

CHECK(exit_codes)
{
    const struct value *codes = value_get(v, TEXT("values"));
    const struct field_path *path = PATH_FIELD(at, "values");
    bool is_in = text_is(value_get_text(v, TEXT("operator")), "In"), is_ordered = true;

    if (!n_items(codes))
        check_error(w, FIELD_INVALID, path, codes ? codes : &value_null, "at least one value is required");
    if (n_items(codes) > 255)
        field_too_many(w->errs, field_path_str(w->errs->arena, path), n_items(codes), 255);
    for (uint32_t i = 0; i < n_items(codes); i++) {
        int64_t code = codes->items[i].integer;
        if (is_in && code == 0)
            check_error(w, FIELD_INVALID, PATH_INDEX(path, i), &codes->items[i],
                        "must not be 0 for the In operator");
        is_ordered &= !i || codes->items[i - 1].integer <= code;
    }
    if (!is_ordered)
        check_error(w, FIELD_INVALID, path, codes, "must be ordered");
}

/* --- updates of jobs --- */

CHECK(job_update)
{
    const struct value *now = value_get(v, TEXT("completions")),
                       *parallelism = value_get(v, TEXT("parallelism"));
    bool is_indexed = text_is(value_get_text(v, TEXT("completionMode")), "Indexed");

    if (!old || !differs_at(v, old, TEXT("completions")))
        return;
    if (!is_indexed)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "completions"), now ? now : &value_null,
                    "field is immutable");
    else if (now && (!parallelism || !value_equal(now, parallelism)))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "completions"), now,
                    "can only be modified in tandem with spec.parallelism");
}

/* A job that is suspended and has not started may be told where to run and what it needs. */
CHECK(job_template_update)
{
    static const struct text of_metadata[] = {TEXT("labels"), TEXT("annotations")};
    static const struct text of_spec[] = {TEXT("affinity"), TEXT("nodeSelector"), TEXT("tolerations"),
                                          TEXT("schedulingGates")};
    static const struct text of_affinity[] = {TEXT("nodeAffinity")};
    static const struct text parts[] = {TEXT("metadata"), TEXT("spec")};
    const struct value *now = value_get(v, TEXT("template")), *before = value_get(old, TEXT("template"));
    const struct value *spec = value_get(now, TEXT("spec")), *old_spec = value_get(before, TEXT("spec"));
    bool is_free =
        value_get_bool(old, TEXT("suspend"), false) && !value_at(w->old, "status", "startTime", NULL);
    bool differs;

    if (!old)
        return;
    if (is_free)
        differs = differs_besides(now, before, parts, N_ELEMENTS(parts)) ||
                  differs_besides(value_get(now, TEXT("metadata")), value_get(before, TEXT("metadata")),
                                  of_metadata, N_ELEMENTS(of_metadata)) ||
                  differs_besides(spec, old_spec, of_spec, N_ELEMENTS(of_spec)) ||
                  differs_besides(value_get(spec, TEXT("affinity")), value_get(old_spec, TEXT("affinity")),
                                  of_affinity, N_ELEMENTS(of_affinity));
    else
        differs = differs_at(v, old, TEXT("template"));
    if (differs)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "template"), now, "field is immutable");
}

/* --- cron jobs --- */

CHECK(cron_schedule)
{
    const char *problem = format_cron(w->errs->arena, value_text(v));
    bool may_have_zone = text_find_text(value_text(old), TEXT("TZ")) >= 0,
         has_zone = text_find_text(value_text(v), TEXT("TZ")) >= 0;

    if (problem)
        check_error(w, FIELD_INVALID, at, v, "%s", problem);
    if (has_zone && !may_have_zone)
        check_error(w, FIELD_INVALID, at, v,
                    "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    else if (has_zone && value_at(w->object, "spec", "timeZone", NULL))
        check_error(w, FIELD_INVALID, at, v, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
}

static bool is_part_of_zone(struct text t)
{
    if (!t.n || text_is(t, ".") || text_is(t, "..") || t.p[0] == '-' || t.n > 14)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!((t.p[i] >= 'a' && t.p[i] <= 'z') || (t.p[i] >= 'A' && t.p[i] <= 'Z') ||
              (t.p[i] >= '0' && t.p[i] <= '9') || text_find(TEXT("_-+."), t.p[i]) >= 0))
            return false;
    return true;
}

/* Zones are those of the system; where it has none, any name will do. */
static bool zone_exists(struct validation *w, struct text name)
{
    const char folder[] = "/usr/share/zoneinfo";

    return access(folder, F_OK) != 0 ||
           access(arena_printf(w->errs->arena, "%s/%.*s", folder, TEXT_ARG(name)), F_OK) == 0;
}

CHECK(time_zone)
{
    struct text name = value_text(v), part;

    if (old && value_equal(v, old))
        return;
    if (!name.n) {
        check_error(w, FIELD_INVALID, at, v, "timeZone must be nil or non-empty string");
        return;
    }
    for (struct text rest = name; text_split(&rest, '/', &part);) {
        if (!is_part_of_zone(part)) {
            check_error(w, FIELD_INVALID, at, v, "unknown time zone %.*s", TEXT_ARG(name));
            return;
        }
    }
    if (text_is(arena_lower(w->errs->arena, name), "local"))
        check_error(w, FIELD_INVALID, at, v,
                    "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    if (!text_is(name, "Local") && !text_is(name, "UTC") && !zone_exists(w, name))
        check_error(w, FIELD_INVALID, at, v, "unknown time zone %.*s", TEXT_ARG(name));
}

CHECK(manual_selector)
{
    static const char *const good[] = {"nil", "false"};

    if (v->boolean)
        field_not_supported(w->errs, field_path_str(w->errs->arena, at), v, good, N_ELEMENTS(good));
}
