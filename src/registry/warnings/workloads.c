/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds with the template of a pod are warned of: the template when it is new, and little of their own. Source:
 * kubernetes pkg/registry/{apps,batch,core}/<kind>/strategy.go, pkg/api/job/warnings.go. */
#include "registry/warnings/warnings.h"

#define COMPLETIONS_MAX 100000
#define PARALLELISM_MAX 10000

static const struct workload {
    const char *name;
    const char *at; /* the template */
    bool names_pods;
    bool warns_of_old; /* upstream gives updates the two templates the wrong way round */
} workloads[] = {
    {"cronjobs", "spec.jobTemplate.spec.template", .names_pods = true},
    {"daemonsets", "spec.template"},
    {"deployments", "spec.template", .names_pods = true},
    {"jobs", "spec.template", .names_pods = true},
    {"podtemplates", "template"},
    {"replicasets", "spec.template", .names_pods = true},
    {"replicationcontrollers", "spec.template", .names_pods = true, .warns_of_old = true},
    {"statefulsets", "spec.template"},
};

static const struct value *at_path(const struct value *v, const char *path)
{
    struct text rest = text_of(path), name;

    while (v && text_split(&rest, '.', &name))
        v = value_get(v, name);
    return v;
}

/* Updates are looked at when they made a new generation; daemon sets when their template did. */
static bool is_new(const struct workload *kind, const struct value *obj, const struct value *old)
{
    if (!old)
        return true;
    if (text_is(text_of(kind->name), "daemonsets"))
        return !same_member(value_get(obj, TEXT("spec")), value_get(old, TEXT("spec")), TEXT("template"));
    return !same_member(metadata_of(obj), metadata_of(old), TEXT("generation"));
}

static void warn_job(struct operation *op, const struct value *obj, const char *at)
{
    const struct value *spec = at_path(obj, at);

    if (text_is(value_get_text(spec, TEXT("completionMode")), "Indexed") &&
        value_get_int(spec, TEXT("completions"), 0) > COMPLETIONS_MAX &&
        value_get_int(spec, TEXT("parallelism"), 0) > PARALLELISM_MAX)
        operation_warn(op,
                       "%s: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
                       "Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
                       at);
}

/* The path of a claim's template leaves its spec out at creation, and writes it in capitals afterwards. */
static void warn_set(struct operation *op, const struct value *obj, const struct value *old)
{
    const struct value *spec = value_get(obj, TEXT("spec")), *claims = value_get(spec, TEXT("volumeClaimTemplates"));

    for (size_t i = 0; claims && claims->kind == VALUE_LIST && i < claims->n; i++)
        warnings_walk(op, warnings_of_claim_spec, value_get(&claims->items[i], TEXT("spec")),
                      arena_printf(op->arena, "spec.volumeClaimTemplates[%zu]%s", i, old ? ".Spec" : ""));
    if (value_get_int(spec, TEXT("revisionHistoryLimit"), 0) < 0)
        operation_warn(op, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is "
                           "recommended");
}

void warn_workload(struct operation *op, const struct value *obj, const struct value *old)
{
    struct text name = op->resource->storage->name;
    const struct workload *kind = NULL;

    for (size_t i = 0; i < N_ELEMENTS(workloads); i++)
        if (text_is(name, workloads[i].name))
            kind = &workloads[i];
    if (!kind)
        return;
    if (!old && kind->names_pods)
        warn_unless_label(op, value_get_text(metadata_of(obj), TEXT("name")), "Pod names and hostnames");
    if (is_new(kind, obj, old)) {
        if (text_is(name, "jobs"))
            warn_job(op, obj, "spec");
        else if (text_is(name, "cronjobs"))
            warn_job(op, obj, "spec.jobTemplate.spec");
        warnings_walk(op, warnings_of_pod, at_path(old && kind->warns_of_old ? old : obj, kind->at), kind->at);
    }
    if (text_is(name, "statefulsets"))
        warn_set(op, obj, old);
    if (old && text_is(name, "cronjobs") && text_find_text(value_text(value_at(obj, "spec", "schedule", NULL)), TEXT("TZ")) >= 0)
        operation_warn(op, "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
                           "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details");
}
