/* SPDX-License-Identifier: Apache-2.0 */
/* The union of the methods, and the filter that asks it.
 *
 * A method without an opinion passes the request on; one that refuses does too, but then nobody is let in as anonymous:
 * a client that shows a bad credential must hear of it. Known users join system:authenticated. */
#include "authn.h"

struct authenticator {
    struct authn_options opt;
};

struct authenticator *authenticator_new(const struct authn_options *opt)
{
    struct authenticator *a = xcalloc(1, sizeof(*a));
    a->opt = *opt;
    a->opt.methods = xcalloc(opt->n_methods + 1, sizeof(struct authn_method *));
    for (size_t i = 0; i < opt->n_methods; i++)
        a->opt.methods[i] = opt->methods[i];
    return a;
}

void authenticator_free(struct authenticator *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->opt.n_methods; i++)
        a->opt.methods[i]->free(a->opt.methods[i]);
    free(a->opt.methods);
    free(a);
}

static bool anonymous_may_enter(const struct authn_options *opt, struct text path)
{
    if (!opt->allow_anonymous)
        return false;
    if (!opt->anonymous_paths)
        return true;
    for (const char *const *p = opt->anonymous_paths; *p; p++)
        if (text_is(path, *p))
            return true;
    return false;
}

static void add_group(struct arena *a, struct user_info *u, struct text group)
{
    struct text *groups = ARENA_ARRAY(a, struct text, u->n_groups + 1);
    for (size_t i = 0; i < u->n_groups; i++)
        groups[i] = u->groups[i];
    groups[u->n_groups++] = group;
    u->groups = groups;
}

static bool ask_methods(struct authenticator *a, struct request *r, bool *ret_refused)
{
    for (size_t i = 0; i < a->opt.n_methods; i++) {
        struct authn_method *m = a->opt.methods[i];
        struct user_info user = {0};
        switch (m->authenticate(m, r, &user)) {
        case AUTHN_KNOWN:
            if (!user_in_group(&user, GROUP_AUTHENTICATED) && !user_in_group(&user, GROUP_UNAUTHENTICATED))
                add_group(r->arena, &user, TEXT(GROUP_AUTHENTICATED));
            r->user = user;
            return true;
        case AUTHN_REFUSED:
            *ret_refused = true;
            break;
        case AUTHN_NO_OPINION:
            break;
        }
    }
    return false;
}

static enum flow authentication_enter(struct request *r)
{
    struct authenticator *a = r->wiring->authn;
    bool refused = false;

    if (ask_methods(a, r, &refused))
        return FLOW_NEXT;
    /* A bearer token that no method knows is a bad credential too, whether or not any method reads tokens. */
    struct text authorization = text_trim(request_header(r, "Authorization"));
    bool has_token = authorization.n > 7 && text_eq_nocase(text_first(authorization, 7), TEXT("bearer "));
    if (!refused && !has_token && anonymous_may_enter(&a->opt, r->path)) {
        r->user = (struct user_info){.name = TEXT(USER_ANONYMOUS)};
        add_group(r->arena, &r->user, TEXT(GROUP_UNAUTHENTICATED));
        return FLOW_NEXT;
    }
    CLEANUP(status_clear) struct status st = {0};
    status_set(&st, STATUS_UNAUTHORIZED, "Unauthorized");
    return request_fail(r, &st);
}

const struct filter filter_authentication = {.name = "authentication", .enter = authentication_enter};
