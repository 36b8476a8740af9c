/* text_list.h - texts in the order of their coming: audiences, groups, errors. The array lies in an arena; what the texts
 * point to is the caller's. Threads: one at a time, or any that only read. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/text.h"

struct text_list {
    struct text *p;
    size_t n, cap;
};

void text_list_add(struct arena *a, struct text_list *list, struct text t);
void text_list_add_once(struct arena *a, struct text_list *list, struct text t); /* unless it is there */
void text_list_sort(struct text_list *list);                                     /* bytewise */
bool text_list_has(const struct text_list *list, struct text t);                 /* NULL: an empty list */
/* Those of one that are in other too, in the order of one. */
struct text_list text_list_common(struct arena *a, const struct text_list *one, const struct text_list *other);
/* Errors as Go's aggregate prints them: nothing, `x`, or `[x, y]`. */
void text_list_write_errors(struct buffer *b, const struct text_list *errors);
