/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that wakes every ten seconds. It writes the server's address as a key that lives fifteen
 * seconds, reads the addresses of all servers, and puts the endpoints right when they differ: so whoever dies
 * without a word is gone from them before half a minute has passed. Then it renews the server's identity
 * lease, and once an hour it removes those that expired. kube-apiservers on the same store do the same with
 * the same keys. Source: kubernetes pkg/controlplane/reconcilers/lease.go, endpointsadapter.go,
 * pkg/controlplane/apiserver/server.go, k8s.io/component-helpers apimachinery/lease. */
#include "server/presence.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/fixtures.h"
#include "server/service_endpoints.h"

#define ROUND_MS 10000
#define ADDRESS_TTL_MS 15000
#define IDENTITY_SECONDS 3600
#define CLEAN_UP_ROUNDS 360

/* Of no version: of no API. The name is the one that upstream looks for its store by. */
const struct resource_type presence_lease_type = {.name = TEXT("apiServerIPInfo"),
                                                  .storage_prefix = TEXT("masterleases")};

struct presence {
    struct presence_options opt;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t ends; /* of the monotonic clock */
    bool is_ending;      /* mu */
    uint64_t generation; /* a lease that says the same is still written anew */
    char holder[160], host[HOST_NAME_MAX + 1];
};

/* --- addresses
 * ---------------------------------------------------------------------------------------------------- */

struct waited {
    struct storage_write write;
    struct completion told;
};

static void wake(struct storage_write *w)
{
    completion_signal(&CONTAINER_OF(w, struct waited, write)->told);
}

/* object NULL: deletes. A conflict is tried once more. */
static int write_address(struct presence *p, struct object *object /* takes */, struct status *st)
{
    CLEANUP(object_unrefp) struct object *mine = object;
    struct text key = text_of(p->opt.address);
    CLEANUP(object_unrefp)
    struct object *now = cache_get(storage_cache(p->opt.leases, &presence_lease_type), key);
    struct waited w = {.write = {.type = &presence_lease_type,
                                 .op = object ? WRITE_PUT : WRITE_DELETE,
                                 .key = key,
                                 .object = object,
                                 .previous = now,
                                 .expected_revision = now ? now->revision : 0,
                                 .done = wake}};
    if (!object && !now)
        return 0;
    completion_init(&w.told);
    storage_submit(p->opt.leases, &w.write);
    completion_wait(&w.told);
    object_unref(w.write.found);
    if (w.write.result == WRITE_FAILED) {
        status_move(st, &w.write.st);
        return -1;
    }
    /* The key has just expired, or another server of the same address has written it: the next round will do.
     */
    return 0;
}

static struct object *address_object(struct presence *p)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);
    struct value tree;
    char now[CLOCK_TEXT_MAX];

    buffer_addf(&b, "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",",
                p->opt.address);
    size_t rv_at = b.n;
    buffer_addf(&b,
                "\"generation\":%llu,\"creationTimestamp\":\"%.*s\"},\"subsets\":[{\"addresses\":[{\"ip\":\"%"
                "s\"}]}]}",
                (unsigned long long)++p->generation, TEXT_ARG(clock_rfc3339(clock_now_ns(), now)),
                p->opt.address);
    if (json_read(a, buffer_text(&b), &(struct json_options){0}, &tree, &st) < 0)
        return NULL; /* cannot be: addresses were checked */
    struct object *o = object_new(&presence_lease_type, buffer_text(&b), rv_at, &tree);
    o->expires_ms = clock_now_ns() / 1000000 + ADDRESS_TTL_MS;
    return o;
}

/* --- endpoints
 * ---------------------------------------------------------------------------------------------------- */

