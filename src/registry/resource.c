/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what is served. Versions of one kind share the storage type, its cache and its strategy. */
#include <stdio.h>
#include <stdlib.h>

#include "base/features.h"
#include "registry/core/service.h"
#include "registry_internal.h"

static bool serves(bool (*is_served)(void *, const struct resource_type *), void *ctx,
                   const struct resource_type *type)
{
    return is_served ? is_served(ctx, type) : type->is_on_by_default;
}

/* Resources without get and list are forms to fill in: nothing of them is stored. */
static bool is_stored(const struct resource_type *type)
{
    return type->verbs & (VERB_GET | VERB_LIST);
}

static const struct resource_type *storage_type_of(const struct resource_type *type)
{
    return type->storage ? type->storage : type;
}

const struct resource_type *const *
registry_storage_types(bool (*is_served)(void *, const struct resource_type *), void *ctx, size_t *ret_n)
{
    static const struct resource_type **types;
    size_t n = 0;

    free(types);
    types = xcalloc(n_schema_resources + 1, sizeof(*types));
    for (size_t i = 0; i < n_schema_resources; i++) {
        const struct resource_type *type = &schema_resources[i], *storage = storage_type_of(type);
        size_t k = 0;
        if (!is_stored(type) || !serves(is_served, ctx, type))
            continue;
        while (k < n && types[k] != storage)
            k++;
        if (k == n)
            types[n++] = storage;
    }
    types[n++] = node_ports_type();
    *ret_n = n;
    return types;
}

const struct resource_type *registry_kept_beside(const struct resource_type *type)
{
    return type == node_ports_type() ? schema_resource_find(TEXT_NONE, TEXT("v1"), TEXT("services")) : type;
}

static struct text path_of(struct arena *a, struct text group, struct text version, struct text name)
{
    return arena_textf(a, "%.*s/%.*s/%.*s", TEXT_ARG(group), TEXT_ARG(version), TEXT_ARG(name));
}

static struct storage *store_of(const struct registry_options *opt, const struct resource_type *type)
{
    for (size_t i = 0; i < opt->n_others; i++)
        if (storage_cache(opt->others[i], type))
            return opt->others[i];
    return opt->storage;
}

static void add(struct registry *reg, const struct registry_options *opt, const struct resource_type *type)
{
    struct resource *r = &reg->resources[reg->n++];

    const struct resource_type *stored = storage_type_of(type);

    *r = (struct resource){.type = type, .strategy = strategy_find(stored), .warner = warner_find(stored)};
    if (is_stored(type)) {
        r->storage = stored;
        r->store = store_of(opt, stored);
        r->cache = storage_cache(r->store, stored);
    }
    if (reg->n > 1)
        r[-1].next = r;
    map_put(&reg->by_path, path_of(reg->arena, type->group, type->version, type->name), r);
}

int registry_start(const struct registry_options *opt, struct registry **ret, struct status *st)
{
    struct registry *reg = xcalloc(1, sizeof(*reg));

    reg->event_ttl_ms = opt->event_ttl_ms;
    reg->workers = opt->workers;
    reg->arena = arena_new();
    reg->resources = xcalloc(n_schema_resources, sizeof(*reg->resources));
    for (size_t i = 0; i < n_schema_resources; i++) {
        const struct resource_type *type = &schema_resources[i];
        if (!serves(opt->is_served, opt->ctx, type))
            continue;
        add(reg, opt, type);
        if (is_stored(type) && !reg->resources[reg->n - 1].cache) {
            registry_stop(reg);
            return status_internal_error(st, "%.*s/%.*s has no cache", TEXT_ARG(type->group),
                                         TEXT_ARG(type->name));
        }
    }
    reg->namespaces = registry_find(reg, TEXT_NONE, TEXT("v1"), TEXT("namespaces"));
    reg->services = services_new(opt, registry_find(reg, TEXT_NONE, TEXT("v1"), TEXT("services")));
    *ret = reg;
    return 0;
}

void registry_stop(struct registry *reg)
{
    if (!reg)
        return;
    services_free(reg->services);
    map_deinit(&reg->by_path);
    arena_free(reg->arena);
    free(reg->resources);
    free(reg);
}

/* parts with slashes between them, in dst; empty if that is too small. */
static struct text join_path(char *dst, size_t max, const struct text *parts, size_t n_parts)
{
    size_t n = 0;

    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].n + 1 > max - n)
            return TEXT("");
        if (i)
            dst[n++] = '/';
        if (parts[i].n)
            memcpy(dst + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    return (struct text){dst, n};
}

const struct resource *registry_find(const struct registry *reg, struct text group, struct text version,
                                     struct text name)
{
    const struct text parts[] = {group, version, name};
    char path[256];

    return map_get(&reg->by_path, join_path(path, sizeof(path), parts, N_ELEMENTS(parts)));
}

const struct resource *registry_resources(const struct registry *reg)
{
    return reg->n ? reg->resources : NULL;
}

/* Code and words of upstream's StorageError are those with the gate on; without it only the reason is passed on. Source:
 * kubernetes/apiserver pkg/storage/errors.go, pkg/storage/errors/storage.go. */
int registry_fail_unreadable(const struct resource *res, const struct object *o, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();

    if (!feature_is_on(FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION))
        return status_internal_error(st, "%.*s", TEXT_ARG(object_problem(o)));
    struct text what = object_corruption(a, o);
    return status_internal_error(st,
                                 "StorageError: corrupt object, Code: 7, Key: /%.*s/%.*s, ResourceVersion: 0, "
                                 "AdditionalErrorMsg: %.*s",
                                 TEXT_ARG(res->storage->storage_prefix), TEXT_ARG(o->key), TEXT_ARG(what));
}

int registry_get(const struct resource *res, struct text namespace, struct text name, struct object **ret,
                 struct status *st)
{
    const struct text parts[] = {namespace, name};
    char path[600];
    struct text key = name;

    if (res->cache && res->storage->is_namespaced)
        key = join_path(path, sizeof(path), parts, N_ELEMENTS(parts));
    struct object *o = res->cache ? cache_get(res->cache, key) : NULL;
    if (!o)
        return status_not_found(st, res->type->group, res->type->name, name);
    if (o->is_unreadable) {
        registry_fail_unreadable(res, o, st);
        object_unref(o);
        return -1;
    }
    *ret = o;
    return 0;
}

void registry_guard(struct registry *reg, struct text group, struct text name, struct registry_guard guard)
{
    for (size_t i = 0; i < reg->n; i++)
        if (text_eq(reg->resources[i].type->group, group) && text_eq(reg->resources[i].type->name, name))
            reg->resources[i].guard = guard;
}
