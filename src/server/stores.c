/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the engines and gives each its resources. Entries of --etcd-servers-overrides that name the same
 * servers share one store. */
#include "server/stores.h"

#include <string.h>

#include "server/pki.h"
#include "server/presence.h"
#include "server/store_overrides.h"
#include "server/watch_cache.h"

/* A store to be: its servers and its resources. */
struct plan {
    const struct text_list *servers; /* n 0: the embedded one */
    const char *flag;
    const struct resource_type **types;
    size_t n_types;
};

static const char *const media_types[] = {"application/vnd.kubernetes.protobuf", "application/json"};

static bool stores_protobuf(const struct settings *set)
{
    return !set->storage_media_type || strcmp(set->storage_media_type, media_types[0]) == 0;
}

static int check_settings(const struct settings *set, struct status *st)
{
    bool has_etcd = set->etcd_servers.n;

    if (watch_cache_sizes_check(&set->watch_cache_sizes, st) < 0)
        return -1;
    if (!has_etcd && set->etcd_servers_overrides.n)
        return status_set(st, STATUS_BAD_REQUEST,
                          "--etcd-servers must be specified with --etcd-servers-overrides");
    if (has_etcd && set->storage_backend && strcmp(set->storage_backend, "etcd3") != 0)
        return status_set(st, STATUS_BAD_REQUEST,
                          "--storage-backend invalid, allowed values: etcd3. If not specified, it "
                          "will default to 'etcd3'");
    if (has_etcd && !stores_protobuf(set) && strcmp(set->storage_media_type, media_types[1]) != 0)
        return status_set(st, STATUS_BAD_REQUEST, "--storage-media-type %s is neither %s nor %s",
                          set->storage_media_type, media_types[0], media_types[1]);
    return 0;
}

/* --- what lies where --- */

/* The override's store is the main one when its servers are. */
static struct plan *plan_of(struct plan *plans, size_t *n, const struct store_override *o)
{
    for (size_t i = 0; i < *n; i++)
        if (store_servers_are_same(plans[i].servers, &o->servers))
            return &plans[i];
    plans[*n] = (struct plan){.servers = &o->servers, .flag = "--etcd-servers-overrides"};
    return &plans[(*n)++];
}

static void add_type(struct arena *a, struct plan *p, const struct resource_type *type, size_t max)
{
    if (!p->types)
        p->types = ARENA_ARRAY(a, const struct resource_type *, max);
    p->types[p->n_types++] = type;
}

static struct plan *make_plans(const struct stores_options *opt, const struct store_override *overrides,
                               size_t n_overrides, size_t *ret_n)
{
    const struct settings *set = opt->settings;
    struct plan *plans = ARENA_ARRAY(opt->arena, struct plan, n_overrides + 1);
    size_t n_types;
    const struct resource_type *const *types =
        registry_storage_types(runtime_config_serves, opt->runtime_config, &n_types);

    plans[0] = (struct plan){.servers = &set->etcd_servers, .flag = "--etcd-servers"};
    *ret_n = 1;
    for (size_t i = 0; i < n_overrides; i++)
        plan_of(plans, ret_n, &overrides[i]);
    for (size_t i = 0; i <= n_types; i++) {
        const struct resource_type *type = i < n_types ? types[i] : &presence_lease_type;
        const struct store_override *o = store_override_of(overrides, n_overrides, registry_kept_beside(type));
        if (i < n_types || set->etcd_servers.n)
            add_type(opt->arena, o ? plan_of(plans, ret_n, o) : plans, type, n_types + 1);
    }
    return plans;
}

/* --- engines --- */

static int open_etcd(const struct stores_options *opt, const struct plan *p, struct storage_options *ret,
                     struct status *st)
{
    const struct settings *set = opt->settings;
    const char **servers = ARENA_ARRAY(opt->arena, const char *, p->servers->n);

