/* SPDX-License-Identifier: Apache-2.0 */
/* expiry.h - objects with an end: deleted when their time has come, for engines that do not do so themselves. A deletion like
 * any other: watches see it. */
#pragma once

#include "storage/cache_internal.h"

struct expiry;
struct expiry *expiry_new(struct storage *s, struct timers *timers);
void expiry_start(struct expiry *e); /* once all is loaded: before, nothing is deleted */
/* o, of this cache, has an expires_ms. Any thread. Later versions of the object are told of again; the one that is there when
 * its time has come is deleted. */
void expiry_add(struct expiry *e, struct cache *c, const struct object *o);
void expiry_stop(struct expiry *e); /* nothing begins any more; deletions that are under way go on */
void expiry_free(struct expiry *e); /* once the engine has ended */
