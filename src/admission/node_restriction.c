/* SPDX-License-Identifier: Apache-2.0 */
/* NodeRestriction: a kubelet (user system:node:NAME of the group system:nodes) writes its own node, lease and
 * CSINode, its pods' status and mirror pods, and asks for tokens of the accounts that its pods run as; of its
 * labels it may only set those that do not steer pods. A table says who checks what. Source: kubernetes
 * plugin/pkg/admission/noderestriction/admission.go, kubernetes/kubelet pkg/apis/well_known_labels.go. */
#include "admission/certificates.h"

#define MIRROR "kubernetes.io/config.mirror"
#define ANY (CREATE | UPDATE | DELETE)

struct node_request {
    struct admission_attributes *a;
    struct authorizer *authz;
    struct text node;  /* who asks */
    const char *shown; /* quoted */
};
typedef int (*node_check)(const struct node_request *r, struct status *st);

static const char *verb_name(const struct admission_attributes *a)
{
    return a->verb == ADMISSION_CREATE ? "CREATE" : a->verb == ADMISSION_UPDATE ? "UPDATE" : "DELETE";
}

static int forbid_verb(const struct node_request *r, struct status *st)
{
    return admission_forbid(r->a, st, "unexpected operation \"%s\"", verb_name(r->a));
}

static struct text node_of(const struct value *pod)
{
    return text_at(spec_of(pod), "nodeName");
}

static int find_pod(const struct node_request *r, struct text name, struct value *ret, struct status *st)
{
    if (admission_find(r->a, "", "v1", "pods", r->a->namespace, name, ret))
        return 0;
    return status_not_found(st, TEXT_NONE, TEXT("pods"), name);
}

/* --- pods --- */

/* What of the API a pod refers to, in upstream's words; NULL: nothing. */
static const char *reference_of(struct arena *a, const struct value *pod);

static int check_owner(const struct node_request *r, struct status *st)
{
    const struct value *owners = value_get(metadata_of(r->a->object), TEXT("ownerReferences")), *owner;
    struct value node;

    if (list_size(owners) > 1)
        return admission_forbid(
            r->a, st, "node %s can only create pods with a single owner reference set to itself", r->shown);
    owner = list_size(owners) ? &owners->items[0] : NULL;
    if (!owner || !text_is(text_at(owner, "apiVersion"), "v1") || !text_is(text_at(owner, "kind"), "Node") ||
        !text_eq(text_at(owner, "name"), r->node))
        return admission_forbid(
            r->a, st, "node %s can only create pods with an owner reference set to itself", r->shown);
    if (!value_get_bool(owner, TEXT("controller"), false))
        return admission_forbid(
            r->a, st, "node %s can only create pods with a controller owner reference set to itself",
            r->shown);
    if (value_get_bool(owner, TEXT("blockOwnerDeletion"), false))
        return admission_forbid(r->a, st, "node %s must not set blockOwnerDeletion on an owner reference",
                                r->shown);
    if (!admission_find(r->a, "", "v1", "nodes", TEXT_NONE, r->node, &node))
        return status_not_found(st, TEXT_NONE, TEXT("nodes"), r->node);
    struct text uid = text_at(metadata_of(&node), "uid");
    if (!text_eq(text_at(owner, "uid"), uid))
        return admission_forbid(r->a, st, "node %.*s UID mismatch: expected %.*s got %.*s", TEXT_ARG(r->node),
                                TEXT_ARG(text_at(owner, "uid")), TEXT_ARG(uid));
    return 0;
}

static int create_pod(const struct node_request *r, struct status *st)
{
    const char *reference;

    if (!annotation_of(r->a->object, TEXT(MIRROR)))
        return admission_forbid(
            r->a, st, "pod does not have \"" MIRROR "\" annotation, node %s can only create mirror pods",
            r->shown);
    if (!text_eq(node_of(r->a->object), r->node))
        return admission_forbid(r->a, st, "node %s can only create pods with spec.nodeName set to itself",
                                r->shown);
    if (check_owner(r, st) < 0)
        return -1;
    reference = reference_of(r->a->arena, r->a->object);
    return reference ? admission_forbid(r->a, st, "node %s can not create pods that reference %s", r->shown,
                                        reference)
                     : 0;
}

