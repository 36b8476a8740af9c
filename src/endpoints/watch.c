/* SPDX-License-Identifier: Apache-2.0 */
/* Watches. A watcher is a parked connection with a stream, a place in the cache's list of watchers, and a
 * timer; no thread.
 *
 *   initial --all of the snapshot was pushed--> live --timeout, shutdown, error--> finishing --> closed
 *
 * The objects that a watch begins with are pushed as the connection takes them (the stream's drained),
 * however many there are; the cache's events follow from the snapshot's revision on. A live watcher that does
 * not keep up is cut off. An event is framed once and shared by all watchers of the same form (watch_frames.c).
 *
 * Life: a watch has two references. The stream's goes with closed(), the request's with
 * watch_request_ended(). What calls into it stops before: the cache's callbacks and the timer end in
 * closed(). Source: kubernetes/apiserver pkg/endpoints/handlers/get.go, watch.go; pkg/storage/cacher. */

#include <inttypes.h>

#include "base/features.h"
#include "endpoints/endpoints_internal.h"
#include "endpoints/watch_frames.h"

#define QUEUE_MAX (64 << 20)      /* what a replay of the ring may take at most */
#define SLOW_BYTES (4 << 20)      /* a live watcher that lags by more than this is cut off */
#define INITIAL_BATCH (256 << 10) /* how much of the initial objects is queued at once */
#define BOOKMARK_MS 60000
#define LAST_BOOKMARK_MS 2000 /* before the timeout. Source: cacher.go, bookmarkTimeBudget */

struct watch {
    struct list link; /* endpoints.watches_mu */
    atomic_uint refs;
    struct endpoints *e;

    /* set before the first event, then read-only */
    struct representation rep;
    struct selector *labels, *fields;
    char *namespace;
    struct stream *stream; /* our reference */
    bool has_bookmarks, wants_initial, wants_end_bookmark;
    struct watch_counters counters;
    bool is_counted;   /* its events are; upstream does not count those of WebSockets */
    int64_t asked_ns;  /* when the request came */
    size_t frame_skip; /* WebSocket messages have lengths of their own: what of a frame is not sent */
    int64_t ends_at_ms;

    struct listing listing; /* WATCH_INITIAL: the starting thread, then the event loop */
    bool has_listing;

    pthread_mutex_t order_mu; /* pushes in order: events by the committer, bookmarks by the timer */
    uint64_t revision;        /* everything up to it was pushed */
    uint64_t began_at;        /* bookmarks are of later revisions; a watch may begin in the future */
    struct buffer scratch;

    pthread_mutex_t
        mu; /* the next two; held while the timer is armed, so that none is armed behind is_closed */
    struct watcher *watcher;
    bool is_closed;

    atomic_size_t slow_bytes; /* 0: not live yet; a live watcher with more than this waiting is cut off */
    struct timer timer;
};

static void watch_unref(struct watch *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (w->has_listing)
        listing_close(&w->listing);
    free(w->labels);
    free(w->fields);
    free(w->namespace);
    buffer_deinit(&w->scratch);
    stream_unref(w->stream);
    pthread_mutex_destroy(&w->order_mu);
    pthread_mutex_destroy(&w->mu);
    free(w);
}

void watch_request_ended(struct watch *w)
{
    watch_unref(w);
}

/* --- pushing --- */

/* An error is the last event of a watch. Takes st. */
static void push_error(struct watch *w, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a);
    struct blob *blob;

    if (w->rep.accepted.media == MEDIA_PROTOBUF)
        status_encode_protobuf(a, &b, st);
    else
        status_write_json(&b, st);
    blob = frame_new(&w->rep, event_type_name(EVENT_ERROR), buffer_text(&b));
    stream_push(w->stream, blob, text_from(blob_text(blob), w->frame_skip));
    blob_unref(blob);
    status_clear(st);
    stream_finish(w->stream);
}

