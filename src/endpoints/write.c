/* SPDX-License-Identifier: Apache-2.0 */
/* POST and PUT, and what all writes share: decode in the version of the path, default, check against the
 * path, convert to the version that is stored, hand to the registry, answer when it is done. The registry
 * calls back on the committer's thread; an answer that is a plain copy is written there, all else goes to a
 * worker. Source: kubernetes/apiserver pkg/endpoints/handlers/create.go, update.go. */
#include "endpoints/write.h"

#include "authz.h"

#define LARGE_BODY 65536 /* is read on a worker: an event loop has others to serve */

/* --- what all writes share --- */

/* Of what the request does as a whole: an update that turns out to create is admitted without waiting. */
static struct admission_attributes attributes_of(struct request *r, struct call *c, enum admission_verb verb)
{
    return (struct admission_attributes){
        .arena = r->arena,
        .verb = verb,
        .registry = c->e->opt.registry,
        .resource = c->resource,
        .sub = c->sub,
        .kind = (c->resource->storage ? c->resource->storage : c->resource->type)->kind,
        .namespace = c->namespace,
        .name = c->name,
        .user = &r->user,
        .may_block = request_may_block(r),
    };
}

bool write_may_wait(struct request *r, struct call *c, enum admission_verb verb)
{
    const struct admission_hooks *hooks = c->e->opt.admission;
    const struct admission_attributes a = attributes_of(r, c, verb);

    return hooks && hooks->may_wait(hooks->ctx, &a);
}

int write_ask_admission(struct write_call *w, enum admission_verb verb, const struct schema_kind *kind, struct value *object,
                        const struct value *old, struct status *st)
{
    struct admission_attributes a = attributes_of(w->request, w->call, verb);
    struct text_list warnings = {0};
    int result;

    a.may_block = w->op.may_block;
    a.kind = kind;
    a.object = object;
    a.old = old;
    a.is_dry_run = w->options.is_dry_run;
    a.warnings = &warnings;
    if (!a.name.n)
        a.name = value_get_text(value_get(object, TEXT("metadata")), TEXT("name"));
    result = admission_ask(w->call->e->opt.admission, &a, st);
    for (size_t i = 0; i < warnings.n; i++)
        request_warn(w->request, "%.*s", TEXT_ARG(warnings.p[i]));
    return result;
}

static bool check_before_body(struct request *r, struct call *c, enum operation_kind kind, const char *options_kind,
                              struct write_options *opt, enum flow *ret_flow)
{
    struct status st = {0};

    /* Who may what may be a question to others. */
    bool may_ask = c->resource->guard.check || (r->wiring->authz && authorizer_may_block(r->wiring->authz)) ||
                   write_may_wait(r, c, kind == OPERATION_CREATE ? ADMISSION_CREATE : ADMISSION_UPDATE);
    if ((r->body.n > LARGE_BODY || may_ask) && !request_may_block(r)) {
        *ret_flow = FLOW_BLOCK;
        return false;
    }
    if (representation_choose(r, c->resource, c->sub, false, &c->rep, &st) < 0 || body_check_size(r, &st) < 0 ||
        write_options_read(r, options_kind, true, opt, &st) < 0) {
        *ret_flow = request_fail(r, &st);
        return false;
    }
    return true;
}

static void clear_operation(void *op)
{
    operation_clear(op);
}

static enum flow respond_written(struct request *r, struct call *c)
{
    struct write_call *w = c->state;

    if (w->respond)
        return w->respond(r, c, w);
    return respond_object(r, c, w->op.kind == OPERATION_CREATE || w->op.was_created ? 201 : 200,
                          object_ref(w->op.result));
}

static void write_done(struct operation *op)
{
    struct write_call *w = op->ctx;
    struct request *r = w->request;

    for (size_t i = 0; i < op->warnings.n; i++)
        request_warn(r, "%.*s", TEXT_ARG(op->warnings.p[i]));
    if (op->st.reason != STATUS_OK) {
        request_resume(r, request_fail(r, &op->st));
    } else if (!w->respond && response_is_cheap(w->call, op->result)) {
        request_resume(r, respond_written(r, w->call));
    } else {
        w->call->step = respond_written;
        request_resume(r, FLOW_BLOCK);
    }
}

struct write_call *write_begin(struct request *r, struct call *c, enum operation_kind kind)
{
    struct write_call *w = ARENA_NEW(r->arena, struct write_call);

    w->request = r;
    w->call = c;
    w->op = (struct operation){
        .kind = kind,
        .registry = c->e->opt.registry,
        .resource = c->resource,
        .sub = c->sub,
        .arena = r->arena,
        .namespace = c->namespace,
        .name = c->name,
        .user = &r->user,
        .may_block = request_may_block(r),
        .del = {.grace_seconds = -1, .orphan_dependents = -1},
        .done = write_done,
        .ctx = w,
        .admission = c->e->opt.admission,
    };
    c->state = w;
    arena_defer(r->arena, clear_operation, &w->op);
    return w;
}

struct write_call *write_start(struct request *r, struct call *c, enum operation_kind kind,
                               const char *options_kind, enum flow *ret_flow)
{
    struct write_options options;
    struct write_call *w;

    if (!check_before_body(r, c, kind, options_kind, &options, ret_flow))
        return NULL;
    w = write_begin(r, c, kind);
    w->options = options;
    return w;
}

/* The manager that the client names, or its program. */
static struct text manager_of(const struct write_call *w)
{
    struct request *r = w->request;

    return w->options.field_manager.n ? w->options.field_manager
                                      : managed_name_of_agent(r->arena, request_header(r, "User-Agent"));
}

