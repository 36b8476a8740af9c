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
    operation_begin(op);
}

struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_done; /* mu */
};

static void wake(struct operation *op)
{
    struct waiter *w = op->ctx;

    pthread_mutex_lock(&w->mu);
    w->is_done = true;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->mu);
}

int registry_run(struct operation *op)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    void *ctx = op->ctx;

    op->ctx = &w;
    op->done = wake;
    registry_submit(op);
    pthread_mutex_lock(&w.mu);
    while (!w.is_done)
        pthread_cond_wait(&w.ended, &w.mu);
    pthread_mutex_unlock(&w.mu);
    pthread_cond_destroy(&w.ended);
    pthread_mutex_destroy(&w.mu);
    op->ctx = ctx;
    return op->st.reason == STATUS_OK ? 0 : -1;
}
