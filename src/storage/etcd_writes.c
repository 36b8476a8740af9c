/* SPDX-License-Identifier: Apache-2.0 */
/* The writes under way. A write is one transaction: if the key is still at the expected revision, put or delete it, else say
 * what it holds. It is done once etcd has answered AND the watch has brought the change: the cache takes every change, ours
 * too, from the watch, in order of revision.
 *
 *   NEW --> SENT --committed--> COMMITTED --the watch has it--> done
 *    ^       |--conflict, refused--> done
 *    |       '--no answer--> UNSURE --the watch shows it, or the fence proves it never was--> done or NEW
 *   not sent
 *
 * A change of the watch is recognised as ours by its bytes, which are still at hand in the request: the first change behind
 * the expected revision is ours or will make ours fail, so there is no third case. The object is then not decoded.
 *
 * The fence. When an answer does not come, the transaction may have been committed, or may be later: it may still be on its
 * way. So each transaction also demands that a key of this process, the fence, does not exist. To find out, the fence is
 * put there: from that revision on the old transaction cannot succeed any more, and once the watch has passed it, a change
 * that was not seen has not happened and the write may be sent again behind the next fence. In usual times the fence costs
 * one look-up of a key that is not there. */
#include "storage/etcd_internal.h"

#include <stdlib.h>

#define ATTEMPT_MS 10000
#define DEADLINE_MS 30000
#define UNREACHED_MS 5000 /* no server could be reached for so long: fail, nothing has happened */
#define FENCE_TTL_S 3600

/* --- making one --------------------------------------------------------------------------------------------------- */

static struct text fence_key(const struct etcd *e, uint64_t epoch, char dst[64])
{
    int n = snprintf(dst, 64, "keelson-fence/%s/%08llu", e->fence.id, (unsigned long long)epoch % 100000000);
    return (struct text){dst, (size_t)n};
}

/* -1: w's own st says why it has no bytes. */
static int make_body(struct etcd *e, struct etcd_write *ew)
{
    CLEANUP(buffer_deinit) struct buffer value = BUFFER_INIT;
    struct storage_write *w = ew->write;
    char fence[64];
    bool is_delete = w->op == WRITE_DELETE;

    if (!is_delete && e->sink->encode(e->sink->ctx, w, &value, &w->st) < 0)
        return -1;
    ew->epoch = 0; /* put right when it is sent */
    etcd_write_txn(&ew->body, fence_key(e, 0, fence), ew->path, w->expected_revision, is_delete, buffer_text(&value),
                   ew->lease, &ew->parts);
    return 0;
}

static struct text value_of(const struct etcd_write *ew)
{
    return (struct text){ew->body.p + ew->parts.value_at, ew->parts.value_n};
}

static void free_write(struct etcd_write *ew)
{
    call_clear(&ew->call);
    buffer_deinit(&ew->key);
    buffer_deinit(&ew->body);
    free(ew);
}

void writes_submit(struct etcd *e, struct storage_write *w)
{
    struct etcd_write *ew = xcalloc(1, sizeof(*ew));
    ew->write = w;
    ew->call.etcd = e;
    ew->call.type = w->type;
    ew->call.operation = w->op == WRITE_DELETE ? "delete" : w->expected_revision ? "update" : "create";
    ew->deadline_ms = clock_mono_ms() + DEADLINE_MS;
    buffer_add(&ew->key, etcd_prefix(e));
    buffer_add(&ew->key, w->type->storage_prefix);
    buffer_add_char(&ew->key, '/');
    buffer_add(&ew->key, w->key);
    ew->path = buffer_text(&ew->key);
    if (w->op == WRITE_PUT && w->object->expires_ms) {
        int64_t left_ms = w->object->expires_ms - clock_now_ns() / 1000000;
        ew->ttl_s = left_ms > 1000 ? (left_ms + 999) / 1000 : 1;
    } else if (make_body(e, ew) < 0) {
        w->result = WRITE_FAILED;
        free_write(ew);
        w->done(w);
        return;
    }
    pthread_mutex_lock(&e->mu);
    list_append(&e->submitted, &ew->link);
    e->is_idle = false;
    pthread_mutex_unlock(&e->mu);
    etcd_queue_take(e);
}

/* --- the end of one ----------------------------------------------------------------------------------------------- */

static void unlink_write(struct etcd *e, struct etcd_write *ew)
{
    struct etcd_write *first = map_get(&e->by_path, ew->path), **at = &first;
    while (*at != ew)
        at = &(*at)->next_of_key;
    *at = ew->next_of_key;
    if (first)
        map_put(&e->by_path, first->path, first);
    else
        map_remove(&e->by_path, ew->path);
    list_remove(&ew->link);
    e->n_writes--;
}

