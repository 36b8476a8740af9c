/* SPDX-License-Identifier: Apache-2.0 */
/* What clients are warned of, kind by kind: texts and their order as upstream's. Rows are retold from kubernetes
 * pkg/api/pod/warnings_test.go, pkg/api/service/warnings_test.go, pkg/api/storage/util_test.go and the strategies' tests. */
#include "world.h"

static struct world w;

#define POD(spec) "{\"metadata\":{\"name\":\"a\"},\"spec\":{" spec "}}"
#define CONTAINERS "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"
#define CONTAINER(more) "\"containers\":[{\"name\":\"c\",\"image\":\"i\"," more "}]"
#define NOTED(key, spec) "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"" key "\":\"x\"}},\"spec\":{" spec "}}"
#define SERVICE(spec) "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":80}]," spec "}}"
#define SECRET(crt, key)                                                                                                         \
    "{\"metadata\":{\"name\":\"a\"},\"type\":\"kubernetes.io/tls\",\"stringData\":{\"tls.crt\":\"" crt "\",\"tls.key\":\"" key  \
    "\"}}"
#define DEPLOYMENT(name, spec)                                                                                                   \
    "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{"     \
    "\"labels\":{\"a\":\"b\"}},\"spec\":{" spec "}}}}"

static const struct row {
    const char *api_version, *resource, *json, *warnings; /* each ended by a line's end */
} rows[] = {
    {"v1", "pods", POD(CONTAINERS), ""},
    {"v1", "pods", "{\"metadata\":{\"name\":\"a.b\"},\"spec\":{" CONTAINERS "}}",
     "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: "
     "[must not contain dots]\n"},
    {"v1", "pods", POD(CONTAINERS ",\"nodeSelector\":{\"beta.kubernetes.io/os\":\"linux\",\"x\":\"y\"}"),
     "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{},"
                    "{\"matchExpressions\":[{\"key\":\"beta.kubernetes.io/arch\",\"operator\":\"Exists\"}]}]},"
                    "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":1,\"preference\":{\"matchExpressions\":["
                    "{\"key\":\"k\",\"operator\":\"In\",\"values\":[\"ok\",\"-bad\"]}]}}]}}"),
     "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1].matchExpressions[0].key: "
     "beta.kubernetes.io/arch is deprecated since v1.14; use \"kubernetes.io/arch\" instead\n"
     "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[1]: -bad "
     "is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
     "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
     "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"failure-domain.beta.kubernetes.io/zone\","
                    "\"whenUnsatisfiable\":\"DoNotSchedule\"},{\"maxSkew\":1,\"topologyKey\":\"k\",\"whenUnsatisfiable\":"
                    "\"DoNotSchedule\",\"labelSelector\":{}}]"),
     "spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "
     "\"topology.kubernetes.io/zone\" instead\n"
     "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod\n"},
    {"v1", "pods", NOTED("scheduler.alpha.kubernetes.io/critical-pod", CONTAINERS),
     "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" "
     "field instead\n"},
    {"v1", "pods", NOTED("seccomp.security.alpha.kubernetes.io/pod", CONTAINERS),
     "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the \"seccompProfile\" field "
     "instead\n"},
    {"v1", "pods",
     NOTED("seccomp.security.alpha.kubernetes.io/pod",
           CONTAINERS ",\"securityContext\":{\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}"),
     ""},
    {"v1", "pods", NOTED("container.seccomp.security.alpha.kubernetes.io/c", CONTAINERS),
     "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: non-functional in v1.27+; use the \"seccompProfile\" "
     "field instead\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"volumes\":[{\"name\":\"r\",\"rbd\":{\"image\":\"i\",\"monitors\":[\"m\"]}},{\"name\":\"g\",\"gitRepo\":"
                    "{\"repository\":\"r\"}},{\"name\":\"s\",\"storageos\":{\"volumeName\":\"v\"}}]"),
     "spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+\n"
     "spec.volumes[1].gitRepo: deprecated in v1.11, and disabled by default in v1.33+\n"
     "spec.volumes[2].storageOS: deprecated in v1.22, non-functional in v1.25+\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"volumes\":[{\"name\":\"v\",\"configMap\":{\"name\":\"cm\",\"items\":[{\"key\":\"a\",\"path\":\"p\"},"
                    "{\"key\":\"b\",\"path\":\"p/q/\"},{\"key\":\"c\",\"path\":\"pp\"}]}}]"),
     "volume \"v\" (ConfigMap \"cm\"): overlapping paths: \"p/q\" with \"p\"\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"serviceAccountName\":\"s\",\"volumes\":[{\"name\":\"v\",\"projected\":{\"sources\":[{\"secret\":{\"name\":\"s\",\"items\":[{\"key\":\"a\","
                    "\"path\":\"p\"}]}},{},{\"serviceAccountToken\":{\"path\":\"p\"}}]}}]"),
     "volume \"v\" (Projected) has no sources provided\n"
     "volume \"v\" (Projected): overlapping paths: \"p\" (ServiceAccountToken) with \"p\" (Secret \"s\")\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"hostAliases\":[{\"ip\":\"1.1.1.1\"},{\"ip\":\"1.1.1.1\"}],\"imagePullSecrets\":[{\"name\":\"x\"},{},"
                    "{\"name\":\"x\"}]"),
     "spec.hostAliases[1].ip: duplicate ip \"1.1.1.1\"\n"
     "spec.imagePullSecrets[2].name: duplicate name \"x\"\n"
     "spec.imagePullSecrets[1].name: invalid empty name \"\"\n"},
    {"v1", "pods",
     POD(CONTAINER("\"resources\":{\"limits\":{\"memory\":\"100m\",\"cpu\":\"100m\"},\"requests\":{\"memory\":\"50m\"}}")),
     "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" is invalid, must be an integer\n"
     "spec.containers[0].resources.requests[memory]: fractional byte value \"50m\" is invalid, must be an integer\n"},
    {"v1", "pods",
     POD(CONTAINER("\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"$(A)2\"},{\"name\":\"A\",\"value\":\"$(A)\"},"
                   "{\"name\":\"A\",\"value\":\"3\"}]")),
     "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using apply\n"
     "spec.containers[0].env[3]: hides previous definition of \"A\", which may be dropped when using apply\n"},
    {"v1", "pods",
     POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\",\"name\":\"x\"},"
         "{\"containerPort\":80,\"protocol\":\"TCP\"},{\"containerPort\":80,\"protocol\":\"UDP\"},{\"containerPort\":80,\"protocol\":"
         "\"TCP\",\"hostPort\":1},{\"containerPort\":81,\"protocol\":\"TCP\",\"hostIP\":\"1.2.3.4\"}]},{\"name\":\"d\",\"image\":\"i\","
         "\"ports\":[{\"containerPort\":82,\"name\":\"x\"}]}]"),
     "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]\n"
     "spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[0]\n"
     "spec.containers[0].ports[3]: overlapping port definition with spec.containers[0].ports[1]\n"
     "spec.containers[0].ports[4]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:81 Protocol:TCP HostIP:1.2.3.4}\n"
     "spec.containers[1].ports[0]: duplicate port name \"x\" with spec.containers[0].ports[0], services and probes that select ports "
     "by name will use spec.containers[0].ports[0]\n"},
    {"apps/v1", "deployments", DEPLOYMENT("a", CONTAINERS ",\"terminationGracePeriodSeconds\":-1"),
     "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1\n"},
    {"v1", "pods",
     POD(CONTAINERS ",\"affinity\":{\"podAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"topologyKey\":\"k\"}]},"
                    "\"podAntiAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":1,\"podAffinityTerm\":{"
                    "\"topologyKey\":\"k\"}}]}}"),
     "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in "
     "matching no pod\n"
     "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null "
     "labelSelector results in matching no pod\n"},
    {"v1", "pods", POD(CONTAINERS ",\"dnsConfig\":{\"nameservers\":[\"1.2.3.4\",\"2001:DB8::1\"]}"),
     "spec.dnsConfig.nameservers[1]: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")\n"},
    {"apps/v1", "deployments", DEPLOYMENT("a.b", CONTAINERS ",\"volumes\":[{\"name\":\"v\",\"cephfs\":{\"monitors\":[\"m\"]}}]"),
     "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: "
     "[must not contain dots]\n"
     "spec.template.spec.volumes[0].cephfs: deprecated in v1.28, non-functional in v1.31+\n"},
    {"v1", "services", SERVICE("\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"sessionAffinity\":\"ClientIP\",\"loadBalancerIP\":"
                               "\"1.2.3.4\",\"externalIPs\":[\"1.2.3.4\"]"),
     "spec.loadBalancerIP is ignored for headless services\nspec.externalIPs is ignored for headless services\n"
     "spec.SessionAffinity is ignored for headless services\n"},
    {"v1", "services", SERVICE("\"type\":\"LoadBalancer\",\"sessionAffinity\":\"None\",\"loadBalancerSourceRanges\":[\"FD00::/8\"],"
                               "\"trafficDistribution\":\"PreferClose\""),
     "spec.loadBalancerSourceRanges[0]: IPv6 CIDR value \"FD00::/8\" should be in RFC 5952 canonical format (\"fd00::/8\")\nspec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"\n"},
    {"v1", "services", SERVICE("\"type\":\"ClusterIP\",\"sessionAffinity\":\"None\",\"externalName\":\"x\",\"externalIPs\":"
                               "[\"1.2.3.4\"]"),
     "spec.externalIPs is deprecated and may no longer be implemented in some clusters\n"
     "spec.externalName is ignored when spec.type is not \"ExternalName\"\n"},
    {"v1", "persistentvolumeclaims",
     "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"volume.beta.kubernetes.io/storage-class\":\"x\"}},\"spec\":{\"resources\":"
     "{\"requests\":{\"storage\":\"1500m\"}}}}",
     "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use \"storageClassName\" attribute "
     "instead\nspec.resources.requests[storage]: fractional byte value \"1500m\" is invalid, must be an integer\n"},
    {"v1", "resourcequotas",
     "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"hard\":{\"cpu\":\"2\",\"limits.cpu\":\"1\",\"requests.memory\":\"1\","
     "\"limits.memory\":\"1\"}}}",
     "ResourceQuota cpu (2) should be less than limits.cpu (1)\n"},
    {"v1", "serviceaccounts",
     "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"kubernetes.io/enforce-mountable-secrets\":\"true\"}}}",
     "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate "
     "access to mounted secrets\n"},
    {"v1", "secrets", SECRET("x", "x"), "tls: failed to find any PEM data in certificate input\n"},
    {"networking.k8s.io/v1", "networkpolicies",
     "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"podSelector\":{},\"egress\":[{\"to\":[{\"ipBlock\":{\"cidr\":\"fd00::/8\","
     "\"except\":[\"FD01::/16\"]}}]}]}}",
     "spec.egress[0].to[0].ipBlock.except[0]: IPv6 CIDR value \"FD01::/16\" should be in RFC 5952 canonical format (\"fd01::/16\")\n"},
    {"networking.k8s.io/v1", "ingresses",
     "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"kubernetes.io/ingress.class\":\"x\"}},\"spec\":{\"defaultBackend\":{\"service\":{\"name\":\"s\",\"port\":{\"number\":1}}}}}",
     "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead\n"},
    {"discovery.k8s.io/v1", "endpointslices",
     "{\"metadata\":{\"name\":\"a\"},\"addressType\":\"FQDN\",\"endpoints\":[{\"addresses\":[\"a.b\"]}]}",
     "spec.addressType: FQDN endpoints are deprecated\n"},
};