static int check_pod(const struct node_request *r, struct status *st)
{
    if (r->a->verb == ADMISSION_CREATE)
        return create_pod(r, st);
    if (r->a->verb != ADMISSION_DELETE)
        return admission_forbid(r->a, st,
                                "unexpected operation \"%s\", node %s can only create and delete mirror pods",
                                verb_name(r->a), r->shown);
    if (!text_eq(node_of(r->a->old), r->node))
        return admission_forbid(r->a, st, "node %s can only delete pods with spec.nodeName set to itself",
                                r->shown);
    return 0;
}

static int check_pod_status(const struct node_request *r, struct status *st)
{
    const struct value *now = value_get(r->a->object, TEXT("status")),
                       *before = value_get(r->a->old, TEXT("status"));

    if (r->a->verb != ADMISSION_UPDATE)
        return forbid_verb(r, st);
    if (!text_eq(node_of(r->a->old), r->node))
        return admission_forbid(
            r->a, st, "node %s can only update pod status for pods with spec.nodeName set to itself",
            r->shown);
    if (!same_value(value_get(metadata_of(r->a->object), TEXT("labels")),
                    value_get(metadata_of(r->a->old), TEXT("labels"))))
        return admission_forbid(r->a, st, "node %s cannot update labels through pod status", r->shown);
    if (!same_value(value_get(now, TEXT("resourceClaimStatuses")),
                    value_get(before, TEXT("resourceClaimStatuses"))))
        return admission_forbid(r->a, st, "node %s cannot update resource claim statues", r->shown);
    if (!same_value(value_get(now, TEXT("extendedResourceClaimStatus")),
                    value_get(before, TEXT("extendedResourceClaimStatus"))))
        return admission_forbid(r->a, st, "node %s cannot update extended resource claim status", r->shown);
    return 0;
}

static int check_eviction(const struct node_request *r, struct status *st)
{
    struct value pod;

    if (r->a->verb != ADMISSION_CREATE)
        return forbid_verb(r, st);
    if (!r->a->name.n)
        return admission_forbid(r->a, st, "could not determine pod from request data");
    if (find_pod(r, r->a->name, &pod, st) < 0)
        return -1;
    if (!text_eq(node_of(&pod), r->node))
        return admission_forbid(r->a, st, "node %.*s can only evict pods with spec.nodeName set to itself",
                                TEXT_ARG(r->node));
    return 0;
}

static int refuse_pod_sub(const struct node_request *r, struct status *st)
{
    return admission_forbid(r->a, st,
                            "unexpected pod subresource %.*s, only 'status' and 'eviction' are allowed",
                            TEXT_ARG(quoted(r->a->arena, r->a->sub->name)));
}

/* --- what a pod refers to --- */

struct sighting {
    bool secrets, config_maps;
};

static void see(void *ctx, enum pod_reference what, struct text name)
{
    struct sighting *s = ctx;

    s->secrets |= what == POD_REFERS_SECRET;
    s->config_maps |= what == POD_REFERS_CONFIG_MAP;
}

static const char *reference_of_volume(const struct value *volume)
{
    static const struct {
        const char *member, *reference;
    } volumes[] = {{"configMap", "configmaps (via configmap volumes)"},
                   {"secret", "secrets (via secret volumes)"},
                   {"csi", "csidrivers (via CSI volumes)"},
                   {"glusterfs", "endpoints (via glusterFS volumes)"},
                   {"persistentVolumeClaim", "persistentvolumeclaims"},
                   {"ephemeral", "persistentvolumeclaims (via ephemeral volumes)"},
                   {"azureFile", "secrets (via azureFile volumes)"}},
      sources[] = {{"configMap", "configmaps (via projected volumes)"},
                   {"secret", "secrets (via projected volumes)"},
                   {"serviceAccountToken", "serviceaccounts (via projected volumes)"},
                   {"clusterTrustBundle", "clustertrustbundles"},
                   {"podCertificate", "podcertificates"}};
    const struct value *projected = value_at(volume, "projected", "sources", NULL);

    for (size_t i = 0; i < N_ELEMENTS(volumes); i++)
        if (value_get(volume, text_of(volumes[i].member)))
            return volumes[i].reference;
    for (size_t i = 0; i < list_size(projected); i++)
        for (size_t k = 0; k < N_ELEMENTS(sources); k++)
            if (value_get(&projected->items[i], text_of(sources[k].member)))
                return sources[k].reference;
    return NULL;
}

