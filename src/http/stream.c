/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd sends a stream's header and its end; what lies between does not go through it. When it asks for the
 * first bytes of the body, its connection is suspended and lent to the senders, a few threads that write chunks
 * themselves, each a TLS record of as many queued entries as fit; when there is no more to come, the connection goes back:
 *
 *   HELD --libmicrohttpd asks for bytes--> ASLEEP --something to send or to end--> AWAKE --all sent--> ASLEEP
 *                                                             AWAKE --socket full--> BLOCKED --room--> AWAKE
 *   AWAKE --finished and all sent, or closed--> HELD: libmicrohttpd ends the response or cuts the connection
 *
 * Over TLS the connection does not even come back: at that first asking it leaves libmicrohttpd for good (leave.c), and
 * what would be given back is ended by its sender.
 *
 * So an event to many watchers costs one sendmsg for each, and one wake-up in all: suspending and resuming for each
 * event would cost an eventfd write, and libmicrohttpd walks all its suspended connections at every resume. And the
 * bytes that wait for the socket lie in no buffer of a watcher's own: watchers are many and mostly idle.
 *
 * While AWAKE the stream is a unit of work, on the senders' queue or being run by one of them, who alone uses the
 * connection and its TLS session. A client that does not read leaves it BLOCKED; cutting off shuts the socket down and
 * wakes it. */
#include "http/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "http/http_internal.h"

#define RECORD_BYTES 16384 /* what a TLS record holds at most */
#define TURN_RECORDS 16    /* then other streams have their turn */
#define FRAME_BYTES 8      /* of a chunk: its length in up to four digits and two line ends */

struct entry {
    struct text bytes;
    void *owner;
    void (*unref)(void *owner); /* NULL: nothing to do */
};

enum state { STREAM_OPEN, STREAM_FINISHING, STREAM_CLOSED };
enum lent { HELD, ASLEEP, AWAKE, BLOCKED };

struct stream {
    atomic_uint refs;
    const struct stream_ops *ops; /* set once */
    void *ctx;
    size_t max_queued_bytes;

    /* set when attached, then constant */
    struct connection *connection;
    struct workers *senders;
    bool is_chunked;

    struct work work; /* on the senders' queue */

    /* the sender's */
    struct entry current; /* what is left of the entry taken off last */
    struct text unsent;   /* malloc'd: what the socket did not take */
    bool was_ended;       /* the last chunk was made */
    bool is_detached;     /* whose response it is */

    pthread_mutex_t mu; /* nothing is called with it held but libmicrohttpd's suspend and a reader's wake */
    enum state state;
    enum lent lent;
    struct entry *ring; /* cap is a power of two */
    size_t cap, head, n;
    size_t queued_bytes;
    void (*reader_wake)(void *ctx); /* of another reader than the senders, who is ASLEEP or AWAKE, too; or NULL */
    void *reader_ctx;
};

struct stream *stream_new(const struct stream_ops *ops, void *ctx, size_t max_queued_bytes)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    s->refs = 1;
    s->ops = ops;
    s->ctx = ctx;
    s->max_queued_bytes = max_queued_bytes;
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
    free((void *)s->unsent.p);
    pthread_mutex_destroy(&s->mu);
    free(s);
}

/* --- the producer's side --- */

/* Gives the connection to a sender if it has none, and there is something for it to do. True: the caller calls wake()
 * after unlocking. */
static bool must_wake_locked(struct stream *s, bool even_if_blocked)
{
    if (s->reader_wake) {
        if (s->lent == ASLEEP || even_if_blocked) /* a reader waits for room without a word */
            s->reader_wake(s->reader_ctx);
        s->lent = AWAKE;
        return false;
    }
    if (s->lent != ASLEEP && !(s->lent == BLOCKED && even_if_blocked))
        return false;
    s->lent = AWAKE;
    return true;
}

static void wake(struct stream *s)
{
    workers_add(s->senders, &s->work);
}

static bool cut_locked(struct stream *s)
{
    s->state = STREAM_CLOSED;
    if (s->connection)
        shutdown(s->connection->fd, SHUT_RDWR);
    return must_wake_locked(s, true);
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
    bool is_asleep = false;
    pthread_mutex_lock(&s->mu);
    bool is_open = s->state == STREAM_OPEN;
    if (is_open && e.bytes.n > s->max_queued_bytes - s->queued_bytes) {
        is_open = false;
        is_asleep = cut_locked(s);
    } else if (is_open) {
        append_locked(s, e);
        is_asleep = must_wake_locked(s, false);
    }
    pthread_mutex_unlock(&s->mu);
    if (is_asleep)
        wake(s);
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
    bool is_asleep = false;
    pthread_mutex_lock(&s->mu);
    if (s->state == STREAM_OPEN) {
        s->state = STREAM_FINISHING;
        is_asleep = must_wake_locked(s, false);
    }
    pthread_mutex_unlock(&s->mu);
    if (is_asleep)
        wake(s);
}

