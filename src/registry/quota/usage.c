/* SPDX-License-Identifier: Apache-2.0 */
/* What objects count for: a table of the types that are more than a number, all others count as
 * count/RESOURCE.GROUP. Source: kubernetes pkg/quota/v1/evaluator/core, pkg/quota/v1/install/registry.go,
 * kubernetes/apiserver pkg/quota/v1/generic. */
#include "registry/quota/quota.h"

#define BY_CLASS ".storageclass.storage.k8s.io/"
#define BY_DEVICE ".deviceclass.resource.k8s.io/devices"
#define DEVICES_MAX 32 /* that a request of all devices may get */

static bool is_among(struct text t, const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        if (text_is(t, list[i]))
            return true;
    return false;
}

static size_t length(const struct value *list)
{
    return list && list->kind == VALUE_LIST ? list->n : 0;
}

static void count(struct arena *a, struct value *usage, struct text name, int64_t n)
{
    value_set(a, usage, name, value_string(quantity_of(a, n, false)));
}

/* --- pods --- */

static const char *const pod_names[] = {"cpu",
                                        "memory",
                                        "ephemeral-storage",
                                        "requests.cpu",
                                        "requests.memory",
                                        "requests.ephemeral-storage",
                                        "limits.cpu",
                                        "limits.memory",
                                        "limits.ephemeral-storage",
                                        "pods",
                                        NULL};

static bool is_native(struct text name)
{
    return text_find(name, '/') < 0 || text_find_text(name, TEXT("kubernetes.io/")) >= 0;
}

/* requests.example.com/gpu */
static bool is_extended_request(struct text name)
{
    return text_starts(name, TEXT("requests.")) &&
           (!is_native(name) || text_starts(name, TEXT("requests.deviceclass.resource.kubernetes.io/")));
}

static bool pods_cover(struct text name)
{
    return text_starts(name, TEXT("hugepages-")) || text_starts(name, TEXT("requests.hugepages-")) ||
           is_extended_request(name);
}

static bool is_extended(struct text name)
{
    return (!is_native(name) && !text_starts(name, TEXT("requests."))) ||
           text_starts(name, TEXT("deviceclass.resource.kubernetes.io/"));
}

/* Names of hard lists that the container's or the pod's requests and limits count for. */
static struct value compute_usage(struct arena *a, const struct value *requests, const struct value *limits)
{
    static const struct text counted[] = {TEXT("cpu"), TEXT("memory"), TEXT("ephemeral-storage")};
    struct value usage = value_object();

    count(a, &usage, TEXT("pods"), 1);
    for (size_t i = 0; i < N_ELEMENTS(counted); i++) {
        const struct value *request = value_get(requests, counted[i]), *limit = value_get(limits, counted[i]);
        if (request) {
            struct value q = value_string(quantity_text(a, request));
            value_set(a, &usage, counted[i], q);
            value_set(a, &usage, arena_textf(a, "requests.%.*s", TEXT_ARG(counted[i])), q);
        }
        if (limit)
            value_set(a, &usage, arena_textf(a, "limits.%.*s", TEXT_ARG(counted[i])),
                      value_string(quantity_text(a, limit)));
    }
    for (size_t i = 0; requests && requests->kind == VALUE_OBJECT && i < requests->n; i++) {
        struct text key = member_key(&requests->members[i]);
        struct value q = value_string(quantity_text(a, &requests->members[i].value));
        bool is_huge = text_starts(key, TEXT("hugepages-"));
        if (is_huge)
            value_set(a, &usage, key, q);
        if (is_huge || is_extended(key))
            value_set(a, &usage, arena_textf(a, "requests.%.*s", TEXT_ARG(key)), q);
    }
    return usage;
}

/* Ended, or it should have been long ago: such pods hold nobody back. */
static bool is_over(const struct value *pod)
{
    const struct value *metadata = value_get(pod, TEXT("metadata"));
    struct text phase = value_text(value_at(pod, "status", "phase", NULL));
    const struct value *grace = value_get(metadata, TEXT("deletionGracePeriodSeconds"));
    int64_t at_ns;

    if (text_is(phase, "Failed") || text_is(phase, "Succeeded"))
        return true;
    return grace && clock_parse_rfc3339(value_get_text(metadata, TEXT("deletionTimestamp")), &at_ns) &&
           clock_now_ns() > at_ns + grace->integer * 1000000000;
}

