/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace is Active until deleted, then Terminating until nothing finalizes it: spec.finalizers are
 * written by the finalize subresource only. Source: kubernetes pkg/registry/core/namespace/strategy.go and
 * storage/storage.go. */
#include "registry/registry_internal.h"

#define NAME_LABEL_KEY TEXT("kubernetes.io/metadata.name")

static struct value *spec_of(struct arena *a, struct value *obj)
{
    return value_object_at(a, obj, TEXT("spec"));
}

static void set_phase(struct arena *a, struct value *obj, struct text phase)
{
    value_set(a, value_object_at(a, obj, TEXT("status")), TEXT("phase"), value_string(phase));
}

/* The label is a default: it comes back whenever it is taken away. */
static void set_label(struct operation *op, struct value *obj)
{
    struct value *metadata = metadata_of(obj);
    struct text name = value_get_text(metadata, TEXT("name"));

    if (name.n)
        value_set(op->arena, value_object_at(op->arena, metadata, TEXT("labels")), NAME_LABEL_KEY,
                  value_string(name));
}

static void prepare_create(struct operation *op, struct value *obj)
{
    bool has_kubernetes = false;

    set_phase(op->arena, obj, TEXT("Active"));
    struct value *spec = spec_of(op->arena, obj); /* obj gets no member any more */
    struct value *list = value_get(spec, TEXT("finalizers"));
    if (!list || list->kind != VALUE_LIST)
        list = value_set(op->arena, spec, TEXT("finalizers"), value_list());
    for (size_t i = 0; i < list->n; i++)
        has_kubernetes |= text_is(value_text(&list->items[i]), "kubernetes");
    if (!has_kubernetes)
        value_append(op->arena, list, value_string(TEXT("kubernetes")));
    set_label(op, obj);
}

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    keep_member(op->arena, spec_of(op->arena, obj), value_get(old, TEXT("spec")), TEXT("finalizers"));
    set_label(op, obj);
}

static bool prepare_sub(struct operation *op, struct value *obj, const struct value *old)
{
    if (!text_is(op->sub->name, "finalize"))
        return false;
    keep_member(op->arena, obj, old, TEXT("status"));
    set_label(op, obj);
    return true;
}

static bool holds(const struct value *obj)
{
    const struct value *list = value_at(obj, "spec", "finalizers", NULL);

    return list && list->kind == VALUE_LIST && list->n;
}

/* The first request only starts the end, without grace and whatever the finalizers are. */
static enum delete_plan begin_delete(struct operation *op, struct value *obj)
{
    if (!is_deleting(obj)) {
        value_set(op->arena, metadata_of(obj), TEXT("deletionTimestamp"),
                  value_string(time_text(op->arena, clock_now_ns())));
        set_phase(op->arena, obj, TEXT("Terminating"));
        delete_set_collector_finalizers(op, obj);
        return DELETE_STORE;
    }
    return holds(obj) ? DELETE_NOTHING : DELETE_USUAL;
}

const struct strategy strategy_namespaces = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_CHECKS_META_AGAIN,
    .name = NAME_LABEL,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .prepare_sub = prepare_sub,
    .holds = holds,
    .begin_delete = begin_delete,
};
