/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the filters. Who runs the chain owns the request; it changes hands in two ways only: a work item for
 * the workers, and a park, where the phase decides by compare-and-swap whether enter's return or
 * request_resume came first. */
#include "http/chain.h"

#include "base.h"
#include "http/http_internal.h"

static void run(struct exchange *ex, bool on_worker);

static struct exchange *exchange_of(struct request *r)
{
    return CONTAINER_OF(r, struct exchange, r);
}

static void run_on_worker(struct work *w)
{
    run(CONTAINER_OF(w, struct exchange, work), true);
}

/* A bug of ours: the client gets an answer, the log says where. */
static void fail_broken_chain(struct request *r, const char *why)
{
    const struct filter *f = r->filters[r->step];
    log_error("Filter chain is broken", LOG_STR("filter", f ? f->name : "(end)"), LOG_STR("reason", why));
    struct status st = {0};
    status_internal_error(&st, "%s", why);
    request_fail(r, &st);
}

/* Off the event loop, if we are on it. True: somebody else has the request now. */
static bool move_to_worker(struct exchange *ex, bool on_worker)
{
    if (on_worker)
        return false;
    if (!ex->is_suspended)
        exchange_suspend(ex);
    exchange_to_worker(ex, run_on_worker);
    return true;
}

/* After enter has returned FLOW_PARK. True: parked, the request belongs to whoever resumes it. False: that
 * has happened already, with *ret_how. */
static bool park(struct exchange *ex, enum flow *ret_how)
{
    if (atomic_load_explicit(&ex->phase, memory_order_acquire) != PHASE_RESUMED) {
        if (!ex->is_suspended)
            exchange_suspend(ex);
        enum phase expected = PHASE_RUNNING;
        if (atomic_compare_exchange_strong(&ex->phase, &expected, PHASE_PARKED))
            return true;
    }
    *ret_how = ex->resumed_with;
    atomic_store_explicit(&ex->phase, PHASE_RUNNING, memory_order_relaxed);
    return false;
}

static void run(struct exchange *ex, bool on_worker)
{
    struct request *r = &ex->r;
    ex->on_worker = on_worker;
    for (;;) {
        const struct filter *f = r->filters[r->step];
        if (!f) {
            fail_broken_chain(r, "no handler answered the request");
            break;
        }
        if (r->entered <= r->step)
            r->entered = r->step + 1;
        enum flow how = f->enter(r);
        bool was_resumed = how == FLOW_PARK;
        if (how == FLOW_PARK && park(ex, &how))
            return;
        if (how == FLOW_BLOCK && on_worker && !was_resumed) {
            fail_broken_chain(r, "a filter asked for a worker on a worker");
            break;
        }
        if (how == FLOW_DONE)
            break;
        r->step += how == FLOW_NEXT;
        if ((how == FLOW_BLOCK || was_resumed) && move_to_worker(ex, on_worker))
            return;
    }
    if (r->response.code == 0)
        fail_broken_chain(r, "a filter ended the request without a response");
    exchange_done(ex, on_worker);
}

void chain_start(struct exchange *ex)
{
    atomic_store_explicit(&ex->phase, PHASE_RUNNING, memory_order_relaxed);
    run(ex, false);
}

void request_resume(struct request *r, enum flow how)
{
    struct exchange *ex = exchange_of(r);
    ex->resumed_with = how;
    enum phase expected = PHASE_RUNNING;
    if (atomic_compare_exchange_strong(&ex->phase, &expected, PHASE_RESUMED))
        return; /* enter has not returned yet: run finds it */
    atomic_store_explicit(&ex->phase, PHASE_RUNNING, memory_order_relaxed);
    if (how == FLOW_DONE) {
        if (r->response.code == 0)
            fail_broken_chain(r, "a filter ended the request without a response");
        exchange_done(ex, false);
        return;
    }
    r->step += how == FLOW_NEXT;
    exchange_to_worker(ex, run_on_worker);
}

bool request_may_block(const struct request *r)
{
    /* A request that no listener made (tests) runs on a thread of its own. */
    return !r->connection || CONTAINER_OF(r, const struct exchange, r)->on_worker;
}

void chain_end(struct exchange *ex)
{
    struct request *r = &ex->r;
    while (r->entered > 0) {
        const struct filter *f = r->filters[--r->entered];
        if (f->leave)
            f->leave(r);
    }
}
