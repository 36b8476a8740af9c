/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what is counted of authentication, under upstream's names. Threads: any.
 * Source: kubernetes/apiserver pkg/endpoints/filters/metrics.go, pkg/authentication/token/cache/stats.go,
 * plugin/pkg/authenticator/token/oidc/metrics.go, pkg/server/options/authenticationconfig/metrics; kubernetes
 * pkg/serviceaccount/metrics.go. */
#pragma once

#include "base.h"

void authn_metrics_register(void);

enum authn_outcome { OUTCOME_SUCCESS, OUTCOME_FAILURE, OUTCOME_ERROR };
/* user: of a success. */
void authn_count_attempt(enum authn_outcome outcome, struct text user, int64_t ns);

void authn_count_cache(bool is_hit, int64_t ns);
/* Around asking the methods behind a cache. */
void authn_fetch_begins(void);
enum authn_fetch { FETCH_OK, FETCH_ERROR, FETCH_PUT_OFF };
void authn_fetch_ends(enum authn_fetch how);

enum service_account_event {
    LEGACY_TOKEN,
    STALE_TOKEN,
    VALID_TOKEN,
    LEGACY_MANUAL_TOKEN,
    LEGACY_AUTO_TOKEN,
    INVALID_LEGACY_AUTO_TOKEN,
    N_SERVICE_ACCOUNT_EVENTS,
};
void authn_count_service_account(enum service_account_event e);

/* "sha256:..." as upstream's labels have it; empty for nothing. */
struct text authn_hash(struct arena *a, struct text t);
void authn_observe_jwt(struct text issuer_hash, bool is_good, int64_t ns);
void authn_note_keys(struct text issuer_hash, struct text server_hash, bool is_good);
void authn_count_reload(struct text server_hash, bool is_good);
void authn_note_config(struct text server_hash, struct text config_hash);
