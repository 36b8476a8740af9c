/* SPDX-License-Identifier: Apache-2.0 */
/* The policy that a cluster begins with: as recorded, kept up, aggregated; and that nobody grants what he
 * lacks. */
#include "unit.h"

#include "authz/bootstrap.h"
#include "authz/policy.h"

static void bootstrap(void)
{
    struct status st = {0};

    if (authz_bootstrap(w.registry, &st) < 0 || authz_aggregate(w.registry, &st) < 0)
        ck_abort_msg("%s", st.message);
    settle();
}

static struct value stored(const char *resource, const char *ns, const char *name)
{
    struct object *o = NULL;
    struct status st = {0};
    struct value tree;

    if (registry_get(world_resource(&w, RBAC, resource), text_of(ns), text_of(name), &o, &st) < 0 ||
        object_tree(w.arena, o, &tree, &st) < 0)
        ck_abort_msg("%s", st.message);
    tree = value_copy_deep(w.arena, &tree);
    object_unref(o);
    return tree;
}

static size_t n_rules(const char *name)
{
    struct value tree = stored("clusterroles", "", name);
    const struct value *rules = value_get(&tree, TEXT("rules"));

    return rules && rules->kind == VALUE_LIST ? rules->n : 0;
}

START_TEST(a_fresh_cluster_has_the_recorded_policy)
{
    static const char *const resources[] = {"clusterroles", "clusterrolebindings", "roles", "rolebindings"};
    static const char *const keys[] = {"rules", "aggregationRule", "subjects", "roleRef"};
    struct status st = {0};

    policy_start("RBAC");
    world_namespace(&w, "kube-system");
    world_namespace(&w, "kube-public");
    ck_assert_int_eq(authz_bootstrap(w.registry, &st), 0);
    for (size_t i = 0; i < N_ELEMENTS(resources); i++) {
        struct buffer b = BUFFER_IN(w.arena);
        struct value list;
        const char *path = arena_printf(w.arena, "../shared/facts/live/rbac/%s.json", resources[i]);
        if (file_read(path, &b, &st) < 0) {
            printf("skipped: %s\n", st.message);
            status_clear(&st);
            continue;
        }
        ck_assert_int_eq(json_read(w.arena, buffer_text(&b), NULL, &list, &st), 0);
        ck_assert_int_gt(list.n, 6);
        ck_assert_int_eq(cache_count(world_resource(&w, RBAC, resources[i])->cache), list.n);
        for (size_t k = 0; k < list.n; k++) {
            const struct value *want = &list.items[k], *meta = value_get(want, TEXT("metadata"));
            const char *name = arena_str(w.arena, value_get_text(meta, TEXT("name")));
            struct value has =
                stored(resources[i], arena_str(w.arena, value_get_text(meta, TEXT("namespace"))), name);
            for (size_t m = 0; m < N_ELEMENTS(keys); m++) {
                const struct value *x = value_get(&has, text_of(keys[m])),
                                   *y = value_get(want, text_of(keys[m]));
                ck_assert_msg((value_is_empty(x) && value_is_empty(y)) || (x && y && value_equal(x, y)),
                              "%s %s", name, keys[m]);
            }
            ck_assert(
                value_equal(value_at(&has, "metadata", "labels", NULL), value_get(meta, TEXT("labels"))));
        }
    }
    policy_stop();
}
END_TEST

