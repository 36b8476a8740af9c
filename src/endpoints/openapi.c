/* SPDX-License-Identifier: Apache-2.0 */
/* /openapi/v2 and /openapi/v3. The documents follow from tables that do not change while the server runs, so
 * each is made once, at the first request for any, and kept compressed; a client that takes no gzip has its
 * document made anew. The hash in a URL is the document's: such an answer may be kept for ever. Source:
 * kubernetes/kube-openapi pkg/handler, pkg/handler3. */
#include "endpoints/openapi.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#define HASH_BYTES 64
#define GZIP_LEVEL 6

enum page_form { PAGE_JSON, PAGE_PROTOBUF };
/* As the answer names it, and another name that Accept may give it. */
static const char *const protobuf_names[][2] = {
    [2] = {"com.github.proto-openapi.spec.v2.v1.0+protobuf", "com.github.proto-openapi.spec.v2@v1.0+protobuf"},
    [3] = {"com.github.proto-openapi.spec.v3.v1.0+protobuf", "com.github.proto-openapi.spec.v3@v1.0+protobuf"},
};

struct openapi_page {
    struct text name; /* "apis/apps/v1" */
    int version;      /* of OpenAPI */
    struct openapi_part part; /* of version 3 */
    struct blob *zipped[2];   /* by form; that of version 3 as protobuf is made anew each time */
    struct text hash; /* of the JSON, in hexadecimal digits; both forms go by it */
};

struct openapi {
    struct arena *arena;
    struct openapi_part *parts;
    struct openapi_page *pages; /* by name */
    size_t n_pages, n_parts;
    struct openapi_page v2;
    struct text index;
    time_t made_at;
};

/* Guards the making; what was made never changes. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static struct text hash_of(struct arena *a, struct text t)
{
    unsigned char sum[HASH_BYTES] = {0};
    struct buffer b = BUFFER_IN(a);

    gnutls_hash_fast(GNUTLS_DIG_SHA512, t.p, t.n, sum);
    for (size_t i = 0; i < sizeof(sum); i++)
        buffer_addf(&b, "%02X", sum[i]);
    return buffer_text(&b);
}

static struct text page_text(struct arena *a, const struct endpoints *e, const struct openapi *o,
                             const struct openapi_page *page, enum page_form form)
{
    struct buffer b = BUFFER_IN(a);
    bool is_v3 = page->version == 3;
    struct value v = is_v3 ? openapi_document(a, e, true, &page->part, 1)
                           : openapi_document(a, e, false, o->parts, o->n_parts);

    if (form == PAGE_PROTOBUF)
        return is_v3 ? openapi_v3_message(a, &v) : openapi_v2_message(a, &v);
    json_write(&b, &v);
    return buffer_text(&b);
}

static void page_make(const struct endpoints *e, struct openapi *o, struct openapi_page *page)
{
    CLEANUP(arena_freep) struct arena *scratch = arena_new();
    struct text plain = page_text(scratch, e, o, page, PAGE_JSON);

    page->hash = hash_of(o->arena, plain);
    page->zipped[PAGE_JSON] = gzip_blob(plain, GZIP_LEVEL);
    if (page->version == 2)
        page->zipped[PAGE_PROTOBUF] = gzip_blob(page_text(scratch, e, o, page, PAGE_PROTOBUF), GZIP_LEVEL);
}

static struct text part_name(struct arena *a, const struct openapi_part *part)
{
    switch (part->scope) {
    case OPENAPI_CORE:
        return TEXT("api");
    case OPENAPI_GROUPS:
        return TEXT("apis");
    case OPENAPI_VERSION:
        return TEXT("version");
    case OPENAPI_GROUP:
        return arena_textf(a, "apis/%.*s", TEXT_ARG(part->group));
    case OPENAPI_GROUP_VERSION:
        break;
    }
    if (!part->group.n)
        return arena_textf(a, "api/%.*s", TEXT_ARG(part->version));
    return arena_textf(a, "apis/%.*s/%.*s", TEXT_ARG(part->group), TEXT_ARG(part->version));
}

static int page_compare(const void *x, const void *y)
{
    return text_cmp(((const struct openapi_page *)x)->name, ((const struct openapi_page *)y)->name);
}

static struct openapi *openapi_make(const struct endpoints *e)
{
    struct openapi *o = xcalloc(1, sizeof(*o));
    struct buffer index;

    o->arena = arena_new();
    o->n_parts = openapi_parts(o->arena, e, &o->parts);
    o->n_pages = o->n_parts;
    o->pages = ARENA_ARRAY(o->arena, struct openapi_page, o->n_pages);
    for (size_t i = 0; i < o->n_pages; i++) {
        o->pages[i].part = o->parts[i];
        o->pages[i].name = part_name(o->arena, &o->parts[i]);
        o->pages[i].version = 3;
        page_make(e, o, &o->pages[i]);
    }
    qsort(o->pages, o->n_pages, sizeof(o->pages[0]), page_compare);
    o->v2.version = 2;
    page_make(e, o, &o->v2);
    index = BUFFER_IN(o->arena);
    buffer_add_str(&index, "{\"paths\":{");
    for (size_t i = 0; i < o->n_pages; i++)
        buffer_addf(&index, "%s\"%.*s\":{\"serverRelativeURL\":\"/openapi/v3/%.*s?hash=%.*s\"}", i ? "," : "",
                    TEXT_ARG(o->pages[i].name), TEXT_ARG(o->pages[i].name), TEXT_ARG(o->pages[i].hash));
    buffer_add_str(&index, "}}\n");
    o->index = buffer_text(&index);
    o->made_at = time(NULL);
    malloc_trim(0); /* the trees took many times what is kept */
    return o;
}

