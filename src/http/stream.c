/* SPDX-License-Identifier: Apache-2.0 */
/* Producers append to a ring under the stream's mutex; the connection's reader takes entries off it one at a
 * time and copies without the lock, as many as fit into libmicrohttpd's buffer, so a burst becomes few
 * chunks. When the ring is empty the reader suspends the connection with the mutex held, and whoever appends
 * next finds is_suspended and resumes it: exactly one resume per suspend, and no wake-up lost between the
 * look at the ring and the suspend.
 *
 * A client that does not read leaves the connection blocked in a write, where libmicrohttpd does not ask for
 * more; so cutting off also shuts the socket down, which wakes it.
 *
 * Watchers are many and mostly idle, and libmicrohttpd's buffer is a whole header's size for each: before a
 * stream falls asleep, the pages of that buffer that a burst has used go back to the kernel. */
#include "http/stream.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "http/http_internal.h"

struct entry {
    struct text bytes;
    void *owner;
    void (*unref)(void *owner); /* NULL: nothing to do */
};

enum state { STREAM_OPEN, STREAM_FINISHING, STREAM_CLOSED };

struct stream {
    atomic_uint refs;
    const struct stream_ops *ops; /* set once */
    void *ctx;
    size_t max_queued_bytes;
    struct entry current; /* the reader's: what is left of the entry taken off last */
    bool is_detached;     /* the connection's side */
    size_t touched_bytes; /* the reader's: of the buffer, since it was given back last */

    pthread_mutex_t mu; /* a leaf: nothing is called with it held but libmicrohttpd's suspend */
    enum state state;
    struct entry *ring; /* cap is a power of two */
    size_t cap, head, n;
    size_t queued_bytes;
    struct MHD_Connection *mhd; /* while attached */
    int fd;
    bool is_suspended;
};

struct stream *stream_new(const struct stream_ops *ops, void *ctx, size_t max_queued_bytes)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    s->refs = 1;
    s->ops = ops;
    s->ctx = ctx;
    s->max_queued_bytes = max_queued_bytes;
    s->fd = -1;
    s->touched_bytes = SIZE_MAX; /* libmicrohttpd has cleared it all */
    pthread_mutex_init(&s->mu, NULL);
    return s;
}

struct stream *stream_ref(struct stream *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void entry_release(struct entry *e)
{
    if (e->unref)
        e->unref(e->owner);
    *e = (struct entry){0};
}

void stream_unref(struct stream *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    entry_release(&s->current);
    for (size_t i = 0; i < s->n; i++)
        entry_release(&s->ring[(s->head + i) & (s->cap - 1)]);
    free(s->ring);
    pthread_mutex_destroy(&s->mu);
    free(s);
}

/* --- the producer's side --- */

/* Takes what is needed to wake the connection; the caller wakes it after unlocking. A suspended connection
 * stays until it is resumed, so the pointer holds. */
static struct MHD_Connection *take_sleeper_locked(struct stream *s)
{
    struct MHD_Connection *sleeper = s->is_suspended ? s->mhd : NULL;
    s->is_suspended = false;
    return sleeper;
}

static struct MHD_Connection *cut_locked(struct stream *s)
{
    s->state = STREAM_CLOSED;
    if (s->fd >= 0)
        shutdown(s->fd, SHUT_RDWR);
    return take_sleeper_locked(s);
}

static void append_locked(struct stream *s, struct entry e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        struct entry *ring = xmalloc(cap * sizeof(*ring));
        for (size_t i = 0; i < s->n; i++)
            ring[i] = s->ring[(s->head + i) & (s->cap - 1)];
        free(s->ring);
        s->ring = ring;
        s->cap = cap;
        s->head = 0;
    }
    s->ring[(s->head + s->n++) & (s->cap - 1)] = e;
    s->queued_bytes += e.bytes.n;
}

/* Takes e's owner, on failure too. */
static bool push(struct stream *s, struct entry e)
{
    struct MHD_Connection *sleeper = NULL;
    pthread_mutex_lock(&s->mu);
    bool is_open = s->state == STREAM_OPEN;
    if (is_open && e.bytes.n > s->max_queued_bytes - s->queued_bytes) {
        is_open = false;
        sleeper = cut_locked(s);
    } else if (is_open) {
        append_locked(s, e);
        sleeper = take_sleeper_locked(s);
    }
    pthread_mutex_unlock(&s->mu);
    if (sleeper)
        MHD_resume_connection(sleeper);
    if (!is_open)
        entry_release(&e);
    return is_open;
}

static void unref_blob(void *blob)
{
    blob_unref(blob);
}

bool stream_push(struct stream *s, struct blob *b, struct text part)
{
    return push(s, (struct entry){part, blob_ref(b), unref_blob});
}

