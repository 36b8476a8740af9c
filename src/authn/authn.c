/* SPDX-License-Identifier: Apache-2.0 */
/* The union of the methods, and the filter that asks it.
 *
 * A method without an opinion passes the request on; one that refuses does too, but then nobody is let in as
 * anonymous: a client that shows a bad credential must hear of it. Known users join system:authenticated. */
#include "authn.h"

#include "authn/metrics.h"
#include "authn/users.h"

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
    authn_impersonation_metrics_register();
    authn_metrics_register();
    return a;
}

void authenticator_free(struct authenticator *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->opt.n_methods; i++)
        a->opt.methods[i]->free(a->opt.methods[i]);
    free(a->opt.methods);
    tokens_free(a->opt.tokens);
    service_accounts_free(a->opt.service_accounts);
    free(a);
}

struct tokens *authenticator_tokens(const struct authenticator *a)
{
    return a->opt.tokens;
}

struct service_accounts *authenticator_service_accounts(const struct authenticator *a)
{
    return a->opt.service_accounts;
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

static enum authn_decision ask_methods(struct authenticator *a, struct request *r)
{
    enum authn_decision ret = AUTHN_NO_OPINION;

    for (size_t i = 0; i < a->opt.n_methods; i++) {
        struct authn_method *m = a->opt.methods[i];
        struct user_info user = {0};
        enum authn_decision d = m->authenticate(m, r, &user);
        if (d == AUTHN_KNOWN) {
            if (!user_in_group(&user, TEXT(GROUP_AUTHENTICATED)) && !user_in_group(&user, TEXT(GROUP_UNAUTHENTICATED)))
                user_add_group(r->arena, &user, TEXT(GROUP_AUTHENTICATED));
            r->user = user;
        }
        if (d == AUTHN_KNOWN || d == AUTHN_WOULD_BLOCK)
            return d;
        if (d == AUTHN_REFUSED)
            ret = d;
    }
    return ret;
}

static bool has_bearer_token(const struct request *r)
{
    struct text authorization = text_trim(request_header(r, "Authorization"));
    return authorization.n > 7 && text_eq_nocase(text_first(authorization, 7), TEXT("bearer "));
}

/* A bearer token is a bad credential too where no method reads tokens. */
static bool is_anonymous(const struct authenticator *a, const struct request *r)
{
    return (a->opt.tokens || !has_bearer_token(r)) && anonymous_may_enter(&a->opt, r->path);
}

static enum flow authentication_enter(struct request *r)
{
    struct authenticator *a = r->wiring->authn;
    CLEANUP(status_clear) struct status st = {0};
    int64_t start_ns = clock_mono_ns();
    enum authn_decision d = ask_methods(a, r);

    if (d == AUTHN_WOULD_BLOCK)
        return FLOW_BLOCK;
    if (d == AUTHN_NO_OPINION && is_anonymous(a, r)) {
        r->user = (struct user_info){.name = TEXT(USER_ANONYMOUS)};
        user_add_group(r->arena, &r->user, TEXT(GROUP_UNAUTHENTICATED));
        d = AUTHN_KNOWN;
    }
    authn_count_attempt(d == AUTHN_KNOWN     ? OUTCOME_SUCCESS
                        : d == AUTHN_REFUSED ? OUTCOME_ERROR
                                             : OUTCOME_FAILURE,
                        r->user.name, clock_mono_ns() - start_ns);
    if (d == AUTHN_KNOWN)
        return FLOW_NEXT;
    status_set(&st, STATUS_UNAUTHORIZED, "Unauthorized");
    return request_fail(r, &st);
}

const struct filter filter_authentication = {.name = "authentication", .enter = authentication_enter};
