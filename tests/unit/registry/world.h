/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a registry on the embedded store in a folder of its own, and writes in one line. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "registry.h"
#include "unit.h"

struct world {
    char dir[64];
    struct arena *arena;
    struct timers *timers;
    struct storage *storage;
    struct registry *registry;
    const struct user_info *user; /* who writes; NULL: the server itself */
    const struct admission_hooks *admission;
    const struct service_options *services; /* NULL: they get nothing */
};

static inline const struct resource *world_resource(struct world *w, const char *api_version,
                                                    const char *name)
{
    struct text group, version;

    group_version_parse(text_of(api_version), &group, &version);
    const struct resource *r = registry_find(w->registry, group, version, text_of(name));
    ck_assert_msg(r != NULL, "%s %s is not served", api_version, name);
    return r;
}

/* What a good object of a resource has at least; tests say what is on top of that. */
#define WORLD_CONTAINERS "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"
#define WORLD_TEMPLATE                                                                                             \
    "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{" WORLD_CONTAINERS "}}"
#define WORLD_JOB "\"template\":{\"spec\":{\"restartPolicy\":\"Never\"," WORLD_CONTAINERS "}}"
static const struct {
    struct text resource;
    const char *json;
} world_good[] = {
    {TEXT("pods"), "{\"spec\":{" WORLD_CONTAINERS "}}"},
    {TEXT("deployments"), "{\"spec\":{" WORLD_TEMPLATE "}}"},
    {TEXT("replicasets"), "{\"spec\":{" WORLD_TEMPLATE "}}"},
    {TEXT("services"), "{\"spec\":{\"ports\":[{\"port\":80}]}}"},
    {TEXT("persistentvolumes"), "{\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"capacity\":{\"storage\":\"1Gi\"},\"hostPath\":{\"path\":\"/a\"}}}"},
    {TEXT("persistentvolumeclaims"), "{\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}"},
    {TEXT("certificatesigningrequests"), "{\"spec\":{\"signerName\":\"a.b/c\",\"usages\":[\"client auth\"]}}"},
    {TEXT("jobs"), "{\"spec\":{" WORLD_JOB "}}"},
    {TEXT("cronjobs"), "{\"spec\":{\"schedule\":\"@daily\",\"jobTemplate\":{\"spec\":{" WORLD_JOB "}}}}"},
};

static inline void world_make_good(struct arena *a, const struct resource *r, struct value *v)
{
    struct status st = {0};
    struct value good, merged;

    for (size_t i = 0; i < N_ELEMENTS(world_good); i++) {
        if (!text_eq(world_good[i].resource, r->type->name))
            continue;
        ck_assert(json_read(a, text_of(world_good[i].json), NULL, &good, &st) == 0);
        ck_assert(patch_merge(a, &good, v, &merged, &st) == 0);
        *v = merged;
    }
}

/* The tree that JSON is, canonical for the resource. */
static inline struct value world_tree(struct world *w, const struct resource *r, const char *json)
{
    struct status st = {0};
    struct value v;

    if (json_read(w->arena, text_of(json), NULL, &v, &st) < 0)
        ck_abort_msg("%s: %s", json, st.message);
    world_make_good(w->arena, r, &v);
    if (schema_decode(w->arena, r->type->kind->schema, &v, NULL, &st) < 0)
        ck_abort_msg("%s: %s", json, st.message);
    schema_default(w->arena, r->type->kind->schema, &v);
    return v;
}

/* As handlers do it. */
static inline int world_decode(struct operation *op, struct value *v, struct status *st)
{
    if (schema_decode(op->arena, op->resource->type->kind->schema, v, NULL, st) < 0)
        return -1;
    schema_default(op->arena, op->resource->type->kind->schema, v);
    return 0;
}

static inline void world_op(struct world *w, struct operation *op, enum operation_kind kind,
                            const char *api_version, const char *resource, const char *ns, const char *name)
{
    *op = (struct operation){.kind = kind,
                             .registry = w->registry,
                             .resource = world_resource(w, api_version, resource),
                             .arena = w->arena,
                             .namespace = text_of(ns),
                             .name = text_of(name),
                             .user = w->user,
                             .admission = w->admission,
                             .del = {.grace_seconds = -1, .orphan_dependents = -1}};
}

/* Each returns the code: 0 when it worked. The operation is left for looking at; operation_clear ends it. */
static inline int world_create(struct world *w, struct operation *op, const char *api_version,
                               const char *resource, const char *ns, const char *json)
{
    bool is_dry_run = op->is_dry_run;

    world_op(w, op, OPERATION_CREATE, api_version, resource, ns, NULL);
    op->is_dry_run = is_dry_run;
    op->object = world_tree(w, op->resource, json);
    return registry_run(op) < 0 ? op->st.code : 0;
}

/* What the transforms below read: one world at a time, tests run in processes of their own. */
static struct {
    const char *json;
    int calls;
    void (*between)(void);
} world_change;

static inline int world_put_json(struct operation *op, const struct object *current, const struct value *tree,
                                 struct value *ret, struct status *st)
{
    world_change.calls++;
    if (world_change.between)
        world_change.between();
    if (json_read(op->arena, text_of(world_change.json), NULL, ret, st) < 0)
        return -1;
    world_make_good(op->arena, op->resource, ret);
    return world_decode(op, ret, st);
}

