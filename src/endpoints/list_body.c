/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a list: its items, found by list_items.c, copied one after the other into the connection's buffer as it
 * empties. Short lists, indented JSON and YAML are built in memory instead. What a client wants in gzip is joined out of
 * deflated leaves: list_gzip.c. */
#include "endpoints/list_body.h"

#include "base/features.h"
#include "endpoints/list_gzip.h"

#define SMALL_BYTES 65536    /* up to here the body is built at once */
#define GZIP_BYTES 131072    /* from here on gzip pays; upstream's defaultGzipThresholdBytes */
#define WORKER_OBJECTS 256   /* lists that have to be made, not copied, go to a worker from here on */
#define WORKER_UNKNOWN 4096  /* the same for a list of objects' own bytes: their views are soon made */
#define PREFETCH_BYTES 512
#define UNREADABLE_MAX 100   /* are named in an error, as upstream does */

/* --- reading --- */

struct list_source {
    const struct representation *rep;
    const struct list_run *run, *end;
    size_t at;          /* in run */
    struct text now[2]; /* what is being copied: what stands before an item, the item */
    struct text head, tail;
    int64_t now_ns;
    struct buffer filled; /* the item, when the clock comes into it */
    char tag[12];
    bool is_begun, has_items, is_ended;
};

static void next_item(struct list_source *s)
{
    const struct representation_form *form = s->rep->form;
    struct text item = s->run->items[s->at++];

    if (s->at < s->run->n) /* the processor sees the rest coming */
        for (size_t i = 0; i < PREFETCH_BYTES; i += 64)
            __builtin_prefetch(s->run->items[s->at].p + i);
    if (form->fill) {
        buffer_clear(&s->filled);
        form->fill(&s->filled, item, s->now_ns);
        item = buffer_text(&s->filled);
    }
    if (form->list)
        s->now[0] = (struct text){s->tag, item_tag(s->tag, item.n)};
    else
        s->now[0] = s->has_items ? form->next : form->first;
    s->now[1] = item;
    s->has_items = true;
}

