/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysAllow and AlwaysDeny. The latter has no opinion rather than a veto, so that modes behind it count.
 * Source: kubernetes/apiserver pkg/authorization/authorizerfactory/builtin.go. */
#include "authz/modes.h"

static void allow(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                  struct authz_answer *ret)
{
    ret->decision = AUTHZ_ALLOW;
}

static void deny(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                 struct authz_answer *ret)
{
    ret->reason = TEXT("Everything is forbidden.");
}

static void list_everything(struct authz_mode *m, const struct user_info *user, struct text namespace,
                            struct authz_rules *rules)
{
    static const struct text star[] = {TEXT("*")};
    static const struct policy_rule every_resource = {.verbs = {star, 1},
                                                      .groups = {star, 1},
                                                      .resources = {star, 1}},
                                    every_path = {.verbs = {star, 1}, .urls = {star, 1}};

    authz_rules_add(rules, &every_resource);
    authz_rules_add(rules, &every_path);
}

static void always_free(struct authz_mode *m)
{
    free(m);
}

static struct authz_mode *always_new(const char *type, const char *name)
{
    struct authz_mode *m = xcalloc(1, sizeof(*m));

    m->type = type;
    m->name = name;
    m->free = always_free;
    return m;
}

int always_allow_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    *ret = always_new("AlwaysAllow", "alwaysallow");
    (*ret)->authorize = allow;
    (*ret)->list_rules = list_everything;
    return 0;
}

int always_deny_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    *ret = always_new("AlwaysDeny", "alwaysdeny");
    (*ret)->authorize = deny;
    return 0;
}
