/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - a registry with an authorizer over it, and short questions to that. Each test runs in a process
 * of its own. */
#pragma once

#include "authz.h"
#include "authz/rbac.h"

#include "registry/world.h"

static struct world w;
static struct authorizer *authorizer;
static struct authz_mode *the_mode;

static inline void policy_start(const char *mode)
{
    const struct authz_options opt = {.registry = (world_start(&w), w.registry)};
    struct status st = {0};

    if (authz_mode_new(text_of(mode), &opt, &the_mode, &st) < 0)
        ck_abort_msg("%s", st.message);
    authorizer = authorizer_new(&the_mode, 1);
}
static inline void policy_stop(void)
{
    authorizer_free(authorizer);
    world_stop(&w);
}

/* "jane", or "jane group1 group2". */
static inline struct user_info user_of(const char *names)
{
    struct user_info *u = ARENA_NEW(w.arena, struct user_info);
    struct text rest = text_of(names), part;

    u->groups = ARENA_ARRAY(w.arena, struct text, 16);
    text_split(&rest, ' ', &u->name);
    while (text_split(&rest, ' ', &part))
        u->groups[u->n_groups++] = part;
    return *u;
}

/* "get NS RESOURCE[.GROUP][/SUB] NAME", "-" for what is not there; "get /path". field: "spec.nodeName=n1" or
 * NULL. */
static inline struct authz_answer ask(const char *user, const char *question, const char *field)
{
    struct user_info u = user_of(user);
    struct request_info info = {0};
    struct text rest = text_of(question), what;
    struct selector fields = {0};
    struct status st = {0};
    struct authz_attributes attrs = {.user = &u, .info = &info, .may_block = true};
    struct authz_answer answer;

    text_split(&rest, ' ', &info.verb);
    if (text_starts(rest, TEXT("/"))) {
        attrs.path = rest;
    } else {
        info.is_resource = true;
        text_split(&rest, ' ', &info.namespace);
        text_split(&rest, ' ', &what);
        info.name = rest.p && !text_is(rest, "-") ? rest : TEXT_NONE;
        if (text_is(info.namespace, "-"))
            info.namespace = TEXT_NONE;
        text_split(&what, '/', &info.group);
        info.subresource = what;
        what = info.group;
        text_split(&what, '.', &info.resource);
        info.group = what;
    }
    if (field) {
        ck_assert_int_eq(authz_parse_fields(w.arena, text_of(field), &fields, &st), 0);
        attrs.fields = &fields;
    }
    authorizer_ask(authorizer, w.arena, &attrs, &answer);
    return answer;
}
#define ck_allowed(user, question) \
    ck_assert_msg(ask(user, question, NULL).decision == AUTHZ_ALLOW, "%s: %s", user, question)
#define ck_refused(user, question) \
    ck_assert_msg(ask(user, question, NULL).decision != AUTHZ_ALLOW, "%s: %s", user, question)

/* Watches are told after the writer is: once another write is done, of the one before. */
static inline void settle(void)
{
    static int n;

    world_namespace(&w, arena_printf(w.arena, "settle-%d", n++));
}

#define RBAC "rbac.authorization.k8s.io/v1"
static inline void make(const char *api_version, const char *resource, const char *ns, const char *json)
{
    struct operation op = {0};

    if (world_create(&w, &op, api_version, resource, ns, json))
        ck_abort_msg("%s: %s", json, op.st.message);
    operation_clear(&op);
    settle();
}
static inline void change(const char *api_version, const char *resource, const char *ns, const char *name,
                          const char *patch)
{
    struct operation op = {0};

    if (world_merge(&w, &op, api_version, resource, ns, name, patch))
        ck_abort_msg("%s: %s", name, op.st.message);
    operation_clear(&op);
    settle();
}
static inline void drop(const char *api_version, const char *resource, const char *ns, const char *name)
{
    struct operation op = {0};

    ck_assert_int_eq(world_delete(&w, &op, api_version, resource, ns, name, NULL), 0);
    operation_clear(&op);
    settle();
}
static inline void make_binding(const char *ns, const char *name, const char *kind, const char *role,
                                const char *subject)
{
    make(RBAC, *ns ? "rolebindings" : "clusterrolebindings", ns,
         arena_printf(
             w.arena,
             "{\"metadata\":{\"name\":\"%s\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\","
             "\"kind\":\"%s\",\"name\":\"%s\"},\"subjects\":[%s]}",
             name, kind, role, subject));
}
static inline void make_role(const char *ns, const char *name, const char *rules)
{
    make(RBAC, *ns ? "roles" : "clusterroles", ns,
         arena_printf(w.arena, "{\"metadata\":{\"name\":\"%s\"},\"rules\":[%s]}", name, rules));
}
