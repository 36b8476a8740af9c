/* SPDX-License-Identifier: Apache-2.0 */
/* endpoints_internal.h - what the files of this floor share.
 * One request for a resource is a struct call, made by the router and kept in r->handler_state across parks.
 * Its step is the function that filter_endpoints runs when the chain enters it, the first time and again
 * after FLOW_BLOCK. How the answer is written is a struct representation: a table of functions chosen once
 * from the Accept header. */
#pragma once

#include <pthread.h>

#include "base.h"
#include "endpoints.h"

struct endpoints;
struct call;
struct openapi;
struct watch;

typedef enum flow (*call_step)(struct request *r, struct call *c);

/* --- representations (represent.c; table.c brings its own) --- */

struct representation;

struct list_meta {
    uint64_t revision;
    struct text continue_token; /* empty: none */
    int64_t remaining;          /* -1: not said */
};

struct representation_form {
    const char *name;
    /* The bytes of one item of a list: borrowed from o (they are its own or hang off it) or made in a. NULL
     * text: the object has no such form; the reason was logged. */
    struct text (*item)(const struct representation *rep, struct object *o, struct arena *a);
    /* Set when such bytes say where the clock comes in: adds the item as it is at now_ns. */
    void (*fill)(struct buffer *b, struct text item, int64_t now_ns);
    /* What tells items of this rep from those of others of its form; NULL: they do not hang off their objects. */
    const void *(*shared_of)(const struct representation *rep, uint32_t *ret_number);
    /* One object as a whole answer, or as the object of a watch event; without a newline. */
    struct text (*single)(struct representation *rep, struct object *o, struct buffer *scratch);
    /* What stands before the items and behind them. NULL: the form is no JSON and list is used. */
    void (*list_head)(const struct representation *rep, const struct list_meta *meta, struct buffer *b);
    struct text first, next; /* before the first item, before each later one */
    struct text tail;
    struct text no_items; /* instead of tail, when there are none; empty: tail it is */
    /* Instead of the above for protobuf: an item is a message, field 2 of the list's message; items_bytes is
     * what they take, tags and lengths included. */
    void (*list)(const struct representation *rep, const struct list_meta *meta, size_t items_bytes,
                 struct buffer *head, struct buffer *tail);
    /* Puts the objects of a list into the order in which the form shows them. NULL: as they come. */
    void (*arrange)(const struct representation *rep, struct object **objects, size_t n);
    bool is_shared; /* what is made depends on o and rep only: watch events are made once for all watchers */
};

struct representation {
    const struct representation_form *form;
    const struct resource *resource;
    const struct schema_kind *kind; /* of the served version */
    struct accepted accepted;
    bool is_pretty; /* indent JSON; it is first made compact, then indented, as YAML is made of it, too */
    bool has_no_headers; /* tables: the column definitions were sent with an earlier event of this watch */
    enum { INCLUDE_METADATA, INCLUDE_OBJECT, INCLUDE_NONE } include; /* tables: what a row carries */
};

/* Chooses by r's Accept header; -1: *st says 406. sub: that is asked for; NULL: none. is_list: the answer is a list. What the query says of tables is read
 * later, by table_options_read: whoever asks for an object that is not there is told that first. */
int representation_choose(struct request *r, const struct resource *res, const struct resource_sub *sub, bool is_list,
                          struct representation *ret, struct status *st);
/* ?includeObject= into rep->include, where a table is wanted; -1: 400. */
int table_options_read(struct request *r, struct representation *rep, struct status *st);
/* o's JSON in the version of kind: its own bytes or a form that hangs off it. NULL text on failure. */
struct text object_json_as(struct object *o, const struct schema_kind *kind);
/* k8s\0 and the message. */
struct text object_protobuf_as(struct object *o, const struct schema_kind *kind);
/* PartialObjectMetadata of the version that rep asks for. */
struct text object_partial_as(struct object *o, const struct representation *rep);
void partial_write(struct buffer *b, const struct object *o, const char *version);
const char *partial_version(const struct representation *rep); /* "v1" or "v1beta1", each always at one address */
/* "metadata":{...} of a list or a table. */
void list_meta_write(struct buffer *b, const struct list_meta *meta);
/* The text of the top-level member "metadata" in an object's JSON. */
struct text json_metadata_of(struct text object_json);
extern const struct representation_form form_json, form_protobuf, form_partial, form_partial_protobuf;

/* The media types of every API path, as a 406 and a 415 list them. */
#define SERVED_MEDIA (1u << MEDIA_JSON | 1u << MEDIA_YAML | 1u << MEDIA_PROTOBUF)
#define SERVED_MEDIA_NAMES "application/json, application/yaml, application/vnd.kubernetes.protobuf"

bool wants_pretty(const struct request *r, const struct accepted *accepted);

