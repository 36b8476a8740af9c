/* SPDX-License-Identifier: Apache-2.0 */
/* The engine below and the caches above it, put together. A committed change goes, on the committer thread: into its cache
 * and ring; the store's revision moves on; its writer is told; and when all of the batch's writers were told, the
 * watchers of the caches that changed are. Changes of one revision enter their caches together. A timer asks for old history to go and for the watches' progress. */
#include "storage.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/cache_internal.h"
#include "storage/expiry.h"
#include "storage/past.h"

#define HISTORY_MS (5 * 60 * 1000)
#define TICK_MS 1000
#define REFRESH_WAIT_MS 3000 /* apiserver pkg/storage/cacher/watch_cache.go, blockTimeout */

/* Somebody who waits for a revision. Whoever takes it off the list, the committer or the timer, tells it. */
struct waiter {
    struct list link;
    struct timer timer;
    struct storage *storage;
    uint64_t revision;
    void (*done)(void *ctx, bool reached);
    void *ctx;
    bool is_taken; /* storage.mu */
};

/* A change whose revision is not complete yet; holds references. */
struct gathered {
    struct cache *cache;
    struct change change;
};

struct storage {
    struct backend *backend;
    struct storage_sink sink;
    struct store_clock clock;
    struct cache **caches; /* by storage prefix, as the keys come at load */
    size_t n_caches;
    struct map by_prefix;
    struct timers *timers; /* NULL: no progress, no waiting */
    struct timer tick;
    struct expiry *expiry; /* NULL: the engine's affair, or there are no timers */
    struct past *past;     /* NULL: the engine knows no more of the past than the caches */
    size_t ring_max_events;
    struct metric_cell *size;
    atomic_bool is_stopping;
    atomic_size_t n_submitting; /* calls into the engine that its stop must wait for */

    bool stores_protobuf;
    int64_t count_ms, count_next_ms; /* start, then the timer */
    struct encryption *encryption; /* NULL: none */
    struct encryption_listener encryption_change;
    struct text key_prefix;        /* "/registry/" */
    atomic_bool has_unreadable;    /* there may be objects that a change of encryption makes readable */

    /* committer only */
    struct cache *dirty; /* changed since the last settled() */
    VEC(struct gathered) gathered; /* of one revision, in order */
    bool is_reloading;

    size_t n_unknown, n_unreadable; /* of the load */
    bool has_history; /* the load has come to where it begins */

    pthread_mutex_t mu;    /* after any cache's */
    struct list waiters;   /* mu */
    atomic_size_t n_waiters; /* a hint, so that a write without waiters takes no lock */
};

static struct metric_family size_metric = {
    .name = "apiserver_storage_size_bytes", .type = METRIC_GAUGE, .stability = "STABLE",
    .help = "Bytes of disk that the store's files take.", .labels = {"storage_cluster_id"}};

/* --- load --------------------------------------------------------------------------------------------------------- */

/* The key under which the engine has it. */
static struct text full_key(struct storage *s, struct buffer *b, struct text path)
{
    buffer_add(b, s->key_prefix);
    buffer_add(b, path);
    return buffer_text(b);
}

/* Stored bytes to an object. On the way they may be decrypted, for which a plugin may be asked; *ret_is_plain says whether
 * that was done, on failure too. */
static int load_object(struct storage *s, struct cache *c, struct text path, struct text key, struct text stored,
                       uint64_t revision, struct object **ret, bool *ret_is_plain, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer scratch = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer full = BUFFER_INIT;
    struct text plain;
    uint32_t sealed_by;
    *ret_is_plain =
        encryption_open(s->encryption, c->type, full_key(s, &full, path), stored, &scratch, &plain, &sealed_by, st) == 0;
    if (!*ret_is_plain)
        return -1;
    if (!c->type->version.n) { /* of no API: what it says is its owner's affair */
        *ret = object_unreadable(c->type, key, plain, revision, TEXT_NONE);
        (*ret)->sealed_by = sealed_by;
        return 0;
    }
    if (object_load(c->type, plain, storage_is_sole_writer(s), revision, ret, st) < 0)
        return -1;
    (*ret)->sealed_by = sealed_by;
    if (text_eq((*ret)->key, key))
        return 0;
    status_set(st, STATUS_INTERNAL_ERROR, "the object under this key calls itself %.*s", TEXT_ARG((*ret)->key));
    object_unref(*ret);
    return -1;
}

