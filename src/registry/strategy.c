/* SPDX-License-Identifier: Apache-2.0 */
/* What strategies have in common, driven by their data: status and spec are written apart, generations
 * counted. */
#include "registry_internal.h"

#define STATUS TEXT("status")

static bool is_meta(struct text member)
{
    return text_is(member, "metadata") || text_is(member, "apiVersion") || text_is(member, "kind");
}

void strategy_prepare_create(struct operation *op, struct value *obj)
{
    const struct strategy *s = op->resource->strategy;
    const struct resource_type *type = op->resource->storage;

    if (type->has_status && !(s->flags & STRATEGY_KEEPS_STATUS))
        value_remove(obj, STATUS);
    if (type->has_generation)
        value_set(op->arena, metadata_of(obj), TEXT("generation"), value_int(1));
    if (s->prepare_create)
        s->prepare_create(op, obj);
}

/* Everything but metadata and status becomes as it was. */
static void keep_all_but_status(struct operation *op, struct value *obj, const struct value *old)
{
    for (size_t i = 0; i < old->n; i++) {
        struct text name = member_key(&old->members[i]);
        if (!is_meta(name) && !text_eq(name, STATUS))
            value_set(op->arena, obj, name, value_copy(op->arena, &old->members[i].value));
    }
    for (size_t i = obj->n; i-- > 0;) {
        struct text name = member_key(&obj->members[i]);
        if (!is_meta(name) && !text_eq(name, STATUS) && !value_get(old, name))
            value_remove(obj, name);
    }
}

static void prepare_status(struct operation *op, struct value *obj, const struct value *old)
{
    static const struct text kept[] = {TEXT("labels"), TEXT("ownerReferences"), TEXT("annotations"),
                                       TEXT("finalizers")};
    static const uint8_t masks[] = {
        [STATUS_METADATA_NO_LABELS] = 1, [STATUS_METADATA_NO_OWNERS] = 2, [STATUS_METADATA_NONE] = 15};
    const struct strategy *s = op->resource->strategy;

    keep_all_but_status(op, obj, old);
    for (size_t i = 0; i < N_ELEMENTS(kept); i++) {
        if (masks[s->status_metadata] & (1u << i))
            keep_member(op->arena, metadata_of(obj), metadata_of(old), kept[i]);
    }
    if (s->prepare_status)
        s->prepare_status(op, obj, old);
}

static bool differs(const struct value *obj, const struct value *old)
{
    for (size_t i = 0; i < obj->n + old->n; i++) {
        struct text name = i < obj->n ? member_key(&obj->members[i]) : member_key(&old->members[i - obj->n]);
        if (!is_meta(name) && !text_eq(name, STATUS) && !same_member(obj, old, name))
            return true;
    }
    return false;
}

/* Compares as stored: what preparing took out must not count as a change. */
static void count_generation(struct operation *op, struct value *obj, const struct value *old)
{
    const struct strategy *s = op->resource->strategy;
    const struct value *before = metadata_of(old);

    if (!op->resource->storage->has_generation || (s->flags & STRATEGY_FIXED_GENERATION))
        return;
    operation_arrange(op, obj);
    struct value *metadata = metadata_of(obj);
    if (differs(obj, old) ||
        ((s->flags & STRATEGY_COUNTS_LABELS) && !same_member(metadata, before, TEXT("labels"))) ||
        ((s->flags & STRATEGY_COUNTS_ANNOTATIONS) && !same_member(metadata, before, TEXT("annotations"))))
        value_set(op->arena, metadata, TEXT("generation"),
                  value_int(value_get_int(before, TEXT("generation"), 0) + 1));
}

void strategy_prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    const struct strategy *s = op->resource->strategy;

    if (op->sub && text_eq(op->sub->name, STATUS)) {
        prepare_status(op, obj, old);
        return;
    }
    if (op->sub && s->prepare_sub && s->prepare_sub(op, obj, old))
        return;
    if (op->resource->storage->has_status)
        keep_member(op->arena, obj, old, STATUS);
    if (s->prepare_update)
        s->prepare_update(op, obj, old);
    count_generation(op, obj, old);
}
