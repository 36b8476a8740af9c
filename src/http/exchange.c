/* SPDX-License-Identifier: Apache-2.0 */
/* How an exchange leaves the event loop and comes back: suspended for libmicrohttpd, in the hands of whoever runs its
 * chain, and done at last, compressed if it pays. */
#include <microhttpd.h>

#include "base.h"
#include "http/http_internal.h"

void exchange_suspend(struct exchange *ex)
{
    ex->is_suspended = true;
    MHD_suspend_connection(ex->mhd);
    deadline_arm(ex);
}

void exchange_free(struct exchange *ex)
{
    response_clear_body(&ex->r.response);
    arena_free(ex->r.arena); /* ex lies in it */
}

void exchange_end(struct exchange *ex)
{
    struct listener *l = ex->listener;
    bool was_counted = atomic_load_explicit(&ex->phase, memory_order_relaxed) != PHASE_READING;
    bool was_long_running = ex->counts_as_long_running;
    if (ex->r.response.body == BODY_STREAM)
        connection_set_stream(ex->connection, NULL);
    chain_end(ex);
    exchange_free(ex);
    if (was_long_running)
        atomic_fetch_sub(&l->n_long_running, 1);
    if (was_counted)
        atomic_fetch_sub(&l->n_exchanges, 1);
}

void exchange_to_worker(struct exchange *ex, void (*run)(struct work *))
{
    ex->work.run = run;
    workers_add(ex->listener->opt.workers, &ex->work);
}

static void gzip_on_worker(struct work *w)
{
    exchange_done(CONTAINER_OF(w, struct exchange, work), true);
}

void exchange_done(struct exchange *ex, bool may_work)
{
    if (exchange_wants_gzip(ex)) {
        if (!may_work && ex->listener->opt.workers) {
            if (!ex->is_suspended)
                exchange_suspend(ex);
            exchange_to_worker(ex, gzip_on_worker);
            return;
        }
        exchange_gzip(ex);
    }
    deadline_disarm(ex);
    bool is_suspended = ex->is_suspended;
    struct MHD_Connection *mhd = ex->mhd;
    atomic_store_explicit(&ex->phase, PHASE_DONE, memory_order_release);
    if (is_suspended)
        MHD_resume_connection(mhd);
}
