/* SPDX-License-Identifier: Apache-2.0 */
/* RBAC: rules, what covers what, and decisions that follow roles and bindings as these come and go. */
#include <pthread.h>

#include "unit.h"

#include "authz/policy.h"
#include "storage/cache_internal.h"

/* --- rules --- */

static struct policy_rule rule_of(const char *json)
{
    struct status st = {0};
    struct value v;

    ck_assert_int_eq(json_read(w.arena, text_of(json), NULL, &v, &st), 0);
    return rule_of_value(w.arena, &v);
}

static const struct {
    const char *rule, *verb, *group, *resource, *sub, *name;
    bool allows;
} rule_rows[] = {
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "get", "", "pods", "", "x", true},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "list", "", "pods", "", "",
     false},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "get", "apps", "pods", "", "",
     false},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "get", "", "pods", "log", "x",
     false},
    {"{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}", "frob", "x", "y", "z", "n", true},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*\"]}", "get", "", "pods", "log", "x", true},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"]}", "get", "", "pods", "log", "x",
     true},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"]}", "get", "", "pods", "", "x",
     false},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/status\"]}", "get", "", "pods", "status",
     "x", true},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/status\"]}", "get", "", "pods", "log", "x",
     false},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/*\"]}", "get", "", "pods", "log", "x",
     false},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"resourceNames\":[\"x\"]}", "get",
     "", "pods", "", "x", true},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"resourceNames\":[\"x\"]}", "get",
     "", "pods", "", "y", false},
    {"{\"verbs\":[\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"resourceNames\":[\"x\"]}", "list",
     "", "pods", "", "", false},
    {"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"*\"]}", "get", "", "pods", "", "", false},
};
static const struct {
    const char *urls, *path;
    bool allows;
} path_rows[] = {
    {"[\"/healthz\"]", "/healthz", true},
    {"[\"/healthz\"]", "/healthz/etcd", false},
    {"[\"/healthz*\"]", "/healthz/etcd", true},
    {"[\"/api/*\"]", "/api", false},
    {"[\"/api/*\"]", "/api/v1", true},
    {"[\"*\"]", "/x", true},
    {"[\"/a**\"]", "/ab", true},
};

START_TEST(a_rule_allows_what_matches_in_every_respect)
{
    char scratch[RULE_SCRATCH_BYTES];
    struct rule_query q;
    struct user_info nobody = {0};

    w.arena = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rule_rows); i++) {
        const struct request_info info = {.is_resource = true,
                                          .verb = text_of(rule_rows[i].verb),
                                          .group = text_of(rule_rows[i].group),
                                          .resource = text_of(rule_rows[i].resource),
                                          .subresource = text_of(rule_rows[i].sub),
                                          .name = text_of(rule_rows[i].name)};
        const struct authz_attributes attrs = {.user = &nobody, .info = &info};
        struct policy_rule rule = rule_of(rule_rows[i].rule);
        rule_query_init(&q, &attrs, w.arena, scratch);
        ck_assert_msg(rule_allows(&rule, &q) == rule_rows[i].allows, "row %zu", i);
    }
    for (size_t i = 0; i < N_ELEMENTS(path_rows); i++) {
        const struct request_info info = {.verb = TEXT("get")};
        const struct authz_attributes attrs = {
            .user = &nobody, .info = &info, .path = text_of(path_rows[i].path)};
        struct policy_rule rule =
            rule_of(arena_printf(w.arena, "{\"verbs\":[\"get\"],\"nonResourceURLs\":%s}", path_rows[i].urls));
        rule_query_init(&q, &attrs, w.arena, scratch);
        ck_assert_msg(rule_allows(&rule, &q) == path_rows[i].allows, "%s %s", path_rows[i].urls,
                      path_rows[i].path);
    }
    arena_free(w.arena);
}
END_TEST

/* What the owner lacks of the servant, printed as a 403 does. */
static const struct {
    const char *owner, *servant, *missing;
} cover_rows[] = {
    {"{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"secrets\"]}",
     "{\"verbs\":[\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"secrets\"]}", ""},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}",
     "{\"verbs\":[\"get\",\"list\",\"watch\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}",
     "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\" \"watch\"]}"},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"resourceNames\":[\"a\"]}",
     "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}",
     "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}"},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}",
     "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"resourceNames\":[\"a\"]}", ""},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"*\"],\"resources\":[\"*/scale\"]}",
     "{\"verbs\":[\"get\"],\"apiGroups\":[\"apps\"],\"resources\":[\"deployments/scale\"]}", ""},
    {"{\"verbs\":[\"get\"],\"apiGroups\":[\"apps\"],\"resources\":[\"deployments\"]}",
     "{\"verbs\":[\"get\"],\"apiGroups\":[\"apps\"],\"resources\":[\"*\"]}",
     "{APIGroups:[\"apps\"], Resources:[\"*\"], Verbs:[\"get\"]}"},
    {"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/api/*\"]}",
     "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/api/v1\",\"/metrics\"]}",
     "{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}"},
    {"{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}",
     "{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}", "{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"},
};

