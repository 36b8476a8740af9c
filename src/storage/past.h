/* SPDX-License-Identifier: Apache-2.0 */
/* past.h - states older than the caches' history, read from an engine that keeps them. Any thread. */
#pragma once

#include "storage/cache_internal.h"

struct past;
/* begin hands a read to the engine; false: the storage is ending. sink and ctx are borrowed. */
struct past *past_new(const struct storage_sink *sink, bool (*begin)(void *ctx, struct revision_read *r), void *ctx);
/* See storage_snapshot_at. The revision is older than what c has. */
void past_snapshot(struct past *p, struct cache *c, uint64_t revision,
                   void (*done)(void *ctx, struct snapshot *snapshot, struct status *st), void *ctx);
void past_trim(struct past *p); /* about once a second: lets go what nobody asks for any more; NULL: nothing */
void past_free(struct past *p); /* once the engine has ended */
