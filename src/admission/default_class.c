/* SPDX-License-Identifier: Apache-2.0 */
/* DefaultStorageClass and DefaultIngressClass: a claim or an ingress without a class gets the one that is
 * marked as the default, the newest of several. PersistentVolumeClaimResize: claims grow only where their
 * class lets them. Source: kubernetes plugin/pkg/admission/storage/storageclass/setdefault,
 * storage/persistentvolume/resize, network/defaultingressclass. */
#include "admission/plugin.h"

#define OLD_CLASS TEXT("volume.beta.kubernetes.io/storage-class")

static bool is_marked(const struct value *class, const char *const *marks)
{
    for (size_t i = 0; marks[i]; i++)
        if (text_is(value_text(annotation_of(class, text_of(marks[i]))), "true"))
            return true;
    return false;
}

/* The name of the default; empty: none is. */
static struct text find_default(struct admission_attributes *a, const char *group, const char *resource,
                                const char *const *marks)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct cache *cache = admission_cache(a->registry, group, "v1", resource);
    struct admission_list list;
    struct text name = TEXT_NONE;
    int64_t newest = 0;
    struct object *o;

    if (!cache)
        return name;
    admission_list_open(&list, a->arena, cache, TEXT_NONE);
    while ((o = admission_list_next(&list))) { /* by name, so that of equal age the first one stays */
        struct value tree;
        if (object_tree(a->arena, o, &tree, &ignored) < 0 || !is_marked(&tree, marks) ||
            (name.n && o->creation_ns <= newest))
            continue;
        name = arena_text(a->arena, o->name);
        newest = o->creation_ns;
    }
    admission_list_close(&list);
    return name;
}

static int fill_storage_class(void *state, struct admission_attributes *a, struct status *st)
{
    static const char *const marks[] = {"storageclass.kubernetes.io/is-default-class",
                                        "storageclass.beta.kubernetes.io/is-default-class", NULL};
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));

    if (annotation_of(a->object, OLD_CLASS) || value_get(spec, TEXT("storageClassName")))
        return 0;
    struct text name = find_default(a, "storage.k8s.io", "storageclasses", marks);
    if (name.n)
        value_set(a->arena, spec, TEXT("storageClassName"), value_string(name));
    return 0;
}

static int fill_ingress_class(void *state, struct admission_attributes *a, struct status *st)
{
    static const char *const marks[] = {"ingressclass.kubernetes.io/is-default-class", NULL};
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));

    if (value_get(spec, TEXT("ingressClassName")) ||
        annotation_of(a->object, TEXT("kubernetes.io/ingress.class")))
        return 0;
    struct text name = find_default(a, "networking.k8s.io", "ingressclasses", marks);
    if (name.n)
        value_set(a->arena, spec, TEXT("ingressClassName"), value_string(name));
    return 0;
}

/* --- growing claims --- */

static struct text class_of(const struct value *claim)
{
    const struct value *old = annotation_of(claim, OLD_CLASS);

    return old ? value_text(old) : text_at(spec_of(claim), "storageClassName");
}

static struct text size_of(const struct value *claim)
{
    return value_text(value_at(claim, "spec", "resources", "requests", "storage", NULL));
}

static bool may_grow(const struct admission_attributes *a)
{
    struct text class = class_of(a->object);
    struct value tree;

    return class.n && text_eq(class, class_of(a->old)) &&
           admission_find(a, "storage.k8s.io", "v1", "storageclasses", TEXT_NONE, class, &tree) &&
           value_get_bool(&tree, TEXT("allowVolumeExpansion"), false);
}

static int check_growth(void *state, struct admission_attributes *a, struct status *st)
{
    if (quantity_cmp(size_of(a->object), size_of(a->old)) <= 0)
        return 0;
    if (!text_is(value_text(value_at(a->old, "status", "phase", NULL)), "Bound"))
        return admission_forbid(a, st, "Only bound persistent volume claims can be expanded");
    if (!may_grow(a))
        return admission_forbid(a, st,
                                "only dynamically provisioned pvc can be resized and the storageclass that "
                                "provisions the pvc must support resize");
    return 0;
}

static const struct admission_rule storage_rules[] = {
    {TEXT(""), TEXT("persistentvolumeclaims"), TEXT(""), CREATE, .admit = fill_storage_class},
};
const struct admission_plugin plugin_default_storage_class = {"DefaultStorageClass", true,
                                                              RULES(storage_rules)};

static const struct admission_rule ingress_rules[] = {
    {TEXT("networking.k8s.io"), TEXT("ingresses"), TEXT(""), CREATE, .admit = fill_ingress_class},
};
const struct admission_plugin plugin_default_ingress_class = {"DefaultIngressClass", true,
                                                              RULES(ingress_rules)};

static const struct admission_rule resize_rules[] = {
    {TEXT(""), TEXT("persistentvolumeclaims"), TEXT(""), UPDATE, .validate = check_growth},
};
const struct admission_plugin plugin_claim_resize = {"PersistentVolumeClaimResize", true,
                                                     RULES(resize_rules)};
