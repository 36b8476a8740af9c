/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/pod_security.h"
#include "chain.h"

/* Rows of the checks' own words: kubernetes/pod-security-admission policy. */
static const struct row {
    enum security_level level;
    int version;
    const char *pod, *details;
} rows[] = {
    {LEVEL_BASELINE, VERSION_LATEST, "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}", ""},
    {LEVEL_PRIVILEGED, VERSION_LATEST, "{\"spec\":{\"hostPID\":true}}", ""},
    {LEVEL_BASELINE, VERSION_LATEST, "{\"spec\":{\"hostPID\":true,\"hostNetwork\":true}}",
     "host namespaces (hostNetwork=true, hostPID=true)"},
    {LEVEL_BASELINE, VERSION_LATEST,
     "{\"spec\":{\"containers\":[{\"name\":\"c\",\"securityContext\":{\"privileged\":true,\"capabilities\":{"
     "\"add\":"
     "[\"SYS_TIME\",\"NET_RAW\",\"KILL\"]}}},{\"name\":\"d\",\"securityContext\":{\"privileged\":true}}]}}",
     "non-default capabilities (container \"c\" must not include \"NET_RAW\", \"SYS_TIME\" in "
     "securityContext.capabilities.add), "
     "privileged (containers \"c\", \"d\" must not set securityContext.privileged=true)"},
    {LEVEL_BASELINE, VERSION_LATEST,
     "{\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":[{\"hostPort\":9},{\"hostPort\":10}]}],"
     "\"volumes\":[{\"name\":\"v\","
     "\"hostPath\":{\"path\":\"/\"}}]}}",
     "hostPath volumes (volume \"v\"), hostPort (container \"c\" uses hostPorts 10, 9)"},
    {LEVEL_BASELINE, 33,
     "{\"spec\":{\"containers\":[{\"name\":\"c\",\"livenessProbe\":{\"httpGet\":{\"host\":\"h\"}}}]}}", ""},
    {LEVEL_BASELINE, 34,
     "{\"spec\":{\"containers\":[{\"name\":\"c\",\"livenessProbe\":{\"httpGet\":{\"host\":\"h\"}}}]}}",
     "probe or lifecycle host (container \"c\" uses probe or lifecycle host \"h\")"},
    {LEVEL_BASELINE, 28,
     "{\"spec\":{\"securityContext\":{\"sysctls\":[{\"name\":\"net.ipv4.tcp_fin_timeout\"}]}}}",
     "forbidden sysctls (net.ipv4.tcp_fin_timeout)"},
    {LEVEL_BASELINE, 29,
     "{\"spec\":{\"securityContext\":{\"sysctls\":[{\"name\":\"net.ipv4.tcp_fin_timeout\"}]}}}", ""},
    {LEVEL_BASELINE, VERSION_LATEST,
     "{\"metadata\":{\"annotations\":{\"container.apparmor.security.beta.kubernetes.io/"
     "c\":\"unconfined\"}},\"spec\":{\"containers\":"
     "[{\"name\":\"c\",\"securityContext\":{\"appArmorProfile\":{\"type\":\"Unconfined\"}}}]}}",
     "forbidden AppArmor profiles (container \"c\" and annotation must not set AppArmor profile type to "
     "\"Unconfined\", "
     "\"container.apparmor.security.beta.kubernetes.io/c=\"unconfined\"\")"},
    {LEVEL_BASELINE, 30,
     "{\"spec\":{\"securityContext\":{\"seLinuxOptions\":{\"type\":\"container_engine_t\",\"role\":\"r\"}}}}",
     "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"container_engine_t\"; role "
     "may not be set)"},
    {LEVEL_BASELINE, 31,
     "{\"spec\":{\"securityContext\":{\"seLinuxOptions\":{\"type\":\"container_engine_t\"}}}}", ""},
    {LEVEL_BASELINE, 18,
     "{\"metadata\":{\"annotations\":{\"seccomp.security.alpha.kubernetes.io/"
     "pod\":\"unconfined\"}},\"spec\":{}}",
     "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")"},
    {LEVEL_BASELINE, 19, "{\"spec\":{\"securityContext\":{\"seccompProfile\":{\"type\":\"Unconfined\"}}}}",
     "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"},
    {LEVEL_BASELINE, VERSION_LATEST,
     "{\"spec\":{\"hostUsers\":false,\"containers\":[{\"name\":\"c\",\"securityContext\":{\"procMount\":"
     "\"Unmasked\"}}]}}",
     ""},
    {LEVEL_BASELINE, 34,
     "{\"spec\":{\"hostUsers\":false,\"containers\":[{\"name\":\"c\",\"securityContext\":{\"procMount\":"
     "\"Unmasked\"}}]}}",
     "procMount (container \"c\" must not set securityContext.procMount to \"Unmasked\")"},
    {LEVEL_BASELINE, VERSION_LATEST,
     "{\"spec\":{\"securityContext\":{\"windowsOptions\":{\"hostProcess\":true}}}}",
     "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"},
    {LEVEL_RESTRICTED, VERSION_LATEST, "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}",
     "allowPrivilegeEscalation != false (container \"c\" must set "
     "securityContext.allowPrivilegeEscalation=false), unrestricted "
     "capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != "
     "true (pod or container "
     "\"c\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"c\" must set "
     "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"},
    {LEVEL_RESTRICTED, 7,
     "{\"spec\":{\"securityContext\":{\"runAsNonRoot\":true},\"containers\":[{\"name\":\"c\"}]}}", ""},
    {LEVEL_RESTRICTED, VERSION_LATEST,
     "{\"spec\":{\"os\":{\"name\":\"windows\"},\"securityContext\":{\"runAsNonRoot\":true},\"containers\":[{"
     "\"name\":\"c\"}]}}",
     ""},
    {LEVEL_RESTRICTED, VERSION_LATEST,
     "{\"spec\":{\"securityContext\":{\"runAsNonRoot\":true,\"runAsUser\":0,\"seccompProfile\":{\"type\":"
     "\"RuntimeDefault\"}},"
     "\"containers\":[{\"name\":\"c\",\"securityContext\":{\"allowPrivilegeEscalation\":false,"
     "\"capabilities\":{\"drop\":[\"ALL\"],"
     "\"add\":[\"CHOWN\"]}}}],\"volumes\":[{\"name\":\"v\",\"nfs\":{}},{\"name\":\"w\",\"hostPath\":{}}]}}",
     "unrestricted capabilities (container \"c\" must not include \"CHOWN\" in "
     "securityContext.capabilities.add), restricted volume "
     "types (volumes \"v\", \"w\" use restricted volume types \"hostPath\", \"nfs\"), runAsUser=0 (pod must "
     "not set runAsUser=0)"},
};

START_TEST(checks_find_what_upstreams_find)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct status st = {0};
        struct value pod;
        ck_assert_int_eq(json_read(a, text_of(rows[i].pod), NULL, &pod, &st), 0);
        struct security_faults f = security_check(a, (struct security_demand){rows[i].level, rows[i].version},
                                                  metadata_of(&pod), spec_of(&pod));
        ck_assert_msg(strcmp(buffer_str(&f.details), rows[i].details) == 0, "row %zu: %s\nexpected %s", i,
                      buffer_str(&f.details), rows[i].details);
    }
}
END_TEST

