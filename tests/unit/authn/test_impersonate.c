/* SPDX-License-Identifier: Apache-2.0 */
/* Impersonation: which permissions each part of another identity takes, in which mode, and who one is then.
 */
#include "authz.h"

#include "fixture.h"

static struct arena *a;

/* A mode that allows what a list names: "VERB RESOURCE[.GROUP][/SUB] NAME", one a line; and notes what it is
 * asked. */
static const char *granted;
static struct buffer asked;

static void list_authorize(struct authz_mode *m, struct arena *arena, const struct authz_attributes *attrs,
                           struct authz_answer *ret)
{
    const struct request_info *i = attrs->info;
    struct text line = arena_textf(arena, "%.*s %.*s%s%.*s%s%.*s %.*s", TEXT_ARG(i->verb),
                                   TEXT_ARG(i->resource), i->group.n ? "." : "", TEXT_ARG(i->group),
                                   i->subresource.n ? "/" : "", TEXT_ARG(i->subresource), TEXT_ARG(i->name));
    struct text rest = text_of(granted), grant;

    buffer_addf(&asked, "%.*s\n", TEXT_ARG(line));
    while (text_split(&rest, '\n', &grant))
        if (text_eq(grant, line))
            ret->decision = AUTHZ_ALLOW;
}

static void nothing(struct authz_mode *m)
{
}

static struct authz_mode mode = {
    .type = "List", .name = "list", .authorize = list_authorize, .free = nothing};

/* A GET of pod p in ns by requestor, with headers "Name: value", one a line. */
static struct request *request_as(const char *requestor, const char *headers)
{
    struct request *r = request_of(a, "/api/v1/namespaces/ns/pods/p", NULL);
    struct header *h = ARENA_ARRAY(a, struct header, 32);
    struct text rest = text_of(headers), line;
    struct authz_mode *modes[] = {&mode};
    struct wiring *w = ARENA_NEW(a, struct wiring);

    request_info_parse(a, r->method, r->path, NULL, 0, &r->info);
    while (text_split(&rest, '\n', &line)) {
        text_split(&line, ':', &h[r->n_headers].name);
        h[r->n_headers++].value = text_trim(line);
    }
    r->headers = h;
    r->user = (struct user_info){.name = text_of(requestor)};
    w->authz = authorizer_new(modes, 1);
    r->wiring = w;
    buffer_clear(&asked);
    return r;
}

static const char *user_text(const struct user_info *u)
{
    struct buffer b = BUFFER_IN(a);

    buffer_addf(&b, "%.*s uid=%.*s", TEXT_ARG(u->name), TEXT_ARG(u->uid));
    for (size_t i = 0; i < u->n_groups; i++)
        buffer_addf(&b, " %.*s", TEXT_ARG(u->groups[i]));
    for (size_t i = 0; i < u->n_extra; i++)
        for (size_t j = 0; j < u->extra[i].n_values; j++)
            buffer_addf(&b, " %.*s=%.*s", TEXT_ARG(u->extra[i].key), TEXT_ARG(u->extra[i].values[j]));
    return buffer_str(&b);
}

#define ON(mode) "impersonate-on:" mode ":get pods p\n"
static const struct {
    const char *headers, *granted, *user; /* user NULL: refused */
    const char *message;                  /* a part of the refusal */
} rows[] = {
    {"X: y", "", "me uid=", NULL},
    {"Impersonate-User: jane", "impersonate users jane", "jane uid= system:authenticated", NULL},
    {"impersonate-user: jane", "impersonate users jane", "jane uid= system:authenticated", NULL},
    {"Impersonate-User: jane", ON("user-info") "impersonate:user-info users.authentication.k8s.io jane",
     "jane uid= system:authenticated", NULL},
    {"Impersonate-User: jane", "impersonate:user-info users.authentication.k8s.io jane", NULL,
     "cannot impersonate-on:user-info:get resource \\\"pods\\\" in API group \\\"\\\" in the namespace "
     "\\\"ns\\\""},
    {"Impersonate-User: jane", ON("user-info"), NULL,
     "cannot impersonate:user-info resource \\\"users\\\" in API group"},
    {"Impersonate-User: jane\nImpersonate-Group: a\nImpersonate-Group: b",
     "impersonate users jane\nimpersonate groups a\n"
     "impersonate groups b",
     "jane uid= a b system:authenticated", NULL},
    {"Impersonate-User: jane\nImpersonate-Group: a\nImpersonate-Group: b",
     "impersonate users jane\nimpersonate groups a", NULL, "cannot"},
    {"Impersonate-User: jane\nImpersonate-Group: system:unauthenticated",
     "impersonate users jane\n"
     "impersonate groups system:unauthenticated",
     "jane uid= system:unauthenticated", NULL},
    {"Impersonate-User: jane\nImpersonate-Uid: 7",
     "impersonate users jane\nimpersonate uids.authentication.k8s.io 7", "jane uid=7 system:authenticated",
     NULL},
    {"Impersonate-User: jane\nImpersonate-Extra-Acme.io%2FScope: x\nimpersonate-extra-acme.io%2fscope: y",
     "impersonate users jane\nimpersonate userextras.authentication.k8s.io/acme.io/scope x\n"
     "impersonate userextras.authentication.k8s.io/acme.io/scope y",
     "jane uid= system:authenticated acme.io/scope=x acme.io/scope=y", NULL},
    {"Impersonate-User: system:anonymous", "impersonate users system:anonymous",
     "system:anonymous uid= system:unauthenticated", NULL},
    {"Impersonate-User: system:serviceaccount:ns:sa", "impersonate serviceaccounts sa",
     "system:serviceaccount:ns:sa uid= system:serviceaccounts system:serviceaccounts:ns system:authenticated",
     NULL},
    {"Impersonate-User: system:serviceaccount:ns:sa",
     ON("serviceaccount") "impersonate:serviceaccount serviceaccounts.authentication.k8s.io sa",
     "system:serviceaccount:ns:sa uid= system:serviceaccounts system:serviceaccounts:ns system:authenticated",
     NULL},
    {"Impersonate-User: system:node:n1",
     ON("arbitrary-node") "impersonate:arbitrary-node nodes.authentication.k8s.io n1",
     "system:node:n1 uid= system:nodes system:authenticated", NULL},
    {"Impersonate-User: system:node:n1", "impersonate users system:node:n1",
     "system:node:n1 uid= system:authenticated", NULL},
    {"Impersonate-User: jane\nImpersonate-Group: system:masters",
     ON("user-info") "impersonate:user-info users.authentication.k8s.io jane\n"
                     "impersonate:user-info groups.authentication.k8s.io system:masters",
     NULL, "impersonating the system:masters group is not allowed"},
    {"Impersonate-Group: a", "impersonate groups a", NULL,
     "requested \\u0026user.DefaultInfo{Name:\\\"\\\", UID:\\\"\\\", Groups:[]string{\\\"a\\\"}, "
     "Extra:map[string][]string(nil)} "
     "without impersonating a user name"},
    {"Impersonate-Uid: 7", "", NULL, "without impersonating a user name"},
    {"Impersonate-Extra-Scopes: x", "", NULL,
     "Extra:map[string][]string{\\\"scopes\\\":[]string{\\\"x\\\"}}"},
};

