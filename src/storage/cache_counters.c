/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of the watch caches, under upstream's names. Source: kubernetes/apiserver
 * pkg/storage/cacher/metrics, pkg/storage/etcd3/metrics. */
#include <stdio.h>

#include "storage/cache_internal.h"

#define GROUP_RESOURCE .labels = {"group", "resource"}
#define CAPACITY_LEAST 100

static const double wait_buckets[] = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3};

static struct metric_family objects = {.name = "apiserver_resource_objects",
                                       .type = METRIC_GAUGE,
                                       .stability = "ALPHA",
                                       .help = "Number of stored objects by resource, counted every second.",
                                       GROUP_RESOURCE};
static struct metric_family objects_old = {.name = "apiserver_storage_objects",
                                           .type = METRIC_GAUGE,
                                           .stability = "STABLE",
                                           .help = "Number of stored objects by resource, counted every "
                                                   "second; apiserver_resource_objects is its successor.",
                                           .labels = {"resource"}};
static struct metric_family received = {.name = "apiserver_watch_cache_events_received_total",
                                        .type = METRIC_COUNTER,
                                        .stability = "ALPHA",
                                        .help = "Changes that the watch cache has taken in, by resource.",
                                        GROUP_RESOURCE};
static struct metric_family dispatched = {
    .name = "apiserver_watch_cache_events_dispatched_total",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .help = "Changes that the watch cache has told its watchers, by resource.",
    GROUP_RESOURCE};
static struct metric_family initializations = {
    .name = "apiserver_watch_cache_initializations_total",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .help = "How often the watch cache was filled from the store, by resource.",
    GROUP_RESOURCE};
static struct metric_family revision = {
    .name = "apiserver_watch_cache_resource_version",
    .type = METRIC_GAUGE,
    .stability = "ALPHA",
    .help = "Resource version that the watch cache has reached, by resource; its 15 lowest digits.",
    GROUP_RESOURCE};
static struct metric_family capacity = {.name = "watch_cache_capacity",
                                        .type = METRIC_GAUGE,
                                        .stability = "ALPHA",
                                        .help = "Events that the watch cache has room for, by resource.",
                                        GROUP_RESOURCE};
static struct metric_family capacity_increase = {
    .name = "watch_cache_capacity_increase_total",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .help = "How often the watch cache made more room for events, by resource.",
    GROUP_RESOURCE};
static struct metric_family capacity_decrease = {
    .name = "watch_cache_capacity_decrease_total",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .help = "How often the watch cache gave room for events back, by resource.",
    GROUP_RESOURCE};
static struct metric_family read_wait = {
    .name = "apiserver_watch_cache_read_wait_seconds",
    .type = METRIC_HISTOGRAM,
    .stability = "ALPHA",
    .help = "Seconds that reads have waited for the watch cache to be fresh enough.",
    GROUP_RESOURCE,
    .buckets = wait_buckets,
    .n_buckets = N_ELEMENTS(wait_buckets)};
static struct metric_family consistent_reads = {.name = "apiserver_watch_cache_consistent_read_total",
                                                .type = METRIC_COUNTER,
                                                .stability = "ALPHA",
                                                .help = "Consistent lists from the watch cache.",
                                                .labels = {"group", "resource", "success", "fallback"}};
static struct metric_family lists = {.name = "apiserver_cache_list_total",
                                     .type = METRIC_COUNTER,
                                     .stability = "ALPHA",
                                     .help = "Lists served from the watch cache.",
                                     .labels = {"group", "resource", "index"}};
static struct metric_family list_fetched = {.name = "apiserver_cache_list_fetched_objects_total",
                                            .type = METRIC_COUNTER,
                                            .stability = "ALPHA",
                                            .help = "Objects that lists have looked at in the watch cache.",
                                            .labels = {"group", "resource", "index"}};
static struct metric_family list_returned = {.name = "apiserver_cache_list_returned_objects_total",
                                             .type = METRIC_COUNTER,
                                             .stability = "ALPHA",
                                             .help = "Objects that lists from the watch cache have given.",
                                             GROUP_RESOURCE};
