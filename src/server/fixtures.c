/* SPDX-License-Identifier: Apache-2.0 */
/* A fixture is read, defaulted and created as if a client had sent it; one that is kept up replaces what says otherwise. */
#include "server/fixtures.h"

#define MANAGER TEXT("kube-apiserver") /* upstream's name for what the server writes by itself */

/* registry_run needs the operation's own ctx. */
struct replacement {
    struct operation op;
    const struct value *wanted;
};

static int replace_with_fixture(struct operation *op, const struct object *current, const struct value *tree,
                                struct value *ret_new, struct status *st)
{
    struct value next = value_copy(op->arena, CONTAINER_OF(op, struct replacement, op)->wanted);
    struct value *meta = value_get(&next, TEXT("metadata"));
    struct value *now = value_at(tree, "metadata", "resourceVersion", NULL);

    if (now)
        value_set(op->arena, meta, TEXT("resourceVersion"), *now);
    *ret_new = next;
    return 0;
}

static int decode_fixture(struct arena *a, const struct resource *res, struct text json, struct value *ret,
                          struct status *st)
{
    static const struct json_options options = {0};
    const struct schema *s = res->storage->kind->schema;
    if (json_read(a, json, &options, ret, st) < 0 || schema_decode(a, s, ret, NULL, st) < 0)
        return -1;
    schema_default(a, s, ret);
    return 0;
}

static int keep_up(const struct registry *reg, const struct resource *res, const struct fixture *f, struct arena *a,
                   const struct value *wanted, struct status *st)
{
    struct replacement r = {.op = {.kind = OPERATION_UPDATE,
                                   .registry = reg,
                                   .resource = res,
                                   .arena = a,
                                   .namespace = text_of(f->namespace),
                                   .name = value_text(value_at(wanted, "metadata", "name", NULL)),
                                   .field_manager = MANAGER,
                                   .transform = replace_with_fixture},
                            .wanted = wanted};
    int rc = registry_run(&r.op);
    if (rc < 0)
        status_move(st, &r.op.st);
    operation_clear(&r.op);
    return rc;
}

/* As the caches know it: creating would take for it first what it has (the address of a service). */
static bool is_there(const struct resource *res, const struct fixture *f, struct text name)
{
    CLEANUP(status_clear) struct status st = {0};
    CLEANUP(object_unrefp) struct object *o = NULL;

    return registry_get(res, text_of(f->namespace), name, &o, &st) == 0;
}

int fixture_ensure(const struct registry *reg, const struct fixture *f, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct resource *res =
        registry_find(reg, text_of(f->group), text_of(f->version), text_of(f->resource));
    struct value object;

    if (!res)
        return 0; /* switched off by --runtime-config */
    if (decode_fixture(a, res, f->json, &object, st) < 0)
        return -1;
    if (!f->is_kept_up && is_there(res, f, value_text(value_at(&object, "metadata", "name", NULL))))
        return 0;
    struct operation op = {.kind = OPERATION_CREATE,
                           .registry = reg,
                           .resource = res,
                           .arena = a,
                           .namespace = text_of(f->namespace),
                           .field_manager = MANAGER,
                           .object = value_copy(a, &object)};
    int rc = registry_run(&op);
    if (rc < 0 && op.st.reason == STATUS_ALREADY_EXISTS)
        rc = f->is_kept_up ? keep_up(reg, res, f, a, &object, st) : 0;
    else if (rc < 0)
        status_move(st, &op.st);
    operation_clear(&op);
    return rc;
}
