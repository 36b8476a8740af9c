/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of custom resources remember which version is stored.
 * Source: kubernetes/apiextensions-apiserver pkg/registry/customresourcedefinition/strategy.go. */
#include "registry/registry_internal.h"

static struct text storage_version(const struct value *obj)
{
    const struct value *versions = value_at(obj, "spec", "versions", NULL);

    for (size_t i = 0; versions && versions->kind == VALUE_LIST && i < versions->n; i++) {
        if (value_get_bool(&versions->items[i], TEXT("storage"), false))
            return value_get_text(&versions->items[i], TEXT("name"));
    }
    return TEXT_NONE;
}

static void note_storage_version(struct operation *op, struct value *obj)
{
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));
    struct value *list = value_get(status, TEXT("storedVersions"));
    struct text version = storage_version(obj);

    if (!version.n)
        return;
    if (!list || list->kind != VALUE_LIST)
        list = value_set(op->arena, status, TEXT("storedVersions"), value_list());
    for (size_t i = 0; i < list->n; i++) {
        if (text_eq(value_text(&list->items[i]), version))
            return;
    }
    value_append(op->arena, list, value_string(version));
}

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    note_storage_version(op, obj);
}

const struct strategy strategy_custom_resource_definitions = {
    .flags = STRATEGY_NEEDS_REVISION | STRATEGY_ANY_FINALIZER,
    .status_metadata = STATUS_METADATA_NONE,
    .prepare_create = note_storage_version,
    .prepare_update = prepare_update,
};
