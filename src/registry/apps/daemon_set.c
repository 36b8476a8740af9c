/* SPDX-License-Identifier: Apache-2.0 */
/* Daemon sets count the generations of their template. The count was a field once, and is an annotation since; upstream's
 * conversion writes it into every object, so that whoever creates one owns it. Source: kubernetes
 * pkg/registry/apps/daemonset/strategy.go, pkg/apis/apps/v1/conversion.go. */
#include "registry/registry_internal.h"

static const struct text annotation = TEXT("deprecated.daemonset.template.generation");

static int64_t count_of(const struct value *obj)
{
    int64_t count = 0;

    text_to_i64(value_get_text(value_get(metadata_of(obj), TEXT("annotations")), annotation), &count);
    return count;
}

static void set_count(struct arena *a, struct value *obj, int64_t count)
{
    struct value *metadata = value_object_at(a, obj, TEXT("metadata"));

    value_set(a, value_object_at(a, metadata, TEXT("annotations")), annotation,
              value_string(arena_textf(a, "%lld", (long long)count)));
}

static void convert(struct operation *op, struct value *obj, const struct value *old)
{
    set_count(op->arena, obj, count_of(obj));
}

static void prepare_create(struct operation *op, struct value *obj)
{
    int64_t count = count_of(obj);

    set_count(op->arena, obj, count < 1 ? 1 : count);
}

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    bool is_changed = !same_member(value_get(obj, TEXT("spec")), value_get(old, TEXT("spec")), TEXT("template"));

    set_count(op->arena, obj, count_of(old) + is_changed);
}

static void prepare_status(struct operation *op, struct value *obj, const struct value *old)
{
    set_count(op->arena, obj, count_of(old));
}

const struct strategy strategy_daemon_sets = {
    .convert = convert,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .prepare_status = prepare_status,
};
