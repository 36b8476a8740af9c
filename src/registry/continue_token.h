/* SPDX-License-Identifier: Apache-2.0 */
/* continue_token.h - where the next page of a list begins, as upstream writes it: base64 of
 * {"v":"meta.k8s.io/v1","rv":N, "start":"key"}, the key relative to what is listed. A negative revision means
 * the newest. Source: kubernetes/apiserver pkg/storage/continue.go. */
#pragma once

#include "registry.h"

struct text continue_token_encode(struct arena *a, int64_t revision, struct text start);
int continue_token_decode(struct arena *a, struct text token, int64_t *ret_revision, struct text *ret_start,
                          struct status *st);
