/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

static struct chain c;

/* Starts with what the file of --admission-control-config-file says; the message of a failure, or NULL. */
static const char *configure(const char *yaml, const char *plugin)
{
    static char path[64], message[512];
    struct admission_options opt = {
        .config_file = path, .not_ready_toleration_s = 300, .unreachable_toleration_s = 300};
    struct text_list on = {0};
    struct status st = {0};
    FILE *f;
    int fd;

    snprintf(path, sizeof(path), "/tmp/admission-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    f = fdopen(fd, "w");
    fputs(yaml, f);
    fclose(f);
    c = (struct chain){.user = {.name = TEXT("jane")}};
    world_start(&c.w);
    if (plugin)
        text_list_add(c.w.arena, &on, text_of(plugin));
    opt.registry = c.w.registry;
    opt.enable = &on;
    int result = admission_start(&opt, &c.admission, &st);
    unlink(path);
    snprintf(message, sizeof(message), "%s", st.message ? st.message : "");
    status_clear(&st);
    c.w.user = &c.user;
    c.w.admission = admission_hooks(c.admission);
    return result < 0 ? message : NULL;
}

#define HEAD "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"

START_TEST(everything_can_be_denied)
{
    chain_begin_with(&c, "AlwaysDeny", "");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "configmaps \"a\" is forbidden: admission control is denying all modifications");
    chain_end(&c);
}
END_TEST

START_TEST(images_are_always_pulled)
{
    chain_begin_with(&c, "AlwaysPullImages", "");
    chain_account(&c);
    ck_assert_int_eq(
        chain_create(
            &c, "v1", "pods", "ns",
            "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\","
            "\"imagePullPolicy\":\"Never\"}]}}"),
        0);
    ck_assert_str_eq(chain_at(&c, "spec.containers.0.imagePullPolicy"), "Always");
    chain_end(&c);
}
END_TEST

START_TEST(whole_zones_cannot_be_kept_free)
{
    static const char more[] =
        ",\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
        "\"labelSelector\":{},\"topologyKey\":\"%s\"}]}}";

    chain_begin_with(&c, "LimitPodHardAntiAffinityTopology", "");
    chain_account(&c);
    ck_assert_int_eq(chain_pod(&c, "p", arena_printf(c.w.arena, more, "kubernetes.io/hostname")), 0);
    ck_assert_int_eq(chain_pod(&c, "q", arena_printf(c.w.arena, more, "zone")), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"q\" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone "
        "but only key kubernetes.io/hostname is allowed");
    chain_end(&c);
}
END_TEST

START_TEST(devices_are_tolerated)
{
    chain_begin_with(&c, "ExtendedResourceToleration", "DefaultTolerationSeconds");
    chain_account(&c);
    ck_assert_int_eq(chain_create(&c, "v1", "pods", "ns",
                                  "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\","
                                  "\"image\":\"i\",\"resources\":{"
                                  "\"requests\":{\"example.com/"
                                  "gpu\":\"1\",\"cpu\":\"1\"},\"limits\":{\"example.com/gpu\":\"1\"}}}]}}"),
                     0);
    ck_assert_str_eq(chain_at(&c, "spec.tolerations"),
                     "[{\"key\":\"example.com/gpu\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}]");
    chain_end(&c);
}
END_TEST

START_TEST(services_get_no_new_external_addresses)
{
    chain_begin_with(&c, "DenyServiceExternalIPs", "");
    chain_provide(&c, "v1", "services", "ns",
                  "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"clusterIP\":\"None\",\"externalIPs\":[\"1.2.3."
                  "4\"],\"ports\":[{\"port\":80}]}}");
    ck_assert_int_eq(
        chain_merge(&c, "v1", "services", "ns", "s", NULL, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), 0);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "services", "ns", "s", NULL, "{\"spec\":{\"externalIPs\":[\"1.2.3.5\"]}}"),
        403);
    ck_assert_str_eq(c.op.st.message,
                     "services \"s\" is forbidden: Use of external IPs is denied by admission control");
    chain_end(&c);
}
END_TEST

START_TEST(namespaces_choose_nodes)
{
    ck_assert_ptr_null(
        configure(HEAD "- name: PodNodeSelector\n  configuration:\n    podNodeSelectorPluginConfig:\n"
                       "      clusterDefaultNodeSelector: pool=small\n      ns: pool=small,disk=ssd\n",
                  "PodNodeSelector"));
    chain_account(&c);
    ck_assert_int_eq(chain_pod(&c, "p", ""), 0);
    ck_assert_str_eq(chain_at(&c, "spec.nodeSelector"), "{\"pool\":\"small\"}");
    ck_assert_int_eq(chain_pod(&c, "q", ",\"nodeSelector\":{\"pool\":\"big\"}"), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"q\" is forbidden: pod node label selector conflicts with its namespace node label selector");
    ck_assert_int_eq(chain_pod(&c, "r", ",\"nodeSelector\":{\"disk\":\"hdd\"}"), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"r\" is forbidden: pod node label selector labels conflict with its namespace whitelist");
    chain_end(&c);
}
END_TEST

