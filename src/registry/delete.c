/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting: at once, or by marking the object while finalizers or a grace period keep it. A graceful deletion
 * that needs no time is written once more before the object goes, so that watchers see why. Source:
 * kubernetes/apiserver pkg/registry/generic/registry/store.go (Delete,
 * updateForGracefulDeletionAndFinalizers), pkg/registry/rest/delete.go. */
#include "registry_internal.h"

static const struct text finalizer_orphan = TEXT("orphan"), finalizer_foreground = TEXT("foregroundDeletion");

void delete_options_check(const struct delete_options *del, struct field_errors *errs)
{
    static const char *const policies[] = {"Foreground", "Background", "Orphan", "nil"};
    struct value policy = value_string(del->propagation);
    bool is_known = !del->propagation.n;

    if (del->orphan_dependents >= 0 && del->propagation.n)
        field_error(errs, FIELD_INVALID, "propagationPolicy", &policy,
                    "orphanDependents and deletionPropagation cannot be both set");
    for (size_t i = 0; i + 1 < N_ELEMENTS(policies); i++)
        is_known |= text_is(del->propagation, policies[i]);
    if (!is_known)
        field_not_supported(errs, "propagationPolicy", &policy, policies, N_ELEMENTS(policies));
}

static int check_options(struct operation *op)
{
    struct field_errors errs = {.arena = op->arena};

    delete_options_check(&op->del, &errs);
    return errs.n ? status_invalid(&op->st, TEXT("meta.k8s.io"), TEXT("DeleteOptions"), TEXT_NONE, &errs) : 0;
}

const char *delete_options_warning(const struct resource *res, const struct delete_options *del)
{
    if (!(res->strategy->flags & STRATEGY_WARNS_OF_ORPHANS) || del->propagation.n || del->orphan_dependents >= 0)
        return NULL;
    return "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
           "propagationPolicy=Orphan to suppress this warning";
}

/* --- preconditions --- */

static int check_precondition(struct operation *op, const char *what, struct text wanted, struct text found,
                              const char *hint)
{
    const struct resource_type *type = op->resource->type;

    if (!wanted.n || text_eq(wanted, found))
        return 0;
    /* Types with a deletion of their own word it otherwise, and only they name the resource. */
    if (op->resource->strategy->begin_delete)
        return status_conflict(
            &op->st, type->group, type->name, op->name,
            arena_printf(op->arena, "Precondition failed: %s in precondition: %.*s, %s in object meta: %.*s",
                         what, TEXT_ARG(wanted), what, TEXT_ARG(found)));
    type = op->resource->storage;
    return status_conflict(
        &op->st, type->group, type->kind->gvk.kind, op->name,
        arena_printf(op->arena,
                     "the %s in the precondition (%.*s) does not match the %s in record (%.*s). "
                     "The object might have been %s",
                     what, TEXT_ARG(wanted), what, TEXT_ARG(found), hint));
}

static int check_preconditions(struct operation *op)
{
    struct text revision = arena_textf(op->arena, "%llu", (unsigned long long)op->current->revision);

    if (check_precondition(op, "UID", op->del.uid, op->current->uid, "deleted and then recreated") < 0)
        return -1;
    return check_precondition(op, "ResourceVersion", op->del.resource_version, revision, "modified");
}

/* --- finalizers of the garbage collector --- */

static bool has_finalizer(const struct value *obj, struct text name)
{
    const struct value *list = value_at(obj, "metadata", "finalizers", NULL);

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        if (text_eq(value_text(&list->items[i]), name))
            return true;
    }
    return false;
}

static bool wants_orphans(const struct operation *op, const struct value *obj)
{
    if (op->del.orphan_dependents >= 0)
        return op->del.orphan_dependents;
    if (op->del.propagation.n)
        return text_is(op->del.propagation, "Orphan");
    if (has_finalizer(obj, finalizer_orphan))
        return true;
    if (has_finalizer(obj, finalizer_foreground))
        return false;
    return op->resource->strategy->flags & STRATEGY_ORPHANS;
}

static bool wants_foreground(const struct operation *op, const struct value *obj)
{
    if (op->del.orphan_dependents >= 0)
        return false;
    if (op->del.propagation.n)
        return text_is(op->del.propagation, "Foreground");
    return has_finalizer(obj, finalizer_foreground) && !has_finalizer(obj, finalizer_orphan);
}

