/* stream.h - a response that goes on: a watch. A bounded queue of references to shared bytes between those who produce
 * events (any thread) and one connection (a sender, see stream.c).
 * States: OPEN --finish--> FINISHING --queue empty--> CLOSED; OPEN --overflow, client gone, abort--> CLOSED.
 * Ownership: refcounted; the producer and the connection hold one each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct stream;

struct stream_ops {
    /* The connection is gone or the stream was closed: no more writes are wanted. Called once, when the connection lets
     * go of the stream: on its event loop (never from within push, finish or abort), without the stream's lock; or where
     * a response that was never sent is replaced. The producer lets go of its own things here. */
    void (*closed)(void *ctx);
    /* Optional: the queue has run empty (a sender's thread, never beside or after closed; must not block). A producer that makes its bytes when asked
     * (a watcher that walks a ring) pushes the next ones from here. */
    void (*drained)(void *ctx);
};

struct stream *stream_new(const struct stream_ops *ops, void *ctx, size_t max_queued_bytes);
struct stream *stream_ref(struct stream *s);
void stream_unref(struct stream *s);
DEFINE_CLEANUP(struct stream *, stream_unref)

/* Queues bytes of a shared blob (a reference is taken; part says which of its bytes). False when the stream is closed or
 * this would pass the limit; it is then closed: a slow client is cut off, never waited for. Any thread, never blocks.
 * The connection is woken once per burst. */
bool stream_push(struct stream *s, struct blob *b, struct text part);
/* The same for bytes that are kept alive by something else than a blob: unref(owner) runs when they were sent. */
bool stream_push_owned(struct stream *s, struct text bytes, void *owner, void (*unref)(void *owner));
/* Ends the response after what is queued (a clean end of the chunked body). */
void stream_finish(struct stream *s);
/* Cuts the connection without a clean end. */
void stream_abort(struct stream *s);
bool stream_is_open(const struct stream *s);
size_t stream_queued_bytes(const struct stream *s);
