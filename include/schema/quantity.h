/* quantity.h - resource quantities: "100m", "1Gi", "1e3". Exact decimal arithmetic, canonical text.
 * Source: kubernetes/apimachinery pkg/api/resource/quantity.go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

/* The canonical text of t (which may be t itself), in the arena. False: no quantity. */
bool quantity_canonical(struct arena *a, struct text t, struct text *ret);
/* -1, 0 or 1; both must be quantities. */
int quantity_cmp(struct text x, struct text y);
/* The value rounded up to an int64 in units of one, and of one thousandth. */
int64_t quantity_value(struct text t);
int64_t quantity_milli_value(struct text t);
bool quantity_add(struct arena *a, struct text x, struct text y, struct text *ret);
bool quantity_sub(struct arena *a, struct text x, struct text y, struct text *ret);
