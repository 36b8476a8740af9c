/* SPDX-License-Identifier: Apache-2.0 */
/* The one watch stream. It is of every key of the store, not of our prefix only, and that is how the caches' freshness is
 * known: each revision of etcd changes at least one key, so each one arrives here, and the caches are at revision N as soon
 * as the change of N has come, whoever made it and wherever it lies. A watch of a prefix would leave gaps that only a
 * progress message can close, which the gateway cannot ask a running stream for.
 *
 * After a cut the stream goes on behind the last revision that was applied. When that is compacted, or the stream says what
 * cannot be read, everything is loaded anew, page by page at one revision, and the stream begins behind it.
 * A stream that says nothing although other answers tell of newer revisions is cut and begun at the next server. */
#include <stdlib.h>

#include "storage/etcd_internal.h"

#define LINE_MAX_BYTES ((size_t)512 << 20) /* one message: etcd sends at most a thousand revisions in one */
#define PAGE_TIMEOUT_MS 30000
#define SILENT_MS 3000
#define STEADY_MS 2000 /* a stream that lived so long was a good one */
#define PAUSE_MAX_MS 1000

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void apply_event(struct etcd *e, const struct etcd_event *event)
{
    struct text full, path, stored = TEXT_NONE;
    if (event->kv.mod_revision <= e->applied || !etcd_decode_path(e, event->kv.key, &full, &path))
        return;
    struct storage_write *own = writes_observe(e, full, event);
    if (!event->is_delete && own) {
        stored = TEXT("own");
    } else if (!event->is_delete) {
        buffer_clear(&e->value);
        buffer_room(&e->value, 1); /* an empty value is no deletion */
        if (!base64_add_decoded(&e->value, BASE64_STANDARD, event->kv.value))
            buffer_add_str(&e->value, "(not base64)"); /* kept as unreadable */
        stored = buffer_text(&e->value);
    }
    e->sink->observed(e->sink->ctx, path, stored, event->kv.mod_revision, own);
}

