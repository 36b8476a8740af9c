/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h - what the schema compiler makes besides the tables that schema.h shows: hash tables by name_hash3. */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint16_t schema_kind_slots[], schema_resource_slots[]; /* 1 + index, 0: free; probe on */
extern const size_t n_schema_kind_slots, n_schema_resource_slots;   /* powers of two */
