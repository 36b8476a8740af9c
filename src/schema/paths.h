/* SPDX-License-Identifier: Apache-2.0 */
/* paths.h - where the rules of a type look: parts of a canonical object, found by the indexes of fields, and
 * conditions over them. Defaults and checks share it. */
#pragma once

#include "schema.h"

/* The member of this field of a canonical object; NULL: there is none. */
struct value *path_member(const struct value *v, uint16_t field);
/* What stands at the end of the path; NULL: nothing. v may be NULL. */
const struct value *path_value(const struct value *v, const struct schema_path *path);
const struct schema_field *path_last_field(const struct schema *s, const struct schema_path *path);
/* Zero counts as absent for what is no pointer: Go cannot tell the two apart. v may be NULL. */
bool path_is_unset(const struct schema_field *f, const struct value *v);
/* old: the object that is updated, whose members are found by name; NULL where there is none. */
bool condition_holds(const struct schema_condition *c, const struct schema *s, const struct value *v,
                     const struct value *old);
