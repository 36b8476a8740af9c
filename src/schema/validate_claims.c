/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of persistent volumes and of claims on them. Source: kubernetes pkg/apis/core/validation/validation.go. */
#include "schema/checks.h"

CHECK(access_modes)
{
    static const char *const modes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
    bool is_of_one_pod = false, is_of_more = false;

    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text mode = value_text(&v->items[i]);
        bool is_known = false;
        for (size_t k = 0; k < N_ELEMENTS(modes); k++)
            is_known |= text_is(mode, modes[k]);
        if (!is_known)
            check_not_supported(w, at, mode, modes, N_ELEMENTS(modes));
        is_of_one_pod |= text_is(mode, "ReadWriteOncePod");
        is_of_more |= is_known && !text_is(mode, "ReadWriteOncePod");
    }
    if (is_of_one_pod && is_of_more)
        check_error(w, FIELD_FORBIDDEN, at, NULL, "may not use ReadWriteOncePod with other access modes");
}

/* --- claims --- */

CHECK(claim_size)
{
    const struct value *size = value_at(v, "requests", "storage", NULL);
    const struct field_path *path = PATH_OF_KEY(at, TEXT("storage"));

    if (!size)
        check_error(w, FIELD_REQUIRED, path, NULL, "%s", "");
    else if (quantity_sign(value_text(size)) <= 0)
        check_error(w, FIELD_INVALID, path, size, "must be greater than zero");
}

CHECK(data_source)
{
    const struct value *kind = value_get(v, TEXT("kind"));
    struct text group = value_get_text(v, TEXT("apiGroup"));

    if (!value_get_text(v, TEXT("name")).n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "name"), NULL, "%s", "");
    if (!value_text(kind).n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "kind"), NULL, "%s", "");
    if (!group.n && !text_is(value_text(kind), "PersistentVolumeClaim"))
        check_error(w, FIELD_INVALID, at, kind ? kind : &value_null,
                    "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    if (group.n)
        check_format_at(w, PATH_FIELD(at, "apiGroup"), FORMAT_DNS1123_SUBDOMAIN, group);
}

/* Two ways to say where the data come from must not say different things. */
CHECK(data_sources)
{
    static const struct text same[] = {TEXT("apiGroup"), TEXT("kind"), TEXT("name")};
    const struct value *source = value_get(v, TEXT("dataSource")), *ref = value_get(v, TEXT("dataSourceRef"));
    const struct value shown =
        value_string(text_of(field_path_str(w->errs->arena, PATH_FIELD(at, "dataSource"))));
    bool is_equal = true;

    if (!source || source->kind != VALUE_OBJECT || !ref || ref->kind != VALUE_OBJECT)
        return;
    if (value_get_text(ref, TEXT("namespace")).n) {
        check_error(w, FIELD_INVALID, at, &shown,
                    "may not be specified when dataSourceRef.namespace is specified");
        return;
    }
    for (size_t i = 0; i < N_ELEMENTS(same); i++)
        is_equal &= text_eq(value_get_text(source, same[i]), value_get_text(ref, same[i]));
    if (!is_equal)
        check_error(w, FIELD_INVALID, at, &shown, "must match dataSourceRef");
}

#define CLASS_ANNOTATION TEXT("volume.beta.kubernetes.io/storage-class")

static struct text class_annotation(const struct value *object)
{
    return value_get_text(value_at(object, "metadata", "annotations", NULL), CLASS_ANNOTATION);
}

/* Whether the class may be what it is now: an annotation's may move into the field, and who had none may get one. */
static bool may_change_class(struct validation *w, const struct value *v, const struct value *old)
{
    struct text before = class_annotation(w->old), now = class_annotation(w->object);
    bool had_class = is_set(old, TEXT("storageClassName")), has_class = is_set(v, TEXT("storageClassName"));

    if (had_class)
        return false;
    if (before.n)
        return has_class && text_eq(value_get_text(v, TEXT("storageClassName")), before) &&
               (!now.n || text_eq(now, before));
    return has_class;
}