static inline int world_merge_json(struct operation *op, const struct object *current,
                                   const struct value *tree, struct value *ret, struct status *st)
{
    struct value patch;

    world_change.calls++;
    if (world_change.between)
        world_change.between();
    if (json_read(op->arena, text_of(world_change.json), NULL, &patch, st) < 0 ||
        patch_merge(op->arena, tree, &patch, ret, st) < 0)
        return -1;
    return world_decode(op, ret, st);
}

static inline int world_update(struct world *w, struct operation *op, bool is_put, const char *api_version,
                               const char *resource, const char *ns, const char *name, const char *sub,
                               const char *json)
{
    bool is_dry_run = op->is_dry_run;

    world_op(w, op, OPERATION_UPDATE, api_version, resource, ns, name);
    op->is_dry_run = is_dry_run;
    for (size_t i = 0; sub && i < op->resource->type->n_subs; i++) {
        if (text_is(op->resource->type->subs[i].name, sub))
            op->sub = &op->resource->type->subs[i];
    }
    ck_assert(!sub || op->sub);
    world_change.json = json;
    world_change.calls = 0;
    op->transform = is_put ? world_put_json : world_merge_json;
    return registry_run(op) < 0 ? op->st.code : 0;
}
#define world_put(w, op, av, res, ns, name, json) world_update(w, op, true, av, res, ns, name, NULL, json)
#define world_merge(w, op, av, res, ns, name, json) world_update(w, op, false, av, res, ns, name, NULL, json)

static inline int world_delete(struct world *w, struct operation *op, const char *api_version,
                               const char *resource, const char *ns, const char *name,
                               const struct delete_options *del)
{
    bool is_dry_run = op->is_dry_run;

    world_op(w, op, OPERATION_DELETE, api_version, resource, ns, name);
    op->is_dry_run = is_dry_run;
    if (del)
        op->del = *del;
    return registry_run(op) < 0 ? op->st.code : 0;
}
static inline struct delete_options delete_options(void)
{
    return (struct delete_options){.grace_seconds = -1, .orphan_dependents = -1};
}

static inline struct value world_result(struct world *w, const struct operation *op)
{
    struct status st = {0};
    struct value v;

    ck_assert_ptr_nonnull(op->result);
    ck_assert_int_eq(json_read(w->arena, op->result->json, NULL, &v, &st), 0);
    return v;
}

/* The result's member at a dotted path, as text or as JSON; "" when there is none. */
static inline const char *world_at(struct world *w, const struct operation *op, const char *path)
{
    struct value tree = world_result(w, op);
    const struct value *v = &tree;
    struct text rest = text_of(path), part;
    struct buffer b = BUFFER_IN(w->arena);

    while (v && text_split(&rest, '.', &part)) {
        uint64_t i;
        if (v->kind == VALUE_LIST && text_to_u64(part, &i))
            v = i < v->n ? &v->items[i] : NULL;
        else
            v = value_get(v, part);
    }
    if (v && v->kind == VALUE_STRING)
        return arena_str(w->arena, value_text(v));
    if (v)
        json_write(&b, v);
    return buffer_str(&b);
}

static inline bool world_exists(struct world *w, const char *api_version, const char *resource,
                                const char *ns, const char *name)
{
    struct status st = {0};
    struct object *o = NULL;
    bool found =
        registry_get(world_resource(w, api_version, resource), text_of(ns), text_of(name), &o, &st) == 0;

    object_unref(o);
    status_clear(&st);
    return found;
}

static inline void world_namespace(struct world *w, const char *name)
{
    struct operation op = {0};

    ck_assert_int_eq(world_create(w, &op, "v1", "namespaces", "",
                                  arena_printf(w->arena, "{\"metadata\":{\"name\":\"%s\"}}", name)),
                     0);
    operation_clear(&op);
}

static inline const char *world_path(struct world *w)
{
    return arena_printf(w->arena, "%s/store.db", w->dir);
}

/* The store of a world, again after world_close. */
static inline void world_open(struct world *w, size_t ring_max_events)
{
    struct storage_options opt = {.ring_max_events = ring_max_events};
    struct status st = {0};
    struct backend *backend;

    ck_assert_int_eq(sqlite_open(world_path(w), &backend, &st), 0);
    opt.backend = backend;
    opt.types = registry_storage_types(NULL, NULL, &opt.n_types);
    opt.timers = w->timers;
    if (storage_start(&opt, &w->storage, &st) < 0)
        ck_abort_msg("%s", st.message);
    struct registry_options reg = {.storage = w->storage, .services = w->services};
    if (registry_start(&reg, &w->registry, &st) < 0)
        ck_abort_msg("%s", st.message);
}

static inline void world_close(struct world *w)
{
    registry_stop(w->registry);
    storage_stop(w->storage);
}

/* ring_max_events: how many events are kept; 0: the default. */
static inline void world_start_with(struct world *w, size_t ring_max_events)
{
    *w = (struct world){.dir = "/tmp/registry-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(w->dir));
    w->arena = arena_new();
    w->timers = timers_start();
    world_open(w, ring_max_events);
    world_namespace(w, "ns");
}

static inline void world_start(struct world *w)
{
    world_start_with(w, 0);
}

static inline int world_unlink(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void world_stop(struct world *w)
{
    world_close(w);
    timers_stop(w->timers);
    arena_free(w->arena);
    nftw(w->dir, world_unlink, 8, FTW_DEPTH | FTW_PHYS);
}