static const struct openapi *openapi_of(struct endpoints *e)
{
    pthread_mutex_lock(&making);
    if (!e->openapi)
        e->openapi = openapi_make(e);
    pthread_mutex_unlock(&making);
    return e->openapi;
}

void openapi_free(struct openapi *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_pages; i++)
        blob_unref(o->pages[i].zipped[PAGE_JSON]);
    blob_unref(o->v2.zipped[PAGE_JSON]);
    blob_unref(o->v2.zipped[PAGE_PROTOBUF]);
    arena_free(o->arena);
    free(o);
}

/* --- answers ---
 * As Go's http.ServeContent has them, whatever the method; but for ranges, which are answered whole. */

/* The first clause that fits decides. False: 406. */
static bool choose(struct request *r, int version, enum page_form *ret)
{
    struct text header = request_header(r, "Accept");
    struct media *clauses;
    size_t n;

    *ret = PAGE_JSON;
    if (!header.n)
        return true;
    n = media_parse_accept(r->arena, header, &clauses);
    for (size_t i = 0; i < n; i++) {
        struct text subtype = clauses[i].subtype;
        if (!text_is(clauses[i].type, "application") && !text_is(clauses[i].type, "*"))
            continue;
        if (text_is(subtype, "json") || text_is(subtype, "*"))
            return true;
        if (text_is(subtype, protobuf_names[version][0]) || text_is(subtype, protobuf_names[version][1])) {
            *ret = PAGE_PROTOBUF;
            return true;
        }
    }
    return false;
}

static struct text http_date(struct arena *a, time_t t)
{
    struct tm tm;
    char text[64];

    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
    return arena_text(a, text_of(text));
}

