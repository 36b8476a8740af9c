/* SPDX-License-Identifier: Apache-2.0 */
/* toleration_sets.h - lists of tolerations against each other. */
#pragma once

#include "admission/plugin.h"

/* Does wide tolerate all that t does? */
bool toleration_covers(const struct value *wide, const struct value *t);
/* Adds more to those of a pod's spec; what another one covers is left out. */
void tolerations_merge(struct arena *a, struct value *spec, const struct value *more);
/* Is each of them covered by one that is allowed? An empty list allows all. */
bool tolerations_are_within(const struct value *tolerations, const struct value *allowed);