static void pod_usage(struct arena *a, const struct value *pod, struct value *usage)
{
    const struct value *spec = value_get(pod, TEXT("spec")), *overhead = value_get(spec, TEXT("overhead"));
    struct value requests, limits, computed;

    if (is_over(pod))
        return;
    requests = pod_resources(a, spec, POD_REQUESTS);
    limits = pod_resources(a, spec, POD_LIMITS);
    quantities_add(a, &requests, overhead);
    for (size_t i = 0; overhead && overhead->kind == VALUE_OBJECT && i < overhead->n; i++) {
        struct text key = member_key(&overhead->members[i]), total;
        const struct value *limit = value_get(&limits, key);
        if (limit &&
            quantity_add(a, value_text(limit), quantity_text(a, &overhead->members[i].value), &total))
            value_set(a, &limits, key, value_string(total));
    }
    computed = compute_usage(a, &requests, &limits);
    for (size_t i = 0; i < computed.n; i++)
        value_set(a, usage, member_key(&computed.members[i]), computed.members[i].value);
}

static bool is_terminating(const struct value *pod)
{
    return value_get_int(value_get(pod, TEXT("spec")), TEXT("activeDeadlineSeconds"), -1) >= 0;
}

static bool pod_is_touched(struct text sub, const struct value *obj, const struct value *old)
{
    if (text_is(sub, "resize"))
        return old != NULL;
    return !sub.n && (!old || is_terminating(obj) != is_terminating(old));
}

/* A quota of cpu or memory makes every container say how much it asks for. */
static const char *pod_lacks(struct arena *a, const struct value *hard, const struct value *pod)
{
    static const char *const demanded[] = {"cpu",    "limits.cpu",   "limits.memory",
                                           "memory", "requests.cpu", "requests.memory"};
    static const char *const lists[] = {"containers", "initContainers"};
    const struct value *spec = value_get(pod, TEXT("spec"));
    struct buffer b = BUFFER_IN(a);

    if (!value_is_empty(value_at(spec, "resources", "requests", NULL)) ||
        !value_is_empty(value_at(spec, "resources", "limits", NULL)))
        return NULL;
    for (size_t i = 0; i < N_ELEMENTS(demanded); i++) { /* sorted */
        struct text_list names = {0};
        if (!value_get(hard, text_of(demanded[i])))
            continue;
        for (size_t k = 0; k < N_ELEMENTS(lists); k++) {
            const struct value *containers = value_get(spec, text_of(lists[k]));
            for (size_t j = 0; j < length(containers); j++) {
                const struct value *resources = value_get(&containers->items[j], TEXT("resources"));
                struct value usage = compute_usage(a, value_get(resources, TEXT("requests")),
                                                   value_get(resources, TEXT("limits")));
                if (!value_get(&usage, text_of(demanded[i])))
                    text_list_add_once(a, &names, value_get_text(&containers->items[j], TEXT("name")));
            }
        }
        if (!names.n)
            continue;
        text_list_sort(&names);
        buffer_addf(&b, "%s%s for: ", b.n ? "; " : "must specify ", demanded[i]);
        for (size_t k = 0; k < names.n; k++)
            buffer_addf(&b, "%s%.*s", k ? "," : "", TEXT_ARG(names.p[k]));
    }
    return b.n ? buffer_str(&b) : NULL;
}

/* --- services --- */

static const char *const service_names[] = {"services", "services.nodeports", "services.loadbalancers", NULL};

static void service_usage(struct arena *a, const struct value *service, struct value *usage)
{
    const struct value *spec = value_get(service, TEXT("spec")), *ports = value_get(spec, TEXT("ports"));
    struct text type = value_get_text(spec, TEXT("type"));
    bool is_balanced = text_is(type, "LoadBalancer");
    int64_t n_ports = 0;

    /* What is wanted counts: ports are not given out yet. */
    for (size_t i = 0; (is_balanced || text_is(type, "NodePort")) && i < length(ports); i++)
        n_ports += !is_balanced || value_get_bool(spec, TEXT("allocateLoadBalancerNodePorts"), true) ||
                   value_get_int(&ports->items[i], TEXT("nodePort"), 0) != 0;
    count(a, usage, TEXT("services"), 1);
    count(a, usage, TEXT("services.loadbalancers"), is_balanced);
    count(a, usage, TEXT("services.nodeports"), n_ports);
}