/* --- a request for a resource --- */

struct call {
    struct endpoints *e;
    const struct resource *resource;
    const struct resource_sub *sub; /* NULL: the resource itself */
    struct text namespace, name;    /* of the path; empty: all, cluster-scoped, none */
    call_step step;
    struct representation rep;
    bool is_collection;
    bool has_waited, was_reached; /* see wait_for_revision */
    bool goes_on_late;            /* the step that waits is run in any case, and looks at was_reached */
    uint64_t awaited;
    struct status refresh_failure; /* see wait_for_newest */
    struct past_state past;        /* see wait_for_listing */
    int64_t waits_since_ns;
    call_step state_step;
    struct watch *watch;
    void *state; /* the verb's own, in the arena */
};

/* The verbs. Each begins with the choice of the representation. */
enum flow call_get(struct request *r, struct call *c);
enum flow call_list(struct request *r, struct call *c);
/* Of componentstatuses, which are made when somebody asks. */
enum flow call_component_get(struct request *r, struct call *c);
enum flow call_component_list(struct request *r, struct call *c);
enum flow call_watch(struct request *r, struct call *c);
enum flow call_create(struct request *r, struct call *c);
enum flow call_update(struct request *r, struct call *c);
enum flow call_patch(struct request *r, struct call *c);
enum flow call_delete(struct request *r, struct call *c);
enum flow call_delete_collection(struct request *r, struct call *c);
enum flow call_scale_get(struct request *r, struct call *c);
enum flow call_scale_update(struct request *r, struct call *c);
enum flow call_scale_patch(struct request *r, struct call *c);
enum flow call_binding_create(struct request *r, struct call *c);
enum flow call_eviction_create(struct request *r, struct call *c);
enum flow call_token_create(struct request *r, struct call *c);
enum flow call_token_review_create(struct request *r, struct call *c);
enum flow call_review(struct request *r, struct call *c);

/* The options that every write has in its query: names a kind of options ("CreateOptions") for the error. */
struct write_options {
    bool is_dry_run;
    bool is_strict, is_ignoring; /* fieldValidation; neither: warn */
    struct text field_manager;
    bool is_forced; /* apply: takes fields from their owners */
};
/* Is it server-side apply, by its content type? */
bool request_applies(const struct request *r);
int write_options_read(struct request *r, const char *options_kind, bool has_field_validation,
                       struct write_options *ret, struct status *st);
/* timeout=DURATION is read and checked, as upstream does for writes. */
struct list_options {
    struct list_request request; /* selectors point at the two below */
    struct selector labels, fields;
    bool has_initial_events, send_initial_events; /* sendInitialEvents was given; its value */
    bool allow_bookmarks;
    bool says_watch;   /* watch=true, which the old paths of watches need not say */
    int64_t timeout_s; /* 0: not given */
};
/* resourceVersion of a get or watch; empty is 0. -1: a 500, as upstream has it. */
int revision_of_query(struct request *r, uint64_t *ret, struct status *st);
/* ret stays where it is: request points into it. */
int list_options_read(struct request *r, struct call *c, bool is_watch, struct list_options *ret,
                      struct status *st);

/* Parks until the store has reached the revision, then runs next; too long: 504. Also the way for one that is
 * there. */
enum flow wait_for_revision(struct request *r, struct call *c, uint64_t revision, call_step next);
/* What listing_open wants to be waited for: a revision to come, or the state at one that was, which comes into c->past. */
enum flow wait_for_listing(struct request *r, struct call *c, uint64_t revision, call_step next);
/* Goes on with next once the caches are as new as the store; at once when nobody else writes to it. */
enum flow wait_for_newest(struct request *r, struct call *c, call_step next);

/* Ends the call with the object in its representation. Takes o. Where it is not cheap it belongs on a worker.
 */
enum flow respond_object(struct request *r, struct call *c, int code, struct object *o);
bool response_is_cheap(const struct call *c, const struct object *o);
/* A tree of any kind (Scale, Status, review) as the answer, in r's media type. Canonical; of kind's schema.
 */
enum flow respond_tree(struct request *r, int code, const struct schema_kind *kind, const struct value *tree);
/* A status that is no error, and its code. */
enum flow respond_status(struct request *r, int code, const struct status *st);
/* A user as reviews show it: UserInfo of authentication.k8s.io. */
struct value user_as_value(struct arena *a, const struct user_info *u);
/* Compact JSON as JSON, indented JSON or YAML. json is taken over: it lies in the arena. */
enum flow respond_json(struct request *r, int code, const struct accepted *accepted, bool is_pretty,
                       struct buffer *json);
/* "404 page not found" and its like. */
enum flow respond_text(struct request *r, int code, struct text body);
/* An empty tree's and a status' protobuf. */
void status_encode_protobuf(struct arena *a, struct buffer *b, const struct status *st);