static void end(struct etcd *e, struct etcd_write *ew, enum write_result result)
{
    struct storage_write *w = ew->write;
    unlink_write(e, ew);
    w->result = result;
    if (result == WRITE_FAILED && !w->st.message)
        status_move(&w->st, &ew->call.st);
    free_write(ew);
    w->done(w);
    if (e->n_writes)
        return;
    pthread_mutex_lock(&e->mu);
    e->is_idle = list_is_empty(&e->submitted);
    if (e->is_idle)
        pthread_cond_broadcast(&e->idle);
    pthread_mutex_unlock(&e->mu);
}

static void end_done(struct etcd *e, struct etcd_write *ew, uint64_t revision)
{
    struct storage_write *w = ew->write;
    w->revision = revision;
    if (w->object && !w->object->is_sealed)
        object_seal(w->object, revision);
    end(e, ew, WRITE_DONE);
}

static void end_unknown(struct etcd *e, struct etcd_write *ew)
{
    struct status *st = &ew->write->st;
    status_set(st, STATUS_TIMEOUT, "etcd did not answer in time (%s): it is not known whether the write was stored",
               ew->call.st.message ? ew->call.st.message : "no answer");
    st->has_details = true;
    st->retry_after_seconds = 1;
    end(e, ew, WRITE_FAILED);
}

/* --- sending and answers ------------------------------------------------------------------------------------------ */

static void answered(struct etcd_call *call, enum call_outcome outcome);

static void send_write(struct etcd *e, struct etcd_write *ew)
{
    char fence[64];
    if (ew->ttl_s && !ew->lease)
        ew->lease = lease_for(e, ew->ttl_s);
    if (ew->ttl_s && !ew->lease) {
        ew->state = WRITE_LEASE;
        return;
    }
    if (!ew->body.n && make_body(e, ew) < 0) {
        end(e, ew, WRITE_FAILED);
        return;
    }
    if (ew->epoch != e->fence.epoch) { /* the keys of all epochs are of one length */
        CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
        base64_add(&b, BASE64_STANDARD, fence_key(e, e->fence.epoch, fence));
        memcpy(ew->body.p + ew->parts.fence_at, b.p, ew->parts.fence_n);
        ew->epoch = e->fence.epoch;
    }
    ew->state = WRITE_SENT;
    ew->fence_revision = 0;
    ew->call.done = answered;
    call_send(&ew->call, "/v3/kv/txn", buffer_text(&ew->body), ATTEMPT_MS);
}

static void try_later(struct etcd *e, struct etcd_write *ew)
{
    ew->state = WRITE_NEW;
    etcd_kick_later(e);
}

static struct object *found_object(struct etcd *e, struct etcd_write *ew, const struct etcd_kv *kv)
{
    struct text path = text_from(ew->path, e->prefix_n);
    buffer_clear(&e->value);
    if (!base64_add_decoded(&e->value, BASE64_STANDARD, kv->value))
        return NULL;
    return e->sink->decode(e->sink->ctx, path, buffer_text(&e->value), kv->mod_revision);
}

static void lost_compare(struct etcd *e, struct etcd_write *ew, const struct etcd_txn_answer *answer)
{
    struct storage_write *w = ew->write;
    uint64_t now_at = answer->has_kv ? answer->kv.mod_revision : 0;
    if (now_at == w->expected_revision) { /* not the key: our own fence was put up meanwhile */
        if (ew->epoch == e->fence.epoch)
            try_later(e, ew);
        else
            send_write(e, ew);
        return;
    }
    w->found = answer->has_kv ? found_object(e, ew, &answer->kv) : NULL;
    w->has_found = w->found || !answer->has_kv;
    end(e, ew, WRITE_CONFLICT);
}

static void unsure(struct etcd *e, struct etcd_write *ew)
{
    if (ew->seen_revision && ew->is_own) {
        end_done(e, ew, ew->seen_revision);
    } else if (ew->seen_revision && !ew->is_ambiguous) {
        end(e, ew, WRITE_CONFLICT);
    } else {
        ew->state = WRITE_UNSURE;
        e->fence.is_needed = true;
        etcd_kick_later(e);
    }
}

