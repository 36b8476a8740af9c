/* SPDX-License-Identifier: Apache-2.0 */
/* plugins.h - every plugin, for the table. */
#pragma once

#include "admission/plugin.h"

extern const struct admission_plugin plugin_always_admit, plugin_always_deny, plugin_always_pull_images,
    plugin_anti_affinity, plugin_certificate_approval, plugin_certificate_signing, plugin_certificate_subject,
    plugin_claim_resize, plugin_default_ingress_class, plugin_default_storage_class,
    plugin_default_toleration_seconds, plugin_event_rate, plugin_extended_resources, plugin_external_ips,
    plugin_limit_ranger, plugin_namespace_auto_provision, plugin_namespace_exists, plugin_namespace_lifecycle,
    plugin_node_restriction, plugin_node_taint, plugin_owner_references, plugin_pod_node_selector,
    plugin_pod_resize, plugin_pod_security, plugin_priority, plugin_resource_quota, plugin_runtime_class,
    plugin_service_account, plugin_storage_in_use, plugin_toleration_restriction, plugin_topology_labels,
    plugin_trust_bundle_attest;
