/* SPDX-License-Identifier: Apache-2.0 */
/* A pool is a queue, a lock and threads that are started when work waits and none of them is idle.
 *
 * Stacks: depth of an object is the client's choice up to JSON_DEPTH_MAX, and whoever walks one may recurse, so stacks
 * are large; only the pages that were touched cost memory, and huge pages, which would undo that, are switched off. */
#include "base/workers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

#ifdef __SANITIZE_ADDRESS__
#define STACK_BYTES ((size_t)64 << 20) /* its frames are several times as large */
#else
#define STACK_BYTES ((size_t)8 << 20)
#endif

struct workers {
    pthread_mutex_t mu; /* guards all below; nothing is called with it held */
    pthread_cond_t more;
    struct list queue;
    size_t n_queued;
    unsigned n_idle, n_threads, n_max;
    bool is_stopping;
    char name[16];
    pthread_t *threads;
};

static void prepare_stack(void)
{
    pthread_attr_t attr;
    void *start;
    size_t n;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    if (pthread_attr_getstack(&attr, &start, &n) == 0)
        (void)madvise(start, n, MADV_NOHUGEPAGE); /* a kernel without them refuses: all the better */
    pthread_attr_destroy(&attr);
}

bool thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int e = pthread_create(ret, &attr, run, arg);
    pthread_attr_destroy(&attr);
    if (e == 0)
        pthread_setname_np(*ret, name);
    return e == 0;
}

void completion_init(struct completion *c)
{
    pthread_mutex_init(&c->mu, NULL);
    pthread_cond_init(&c->told, NULL);
    c->is_done = false;
}

void completion_signal(struct completion *c)
{
    pthread_mutex_lock(&c->mu);
    c->is_done = true;
    pthread_cond_signal(&c->told);
    pthread_mutex_unlock(&c->mu);
}

void completion_wait(struct completion *c)
{
    pthread_mutex_lock(&c->mu);
    while (!c->is_done)
        pthread_cond_wait(&c->told, &c->mu);
    pthread_mutex_unlock(&c->mu);
    pthread_cond_destroy(&c->told);
    pthread_mutex_destroy(&c->mu);
}

/* The next work, or NULL once the pool stops and the queue is empty. */
static struct work *next_work(struct workers *w)
{
    struct work *work = NULL;
    pthread_mutex_lock(&w->mu);
    while (list_is_empty(&w->queue) && !w->is_stopping) {
        w->n_idle++;
        pthread_cond_wait(&w->more, &w->mu);
        w->n_idle--;
    }
    if (!list_is_empty(&w->queue)) {
        work = CONTAINER_OF(w->queue.next, struct work, link);
        list_remove(&work->link);
        w->n_queued--;
    }
    pthread_mutex_unlock(&w->mu);
    return work;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;
    struct work *work;
    prepare_stack();
    while ((work = next_work(w)))
        work->run(work);
    return NULL;
}

struct workers *workers_start(unsigned n_threads, const char *name)
{
    struct workers *w = xcalloc(1, sizeof(*w));
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->more, NULL);
    list_init(&w->queue);
    w->n_max = n_threads ? n_threads : 1;
    w->threads = xcalloc(w->n_max, sizeof(*w->threads));
    snprintf(w->name, sizeof(w->name), "%s", name);
    return w;
}

void workers_add(struct workers *w, struct work *work)
{
    pthread_mutex_lock(&w->mu);
    list_append(&w->queue, &work->link);
    w->n_queued++;
    if (w->n_queued > w->n_idle && w->n_threads < w->n_max) {
        if (thread_start(&w->threads[w->n_threads], w->name, worker_main, w))
            w->n_threads++;
        else if (w->n_threads == 0)
            out_of_memory(); /* nobody would ever do the work */
    }
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->mu);
}

void workers_stop(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mu);
    w->is_stopping = true;
    pthread_cond_broadcast(&w->more);
    /* Running work may still add work, and so threads. */
    for (unsigned i = 0; i < w->n_threads; i++) {
        pthread_mutex_unlock(&w->mu);
        pthread_join(w->threads[i], NULL);
        pthread_mutex_lock(&w->mu);
    }
    pthread_mutex_unlock(&w->mu);
    pthread_mutex_destroy(&w->mu);
    pthread_cond_destroy(&w->more);
    free(w->threads);
    free(w);
}