static void answered(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd_write *ew = CONTAINER_OF(call, struct etcd_write, call);
    struct etcd *e = call->etcd;
    struct etcd_txn_answer answer;

    switch (outcome) {
    case CALL_OK:
        if (!etcd_read_txn(buffer_text(&call->x.body_in), &answer)) {
            status_set(&call->st, STATUS_INTERNAL_ERROR, "an answer that cannot be read");
            unsure(e, ew);
            return;
        }
        etcd_heard(e, answer.revision);
        if (!answer.has_succeeded) {
            lost_compare(e, ew, &answer);
        } else if (answer.revision <= e->applied) {
            end_done(e, ew, answer.revision);
        } else {
            ew->revision = answer.revision;
            ew->state = WRITE_COMMITTED;
        }
        return;
    case CALL_NOT_SENT:
        if (clock_mono_ms() > ew->deadline_ms - DEADLINE_MS + UNREACHED_MS && !ew->reached_ms)
            end(e, ew, WRITE_FAILED);
        else
            try_later(e, ew);
        return;
    case CALL_UNKNOWN:
        ew->reached_ms = clock_mono_ms();
        unsure(e, ew);
        return;
    case CALL_REFUSED:
        if (ew->lease && call->st.message && strstr(call->st.message, "lease not found")) {
            lease_forget(e, ew->lease);
            ew->lease = 0;
            buffer_clear(&ew->body);
            try_later(e, ew);
            return;
        }
        end(e, ew, WRITE_FAILED);
        return;
    case CALL_STOPPED:
        end(e, ew, WRITE_FAILED);
        return;
    }
}

void writes_take(struct etcd *e)
{
    struct list taken;
    list_init(&taken);
    pthread_mutex_lock(&e->mu);
    while (!list_is_empty(&e->submitted)) {
        struct list *l = e->submitted.next;
        list_remove(l);
        list_append(&taken, l);
        e->n_writes++;
    }
    pthread_mutex_unlock(&e->mu);
    while (!list_is_empty(&taken)) {
        struct etcd_write *ew = CONTAINER_OF(taken.next, struct etcd_write, link);
        list_remove(&ew->link);
        list_append(&e->writes, &ew->link);
        ew->next_of_key = map_put(&e->by_path, ew->path, ew);
        send_write(e, ew);
    }
}

size_t writes_lease_granted(struct etcd *e, int64_t ttl_s, int64_t lease)
{
    size_t n = 0;
    list_for_each_safe(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        if (ew->state != WRITE_LEASE || ew->ttl_s != ttl_s)
            continue;
        n++;
        ew->lease = lease;
        send_write(e, ew);
    }
    return n;
}

void writes_lease_failed(struct etcd *e, int64_t ttl_s, const struct status *why)
{
    list_for_each_safe(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        if (ew->state != WRITE_LEASE || ew->ttl_s != ttl_s)
            continue;
        if (clock_mono_ms() <= ew->deadline_ms - DEADLINE_MS + UNREACHED_MS && !atomic_load(&e->is_stopping)) {
            try_later(e, ew);
            continue;
        }
        status_set(&ew->write->st, STATUS_SERVICE_UNAVAILABLE, "no lease was granted: %s", why->message);
        end(e, ew, WRITE_FAILED);
    }
}

/* --- the fence ---------------------------------------------------------------------------------------------------- */

static void fence_send(struct etcd *e);

/* What was sent before the fence and has not been seen by then will not come. */
static void fence_is_up(struct etcd *e, uint64_t revision)
{
    e->fence.epoch++;
    e->fence.is_needed = false;
    list_for_each(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        if (ew->state == WRITE_UNSURE && !ew->fence_revision)
            ew->fence_revision = revision;
    }
    writes_reached(e);
}

static void fence_answered(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd *e = call->etcd;
    struct etcd_range_answer answer;
    struct text in = buffer_text(&call->x.body_in);
    bool is_good = outcome == CALL_OK;

    e->fence.is_running = false;
    if (is_good && !e->fence.lease) {
        is_good = etcd_read_number(in, TEXT("ID"), &e->fence.lease) && e->fence.lease != 0;
        if (is_good)
            fence_send(e);
    } else if (is_good) {
        is_good = etcd_read_range(in, &answer); /* only the header of it */
        vec_deinit(&answer.kvs);
        if (is_good) {
            e->fence.lease = 0;
            etcd_heard(e, answer.revision);
            fence_is_up(e, answer.revision);
        }
    } else if (outcome == CALL_REFUSED) {
        e->fence.lease = 0;
    }
    if (!is_good && outcome != CALL_STOPPED)
        etcd_kick_later(e);
}

