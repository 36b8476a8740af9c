/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysAllow and AlwaysDeny. The latter has no opinion rather than a veto, so that modes behind it count.
 * Source: kubernetes/apiserver pkg/authorization/authorizerfactory/builtin.go. */
#include "authz/modes.h"

static void allow(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs, struct authz_answer *ret)
{
    ret->decision = AUTHZ_ALLOW;
}

static void deny(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs, struct authz_answer *ret)
{
    ret->reason = TEXT("Everything is forbidden.");
}

static void list_everything(struct authz_mode *m, const struct user_info *user, struct text namespace,
                            struct authz_rules *rules)
{
    static const struct text star[] = {TEXT("*")};
    static const struct policy_rule every_resource = {.verbs = {star, 1}, .groups = {star, 1}, .resources = {star, 1}},
                                    every_path = {.verbs = {star, 1}, .urls = {star, 1}};

    authz_rules_add(rules, &every_resource);
    authz_rules_add(rules, &every_path);
}

static void always_free(struct authz_mode *m)
{
    free(m);
}

struct authz_mode *always_allow_new(void)
{
    struct authz_mode *m = xcalloc(1, sizeof(*m));

    m->type = "AlwaysAllow";
    m->name = "alwaysallow";
    m->authorize = allow;
    m->list_rules = list_everything;
    m->free = always_free;
    return m;
}

struct authz_mode *always_deny_new(void)
{
    struct authz_mode *m = always_allow_new();

    m->type = "AlwaysDeny";
    m->name = "alwaysdeny";
    m->authorize = deny;
    m->list_rules = NULL;
    return m;
}