/* The cache whose prefix the path begins with. Keys come in order, so mostly it is the last one again. */
static struct cache *cache_of_path(struct storage *s, struct text path, struct text *ret_key)
{
    for (size_t i = 0; i < path.n; i++) {
        struct cache *c = path.p[i] == '/' ? map_get(&s->by_prefix, text_first(path, i)) : NULL;
        if (c) {
            *ret_key = text_from(path, i + 1);
            return c;
        }
    }
    return NULL;
}

static struct object *load_or_keep(struct storage *s, struct cache *c, struct text path, struct text key, struct text stored,
                                   uint64_t revision, bool *ret_is_readable)
{
    CLEANUP(status_clear) struct status why = {0};
    struct object *o;
    bool is_plain;
    *ret_is_readable = load_object(s, c, path, key, stored, revision, &o, &is_plain, &why) == 0;
    if (*ret_is_readable)
        return o;
    log_error("A stored object cannot be read; it is kept, and requests for it fail", LOG_TEXT("key", path),
              LOG_STR("error", why.message));
    atomic_store(&s->has_unreadable, true);
    metric_add(c->counters.decode_errors, 1);
    o = object_unreadable(c->type, key, stored, revision, text_of(why.message));
    o->is_undecrypted = !is_plain;
    return o;
}

static void note_expiry(struct storage *s, struct cache *c, const struct object *o)
{
    if (o->expires_ms && s->expiry)
        expiry_add(s->expiry, c, o);
}

static struct object *load_row(struct storage *s, struct cache *c, struct text key, const struct stored_change *row)
{
    bool is_readable;
    struct object *o = load_or_keep(s, c, row->path, key, row->value, row->revision, &is_readable);
    s->n_unreadable += !is_readable;
    o->expires_ms = row->expires_ms;
    note_expiry(s, c, o);
    return o;
}

/* A change within the kept history: into the state and the ring. */
static int replay(struct storage *s, struct cache *c, struct text key, const struct stored_change *row, struct status *st)
{
    struct object *previous = cache_current(c, key);
    if ((previous ? previous->revision : 0) != row->previous || (!previous && !row->value.p))
        return status_set(st, STATUS_INTERNAL_ERROR, "a change of %.*s is missing", TEXT_ARG(row->path));
    CLEANUP(object_unrefp) struct object *o = row->value.p ? load_row(s, c, key, row) : NULL;
    int64_t age_ms = clock_now_ns() / 1000000 - row->at_ms;
    const struct change ch = {.op = o ? WRITE_PUT : WRITE_DELETE, .revision = row->revision, .object = o,
                              .previous = previous,
                              .at_ms = clock_mono_ms() - (row->at_ms && age_ms > 0 ? age_ms : 0)};
    cache_apply(c, &ch, 1);
    return 0;
}

static int loaded(void *ctx, const struct stored_change *row, struct status *st)
{
    struct storage *s = ctx;
    struct text key;
    struct cache *c = cache_of_path(s, row->path, &key);
    if (!c) {
        if (!s->is_reloading && s->n_unknown++ == 0)
            log_info("The store has keys of unknown resources; they are kept but not served",
                     LOG_TEXT("first", row->path));
        return 0;
    }
    struct object *known = s->is_reloading ? cache_current(c, key) : NULL;
    if (known && known->revision == row->revision) {
        c->n_reused++;
        cache_load(c, object_ref(known));
        return 0;
    }
    if (s->has_history && !s->is_reloading)
        return replay(s, c, key, row, st);
    if (row->value.p)
        cache_load(c, load_row(s, c, key, row));
    return 0;
}

