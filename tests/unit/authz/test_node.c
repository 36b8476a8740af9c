/* SPDX-License-Identifier: Apache-2.0 */
/* The mode Node: a kubelet has what its pods use, and no more. Rows follow kubernetes
 * plugin/pkg/auth/authorizer/node. */
#include "unit.h"

#include "authz/policy.h"

#define N1 "system:node:n1 system:nodes"

static void make_world(void)
{
    policy_start("Node");
    make("v1", "pods", "ns",
         "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\",\"serviceAccountName\":\"sa\","
         "\"imagePullSecrets\":"
         "[{\"name\":\"pull\"}],\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"env\":[{\"name\":\"A\","
         "\"valueFrom\":{\"secretKeyRef\":"
         "{\"name\":\"env\",\"key\":\"k\"}}}],\"envFrom\":[{\"configMapRef\":{\"name\":\"from\"}}]}],"
         "\"volumes\":["
         "{\"name\":\"v\",\"projected\":{\"sources\":[{\"secret\":{\"name\":\"proj\"}},{\"configMap\":{"
         "\"name\":\"projmap\"}}]}},"
         "{\"name\":\"s\",\"secret\":{\"secretName\":\"vol\"}},{\"name\":\"c\",\"persistentVolumeClaim\":{"
         "\"claimName\":\"claim\"}},"
         "{\"name\":\"e\",\"ephemeral\":{\"volumeClaimTemplate\":{\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],"
         "\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}}}]}}");
    make("v1", "pods", "ns",
         "{\"metadata\":{\"name\":\"mirror\",\"annotations\":{\"kubernetes.io/"
         "config.mirror\":\"x\"}},\"spec\":{\"nodeName\":\"n1\","
         "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"envFrom\":[{\"secretRef\":{\"name\":\"stolen\"}}]"
         "}]}}");
    make("v1", "pods", "ns",
         "{\"metadata\":{\"name\":\"elsewhere\"},\"spec\":{\"nodeName\":\"n2\",\"imagePullSecrets\":[{"
         "\"name\":\"other\"}],"
         "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
    make("v1", "persistentvolumes", "",
         "{\"metadata\":{\"name\":\"pv\"},\"spec\":{\"hostPath\":null,\"claimRef\":{\"namespace\":\"ns\",\"name\":\"claim\"},"
         "\"csi\":{\"driver\":\"d\","
         "\"volumeHandle\":\"h\",\"nodeStageSecretRef\":{\"name\":\"stage\",\"namespace\":\"vault\"},"
         "\"controllerPublishSecretRef\":{\"name\":\"control\",\"namespace\":\"vault\"}}}}");
    make("storage.k8s.io/v1", "volumeattachments", "",
         "{\"metadata\":{\"name\":\"va\"},\"spec\":{\"attacher\":\"d\",\"nodeName\":\"n1\",\"source\":{"
         "\"persistentVolumeName\":\"pv\"}}}");
}

static const struct {
    const char *user, *question, *field;
    bool allowed;
    const char *reason;
} rows[] = {
    {N1, "get ns secrets pull", NULL, true, ""},
    {N1, "get ns secrets env", NULL, true, ""},
    {N1, "watch ns secrets proj", NULL, true, ""},
    {N1, "get ns secrets vol", NULL, true, ""},
    {N1, "get ns secrets stolen", NULL, false, "no relationship found between node 'n1' and this object"},
    {N1, "get ns secrets other", NULL, false, "no relationship found between node 'n1' and this object"},
    {N1, "get else secrets pull", NULL, false, "no relationship found between node 'n1' and this object"},
    {"system:node:n2 system:nodes", "get ns secrets other", NULL, true, ""},
    {"system:node:n1", "get ns secrets pull", NULL, false, ""},
    {"jane system:nodes", "get ns secrets pull", NULL, false, ""},
    {"system:node: system:nodes", "get ns secrets pull", NULL, false,
     "unknown node for user \"system:node:\""},
    {N1, "list ns secrets", NULL, false, "No Object name found"},
    {N1, "list - secrets", NULL, false, "can only read namespaced object of this type"},
    {N1, "update ns secrets pull", NULL, false, "can only read resources of this type"},
    {N1, "get vault secrets stage", NULL, true, ""},
    {N1, "get vault secrets control", NULL, false, "no relationship found between node 'n1' and this object"},
    {N1, "get ns configmaps from", NULL, true, ""},
    {N1, "get ns configmaps projmap", NULL, true, ""},
    {N1, "get ns persistentvolumeclaims claim", NULL, true, ""},
    {N1, "get ns persistentvolumeclaims p-e", NULL, true, ""},
    {N1, "patch ns persistentvolumeclaims/status claim", NULL, true, ""},
    {N1, "list ns persistentvolumeclaims", NULL, false, "can only get individual resources of this type"},
    {N1, "get - persistentvolumes pv", NULL, true, ""},
    {"system:node:n2 system:nodes", "get - persistentvolumes pv", NULL, false,
     "no relationship found between node 'n2' and this object"},
    {N1, "get - volumeattachments.storage.k8s.io va", NULL, true, ""},
    {N1, "create ns serviceaccounts/token sa", NULL, true, ""},
    {N1, "create ns serviceaccounts/token default", NULL, false,
     "no relationship found between node 'n1' and this object"},
    {N1, "get ns serviceaccounts sa", NULL, true, ""},
    {N1, "list ns serviceaccounts", NULL, false, "can only create tokens for individual service accounts"},
    {N1, "update kube-node-lease leases.coordination.k8s.io n1", NULL, true, ""},
    {N1, "create kube-node-lease leases.coordination.k8s.io", NULL, true, ""},
    {N1, "update kube-node-lease leases.coordination.k8s.io n2", NULL, false,
     "can only access node lease with the same name as the requesting node"},
    {N1, "update ns leases.coordination.k8s.io n1", NULL, false,
     "can only access leases in the \"kube-node-lease\" system namespace"},
    {N1, "get - csinodes.storage.k8s.io n1", NULL, true, ""},
    {N1, "get - csinodes.storage.k8s.io n2", NULL, false,
     "can only access CSINode with the same name as the requesting node"},
    {N1, "get - nodes n1", NULL, true, ""},
    {N1, "get - nodes n2", NULL, false, "node 'n1' cannot read 'n2', only its own Node object"},
    {N1, "list - nodes", NULL, false, "node 'n1' cannot read all nodes, only its own Node object"},
    {N1, "patch - nodes/status n1", NULL, true, ""},
    {N1, "delete - nodes n1", NULL, false, ""},
    {N1, "list - pods", "spec.nodeName=n1", true, ""},
    {N1, "list - pods", "spec.nodeName=n2", false,
     "can only list/watch pods with spec.nodeName field selector"},
    {N1, "watch - pods", "spec.nodeName!=n1", false,
     "can only list/watch pods with spec.nodeName field selector"},
    {N1, "get ns pods p", NULL, true, ""},
    {N1, "get ns pods elsewhere", NULL, false, "no relationship found between node 'n1' and this object"},
    {N1, "create ns pods/eviction p", NULL, true, ""},
    {N1, "update ns pods p", NULL, false, ""},
    {N1, "create - resourceslices.resource.k8s.io", NULL, true, ""},
    {N1, "list - resourceslices.resource.k8s.io", "spec.nodeName=n1", true, ""},
    {N1, "list - services", NULL, true, ""},
    {N1, "create - services", NULL, false, ""},
    {N1, "get /healthz", NULL, false, ""},
};

START_TEST(a_node_has_what_its_pods_use)
{
    make_world();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct authz_answer a = ask(rows[i].user, rows[i].question, rows[i].field);
        ck_assert_msg((a.decision == AUTHZ_ALLOW) == rows[i].allowed, "row %zu: %s", i, rows[i].question);
        ck_assert_str_eq(arena_str(w.arena, a.reason), rows[i].reason);
    }
    policy_stop();
}
END_TEST

START_TEST(what_a_pod_used_goes_with_it)
{
    const struct delete_options now = {.grace_seconds = 0, .orphan_dependents = -1};
    struct operation op = {0};

    make_world();
    change("v1", "pods", "ns", "p", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
    ck_allowed(N1, "get ns secrets pull");
    ck_assert_int_eq(world_delete(&w, &op, "v1", "pods", "ns", "p", &now), 0);
    operation_clear(&op);
    settle();
    ck_refused(N1, "get ns secrets pull");
    ck_refused(N1, "get - persistentvolumes pv");
    ck_refused(N1, "get vault secrets stage");
    change("v1", "persistentvolumes", "", "pv", "{\"spec\":{\"claimRef\":null}}");
    ck_refused(N1, "get vault secrets stage");
    policy_stop();
}
END_TEST

UNIT_MAIN("node", a_node_has_what_its_pods_use, what_a_pod_used_goes_with_it)
