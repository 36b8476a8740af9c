/* SPDX-License-Identifier: Apache-2.0 */
/* A complete JSON list in gzip, out of parts that are deflated once and shared by all lists: a leaf of the
 * snapshot's tree (some dozen neighbours) carries the deflated bytes of its items, made by the first list
 * that wants them and gone with the leaf. A list is then: gzip's header, the deflated head, leaf, comma,
 * leaf, ..., the deflated tail, the trailer. A leaf that reaches beyond the namespace is deflated for this
 * list alone. */
#include "endpoints/list_body.h"

#define GZIP_MIN_BYTES (128 * 1024) /* upstream's defaultGzipThresholdBytes */
#define GZIP_LEVEL 1

/* What hangs on a leaf: one allocation, freed with the leaf. */
struct leaf_gzip {
    uint32_t crc;
    uint64_t plain_bytes;
    size_t n;
    char deflated[];
};

struct gzip_list {
    struct listing *listing;
    struct text *pieces;
    size_t n, cap, at;
    struct gzip_join join;
    char header[GZIP_HEADER_BYTES], trailer[GZIP_TRAILER_BYTES];
    uint64_t bytes;
};

/* --- what is wanted --- */

static bool in_namespace(const struct object *o, struct text namespace)
{
    return !namespace.n || text_eq(o->namespace, namespace);
}

/* Leaves before the namespace and behind it hold nothing of it. */
enum leaf_cover { COVERS_NONE, COVERS_SOME, COVERS_ALL };

static enum leaf_cover leaf_covers(const struct tree_leaf *leaf, struct text namespace)
{
    size_t n = 0;

    if (in_namespace(leaf->items[0], namespace) && in_namespace(leaf->items[leaf->n - 1], namespace))
        return COVERS_ALL; /* keys are in order */
    for (size_t i = 0; i < leaf->n; i++)
        n += in_namespace(leaf->items[i], namespace);
    return n ? COVERS_SOME : COVERS_NONE;
}

bool list_gzip_wanted(struct request *r, const struct listing *l)
{
    const struct list_request *q = &l->request;
    struct tree_iter it;
    struct tree_leaf leaf;
    size_t bytes = 0;

    if (q->limit || q->continue_token.n || (q->labels && q->labels->n) || (q->fields && q->fields->n) ||
        !negotiate_gzip(request_header(r, "Accept-Encoding")))
        return false;
    tree_iter_init(&it, &object_tree_ops, l->snapshot.tree);
    while (bytes < GZIP_MIN_BYTES && tree_iter_next_leaf(&it, &leaf)) {
        for (size_t i = 0; i < leaf.n; i++) {
            const struct object *o = leaf.items[i];
            if (in_namespace(o, q->namespace))
                bytes += o->json.n;
        }
    }
    return bytes >= GZIP_MIN_BYTES;
}

/* --- leaves --- */

/* The items that lie in the namespace, with commas between them. False: one cannot be read. */
static bool join_items(const struct representation *rep, const struct tree_leaf *leaf, struct text namespace,
                       struct buffer *plain)
{
    CLEANUP(buffer_deinit) struct buffer scratch = BUFFER_INIT;

    for (size_t i = 0; i < leaf->n; i++) {
        const struct object *o = leaf->items[i];
        if (!in_namespace(o, namespace))
            continue;
        if (o->is_unreadable)
            return false;
        buffer_add(plain, plain->n ? rep->form->next : rep->form->first);
        buffer_add(plain, rep->form->item(rep, leaf->items[i], &scratch));
    }
    return true;
}

/* NULL: an item cannot be read. */
static struct leaf_gzip *make_leaf(const struct representation *rep, const struct tree_leaf *leaf)
{
    CLEANUP(buffer_deinit) struct buffer plain = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer out = BUFFER_INIT;
    struct gzip_part part;
    struct leaf_gzip *g;

    if (!join_items(rep, leaf, TEXT_NONE, &plain))
        return NULL;
    gzip_deflate_part(&out, buffer_text(&plain), GZIP_LEVEL, &part);
    g = xmalloc(sizeof(*g) + out.n);
    g->crc = part.crc;
    g->plain_bytes = part.plain_bytes;
    g->n = out.n;
    memcpy(g->deflated, out.p, out.n);
    return g;
}

