/* SPDX-License-Identifier: Apache-2.0 */
/* POST .../tokenreviews: whose token is this, and for which audiences. Asks the same methods as a request's own token.
 * Source: kubernetes pkg/registry/authentication/tokenreview/storage.go. */
#include "authn.h"
#include "endpoints/write.h"

static struct text_list texts_of(struct arena *a, const struct value *list)
{
    struct text_list texts = {0};

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++)
        text_list_add(a, &texts, value_text(&list->items[i]));
    return texts;
}

struct value user_as_value(struct arena *a, const struct user_info *u)
{
    struct value user = value_object(), extra = value_object();

    value_add(a, &user, TEXT("username"), value_string(u->name));
    value_add(a, &user, TEXT("uid"), value_string(u->uid));
    value_add(a, &user, TEXT("groups"), value_texts(a, u->groups, u->n_groups));
    for (size_t i = 0; i < u->n_extra; i++)
        value_set(a, &extra, u->extra[i].key, value_texts(a, u->extra[i].values, u->extra[i].n_values));
    value_add(a, &user, TEXT("extra"), extra);
    return user;
}

static void answer(struct arena *a, const struct token_question *q, enum authn_decision d, struct value *status)
{
    *status = value_object();
    if (d != AUTHN_KNOWN) {
        value_add(a, status, TEXT("error"), value_string(text_of(q->error ? q->error : "invalid bearer token")));
        return;
    }
    value_add(a, status, TEXT("authenticated"), value_bool(true));
    value_add(a, status, TEXT("user"), user_as_value(a, &q->user));
    value_add(a, status, TEXT("audiences"), value_texts(a, q->ret_audiences.p, q->ret_audiences.n));
}

enum flow call_token_review_create(struct request *r, struct call *c)
{
    struct tokens *tokens = authenticator_tokens(r->wiring->authn);
    const struct schema_kind *kind = c->resource->type->kind;
    struct status st = {0};
    struct value review, status;
    struct token_question q = {.arena = r->arena, .may_block = request_may_block(r)};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_CREATE, "CreateOptions", &flow);

    if (!w)
        return flow;
    if (body_read_object(r, kind, &w->options, &review, &st) < 0)
        return request_fail(r, &st);
    write_manage_question(w, kind, &review);
    if (write_ask_admission(w, ADMISSION_CREATE, kind, &review, NULL, &st) < 0)
        return request_fail(r, &st);
    const struct value *spec = value_get(&review, TEXT("spec"));
    q.token = value_get_text(spec, TEXT("token"));
    if (!q.token.n) {
        status_set(&st, STATUS_BAD_REQUEST, "token is required for TokenReview in authentication");
        return request_fail(r, &st);
    }
    struct text_list audiences = texts_of(r->arena, value_get(spec, TEXT("audiences")));
    q.audiences = audiences.n ? &audiences : NULL;
    enum authn_decision d = tokens ? tokens_ask(tokens, &q) : AUTHN_NO_OPINION;
    if (d == AUTHN_WOULD_BLOCK)
        return FLOW_BLOCK;
    answer(r->arena, &q, d, &status);
    value_set(r->arena, &review, TEXT("status"), status);
    schema_arrange(r->arena, kind->schema, &review);
    return respond_tree(r, 201, kind, &review);
}
