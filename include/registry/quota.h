/* quota.h - what objects count for in resource quotas: admission charges by it, and a controller sums up by it.
 * Lists of resources are objects of a tree: quantities by name, as status.used of a quota. Trees are of the storage version.
 * Source: kubernetes pkg/quota/v1, kubernetes/apiserver pkg/quota/v1. Threads: any. */
#pragma once

#include "registry.h"

/* False: objects of the type never count (events, reviews). */
bool quota_counts(const struct resource_type *type);
/* Does a write of this kind change what the object counts for? sub: "" the resource itself; old NULL: a creation. */
bool quota_is_touched(const struct resource_type *type, struct text sub, const struct value *obj, const struct value *old);
struct value quota_usage(struct arena *a, const struct resource_type *type, const struct value *obj);
/* Is this name of a quota's hard list one that objects of the type count for? */
bool quota_covers(const struct resource_type *type, struct text name);
/* One scope: {scopeName, operator, values}. Types that know no scopes match none. */
bool quota_scope_matches(const struct resource_type *type, const struct value *scope, const struct value *obj);
/* All scopes of the quota's spec, spec.scopes as well as spec.scopeSelector: a list of such. */
struct value quota_scopes(struct arena *a, const struct value *quota);
/* NULL, or what the object must say where the quota has these names in its hard list: "must specify cpu for: c". */
const char *quota_lacks(struct arena *a, const struct resource_type *type, const struct value *hard, const struct value *obj);

/* --- what a pod asks for as a whole --- */

enum pod_resource_list { POD_REQUESTS, POD_LIMITS };
/* Sums over the containers; init containers run one after the other before them, but for those that stay; what the pod itself
 * says goes first. The overhead is left out. */
struct value pod_resources(struct arena *a, const struct value *spec, enum pod_resource_list which);
/* Adds each quantity of list to sum's, both objects; the list may be NULL. */
void quantities_add(struct arena *a, struct value *sum, const struct value *list);
/* A quantity as text: a number of a tree counts too. */
struct text quantity_text(struct arena *a, const struct value *v);
/* "BestEffort", "Burstable" or "Guaranteed". */
struct text pod_qos_class(struct arena *a, const struct value *spec);
