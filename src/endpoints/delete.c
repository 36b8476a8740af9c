/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of one object and of a collection. Options come in the body or, when there is none, in the query.
 * A collection is listed, then its objects are deleted a few at a time, so that they share the store's
 * commits; what somebody else was quicker to delete does not count. Source: kubernetes/apiserver
 * pkg/endpoints/handlers/delete.go, pkg/registry/generic/registry/store.go. */
#include "authz.h"
#include "base/features.h"
#include "endpoints/list_body.h"
#include "endpoints/write.h"

/* --- options --- */

#define IGNORE_READ_ERROR "ignoreStoreReadErrorWithClusterBreakingPotential"

struct delete_call_options {
    struct delete_options del;
    bool is_dry_run;
    bool has_preconditions; /* even empty ones */
};

/* The body's DeleteOptions as a tree; the kind is the same in every group and version. */
static int read_body(struct request *r, struct value *ret, struct status *st)
{
    const struct schema_kind *kind = schema_kind_of(TEXT("v1"), TEXT("DeleteOptions"));
    enum media_type media = media_type_of(r->arena, request_header(r, "Content-Type"));

    if (media == MEDIA_PROTOBUF) {
        struct text api_version, name, message;
        if (protobuf_open(r->body, &api_version, &name, &message, st) < 0)
            return -1;
        return schema_protobuf_decode(r->arena, kind->schema, message, ret, st);
    }
    if (body_read_tree(r, ret, st) < 0)
        return -1;
    if (ret->kind == VALUE_NULL)
        *ret = value_object();
    if (ret->kind != VALUE_OBJECT)
        return status_set(st, STATUS_BAD_REQUEST,
                          "json: cannot unmarshal %s into Go value of type v1.DeleteOptions",
                          value_kind_name(ret->kind));
    struct text given = value_get_text(ret, TEXT("kind"));
    if (given.n && !text_is(given, "DeleteOptions"))
        return status_set(st, STATUS_BAD_REQUEST, "decoded object cannot be converted to DeleteOptions");
    return schema_decode(r->arena, kind->schema, ret, NULL, st);
}

static void options_of_tree(const struct value *tree, struct delete_call_options *ret,
                            struct value *ret_dry_run)
{
    const struct value *preconditions = value_get(tree, TEXT("preconditions"));
    const struct value *orphan = value_get(tree, TEXT("orphanDependents"));
    const struct value *dry_run = value_get(tree, TEXT("dryRun"));

    ret->del.grace_seconds =
        value_get(tree, TEXT("gracePeriodSeconds")) ? value_get_int(tree, TEXT("gracePeriodSeconds"), 0) : -1;
    if (value_get(tree, TEXT("gracePeriodSeconds")) && ret->del.grace_seconds < 0)
        ret->del.grace_seconds = 1; /* as the header says of what clients send */
    ret->has_preconditions = preconditions && preconditions->kind == VALUE_OBJECT;
    ret->del.uid = value_get_text(preconditions, TEXT("uid"));
    ret->del.resource_version = value_get_text(preconditions, TEXT("resourceVersion"));
    ret->del.propagation = value_get_text(tree, TEXT("propagationPolicy"));
    ret->del.orphan_dependents = orphan && orphan->kind == VALUE_BOOL ? orphan->boolean : -1;
    ret->del.ignores_read_error = value_get_bool(tree, TEXT(IGNORE_READ_ERROR), false);
    if (dry_run && dry_run->kind == VALUE_LIST)
        *ret_dry_run = *dry_run;
}

/* A bool of the query as upstream's conversion has it: what is there and is no false is true. */
static bool query_bool(const struct request *r, const char *name)
{
    struct text value = request_query(r, name);

    return request_has_query(r, name) && !text_is(value, "0") && !text_eq_nocase(value, TEXT("false"));
}

static int options_of_query(struct request *r, struct delete_call_options *ret, struct value *ret_dry_run,
                            struct status *st)
{
    struct text grace = request_query(r, "gracePeriodSeconds");
    int64_t seconds = 0;

