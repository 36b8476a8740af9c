/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an operation: load the current object, make the new one, queue the write, and go on where the
 * committer says so (op->proceed): finish, or, when another writer was quicker, begin anew with the newer
 * object. No thread waits but that of registry_run. */
#include "registry_internal.h"
#include "schema/validate.h"

#define ATTEMPTS_MAX 1000 /* each lost race means that another writer won: this is no livelock */
#define OBJECT_BYTES_MAX ((size_t)3 * 1024 * 1024) /* patches must not make what no body may bring */

/* --- back to where it may block --- */

static void go_on_here(struct work *w)
{
    struct operation *op = CONTAINER_OF(w, struct operation, work);

    op->may_block = true;
    op->next(op);
}

/* next, on a thread that may do what the operation may. */
static void go_on(struct operation *op, void (*next)(struct operation *op))
{
    op->next = next;
    if (op->resume) {
        op->resume(op);
    } else if (op->is_for_workers && op->registry->workers) {
        op->work.run = go_on_here;
        workers_add(op->registry->workers, &op->work);
    } else {
        next(op);
    }
}

/* --- others write, too -------------------------------------------------------------------------------------------- */

static void refreshed(void *ctx, struct status *st);

/* What is created goes by its namespace too, which may lie in another store. */
static bool refresh_namespace(struct operation *op)
{
    const struct resource *namespaces = op->registry->namespaces;

    if (op->is_namespace_fresh || op->kind == OPERATION_DELETE || op->current || !op->resource->type->is_namespaced ||
        !namespaces || namespaces->store == op->resource->store)
        return false;
    op->is_namespace_fresh = true;
    storage_refresh(namespaces->store, refreshed, op);
    return true;
}

static void refreshed(void *ctx, struct status *st)
{
    struct operation *op = ctx;

    if (!st && refresh_namespace(op))
        return;
    op->is_fresh = true;
    op->may_block = false;
    if (st) {
        status_move(&op->st, st);
        op->done(op);
    } else {
        go_on(op, op->again);
    }
}

/* What was decided on a state that another server may have changed already is decided once more on the newest one. */
static bool decide_anew(struct operation *op)
{
    if (op->is_fresh || storage_is_sole_writer(op->resource->store))
        return false;
    status_clear(&op->st);
    object_unref(MOVE(op->result));
    op->was_created = op->was_removed = op->was_unchanged = false;
    storage_refresh(op->resource->store, refreshed, op);
    return true;
}

/* --- what is taken for a write ------------------------------------------------------------------------------------ */

void operation_claim(struct operation *op, struct value *obj, const struct value *old, void (*proceed)(struct operation *op))
{
    const struct strategy_claims *claims = op->resource->strategy->claims;

    op->obj = obj;
    op->old = old;
    op->proceed = proceed;
    if (claims && !op->sub)
        claims->take(op, obj, old);
    else
        proceed(op);
}

void operation_claimed(struct operation *op)
{
    if (op->st.reason != STATUS_OK)
        operation_fail(op);
    else if (op->may_block)
        op->proceed(op);
    else
        go_on(op, op->proceed);
}

static void settle(struct operation *op, bool is_written, void (*next)(struct operation *op))
{
    op->settled = next;
    if (op->claim)
        op->resource->strategy->claims->settle(op, is_written);
    else
        next(op);
}

void operation_settled(struct operation *op)
{
    op->claim = NULL;
    op->settled(op);
}

static void try_again(struct operation *op)
{
    go_on(op, op->again);
}

