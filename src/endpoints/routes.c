/* SPDX-License-Identifier: Apache-2.0 */
/* The paths that are no resources: one row each, the first that fits serves. To add a page, add its row. "/" alone is
 * the router's: its page lists these rows. */
#include "endpoints/endpoints_internal.h"

const struct route routes[] = {
    {"/version", ROUTE_BELOW, serve_version},
    {"/healthz", ROUTE_BELOW, serve_healthz},
    {"/livez", ROUTE_BELOW, serve_livez},
    {"/readyz", ROUTE_BELOW, serve_readyz},
    {"/metrics", ROUTE_EXACT, serve_metrics},
    {"/api", ROUTE_SLASH, serve_api},
    {"/apis", ROUTE_SLASH, serve_apis},
    {"/openapi/v2", ROUTE_EXACT, serve_openapi_v2},
    {"/openapi/v3", ROUTE_BELOW, serve_openapi_v3},
    {"/.well-known/openid-configuration", ROUTE_SLASH, serve_openid_configuration},
    {"/openid/v1/jwks", ROUTE_SLASH, serve_openid_keys},
    {NULL, ROUTE_EXACT, NULL},
};

static bool route_fits(const struct route *route, struct text path, struct text *ret_rest)
{
    struct text rest;

    if (!text_starts(path, text_of(route->path)))
        return false;
    rest = text_from(path, strlen(route->path));
    *ret_rest = TEXT_NONE;
    if (rest.n == 0)
        return true;
    if (rest.p[0] != '/')
        return false;
    *ret_rest = (struct text){rest.p + 1, rest.n - 1};
    return route->match == ROUTE_BELOW || (route->match == ROUTE_SLASH && rest.n == 1);
}

const struct route *route_find(struct text path, struct text *ret_rest)
{
    for (const struct route *route = routes; route->path; route++)
        if (route_fits(route, path, ret_rest))
            return route;
    return NULL;
}
