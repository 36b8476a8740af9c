/* SPDX-License-Identifier: Apache-2.0 */
/* POST .../serviceaccounts/NAME/token: a token for a service account, bound to a time and, when asked, to a pod, a secret or a
 * node. Nothing is stored. Source: kubernetes pkg/registry/core/serviceaccount/storage/token.go,
 * pkg/apis/authentication/validation. */
#include "authn.h"
#include "endpoints/write.h"

#define LEAST_EXPIRATION_S 600
#define MOST_EXPIRATION_S (1LL << 32)

static const struct text group_name = TEXT("authentication.k8s.io"), kind_name = TEXT("TokenRequest");

static const struct schema_kind *token_request_kind(void)
{
    return schema_kind_of(TEXT("authentication.k8s.io/v1"), kind_name);
}

/* The tree of a stored object; its strings live as long as the arena. */
static int load(struct call *c, struct arena *a, const char *resource, struct text namespace, struct text name,
                struct value *ret, struct status *st)
{
    const struct resource *res = registry_find(c->e->opt.registry, TEXT(""), TEXT("v1"), text_of(resource));
    struct object *o;

    if (!res)
        return status_not_found(st, TEXT(""), text_of(resource), name);
    if (registry_get(res, namespace, name, &o, st) < 0)
        return -1;
    arena_defer(a, (void (*)(void *))object_unref, o);
    return object_tree(a, o, ret, st);
}

static int check_name(struct arena *a, struct text given, struct text wanted, const char *field, const char *what,
                      struct text name, struct status *st)
{
    struct field_errors errs = {.arena = a};
    struct value bad = value_string(given);

    if (!given.n || text_eq(given, wanted))
        return 0;
    field_error(&errs, FIELD_INVALID, field, &bad, "must match the service account %s if specified", what);
    return status_invalid(st, group_name, kind_name, name, &errs);
}

/* What was asked against the account, and what was left out filled in from it. */
static int complete(struct request *r, struct call *c, const struct service_accounts *sa, const struct value *account,
                    struct value *order, struct status *st)
{
    struct arena *a = r->arena;
    struct value *metadata = value_object_at(a, order, TEXT("metadata")), *spec = value_object_at(a, order, TEXT("spec"));
    struct text uid = value_get_text(metadata, TEXT("uid"));
    struct text own_uid = value_get_text(value_get(account, TEXT("metadata")), TEXT("uid"));
    char *now = arena_alloc(a, CLOCK_TEXT_MAX);

    if (uid.n && !text_eq(uid, own_uid))
        return status_conflict(st, group_name, kind_name, c->name,
                               arena_printf(a, "the UID in the token request (%.*s) does not match the UID of the service "
                                               "account (%.*s)", TEXT_ARG(uid), TEXT_ARG(own_uid)));
    if (value_is_empty(value_get(spec, TEXT("audiences")))) {
        const struct text_list *audiences = service_accounts_audiences(sa);
        struct value list = value_list();
        for (size_t i = 0; i < audiences->n; i++)
            value_append(a, &list, value_string(audiences->p[i]));
        value_set(a, spec, TEXT("audiences"), list);
    }
    value_set(a, metadata, TEXT("name"), value_string(c->name));
    value_set(a, metadata, TEXT("namespace"), value_string(c->namespace));
    value_set(a, metadata, TEXT("uid"), value_string(own_uid));
    value_set(a, metadata, TEXT("creationTimestamp"), value_string(clock_rfc3339(clock_now_ns(), now)));
    value_remove(order, TEXT("status"));
    return 0;
}

static int check_expiration(struct arena *a, const struct value *spec, struct status *st)
{
    struct field_errors errs = {.arena = a};
    const struct value *seconds = value_get(spec, TEXT("expirationSeconds")); /* has a default */

    if (seconds->integer < LEAST_EXPIRATION_S)
        field_error(&errs, FIELD_INVALID, "spec.expirationSeconds", seconds,
                    "may not specify a duration less than 10 minutes");
    if (seconds->integer > MOST_EXPIRATION_S)
        field_error(&errs, FIELD_INVALID, "spec.expirationSeconds", seconds,
                    "may not specify a duration larger than 2^32 seconds");
    return errs.n ? status_invalid(st, group_name, kind_name, TEXT(""), &errs) : 0;
}

/* --- what the token is bound to --- */

struct bindings {
    struct value pod, secret, node;
    const struct value *bound; /* one of them, or NULL */
};

/* A pod's token says on which node it runs; where the node is not there, only its name is known. */
static int load_node_of(struct call *c, struct arena *a, struct bindings *b, struct token_order *order, struct status *st)
{
    order->node_name = value_text(value_at(&b->pod, "spec", "nodeName", NULL));
    if (!order->node_name.n)
        return 0;
    if (load(c, a, "nodes", TEXT_NONE, order->node_name, &b->node, st) < 0) {
        if (st->reason != STATUS_NOT_FOUND)
            return -1;
        status_clear(st);
        return 0;
    }
    order->node = &b->node;
    return 0;
}

static int bind_to_pod(struct call *c, struct arena *a, struct text name, struct bindings *b, struct token_order *order,
                       struct status *st)
{
    struct buffer quoted = BUFFER_IN(a);

