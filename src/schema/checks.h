/* SPDX-License-Identifier: Apache-2.0 */
/* checks.h - the checks that are algorithms: what stands behind @ in a check line of a .schema file, by the
 * same name. Each is a schema_check_function (include/schema.h). */
#pragma once

#include "schema/validate.h"

#define CHECK(name)                                                                             \
    void check_##name(struct validation *w, const struct field_path *at, const struct value *v, \
                      const struct value *old)

/* validate_common.c: what many types have */
CHECK(labels);
CHECK(annotations);
CHECK(port_or_name);
CHECK(http_headers);
CHECK(domain_path);
CHECK(no_ip);
CHECK(csi_driver_name);

/* validate_resources.c: quantities by the name of a resource */
CHECK(container_resources);
CHECK(container_resource_name);

CHECK(limit_type);
CHECK(limit_range_item);
CHECK(quota_resources);
CHECK(quota_scopes);
CHECK(quota_update);

/* validate_core.c: small kinds of the core */
CHECK(immutable_data);
CHECK(config_data);
CHECK(secret_data);
CHECK(namespace_finalizers);
CHECK(namespace_phase);
CHECK(node);
CHECK(endpoint_subset);
CHECK(endpoint_address);

/* validate_pod.c */
CHECK(pod_spec);
CHECK(pod_security);
CHECK(security_context);
CHECK(sysctl_name);
CHECK(pod_os);
CHECK(dns_config);
CHECK(pod_only);

/* validate_pod_update.c */
CHECK(pod_update);

/* validate_claims.c: persistent volumes and claims */
CHECK(access_modes);
CHECK(claim_size);
CHECK(data_source);
CHECK(data_sources);
CHECK(claim_update);
CHECK(claim_template);
CHECK(amounts);
CHECK(volume_capacity);
CHECK(volume_update);

/* validate_service.c */
CHECK(service);
CHECK(service_traffic);
CHECK(service_update);

/* validate_volumes.c */
CHECK(local_path);
CHECK(no_backsteps);
CHECK(env_field_ref);
CHECK(env_resource_ref);
CHECK(volume_field_ref);
CHECK(volume_resource_ref);
CHECK(projected_sources);
CHECK(iscsi_name);
CHECK(fibre_channel);
CHECK(flex_options);

/* validate_scheduling.c */
CHECK(label_keys);
CHECK(node_fields);
CHECK(node_label_values);
CHECK(scheduling_gates);
CHECK(spread_repeats);
CHECK(toleration);

/* validate_pod.c again: parts of containers */
CHECK(env_source);
CHECK(liveness_probe);
CHECK(readiness_probe);

/* validate_workloads.c: apps */
CHECK(pod_template);
CHECK(selector_not_empty);
CHECK(replica_template);
CHECK(controller_template);
CHECK(strategy_type);
CHECK(stateful_selector);
CHECK(stateful_template);
CHECK(stateful_management);
CHECK(stateful_strategy);
CHECK(stateful_update);
CHECK(percent_at_most_100);
CHECK(daemon_selector);
CHECK(daemon_template);
CHECK(rolling_daemon);
CHECK(revision_data);
CHECK(rolling_deployment);

/* validate_batch.c */
CHECK(job_selector);
CHECK(job_spec);
CHECK(job_update);
CHECK(job_template_update);
CHECK(failure_rule);
CHECK(exit_codes);
CHECK(cron_schedule);
CHECK(time_zone);
CHECK(manual_selector);

/* validate_networking.c */
CHECK(http_path);
CHECK(ip_block);
CHECK(ingress_class_annotation);
CHECK(ingress_backend);
CHECK(ingress_status_ip);
CHECK(host);
CHECK(lone_ip_block);
CHECK(policy_port);
CHECK(policy_types);
CHECK(service_cidrs);

/* validate_policy.c: roles, leases, runtime classes */
CHECK(aggregated_roles);
CHECK(rule_of_namespace);
CHECK(subject_of_cluster);
CHECK(no_group);
CHECK(lease_strategy);
CHECK(candidate_versions);
CHECK(overhead);

/* validate_storage.c */
CHECK(provisioner);
CHECK(volume_parameters);
CHECK(topologies);
CHECK(token_requests);
CHECK(lifecycle_modes);
CHECK(attach_required);
CHECK(csi_node_id);
CHECK(topology_keys);
CHECK(csi_drivers);
CHECK(attachment_metadata);
CHECK(attributes_unchanged);

/* validate_discovery.c */
CHECK(slice_addresses);
CHECK(slice_ports);
CHECK(endpoint_hints);

/* validate_flowcontrol.c: priority levels, and the priorities of pods */
CHECK(path_rule);
CHECK(resource_rule);
CHECK(hand_size);
CHECK(priority_class);
CHECK(priority_value);

/* validate_certificates.c */
CHECK(request_status);
CHECK(request_approval);
CHECK(signer_name);
CHECK(migration_status);

/* validate_admission.c: what is called or evaluated on the way, and API services */
CHECK(hook_name);
CHECK(side_effects);
CHECK(client_config);
CHECK(review_versions);
CHECK(admission_rule);
CHECK(mutating_operations);
CHECK(validation_actions);
CHECK(param_kind);
CHECK(audit_key);
CHECK(audit_annotations);
CHECK(not_blank);
CHECK(blank_or_said);
CHECK(one_line);
CHECK(cel_identifier);
CHECK(api_service_name);

/* validate_devices.c */
CHECK(names_of_items);
CHECK(request_kinds);
CHECK(pool_name);
CHECK(slice_nodes);
CHECK(device_attribute);

/* validate_autoscaling.c */
CHECK(scale_target);
CHECK(described_object);
CHECK(metrics_to_zero);
CHECK(one_metric_source);

/* --- for these functions --- */

static inline uint32_t
n_items(const struct value *v) /* of a list or an object; 0 for anything else and for NULL */
{
    return v && (v->kind == VALUE_LIST || v->kind == VALUE_OBJECT) ? v->n : 0;
}
static inline bool is_set(const struct value *v, struct text name)
{
    const struct value *member = value_get(v, name);
    return member && member->kind != VALUE_NULL;
}
/* Texts that were seen: a few without memory of their own, since there mostly are no more, and any number.
 * Texts are borrowed. */
struct seen_texts {
    struct text few[16];
    size_t n;
    struct map many;
};
void seen_deinit(struct seen_texts *s);
bool seen_has(const struct seen_texts *s, struct text t);
bool seen_add(struct seen_texts *s, struct text t); /* false: it was there */
bool list_has(const struct value *list, struct text t); /* of texts */
/* Of a selector (which may be NULL: picks nothing) and labels. */
bool selector_matches(const struct value *selector, const struct value *labels);
bool selector_is_good(const struct value *selector);
/* Whether a member is not what it was; absent and null are one. */
bool differs_at(const struct value *v, const struct value *old, struct text name);
bool differs_besides(const struct value *v, const struct value *old, const struct text *names,
                     size_t n); /* any but these */
void check_invalid_text(struct validation *w, const struct field_path *at, struct text bad,
                        const char *words);
/* Of an address that can be reached from other nodes; the service kubernetes may have one of this machine only. */
void check_endpoint_ip(struct validation *w, const struct field_path *at, struct text t);
void check_not_supported(struct validation *w, const struct field_path *at, struct text t,
                         const char *const *supported, size_t n);
