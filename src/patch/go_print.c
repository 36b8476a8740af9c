/* SPDX-License-Identifier: Apache-2.0 */
/* Prints trees as Go's fmt prints maps and slices: keys sorted, no quotes, <nil> for null. What upstream's
 * messages show of a patch; cut off where nobody reads on. */
#include "patch.h"

#include <stdlib.h>

#define PRINT_DEPTH_MAX 32

static int by_key(const void *x, const void *y)
{
    const struct value_member *const *a = x, *const *b = y;

    return text_cmp(member_key(*a), member_key(*b));
}

static void print(struct buffer *b, const struct value *v, size_t limit, int depth);

static void print_object(struct buffer *b, const struct value *v, size_t limit, int depth)
{
    VEC(const struct value_member *) sorted = {0};

    for (size_t i = 0; i < v->n; i++)
        vec_push(&sorted, &v->members[i]);
    if (sorted.n)
        qsort(sorted.p, sorted.n, sizeof(*sorted.p), by_key);
    buffer_add_str(b, "map[");
    for (size_t i = 0; i < sorted.n && b->n < limit; i++) {
        if (i)
            buffer_add_char(b, ' ');
        buffer_add(b, text_first(member_key(sorted.p[i]), PATCH_PRINT_MAX));
        buffer_add_char(b, ':');
        print(b, &sorted.p[i]->value, limit, depth + 1);
    }
    buffer_add_char(b, ']');
    vec_deinit(&sorted);
}

static void print(struct buffer *b, const struct value *v, size_t limit, int depth)
{
    if (depth > PRINT_DEPTH_MAX || b->n >= limit) {
        buffer_add_str(b, "...");
        return;
    }
    switch ((enum value_kind)v->kind) {
    case VALUE_NULL:
        buffer_add_str(b, "<nil>");
        break;
    case VALUE_BOOL:
        buffer_add_str(b, v->boolean ? "true" : "false");
        break;
    case VALUE_INT:
        buffer_add_i64(b, v->integer);
        break;
    case VALUE_FLOAT:
        json_write_float(b, v->number);
        break;
    case VALUE_STRING:
        buffer_add(b, text_first(value_text(v), PATCH_PRINT_MAX));
        break;
    case VALUE_RAW:
        buffer_add(b, text_first((struct text){v->string, v->n}, PATCH_PRINT_MAX));
        break;
    case VALUE_LIST:
        buffer_add_char(b, '[');
        for (size_t i = 0; i < v->n && b->n < limit; i++) {
            if (i)
                buffer_add_char(b, ' ');
            print(b, &v->items[i], limit, depth + 1);
        }
        buffer_add_char(b, ']');
        break;
    case VALUE_OBJECT:
        print_object(b, v, limit, depth);
        break;
    }
}

void patch_print_go(struct buffer *b, const struct value *v)
{
    size_t start = b->n;

    print(b, v, start + PATCH_PRINT_MAX, 0);
    if (b->n > start + PATCH_PRINT_MAX)
        b->n = start + PATCH_PRINT_MAX;
}
