/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

static struct chain c;

static int start_code(const char *enable, const char *disable, char *message, size_t max)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text_list on = {0}, off = {0};
    struct admission *ad = NULL;
    struct status st = {0};
    struct world w;

    world_start(&w);
    text_list_add(a, &on, text_of(enable));
    text_list_add(a, &off, text_of(disable));
    int result = admission_start(
        &(struct admission_options){.registry = w.registry, .enable = &on, .disable = &off}, &ad, &st);
    snprintf(message, max, "%s", st.message ? st.message : "");
    status_clear(&st);
    admission_stop(ad);
    world_stop(&w);
    return result;
}

START_TEST(unknown_names_are_refused)
{
    char message[256];

    ck_assert_int_eq(start_code("NoSuch", "ServiceAccount", message, sizeof(message)), -1);
    ck_assert_str_eq(message, "enable-admission-plugins plugin \"NoSuch\" is unknown");
    ck_assert_int_eq(start_code("Priority", "Nor", message, sizeof(message)), -1);
    ck_assert_str_eq(message, "disable-admission-plugins plugin \"Nor\" is unknown");
    ck_assert_int_eq(start_code("Priority", "Priority", message, sizeof(message)), -1);
    ck_assert_str_eq(message,
                     "[Priority] in enable-admission-plugins and disable-admission-plugins overlapped");
    ck_assert_int_eq(start_code("AlwaysPullImages", "Priority", message, sizeof(message)), 0);
}
END_TEST

START_TEST(plugins_stand_in_upstreams_order)
{
    struct admission_plugin_info first, second, last;
    size_t n = 0;

    while (admission_plugin_at(n, &last))
        n++;
    ck_assert_uint_eq(n, 41);
    ck_assert(admission_plugin_at(2, &first) && admission_plugin_at(n - 1, &last) &&
              admission_plugin_at(n - 2, &second));
    ck_assert_str_eq(first.name, "NamespaceLifecycle");
    ck_assert(first.is_default && first.is_built);
    ck_assert_str_eq(second.name, "ResourceQuota");
    ck_assert_str_eq(last.name, "AlwaysDeny");
    ck_assert(!last.is_default);
}
END_TEST

START_TEST(namespaces_must_exist_and_not_end)
{
    chain_begin(&c, NULL);
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "none", "{\"metadata\":{\"name\":\"a\"}}"), 404);
    ck_assert_str_eq(c.op.st.message, "namespaces \"none\" not found");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    chain_provide(&c, "v1", "namespaces", "", "{\"metadata\":{\"name\":\"default\"}}");
    ck_assert_int_eq(chain_delete(&c, "v1", "namespaces", "", "default"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "namespaces \"default\" is forbidden: this namespace may not be deleted");
    ck_assert_int_eq(chain_delete(&c, "v1", "namespaces", "", "ns"), 0);
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"b\"}}"), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "configmaps \"b\" is forbidden: unable to create new content in namespace ns because it is "
        "being terminated");
    ck_assert_str_eq(c.op.st.causes[0].reason, "NamespaceTerminating");
    ck_assert_int_eq(chain_merge(&c, "v1", "configmaps", "ns", "a", NULL, "{\"data\":{\"x\":\"y\"}}"), 0);
    ck_assert_int_eq(chain_delete(&c, "v1", "configmaps", "ns", "a"), 0);
    chain_end(&c);
}
END_TEST

START_TEST(a_namespace_can_be_provided)
{
    chain_begin_with(&c, "NamespaceAutoProvision", "NamespaceLifecycle");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "none", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    ck_assert(world_exists(&c.w, "v1", "namespaces", "", "none"));
    chain_end(&c);
}
END_TEST

START_TEST(what_the_server_writes_goes_by)
{
    chain_begin(&c, NULL);
    chain_provide(&c, "v1", "configmaps", "none", "{\"metadata\":{\"name\":\"a\"}}");
    chain_end(&c);
}
END_TEST

START_TEST(pods_get_their_account_and_token)
{
    chain_begin(&c, NULL);
    ck_assert_int_eq(chain_pod(&c, "p", ",\"serviceAccountName\":\"x\""), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"p\" is forbidden: error looking up service account ns/x: serviceaccount \"x\" not found");
    chain_provide(&c, "v1", "serviceaccounts", "ns",
                  "{\"metadata\":{\"name\":\"default\"},\"imagePullSecrets\":[{\"name\":\"s\"}]}");
    ck_assert_int_eq(chain_pod(&c, "p", ""), 0);
    ck_assert_str_eq(chain_at(&c, "spec.serviceAccountName"), "default");
    ck_assert_str_eq(chain_at(&c, "spec.serviceAccount"), "default");
    ck_assert_str_eq(chain_at(&c, "spec.imagePullSecrets.0.name"), "s");
    ck_assert_str_eq(chain_at(&c, "spec.volumes.0.projected.sources.0.serviceAccountToken.expirationSeconds"),
                     "3607");
    ck_assert_str_eq(chain_at(&c, "spec.containers.0.volumeMounts.0.name"),
                     chain_at(&c, "spec.volumes.0.name"));
    ck_assert_int_eq(strncmp(chain_at(&c, "spec.volumes.0.name"), "kube-api-access-", 16), 0);
    ck_assert_int_eq(chain_pod(&c, "q", ",\"automountServiceAccountToken\":false"), 0);
    ck_assert_str_eq(chain_at(&c, "spec.volumes.0.name"), "");
    ck_assert_int_eq(chain_create(&c, "v1", "pods", "ns",
                                  "{\"metadata\":{\"name\":\"m\",\"annotations\":{\"kubernetes.io/"
                                  "config.mirror\":\"1\"}},\"spec\":{"
                                  "\"serviceAccountName\":\"default\",\"containers\":[]}}"),
                     403);
    ck_assert_str_eq(c.op.st.message,
                     "pods \"m\" is forbidden: a mirror pod may not reference service accounts");
    chain_end(&c);
}
END_TEST

