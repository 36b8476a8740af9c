/* table.h - objects as rows of a Table, as kubectl prints them.
 * Which columns a resource has is said by its schema lines; what a cell shows by printers/. A row's cells hang off the
 * object, with holes where the clock comes in. Threads: any. */
#pragma once

#include "endpoints/endpoints_internal.h"

/* JSON only; YAML and indented JSON are made of it. single says the column definitions only the first time (see
 * representation.has_no_headers): watch events after the first carry null. */
extern const struct representation_form form_table;

/* The Table of one object that is not stored as it is. tree is canonical, of schema, and has metadata. */
void table_write_tree(struct buffer *b, const struct representation *rep, const struct schema *schema,
                      const struct resource_column *columns, size_t n, const struct value *tree);
/* "columnDefinitions":[...] as JSON. */
void table_write_columns(struct buffer *b, const struct resource_type *type);
