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
