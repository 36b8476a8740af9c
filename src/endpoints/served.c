/* SPDX-License-Identifier: Apache-2.0 */
/* What has no handler yet, one row each; all else of the schemas' tables is served. Discovery, OpenAPI and
 * the router ask here and nowhere else. Serving one of these means: write its handler, name it in the router,
 * take its row away. */
#include "endpoints/endpoints_internal.h"

static const struct unserved {
    const char *group, *resource, *sub; /* resource NULL: all of the group; sub NULL: all of the resource */
} unserved[] = {
    {"", "pods", "attach"}, /* from here on: a kubelet, a pod or a service to connect to */
    {"", "pods", "exec"},
    {"", "pods", "log"},
    {"", "pods", "portforward"},
    {"", "pods", "proxy"},
    {"", "nodes", "proxy"},
    {"", "services", "proxy"},
};

bool endpoints_serves(const struct resource_type *type, const struct resource_sub *sub)
{
    for (size_t i = 0; i < N_ELEMENTS(unserved); i++) {
        const struct unserved *u = &unserved[i];
        if (!text_is(type->group, u->group) || (u->resource && !text_is(type->name, u->resource)))
            continue;
        if (!u->sub || (sub && text_is(sub->name, u->sub)))
            return false;
    }
    return true;
}

bool type_is_offered(const struct endpoints *e, const struct resource_type *type)
{
    bool is_on = type->storage_prefix.n ? registry_find(e->opt.registry, type->group, type->version, type->name) != NULL
                                        : type->is_on_by_default;
    return is_on && endpoints_serves(type, NULL);
}
