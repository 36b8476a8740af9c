/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: a class of service that follows from requests and limits, and deletion with grace.
 * Source: kubernetes pkg/registry/core/pod/strategy.go, pkg/apis/core/helper/qos. */
#include "registry/quota.h"
#include "registry/registry_internal.h"

#define GRACE_DEFAULT_SECONDS 30

static const struct text counted[] = {TEXT("cpu"), TEXT("memory")};

/* The sums of cpu and memory over all containers; empty where nobody asks for any. */
struct sums {
    struct text requests[N_ELEMENTS(counted)], limits[N_ELEMENTS(counted)];
    bool is_limited; /* every container limits both */
};

static struct text as_text(struct arena *a, const struct value *v)
{
    return v && v->kind == VALUE_INT ? arena_textf(a, "%lld", (long long)v->integer) : value_text(v);
}

/* Counts what is above zero; true when there is something. */
static bool add(struct arena *a, struct text *sum, const struct value *list, struct text name)
{
    struct text q = as_text(a, value_get(list, name));

    if (!q.n || quantity_cmp(q, TEXT("0")) <= 0)
        return false;
    if (!sum->n)
        *sum = q;
    else
        quantity_add(a, *sum, q, sum);
    return true;
}

static void add_containers(struct arena *a, struct sums *s, const struct value *list)
{
    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        const struct value *resources = value_get(&list->items[i], TEXT("resources"));
        for (size_t k = 0; k < N_ELEMENTS(counted); k++) {
            add(a, &s->requests[k], value_get(resources, TEXT("requests")), counted[k]);
            s->is_limited &= add(a, &s->limits[k], value_get(resources, TEXT("limits")), counted[k]);
        }
    }
}

struct text pod_qos_class(struct arena *a, const struct value *spec)
{
    struct sums s = {.is_limited = true};
    const struct value *whole = value_get(spec, TEXT("resources"));
    bool has_any = false, is_equal = true;

    if (whole && !value_is_empty(whole)) { /* resources of the pod itself decide alone */
        struct value list = value_list(), pod = value_object();
        value_set(a, &pod, TEXT("resources"), *whole);
        value_append(a, &list, pod);
        add_containers(a, &s, &list);
    } else {
        add_containers(a, &s, value_get(spec, TEXT("containers")));
        add_containers(a, &s, value_get(spec, TEXT("initContainers")));
    }
    for (size_t k = 0; k < N_ELEMENTS(counted); k++) {
        has_any |= s.requests[k].n || s.limits[k].n;
        /* A limit without a request is a request, too. */
        is_equal &= !s.requests[k].n || (s.limits[k].n && quantity_cmp(s.requests[k], s.limits[k]) == 0);
    }
    if (!has_any)
        return TEXT("BestEffort");
    return s.is_limited && is_equal ? TEXT("Guaranteed") : TEXT("Burstable");
}

/* A pod that waits for its gates says so until they are gone. */
static void note_gates(struct arena *a, const struct value *obj, struct value *status)
{
    static const struct {
        const char *key, *value;
    } members[] = {{"type", "PodScheduled"},
                   {"status", "False"},
                   {"reason", "SchedulingGated"},
                   {"message", "Scheduling is blocked due to non-empty scheduling gates"}};
    struct value condition = value_object(), list = value_list();

    if (value_is_empty(value_at(obj, "spec", "schedulingGates", NULL)))
        return;
    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        value_add(a, &condition, text_of(members[i].key), value_string(text_of(members[i].value)));
    value_add(a, &condition, TEXT("lastTransitionTime"), value_string(time_text(a, clock_now_ns())));
    value_append(a, &list, condition);
    value_set(a, status, TEXT("conditions"), list);
}

static void prepare_create(struct operation *op, struct value *obj)
{
    struct value status = value_object();

    value_set(op->arena, &status, TEXT("phase"), value_string(TEXT("Pending")));
    value_set(op->arena, &status, TEXT("qosClass"),
              value_string(pod_qos_class(op->arena, value_get(obj, TEXT("spec")))));
    note_gates(op->arena, obj, &status);
    value_set(op->arena, obj, TEXT("status"), status);
}

static void prepare_status(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));

    /* Kubelets do not know the deletion, and never change the class. */
    value_remove(metadata_of(obj), TEXT("deletionTimestamp"));
    if (!value_get_text(status, TEXT("qosClass")).n)
        keep_member(op->arena, status, value_get(old, TEXT("status")), TEXT("qosClass"));
}

static const struct value *find_named(const struct value *list, struct text name)
{
    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        if (text_eq(value_get_text(&list->items[i], TEXT("name")), name))
            return &list->items[i];
    }
    return NULL;
}

/* Takes only these members of the new containers over, into copies of the old ones. */
static void take_resources(struct operation *op, struct value *spec, const struct value *sent,
                           struct text lists)
{
    static const struct text members[] = {TEXT("resources"), TEXT("resizePolicy")};
    struct value *list = value_get(spec, lists);

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        const struct value *now =
            find_named(value_get(sent, lists), value_get_text(&list->items[i], TEXT("name")));
        for (size_t k = 0; now && k < N_ELEMENTS(members); k++)
            keep_member(op->arena, &list->items[i], now, members[k]);
    }
}

static bool prepare_sub(struct operation *op, struct value *obj, const struct value *old)
{
    bool is_ephemeral = text_is(op->sub->name, "ephemeralcontainers"),
         is_resize = text_is(op->sub->name, "resize");

    if (text_is(op->sub->name, "binding"))
        return true; /* it was made of the current pod, and changes spec and status */
    if (!is_ephemeral && !is_resize)
        return false;
    struct value sent = value_copy(op->arena, value_object_at(op->arena, obj, TEXT("spec")));
    int64_t generation = value_get_int(metadata_of(old), TEXT("generation"), 0);
    *obj = value_copy(op->arena, old);
    struct value *spec = value_object_at(op->arena, obj, TEXT("spec"));
    if (is_ephemeral) {
        keep_member(op->arena, spec, &sent, TEXT("ephemeralContainers"));
    } else {
        take_resources(op, spec, &sent, TEXT("containers"));
        take_resources(op, spec, &sent, TEXT("initContainers"));
        keep_member(op->arena, spec, &sent, TEXT("resources"));
    }
    if (!same_member(obj, old, TEXT("spec")))
        value_set(op->arena, metadata_of(obj), TEXT("generation"), value_int(generation + 1));
    return true;
}

static int64_t grace_seconds(const struct value *obj, int64_t asked)
{
    const struct value *spec = value_get(obj, TEXT("spec"));
    struct text phase = value_text(value_at(obj, "status", "phase", NULL));
    int64_t seconds = asked >= 0
                          ? asked
                          : value_get_int(spec, TEXT("terminationGracePeriodSeconds"), GRACE_DEFAULT_SECONDS);

    if (!value_get_text(spec, TEXT("nodeName")).n || text_is(phase, "Failed") || text_is(phase, "Succeeded"))
        return 0;
    return seconds < 0 ? 1 : seconds;
}

const struct strategy strategy_pods = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_CHECKS_META_AGAIN,
    .status_metadata = STATUS_METADATA_NO_OWNERS,
    .prepare_create = prepare_create,
    .prepare_sub = prepare_sub,
    .prepare_status = prepare_status,
    .grace_seconds = grace_seconds,
};
