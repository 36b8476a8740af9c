/* SPDX-License-Identifier: Apache-2.0 */
/* list_gzip.h - a list whose client wants gzip. */
#pragma once

#include "endpoints/list_items.h"

/* The list out of deflated leaves; moves to a worker when some have to be made. head and tail are what stands around
 * the items; all of it lives as long as the response. */
enum flow respond_list_gzip(struct request *r, struct call *c, const struct list_items *items, struct text head,
                            struct text tail);
