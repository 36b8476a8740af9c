/* SPDX-License-Identifier: Apache-2.0 */
/* The strategies as data. A storage type without a row has a DNS subdomain as its name and nothing special.
 * Rows whose rules are algorithms stand in files of their own, below the name of their group. Source:
 * kubernetes pkg/registry/<group>/<kind>/strategy.go and storage/storage.go (ReturnDeletedObject). */
#include "registry_internal.h"

#define ON_UPDATE STRATEGY_CREATE_ON_UPDATE
#define NEEDS_RV STRATEGY_NEEDS_REVISION
#define RETURNS STRATEGY_RETURNS_DELETED
#define ANY_FINALIZER STRATEGY_ANY_FINALIZER
#define AGAIN STRATEGY_CHECKS_META_AGAIN
#define ONCE STRATEGY_CHECKS_UPDATE_ONCE

static const struct strategy plain = {0}, checked_again = {.flags = AGAIN}, returned = {.flags = RETURNS},
                             own_status = {.status_metadata = STATUS_METADATA_NONE};
static const struct strategy addresses = {.flags = AGAIN, .name = NAME_IP};
static const struct strategy flow_control = {.flags = ONCE | AGAIN, .status_metadata = STATUS_METADATA_NONE};
static const struct strategy nodes = {.flags = STRATEGY_KEEPS_STATUS | AGAIN};
static const struct strategy endpoints = {.flags = ON_UPDATE | AGAIN};
static const struct strategy returned_checked_again = {.flags = RETURNS | AGAIN};
static const struct strategy deployments = {.flags = STRATEGY_COUNTS_ANNOTATIONS,
                                            .status_metadata = STATUS_METADATA_NO_LABELS};
static const struct strategy replication_controllers = {.flags = STRATEGY_ORPHANS};
static const struct strategy endpoint_slices = {.flags = STRATEGY_COUNTS_LABELS | ONCE | AGAIN};
static const struct strategy leases = {.flags = ON_UPDATE | NEEDS_RV | ANY_FINALIZER};
static const struct strategy disruption_budgets = {.flags = NEEDS_RV | ANY_FINALIZER | ONCE,
                                                   .name = NAME_PATH_SEGMENT};
static const struct strategy rbac = {.flags = ON_UPDATE | AGAIN, .name = NAME_PATH_SEGMENT};
static const struct strategy runtime_classes = {.flags = ON_UPDATE | NEEDS_RV | ANY_FINALIZER | AGAIN};
static const struct strategy csi_nodes = {.flags = RETURNS | NEEDS_RV | ONCE | AGAIN};
static const struct strategy priority_classes = {.flags = STRATEGY_FIXED_GENERATION};
static const struct strategy storage_capacities = {.flags = NEEDS_RV | AGAIN};
static const struct strategy volume_attachments = {.flags = RETURNS | NEEDS_RV | ONCE | AGAIN,
                                                   .status_metadata = STATUS_METADATA_NONE};
static const struct strategy resource_claims = {.flags = RETURNS | AGAIN, .status_metadata = STATUS_METADATA_NONE};
static const struct strategy admission = {.flags = NEEDS_RV | ANY_FINALIZER | ONCE | AGAIN,
                                          .status_metadata = STATUS_METADATA_NONE};
static const struct strategy storage_versions = {.flags = NEEDS_RV, .status_metadata = STATUS_METADATA_NONE};

