/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces as the others see them: they must exist before something is made in them, and take nothing new
 * while they end; three cannot be deleted. Source: kubernetes/apiserver
 * pkg/admission/plugin/namespace/lifecycle/admission.go. */
#include "registry_internal.h"

static const struct text immortal[] = {TEXT("default"), TEXT("kube-system"), TEXT("kube-public")};

int namespace_check_create(struct operation *op, const struct value *obj, struct status *st)
{
    const struct resource_type *type = op->resource->type;
    const struct value *metadata = metadata_of(obj);
    struct value tree;

    if (!type->is_namespaced || !op->namespace.n || !op->registry->namespaces)
        return 0; /* validation asks for a namespace */
    CLEANUP(object_unrefp) struct object *ns = cache_get(op->registry->namespaces->cache, op->namespace);
    if (!ns)
        return status_not_found(st, TEXT_NONE, TEXT("namespaces"), op->namespace);
    if (!ns->is_deleting)
        return 0;
    if (ns->is_unreadable || object_tree(op->arena, ns, &tree, st) < 0)
        return status_internal_error(st, "the stored namespace %.*s cannot be read", TEXT_ARG(op->namespace));
    if (!text_is(value_text(value_at(&tree, "status", "phase", NULL)), "Terminating"))
        return 0;
    struct text name = value_get_text(metadata, TEXT("name"));
    if (!name.n)
        name = value_get_text(metadata, TEXT("generateName"));
    status_forbidden(
        st, type->group, type->name, name,
        arena_printf(op->arena,
                     "unable to create new content in namespace %.*s because it is being terminated",
                     TEXT_ARG(op->namespace)));
    status_add_cause(st, "NamespaceTerminating", "metadata.namespace", "namespace %.*s is being terminated",
                     TEXT_ARG(op->namespace));
    return -1;
}

int namespace_check_delete(struct operation *op, struct status *st)
{
    const struct resource_type *type = op->resource->type;

    if (type->group.n || !text_is(type->name, "namespaces"))
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(immortal); i++) {
        if (text_eq(op->name, immortal[i]))
            return status_forbidden(st, type->group, type->name, op->name,
                                    "this namespace may not be deleted");
    }
    return 0;
}
