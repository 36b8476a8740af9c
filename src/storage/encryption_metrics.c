/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of encryption under upstream's names. Key ids come from plugins and from the store, so only the first
 * KEY_IDS_MAX of them get cells (upstream forgets the oldest beyond 100; a cell here lives for ever).
 * Source: kubernetes/apiserver pkg/storage/value/metrics.go, encrypt/envelope/metrics/metrics.go,
 * pkg/server/options/encryptionconfig/metrics/metrics.go. */
#include "base.h"
#include "storage/encryption_internal.h"

#define KEY_IDS_MAX 100

static const double transform_buckets[] = {
    5e-06,   1e-05,   2e-05,   4e-05,   8e-05,   0.00016, 0.00032, 0.00064, 0.00128,  0.00256,  0.00512, 0.01024, 0.02048,
    0.04096, 0.08192, 0.16384, 0.32768, 0.65536, 1.31072, 2.62144, 5.24288, 10.48576, 20.97152, 41.94304, 83.88608};
static const double key_buckets[] = {5e-06,   1e-05,   2e-05,   4e-05,   8e-05,   0.00016, 0.00032,
                                     0.00064, 0.00128, 0.00256, 0.00512, 0.01024, 0.02048, 0.04096};
static const double call_buckets[] = {0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032,  0.0064,  0.0128,  0.0256,  0.0512,
                                      0.1024, 0.2048, 0.4096, 0.8192, 1.6384, 3.2768, 6.5536, 13.1072, 26.2144, 52.4288};

static struct metric_family duration = {
    .name = "apiserver_storage_transformation_duration_seconds", .type = METRIC_HISTOGRAM, .stability = "ALPHA",
    .help = "Seconds that encrypting or decrypting a stored value takes.",
    .labels = {"transformation_type", "transformer_prefix"}, .buckets = transform_buckets,
    .n_buckets = N_ELEMENTS(transform_buckets)};
static struct metric_family operations = {
    .name = "apiserver_storage_transformation_operations_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Stored values encrypted and decrypted, by resource, direction, prefix of the provider or key, and result.",
    .labels = {"resource", "transformation_type", "transformer_prefix", "status"}};
static struct metric_family cache_misses = {
    .name = "apiserver_storage_envelope_transformation_cache_misses_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Data keys that a KMS plugin had to decrypt because they were not in the cache."};
static struct metric_family key_duration = {
    .name = "apiserver_storage_data_key_generation_duration_seconds", .type = METRIC_HISTOGRAM, .stability = "ALPHA",
    .help = "Seconds that making a data key or seed takes.", .buckets = key_buckets,
    .n_buckets = N_ELEMENTS(key_buckets)};
static struct metric_family key_failures = {
    .name = "apiserver_storage_data_key_generation_failures_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "Data keys or seeds that could not be made."};
static struct metric_family call_latency = {
    .name = "apiserver_envelope_encryption_kms_operations_latency_seconds", .type = METRIC_HISTOGRAM,
    .stability = "ALPHA", .help = "Seconds that calls of KMS plugins take, by method and gRPC status.",
    .labels = {"provider_name", "method_name", "grpc_status_code"}, .buckets = call_buckets,
    .n_buckets = N_ELEMENTS(call_buckets)};
static struct metric_family key_ids = {
    .name = "apiserver_envelope_encryption_key_id_hash_total", .type = METRIC_COUNTER, .stability = "ALPHA",
    .help = "How often a KMS key was used, by hash of its id and direction.",
    .labels = {"transformation_type", "provider_name", "key_id_hash", "apiserver_id_hash"}};
static struct metric_family key_id_times = {
    .name = "apiserver_envelope_encryption_key_id_hash_last_timestamp_seconds", .type = METRIC_GAUGE,
    .stability = "ALPHA", .help = "When a KMS key was last used.",
    .labels = {"transformation_type", "provider_name", "key_id_hash", "apiserver_id_hash"}};
static struct metric_family status_times = {
    .name = "apiserver_envelope_encryption_key_id_hash_status_last_timestamp_seconds", .type = METRIC_GAUGE,
    .stability = "ALPHA", .help = "When a KMS plugin last named this key as its own.",
    .labels = {"provider_name", "key_id_hash", "apiserver_id_hash"}};
static struct metric_family invalid_key_ids = {
    .name = "apiserver_envelope_encryption_invalid_key_id_from_status_total", .type = METRIC_COUNTER,
    .stability = "ALPHA", .help = "Key ids of a KMS plugin's status that were refused.",
    .labels = {"provider_name", "error"}};
static struct metric_family cache_size = {
    .name = "apiserver_envelope_encryption_dek_source_cache_size", .type = METRIC_GAUGE, .stability = "ALPHA",
    .help = "Decrypted data keys or seeds in the cache: about as many calls as a restart would need.",
    .labels = {"provider_name"}};
static struct metric_family reloads = {
    .name = "apiserver_encryption_config_controller_automatic_reloads_total", .type = METRIC_COUNTER,
    .stability = "ALPHA", .help = "Changes of the encryption configuration that were taken over or refused.",
    .labels = {"status", "apiserver_id_hash"}};
static struct metric_family reload_times = {
    .name = "apiserver_encryption_config_controller_automatic_reload_last_timestamp_seconds", .type = METRIC_GAUGE,
    .stability = "ALPHA", .help = "When a change of the encryption configuration was last taken over or refused.",
    .labels = {"status", "apiserver_id_hash"}};
static struct metric_family config_info = {
    .name = "apiserver_encryption_config_controller_last_config_info", .type = METRIC_GAUGE, .stability = "ALPHA",
    .help = "The hash of the encryption configuration in force.", .labels = {"apiserver_id_hash", "hash"}};

static struct metric_family *const families[] = {
    &duration, &operations,   &cache_misses, &key_duration,    &key_failures, &call_latency, &key_ids,
    &key_id_times, &status_times, &invalid_key_ids, &cache_size, &reloads,      &reload_times, &config_info};

static const struct text directions[] = {[TO_STORAGE] = TEXT("to_storage"), [FROM_STORAGE] = TEXT("from_storage")};

static void register_all(void)
{
    for (size_t i = 0; i < N_ELEMENTS(families); i++)
        metrics_register(families[i]);
}

void encryption_metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
}