    for (size_t i = 0; i < p->servers->n; i++)
        servers[i] = arena_str(opt->arena, p->servers->p[i]);
    const struct etcd_options etcd = {
        .servers = servers,
        .n_servers = p->servers->n,
        .flag = p->flag,
        .prefix = set->etcd_prefix,
        .ca_file = set->etcd_cafile,
        .cert_file = set->etcd_certfile,
        .key_file = set->etcd_keyfile,
        .timers = opt->timers,
        .compaction_interval_ms = set->etcd_compaction_interval / 1000000,
        .health_timeout_ms = set->etcd_healthcheck_timeout / 1000000,
        .ready_timeout_ms = set->etcd_readycheck_timeout / 1000000,
        .size_poll_ms = set->etcd_db_metric_poll_interval ? set->etcd_db_metric_poll_interval / 1000000 : -1,
        .lease_reuse_s = set->lease_reuse_duration_seconds,
    };
    ret->stores_protobuf = stores_protobuf(set);
    ret->count_ms = set->etcd_count_metric_poll_period ? set->etcd_count_metric_poll_period / 1000000 : -1;
    if (etcd_open(&etcd, &ret->backend, st) < 0)
        return -1;
    ret->key_prefix = etcd_key_prefix(ret->backend);
    return 0;
}

static int start_store(const struct stores_options *opt, const struct plan *p, struct stores *ret,
                       struct status *st)
{
    const struct settings *set = opt->settings;
    struct storage_options so = {.timers = opt->timers,
                                 .history_ms = set->watch_history / 1000000,
                                 .encryption = opt->encryption,
                                 .types = p->types,
                                 .n_types = p->n_types};
    struct storage *s;

    if (p->servers->n) {
        so.cluster_id = arena_printf(opt->arena, "etcd-%zu", ret->n);
        if (open_etcd(opt, p, &so, st) < 0)
            return -1;
    } else if (sqlite_open(arena_printf(opt->arena, "%s/keelson.db", set->data_dir), &so.backend, st) < 0) {
        return -1;
    }
    if (storage_start(&so, &s, st) < 0)
        return -1;
    ret->all[ret->n++] = s;
    for (size_t i = 0; i < p->n_types; i++)
        if (!watch_cache_serves(set, p->types[i]))
            storage_bypass(s, p->types[i]);
    if (storage_cache(s, &presence_lease_type))
        ret->leases = s;
    return 0;
}

/* --- health --- */

static int check_live(void *ctx, struct status *st)
{
    return storage_check(ctx, PROBE_LIVE, st);
}

static int check_ready(void *ctx, struct status *st)
{
    return storage_check(ctx, PROBE_READY, st);
}

static void add_checks(struct stores *s, struct storage *storage, const char *live, const char *ready)
{
    s->checks[s->n_checks++] = (struct health_check){live, HEALTH_ALL, check_live, storage, "etcd"};
    s->checks[s->n_checks++] =
        (struct health_check){ready, HEALTH_READYZ, check_ready, storage, "etcd-readiness"};
}

static bool is_first(const struct store_override *overrides, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (store_servers_are_same(&overrides[k].servers, &overrides[i].servers))
            return false;
    return true;
}

/* The main store's are called etcd whatever it is: probes and dashboards ask for that name. */
static void make_checks(struct arena *a, const struct store_override *overrides, size_t n, struct plan *plans,
                        size_t n_plans, struct stores *ret)
{
    size_t number = 0;

    ret->checks = ARENA_ARRAY(a, struct health_check, 2 * (n + 1));
    add_checks(ret, ret->all[0], "etcd", "etcd-readiness");
    for (size_t i = 0; i < n; i++) {
        if (!is_first(overrides, i))
            continue;
        add_checks(ret, ret->all[plan_of(plans, &n_plans, &overrides[i]) - plans],
                   arena_printf(a, "etcd-override-%zu", number),
                   arena_printf(a, "etcd-override-readiness-%zu", number));
        number++;
    }
}

/* --- start and stop --- */

int stores_start(const struct stores_options *opt, struct stores *ret, struct status *st)
{
    const struct settings *set = opt->settings;
    size_t n_plans, n_overrides = set->etcd_servers_overrides.n;
    struct store_override *overrides;

    *ret = (struct stores){.n = 0};
    if (check_settings(set, st) < 0 ||
        store_overrides_parse(opt->arena, &set->etcd_servers_overrides, &overrides, st) < 0)
        return -1;
    if (folder_make(set->data_dir, st) < 0)
        return status_wrap(st, "--data-dir");
    struct plan *plans = make_plans(opt, overrides, n_overrides, &n_plans);
    ret->all = ARENA_ARRAY(opt->arena, struct storage *, n_plans);
    for (size_t i = 0; i < n_plans; i++)
        if (start_store(opt, &plans[i], ret, st) < 0)
            return -1;
    make_checks(opt->arena, overrides, n_overrides, plans, n_plans, ret);
    return 0;
}

void stores_stop(struct stores *s)
{
    while (s->n)
        storage_stop(s->all[--s->n]);
}
