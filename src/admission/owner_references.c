/* SPDX-License-Identifier: Apache-2.0 */
/* OwnerReferencesPermissionEnforcement: who changes owners must be allowed to delete the object, and who makes it hold up an owner's
 * deletion must be allowed to set the owner's finalizers. Source: kubernetes plugin/pkg/admission/gc/gc_admission.go. */
#include "admission/plugin.h"

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    *ret_state = c->opt->authz;
    return 0;
}

static bool may_wait(void *authz, const struct admission_attributes *a)
{
    return authz && authorizer_may_block(authz);
}

/* *ret_reason: why not. */
static bool may(void *authz, const struct admission_attributes *a, struct request_info info,
                struct text *ret_reason)
{
    const struct authz_attributes attrs = {.user = a->user, .info = &info, .may_block = a->may_block};
    struct authz_answer answer = {0};
    bool is_allowed = !authz || authorizer_ask(authz, a->arena, &attrs, &answer) == AUTHZ_ALLOW;

    *ret_reason = answer.reason;
    return is_allowed;
}

static bool may_finalize(void *authz, const struct admission_attributes *a, struct text group,
                         struct text version, struct text resource, struct text namespace, struct text name,
                         struct text *ret_reason)
{
    return may(authz, a,
               (struct request_info){.is_resource = true,
                                     .verb = TEXT("update"),
                                     .group = group,
                                     .version = version,
                                     .resource = resource,
                                     .subresource = TEXT("finalizers"),
                                     .namespace = namespace,
                                     .name = name},
               ret_reason);
}

static bool is_blocking(const struct value *owner)
{
    return value_get_bool(owner, TEXT("blockOwnerDeletion"), false);
}

/* Did the old object hold up the same owner already? */
static bool was_blocking(const struct value *old, struct text uid)
{
    const struct value *owners = value_get(metadata_of(old), TEXT("ownerReferences"));

    for (size_t i = 0; i < list_size(owners); i++)
        if (text_eq(text_at(&owners->items[i], "uid"), uid) && is_blocking(&owners->items[i]))
            return true;
    return false;
}

/* Of all resources of the owner's kind. */
static int check_owner(void *authz, const struct admission_attributes *a, const struct value *owner,
                       struct status *st)
{
    struct text group, version, reason, kind = text_at(owner, "kind");
    bool is_found = false;

    group_version_parse(text_at(owner, "apiVersion"), &group, &version);
    for (const struct resource *r = registry_resources(a->registry); r; r = r->next) {
        const struct resource_type *type = r->type;
        if (!text_eq(type->group, group) || !text_eq(type->version, version) ||
            !text_eq(type->kind->gvk.kind, kind))
            continue;
        is_found = true;
        if (!may_finalize(authz, a, group, version, type->name,
                          type->is_namespaced ? a->namespace : TEXT_NONE, text_at(owner, "name"), &reason))
            return admission_forbid(
                a, st,
                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set "
                "finalizers on: %.*s, <nil>",
                TEXT_ARG(reason));
    }
    if (is_found)
        return 0;
    return admission_forbid(
        a, st,
        "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion %.*s Kind "
        "%.*s: no matches for kind \"%.*s\" in version \"%.*s\"",
        TEXT_ARG(text_at(owner, "apiVersion")), TEXT_ARG(kind), TEXT_ARG(kind),
        TEXT_ARG(text_at(owner, "apiVersion")));
}

static int check(void *authz, struct admission_attributes *a, struct status *st)
{
    const struct value *now = value_get(metadata_of(a->object), TEXT("ownerReferences"));
    const struct value *before = value_get(metadata_of(a->old), TEXT("ownerReferences"));
    struct request_info deletion = {.is_resource = true,
                                    .verb = TEXT("delete"),
                                    .group = a->resource->type->group,
                                    .version = a->resource->type->version,
                                    .resource = a->resource->type->name,
                                    .subresource = a->sub ? a->sub->name : TEXT_NONE,
                                    .namespace = a->namespace,
                                    .name = a->name};
    struct text star = TEXT("*"), reason;
    bool may_all = false;

    /* A pod's status changes nothing of its metadata. */
    if (same_value(now, before) || (is_resource(a, "", "pods") && is_sub(a, "status")))
        return 0;
    if (a->old && !may(authz, a, deletion, &reason))
        return admission_forbid(a, st, "cannot set an ownerRef on a resource you can't delete: %.*s, <nil>",
                                TEXT_ARG(reason));
    for (size_t i = 0; i < list_size(now); i++) {
        if (!is_blocking(&now->items[i]) || was_blocking(a->old, text_at(&now->items[i], "uid")))
            continue;
        may_all = may_all || may_finalize(authz, a, star, star, star, TEXT_NONE, star, &reason);
        if (!may_all && check_owner(authz, a, &now->items[i], st) < 0)
            return -1;
    }
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT("*"), TEXT("*"), TEXT("*"), CREATE | UPDATE, .validate = check, .may_wait = may_wait},
};
const struct admission_plugin plugin_owner_references = {"OwnerReferencesPermissionEnforcement", false,
                                                         RULES(rules), .start = start};