START_TEST(an_account_may_limit_secrets)
{
    chain_begin(&c, NULL);
    chain_provide(&c, "v1", "serviceaccounts", "ns",
                  "{\"metadata\":{\"name\":\"default\",\"annotations\":{\"kubernetes.io/"
                  "enforce-mountable-secrets\":\"true\"}},"
                  "\"secrets\":[{\"name\":\"good\"}]}");
    ck_assert_int_eq(
        chain_pod(&c, "p", ",\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"good\"}}]"), 0);
    ck_assert_int_eq(
        chain_pod(&c, "q", ",\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"bad\"}}]"), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"q\" is forbidden: volume with secret.secretName=\"bad\" is not allowed because service "
        "account default does not reference that secret");
    chain_end(&c);
}
END_TEST

START_TEST(pods_tolerate_for_a_while)
{
    chain_begin(&c, &(struct admission_options){.not_ready_toleration_s = 7, .unreachable_toleration_s = 9});
    chain_account(&c);
    ck_assert_int_eq(
        chain_pod(&c, "p",
                  ",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\"}]"),
        0);
    ck_assert_str_eq(chain_at(&c, "spec.tolerations.1.key"), "node.kubernetes.io/unreachable");
    ck_assert_str_eq(chain_at(&c, "spec.tolerations.1.tolerationSeconds"), "9");
    ck_assert_str_eq(chain_at(&c, "spec.tolerations.2.key"), "");
    ck_assert_int_eq(chain_pod(&c, "q", ",\"tolerations\":[{\"operator\":\"Exists\"}]"), 0);
    ck_assert_str_eq(chain_at(&c, "spec.tolerations.1"), "");
    chain_end(&c);
}
END_TEST

START_TEST(classes_give_priorities)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    ck_assert_int_eq(chain_pod(&c, "p", ""), 0);
    ck_assert_str_eq(chain_at(&c, "spec.priority"), "0");
    ck_assert_str_eq(chain_at(&c, "spec.preemptionPolicy"), "PreemptLowerPriority");
    ck_assert_int_eq(chain_pod(&c, "q", ",\"priorityClassName\":\"high\""), 403);
    ck_assert_str_eq(c.op.st.message, "pods \"q\" is forbidden: no PriorityClass with name high was found");
    ck_assert_int_eq(chain_create(&c, "scheduling.k8s.io/v1", "priorityclasses", "",
                                  "{\"metadata\":{\"name\":\"high\"},\"value\":5,\"globalDefault\":true,"
                                  "\"preemptionPolicy\":\"Never\"}"),
                     0);
    ck_assert_int_eq(chain_pod(&c, "r", ""), 0);
    ck_assert_str_eq(chain_at(&c, "spec.priorityClassName"), "high");
    ck_assert_str_eq(chain_at(&c, "spec.priority"), "5");
    ck_assert_str_eq(chain_at(&c, "spec.preemptionPolicy"), "Never");
    ck_assert_int_eq(chain_pod(&c, "s", ",\"priority\":6"), 403);
    ck_assert_int_eq(chain_create(&c, "scheduling.k8s.io/v1", "priorityclasses", "",
                                  "{\"metadata\":{\"name\":\"other\"},\"value\":6,\"globalDefault\":true}"),
                     403);
    ck_assert_int_eq(chain_delete(&c, "scheduling.k8s.io/v1", "priorityclasses", "", "high"), 0);
    ck_assert_int_eq(chain_pod(&c, "t", ""), 0);
    ck_assert_str_eq(chain_at(&c, "spec.priority"), "0");
    chain_end(&c);
}
END_TEST

START_TEST(new_objects_get_taints_and_finalizers)
{
    chain_begin(&c, NULL);
    ck_assert_int_eq(chain_create(&c, "v1", "nodes", "", "{\"metadata\":{\"name\":\"n\"}}"), 0);
    ck_assert_str_eq(chain_at(&c, "spec.taints.0.key"), "node.kubernetes.io/not-ready");
    ck_assert_int_eq(chain_create(&c, "v1", "persistentvolumes", "", "{\"metadata\":{\"name\":\"v\"}}"), 0);
    ck_assert_str_eq(chain_at(&c, "metadata.finalizers"), "[\"kubernetes.io/pv-protection\"]");
    chain_end(&c);
}
END_TEST

UNIT_MAIN("chain", unknown_names_are_refused, plugins_stand_in_upstreams_order,
          namespaces_must_exist_and_not_end, a_namespace_can_be_provided, what_the_server_writes_goes_by,
          pods_get_their_account_and_token, an_account_may_limit_secrets, pods_tolerate_for_a_while,
          classes_give_priorities, new_objects_get_taints_and_finalizers)