static void history_begins(void *ctx, uint64_t revision)
{
    struct storage *s = ctx;
    s->has_history = true;
    for (size_t i = 0; i < s->n_caches; i++)
        cache_loaded(s->caches[i], revision, s->ring_max_events, s->sink.history_ms);
}

static struct object *decode(void *ctx, struct text path, struct text stored, uint64_t revision)
{
    struct storage *s = ctx;
    struct text key;
    struct cache *c = cache_of_path(s, path, &key);
    bool is_readable;
    if (!c)
        return NULL;
    struct object *known = cache_current(c, key);
    if (known && known->revision == revision)
        return object_ref(known);
    return load_or_keep(s, c, path, key, stored, revision, &is_readable);
}

static bool holds(void *ctx, struct text path)
{
    struct text key;
    struct cache *c = cache_of_path(ctx, path, &key);
    return c && cache_current(c, key);
}

static int encode_plain(struct storage *s, const struct storage_write *w, struct buffer *b, struct status *st)
{
    struct text pieces[2];
    if (s->stores_protobuf && !w->type->is_kept_as_json && object_has_protobuf(w->type))
        return object_stored_protobuf(w->object, w->tree, b, st);
    object_stored(w->object, pieces);
    buffer_room(b, pieces[0].n + pieces[1].n);
    buffer_add(b, pieces[0]);
    buffer_add(b, pieces[1]);
    return 0;
}

static int encode(void *ctx, const struct storage_write *w, struct buffer *b, struct status *st)
{
    struct storage *s = ctx;
    CLEANUP(buffer_deinit) struct buffer plain = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer key = BUFFER_INIT;
    CLEANUP(status_clear) struct status why = {0};
    if (!s->encryption) {
        w->object->sealed_by = encryption_write_id(NULL, w->type);
        return encode_plain(s, w, b, st);
    }
    buffer_add(&key, s->key_prefix);
    buffer_add(&key, w->type->storage_prefix);
    buffer_add_char(&key, '/');
    buffer_add(&key, w->key);
    if (encode_plain(s, w, &plain, st) < 0)
        return -1;
    if (encryption_seal(s->encryption, w->type, buffer_text(&key), buffer_text(&plain), b, &w->object->sealed_by,
                        &why) == 0)
        return 0;
    log_error("An object cannot be encrypted, and so not be stored", LOG_TEXT("key", buffer_text(&key)),
              LOG_STR("error", why.message));
    return status_internal_error(st, "%s", why.message);
}

/* --- what becomes readable later ---------------------------------------------------------------------------------- */

struct revealing {
    VEC(struct revealed) found;
    size_t n_left;
};

static void reveal(struct storage *s, struct cache *c, struct object *o, struct revealing *r)
{
    CLEANUP(buffer_deinit) struct buffer path = BUFFER_INIT;
    CLEANUP(status_clear) struct status why = {0};
    struct object *now;
    bool is_plain;
    buffer_add(&path, c->type->storage_prefix);
    buffer_add_char(&path, '/');
    buffer_add(&path, o->key);
    if (load_object(s, c, buffer_text(&path), o->key, o->json, o->revision, &now, &is_plain, &why) < 0) {
        r->n_left++;
        return;
    }
    now->expires_ms = o->expires_ms;
    vec_push(&r->found, ((struct revealed){o, now}));
}

static void reveal_cache(struct storage *s, struct cache *c, size_t *n_left, size_t *n_found)
{
    struct revealing r = {0};
    struct snapshot snap;
    struct tree_iter it;
    if (!c->type->version.n)
        return;
    cache_snapshot(c, &snap);
    tree_iter_init(&it, &object_tree_ops, snap.tree);
    for (struct object *o; (o = tree_iter_next(&it)) && !atomic_load(&s->is_stopping);)
        if (o->is_unreadable)
            reveal(s, c, o, &r);
    if (r.found.n)
        cache_reveal(c, r.found.p, r.found.n);
    *n_left += r.n_left;
    *n_found += r.found.n;
    for (size_t i = 0; i < r.found.n; i++)
        object_unref(r.found.p[i].object);
    vec_deinit(&r.found);
    snapshot_release(&snap);
}