static bool resources_differ(const struct value *v, const struct value *old, bool is_bound)
{
    static const struct text requests[] = {TEXT("requests")}, storage[] = {TEXT("storage")};
    const struct value *now = value_get(v, TEXT("resources")), *before = value_get(old, TEXT("resources"));

    if (!is_bound)
        return differs_besides(now, before, NULL, 0);
    return differs_besides(now, before, requests, 1) ||
           differs_besides(value_get(now, TEXT("requests")), value_get(before, TEXT("requests")), storage, 1);
}

static void check_shrinking(struct validation *w, const struct field_path *at, const struct value *v,
                            const struct value *old)
{
    const struct value *now = value_at(v, "resources", "requests", "storage", NULL);
    const struct value *before = value_at(old, "resources", "requests", "storage", NULL);
    struct text capacity = value_text(value_at(w->old, "status", "capacity", "storage", NULL));

    if (quantity_cmp(value_text(now), value_text(before)) < 0 && quantity_cmp(value_text(now), capacity) <= 0)
        check_error(w, FIELD_FORBIDDEN,
                    PATH_FIELD(PATH_FIELD(PATH_FIELD(at, "resources"), "requests"), "storage"), NULL,
                    "field can not be less than status.capacity");
}

CHECK(claim_update)
{
    static const struct text free_fields[] = {TEXT("volumeName"), TEXT("storageClassName"), TEXT("resources"),
                                              TEXT("volumeAttributesClassName")};
    const struct value *mode = value_get(v, TEXT("volumeMode")),
                       *attributes = value_get(v, TEXT("volumeAttributesClassName"));
    bool is_bound, differs;

    if (!old || old->kind != VALUE_OBJECT || w->sub.n)
        return;
    is_bound = text_is(value_text(value_at(w->object, "status", "phase", NULL)), "Bound");
    if (!may_change_class(w, v, old) && !text_eq(class_annotation(w->object), class_annotation(w->old))) {
        struct value shown = value_string(class_annotation(w->object));
        check_error(w, FIELD_INVALID,
                    &(struct field_path){PATH_FIELD(PATH_FIELD(NULL, "metadata"), "annotations"),
                                         CLASS_ANNOTATION, PATH_NAME},
                    &shown, "field is immutable");
    }
    differs =
        differs_besides(v, old, free_fields, N_ELEMENTS(free_fields)) || resources_differ(v, old, is_bound);
    differs |= value_get_text(old, TEXT("volumeName")).n && differs_at(v, old, TEXT("volumeName"));
    differs |= differs_at(v, old, TEXT("storageClassName")) && !may_change_class(w, v, old);
    differs |= !is_bound && differs_at(v, old, TEXT("volumeAttributesClassName"));
    if (differs)
        check_error(w, FIELD_FORBIDDEN, at, NULL,
                    "spec is immutable after creation except resources.requests and "
                    "volumeAttributesClassName for bound claims");
    check_shrinking(w, at, v, old);
    if (differs_at(v, old, TEXT("volumeMode")))
        check_error(w, FIELD_INVALID, PATH_FIELD(NULL, "volumeMode"), mode ? mode : &value_null,
                    "field is immutable");
    if (differs_at(v, old, TEXT("volumeAttributesClassName")) && !value_text(attributes).n &&
        value_at(w->old, "status", "currentVolumeAttributesClassName", NULL))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "volumeAttributesClassName"), NULL,
                    "update to %s is forbidden when status.currentVolumeAttributesClassName is not nil",
                    attributes ? "empty string" : "nil");
}

