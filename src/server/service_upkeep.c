/* SPDX-License-Identifier: Apache-2.0 */
/* The ServiceCIDR `kubernetes` says what the flags say: it is made, gains the second range when the flags
 * have one, and is called ready; where it says otherwise it is left alone, since other servers may have been
 * started with other flags. Source: kubernetes pkg/controlplane/controller/defaultservicecidr. The rounds of
 * repair: pkg/registry/core/rest/storage_core.go. */
#include "server/service_upkeep.h"

#include <stdlib.h>

#include "server/fixtures.h"

#define NAME TEXT("kubernetes")
#define CIDR_ROUND_MS 10000
#define REPAIR_ROUNDS 18 /* of these: three minutes */

struct service_upkeep {
    struct service_upkeep_options opt;
    struct timer timer;
    struct work work;
    pthread_mutex_t mu;
    pthread_cond_t idle;
    bool is_running, is_stopping; /* mu */
    unsigned n_rounds;            /* of the worker */
};

/* --- the default ServiceCIDR --- */

static const struct resource *service_cidrs(const struct registry *reg)
{
    return registry_find(reg, TEXT("networking.k8s.io"), TEXT("v1"), TEXT("servicecidrs"));
}

static struct value wanted_cidrs(struct arena *a, const struct service_options *ranges)
{
    return value_texts(a, ranges->ranges, ranges->ranges[1].n ? 2 : 1);
}

static int run(struct operation *op, struct status *st)
{
    int result = registry_run(op);

    if (result < 0)
        status_move(st, &op->st);
    operation_clear(op);
    return result;
}

static int create(const struct registry *reg, const struct resource *res, struct arena *a,
                  const struct service_options *ranges, struct status *st)
{
    struct value obj = value_object();
    struct operation op = {.kind = OPERATION_CREATE,
                           .registry = reg,
                           .resource = res,
                           .arena = a,
                           .field_manager = TEXT("kube-apiserver")};

    value_set(a, value_object_at(a, &obj, TEXT("metadata")), TEXT("name"), value_string(NAME));
    value_set(a, value_object_at(a, &obj, TEXT("spec")), TEXT("cidrs"), wanted_cidrs(a, ranges));
    op.object = obj;
    if (run(&op, st) == 0)
        return 0;
    return st->reason == STATUS_ALREADY_EXISTS ? status_clear(st), 0 : -1;
}

/* registry_run needs the operation's own ctx. */
struct change {
    struct operation op;
    const struct service_options *ranges;
};

static int add_second_range(struct operation *op, const struct object *current UNUSED,
                            const struct value *tree, struct value *ret_new, struct status *st)
{
    struct change *c = CONTAINER_OF(op, struct change, op);

    if (!tree)
        return status_not_found(st, op->resource->type->group, op->resource->type->name, op->name);
    *ret_new = value_copy(op->arena, tree);
    value_set(op->arena, value_object_at(op->arena, ret_new, TEXT("spec")), TEXT("cidrs"),
              wanted_cidrs(op->arena, c->ranges));
    return 0;
}

static int apply_ready(struct operation *op, const struct object *current UNUSED, const struct value *tree,
                       struct value *ret_new, struct status *st)
{
    const struct managing m = registry_managing(op);
    char now[CLOCK_TEXT_MAX];
    struct value patch, managed;
    bool is_same;
    struct text json = arena_textf(
        op->arena,
        "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"ServiceCIDR\",\"metadata\":{\"name\":"
        "\"kubernetes\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
        "\"lastTransitionTime\":\"%.*s\",\"message\":\"Kubernetes default Service CIDR is "
        "ready\"}]}}",
        TEXT_ARG(clock_rfc3339(clock_now_ns(), now)));

    if (!tree)
        return status_not_found(st, op->resource->type->group, op->resource->type->name, op->name);
    if (json_read(op->arena, json, &(struct json_options){0}, &patch, st) < 0 ||
        managed_apply(&m, tree, &patch, true, ret_new, &managed, &is_same, st) < 0)
        return -1;
    value_set(op->arena, value_object_at(op->arena, ret_new, TEXT("metadata")), TEXT("managedFields"),
              managed);
    return 0;
}

static const struct resource_sub *status_of(const struct resource *res)
{
    for (size_t i = 0; i < res->type->n_subs; i++)
        if (text_is(res->type->subs[i].name, "status"))
            return &res->type->subs[i];
    return NULL;
}

static int change(const struct registry *reg, const struct resource *res, struct arena *a, bool is_ready,
                  const struct service_options *ranges, struct status *st)
{
    struct change c = {.op = {.kind = OPERATION_UPDATE,
                              .registry = reg,
                              .resource = res,
                              .sub = is_ready ? status_of(res) : NULL,
                              .arena = a,
                              .name = NAME,
                              .field_manager = is_ready ? TEXT("kubernetes-service-cidr-controller")
                                                        : TEXT("kube-apiserver"),
                              .manages_fields = is_ready,
                              .transform = is_ready ? apply_ready : add_second_range},
                       .ranges = ranges};
    return run(&c.op, st);
}