void stream_abort(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    bool is_asleep = cut_locked(s);
    pthread_mutex_unlock(&s->mu);
    if (is_asleep)
        wake(s);
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

/* --- a sender's turn --- */

/* The next entry into s->current; false when there is none, or none is wanted any more. */
static bool take_next(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
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

static size_t copy_entries(struct stream *s, char *dst, size_t max)
{
    size_t done = 0;
    while (done < max && (s->current.bytes.n || take_next(s))) {
        size_t n = s->current.bytes.n < max - done ? s->current.bytes.n : max - done;
        if (n)
            memcpy(dst + done, s->current.bytes.p, n);
        done += n;
        s->current.bytes = text_from(s->current.bytes, n);
        if (s->current.bytes.n == 0)
            entry_release(&s->current);
    }
    return done;
}

/* The last chunk, which libmicrohttpd would send. */
static struct text make_end(struct stream *s)
{
    if (!s->connection->writer || s->was_ended)
        return TEXT_NONE;
    pthread_mutex_lock(&s->mu);
    s->was_ended = s->state == STREAM_FINISHING;
    pthread_mutex_unlock(&s->mu);
    return s->was_ended ? TEXT("0\r\n\r\n") : TEXT_NONE;
}

/* As many entries as fit, framed; empty when there are none. */
static struct text make_record(struct stream *s, char dst[RECORD_BYTES])
{
    if (!s->is_chunked)
        return (struct text){dst, copy_entries(s, dst, RECORD_BYTES)};
    const size_t lead = FRAME_BYTES - 2;
    size_t n = copy_entries(s, dst + lead, RECORD_BYTES - FRAME_BYTES);
    if (n == 0)
        return make_end(s);
    char length[FRAME_BYTES];
    size_t length_n = (size_t)snprintf(length, sizeof(length), "%zx\r\n", n);
    memcpy(dst + lead - length_n, length, length_n);
    dst[lead + n] = '\r';
    dst[lead + n + 1] = '\n';
    return (struct text){dst + lead - length_n, length_n + n + 2};
}

/* rest is of s->unsent, or of a record. */
static void keep_unsent(struct stream *s, struct text rest)
{
    char *before = (char *)s->unsent.p, *copy = NULL;
    if (rest.n && rest.n == s->unsent.n)
        return;
    if (rest.n) {
        copy = xmalloc(rest.n);
        memcpy(copy, rest.p, rest.n);
    }
    s->unsent = (struct text){copy, rest.n};
    free(before);
}

/* The connection is libmicrohttpd's again, or ends. s may be gone when this returns. */
static void give_back_locked(struct stream *s)
{
    struct connection *c = s->connection;
    bool is_clean = s->state == STREAM_FINISHING;
    s->lent = HELD;
    pthread_mutex_unlock(&s->mu);
    if (c->writer)
        connection_end(c, is_clean);
    else
        MHD_resume_connection(c->mhd);
}

/* The socket is full. False: it has room already, or the stream was closed. */
static bool sleep_until_room(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    bool sleeps = s->state != STREAM_CLOSED;
    if (sleeps) {
        s->lent = BLOCKED;
        transport_await_room(s->connection); /* tells at once if there is some again */
    }
    pthread_mutex_unlock(&s->mu);
    return sleeps;
}

/* All is sent. False: something came in meanwhile. */
static bool sleep_or_give_back(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    if (s->n > 0 && s->state != STREAM_CLOSED) {
        pthread_mutex_unlock(&s->mu);
        return false;
    }
    if (s->state != STREAM_OPEN) {
        give_back_locked(s);
        return true;
    }
    s->lent = ASLEEP;
    pthread_mutex_unlock(&s->mu);
    return true;
}

static void close_and_give_back(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    s->state = STREAM_CLOSED;
    give_back_locked(s);
}

static void send_some(struct work *work)
{
    struct stream *s = CONTAINER_OF(work, struct stream, work);
    char record[RECORD_BYTES];
    bool was_asked = false;
    for (int n_sent = 0; n_sent < TURN_RECORDS;) {
        struct text out = s->unsent.n ? s->unsent : make_record(s, record);
        if (out.n == 0) {
            if (s->ops->drained && !was_asked) {
                was_asked = true;
                s->ops->drained(s->ctx);
            } else if (sleep_or_give_back(s)) {
                return;
            }
            continue;
        }
        ptrdiff_t n = transport_send(s->connection, out);
        if (n < 0) {
            close_and_give_back(s);
            return;
        }
        was_asked = false;
        n_sent++;
        keep_unsent(s, text_from(out, (size_t)n));
        if (s->unsent.n && sleep_until_room(s))
            return;
    }
    wake(s);
}

/* --- the event loop's side --- */

void stream_attach(struct stream *s, struct connection *c, struct workers *senders, bool is_chunked)
{
    pthread_mutex_lock(&s->mu);
    s->connection = c;
    s->senders = senders;
    s->is_chunked = is_chunked;
    s->work.run = send_some;
    if (s->state == STREAM_CLOSED)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->mu);
}

/* Whole pages of anonymous memory inside the buffer that libmicrohttpd has cleared for a body: it will not be used,
 * and reads as zeroes when it is touched again. */
static void give_pages_back(char *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1), to = ((uintptr_t)p + n) & ~(page - 1);
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

/* The header was sent: the connection leaves, or is lent. */
static ptrdiff_t lend_locked(struct stream *s)
{
    struct connection *c = s->connection;
    /* libmicrohttpd holds back the header's packet for a body that it will not send. */
    setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
    if (connection_leave(c))
        return MHD_CONTENT_READER_END_OF_STREAM;
    c->was_corked = true;
    MHD_suspend_connection(c->mhd);
    s->lent = AWAKE;
    return 0;
}

ptrdiff_t stream_read(struct stream *s, char *dst, size_t max)
{
    ptrdiff_t result = 0;
    pthread_mutex_lock(&s->mu);
    if (s->state == STREAM_CLOSED)
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    else if (s->state == STREAM_FINISHING && s->n == 0)
        result = MHD_CONTENT_READER_END_OF_STREAM;
    else
        result = lend_locked(s);
    pthread_mutex_unlock(&s->mu);
    if (result == 0) {
        give_pages_back(dst, max);
        wake(s);
    }
    return result;
}

void stream_take_over(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    connection_change_fd(s->connection);
    s->lent = AWAKE;
    pthread_mutex_unlock(&s->mu);
    wake(s);
}

void stream_has_room(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    bool is_blocked = must_wake_locked(s, true);
    pthread_mutex_unlock(&s->mu);
    if (is_blocked)
        wake(s);
}

/* --- another reader --- */

void stream_set_reader(struct stream *s, void (*wake_reader)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&s->mu);
    s->reader_wake = wake_reader;
    s->reader_ctx = ctx;
    s->lent = wake_reader ? AWAKE : HELD;
    pthread_mutex_unlock(&s->mu);
}

