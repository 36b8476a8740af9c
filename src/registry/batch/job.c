/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs choose their pods by a label that they make up, unless told to use another. Source: kubernetes
 * pkg/registry/batch/job/strategy.go, generateSelector; pkg/apis/batch/v1/defaults.go. */
#include "registry/registry_internal.h"

#define CONTROLLER_UID "batch.kubernetes.io/controller-uid"

static void set_unless_there(struct arena *a, struct value *map, const char *key, struct text value)
{
    if (!value_get(map, text_of(key)))
        value_set(a, map, text_of(key), value_string(value));
}

/* A job without labels has by default those of its template: upstream, the very same map, which what is made up then goes into, too.
 * What was filled in from the template has the template's own texts. */
static bool shares_labels(const struct value *obj, const struct value *of_template)
{
    const struct value *labels = value_get(metadata_of(obj), TEXT("labels"));

    if (!labels || labels->kind != VALUE_OBJECT || !labels->n || labels->n != of_template->n)
        return false;
    for (size_t i = 0; i < labels->n; i++)
        if (labels->members[i].key != of_template->members[i].key)
            return false;
    return true;
}

static void prepare_create(struct operation *op, struct value *obj)
{
    struct arena *a = op->arena;
    struct text name = value_get_text(metadata_of(obj), TEXT("name")), uid = value_get_text(metadata_of(obj), TEXT("uid"));
    const struct {
        const char *key;
        struct text value;
    } rows[] = {{"job-name", name}, {"batch.kubernetes.io/job-name", name}, {"controller-uid", uid}, {CONTROLLER_UID, uid}};
    struct value *spec = value_object_at(a, obj, TEXT("spec")), *labels;

    if (value_get_bool(spec, TEXT("manualSelector"), false))
        return;
    labels = value_object_at(a, value_object_at(a, value_object_at(a, spec, TEXT("template")), TEXT("metadata")), TEXT("labels"));
    struct value *own = shares_labels(obj, labels) ? value_get(metadata_of(obj), TEXT("labels")) : NULL;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        set_unless_there(a, labels, rows[i].key, rows[i].value);
        if (own)
            set_unless_there(a, own, rows[i].key, rows[i].value);
    }
    if (value_is_empty(value_at(obj, "metadata", "labels", NULL))) /* upstream, when it reads back what it has stored */
        value_set(a, value_object_at(a, obj, TEXT("metadata")), TEXT("labels"), value_copy(a, labels));
    set_unless_there(a, value_object_at(a, value_object_at(a, spec, TEXT("selector")), TEXT("matchLabels")), CONTROLLER_UID, uid);
}

const struct strategy strategy_jobs = {
    .flags = STRATEGY_ORPHANS | STRATEGY_WARNS_OF_ORPHANS | STRATEGY_CHECKS_META_AGAIN,
    .prepare_create = prepare_create,
};
