/* SPDX-License-Identifier: Apache-2.0 */
/* Both engines are driven by a sink of our own that keeps bytes instead of objects: what the source feeds in at its start is
 * sorted by revision and handed to the target as writes. An engine without other writers keeps the order of its queue, so
 * many writes may be on their way; one with others (etcd) is given one write at a time. */
#include "storage/migrate.h"

#include <pthread.h>
#include <stdlib.h>

#include "base.h"

#define UNDER_WAY_MAX 256
/* Where the source does not say when an event ends. */
#define EVENT_TTL_MS (3600 * 1000)

struct row {
    struct text path, value; /* malloc'd */
    uint64_t revision;
    int64_t expires_ms;
    bool is_seen; /* the target's engine has told of it */
};

/* Everything of one store, by path. */
struct rows {
    struct map by_path; /* struct row */
    bool sets_expiry;   /* the engine keeps ends to itself */
};

static void row_free(struct row *r)
{
    if (!r)
        return;
    free((char *)r->path.p);
    free((char *)r->value.p);
    free(r);
}

static void rows_deinit(struct rows *rows)
{
    struct map_slot *slot;
    for (size_t i = 0; (slot = map_next(&rows->by_path, &i));)
        row_free(slot->value);
    map_deinit(&rows->by_path);
}

static struct text copy_of(struct text t)
{
    char *p = xmalloc(t.n);
    if (t.n)
        memcpy(p, t.p, t.n);
    return (struct text){p, t.n};
}

static int64_t expiry_of(const struct rows *rows, const struct stored_change *c)
{
    if (c->expires_ms || !rows->sets_expiry || !text_starts(c->path, TEXT("events/")))
        return c->expires_ms;
    return clock_now_ns() / 1000000 + EVENT_TTL_MS;
}

/* --- sinks ---------------------------------------------------------------------------------------------------------- */

static int loaded(void *ctx, const struct stored_change *c, struct status *st)
{
    struct rows *rows = ctx;
    (void)st;
    if (text_starts(c->path, TEXT("masterleases/")))
        return 0;
    row_free(map_remove(&rows->by_path, c->path));
    if (!c->value.p)
        return 0;
    struct row *r = xcalloc(1, sizeof(*r));
    *r = (struct row){.path = copy_of(c->path), .value = copy_of(c->value), .revision = c->revision,
                      .expires_ms = expiry_of(rows, c)};
    map_put(&rows->by_path, r->path, r);
    return 0;
}

static void history_begins(void *ctx, uint64_t revision)
{
}

static void ignore_write(void *ctx, struct storage_write *w)
{
}

static void ignore_revision(void *ctx, uint64_t revision)
{
}

static void ignore(void *ctx)
{
}

static uint64_t nothing_current(void *ctx, const struct storage_write *w)
{
    return 0; /* the target is empty, and each key written once */
}

static struct object *decode_nothing(void *ctx, struct text path, struct text stored, uint64_t revision)
{
    return NULL;
}

/* While writing, ctx is the source's rows. */
static void observed(void *ctx, struct text path, struct text stored, uint64_t revision, struct storage_write *own)
{
    struct row *r = map_get(&((struct rows *)ctx)->by_path, path);
    if (r)
        r->is_seen = stored.p != NULL;
}

static bool holds(void *ctx, struct text path)
{
    const struct row *r = map_get(&((struct rows *)ctx)->by_path, path);
    return r && r->is_seen;
}

/* One object on its way into the target. */
struct copying {
    struct storage_write write;
    struct target *target;
    struct row *row;
};

static int encode(void *ctx, const struct storage_write *w, struct buffer *b, struct status *st)
{
    buffer_add(b, CONTAINER_OF(w, struct copying, write)->row->value);
    return 0;
}

static const struct storage_sink quiet_sink = {
    .encode = encode,
    .changed = ignore_write,
    .observed = observed,
    .reached = ignore_revision,
    .settled = ignore,
    .current = nothing_current,
    .loaded = loaded,
    .history_begins = history_begins,
    .history_ms = 60 * 60 * 1000,
    .reload_begin = ignore,
    .reload_end = ignore_revision,
    .holds = holds,
    .decode = decode_nothing,
};

