/* SPDX-License-Identifier: Apache-2.0 */
/* Who may: the order of the modes, the group that no mode can lock out, and the words of a refusal. */
#include "authz.h"

#include "unit.h"

static struct arena *a;
static struct status st;

/* A mode that counts how often it is asked and whether it was freed. */
struct probe {
    struct authz_mode mode;
    enum authz_decision decision;
    const char *reason;
    unsigned asked, freed;
};

static void probe_authorize(struct authz_mode *m, struct arena *arena, const struct authz_attributes *attrs,
                            struct authz_answer *ret)
{
    struct probe *p = CONTAINER_OF(m, struct probe, mode);
    p->asked++;
    ret->reason = text_of(p->reason);
    ret->decision = p->decision;
}

static void probe_free(struct authz_mode *m)
{
    CONTAINER_OF(m, struct probe, mode)->freed++;
}

static struct probe probe(enum authz_decision d, const char *reason)
{
    return (struct probe){
        .mode = {.type = "Probe", .name = "probe", .authorize = probe_authorize, .free = probe_free},
        .decision = d,
        .reason = reason};
}

static struct user_info user(const char *name, const char *group)
{
    struct user_info u = {.name = text_of(name)};
    if (group) {
        u.groups = ARENA_NEW(a, struct text);
        u.groups[u.n_groups++] = text_of(group);
    }
    return u;
}

static enum authz_decision ask(struct authorizer *z, const struct user_info *u, struct text *ret_reason)
{
    static const struct request_info info = {
        .is_resource = true, .verb = TEXT("get"), .resource = TEXT("pods")};
    const struct authz_attributes attrs = {.user = u, .info = &info, .path = TEXT("/api/v1/pods")};
    struct authz_answer answer;
    enum authz_decision d = authorizer_ask(z, a, &attrs, &answer);
    ck_assert_int_eq(d, answer.decision);
    *ret_reason = answer.reason;
    return d;
}

static enum authz_decision ask_mode(const char *name, const struct user_info *u, struct text *ret_reason)
{
    struct authz_mode *m = NULL;
    const struct authz_options opt = {0};
    ck_assert_int_eq(authz_mode_new(text_of(name), &opt, &m, &st), 0);
    ck_assert_str_eq(m->type, name);
    struct authorizer *z = authorizer_new(&m, 1);
    enum authz_decision d = ask(z, u, ret_reason);
    authorizer_free(z);
    return d;
}

START_TEST(the_always_modes)
{
    a = arena_new();
    struct user_info eve = user("eve", "system:authenticated");
    struct text reason;
    ck_assert_int_eq(ask_mode("AlwaysAllow", &eve, &reason), AUTHZ_ALLOW);
    ck_assert_int_eq(reason.n, 0);
    ck_assert_int_eq(ask_mode("AlwaysDeny", &eve, &reason), AUTHZ_NO_OPINION);
    ck_assert(text_is(reason, "Everything is forbidden."));
    arena_free(a);
}
END_TEST

START_TEST(an_unknown_mode_is_refused_by_name)
{
    struct authz_mode *m = NULL;
    const struct authz_options opt = {0};
    ck_assert_int_eq(authz_mode_new(TEXT("alwaysallow"), &opt, &m, &st), -1);
    ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
    ck_assert_ptr_nonnull(strstr(st.message, "\"alwaysallow\""));
    ck_assert_ptr_nonnull(strstr(st.message, "ABAC, AlwaysAllow, AlwaysDeny, Node, RBAC, Webhook"));
    ck_assert_ptr_null(m);
    status_clear(&st);
}
END_TEST

START_TEST(masters_go_before_every_mode)
{
    a = arena_new();
    struct probe deny = probe(AUTHZ_DENY, "no");
    struct authorizer *z = authorizer_new((struct authz_mode *[]){&deny.mode}, 1);
    struct user_info root = user("root", "system:masters"), eve = user("eve", "system:master");
    struct text reason;
    ck_assert_int_eq(ask(z, &root, &reason), AUTHZ_ALLOW);
    ck_assert_int_eq(deny.asked, 0);
    ck_assert_int_eq(ask(z, &eve, &reason), AUTHZ_DENY);
    ck_assert_int_eq(deny.asked, 1);
    authorizer_free(z);
    ck_assert_int_eq(deny.freed, 1);
    arena_free(a);
}
END_TEST