void operation_retry(struct operation *op)
{
    settle(op, false, try_again);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void end(struct operation *op)
{
    if (op->was_unchanged && decide_anew(op))
        return;
    op->done(op);
}

static void let_go(struct operation *op)
{
    const struct strategy_claims *claims = op->resource->strategy->claims;

    if (!claims || !op->was_removed || op->is_dry_run || op->has_let_go || op->current->is_unreadable) {
        end(op);
        return;
    }
    op->has_let_go = true;
    op->settled = end;
    claims->let_go(op);
}

void operation_finish(struct operation *op)
{
    settle(op, !op->was_unchanged && !op->was_removed, let_go);
}

static void end_failed(struct operation *op)
{
    if (op->kind != OPERATION_CREATE && decide_anew(op))
        return;
    op->done(op);
}

void operation_fail(struct operation *op)
{
    if (op->st.reason == STATUS_OK)
        status_set(&op->st, STATUS_INTERNAL_ERROR, "the operation failed without saying why");
    settle(op, false, end_failed);
}

void operation_fail_unseen(struct operation *op)
{
    if (!decide_anew(op))
        op->done(op);
}

void operation_clear(struct operation *op)
{
    object_unref(MOVE(op->result));
    object_unref(MOVE(op->current));
    object_unref(MOVE(op->written));
    object_unref(MOVE(op->write.found));
    status_clear(&op->st);
    status_clear(&op->write.st);
}

struct text operation_key(struct arena *a, const struct operation *op, struct text name)
{
    if (!op->resource->storage->is_namespaced)
        return name;
    return arena_textf(a, "%.*s/%.*s", TEXT_ARG(op->namespace), TEXT_ARG(name));
}

int operation_find(struct operation *op)
{
    object_unref(MOVE(op->current));
    object_unref(MOVE(op->written));
    if (op->attempts++ == ATTEMPTS_MAX)
        return status_conflict(&op->st, op->resource->type->group, op->resource->type->name, op->name,
                               "too many others write this object");
    if (op->write.has_found) { /* newer than the cache, perhaps */
        op->current = MOVE(op->write.found);
        op->write.has_found = false;
        op->is_fresh = true;
    } else {
        op->current = cache_get(op->resource->cache, operation_key(op->arena, op, op->name));
    }
    return 0;
}

int operation_load(struct operation *op, struct value *ret_tree)
{
    if (operation_find(op) < 0)
        return -1;
    if (!op->current)
        return 0;
    if (op->current->is_unreadable)
        return registry_fail_unreadable(op->resource, op->current, &op->st);
    if (object_tree(op->arena, op->current, ret_tree, &op->st) < 0)
        return -1;
    /* So that its fields are known and its keys are those of the new object, which makes comparing the two cheap. */
    schema_arrange(op->arena, op->resource->storage->kind->schema, ret_tree);
    return 0;
}

/* --- writing --- */

void operation_arrange(struct operation *op, struct value *obj)
{
    const struct resource_type *type = op->resource->storage;

    value_set(op->arena, obj, TEXT("kind"), value_string(type->kind->gvk.kind));
    value_set(op->arena, obj, TEXT("apiVersion"), value_string(type->kind->api_version));
    schema_arrange(op->arena, type->kind->schema, obj);
    if (!type->is_kept_as_json)
        schema_forget_empty(type->kind->schema, obj);
}

void operation_validate(struct operation *op, const struct value *obj, const struct value *old,
                        struct field_errors *errs)
{
    const struct resource_type *type = op->resource->storage;
    const struct strategy *strategy = op->resource->strategy;
    bool is_of_status = op->sub && text_is(op->sub->name, "status");

    schema_validate(type->kind->schema, obj, old,
                    !type->has_status ? VALIDATE_ALL
                    : is_of_status    ? VALIDATE_STATUS
                                      : VALIDATE_BUT_STATUS,
                    op->sub ? op->sub->name : TEXT_NONE, errs);
    if (strategy->validate)
        strategy->validate(op, obj, old, errs);
}

int operation_guard(struct operation *op, const struct value *obj, const struct value *old)
{
    const struct registry_guard *guard = &op->resource->guard;

    return guard->check ? guard->check(guard->ctx, op, obj, old, &op->st) : 0;
}

/* --- admission --- */

static struct admission_attributes attributes_of(struct operation *op, struct value *obj, const struct value *old)
{
    return (struct admission_attributes){
        .arena = op->arena,
        .verb = !obj ? ADMISSION_DELETE : old ? ADMISSION_UPDATE : ADMISSION_CREATE,
        .registry = op->registry,
        .resource = op->resource,
        .sub = op->sub,
        .kind = op->resource->storage->kind,
        .namespace = op->namespace,
        .name = op->name.n || op->generates_name ? op->name : value_get_text(metadata_of(obj), TEXT("name")),
        .object = obj,
        .old = old,
        .user = op->user,
        .del = obj ? NULL : &op->del,
        .is_dry_run = op->is_dry_run,
        .may_block = op->may_block,
        .warnings = &op->warnings,
    };
}

int operation_admit(struct operation *op, struct value *obj, const struct value *old)
{
    if (!op->admission || !op->user)
        return 0;
    struct admission_attributes a = attributes_of(op, obj, old);
    return op->admission->admit(op->admission->ctx, &a, &op->st);
}

int operation_admit_last(struct operation *op, struct value *obj, const struct value *old)
{
    if (!op->admission || !op->user)
        return 0;
    struct admission_attributes a = attributes_of(op, obj, old);
    return op->admission->validate(op->admission->ctx, &a, &op->st);
}

int admission_ask(const struct admission_hooks *hooks, struct admission_attributes *a, struct status *st)
{
    if (!hooks)
        return 0;
    return hooks->admit(hooks->ctx, a, st) < 0 ? -1 : hooks->validate(hooks->ctx, a, st);
}

int operation_encode(struct operation *op, struct value *obj)
{
    const struct resource_type *type = op->resource->storage;
    struct buffer b = BUFFER_IN(op->arena);
    size_t rv_at;

    buffer_room(&b, op->current ? op->current->json.n + 1024 : 4096); /* most do not grow by more */
    schema_encode(&b, type->kind->schema, obj, &rv_at);
    if (b.n > OBJECT_BYTES_MAX)
        return status_set(&op->st, STATUS_REQUEST_ENTITY_TOO_LARGE,
                          "Request entity is too large: the object would take %zu bytes, %zu are allowed",
                          b.n, OBJECT_BYTES_MAX);
    object_unref(MOVE(op->written));
    op->written = object_new(type, buffer_text(&b), rv_at, obj);
    op->written_tree = *obj;
    if ((op->resource->strategy->flags & STRATEGY_EXPIRES) && op->registry->event_ttl_ms > 0)
        op->written->expires_ms = clock_now_ns() / 1000000 + op->registry->event_ttl_ms;
    return 0;
}

bool operation_is_no_op(const struct operation *op)
{
    struct text now[2], before[2];

    object_stored(op->written, now);
    object_stored(op->current, before);
    return text_eq(now[0], before[0]) && text_eq(now[1], before[1]) &&
           !storage_is_stale(op->resource->store, op->current);
}

static void written(struct storage_write *w)
{
    struct operation *op = CONTAINER_OF(w, struct operation, write);

    op->may_block = false; /* this is the committer's thread */
    if (w->result == WRITE_FAILED) {
        status_move(&op->st, &w->st);
        op->is_fresh = true; /* the store itself has spoken */
        if (op->st.reason == STATUS_TIMEOUT)
            op->claim = NULL; /* perhaps it was written after all: better kept for nothing than had by two */
        operation_fail(op);
        return;
    }
    op->proceed(op);
}

void operation_write(struct operation *op, enum write_op what, void (*proceed)(struct operation *op))
{
    status_clear(&op->write.st);
    object_unref(MOVE(op->write.found));
    op->write = (struct storage_write){
        .type = op->resource->storage,
        .op = what,
        .key = what == WRITE_PUT ? op->written->key : op->current->key,
        .expected_revision = op->current ? op->current->revision : 0,
        .object = what == WRITE_PUT ? op->written : NULL,
        .tree = what == WRITE_PUT ? &op->written_tree : NULL,
        .previous = op->current,
        .done = written,
    };
    op->proceed = proceed;
    storage_submit(op->resource->store, &op->write);
}

void operation_begin(struct operation *op)
{
    if (!op->is_dry_run || !decide_anew(op)) /* what a dry run reads is not checked by any write */
        op->again(op);
}

/* --- the object against the request --- */

int registry_check_identity(struct arena *a, const struct resource *res, struct text namespace,
                            struct text name, struct value *obj, struct status *st)
{
    struct value *metadata = value_object_at(a, obj, TEXT("metadata"));
    struct text own = value_get_text(metadata, TEXT("namespace")),
                called = value_get_text(metadata, TEXT("name"));
    /* A namespace's own request carries its name as the namespace. */
    struct text expected = res->type->is_namespaced ? namespace : TEXT_NONE;

    if (own.n && expected.n && !text_eq(own, expected))
        return status_set(
            st, STATUS_BAD_REQUEST,
            "the namespace of the provided object does not match the namespace sent on the request");
    if (!text_eq(own, expected)) {
        if (expected.n)
            value_set(a, metadata, TEXT("namespace"), value_string(expected));
        else
            value_remove(metadata, TEXT("namespace"));
    }
    if (!name.p)
        return 0;
    if (!called.n)
        return status_set(
            st, STATUS_BAD_REQUEST,
            "the name of the object (%.*s based on URL) was undeterminable: name must be provided",
            TEXT_ARG(name));
    if (!text_eq(called, name))
        return status_set(st, STATUS_BAD_REQUEST,
                          "the name of the object (%.*s) does not match the name on the URL (%.*s)",
                          TEXT_ARG(called), TEXT_ARG(name));
    return 0;
}
