/* duration.h - lengths of time as Go writes them: "1h30m", "1.5s", "300ms". Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct status;

/* Go's time.ParseDuration. False: no duration, or out of range. */
bool duration_parse(struct text t, int64_t *ret_ns);
/* The same; BAD_REQUEST with Go's words: `time: missing unit in duration "5"`. */
int duration_read(struct text t, int64_t *ret_ns, struct status *st);
/* Go's Duration.String: "1h30m0s". */
void duration_add(struct buffer *b, int64_t ns);
