/* SPDX-License-Identifier: Apache-2.0 */
/* convert.h - what the conversions of single kinds use of the general one. */
#pragma once

#include "schema.h"

/* The general conversion of a struct's value: members by name, renamed and nested as convert.c's tables say.
 */
struct value convert_struct(struct arena *a, const struct schema *from, const struct schema *to,
                            const struct value *v);
/* Works on what convert_struct made of v, where fields alone do not tell the whole. */
typedef void (*convert_hook)(struct arena *a, const struct schema *to, const struct value *v,
                             struct value *ret);

void convert_autoscaler_to_v1(struct arena *a, const struct schema *to, const struct value *v,
                              struct value *ret);
void convert_autoscaler_to_v2(struct arena *a, const struct schema *to, const struct value *v,
                              struct value *ret);

void convert_definition_spec_to_v1(struct arena *a, const struct schema *to, const struct value *v, struct value *ret);
void convert_definition_webhook_to_v1(struct arena *a, const struct schema *to, const struct value *v, struct value *ret);
