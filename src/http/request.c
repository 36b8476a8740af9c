/* SPDX-License-Identifier: Apache-2.0 */
/* What filters and handlers read of a request and write of a response. Nothing here talks to the network: the
 * listener fills the request before the chain starts and sends the response after it. */
#include "http/request.h"

#include "http/http_internal.h"

bool user_in_group(const struct user_info *u, struct text group)
{
    for (size_t i = 0; i < u->n_groups; i++)
        if (text_eq(u->groups[i], group))
            return true;
    return false;
}

/* --- what came --- */

struct text request_header(const struct request *r, const char *name)
{
    struct text wanted = text_of(name);
    for (size_t i = 0; i < r->n_headers; i++)
        if (r->headers[i].name.n == wanted.n && text_eq_nocase(r->headers[i].name, wanted))
            return r->headers[i].value;
    return TEXT_NONE;
}

static const struct query_param *find_param(const struct query_param *query, size_t n, struct text key)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq(query[i].key, key))
            return &query[i];
    return NULL;
}

bool request_has_query(const struct request *r, const char *key)
{
    return find_param(r->query, r->n_query, text_of(key)) != NULL;
}

struct text request_query(const struct request *r, const char *key)
{
    const struct query_param *p = find_param(r->query, r->n_query, text_of(key));
    return p ? p->value : TEXT_NONE;
}

bool request_query_bool(const struct request *r, const char *key, bool otherwise)
{
    bool value = otherwise;

    text_to_bool(request_query(r, key), &value);
    return value;
}

struct text url_decode(struct arena *a, struct text raw, bool plus_is_space)
{
    bool plain = true;
    for (size_t i = 0; i < raw.n && plain; i++)
        plain = raw.p[i] != '%' && !(plus_is_space && raw.p[i] == '+');
    if (plain)
        return raw;

    char *dst = arena_alloc(a, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '%' && raw.n - i > 2 && text_hex_digit(raw.p[i + 1]) >= 0 && text_hex_digit(raw.p[i + 2]) >= 0) {
            c = (char)(text_hex_digit(raw.p[i + 1]) << 4 | text_hex_digit(raw.p[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        dst[n++] = c;
    }
    dst[n] = '\0';
    return (struct text){dst, n};
}

size_t query_parse(struct arena *a, struct text raw, struct query_param **ret)
{
    *ret = NULL;
    if (raw.n == 0)
        return 0;
    size_t room = 1;
    for (size_t i = 0; i < raw.n; i++)
        room += raw.p[i] == '&';

    struct query_param *params = ARENA_ARRAY(a, struct query_param, room);
    size_t n = 0;
    struct text part;
    while (text_split(&raw, '&', &part)) {
        if (part.n == 0)
            continue;
        ptrdiff_t eq = text_find(part, '=');
        struct text key = eq < 0 ? part : text_first(part, (size_t)eq);
        struct text value = eq < 0 ? TEXT("") : text_from(part, (size_t)eq + 1);
        params[n++] = (struct query_param){url_decode(a, key, true), url_decode(a, value, true)};
    }
    *ret = params;
    return n;
}

/* --- what goes back --- */

void request_warn(struct request *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct text warning = text_of(arena_vprintf(r->arena, fmt, args));
    va_end(args);
    for (size_t i = 0; i < r->n_warnings; i++)
        if (text_eq(r->warnings[i], warning))
            return;
    if ((r->n_warnings & (r->n_warnings - 1)) == 0) { /* room is the next power of two */
        size_t bytes = sizeof(struct text) * r->n_warnings;
        r->warnings = arena_grow(r->arena, r->warnings, bytes, bytes ? 2 * bytes : sizeof(struct text));
    }
    r->warnings[r->n_warnings++] = warning;
}

static struct header *append_header(struct request *r)
{
    struct response *rsp = &r->response;
    if (rsp->n_headers == rsp->cap_headers) {
        size_t cap = rsp->cap_headers ? 2 * rsp->cap_headers : 12;
        rsp->headers = arena_grow(r->arena, rsp->headers, rsp->cap_headers * sizeof(struct header),
                                  cap * sizeof(struct header));
        rsp->cap_headers = cap;
    }
    return &rsp->headers[rsp->n_headers++];
}

void response_add_header(struct request *r, const char *name, struct text value)
{
    struct header *h = append_header(r);
    h->name = arena_text(r->arena, text_of(name));
    h->value = arena_text(r->arena, value);
}

void response_set_header(struct request *r, const char *name, struct text value)
{
    struct response *rsp = &r->response;
    struct text wanted = text_of(name);
    struct header *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < rsp->n_headers; i++) {
        bool same = text_eq_nocase(rsp->headers[i].name, wanted);
        if (same && first)
            continue; /* a repeat of the one that is replaced */
        rsp->headers[n] = rsp->headers[i];
        if (same)
            first = &rsp->headers[n];
        n++;
    }
    rsp->n_headers = n;
    if (first)
        first->value = arena_text(r->arena, value);
    else
        response_add_header(r, name, value);
}

void response_clear_body(struct response *rsp)
{
    switch (rsp->body) {
    case BODY_NONE:
    case BODY_BYTES:
        break;
    case BODY_SOURCE:
        if (rsp->source.free)
            rsp->source.free(rsp->source.ctx);
        break;
    case BODY_STREAM:
        stream_detach(rsp->stream);
        stream_unref(rsp->stream);
        break;
    }
    blob_unref(rsp->owner);
    rsp->owner = NULL;
    rsp->stream = NULL;
    rsp->source = (struct body_source){0};
    rsp->bytes = TEXT_NONE;
    rsp->body = BODY_NONE;
}

static void start_response(struct request *r, int code, const char *content_type, enum body_kind body)
{
    response_clear_body(&r->response);
    r->response.code = code;
    r->response.body = body;
    r->response.is_compressed = r->response.is_websocket = false;
    if (content_type)
        response_set_header(r, "Content-Type", text_of(content_type));
}

void response_bytes(struct request *r, int code, const char *content_type, struct text body)
{
    start_response(r, code, content_type, BODY_BYTES);
    r->response.bytes = body;
}

void response_blob(struct request *r, int code, const char *content_type, struct blob *b)
{
    start_response(r, code, content_type, BODY_BYTES);
    r->response.bytes = blob_text(b);
    r->response.owner = b;
}

void response_source(struct request *r, int code, const char *content_type, struct body_source source)
{
    start_response(r, code, content_type, BODY_SOURCE);
    r->response.source = source;
}

void response_stream(struct request *r, int code, const char *content_type, struct stream *s)
{
    start_response(r, code, content_type, BODY_STREAM);
    r->response.stream = s;
}