/* Reads all of a store. */
static int read_store(const struct migrate_store *store, struct rows *rows, uint64_t *ret_revision, struct status *st)
{
    struct backend *b;
    struct storage_sink sink = quiet_sink;
    sink.ctx = rows;
    if (store->open(store->ctx, &b, st) < 0)
        return -1;
    rows->sets_expiry = b->ops->expires_keys;
    int rc = b->ops->start(b, &sink, ret_revision, st);
    b->ops->stop(b);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

struct target {
    struct backend *backend;
    struct storage_sink sink;
    struct rows before;  /* what is there already */
    struct rows *source;
    struct map types;    /* struct resource_type, by the first part of paths */
    struct arena *arena; /* of the types */
    struct value tree;   /* of the object that stands for all */

    pthread_mutex_t mu;
    pthread_cond_t done;
    size_t n_under_way; /* mu */
    bool has_failed;    /* mu */
    struct status st;   /* mu */
};

static int target_loaded(void *ctx, const struct stored_change *c, struct status *st)
{
    return loaded(&((struct target *)ctx)->before, c, st);
}

static void target_observed(void *ctx, struct text path, struct text stored, uint64_t revision, struct storage_write *own)
{
    observed(((struct target *)ctx)->source, path, stored, revision, own);
}

static bool target_holds(void *ctx, struct text path)
{
    return holds(((struct target *)ctx)->source, path);
}

static void copied(struct storage_write *w)
{
    struct copying *c = CONTAINER_OF(w, struct copying, write);
    struct target *t = c->target;
    pthread_mutex_lock(&t->mu);
    if (w->result != WRITE_DONE && !t->has_failed) {
        t->has_failed = true;
        status_set(&t->st, STATUS_INTERNAL_ERROR, "writing %.*s: %s", TEXT_ARG(c->row->path),
                   w->result == WRITE_CONFLICT ? "somebody else has written it" : w->st.message);
    }
    t->n_under_way--;
    pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->mu);
    object_unref(w->object);
    object_unref(w->found);
    status_clear(&w->st);
    free(c);
}

/* Engines know a key as a type's prefix and a rest: here the first part of the path and all behind it. */
static const struct resource_type *type_of(struct target *t, struct text first)
{
    struct resource_type *type = map_get(&t->types, first);
    if (!type) {
        type = ARENA_NEW(t->arena, struct resource_type);
        type->name = type->storage_prefix = arena_text(t->arena, first);
        map_put(&t->types, type->name, type);
    }
    return type;
}

static bool write_row(struct target *t, struct row *r, size_t under_way_max)
{
    static const struct text json = TEXT("{\"metadata\":{\"name\":\"x\"}}");
    struct text rest = r->path, first;
    struct copying *c = xcalloc(1, sizeof(*c));
    text_split(&rest, '/', &first);
    c->target = t;
    c->row = r;
    c->write = (struct storage_write){.type = type_of(t, first), .op = WRITE_PUT, .key = rest, .done = copied};
    c->write.object = object_new(c->write.type, json, sizeof("{\"metadata\":{") - 1, &t->tree);
    c->write.object->expires_ms = r->expires_ms;
    pthread_mutex_lock(&t->mu);
    while (t->n_under_way >= under_way_max)
        pthread_cond_wait(&t->done, &t->mu);
    bool goes_on = !t->has_failed;
    t->n_under_way++;
    pthread_mutex_unlock(&t->mu);
    c->write.result = WRITE_FAILED;
    t->backend->ops->submit(t->backend, &c->write);
    return goes_on;
}

static int order_cmp(const void *a, const void *b)
{
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    return x->revision != y->revision ? (x->revision < y->revision ? -1 : 1) : text_cmp(x->path, y->path);
}

/* The rows in order, malloc'd. */
static struct row **in_order(const struct rows *rows)
{
    struct row **list = xmalloc((rows->by_path.n + 1) * sizeof(*list));
    struct map_slot *slot;
    size_t n = 0;
    for (size_t i = 0; (slot = map_next(&rows->by_path, &i));)
        list[n++] = slot->value;
    if (n)
        qsort(list, n, sizeof(*list), order_cmp);
    return list;
}