static const char *reference_of(struct arena *a, const struct value *pod)
{
    const struct value *spec = spec_of(pod), *volumes = value_get(spec, TEXT("volumes"));
    struct sighting seen = {0};
    const char *reference = NULL;

    if (text_at(spec, "serviceAccountName").n)
        return "serviceaccounts";
    pod_references(a, pod, see, &seen);
    if (seen.secrets || seen.config_maps)
        return seen.secrets ? "secrets" : "configmaps";
    if (list_size(value_get(spec, TEXT("resourceClaims"))))
        return "resourceclaims";
    for (size_t i = 0; i < list_size(volumes) && !reference; i++)
        reference = reference_of_volume(&volumes->items[i]);
    return reference;
}

/* --- nodes --- */

static bool is_below(struct text domain, const char *parent)
{
    size_t n = strlen(parent);

    return text_is(domain, parent) ||
           (text_ends(domain, text_of(parent)) && domain.n > n && domain.p[domain.n - n - 1] == '.');
}

static bool is_forbidden_label(struct text key)
{
    static const char *const own[] = {"kubernetes.io/hostname",
                                      "topology.kubernetes.io/zone",
                                      "topology.kubernetes.io/region",
                                      "failure-domain.beta.kubernetes.io/zone",
                                      "failure-domain.beta.kubernetes.io/region",
                                      "beta.kubernetes.io/instance-type",
                                      "node.kubernetes.io/instance-type",
                                      "kubernetes.io/os",
                                      "kubernetes.io/arch",
                                      "beta.kubernetes.io/os",
                                      "beta.kubernetes.io/arch"};
    struct text rest = key, domain = TEXT_NONE;

    if (text_find(key, '/') < 0)
        return false;
    text_split(&rest, '/', &domain);
    if (is_below(domain, "node-restriction.kubernetes.io"))
        return true;
    if (!is_below(domain, "kubernetes.io") && !is_below(domain, "k8s.io"))
        return false;
    for (size_t i = 0; i < N_ELEMENTS(own); i++)
        if (text_is(key, own[i]))
            return false;
    return !is_below(domain, "kubelet.kubernetes.io") && !is_below(domain, "node.kubernetes.io");
}

static void add_changed(struct arena *a, const struct value *x, const struct value *y,
                        struct text_list *forbidden)
{
    for (size_t i = 0; x && x->kind == VALUE_OBJECT && i < x->n; i++) {
        struct text key = member_key(&x->members[i]);
        const struct value *other = value_get(y, key);
        if ((!other || !value_equal(&x->members[i].value, other)) && is_forbidden_label(key))
            text_list_add_once(a, forbidden, key);
    }
}

/* Those that a node must not set, change or take away, and has; "" when there are none. */
static const char *changed_labels(const struct admission_attributes *a)
{
    const struct value *now = value_get(metadata_of(a->object), TEXT("labels"));
    const struct value *before = value_get(metadata_of(a->old), TEXT("labels"));
    struct text_list forbidden = {0};
    struct buffer b = BUFFER_IN(a->arena);

    add_changed(a->arena, now, before, &forbidden);
    add_changed(a->arena, before, now, &forbidden);
    text_list_sort(&forbidden);
    for (size_t i = 0; i < forbidden.n; i++)
        buffer_addf(&b, "%s%.*s", i ? ", " : "", TEXT_ARG(forbidden.p[i]));
    return buffer_str(&b);
}

