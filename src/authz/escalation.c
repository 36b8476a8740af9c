/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody grants what he does not have: who writes a role must hold every rule in it or have the verb
 * "escalate" on it; who writes a binding must hold all that the role grants or have the verb "bind" on the
 * role. An aggregation rule can gather anything, so it takes every right there is. Writes of the server
 * itself and of system:masters pass, and those that only change what deletion needs. Source: kubernetes
 * pkg/registry/rbac/escalation_check.go, helpers.go, pkg/registry/rbac/<type>/policybased/storage.go,
 * pkg/registry/rbac/validation/rule.go. */
#include "authz/modes.h"
#include "authz/rbac.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* A write under examination. */
struct check {
    struct authorizer *authorizer;
    struct operation *op;
    const struct value *obj, *old;
    struct status *st;
};

/* --- what needs no check --- */

static bool same_but_for(const struct value *x, const struct value *y, const char *const *but)
{
    for (size_t i = 0; x && x->kind == VALUE_OBJECT && i < x->n; i++) {
        struct text key = member_key(&x->members[i]);
        const struct value *other = value_get(y, key);
        bool is_out = false;
        for (size_t k = 0; but[k]; k++)
            is_out |= text_is(key, but[k]);
        if (!is_out && !(value_is_empty(&x->members[i].value) && value_is_empty(other)) &&
            (!other || !value_equal(&x->members[i].value, other)))
            return false;
    }
    return true;
}

/* Nothing differs but owners, finalizers and the notes on who manages what. */
static bool changes_only_collection(const struct value *obj, const struct value *old)
{
    static const char *const metadata_but[] = {"ownerReferences", "finalizers", "managedFields",
                                               "resourceVersion", NULL};
    static const char *const but[] = {"metadata", NULL};
    const struct value *now = value_get(obj, TEXT("metadata")), *before = value_get(old, TEXT("metadata"));

    return old && same_but_for(obj, old, but) && same_but_for(old, obj, but) &&
           same_but_for(now, before, metadata_but) && same_but_for(before, now, metadata_but);
}

/* --- asking --- */

static bool may(const struct check *c, const char *verb, struct text group, struct text resource,
                struct text name)
{
    const struct request_info info = {.is_resource = true,
                                      .verb = text_of(verb),
                                      .group = group,
                                      .version = TEXT("*"),
                                      .resource = resource,
                                      .namespace = c->op->namespace,
                                      .name = name};
    const struct authz_attributes attrs = {.user = c->op->user, .info = &info, .may_block = c->op->may_block};
    struct authz_answer answer;

    return authorizer_ask(c->authorizer, c->op->arena, &attrs, &answer) == AUTHZ_ALLOW;
}

static int compare_texts(const void *a, const void *b)
{
    return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

/* Each missing rule in a line, sorted, without repeats. */
static void print_missing(struct buffer *b, struct arena *a, struct policy_rule *missing, size_t n)
{
    n = rules_compact(a, missing, n);
    struct text *lines = ARENA_ARRAY(a, struct text, n);
    for (size_t i = 0; i < n; i++) {
        struct buffer line = BUFFER_IN(a);
        rule_print(&line, &missing[i]);
        lines[i] = buffer_text(&line);
    }
    qsort(lines, n, sizeof(*lines), compare_texts);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !text_eq(lines[i], lines[i - 1]))
            buffer_addf(b, "\n%.*s", TEXT_ARG(lines[i]));
}

/* NULL: the user holds all of the rules; else why not. */
static const char *lacks(const struct check *c, const struct policy_rule *rules, size_t n)
{
    struct arena *a = c->op->arena;
    const struct user_info *user = c->op->user;
    struct authz_rules own = {.arena = a};
    struct policy_rule *missing;
    struct buffer b = BUFFER_IN(a);
    size_t n_missing;

    rbac_rules_for(c->authorizer->rbac, user, c->op->namespace, &own);
    n_missing = rules_missing(a, own.p, own.n, rules, n, &missing);
    if (!n_missing)
        return NULL;
    buffer_add_str(&b, "user ");
    buffer_add_quoted(&b, user->name);
    buffer_add_str(&b, " (groups=");
    texts_print(&b, (struct text_span){user->groups, user->n_groups});
    buffer_add_str(&b, ") is attempting to grant RBAC permissions not currently held:");
    print_missing(&b, a, missing, n_missing);
    if (own.errors.n)
        buffer_addf(&b, "; resolution errors: [%.*s]", TEXT_ARG(own.errors.p[0]));
    return buffer_str(&b);
}