static const struct {
    struct text group, name;
    const struct strategy *strategy;
} rows[] = {
    {TEXT(""), TEXT("configmaps"), &checked_again},
    {TEXT(""), TEXT("endpoints"), &endpoints},
    {TEXT(""), TEXT("events"), &strategy_events},
    {TEXT(""), TEXT("limitranges"), &strategy_limit_ranges},
    {TEXT(""), TEXT("namespaces"), &strategy_namespaces},
    {TEXT(""), TEXT("nodes"), &nodes},
    {TEXT(""), TEXT("persistentvolumeclaims"), &strategy_persistent_volume_claims},
    {TEXT(""), TEXT("persistentvolumes"), &strategy_persistent_volumes},
    {TEXT(""), TEXT("pods"), &strategy_pods},
    {TEXT(""), TEXT("podtemplates"), &returned},
    {TEXT(""), TEXT("replicationcontrollers"), &replication_controllers},
    {TEXT(""), TEXT("resourcequotas"), &returned},
    {TEXT(""), TEXT("secrets"), &strategy_secrets},
    {TEXT(""), TEXT("serviceaccounts"), &returned_checked_again},
    {TEXT(""), TEXT("services"), &strategy_services},
    {TEXT("admissionregistration.k8s.io"), TEXT("mutatingadmissionpolicies"), &admission},
    {TEXT("admissionregistration.k8s.io"), TEXT("mutatingadmissionpolicybindings"), &admission},
    {TEXT("admissionregistration.k8s.io"), TEXT("mutatingwebhookconfigurations"), &admission},
    {TEXT("admissionregistration.k8s.io"), TEXT("validatingadmissionpolicies"), &admission},
    {TEXT("admissionregistration.k8s.io"), TEXT("validatingadmissionpolicybindings"), &admission},
    {TEXT("admissionregistration.k8s.io"), TEXT("validatingwebhookconfigurations"), &admission},
    {TEXT("apiextensions.k8s.io"), TEXT("customresourcedefinitions"), &strategy_custom_resource_definitions},
    {TEXT("apiregistration.k8s.io"), TEXT("apiservices"), &strategy_api_services},
    {TEXT("apps"), TEXT("controllerrevisions"), &checked_again},
    {TEXT("apps"), TEXT("daemonsets"), &strategy_daemon_sets},
    {TEXT("apps"), TEXT("deployments"), &deployments},
    {TEXT("batch"), TEXT("cronjobs"), &strategy_cron_jobs},
    {TEXT("batch"), TEXT("jobs"), &strategy_jobs},
    {TEXT("certificates.k8s.io"), TEXT("certificatesigningrequests"), &strategy_certificate_requests},
    {TEXT("coordination.k8s.io"), TEXT("leasecandidates"), &leases},
    {TEXT("coordination.k8s.io"), TEXT("leases"), &leases},
    {TEXT("discovery.k8s.io"), TEXT("endpointslices"), &endpoint_slices},
    {TEXT("flowcontrol.apiserver.k8s.io"), TEXT("flowschemas"), &flow_control},
    {TEXT("flowcontrol.apiserver.k8s.io"), TEXT("prioritylevelconfigurations"), &flow_control},
    {TEXT("internal.apiserver.k8s.io"), TEXT("storageversions"), &storage_versions},
    {TEXT("networking.k8s.io"), TEXT("ingressclasses"), &checked_again},
    {TEXT("networking.k8s.io"), TEXT("ingresses"), &checked_again},
    {TEXT("networking.k8s.io"), TEXT("ipaddresses"), &addresses},
    {TEXT("networking.k8s.io"), TEXT("servicecidrs"), &own_status},
    {TEXT("node.k8s.io"), TEXT("runtimeclasses"), &runtime_classes},
    {TEXT("policy"), TEXT("poddisruptionbudgets"), &disruption_budgets},
    {TEXT("rbac.authorization.k8s.io"), TEXT("clusterrolebindings"), &rbac},
    {TEXT("rbac.authorization.k8s.io"), TEXT("clusterroles"), &rbac},
    {TEXT("rbac.authorization.k8s.io"), TEXT("rolebindings"), &rbac},
    {TEXT("rbac.authorization.k8s.io"), TEXT("roles"), &rbac},
    {TEXT("resource.k8s.io"), TEXT("deviceclasses"), &returned_checked_again},
    {TEXT("resource.k8s.io"), TEXT("devicetaintrules"), &resource_claims},
    {TEXT("resource.k8s.io"), TEXT("resourceclaims"), &resource_claims},
    {TEXT("resource.k8s.io"), TEXT("resourceclaimtemplates"), &returned_checked_again},
    {TEXT("resource.k8s.io"), TEXT("resourceslices"), &returned},
    {TEXT("scheduling.k8s.io"), TEXT("priorityclasses"), &priority_classes},
    {TEXT("storage.k8s.io"), TEXT("csidrivers"), &strategy_csi_drivers},
    {TEXT("storage.k8s.io"), TEXT("csinodes"), &csi_nodes},
    {TEXT("storage.k8s.io"), TEXT("csistoragecapacities"), &storage_capacities},
    {TEXT("storage.k8s.io"), TEXT("storageclasses"), &returned_checked_again},
    {TEXT("storage.k8s.io"), TEXT("volumeattachments"), &volume_attachments},
    {TEXT("storage.k8s.io"), TEXT("volumeattributesclasses"), &returned_checked_again},
    {TEXT("storagemigration.k8s.io"), TEXT("storageversionmigrations"), &storage_versions},
};

const struct strategy *strategy_find(const struct resource_type *type)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        if (text_eq(rows[i].group, type->group) && text_eq(rows[i].name, type->name))
            return rows[i].strategy;
    }
    return &plain;
}