static bool has_condition(const struct value *cidr)
{
    const struct value *conditions = value_at(cidr, "status", "conditions", NULL);

    for (size_t i = 0; conditions && conditions->kind == VALUE_LIST && i < conditions->n; i++)
        if (text_is(value_get_text(&conditions->items[i], TEXT("type")), "Ready") &&
            !text_is(value_get_text(&conditions->items[i], TEXT("status")), "Unknown"))
            return true;
    return false;
}

static int look_after(const struct registry *reg, const struct resource *res, struct arena *a,
                      const struct object *o, const struct service_options *ranges, struct status *st)
{
    struct value tree, wanted = wanted_cidrs(a, ranges);

    if (o->is_deleting || o->is_unreadable)
        return 0;
    if (object_tree(a, o, &tree, st) < 0)
        return -1;
    const struct value *cidrs = value_at(&tree, "spec", "cidrs", NULL);
    if (cidrs && cidrs->kind == VALUE_LIST && cidrs->n == 1 && wanted.n == 2 &&
        value_equal(&cidrs->items[0], &wanted.items[0]))
        return change(reg, res, a, false, ranges, st);
    if (cidrs && value_equal(cidrs, &wanted) && !has_condition(&tree))
        return change(reg, res, a, true, ranges, st);
    return 0;
}

int service_upkeep_make_cidr(const struct registry *reg, const struct service_options *ranges,
                             struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct resource *res = service_cidrs(reg);
    CLEANUP(object_unrefp) struct object *o = res ? cache_get(res->cache, NAME) : NULL;

    if (!res)
        return 0;
    if (!o && create(reg, res, a, ranges, st) < 0)
        return -1;
    if (!o)
        o = cache_get(res->cache, NAME);
    return o ? look_after(reg, res, a, o, ranges, st) : 0;
}

/* --- the kubernetes service --- */

/* One that is there is left as it is, as upstream. */
int service_upkeep_make_kubernetes(const struct registry *reg, const char *ip, uint16_t port, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const char *family = text_find(text_of(ip), ':') >= 0 ? "IPv6" : "IPv4";
    const struct fixture service = {
        "", "v1", "services", "default",
        arena_textf(a,
                    "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
                    "\"component\":\"apiserver\",\"provider\":\"kubernetes\"}},"
                    "\"spec\":{\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":443,\"targetPort\":%u}],"
                    "\"clusterIP\":\"%s\",\"clusterIPs\":[\"%s\"],\"type\":\"ClusterIP\",\"sessionAffinity\":\"None\","
                    "\"ipFamilies\":[\"%s\"],\"ipFamilyPolicy\":\"SingleStack\",\"internalTrafficPolicy\":\"Cluster\"}}",
                    port, ip, ip, family),
        false};

    return fixture_ensure(reg, &service, st);
}

/* --- rounds --- */

static void note(const char *what, int result, struct status *st)
{
    if (result < 0)
        log_warning(what, LOG_STR("error", st->message));
    status_clear(st);
}

static void make_round(struct work *w)
{
    struct service_upkeep *u = CONTAINER_OF(w, struct service_upkeep, work);
    struct status st = {0};

    note("The default ServiceCIDR was not looked after",
         service_upkeep_make_cidr(u->opt.registry, u->opt.ranges, &st), &st);
    note("The kubernetes service was not made",
         service_upkeep_make_kubernetes(u->opt.registry, u->opt.kubernetes_ip, u->opt.port, &st), &st);
    if (++u->n_rounds % REPAIR_ROUNDS == 0)
        note("The addresses and ports of services were not put right",
             registry_repair_services(u->opt.registry, &st), &st);
    pthread_mutex_lock(&u->mu);
    u->is_running = false;
    if (u->is_stopping)
        pthread_cond_signal(&u->idle);
    else
        timer_arm(u->opt.timers, &u->timer, CIDR_ROUND_MS);
    pthread_mutex_unlock(&u->mu);
}

static void due(struct timer *t)
{
    struct service_upkeep *u = CONTAINER_OF(t, struct service_upkeep, timer);

    pthread_mutex_lock(&u->mu);
    u->is_running = !u->is_stopping;
    if (u->is_running)
        workers_add(u->opt.workers, &u->work);
    pthread_mutex_unlock(&u->mu);
}

struct service_upkeep *service_upkeep_start(const struct service_upkeep_options *opt)
{
    struct service_upkeep *u = xcalloc(1, sizeof(*u));

    u->opt = *opt;
    u->timer.fire = due;
    u->work.run = make_round;
    pthread_mutex_init(&u->mu, NULL);
    pthread_cond_init(&u->idle, NULL);
    timer_arm(opt->timers, &u->timer, CIDR_ROUND_MS);
    return u;
}

void service_upkeep_stop(struct service_upkeep *u)
{
    if (!u)
        return;
    pthread_mutex_lock(&u->mu);
    u->is_stopping = true;
    while (u->is_running)
        pthread_cond_wait(&u->idle, &u->mu);
    pthread_mutex_unlock(&u->mu);
    timer_cancel(u->opt.timers, &u->timer);
    pthread_cond_destroy(&u->idle);
    pthread_mutex_destroy(&u->mu);
    free(u);
}
