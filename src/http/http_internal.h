/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of http share: the exchange (a request with its place in the chain), the connection, the
 * hooks between chain, stream and listener. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/containers.h"
#include "base/workers.h"
#include "http/chain.h"
#include "http/listener.h"
#include "http/request.h"
#include "http/stream.h"

/* --- request.c --- */

void response_clear_body(struct response *rsp);

/* --- chain.c: one request and where it stands ---
 *
 *   READING --body is there--> RUNNING --enter parks--> PARKED --request_resume--> RUNNING
 *                                 |  \--request_resume before enter has returned--> RESUMED --> RUNNING
 *                                 \--a response is set--> DONE --handed to libmicrohttpd--> SENDING
 *
 * libmicrohttpd's connection is suspended from the first park or block on until DONE. While it is, whoever
 * runs the chain owns the exchange; otherwise the event loop does. */
enum phase { PHASE_READING, PHASE_RUNNING, PHASE_PARKED, PHASE_RESUMED, PHASE_DONE, PHASE_SENDING };

/* Who has answered a request that left the event loop: its chain, or its deadline. */
enum outcome { OUTCOME_OPEN, OUTCOME_IN_TIME, OUTCOME_LATE };

struct exchange {
    struct request r;
    struct work work; /* queued on the workers */
    _Atomic(enum phase) phase;
    enum flow resumed_with; /* by whom resumes, before phase says so */
    bool is_suspended;
    bool was_websocket; /* and is none any more: there is nothing to answer */
    bool on_worker;
    bool is_corked; /* the TLS session collects header and body for one record */
    bool counts_as_long_running;
    bool is_http_1_0; /* no chunks */
    bool has_timer; /* deadline was armed */
    _Atomic(enum outcome) outcome;
    struct timer deadline;
    const struct header *late_headers; /* of the answer if the deadline passes */
    size_t n_late_headers;
    struct connection *connection;
    struct listener *listener;
    struct MHD_Connection *mhd;
    struct buffer body;
    uint64_t body_bytes; /* that came, kept or not */
};

/* Runs the chain from its first filter; on the event loop. */
void chain_start(struct exchange *ex);
/* The response has ended or the connection is lost: runs leave for all that was entered. */
void chain_end(struct exchange *ex);

/* --- listener.c --- */

struct listener {
    struct listener_options opt; /* defaults filled in; constant */
    struct MHD_Daemon *daemon;
    struct connections *connections;
    struct workers *senders; /* of streams */
    int listen_fd;
    uint16_t port;
    bool is_quiesced_once;   /* by quiesce and stop, which one thread calls */
    atomic_bool is_quiesced; /* keep-alive ends */
    atomic_bool is_stopping; /* no chain starts any more */
    atomic_uint n_exchanges; /* chains started and not ended, long-running ones included */
    atomic_uint n_long_running;
    pthread_mutex_t tls_mu;  /* a leaf */
    struct tls_context *tls; /* tls_mu: for connections to come; NULL: plain HTTP */
    pthread_mutex_t websockets_mu;
    struct websocket_loop *websockets; /* websockets_mu: NULL until the first one */
};

/* --- exchange.c --- */

void exchange_suspend(struct exchange *ex); /* event loop only */
/* The response is set. may_work: on a worker, where compressing may take its time. Any thread; ex may be gone
 * when it returns. */
void exchange_done(struct exchange *ex, bool may_work);
void exchange_to_worker(struct exchange *ex, void (*run)(struct work *));
/* Its response has ended or the connection is lost: the chain unwinds, ex goes. */
void exchange_end(struct exchange *ex);
void exchange_free(struct exchange *ex);

/* --- respond.c: a response as libmicrohttpd sends it --- */

enum MHD_Result exchange_respond(struct exchange *ex); /* event loop */
bool exchange_wants_gzip(const struct exchange *ex);   /* of BODY_BYTES: for a worker */
void exchange_gzip(struct exchange *ex);
void exchange_uncork(struct exchange *ex); /* sends what the TLS session has collected */

/* --- deadline.c --- */

/* Begins to watch the deadline, if there is one: as the exchange is suspended for the first time. */
void deadline_arm(struct exchange *ex);
/* Ends that; afterwards outcome does not change any more. By who runs the chain, at its end. */
void deadline_disarm(struct exchange *ex);

/* --- stream.c --- */

/* Event loop only, but for stream_has_room. */
struct connection;
void stream_attach(struct stream *s, struct connection *c, struct workers *senders, bool is_chunked);
ptrdiff_t stream_read(struct stream *s, char *dst, size_t max); /* as MHD's content reader; 0: was suspended */
void stream_take_over(struct stream *s);                        /* its connection has left, see leave.c */
void stream_has_room(struct stream *s);                         /* the socket has, after transport_await_room() */
void stream_detach(struct stream *s);                           /* once; runs closed */