/* Sets or takes away the two finalizers; the others keep their order in front. */
void delete_set_collector_finalizers(const struct operation *op, struct value *obj)
{
    bool is_collected = !(op->resource->strategy->flags & STRATEGY_NO_COLLECTION);
    bool orphan = is_collected && wants_orphans(op, obj),
         foreground = is_collected && wants_foreground(op, obj);
    const struct value *before = value_at(obj, "metadata", "finalizers", NULL);
    struct value list = value_list();

    if (orphan == has_finalizer(obj, finalizer_orphan) &&
        foreground == has_finalizer(obj, finalizer_foreground))
        return;
    for (size_t i = 0; before && before->kind == VALUE_LIST && i < before->n; i++) {
        struct text name = value_text(&before->items[i]);
        if (!text_eq(name, finalizer_orphan) && !text_eq(name, finalizer_foreground))
            value_append(op->arena, &list, before->items[i]);
    }
    if (orphan)
        value_append(op->arena, &list, value_string(finalizer_orphan));
    if (foreground)
        value_append(op->arena, &list, value_string(finalizer_foreground));
    value_set(op->arena, metadata_of(obj), TEXT("finalizers"), list);
}

/* --- grace --- */

struct grace {
    bool is_graceful;
    bool is_pending; /* under way already: nothing changes */
    int64_t seconds;
};

static void set_deletion(struct arena *a, struct value *metadata, int64_t at_ns, int64_t seconds)
{
    value_set(a, metadata, TEXT("deletionTimestamp"), value_string(time_text(a, at_ns)));
    value_set(a, metadata, TEXT("deletionGracePeriodSeconds"), value_int(seconds));
}

static void count_generation(struct arena *a, struct value *metadata)
{
    int64_t generation = value_get_int(metadata, TEXT("generation"), 0);

    if (generation > 0)
        value_set(a, metadata, TEXT("generation"), value_int(generation + 1));
}

/* A deletion under way can only be shortened. */
static struct grace shorten(struct arena *a, struct value *metadata, int64_t asked)
{
    int64_t current = value_get_int(metadata, TEXT("deletionGracePeriodSeconds"), 0), at_ns = 0;
    int64_t now_ns = clock_now_ns(), seconds = asked;

    if (current < 0)
        current = 1;
    if (current == 0)
        return (struct grace){0};
    if (asked < 0 || asked >= current)
        return (struct grace){.is_pending = true};
    clock_parse_rfc3339(value_get_text(metadata, TEXT("deletionTimestamp")), &at_ns);
    at_ns += (asked - current) * 1000000000;
    if (at_ns < now_ns) {
        at_ns = now_ns;
        seconds = asked ? 1 : 0;
    }
    set_deletion(a, metadata, at_ns, seconds);
    return (struct grace){.is_graceful = true, .seconds = asked};
}

static struct grace begin_grace(struct operation *op, struct value *obj)
{
    const struct strategy *strategy = op->resource->strategy;
    struct value *metadata = metadata_of(obj);

    if (!strategy->grace_seconds)
        return (struct grace){0};
    if (is_deleting(obj))
        return shorten(op->arena, metadata, op->del.grace_seconds);
    int64_t seconds = strategy->grace_seconds(obj, op->del.grace_seconds);
    set_deletion(op->arena, metadata, clock_now_ns() + seconds * 1000000000, seconds);
    count_generation(op->arena, metadata);
    return (struct grace){.is_graceful = true, .seconds = seconds};
}

/* Of an object that waits for finalizers only. */
static void mark_deleting(struct operation *op, struct value *obj)
{
    struct value *metadata = metadata_of(obj);
    int64_t at_ns, now_ns = clock_now_ns();

    if (!is_deleting(obj))
        count_generation(op->arena, metadata);
    if (!is_deleting(obj) ||
        !clock_parse_rfc3339(value_get_text(metadata, TEXT("deletionTimestamp")), &at_ns) || at_ns > now_ns)
        at_ns = now_ns;
    set_deletion(op->arena, metadata, at_ns, 0);
}

/* --- writing --- */

static void finish_with(struct operation *op, struct object *result /* takes */, bool was_removed)
{
    op->result = result;
    op->was_removed = was_removed;
    operation_finish(op);
}