/* A plugin answers, or there are other keys: what could not be read is tried again. */
static void encryption_changed(struct encryption_listener *l)
{
    struct storage *s = CONTAINER_OF(l, struct storage, encryption_change);
    size_t n_left = 0, n_found = 0;
    if (!atomic_exchange(&s->has_unreadable, false))
        return;
    for (size_t i = 0; i < s->n_caches; i++)
        reveal_cache(s, s->caches[i], &n_left, &n_found);
    if (n_left)
        atomic_store(&s->has_unreadable, true);
    if (n_found)
        log_info("Stored objects have become readable", LOG_U64("objects", n_found), LOG_U64("unreadable", n_left));
}

bool storage_is_stale(struct storage *s, const struct object *o)
{
    uint32_t id = encryption_write_id(s->encryption, o->type);
    return id && o->sealed_by && id != o->sealed_by;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* Moves the satisfied off the list, to be told without the lock. */
static void take_satisfied(struct storage *s, uint64_t revision, struct list *ret)
{
    list_init(ret);
    pthread_mutex_lock(&s->mu);
    list_for_each_safe(l, &s->waiters) {
        if (CONTAINER_OF(l, struct waiter, link)->revision <= revision) {
            list_remove(l);
            list_append(ret, l);
            CONTAINER_OF(l, struct waiter, link)->is_taken = true;
            atomic_fetch_sub(&s->n_waiters, 1);
        }
    }
    pthread_mutex_unlock(&s->mu);
}

static void tell_waiters(struct storage *s, uint64_t revision)
{
    struct list satisfied;
    take_satisfied(s, revision, &satisfied);
    list_for_each_safe(l, &satisfied) {
        struct waiter *w = CONTAINER_OF(l, struct waiter, link);
        timer_cancel(s->timers, &w->timer);
        w->done(w->ctx, true);
        free(w);
    }
}

static struct cache *find_cache(struct storage *s, const struct resource_type *type)
{
    if (type->storage)
        type = type->storage;
    return map_get(&s->by_prefix, type->storage_prefix);
}

static void apply(struct storage *s, struct cache *c, const struct change *changes, size_t n)
{
    cache_apply(c, changes, n);
    if (!c->is_dirty) {
        c->is_dirty = true;
        c->next_dirty = s->dirty;
        s->dirty = c;
    }
}

static void move_on(struct storage *s, uint64_t revision)
{
    atomic_store(&s->clock.revision, revision);
    /* Sequentially consistent on both sides: either this sees the waiter, or the waiter sees the revision. */
    if (atomic_load(&s->n_waiters))
        tell_waiters(s, revision);
}

static void changed(void *ctx, struct storage_write *w)
{
    struct storage *s = ctx;
    const struct change ch = {w->op, w->revision, w->object, w->previous, clock_mono_ms()};
    struct cache *c = find_cache(s, w->type);
    apply(s, c, &ch, 1);
    move_on(s, w->revision);
    if (w->op == WRITE_PUT)
        note_expiry(s, c, w->object);
}

static uint64_t current(void *ctx, const struct storage_write *w)
{
    const struct object *o = cache_current(find_cache(ctx, w->type), w->key);
    return o ? o->revision : 0;
}

/* --- changes as the store tells them ------------------------------------------------------------------------------ */

/* The changes of the revision that has ended, cache by cache. */
static void apply_gathered(struct storage *s)
{
    VEC(struct change) changes = {0};
    if (!s->gathered.n)
        return;
    uint64_t revision = s->gathered.p[0].change.revision;
    for (size_t i = 0; i < s->gathered.n; i++) {
        struct cache *c = s->gathered.p[i].cache;
        if (!c)
            continue;
        changes.n = 0;
        for (size_t k = i; k < s->gathered.n; k++) {
            if (s->gathered.p[k].cache != c)
                continue;
            vec_push(&changes, s->gathered.p[k].change);
            s->gathered.p[k].cache = NULL;
        }
        apply(s, c, changes.p, changes.n);
    }
    vec_deinit(&changes);
    for (size_t i = 0; i < s->gathered.n; i++) {
        object_unref(s->gathered.p[i].change.object);
        object_unref(s->gathered.p[i].change.previous);
    }
    s->gathered.n = 0;
    move_on(s, revision);
}

static void observed(void *ctx, struct text path, struct text stored, uint64_t revision, struct storage_write *own)
{
    struct storage *s = ctx;
    struct text key;
    bool is_readable;
    if (s->gathered.n && s->gathered.p[0].change.revision != revision)
        apply_gathered(s);
    struct cache *c = cache_of_path(s, path, &key);
    if (!c)
        return;
    struct gathered g = {c, {.op = stored.p ? WRITE_PUT : WRITE_DELETE, .revision = revision, .at_ms = clock_mono_ms()}};
    g.change.previous = cache_current(c, key);
    if (!stored.p) {
        if (!g.change.previous)
            return;
    } else if (own) {
        object_seal(own->object, revision);
        g.change.object = object_ref(own->object);
    } else {
        g.change.object = load_or_keep(s, c, path, key, stored, revision, &is_readable);
    }
    object_ref(g.change.previous);
    vec_push(&s->gathered, g);
}

static void reached(void *ctx, uint64_t revision)
{
    struct storage *s = ctx;
    apply_gathered(s);
    if (revision > atomic_load(&s->clock.revision))
        move_on(s, revision);
}

static void reload_begin(void *ctx)
{
    struct storage *s = ctx;
    apply_gathered(s);
    s->is_reloading = true;
    for (size_t i = 0; i < s->n_caches; i++) {
        s->caches[i]->n_reused = 0;
        s->caches[i]->loading = NULL;
    }
}

static void reload_end(void *ctx, uint64_t revision)
{
    struct storage *s = ctx;
    s->is_reloading = false;
    for (size_t i = 0; i < s->n_caches; i++) {
        struct cache *c = s->caches[i];
        struct tree *t = MOVE(c->loading);
        /* As many as there were, and each as it was: nothing has happened here, and history goes on. */
        bool is_same = c->n_reused == tree_count(t) && c->n_reused == cache_count(c);
        if (revision && !is_same)
            cache_replace(c, t, revision);
        else
            tree_unref(&object_tree_ops, t);
    }
    if (!revision)
        return;
    move_on(s, revision);
    atomic_store_explicit(&s->clock.delivered, revision, memory_order_release);
}

static void settled(void *ctx)
{
    struct storage *s = ctx;
    uint64_t revision = atomic_load(&s->clock.revision);
    while (s->dirty) {
        struct cache *c = s->dirty;
        s->dirty = c->next_dirty;
        c->is_dirty = false;
        double n = (double)cache_deliver(c);
        metric_add(c->counters.received, n);
        metric_add(c->counters.dispatched, n);
    }
    atomic_store_explicit(&s->clock.delivered, revision, memory_order_release);
}

static void count(struct storage *s)
{
    s->count_next_ms = clock_mono_ms() + s->count_ms;
    uint64_t reached = storage_revision(s);
    for (size_t i = 0; i < s->n_caches; i++)
        cache_count_up(s->caches[i], reached);
    metric_set(s->size, (double)s->backend->ops->size_bytes(s->backend));
}

static void tick(struct timer *t)
{
    struct storage *s = CONTAINER_OF(t, struct storage, tick);
    for (size_t i = 0; i < s->n_caches; i++) {
        cache_trim(s->caches[i]);
        cache_progress(s->caches[i]);
    }
    past_trim(s->past);
    if (s->backend->ops->trim)
        s->backend->ops->trim(s->backend);
    if (s->count_ms >= 0 && clock_mono_ms() >= s->count_next_ms)
        count(s);
    if (!atomic_load(&s->is_stopping))
        timer_arm(s->timers, &s->tick, TICK_MS);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

static void register_metrics(void)
{
    metrics_register(&size_metric);
}

static void make_cache(struct storage *s, const struct resource_type *type)
{
    struct cache *c = cache_new(type, &s->clock);
    c->has_past = s->backend->ops->read_at;
    s->caches[s->n_caches++] = c;
    map_put(&s->by_prefix, type->storage_prefix, c);
}

static void storage_free(struct storage *s)
{
    for (size_t i = 0; i < s->n_caches; i++)
        cache_unref(s->caches[i]);
    free(s->caches);
    vec_deinit(&s->gathered);
    expiry_free(s->expiry);
    past_free(s->past);
    map_deinit(&s->by_prefix);
    pthread_mutex_destroy(&s->mu);
    free(s);
}

/* For past.c. False: the storage is ending. */
static bool begin_read(void *ctx, struct revision_read *r)
{
    struct storage *s = ctx;
    atomic_fetch_add(&s->n_submitting, 1);
    bool is_stopping = atomic_load(&s->is_stopping);
    if (!is_stopping)
        s->backend->ops->read_at(s->backend, r);
    atomic_fetch_sub(&s->n_submitting, 1);
    return !is_stopping;
}

int storage_start(const struct storage_options *opt, struct storage **ret, struct status *st)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);

    struct storage *s = xcalloc(1, sizeof(*s));
    int64_t begun_ms = clock_mono_ms();
    uint64_t revision;
    s->backend = opt->backend;
    s->sink = (struct storage_sink){.encode = encode, .changed = changed, .observed = observed, .reached = reached,
                                    .settled = settled, .current = current, .loaded = loaded,
                                    .history_begins = history_begins, .reload_begin = reload_begin,
                                    .reload_end = reload_end, .decode = decode, .holds = holds, .ctx = s,
                                    .history_ms = opt->history_ms ? opt->history_ms : HISTORY_MS};
    s->ring_max_events = opt->ring_max_events;
    s->stores_protobuf = opt->stores_protobuf;
    s->count_ms = opt->count_ms;
    s->encryption = opt->encryption;
    s->key_prefix = opt->key_prefix.n ? opt->key_prefix : TEXT("/registry/");
    s->timers = opt->timers;
    s->tick.fire = tick;
    if (s->timers && !s->backend->ops->expires_keys)
        s->expiry = expiry_new(s, s->timers);
    if (s->backend->ops->read_at)
        s->past = past_new(&s->sink, begin_read, s);
    s->size = metric_cell(&size_metric, opt->cluster_id ? opt->cluster_id : s->backend->ops->name);
    pthread_mutex_init(&s->mu, NULL);
    list_init(&s->waiters);
    s->caches = xcalloc(opt->n_types + 1, sizeof(struct cache *));
    for (size_t i = 0; i < opt->n_types; i++)
        make_cache(s, opt->types[i]);

    if (s->backend->ops->start(s->backend, &s->sink, &revision, st) < 0) {
        expiry_stop(s->expiry);
        s->backend->ops->stop(s->backend);
        storage_free(s);
        return -1;
    }
    atomic_store(&s->clock.revision, revision);
    atomic_store(&s->clock.delivered, revision);
    if (!s->has_history)
        history_begins(s, revision);
    size_t n_objects = 0;
    for (size_t i = 0; i < s->n_caches; i++) {
        cache_ready(s->caches[i]);
        n_objects += cache_count(s->caches[i]);
    }
    log_info("Storage started", LOG_STR("engine", s->backend->ops->name), LOG_U64("revision", revision),
             LOG_U64("objects", n_objects), LOG_U64("unreadable", s->n_unreadable), LOG_U64("unknown", s->n_unknown),
             LOG_I64("ms", clock_mono_ms() - begun_ms));
    if (s->count_ms >= 0)
        count(s);
    expiry_start(s->expiry);
    if (s->backend->ops->follow)
        s->backend->ops->follow(s->backend);
    if (s->timers)
        timer_arm(s->timers, &s->tick, TICK_MS);
    s->encryption_change.changed = encryption_changed;
    encryption_listen(s->encryption, &s->encryption_change);
    *ret = s;
    return 0;
}