static const struct leaf_gzip *leaf_gzip_get(const struct representation *rep, const struct tree_leaf *leaf)
{
    void *there = atomic_load_explicit(leaf->extra, memory_order_acquire);
    struct leaf_gzip *mine;

    if (there)
        return there;
    mine = make_leaf(rep, leaf);
    if (!mine)
        return NULL;
    if (atomic_compare_exchange_strong(leaf->extra, &there, mine))
        return mine;
    free(mine); /* another list was quicker */
    return there;
}

static bool leaves_are_made(const struct listing *l)
{
    struct tree_iter it;
    struct tree_leaf leaf;

    tree_iter_init(&it, &object_tree_ops, l->snapshot.tree);
    while (tree_iter_next_leaf(&it, &leaf)) {
        switch (leaf_covers(&leaf, l->request.namespace)) {
        case COVERS_NONE:
            break;
        case COVERS_SOME: /* one at each end of the namespace: 100 KB to deflate */
            return false;
        case COVERS_ALL:
            if (!atomic_load_explicit(leaf.extra, memory_order_acquire))
                return false;
        }
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

/* Deflates t for this list alone. */
static void add_plain(struct arena *a, struct gzip_list *g, struct text t)
{
    struct buffer out = BUFFER_IN(a);
    struct gzip_part part;

    gzip_deflate_part(&out, t, GZIP_LEVEL, &part);
    gzip_join_add(&g->join, part.crc, part.plain_bytes);
    add_piece(a, g, buffer_text(&out));
}

/* The comma between two leaves, always the same. */
struct comma {
    struct text deflated;
    uint32_t crc;
};

static struct comma make_comma(struct arena *a)
{
    struct buffer out = BUFFER_IN(a);
    struct gzip_part part;

    gzip_deflate_part(&out, TEXT(","), GZIP_LEVEL, &part);
    return (struct comma){buffer_text(&out), part.crc};
}

static bool add_leaves(struct arena *a, const struct representation *rep, struct gzip_list *g)
{
    struct text namespace = g->listing->request.namespace;
    struct comma comma = make_comma(a);
    struct tree_iter it;
    struct tree_leaf leaf;
    bool is_first = true;

    tree_iter_init(&it, &object_tree_ops, g->listing->snapshot.tree);
    while (tree_iter_next_leaf(&it, &leaf)) {
        enum leaf_cover cover = leaf_covers(&leaf, namespace);
        if (cover == COVERS_NONE)
            continue;
        if (!is_first) {
            gzip_join_add(&g->join, comma.crc, 1);
            add_piece(a, g, comma.deflated);
        }
        is_first = false;
        if (cover == COVERS_ALL) {
            const struct leaf_gzip *made = leaf_gzip_get(rep, &leaf);
            if (!made)
                return false;
            gzip_join_add(&g->join, made->crc, made->plain_bytes);
            add_piece(a, g, (struct text){made->deflated, made->n});
        } else {
            struct buffer plain = BUFFER_IN(a);
            if (!join_items(rep, &leaf, namespace, &plain))
                return false;
            add_plain(a, g, buffer_text(&plain));
        }
    }
    return true;
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
    struct list_meta meta = {.revision = g->listing->revision, .remaining = -1};
    struct buffer head = BUFFER_IN(r->arena);

    gzip_join_begin(&g->join, g->header);
    add_piece(r->arena, g, (struct text){g->header, sizeof(g->header)});
    c->rep.form->list_head(&c->rep, &meta, &head);
    add_plain(r->arena, g, buffer_text(&head));
    if (!add_leaves(r->arena, &c->rep, g))
        return fail_unreadable(r, c);
    add_plain(r->arena, g, TEXT("]}\n"));
    gzip_join_end(&g->join, g->trailer);
    add_piece(r->arena, g, (struct text){g->trailer, sizeof(g->trailer)});

    response_set_header(r, "Content-Encoding", TEXT("gzip"));
    response_add_header(r, "Vary", TEXT("Accept-Encoding"));
    r->response.is_compressed = true;
    response_source(r, 200, c->rep.accepted.content_type,
                    (struct body_source){.read = read_pieces, .ctx = g, .bytes = (int64_t)g->bytes});
    return FLOW_DONE;
}

enum flow respond_list_gzip(struct request *r, struct call *c, struct listing *l)
{
    struct gzip_list *g = ARENA_NEW(r->arena, struct gzip_list);

    g->listing = l;
    c->state = g;
    c->step = respond_gzip;
    if (!request_may_block(r) && !leaves_are_made(l))
        return FLOW_BLOCK;
    return respond_gzip(r, c);
}
