/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a list: the objects' own bytes, one after the other, copied from the snapshot into the
 * connection's buffer as it empties. The objects are gathered first (a pointer each), which gives the page's
 * end, its continue token and the length of the body. Forms that are made anew for each list (tables,
 * indented JSON, YAML) are built in memory instead. A complete list of JSON in gzip has a file of its own:
 * list_gzip.c. */
#include "endpoints/list_body.h"

#define SMALL_BYTES 65536  /* up to here the body is built at once */
#define WORKER_OBJECTS 256 /* lists that have to be made, not copied, go to a worker from here on */

/* --- writing items --- */

/* A varint behind the tag of a list message's items. */
static size_t item_tag(char dst[12], size_t n)
{
    size_t at = 0;

    dst[at++] = 0x12;
    for (; n >= 0x80; n >>= 7)
        dst[at++] = (char)(n | 0x80);
    dst[at++] = (char)n;
    return at;
}

struct list_source {
    const struct representation *rep;
    struct object *const *objects;
    size_t n, at;
    struct text now[2]; /* what is being copied: what stands before an item, the item */
    struct text head, tail;
    char tag[12];
    struct buffer scratch;
    bool is_begun, is_ended;
};

/* The next pieces into s->now; false at the end. */
static bool next_pieces(struct list_source *s)
{
    const struct representation_form *form = s->rep->form;

    if (!s->is_begun) {
        s->is_begun = true;
        s->now[0] = s->head;
        return true;
    }
    if (s->at < s->n) {
        buffer_clear(&s->scratch);
        s->now[1] = form->item(s->rep, s->objects[s->at], &s->scratch);
        if (form->list)
            s->now[0] = (struct text){s->tag, item_tag(s->tag, s->now[1].n)};
        else
            s->now[0] = s->at ? form->next : form->first;
        s->at++;
        return true;
    }
    if (s->is_ended)
        return false;
    s->is_ended = true;
    s->now[0] = s->tail;
    return true;
}

static ptrdiff_t read_list(void *ctx, char *dst, size_t max)
{
    struct list_source *s = ctx;
    size_t done = 0;

    while (done < max) {
        struct text *piece = s->now[0].n ? &s->now[0] : &s->now[1];
        size_t n = piece->n < max - done ? piece->n : max - done;

        if (n == 0) {
            if (!next_pieces(s))
                break;
            continue;
        }
        memcpy(dst + done, piece->p, n);
        done += n;
        *piece = text_from(*piece, n);
    }
    return (ptrdiff_t)done;
}

/* --- measuring --- */

static size_t items_bytes(struct list_source *s)
{
    const struct representation_form *form = s->rep->form;
    size_t total = 0;

    for (size_t i = 0; i < s->n; i++) {
        size_t n = form->item(s->rep, s->objects[i], &s->scratch).n;
        total += n + (form->list ? item_tag(s->tag, n) : i ? form->next.n : form->first.n);
    }
    return total;
}

static enum flow respond_built(struct request *r, struct call *c, struct list_source *s)
{
    struct buffer b = BUFFER_IN(r->arena);

    while (next_pieces(s)) {
        buffer_add(&b, s->now[0]);
        buffer_add(&b, s->now[1]);
        s->now[0] = s->now[1] = TEXT_NONE;
    }
    return respond_json(r, 200, &c->rep.accepted, c->rep.is_pretty, &b);
}

/* --- a page of objects --- */

static bool is_native_json(const struct call *c)
{
    return c->rep.form == &form_json && c->rep.kind == c->resource->storage->kind &&
           c->rep.accepted.media == MEDIA_JSON && !c->rep.is_pretty;
}

/* False: the body has to be made as a whole. */
static bool is_copied(const struct call *c)
{
    return c->rep.form->is_shared && !c->rep.is_pretty && c->rep.accepted.media != MEDIA_YAML;
}