/* Endpoints of the addresses that are written down, in the order of their keys, which is sorted. */
static int reconcile(struct presence *p, bool is_ending, struct status *st)
{
    struct snapshot s;
    struct tree_iter it;
    struct object *o;
    VEC(struct text) addresses = {0};

    cache_snapshot(storage_cache(p->opt.leases, &presence_lease_type), &s);
    tree_iter_init(&it, &object_tree_ops, s.tree);
    while ((o = tree_iter_next(&it)))
        vec_push(&addresses, o->key);
    /* We have just written ours: none at all is a store in disorder, and no reason to take everybody's away.
     */
    int result = addresses.n || is_ending
                     ? service_endpoints_write(p->opt.registry, addresses.p, addresses.n, p->opt.port, st)
                     : 0;
    vec_deinit(&addresses);
    snapshot_release(&s);
    return result;
}

/* --- identity
 * ----------------------------------------------------------------------------------------------------- */

static struct text identity_json(struct arena *a, const struct presence *p)
{
    char now[CLOCK_TEXT_MAX];
    return arena_textf(
        a,
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"kube-system\",\"labels\":{"
        "\"apiserver.kubernetes.io/identity\":\"kube-apiserver\",\"kubernetes.io/hostname\":\"%s\"}},"
        "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,\"renewTime\":\"%.*s\"}}",
        p->opt.identity, p->host, p->holder, IDENTITY_SECONDS,
        TEXT_ARG(clock_rfc3339_micro(clock_now_ns(), now)));
}

static int delete_lease(const struct registry *reg, struct text name, struct text revision, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct operation op = {
        .kind = OPERATION_DELETE,
        .registry = reg,
        .resource = registry_find(reg, TEXT("coordination.k8s.io"), TEXT("v1"), TEXT("leases")),
        .arena = a,
        .namespace = TEXT("kube-system"),
        .name = name,
        .del = {.grace_seconds = -1, .orphan_dependents = -1, .resource_version = revision}};
    if (!op.resource)
        return 0;
    int result = registry_run(&op);
    if (result < 0 && op.st.reason == STATUS_NOT_FOUND)
        result = 0;
    else if (result < 0)
        status_move(st, &op.st);
    operation_clear(&op);
    return result;
}

static int renew(struct presence *p, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct fixture f = {"coordination.k8s.io", "v1", "leases", "kube-system",
                              identity_json(a, p),   true};
    return fixture_ensure(p->opt.registry, &f, st);
}

static bool has_expired(struct arena *a, const struct object *o)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value tree;
    int64_t renewed_ns;
    if (o->is_unreadable || object_tree(a, o, &tree, &st) < 0)
        return false;
    const struct value *spec = value_get(&tree, TEXT("spec"));
    if (!clock_parse_rfc3339(value_get_text(spec, TEXT("renewTime")), &renewed_ns))
        return true; /* upstream: a lease without it is nobody's */
    return renewed_ns + value_get_int(spec, TEXT("leaseDurationSeconds"), 0) * 1000000000 < clock_now_ns();
}

static void remove_expired(struct presence *p)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct resource *leases =
        registry_find(p->opt.registry, TEXT("coordination.k8s.io"), TEXT("v1"), TEXT("leases"));
    struct selector labels;
    struct listing l;
    struct object *o;
    uint64_t wait_for = 0;

    if (!leases ||
        selector_parse_labels(a, TEXT("apiserver.kubernetes.io/identity=kube-apiserver"), &labels, &st) < 0)
        return;
    const struct list_request req = {.namespace = TEXT("kube-system"), .labels = &labels};
    if (listing_open(&l, leases, &req, &wait_for, &st) < 0 || wait_for)
        return;
    while ((o = listing_next(&l))) {
        char revision[24];
        snprintf(revision, sizeof(revision), "%llu", (unsigned long long)o->revision);
        if (has_expired(a, o) && delete_lease(p->opt.registry, o->name, text_of(revision), &st) < 0)
            log_warning("An expired identity lease was not removed", LOG_TEXT("lease", o->name),
                        LOG_STR("error", st.message));
    }
    listing_close(&l);
}

/* --- the thread
 * --------------------------------------------------------------------------------------------------- */

static void note(const char *what, int result, struct status *st)
{
    if (result < 0)
        log_warning(what, LOG_STR("error", st->message));
    status_clear(st);
}