enum flow write_submit(struct write_call *w)
{
    w->op.is_dry_run = w->options.is_dry_run;
    if (!w->is_unmanaged)
        w->op.field_manager = manager_of(w);
    registry_submit(&w->op);
    return FLOW_PARK;
}

void write_manage_question(struct write_call *w, const struct schema_kind *kind, struct value *question)
{
    const struct managing m = {.arena = w->request->arena,
                               .kind = kind,
                               .storage = kind,
                               .subresource = w->op.sub ? w->op.sub->name : TEXT_NONE,
                               .manager = manager_of(w)};

    schema_arrange(m.arena, kind->schema, question); /* defaults may have joined */
    managed_update(&m, NULL, question);
}

/* --- the object against the path --- */

int check_namespace(struct arena *a, struct call *c, struct value *object, struct status *st)
{
    struct value *metadata = value_object_at(a, object, TEXT("metadata"));
    struct text given = value_get_text(metadata, TEXT("namespace"));

    if (text_eq(given, c->namespace))
        return 0;
    if (!c->namespace.n)
        value_remove(metadata, TEXT("namespace"));
    else if (given.n)
        return status_set(
            st, STATUS_BAD_REQUEST,
            "the namespace of the provided object does not match the namespace sent on the request");
    else
        value_set(a, metadata, TEXT("namespace"), value_string(c->namespace));
    return 0;
}

static bool has_equal(const struct value *list, size_t n, const struct value *v)
{
    for (size_t i = 0; i < n; i++)
        if (value_equal(&list->items[i], v))
            return true;
    return false;
}

#define OWNERS_COMPARED_MAX 1000

void drop_repeated_owners(struct request *r, struct value *object, bool is_late)
{
    struct value *owners = value_at(object, "metadata", "ownerReferences", NULL);
    struct buffer repeated = BUFFER_IN(r->arena);

    for (size_t i = 1; owners && owners->kind == VALUE_LIST && i < owners->n && i < OWNERS_COMPARED_MAX;) {
        if (!has_equal(owners, i, &owners->items[i])) {
            i++;
            continue;
        }
        buffer_addf(&repeated, "%s%.*s", repeated.n ? ", " : "", TEXT_ARG(value_get_text(&owners->items[i], TEXT("uid"))));
        value_remove_at(owners, i);
    }
    if (repeated.n)
        request_warn(r,
                     ".metadata.ownerReferences contains duplicate entries%s; API server dedups owner references in 1.20+, and "
                     "may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: %s",
                     is_late ? " after mutating admission happens" : "", buffer_str(&repeated));
}

int write_as_stored(struct arena *a, const struct resource *res, const struct value *object, struct value *ret,
                    struct status *st)
{
    const struct schema_kind *kind = res->type->kind, *stored = res->storage->kind;

    *ret = *object;
    if (kind == stored)
        return 0;
    if (schema_convert(a, kind, stored, object, ret, st) < 0)
        return -1;
    schema_default(a, stored->schema, ret);
    return 0;
}

/* The body as a defaulted object of the storage version that fits the path. */
static int read_object(struct request *r, struct call *c, const struct write_options *opt, bool is_update,
                       struct value *ret, struct status *st)
{
    const struct schema_kind *kind = c->resource->type->kind;
    struct value object;

    if (body_read_object(r, kind, opt, &object, st) < 0)
        return -1;
    schema_default(r->arena, kind->schema, &object);
    if (is_update ? registry_check_identity(r->arena, c->resource, c->namespace, c->name, &object, st) < 0
                  : check_namespace(r->arena, c, &object, st) < 0)
        return -1;
    drop_repeated_owners(r, &object, false);
    schema_arrange(r->arena, kind->schema, &object);
    return write_as_stored(r->arena, c->resource, &object, ret, st);
}

/* --- POST --- */

enum flow call_create(struct request *r, struct call *c)
{
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_CREATE, "CreateOptions", &flow);

    if (!w)
        return flow;
    if (read_object(r, c, &w->options, false, &w->op.object, &st) < 0)
        return request_fail(r, &st);
    return write_submit(w);
}

/* --- PUT --- */

int write_may_create(struct write_call *w, struct status *st)
{
    struct request *r = w->request;
    struct request_info info = r->info;
    struct authz_attributes attrs = {.user = &r->user, .info = &info, .path = r->path, .may_block = w->op.may_block};
    struct authz_answer answer;

    info.verb = TEXT("create");
    if (!r->wiring->authz || authorizer_ask(r->wiring->authz, r->arena, &attrs, &answer) == AUTHZ_ALLOW)
        return 0;
    if (answer.error.n)
        return status_internal_error(st, "%.*s", TEXT_ARG(answer.error));
    return authz_forbid(r->arena, &attrs, answer.reason, st);
}

/* The registry changes what it gets, and may come again. */
static int give_copy(struct operation *op, const struct object *current, const struct value *current_tree,
                     struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;

    if (!current && write_may_create(w, st) < 0)
        return -1;
    *ret_new = value_copy(op->arena, &w->object);
    return 0;
}

enum flow call_update(struct request *r, struct call *c)
{
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_UPDATE, "UpdateOptions", &flow);

    if (!w)
        return flow;
    w->op.transform = give_copy;
    if (read_object(r, c, &w->options, true, &w->object, &st) < 0)
        return request_fail(r, &st);
    w->op.expected_uid = value_get_text(value_get(&w->object, TEXT("metadata")), TEXT("uid"));
    return write_submit(w);
}
