/* time_problem.h - why a text is no time. Threads: any. */
#pragma once

#include "base/buffer.h"

/* Why clock_read_seconds refuses t, in Go's words; MicroTime's layout has six decimals. */
void time_problem(struct buffer *b, struct text t, bool is_micro);