START_TEST(what_is_missing_comes_back_and_what_was_added_stays)
{
    policy_start("RBAC");
    world_namespace(&w, "kube-system");
    world_namespace(&w, "kube-public");
    bootstrap();
    size_t n = n_rules("system:kube-scheduler");
    change(RBAC, "clusterroles", "", "system:kube-scheduler",
           "{\"metadata\":{\"labels\":{\"mine\":\"1\",\"kubernetes.io/"
           "bootstrapping\":null}},\"rules\":[{\"verbs\":[\"get\"],"
           "\"apiGroups\":[\"x.io\"],\"resources\":[\"xs\"]}]}");
    change(RBAC, "clusterroles", "", "system:kube-dns",
           "{\"metadata\":{\"annotations\":{\"rbac.authorization.kubernetes.io/"
           "autoupdate\":\"false\"}},\"rules\":[]}");
    change(
        RBAC, "clusterrolebindings", "", "system:basic-user",
        "{\"subjects\":[{\"kind\":\"User\",\"name\":\"jane\",\"apiGroup\":\"rbac.authorization.k8s.io\"}]}");
    drop(RBAC, "clusterroles", "", "system:heapster");
    drop(RBAC, "clusterrolebindings", "", "system:discovery");
    make_binding("", "system:discovery", "ClusterRole", "view",
                 "{\"kind\":\"Group\",\"name\":\"x\",\"apiGroup\":\"rbac.authorization.k8s.io\"}");
    bootstrap();
    struct value role = stored("clusterroles", "", "system:kube-scheduler");
    ck_assert_int_gt(n_rules("system:kube-scheduler"), n); /* single parts of the rules, and the added one */
    ck_assert(text_is(value_text(value_at(&role, "metadata", "labels", "mine", NULL)), "1"));
    ck_assert(value_get(value_at(&role, "metadata", "labels", NULL), TEXT("kubernetes.io/bootstrapping")));
    ck_allowed("system:kube-scheduler", "create x pods/binding p");
    ck_allowed("system:kube-scheduler", "get - xs.x.io p");
    ck_assert_int_eq(n_rules("system:kube-dns"), 0);
    struct value basic = stored("clusterrolebindings", "", "system:basic-user");
    ck_assert_int_eq(value_get(&basic, TEXT("subjects"))->n, 2);
    ck_assert_int_gt(n_rules("system:heapster"), 0);
    struct value discovery = stored("clusterrolebindings", "", "system:discovery");
    ck_assert(text_is(value_text(value_at(&discovery, "roleRef", "name", NULL)), "system:discovery"));
    policy_stop();
}
END_TEST

START_TEST(aggregated_roles_follow_their_parts)
{
    policy_start("RBAC");
    world_namespace(&w, "kube-system");
    world_namespace(&w, "kube-public");
    bootstrap();
    ck_assert_int_eq(n_rules("view"), n_rules("system:aggregate-to-view"));
    ck_assert_int_eq(n_rules("edit"), n_rules("view") + n_rules("system:aggregate-to-edit"));
    make(RBAC, "clusterroles", "",
         "{\"metadata\":{\"name\":\"crd\",\"labels\":{\"rbac.authorization.k8s.io/"
         "aggregate-to-view\":\"true\"}},"
         "\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"x.io\"],\"resources\":[\"xs\"]}]}");
    bootstrap();
    make_binding("ns", "b", "ClusterRole", "edit",
                 "{\"kind\":\"User\",\"name\":\"jane\",\"apiGroup\":\"rbac.authorization.k8s.io\"}");
    ck_allowed("jane", "get ns xs.x.io p");
    drop(RBAC, "clusterroles", "", "crd");
    bootstrap();
    ck_refused("jane", "get ns xs.x.io p");
    policy_stop();
}
END_TEST

START_TEST(the_loop_aggregates_by_itself)
{
    struct workers *workers = workers_start(2, "test");
    struct aggregation *loop;
    struct status st = {0};

    policy_start("RBAC");
    ck_assert_int_eq(authz_aggregation_start(w.registry, workers, &loop, &st), 0);
    make(RBAC, "clusterroles", "",
         "{\"metadata\":{\"name\":\"all\"},\"rules\":[],\"aggregationRule\":{\"clusterRoleSelectors\":[{"
         "\"matchLabels\":{\"a\":\"b\"}}]}}");
    make(RBAC, "clusterroles", "",
         "{\"metadata\":{\"name\":\"part\",\"labels\":{\"a\":\"b\"}},\"rules\":[{\"verbs\":[\"get\"],"
         "\"apiGroups\":[\"\"],"
         "\"resources\":[\"pods\"]}]}");
    for (int i = 0; i < 500 && n_rules("all") == 0; i++)
        usleep(10000);
    ck_assert_int_eq(n_rules("all"), 1);
    authz_aggregation_stop(loop);
    workers_stop(workers);
    policy_stop();
}
END_TEST

/* --- escalation --- */

static struct user_info writer;

/* The message of the refusal; "" when it was allowed. */
static const char *try_create(const char *user, const char *resource, const char *ns, const char *json)
{
    struct operation op;
    const char *message = "";

    writer = user_of(user);
    world_op(&w, &op, OPERATION_CREATE, RBAC, resource, ns, NULL);
    op.object = world_tree(&w, op.resource, json);
    op.user = &writer;
    op.may_block = true;
    if (registry_run(&op) < 0)
        message = arena_strdup(w.arena, op.st.message);
    operation_clear(&op);
    settle();
    return message;
}

