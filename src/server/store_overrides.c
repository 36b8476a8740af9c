/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_overrides.h"

static int fail(struct status *st)
{
    return status_set(
        st, STATUS_BAD_REQUEST,
        "--etcd-servers-overrides invalid, must be of format: group/resource#servers, where servers are "
        "URLs, semicolon separated");
}

static int parse(struct arena *a, struct text entry, struct store_override *ret, struct status *st)
{
    struct text rest = entry, type, server;

    *ret = (struct store_override){.group = TEXT_NONE};
    if (!text_split(&rest, '#', &type) || !rest.p || text_find(rest, '#') >= 0)
        return fail(st);
    text_split(&type, '/', &ret->group);
    if (!type.p || text_find(type, '/') >= 0)
        return fail(st);
    ret->resource = type;
    if (!rest.n)
        return fail(st);
    while (text_split(&rest, ';', &server)) {
        if (!server.n)
            return fail(st);
        text_list_add(a, &ret->servers, server);
    }
    return 0;
}

int store_overrides_parse(struct arena *a, const struct text_list *flag, struct store_override **ret,
                          struct status *st)
{
    *ret = ARENA_ARRAY(a, struct store_override, flag->n + 1);
    for (size_t i = 0; i < flag->n; i++)
        if (parse(a, flag->p[i], &(*ret)[i], st) < 0)
            return -1;
    return 0;
}

/* The servers that upstream has beside its own keep everything in the main store. Source: kubernetes
 * pkg/controlplane/apiserver/apiextensions.go, aggregator.go. */
static bool is_always_main(struct text group)
{
    return text_is(group, "apiextensions.k8s.io") || text_is(group, "apiregistration.k8s.io");
}

const struct store_override *store_override_of(const struct store_override *overrides, size_t n,
                                               const struct resource_type *type)
{
    const struct store_override *of_group = NULL, *own = NULL;

    for (size_t i = 0; i < n && !is_always_main(type->group); i++) {
        if (!text_eq(overrides[i].group, type->group))
            continue;
        if (text_is(overrides[i].resource, "*"))
            of_group = &overrides[i];
        else if (text_eq(overrides[i].resource, type->name))
            own = &overrides[i];
    }
    return own ? own : of_group;
}

/* How often is it among them? */
static size_t count(const struct text_list *list, struct text server)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += text_eq(list->p[i], server);
    return n;
}

bool store_servers_are_same(const struct text_list *x, const struct text_list *y)
{
    for (size_t i = 0; i < x->n; i++)
        if (count(x, x->p[i]) != count(y, x->p[i]))
            return false;
    return x->n == y->n;
}
