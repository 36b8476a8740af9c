/* SPDX-License-Identifier: Apache-2.0 */
/* A list in gzip, out of parts that are deflated once and shared by all lists: the items of a leaf of the snapshot's tree
 * (some dozen neighbours), in one form, carry their deflated bytes, made by the first list that wants them and gone with
 * the leaf. A list is then: gzip's header, the deflated head, leaf, comma, leaf, ..., the deflated tail, the trailer. Of a
 * leaf that reaches beyond the list, the items are deflated for this list alone. */
#include <stdlib.h>

#include "endpoints/list_gzip.h"

#define GZIP_LEVEL 1
#define PART_BYTES (128 * 1024) /* of items that are no leaf's: as much as a leaf */

struct leaf_gzip {
    struct gzip_part part;
    char deflated[];
};

struct gzip_list {
    const struct list_items *items;
    struct text head, tail;
    struct text *pieces;
    size_t n, cap, at;
    struct gzip_join join;
    char header[GZIP_HEADER_BYTES], trailer[GZIP_TRAILER_BYTES];
    uint64_t bytes;
};

/* --- leaves --- */

/* What stands before the first item is not theirs. */
static void join_items(const struct representation_form *form, const struct text *items, size_t n,
                       struct buffer *plain)
{
    char tag[12];

    for (size_t i = 0; i < n; i++) {
        if (form->list)
            buffer_add_bytes(plain, tag, item_tag(tag, items[i].n));
        else if (i)
            buffer_add(plain, form->next);
        buffer_add(plain, items[i]);
    }
}

static struct leaf_gzip *make_leaf(const struct representation_form *form, const struct leaf_items *leaf)
{
    CLEANUP(buffer_deinit) struct buffer plain = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer out = BUFFER_INIT;
    struct gzip_part part;
    struct leaf_gzip *g;

    buffer_room(&plain, leaf->bytes);
    join_items(form, leaf->items, leaf->n, &plain);
    gzip_deflate_part(&out, buffer_text(&plain), GZIP_LEVEL, &part);
    g = xmalloc(sizeof(*g) + out.n);
    g->part = part;
    memcpy(g->deflated, out.p, out.n);
    g->part.deflated = (struct text){g->deflated, out.n};
    return g;
}

static const struct gzip_part *leaf_gzip_get(const struct representation_form *form, struct leaf_items *leaf)
{
    struct leaf_gzip *there = atomic_load_explicit(&leaf->gzip, memory_order_acquire), *mine;

    if (there)
        return &there->part;
    mine = make_leaf(form, leaf);
    if (atomic_compare_exchange_strong(&leaf->gzip, &there, mine))
        return &mine->part;
    free(mine); /* another list was quicker */
    return &there->part;
}

static bool leaves_are_made(const struct list_items *items)
{
    for (size_t i = 0; i < items->n_runs; i++) {
        struct leaf_items *leaf = items->runs[i].whole;
        if (!leaf || !atomic_load_explicit(&leaf->gzip, memory_order_acquire))
            return false;
    }
    return true;
}

/* --- the stream --- */

static void add_piece(struct arena *a, struct gzip_list *g, struct text t)
{
    if (g->n == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 128;
        g->pieces = arena_grow(a, g->pieces, g->cap * sizeof(*g->pieces), cap * sizeof(*g->pieces));
        g->cap = cap;
    }
    g->pieces[g->n++] = t;
    g->bytes += t.n;
}

static void add_part(struct arena *a, struct gzip_list *g, const struct gzip_part *part)
{
    gzip_join_add(&g->join, part);
    add_piece(a, g, part->deflated);
}

static struct gzip_part deflate_in(struct arena *a, struct text plain)
{
    struct buffer out = BUFFER_IN(a);
    struct gzip_part part;

    gzip_deflate_part(&out, plain, GZIP_LEVEL, &part);
    part.deflated = buffer_text(&out);
    return part;
}

/* Deflates t for this list alone. */
static void add_plain(struct arena *a, struct gzip_list *g, struct text t)
{
    struct gzip_part part = deflate_in(a, t);

    add_part(a, g, &part);
}

/* What stands between two runs. */
static struct gzip_part make_comma(struct arena *a, const struct representation_form *form)
{
    const struct gzip_part none = {0};

    return form->list ? none : deflate_in(a, form->next);
}

static void add_own(struct arena *a, const struct representation_form *form, struct gzip_list *g,
                    const struct list_run *run)
{
    CLEANUP(buffer_deinit) struct buffer plain = BUFFER_INIT;

    for (size_t from = 0, n; from < run->n; from += n) {
        size_t bytes = 0;
        for (n = 0; from + n < run->n && bytes < PART_BYTES; n++)
            bytes += run->items[from + n].n;
        buffer_clear(&plain);
        join_items(form, run->items + from, n, &plain);
        if (from && !form->list) {
            struct gzip_part comma = make_comma(a, form);
            add_part(a, g, &comma);
        }
        add_plain(a, g, buffer_text(&plain));
    }
}

static void add_runs(struct arena *a, const struct representation_form *form, struct gzip_list *g)
{
    struct gzip_part comma = make_comma(a, form);

    for (size_t i = 0; i < g->items->n_runs; i++) {
        const struct list_run *run = &g->items->runs[i];
        if (i && comma.plain_bytes)
            add_part(a, g, &comma);
        if (run->whole)
            add_part(a, g, leaf_gzip_get(form, run->whole));
        else
            add_own(a, form, g, run);
    }
}

static ptrdiff_t read_pieces(void *ctx, char *dst, size_t max)
{
    struct gzip_list *g = ctx;
    size_t done = 0;

    while (done < max && g->at < g->n) {
        struct text *piece = &g->pieces[g->at];
        size_t n = piece->n < max - done ? piece->n : max - done;
        memcpy(dst + done, piece->p, n);
        done += n;
        *piece = text_from(*piece, n);
        if (piece->n == 0)
            g->at++;
    }
    return (ptrdiff_t)done;
}

static enum flow respond_gzip(struct request *r, struct call *c)
{
    struct gzip_list *g = c->state;
    struct buffer head = BUFFER_IN(r->arena);

    buffer_add(&head, g->head);
    if (g->items->n && !c->rep.form->list)
        buffer_add(&head, c->rep.form->first);
    gzip_join_begin(&g->join, g->header);
    add_piece(r->arena, g, (struct text){g->header, sizeof(g->header)});
    add_plain(r->arena, g, buffer_text(&head));
    add_runs(r->arena, c->rep.form, g);
    add_plain(r->arena, g, g->tail);
    gzip_join_end(&g->join, g->trailer);
    add_piece(r->arena, g, (struct text){g->trailer, sizeof(g->trailer)});

    response_set_header(r, "Content-Encoding", TEXT("gzip"));
    response_add_header(r, "Vary", TEXT("Accept-Encoding"));
    r->response.is_compressed = true;
    response_source(r, 200, c->rep.accepted.content_type,
                    (struct body_source){.read = read_pieces, .ctx = g, .bytes = (int64_t)g->bytes});
    return FLOW_DONE;
}

enum flow respond_list_gzip(struct request *r, struct call *c, const struct list_items *items, struct text head,
                            struct text tail)
{
    struct gzip_list *g = ARENA_NEW(r->arena, struct gzip_list);

    *g = (struct gzip_list){.items = items, .head = head, .tail = tail};
    c->state = g;
    c->step = respond_gzip;
    if (!request_may_block(r) && !leaves_are_made(items))
        return FLOW_BLOCK;
    return respond_gzip(r, c);
}
