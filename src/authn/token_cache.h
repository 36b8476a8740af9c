/* SPDX-License-Identifier: Apache-2.0 */
/* token_cache.h - what was found out about tokens in the last seconds or minutes.
 * Kept by a keyed hash of the token and the audiences, never by the token; bounded. Threads: any.
 * Source: kubernetes/apiserver pkg/authentication/token/cache. */
#pragma once

#include "authn.h"

struct token_cache;
/* How long a known user and how long "not known" or "no good" are remembered, milliseconds; 0: not at all. */
struct token_cache *token_cache_new(int64_t known_ms, int64_t unknown_ms);
void token_cache_free(struct token_cache *c); /* accepts NULL */

/* The key of a question, in its arena; empty: there is none, and the question must be refused. */
struct text token_cache_key(const struct token_cache *c, const struct token_question *q);
/* True: q's answer and *ret are what was kept. Counts hits; who misses counts by authn_count_cache. */
bool token_cache_find(struct token_cache *c, struct text key, struct token_question *q,
                      enum authn_decision *ret);
void token_cache_keep(struct token_cache *c, struct text key, const struct token_question *q,
                      enum authn_decision d);
