/* SPDX-License-Identifier: Apache-2.0 */
/* Eviction: a pod is deleted when its disruption budget lets one more go, which is noted in the budget's status first. It is
 * several writes one after the other, so it works on a worker thread and waits for each. Source: kubernetes
 * pkg/registry/core/pod/storage/eviction.go. */
#include "endpoints/list_body.h"
#include "endpoints/write.h"

#define ATTEMPTS_MAX 20
#define DISRUPTED_PODS_MAX 2000 /* that a budget notes */
#define ITSELF "kube-apiserver"  /* who is recorded as manager of what the server writes */

static const struct text blocked = TEXT("Cannot evict pod as it would violate the pod's disruption budget.");

struct eviction {
    struct request *request;
    struct call *call;
    struct write_call *write;
    struct delete_options del;
    bool is_dry_run;
    struct object *pod; /* one reference */
    struct value tree;  /* its */
    struct text budget; /* empty: none */
    const struct delete_options *precondition; /* of the transform under way */
};

static int refuse_too_many(struct status *st, int retry_after_seconds, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int refuse_too_many(struct status *st, int retry_after_seconds, const char *fmt, ...)
{
    struct buffer why = BUFFER_INIT;
    va_list args;

    va_start(args, fmt);
    buffer_vaddf(&why, fmt, args);
    va_end(args);
    status_set(st, STATUS_TOO_MANY_REQUESTS, "%.*s", TEXT_ARG(blocked));
    status_add_cause(st, "DisruptionBudget", NULL, "%s", buffer_str(&why));
    st->retry_after_seconds = retry_after_seconds;
    buffer_deinit(&why);
    return -1;
}

/* --- the pod --- */

static void drop_pod(void *e)
{
    object_unref(MOVE(((struct eviction *)e)->pod));
}

static int load_pod(struct eviction *e, struct status *st)
{
    struct call *c = e->call;

    drop_pod(e);
    if (registry_get(c->resource, c->namespace, c->name, &e->pod, st) < 0)
        return -1;
    return object_tree(e->request->arena, e->pod, &e->tree, st);
}

static bool is_phase(const struct eviction *e, const char *phase)
{
    return text_is(value_text(value_at(&e->tree, "status", "phase", NULL)), phase);
}

static bool is_ending(const struct eviction *e)
{
    return is_phase(e, "Succeeded") || is_phase(e, "Failed") || value_at(&e->tree, "metadata", "deletionTimestamp", NULL);
}

static const struct value *find_condition(const struct value *tree, const char *type)
{
    const struct value *list = value_at(tree, "status", "conditions", NULL);

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++)
        if (text_is(value_get_text(&list->items[i], TEXT("type")), type))
            return &list->items[i];
    return NULL;
}

static bool is_ready(const struct eviction *e)
{
    const struct value *condition = find_condition(&e->tree, "Ready");

    return condition && text_is(value_get_text(condition, TEXT("status")), "True");
}

/* Sets members of the condition, which is made where there is none; its time is that of the change of status. */
static void set_condition(struct arena *a, struct value *tree, const char *type, const char *status, const char *reason,
                          const char *message, const struct value *observed)
{
    struct value *parent = value_object_at(a, tree, TEXT("status")), *list = value_get(parent, TEXT("conditions"));
    struct value *found = (struct value *)find_condition(tree, type), made = value_object();
    char *now = arena_alloc(a, CLOCK_TEXT_MAX);

    if (!found) {
        if (!list || list->kind != VALUE_LIST)
            list = value_set(a, parent, TEXT("conditions"), value_list());
        value_add(a, &made, TEXT("type"), value_string(text_of(type)));
        found = value_append(a, list, made);
    }
    if (!text_is(value_get_text(found, TEXT("status")), status))
        value_set(a, found, TEXT("lastTransitionTime"), value_string(clock_rfc3339(clock_now_ns(), now)));
    value_set(a, found, TEXT("status"), value_string(text_of(status)));
    value_set(a, found, TEXT("reason"), value_string(text_of(reason)));
    value_set(a, found, TEXT("message"), value_string(text_of(message)));
    if (observed)
        value_set(a, found, TEXT("observedGeneration"), *observed);
}

/* --- writes --- */

static const struct resource_sub *status_of(const struct resource *res)
{
    for (size_t i = 0; i < res->type->n_subs; i++)
        if (text_is(res->type->subs[i].name, "status"))
            return &res->type->subs[i];
    return NULL;
}

