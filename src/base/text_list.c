/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text_list.h"

#include <stdlib.h>

void text_list_add(struct arena *a, struct text_list *list, struct text t)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 4;
        list->p = arena_grow(a, list->p, list->cap * sizeof(*list->p), cap * sizeof(*list->p));
        list->cap = cap;
    }
    list->p[list->n++] = t;
}

void text_list_add_once(struct arena *a, struct text_list *list, struct text t)
{
    if (!text_list_has(list, t))
        text_list_add(a, list, t);
}

static int compare(const void *x, const void *y)
{
    return text_cmp(*(const struct text *)x, *(const struct text *)y);
}

void text_list_sort(struct text_list *list)
{
    if (list->n)
        qsort(list->p, list->n, sizeof(*list->p), compare);
}

bool text_list_has(const struct text_list *list, struct text t)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (text_eq(list->p[i], t))
            return true;
    return false;
}

struct text_list text_list_common(struct arena *a, const struct text_list *one, const struct text_list *other)
{
    struct text_list ret = {0};

    for (size_t i = 0; i < one->n; i++)
        if (text_list_has(other, one->p[i]))
            text_list_add(a, &ret, one->p[i]);
    return ret;
}

void text_list_write_errors(struct buffer *b, const struct text_list *errors)
{
    for (size_t i = 0; i < errors->n; i++) {
        buffer_add_str(b, i ? ", " : errors->n > 1 ? "[" : "");
        buffer_add(b, errors->p[i]);
    }
    if (errors->n > 1)
        buffer_add_char(b, ']');
}
