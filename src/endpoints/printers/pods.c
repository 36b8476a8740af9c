/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: what all containers do, summed up in a word. */
#include "endpoints/printers/printers.h"

struct pod_summary {
    int64_t ready, total, restarts;
    int64_t restarted_ns; /* the last restart that is known; 0: none */
    struct text reason;
};

struct restarts {
    int64_t n, last_ns;
};

static void count_restarts(struct restarts *to, const struct value *status)
{
    struct text finished = value_find_text(status, "lastState.terminated.finishedAt");
    int64_t ns;

    to->n += value_find_int(status, TEXT("restartCount"), 0);
    if (finished.n && clock_parse_rfc3339(finished, &ns) && ns > to->last_ns)
        to->last_ns = ns;
}

static bool is_sidecar(const struct value *container)
{
    return text_is(value_get_text(container, TEXT("restartPolicy")), "Always");
}

static const struct value *container_of_status(const struct value *containers, const struct value *status)
{
    struct text name = value_get_text(status, TEXT("name"));

    for (size_t i = 0; i < value_count(containers); i++)
        if (text_eq(value_get_text(&containers->items[i], TEXT("name")), name))
            return &containers->items[i];
    return NULL;
}

/* Why a container ended, in a word. */
static struct text end_of(struct arena *a, const char *prefix, const struct value *terminated)
{
    struct text reason = value_get_text(terminated, TEXT("reason"));
    int64_t signal = value_get_int(terminated, TEXT("signal"), 0);

    if (reason.n)
        return arena_textf(a, "%s%.*s", prefix, TEXT_ARG(reason));
    if (signal)
        return arena_textf(a, "%sSignal:%lld", prefix, (long long)signal);
    return arena_textf(a, "%sExitCode:%lld", prefix, (long long)value_get_int(terminated, TEXT("exitCode"), 0));
}

/* The first init container that has not done its work yet says where the pod is. False: all have. */
static bool summarize_init(struct arena *a, const struct value *pod, struct pod_summary *s, struct restarts *all,
                           struct restarts *sidecars)
{
    const struct value *specs = value_find(pod, "spec.initContainers");
    const struct value *statuses = value_find(pod, "status.initContainerStatuses");

    for (size_t i = 0; i < value_count(statuses); i++) {
        const struct value *status = &statuses->items[i];
        const struct value *terminated = value_find(status, "state.terminated");
        struct text waiting = value_find_text(status, "state.waiting.reason");
        bool may_go_on = is_sidecar(container_of_status(specs, status));

        count_restarts(all, status);
        if (may_go_on)
            count_restarts(sidecars, status);
        if (terminated && value_get_int(terminated, TEXT("exitCode"), 0) == 0)
            continue;
        if (may_go_on && value_get_bool(status, TEXT("started"), false)) {
            s->ready += value_get_bool(status, TEXT("ready"), false);
            continue;
        }
        if (terminated)
            s->reason = end_of(a, "Init:", terminated);
        else if (waiting.n && !text_is(waiting, "PodInitializing"))
            s->reason = arena_textf(a, "Init:%.*s", TEXT_ARG(waiting));
        else
            s->reason = arena_textf(a, "Init:%zu/%zu", i, value_count(specs));
        return true;
    }
    return false;
}

static void summarize_containers(struct arena *a, const struct value *pod, struct pod_summary *s, struct restarts *all)
{
    const struct value *statuses = value_find(pod, "status.containerStatuses");
    bool has_running = false;

    for (size_t i = value_count(statuses); i-- > 0;) {
        const struct value *status = &statuses->items[i];
        const struct value *terminated = value_find(status, "state.terminated");
        struct text waiting = value_find_text(status, "state.waiting.reason");

        count_restarts(all, status);
        if (waiting.n) {
            s->reason = waiting;
        } else if (terminated) {
            s->reason = end_of(a, "", terminated);
        } else if (value_get_bool(status, TEXT("ready"), false) && value_find(status, "state.running")) {
            has_running = true;
            s->ready++;
        }
    }
    if (has_running && text_is(s->reason, "Completed"))
        s->reason = condition_is_true(value_find(pod, "status.conditions"), "Ready") ? TEXT("Running") : TEXT("NotReady");
}