static void begin_write(struct eviction *e, struct operation *op, enum operation_kind kind, const struct resource *res,
                        struct text name)
{
    *op = (struct operation){.kind = kind,
                             .registry = e->call->e->opt.registry,
                             .resource = res,
                             .arena = e->request->arena,
                             .namespace = e->call->namespace,
                             .name = name,
                             .user = &e->request->user,
                             .may_block = true,
                             .is_dry_run = e->is_dry_run,
                             .del = {.grace_seconds = -1, .orphan_dependents = -1},
                             .ctx = e};
}

static int check_precondition(struct eviction *e, const char *what, struct text wanted, struct text found, const char *hint,
                              struct status *st)
{
    if (!wanted.n || text_eq(wanted, found))
        return 0;
    return status_conflict(st, TEXT_NONE, TEXT("Pod"), e->call->name,
                           arena_printf(e->request->arena,
                                        "the %s in the precondition (%.*s) does not match the %s in record (%.*s). The object "
                                        "might have been %s",
                                        what, TEXT_ARG(wanted), what, TEXT_ARG(found), hint));
}

/* registry_run has the operation's ctx for itself, so the transforms find theirs by the operation. */
struct step {
    struct operation op;
    struct eviction *eviction;
};

static int mark_evicted(struct operation *op, const struct object *current, const struct value *tree, struct value *ret_new,
                        struct status *st)
{
    struct eviction *e = CONTAINER_OF(op, struct step, op)->eviction;

