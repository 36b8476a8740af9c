/* SPDX-License-Identifier: Apache-2.0 */
/* list_body.h - a list as a body. */
#pragma once

#include "endpoints/list_items.h"

/* What the store holds there cannot be shown, and to leave it out would be a lie. */
enum flow fail_unreadable(struct request *r, struct call *c);
enum flow respond_page(struct request *r, struct call *c, struct list_page *page);
/* l is closed with the arena, in which it lies. */
void listing_close_later(struct arena *a, struct listing *l);
