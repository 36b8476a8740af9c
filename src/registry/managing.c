/* SPDX-License-Identifier: Apache-2.0 */
/* Who manages which fields, as far as the registry has a say: what a way of writing cannot change belongs to nobody. That
 * follows from the strategy: the object's own path does not write the status, the status' path nothing but the status and
 * such metadata as the strategy lets through. Where upstream's list differs a strategy brings its own.
 * Source: GetResetFields in kubernetes pkg/registry/<group>/<kind>/strategy.go. */
#include "registry_internal.h"

static const char *const spec[] = {"spec", NULL}, *const status[] = {"status", NULL}, *const all_metadata[] = {"metadata", NULL},
                         *const labels[] = {"metadata", "labels", NULL},
                         *const owners[] = {"metadata", "ownerReferences", NULL},
                         *const deletion[] = {"metadata", "deletionTimestamp", NULL};

static const char *const *const of_object[] = {status};
static const char *const *const of_status[] = {spec};
static const char *const *const of_status_no_labels[] = {spec, labels};
static const char *const *const of_status_no_owners[] = {spec, deletion, owners};
static const char *const *const of_status_no_metadata[] = {spec, all_metadata};

static const struct field_resets by_status_metadata[] = {
    [STATUS_METADATA_ANY] = {NULL, of_status, N_ELEMENTS(of_status)},
    [STATUS_METADATA_NO_LABELS] = {NULL, of_status_no_labels, N_ELEMENTS(of_status_no_labels)},
    [STATUS_METADATA_NO_OWNERS] = {NULL, of_status_no_owners, N_ELEMENTS(of_status_no_owners)},
    [STATUS_METADATA_NONE] = {NULL, of_status_no_metadata, N_ELEMENTS(of_status_no_metadata)},
};
static const struct field_resets of_own_path = {NULL, of_object, N_ELEMENTS(of_object)};

static const struct field_resets *find_resets(const struct operation *op)
{
    const struct strategy *s = op->resource->strategy;

    for (const struct field_resets *r = s->resets; r && r->sub; r++)
        if (text_is(op->sub ? op->sub->name : TEXT(""), r->sub))
            return r;
    if (op->sub && text_is(op->sub->name, "status"))
        return &by_status_metadata[s->status_metadata];
    if ((!op->sub && op->resource->storage->has_status) || (op->sub && text_is(op->sub->name, "finalize")))
        return &of_own_path;
    return NULL;
}

struct managing registry_managing(const struct operation *op)
{
    const struct field_resets *resets = find_resets(op);

    return (struct managing){.arena = op->arena,
                             .kind = op->resource->type->kind,
                             .storage = op->resource->storage->kind,
                             .subresource = op->sub ? op->sub->name : TEXT_NONE,
                             .manager = op->field_manager,
                             .reset = resets ? resets->paths : NULL,
                             .n_reset = resets ? resets->n : 0};
}

void manage_fields(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *metadata;

    if (op->resource->strategy->convert) /* may add members to obj */
        op->resource->strategy->convert(op, obj, old);
    if (op->manages_fields)
        return;
    metadata = value_object_at(op->arena, obj, TEXT("metadata"));
    if (op->field_manager.p) {
        const struct managing m = registry_managing(op);
        managed_update(&m, old, obj);
    } else if (old) {
        keep_member(op->arena, metadata, metadata_of(old), TEXT("managedFields"));
    } else {
        value_remove(metadata, TEXT("managedFields"));
    }
}

/* A write that changes nothing but the times of managed fields is none. */
void keep_managed_times(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *now = value_at(obj, "metadata", "managedFields", NULL);
    const struct value *before = value_at(old, "metadata", "managedFields", NULL);
    struct value changed;

    if (!now || !before || value_equal(now, before) || !managed_equal_but_times(now, before))
        return;
    changed = *now;
    *now = *before;
    if (!value_equal(obj, old))
        *now = changed;
}