    if (!tree)
        return status_not_found(st, TEXT_NONE, TEXT("pods"), op->name);
    if (check_precondition(e, "UID", e->precondition->uid, current->uid, "deleted and then recreated", st) < 0 ||
        check_precondition(e, "ResourceVersion", e->precondition->resource_version,
                           arena_textf(op->arena, "%llu", (unsigned long long)current->revision), "modified", st) < 0)
        return -1;
    *ret_new = value_copy(op->arena, tree);
    set_condition(op->arena, ret_new, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting", NULL);
    return 0;
}

static int delete_pod(struct eviction *e, const struct delete_options *del, struct status *st)
{
    const struct resource *pods = e->call->resource;
    struct delete_options options = *del;
    struct step step = {.eviction = e};
    int result;

    if (!e->is_dry_run) {
        begin_write(e, &step.op, OPERATION_UPDATE, pods, e->call->name);
        step.op.sub = status_of(pods);
        step.op.transform = mark_evicted;
        e->precondition = del;
        result = registry_run(&step.op);
        if (result < 0)
            status_move(st, &step.op.st);
        else if (options.resource_version.n)
            options.resource_version =
                arena_textf(e->request->arena, "%llu", (unsigned long long)step.op.result->revision);
        operation_clear(&step.op);
        if (result < 0)
            return -1;
    }
    begin_write(e, &step.op, OPERATION_DELETE, pods, e->call->name);
    step.op.del = options;
    result = registry_run(&step.op);
    if (result < 0)
        status_move(st, &step.op.st);
    operation_clear(&step.op);
    return result;
}

/* --- the budget --- */

static int check_budget(const struct operation *op, const struct value *tree, struct status *st)
{
    const struct value *status = value_get(tree, TEXT("status")), *condition = find_condition(tree, "DisruptionAllowed");
    const struct value *disrupted = value_get(status, TEXT("disruptedPods"));
    int64_t allowed = value_get_int(status, TEXT("disruptionsAllowed"), 0);
    long long healthy = value_get_int(status, TEXT("currentHealthy"), 0), desired = value_get_int(status, TEXT("desiredHealthy"), 0);
    struct text message = value_get_text(condition, TEXT("message")), reason = value_get_text(condition, TEXT("reason"));
    bool is_off = condition && message.n && text_is(value_get_text(condition, TEXT("status")), "False");

    if (value_get_int(status, TEXT("observedGeneration"), 0) < value_get_int(value_get(tree, TEXT("metadata")), TEXT("generation"), 0))
        return refuse_too_many(st, 10, "The disruption budget %.*s is still being processed by the server.", TEXT_ARG(op->name));
    if (allowed < 0)
        return status_forbidden(st, TEXT("policy"), TEXT("poddisruptionbudget"), op->name, "pdb disruptions allowed is negative");
    if (disrupted && disrupted->kind == VALUE_OBJECT && disrupted->n > DISRUPTED_PODS_MAX)
        return status_forbidden(st, TEXT("policy"), TEXT("poddisruptionbudget"), op->name,
                                "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    if (allowed > 0)
        return 0;
    if (is_off && text_is(reason, "SyncFailed"))
        return refuse_too_many(st, 0, "The disruption budget %.*s does not allow evicting pods currently because it failed sync: %.*s",
                               TEXT_ARG(op->name), TEXT_ARG(message));
    if (healthy <= desired)
        return refuse_too_many(st, 0, "The disruption budget %.*s needs %lld healthy pods and has %lld currently", TEXT_ARG(op->name),
                               desired, healthy);
    if (is_off)
        return refuse_too_many(st, 0, "The disruption budget %.*s does not allow evicting pods currently (%.*s): %.*s",
                               TEXT_ARG(op->name), TEXT_ARG(reason), TEXT_ARG(message));
    return refuse_too_many(st, 0, "The disruption budget %.*s does not allow evicting pods currently", TEXT_ARG(op->name));
}

static int take_one(struct operation *op, const struct object *current, const struct value *tree, struct value *ret_new,
                    struct status *st)
{
    struct eviction *e = CONTAINER_OF(op, struct step, op)->eviction;
    struct arena *a = op->arena;
    char *now = arena_alloc(a, CLOCK_TEXT_MAX);
    struct value *status;
    int64_t left;

    if (!tree)
        return status_not_found(st, TEXT("policy"), TEXT("poddisruptionbudgets"), op->name);
    if (check_budget(op, tree, st) < 0)
        return -1;
    *ret_new = value_copy(a, tree);
    status = value_object_at(a, ret_new, TEXT("status"));
    left = value_get_int(status, TEXT("disruptionsAllowed"), 0) - 1;
    value_set(a, status, TEXT("disruptionsAllowed"), value_int(left));
    value_set(a, value_object_at(a, status, TEXT("disruptedPods")), e->call->name,
              value_string(clock_rfc3339(clock_now_ns(), now)));
    if (left == 0)
        set_condition(a, ret_new, "DisruptionAllowed", "False", "InsufficientPods", "",
                      value_get(status, TEXT("observedGeneration")));
    schema_arrange(a, op->resource->storage->kind->schema, ret_new);
    return 0;
}

/* The one budget that covers the pod, or none: *ret is empty then. */
static int find_budget(struct eviction *e, const struct resource *budgets, struct value *ret, struct status *st)
{
    const struct list_request all = {.namespace = e->call->namespace};
    struct arena *a = e->request->arena;
    struct listing *l = ARENA_NEW(a, struct listing);
    struct object *o;
    uint64_t wait_for = 0;
    size_t n = 0;

    if (listing_open(l, budgets, &all, &wait_for, st) < 0)
        return -1;
    listing_close_later(a, l);
    while ((o = listing_next(l))) {
        struct selector selector = {0};
        struct value tree;
        if (o->is_unreadable || object_tree(a, o, &tree, st) < 0 ||
            selector_from_object(a, value_at(&tree, "spec", "selector", NULL), &selector, st) < 0) {
            status_clear(st); /* what cannot be understood covers nothing */
            continue;
        }
        if (!selector_match_labels(&selector, e->pod))
            continue;
        *ret = tree;
        e->budget = arena_text(a, o->name);
        n++;
    }
    if (n > 1) {
        status_set(st, STATUS_UNKNOWN,
                   "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
        st->code = 500;
        return -1;
    }
    return 0;
}

/* A pod that is not ready counts for nothing: it goes free when the policy says so or the budget holds without it. */
static bool goes_free(const struct eviction *e, const struct value *budget)
{
    const struct value *status = value_get(budget, TEXT("status"));
    int64_t desired = value_get_int(status, TEXT("desiredHealthy"), 0);

    if (is_ready(e))
        return false;
    return text_is(value_text(value_at(budget, "spec", "unhealthyPodEvictionPolicy", NULL)), "AlwaysAllow") ||
           (desired > 0 && value_get_int(status, TEXT("currentHealthy"), 0) >= desired);
}

/* *ret_is_free: the pod must be as it was when it is deleted. */
static int ask_budget(struct eviction *e, bool *ret_is_free, struct status *st)
{
    const struct resource *budgets =
        registry_find(e->call->e->opt.registry, TEXT("policy"), TEXT("v1"), TEXT("poddisruptionbudgets"));
    struct step step = {.eviction = e};
    struct value budget;
    int result;

    if (!budgets)
        return 0;
    if (find_budget(e, budgets, &budget, st) < 0)
        return -1;
    if (!e->budget.n)
        return 0;
    *ret_is_free = goes_free(e, &budget);
    if (*ret_is_free)
        return 0;
    begin_write(e, &step.op, OPERATION_UPDATE, budgets, e->budget);
    step.op.sub = status_of(budgets);
    step.op.transform = take_one;
    step.op.field_manager = TEXT(ITSELF);
    result = registry_run(&step.op);
    if (result < 0)
        status_move(st, &step.op.st);
    operation_clear(&step.op);
    return result;
}

/* --- evicting --- */

/* Pods that do not run yet, or no more, need no budget. *ret_is_done: it was one, and is deleted. */
static int evict_idle(struct eviction *e, bool *ret_is_done, struct status *st)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct delete_options del = e->del;
        status_clear(st);
        if (load_pod(e, st) < 0)
            return -1;
        if (!is_ending(e) && !is_phase(e, "Pending"))
            return 0;
        if (!is_ending(e) && !del.resource_version.n)
            del.resource_version = arena_textf(e->request->arena, "%llu", (unsigned long long)e->pod->revision);
        if (delete_pod(e, &del, st) == 0) {
            *ret_is_done = true;
            return 0;
        }
        if (st->reason != STATUS_CONFLICT || e->del.resource_version.n)
            return -1;
    }
    return -1;
}

static int evict(struct eviction *e, struct status *st)
{
    struct delete_options del = e->del;
    bool is_done = false, is_free = false;

    if (evict_idle(e, &is_done, st) < 0)
        return -1;
    if (is_done)
        return 0;
    if (ask_budget(e, &is_free, st) < 0)
        return -1;
    if (is_free)
        del.resource_version = arena_textf(e->request->arena, "%llu", (unsigned long long)e->pod->revision);
    if (delete_pod(e, &del, st) == 0)
        return 0;
    if (st->reason == STATUS_CONFLICT && is_free && !e->del.resource_version.n)
        return refuse_too_many(st, 10, "The disruption budget %.*s is still being processed by the server.", TEXT_ARG(e->budget));
    return -1;
}

static const struct schema_kind *eviction_kind(void)
{
    return schema_kind_of(TEXT("policy/v1"), TEXT("Eviction"));
}

/* policy/v1, or v1beta1 where the body says so. */
static int read_eviction(struct request *r, struct write_call *w, struct status *st)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct value tree;
    bool is_old = body_read_tree(r, &tree, &ignored) == 0 && text_is(value_get_text(&tree, TEXT("apiVersion")), "policy/v1beta1");

