/* SPDX-License-Identifier: Apache-2.0 */
/* The union of the modes, the filter that asks it, and the words of a refusal.
 * system:masters may do everything, whatever the modes: the way in that no policy can lock. */
#include "authz.h"

struct authorizer {
    struct authz_mode **modes;
    size_t n;
};

struct authorizer *authorizer_new(struct authz_mode **modes, size_t n)
{
    struct authorizer *a = xcalloc(1, sizeof(*a));
    a->modes = xcalloc(n + 1, sizeof(struct authz_mode *));
    for (; a->n < n; a->n++)
        a->modes[a->n] = modes[a->n];
    return a;
}

void authorizer_free(struct authorizer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++)
        a->modes[i]->free(a->modes[i]);
    free(a->modes);
    free(a);
}

enum authz_decision authorizer_ask(struct authorizer *a, struct arena *arena, const struct authz_attributes *attrs,
                                   struct text *ret_reason)
{
    *ret_reason = TEXT_NONE;
    if (user_in_group(attrs->user, "system:masters"))
        return AUTHZ_ALLOW;
    for (size_t i = 0; i < a->n; i++) {
        enum authz_decision d = a->modes[i]->authorize(a->modes[i], arena, attrs, ret_reason);
        if (d != AUTHZ_NO_OPINION)
            return d;
    }
    return AUTHZ_NO_OPINION;
}

struct text authz_forbidden_text(struct arena *a, const struct authz_attributes *attrs)
{
    const struct request_info *info = attrs->info;
    struct buffer b = BUFFER_IN(a);

    buffer_add(&b, TEXT("User "));
    buffer_add_quoted(&b, attrs->user->name);
    buffer_addf(&b, " cannot %.*s ", TEXT_ARG(info->verb));
    if (!info->is_resource) {
        buffer_add(&b, TEXT("path "));
        buffer_add_quoted(&b, attrs->path);
        return buffer_text(&b);
    }
    buffer_addf(&b, "resource \"%.*s", TEXT_ARG(info->resource));
    if (info->subresource.n)
        buffer_addf(&b, "/%.*s", TEXT_ARG(info->subresource));
    buffer_addf(&b, "\" in API group \"%.*s\"", TEXT_ARG(info->group));
    if (info->namespace.n)
        buffer_addf(&b, " in the namespace \"%.*s\"", TEXT_ARG(info->namespace));
    else
        buffer_add(&b, TEXT(" at the cluster scope"));
    return buffer_text(&b);
}

static int refuse(struct request *r, const struct authz_attributes *attrs, struct text reason, struct status *st)
{
    const struct request_info *info = &r->info;
    struct text why = authz_forbidden_text(r->arena, attrs);
    const char *colon = reason.n ? ": " : "";

    if (!info->is_resource)
        return status_set(st, STATUS_FORBIDDEN, "forbidden: %.*s%s%.*s", TEXT_ARG(why), colon, TEXT_ARG(reason));
    return status_forbidden(st, info->group, info->resource, info->name,
                            arena_printf(r->arena, "%.*s%s%.*s", TEXT_ARG(why), colon, TEXT_ARG(reason)));
}

static enum flow authorization_enter(struct request *r)
{
    const struct authz_attributes attrs = {.user = &r->user, .info = &r->info, .path = r->path};
    CLEANUP(status_clear) struct status st = {0};
    struct text reason;

    if (authorizer_ask(r->wiring->authz, r->arena, &attrs, &reason) == AUTHZ_ALLOW)
        return FLOW_NEXT;
    refuse(r, &attrs, reason, &st);
    return request_fail(r, &st);
}

const struct filter filter_authorization = {.name = "authorization", .enter = authorization_enter};
