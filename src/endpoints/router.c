/* SPDX-License-Identifier: Apache-2.0 */
/* From path and method to the function that serves it. What r->info says of a resource path is checked
 * against the resource's scope, subresources and verbs; the answers for what does not fit are those of
 * upstream's path router. Source: kubernetes/apiserver pkg/endpoints/installer.go, which makes upstream's
 * routes. */
#include "endpoints/endpoints_internal.h"

/* --- the table of verbs --- */

enum place { ON_COLLECTION, ON_ALL_NAMESPACES, ON_ITEM };

static const struct verb_row {
    enum place place;
    const char *method;
    enum verb_bit bit;
    call_step step;
} verb_rows[] = {
    {ON_COLLECTION, "GET", VERB_LIST, call_list},
    {ON_COLLECTION, "POST", VERB_CREATE, call_create},
    {ON_COLLECTION, "DELETE", VERB_DELETECOLLECTION, call_delete_collection},
    {ON_ALL_NAMESPACES, "GET", VERB_LIST, call_list},
    {ON_ITEM, "GET", VERB_GET, call_get},
    {ON_ITEM, "PUT", VERB_UPDATE, call_update},
    {ON_ITEM, "PATCH", VERB_PATCH, call_patch},
    {ON_ITEM, "DELETE", VERB_DELETE, call_delete},
};

/* Subresources that are no second view of the whole object (status and the like are: they take the verbs
 * above). */
static const struct sub_row {
    const char *sub, *method;
    call_step step;
} sub_rows[] = {
    {"scale", "GET", call_scale_get},
    {"scale", "PUT", call_scale_update},
    {"scale", "PATCH", call_scale_patch},
    {"binding", "POST", call_binding_create},
    {"eviction", "POST", call_eviction_create},
    {"token", "POST", call_token_create},
};

/* Resources that are asked and answered at once: created, never stored. */
static const struct review_row {
    const char *group, *resource;
    call_step step;
} review_rows[] = {
    {"authentication.k8s.io", "selfsubjectreviews", call_review},
    {"authentication.k8s.io", "tokenreviews", call_token_review_create},
    {"authorization.k8s.io", "localsubjectaccessreviews", call_review},
    {"authorization.k8s.io", "selfsubjectaccessreviews", call_review},
    {"authorization.k8s.io", "selfsubjectrulesreviews", call_review},
    {"authorization.k8s.io", "subjectaccessreviews", call_review},
};

static call_step review_step(const struct resource_type *type)
{
    for (size_t i = 0; i < N_ELEMENTS(review_rows); i++)
        if (text_is(type->group, review_rows[i].group) && text_is(type->name, review_rows[i].resource))
            return review_rows[i].step;
    return NULL;
}

static const struct verb_row *find_verb(const struct resource_type *type, enum place place,
                                        struct text method)
{
    for (size_t i = 0; i < N_ELEMENTS(verb_rows); i++) {
        const struct verb_row *row = &verb_rows[i];
        if (row->place == place && text_is(method, row->method) && type->verbs & row->bit)
            return row;
    }
    return NULL;
}

static const struct resource_sub *find_sub(const struct resource_type *type, struct text name)
{
    for (size_t i = 0; i < type->n_subs; i++)
        if (text_eq(type->subs[i].name, name))
            return &type->subs[i];
    return NULL;
}

static bool sub_allows(const struct resource_sub *sub, struct text method)
{
    static const struct {
        const char *method;
        enum verb_bit bit;
    } methods[] = {{"GET", VERB_GET},
                   {"PUT", VERB_UPDATE},
                   {"PATCH", VERB_PATCH},
                   {"POST", VERB_CREATE},
                   {"DELETE", VERB_DELETE}};

    for (size_t i = 0; i < N_ELEMENTS(methods); i++)
        if (text_is(method, methods[i].method))
            return sub->verbs & methods[i].bit;
    return false;
}