static const char *try_merge(const char *user, const char *resource, const char *ns, const char *name,
                             const char *patch)
{
    struct operation op;
    const char *message = "";

    writer = user_of(user);
    world_op(&w, &op, OPERATION_UPDATE, RBAC, resource, ns, name);
    op.user = &writer;
    op.transform = world_merge_json;
    world_change.json = patch;
    if (registry_run(&op) < 0)
        message = arena_strdup(w.arena, op.st.message);
    operation_clear(&op);
    settle();
    return message;
}

START_TEST(nobody_grants_what_he_lacks)
{
    struct status st = {0};
    const char *secrets =
        "{\"metadata\":{\"name\":\"s\"},\"rules\":[{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],"
        "\"resources\":[\"secrets\"]}]}";

    policy_start("RBAC");
    const struct authz_options opt = {.registry = w.registry};
    ck_assert_int_eq(authz_guard(authorizer, &opt, &st), 0);
    make_role("ns", "own", "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}");
    make_role("", "binder",
              "{\"verbs\":[\"bind\"],\"apiGroups\":[\"rbac.authorization.k8s.io\"],\"resources\":[\"roles\"],"
              "\"resourceNames\":[\"big\"]},{\"verbs\":[\"escalate\"],\"apiGroups\":[\"rbac.authorization."
              "k8s.io\"],"
              "\"resources\":[\"roles\"]}");
    make_role("ns", "big", "{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}");
    make_binding("ns", "own", "Role", "own",
                 "{\"kind\":\"User\",\"name\":\"jane\",\"apiGroup\":\"rbac.authorization.k8s.io\"}");
    make_binding("ns", "binder", "ClusterRole", "binder",
                 "{\"kind\":\"User\",\"name\":\"bo\",\"apiGroup\":\"rbac.authorization.k8s.io\"}");

    ck_assert_str_eq(
        try_create("jane g1 g2", "roles", "ns", secrets),
        "roles.rbac.authorization.k8s.io \"s\" is forbidden: user \"jane\" (groups=[\"g1\" \"g2\"]) is "
        "attempting to "
        "grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], "
        "Verbs:[\"get\" \"list\"]}");
    ck_assert_str_eq(
        try_create("jane", "roles", "ns",
                   "{\"metadata\":{\"name\":\"ok\"},\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],"
                   "\"resources\":[\"pods\"],\"resourceNames\":[\"x\"]}]}"),
        "");
    ck_assert_str_eq(try_create("bo", "roles", "ns", secrets), ""); /* the verb escalate */
    ck_assert_str_eq(try_create("root system:masters", "clusterroles", "",
                                "{\"metadata\":{\"name\":\"m\"},\"rules\":[{\"verbs\":"
                                "[\"*\"],\"nonResourceURLs\":[\"*\"]}]}"),
                     "");
    ck_assert_ptr_nonnull(strstr(try_merge("jane", "roles", "ns", "ok",
                                           "{\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],"
                                           "\"resources\":[\"secrets\"]}]}"),
                                 "not currently held"));
    ck_assert_str_eq(try_merge("jane", "roles", "ns", "s", "{\"metadata\":{\"finalizers\":[\"a.b/c\"]}}"),
                     "");
    ck_assert_ptr_nonnull(strstr(try_create("jane", "clusterroles", "",
                                            "{\"metadata\":{\"name\":\"agg\"},\"aggregationRule\":{"
                                            "\"clusterRoleSelectors\":[{}]}}"),
                                 "must have cluster-admin privileges to use the aggregationRule"));

    const char *binding = "{\"metadata\":{\"name\":\"%s\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization."
                          "k8s.io\",\"kind\":\"Role\","
                          "\"name\":\"%s\"},\"subjects\":[]}";
    ck_assert_str_eq(try_create("jane", "rolebindings", "ns", arena_printf(w.arena, binding, "b1", "own")),
                     "");
    ck_assert_ptr_nonnull(
        strstr(try_create("jane", "rolebindings", "ns", arena_printf(w.arena, binding, "b2", "big")),
               "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}"));
    ck_assert_str_eq(try_create("jane", "rolebindings", "ns", arena_printf(w.arena, binding, "b3", "none")),
                     "rolebindings.rbac.authorization.k8s.io \"none\" not found");
    ck_assert_str_eq(try_create("bo", "rolebindings", "ns", arena_printf(w.arena, binding, "b4", "big")),
                     ""); /* bind */
    policy_stop();
}
END_TEST

UNIT_MAIN("bootstrap", a_fresh_cluster_has_the_recorded_policy,
          what_is_missing_comes_back_and_what_was_added_stays, aggregated_roles_follow_their_parts,
          the_loop_aggregates_by_itself, nobody_grants_what_he_lacks)