/* What still waits will see nothing more. */
static void end_waits(struct storage *s)
{
    struct list all;
    take_satisfied(s, UINT64_MAX, &all);
    list_for_each_safe(l, &all) {
        struct waiter *w = CONTAINER_OF(l, struct waiter, link);
        timer_cancel(s->timers, &w->timer);
        w->done(w->ctx, false);
        free(w);
    }
}

void storage_stop(struct storage *s)
{
    if (!s)
        return;
    atomic_store(&s->is_stopping, true);
    encryption_unlisten(s->encryption, &s->encryption_change);
    if (s->timers) {
        timer_cancel(s->timers, &s->tick);
        timer_cancel(s->timers, &s->tick); /* the one that ran meanwhile may have armed it again */
    }
    expiry_stop(s->expiry);
    while (atomic_load(&s->n_submitting))
        sched_yield(); /* a submit only queues */
    s->backend->ops->stop(s->backend);
    for (size_t i = 0; i < s->n_caches; i++)
        cache_end_watches(s->caches[i]);
    end_waits(s);
    storage_free(s);
}

/* --- what the registry calls -------------------------------------------------------------------------------------- */

struct cache *storage_cache(struct storage *s, const struct resource_type *type)
{
    return find_cache(s, type);
}

void storage_bypass(struct storage *s, const struct resource_type *type)
{
    struct cache *c = find_cache(s, type);
    if (c)
        c->is_bypassed = true;
}