    return body_read_object(r, is_old ? schema_kind_of(TEXT("policy/v1beta1"), TEXT("Eviction")) : eviction_kind(), &w->options,
                            &w->object, st);
}

static int prepare(struct eviction *e, struct status *st)
{
    struct write_call *w = e->write;
    struct call *c = e->call;
    struct value *options;

    if (read_eviction(e->request, w, st) < 0 || check_namespace(e->request->arena, c, &w->object, st) < 0 ||
        write_ask_admission(w, ADMISSION_CREATE, eviction_kind(), &w->object, NULL, st) < 0)
        return -1;
    if (!text_eq(value_get_text(value_get(&w->object, TEXT("metadata")), TEXT("name")), c->name))
        return status_set(st, STATUS_BAD_REQUEST, "name in URL does not match name in Eviction object");
    options = value_get(&w->object, TEXT("deleteOptions"));
    if (value_get_bool(options, TEXT("ignoreStoreReadErrorWithClusterBreakingPotential"), false)) {
        struct field_errors errs = {.arena = e->request->arena};
        struct value given = value_bool(true);
        field_error(&errs, FIELD_INVALID, "deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential", &given,
                    "can not be set for pod eviction, try after removing the option");
        return status_invalid(st, TEXT("policy"), TEXT("Eviction"), c->name, &errs);
    }
    if (delete_options_of(e->request, options, &e->del, &e->is_dry_run, st) < 0)
        return -1;
    e->is_dry_run |= w->options.is_dry_run;
    return 0;
}

enum flow call_eviction_create(struct request *r, struct call *c)
{
    const struct status done = {.code = 201};
    struct status st = {0};
    enum flow flow;

    if (!request_may_block(r))
        return FLOW_BLOCK;
    struct write_call *w = write_start(r, c, OPERATION_DELETE, "CreateOptions", &flow);
    if (!w)
        return flow;
    struct eviction *e = ARENA_NEW(r->arena, struct eviction);
    e->request = r;
    e->call = c;
    e->write = w;
    arena_defer(r->arena, drop_pod, e);
    if (prepare(e, &st) < 0 || evict(e, &st) < 0)
        return request_fail(r, &st);
    return respond_status(r, 201, &done);
}
