/* listener.h - the HTTPS server: libmicrohttpd with epoll threads, seen nowhere else.
 * Each request's body is read whole (bounded) before its chain starts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/workers.h"
#include "http/chain.h"
#include "http/tls.h"

struct listener;

struct listener_options {
    const char *bind_address; /* "0.0.0.0", "::", "127.0.0.1" */
    uint16_t port;            /* 0: any free one, see listener_port */
    const struct tls_config *tls; /* NULL: plain HTTP (tests) */
    unsigned n_threads;       /* 0: one per core */
    unsigned max_connections; /* 0: from the process's descriptor limit */
    size_t body_max_bytes;    /* 0: 3 MiB */
    size_t header_max_bytes;  /* 0: 16 KiB; libmicrohttpd's memory for a connection: the header, what is known of it and
                               * the response's header share it, and for every request it clears one and a half times as
                               * much. Past it: 431, 414 for the first line */
    unsigned idle_timeout_s;  /* 0: 180 */
    unsigned header_timeout_s; /* 0: 32, as Go's ReadHeaderTimeout upstream */
    struct workers *workers;  /* borrowed: for FLOW_BLOCK */
    struct timers *timers;    /* borrowed: for deadlines; NULL: a request that has left the event loop has none */
    unsigned request_timeout_ms; /* what filter_request_deadline gives a request; 0: only what the client asks for */
    const struct filter *const *filters; /* NULL-terminated, borrowed for ever; the last one is the handler */
    const struct wiring *wiring; /* goes into each request */
    /* Writes st as the response in the form that the client accepts. NULL: JSON. */
    void (*write_status)(struct request *r, const struct status *st);
    size_t gzip_min_bytes; /* bodies from this size on are compressed for clients that accept it; 0: 128 KiB */
};

/* Fails with a message that names address and port ("listen tcp 0.0.0.0:6443: bind: address already in use"). */
int listener_start(const struct listener_options *opt, struct listener **ret, struct status *st);
uint16_t listener_port(const struct listener *l);
/* Takes new certificates for connections to come; tls is borrowed during the call. */
int listener_set_tls(struct listener *l, const struct tls_config *tls, struct status *st);
/* No new connections; keep-alive ones are closed after their next response. */
void listener_quiesce(struct listener *l);
/* Requests that are running now, long-running ones apart. */
void listener_counts(const struct listener *l, unsigned *ret_requests, unsigned *ret_long_running);
/* Waits for running requests up to grace_ms, aborts what is left, ends the threads, frees. A parked request cannot be
 * aborted: it waits for its request_resume however long that takes. */
void listener_stop(struct listener *l, int64_t grace_ms);