START_TEST(what_one_rule_lacks_of_another)
{
    w.arena = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(cover_rows); i++) {
        struct policy_rule owner = rule_of(cover_rows[i].owner), servant = rule_of(cover_rows[i].servant),
                           *missing;
        size_t n = rules_missing(w.arena, &owner, 1, &servant, 1, &missing);
        struct buffer b = BUFFER_IN(w.arena);
        n = rules_compact(w.arena, missing, n);
        for (size_t k = 0; k < n; k++)
            rule_print(&b, &missing[k]);
        ck_assert_str_eq(buffer_str(&b), cover_rows[i].missing);
    }
    arena_free(w.arena);
}
END_TEST

/* --- decisions --- */

#define READ_PODS "{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}"
#define USER(n) "{\"kind\":\"User\",\"name\":\"" n "\",\"apiGroup\":\"rbac.authorization.k8s.io\"}"
#define GROUP(n) "{\"kind\":\"Group\",\"name\":\"" n "\",\"apiGroup\":\"rbac.authorization.k8s.io\"}"

START_TEST(bindings_of_both_kinds_allow_and_say_why)
{
    static const struct {
        const char *user, *question, *reason; /* reason NULL: refused */
    } rows[] = {
        {"jane", "get ns pods x", "RBAC: allowed by RoleBinding \"b/ns\" of Role \"r\" to User \"jane\""},
        {"jane", "get other pods x", NULL},
        {"jane", "list - pods", NULL},
        {"jane", "get ns pods/log x", NULL},
        {"joe dev", "list ns pods", "RBAC: allowed by RoleBinding \"b/ns\" of Role \"r\" to Group \"dev\""},
        {"joe devs", "list ns pods", NULL},
        {"system:serviceaccount:ns:sa", "list ns pods",
         "RBAC: allowed by RoleBinding \"b/ns\" of Role \"r\" to ServiceAccount \"sa/ns\""},
        {"system:serviceaccount:other:sa", "list ns pods", NULL},
        {"joe ops", "list any pods",
         "RBAC: allowed by ClusterRoleBinding \"c\" of ClusterRole \"r\" to Group \"ops\""},
        {"joe ops", "list - pods",
         "RBAC: allowed by ClusterRoleBinding \"c\" of ClusterRole \"r\" to Group \"ops\""},
        {"ann", "get ns pods x",
         "RBAC: allowed by RoleBinding \"d/ns\" of ClusterRole \"r\" to User \"ann\""},
        {"ann", "list - pods", NULL},
        {"joe ops", "get /healthz", NULL},
        {"", "get ns pods x", NULL},
    };

    policy_start("RBAC");
    make_role("ns", "r", READ_PODS);
    make_role("", "r", READ_PODS);
    make_binding(
        "ns", "b", "Role", "r",
        USER("jane") "," GROUP("dev") ",{\"kind\":\"ServiceAccount\",\"name\":\"sa\"}," USER("jane"));
    make_binding("ns", "d", "ClusterRole", "r", USER("ann"));
    make_binding("", "c", "ClusterRole", "r", GROUP("ops"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct authz_answer a = ask(rows[i].user, rows[i].question, NULL);
        ck_assert_msg((a.decision == AUTHZ_ALLOW) == (rows[i].reason != NULL), "%s: %s", rows[i].user,
                      rows[i].question);
        if (rows[i].reason)
            ck_assert_str_eq(arena_str(w.arena, a.reason), rows[i].reason);
        else
            ck_assert_int_eq(a.reason.n, 0);
    }
    policy_stop();
}
END_TEST

START_TEST(decisions_follow_every_change)
{
    policy_start("RBAC");
    make_binding("ns", "b", "Role", "r", USER("jane"));
    struct authz_answer a = ask("jane", "get ns pods x", NULL);
    ck_assert_str_eq(arena_str(w.arena, a.reason), "RBAC: role.rbac.authorization.k8s.io \"r\" not found");
    make_binding("", "c", "ClusterRole", "no", USER("jane"));
    a = ask("jane", "get ns pods x", NULL);
    ck_assert_str_eq(arena_str(w.arena, a.reason),
                     "RBAC: [clusterrole.rbac.authorization.k8s.io \"no\" not found, "
                     "role.rbac.authorization.k8s.io \"r\" not found]");
    make_role("ns", "r", READ_PODS);
    ck_allowed("jane", "get ns pods x");
    change(RBAC, "roles", "ns", "r", "{\"rules\":[]}");
    ck_refused("jane", "get ns pods x");
    change(RBAC, "roles", "ns", "r", "{\"rules\":[" READ_PODS "]}");
    ck_allowed("jane", "get ns pods x");
    change(RBAC, "rolebindings", "ns", "b", "{\"subjects\":[" USER("joe") "]}");
    ck_refused("jane", "get ns pods x");
    ck_allowed("joe", "get ns pods x");
    drop(RBAC, "roles", "ns", "r");
    ck_refused("joe", "get ns pods x");
    make_role("ns", "r", READ_PODS);
    ck_allowed("joe", "get ns pods x");
    drop(RBAC, "rolebindings", "ns", "b");
    ck_refused("joe", "get ns pods x");
    policy_stop();
}
END_TEST

START_TEST(what_is_there_at_the_start_counts)
{
    policy_start("RBAC");
    make_role("", "r", READ_PODS);
    for (int i = 0; i < 200; i++)
        make_binding("ns", arena_printf(w.arena, "b%d", i), "ClusterRole", "r",
                     arena_printf(w.arena, USER("u%d"), i));
    authorizer_free(authorizer);
    const struct authz_options opt = {.registry = w.registry};
    struct status st = {0};
    ck_assert_int_eq(authz_mode_new(TEXT("RBAC"), &opt, &the_mode, &st), 0);
    authorizer = authorizer_new(&the_mode, 1);
    for (int i = 0; i < 200; i++)
        ck_allowed(arena_printf(w.arena, "u%d", i), "list ns pods");
    ck_refused("u200", "list ns pods");
    policy_stop();
}
END_TEST

START_TEST(rules_are_listed_once_with_their_errors)
{
    struct authz_rules rules;
    struct user_info u;

    policy_start("RBAC");
    make_role("", "r", READ_PODS ",{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/x\"]}");
    make_binding("", "c", "ClusterRole", "r", GROUP("ops") "," USER("jane"));
    make_binding("ns", "b", "Role", "none", USER("jane"));
    u = user_of("jane ops");
    rules = (struct authz_rules){.arena = w.arena};
    authorizer_list_rules(authorizer, &u, TEXT("ns"), &rules);
    ck_assert_int_eq(rules.n, 2);
    ck_assert(text_is(rules.p[0].resources.p[0], "pods") && text_is(rules.p[1].urls.p[0], "/x"));
    ck_assert(!rules.is_incomplete);
    ck_assert_int_eq(rules.errors.n, 1);
    ck_assert_str_eq(arena_str(w.arena, rules.errors.p[0]),
                     "role.rbac.authorization.k8s.io \"none\" not found");
    policy_stop();
}
END_TEST

/* As an engine does that has lost its place and loads everything anew: the watches end. */
START_TEST(a_store_that_is_loaded_anew_is_followed_on)
{
    struct workers *workers = workers_start(2, "test");
    struct status st = {0};
    struct snapshot snapshot;

    policy_start("RBAC");
    authorizer_free(authorizer);
    const struct authz_options opt = {.registry = w.registry, .workers = workers};
    ck_assert_int_eq(authz_mode_new(TEXT("RBAC"), &opt, &the_mode, &st), 0);
    authorizer = authorizer_new(&the_mode, 1);
    make_role("", "r", READ_PODS);
    make_binding("ns", "b", "ClusterRole", "r", USER("jane"));
    ck_allowed("jane", "get ns pods x");
    struct cache *bindings = world_resource(&w, RBAC, "rolebindings")->cache;
    cache_snapshot(bindings, &snapshot);
    snapshot_release(&snapshot);
    cache_replace(bindings, NULL, snapshot.revision); /* the binding is gone, and nobody was told so */
    for (int i = 0; i < 500 && ask("jane", "get ns pods x", NULL).decision == AUTHZ_ALLOW; i++)
        usleep(10000);
    ck_refused("jane", "get ns pods x");
    make_binding("ns", "c", "ClusterRole", "r", USER("joe"));
    ck_allowed("joe", "get ns pods x");
    change(RBAC, "clusterroles", "", "r", "{\"rules\":[]}");
    ck_refused("joe", "get ns pods x");
    authorizer_free(MOVE(authorizer));
    workers_stop(workers);
    policy_stop();
}
END_TEST

/* --- readers beside a writer --- */

static atomic_bool is_over;
static atomic_uint n_asked;

/* Jane may read by a binding that nobody touches, whatever else changes. */
static void *ask_for_ever(void *unused)
{
    struct arena *a = arena_new();
    struct text groups[] = {TEXT("g"), TEXT("h")};
    const struct user_info u = {.name = TEXT("jane"), .groups = groups, .n_groups = 2};
    const struct request_info info = {
        .is_resource = true, .verb = TEXT("get"), .namespace = TEXT("ns"), .resource = TEXT("pods")};
    const struct authz_attributes attrs = {.user = &u, .info = &info};
    struct authz_answer answer;

    while (!atomic_load(&is_over)) {
        if (authorizer_ask(authorizer, a, &attrs, &answer) != AUTHZ_ALLOW)
            abort();
        atomic_fetch_add(&n_asked, 1);
        arena_reset(a);
    }
    arena_free(a);
    return NULL;
}

START_TEST(readers_never_see_half_a_change)
{
    pthread_t threads[2];

    policy_start("RBAC");
    make_role("", "r", READ_PODS);
    make_binding("ns", "b", "ClusterRole", "r", USER("jane"));
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        ck_assert(thread_start(&threads[i], "asker", ask_for_ever, NULL));
    for (int i = 0; i < 60 || atomic_load(&n_asked) < 1000; i++) {
        make_role("ns", "other", READ_PODS);
        make_binding("ns", "a", "Role", "other", USER("jane") "," GROUP("g"));
        change(RBAC, "clusterroles", "", "r",
               arena_printf(w.arena, "{\"metadata\":{\"labels\":{\"n\":\"%d\"}}}", i));
        drop(RBAC, "rolebindings", "ns", "a");
        drop(RBAC, "roles", "ns", "other");
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
    policy_stop();
}
END_TEST

UNIT_MAIN("rbac", a_rule_allows_what_matches_in_every_respect, what_one_rule_lacks_of_another,
          bindings_of_both_kinds_allow_and_say_why, decisions_follow_every_change,
          what_is_there_at_the_start_counts, rules_are_listed_once_with_their_errors,
          a_store_that_is_loaded_anew_is_followed_on, readers_never_see_half_a_change)
