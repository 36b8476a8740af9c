/* SPDX-License-Identifier: Apache-2.0 */
/* The union of the methods and its filter. */
#include "fixture.h"

/* A method with a fixed answer that counts how often it is asked. */
struct probe {
    struct authn_method method;
    enum authn_decision decision;
    struct user_info user;
    unsigned asked, freed;
};

static enum authn_decision probe_authenticate(struct authn_method *m, struct request *r,
                                              struct user_info *ret)
{
    struct probe *p = CONTAINER_OF(m, struct probe, method);
    p->asked++;
    if (p->decision == AUTHN_KNOWN)
        *ret = p->user;
    return p->decision;
}

static void probe_free(struct authn_method *m)
{
    CONTAINER_OF(m, struct probe, method)->freed++;
}

static struct probe probe(enum authn_decision d, const char *name)
{
    return (struct probe){.method = {.name = "probe", .authenticate = probe_authenticate, .free = probe_free},
                          .decision = d,
                          .user = {.name = text_of(name)}};
}

/* Runs the filter on r. True: let in. */
static bool enters(struct authenticator *authn, struct request *r)
{
    struct wiring *w = ARENA_NEW(r->arena, struct wiring);
    w->authn = authn;
    r->wiring = w;
    if (filter_authentication.enter(r) == FLOW_NEXT)
        return true;
    ck_assert_int_eq(r->response.code, 401);
    ck_assert_int_eq(r->user.name.n, 0);
    ck_assert(text_find_text(r->response.bytes, TEXT("\"message\":\"Unauthorized\"")) > 0);
    return false;
}

START_TEST(the_first_method_that_knows_decides)
{
    struct arena *a = arena_new();
    struct probe p[] = {probe(AUTHN_NO_OPINION, ""), probe(AUTHN_REFUSED, ""), probe(AUTHN_KNOWN, "one"),
                        probe(AUTHN_KNOWN, "two")};
    struct authn_method *methods[] = {&p[0].method, &p[1].method, &p[2].method, &p[3].method};
    struct authenticator *authn = authenticator_new(
        &(struct authn_options){.methods = methods, .n_methods = 4, .allow_anonymous = true});
    struct request *r = request_of(a, "/api", NULL);
    ck_assert(enters(authn, r));
    ck_assert(text_is(r->user.name, "one"));
    ck_assert_int_eq(r->user.n_groups, 1);
    ck_assert(user_in_group(&r->user, TEXT("system:authenticated")));
    ck_assert_int_eq(p[0].asked + p[1].asked + p[2].asked, 3);
    ck_assert_int_eq(p[3].asked, 0);
    authenticator_free(authn);
    ck_assert_int_eq(p[0].freed + p[1].freed + p[2].freed + p[3].freed, 4);
    authenticator_free(NULL);
    arena_free(a);
}
END_TEST

START_TEST(the_group_of_the_known_is_not_added_twice)
{
    struct arena *a = arena_new();
    struct probe p = probe(AUTHN_KNOWN, "one");
    struct text group = TEXT("system:unauthenticated");
    p.user.groups = &group;
    p.user.n_groups = 1;
    struct authn_method *method = &p.method;
    struct authenticator *authn =
        authenticator_new(&(struct authn_options){.methods = &method, .n_methods = 1});
    for (unsigned i = 0; i < 2; i++) {
        struct request *r = request_of(a, "/api", NULL);
        ck_assert(enters(authn, r));
        ck_assert_int_eq(r->user.n_groups, 1);
        group = TEXT("system:authenticated");
    }
    authenticator_free(authn);
    arena_free(a);
}
END_TEST

static const char *const open_paths[] = {"/livez", "/readyz", "/healthz", NULL};

/* With a method that has no opinion, or one that refuses. */
static const struct {
    const char *path, *authorization;
    bool allow_anonymous, only_open_paths, method_refuses, enters;
} anonymous_rows[] = {
    {"/api", NULL, true, false, false, true},
    {"/api", NULL, false, false, false, false},
    {"/livez", NULL, false, true, false, false},
    {"/livez", NULL, true, true, false, true},
    {"/healthz", NULL, true, true, false, true},
    {"/livez/ping", NULL, true, true, false, false},
    {"/livez/", NULL, true, true, false, false},
    {"/api", NULL, true, true, false, false},
    /* A bad credential is heard of, even where none is needed and where no method reads tokens. */
    {"/livez", "Bearer wrong", true, true, false, false},
    {"/livez", "bearer wrong", true, false, false, false},
    {"/livez", "  BEARER   wrong", true, false, false, false},
    {"/livez", NULL, true, true, true, false},
    /* Not a bearer token: no credential that we know. */
    {"/livez", "Basic dTpw", true, true, false, true},
    {"/livez", "Bearer", true, true, false, true},
};

START_TEST(anonymous_requests_enter_where_they_may)
{
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(anonymous_rows); i++) {
        struct probe p = probe(anonymous_rows[i].method_refuses ? AUTHN_REFUSED : AUTHN_NO_OPINION, "");
        struct authn_method *method = &p.method;
        struct authenticator *authn = authenticator_new(&(struct authn_options){
            .methods = &method,
            .n_methods = 1,
            .allow_anonymous = anonymous_rows[i].allow_anonymous,
            .anonymous_paths = anonymous_rows[i].only_open_paths ? open_paths : NULL});
        struct request *r = request_of(a, anonymous_rows[i].path, anonymous_rows[i].authorization);
        bool did = enters(authn, r);
        ck_assert_msg(did == anonymous_rows[i].enters, "row %zu: %s %s", i, anonymous_rows[i].path,
                      anonymous_rows[i].authorization ? anonymous_rows[i].authorization : "");
        if (did) {
            ck_assert(text_is(r->user.name, "system:anonymous"));
            ck_assert_int_eq(r->user.n_groups, 1);
            ck_assert(user_in_group(&r->user, TEXT("system:unauthenticated")));
        }
        authenticator_free(authn);
    }
    arena_free(a);
}
END_TEST

UNIT_MAIN("authn", the_first_method_that_knows_decides, the_group_of_the_known_is_not_added_twice,
          anonymous_requests_enter_where_they_may)
