/* quantity.h - resource quantities: "100m", "1Gi", "1e3". Exact decimal arithmetic, canonical text.
 * Threads: any. Numbers of more than QUANTITY_DIGITS_MAX digits are refused; upstream has no such limit.
 * Source: kubernetes/apimachinery pkg/api/resource/quantity.go, amount.go, suffix.go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

#define QUANTITY_DIGITS_MAX 360

/* NULL when t is a quantity, else upstream's words for why not. White space counts: JSON's decoder trims it
 * before. */
const char *quantity_problem(struct text t);
/* The canonical text of t (which may be t itself), in the arena. False: no quantity.
 * As upstream, a text that its fast path takes for canonical stays as it is ("1.500", "+1"). */
bool quantity_canonical(struct arena *a, struct text t, struct text *ret);
/* -1, 0 or 1. What is no quantity counts as 0, here and below. */
int quantity_cmp(struct text x, struct text y);
int quantity_sign(struct text t);
/* The value rounded away from zero to an int64 in units of one, and of one thousandth; held at int64's ends.
 */
int64_t quantity_value(struct text t);
int64_t quantity_milli_value(struct text t);
/* The sum has x's kind of suffix, or y's when x is 0. False: no quantities, or too far apart to add. */
bool quantity_add(struct arena *a, struct text x, struct text y, struct text *ret);
bool quantity_sub(struct arena *a, struct text x, struct text y, struct text *ret);
/* Rounded away from zero to thousandths, as resource lists are defaulted: "1u" becomes "1m". */
bool quantity_round_milli(struct arena *a, struct text t, struct text *ret);
/* Canonical text of a whole number in units of one or of one thousandth, decimal suffix; binary: Ki, Mi, ...
 */
struct text quantity_of(struct arena *a, int64_t value, bool is_binary);
struct text quantity_of_milli(struct arena *a, int64_t milli);