enum flow respond_page(struct request *r, struct call *c, struct list_page *page)
{
    const struct representation_form *form = c->rep.form;
    struct list_source *s = ARENA_NEW(r->arena, struct list_source);
    struct buffer head = BUFFER_IN(r->arena), tail = BUFFER_IN(r->arena);
    size_t bytes;

    *s = (struct list_source){
        .rep = &c->rep, .objects = page->objects, .n = page->n, .scratch = BUFFER_IN(r->arena)};
    bytes = is_copied(c) ? items_bytes(s) : 0;
    if (form->list) {
        form->list(&c->rep, &page->meta, bytes, &head, &tail);
    } else {
        form->list_head(&c->rep, &page->meta, &head);
        buffer_add(&tail, page->n == 0 && form->no_items.n ? form->no_items : form->tail);
    }
    s->head = buffer_text(&head);
    s->tail = buffer_text(&tail);
    if (!is_copied(c) || (!form->list && bytes < SMALL_BYTES))
        return respond_built(r, c, s);
    if (!form->list)
        buffer_add_char(&tail, '\n'); /* as respond_json ends what was built */
    s->tail = buffer_text(&tail);
    response_source(
        r, 200, c->rep.accepted.content_type,
        (struct body_source){.read = read_list, .ctx = s, .bytes = (int64_t)(bytes + head.n + tail.n)});
    return FLOW_DONE;
}

/* Names the first one. Source: kubernetes/apiserver pkg/storage/etcd3/store.go, GetList. */
enum flow fail_unreadable(struct request *r, struct call *c)
{
    struct status st = {0};
    struct snapshot snapshot;
    struct tree_iter it;
    struct object *o;

    cache_snapshot(c->resource->cache, &snapshot);
    tree_iter_init(&it, &object_tree_ops, snapshot.tree);
    while ((o = tree_iter_next(&it)) && !(o->is_unreadable && (!r->info.namespace.n || text_eq(o->namespace, r->info.namespace))))
        ;
    if (o)
        status_internal_error(&st, "unable to transform key \"/registry/%.*s/%.*s\": %.*s",
                              TEXT_ARG(c->resource->storage->storage_prefix), TEXT_ARG(o->key), TEXT_ARG(object_problem(o)));
    else
        status_internal_error(&st, "a stored object of %.*s cannot be read", TEXT_ARG(c->resource->type->name));
    snapshot_release(&snapshot);
    return request_fail(r, &st);
}

static enum flow respond_gathered(struct request *r, struct call *c)
{
    return respond_page(r, c, c->state);
}

static void close_listing(void *l)
{
    listing_close(l);
}

void list_page_gather(struct arena *a, struct listing *l, struct list_page *page)
{
    size_t cap = 0;

    arena_defer(a, close_listing, l);
    for (struct object *o; (o = listing_next(l));) {
        if (page->n == cap) {
            size_t bigger = cap ? 2 * cap : 64;
            page->objects =
                arena_grow(a, page->objects, cap * sizeof(*page->objects), bigger * sizeof(*page->objects));
            cap = bigger;
        }
        page->objects[page->n++] = o;
        page->is_unreadable |= o->is_unreadable;
    }
    page->meta.revision = l->revision;
    page->meta.continue_token = listing_continue(a, l, &page->meta.remaining);
}

enum flow respond_list(struct request *r, struct call *c, struct listing *l)
{
    struct list_page *page = ARENA_NEW(r->arena, struct list_page);

    if (is_native_json(c) && list_gzip_wanted(r, l)) {
        arena_defer(r->arena, close_listing, l);
        return respond_list_gzip(r, c, l);
    }
    list_page_gather(r->arena, l, page);
    if (c->rep.form->arrange)
        c->rep.form->arrange(&c->rep, page->objects, page->n);
    if (page->is_unreadable)
        return fail_unreadable(r, c);
    c->state = page;
    if (page->n > WORKER_OBJECTS && !is_native_json(c) && !request_may_block(r)) {
        c->step = respond_gathered;
        return FLOW_BLOCK;
    }
    return respond_page(r, c, page);
}