START_TEST(the_first_opinion_decides)
{
    static const struct {
        enum authz_decision first, second, third, all;
        unsigned n_asked;
        const char *reason; /* of those without an opinion one a line, of the one that decides alone */
    } rows[] = {
        {AUTHZ_NO_OPINION, AUTHZ_ALLOW, AUTHZ_DENY, AUTHZ_ALLOW, 2, "2"},
        {AUTHZ_NO_OPINION, AUTHZ_DENY, AUTHZ_ALLOW, AUTHZ_DENY, 2, "2"},
        {AUTHZ_ALLOW, AUTHZ_DENY, AUTHZ_DENY, AUTHZ_ALLOW, 1, "1"},
        {AUTHZ_NO_OPINION, AUTHZ_NO_OPINION, AUTHZ_ALLOW, AUTHZ_ALLOW, 3, "3"},
        {AUTHZ_NO_OPINION, AUTHZ_NO_OPINION, AUTHZ_NO_OPINION, AUTHZ_NO_OPINION, 3, "1\n2\n3"},
    };
    a = arena_new();
    struct user_info eve = user("eve", NULL);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct probe p[] = {probe(rows[i].first, "1"), probe(rows[i].second, "2"), probe(rows[i].third, "3")};
        struct authorizer *z = authorizer_new((struct authz_mode *[]){&p[0].mode, &p[1].mode, &p[2].mode}, 3);
        struct text reason;
        ck_assert_int_eq(ask(z, &eve, &reason), rows[i].all);
        ck_assert_int_eq(p[0].asked + p[1].asked + p[2].asked, rows[i].n_asked);
        ck_assert_str_eq(arena_str(a, reason), rows[i].reason);
        authorizer_free(z);
        ck_assert_int_eq(p[0].freed + p[1].freed + p[2].freed, 3);
    }
    arena_free(a);
}
END_TEST

START_TEST(nobody_to_ask_means_no)
{
    a = arena_new();
    struct authorizer *z = authorizer_new(NULL, 0);
    struct user_info eve = user("eve", NULL);
    struct text reason;
    ck_assert_int_eq(ask(z, &eve, &reason), AUTHZ_NO_OPINION);
    authorizer_free(z);
    authorizer_free(NULL);
    arena_free(a);
}
END_TEST

/* Source of the wording: kubernetes/apiserver pkg/endpoints/handlers/responsewriters/errors.go. */
static const struct {
    const char *method, *path, *user, *text;
} refusals[] = {
    {"GET", "/api/v1/namespaces/y/pods", "x",
     "User \"x\" cannot list resource \"pods\" in API group \"\" in the namespace \"y\""},
    {"GET", "/api/v1/namespaces/y/pods/p", "x",
     "User \"x\" cannot get resource \"pods\" in API group \"\" in the namespace \"y\""},
    {"PATCH", "/api/v1/namespaces/y/pods/p/status", "x",
     "User \"x\" cannot patch resource \"pods/status\" in API group \"\" in the namespace \"y\""},
    {"GET", "/api/v1/nodes", "x",
     "User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"},
    {"POST", "/apis/apps/v1/namespaces/y/deployments", "x",
     "User \"x\" cannot create resource \"deployments\" in API group \"apps\" in the namespace \"y\""},
    {"PUT", "/apis/apps/v1/namespaces/y/deployments/d/scale", "x",
     "User \"x\" cannot update resource \"deployments/scale\" in API group \"apps\" in the namespace \"y\""},
    {"DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "x",
     "User \"x\" cannot deletecollection resource \"clusterroles\" in API group "
     "\"rbac.authorization.k8s.io\" at the cluster "
     "scope"},
    {"GET", "/healthz", "x", "User \"x\" cannot get path \"/healthz\""},
    {"GET", "/apis", "system:anonymous", "User \"system:anonymous\" cannot get path \"/apis\""},
    {"POST", "/a\"b", "q\"u", "User \"q\\\"u\" cannot post path \"/a\\\"b\""},
};