static void removed(struct operation *op)
{
    if (op->write.result == WRITE_CONFLICT) {
        delete_run(op);
        return;
    }
    bool is_shown = op->resource->strategy->flags & STRATEGY_RETURNS_DELETED;
    finish_with(
        op, is_shown ? object_with_revision(op->current, op->write.revision) : object_ref(op->current), true);
}

static void remove_now(struct operation *op)
{
    if (op->is_dry_run)
        finish_with(op, object_ref(op->current), true);
    else
        operation_write(op, WRITE_DELETE, removed);
}

static void marked(struct operation *op)
{
    if (op->write.result == WRITE_CONFLICT) {
        delete_run(op);
        return;
    }
    if (!op->removes_next) {
        finish_with(op, MOVE(op->written), false);
        return;
    }
    object_unref(op->current);
    op->current = MOVE(op->written);
    operation_write(op, WRITE_DELETE, removed);
}

static void mark(struct operation *op, struct value *obj)
{
    operation_arrange(op, obj);
    if (operation_encode(op, obj) < 0) {
        operation_fail(op);
        return;
    }
    if (operation_is_no_op(op)) {
        if (op->removes_next) {
            remove_now(op);
            return;
        }
        op->was_unchanged = true;
        finish_with(op, object_ref(op->current), false);
    } else if (op->is_dry_run) {
        object_seal(op->written, op->current->revision);
        finish_with(op, MOVE(op->written), op->removes_next);
    } else {
        operation_write(op, WRITE_PUT, marked);
    }
}

static void delete_usual(struct operation *op, struct value *obj)
{
    struct grace grace = begin_grace(op, obj);

    if (grace.is_pending) {
        op->was_unchanged = true;
        finish_with(op, object_ref(op->current), false);
        return;
    }
    delete_set_collector_finalizers(op, obj);
    bool must_stay = finalizer_count(obj) > 0;
    if (!grace.is_graceful && !must_stay) {
        remove_now(op);
        return;
    }
    if (!grace.is_graceful)
        mark_deleting(op, obj);
    op->removes_next = grace.is_graceful && !must_stay && grace.seconds <= 0;
    mark(op, obj);
}

/* --- what cannot be read --- */

/* Neither preconditions, finalizers, grace nor admission can have a say: nobody knows what the object says. The write still
 * expects the revision at which it was unreadable. Source: kubernetes/apiserver
 * pkg/registry/generic/registry/corrupt_obj_deleter.go. */
static void delete_unreadable(struct operation *op)
{
    const struct resource_type *type = op->resource->type;
    struct field_errors errs = {.arena = op->arena};
    struct value given = value_bool(true);

    if (operation_find(op) < 0) {
        operation_fail(op);
        return;
    }
    if (op->current && op->current->is_unreadable) {
        log_info("Removing an object that cannot be read, as asked", LOG_TEXT("resource", type->name),
                 LOG_TEXT("key", op->current->key));
        operation_write(op, WRITE_DELETE, removed);
        return;
    }
    field_error(&errs, FIELD_INVALID, "ignoreStoreReadErrorWithClusterBreakingPotential", &given,
                "is exclusively used to delete corrupt object(s), try again by removing this option");
    status_invalid(&op->st, type->group, type->name, op->name, &errs);
    operation_fail(op);
}

void delete_run(struct operation *op)
{
    const struct strategy *strategy = op->resource->strategy;
    enum delete_plan plan = DELETE_USUAL;
    struct value obj;

    op->removes_next = false;
    if (check_options(op) < 0) {
        operation_fail(op);
        return;
    }
    if (op->del.ignores_read_error) {
        delete_unreadable(op);
        return;
    }
    if (operation_load(op, &obj) < 0) {
        operation_fail(op);
        return;
    }
    if (!op->current) {
        status_not_found(&op->st, op->resource->type->group, op->resource->type->name, op->name);
        operation_fail(op);
        return;
    }
    if (check_preconditions(op) < 0 || operation_admit(op, NULL, &obj) < 0 || operation_admit_last(op, NULL, &obj) < 0) {
        operation_fail(op);
        return;
    }
    if (strategy->begin_delete)
        plan = strategy->begin_delete(op, &obj);
    if (plan == DELETE_NOTHING) {
        op->was_unchanged = true;
        finish_with(op, object_ref(op->current), false);
    } else if (plan == DELETE_STORE) {
        mark(op, &obj);
    } else {
        delete_usual(op, &obj);
    }
}
