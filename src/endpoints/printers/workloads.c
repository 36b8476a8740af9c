/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads: what all controllers of pods have in common, revisions, jobs, groups of pods. */
#include "endpoints/printers/printers.h"

/* One field of each container of a pod template, joined. */
static void print_containers_field(struct row *r, struct text pod_spec, struct text field)
{
    const struct value *containers = value_get(value_path(r->o, pod_spec), TEXT("containers"));
    struct buffer b = BUFFER_IN(r->a);

    for (size_t i = 0; i < value_count(containers); i++) {
        if (i)
            buffer_add_char(&b, ',');
        buffer_add(&b, value_get_text(&containers->items[i], field));
    }
    row_buffer(r, &b);
}

static void print_containers(struct row *r, struct text arg)
{
    print_containers_field(r, arg, TEXT("name"));
}

static void print_images(struct row *r, struct text arg)
{
    print_containers_field(r, arg, TEXT("image"));
}

static void print_ready_of(struct row *r, struct text arg)
{
    row_text(r, arena_textf(r->a, "%lld/%lld", (long long)value_find_int(r->o, TEXT("status.readyReplicas"), 0),
                           (long long)value_find_int(r->o, arg, 0)));
}

/* "statefulset.apps/db": the owner that controls the object. */
static void print_controller(struct row *r, struct text arg)
{
    const struct value *owners = value_find(r->o, "metadata.ownerReferences");
    struct buffer b = BUFFER_IN(r->a);

    for (size_t i = 0; i < value_count(owners) && b.n == 0; i++) {
        const struct value *owner = &owners->items[i];
        struct text version = value_get_text(owner, TEXT("apiVersion"));
        ptrdiff_t slash = text_find(version, '/');
        if (!value_get_bool(owner, TEXT("controller"), false))
            continue;
        add_lower(&b, value_get_text(owner, TEXT("kind")));
        if (slash > 0) {
            buffer_add_char(&b, '.');
            add_lower(&b, text_first(version, (size_t)slash));
        }
        buffer_add_char(&b, '/');
        buffer_add(&b, value_get_text(owner, TEXT("name")));
    }
    row_or(r, buffer_text(&b), "<none>");
}

/* --- jobs ------------------------------------------------------------------------------------------------------------------ */

static void print_job_status(struct row *r, struct text arg)
{
    /* The first that holds; a job that goes away says so before what is no end yet. */
    static const struct {
        const char *condition, *status;
    } rows[] = {
        {"Complete", "Complete"},   {"Failed", "Failed"},
        {NULL, "Terminating"},      {"Suspended", "Suspended"},
        {"FailureTarget", "FailureTarget"}, {"SuccessCriteriaMet", "SuccessCriteriaMet"},
    };
    const struct value *conditions = value_find(r->o, "status.conditions");

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        if (rows[i].condition ? condition_is_true(conditions, rows[i].condition)
                              : value_find(r->o, "metadata.deletionTimestamp") != NULL) {
            row_str(r, rows[i].status);
            return;
        }
    }
    row_str(r, "Running");
}

static void print_job_completions(struct row *r, struct text arg)
{
    long long done = value_find_int(r->o, TEXT("status.succeeded"), 0);
    long long wished = value_find_int(r->o, TEXT("spec.completions"), -1);
    long long at_once = value_find_int(r->o, TEXT("spec.parallelism"), 0);

    if (wished >= 0)
        row_text(r, arena_textf(r->a, "%lld/%lld", done, wished));
    else if (at_once > 1)
        row_text(r, arena_textf(r->a, "%lld/1 of %lld", done, at_once));
    else
        row_text(r, arena_textf(r->a, "%lld/1", done));
}

static void print_job_duration(struct row *r, struct text arg)
{
    struct text from = value_find_text(r->o, "status.startTime"), to = value_find_text(r->o, "status.completionTime");
    char text[DURATION_TEXT_MAX];
    int64_t from_ns, to_ns;

    if (!from.n || !clock_parse_rfc3339(from, &from_ns))
        row_str(r, "");
    else if (!to.n || !clock_parse_rfc3339(to, &to_ns))
        row_since(r, "", from_ns, "");
    else
        row_text(r, (struct text){text, duration_text(to_ns - from_ns, text)});
}

/* --- groups of pods ---------------------------------------------------------------------------------------------------------- */

static void print_group_policy(struct row *r, struct text arg)
{
    row_str(r, value_find(r->o, "spec.schedulingPolicy.gang")    ? "Gang"
               : value_find(r->o, "spec.schedulingPolicy.basic") ? "Basic"
                                                                 : "<none>");
}

static void print_group_workload(struct row *r, struct text arg)
{
    row_or(r, value_find_text(r->o, "spec.podGroupTemplateRef.workload.workloadName"), "<none>");
}

static void print_group_status(struct row *r, struct text arg)
{
    const struct value *scheduled = condition_find(value_find(r->o, "status.conditions"), "PodGroupScheduled");

    row_or(r, value_get_text(scheduled, TEXT("reason")), "Pending");
}

const struct printer workload_printers[] = {
    {"containers", print_containers},
    {"images", print_images},
    {"ready_of", print_ready_of},
    {"controller", print_controller},
    {"job_status", print_job_status},
    {"job_completions", print_job_completions},
    {"job_duration", print_job_duration},
    {"group_policy", print_group_policy},
    {"group_workload", print_group_workload},
    {"group_status", print_group_status},
    {NULL, NULL},
};
