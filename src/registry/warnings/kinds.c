/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds without pods are warned of: tables, and small rules between fields. Source: kubernetes
 * pkg/api/{node,persistentvolume,persistentvolumeclaim,service,storage} and the strategies in pkg/registry. */
#include "registry/warnings/warnings.h"

#include "schema/quantity.h"

/* --- services --- */

static const struct warning_rule service_cluster_ips[] = {{"spec.clusterIPs[]", .check = warn_ip}, {0}};
static const struct warning_rule service_external_ips[] = {{"spec.externalIPs[]", .check = warn_ip}, {0}};
static const struct warning_rule service_balancer[] = {
    {"spec.loadBalancerIP", .check = warn_ip},
    {"spec.loadBalancerSourceRanges[]", .check = warn_cidr},
    {0},
};
/* The path leads to the item, not to its member. */
static bool warn_ingress_ip(struct warnings *w, const struct value *item, const char *arg)
{
    const struct value *ip = value_get(item, TEXT("ip"));

    return value_text(ip).n ? warn_ip(w, ip, arg) : false;
}
static const struct warning_rule balancer_status[] = {{"status.loadBalancer.ingress[]", .check = warn_ingress_ip}, {0}};

static void warn_service_spec(struct operation *op, const struct value *obj)
{
    const struct value *spec = value_get(obj, TEXT("spec"));
    struct text type = value_get_text(spec, TEXT("type")), ip = value_get_text(spec, TEXT("clusterIP"));
    bool is_external_name = text_is(type, "ExternalName"), has_external_ips = !value_is_empty(value_get(spec, TEXT("externalIPs")));
    bool is_headless = text_is(type, "ClusterIP") && text_is(ip, "None");

    if (value_get(value_get(metadata_of(obj), TEXT("annotations")), TEXT("service.kubernetes.io/topology-aware-hints")))
        operation_warn(op, "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
                           "service.kubernetes.io/topology-mode instead");
    if (ip.n && !text_is(ip, "None") && !is_external_name)
        warnings_walk(op, service_cluster_ips, obj, "");
    if (is_headless && value_get_text(spec, TEXT("loadBalancerIP")).n)
        operation_warn(op, "spec.loadBalancerIP is ignored for headless services");
    if (is_headless && has_external_ips)
        operation_warn(op, "spec.externalIPs is ignored for headless services");
    if (is_headless && !text_is(value_get_text(spec, TEXT("sessionAffinity")), "None"))
        operation_warn(op, "spec.SessionAffinity is ignored for headless services");
    warnings_walk(op, service_external_ips, obj, "");
    if (has_external_ips && !is_headless && !is_external_name)
        operation_warn(op, "spec.externalIPs is deprecated and may no longer be implemented in some clusters");
    warnings_walk(op, service_balancer, obj, "");
    if (has_external_ips && is_external_name)
        operation_warn(op, "spec.externalIPs is ignored when spec.type is \"ExternalName\"");
    if (!is_external_name && value_get_text(spec, TEXT("externalName")).n)
        operation_warn(op, "spec.externalName is ignored when spec.type is not \"ExternalName\"");
    if (text_is(value_get_text(spec, TEXT("trafficDistribution")), "PreferClose"))
        operation_warn(op, "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
}

/* --- quotas --- */

static void warn_quota(struct operation *op, const struct value *obj)
{
    static const struct {
        const char *name, *request, *limit;
        bool is_bare_too;
    } rows[] = {{"cpu", "requests.cpu", "limits.cpu", true},
                {"memory", "requests.memory", "limits.memory", true},
                {"storage", "requests.storage", "limits.storage", false},
                {"ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage", false}};
    const struct value *hard = value_at(obj, "spec", "hard", NULL);

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *name = rows[i].request;
        struct text request = value_get_text(hard, text_of(name)), limit = value_get_text(hard, text_of(rows[i].limit));
        if (!request.n && rows[i].is_bare_too) {
            name = rows[i].name;
            request = value_get_text(hard, text_of(name));
        }
        if (request.n && limit.n && quantity_cmp(request, limit) > 0)
            operation_warn(op, "ResourceQuota %s (%.*s) should be less than %s (%.*s)", name, TEXT_ARG(request), rows[i].limit,
                           TEXT_ARG(limit));
    }
}

/* --- tables --- */

