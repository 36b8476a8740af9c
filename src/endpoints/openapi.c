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

enum openapi_form { FORM_V3, FORM_V2, FORM_V2_PROTOBUF };
static const char *const content_types[] = {
    [FORM_V3] = "application/json",
    [FORM_V2] = "application/json",
    [FORM_V2_PROTOBUF] = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
};

struct openapi_page {
    struct text name; /* "apis/apps/v1" */
    enum openapi_form form;
    struct openapi_part part; /* of version 3 */
    struct blob *zipped;
    struct text hash; /* in hexadecimal digits */
};

struct openapi {
    struct arena *arena;
    struct openapi_part *parts;
    struct openapi_page *pages; /* by name */
    size_t n_pages, n_parts;
    struct openapi_page v2, v2_protobuf;
    struct text index;
    struct text index_hash;
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
                             const struct openapi_page *page)
{
    struct buffer b = BUFFER_IN(a);
    bool is_v3 = page->form == FORM_V3;
    struct value v = is_v3 ? openapi_document(a, e, true, &page->part, 1)
                           : openapi_document(a, e, false, o->parts, o->n_parts);

    if (page->form == FORM_V2_PROTOBUF)
        return openapi_protobuf(a, &v);
    json_write(&b, &v);
    return buffer_text(&b);
}

static void page_make(const struct endpoints *e, struct openapi *o, struct openapi_page *page)
{
    CLEANUP(arena_freep) struct arena *scratch = arena_new();
    struct text plain = page_text(scratch, e, o, page);

    page->hash = hash_of(o->arena, plain);
    page->zipped = gzip_blob(plain, GZIP_LEVEL);
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
        page_make(e, o, &o->pages[i]);
    }
    qsort(o->pages, o->n_pages, sizeof(o->pages[0]), page_compare);
    o->v2.form = FORM_V2;
    page_make(e, o, &o->v2);
    o->v2_protobuf.form = FORM_V2_PROTOBUF;
    page_make(e, o, &o->v2_protobuf);
    index = BUFFER_IN(o->arena);
    buffer_add_str(&index, "{\"paths\":{");
    for (size_t i = 0; i < o->n_pages; i++)
        buffer_addf(&index, "%s\"%.*s\":{\"serverRelativeURL\":\"/openapi/v3/%.*s?hash=%.*s\"}", i ? "," : "",
                    TEXT_ARG(o->pages[i].name), TEXT_ARG(o->pages[i].name), TEXT_ARG(o->pages[i].hash));
    buffer_add_str(&index, "}}\n");
    o->index = buffer_text(&index);
    o->index_hash = hash_of(o->arena, o->index);
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
        blob_unref(o->pages[i].zipped);
    blob_unref(o->v2.zipped);
    blob_unref(o->v2_protobuf.zipped);
    arena_free(o->arena);
    free(o);
}

/* --- answers --- */

/* The first clause that fits decides. False: 406. */
static bool choose(struct request *r, bool has_protobuf, bool *ret_is_protobuf)
{
    struct text header = request_header(r, "Accept");
    struct media *clauses;
    size_t n;

    *ret_is_protobuf = false;
    if (!header.n)
        return true;
    n = media_parse_accept(r->arena, header, &clauses);
    for (size_t i = 0; i < n; i++) {
        if (!text_is(clauses[i].type, "application") && !text_is(clauses[i].type, "*"))
            continue;
        if (text_is(clauses[i].subtype, "json") || text_is(clauses[i].subtype, "*"))
            return true;
        *ret_is_protobuf =
            has_protobuf && (text_is(clauses[i].subtype, "com.github.proto-openapi.spec.v2.v1.0+protobuf") ||
                             text_is(clauses[i].subtype, "com.github.proto-openapi.spec.v2@v1.0+protobuf"));
        if (*ret_is_protobuf)
            return true;
    }
    return false;
}

/* True: the client has it already, and was told so. */
static bool is_unchanged(struct request *r, struct text hash)
{
    struct text etag = arena_textf(r->arena, "\"%.*s\"", TEXT_ARG(hash));

    response_set_header(r, "Etag", etag);
    response_set_header(r, "Vary", TEXT("Accept-Encoding, Accept"));
    if (!text_eq(request_header(r, "If-None-Match"), etag))
        return false;
    response_bytes(r, 304, NULL, TEXT(""));
    return true;
}

static enum flow send_page(struct request *r, struct endpoints *e, const struct openapi *o,
                           const struct openapi_page *page)
{
    if (is_unchanged(r, page->hash))
        return FLOW_DONE;
    if (negotiate_gzip(request_header(r, "Accept-Encoding"))) {
        response_set_header(r, "Content-Encoding", TEXT("gzip"));
        response_blob(r, 200, content_types[page->form], blob_ref(page->zipped));
        r->response.is_compressed = true;
    } else {
        response_bytes(r, 200, content_types[page->form], page_text(r->arena, e, o, page));
    }
    return FLOW_DONE;
}

enum flow serve_openapi_v2(struct request *r, struct endpoints *e, struct text rest)
{
    const struct openapi *o;
    bool is_protobuf;

    (void)rest;
    if (!request_is_read(r))
        return fail_method(r);
    /* Making the documents takes a tenth of a second, and unpacking one some milliseconds: not on an event loop. */
    if (!request_may_block(r))
        return FLOW_BLOCK;
    if (!choose(r, true, &is_protobuf))
        return respond_text(r, 406, TEXT(""));
    o = openapi_of(e);
    return send_page(r, e, o, is_protobuf ? &o->v2_protobuf : &o->v2);
}

/* An answer to a URL with the hash never changes. */
static void set_immutable(struct request *r)
{
    struct timespec now;
    struct tm tm;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    tm.tm_year++;
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    response_set_header(r, "Cache-Control", TEXT("public, immutable"));
    response_set_header(r, "Expires", arena_text(r->arena, text_of(text)));
}

enum flow serve_openapi_v3(struct request *r, struct endpoints *e, struct text rest)
{
    const struct openapi *o;
    const struct openapi_page *page;
    struct openapi_page key = {.name = rest};
    struct text hash = request_query(r, "hash");
    bool is_protobuf;

    if (!request_is_read(r))
        return fail_method(r);
    /* Making the documents takes a tenth of a second, and unpacking one some milliseconds: not on an event loop. */
    if (!request_may_block(r))
        return FLOW_BLOCK;
    if (!choose(r, false, &is_protobuf))
        return respond_text(r, 406, TEXT(""));
    o = openapi_of(e);
    if (!rest.n) {
        if (!is_unchanged(r, o->index_hash))
            response_bytes(r, 200, "application/json", arena_text(r->arena, o->index));
        return FLOW_DONE;
    }
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
    return send_page(r, e, o, page);
}
