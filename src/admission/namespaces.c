/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that look at the namespace of a request. NamespaceLifecycle: it must exist, takes nothing new
 * while it ends, and three of them stay for ever. NamespaceExists is its half; NamespaceAutoProvision makes
 * the namespace instead. Other servers may have made or ended it a moment ago: the registry decides a refusal
 * anew on the newest state. Source: kubernetes/apiserver pkg/admission/plugin/namespace/lifecycle, kubernetes
 * plugin/pkg/admission/namespace. */
#include "admission/plugin.h"

static const struct text immortal[] = {TEXT("default"), TEXT("kube-system"), TEXT("kube-public")};

static bool is_namespace(const struct admission_attributes *a)
{
    return is_resource(a, "", "namespaces");
}

/* Whether there is a namespace would say too much to those who only ask what they may. */
static bool is_access_review(const struct admission_attributes *a)
{
    return is_resource(a, "authorization.k8s.io", "localsubjectaccessreviews");
}

static bool is_terminating(const struct admission_attributes *a, const struct object *ns)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct value tree;

    return ns->is_deleting && object_tree(a->arena, ns, &tree, &ignored) == 0 &&
           text_is(value_text(value_at(&tree, "status", "phase", NULL)), "Terminating");
}

static int check_lifecycle(void *state, struct admission_attributes *a, struct status *st)
{
    if (!a->namespace.n || is_namespace(a) || is_access_review(a))
        return 0;
    CLEANUP(object_unrefp)
    struct object *ns = admission_find_object(a, "", "v1", "namespaces", TEXT_NONE, a->namespace);
    if (!ns)
        return status_not_found(st, TEXT_NONE, TEXT("namespaces"), a->namespace);
    if (a->verb != ADMISSION_CREATE || !is_terminating(a, ns))
        return 0;
    admission_forbid(a, st, "unable to create new content in namespace %.*s because it is being terminated",
                     TEXT_ARG(a->namespace));
    status_add_cause(st, "NamespaceTerminating", "metadata.namespace", "namespace %.*s is being terminated",
                     TEXT_ARG(a->namespace));
    return -1;
}

static int keep_immortal(void *state, struct admission_attributes *a, struct status *st)
{
    for (size_t i = 0; i < N_ELEMENTS(immortal); i++)
        if (text_eq(a->name, immortal[i]))
            return admission_forbid(a, st, "this namespace may not be deleted");
    return 0;
}

static const struct admission_rule lifecycle_rules[] = {
    {TEXT("*"), TEXT("*"), TEXT("*"), CREATE | UPDATE, .admit = check_lifecycle},
    {TEXT(""), TEXT("namespaces"), TEXT("*"), DELETE, .admit = keep_immortal},
};
const struct admission_plugin plugin_namespace_lifecycle = {"NamespaceLifecycle", true,
                                                            RULES(lifecycle_rules)};

/* --- NamespaceExists --- */

static int check_exists(void *state, struct admission_attributes *a, struct status *st)
{
    if (!a->namespace.n || is_namespace(a) ||
        admission_exists(a, "", "v1", "namespaces", TEXT_NONE, a->namespace))
        return 0;
    return status_not_found(st, TEXT_NONE, TEXT("namespaces"), a->namespace);
}

static const struct admission_rule exists_rules[] = {
    {TEXT("*"), TEXT("*"), TEXT("*"), CREATE | UPDATE | DELETE, .validate = check_exists},
};
const struct admission_plugin plugin_namespace_exists = {"NamespaceExists", false, RULES(exists_rules)};

/* --- NamespaceAutoProvision --- */

static bool lacks_namespace(void *state, const struct admission_attributes *a)
{
    return a->namespace.n && !is_namespace(a) && !is_access_review(a) &&
           !admission_exists(a, "", "v1", "namespaces", TEXT_NONE, a->namespace);
}

static int provide_namespace(void *state, struct admission_attributes *a, struct status *st)
{
    const struct resource *namespaces = registry_find(a->registry, TEXT_NONE, TEXT("v1"), TEXT("namespaces"));
    struct value object = value_object();
    int result;

    if (a->is_dry_run || !a->may_block || !namespaces || !lacks_namespace(state, a))
        return 0;
    value_set(a->arena, value_object_at(a->arena, &object, TEXT("metadata")), TEXT("name"),
              value_string(a->namespace));
    if (schema_decode(a->arena, namespaces->storage->kind->schema, &object, NULL, st) < 0)
        return -1;
    schema_default(a->arena, namespaces->storage->kind->schema, &object);
    struct operation op = {.kind = OPERATION_CREATE,
                           .registry = a->registry,
                           .resource = namespaces,
                           .arena = a->arena,
                           .object = object,
                           .field_manager = TEXT("kube-apiserver")};
    result = registry_run(&op);
    if (result < 0 && op.st.reason == STATUS_ALREADY_EXISTS)
        result = 0;
    else if (result < 0)
        status_move(st, &op.st);
    operation_clear(&op);
    return result;
}

static const struct admission_rule provision_rules[] = {
    {TEXT("*"), TEXT("*"), TEXT("*"), CREATE, .admit = provide_namespace, .may_wait = lacks_namespace},
};
const struct admission_plugin plugin_namespace_auto_provision = {"NamespaceAutoProvision", false,
                                                                 RULES(provision_rules)};