/* Of a claim that a pod brings along: labels and annotations are all that its metadata may say. */
CHECK(claim_template)
{
    const struct value *metadata = value_get(v, TEXT("metadata"));
    const struct field_path *path = PATH_FIELD(at, "metadata");

    check_annotations(w, PATH_FIELD(path, "annotations"), value_get(metadata, TEXT("annotations")), NULL);
    check_labels(w, PATH_FIELD(path, "labels"), value_get(metadata, TEXT("labels")), NULL);
    for (uint32_t i = 0; i < n_items(metadata); i++) {
        struct text name = member_key(&metadata->members[i]);
        if (!text_is(name, "labels") && !text_is(name, "annotations") &&
            !value_is_empty(&metadata->members[i].value))
            check_error(w, FIELD_FORBIDDEN, &(struct field_path){path, name, PATH_NAME}, NULL,
                        "cannot be set");
    }
}

CHECK(amounts)
{
    for (uint32_t i = 0; i < n_items(v); i++)
        if (quantity_sign(value_text(&v->members[i].value)) < 0)
            check_error(w, FIELD_INVALID, PATH_OF_KEY(at, member_key(&v->members[i])), &v->members[i].value,
                        "must be a valid resource quantity");
}

/* --- volumes --- */

CHECK(volume_capacity)
{
    static const char *const names[] = {"storage"};

    if (!value_get(v, TEXT("storage")) || v->n > 1)
        field_not_supported(w->errs, field_path_str(w->errs->arena, at), v ? v : &value_null, names, 1);
    for (uint32_t i = 0; i < n_items(v); i++) {
        const struct value *amount = &v->members[i].value;
        const struct field_path *path = PATH_OF_KEY(at, member_key(&v->members[i]));
        if (quantity_sign(value_text(amount)) < 0)
            check_error(w, FIELD_INVALID, path, amount, "must be a valid resource quantity");
        if (quantity_sign(value_text(amount)) <= 0)
            check_error(w, FIELD_INVALID, path, amount, "must be greater than zero");
    }
}

CHECK(volume_update)
{
    static const struct text no_source[] = {TEXT("capacity"),
                                            TEXT("accessModes"),
                                            TEXT("claimRef"),
                                            TEXT("persistentVolumeReclaimPolicy"),
                                            TEXT("storageClassName"),
                                            TEXT("mountOptions"),
                                            TEXT("volumeMode"),
                                            TEXT("nodeAffinity"),
                                            TEXT("volumeAttributesClassName"),
                                            TEXT("csi")};
    static const struct text secret[] = {TEXT("controllerExpandSecretRef")};
    const struct value *csi = value_get(v, TEXT("csi")), *old_csi = value_get(old, TEXT("csi")),
                       *mode = value_get(v, TEXT("volumeMode"));
    const struct value *affinity = value_get(v, TEXT("nodeAffinity"));
    bool may_get_secret = csi && old_csi && !is_set(old_csi, secret[0]);

    if (!old || old->kind != VALUE_OBJECT)
        return;
    if (differs_besides(v, old, no_source, N_ELEMENTS(no_source)) ||
        is_set(v, TEXT("csi")) != is_set(old, TEXT("csi")) ||
        differs_besides(csi, old_csi, secret, may_get_secret))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "persistentvolumesource"), NULL,
                    "spec.persistentvolumesource is immutable after creation");
    if (differs_at(v, old, TEXT("volumeMode")))
        check_error(w, FIELD_INVALID, PATH_FIELD(NULL, "volumeMode"), mode ? mode : &value_null,
                    "field is immutable");
    if (is_set(old, TEXT("nodeAffinity")) && differs_at(v, old, TEXT("nodeAffinity")))
        check_error(w, FIELD_INVALID, PATH_FIELD(NULL, "nodeAffinity"), affinity ? affinity : &value_null,
                    "field is immutable, except for updating from beta label to GA");
    if (is_set(old, TEXT("volumeAttributesClassName")) && !is_set(v, TEXT("volumeAttributesClassName")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "volumeAttributesClassName"), NULL,
                    "update from non-nil value to nil is forbidden");
}
