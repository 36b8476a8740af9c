/* request.h - one request from its first byte to its last: what came, what is known of it, what goes back.
 * Everything a filter or handler needs is here; a filter adds what it found out and knows nothing of its neighbours.
 * Ownership: the listener makes and frees the request; all strings live in its arena unless noted.
 * Threads: one at a time. Whoever runs the chain owns it; a parked request belongs to whoever will resume it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/buffer.h"

struct filter;
struct stream;

/* What the filters of one server share: each filter knows its own member and no other. Filled by the top floor. */
struct authenticator;
struct authorizer;
struct endpoints;
struct lifecycle;
struct wiring {
    struct authenticator *authn;
    struct authorizer *authz;
    struct endpoints *endpoints;
    struct lifecycle *lifecycle;
};

struct header {
    struct text name, value;
};

/* One key=value of a query, decoded; keys and values in order. */
struct query_param {
    struct text key, value;
};

/* What the path and method say. Source: kubernetes/apiserver pkg/endpoints/request/requestinfo.go. */
struct request_info {
    bool is_resource;
    struct text verb;   /* get list watch create update patch delete deletecollection, or the lower-case method */
    struct text prefix; /* "api" or "apis" */
    struct text group, version, namespace, resource, subresource, name;
    struct text parts[16]; /* path segments from the resource on */
    size_t n_parts;
};

/* Who asks. name is empty until authentication has decided. */
struct user_extra {
    struct text key;
    struct text *values;
    size_t n_values;
};
struct user_info {
    struct text name, uid;
    struct text *groups;
    size_t n_groups;
    struct user_extra *extra;
    size_t n_extra;
};
bool user_in_group(const struct user_info *u, struct text group);

enum body_kind { BODY_NONE, BODY_BYTES, BODY_SOURCE, BODY_STREAM };

/* A response body that is pulled: read fills dst with 1..max bytes, or gives 0 at the end or -1 to cut the connection. It runs on the
 * event loop and must not block. bytes is the whole length, or -1: chunked. */
struct body_source {
    ptrdiff_t (*read)(void *ctx, char *dst, size_t max);
    void (*free)(void *ctx);
    void *ctx;
    int64_t bytes;
};

struct response {
    int code; /* 0: not set yet */
    struct header *headers;
    size_t n_headers, cap_headers;
    enum body_kind body;
    struct text bytes;       /* BODY_BYTES: in the arena, or kept alive by owner */
    struct blob *owner;      /* one reference, or NULL */
    struct body_source source;
    struct stream *stream;   /* BODY_STREAM: the chain's reference; see stream.h */
    bool is_compressed;      /* the handler has seen to Content-Encoding itself */
    bool is_websocket, is_text; /* BODY_STREAM: sent over a WebSocket, as text messages; see websocket.h */
};

struct request {
    struct arena *arena;

    /* What came. Set by the listener, then read-only. */
    struct text method, target; /* target as sent: path and query */
    struct text path;           /* decoded */
    struct text raw_query;
    struct query_param *query;
    size_t n_query;
    const struct header *headers;
    size_t n_headers;
    struct text body;      /* whole; at most the limit of the listener */
    bool body_too_large;   /* more came than the limit: body is empty */
    const char *peer;      /* "127.0.0.1:34567" */
    const struct text *client_certs; /* DER, leaf first; none when n is 0. Not verified by the listener. */
    size_t n_client_certs;
    int64_t start_ns;      /* clock_mono_ns at the first byte */

    /* What the filters found out. */
    struct request_info info;
    struct user_info user;
    struct user_info requestor; /* who has asked as user; no name: user itself */
    struct text authorization_reason; /* of the authorizer's yes or no, for the audit trail; may be empty */
    int64_t deadline_ms; /* clock_mono_ms; 0: none, see filter_request_deadline */
    struct text audit_id;
    bool is_long_running;
    struct text *warnings; /* texts for Warning headers, in order, without repeats */
    size_t n_warnings;

    struct response response;

    /* Private to chain.c and the listener. */
    const struct filter *const *filters;
    unsigned step;    /* the filter that runs, or will */
    unsigned entered; /* filters below this index will have leave called */
    void *connection;
    void *handler_state; /* the handler's own, in the arena, across FLOW_BLOCK and FLOW_PARK */
    const struct wiring *wiring;
};

struct text request_header(const struct request *r, const char *name); /* first of that name; p is NULL when absent */
bool request_has_query(const struct request *r, const char *key);
struct text request_query(const struct request *r, const char *key); /* first of that key; empty when absent */
/* true, "1", "t", "T", "TRUE", "True" as Go's ParseBool; absent or unparsable gives otherwise. */
bool request_query_bool(const struct request *r, const char *key, bool otherwise);
/* Parses path and query into request_info. Alone so that tests and other floors can ask about a path. */
void request_info_parse(struct arena *a, struct text method, struct text path, const struct query_param *query,
                        size_t n_query, struct request_info *ret);
/* %XX decoded, and + too if so; a bad escape keeps its text. raw itself when there is nothing to decode. */
struct text url_decode(struct arena *a, struct text raw, bool plus_is_space);
/* key=value&... with + and %XX decoded; a bad escape keeps its text. */
size_t query_parse(struct arena *a, struct text raw, struct query_param **ret);

void request_warn(struct request *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the response; each may be called once, or again to replace it as long as nothing was sent. */
void response_set_header(struct request *r, const char *name, struct text value); /* replaces */
void response_add_header(struct request *r, const char *name, struct text value);
void response_bytes(struct request *r, int code, const char *content_type, struct text body);      /* in the arena */
void response_blob(struct request *r, int code, const char *content_type, struct blob *b /* takes */);
void response_source(struct request *r, int code, const char *content_type, struct body_source source /* takes */);
void response_stream(struct request *r, int code, const char *content_type, struct stream *s /* takes */);