START_TEST(each_part_takes_its_permission)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        /* Each row with a requestor of its own: the way in that worked is remembered by name. */
        const char *me = i ? arena_printf(a, "me%zu", i) : "me";
        struct request *r = request_as(me, rows[i].headers);
        granted = rows[i].granted;
        enum flow flow = filter_impersonation.enter(r);
        ck_assert_msg((flow == FLOW_NEXT) == (rows[i].user != NULL), "row %zu: %.*s", i,
                      TEXT_ARG(r->response.bytes));
        if (rows[i].user) {
            ck_assert_str_eq(user_text(&r->user), rows[i].user);
            ck_assert(i == 0 ? !r->requestor.name.n : text_is(r->requestor.name, me));
        } else {
            ck_assert_msg(text_find_text(r->response.bytes, text_of(rows[i].message)) >= 0, "row %zu: %.*s",
                          i, TEXT_ARG(r->response.bytes));
        }
        authorizer_free(r->wiring->authz);
    }
    buffer_deinit(&asked);
    arena_free(a);
}
END_TEST

START_TEST(a_service_account_may_be_its_own_node)
{
    struct user_extra extra = {.key = TEXT("authentication.kubernetes.io/node-name"), .n_values = 1};
    struct text node = TEXT("n1");

    a = arena_new();
    granted = ON("associated-node") "impersonate:associated-node nodes.authentication.k8s.io *";
    for (int i = 0; i < 2; i++) {
        struct request *r =
            request_as("system:serviceaccount:ns:agent",
                       i ? "Impersonate-User: system:node:n2" : "Impersonate-User: system:node:n1");
        extra.values = &node;
        r->user.extra = &extra;
        r->user.n_extra = 1;
        ck_assert_int_eq(filter_impersonation.enter(r), i ? FLOW_DONE : FLOW_NEXT);
        if (i == 0)
            ck_assert_str_eq(user_text(&r->user), "system:node:n1 uid= system:nodes system:authenticated");
        authorizer_free(r->wiring->authz);
    }
    buffer_deinit(&asked);
    arena_free(a);
}
END_TEST

START_TEST(the_way_that_worked_is_tried_first)
{
    a = arena_new();
    granted = "impersonate users jane";
    for (int i = 0; i < 2; i++) {
        struct request *r = request_as("steady", "Impersonate-User: jane");
        ck_assert_int_eq(filter_impersonation.enter(r), FLOW_NEXT);
        ck_assert_str_eq(buffer_str(&asked),
                         i ? "impersonate users jane\n" : ON("user-info") "impersonate users jane\n");
        authorizer_free(r->wiring->authz);
    }
    buffer_deinit(&asked);
    arena_free(a);
}
END_TEST

START_TEST(many_values_are_first_asked_for_at_once)
{
    a = arena_new();
    granted = ON("user-info") "impersonate:user-info users.authentication.k8s.io jane\n"
                              "impersonate:user-info groups.authentication.k8s.io *";
    struct request *r =
        request_as("many", "Impersonate-User: jane\nImpersonate-Group: a\nImpersonate-Group: b\n"
                           "Impersonate-Group: c\nImpersonate-Group: d");
    ck_assert_int_eq(filter_impersonation.enter(r), FLOW_NEXT);
    ck_assert_str_eq(user_text(&r->user), "jane uid= a b c d system:authenticated");
    authorizer_free(r->wiring->authz);
    buffer_deinit(&asked);
    arena_free(a);
}
END_TEST

UNIT_MAIN("impersonate", each_part_takes_its_permission, a_service_account_may_be_its_own_node,
          the_way_that_worked_is_tried_first, many_values_are_first_asked_for_at_once)