/* The next pieces into s->now; false at the end. */
static bool next_pieces(struct list_source *s)
{
    if (!s->is_begun) {
        s->is_begun = true;
        s->now[0] = s->head;
        return true;
    }
    while (s->run < s->end && s->at == s->run->n) {
        s->run++;
        s->at = 0;
    }
    if (s->run < s->end) {
        next_item(s);
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

static enum flow respond_built(struct request *r, struct call *c, struct list_source *s, size_t bytes)
{
    struct buffer b = BUFFER_IN(r->arena);

    buffer_room(&b, bytes);
    while (next_pieces(s)) {
        buffer_add(&b, s->now[0]);
        buffer_add(&b, s->now[1]);
        s->now[0] = s->now[1] = TEXT_NONE;
    }
    return respond_json(r, 200, &c->rep.accepted, c->rep.is_pretty, &b);
}

/* --- answering --- */

/* The body has to be made as a whole, and then made into something else. */
static bool is_built(const struct call *c)
{
    return c->rep.is_pretty || c->rep.accepted.media == MEDIA_YAML;
}

static bool wants_gzip(struct request *r, size_t bytes)
{
    return bytes >= GZIP_BYTES && negotiate_gzip(request_header(r, "Accept-Encoding"));
}

static enum flow respond_items(struct request *r, struct call *c, const struct list_items *items)
{
    const struct representation_form *form = c->rep.form;
    struct list_source *s = ARENA_NEW(r->arena, struct list_source);
    struct buffer head = BUFFER_IN(r->arena), tail = BUFFER_IN(r->arena);
    bool has_clock = form->fill != NULL;
    size_t bytes;

    if (form->list) {
        form->list(&c->rep, &items->meta, items->bytes, &head, &tail);
    } else {
        form->list_head(&c->rep, &items->meta, &head);
        buffer_add(&tail, items->n == 0 && form->no_items.n ? form->no_items : form->tail);
    }
    *s = (struct list_source){.rep = &c->rep, .run = items->runs, .end = items->runs + items->n_runs,
                              .head = buffer_text(&head), .tail = buffer_text(&tail), .now_ns = clock_now_ns(),
                              .filled = BUFFER_IN(r->arena)};
    bytes = items->bytes + head.n + tail.n;
    if (is_built(c) || (!form->list && bytes < SMALL_BYTES) || (has_clock && wants_gzip(r, bytes)))
        return respond_built(r, c, s, bytes + bytes / 8);
    if (!form->list)
        buffer_add_char(&tail, '\n'); /* as respond_json ends what was built */
    s->tail = buffer_text(&tail);
    if (wants_gzip(r, bytes))
        return respond_list_gzip(r, c, items, s->head, s->tail);
    response_source(r, 200, c->rep.accepted.content_type,
                    (struct body_source){.read = read_list,
                                         .ctx = s,
                                         .bytes = has_clock ? -1 : (int64_t)(items->bytes + s->head.n + s->tail.n)});
    return FLOW_DONE;
}

void unreadable_status(struct status *st, const struct resource *res, const struct object *o)
{
    status_internal_error(st, "unable to transform key \"/registry/%.*s/%.*s\": %.*s",
                          TEXT_ARG(res->storage->storage_prefix), TEXT_ARG(o->key), TEXT_ARG(object_problem(o)));
}

/* The next one that the request asks for. */
static struct object *next_unreadable(const struct request *r, struct tree_iter *it)
{
    struct object *o;

    while ((o = tree_iter_next(it)) && !(o->is_unreadable && (!r->info.namespace.n || text_eq(o->namespace, r->info.namespace))))
        ;
    return o;
}

/* All of them, as those who may remove them need to know. Source: kubernetes/apiserver
 * pkg/storage/etcd3/corrupt_obj_deleter.go, aggregatedStorageError. */
static void name_unreadable(struct request *r, const struct resource *res, struct tree_iter *it, struct object *first,
                            struct status *st)
{
    const struct resource_type *type = res->type;
    size_t n = 0;

    status_record(st, STATUS_STORE_READ_ERROR, "failed to read one or more %.*s%s%.*s from the storage", TEXT_ARG(type->name),
                  type->group.n ? "." : "", TEXT_ARG(type->group));
    status_details(st, type->group, type->name, TEXT("list"));
    for (struct object *o = first; o; o = next_unreadable(r, it)) {
        if (n++ == UNREADABLE_MAX) {
            status_add_cause(st, "FieldValueTooMany", NULL, "too many errors, the list is truncated");
            break;
        }
        const char *key = arena_printf(r->arena, "/registry/%.*s/%.*s", TEXT_ARG(res->storage->storage_prefix),
                                       TEXT_ARG(o->key));
        struct text what = object_corruption(r->arena, o);
        status_add_cause(st, "UnexpectedServerResponse", key,
                         "StorageError: corrupt object, Code: 7, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: %.*s", key,
                         TEXT_ARG(what));
    }
}

/* Names the first one, or all. */
enum flow fail_unreadable(struct request *r, struct call *c)
{
    struct status st = {0};
    struct snapshot snapshot;
    struct tree_iter it;
    struct object *o;

    cache_snapshot(c->resource->cache, &snapshot);
    tree_iter_init(&it, &object_tree_ops, snapshot.tree);
    o = next_unreadable(r, &it);
    if (!o)
        status_internal_error(&st, "a stored object of %.*s cannot be read", TEXT_ARG(c->resource->type->name));
    else if (feature_is_on(FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION))
        name_unreadable(r, c->resource, &it, o, &st);
    else
        unreadable_status(&st, c->resource, o);
    snapshot_release(&snapshot);
    return request_fail(r, &st);
}

static bool is_native_json(const struct call *c)
{
    return c->rep.form == &form_json && c->rep.kind == c->resource->storage->kind;
}

enum flow respond_page(struct request *r, struct call *c, struct list_page *page)
{
    struct list_items *items = ARENA_NEW(r->arena, struct list_items);

    if (page->is_unreadable || list_items_of_page(&c->rep, r->arena, page, items) < 0)
        return fail_unreadable(r, c);
    return respond_items(r, c, items);
}

static enum flow respond_gathered(struct request *r, struct call *c)
{
    return respond_page(r, c, c->state);
}

static enum flow respond_selected(struct request *r, struct call *c, struct listing *l)
{
    struct list_page *page = ARENA_NEW(r->arena, struct list_page);

    list_page_gather(r->arena, l, page);
    if (c->rep.form->arrange)
        c->rep.form->arrange(&c->rep, page->objects, page->n);
    c->state = page;
    c->step = respond_gathered;
    if (page->n > WORKER_OBJECTS && (!is_native_json(c) || is_built(c)) && !request_may_block(r))
        return FLOW_BLOCK;
    return respond_page(r, c, page);
}

static enum flow respond_range(struct request *r, struct call *c)
{
    struct list_items *items = ARENA_NEW(r->arena, struct list_items);

    if (list_items_of_range(&c->rep, r->arena, c->state, items) < 0)
        return fail_unreadable(r, c);
    return respond_items(r, c, items);
}

static bool range_blocks(struct request *r, const struct call *c, const struct list_range *range)
{
    if (range->n_objects > WORKER_OBJECTS &&
        (is_built(c) || (c->rep.form->fill && negotiate_gzip(request_header(r, "Accept-Encoding")))))
        return true;
    return list_range_unknown(&c->rep, range) > (is_native_json(c) ? WORKER_UNKNOWN : WORKER_OBJECTS);
}

static void close_listing(void *l)
{
    listing_close(l);
}

void listing_close_later(struct arena *a, struct listing *l)
{
    arena_defer(a, close_listing, l);
}

enum flow respond_list(struct request *r, struct call *c, struct listing *l)
{
    struct list_range *range;
    uint32_t number;

    listing_close_later(r->arena, l);
    if (!listing_is_range(l) || !c->rep.form->shared_of(&c->rep, &number))
        return respond_selected(r, c, l);
    range = ARENA_NEW(r->arena, struct list_range);
    list_range_gather(r->arena, l, range);
    c->state = range;
    c->step = respond_range;
    if (!request_may_block(r) && range_blocks(r, c, range))
        return FLOW_BLOCK;
    return respond_range(r, c);
}