/* By which way ever it stands among the endpoints. */
static int keep_endpoints(struct presence *p, bool is_ending, struct status *st)
{
    const struct presence_options *o = &p->opt;
    if (o->reconciler == RECONCILER_NONE)
        return 0;
    if (o->reconciler == RECONCILER_MASTER_COUNT && is_ending)
        return service_endpoints_leave(o->registry, text_of(o->address), o->port, st);
    if (o->reconciler == RECONCILER_MASTER_COUNT)
        return service_endpoints_join(o->registry, text_of(o->address), o->port, o->count, st);
    if (write_address(p, is_ending ? NULL : address_object(p), st) < 0)
        return status_wrap(st, "this server's address");
    return reconcile(p, is_ending, st);
}

static void make_round(struct presence *p, unsigned count)
{
    struct status st = {0};
    note("The endpoints of the kubernetes service were not written", keep_endpoints(p, false, &st), &st);
    note("The identity lease was not renewed", renew(p, &st), &st);
    if (count % CLEAN_UP_ROUNDS == CLEAN_UP_ROUNDS - 1)
        remove_expired(p);
}

/* A store that does not take the first word back will not take the others: they expire. */
static void take_back(struct presence *p)
{
    struct status st = {0};
    int result = keep_endpoints(p, true, &st);
    note("This server was not taken out of the endpoints of the kubernetes service", result, &st);
    if (result == 0)
        note("The identity lease was not removed",
             delete_lease(p->opt.registry, text_of(p->opt.identity), TEXT_NONE, &st), &st);
}

/* False: the end has come. */
static bool sleep_a_round(struct presence *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ROUND_MS / 1000;
    pthread_mutex_lock(&p->mu);
    while (!p->is_ending && pthread_cond_timedwait(&p->ends, &p->mu, &until) == 0)
        ;
    bool goes_on = !p->is_ending;
    pthread_mutex_unlock(&p->mu);
    return goes_on;
}

static void *run(void *arg)
{
    struct presence *p = arg;
    for (unsigned count = 0; sleep_a_round(p); count++)
        make_round(p, count);
    take_back(p);
    return NULL;
}

static void presence_free(struct presence *p)
{
    pthread_cond_destroy(&p->ends);
    pthread_mutex_destroy(&p->mu);
    free(p);
}

static void make_holder(struct presence *p)
{
    FILE *f = fopen("/proc/sys/kernel/random/uuid", "re");
    char uuid[40] = "";
    if (f && !fgets(uuid, sizeof(uuid), f))
        uuid[0] = '\0';
    if (f)
        fclose(f);
    uuid[strcspn(uuid, "\n")] = '\0';
    snprintf(p->holder, sizeof(p->holder), "%s_%s", p->opt.identity, uuid);
    if (gethostname(p->host, sizeof(p->host) - 1) < 0 || strlen(p->host) > 63)
        p->host[0] = '\0'; /* no label's value */
}

int presence_start(const struct presence_options *opt, struct presence **ret, struct status *st)
{
    struct presence *p = xcalloc(1, sizeof(*p));
    pthread_condattr_t attr;
    p->opt = *opt;
    pthread_mutex_init(&p->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ends, &attr);
    pthread_condattr_destroy(&attr);
    make_holder(p);
    /* A lease that this server left when it was killed says nothing true any more. */
    note("The old identity lease was not removed",
         delete_lease(opt->registry, text_of(opt->identity), TEXT_NONE, st), st);
    make_round(p, 0);
    if (!thread_start(&p->thread, "presence", run, p)) {
        presence_free(p);
        return status_set(st, STATUS_INTERNAL_ERROR, "no thread can be started");
    }
    *ret = p;
    return 0;
}

void presence_stop(struct presence *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mu);
    p->is_ending = true;
    pthread_cond_signal(&p->ends);
    pthread_mutex_unlock(&p->mu);
    pthread_join(p->thread, NULL);
    presence_free(p);
}
