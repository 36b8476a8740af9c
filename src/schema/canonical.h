/* SPDX-License-Identifier: Apache-2.0 */
/* canonical.h - what decoding, defaulting and encoding agree on: zero values, what JSON leaves out, the place of members. */
#pragma once

#include "schema.h"

#define FIELD_KEEP (FIELD_KEEP_EMPTY | FIELD_KEEP_STRUCT)

/* The value that JSON shows for a T that nobody set: "", 0, {} with the members that are always there, null, ... */
struct value canonical_zero(struct arena *a, const struct schema_type *t);
/* Whether JSON leaves this canonical value of the field out. */
bool canonical_is_left_out(const struct schema_field *f, const struct value *v);
/* Puts members, whose field indexes are set, into the schema's order and adds those that JSON always has. */
void canonical_place_members(struct arena *a, const struct schema *s, struct value *object);
/* Sets one field of a canonical object, in its place; returns the value there. What JSON leaves out must not be given. */
struct value *canonical_put(struct arena *a, const struct schema *s, struct value *object, uint16_t field,
                            struct value v);
/* Sorts members by key. */
void canonical_sort_keys(struct arena *a, struct value *object);
/* Whether the whole tree is canonical already, as far as order, indexes, left out and kept members go. */
bool canonical_is_arranged(const struct schema *s, const struct value *v);
/* FieldsV1 as its text. */
void canonical_make_raw(struct arena *a, struct value *v);
/* Members of objects that have no schema, by key, all the way down: as Go writes a map[string]any. */
void canonical_sort_any(struct arena *a, struct value *v);
bool canonical_any_is_sorted(const struct value *v);