    if (grace.n && !text_to_i64(grace, &seconds))
        return status_set(st, STATUS_BAD_REQUEST, "strconv.ParseInt: parsing \"%.*s\": invalid syntax",
                          TEXT_ARG(grace));
    if (grace.n)
        ret->del.grace_seconds = seconds < 0 ? 1 : seconds;
    ret->del.propagation = request_query(r, "propagationPolicy");
    if (request_query(r, "orphanDependents").n)
        ret->del.orphan_dependents = query_bool(r, "orphanDependents");
    ret->del.ignores_read_error = query_bool(r, IGNORE_READ_ERROR);
    for (size_t i = 0; i < r->n_query; i++)
        if (text_is(r->query[i].key, "dryRun"))
            value_append(r->arena, ret_dry_run, value_string(r->query[i].value));
    return 0;
}

static void check_dry_run(const struct value *given, struct field_errors *errs)
{
    static const char *const supported[] = {"All"};
    bool is_known = true;

    for (size_t i = 0; i < given->n; i++)
        is_known &= text_is(value_text(&given->items[i]), "All");
    if (!is_known)
        field_not_supported(errs, "dryRun", given, supported, N_ELEMENTS(supported));
}

/* Source: kubernetes/apimachinery pkg/apis/meta/v1/validation/validation.go, ValidateIgnoreStoreReadError. */
static void check_ignore_read_error(const struct delete_call_options *o, struct field_errors *errs)
{
    const struct {
        bool is_given;
        const char *name;
    } others[] = {{o->is_dry_run, "dryRun"},
                  {o->del.propagation.n > 0, "propagationPolicy"},
                  {o->del.orphan_dependents >= 0, "orphanDependents"},
                  {o->del.grace_seconds >= 0, "gracePeriodSeconds"},
                  {o->has_preconditions, "preconditions"}};
    struct value given = value_bool(true);

    for (size_t i = 0; o->del.ignores_read_error && i < N_ELEMENTS(others); i++)
        if (others[i].is_given)
            field_error(errs, FIELD_INVALID, IGNORE_READ_ERROR, &given, "cannot be set together with .%s",
                        others[i].name);
}

static int fail_options(const struct field_errors *errs, struct status *st)
{
    return status_invalid(st, TEXT("meta.k8s.io"), TEXT("DeleteOptions"), TEXT(""), errs);
}

static int read_delete_options(struct request *r, struct delete_call_options *ret, struct status *st)
{
    struct value dry_run = value_list(), tree;
    struct field_errors errs = {.arena = r->arena};

    *ret = (struct delete_call_options){.del = {.grace_seconds = -1, .orphan_dependents = -1}};
    if (body_check_size(r, st) < 0)
        return -1;
    if (r->body.n) {
        if (read_body(r, &tree, st) < 0)
            return -1;
        options_of_tree(&tree, ret, &dry_run);
    } else if (options_of_query(r, ret, &dry_run, st) < 0) {
        return -1;
    }
    ret->is_dry_run = dry_run.n > 0;
    if (!feature_is_on(FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION))
        ret->del.ignores_read_error = false;
    delete_options_check(&ret->del, &errs);
    check_dry_run(&dry_run, &errs);
    check_ignore_read_error(ret, &errs);
    return errs.n ? fail_options(&errs, st) : 0;
}

static void warn_of_options(struct request *r, const struct call *c, const struct delete_call_options *options)
{
    const char *warning = delete_options_warning(c->resource, &options->del);

    if (warning)
        request_warn(r, "%s", warning);
}

int delete_options_of(struct request *r, const struct value *tree, struct delete_options *ret, bool *ret_is_dry_run,
                      struct status *st)
{
    struct delete_call_options options = {0};
    struct field_errors errs = {.arena = r->arena};
    struct value dry_run = value_list();

    options_of_tree(tree, &options, &dry_run);
    delete_options_check(&options.del, &errs);
    check_dry_run(&dry_run, &errs);
    if (errs.n)
        return fail_options(&errs, st);
    *ret = options.del;
    *ret_is_dry_run = dry_run.n > 0;
    return 0;
}

