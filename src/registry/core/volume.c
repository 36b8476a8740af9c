/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and claims begin Pending; a volume notes when its phase changed.
 * Source: kubernetes pkg/registry/core/persistentvolume/strategy.go, persistentvolumeclaim/strategy.go. */
#include "registry/registry_internal.h"

static void set_pending(struct operation *op, struct value *obj)
{
    struct value status = value_object();

    value_set(op->arena, &status, TEXT("phase"), value_string(TEXT("Pending")));
    value_set(op->arena, obj, TEXT("status"), status);
}

static void note_transition(struct operation *op, struct value *obj)
{
    value_set(op->arena, value_object_at(op->arena, obj, TEXT("status")), TEXT("lastPhaseTransitionTime"),
              value_string(time_text(op->arena, clock_now_ns())));
}

static void prepare_volume_create(struct operation *op, struct value *obj)
{
    set_pending(op, obj);
    note_transition(op, obj);
}

static void prepare_volume_status(struct operation *op, struct value *obj, const struct value *old)
{
    struct text now = value_text(value_at(obj, "status", "phase", NULL));
    struct text before = value_text(value_at(old, "status", "phase", NULL));
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));

    if (!value_get_text(status, TEXT("lastPhaseTransitionTime")).n)
        keep_member(op->arena, status, value_get(old, TEXT("status")), TEXT("lastPhaseTransitionTime"));
    if (!text_eq(now, before) &&
        same_member(status, value_get(old, TEXT("status")), TEXT("lastPhaseTransitionTime")))
        note_transition(op, obj);
}

const struct strategy strategy_persistent_volumes = {
    .flags = STRATEGY_RETURNS_DELETED,
    .prepare_create = prepare_volume_create,
    .prepare_status = prepare_volume_status,
};
const struct strategy strategy_persistent_volume_claims = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_CHECKS_META_AGAIN,
    .prepare_create = set_pending,
};