/* What is gone could not be read; that it is gone is told all the same, by an error. Source: kubernetes/apiserver
 * pkg/storage/etcd3/watcher.go, transformIfCorruptObjectError; errors.go, interpretWatchError. */
static void removal_status(struct status *st, const struct object *o)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text what = object_corruption(a, o);

    if (o->is_undecrypted && feature_is_on(FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION))
        status_record(st, STATUS_STORE_READ_ERROR, "saw a DELETED event, but object data is corrupt - %.*s", TEXT_ARG(what));
    else
        status_internal_error(st, "%.*s", TEXT_ARG(object_problem(o)));
}

/* A hole would be worse than an end. */
static void push_unreadable(struct watch *w, enum event_type type, struct object *o)
{
    struct status st = {0};

    if (type == EVENT_DELETED)
        removal_status(&st, o);
    else
        unreadable_status(&st, w->rep.resource, o);
    push_error(w, &st);
}

static bool push_object_locked(struct watch *w, enum event_type type, struct object *o)
{
    struct blob *blob;
    bool is_open;

    if (o->is_unreadable) {
        push_unreadable(w, type, o);
        return false;
    }
    blob = frames_event(&w->e->frames, &w->rep, type, o, &w->scratch);

    if (!blob) { /* a hole would be worse than an end */
        stream_abort(w->stream);
        return false;
    }
    is_open = stream_push(w->stream, blob, text_from(blob_text(blob), w->frame_skip));
    if (w->is_counted) {
        size_t lead = w->rep.accepted.media == MEDIA_PROTOBUF ? FRAME_LENGTH_BYTES : 0;
        metric_add(w->counters.events, 1);
        metric_observe(w->counters.sizes, (double)(blob->n - lead));
    }
    blob_unref(blob);
    return is_open;
}

/* A bookmark is an object of the kind that has nothing but a revision, so that every form can show it. */
static void push_bookmark_locked(struct watch *w, bool is_initial_end)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct resource_type *type = w->rep.resource->storage;
    struct value tree = value_object(), metadata = value_object(), annotations = value_object();
    struct buffer json = BUFFER_IN(a);
    struct object *o;

    value_add(a, &tree, TEXT("kind"), value_string(type->kind->gvk.kind));
    value_add(a, &tree, TEXT("apiVersion"), value_string(type->kind->api_version));
    value_add(a, &metadata, TEXT("resourceVersion"), value_string(arena_textf(a, "%" PRIu64, w->revision)));
    if (is_initial_end) {
        value_add(a, &annotations, TEXT("k8s.io/initial-events-end"), value_string(TEXT("true")));
        value_add(a, &metadata, TEXT("annotations"), annotations);
    }
    value_add(a, &tree, TEXT("metadata"), metadata);
    if (schema_decode(a, type->kind->schema, &tree, NULL, &st) < 0)
        return;
    schema_encode(&json, type->kind->schema, &tree, NULL);
    o = object_new(type, buffer_text(&json), json.n, &tree);
    object_seal_dry(o);
    o->revision = w->revision; /* as its bytes say; tables ask for it */
    push_object_locked(w, EVENT_BOOKMARK, o);
    object_unref(o);
}

/* --- the cache calls --- */

static void watch_event(void *ctx, enum event_type type, struct object *o, const struct event *e)
{
    struct watch *w = ctx;

    size_t slow_bytes = atomic_load_explicit(&w->slow_bytes, memory_order_relaxed);

    pthread_mutex_lock(&w->order_mu);
    if (push_object_locked(w, type, o) && slow_bytes && stream_queued_bytes(w->stream) > slow_bytes) {
        log_info("Watcher is too slow and is cut off", LOG_TEXT("resource", w->rep.resource->type->name));
        metric_add(cache_counters(w->rep.resource->cache)->terminated, 1);
        stream_abort(w->stream);
    }
    if (e)
        w->revision = e->revision;
    pthread_mutex_unlock(&w->order_mu);
}

