/* workers.h - a pool of threads for work that blocks, and one thread of timers. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/containers.h"

/* A joinable thread with a stack of the house's size (see workers.c). False: the system has no more. */
bool thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *arg);

/* One thread waits for what another one tells it, once. On the waiting thread's stack. */
struct completion {
    pthread_mutex_t mu;
    pthread_cond_t told;
    bool is_done; /* mu */
};
void completion_init(struct completion *c);
void completion_signal(struct completion *c); /* c may be gone when this returns */
void completion_wait(struct completion *c);   /* leaves nothing to free */

/* A unit of work, embedded in its owner's struct: queueing allocates nothing. */
struct work {
    struct list link;
    void (*run)(struct work *w); /* on a worker thread; may free the struct that w lies in */
};
struct workers;
struct workers *workers_start(unsigned n_threads, const char *name); /* name: at most 15 bytes, seen in ps and gdb */
/* First in, first out; threads start as needed up to the limit. Never blocks. */
void workers_add(struct workers *w, struct work *work);
/* Runs what is queued, then ends the threads. */
void workers_stop(struct workers *w);

/* Timers fire on the timer thread, in order of time; a callback must be short: hand longer work to workers. */
struct timers;
struct timer { /* zeroed but for fire: not armed */
    void (*fire)(struct timer *t); /* without a lock held; may arm or free the struct that t lies in */
    int64_t at_ms;                 /* clock_mono_ms */
    uint64_t order;                /* of equal times the one armed first fires first */
    size_t position;               /* 1 + index in the heap while armed, else 0 */
};
struct timers *timers_start(void);
void timers_stop(struct timers *ts); /* armed timers do not fire any more */
/* Arms or re-arms. */
void timer_arm(struct timers *ts, struct timer *t, int64_t delay_ms);
/* Disarms, and waits for a callback that is running unless called from the timer thread. True: it was armed, so it has
 * not fired. Afterwards t may be freed. */
bool timer_cancel(struct timers *ts, struct timer *t);