/* --- DELETE of one --- */

static enum flow respond_deleted(struct request *r, struct call *c, struct write_call *w)
{
    const struct resource_type *type = c->resource->type;
    int code = !w->op.was_removed && w->op.del.orphan_dependents == 0 ? 202 : 200;
    struct status st = {.has_details = true};

    if (!w->op.was_removed || c->resource->strategy->flags & STRATEGY_RETURNS_DELETED)
        return respond_object(r, c, code, object_ref(w->op.result));
    st.name = arena_str(r->arena, c->name);
    st.group = type->group.n ? arena_str(r->arena, type->group) : NULL;
    st.kind = arena_str(r->arena, type->name);
    st.uid = arena_str(r->arena, w->op.result->uid);
    return respond_status(r, code, &st);
}

/* --- DELETE of one that cannot be read --- */

static enum flow respond_removed_unread(struct request *r, struct call *c, struct write_call *w)
{
    struct status st = {.has_details = true, .code = 200};

    st.name = arena_str(r->arena, c->name);
    st.kind = arena_str(r->arena, c->resource->type->kind->gvk.kind);
    return respond_status(r, 200, &st);
}

/* The right to delete is not enough. Source: kubernetes/apiserver pkg/endpoints/handlers/delete.go,
 * authorizeUnsafeDelete. */
static int may_ignore_read_error(struct request *r, struct call *c, struct status *st)
{
    struct request_info info = r->info;
    struct authz_attributes attrs = {
        .user = &r->user, .info = &info, .path = r->path, .may_block = request_may_block(r)};
    struct authz_answer answer;
    const char *why;

    info.verb = TEXT("unsafe-delete-ignore-read-errors");
    if (!r->wiring->authz)
        return status_internal_error(st, "no authorizer provided, unable to authorize unsafe delete");
    if (authorizer_ask(r->wiring->authz, r->arena, &attrs, &answer) == AUTHZ_ALLOW)
        return 0;
    if (answer.error.n)
        why = arena_printf(r->arena, "error while checking permission for \"%.*s\", %.*s", TEXT_ARG(info.verb),
                           TEXT_ARG(answer.error));
    else
        why = arena_printf(r->arena, "not permitted to do \"%.*s\", reason: %.*s", TEXT_ARG(info.verb),
                           TEXT_ARG(answer.reason));
    return status_forbidden(st, c->resource->type->group, c->resource->type->name, c->name, why);
}

enum flow call_delete(struct request *r, struct call *c)
{
    struct delete_call_options options = {0};
    struct write_call *w;
    struct status st = {0};

    if (!request_may_block(r) && write_may_wait(r, c, ADMISSION_DELETE))
        return FLOW_BLOCK;
    if (representation_choose(r, c->resource, c->sub, false, &c->rep, &st) < 0 || read_delete_options(r, &options, &st) < 0)
        return request_fail(r, &st);
    if (options.del.ignores_read_error) {
        if (r->wiring->authz && authorizer_may_block(r->wiring->authz) && !request_may_block(r))
            return FLOW_BLOCK;
        if (may_ignore_read_error(r, c, &st) < 0)
            return request_fail(r, &st);
    }
    warn_of_options(r, c, &options);
    w = write_begin(r, c, OPERATION_DELETE);
    w->options.is_dry_run = options.is_dry_run;
    w->op.del = options.del;
    w->respond = options.del.ignores_read_error ? respond_removed_unread : respond_deleted;
    return write_submit(w);
}

/* --- DELETE of a collection --- */

#define AT_ONCE 32

struct collection {
    struct request *request;
    struct call *call;
    struct delete_call_options options;
    struct list_options list_options;
    struct listing listing;
    struct list_page page;
    size_t next; /* the first object that was not yet submitted */
    size_t n_running;
    atomic_size_t n_left; /* of those that run */
    struct running {
        struct operation op;
        struct arena *arena; /* its own: several threads may work for one collection */
    } running[AT_ONCE];
};

static enum flow delete_some(struct request *r, struct call *c);