static void watch_progress(void *ctx, uint64_t revision)
{
    struct watch *w = ctx;

    pthread_mutex_lock(&w->order_mu);
    if (revision > w->revision)
        w->revision = revision;
    pthread_mutex_unlock(&w->order_mu);
}

static void watch_ended(void *ctx)
{
    struct watch *w = ctx;

    stream_finish(w->stream);
}

static const struct watcher_ops watcher_ops = {
    .event = watch_event,
    .progress = watch_progress,
    .ended = watch_ended,
};

/* --- starting --- */

/* Events after the revision, from now on. -1: st. */
static int go_live(struct watch *w, uint64_t revision, struct status *st)
{
    const struct watch_options opt = {
        .ops = &watcher_ops,
        .ctx = w,
        .namespace = text_of(w->namespace),
        .name = selector_single_name(w->fields),
        .labels = w->labels,
        .fields = w->fields,
        .from = WATCH_FROM_REVISION,
        .revision = revision,
    };
    struct watcher *watcher, *stray = NULL;
    uint64_t began;

    if (watch_start(w->rep.resource->cache, &opt, &watcher, &began, st) < 0)
        return -1;
    pthread_mutex_lock(&w->mu);
    if (w->is_closed)
        stray = watcher;
    else
        w->watcher = watcher;
    pthread_mutex_unlock(&w->mu);
    atomic_store(&w->slow_bytes,
                 SLOW_BYTES +
                     stream_queued_bytes(w->stream)); /* what the ring replayed is no delay of the client's */
    if (stray)
        watch_stop(stray);
    return 0;
}

/* Pushes the next of the initial objects; at their end the watch goes live. */
static void pump(struct watch *w)
{
    struct status st = {0};
    struct object *o;
    bool is_open = true;

    pthread_mutex_lock(&w->order_mu);
    size_t n = 0;
    for (; is_open && stream_queued_bytes(w->stream) < INITIAL_BATCH && (o = listing_next(&w->listing)); n++)
        is_open = push_object_locked(w, EVENT_ADDED, o);
    metric_add(cache_counters(w->rep.resource->cache)->init_events, (double)n);
    if (!is_open || stream_queued_bytes(w->stream) >= INITIAL_BATCH) {
        pthread_mutex_unlock(&w->order_mu);
        return; /* drained() goes on, unless it is over */
    }
    w->revision = w->began_at = w->listing.revision;
    if (w->wants_end_bookmark) {
        push_bookmark_locked(w, true);
        metric_observe(w->counters.list_duration, (double)(clock_mono_ns() - w->asked_ns) / 1e9);
    }
    pthread_mutex_unlock(&w->order_mu);
    w->has_listing = false;
    listing_close(&w->listing);
    if (go_live(w, w->revision, &st) < 0)
        push_error(w, &st);
}

static void watch_drained(void *ctx)
{
    struct watch *w = ctx;

    if (w->has_listing)
        pump(w);
}

static void watch_closed(void *ctx)
{
    struct watch *w = ctx;
    struct watcher *watcher;

    pthread_mutex_lock(&w->mu);
    w->is_closed = true;
    watcher = MOVE(w->watcher);
    pthread_mutex_unlock(&w->mu);
    timer_cancel(w->e->opt.timers, &w->timer);
    if (watcher)
        watch_stop(watcher);
    if (w->counters.running)
        metric_add(w->counters.running, -1);
    pthread_mutex_lock(&w->e->watches_mu);
    list_remove(&w->link);
    w->e->n_watches--;
    pthread_mutex_unlock(&w->e->watches_mu);
    watch_unref(w);
}

static const struct stream_ops stream_ops = {.closed = watch_closed, .drained = watch_drained};

/* --- time --- */