static bool always_touched(struct text sub, const struct value *obj, const struct value *old)
{
    return !sub.n;
}

/* --- claims --- */

static const char *const claim_names[] = {"persistentvolumeclaims", "requests.storage", NULL};

static bool claims_cover(struct text name)
{
    return text_ends(name, TEXT(BY_CLASS "persistentvolumeclaims")) ||
           text_ends(name, TEXT(BY_CLASS "requests.storage"));
}

static struct text whole(struct arena *a, struct text q)
{
    struct text value = quantity_of(a, quantity_value(q), false);

    return quantity_cmp(q, value) == 0 ? q : value;
}

static void claim_usage(struct arena *a, const struct value *claim, struct value *usage)
{
    const struct value *old_class = value_get(value_at(claim, "metadata", "annotations", NULL),
                                              TEXT("volume.beta.kubernetes.io/storage-class"));
    struct text class =
        old_class ? value_text(old_class) : value_text(value_at(claim, "spec", "storageClassName", NULL));
    const struct value *storage = value_at(claim, "spec", "resources", "requests", "storage", NULL);
    const struct value *allocated = value_at(claim, "status", "allocatedResources", "storage", NULL);

    count(a, usage, TEXT("persistentvolumeclaims"), 1);
    if (class.n)
        count(a, usage, arena_textf(a, "%.*s" BY_CLASS "persistentvolumeclaims", TEXT_ARG(class)), 1);
    if (!storage)
        return;
    struct text size = quantity_text(a, storage);
    if (allocated && quantity_cmp(quantity_text(a, allocated), size) > 0)
        size = quantity_text(a, allocated);
    struct value q = value_string(whole(a, size));
    value_set(a, usage, TEXT("requests.storage"), q);
    if (class.n)
        value_set(a, usage, arena_textf(a, "%.*s" BY_CLASS "requests.storage", TEXT_ARG(class)), q);
}

static bool claim_is_touched(struct text sub, const struct value *obj, const struct value *old)
{
    return !sub.n || (text_is(sub, "status") && old);
}

/* --- claims of devices --- */

static bool device_claims_cover(struct text name)
{
    return text_ends(name, TEXT(BY_DEVICE));
}

static int64_t devices_of(const struct value *request)
{
    struct text mode = value_get_text(request, TEXT("allocationMode"));

    if (text_is(mode, "All"))
        return DEVICES_MAX;
    return text_is(mode, "ExactCount") ? value_get_int(request, TEXT("count"), 0) : 0;
}

static void add_devices(struct arena *a, struct value *usage, struct text class, int64_t n)
{
    struct value more = value_object();

    count(a, &more, arena_textf(a, "%.*s" BY_DEVICE, TEXT_ARG(class)), n);
    quantities_add(a, usage, &more);
}

/* Of alternatives the one that takes most of a class counts. */
static void add_alternatives(struct arena *a, struct value *usage, const struct value *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct text class = value_get_text(&list->items[i], TEXT("deviceClassName"));
        int64_t most = devices_of(&list->items[i]);
        bool is_first = true;
        for (size_t k = 0; k < list->n; k++) {
            if (!text_eq(value_get_text(&list->items[k], TEXT("deviceClassName")), class))
                continue;
            is_first &= k >= i;
            most = devices_of(&list->items[k]) > most ? devices_of(&list->items[k]) : most;
        }
        if (is_first && most > 0)
            add_devices(a, usage, class, most);
    }
}

static void device_claim_usage(struct arena *a, const struct value *claim, struct value *usage)
{
    const struct value *requests = value_at(claim, "spec", "devices", "requests", NULL);

    for (size_t i = 0; i < length(requests); i++) {
        const struct value *first = value_get(&requests->items[i], TEXT("firstAvailable"));
        const struct value *exactly = value_get(&requests->items[i], TEXT("exactly"));
        if (length(first))
            add_alternatives(a, usage, first);
        else if (exactly)
            add_devices(a, usage, value_get_text(exactly, TEXT("deviceClassName")), devices_of(exactly));
    }
}