static const char *said(const struct operation *op)
{
    struct buffer b = BUFFER_IN(w.arena);

    for (size_t i = 0; i < op->warnings.n; i++)
        buffer_addf(&b, "%.*s\n", TEXT_ARG(op->warnings.p[i]));
    return buffer_str(&b);
}

START_TEST(creations_are_warned_of_what_upstream_warns_of)
{
    world_start(&w);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct operation op = {.is_dry_run = true};
        int code = world_create(&w, &op, rows[i].api_version, rows[i].resource, "ns", rows[i].json);
        ck_assert_msg(code == 0, "%s: %s", rows[i].json, op.st.message);
        ck_assert_msg(strcmp(said(&op), rows[i].warnings) == 0, "%s:\n%s\nnot\n%s", rows[i].json, said(&op), rows[i].warnings);
        operation_clear(&op);
    }
    world_stop(&w);
}
END_TEST

START_TEST(updates_are_warned_when_a_template_has_changed)
{
    struct operation op = {0};

    world_start(&w);
    ck_assert_int_eq(world_create(&w, &op, "apps/v1", "deployments", "ns",
                                  DEPLOYMENT("a", CONTAINERS ",\"volumes\":[{\"name\":\"v\",\"cephfs\":{\"monitors\":[\"m\"]}}]")),
                     0);
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "apps/v1", "deployments", "ns", "a", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}"), 0);
    ck_assert_str_eq(said(&op), "");
    operation_clear(&op);
    ck_assert_int_eq(world_merge(&w, &op, "apps/v1", "deployments", "ns", "a", "{\"spec\":{\"replicas\":2}}"), 0);
    ck_assert_str_eq(said(&op), "spec.template.spec.volumes[0].cephfs: deprecated in v1.28, non-functional in v1.31+\n");
    operation_clear(&op);
    world_stop(&w);
}
END_TEST