static int check_node(const struct node_request *r, struct status *st)
{
    const struct value *now = spec_of(r->a->object), *before = spec_of(r->a->old);
    const struct value *source = value_get(now, TEXT("configSource"));
    const char *labels;

    if (!text_eq(r->a->name, r->node))
        return admission_forbid(r->a, st, "node %s is not allowed to modify node %.*s", r->shown,
                                TEXT_ARG(quoted(r->a->arena, r->a->name)));
    if (r->a->verb == ADMISSION_DELETE)
        return 0;
    labels = changed_labels(r->a);
    if (r->a->verb == ADMISSION_CREATE) {
        if (source)
            return admission_forbid(
                r->a, st, "node %s is not allowed to create pods with a non-nil configSource", r->shown);
        return *labels ? admission_forbid(r->a, st, "node %s is not allowed to set the following labels: %s",
                                          r->shown, labels)
                       : 0;
    }
    if (source && !same_value(source, value_get(before, TEXT("configSource"))))
        return admission_forbid(r->a, st,
                                "node %s is not allowed to update configSource to a new non-nil configSource",
                                r->shown);
    if (!same_value(value_get(now, TEXT("taints")), value_get(before, TEXT("taints"))))
        return admission_forbid(r->a, st, "node %s is not allowed to modify taints", r->shown);
    if (!same_value(value_get(metadata_of(r->a->object), TEXT("ownerReferences")),
                    value_get(metadata_of(r->a->old), TEXT("ownerReferences"))))
        return admission_forbid(r->a, st, "node %s is not allowed to modify ownerReferences", r->shown);
    return *labels ? admission_forbid(r->a, st, "is not allowed to modify labels: %s", labels) : 0;
}

/* --- claims --- */

static struct value without(struct arena *a, const struct value *claim)
{
    static const struct text free_status[] = {TEXT("capacity"), TEXT("conditions"),
                                              TEXT("allocatedResourceStatuses"), TEXT("allocatedResources")};
    struct value copy = value_copy(a, claim), *status = value_object_at(a, &copy, TEXT("status"));

    for (size_t i = 0; i < N_ELEMENTS(free_status); i++)
        value_remove(status, free_status[i]);
    value_remove(value_object_at(a, &copy, TEXT("metadata")), TEXT("resourceVersion"));
    value_remove(value_object_at(a, &copy, TEXT("metadata")), TEXT("managedFields"));
    return copy;
}

static int check_claim(const struct node_request *r, struct status *st)
{
    struct value now, before;

    if (!is_sub(r->a, "status"))
        return admission_forbid(r->a, st, "may only update PVC status");
    if (r->a->verb != ADMISSION_UPDATE)
        return forbid_verb(r, st);
    now = without(r->a->arena, r->a->object);
    before = without(r->a->arena, r->a->old);
    if (!value_equal(&now, &before))
        return admission_forbid(r->a, st,
                                "node %s is not allowed to update fields other than status.quantity and "
                                "status.conditions",
                                r->shown);
    return 0;
}

/* --- tokens --- */

/* Drivers that have taken over the volumes that were once built in. */
static const struct {
    const char *member, *driver;
} moved_volumes[] = {
    {"awsElasticBlockStore", "ebs.csi.aws.com"}, {"gcePersistentDisk", "pd.csi.storage.gke.io"},
    {"azureDisk", "disk.csi.azure.com"},         {"azureFile", "file.csi.azure.com"},
    {"cinder", "cinder.csi.openstack.org"},      {"vsphereVolume", "csi.vsphere.vmware.com"},
    {"portworxVolume", "pxd.portworx.com"}};

/* The CSI driver of a volume's or a persistent volume's source; empty: none. */
static struct text driver_of_source(const struct value *source)
{
    struct text driver = text_at(value_get(source, TEXT("csi")), "driver");

    for (size_t i = 0; !driver.n && i < N_ELEMENTS(moved_volumes); i++)
        if (value_get(source, text_of(moved_volumes[i].member)))
            driver = text_of(moved_volumes[i].driver);
    return driver;
}

static struct text driver_of_claim(const struct admission_attributes *a, struct text name)
{
    struct value claim, volume;

    if (!admission_find(a, "", "v1", "persistentvolumeclaims", a->namespace, name, &claim) ||
        !admission_find(a, "", "v1", "persistentvolumes", TEXT_NONE, text_at(spec_of(&claim), "volumeName"),
                        &volume))
        return TEXT_NONE;
    return driver_of_source(spec_of(&volume));
}

