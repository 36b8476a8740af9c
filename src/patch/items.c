/* SPDX-License-Identifier: Apache-2.0 */
/* Items are found by a hash map over what identifies them, so that merging and ordering are linear in the
 * lists' lengths.
 *
 * Order of a united list: what the patch names stands in the patch's order, the others in the order they had,
 * and the two are interleaved so that those of the document go first only where they stood before the next of
 * the patch. */
#include "items.h"

#include <stdlib.h>

/* --- errors: upstream's texts; the plain ones become a 500 without reason --- */

int merge_fail(struct merge *m, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    status_vset(m->st, STATUS_UNKNOWN, fmt, args);
    va_end(args);
    return -1;
}

const char *merge_printed(struct merge *m, const struct value *v)
{
    struct buffer b = BUFFER_IN(m->a);

    patch_print_go(&b, v);
    return buffer_str(&b);
}

static const char *go_type(const struct value *v)
{
    static const char *const names[] = {
        [VALUE_NULL] = "%!s(<nil>)",
        [VALUE_BOOL] = "bool",
        [VALUE_INT] = "int64",
        [VALUE_FLOAT] = "float64",
        [VALUE_STRING] = "string",
        [VALUE_RAW] = "map[string]interface {}",
        [VALUE_LIST] = "[]interface {}",
        [VALUE_OBJECT] = "map[string]interface {}",
    };

    return names[v->kind];
}

int merge_fail_type(struct merge *m, enum value_kind expected, const struct value *got)
{
    return merge_fail(m, "expected a %s, but received a %s", go_type(&(struct value){.kind = expected}),
                      go_type(got));
}

int merge_fail_no_key(struct merge *m, const struct value *item, struct text key)
{
    return merge_fail(m, "map: %s does not contain declared merge key: %.*s", merge_printed(m, item),
                      TEXT_ARG(key));
}

/* --- positions of items by what identifies them --- */

/* A text that two items share exactly when upstream takes them for the same: kind and value of the merge key,
 * or of the scalar itself. Objects and lists identify nothing. */
struct text item_identity(struct arena *a, const struct value *item, struct text key)
{
    const struct value *v = key.n ? value_get(item, key) : item;
    struct buffer b = BUFFER_IN(a);

    if (!v || v->kind >= VALUE_LIST)
        return TEXT_NONE;
    if (v->kind == VALUE_STRING)
        buffer_add_char(&b, '"'), buffer_add(&b, value_text(v));
    else
        buffer_add_char(&b, v->kind == VALUE_FLOAT ? 'f' : '='), json_write(&b, v);
    return buffer_text(&b);
}

void positions_put(struct positions *p, struct arena *a, const struct value *item, struct text key, size_t at)
{
    struct text id = item_identity(a, item, key);

    if (id.n && !map_get(&p->map, id)) /* the first of equals counts */
        map_put(&p->map, id, (void *)(at + 1));
}

size_t positions_get(const struct positions *p, struct arena *a, const struct value *item, struct text key)
{
    struct text id = item_identity(a, item, key);
    size_t at = id.n ? (size_t)map_get(&p->map, id) : 0;

    return at ? at - 1 : NOWHERE;
}

void positions_deinit(struct positions *p)
{
    map_deinit(&p->map);
}

void positions_of(struct positions *p, struct arena *a, const struct value *list, struct text key)
{
    *p = (struct positions){0};
    for (size_t i = 0; i < list->n; i++)
        positions_put(p, a, &list->items[i], key, i);
}

/* --- order --- */

struct ranked {
    size_t rank, at;
    struct value item;
};

static int by_rank(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

int items_check_keys(struct merge *m, const struct value *list, struct text key)
{
    for (size_t i = 0; key.n && i < list->n; i++) {
        const struct value *item = &list->items[i];
        if (item->kind != VALUE_OBJECT)
            return merge_fail_type(m, VALUE_OBJECT, item);
        if (!value_get(item, key))
            return merge_fail_no_key(m, item, key);
    }
    return 0;
}

/* merged: every item; named: what the patch names, in the order wanted; old: the document's list. Items of
 * neither go last. */
int items_order(struct merge *m, const struct value *merged, const struct value *named,
                const struct value *old, struct text key, struct value *ret)
{
    struct positions in_named, in_old;
    size_t n_named = 0, n_rest = 0, i = 0, j = 0;

    if (items_check_keys(m, merged, key) < 0 || items_check_keys(m, named, key) < 0 ||
        items_check_keys(m, old, key) < 0)
        return -1;
    *ret = value_list();
    if (!merged->n)
        return 0;
    struct ranked *wanted = xcalloc(merged->n, sizeof(*wanted)), *rest = xcalloc(merged->n, sizeof(*rest));
    positions_of(&in_named, m->a, named, key);
    positions_of(&in_old, m->a, old, key);
    for (size_t k = 0; k < merged->n; k++) {
        const struct value *item = &merged->items[k];
        size_t at = positions_get(&in_named, m->a, item, key);
        if (at != NOWHERE)
            wanted[n_named++] = (struct ranked){at, k, *item};
        else
            rest[n_rest++] = (struct ranked){positions_get(&in_old, m->a, item, key), k, *item};
    }
    qsort(wanted, n_named, sizeof(*wanted), by_rank);
    qsort(rest, n_rest, sizeof(*rest), by_rank);
    while (i < n_rest || j < n_named) {
        bool take_rest = j == n_named;
        if (!take_rest && i < n_rest && rest[i].rank != NOWHERE) {
            size_t at = positions_get(&in_old, m->a, &wanted[j].item, key);
            take_rest = at != NOWHERE && rest[i].rank < at;
        }
        value_append(m->a, ret, take_rest ? rest[i++].item : wanted[j++].item);
    }
    positions_deinit(&in_named);
    positions_deinit(&in_old);
    free(wanted);
    free(rest);
    return 0;
}
