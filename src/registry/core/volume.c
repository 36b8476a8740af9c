/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and claims begin Pending; a volume notes when its phase changed. A claim's two ways to say where its data come from
 * are brought to say the same.
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

/* --- claims --- */

static const struct text source = TEXT("dataSource"), source_ref = TEXT("dataSourceRef");

static bool has(const struct value *spec, struct text name)
{
    const struct value *v = value_get(spec, name);
    return v && v->kind == VALUE_OBJECT;
}

/* The old field is for claims and snapshots; anything else in it is let go. */
static bool is_old_kind(const struct value *v)
{
    struct text group = value_get_text(v, TEXT("apiGroup")), kind = value_get_text(v, TEXT("kind"));

    return (!group.n && text_is(kind, "PersistentVolumeClaim")) ||
           (text_is(group, "snapshot.storage.k8s.io") && text_is(kind, "VolumeSnapshot"));
}

static void agree_on_source(struct operation *op, struct value *obj, const struct value *old)
{
    static const struct text parts[] = {TEXT("apiGroup"), TEXT("kind"), TEXT("name")};
    struct value *spec = value_object_at(op->arena, obj, TEXT("spec")), made = value_object();
    const struct value *before = value_get(old, TEXT("spec")), *from = NULL;

    if (has(spec, source) && !has(spec, source_ref) && !has(before, source) && !has(before, source_ref) &&
        !is_old_kind(value_get(spec, source)))
        value_remove(spec, source);
    if (has(spec, source) && !has(spec, source_ref))
        from = value_get(spec, source);
    else if (!has(spec, source) && has(spec, source_ref) &&
             !value_get_text(value_get(spec, source_ref), TEXT("namespace")).n)
        from = value_get(spec, source_ref);
    if (!from)
        return;
    for (size_t i = 0; i < N_ELEMENTS(parts); i++)
        keep_member(op->arena, &made, from, parts[i]);
    value_set(op->arena, spec, has(spec, source) ? source_ref : source, made);
}

static void prepare_claim_create(struct operation *op, struct value *obj)
{
    set_pending(op, obj);
    agree_on_source(op, obj, NULL);
}

const struct strategy strategy_persistent_volumes = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_CHECKS_META_AGAIN | STRATEGY_CHECKS_UPDATE_ONCE,
    .prepare_create = prepare_volume_create,
    .prepare_status = prepare_volume_status,
};
const struct strategy strategy_persistent_volume_claims = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_CHECKS_META_AGAIN,
    .prepare_create = prepare_claim_create,
    .prepare_update = agree_on_source,
};