static const struct warning_rule of_node[] = {
    {"spec.configSource", "the feature is removed"},
    {"spec.externalID", "this field is deprecated, and is unused by Kubernetes"},
    {"spec.podCIDRs[]", .check = warn_cidr},
    {0},
};
static const struct warning_rule of_volume[] = {
    {"metadata.annotations[volume.beta.kubernetes.io/storage-class]",
     "deprecated since v1.8; use \"storageClassName\" attribute instead"},
    {"metadata.annotations[volume.beta.kubernetes.io/mount-options]",
     "deprecated since v1.31; use \"mountOptions\" attribute instead"},
    {"spec.persistentVolumeReclaimPolicy",
     "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
     .check = warn_is, .arg = "Recycle"},
    {"spec.nodeAffinity.required.nodeSelectorTerms[].matchExpressions[].key", .check = warn_node_label, .arg = "is"},
    {"spec.cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    {"spec.photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
    {"spec.scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
    {"spec.storageos", "deprecated in v1.22, non-functional in v1.25+", .shown = "storageOS"},
    {"spec.glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
    {"spec.rbd", "deprecated in v1.28, non-functional in v1.31+"},
    {0},
};
static const struct warning_rule of_claim[] = {
    {"metadata.annotations[volume.beta.kubernetes.io/storage-class]",
     "deprecated since v1.8; use \"storageClassName\" attribute instead"},
    {"spec.resources.requests[storage]", .check = warn_fraction},
    {"spec.resources.limits[storage]", .check = warn_fraction},
    {0},
};
static const struct warning_rule of_class[] = {
    {"allowedTopologies[].matchLabelExpressions[].key", .check = warn_node_label},
    {0},
};
static const struct warning_rule of_capacity[] = {
    {"nodeTopology.matchExpressions[].key", .check = warn_node_label, .arg = "is"},
    {"nodeTopology.matchLabels", .check = warn_node_labels, .arg = "."},
    {0},
};
static const struct warning_rule of_runtime[] = {{"scheduling.nodeSelector", .check = warn_node_labels}, {0}};
static const struct warning_rule of_block[] = {
    {"cidr", .check = warn_cidr},
    {"except[]", .check = warn_cidr},
    {0},
};
static const struct warning_rule of_policy[] = {
    {"spec.ingress[].from[].ipBlock", .each = of_block},
    {"spec.egress[].to[].ipBlock", .each = of_block},
    {0},
};
static const struct warning_rule of_slice[] = {{"endpoints[].addresses[]", .check = warn_ip}, {0}};
static const struct warning_rule of_subset[] = {
    {"addresses[].ip", .check = warn_ip},
    {"notReadyAddresses[].ip", .check = warn_ip},
    {0},
};
static const struct warning_rule of_endpoints[] = {{"subsets[]", .each = of_subset}, {0}};
static const struct warning_rule of_pod_status[] = {
    {"status.podIPs[].ip", .check = warn_ip},
    {"status.hostIPs[].ip", .check = warn_ip},
    {0},
};

/* --- small rules --- */

/* The controllers that make these know how addresses are written. */
static bool is_by_controller(const struct value *obj)
{
    static const char *const names[] = {"endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"};
    struct text by = value_get_text(value_get(metadata_of(obj), TEXT("labels")), TEXT("endpointslice.kubernetes.io/managed-by"));

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (text_is(by, names[i]))
            return true;
    return false;
}

static void warn_slice(struct operation *op, const struct value *obj, const struct value *old)
{
    if (!old && text_is(value_get_text(obj, TEXT("addressType")), "FQDN"))
        operation_warn(op, "spec.addressType: FQDN endpoints are deprecated");
    if (!is_by_controller(obj))
        warnings_walk(op, of_slice, obj, "");
}

static void warn_endpoints(struct operation *op, const struct value *obj, const struct value *old)
{
    struct text by =
        value_get_text(value_get(metadata_of(obj), TEXT("labels")), TEXT("endpoints.kubernetes.io/managed-by"));

    if (!text_is(by, "endpoint-controller"))
        warnings_walk(op, of_endpoints, obj, "");
}

static void warn_ingress(struct operation *op, const struct value *obj, const struct value *old)
{
    const struct value *annotations = value_get(metadata_of(obj), TEXT("annotations"));

    if (!old && value_get(annotations, TEXT("kubernetes.io/ingress.class")) && !value_at(obj, "spec", "ingressClassName", NULL))
        operation_warn(op, "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead");
}

static void warn_account(struct operation *op, const struct value *obj, const struct value *old)
{
    static const struct text key = TEXT("kubernetes.io/enforce-mountable-secrets");

    if (old && value_get(value_get(metadata_of(old), TEXT("annotations")), key))
        return;
    if (value_get(value_get(metadata_of(obj), TEXT("annotations")), key))
        operation_warn(op,
                       "metadata.annotations[%.*s]: deprecated in v1.32+; prefer separate namespaces to isolate access to "
                       "mounted secrets",
                       TEXT_ARG(key));
}

static void warn_driver(struct operation *op, const struct value *obj, const struct value *old)
{
    const struct value *spec = value_get(obj, TEXT("spec"));

    if (old && same_member(spec, value_get(old, TEXT("spec")), TEXT("tokenRequests")))
        return;
    if (!value_is_empty(value_get(spec, TEXT("tokenRequests"))) && !value_get(spec, TEXT("serviceAccountTokenInSecrets")))
        operation_warn(op, "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent "
                           "possible logging of tokens in volume attributes");
}

static void warn_device_slice(struct operation *op, const struct value *obj, const struct value *old)
{
    struct text driver = value_text(value_at(obj, "spec", "driver", NULL));
    struct buffer b = BUFFER_IN(op->arena);

    if (text_eq(driver, arena_lower(op->arena, driver)))
        return;
    buffer_add_quoted(&b, driver);
    operation_warn(op, "spec.driver: driver names should be lowercase; %s contains uppercase characters", buffer_str(&b));
}

static void warn_static_name(struct operation *op, const struct value *obj, const struct value *old)
{
    if (text_ends(value_get_text(metadata_of(obj), TEXT("name")), TEXT(".static.k8s.io")))
        operation_warn(op, "metadata.name: names ending with \".static.k8s.io\" are reserved for static manifest-based "
                           "configurations and cannot be managed via the API");
}

static void warn_new_quota(struct operation *op, const struct value *obj, const struct value *old)
{
    if (!old)
        warn_quota(op, obj);
}

static void warn_service(struct operation *op, const struct value *obj, const struct value *old)
{
    warn_service_spec(op, obj);
}

/* --- which kind has which --- */

struct warner {
    struct text group, name;
    const struct warning_rule *rules, *status;
    void (*warn)(struct operation *op, const struct value *obj, const struct value *old);
};
#define ADMISSION TEXT("admissionregistration.k8s.io")

static const struct warner warners[] = {
    {TEXT(""), TEXT("endpoints"), .warn = warn_endpoints},
    {TEXT(""), TEXT("nodes"), of_node},
    {TEXT(""), TEXT("persistentvolumeclaims"), of_claim},
    {TEXT(""), TEXT("persistentvolumes"), of_volume},
    {TEXT(""), TEXT("pods"), .status = of_pod_status, .warn = warn_pod},
    {TEXT(""), TEXT("podtemplates"), .warn = warn_workload},
    {TEXT(""), TEXT("replicationcontrollers"), .warn = warn_workload},
    {TEXT(""), TEXT("resourcequotas"), .warn = warn_new_quota},
    {TEXT(""), TEXT("secrets"), .warn = warn_secret},
    {TEXT(""), TEXT("serviceaccounts"), .warn = warn_account},
    {TEXT(""), TEXT("services"), .status = balancer_status, .warn = warn_service},
    {ADMISSION, TEXT("mutatingadmissionpolicies"), .warn = warn_static_name},
    {ADMISSION, TEXT("mutatingadmissionpolicybindings"), .warn = warn_static_name},
    {ADMISSION, TEXT("mutatingwebhookconfigurations"), .warn = warn_static_name},
    {ADMISSION, TEXT("validatingadmissionpolicies"), .warn = warn_static_name},
    {ADMISSION, TEXT("validatingadmissionpolicybindings"), .warn = warn_static_name},
    {ADMISSION, TEXT("validatingwebhookconfigurations"), .warn = warn_static_name},
    {TEXT("apps"), TEXT("daemonsets"), .warn = warn_workload},
    {TEXT("apps"), TEXT("deployments"), .warn = warn_workload},
    {TEXT("apps"), TEXT("replicasets"), .warn = warn_workload},
    {TEXT("apps"), TEXT("statefulsets"), .warn = warn_workload},
    {TEXT("batch"), TEXT("cronjobs"), .warn = warn_workload},
    {TEXT("batch"), TEXT("jobs"), .warn = warn_workload},
    {TEXT("discovery.k8s.io"), TEXT("endpointslices"), .warn = warn_slice},
    {TEXT("networking.k8s.io"), TEXT("ingresses"), .status = balancer_status, .warn = warn_ingress},
    {TEXT("networking.k8s.io"), TEXT("networkpolicies"), of_policy},
    {TEXT("node.k8s.io"), TEXT("runtimeclasses"), of_runtime},
    {TEXT("resource.k8s.io"), TEXT("resourceslices"), .warn = warn_device_slice},
    {TEXT("storage.k8s.io"), TEXT("csidrivers"), .warn = warn_driver},
    {TEXT("storage.k8s.io"), TEXT("csistoragecapacities"), of_capacity},
    {TEXT("storage.k8s.io"), TEXT("storageclasses"), of_class},
};

const struct warner *warner_find(const struct resource_type *type)
{
    for (size_t i = 0; i < N_ELEMENTS(warners); i++)
        if (text_eq(warners[i].group, type->group) && text_eq(warners[i].name, type->name))
            return &warners[i];
    return NULL;
}

void operation_look_for_warnings(struct operation *op, const struct value *obj, const struct value *old)
{
    const struct warner *warner = op->resource->warner;
    bool is_status = op->sub && text_is(op->sub->name, "status");

    if (!warner || (op->sub && !is_status && !text_is(op->sub->name, "scale")))
        return;
    if (is_status ? warner->status : warner->rules)
        warnings_walk(op, is_status ? warner->status : warner->rules, obj, "");
    if (!is_status && warner->warn)
        warner->warn(op, obj, old);
}
