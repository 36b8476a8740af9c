/* SPDX-License-Identifier: Apache-2.0 */
/* scalars.h - the texts of scalar types that the walks share: times and base64.
 * Times are seconds, not clock.h's nanoseconds: an object may hold any year from 1 to 9999. Threads: any. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#define TIME_ZERO_SECONDS (-62135596800) /* 0001-01-01T00:00:00Z, Go's zero time: null in JSON */
#define TIME_LAST_SECONDS 253402300799   /* 9999-12-31T23:59:59Z */

/* RFC 3339 with any offset and fraction. False: not a time. */
bool scalar_read_time(struct text t, int64_t *ret_seconds, int32_t *ret_nanos);
/* "2026-01-02T03:04:05Z", with six decimals when micros is not negative; seconds within the bounds above. */
struct text scalar_write_time(struct arena *a, int64_t seconds, int32_t micros);

/* Why scalar_read_time refuses t, in Go's words; MicroTime's layout has six decimals. */
void scalar_time_problem(struct buffer *b, struct text t, bool is_micro);

/* Bytes that n characters of base64 may stand for at most. */
#define BASE64_BYTES(n) (((n) + 3) / 4 * 3)
/* As Go's StdEncoding: padded, line ends ignored. The number of bytes, or -1 with *ret_at the offset of the
 * fault. */
ptrdiff_t scalar_read_base64(struct text t, char *dst, size_t *ret_at);