static call_step sub_step(const struct resource_sub *sub, struct text method)
{
    bool is_own = false;

    for (size_t i = 0; i < N_ELEMENTS(sub_rows); i++) {
        if (!text_is(sub->name, sub_rows[i].sub))
            continue;
        is_own = true;
        if (text_is(method, sub_rows[i].method))
            return sub_rows[i].step;
    }
    if (is_own)
        return NULL;
    for (size_t i = 0; i < N_ELEMENTS(verb_rows); i++)
        if (verb_rows[i].place == ON_ITEM && text_is(method, verb_rows[i].method) &&
            verb_rows[i].bit != VERB_DELETE)
            return verb_rows[i].step;
    return NULL;
}

/* --- resource paths --- */

static bool group_is_known(const struct endpoints *e, struct text group)
{
    for (const struct resource *res = registry_resources(e->opt.registry); res; res = res->next)
        if (text_eq(res->type->group, group))
            return true;
    return false;
}

/* The types that the server knows and serves by default though the registry does not store them: bindings,
 * reviews. */
static const struct resource_type *find_type(const struct request_info *info, const struct resource *res)
{
    const struct resource_type *type;

    if (res)
        return res->type;
    type = schema_resource_find(info->group, info->version, info->resource);
    return type && type->is_on_by_default && !type->storage_prefix.n ? type : NULL;
}

/* Where the path stands; false: no route of upstream has this form. */
static bool find_place(const struct request *r, const struct resource_type *type, enum place *ret)
{
    const struct request_info *info = &r->info;
    bool has_namespaces = text_find_text(r->path, TEXT("/namespaces/")) >= 0;

    if (info->n_parts > 3)
        return false;
    if (!type->is_namespaced) {
        if (has_namespaces && !text_is(type->name, "namespaces"))
            return false;
        *ret = info->n_parts > 1 ? ON_ITEM : ON_COLLECTION;
        return true;
    }
    *ret = info->n_parts > 1 ? ON_ITEM : has_namespaces ? ON_COLLECTION : ON_ALL_NAMESPACES;
    return has_namespaces || info->n_parts == 1;
}

/* "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice", as apiserver
 * pkg/endpoints/deprecation. */
static void warn_deprecated(struct request *r, const struct schema_kind *kind)
{
    struct buffer b = BUFFER_IN(r->arena);

    if (!kind->deprecated_minor)
        return;
    buffer_addf(&b, "%.*s %.*s is deprecated in v1.%d+", TEXT_ARG(kind->api_version),
                TEXT_ARG(kind->gvk.kind), kind->deprecated_minor);
    if (kind->removed_minor)
        buffer_addf(&b, ", unavailable in v1.%d+", kind->removed_minor);
    if (kind->replacement.n)
        buffer_addf(&b, "; use %.*s", TEXT_ARG(kind->replacement));
    request_warn(r, "%.*s", TEXT_ARG(buffer_text(&b)));
}

static enum flow start_call(struct request *r, struct endpoints *e, const struct resource *res,
                            const struct resource_sub *sub, call_step step)
{
    struct call *c = ARENA_NEW(r->arena, struct call);
    const struct request_info *info = &r->info;

    *c = (struct call){.e = e,
                       .resource = res,
                       .sub = sub,
                       .name = info->n_parts > 1 ? info->parts[1] : TEXT_NONE,
                       .is_collection = info->n_parts == 1,
                       .step = step};
    if (res->type->is_namespaced)
        c->namespace = info->namespace;
    r->handler_state = c;
    warn_deprecated(r, res->type->kind);
    return step(r, c);
}

static bool is_usable_name(struct text name)
{
    return !text_is(name, ".") && !text_is(name, "..") && text_find(name, '%') < 0;
}

static enum flow serve_resource(struct request *r, struct endpoints *e)
{
    const struct request_info *info = &r->info;
    const struct resource *res = registry_find(e->opt.registry, info->group, info->version, info->resource);
    const struct resource_type *type = find_type(info, res);
    const struct resource_sub *sub = NULL;
    bool is_legacy_watch = text_is(info->verb, "watch") && text_find_text(r->path, TEXT("/watch/")) >= 0;
    enum place place;
    call_step step;

