/* SPDX-License-Identifier: Apache-2.0 */
#include "authn/metrics.h"

#include <openssl/evp.h>
#include <pthread.h>

#define RESULT_BUCKETS \
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384
static const double attempt_buckets[] = {RESULT_BUCKETS};
static const double default_buckets[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
static const double jwt_buckets[] = {.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

static struct metric_family users = {.name = "authenticated_user_requests",
                                     .type = METRIC_COUNTER,
                                     .stability = "ALPHA",
                                     .help = "Counter of authenticated requests broken out by username.",
                                     .labels = {"username"}};
static struct metric_family attempts = {.name = "authentication_attempts",
                                        .type = METRIC_COUNTER,
                                        .stability = "ALPHA",
                                        .help = "Counter of authenticated attempts.",
                                        .labels = {"result"}};
static struct metric_family durations = {.name = "authentication_duration_seconds",
                                         .type = METRIC_HISTOGRAM,
                                         .stability = "ALPHA",
                                         .help = "Authentication duration in seconds broken out by result.",
                                         .labels = {"result"},
                                         .buckets = attempt_buckets,
                                         .n_buckets = N_ELEMENTS(attempt_buckets)};
static struct metric_family cache_requests = {.name = "authentication_token_cache_request_total",
                                              .type = METRIC_COUNTER,
                                              .stability = "ALPHA",
                                              .help = "",
                                              .labels = {"status"}};
static struct metric_family cache_durations = {.name = "authentication_token_cache_request_duration_seconds",
                                               .type = METRIC_HISTOGRAM,
                                               .stability = "ALPHA",
                                               .help = "",
                                               .labels = {"status"},
                                               .buckets = default_buckets,
                                               .n_buckets = N_ELEMENTS(default_buckets)};
static struct metric_family cache_fetches = {.name = "authentication_token_cache_fetch_total",
                                             .type = METRIC_COUNTER,
                                             .stability = "ALPHA",
                                             .help = "",
                                             .labels = {"status"}};
static struct metric_family cache_active = {.name = "authentication_token_cache_active_fetch_count",
                                            .type = METRIC_GAUGE,
                                            .stability = "ALPHA",
                                            .help = "",
                                            .labels = {"status"}};
static struct metric_family service_account_events[] = {
    [LEGACY_TOKEN] = {.name = "serviceaccount_legacy_tokens_total",
                      .help = "Cumulative legacy service account tokens used"},
    [STALE_TOKEN] = {.name = "serviceaccount_stale_tokens_total",
                     .help = "Cumulative stale projected service account tokens used"},
    [VALID_TOKEN] = {.name = "serviceaccount_valid_tokens_total",
                     .help = "Cumulative valid projected service account tokens used"},
    [LEGACY_MANUAL_TOKEN] = {.name = "serviceaccount_legacy_manual_token_uses_total",
                             .help = "Cumulative manually created legacy tokens used"},
    [LEGACY_AUTO_TOKEN] = {.name = "serviceaccount_legacy_auto_token_uses_total",
                           .help = "Cumulative auto-generated legacy tokens used"},
    [INVALID_LEGACY_AUTO_TOKEN] = {.name = "serviceaccount_invalid_legacy_auto_token_uses_total",
                                   .help = "Cumulative invalid auto-generated legacy tokens used"},
};
static struct metric_family jwt_latency = {
    .name = "apiserver_authentication_jwt_authenticator_latency_seconds",
    .type = METRIC_HISTOGRAM,
    .stability = "ALPHA",
    .help = "Latency of jwt authentication operations in seconds, of tokens that are not in the cache.",
    .labels = {"result", "jwt_issuer_hash"},
    .buckets = jwt_buckets,
    .n_buckets = N_ELEMENTS(jwt_buckets)};
static struct metric_family keys_fetched = {
    .name = "apiserver_authentication_jwt_authenticator_jwks_fetch_last_timestamp_seconds",
    .type = METRIC_GAUGE,
    .stability = "ALPHA",
    .help = "When an issuer's keys were last fetched, or could not be.",
    .labels = {"result", "jwt_issuer_hash", "apiserver_id_hash"}};
static struct metric_family reloads = {
    .name = "apiserver_authentication_config_controller_automatic_reloads_total",
    .type = METRIC_COUNTER,
    .stability = "BETA",
    .help = "Changes of the authentication configuration that were taken over or refused.",
    .labels = {"status", "apiserver_id_hash"}};
static struct metric_family reload_times = {
    .name = "apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds",
    .type = METRIC_GAUGE,
    .stability = "BETA",
    .help = "When a change of the authentication configuration was last taken over or refused.",
    .labels = {"status", "apiserver_id_hash"}};
static struct metric_family config_info = {.name =
                                               "apiserver_authentication_config_controller_last_config_info",
                                           .type = METRIC_GAUGE,
                                           .stability = "ALPHA",
                                           .help = "The hash of the authentication configuration in force.",
                                           .labels = {"apiserver_id_hash", "hash"}};

/* Cells that every request needs. */
static const char *const outcomes[] = {"success", "failure", "error"};
static struct metric_cell *attempt_cells[N_ELEMENTS(outcomes)], *duration_cells[N_ELEMENTS(outcomes)];
static struct metric_cell *other_users, *hits, *hit_durations;

static void register_all(void)
{
    struct metric_family *const all[] = {&users,           &attempts,      &durations,    &cache_requests,
                                         &cache_durations, &cache_fetches, &cache_active, &jwt_latency,
                                         &keys_fetched,    &reloads,       &reload_times, &config_info};

    for (size_t i = 0; i < N_ELEMENTS(all); i++)
        metrics_register(all[i]);
    for (size_t i = 0; i < N_SERVICE_ACCOUNT_EVENTS; i++) {
        service_account_events[i].type = METRIC_COUNTER;
        service_account_events[i].stability = "ALPHA";
        metrics_register(&service_account_events[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(outcomes); i++) {
        attempt_cells[i] = metric_cell(&attempts, outcomes[i]);
        duration_cells[i] = metric_cell(&durations, outcomes[i]);
    }
    other_users = metric_cell(&users, "other");
    hits = metric_cell(&cache_requests, "hit");
    hit_durations = metric_cell(&cache_durations, "hit");
}

void authn_metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
}

/* Names of users stay out of the metrics, a few known ones apart. */
static struct metric_cell *cell_of_user(struct text user)
{
    static const char *const known[] = {"admin", "client", "kube_proxy", "kubelet",
                                        "system:serviceaccount:kube-system:default"};

    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (text_is(user, known[i]))
            return metric_cell(&users, known[i]);
    return text_find(user, '@') >= 0 ? metric_cell(&users, "email_id") : other_users;
}

void authn_count_attempt(enum authn_outcome outcome, struct text user, int64_t ns)
{
    if (outcome == OUTCOME_SUCCESS)
        metric_add(cell_of_user(user), 1);
    metric_add(attempt_cells[outcome], 1);
    metric_observe(duration_cells[outcome], (double)ns / 1e9);
}

void authn_count_cache(bool is_hit, int64_t ns)
{
    int64_t ms = ns / 1000000; /* whole ones, as upstream */

    metric_add(is_hit ? hits : metric_cell(&cache_requests, "miss"), 1);
    metric_observe(is_hit ? hit_durations : metric_cell(&cache_durations, "miss"),
                   (double)ms / 1e3);
}

void authn_fetch_begins(void)
{
    metric_add(metric_cell(&cache_active, "in_flight"), 1);
}

void authn_fetch_ends(enum authn_fetch how)
{
    metric_add(metric_cell(&cache_active, "in_flight"), -1);
    if (how != FETCH_PUT_OFF)
        metric_add(metric_cell(&cache_fetches, how == FETCH_ERROR ? "error" : "ok"), 1);
}

void authn_count_service_account(enum service_account_event e)
{
    metric_add(metric_cell_of(&service_account_events[e], NULL), 1);
}

struct text authn_hash(struct arena *a, struct text t)
{
    unsigned char digest[32];
    unsigned n = sizeof(digest);
    struct buffer hex = BUFFER_IN(a);

    if (!t.n || !EVP_Digest(t.p, t.n, digest, &n, EVP_sha256(), NULL))
        return TEXT("");
    buffer_add_str(&hex, "sha256:");
    for (unsigned i = 0; i < n; i++)
        buffer_addf(&hex, "%02x", digest[i]);
    return buffer_text(&hex);
}

static const struct text results[] = {TEXT("failure"), TEXT("success")};

static double now_seconds(void)
{
    return (double)clock_now_ns() / 1e9;
}

void authn_observe_jwt(struct text issuer_hash, bool is_good, int64_t ns)
{
    const struct text labels[] = {results[is_good], issuer_hash};
    metric_observe(metric_cell_of(&jwt_latency, labels), (double)ns / 1e9);
}

void authn_note_keys(struct text issuer_hash, struct text server_hash, bool is_good)
{
    const struct text labels[] = {results[is_good], issuer_hash, server_hash};
    metric_set(metric_cell_of(&keys_fetched, labels), now_seconds());
}

void authn_count_reload(struct text server_hash, bool is_good)
{
    const struct text labels[] = {results[is_good], server_hash};
    metric_add(metric_cell_of(&reloads, labels), 1);
    metric_set(metric_cell_of(&reload_times, labels), now_seconds());
}

void authn_note_config(struct text server_hash, struct text config_hash)
{
    static _Atomic(struct metric_cell *) last;
    const struct text labels[] = {server_hash, config_hash};
    struct metric_cell *cell = metric_cell_of(&config_info, labels), *before = atomic_exchange(&last, cell);

    if (before && before != cell)
        metric_set(before, 0);
    metric_set(cell, 1);
}