static void one_deleted(struct operation *op)
{
    struct collection *d = op->ctx;

    if (atomic_fetch_sub(&d->n_left, 1) == 1)
        request_resume(d->request, FLOW_BLOCK);
}

/* Lets go of what has run; -1: the first failure that counts. */
static int collect(struct collection *d, struct status *st)
{
    int result = 0;

    for (size_t i = 0; i < d->n_running; i++) {
        struct running *one = &d->running[i];
        if (result == 0 && one->op.st.reason != STATUS_OK && one->op.st.reason != STATUS_NOT_FOUND) {
            status_move(st, &one->op.st);
            result = -1;
        }
        operation_clear(&one->op);
        arena_free(one->arena);
        one->arena = NULL;
    }
    d->n_running = 0;
    return result;
}

static void begin_one(struct collection *d, struct running *one, const struct object *o)
{
    struct call *c = d->call;

    *one = (struct running){.arena = arena_new()};
    one->op = (struct operation){
        .kind = OPERATION_DELETE,
        .registry = c->e->opt.registry,
        .resource = c->resource,
        .arena = one->arena,
        .namespace = o->namespace,
        .name = o->name,
        .is_dry_run = d->options.is_dry_run,
        .user = &d->request->user,
        .del = d->options.del,
        .done = one_deleted,
        .ctx = d,
        .may_block = true, /* this is a worker */
        .admission = c->e->opt.admission,
    };
}

static enum flow delete_some(struct request *r, struct call *c)
{
    struct collection *d = c->state;
    struct status st = {0};
    size_t n = d->page.n - d->next < AT_ONCE ? d->page.n - d->next : AT_ONCE;

    if (collect(d, &st) < 0)
        return request_fail(r, &st);
    if (n == 0)
        return respond_page(r, c, &d->page);
    for (size_t i = 0; i < n; i++)
        begin_one(d, &d->running[i], d->page.objects[d->next + i]);
    d->next += n;
    d->n_running = n;
    atomic_store(&d->n_left, n);
    for (size_t i = 0; i < n; i++) /* the last one to be done resumes: d is not touched after that */
        registry_submit(&d->running[i].op);
    return FLOW_PARK;
}

static enum flow open_collection(struct request *r, struct call *c)
{
    struct collection *d = c->state;
    struct status st = {0};
    uint64_t wait_for = 0;

    d->list_options.request.past = &c->past;
    if (listing_open(&d->listing, c->resource, &d->list_options.request, &wait_for, &st) < 0)
        return request_fail(r, &st);
    if (wait_for)
        return wait_for_listing(r, c, wait_for, open_collection);
    listing_close_later(r->arena, &d->listing);
    list_page_gather(r->arena, &d->listing, &d->page);
    if (d->page.is_unreadable)
        return fail_unreadable(r, c);
    c->step = delete_some;
    return request_may_block(r) ? delete_some(r, c) : FLOW_BLOCK;
}

static int check_collection_options(struct request *r, const struct delete_call_options *o, struct status *st)
{
    struct field_errors errs = {.arena = r->arena};
    struct value given = value_bool(true);

    if (!o->del.ignores_read_error)
        return 0;
    field_error(&errs, FIELD_INVALID, IGNORE_READ_ERROR, &given,
                "is not allowed with DELETECOLLECTION, try again after removing the option");
    return fail_options(&errs, st);
}

enum flow call_delete_collection(struct request *r, struct call *c)
{
    struct collection *d = ARENA_NEW(r->arena, struct collection);
    struct status st = {0};

    d->request = r;
    d->call = c;
    c->state = d;
    if (representation_choose(r, c->resource, c->sub, true, &c->rep, &st) < 0 ||
        list_options_read(r, c, false, &d->list_options, &st) < 0 || table_options_read(r, &c->rep, &st) < 0 ||
        read_delete_options(r, &d->options, &st) < 0 || check_collection_options(r, &d->options, &st) < 0)
        return request_fail(r, &st);
    warn_of_options(r, c, &d->options);
    return wait_for_newest(r, c, open_collection);
}
