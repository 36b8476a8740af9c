/* SPDX-License-Identifier: Apache-2.0 */
/* store_overrides.h - --etcd-servers-overrides: which resources lie in etcd servers of their own.
 * Source: kubernetes/apiserver pkg/server/options/etcd.go, pkg/server/storage/storage_factory.go. */
#pragma once

#include "schema.h"

/* One entry, "group/resource#url;url". */
struct store_override {
    struct text group, resource; /* resource "*": all of the group that have no entry of their own */
    struct text_list servers;
};
/* BAD_REQUEST worded as upstream's. */
int store_overrides_parse(struct arena *a, const struct text_list *flag, struct store_override **ret,
                          struct status *st);
/* The entry for a storage type, or NULL. Of one resource's entries the last counts. */
const struct store_override *store_override_of(const struct store_override *overrides, size_t n,
                                               const struct resource_type *type);
/* Do they name the same servers, in whatever order? */
bool store_servers_are_same(const struct text_list *x, const struct text_list *y);
