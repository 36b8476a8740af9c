/* SPDX-License-Identifier: Apache-2.0 */
/* Leases are dear to etcd, so one is shared by all that is written with the same time to live within a while (a twentieth
 * of that time, at most --lease-reuse-duration-seconds), up to a number of keys: what expires together is deleted in one
 * transaction. Source: kubernetes/apiserver pkg/storage/etcd3/lease_manager.go. */
#include <stdlib.h>

#include "storage/etcd_internal.h"

#define KEYS_MAX 1000
#define BUCKETS_MAX 32 /* times to live that are remembered */

struct lease_bucket {
    struct etcd_call call;
    struct lease_bucket *next;
    struct buffer body;
    int64_t ttl_s;
    int64_t lease; /* 0: none */
    int64_t expires_ms; /* clock_mono_ms, at the latest */
    size_t n_keys;
    bool is_running;
};

static const double counts[] = {10, 50, 100, 500, 1000, 2500, 5000};
static struct metric_family keys_metric = {.name = "etcd_lease_object_counts", .type = METRIC_HISTOGRAM,
                                           .stability = "ALPHA", .help = "Keys that shared one lease.",
                                           .buckets = counts, .n_buckets = N_ELEMENTS(counts)};

static void register_metric(void)
{
    metrics_register(&keys_metric);
}

void leases_init(struct etcd *e, int64_t reuse)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metric);
    e->leases.reuse_s = reuse;
}

static int64_t reuse_s(const struct etcd *e, int64_t ttl_s)
{
    int64_t share = ttl_s / 20;
    return share < e->leases.reuse_s ? share : e->leases.reuse_s;
}

static void granted(struct etcd_call *call, enum call_outcome outcome)
{
    struct lease_bucket *b = CONTAINER_OF(call, struct lease_bucket, call);
    struct etcd *e = call->etcd;
    b->is_running = false;
    if (outcome == CALL_OK && etcd_read_number(buffer_text(&call->x.body_in), TEXT("ID"), &b->lease) && b->lease) {
        b->expires_ms = call->begun_ms + (b->ttl_s + reuse_s(e, b->ttl_s)) * 1000;
        b->n_keys = writes_lease_granted(e, b->ttl_s, b->lease);
        return;
    }
    b->lease = 0;
    if (outcome == CALL_OK)
        status_set(&call->st, STATUS_INTERNAL_ERROR, "the answer cannot be read");
    writes_lease_failed(e, b->ttl_s, &call->st);
}

static void ask(struct etcd *e, struct lease_bucket *b)
{
    if (b->is_running)
        return;
    if (b->n_keys)
        metric_observe(metric_cell_of(&keys_metric, NULL), (double)b->n_keys);
    b->is_running = true;
    b->lease = 0;
    b->call.etcd = e;
    b->call.operation = "leaseGrant";
    b->call.done = granted;
    buffer_clear(&b->body);
    buffer_addf(&b->body, "{\"TTL\":\"%lld\"}", (long long)b->ttl_s + reuse_s(e, b->ttl_s));
    call_send(&b->call, "/v3/lease/grant", buffer_text(&b->body), 5000);
}

static struct lease_bucket *bucket_of(struct etcd *e, int64_t ttl_s)
{
    struct lease_bucket **at = &e->leases.first, *b, *unused = NULL;
    size_t n = 0;
    for (; (b = *at); at = &b->next, n++) {
        if (b->ttl_s == ttl_s)
            return b;
        if (!b->is_running)
            unused = b;
    }
    if (n >= BUCKETS_MAX && unused) { /* its keys keep their lease; the bucket serves another time */
        unused->ttl_s = ttl_s;
        unused->lease = 0;
        return unused;
    }
    b = xcalloc(1, sizeof(*b));
    b->ttl_s = ttl_s;
    *at = b;
    return b;
}

int64_t lease_for(struct etcd *e, int64_t ttl_s)
{
    struct lease_bucket *b = bucket_of(e, ttl_s);
    int64_t needed_ms = clock_mono_ms() + ttl_s * 1000;
    bool is_good = b->lease && needed_ms <= b->expires_ms && b->n_keys < KEYS_MAX;
    if (!is_good) {
        ask(e, b);
        return 0;
    }
    b->n_keys++;
    return b->lease;
}

void lease_forget(struct etcd *e, int64_t id)
{
    for (struct lease_bucket *b = e->leases.first; b; b = b->next)
        if (b->lease == id)
            b->lease = 0;
}

void leases_free(struct etcd *e)
{
    while (e->leases.first) {
        struct lease_bucket *b = e->leases.first;
        e->leases.first = b->next;
        call_clear(&b->call);
        buffer_deinit(&b->body);
        free(b);
    }
}
