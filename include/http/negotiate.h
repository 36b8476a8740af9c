/* negotiate.h - Accept, Accept-Encoding and Content-Type as kube-apiserver reads them.
 * Source: kubernetes/apiserver pkg/endpoints/handlers/negotiation. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/text.h"

enum media_type { MEDIA_JSON, MEDIA_YAML, MEDIA_PROTOBUF, MEDIA_CBOR, MEDIA_OTHER };

/* One clause of an Accept header, or a Content-Type. Parameters are lower-case names. */
struct media {
    struct text type, subtype; /* "application", "json"; "*" for any */
    double q;
    struct {
        struct text name, value;
    } params[8];
    size_t n_params;
};
struct text media_param(const struct media *m, const char *name);
/* Clauses by falling q, the order of the header within one q. */
size_t media_parse_accept(struct arena *a, struct text header, struct media **ret);
bool media_parse_one(struct arena *a, struct text header, struct media *ret); /* a Content-Type */

/* How the answer is written. */
struct accepted {
    enum media_type media;
    const char *content_type; /* the header's value for a single object */
    bool is_stream;           /* ;stream=watch was asked for */
    bool pretty;              /* ;pretty=1 in Accept */
    enum { AS_OBJECT, AS_TABLE, AS_PARTIAL, AS_PARTIAL_LIST } as; /* ;as=Table;g=meta.k8s.io;v=v1 */
    struct text as_version; /* "v1" or "v1beta1" */
};
/* Other forms of an object that an Accept header may ask for on a path. */
enum transforms { TRANSFORMS_NONE, TRANSFORMS_ALL, TRANSFORMS_NO_TABLES };
/* The first clause that can be served out of the given media types (bit per enum) and transforms. False: 406; the message
 * lists what could be served. */
bool negotiate_accept(struct arena *a, struct text accept_header, unsigned media_bits, enum transforms transforms,
                      struct accepted *ret);
/* True if the client takes gzip with q > 0. */
bool negotiate_gzip(struct text accept_encoding);
/* The body's type from its header; the default for an empty one is JSON. MEDIA_OTHER: 415. */
enum media_type media_type_of(struct arena *a, struct text content_type);
