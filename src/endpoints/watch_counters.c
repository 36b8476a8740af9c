/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of watches, under upstream's names. A watch looks its cells up once, at its start. Source:
 * kubernetes/apiserver pkg/endpoints/metrics/metrics.go. */
#include "endpoints/endpoints_internal.h"

static const double size_buckets[] = {1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072};
static const double list_buckets[] = {0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60};

static struct metric_family events = {.name = "apiserver_watch_events_total",
                                      .type = METRIC_COUNTER,
                                      .stability = "ALPHA",
                                      .help = "Events sent to watching clients, by resource.",
                                      .labels = {"group", "version", "resource"}};
static struct metric_family sizes = {.name = "apiserver_watch_events_sizes",
                                     .type = METRIC_HISTOGRAM,
                                     .stability = "ALPHA",
                                     .help = "Bytes of the events sent to watching clients, by resource.",
                                     .labels = {"group", "version", "resource"},
                                     .buckets = size_buckets,
                                     .n_buckets = N_ELEMENTS(size_buckets)};
static struct metric_family running = {
    .name = "apiserver_longrunning_requests",
    .type = METRIC_GAUGE,
    .stability = "STABLE",
    .help = "Requests that run as long as the client wants, now, by verb and resource.",
    .labels = {"verb", "group", "version", "resource", "subresource", "scope", "component"}};
static struct metric_family list_duration = {
    .name = "apiserver_watch_list_duration_seconds",
    .type = METRIC_HISTOGRAM,
    .stability = "BETA",
    .help = "Seconds until a watch that begins with the objects had sent them all.",
    .labels = {"group", "version", "resource", "scope"},
    .buckets = list_buckets,
    .n_buckets = N_ELEMENTS(list_buckets)};

static void register_all(void)
{
    metrics_register(&events);
    metrics_register(&sizes);
    metrics_register(&running);
    metrics_register(&list_duration);
}

void watch_counters_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_all);
}

static struct text scope_of(const struct request *r)
{
    return r->info.name.n ? TEXT("resource") : r->info.namespace.n ? TEXT("namespace") : TEXT("cluster");
}

void watch_counters_find(struct watch_counters *m, const struct request *r, const struct resource *res)
{
    const struct resource_type *type = res->type;
    const struct text scope = scope_of(r), kind[] = {type->group, type->version, type->name, scope},
                      request[] = {TEXT("WATCH"), type->group, type->version,    type->name,
                                   TEXT(""),      scope,       TEXT("apiserver")};

    *m = (struct watch_counters){
        .events = metric_cell_of(&events, kind),
        .sizes = metric_cell_of(&sizes, kind),
        .running = metric_cell_of(&running, request),
        .list_duration = metric_cell_of(&list_duration, kind),
    };
}