START_TEST(versions_are_latest_or_v1_numbers)
{
    static const struct {
        const char *text;
        bool is_good;
        int version;
    } versions[] = {{"latest", true, VERSION_LATEST},
                    {"v1.0", true, 0},
                    {"v1.25", true, 25},
                    {"v1.025", false, VERSION_LATEST},
                    {"1.25", false, VERSION_LATEST},
                    {"v2.1", false, VERSION_LATEST},
                    {"v1.", false, VERSION_LATEST},
                    {"v1.-1", false, VERSION_LATEST},
                    {"v1.9999999999", false, VERSION_LATEST}};

    for (size_t i = 0; i < N_ELEMENTS(versions); i++) {
        int version;
        ck_assert_msg(security_version_read(text_of(versions[i].text), &version) == versions[i].is_good, "%s",
                      versions[i].text);
        ck_assert_int_eq(version, versions[i].version);
    }
}
END_TEST

static struct chain c;

static void demand(const char *labels)
{
    c.w.user = NULL;
    ck_assert_int_eq(chain_merge(&c, "v1", "namespaces", "", "ns", NULL,
                                 arena_printf(c.w.arena, "{\"metadata\":{\"labels\":{%s}}}", labels)),
                     0);
    c.w.user = &c.user;
}

START_TEST(namespaces_say_what_their_pods_must_meet)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    demand("\"pod-security.kubernetes.io/enforce\":\"baseline\",\"pod-security.kubernetes.io/"
           "warn\":\"restricted\"");
    ck_assert_int_eq(chain_pod(&c, "p", ",\"hostPID\":true"), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)");
    ck_assert_int_eq(chain_pod(&c, "p", ""), 0);
    ck_assert_uint_eq(c.op.warnings.n, 1);
    ck_assert(text_starts(c.op.warnings.p[0],
                          TEXT("would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation")));
    ck_assert_int_eq(
        chain_merge(&c, "v1", "pods", "ns", "p", NULL, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), 0);
    ck_assert_uint_eq(c.op.warnings.n, 0);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "namespaces", "", "ns", NULL,
                    "{\"metadata\":{\"labels\":{\"pod-security.kubernetes.io/enforce\":\"odd\"}}}"),
        422);
    ck_assert_str_eq(
        c.op.st.message,
        "Namespace \"ns\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid "
        "value: \"odd\": must be one of privileged, baseline, restricted");
    chain_end(&c);
}
END_TEST

START_TEST(pods_that_are_there_are_warned_of)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    ck_assert_int_eq(chain_pod(&c, "b", ",\"hostPID\":true"), 0);
    ck_assert_int_eq(chain_pod(&c, "a", ",\"hostIPC\":true"), 0);
    ck_assert_int_eq(chain_pod(&c, "good", ""), 0);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "namespaces", "", "ns", NULL,
                    "{\"metadata\":{\"labels\":{\"pod-security.kubernetes.io/enforce\":\"baseline\"}}}"),
        0);
    ck_assert_uint_eq(c.op.warnings.n, 2);
    ck_assert(text_is(
        c.op.warnings.p[0],
        "existing pods in namespace \"ns\" violate the new PodSecurity enforce level \"baseline:latest\""));
    ck_assert(text_is(c.op.warnings.p[1], "a (and 1 other pod): host namespaces"));
    chain_end(&c);
}
END_TEST

UNIT_MAIN("pod_security", checks_find_what_upstreams_find, versions_are_latest_or_v1_numbers,
          namespaces_say_what_their_pods_must_meet, pods_that_are_there_are_warned_of)
