/* clock.h - the only source of time, so that tests can stop and turn it. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

int64_t clock_now_ns(void);  /* wall time since 1970 */
int64_t clock_mono_ms(void); /* never goes back; for timeouts */
int64_t clock_mono_ns(void);

/* Tests: both clocks stand at this wall time until moved. Timers that are armed under the fake clock fire as it passes
 * them: clock_fake_advance_ms returns once they have, so it is called without a lock that a timer's callback takes. */
void clock_fake(int64_t wall_ns);
void clock_fake_advance_ms(int64_t ms);
void clock_real(void);
/* For those who wait by the clock (workers.c): fn is called after each of the three. One at most. */
void clock_on_turn(void (*fn)(void));
bool clock_is_fake(void);

/* "2026-01-02T03:04:05Z" and with six decimals; dst holds CLOCK_TEXT_MAX bytes. */
#define CLOCK_TEXT_MAX 40
struct text clock_rfc3339(int64_t wall_ns, char *dst);
struct text clock_rfc3339_micro(int64_t wall_ns, char *dst);
/* RFC 3339 with any offset and fraction. False: not a time. Years that the nanoseconds of an int64 do not reach are taken
 * as the nearest that they do. */
bool clock_parse_rfc3339(struct text t, int64_t *ret_wall_ns);

/* The same in seconds since 1970, for the times of objects, which may lie in any year from 1 to 9999. */
#define CLOCK_ZERO_SECONDS (-62135596800) /* 0001-01-01T00:00:00Z, Go's zero time: null in JSON */
#define CLOCK_LAST_SECONDS 253402300799   /* 9999-12-31T23:59:59Z */
bool clock_read_seconds(struct text t, int64_t *ret_seconds, int32_t *ret_nanos);
/* With six decimals when micros is not negative; seconds within the bounds above. */
struct text clock_write_seconds(int64_t seconds, int32_t micros, char *dst);
