/* SPDX-License-Identifier: Apache-2.0 */
/* Every plugin of kube-apiserver 1.36 in its calling order. Those without rules are not built yet: their
 * names are taken, which command lines carry, and docs/admission.md says so. Source: kubernetes
 * pkg/kubeapiserver/options/plugins.go. */
#include "admission/plugins.h"

#define NOT_BUILT(name, is_default)  \
    &(const struct admission_plugin) \
    {                                \
        name, is_default             \
    }

const struct admission_plugin *const admission_plugins[] = {
    &plugin_always_admit,
    &plugin_namespace_auto_provision,
    &plugin_namespace_lifecycle,
    &plugin_namespace_exists,
    &plugin_anti_affinity,
    &plugin_limit_ranger,
    &plugin_service_account,
    &plugin_node_restriction,
    &plugin_node_taint,
    &plugin_always_pull_images,
    NOT_BUILT("ImagePolicyWebhook", false),
    &plugin_pod_security,
    &plugin_pod_node_selector,
    &plugin_priority,
    &plugin_default_toleration_seconds,
    &plugin_toleration_restriction,
    &plugin_event_rate,
    &plugin_extended_resources,
    &plugin_default_storage_class,
    &plugin_storage_in_use,
    NOT_BUILT("PodGroupProtection", true),
    &plugin_owner_references,
    &plugin_claim_resize,
    &plugin_runtime_class,
    &plugin_certificate_approval,
    &plugin_certificate_signing,
    &plugin_trust_bundle_attest,
    &plugin_certificate_subject,
    &plugin_default_ingress_class,
    &plugin_external_ips,
    &plugin_topology_labels,
    NOT_BUILT("PodGroupWorkloadExists", true),
    NOT_BUILT("NodeDeclaredFeatureValidator", true),
    NOT_BUILT("JobValidation", true),
    &plugin_pod_resize,
    NOT_BUILT("MutatingAdmissionPolicy", true),
    NOT_BUILT("MutatingAdmissionWebhook", true),
    NOT_BUILT("ValidatingAdmissionPolicy", true),
    NOT_BUILT("ValidatingAdmissionWebhook", true),
    &plugin_resource_quota,
    &plugin_always_deny,
};
const size_t n_admission_plugins = N_ELEMENTS(admission_plugins);