/* False: there is something to take. */
static bool nothing_now(struct stream *s, enum stream_taken *ret)
{
    pthread_mutex_lock(&s->mu);
    bool is_empty = s->n == 0 || s->state == STREAM_CLOSED;
    if (is_empty && s->state == STREAM_OPEN)
        s->lent = ASLEEP;
    *ret = s->state == STREAM_OPEN ? STREAM_NOTHING : s->state == STREAM_FINISHING ? STREAM_END : STREAM_CUT;
    pthread_mutex_unlock(&s->mu);
    return is_empty;
}

bool stream_is_cut(struct stream *s)
{
    pthread_mutex_lock(&s->mu);
    bool is_cut = s->state == STREAM_CLOSED;
    pthread_mutex_unlock(&s->mu);
    return is_cut;
}

enum stream_taken stream_take(struct stream *s, struct text *ret)
{
    enum stream_taken taken;
    for (bool was_asked = false;;) {
        entry_release(&s->current);
        if (take_next(s)) {
            *ret = s->current.bytes;
            return STREAM_MESSAGE;
        }
        if (s->ops->drained && !was_asked) {
            was_asked = true;
            s->ops->drained(s->ctx);
        } else if (nothing_now(s, &taken)) {
            return taken;
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
    s->connection = NULL;
    pthread_mutex_unlock(&s->mu);
    if (s->ops->closed)
        s->ops->closed(s->ctx);
}
