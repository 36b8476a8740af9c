/* SPDX-License-Identifier: Apache-2.0 */
/* Timers lie in a binary heap by time, each knowing its place in it, so that arming and cancelling are cheap with many
 * thousands of them. One thread sleeps until the first is due. Under the fake clock it sleeps until the clock is turned,
 * and who turns it waits until the thread has caught up. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/workers.h"

struct timers {
    struct list link; /* of all */
    pthread_mutex_t mu;
    pthread_cond_t changed; /* for the thread: the first timer or the clock has changed */
    pthread_cond_t settled; /* for the others: a callback has ended, or nothing is due any more */
    VEC(struct timer *) heap;
    uint64_t order;
    int64_t sleeps_until_ms; /* the thread; INT64_MIN while it does not sleep: it will look at the heap before */
    struct timer *running;  /* its callback runs; maybe freed by it, so only compared */
    uint64_t turns;         /* of the fake clock, and those that the thread has seen through */
    uint64_t turns_settled;
    bool is_stopping;
    pthread_t thread;
};

/* All timers of the process, for the fake clock. Rank: before every mu. */
static pthread_mutex_t all_mu = PTHREAD_MUTEX_INITIALIZER;
static struct list all = {&all, &all};

/* --- the heap --- */

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void heap_set(struct timers *ts, size_t i, struct timer *t)
{
    ts->heap.p[i] = t;
    t->position = i + 1;
}

/* Moves t, for which place i is free, up or down to where it belongs. */
static void heap_settle(struct timers *ts, size_t i, struct timer *t)
{
    while (i > 0 && is_before(t, ts->heap.p[(i - 1) / 2])) {
        heap_set(ts, i, ts->heap.p[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < ts->heap.n && is_before(ts->heap.p[child + 1], ts->heap.p[child]))
            child++;
        if (child >= ts->heap.n || !is_before(ts->heap.p[child], t))
            break;
        heap_set(ts, i, ts->heap.p[child]);
        i = child;
    }
    heap_set(ts, i, t);
}

static void heap_remove(struct timers *ts, struct timer *t)
{
    size_t i = t->position - 1;
    struct timer *last = ts->heap.p[--ts->heap.n];
    t->position = 0;
    if (last != t)
        heap_settle(ts, i, last);
}

/* --- the thread --- */

static void fire_first_locked(struct timers *ts)
{
    struct timer *t = ts->heap.p[0];
    heap_remove(ts, t);
    ts->running = t;
    pthread_mutex_unlock(&ts->mu);
    t->fire(t);
    pthread_mutex_lock(&ts->mu);
    ts->running = NULL;
    pthread_cond_broadcast(&ts->settled);
}

static void sleep_locked(struct timers *ts)
{
    if (ts->turns_settled != ts->turns) {
        ts->turns_settled = ts->turns;
        pthread_cond_broadcast(&ts->settled);
    }
    if (ts->heap.n == 0 || clock_is_fake()) {
        ts->sleeps_until_ms = INT64_MAX;
        pthread_cond_wait(&ts->changed, &ts->mu);
    } else {
        int64_t at = ts->sleeps_until_ms = ts->heap.p[0]->at_ms;
        struct timespec until = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
        pthread_cond_timedwait(&ts->changed, &ts->mu, &until);
    }
    ts->sleeps_until_ms = INT64_MIN;
}

static void *timers_main(void *arg)
{
    struct timers *ts = arg;
    pthread_mutex_lock(&ts->mu);
    while (!ts->is_stopping) {
        if (ts->heap.n && ts->heap.p[0]->at_ms <= clock_mono_ms())
            fire_first_locked(ts);
        else
            sleep_locked(ts);
    }
    pthread_mutex_unlock(&ts->mu);
    return NULL;
}

/* The fake clock has moved: wakes every thread and, unless it is one of them, waits until nothing is due. */
static void clock_turned(void)
{
    pthread_mutex_lock(&all_mu);
    list_for_each(pos, &all) {
        struct timers *ts = CONTAINER_OF(pos, struct timers, link);
        pthread_mutex_lock(&ts->mu);
        uint64_t turn = ++ts->turns;
        pthread_cond_signal(&ts->changed);
        while (ts->turns_settled < turn && !pthread_equal(ts->thread, pthread_self()))
            pthread_cond_wait(&ts->settled, &ts->mu);
        pthread_mutex_unlock(&ts->mu);
    }
    pthread_mutex_unlock(&all_mu);
}

/* --- public --- */

struct timers *timers_start(void)
{
    struct timers *ts = xcalloc(1, sizeof(*ts));
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ts->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&ts->settled, NULL);
    pthread_mutex_init(&ts->mu, NULL);
    clock_on_turn(clock_turned);
    if (!thread_start(&ts->thread, "timers", timers_main, ts))
        out_of_memory();
    pthread_mutex_lock(&all_mu);
    list_append(&all, &ts->link);
    pthread_mutex_unlock(&all_mu);
    return ts;
}

void timers_stop(struct timers *ts)
{
    if (!ts)
        return;
    pthread_mutex_lock(&all_mu);
    list_remove(&ts->link);
    pthread_mutex_unlock(&all_mu);
    pthread_mutex_lock(&ts->mu);
    ts->is_stopping = true;
    pthread_cond_signal(&ts->changed);
    pthread_mutex_unlock(&ts->mu);
    pthread_join(ts->thread, NULL);
    for (size_t i = 0; i < ts->heap.n; i++)
        ts->heap.p[i]->position = 0;
    vec_deinit(&ts->heap);
    pthread_mutex_destroy(&ts->mu);
    pthread_cond_destroy(&ts->changed);
    pthread_cond_destroy(&ts->settled);
    free(ts);
}

void timer_arm(struct timers *ts, struct timer *t, int64_t delay_ms)
{
    pthread_mutex_lock(&ts->mu);
    if (t->position)
        heap_remove(ts, t);
    t->at_ms = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
    t->order = ts->order++;
    vec_push(&ts->heap, t);
    heap_settle(ts, ts->heap.n - 1, t);
    /* A timer that is always cancelled in time, as a request's deadline is, must not cost a wake-up each. */
    if (t->at_ms < ts->sleeps_until_ms)
        pthread_cond_signal(&ts->changed);
    pthread_mutex_unlock(&ts->mu);
}

bool timer_cancel(struct timers *ts, struct timer *t)
{
    bool was_armed = false;
    pthread_mutex_lock(&ts->mu);
    for (;;) {
        if (t->position) {
            heap_remove(ts, t);
            was_armed = true;
        }
        if (ts->running != t || pthread_equal(ts->thread, pthread_self()))
            break;
        pthread_cond_wait(&ts->settled, &ts->mu); /* the callback may arm it anew */
    }
    pthread_mutex_unlock(&ts->mu);
    return was_armed;
}