/* Another reader than libmicrohttpd: it takes whole entries, and is woken (any thread, the stream's mutex held) when there
 * is something again after NOTHING. wake NULL: there is no reader any more, and once this has returned none is called. */
enum stream_taken { STREAM_MESSAGE, STREAM_NOTHING, STREAM_END /* all was taken */, STREAM_CUT };
void stream_set_reader(struct stream *s, void (*wake)(void *ctx), void *ctx);
enum stream_taken stream_take(struct stream *s, struct text *ret); /* until the next call */
bool stream_is_cut(struct stream *s); /* the reader was woken for it, too */

/* --- websocket_loop.c --- */

struct websocket_loop;
/* ex's response is a stream for a WebSocket: the connection is suspended and lent until that is over; then it is to be closed.
 * False: it cannot be. Event loop. */
bool websocket_begin(struct exchange *ex);
void websocket_loop_stop(struct websocket_loop *loop);        /* all its connections must be gone */

/* --- connection.c: every open connection, and one thread that watches them --- */
struct connections;
#define INPUT_BYTES 512 /* a usual GET in one read; held by every connection */
struct connection {
    struct list link; /* mu of connections */
    struct connections *home;
    int watch_fd; /* home's epoll set */
    struct exchange *exchange; /* the request that is being read or answered; event loop only */
    struct stream *stream;     /* mu of connections: the answer that runs, with a reference */
    bool awaits_input;         /* mu of connections: suspended until the peer sends */
    struct MHD_Connection *mhd;
    int fd;
    atomic_llong deadline_ms; /* what is being read, or sent, must be whole by then; 0: no such limit now */
    bool has_certs;                /* certs were looked up */
    const struct text *certs;      /* DER, leaf first; in one malloc */
    size_t n_certs;
    struct tls_context *tls; /* one reference, or NULL */
    void *tls_session;
    struct tls_writer *writer; /* instead of the session: the connection leaves libmicrohttpd, see leave.c; NULL: it does not */
    int own_fd;                /* with a writer: to be fd */
    bool leaves;               /* its answer says so */
    void (*starved)(struct connection *c); /* see transport_start */
    bool was_used;   /* a request was answered on it before */
    bool was_corked; /* the socket, by libmicrohttpd: it does so for what fits one packet, and never undoes it
                      */
    bool is_new;     /* its first request has not begun */
    bool has_more;   /* the body that is being sent will follow up what is written now */
    size_t in_flight_bytes; /* at most so many of what was sent may wait for the peer */
    unsigned short input_pos, input_end;
    char peer[64];
    char input[INPUT_BYTES]; /* read ahead of GnuTLS, see transport.c */
};

struct connections *connections_start(int64_t check_every_ms);
size_t connections_count(struct connections *cs);
void connections_stop(struct connections *cs); /* all connections must be gone */
void connections_add(struct connections *cs, struct connection *c);
void connections_remove(struct connection *c);
void connection_set_stream(struct connection *c,
                           struct stream *s); /* takes a reference of its own; NULL: it ended */
/* c->own_fd becomes c->fd, which libmicrohttpd is about to close. */
void connection_change_fd(struct connection *c);
/* Suspends the connection until its socket is readable; event loop only. */
void connection_await_input(struct connection *c);
/* Aborts all streams; cuts every connection too if so. */
void connections_abort(struct connections *cs, bool cut_all);

/* --- leave.c --- */

bool connection_may_leave(const struct exchange *ex); /* will its stream's connection? Then the answer is to say so */
bool connection_leave(struct connection *c);          /* false: not after all. Event loop, as the two others before the end */
void connection_left(struct connection *c);
void connection_end(struct connection *c, bool is_clean); /* a sender, with no lock held; c goes */

/* --- transport.c --- */

/* Makes c->tls_session read and write through c; starved is called when there is nothing to read before c's first
 * request. */
void transport_start(struct connection *c, void (*starved)(struct connection *c));
/* Sends past libmicrohttpd, whose connection must be suspended or gone. How much was taken, less than all if the socket is full:
 * then the rest, and nothing else, must be given next. -1: the connection is lost. */
ptrdiff_t transport_send(struct connection *c, struct text bytes);
/* Has stream_has_room() called once the socket takes more; while a stream is set. Any thread. */
void transport_await_room(struct connection *c);

/* --- tls.c --- */

struct tls_context;
struct tls_context *tls_context_new(const struct tls_config *c, struct status *st);
struct tls_context *tls_context_ref(struct tls_context *t);
void tls_context_unref(struct tls_context *t);
/* Makes a fresh GnuTLS session use this context. False: GnuTLS refused. */
bool tls_context_apply(const struct tls_context *t, void *session);
