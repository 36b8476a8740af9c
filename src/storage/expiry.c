/* SPDX-License-Identifier: Apache-2.0 */
/* A timer for each version of an object that expires. When it fires and that version is still the current one, it is deleted
 * on the condition that it stays so: whoever updates an object at the last moment wins, and has brought a new timer. */
#include "storage/expiry.h"

#include <stdlib.h>

#define RETRY_MS 10000 /* after a deletion that could not be stored */

struct expiry {
    struct storage *storage;
    struct timers *timers;
    pthread_mutex_t mu;  /* below nothing: timers are armed with it held */
    struct list waiting; /* mu: whose timers are armed, once started, or just firing */
    bool is_started, is_stopped; /* mu */
};

struct expiring {
    struct list link;
    struct timer timer;
    struct expiry *expiry;
    struct cache *cache; /* the storage's, which lives longer */
    uint64_t revision;
    int64_t expires_ms; /* wall clock */
    size_t key_n;
    char key[];
};

struct deletion {
    struct storage_write write;
    struct expiring *expiring;
};

/* Takes x. */
static void wait_for(struct expiring *x, int64_t delay_ms)
{
    struct expiry *e = x->expiry;
    pthread_mutex_lock(&e->mu);
    bool is_stopped = e->is_stopped;
    if (!is_stopped) {
        list_append(&e->waiting, &x->link);
        if (e->is_started)
            timer_arm(e->timers, &x->timer, delay_ms > 0 ? delay_ms : 0);
    }
    pthread_mutex_unlock(&e->mu);
    if (is_stopped)
        free(x);
}

static void deleted(struct storage_write *w)
{
    struct deletion *d = CONTAINER_OF(w, struct deletion, write);
    if (w->result == WRITE_FAILED)
        wait_for(MOVE(d->expiring), RETRY_MS);
    free(d->expiring);
    object_unref(w->previous);
    status_clear(&w->st);
    free(d);
}

/* Takes x and the reference. */
static void delete_object(struct expiring *x, struct object *o)
{
    struct deletion *d = xmalloc(sizeof(*d));
    *d = (struct deletion){.write = {.type = o->type, .op = WRITE_DELETE, .key = o->key,
                                     .expected_revision = o->revision, .previous = o, .done = deleted},
                           .expiring = x};
    storage_submit(x->expiry->storage, &d->write);
}

static void fire(struct timer *t)
{
    struct expiring *x = CONTAINER_OF(t, struct expiring, timer);
    struct expiry *e = x->expiry;
    pthread_mutex_lock(&e->mu);
    bool is_stopped = e->is_stopped; /* then expiry_stop has x */
    if (!is_stopped)
        list_remove(&x->link);
    pthread_mutex_unlock(&e->mu);
    if (is_stopped)
        return;
    CLEANUP(object_unrefp) struct object *o = cache_get(x->cache, (struct text){x->key, x->key_n});
    int64_t left_ms = x->expires_ms - clock_now_ns() / 1000000;
    if (!o || o->revision != x->revision)
        free(x);
    else if (left_ms > 0) /* the wall clock was set back */
        wait_for(x, left_ms);
    else
        delete_object(x, MOVE(o));
}

void expiry_add(struct expiry *e, struct cache *c, const struct object *o)
{
    struct expiring *x = xmalloc(sizeof(*x) + o->key.n);
    *x = (struct expiring){.timer = {.fire = fire}, .expiry = e, .cache = c, .revision = o->revision,
                           .expires_ms = o->expires_ms, .key_n = o->key.n};
    memcpy(x->key, o->key.p, o->key.n);
    wait_for(x, o->expires_ms - clock_now_ns() / 1000000);
}

struct expiry *expiry_new(struct storage *s, struct timers *timers)
{
    struct expiry *e = xcalloc(1, sizeof(*e));
    e->storage = s;
    e->timers = timers;
    pthread_mutex_init(&e->mu, NULL);
    list_init(&e->waiting);
    return e;
}

void expiry_start(struct expiry *e)
{
    if (!e)
        return;
    int64_t now_ms = clock_now_ns() / 1000000;
    pthread_mutex_lock(&e->mu);
    e->is_started = true;
    list_for_each(l, &e->waiting) {
        struct expiring *x = CONTAINER_OF(l, struct expiring, link);
        timer_arm(e->timers, &x->timer, x->expires_ms > now_ms ? x->expires_ms - now_ms : 0);
    }
    pthread_mutex_unlock(&e->mu);
}

void expiry_stop(struct expiry *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->mu);
    e->is_stopped = true;
    pthread_mutex_unlock(&e->mu);
    list_for_each_safe(l, &e->waiting) { /* nobody else touches the list any more */
        struct expiring *x = CONTAINER_OF(l, struct expiring, link);
        timer_cancel(e->timers, &x->timer);
        list_remove(l);
        free(x);
    }
}

void expiry_free(struct expiry *e)
{
    if (!e)
        return;
    pthread_mutex_destroy(&e->mu);
    free(e);
}
