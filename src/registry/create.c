/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, by POST or by an update of what is not there. Source: kubernetes/apiserver
 * pkg/registry/generic/registry/store.go, pkg/registry/rest/create.go. */
#include "registry_internal.h"

#define NAME_ATTEMPTS_MAX 8

static const struct resource_type *type_of(const struct operation *op)
{
    return op->resource->type;
}

static bool wants_a_name(const struct value *obj)
{
    const struct value *metadata = metadata_of(obj);

    return !value_get_text(metadata, TEXT("name")).n && value_get_text(metadata, TEXT("generateName")).n;
}

static int validate(struct operation *op, const struct value *obj)
{
    const struct strategy *strategy = op->resource->strategy;
    const struct resource_type *type = op->resource->storage; /* whose kind names the errors, as upstream */
    struct field_errors errs = {.arena = op->arena};

    metadata_check(op->arena, type, strategy, obj, &errs);
    operation_validate(op, obj, NULL, &errs);
    /* Only what the type's own rule for names may have let through. */
    if (!errs.n)
        metadata_check(op->arena, type, NULL, obj, &errs);
    if (!errs.n) {
        operation_look_for_warnings(op, obj, NULL);
        return 0;
    }
    return status_invalid(&op->st, type->group, type->kind->gvk.kind,
                          value_get_text(metadata_of(obj), TEXT("name")), &errs);
}

static void fail_exists(struct operation *op, struct text name, bool is_deleting_now)
{
    struct text group = type_of(op)->group;

    if (!op->generates_name) {
        status_already_exists(&op->st, group, type_of(op)->name, name);
        if (is_deleting_now)
            status_wrap(&op->st, "object is being deleted");
    } else {
        status_set(
            &op->st, STATUS_ALREADY_EXISTS,
            "%.*s%s%.*s \"%.*s\" already exists, the server was not able to generate a unique name for the "
            "object",
            TEXT_ARG(type_of(op)->name), group.n ? "." : "", TEXT_ARG(group), TEXT_ARG(name));
        status_details(&op->st, group, type_of(op)->name, name);
        op->st.retry_after_seconds = 1;
    }
    operation_fail(op);
}

static void created(struct operation *op)
{
    if (op->write.result == WRITE_DONE) {
        op->was_created = op->kind == OPERATION_UPDATE;
        op->result = MOVE(op->written);
        operation_finish(op);
        return;
    }
    /* Somebody has just made it, or has the generated name. */
    if (op->kind == OPERATION_UPDATE || (op->generates_name && op->attempts < NAME_ATTEMPTS_MAX)) {
        operation_retry(op);
        return;
    }
    CLEANUP(object_unrefp) struct object *there =
        op->write.has_found ? MOVE(op->write.found) : cache_get(op->resource->cache, op->written->key);
    fail_exists(op, op->written->name, there && there->is_deleting);
}

static void try_dry(struct operation *op)
{
    CLEANUP(object_unrefp) struct object *there = cache_get(op->resource->cache, op->written->key);

    if (there) {
        fail_exists(op, op->written->name, there->is_deleting);
        return;
    }
    object_seal_dry(op->written);
    op->was_created = op->kind == OPERATION_UPDATE;
    op->result = MOVE(op->written);
    operation_finish(op);
}

static bool has_revision(struct text t)
{
    uint64_t revision;

    return text_to_u64(t, &revision) && revision != 0;
}

/* Everything is taken that the object needs. */
static void store_new(struct operation *op)
{
    struct value *obj = op->obj;

    strategy_prepare_create(op, obj);
    operation_arrange(op, obj);
    if (validate(op, obj) < 0 || operation_admit_last(op, obj, NULL) < 0 || operation_encode(op, obj) < 0) {
        operation_fail(op);
        return;
    }
    if (op->is_dry_run) {
        try_dry(op);
        return;
    }
    if (op->demands_revision) {
        status_set(&op->st, STATUS_UNKNOWN, "resourceVersion should not be set on objects to be created");
        operation_fail(op);
        return;
    }
    operation_write(op, WRITE_PUT, created);
}

void create_object(struct operation *op, struct value *obj)
{
    struct value *metadata = value_object_at(op->arena, obj, TEXT("metadata"));

    op->demands_revision =
        op->kind == OPERATION_CREATE && has_revision(value_get_text(metadata, TEXT("resourceVersion")));
    if (registry_check_identity(op->arena, op->resource, op->namespace, TEXT_NONE, obj, &op->st) < 0) {
        operation_fail(op);
        return;
    }
    metadata_wipe(op->arena, obj, op->kind == OPERATION_UPDATE);
    manage_fields(op, obj, NULL);
    if (operation_admit(op, obj, NULL) < 0) { /* perhaps by what the caches do not know yet */
        operation_fail_unseen(op);
        return;
    }
    if (operation_guard(op, obj, NULL) < 0) {
        operation_fail(op);
        return;
    }
    metadata_fill_system(op->arena, obj);
    metadata = metadata_of(obj);
    if (wants_a_name(obj))
        value_set(op->arena, metadata, TEXT("name"),
                  value_string(name_generate(op->arena, value_get_text(metadata, TEXT("generateName")))));
    operation_claim(op, obj, NULL, store_new);
}

void create_run(struct operation *op)
{
    object_unref(MOVE(op->written));
    if (op->attempts++ == 0)
        op->generates_name = wants_a_name(&op->object);
    if (op->generates_name || !storage_is_sole_writer(op->resource->store)) { /* as it came, for another try */
        struct value *copy = ARENA_NEW(op->arena, struct value);
        *copy = value_copy(op->arena, &op->object);
        create_object(op, copy);
    } else {
        create_object(op, &op->object);
    }
}