/* The error of a list or watch that comes to what cannot be read; it names the key. Source: kubernetes/apiserver
 * pkg/storage/etcd3/store.go, GetList. */
void unreadable_status(struct status *st, const struct resource *res, const struct object *o);

/* watch_counters.c */
struct watch_counters {
    struct metric_cell *events, *sizes, *running, *list_duration;
};
void watch_counters_register(void);
void watch_counters_find(struct watch_counters *m, const struct request *r, const struct resource *res);

/* The connection of a watch is gone and will not call again. */
void watch_request_ended(struct watch *w);

/* The errors that upstream's path router gives, before any verb has run: details are there, and empty. */
enum flow fail_no_resource(struct request *r);
enum flow fail_method(struct request *r);
bool request_is_read(const struct request *r); /* GET or HEAD */
/* False: 406 or 415 of the router was set. */
bool router_accepts(struct request *r);

/* The body of a list over the snapshot of l, which it takes over; l lies in the arena (list_body.c). */
enum flow respond_list(struct request *r, struct call *c, struct listing *l);

/* --- bodies of requests (body.c) --- */

/* Reads r's body as an object of kind, with upstream's checks and wording: the canonical tree, not defaulted,
 * api version and kind set. Other kinds and versions are refused; notes go to Warning headers or, when
 * strict, into the refusal. */
int body_read_object(struct request *r, const struct schema_kind *kind, const struct write_options *opt,
                     struct value *ret, struct status *st);
/* The body as a tree by its media type: JSON or YAML. media_types: what a 415 lists. */
int body_read_tree(struct request *r, struct value *ret, struct status *st);
/* 413 when more came than the listener reads. */
int body_check_size(struct request *r, struct status *st);
/* What decoding noticed: as warnings, or -1 and text for a strict refusal. prefix stands before each note. */
int decode_notes_apply(struct request *r, const struct write_options *opt, const struct decode_notes *notes,
                       struct buffer *ret_errors);

/* --- other paths (routes.c) --- */

enum route_match {
    ROUTE_EXACT, /* the path alone */
    ROUTE_SLASH, /* the path with or without a slash at its end */
    ROUTE_BELOW, /* the path and everything below it: rest is what follows the slash */
};
struct route {
    const char *path;
    enum route_match match;
    enum flow (*serve)(struct request *r, struct endpoints *e, struct text rest);
};
/* The handler that is no resource, or NULL. */
const struct route *route_find(struct text path, struct text *ret_rest);
/* All of them, ended by a NULL path, in the order in which they are tried. */
extern const struct route routes[];

enum flow serve_version(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_healthz(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_livez(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_readyz(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_metrics(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_openapi_v2(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_openapi_v3(struct request *r, struct endpoints *e, struct text rest);
void openapi_free(struct openapi *o); /* accepts NULL */
enum flow serve_openid_configuration(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_openid_keys(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_root(struct request *r, struct endpoints *e, struct text rest);
/* The i-th check of the health pages; false behind the last. */
bool health_check_at(struct endpoints *e, size_t i, struct health_check *ret);
enum flow serve_api(struct request *r, struct endpoints *e, struct text rest);
enum flow serve_apis(struct request *r, struct endpoints *e, struct text rest);

/* Paths below /api and /apis that name no resource: group empty for the core group, version empty for
 * /apis/GROUP. */
enum flow serve_group_version(struct request *r, struct endpoints *e, struct text group, struct text version);
/* A quoted ETag of these bytes. */
struct text etag_of(struct arena *a, struct text bytes);
/* Has a handler and, by --runtime-config, its version on; types that are not stored (bindings) go by their default. */
bool type_is_offered(const struct endpoints *e, const struct resource_type *type);

/* --- the whole --- */

#define FRAME_SLOTS 64
/* Watch events made lately, so that all watchers of an event share one (watch_frames.c). */
struct frames {
    pthread_mutex_t mu; /* guards the rest; nothing is called with it held */
    struct frame {
        struct object *object; /* one reference, so that the address means this object */
        const struct representation_form *form;
        const void *of; /* kind, or the version text of a partial form */
        unsigned type;
        struct blob *blob;
    } slots[FRAME_SLOTS];
};
void frames_init(struct frames *f); /* zeroed */
void frames_deinit(struct frames *f);

struct endpoints {
    struct endpoints_options opt; /* set before the first request, then read-only */
    _Atomic(const char *) server_address; /* see endpoints_announce; NULL until then */
    struct openapi *openapi; /* NULL until the first request for it; openapi.c guards it */

    pthread_mutex_t watches_mu; /* guards the next three; nothing is called with it held but stream_finish */
    struct list watches;
    size_t n_watches;
    bool is_ending;

    struct frames frames; /* of all watches */
};
