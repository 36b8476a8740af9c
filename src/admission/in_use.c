/* SPDX-License-Identifier: Apache-2.0 */
/* StorageObjectInUseProtection: finalizers that a controller takes off once nobody uses the object any more.
 * Source: kubernetes plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go. */
#include "admission/plugin.h"

static const struct {
    struct text resource, finalizer;
} finalizers[] = {
    {TEXT("persistentvolumes"), TEXT("kubernetes.io/pv-protection")},
    {TEXT("persistentvolumeclaims"), TEXT("kubernetes.io/pvc-protection")},
    {TEXT("volumeattributesclasses"), TEXT("kubernetes.io/vac-protection")},
};

static int protect(void *state, struct admission_attributes *a, struct status *st)
{
    struct value *metadata = value_object_at(a->arena, a->object, TEXT("metadata"));

    for (size_t i = 0; i < N_ELEMENTS(finalizers); i++)
        if (text_eq(a->resource->type->name, finalizers[i].resource) &&
            !has_finalizer(a->object, finalizers[i].finalizer))
            value_append(a->arena, list_at(a->arena, metadata, TEXT("finalizers")),
                         value_string(finalizers[i].finalizer));
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("persistentvolumes"), TEXT(""), CREATE, .admit = protect},
    {TEXT(""), TEXT("persistentvolumeclaims"), TEXT(""), CREATE, .admit = protect},
    {TEXT("storage.k8s.io"), TEXT("volumeattributesclasses"), TEXT(""), CREATE, .admit = protect},
};
const struct admission_plugin plugin_storage_in_use = {"StorageObjectInUseProtection", true, RULES(rules)};
