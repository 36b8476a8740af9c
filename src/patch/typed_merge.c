/* SPDX-License-Identifier: Apache-2.0 */
/* Two objects made one, and fields taken out of one.
 *
 * Order of a merged list: the items of the second stand in its order; those that only the first has keep their place relative to the
 * items that both have. */
#include "patch/typed_items.h"

/* --- merging --- */

struct merging {
    struct arena *arena;
    struct status *st;
};

/* False: nothing comes of it. */
static bool merge(struct merging *m, struct typed t, const struct value *x, const struct value *y, struct value *ret);

static bool has_parts(const struct value *v, enum value_kind kind)
{
    return v && v->kind == kind && v->n;
}

static bool merge_leaf(const struct value *x, const struct value *y, struct value *ret)
{
    if (!x && !y)
        return false;
    *ret = y ? *y : *x;
    return true;
}

static bool merge_members(struct merging *m, const struct shape *s, const struct value *x, const struct value *y,
                          struct value *ret)
{
    struct finder in_x = finder_of(m->arena, x), in_y = finder_of(m->arena, y);
    size_t n_x = x ? x->n : 0, n_y = y ? y->n : 0, n_shared = 0;
    struct value_member *to = arena_alloc(m->arena, (n_x + n_y) * sizeof(*to));
    struct typed t;
    bool unused;

    *ret = (struct value){.kind = VALUE_OBJECT, .is_exact = true, .members = to};
    for (size_t i = 0; i < n_x; i++) {
        const struct value *other = finder_get(&in_y, member_key(&x->members[i]));
        n_shared += other != NULL;
        *to = x->members[i];
        if (!other || (shape_of_member(s, &x->members[i], &t, &unused) && merge(m, t, &x->members[i].value, other, &to->value)))
            to++;
    }
    for (size_t i = 0; n_shared < n_y && i < n_y; i++) {
        *to = y->members[i];
        if (!finder_get(&in_x, member_key(&y->members[i])) && shape_of_member(s, &y->members[i], &t, &unused) &&
            merge(m, t, NULL, &y->members[i].value, &to->value))
            to++;
    }
    ret->n = (uint32_t)(to - ret->members);
    return ret->n > 0;
}

struct list_merge {
    struct merging *m;
    const struct shape *s;
    struct items x, y;
    bool *was_merged; /* by index in y */
    size_t next_shared; /* index in y of the next item that x has too; y.n: none */
    struct value *out;
};

static size_t shared_from(const struct list_merge *l, size_t i)
{
    while (i < l->y.n && !items_find(&l->x, &l->y.in_order[i].at))
        i++;
    return i;
}

static void take(struct list_merge *l, const struct value *x, const struct value *y)
{
    struct value merged;

    if (!y) /* nothing is said of it */
        value_append(l->m->arena, l->out, *x);
    else if (merge(l->m, l->s->item, x, y, &merged))
        value_append(l->m->arena, l->out, merged);
}

static void take_second(struct list_merge *l, size_t j)
{
    const struct item *of_x = items_find(&l->x, &l->y.in_order[j].at);

    /* An item that the first repeats is replaced, not merged. */
    l->was_merged[j] = true;
    take(l, of_x ? (of_x->repeats > 1 ? &value_null : of_x->value) : NULL, l->y.in_order[j].value);
    if (j == l->next_shared)
        l->next_shared = shared_from(l, j + 1);
}

static void merge_in_order(struct list_merge *l)
{
    for (size_t i = 0, j = 0; i < l->x.n || j < l->y.n;) {
        const struct item *of_y = i < l->x.n ? items_find(&l->y, &l->x.in_order[i].at) : NULL;
        if (i < l->x.n && j < l->y.n) {
            if (of_y && of_y->index == j) {
                take_second(l, j++);
                i++;
                continue;
            }
            if (of_y && l->next_shared < l->y.n && of_y->index != l->next_shared) {
                i++; /* shared, but another one is due */
                continue;
            }
        }
        if (i < l->x.n && !of_y) {
            take(l, l->x.in_order[i++].value, NULL);
            continue;
        }
        if (i < l->x.n && l->was_merged[of_y->index])
            i++;
        if (j < l->y.n)
            take_second(l, j++);
    }
}