START_TEST(namespaces_choose_tolerations)
{
    chain_begin_with(&c, "PodTolerationRestriction", "DefaultTolerationSeconds");
    chain_account(&c);
    c.w.user = NULL;
    ck_assert_int_eq(chain_merge(&c, "v1", "namespaces", "", "ns", NULL,
                                 "{\"metadata\":{\"annotations\":{\"scheduler.alpha.kubernetes.io/"
                                 "defaultTolerations\":\"[{\\\"key\\\":"
                                 "\\\"a\\\",\\\"operator\\\":\\\"Exists\\\"}]\",\"scheduler.alpha.kubernetes."
                                 "io/tolerationsWhitelist\":"
                                 "\"[{\\\"key\\\":\\\"a\\\",\\\"operator\\\":\\\"Exists\\\"}]\"}}}"),
                     0);
    c.w.user = &c.user;
    ck_assert_int_eq(
        chain_pod(&c, "p", ",\"tolerations\":[{\"key\":\"a\",\"operator\":\"Equal\",\"value\":\"x\"}]"), 0);
    ck_assert_str_eq(chain_at(&c, "spec.tolerations"), "[{\"key\":\"a\",\"operator\":\"Exists\"}]");
    ck_assert_int_eq(chain_pod(&c, "q", ",\"tolerations\":[{\"key\":\"b\",\"operator\":\"Exists\"}]"), 500);
    chain_end(&c);
}
END_TEST

START_TEST(events_come_at_a_rate)
{
    static const char event[] =
        "{\"metadata\":{\"name\":\"%s\"},\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"ns\"}}";

    ck_assert_ptr_nonnull(configure(HEAD, "EventRateLimit"));
    admission_stop(c.admission);
    world_stop(&c.w);
    ck_assert_ptr_null(configure(
        HEAD
        "- name: EventRateLimit\n  configuration:\n    apiVersion: eventratelimit.admission.k8s.io/v1alpha1\n"
        "    kind: Configuration\n    limits:\n    - type: User\n      qps: 1\n      burst: 2\n",
        "EventRateLimit"));
    clock_fake(1000000000000);
    ck_assert_int_eq(chain_create(&c, "v1", "events", "ns", arena_printf(c.w.arena, event, "a")), 0);
    ck_assert_int_eq(chain_create(&c, "v1", "events", "ns", arena_printf(c.w.arena, event, "b")), 0);
    ck_assert_int_eq(chain_create(&c, "v1", "events", "ns", arena_printf(c.w.arena, event, "c")), 429);
    ck_assert_str_eq(c.op.st.message, "limit reached on type User for key jane");
    clock_fake_advance_ms(1000);
    ck_assert_int_eq(chain_create(&c, "v1", "events", "ns", arena_printf(c.w.arena, event, "d")), 0);
    clock_real();
    chain_end(&c);
}
END_TEST

START_TEST(some_are_exempt_from_pod_security)
{
    ck_assert_ptr_null(configure(
        HEAD
        "- name: PodSecurity\n  configuration:\n    apiVersion: pod-security.admission.config.k8s.io/v1\n"
        "    kind: PodSecurityConfiguration\n    defaults: {enforce: baseline}\n"
        "    exemptions: {usernames: [root], runtimeClasses: [vm]}\n",
        NULL));
    chain_account(&c);
    ck_assert_int_eq(chain_pod(&c, "p", ",\"hostPID\":true"), 403);
    c.user.name = TEXT("root");
    ck_assert_int_eq(chain_pod(&c, "p", ",\"hostPID\":true"), 0);
    chain_end(&c);
}
END_TEST

START_TEST(some_resources_need_a_quota)
{
    ck_assert_ptr_null(
        configure(HEAD "- name: ResourceQuota\n  configuration:\n    apiVersion: apiserver.config.k8s.io/v1\n"
                       "    kind: ResourceQuotaConfiguration\n    limitedResources:\n"
                       "    - {resource: configmaps, matchContains: [count/configmaps]}\n",
                  NULL));
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "configmaps \"a\" is forbidden: insufficient quota to consume: count/configmaps");
    ck_assert_int_eq(chain_create(&c, "v1", "secrets", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    chain_end(&c);
}
END_TEST

START_TEST(configuration_is_read_strictly)
{
    static const struct {
        const char *yaml, *says;
    } files[] = {
        {"kind: X\n", "no kind \"X\" is registered for version \"\""},
        {HEAD "- name: PodSecurity\n  confguration: {}\n", "unknown field \"plugins[].confguration\""},
        {HEAD "- name: PodSecurity\n  path: /nonexistent/file\n",
         "couldn't open admission plugin configuration /nonexistent/file"},
        {HEAD "- name: PodSecurity\n  configuration: {kind: Odd, apiVersion: v1}\n",
         "no kind \"Odd\" is registered"},
        {HEAD "- name: PodSecurity\n  configuration: {kind: PodSecurityConfiguration, apiVersion: "
              "pod-security.admission.config.k8s.io/v1, defaults: {warn: much}}\n",
         "defaults.warn: Invalid value: \"much\": must be one of privileged, baseline, restricted"},
    };

    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        const char *message = configure(files[i].yaml, NULL);
        ck_assert_msg(message && strstr(message, files[i].says), "row %zu: %s", i,
                      message ? message : "accepted");
        admission_stop(c.admission);
        world_stop(&c.w);
    }
}
END_TEST

START_TEST(owners_need_no_right_where_nobody_asks)
{
    chain_begin_with(&c, "OwnerReferencesPermissionEnforcement", "");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns",
                                  "{\"metadata\":{\"name\":\"a\",\"ownerReferences\":[{\"apiVersion\":\"v1\","
                                  "\"kind\":\"ConfigMap\",\"name\":"
                                  "\"o\",\"uid\":\"u\",\"blockOwnerDeletion\":true}]}}"),
                     0);
    chain_end(&c);
}
END_TEST

UNIT_MAIN("optional", everything_can_be_denied, images_are_always_pulled, whole_zones_cannot_be_kept_free,
          devices_are_tolerated, services_get_no_new_external_addresses, namespaces_choose_nodes,
          namespaces_choose_tolerations, events_come_at_a_rate, some_are_exempt_from_pod_security,
          some_resources_need_a_quota, configuration_is_read_strictly, owners_need_no_right_where_nobody_asks)
