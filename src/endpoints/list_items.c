/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a list's items lie. A list of everything in a range of keys does not look at its objects: each leaf
 * of the snapshot's tree carries an array of views, one per item, for each form in which it was ever listed, with their
 * sum. So a list of known objects is one look per leaf until the bytes are copied, and memory is read in order. A leaf
 * of which a list takes less than half, and a list with selectors, have views of their own in the arena. */
#include <stdlib.h>

#include "endpoints/list_items.h"

#define AHEAD 4 /* objects whose memory is asked for before it is their turn */

/* With what stands before an item that is not the first. */
static size_t item_bytes(const struct representation_form *form, size_t n)
{
    char tag[12];

    return n + (form->list ? item_tag(tag, n) : form->next.n);
}

static void prefetch_object(const struct object *o)
{
    for (size_t at = 0; at < sizeof(*o); at += 64)
        __builtin_prefetch((const char *)o + at);
}

/* Fills items; false: some cannot be shown and are NULL. */
static bool make_items(const struct representation *rep, struct arena *a, void *const *objects, size_t n,
                       struct text *items, size_t *ret_bytes)
{
    bool all = true;

    *ret_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct object *o = objects[i];
        if (i + AHEAD < n)
            prefetch_object(objects[i + AHEAD]);
        items[i] = o->is_unreadable ? TEXT_NONE : rep->form->item(rep, o, a);
        all = all && items[i].p;
        *ret_bytes += item_bytes(rep->form, items[i].n);
    }
    return all;
}

/* --- leaves --- */

static void leaf_items_free(struct leaf_form *f)
{
    struct leaf_items *m = CONTAINER_OF(f, struct leaf_items, base);

    free(atomic_load_explicit(&m->gzip, memory_order_acquire));
    free(m);
}

static struct leaf_form *leaf_items_find(const struct representation *rep, const struct tree_leaf *leaf)
{
    uint32_t number = 0;
    const void *of = rep->form->shared_of(rep, &number);

    return leaf_form_find(leaf, rep->form, of, number);
}

static struct leaf_items *leaf_items_get(const struct representation *rep, const struct tree_leaf *leaf)
{
    struct leaf_form *there = leaf_items_find(rep, leaf);
    struct leaf_items *mine;

    if (!there) {
        mine = xmalloc(sizeof(*mine) + leaf->n * sizeof(mine->items[0]));
        *mine = (struct leaf_items){.base = {.form = rep->form, .free = leaf_items_free}, .n = leaf->n};
        mine->base.of = rep->form->shared_of(rep, &mine->base.number);
        mine->has_failed = !make_items(rep, NULL, leaf->items, leaf->n, mine->items, &mine->bytes);
        there = leaf_form_add(leaf, &mine->base);
    }
    return CONTAINER_OF(there, struct leaf_items, base);
}

/* --- a range --- */

void list_range_gather(struct arena *a, struct listing *l, struct list_range *range)
{
    struct listing_run run;
    size_t cap = 0;

    *range = (struct list_range){0};
    while (listing_next_run(l, &run)) {
        if (range->n_runs == cap) {
            size_t bigger = cap ? 2 * cap : 16;
            range->runs = arena_grow(a, range->runs, cap * sizeof(run), bigger * sizeof(run));
            cap = bigger;
        }
        range->runs[range->n_runs++] = run;
        range->n_objects += run.n;
    }
    range->meta.revision = l->revision;
    range->meta.continue_token = listing_continue(a, l, &range->meta.remaining);
}

static bool takes_leaf(const struct listing_run *run)
{
    return run->n >= (run->leaf.n + 1) / 2;
}

size_t list_range_unknown(const struct representation *rep, const struct list_range *range)
{
    size_t n = 0;

    for (size_t i = 0; i < range->n_runs; i++) {
        const struct listing_run *run = &range->runs[i];
        if (!takes_leaf(run))
            n += run->n;
        else if (!leaf_items_find(rep, &run->leaf))
            n += run->leaf.n;
    }
    return n;
}

static int sum_of(const struct representation_form *form, const struct text *items, size_t n, size_t *ret_bytes)
{
    *ret_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!items[i].p)
            return -1;
        *ret_bytes += item_bytes(form, items[i].n);
    }
    return 0;
}

static int make_run(const struct representation *rep, struct arena *a, const struct listing_run *run,
                    struct list_run *ret, size_t *ret_bytes)
{
    *ret = (struct list_run){.n = run->n};
    if (!takes_leaf(run)) {
        struct text *items = ARENA_ARRAY(a, struct text, run->n);
        ret->items = items;
        return make_items(rep, a, run->leaf.items + run->from, run->n, items, ret_bytes) ? 0 : -1;
    }
    struct leaf_items *leaf = leaf_items_get(rep, &run->leaf);
    ret->items = leaf->items + run->from;
    if (run->n == leaf->n && !leaf->has_failed) {
        ret->whole = leaf;
        *ret_bytes = leaf->bytes;
        return 0;
    }
    return sum_of(rep->form, ret->items, run->n, ret_bytes);
}

/* The first item has less before it than the others. */
static void correct_first(const struct representation_form *form, struct list_items *items)
{
    if (items->n && !form->list)
        items->bytes -= form->next.n - form->first.n;
}

int list_items_of_range(const struct representation *rep, struct arena *a, const struct list_range *range,
                        struct list_items *ret)
{
    struct list_items items = {.n = range->n_objects, .n_runs = range->n_runs, .meta = range->meta};
    size_t bytes;

    items.runs = ARENA_ARRAY(a, struct list_run, range->n_runs + 1);
    for (size_t i = 0; i < range->n_runs; i++) {
        if (make_run(rep, a, &range->runs[i], &items.runs[i], &bytes) < 0)
            return -1;
        items.bytes += bytes;
    }
    correct_first(rep->form, &items);
    *ret = items;
    return 0;
}

/* --- objects one by one --- */

void list_page_gather(struct arena *a, struct listing *l, struct list_page *page)
{
    size_t cap = 0;

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

int list_items_of_page(const struct representation *rep, struct arena *a, const struct list_page *page,
                       struct list_items *ret)
{
    struct list_run *run = ARENA_NEW(a, struct list_run);
    struct text *items = ARENA_ARRAY(a, struct text, page->n + 1);
    struct list_items all = {.runs = run, .n_runs = page->n ? 1 : 0, .n = page->n, .meta = page->meta};

    if (!make_items(rep, a, (void *const *)page->objects, page->n, items, &all.bytes))
        return -1;
    *run = (struct list_run){.items = items, .n = page->n};
    correct_first(rep->form, &all);
    *ret = all;
    return 0;
}