bool stream_push_owned(struct stream *s, struct text bytes, void *owner, void (*unref)(void *owner))
{
    return push(s, (struct entry){bytes, owner, unref});
}

void stream_finish(struct stream *s)
{
    struct MHD_Connection *sleeper = NULL;
    pthread_mutex_lock(&s->mu);
    if (s->state == STREAM_OPEN) {
        s->state = STREAM_FINISHING;
        sleeper = take_sleeper_locked(s);
    }
    pthread_mutex_unlock(&s->mu);
    if (sleeper)
        MHD_resume_connection(sleeper);
}

void stream_abort(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    struct MHD_Connection *sleeper = cut_locked(s);
    pthread_mutex_unlock(&s->mu);
    if (sleeper)
        MHD_resume_connection(sleeper);
}

bool stream_is_open(const struct stream *s)
{
    struct stream *mut = (struct stream *)s; /* for its mutex */
    pthread_mutex_lock(&mut->mu);
    bool is_open = s->state == STREAM_OPEN;
    pthread_mutex_unlock(&mut->mu);
    return is_open;
}

size_t stream_queued_bytes(const struct stream *s)
{
    struct stream *mut = (struct stream *)s;
    pthread_mutex_lock(&mut->mu);
    size_t n = s->queued_bytes;
    pthread_mutex_unlock(&mut->mu);
    return n;
}

/* --- the connection's side --- */

void stream_attach(struct stream *s, struct MHD_Connection *mhd, int fd)
{
    pthread_mutex_lock(&s->mu);
    s->mhd = mhd;
    s->fd = fd;
    if (s->state == STREAM_CLOSED)
        shutdown(fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->mu);
}

/* The next entry into s->current; false when there is none now. */
static bool take_next(struct stream *s, enum state *ret_state)
{
    pthread_mutex_lock(&s->mu);
    *ret_state = s->state;
    bool found = s->n > 0 && s->state != STREAM_CLOSED;
    if (found) {
        s->current = s->ring[s->head];
        s->head = (s->head + 1) & (s->cap - 1);
        s->n--;
        s->queued_bytes -= s->current.bytes.n;
        if (s->n == 0 && s->cap > 16) { /* a burst is over: watchers are many, let go of its room */
            free(s->ring);
            s->ring = NULL;
            s->cap = s->head = 0;
        }
    }
    pthread_mutex_unlock(&s->mu);
    return found;
}

/* Suspends unless something came in meanwhile. */
static bool sleep_if_idle(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    bool is_idle = s->n == 0 && s->state == STREAM_OPEN;
    if (is_idle) {
        s->is_suspended = true;
        MHD_suspend_connection(s->mhd);
    }
    pthread_mutex_unlock(&s->mu);
    return is_idle;
}

/* The buffer's bytes are dead: libmicrohttpd asks only when all was sent. Whole pages of anonymous memory
 * inside it read as zeroes afterwards. What a usual event needs is kept. */
static void give_back(struct stream *s, char *dst, size_t max)
{
    const size_t usual = 4096;
    if (s->touched_bytes <= 2 * usual)
        return;
    uintptr_t keep = s->touched_bytes == SIZE_MAX ? 0 : usual;
    s->touched_bytes = 0;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)dst + keep + page - 1) & ~(page - 1),
              to = ((uintptr_t)dst + max) & ~(page - 1);
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

ptrdiff_t stream_read(struct stream *s, char *dst, size_t max)
{
    bool asked = false;
    size_t done = 0;
    for (;;) {
        enum state state = STREAM_OPEN;
        while (done < max && (s->current.bytes.n || take_next(s, &state))) {
            size_t n = s->current.bytes.n < max - done ? s->current.bytes.n : max - done;
            if (n)
                memcpy(dst + done, s->current.bytes.p, n);
            done += n;
            s->current.bytes = text_from(s->current.bytes, n);
            if (s->current.bytes.n == 0)
                entry_release(&s->current);
        }
        if (done) {
            if (done > s->touched_bytes)
                s->touched_bytes = done;
            return (ptrdiff_t)done;
        }
        if (state == STREAM_CLOSED)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (state == STREAM_FINISHING)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (!asked && s->ops->drained) {
            asked = true;
            s->ops->drained(s->ctx);
            continue;
        }
        if (sleep_if_idle(s)) {
            give_back(s, dst, max);
            return 0;
        }
    }
}

void stream_detach(struct stream *s)
{
    if (s->is_detached)
        return;
    s->is_detached = true;
    pthread_mutex_lock(&s->mu);
    s->state = STREAM_CLOSED;
    s->mhd = NULL;
    s->fd = -1;
    pthread_mutex_unlock(&s->mu);
    if (s->ops->closed)
        s->ops->closed(s->ctx);
}
