/* SPDX-License-Identifier: Apache-2.0 */
/* Watches that begin again. What is told of the end runs inside the cache, so the new beginning is a
 * worker's. */
#include "authz/follow.h"

#include <pthread.h>

struct follow {
    struct follow_options opt;
    const struct resource **resources;
    struct watcher **watchers; /* the starting thread's, then the worker's */
    struct work work;
    pthread_mutex_t mu; /* the next */
    pthread_cond_t idle;
    bool is_queued, is_running, is_ending;
};

static void on_event(void *ctx, enum event_type type, struct object *object, const struct event *e)
{
    struct follow *f = ctx;

    f->opt.event(f->opt.ctx, object, e ? e->previous : NULL, type == EVENT_DELETED);
}

static void on_end(void *ctx)
{
    struct follow *f = ctx;
    bool starts;

    pthread_mutex_lock(&f->mu);
    starts = f->opt.workers && !f->is_queued && !f->is_running && !f->is_ending;
    f->is_queued = f->opt.workers && !f->is_ending;
    pthread_mutex_unlock(&f->mu);
    if (starts)
        workers_add(f->opt.workers, &f->work);
}

static void stop_watches(struct follow *f)
{
    for (size_t i = 0; i < f->opt.n; i++)
        if (f->watchers[i])
            watch_stop(MOVE(f->watchers[i]));
}

static int start_watches(struct follow *f, struct status *st)
{
    static const struct watcher_ops ops = {.event = on_event, .ended = on_end};
    const struct watch_options opt = {.ops = &ops, .ctx = f, .from = WATCH_FROM_ANY, .send_initial = true};
    uint64_t revision;
    int rc = 0;

    if (f->opt.begin)
        f->opt.begin(f->opt.ctx);
    for (size_t i = 0; i < f->opt.n && rc == 0; i++)
        if (f->resources[i])
            rc = watch_start(f->resources[i]->cache, &opt, &f->watchers[i], &revision, st);
    if (f->opt.synced)
        f->opt.synced(f->opt.ctx);
    return rc;
}

static void restart(struct work *w)
{
    struct follow *f = CONTAINER_OF(w, struct follow, work);
    CLEANUP(status_clear) struct status st = {0};

    stop_watches(f);
    pthread_mutex_lock(&f->mu);
    bool goes_on = !f->is_ending;
    f->is_queued = false; /* an end from here on is one of the new watches */
    f->is_running = true;
    pthread_mutex_unlock(&f->mu);
    if (goes_on && start_watches(f, &st) < 0)
        log_error("Policy is not followed any more", LOG_STR("err", st.message));
    pthread_mutex_lock(&f->mu);
    f->is_running = false;
    f->is_queued = f->is_queued && !f->is_ending;
    bool is_again = f->is_queued;
    pthread_cond_broadcast(&f->idle);
    pthread_mutex_unlock(&f->mu);
    if (is_again) /* then f lives on: follow_stop waits for what is queued */
        workers_add(f->opt.workers, &f->work);
}

int follow_start(const struct follow_options *opt, struct follow **ret, struct status *st)
{
    struct follow *f = xcalloc(1, sizeof(*f));

    f->opt = *opt;
    f->resources = xcalloc(opt->n + 1, sizeof(const struct resource *));
    f->watchers = xcalloc(opt->n + 1, sizeof(struct watcher *));
    for (size_t i = 0; i < opt->n; i++)
        f->resources[i] = opt->resources[i];
    f->work.run = restart;
    pthread_mutex_init(&f->mu, NULL);
    pthread_cond_init(&f->idle, NULL);
    if (start_watches(f, st) < 0) {
        follow_stop(f);
        return -1;
    }
    *ret = f;
    return 0;
}

void follow_stop(struct follow *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->mu);
    f->is_ending = true;
    while (f->is_queued || f->is_running)
        pthread_cond_wait(&f->idle, &f->mu);
    pthread_mutex_unlock(&f->mu);
    stop_watches(f);
    pthread_cond_destroy(&f->idle);
    pthread_mutex_destroy(&f->mu);
    free(f->resources);
    free(f->watchers);
    free(f);
}