static int forbid(const struct check *c, const char *why)
{
    const struct resource_type *type = c->op->resource->type;

    return status_forbidden(c->st, type->group, type->name,
                            value_get_text(value_get(c->obj, TEXT("metadata")), TEXT("name")), why);
}

/* --- roles --- */

static bool aggregates(const struct value *role)
{
    return role && value_get(role, TEXT("aggregationRule")) != NULL;
}

static int check_role(const struct check *c)
{
    static const struct text star[] = {TEXT("*")};
    static const struct policy_rule everything[] = {
        {.verbs = {star, 1}, .groups = {star, 1}, .resources = {star, 1}},
        {.verbs = {star, 1}, .urls = {star, 1}}};
    const struct resource_type *type = c->op->resource->type;
    const char *why;
    size_t n;

    if (may(c, "escalate", type->group, type->name, c->op->name))
        return 0;
    const struct policy_rule *rules = rules_of_value(c->op->arena, value_get(c->obj, TEXT("rules")), &n);
    if ((why = lacks(c, rules, n)))
        return forbid(c, why);
    if ((aggregates(c->obj) || aggregates(c->old)) && lacks(c, everything, N_ELEMENTS(everything)))
        return forbid(c, "must have cluster-admin privileges to use the aggregationRule");
    return 0;
}

/* --- bindings --- */

static int check_binding(const struct check *c)
{
    const struct resource_type *type = c->op->resource->type;
    const struct value *ref = value_get(c->obj, TEXT("roleRef"));
    struct text kind = value_get_text(ref, TEXT("kind")), name = value_get_text(ref, TEXT("name"));
    enum rbac_role_kind role_kind = rbac_role_kind_of(kind);
    const char *why;

    if (role_kind == RBAC_OTHER_ROLE) {
        struct buffer b = BUFFER_IN(c->op->arena);
        buffer_add_quoted(&b, kind);
        return status_internal_error(c->st, "unsupported role reference kind: %s", buffer_str(&b));
    }
    if (may(c, "bind", value_get_text(ref, TEXT("apiGroup")),
            role_kind == RBAC_ROLE ? TEXT("roles") : TEXT("clusterroles"), name))
        return 0;
    CLEANUP(rbac_index_unrefp) struct rbac_index *index = rbac_index_get(c->authorizer->rbac);
    const struct rbac_role *role =
        rbac_find_role(c->authorizer->rbac, index, role_kind, c->op->namespace, name);
    if (!role) /* upstream's store names the resource of the request, not the role's */
        return status_not_found(c->st, type->group, type->name, name);
    return (why = lacks(c, role->rules, role->n)) ? forbid(c, why) : 0;
}

static int check_write(void *ctx, struct operation *op, const struct value *obj, const struct value *old,
                       struct status *st)
{
    const struct check c = {ctx, op, obj, old, st};

    if (!op->user || user_in_group(op->user, TEXT("system:masters")) || changes_only_collection(obj, old))
        return 0;
    return text_ends(op->resource->type->name, TEXT("roles")) ? check_role(&c) : check_binding(&c);
}

int authz_guard(struct authorizer *a, const struct authz_options *opt, struct status *st)
{
    static const char *const guarded[] = {"clusterroles", "clusterrolebindings", "roles", "rolebindings"};

    for (size_t i = 0; i < a->set->n && !a->rbac; i++)
        a->rbac = rbac_of_mode(a->set->modes[i]);
    if (!registry_find(opt->registry, TEXT(RBAC_GROUP), TEXT("v1"), TEXT("roles")))
        return 0;   /* nobody can write roles */
    if (!a->rbac) { /* what a role grants is to be known even where roles decide nothing */
        if (rbac_mode_new(opt, &a->own_rbac, st) < 0)
            return -1;
        a->rbac = rbac_of_mode(a->own_rbac);
    }
    for (size_t i = 0; i < N_ELEMENTS(guarded); i++)
        registry_guard(opt->registry, TEXT(RBAC_GROUP), text_of(guarded[i]),
                       (struct registry_guard){check_write, a});
    return 0;
}