uint64_t storage_revision(struct storage *s)
{
    return atomic_load_explicit(&s->clock.revision, memory_order_acquire);
}

static void wait_timed_out(struct timer *t)
{
    struct waiter *w = CONTAINER_OF(t, struct waiter, timer);
    struct storage *s = w->storage;
    pthread_mutex_lock(&s->mu);
    bool is_mine = !w->is_taken;
    if (is_mine) {
        list_remove(&w->link);
        atomic_fetch_sub(&s->n_waiters, 1);
    }
    pthread_mutex_unlock(&s->mu);
    if (is_mine) {
        w->done(w->ctx, false);
        free(w);
    }
}

void storage_wait(struct storage *s, uint64_t revision, int64_t timeout_ms, void (*done)(void *ctx, bool reached),
                  void *ctx)
{
    if (atomic_load(&s->clock.revision) >= revision || !s->timers || atomic_load(&s->is_stopping)) {
        done(ctx, atomic_load(&s->clock.revision) >= revision);
        return;
    }
    struct waiter *w = xmalloc(sizeof(*w));
    *w = (struct waiter){.storage = s, .timer = {.fire = wait_timed_out}, .revision = revision, .done = done,
                         .ctx = ctx};
    pthread_mutex_lock(&s->mu);
    list_append(&s->waiters, &w->link);
    atomic_fetch_add(&s->n_waiters, 1);
    bool is_reached = atomic_load(&s->clock.revision) >= revision; /* see changed() */
    if (is_reached) {
        list_remove(&w->link);
        atomic_fetch_sub(&s->n_waiters, 1);
    } else {
        timer_arm(s->timers, &w->timer, timeout_ms); /* with the lock held: the committer may free w right after */
    }
    pthread_mutex_unlock(&s->mu);
    if (is_reached) {
        free(w);
        done(ctx, true);
    }
}

