/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: where a request has them, the union and its cache, the token file. */
#include "fixture.h"

static const char tokens[] = "# token,user,uid,groups\n"
                             "plain,ann,1\n"
                             "\n"
                             "  grouped , bob , 2 , \"dev,ops\"  \r\n"
                             "\"quo,ted\",\"say \"\"hi\"\"\",\"3\",\" a , ,b \"\n"
                             "onegroup,cid,4,admins\n"
                             "twice,first,5\n"
                             "twice,last,6\n"
                             ",nobody,7\n"
                             "nouid,dora,";

static const struct {
    const char *authorization;
    enum authn_decision decision;
    const char *name, *uid, *groups; /* groups joined by spaces */
} header_rows[] = {
    {"Bearer plain", AUTHN_KNOWN, "ann", "1", "system:authenticated "},
    {"bearer plain", AUTHN_KNOWN, "ann", "1", "system:authenticated "},
    {" Bearer plain and more", AUTHN_KNOWN, "ann", "1", "system:authenticated "},
    {"Bearer grouped", AUTHN_KNOWN, "bob", "2", "dev ops system:authenticated "},
    {"Bearer quo,ted", AUTHN_KNOWN, "say \"hi\"", "3", "a b system:authenticated "},
    {"Bearer onegroup", AUTHN_KNOWN, "cid", "4", "admins system:authenticated "},
    {"Bearer twice", AUTHN_KNOWN, "last", "6", "system:authenticated "},
    {"Bearer nouid", AUTHN_KNOWN, "dora", "", "system:authenticated "},
    {"Bearer Plain", AUTHN_REFUSED, NULL, NULL, NULL},
    {"Bearer plai", AUTHN_REFUSED, NULL, NULL, NULL},
    {"Bearer plain2", AUTHN_REFUSED, NULL, NULL, NULL},
    {"Bearer # token", AUTHN_REFUSED, NULL, NULL, NULL},
    {"Bearer  plain", AUTHN_NO_OPINION, NULL, NULL, NULL}, /* with a warning, as upstream */
    {"Bearer", AUTHN_NO_OPINION, NULL, NULL, NULL},
    {"Bearer ", AUTHN_NO_OPINION, NULL, NULL, NULL},
    {"Basic plain", AUTHN_NO_OPINION, NULL, NULL, NULL},
    {"", AUTHN_NO_OPINION, NULL, NULL, NULL},
    {NULL, AUTHN_NO_OPINION, NULL, NULL, NULL},
};

static const char *join(struct arena *a, const struct text *texts, size_t n)
{
    struct buffer b = BUFFER_IN(a);
    for (size_t i = 0; i < n; i++)
        buffer_addf(&b, "%.*s ", TEXT_ARG(texts[i]));
    return buffer_str(&b);
}

static struct tokens *tokens_of_file(const char *content)
{
    struct arena *a = arena_new();
    struct text_list audiences = {0};
    struct token_method *m = NULL;
    struct status st = {0};
    int rc = authn_token_file_new(write_file(text_of(content)), &m, &st);
    drop_file();
    ck_assert_msg(rc == 0, "%s", st.message);
    text_list_add(a, &audiences, TEXT("api"));
    struct tokens *t = tokens_new(&m, 1, &audiences);
    arena_free(a);
    return t;
}

START_TEST(tokens_of_a_file_name_their_users)
{
    struct arena *a = arena_new();
    struct tokens *t = tokens_of_file(tokens);
    struct authn_method *m = authn_bearer_new(t);
    for (size_t i = 0; i < N_ELEMENTS(header_rows); i++) {
        for (unsigned again = 0; again < 2; again++) { /* the second time from the cache */
            struct user_info u = {0};
            struct request *r = request_of(a, "/api", header_rows[i].authorization);
            ck_assert_msg(m->authenticate(m, r, &u) == header_rows[i].decision, "row %zu", i);
            if (header_rows[i].decision != AUTHN_KNOWN) {
                ck_assert_int_eq(u.name.n, 0);
                continue;
            }
            ck_assert_str_eq(arena_str(a, u.name), header_rows[i].name);
            ck_assert_str_eq(arena_str(a, u.uid), header_rows[i].uid);
            ck_assert_str_eq(join(a, u.groups, u.n_groups), header_rows[i].groups);
        }
    }
    m->free(m);
    tokens_free(t);
    arena_free(a);
}
END_TEST