    if (load(c, a, "pods", c->namespace, name, &b->pod, st) < 0)
        return -1;
    buffer_add_quoted(&quoted, c->name);
    if (!text_eq(value_text(value_at(&b->pod, "spec", "serviceAccountName", NULL)), c->name))
        return status_set(st, STATUS_BAD_REQUEST,
                          "cannot bind token for serviceaccount %s to pod running with different serviceaccount name.",
                          buffer_str(&quoted));
    order->pod = b->bound = &b->pod;
    return load_node_of(c, a, b, order, st);
}

static int bind_token(struct call *c, struct arena *a, const struct value *ref, struct bindings *b, struct token_order *order,
                      struct status *st)
{
    struct text group, version, kind = value_get_text(ref, TEXT("kind")), name = value_get_text(ref, TEXT("name"));
    struct text uid = value_get_text(ref, TEXT("uid"));

    if (!ref || ref->kind != VALUE_OBJECT)
        return 0;
    group_version_parse(value_get_text(ref, TEXT("apiVersion")), &group, &version);
    if (!group.n && text_is(kind, "Pod")) {
        if (bind_to_pod(c, a, name, b, order, st) < 0)
            return -1;
    } else if (!group.n && text_is(kind, "Node")) {
        if (load(c, a, "nodes", TEXT_NONE, name, &b->node, st) < 0)
            return -1;
        order->node = b->bound = &b->node;
    } else if (!group.n && text_is(kind, "Secret")) {
        if (load(c, a, "secrets", c->namespace, name, &b->secret, st) < 0)
            return -1;
        order->secret = b->bound = &b->secret;
    } else {
        return status_set(st, STATUS_BAD_REQUEST, "cannot bind token to object of type %.*s/%.*s, Kind=%.*s", TEXT_ARG(group),
                          TEXT_ARG(version), TEXT_ARG(kind));
    }
    if (uid.n && !text_eq(uid, value_text(value_at(b->bound, "metadata", "uid", NULL))))
        return status_conflict(st, group, kind, name,
                               arena_printf(a, "the UID in the bound object reference (%.*s) does not match the UID in record. "
                                               "The object might have been deleted and then recreated", TEXT_ARG(uid)));
    return 0;
}

/* --- the answer --- */

static int issue(struct request *r, struct service_accounts *sa, struct token_order *order, struct value *request,
                 struct status *st)
{
    struct arena *a = r->arena;
    struct value *spec = value_get(request, TEXT("spec")), *audiences = value_get(spec, TEXT("audiences")), answer;
    int64_t most_s = service_accounts_max_expiration_s(sa), asked_s = value_get_int(spec, TEXT("expirationSeconds"), 0);
    char *expires = arena_alloc(a, CLOCK_TEXT_MAX);
    struct text token;

    if (most_s > 0 && asked_s > most_s) {
        request_warn(r, "requested expiration of %lld seconds shortened to %lld seconds", (long long)asked_s,
                     (long long)most_s);
        asked_s = most_s;
        value_set(a, spec, TEXT("expirationSeconds"), value_int(asked_s));
    }
    for (size_t i = 0; i < audiences->n; i++)
        text_list_add(a, &order->audiences, value_text(&audiences->items[i]));
    order->expiration_s = asked_s;
    struct text until = clock_rfc3339(clock_now_ns() + asked_s * 1000000000, expires);
    if (service_accounts_issue(sa, a, order, &token, st) < 0)
        return -1;
    answer = value_object();
    value_add(a, &answer, TEXT("token"), value_string(token));
    value_add(a, &answer, TEXT("expirationTimestamp"), value_string(until));
    value_set(a, request, TEXT("status"), answer);
    return 0;
}

enum flow call_token_create(struct request *r, struct call *c)
{
    struct service_accounts *sa = authenticator_service_accounts(r->wiring->authn);
    struct status st = {0};
    struct value account, request;
    struct bindings bindings = {0};
    struct token_order order = {.account = &account};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_CREATE, "CreateOptions", &flow);

    if (!w)
        return flow;
    if (!service_accounts_can_issue(sa))
        return fail_no_resource(r);
    if (body_read_object(r, token_request_kind(), &w->options, &request, &st) < 0)
        return request_fail(r, &st);
    schema_default(r->arena, token_request_kind()->schema, &request);
    write_manage_question(w, token_request_kind(), &request);
    const struct value *metadata = value_get(&request, TEXT("metadata"));
    if (write_ask_admission(w, ADMISSION_CREATE, token_request_kind(), &request, NULL, &st) < 0 ||
        check_name(r->arena, value_get_text(metadata, TEXT("name")), c->name, "metadata.name", "name", c->name, &st) < 0 ||
        check_name(r->arena, value_get_text(metadata, TEXT("namespace")), c->namespace, "metadata.namespace", "namespace",
                   c->name, &st) < 0 ||
        load(c, r->arena, "serviceaccounts", c->namespace, c->name, &account, &st) < 0 ||
        complete(r, c, sa, &account, &request, &st) < 0 ||
        check_expiration(r->arena, value_get(&request, TEXT("spec")), &st) < 0 ||
        bind_token(c, r->arena, value_at(&request, "spec", "boundObjectRef", NULL), &bindings, &order, &st) < 0 ||
        issue(r, sa, &order, &request, &st) < 0)
        return request_fail(r, &st);
    schema_arrange(r->arena, token_request_kind()->schema, &request);
    return respond_tree(r, 201, token_request_kind(), &request);
}
