/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs have in common: waiting for the store, and answering with an object. */
#include "endpoints/endpoints_internal.h"

/* How long a read waits for a revision that the store has not reached. Source: apiserver
 * pkg/storage/cacher/watch_cache.go, blockTimeout. */
#define FRESH_WAIT_MS 3000

static void revision_reached(void *ctx, bool reached)
{
    struct request *r = ctx;
    struct call *c = r->handler_state;

    c->was_reached = reached;
    request_resume(r, FLOW_BLOCK);
}

static enum flow after_wait(struct request *r, struct call *c)
{
    struct status st = {0};

    c->step = c->state_step;
    metric_observe(cache_counters(c->resource->cache)->read_wait,
                   (double)(clock_mono_ns() - c->waits_since_ns) / 1e9);
    if (c->was_reached || c->goes_on_late)
        return c->step(r, c);
    revision_too_large(&st, c->awaited, storage_revision(c->resource->store));
    return request_fail(r, &st);
}

enum flow wait_for_revision(struct request *r, struct call *c, uint64_t revision, call_step next)
{
    c->awaited = revision;
    c->waits_since_ns = clock_mono_ns();
    c->state_step = next;
    c->step = after_wait;
    storage_wait(c->resource->store, revision, FRESH_WAIT_MS, revision_reached, r);
    return FLOW_PARK;
}

static void forget_past(void *past)
{
    struct past_state *p = past;

    snapshot_release(&p->snapshot);
    status_clear(&p->failure);
}

static void past_came(void *ctx, struct snapshot *snapshot, struct status *st)
{
    struct request *r = ctx;
    struct call *c = r->handler_state;

    if (snapshot)
        c->past.snapshot = *snapshot;
    else
        status_move(&c->past.failure, st);
    request_resume(r, FLOW_BLOCK);
}

static enum flow after_past(struct request *r, struct call *c)
{
    c->step = c->state_step;
    return c->step(r, c);
}

enum flow wait_for_listing(struct request *r, struct call *c, uint64_t revision, call_step next)
{
    if (revision > storage_revision(c->resource->store))
        return wait_for_revision(r, c, revision, next);
    if (!c->past.revision)
        arena_defer(r->arena, forget_past, &c->past);
    forget_past(&c->past);
    c->past.revision = revision;
    c->state_step = next;
    c->step = after_past;
    storage_snapshot_at(c->resource->store, c->resource->cache, revision, past_came, r);
    return FLOW_PARK;
}

static void refreshed(void *ctx, struct status *st)
{
    struct request *r = ctx;
    struct call *c = r->handler_state;

    c->was_reached = !st;
    if (st)
        status_move(&c->refresh_failure, st);
    request_resume(r, FLOW_BLOCK);
}

static enum flow after_refresh(struct request *r, struct call *c)
{
    c->step = c->state_step;
    return c->was_reached ? c->step(r, c) : request_fail(r, &c->refresh_failure);
}

enum flow wait_for_newest(struct request *r, struct call *c, call_step next)
{
    if (storage_is_sole_writer(c->resource->store))
        return next(r, c);
    c->state_step = next;
    c->step = after_refresh;
    storage_refresh(c->resource->store, refreshed, r);
    return FLOW_PARK;
}

/* --- objects as answers --- */

#define CHEAP_BYTES 65536

bool response_is_cheap(const struct call *c, const struct object *o)
{
    return c->rep.form == &form_json && c->rep.kind == o->type->kind && c->rep.accepted.media == MEDIA_JSON &&
           !c->rep.is_pretty && o->json.n <= CHEAP_BYTES;
}

static void unref_object(void *o)
{
    object_unref(o);
}

enum flow respond_object(struct request *r, struct call *c, int code, struct object *o)
{
    struct buffer scratch = BUFFER_IN(r->arena);
    struct status st = {0};
    struct text body;

    arena_defer(r->arena, unref_object, o);
    if (table_options_read(r, &c->rep, &st) < 0)
        return request_fail(r, &st);
    body = c->rep.form->single(&c->rep, o, &scratch);
    if (!body.p) {
        status_internal_error(&st, "the object cannot be shown as %s", c->rep.form->name);
        return request_fail(r, &st);
    }
    if (c->rep.accepted.media == MEDIA_PROTOBUF) {
        response_bytes(r, code, c->rep.accepted.content_type, body);
        return FLOW_DONE;
    }
    if (body.p != scratch.p) {
        buffer_room(&scratch,
                    body.n + 1); /* respond_json adds the newline that upstream's encoder ends with */
        buffer_add(&scratch, body);
    }
    return respond_json(r, code, &c->rep.accepted, c->rep.is_pretty, &scratch);
}