static bool merge_items(struct merging *m, const struct shape *s, const struct value *x, const struct value *y,
                        struct value *ret)
{
    struct list_merge l = {.m = m, .s = s, .out = ret};

    *ret = value_list();
    items_of(m->arena, s, x, &l.x);
    items_of(m->arena, s, y, &l.y);
    for (size_t i = 0; i < l.y.n; i++)
        if (l.y.sorted[i].repeats > 1 && m->st->reason == STATUS_OK) {
            struct buffer b = BUFFER_IN(m->arena);
            path_element_print(&b, &l.y.sorted[i].at);
            status_record(m->st, STATUS_UNKNOWN, "failed to merge config: duplicate entries for key %s", buffer_str(&b));
            return false;
        }
    l.was_merged = ARENA_ARRAY(m->arena, bool, l.y.n + 1);
    l.next_shared = shared_from(&l, 0);
    merge_in_order(&l);
    return ret->n > 0;
}

static bool merge(struct merging *m, struct typed t, const struct value *x, const struct value *y, struct value *ret)
{
    struct shape s = shape_of(t, y ? y : x);
    enum value_kind kind = s.kind == SHAPE_LIST ? VALUE_LIST : VALUE_OBJECT;
    bool x_has_parts = has_parts(x, kind), y_has_parts = has_parts(y, kind);

    if (s.kind == SHAPE_LEAF || (!x_has_parts && !y_has_parts))
        return merge_leaf(x, y, ret);
    if (s.kind == SHAPE_LIST)
        return merge_items(m, &s, x_has_parts ? x : NULL, y_has_parts ? y : NULL, ret);
    return merge_members(m, &s, x_has_parts ? x : NULL, y_has_parts ? y : NULL, ret);
}

int typed_merge(struct arena *a, struct typed t, const struct value *x, const struct value *y, struct value *ret,
                struct status *st)
{
    struct merging m = {a, st};

    if (!merge(&m, t, x, y, ret))
        *ret = value_object();
    return st->reason == STATUS_OK ? 0 : -1;
}

/* --- taking fields out --- */

/* VALUE_NULL: nothing is left. */
static struct value remove_from(struct arena *a, struct typed t, const struct value *v, const struct field_set *fields);

static struct value remove_items(struct arena *a, const struct shape *s, const struct value *list,
                                 const struct field_set *fields)
{
    struct value left = value_list();

    for (size_t i = 0; i < list->n; i++) {
        struct path_element at;
        const struct field_node *n =
            shape_item_element(a, s, &list->items[i], &at) ? NULL : field_set_find(fields, &at);
        if (n && n->is_member)
            continue;
        value_append(a, &left, n ? remove_from(a, s->item, &list->items[i], n->below) : list->items[i]);
    }
    return left.n ? left : value_null;
}

static struct value remove_members(struct arena *a, const struct shape *s, const struct value *object,
                                   const struct field_set *fields)
{
    struct value left = value_object();

    for (size_t i = 0; i < object->n; i++) {
        const struct value_member *m = &object->members[i];
        const struct path_element at = {.kind = PATH_FIELD, .name = member_key(m)};
        const struct field_node *n = field_set_find(fields, &at);
        struct typed t;
        bool unused;
        if (n && n->is_member)
            continue;
        value_add(a, &left, at.name,
                  n && shape_of_member(s, m, &t, &unused) ? remove_from(a, t, &m->value, n->below) : m->value);
    }
    return left.n ? left : value_null;
}

static struct value remove_from(struct arena *a, struct typed t, const struct value *v, const struct field_set *fields)
{
    struct shape s = shape_of(t, v);

    if (s.kind == SHAPE_LEAF)
        return s.is_scalar ? *v : value_null;
    if (s.kind == SHAPE_LIST)
        return v->kind == VALUE_LIST ? remove_items(a, &s, v, fields) : value_null;
    return v->kind == VALUE_OBJECT ? remove_members(a, &s, v, fields) : value_null;
}

struct value typed_remove(struct arena *a, struct typed t, const struct value *v, const struct field_set *fields)
{
    struct value left = fields ? remove_from(a, t, v, fields) : *v;

    return left.kind == VALUE_OBJECT ? left : value_object();
}
