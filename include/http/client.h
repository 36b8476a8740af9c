/* client.h - HTTP requests to other servers: the etcd gateway, webhooks, kubelets, aggregated servers.
 * A client is one I/O thread and its kept-alive connections (HTTP/1.1, TLS, Unix sockets). An exchange, one request and its
 * answer, is a struct embedded in its owner's. Redirects are not followed, proxies of the environment are not asked, cookies
 * are not kept.
 * Threads: any may submit; callbacks run on the client's I/O thread and must be short. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/containers.h"
#include "base/status.h"
#include "base/buffer.h"

struct http_client;
struct http_client_options {
    const char *name;          /* of the thread, at most 15 bytes */
    unsigned connections_max;  /* to one server at a time; more exchanges wait their turn. 0: no limit */
    bool can_repeat;           /* an exchange whose kept connection breaks before any answer may be sent again: never
                                * for what must not happen twice */
};
/* NULL: the system has no more threads or descriptors. */
struct http_client *http_client_start(const struct http_client_options *opt);
/* Cancels what runs, ends the thread, frees. Not from a callback. */
void http_client_stop(struct http_client *c);

/* Whom to trust and who we are. Files are read again for each new connection. Lives as long as the exchanges with it. */
struct http_tls {
    const char *ca_file;             /* NULL: the system's authorities */
    struct text ca_pem;              /* those authorities themselves, instead of the file */
    const char *cert_file, *key_file; /* NULL: none */
    const char *server_name;         /* expected instead of the URL's host; NULL: the host */
    bool is_insecure;                /* any certificate will do */
};

enum http_result {
    HTTP_DONE,      /* the server has answered: code, body */
    HTTP_NOT_SENT,  /* no connection: the server has not seen the request */
    HTTP_BROKEN,    /* the connection broke, or the time was over: the server may have seen it */
    HTTP_CANCELED,
};

struct http_header_out {
    struct text name, value;
};

/* Zeroed, then filled; everything borrowed lives until done. */
struct http_exchange {
    const char *method;      /* NULL: GET, or POST with a body */
    const char *url;         /* "https://host:port/path?query" */
    const char *unix_socket; /* instead of the URL's host and port; NULL: no */
    const struct http_tls *tls; /* NULL: the defaults */
    const struct http_header_out *headers;
    size_t n_headers;
    struct text body;        /* sent when body.p is set */
    int64_t timeout_ms;         /* for all of it; 0: none */
    int64_t connect_timeout_ms; /* 0: five seconds */
    size_t answer_max;          /* of a gathered answer; 0: 64 MB. More breaks the connection. */
    /* A piece of a streamed answer whose code is 200; false breaks the connection. NULL, or another code: the answer is
     * gathered in body_in. */
    bool (*piece)(struct http_exchange *x, struct text piece);
    /* Once. The exchange may be freed or submitted anew; body_in is the owner's to free. */
    void (*done)(struct http_exchange *x);

    /* what came of it */
    enum http_result result;
    int code;
    struct buffer body_in;
    char why[256];           /* of what is not DONE: one clause for a message */
    int64_t max_age_s;       /* of an answer: that of its Cache-Control; -1: it says nothing of the kind */
    int64_t begun_ns, ended_ns; /* clock_mono_ns */

    /* private to the client */
    struct list link, cancel_link;
    void *easy, *lists;
    struct http_client *client;
    uint8_t state;
    uint8_t n_begun; /* how often libcurl was about to send it */
    bool is_canceled, is_too_long;
};

void http_client_submit(struct http_client *c, struct http_exchange *x);
/* On the I/O thread only (a callback or a task), for an exchange whose done has not run: it will, right after the callback. */
void http_client_cancel(struct http_client *c, struct http_exchange *x);

/* Something to run on the I/O thread, in order of submission with the exchanges. */
struct http_task {
    struct list link;
    void (*run)(struct http_task *t); /* may free t */
};
void http_client_run(struct http_client *c, struct http_task *t);