static bool driver_asks_for(const struct admission_attributes *a, struct text driver, struct text audience)
{
    const struct value *requests;
    struct value tree;

    if (!driver.n || !admission_find(a, "storage.k8s.io", "v1", "csidrivers", TEXT_NONE, driver, &tree))
        return false;
    requests = value_get(spec_of(&tree), TEXT("tokenRequests"));
    for (size_t i = 0; i < list_size(requests); i++)
        if (text_eq(text_at(&requests->items[i], "audience"), audience))
            return true;
    return false;
}

static bool volume_asks_for(const struct admission_attributes *a, const struct value *pod,
                            const struct value *volume, struct text audience)
{
    const struct value *sources = value_at(volume, "projected", "sources", NULL);
    const struct value *claim = value_get(volume, TEXT("persistentVolumeClaim"));
    struct text name = text_at(claim, "claimName");

    for (size_t i = 0; i < list_size(sources); i++) {
        const struct value *token = value_get(&sources->items[i], TEXT("serviceAccountToken"));
        if (token && text_eq(text_at(token, "audience"), audience))
            return true;
    }
    if (value_get(volume, TEXT("ephemeral")))
        name = arena_textf(a->arena, "%.*s-%.*s", TEXT_ARG(name_of(pod)), TEXT_ARG(text_at(volume, "name")));
    return driver_asks_for(a, name.n ? driver_of_claim(a, name) : driver_of_source(volume), audience);
}

/* Tokens are for what a volume of the pod asks for, or for what the node was given the right to. */
static int check_audience(const struct node_request *r, const struct value *request, const struct value *pod,
                          struct status *st)
{
    const struct value *audiences = value_get(spec_of(request), TEXT("audiences")),
                       *volumes = value_get(spec_of(pod), TEXT("volumes"));
    struct text audience = list_size(audiences) ? value_text(&audiences->items[0]) : TEXT("");
    const struct request_info info = {.is_resource = true,
                                      .verb = TEXT("request-serviceaccounts-token-audience"),
                                      .version = TEXT("v1"),
                                      .resource = audience,
                                      .namespace = r->a->namespace,
                                      .name = r->a->name};
    const struct authz_attributes attrs = {.user = r->a->user, .info = &info, .may_block = r->a->may_block};
    struct authz_answer answer;

    if (list_size(audiences) > 1)
        return admission_forbid(r->a, st, "node may only request 0 or 1 audiences");
    for (size_t i = 0; i < list_size(volumes); i++)
        if (volume_asks_for(r->a, pod, &volumes->items[i], audience))
            return 0;
    if (!r->authz || authorizer_ask(r->authz, r->a->arena, &attrs, &answer) == AUTHZ_ALLOW)
        return 0;
    return admission_forbid(
        r->a, st,
        "audience %.*s not found in pod spec volume, %.*s is not authorized to request tokens for this "
        "audience",
        TEXT_ARG(quoted(r->a->arena, audience)), TEXT_ARG(r->a->user->name));
}

static int check_token(const struct node_request *r, struct status *st)
{
    const struct value *ref = value_get(spec_of(r->a->object), TEXT("boundObjectRef"));
    struct text name = text_at(ref, "name"), uid = text_at(ref, "uid");
    struct value pod;

    if (!text_is(text_at(ref, "apiVersion"), "v1") || !text_is(text_at(ref, "kind"), "Pod") || !name.n)
        return admission_forbid(r->a, st, "node requested token not bound to a pod");
    if (!uid.n)
        return admission_forbid(r->a, st, "node requested token with a pod binding without a uid");
    if (find_pod(r, name, &pod, st) < 0)
        return -1;
    if (!text_eq(uid, text_at(metadata_of(&pod), "uid")))
        return admission_forbid(
            r->a, st,
            "the UID in the bound object reference (%.*s) does not match the UID in record. The object "
            "might have been deleted and then recreated",
            TEXT_ARG(uid));
    if (!text_eq(node_of(&pod), r->node))
        return admission_forbid(r->a, st,
                                "node requested token bound to a pod scheduled on a different node");
    return check_audience(r, r->a->object, &pod, st);
}