START_TEST(warnings_of_an_object_full_of_faults_end)
{
    struct buffer b = BUFFER_INIT;
    struct operation op = {.is_dry_run = true};

    world_start(&w);
    buffer_add_str(&b, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[");
    for (int i = 0; i < 20000; i++)
        buffer_addf(&b, "%s{\"containerPort\":80,\"protocol\":\"TCP\"}", i ? "," : "");
    buffer_add_str(&b, "]}]}}");
    world_create(&w, &op, "v1", "pods", "ns", buffer_str(&b));
    ck_assert_uint_ge(op.warnings.n, 100);
    ck_assert_uint_le(op.warnings.n, 1000);
    operation_clear(&op);
    buffer_deinit(&b);
    world_stop(&w);
}
END_TEST

START_TEST(jobs_are_not_orphaned_in_silence)
{
    struct delete_options del = {.grace_seconds = -1, .orphan_dependents = -1};

    world_start(&w);
    ck_assert_ptr_nonnull(delete_options_warning(world_resource(&w, "batch/v1", "jobs"), &del));
    ck_assert_ptr_null(delete_options_warning(world_resource(&w, "v1", "replicationcontrollers"), &del));
    del.propagation = TEXT("Orphan");
    ck_assert_ptr_null(delete_options_warning(world_resource(&w, "batch/v1", "jobs"), &del));
    world_stop(&w);
}
END_TEST

UNIT_MAIN("registry/warnings", creations_are_warned_of_what_upstream_warns_of, updates_are_warned_when_a_template_has_changed,
          warnings_of_an_object_full_of_faults_end, jobs_are_not_orphaned_in_silence)