/* --- the subprotocols of a WebSocket --- */

/* "plain" is cGxhaW4 there. */
#define BEARER "base64url.bearer.authorization.k8s.io."
static const struct {
    const char *upgrade, *protocols;
    enum authn_decision decision;
} protocol_rows[] = {
    {"websocket", BEARER "cGxhaW4, v5.channel.k8s.io", AUTHN_KNOWN},
    {"WebSocket", "v5.channel.k8s.io," BEARER "cGxhaW4", AUTHN_KNOWN},
    {"websocket", BEARER "cGxhaW4", AUTHN_REFUSED}, /* nothing is left to answer with */
    {"websocket", BEARER "cGxhaW4," BEARER "cGxhaW4,x", AUTHN_REFUSED},
    {"websocket", BEARER "cGxhaW4=,x", AUTHN_REFUSED},
    {"websocket", BEARER "_w,x", AUTHN_REFUSED},
    {"websocket", BEARER "bm90aGluZw,x", AUTHN_REFUSED},
    {"websocket", "x", AUTHN_NO_OPINION},
    {"websocket", BEARER ",x", AUTHN_NO_OPINION},
    {"h2c", BEARER "cGxhaW4,x", AUTHN_NO_OPINION},
};

START_TEST(websockets_bring_tokens_as_protocols)
{
    struct arena *a = arena_new();
    struct tokens *t = tokens_of_file(tokens);
    struct authn_method *m = authn_bearer_new(t);
    for (size_t i = 0; i < N_ELEMENTS(protocol_rows); i++) {
        struct user_info u = {0};
        struct request *r = request_of(a, "/api", NULL);
        const struct header headers[] = {{TEXT("Upgrade"), text_of(protocol_rows[i].upgrade)},
                                         {TEXT("Sec-WebSocket-Protocol"), text_of(protocol_rows[i].protocols)}};
        r->headers = headers;
        r->n_headers = 2;
        ck_assert_msg(m->authenticate(m, r, &u) == protocol_rows[i].decision, "row %zu", i);
    }
    m->free(m);
    tokens_free(t);
    arena_free(a);
}
END_TEST

/* --- the union and its cache --- */

struct probe {
    struct token_method method;
    enum authn_decision decision;
    unsigned asked, freed;
};

static enum authn_decision probe_authenticate(struct token_method *m, struct token_question *q)
{
    struct probe *p = CONTAINER_OF(m, struct probe, method);
    p->asked++;
    q->user = (struct user_info){.name = TEXT("someone")};
    return p->decision;
}

static void probe_free(struct token_method *m)
{
    CONTAINER_OF(m, struct probe, method)->freed++;
}

static struct probe probe(enum authn_decision d)
{
    return (struct probe){.method = {.is_audience_agnostic = true, .authenticate = probe_authenticate, .free = probe_free},
                          .decision = d};
}

static enum authn_decision ask(struct tokens *t, struct arena *a, const char *token, const struct text_list *audiences,
                               struct token_question *q)
{
    *q = (struct token_question){.arena = a, .token = text_of(token), .audiences = audiences};
    return tokens_ask(t, q);
}