static struct metric_family init_events = {
    .name = "apiserver_init_events_total",
    .type = METRIC_COUNTER,
    .stability = "ALPHA",
    .help = "Objects and events of the past that watches have begun with, by resource.",
    GROUP_RESOURCE};
static struct metric_family terminated = {.name = "apiserver_terminated_watchers_total",
                                          .type = METRIC_COUNTER,
                                          .stability = "ALPHA",
                                          .help =
                                              "Watchers cut off because they did not keep up, by resource.",
                                          GROUP_RESOURCE};
static struct metric_family decode_errors = {.name = "apiserver_storage_decode_errors_total",
                                             .type = METRIC_COUNTER,
                                             .stability = "ALPHA",
                                             .help = "Stored values that could not be read, by resource.",
                                             GROUP_RESOURCE};

static struct metric_family *const families[] = {
    &objects,      &objects_old,       &received,          &dispatched, &initializations,  &revision,
    &capacity,     &capacity_increase, &capacity_decrease, &read_wait,  &consistent_reads, &lists,
    &list_fetched, &list_returned,     &init_events,       &terminated, &decode_errors};

static void register_all(void)
{
    for (size_t i = 0; i < N_ELEMENTS(families); i++)
        metrics_register(families[i]);
}

void cache_counters_init(struct cache_counters *m, const struct resource_type *type)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);

    const struct text labels[] = {type->group, type->name, TEXT("")},
                      consistent[] = {type->group, type->name, TEXT("true"), TEXT("false")};
    CLEANUP(buffer_deinit) struct buffer dotted = BUFFER_INIT;
    buffer_add(&dotted, type->name);
    if (type->group.n) {
        buffer_add_char(&dotted, '.');
        buffer_add(&dotted, type->group);
    }
    const struct text name = buffer_text(&dotted);
    *m = (struct cache_counters){
        .objects = metric_cell_of(&objects, labels),
        .objects_old = metric_cell_of(&objects_old, &name),
        .received = metric_cell_of(&received, labels),
        .dispatched = metric_cell_of(&dispatched, labels),
        .initializations = metric_cell_of(&initializations, labels),
        .revision = metric_cell_of(&revision, labels),
        .capacity = metric_cell_of(&capacity, labels),
        .capacity_increase = metric_cell_of(&capacity_increase, labels),
        .capacity_decrease = metric_cell_of(&capacity_decrease, labels),
        .read_wait = metric_cell_of(&read_wait, labels),
        .consistent_reads = metric_cell_of(&consistent_reads, consistent),
        .lists = metric_cell_of(&lists, labels),
        .list_fetched = metric_cell_of(&list_fetched, labels),
        .list_returned = metric_cell_of(&list_returned, labels),
        .init_events = metric_cell_of(&init_events, labels),
        .terminated = metric_cell_of(&terminated, labels),
        .decode_errors = metric_cell_of(&decode_errors, labels),
    };
}

/* In upstream's steps: it doubles its ring, and halves it. */
static void count_capacity(const struct cache_counters *m, size_t n_events)
{
    size_t room = CAPACITY_LEAST;
    double before = metric_value(m->capacity);

    while (room < n_events)
        room *= 2;
    if (before && (double)room != before)
        metric_add((double)room > before ? m->capacity_increase : m->capacity_decrease, 1);
    metric_set(m->capacity, (double)room);
}

void cache_count_up(struct cache *c, uint64_t reached)
{
    const uint64_t digits = 1000000000000000;
    pthread_mutex_lock(&c->mu);
    size_t n_objects = tree_count(c->tree), n_events = c->ring.n_events;
    pthread_mutex_unlock(&c->mu);
    metric_set(c->counters.objects, (double)n_objects);
    metric_set(c->counters.objects_old, (double)n_objects);
    metric_set(c->counters.revision, (double)(reached % digits));
    count_capacity(&c->counters, n_events);
}

const struct cache_counters *cache_counters(const struct cache *c)
{
    return &c->counters;
}