/* First a lease, so that fences of old do not gather, then the key. Putting it twice does no harm. */
static void fence_send(struct etcd *e)
{
    struct fence *f = &e->fence;
    char key[64];
    f->is_running = true;
    f->call.etcd = e;
    f->call.done = fence_answered;
    buffer_clear(&f->body);
    if (f->lease)
        etcd_write_put(&f->body, fence_key(e, f->epoch, key), TEXT_NONE, f->lease);
    else
        buffer_addf(&f->body, "{\"TTL\":\"%d\"}", FENCE_TTL_S);
    call_send(&f->call, f->lease ? "/v3/kv/put" : "/v3/lease/grant", buffer_text(&f->body), ATTEMPT_MS / 2);
}

/* --- what the watch tells ----------------------------------------------------------------------------------------- */

static bool may_happen(const struct etcd_write *ew, uint64_t revision)
{
    return !ew->seen_revision && revision > ew->write->expected_revision && ew->state >= WRITE_SENT;
}

struct storage_write *writes_observe(struct etcd *e, struct text path, const struct etcd_event *event)
{
    struct storage_write *own = NULL;
    uint64_t revision = event->kv.mod_revision;
    for (struct etcd_write *ew = map_get(&e->by_path, path); ew; ew = ew->next_of_key) {
        struct storage_write *w = ew->write;
        if (!may_happen(ew, revision))
            continue;
        ew->seen_revision = revision;
        if (ew->state == WRITE_COMMITTED)
            ew->is_own = ew->revision == revision;
        else
            ew->is_own = event->is_delete ? w->op == WRITE_DELETE
                                          : w->op == WRITE_PUT && text_eq(value_of(ew), event->kv.value);
        if (ew->is_own && !own && w->op == WRITE_PUT)
            own = w;
    }
    return own;
}

void writes_found(struct etcd *e, struct text path, const struct etcd_kv *kv)
{
    for (struct etcd_write *ew = map_get(&e->by_path, path); ew; ew = ew->next_of_key) {
        if (!may_happen(ew, kv->mod_revision))
            continue;
        ew->seen_revision = kv->mod_revision;
        ew->is_own = ew->write->op == WRITE_PUT && text_eq(value_of(ew), kv->value);
        ew->is_ambiguous = !ew->is_own; /* ours may lie below it */
    }
}

/* Keys that are gone were not found: whether ours was there for a while cannot be told; but of a deletion it can. */
void writes_reloaded(struct etcd *e, uint64_t revision)
{
    list_for_each(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        bool is_open = ew->state == WRITE_SENT || ew->state == WRITE_UNSURE;
        if (!is_open || ew->seen_revision || e->sink->holds(e->sink->ctx, text_from(ew->path, e->prefix_n)))
            continue; /* it is there at the expected revision, or writes_found would have had it */
        ew->seen_revision = revision;
        ew->is_own = ew->write->op == WRITE_DELETE;
        ew->is_ambiguous = !ew->is_own;
    }
}

static void resolve(struct etcd *e, struct etcd_write *ew)
{
    if (ew->seen_revision && ew->is_own && ew->seen_revision <= e->applied) {
        end_done(e, ew, ew->seen_revision);
    } else if (ew->seen_revision && ew->is_ambiguous) {
        end_unknown(e, ew);
    } else if (ew->seen_revision && ew->seen_revision <= e->applied) {
        end(e, ew, WRITE_CONFLICT);
    } else if (ew->fence_revision && ew->fence_revision <= e->applied) {
        if (clock_mono_ms() < ew->deadline_ms)
            send_write(e, ew); /* it has not happened and cannot any more */
        else
            end(e, ew, WRITE_FAILED);
    }
}

void writes_reached(struct etcd *e)
{
    list_for_each_safe(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        if (ew->state == WRITE_COMMITTED && ew->revision <= e->applied)
            end_done(e, ew, ew->revision);
        else if (ew->state == WRITE_UNSURE)
            resolve(e, ew);
    }
}

/* --- by the clock ------------------------------------------------------------------------------------------------- */

void writes_kick(struct etcd *e)
{
    list_for_each_safe(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        if (ew->state == WRITE_NEW)
            send_write(e, ew);
    }
    if (e->fence.is_needed && !e->fence.is_running)
        fence_send(e);
}

void writes_tick(struct etcd *e)
{
    int64_t now_ms = clock_mono_ms();
    list_for_each_safe(l, &e->writes) {
        struct etcd_write *ew = CONTAINER_OF(l, struct etcd_write, link);
        if (now_ms < ew->deadline_ms)
            continue;
        if (ew->state == WRITE_COMMITTED) /* stored; only the watch is late */
            end_done(e, ew, ew->revision);
        else if (ew->state == WRITE_UNSURE)
            end_unknown(e, ew);
        else if (ew->state == WRITE_NEW)
            end(e, ew, WRITE_FAILED);
    }
}
