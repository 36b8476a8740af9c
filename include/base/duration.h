/* duration.h - lengths of time as Go writes them: "1h30m", "1.5s", "300ms". Threads: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Go's time.ParseDuration. False: no duration, or out of range. */
bool duration_parse(struct text t, int64_t *ret_ns);
/* Go's Duration.String: "1h30m0s". */
void duration_add(struct buffer *b, int64_t ns);
