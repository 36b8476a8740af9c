/* SPDX-License-Identifier: Apache-2.0 */
/* "/": every path that is no resource, sorted. Made of the same tables that serve them. */
#include "endpoints/endpoints_internal.h"

typedef VEC(struct text) path_list;

static int by_bytes(const void *x, const void *y)
{
    return text_cmp(*(const struct text *)x, *(const struct text *)y);
}

static void add_groups(struct arena *a, struct endpoints *e, path_list *paths)
{
    struct text group = TEXT_NONE, version = TEXT_NONE;

    for (size_t i = 0; i < n_schema_resources; i++) {
        const struct resource_type *type = &schema_resources[i];
        if (!type_is_offered(e, type) || (text_eq(type->group, group) && text_eq(type->version, version)))
            continue;
        if (type->group.n && !text_eq(type->group, group))
            vec_push(paths, arena_textf(a, "/apis/%.*s", TEXT_ARG(type->group)));
        group = type->group;
        version = type->version;
        if (group.n)
            vec_push(paths, arena_textf(a, "/apis/%.*s/%.*s", TEXT_ARG(group), TEXT_ARG(version)));
        else
            vec_push(paths, arena_textf(a, "/api/%.*s", TEXT_ARG(version)));
    }
}

static void add_checks(struct arena *a, struct endpoints *e, path_list *paths)
{
    static const struct {
        enum health_page page;
        const char *path;
    } pages[] = {{HEALTH_HEALTHZ, "/healthz"}, {HEALTH_LIVEZ, "/livez"}, {HEALTH_READYZ, "/readyz"}};
    struct health_check check;

    for (size_t i = 0; health_check_at(e, i, &check); i++)
        for (size_t k = 0; k < N_ELEMENTS(pages); k++)
            if (check.pages & pages[k].page)
                vec_push(paths, arena_textf(a, "%s/%s", pages[k].path, check.name));
}

enum flow serve_root(struct request *r, struct endpoints *e, struct text rest)
{
    static const struct accepted as_json = {.media = MEDIA_JSON};
    path_list paths = {0};
    struct value v = value_object(), list = value_list();
    struct buffer b = BUFFER_IN(r->arena);

    for (const struct route *route = routes; route->path; route++) {
        vec_push(&paths, text_of(route->path));
        if (route->match == ROUTE_SLASH && !text_is(text_of(route->path), "/api"))
            vec_push(&paths, arena_textf(r->arena, "%s/", route->path));
    }
    add_groups(r->arena, e, &paths);
    add_checks(r->arena, e, &paths);
    if (paths.n)
        qsort(paths.p, paths.n, sizeof(*paths.p), by_bytes);
    for (size_t i = 0; i < paths.n; i++)
        value_append(r->arena, &list, value_string(paths.p[i]));
    vec_deinit(&paths);
    value_add(r->arena, &v, TEXT("paths"), list);
    json_write(&b, &v);
    return respond_json(r, 200, &as_json, true, &b);
}
