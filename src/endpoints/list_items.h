/* SPDX-License-Identifier: Apache-2.0 */
/* list_items.h - the items of a list: views of bytes that a snapshot or an arena keeps. */
#pragma once

#include "endpoints/endpoints_internal.h"

/* The items of a whole leaf of a tree in one form, hung on that leaf. */
struct leaf_items {
    struct leaf_form base;
    _Atomic(struct leaf_gzip *) gzip; /* list_gzip.c's; one malloc'd block, or NULL */
    size_t bytes;                     /* with what stands before each as if it were not the first */
    bool has_failed;                  /* some are NULL */
    size_t n;
    struct text items[];
};

/* Neighbours in a list. They and whatever they are views into live as long as the snapshot, or lie in the arena. */
struct list_run {
    const struct text *items;
    size_t n;
    struct leaf_items *whole; /* the leaf whose items these are, all of them; NULL: they are not a leaf's */
};

struct list_items {
    struct list_run *runs;
    size_t n_runs;
    size_t n;
    size_t bytes; /* with what stands between the items, as they are before the clock is filled in */
    struct list_meta meta;
};

/* The range of a listing before its items are made. */
struct list_range {
    struct listing_run *runs;
    size_t n_runs;
    size_t n_objects;
    struct list_meta meta;
};
void list_range_gather(struct arena *a, struct listing *l, struct list_range *range);
/* How many objects list_items_of_range may have to look at: leaves that nobody has listed in this form. */
size_t list_range_unknown(const struct representation *rep, const struct list_range *range);
/* -1: an item cannot be shown. */
int list_items_of_range(const struct representation *rep, struct arena *a, const struct list_range *range,
                        struct list_items *ret);

struct list_page {
    struct object *
        *objects; /* kept by the snapshot they came from, or by the caller, until the response has ended */
    size_t n;
    struct list_meta meta;
    bool is_unreadable; /* one of the objects is: the list is an error */
};

/* All that l has left. page is zeroed. */
void list_page_gather(struct arena *a, struct listing *l, struct list_page *page);
int list_items_of_page(const struct representation *rep, struct arena *a, const struct list_page *page,
                       struct list_items *ret);

/* A varint behind the tag of a list message's items; the bytes written. */
static inline size_t item_tag(char dst[12], size_t n)
{
    size_t at = 0;

    dst[at++] = 0x12;
    for (; n >= 0x80; n >>= 7)
        dst[at++] = (char)(n | 0x80);
    dst[at++] = (char)n;
    return at;
}