static bool is_gated(const struct value *conditions)
{
    for (size_t i = 0; i < value_count(conditions); i++)
        if (text_is(value_get_text(&conditions->items[i], TEXT("type")), "PodScheduled") &&
            text_is(value_get_text(&conditions->items[i], TEXT("reason")), "SchedulingGated"))
            return true;
    return false;
}

static struct pod_summary summarize(struct row *r)
{
    const struct value *pod = r->o, *init = value_find(pod, "spec.initContainers");
    const struct value *conditions = value_find(pod, "status.conditions");
    struct text phase = value_find_text(pod, "status.phase"), given = value_find_text(pod, "status.reason");
    struct restarts all = {0}, sidecars = {0};
    struct pod_summary s = {.reason = given.n ? given : phase, .total = (int64_t)value_count(value_find(pod, "spec.containers"))};

    if (is_gated(conditions))
        s.reason = TEXT("SchedulingGated");
    for (size_t i = 0; i < value_count(init); i++)
        s.total += is_sidecar(&init->items[i]);
    if (!summarize_init(r->a, pod, &s, &all, &sidecars) || condition_is_true(conditions, "Initialized")) {
        all = sidecars; /* init containers are over: their restarts no longer matter */
        summarize_containers(r->a, pod, &s, &all);
    }
    if (value_find(pod, "metadata.deletionTimestamp")) {
        if (text_is(given, "NodeLost"))
            s.reason = TEXT("Unknown");
        else if (!text_is(phase, "Succeeded") && !text_is(phase, "Failed"))
            s.reason = TEXT("Terminating");
    }
    s.restarts = all.n;
    s.restarted_ns = all.last_ns;
    return s;
}

static void print_ready(struct row *r, struct text arg)
{
    struct pod_summary s = summarize(r);

    row_text(r, arena_textf(r->a, "%lld/%lld", (long long)s.ready, (long long)s.total));
}

static void print_status(struct row *r, struct text arg)
{
    row_text(r, summarize(r).reason);
}

static void print_restarts(struct row *r, struct text arg)
{
    struct pod_summary s = summarize(r);
    struct text n = arena_textf(r->a, "%lld", (long long)s.restarts);

    if (s.restarts && s.restarted_ns)
        row_since(r, arena_printf(r->a, "%.*s (", TEXT_ARG(n)), s.restarted_ns, " ago)");
    else
        row_text(r, n);
}

static void print_ip(struct row *r, struct text arg)
{
    const struct value *ips = value_find(r->o, "status.podIPs");

    row_or(r, value_count(ips) ? value_get_text(&ips->items[0], TEXT("ip")) : TEXT_NONE, "<none>");
}

static void print_readiness_gates(struct row *r, struct text arg)
{
    const struct value *gates = value_find(r->o, "spec.readinessGates");
    const struct value *conditions = value_find(r->o, "status.conditions");
    size_t n = value_count(gates), n_true = 0;

    for (size_t i = 0; i < n; i++) {
        struct text type = value_get_text(&gates->items[i], TEXT("conditionType"));
        n_true += condition_is_true(conditions, arena_printf(r->a, "%.*s", TEXT_ARG(type)));
    }
    row_text(r, n ? arena_textf(r->a, "%zu/%zu", n_true, n) : TEXT("<none>"));
}

const struct printer pod_printers[] = {
    {"pod_ready", print_ready},
    {"pod_status", print_status},
    {"pod_restarts", print_restarts},
    {"pod_ip", print_ip},
    {"pod_readiness_gates", print_readiness_gates},
    {NULL, NULL},
};