static void has_reached(struct etcd *e, uint64_t revision)
{
    e->sink->reached(e->sink->ctx, revision);
    e->applied = revision;
    if (e->known <= revision)
        e->known_ms = 0;
    writes_reached(e);
    e->sink->settled(e->sink->ctx);
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

static void end_stream(struct etcd *e, bool must_reload)
{
    e->stream.must_reload |= must_reload;
    if (e->stream.is_running)
        http_client_cancel(e->client, &e->stream.call.x);
}

static void hear_canceled(struct etcd *e, const struct etcd_watch_answer *a)
{
    log_warning("etcd has ended the watch", LOG_U64("behind", e->applied), LOG_U64("compacted", a->compact_revision),
                LOG_TEXT("reason", a->reason));
    /* A stream from the future is what a store that was put back to an older state gives. */
    end_stream(e, a->compact_revision != 0);
}

static void hear(struct etcd *e, struct text line)
{
    struct etcd_watch_answer a;
    if (!etcd_read_watch(line, &a)) {
        log_error("The watch of etcd says what cannot be read; everything is loaded anew",
                  LOG_TEXT("message", text_first(line, 200)));
        end_stream(e, true);
    } else if (a.is_canceled || a.has_error) {
        hear_canceled(e, &a);
    } else {
        if (a.is_created && e->stream.is_missed)
            log_info("The watch of etcd goes on", LOG_U64("behind", e->applied));
        e->stream.is_missed = false;
        e->stream.is_created |= a.is_created;
        e->backoff_ms = 0;
        for (size_t i = 0; i < a.events.n; i++)
            apply_event(e, &a.events.p[i]);
        /* A message never ends in the middle of a revision (etcd mvcc/watcher_group.go, eventBatch). */
        if (a.events.n && a.events.p[a.events.n - 1].kv.mod_revision > e->applied)
            has_reached(e, a.events.p[a.events.n - 1].kv.mod_revision);
    }
    vec_deinit(&a.events);
}

static bool take_piece(struct http_exchange *x, struct text piece)
{
    struct etcd *e = CONTAINER_OF(x, struct etcd_call, x)->etcd;
    struct etcd_stream *s = &e->stream;
    s->heard_ms = clock_mono_ms();
    while (piece.n && !x->is_canceled) {
        ptrdiff_t end = text_find(piece, '\n');
        if (end < 0 || s->line.n) {
            size_t n = end < 0 ? piece.n : (size_t)end;
            if (s->line.n + n > LINE_MAX_BYTES)
                return false;
            buffer_add(&s->line, text_first(piece, n));
            if (end < 0)
                return true;
            hear(e, buffer_text(&s->line));
            buffer_clear(&s->line);
        } else if (end > 0) {
            hear(e, text_first(piece, (size_t)end));
        }
        piece = text_from(piece, (size_t)end + 1);
    }
    return true;
}

static void stream_ended(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd *e = call->etcd;
    e->stream.is_running = e->stream.is_created = false;
    buffer_deinit(&e->stream.line);
    e->stream.line = BUFFER_INIT;
    if (atomic_load(&e->is_stopping))
        return;
    int64_t now_ms = clock_mono_ms();
    bool was_steady = now_ms - call->begun_ms >= STEADY_MS;
    e->stream.pause_ms = was_steady ? 0 : e->stream.pause_ms ? e->stream.pause_ms * 2 : 10;
    if (e->stream.pause_ms > PAUSE_MAX_MS)
        e->stream.pause_ms = PAUSE_MAX_MS;
    e->stream.retry_ms = now_ms + e->stream.pause_ms;
    if (outcome != CALL_STOPPED && (outcome != CALL_NOT_SENT || !e->stream.is_missed))
        log_warning("The watch of etcd broke off", LOG_STR("server", e->servers[call->server]),
                    LOG_STR("why", call->st.message ? call->st.message : "the server ended it"));
    e->stream.is_missed = outcome == CALL_NOT_SENT; /* said once is enough */
    if (outcome == CALL_OK)
        call_rotate(call);
    etcd_kick_later(e);
}

void watch_start_stream(struct etcd *e)
{
    struct etcd_stream *s = &e->stream;
    if (s->is_running || s->is_reloading || atomic_load(&e->is_stopping))
        return;
    s->is_running = true;
    s->heard_ms = clock_mono_ms();
    s->call.etcd = e;
    s->call.operation = "watch";
    s->call.done = stream_ended;
    s->call.x.piece = take_piece;
    buffer_clear(&s->body);
    etcd_write_watch(&s->body, e->applied + 1);
    call_send(&s->call, "/v3/watch", buffer_text(&s->body), 0);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static int load_row(struct etcd_pages *p, struct text full, const struct etcd_kv *kv, const struct stored_change *row,
                    struct status *st)
{
    struct etcd *e = p->etcd;
    (void)full;
    (void)kv;
    return e->sink->loaded(e->sink->ctx, row, st);
}

int watch_load(struct etcd *e, uint64_t *ret_revision, struct status *st)
{
    CLEANUP(pages_deinit) struct etcd_pages pages;
    CLEANUP(buffer_deinit) struct buffer answer = BUFFER_INIT;
    int more = 1;
    pages_init(&pages, e, TEXT_NONE, 0);
    pages.row = load_row;
    while (more == 1) {
        if (call_wait(e, "/v3/kv/range", pages_request(&pages), PAGE_TIMEOUT_MS, &answer, st) != CALL_OK)
            return -1;
        more = pages_take(&pages, buffer_text(&answer), st);
    }
    *ret_revision = pages.revision;
    return more;
}

/* --- reloading ---------------------------------------------------------------------------------------------------- */

struct reload {
    struct etcd_call call;
    struct etcd_pages pages;
};

static int reload_row(struct etcd_pages *p, struct text full, const struct etcd_kv *kv, const struct stored_change *row,
                      struct status *st)
{
    struct etcd *e = p->etcd;
    writes_found(e, full, kv);
    return e->sink->loaded(e->sink->ctx, row, st);
}

static void reload_end(struct reload *l, bool is_whole)
{
    struct etcd *e = l->call.etcd;
    uint64_t revision = l->pages.revision;
    e->sink->reload_end(e->sink->ctx, is_whole ? revision : 0);
    e->stream.is_reloading = false;
    call_clear(&l->call);
    pages_deinit(&l->pages);
    free(l);
    if (!is_whole) {
        etcd_kick_later(e);
        return;
    }
    log_info("Loaded everything anew from etcd", LOG_U64("revision", revision));
    e->stream.must_reload = false;
    writes_reloaded(e, revision);
    has_reached(e, revision);
    watch_start_stream(e);
}

static void reload_answered(struct etcd_call *call, enum call_outcome outcome)
{
    struct reload *l = CONTAINER_OF(call, struct reload, call);
    int more = outcome == CALL_OK ? pages_take(&l->pages, buffer_text(&call->x.body_in), &call->st) : -1;
    if (more == 1) {
        call_send(call, "/v3/kv/range", pages_request(&l->pages), PAGE_TIMEOUT_MS);
        return;
    }
    if (more < 0 && outcome != CALL_STOPPED)
        log_error("Loading everything anew from etcd failed; it is tried again", LOG_STR("error", call->st.message));
    reload_end(l, more == 0);
}

static void reload(struct etcd *e)
{
    struct reload *l = xcalloc(1, sizeof(*l));
    pages_init(&l->pages, e, TEXT_NONE, 0);
    l->pages.row = reload_row;
    l->call.etcd = e;
    l->call.operation = "list";
    l->call.done = reload_answered;
    e->stream.is_reloading = true;
    e->sink->reload_begin(e->sink->ctx);
    call_send(&l->call, "/v3/kv/range", pages_request(&l->pages), PAGE_TIMEOUT_MS);
}

/* --- by the clock ------------------------------------------------------------------------------------------------- */

void watch_kick(struct etcd *e)
{
    struct etcd_stream *s = &e->stream;
    if (s->is_running || s->is_reloading)
        return;
    if (clock_mono_ms() < s->retry_ms) {
        etcd_kick_later(e);
        return;
    }
    if (s->must_reload)
        reload(e);
    else
        watch_start_stream(e);
}

void watch_tick(struct etcd *e)
{
    struct etcd_stream *s = &e->stream;
    int64_t now_ms = clock_mono_ms();
    if (!s->is_running || e->known <= e->applied || now_ms - e->known_ms < SILENT_MS || now_ms - s->heard_ms < SILENT_MS)
        return;
    log_warning("The watch of etcd is silent although there is news; it is begun again",
                LOG_STR("server", e->servers[s->call.server]), LOG_U64("applied", e->applied),
                LOG_U64("known", e->known));
    call_rotate(&s->call);
    end_stream(e, false);
}