static bool is_modified_since(const struct request *r, time_t made_at)
{
    struct text since = request_header(r, "If-Modified-Since");
    struct tm tm = {0};
    char *end = since.n ? strptime(arena_str(r->arena, since), "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

    return !end || *end || made_at > timegm(&tm);
}

/* True: the client has it already, and was told so. hash is empty for what has no Etag. */
static bool is_unchanged(struct request *r, struct text hash, time_t made_at)
{
    struct text etag = arena_textf(r->arena, "\"%.*s\"", TEXT_ARG(hash)), held = request_header(r, "If-None-Match");
    bool is_held = held.n ? hash.n && text_eq(held, etag) : request_is_read(r) && !is_modified_since(r, made_at);

    if (hash.n) {
        response_set_header(r, "Etag", etag);
        response_set_header(r, "Vary", TEXT("Accept-Encoding, Accept"));
    }
    if (is_held) {
        response_bytes(r, request_is_read(r) ? 304 : 412, NULL, TEXT(""));
        return true;
    }
    response_set_header(r, "Accept-Ranges", TEXT("bytes"));
    response_set_header(r, "Last-Modified", http_date(r->arena, made_at));
    return false;
}

static enum flow send_page(struct request *r, struct endpoints *e, const struct openapi *o,
                           const struct openapi_page *page, enum page_form form)
{
    const char *type = "application/json";

    if (is_unchanged(r, page->hash, o->made_at))
        return FLOW_DONE;
    if (form == PAGE_PROTOBUF)
        type = arena_printf(r->arena, "application/%s", protobuf_names[page->version][0]);
    if (page->zipped[form] && negotiate_gzip(request_header(r, "Accept-Encoding"))) {
        response_set_header(r, "Content-Encoding", TEXT("gzip"));
        response_blob(r, 200, type, blob_ref(page->zipped[form]));
        r->response.is_compressed = true;
    } else {
        response_bytes(r, 200, type, page_text(r->arena, e, o, page, form));
    }
    return FLOW_DONE;
}

enum flow serve_openapi_v2(struct request *r, struct endpoints *e, struct text rest)
{
    const struct openapi *o;
    enum page_form form;

    (void)rest;
    /* Making the documents takes a tenth of a second, and unpacking one some milliseconds: not on an event loop. */
    if (!request_may_block(r))
        return FLOW_BLOCK;
    if (!choose(r, 2, &form))
        return respond_text(r, 406, TEXT(""));
    o = openapi_of(e);
    return send_page(r, e, o, &o->v2, form);
}

/* An answer to a URL with the hash never changes. */
static void set_immutable(struct request *r)
{
    struct tm tm;
    time_t now = time(NULL);

    gmtime_r(&now, &tm);
    tm.tm_year++;
    response_set_header(r, "Cache-Control", TEXT("public, immutable"));
    response_set_header(r, "Expires", http_date(r->arena, timegm(&tm)));
}

enum flow serve_openapi_v3(struct request *r, struct endpoints *e, struct text rest)
{
    const struct openapi *o;
    const struct openapi_page *page;
    struct openapi_page key = {.name = rest};
    struct text hash = request_query(r, "hash");
    enum page_form form;

    if (!request_may_block(r))
        return FLOW_BLOCK;
    o = openapi_of(e);
    if (!rest.n) { /* upstream's aggregator names no type, and what it serves looks like text */
        if (!is_unchanged(r, TEXT(""), o->made_at))
            response_bytes(r, 200, "text/plain; charset=utf-8", arena_text(r->arena, o->index));
        return FLOW_DONE;
    }
    if (!choose(r, 3, &form))
        return respond_text(r, 406, TEXT(""));
    page = bsearch(&key, o->pages, o->n_pages, sizeof(o->pages[0]), page_compare);
    if (!page)
        return respond_text(r, 404, TEXT("404 page not found\n"));
    if (hash.n && !text_eq(hash, page->hash)) {
        response_set_header(
            r, "Location",
            arena_textf(r->arena, "/openapi/v3/%.*s?hash=%.*s", TEXT_ARG(page->name), TEXT_ARG(page->hash)));
        response_set_header(r, "Vary", TEXT("Accept"));
        return respond_text(r, 301, TEXT(""));
    }
    if (hash.n)
        set_immutable(r);
    return send_page(r, e, o, page, form);
}
