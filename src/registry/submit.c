/* SPDX-License-Identifier: Apache-2.0 */
/* Where operations begin: the one file that knows all three kinds. */
#include <pthread.h>

#include "registry_internal.h"

void registry_submit(struct operation *op)
{
    static void (*const runs[])(struct operation *) = {
        [OPERATION_CREATE] = create_run, [OPERATION_UPDATE] = update_run, [OPERATION_DELETE] = delete_run};

    if (!op->resource->cache) {
        status_method_not_supported(&op->st, op->resource->type->group, op->resource->type->name, "store");
        op->done(op);
        return;
    }
    op->again = runs[op->kind];
    op->is_for_workers = op->may_block;
    operation_begin(op);
}

struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_done, is_again; /* mu */
};

static void wake(struct operation *op)
{
    struct waiter *w = op->ctx;

    pthread_mutex_lock(&w->mu);
    w->is_done = true;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->mu);
}

static void wake_to_go_on(struct operation *op)
{
    struct waiter *w = op->ctx;

    pthread_mutex_lock(&w->mu);
    w->is_again = true;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->mu);
}

/* False: the operation has ended. */
static bool wait_to_go_on(struct waiter *w)
{
    bool is_again;

    pthread_mutex_lock(&w->mu);
    while (!w->is_done && !w->is_again)
        pthread_cond_wait(&w->ended, &w->mu);
    is_again = w->is_again;
    w->is_again = false;
    pthread_mutex_unlock(&w->mu);
    return is_again;
}

int registry_run(struct operation *op)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    void *ctx = op->ctx;

    op->ctx = &w;
    op->done = wake;
    op->resume = wake_to_go_on;
    op->may_block = true;
    registry_submit(op);
    while (wait_to_go_on(&w)) {
        op->may_block = true;
        op->next(op);
    }
    pthread_cond_destroy(&w.ended);
    pthread_mutex_destroy(&w.mu);
    op->ctx = ctx;
    return op->st.reason == STATUS_OK ? 0 : -1;
}