static void arm_timer(struct watch *w)
{
    int64_t left = w->ends_at_ms - clock_mono_ms(), delay = left;

    if (w->has_bookmarks && left > LAST_BOOKMARK_MS) {
        delay = left - LAST_BOOKMARK_MS;
        if (delay > BOOKMARK_MS)
            delay = BOOKMARK_MS;
    }
    pthread_mutex_lock(&w->mu);
    if (!w->is_closed)
        timer_arm(w->e->opt.timers, &w->timer, delay > 0 ? delay : 0);
    pthread_mutex_unlock(&w->mu);
}

static void watch_timer(struct timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, timer);

    if (clock_mono_ms() >= w->ends_at_ms) {
        stream_finish(w->stream);
        return;
    }
    pthread_mutex_lock(&w->order_mu);
    if (w->has_bookmarks && w->revision > w->began_at)
        push_bookmark_locked(w, false);
    pthread_mutex_unlock(&w->order_mu);
    arm_timer(w);
}

/* Spread out, so that watches begun together do not end together. */
static int64_t random_timeout_ms(const struct endpoints *e)
{
    int64_t least = (e->opt.min_request_timeout_s ? e->opt.min_request_timeout_s : 1800) * 1000LL;
    uint32_t random;

    random_bytes(&random, sizeof(random));
    return least + (int64_t)((double)least * (random / 4294967296.0));
}

/* Below zero: the watch ends as it begins. */
static int64_t given_timeout_ms(int64_t seconds)
{
    const int64_t most = 365LL * 24 * 3600;

    return seconds < 0 ? 0 : (seconds < most ? seconds : most) * 1000;
}

/* --- the verb --- */

static struct watch *watch_new(struct call *c, const struct list_options *o)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    w->e = c->e;
    w->refs = 2;
    w->rep = c->rep;
    w->rep.accepted.as_version = c->rep.accepted.as_version.n > 2 ? TEXT("v1beta1") : TEXT("v1");
    w->labels = selector_copy(&o->labels);
    w->fields = selector_copy(&o->fields);
    w->namespace = xcalloc(1, c->namespace.n + 1);
    if (c->namespace.n)
        memcpy(w->namespace, c->namespace.p, c->namespace.n);
    w->has_bookmarks = o->allow_bookmarks;
    w->ends_at_ms =
        clock_mono_ms() + (o->timeout_s ? given_timeout_ms(o->timeout_s) : random_timeout_ms(c->e));
    w->timer.fire = watch_timer;
    pthread_mutex_init(&w->mu, NULL);
    pthread_mutex_init(&w->order_mu, NULL);
    w->stream = stream_new(&stream_ops, w, QUEUE_MAX);
    return w;
}

/* False: the server is shutting down. */
static bool enlist(struct watch *w)
{
    bool is_welcome;

    pthread_mutex_lock(&w->e->watches_mu);
    is_welcome = !w->e->is_ending;
    if (is_welcome) {
        list_append(&w->e->watches, &w->link);
        w->e->n_watches++;
    }
    pthread_mutex_unlock(&w->e->watches_mu);
    return is_welcome;
}

/* What the watch begins with: a snapshot's objects or the events after a revision. Errors past this point are
 * events. */
static void begin(struct watch *w, const struct list_options *o, uint64_t revision)
{
    struct list_request request = {
        .namespace = text_of(w->namespace), .labels = w->labels, .fields = w->fields};
    struct status st = {0};
    uint64_t wait_for = 0;

    if (!w->wants_initial) {
        w->revision = w->began_at = revision;
        if (go_live(w, revision, &st) < 0)
            push_error(w, &st);
        return;
    }
    if (listing_open(&w->listing, w->rep.resource, &request, &wait_for, &st) < 0) {
        push_error(w, &st);
        return;
    }
    w->has_listing = true;
    pump(w);
}

/* The initial objects cannot be as fresh as the client wants them. Past the checks of its options, what goes
 * wrong is told within the watch. */