    if (!type || text_is(info->verb, "proxy") || !find_place(r, type, &place))
        return fail_no_resource(r);
    if (info->n_parts == 3) {
        sub = find_sub(type, info->parts[2]);
        if (!sub || is_legacy_watch)
            return fail_no_resource(r);
        if (!sub_allows(sub, r->method))
            return fail_method(r);
        step = sub_step(sub, r->method);
    } else if (is_legacy_watch) {
        if (!text_is(r->method, "GET") || !(type->verbs & VERB_WATCH))
            return fail_method(r);
        step = call_watch;
    } else {
        const struct verb_row *row = find_verb(type, place, r->method);
        if (!row)
            return fail_method(r);
        step = row->step;
        if (step == call_list && text_is(info->verb, "watch") && type->verbs & VERB_WATCH)
            step = call_watch;
    }
    if (step == call_create && text_is(type->name, "bindings")) { /* the other way to bind a pod */
        res = registry_find(e->opt.registry, type->group, type->version, TEXT("pods"));
        sub = res ? find_sub(res->type, TEXT("binding")) : NULL;
        step = call_binding_create;
    }
    if (text_is(type->name, "componentstatuses") && !type->group.n)
        step = step == call_list ? call_component_list : step == call_get ? call_component_get : step;
    if (res && !res->cache)
        step = step == call_create ? review_step(type) : NULL;
    if (!step || !res || !endpoints_serves(type, sub))
        return fail_no_resource(r);
    if (!router_accepts(r))
        return FLOW_DONE;
    if (info->n_parts > 1 && !is_usable_name(info->parts[1])) {
        struct status st = {0};
        status_set(&st, STATUS_BAD_REQUEST, "invalid resource name %.*s: [may not be '..']",
                   TEXT_ARG(info->parts[1]));
        return request_fail(r, &st);
    }
    return start_call(r, e, res, sub, step);
}

/* --- everything --- */

/* The segments of a path that names at most a group and a version. False: it names more, or lies elsewhere.
 */
static bool names_group_version(struct text path, struct text *ret_prefix, struct text *ret_group,
                                struct text *ret_version)
{
    struct text rest = text_from(path, 1), parts[4];
    size_t n = 0;

    while (n < N_ELEMENTS(parts) && text_split(&rest, '/', &parts[n]))
        n++;
    if (n > 0 && parts[n - 1].n == 0)
        n--; /* one slash at the end */
    if (n < 2 || rest.p)
        return false;
    *ret_prefix = parts[0];
    *ret_group = *ret_version = TEXT("");
    if (text_is(parts[0], "api")) {
        *ret_version = parts[1];
        return n == 2;
    }
    *ret_group = parts[1];
    if (n > 2)
        *ret_version = parts[2];
    return text_is(parts[0], "apis") && n <= 3;
}

static enum flow not_found_page(struct request *r)
{
    return respond_text(r, 404, TEXT("404 page not found\n"));
}

static enum flow enter_endpoints(struct request *r)
{
    struct endpoints *e = r->wiring->endpoints;
    struct text rest, prefix, group, version;
    const struct route *route;

    if (r->handler_state) {
        struct call *c = r->handler_state;
        return c->step(r, c);
    }
    if (text_is(r->path, "/"))
        return serve_root(r, e, TEXT_NONE);
    route = route_find(r->path, &rest);
    if (route)
        return route->serve(r, e, rest);
    if (text_starts(r->path, TEXT("/api/")) || text_starts(r->path, TEXT("/apis/"))) {
        if (names_group_version(r->path, &prefix, &group, &version)) {
            if (group.n && !group_is_known(e, group))
                return not_found_page(r);
            return serve_group_version(r, e, group, version);
        }
        if (text_is(r->info.prefix, "apis") && !group_is_known(e, r->info.group))
            return not_found_page(r);
        return r->info.is_resource ? serve_resource(r, e) : fail_no_resource(r);
    }
    return not_found_page(r);
}

static void leave_endpoints(struct request *r)
{
    struct call *c = r->handler_state;

    if (c && c->watch)
        watch_request_ended(MOVE(c->watch));
}

const struct filter filter_endpoints = {
    .name = "endpoints", .enter = enter_endpoints, .leave = leave_endpoints};