/* --- what has the node's name --- */

static struct text object_name(const struct node_request *r)
{
    return r->a->verb == ADMISSION_CREATE ? name_of(r->a->object) : r->a->name;
}

static int check_lease(const struct node_request *r, struct status *st)
{
    if (!text_is(r->a->namespace, "kube-node-lease"))
        return admission_forbid(r->a, st,
                                "can only access leases in the \"kube-node-lease\" system namespace");
    if (!text_eq(object_name(r), r->node))
        return admission_forbid(r->a, st,
                                "can only access node lease with the same name as the requesting node");
    return 0;
}

static int check_csi_node(const struct node_request *r, struct status *st)
{
    if (!text_eq(object_name(r), r->node))
        return admission_forbid(r->a, st,
                                "can only access CSINode with the same name as the requesting node");
    return 0;
}

static int check_slice(const struct node_request *r, struct status *st)
{
    const struct value *slice = r->a->verb == ADMISSION_CREATE ? r->a->object : r->a->old;

    if (r->a->verb == ADMISSION_UPDATE || text_eq(text_at(spec_of(slice), "nodeName"), r->node))
        return 0;
    return admission_forbid(r->a, st,
                            "can only %s ResourceSlice with the same NodeName as the requesting node",
                            r->a->verb == ADMISSION_CREATE ? "create" : "delete");
}

static int check_csr(const struct node_request *r, struct status *st)
{
    struct text signer = text_at(spec_of(r->a->object), "signerName");
    struct csr_subject subject;
    const char *problem;

    if (!text_is(signer, "kubernetes.io/kubelet-serving") &&
        !text_is(signer, "kubernetes.io/kube-apiserver-client-kubelet"))
        return 0;
    problem = csr_subject_read(r->a->arena, text_at(spec_of(r->a->object), "request"), &subject);
    if (problem)
        return admission_forbid(r->a, st, "unable to parse csr: %s", problem);
    if (!text_eq(subject.common_name, arena_textf(r->a->arena, "system:node:%.*s", TEXT_ARG(r->node))))
        return admission_forbid(r->a, st, "can only create a node CSR with CN=system:node:%.*s",
                                TEXT_ARG(r->node));
    return 0;
}

/* --- certificates of pods --- */

static struct text uid_of(const struct value *obj)
{
    return text_at(metadata_of(obj), "uid");
}

/* Where what is asked for may be newer than what is known the refusal is no 403: the kubelet tries again. */
static int check_pod_certificate(const struct node_request *r, struct status *st)
{
    const struct value *spec = spec_of(r->a->object);
    struct text pod_name = text_at(spec, "podName"), account_name = text_at(spec, "serviceAccountName");
    struct text shown = quoted(
        r->a->arena, arena_textf(r->a->arena, "%.*s/%.*s", TEXT_ARG(r->a->namespace), TEXT_ARG(pod_name)));
    struct value node, pod, account;

    if (r->a->verb != ADMISSION_CREATE || r->a->sub)
        return r->a->sub
                   ? admission_forbid(r->a, st, "unexpected subresource %.*s", TEXT_ARG(r->a->sub->name))
                   : forbid_verb(r, st);
    if (!text_eq(text_at(spec, "nodeName"), r->node))
        return admission_forbid(
            r->a, st, "PodCertificateRequest.Spec.NodeName=%.*s, which is not the requesting node %s",
            TEXT_ARG(quoted(r->a->arena, text_at(spec, "nodeName"))), r->shown);
    if (!admission_find(r->a, "", "v1", "nodes", TEXT_NONE, r->node, &node))
        return admission_fail(
            st, "while retrieving node %s named in the PodCertificateRequest: node %s not found", r->shown,
            r->shown);
    if (!text_eq(uid_of(&node), text_at(spec, "nodeUID")))
        return admission_fail(
            st,
            "PodCertificateRequest for pod %.*s names a node UID that is inconsistent with the running node",
            TEXT_ARG(shown));
    if (!admission_find(r->a, "", "v1", "pods", r->a->namespace, pod_name, &pod))
        return admission_fail(st,
                              "while retrieving pod %.*s named in the PodCertificateRequest: pod not found",
                              TEXT_ARG(shown));
    if (!text_eq(uid_of(&pod), text_at(spec, "podUID")))
        return admission_fail(
            st, "PodCertificateRequest for pod %.*s contains a pod UID which differs from running pod",
            TEXT_ARG(shown));
    if (!text_eq(node_of(&pod), r->node))
        return admission_forbid(r->a, st,
                                "pod %.*s is not running on node %s named in the PodCertificateRequest",
                                TEXT_ARG(shown), r->shown);
    if (annotation_of(&pod, TEXT(MIRROR)))
        return admission_forbid(r->a, st, "pod %.*s is a mirror pod", TEXT_ARG(shown));
    if (!text_eq(account_name, text_at(spec_of(&pod), "serviceAccountName")))
        return admission_forbid(
            r->a, st,
            "PodCertificateRequest for pod %.*s contains serviceAccountName that differs from running pod",
            TEXT_ARG(shown));
    if (!admission_find(r->a, "", "v1", "serviceaccounts", r->a->namespace, account_name, &account) ||
        !text_eq(uid_of(&account), text_at(spec, "serviceAccountUID")))
        return admission_fail(
            st,
            "PodCertificateRequest for pod %.*s names a service account UID which differs from the running "
            "service account",
            TEXT_ARG(shown));
    return 0;
}