static int write_rows(struct target *t, struct status *st)
{
    size_t n = t->source->by_path.n, under_way_max = t->backend->ops->ask_revision ? 1 : UNDER_WAY_MAX;
    struct row **list = in_order(t->source);
    bool goes_on = true;
    for (size_t i = 0; i < n && goes_on; i++)
        goes_on = write_row(t, list[i], under_way_max);
    pthread_mutex_lock(&t->mu);
    while (t->n_under_way)
        pthread_cond_wait(&t->done, &t->mu);
    pthread_mutex_unlock(&t->mu);
    free(list);
    if (!t->has_failed)
        return 0;
    status_move(st, &t->st);
    return -1;
}

static int write_store(const struct migrate_store *store, struct rows *source, struct status *st)
{
    static const struct json_options options = {0};
    struct target t = {.source = source, .sink = quiet_sink, .arena = arena_new()};
    uint64_t revision;
    pthread_mutex_init(&t.mu, NULL);
    pthread_cond_init(&t.done, NULL);
    t.sink.ctx = &t;
    t.sink.loaded = target_loaded;
    t.sink.observed = target_observed;
    t.sink.holds = target_holds;
    json_read(t.arena, TEXT("{\"metadata\":{\"name\":\"x\"}}"), &options, &t.tree, st);
    int rc = store->open(store->ctx, &t.backend, st);
    if (rc == 0) {
        rc = t.backend->ops->start(t.backend, &t.sink, &revision, st);
        if (rc == 0 && t.before.by_path.n)
            rc = status_set(st, STATUS_ALREADY_EXISTS, "the target is not empty, it has %zu objects", t.before.by_path.n);
        if (rc == 0 && t.backend->ops->follow)
            t.backend->ops->follow(t.backend);
        if (rc == 0)
            rc = write_rows(&t, st);
        t.backend->ops->stop(t.backend);
    }
    rows_deinit(&t.before);
    map_deinit(&t.types);
    arena_free(t.arena);
    status_clear(&t.st);
    pthread_mutex_destroy(&t.mu);
    pthread_cond_destroy(&t.done);
    return rc;
}

/* --- the look at what was written ---------------------------------------------------------------------------------------- */

static int compare(const struct rows *source, const struct rows *target, struct status *st)
{
    struct row **a = in_order(source), **b = in_order(target);
    size_t n = source->by_path.n, i = 0;
    int rc = 0;
    if (n != target->by_path.n)
        rc = status_set(st, STATUS_INTERNAL_ERROR, "%zu objects were written, %zu are there", n, target->by_path.n);
    while (rc == 0 && i < n && text_eq(a[i]->path, b[i]->path) && text_eq(a[i]->value, b[i]->value))
        i++;
    if (rc == 0 && i < n)
        rc = status_set(st, STATUS_INTERNAL_ERROR, "%.*s is not there as it was written", TEXT_ARG(a[i]->path));
    free(a);
    free(b);
    return rc;
}

static int check_paths(const struct rows *rows, struct status *st)
{
    struct map_slot *slot;
    for (size_t i = 0; (slot = map_next(&rows->by_path, &i));)
        if (text_find(slot->key, '/') < 1)
            return status_set(st, STATUS_INTERNAL_ERROR, "the source has the key %.*s, which is no object's",
                              TEXT_ARG(slot->key));
    return 0;
}

int storage_migrate(const struct migrate_store *from, const struct migrate_store *to, struct migrated *ret,
                    struct status *st)
{
    struct rows source = {0}, target = {0};
    uint64_t revision = 0, unused;
    int rc = 0;
    if (read_store(from, &source, &revision, st) < 0 || check_paths(&source, st) < 0)
        rc = status_wrap(st, "--from");
    else if (write_store(to, &source, st) < 0 || read_store(to, &target, &unused, st) < 0 ||
             compare(&source, &target, st) < 0)
        rc = status_wrap(st, "--to");
    if (rc == 0)
        *ret = (struct migrated){source.by_path.n, revision};
    rows_deinit(&source);
    rows_deinit(&target);
    return rc;
}