/* --- the table --- */

/* Besides count/RESOURCE, which every type has. */
static const struct evaluator {
    const char *group, *resource;
    const char *const *names;         /* that its objects count for; NULL: none */
    bool (*covers)(struct text name); /* besides; NULL: none */
    void (*usage)(struct arena *a, const struct value *obj, struct value *usage);
    bool (*is_touched)(struct text sub, const struct value *obj,
                       const struct value *old); /* NULL: by creations only */
    const char *(*lacks)(struct arena *a, const struct value *hard, const struct value *obj);
    bool (*matches)(const struct value *scope, const struct value *obj);
} evaluators[] = {
    {"", "pods", pod_names, pods_cover, pod_usage, pod_is_touched, pod_lacks, quota_scope_of_pod},
    {"", "services", service_names, NULL, service_usage, always_touched},
    {"", "persistentvolumeclaims", claim_names, claims_cover, claim_usage, claim_is_touched, NULL,
     quota_scope_of_claim},
    {"resource.k8s.io", "resourceclaims", NULL, device_claims_cover, device_claim_usage, always_touched},
};
/* Old names of plain counts. */
static const char *const aliases[] = {"configmaps", "resourcequotas", "replicationcontrollers", "secrets",
                                      NULL};
static const char *const ignored[] = {"bindings", "componentstatuses", "events", NULL};

static const struct evaluator *find(const struct resource_type *type)
{
    for (size_t i = 0; i < N_ELEMENTS(evaluators); i++)
        if (text_is(type->group, evaluators[i].group) && text_is(type->name, evaluators[i].resource))
            return &evaluators[i];
    return NULL;
}

static bool has_alias(const struct resource_type *type)
{
    return !type->group.n && is_among(type->name, aliases);
}

bool quota_counts(const struct resource_type *type)
{
    if (text_is(type->group, "authentication.k8s.io") || text_is(type->group, "authorization.k8s.io"))
        return false;
    if (type->group.n && !text_is(type->group, "events.k8s.io"))
        return true;
    return !is_among(type->name, ignored);
}

bool quota_is_touched(const struct resource_type *type, struct text sub, const struct value *obj,
                      const struct value *old)
{
    const struct evaluator *e = find(type);

    return e && e->is_touched ? e->is_touched(sub, obj, old) : !sub.n && !old;
}

static struct text count_name(struct arena *a, const struct resource_type *type)
{
    return arena_textf(a, "count/%.*s%s%.*s", TEXT_ARG(type->name), type->group.n ? "." : "",
                       TEXT_ARG(type->group));
}

struct value quota_usage(struct arena *a, const struct resource_type *type, const struct value *obj)
{
    const struct evaluator *e = find(type);
    struct value usage = value_object();

    count(a, &usage, count_name(a, type), 1);
    if (has_alias(type))
        count(a, &usage, type->name, 1);
    if (e)
        e->usage(a, obj, &usage);
    return usage;
}

static bool is_count_of(struct text name, const struct resource_type *type)
{
    struct text rest = name, resource;

    if (!text_starts(name, TEXT("count/")))
        return false;
    rest = text_from(name, sizeof("count/") - 1);
    text_split(&rest, '.', &resource);
    return text_eq(resource, type->name) && text_eq(rest, type->group);
}

bool quota_covers(const struct resource_type *type, struct text name)
{
    const struct evaluator *e = find(type);

    if (is_count_of(name, type) || (has_alias(type) && text_eq(name, type->name)))
        return true;
    return e && (is_among(name, e->names) || (e->covers && e->covers(name)));
}

bool quota_scope_matches(const struct resource_type *type, const struct value *scope, const struct value *obj)
{
    const struct evaluator *e = find(type);

    return e && e->matches && e->matches(scope, obj);
}

const char *quota_lacks(struct arena *a, const struct resource_type *type, const struct value *hard,
                        const struct value *obj)
{
    const struct evaluator *e = find(type);

    return e && e->lacks ? e->lacks(a, hard, obj) : NULL;
}