/* --- the table --- */

/* The first row that fits; sub "*": any, and none. */
static const struct {
    const char *group, *resource, *sub;
    unsigned verbs;
    node_check check;
} checks[] = {
    {"", "pods", "", ANY, check_pod},
    {"", "pods", "status", ANY, check_pod_status},
    {"", "pods", "eviction", ANY, check_eviction},
    {"", "pods", "*", ANY, refuse_pod_sub},
    {"", "nodes", "*", ANY, check_node},
    {"", "persistentvolumeclaims", "*", ANY, check_claim},
    {"", "serviceaccounts", "token", CREATE, check_token},
    {"certificates.k8s.io", "podcertificaterequests", "*", ANY, check_pod_certificate},
    {"coordination.k8s.io", "leases", "*", ANY, check_lease},
    {"storage.k8s.io", "csinodes", "*", ANY, check_csi_node},
    {"resource.k8s.io", "resourceslices", "*", ANY, check_slice},
    {"certificates.k8s.io", "certificatesigningrequests", "*", CREATE, check_csr},
};

static bool is_node(const struct admission_attributes *a)
{
    return text_starts(a->user->name, TEXT("system:node:")) && user_in_group(a->user, TEXT("system:nodes"));
}

static int restrict_node(void *authz, struct admission_attributes *a, struct status *st)
{
    struct node_request r = {.a = a, .authz = authz};

    if (!is_node(a))
        return 0;
    r.node = text_from(a->user->name, sizeof("system:node:") - 1);
    r.shown = arena_str(a->arena, quoted(a->arena, r.node));
    if (!r.node.n)
        return admission_forbid(a, st, "could not determine node from user %.*s",
                                TEXT_ARG(quoted(a->arena, a->user->name)));
    for (size_t i = 0; i < N_ELEMENTS(checks); i++)
        if (is_resource(a, checks[i].group, checks[i].resource) &&
            (strcmp(checks[i].sub, "*") == 0 || is_sub(a, checks[i].sub)))
            return checks[i].verbs & a->verb ? checks[i].check(&r, st) : 0;
    return 0;
}

static bool asks_for_tokens(void *authz, const struct admission_attributes *a)
{
    return authz && authorizer_may_block(authz) && is_node(a);
}

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    *ret_state = c->opt->authz;
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("serviceaccounts"), TEXT("token"), CREATE, .admit = NULL, .may_wait = asks_for_tokens},
    {TEXT("*"), TEXT("*"), TEXT("*"), ANY, .admit = restrict_node},
};
const struct admission_plugin plugin_node_restriction = {"NodeRestriction", false, RULES(rules),
                                                         .start = start};