static void push_too_large(struct watch *w, uint64_t revision)
{
    struct status st = {0};

    revision_too_large(&st, revision, storage_revision(w->rep.resource->store));
    push_error(w, &st);
}

struct watch_call {
    struct list_options options;
    uint64_t revision;
};

static enum flow start_watch(struct request *r, struct call *c)
{
    struct watch_call *call = c->state;
    const struct list_options *o = &call->options;
    bool is_from_any = call->revision == 0, is_late = c->goes_on_late && !c->was_reached;
    struct watch *w = watch_new(c, o);

    w->wants_initial = o->has_initial_events ? o->send_initial_events : is_from_any;
    w->wants_end_bookmark = o->send_initial_events && o->allow_bookmarks;
    if (!enlist(w)) {
        struct status st = {0};
        watch_unref(w);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): watch_new gave two references, ours and the stream's */
        watch_unref(w);
        status_set(&st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
        return request_fail(r, &st);
    }
    c->watch = w;
    watch_counters_find(&w->counters, r, c->resource);
    metric_add(w->counters.running, 1);
    w->asked_ns = r->start_ns;
    bool is_text = w->rep.accepted.media != MEDIA_PROTOBUF, is_websocket = websocket_is_wanted(r);
    w->is_counted = !is_websocket;
    w->frame_skip = is_websocket && !is_text ? FRAME_LENGTH_BYTES : 0;
    r->is_long_running = true;
    r->deadline_ms = 0;
    /* Not asked for anything but what comes next, from wherever the store is. */
    if (is_late)
        push_too_large(w, call->revision);
    else
        begin(w, o, is_from_any ? storage_revision(c->resource->store) : call->revision);
    arm_timer(w);
    if (is_websocket)
        response_websocket(r, stream_ref(w->stream), is_text);
    else
        response_stream(r, 200,
                        is_text ? "application/json" : "application/vnd.kubernetes.protobuf;stream=watch",
                        stream_ref(w->stream));
    return FLOW_DONE;
}

enum flow call_watch(struct request *r, struct call *c)
{
    struct watch_call *call = ARENA_NEW(r->arena, struct watch_call);
    struct status st = {0};

    c->state = call;
    if (representation_choose(r, c->resource, c->sub, false, &c->rep, &st) < 0 ||
        list_options_read(r, c, true, &call->options, &st) < 0 || table_options_read(r, &c->rep, &st) < 0)
        return request_fail(r, &st);
    if (revision_of_query(r, &call->revision, &st) < 0)
        return request_fail(r, &st);
    if (c->rep.accepted.media == MEDIA_YAML) {
        status_set(&st, STATUS_NOT_ACCEPTABLE,
                   "only the following media types are accepted: application/json;stream=watch, "
                   "application/vnd.kubernetes.protobuf;stream=watch");
        return request_fail(r, &st);
    }
    /* Initial objects that are as fresh as a revision of the future have to wait for it; a plain watch just
     * begins there. */
    if (call->options.send_initial_events && call->revision > storage_revision(c->resource->store)) {
        c->goes_on_late = true;
        return wait_for_revision(r, c, call->revision, start_watch);
    }
    if (call->options.send_initial_events && !request_query(r, "resourceVersion").n)
        return wait_for_newest(r, c, start_watch);
    return start_watch(r, c);
}

void endpoints_end_watches(struct endpoints *e)
{
    pthread_mutex_lock(&e->watches_mu);
    e->is_ending = true;
    list_for_each(link, &e->watches) stream_finish(CONTAINER_OF(link, struct watch, link)->stream);
    pthread_mutex_unlock(&e->watches_mu);
}

size_t endpoints_n_watches(const struct endpoints *e)
{
    struct endpoints *mut = (struct endpoints *)e; /* for its mutex */
    size_t n;

    pthread_mutex_lock(&mut->watches_mu);
    n = mut->n_watches;
    pthread_mutex_unlock(&mut->watches_mu);
    return n;
}
