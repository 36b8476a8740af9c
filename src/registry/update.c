/* SPDX-License-Identifier: Apache-2.0 */
/* Updating: transform the current object, check the version that was demanded, keep what no update may
 * change, and write only what differs. An update that takes the last finalizer of a dying object removes it.
 * Source: kubernetes/apiserver pkg/registry/generic/registry/store.go, pkg/registry/rest/update.go. */
#include "registry_internal.h"

static const struct resource_type *type_of(const struct operation *op)
{
    return op->resource->type;
}

static int check_uid(struct operation *op, struct text uid)
{
    if (!op->expected_uid.n || text_eq(op->expected_uid, uid))
        return 0;
    return status_conflict(
        &op->st, type_of(op)->group, type_of(op)->name, op->name,
        arena_printf(op->arena,
                     "StorageError: invalid object, Code: 4, Key: /registry/%.*s/%.*s, ResourceVersion: 0, AdditionalErrorMsg: "
                     "Precondition failed: UID in precondition: %.*s, UID in object meta: %.*s",
                     TEXT_ARG(op->resource->storage->storage_prefix), TEXT_ARG(operation_key(op->arena, op, op->name)),
                     TEXT_ARG(op->expected_uid), TEXT_ARG(uid)));
}

/* The version that the new object demands must be the current one; none is good for most types. */
static int check_revision(struct operation *op, struct value *obj)
{
    struct value *metadata = value_object_at(op->arena, obj, TEXT("metadata"));
    struct text sent = value_get_text(metadata, TEXT("resourceVersion"));
    uint64_t revision = 0;

    if (sent.n && !text_to_u64(sent, &revision)) {
        struct buffer b = BUFFER_IN(op->arena);
        buffer_add_quoted(&b, sent);
        return status_set(&op->st, STATUS_UNKNOWN, "strconv.ParseUint: parsing %s: invalid syntax",
                          buffer_str(&b));
    }
    if (revision == 0 && (op->resource->strategy->flags & STRATEGY_NEEDS_REVISION)) {
        struct field_errors errs = {.arena = op->arena};
        struct value zero = value_int(0);
        field_error(&errs, FIELD_INVALID, "metadata.resourceVersion", &zero,
                    "must be specified for an update");
        return status_invalid(&op->st, type_of(op)->group, type_of(op)->name, op->name, &errs);
    }
    if (revision != 0 && revision != op->current->revision)
        return status_conflict(
            &op->st, type_of(op)->group, type_of(op)->name, op->name,
            "the object has been modified; please apply your changes to the latest version and "
            "try again");
    return 0;
}

/* What clients cannot change, whatever they send. */
static void keep_system_fields(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *metadata = metadata_of(obj);
    const struct value *before = metadata_of(old);

    if (!value_get_text(metadata, TEXT("uid")).n)
        keep_member(op->arena, metadata, before, TEXT("uid"));
    if (value_get_text(before, TEXT("creationTimestamp")).n)
        keep_member(op->arena, metadata, before, TEXT("creationTimestamp"));
    if (is_deleting(old))
        keep_member(op->arena, metadata, before, TEXT("deletionTimestamp"));
    if (value_get(before, TEXT("deletionGracePeriodSeconds")) &&
        !value_get(metadata, TEXT("deletionGracePeriodSeconds")))
        keep_member(op->arena, metadata, before, TEXT("deletionGracePeriodSeconds"));
    if (!op->is_dry_run) /* forgotten by storing */
        value_remove(metadata, TEXT("selfLink"));
    keep_member(op->arena, metadata, before, TEXT("resourceVersion"));
}

static int validate(struct operation *op, const struct value *obj, const struct value *old)
{
    const struct strategy *strategy = op->resource->strategy;
    const struct resource_type *type = op->resource->storage;
    struct field_errors errs = {.arena = op->arena};

    metadata_check(op->arena, type, NULL, obj, &errs);
    metadata_check_update(obj, old, &errs);
    /* The types' own validation checks the metadata again: upstream so says everything twice, some types
     * thrice. What was found good is good again. */
    bool is_good = !errs.n;
    if (strategy->flags & STRATEGY_CHECKS_META_AGAIN)
        metadata_check(op->arena, type, strategy, obj, &errs);
    if (!(strategy->flags & STRATEGY_CHECKS_UPDATE_ONCE))
        metadata_check_update_again(strategy, obj, old, is_good, &errs);
    operation_validate(op, obj, old, &errs);
    if (!errs.n) {
        operation_look_for_warnings(op, obj, old);
        return 0;
    }
    return status_invalid(&op->st, type->group, type->kind->gvk.kind,
                          value_get_text(metadata_of(obj), TEXT("name")), &errs);
}