static void refuse(struct storage_write *w, const char *why)
{
    w->result = WRITE_FAILED;
    status_set(&w->st, STATUS_SERVICE_UNAVAILABLE, "%s", why);
    w->done(w);
}

void storage_submit(struct storage *s, struct storage_write *w)
{
    w->result = WRITE_FAILED;
    w->revision = 0;
    if (!find_cache(s, w->type)) {
        refuse(w, "the resource is not served from this store");
        return;
    }
    atomic_fetch_add(&s->n_submitting, 1);
    bool is_stopping = atomic_load(&s->is_stopping);
    if (!is_stopping)
        s->backend->ops->submit(s->backend, w);
    atomic_fetch_sub(&s->n_submitting, 1);
    if (is_stopping)
        refuse(w, "the server is shutting down");
}

int storage_check(struct storage *s, enum storage_probe probe, struct status *st)
{
    return s->backend->ops->check(s->backend, probe, st);
}

/* --- reads that must be the newest -------------------------------------------------------------------------------- */

struct refresh {
    struct revision_ask ask;
    struct storage *storage;
    void (*done)(void *ctx, struct status *st);
    void *ctx;
};

static void refresh_end(struct refresh *r, struct status *st)
{
    r->done(r->ctx, st);
    status_clear(&r->ask.st);
    free(r);
}

