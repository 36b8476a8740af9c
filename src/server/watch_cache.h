/* SPDX-License-Identifier: Apache-2.0 */
/* watch_cache.h - --watch-cache and --watch-cache-sizes: which resources clients read past the watch cache. Source:
 * kubernetes/apiserver pkg/server/options/etcd.go. */
#pragma once

#include "server.h"
#include "storage.h"

/* RESOURCE[.GROUP]#SIZE each. BAD_REQUEST names the entry that is none. */
int watch_cache_sizes_check(const struct text_list *sizes, struct status *st);
/* Of the entries only a size of zero has a meaning, which is no cache; rings have the size that their events need. */
bool watch_cache_serves(const struct settings *s, const struct resource_type *type);