static double now_seconds(void)
{
    return (double)clock_now_ns() / 1e9;
}

void encryption_count(const struct transform *x, enum transform_direction d, struct text prefix, bool failed, int64_t ns)
{
    struct text code = !failed ? TEXT("OK") : x->grpc_code ? text_of(x->grpc_code) : TEXT("unknown-non-grpc");
    const struct text labels[] = {x->resource, directions[d], prefix, code};
    metric_add(metric_cell_of(&operations, labels), 1);
    if (!failed)
        metric_observe(metric_cell_of(&duration, labels + 1), (double)ns / 1e9);
}

void encryption_count_cache_miss(void)
{
    metric_add(metric_cell_of(&cache_misses, NULL), 1);
}

void encryption_observe_key_generation(int64_t ns)
{
    metric_observe(metric_cell_of(&key_duration, NULL), (double)ns / 1e9);
}

static const struct text results[] = {TEXT("success"), TEXT("failure")};

void encryption_count_reload(struct text server_id_hash, bool failed)
{
    const struct text labels[] = {results[failed], server_id_hash};
    metric_add(metric_cell_of(&reloads, labels), 1);
    metric_set(metric_cell_of(&reload_times, labels), now_seconds());
}

void encryption_note_config(struct text server_id_hash, struct text config_hash)
{
    static _Atomic(struct metric_cell *) last;
    const struct text labels[] = {server_id_hash, config_hash};
    struct metric_cell *cell = metric_cell_of(&config_info, labels);
    struct metric_cell *before = atomic_exchange(&last, cell);
    if (before && before != cell)
        metric_set(before, 0);
    metric_set(cell, 1);
}

void kms_observe_call(struct text provider, const char *method, const char *code, int64_t ns)
{
    const struct text labels[] = {provider, text_of(method), text_of(code)};
    metric_observe(metric_cell_of(&call_latency, labels), (double)ns / 1e9);
}

/* May this key id have cells of its own? */
static bool is_counted(struct text hash)
{
    static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
    static struct map known;
    bool is_known;
    pthread_mutex_lock(&mu);
    is_known = map_get(&known, hash) != NULL;
    if (!is_known && known.n < KEY_IDS_MAX) {
        char *copy = xmalloc(hash.n + 1);
        memcpy(copy, hash.p, hash.n);
        map_put(&known, (struct text){copy, hash.n}, copy);
        is_known = true;
    }
    pthread_mutex_unlock(&mu);
    return is_known;
}

void kms_count_key_id(enum transform_direction d, struct text provider, struct text key_id_hash, struct text id_hash)
{
    const struct text labels[] = {directions[d], provider, key_id_hash, id_hash};
    if (!is_counted(key_id_hash))
        return;
    metric_add(metric_cell_of(&key_ids, labels), 1);
    metric_set(metric_cell_of(&key_id_times, labels), now_seconds());
}

void kms_note_key_id_of_status(struct text provider, struct text key_id_hash, struct text id_hash)
{
    const struct text labels[] = {provider, key_id_hash, id_hash};
    if (is_counted(key_id_hash))
        metric_set(metric_cell_of(&status_times, labels), now_seconds());
}

void kms_count_invalid_key_id(struct text provider, const char *error)
{
    const struct text labels[] = {provider, text_of(error)};
    metric_add(metric_cell_of(&invalid_key_ids, labels), 1);
}

void kms_set_cache_size(struct text provider, size_t n)
{
    metric_set(metric_cell_of(&cache_size, &provider), (double)n);
}