static void refresh_reached(void *ctx, bool reached)
{
    struct refresh *r = ctx;
    if (reached) {
        refresh_end(r, NULL);
        return;
    }
    revision_too_large(&r->ask.st, r->ask.revision, storage_revision(r->storage));
    refresh_end(r, &r->ask.st);
}

static void refresh_told(struct revision_ask *ask)
{
    struct refresh *r = CONTAINER_OF(ask, struct refresh, ask);
    if (!ask->revision)
        refresh_end(r, &ask->st);
    else
        storage_wait(r->storage, ask->revision, REFRESH_WAIT_MS, refresh_reached, r);
}

bool storage_is_sole_writer(const struct storage *s)
{
    return !s->backend->ops->ask_revision;
}

void storage_refresh(struct storage *s, void (*done)(void *ctx, struct status *st), void *ctx)
{
    if (storage_is_sole_writer(s)) {
        done(ctx, NULL);
        return;
    }
    struct refresh *r = xcalloc(1, sizeof(*r));
    r->storage = s;
    r->done = done;
    r->ctx = ctx;
    r->ask.done = refresh_told;
    atomic_fetch_add(&s->n_submitting, 1);
    bool is_stopping = atomic_load(&s->is_stopping);
    if (!is_stopping)
        s->backend->ops->ask_revision(s->backend, &r->ask);
    atomic_fetch_sub(&s->n_submitting, 1);
    if (is_stopping) {
        status_set(&r->ask.st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
        refresh_end(r, &r->ask.st);
    }
}

/* --- reads of the past -------------------------------------------------------------------------------------------- */

void storage_snapshot_at(struct storage *s, struct cache *c, uint64_t revision,
                         void (*done)(void *ctx, struct snapshot *snapshot, struct status *st), void *ctx)
{
    CLEANUP(status_clear) struct status st = {0};
    struct snapshot snapshot;
    if (cache_snapshot_at(c, revision, &snapshot, &st) == 0)
        done(ctx, &snapshot, NULL);
    else if (st.reason == STATUS_EXPIRED && s->past)
        past_snapshot(s->past, c, revision, done, ctx);
    else
        done(ctx, NULL, &st);
}

int revision_parse(struct text t, uint64_t *ret, struct status *st)
{
    uint64_t revision = 0;
    if (t.n && !text_to_u64(t, &revision)) {
        CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
        buffer_add_str(&b, "resourceVersion: Invalid value: ");
        buffer_add_quoted(&b, t);
        buffer_add_str(&b, ": strconv.ParseUint: parsing ");
        buffer_add_quoted(&b, t);
        return status_set(st, STATUS_BAD_REQUEST, "%s: invalid syntax", buffer_str(&b));
    }
    *ret = revision;
    return 0;
}

int revision_too_large(struct status *st, uint64_t revision, uint64_t current)
{
    status_set(st, STATUS_TIMEOUT, "Timeout: Too large resource version: %llu, current: %llu",
               (unsigned long long)revision, (unsigned long long)current);
    st->has_details = true;
    st->retry_after_seconds = 1;
    status_add_cause(st, "ResourceVersionTooLarge", NULL, "Too large resource version");
    return -1;
}