START_TEST(a_refusal_is_worded_as_upstream_words_it)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(refusals); i++) {
        struct text path = text_of(refusals[i].path);
        struct user_info u = user(refusals[i].user, NULL);
        struct request_info info = {0};
        request_info_parse(a, text_of(refusals[i].method), path, NULL, 0, &info);
        const struct authz_attributes attrs = {.user = &u, .info = &info, .path = path};
        authz_forbid(a, &attrs, TEXT_NONE, &st);
        ck_assert_int_eq(st.code, 403);
        ck_assert_str_eq(strstr(st.message, "User "), refusals[i].text);
        authz_forbid(a, &attrs, TEXT("because"), &st);
        ck_assert_str_eq(st.message + strlen(st.message) - strlen(": because"), ": because");
        status_clear(&st);
    }
    arena_free(a);
}
END_TEST

/* Source: kubernetes/apimachinery pkg/fields/selector.go. */
static const struct {
    const char *in, *out; /* out NULL: refused */
} selectors[] = {
    {"", ""},
    {"a=b", "a=b;"},
    {"a==b,c!=d", "a=b;c!d;"},
    {"a=", "a=;"},
    {"spec.x=a\\,b\\=c\\\\", "spec.x=a,b=c\\;"},
    {",a=b,,", "a=b;"},
    {"a", NULL},
    {"a=b=c", NULL},
    {"a=\\x", NULL},
    {"a=b\\", NULL},
    {"!a", NULL},
};

START_TEST(field_selectors_of_any_field_are_read)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(selectors); i++) {
        struct buffer b = BUFFER_IN(a);
        struct selector s = {0};
        int rc = authz_parse_fields(a, text_of(selectors[i].in), &s, &st);
        ck_assert_msg((rc == 0) == (selectors[i].out != NULL), "%s", selectors[i].in);
        for (size_t k = 0; rc == 0 && k < s.n; k++)
            buffer_addf(&b, "%.*s%c%.*s;", TEXT_ARG(s.requirements[k].key),
                        s.requirements[k].op == SELECT_EQUALS ? '=' : '!', TEXT_ARG(s.requirements[k].values[0]));
        if (rc == 0)
            ck_assert_str_eq(buffer_str(&b), selectors[i].out);
        else
            ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
        status_clear(&st);
    }
    arena_free(a);
}
END_TEST

START_TEST(modes_that_are_replaced_are_freed_and_those_that_stay_are_not)
{
    a = arena_new();
    struct probe stays = probe(AUTHZ_NO_OPINION, "stays"), goes = probe(AUTHZ_ALLOW, "goes"),
                 comes = probe(AUTHZ_DENY, "comes");
    struct authorizer *z = authorizer_new((struct authz_mode *[]){&goes.mode, &stays.mode}, 2);
    struct user_info eve = user("eve", NULL);
    struct text reason;
    ck_assert_int_eq(ask(z, &eve, &reason), AUTHZ_ALLOW);
    authorizer_replace(z, (struct authz_mode *[]){&stays.mode, &comes.mode}, 2);
    ck_assert_int_eq(goes.freed, 1);
    ck_assert_int_eq(stays.freed + comes.freed, 0);
    ck_assert_int_eq(ask(z, &eve, &reason), AUTHZ_DENY);
    authorizer_free(z);
    ck_assert(stays.freed == 1 && comes.freed == 1 && goes.freed == 1);
    arena_free(a);
}
END_TEST

UNIT_MAIN("authz", the_always_modes, an_unknown_mode_is_refused_by_name, masters_go_before_every_mode,
          the_first_opinion_decides, nobody_to_ask_means_no, a_refusal_is_worded_as_upstream_words_it,
          field_selectors_of_any_field_are_read, modes_that_are_replaced_are_freed_and_those_that_stay_are_not)