/* Has a deletion waited for nothing but the finalizers that are gone now? */
static bool ends_deletion(const struct operation *op, const struct value *obj, const struct value *old)
{
    const struct strategy *strategy = op->resource->strategy;

    return is_deleting(old) && finalizer_count(obj) == 0 &&
           value_get_int(metadata_of(old), TEXT("deletionGracePeriodSeconds"), 0) == 0 &&
           !(strategy->holds && strategy->holds(obj));
}

static void removed(struct operation *op)
{
    if (op->write.result == WRITE_CONFLICT) {
        operation_retry(op);
        return;
    }
    /* Clients expect the object that they sent. */
    object_seal(op->written, op->current->revision);
    op->was_removed = true;
    op->result = MOVE(op->written);
    operation_finish(op);
}

static void updated(struct operation *op)
{
    if (op->write.result == WRITE_CONFLICT) {
        operation_retry(op);
        return;
    }
    op->result = MOVE(op->written);
    operation_finish(op);
}

static void finish_unchanged(struct operation *op)
{
    op->was_unchanged = true;
    op->result = object_ref(op->current);
    operation_finish(op);
}

static void store(struct operation *op, bool is_last)
{
    if (op->is_dry_run) {
        object_seal(op->written, op->current->revision);
        op->was_removed = is_last;
        op->result = MOVE(op->written);
        operation_finish(op);
    } else {
        operation_write(op, is_last ? WRITE_DELETE : WRITE_PUT, is_last ? removed : updated);
    }
}

static int make_new(struct operation *op, const struct value *old, struct value *ret_new)
{
    struct value *obj = ret_new;

    if (op->transform(op, op->current, old, obj, &op->st) < 0 ||
        registry_check_identity(op->arena, op->resource, op->namespace, op->name, obj, &op->st) < 0)
        return -1;
    manage_fields(op, obj, old);
    if (operation_admit(op, obj, old) < 0 || operation_guard(op, obj, old) < 0 || check_revision(op, obj) < 0)
        return -1;
    keep_member(op->arena, metadata_of(obj), metadata_of(old), TEXT("generation"));
    return 0;
}

/* Everything is taken that the object needs. */
static void store_changed(struct operation *op)
{
    struct value *obj = op->obj;
    const struct value *old = op->old;

    strategy_prepare_update(op, obj, old);
    keep_system_fields(op, obj, old);
    operation_arrange(op, obj);
    keep_managed_times(op, obj, old);
    if (validate(op, obj, old) < 0 || operation_admit_last(op, obj, old) < 0) {
        operation_fail(op);
        return;
    }
    bool is_last = ends_deletion(op, obj, old);
    if (!is_last && value_equal(obj, old) && !storage_is_stale(op->resource->store, op->current))
        finish_unchanged(op);
    else if (operation_encode(op, obj) < 0)
        operation_fail(op);
    else
        store(op, is_last);
}

static void create_instead(struct operation *op)
{
    struct value *obj = ARENA_NEW(op->arena, struct value);

    if (!op->may_create && !(op->resource->strategy->flags & STRATEGY_CREATE_ON_UPDATE)) {
        status_not_found(&op->st, type_of(op)->group, type_of(op)->name, op->name);
        operation_fail(op);
        return;
    }
    if (check_uid(op, TEXT_NONE) < 0 || op->transform(op, NULL, NULL, obj, &op->st) < 0 ||
        registry_check_identity(op->arena, op->resource, op->namespace, op->name, obj, &op->st) < 0) {
        operation_fail(op);
        return;
    }
    create_object(op, obj);
}

void update_run(struct operation *op)
{
    struct value *old = ARENA_NEW(op->arena, struct value), *obj = ARENA_NEW(op->arena, struct value);

    if (operation_load(op, old) < 0) {
        operation_fail(op);
        return;
    }
    if (!op->current) {
        create_instead(op);
        return;
    }
    if (check_uid(op, op->current->uid) < 0 || make_new(op, old, obj) < 0) {
        operation_fail(op);
        return;
    }
    operation_claim(op, obj, old, store_changed);
}
