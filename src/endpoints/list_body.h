/* SPDX-License-Identifier: Apache-2.0 */
/* list_body.h - a page of objects as a body. */
#pragma once

#include "endpoints/endpoints_internal.h"

struct list_page {
    struct object *
        *objects; /* kept by the snapshot they came from, or by the caller, until the response has ended */
    size_t n;
    struct list_meta meta;
    bool is_unreadable; /* one of the objects is: the list is an error */
};

/* All that l has left; l, which lies in the arena, is closed with it. page is zeroed. */
void list_page_gather(struct arena *a, struct listing *l, struct list_page *page);
/* What the store holds there cannot be shown, and to leave it out would be a lie. */
enum flow fail_unreadable(struct request *r, struct call *c);
enum flow respond_page(struct request *r, struct call *c, struct list_page *page);

/* Whether l is a complete list, large enough, of a client that takes gzip. */
bool list_gzip_wanted(struct request *r, const struct listing *l);
/* The list out of deflated leaves; moves to a worker when some have to be made. l is closed by the arena. */
enum flow respond_list_gzip(struct request *r, struct call *c, struct listing *l);