START_TEST(the_known_are_remembered_for_ten_seconds_and_nobody_else)
{
    struct arena *a = arena_new();
    struct text_list own = {0}, other = {0}, both = {0};
    struct probe p[] = {probe(AUTHN_REFUSED), probe(AUTHN_KNOWN)};
    struct token_method *methods[] = {&p[0].method, &p[1].method};
    struct token_question q;

    text_list_add(a, &own, TEXT("api"));
    text_list_add(a, &other, TEXT("other"));
    text_list_add(a, &both, TEXT("other"));
    text_list_add(a, &both, TEXT("api"));
    clock_fake(1000000000);
    struct tokens *t = tokens_new(methods, 2, &own);
    ck_assert_int_eq(ask(t, a, "x", NULL, &q), AUTHN_KNOWN);
    ck_assert_str_eq(join(a, q.ret_audiences.p, q.ret_audiences.n), "api ");
    ck_assert_int_eq(ask(t, a, "x", NULL, &q), AUTHN_KNOWN);
    ck_assert_int_eq(p[0].asked, 1);
    ck_assert_str_eq(join(a, q.ret_audiences.p, q.ret_audiences.n), "api ");
    ck_assert(user_in_group(&q.user, TEXT("system:authenticated")));
    /* another audience is another question, which methods of the API server's own audience are not asked */
    ck_assert_int_eq(ask(t, a, "x", &other, &q), AUTHN_NO_OPINION);
    ck_assert_int_eq(p[1].asked, 1);
    ck_assert_int_eq(ask(t, a, "x", &both, &q), AUTHN_KNOWN);
    ck_assert_str_eq(join(a, q.ret_audiences.p, q.ret_audiences.n), "api ");
    ck_assert_int_eq(p[1].asked, 2);
    clock_fake_advance_ms(10001);
    p[1].decision = AUTHN_NO_OPINION;
    ck_assert_int_eq(ask(t, a, "x", NULL, &q), AUTHN_REFUSED);
    ck_assert_int_eq(ask(t, a, "x", NULL, &q), AUTHN_REFUSED);
    ck_assert_int_eq(p[1].asked, 4);
    p[0].decision = AUTHN_WOULD_BLOCK;
    ck_assert_int_eq(ask(t, a, "x", NULL, &q), AUTHN_WOULD_BLOCK);
    tokens_free(t);
    ck_assert_int_eq(p[0].freed + p[1].freed, 2);
    clock_real();
    arena_free(a);
}
END_TEST

START_TEST(the_cache_is_bounded)
{
    struct arena *a = arena_new();
    struct text_list own = {0};
    struct probe p = probe(AUTHN_KNOWN);
    struct token_method *method = &p.method;
    struct token_question q;
    char token[16];

    struct tokens *t = tokens_new(&method, 1, &own);
    for (int i = 0; i < 40000; i++) {
        snprintf(token, sizeof(token), "t%d", i);
        ck_assert_int_eq(ask(t, a, token, NULL, &q), AUTHN_KNOWN);
        arena_reset(a);
    }
    unsigned asked = p.asked;
    ck_assert_int_eq(ask(t, a, "t39999", NULL, &q), AUTHN_KNOWN);
    ck_assert_int_eq(p.asked, asked);
    ck_assert_int_eq(ask(t, a, "t0", NULL, &q), AUTHN_KNOWN); /* long forgotten */
    ck_assert_int_eq(p.asked, asked + 1);
    tokens_free(t);
    arena_free(a);
}
END_TEST

/* --- files that are no good --- */

START_TEST(a_short_line_is_named)
{
    struct token_method *m = NULL;
    struct status st = {0};
    int rc = authn_token_file_new(write_file(TEXT("t,u,1\n# note\nt2,u2\n")), &m, &st);
    drop_file();
    ck_assert_int_eq(rc, -1);
    ck_assert_ptr_null(m);
    ck_assert_ptr_nonnull(strstr(st.message, "at least 3 columns"));
    ck_assert_ptr_nonnull(strstr(st.message, "found 2 in line 3"));
    ck_assert_int_eq(authn_token_file_new(fixture_path, &m, &st), -1);
    ck_assert_ptr_nonnull(strstr(st.message, "no such file or directory"));
    status_clear(&st);
}
END_TEST

UNIT_MAIN("tokens", tokens_of_a_file_name_their_users, websockets_bring_tokens_as_protocols,
          the_known_are_remembered_for_ten_seconds_and_nobody_else, the_cache_is_bounded, a_short_line_is_named)
