/* SPDX-License-Identifier: Apache-2.0 */
/* Two objects walked together: what did the second add, take away, change? */
#include "patch/typed_items.h"

enum { ADDED, REMOVED, MODIFIED, N_KINDS };

/* Of one place: itself, and what lies below it. */
struct difference {
    bool self[N_KINDS];
    const struct field_set *below[N_KINDS];
};
struct difference_builder {
    struct field_set_builder b[N_KINDS];
};

struct comparing {
    struct arena *arena;
    const char *problem;
};

static struct difference_builder builder(struct arena *a)
{
    struct difference_builder d = {0};

    for (int k = 0; k < N_KINDS; k++)
        d.b[k].arena = a;
    return d;
}

static void add(struct difference_builder *to, const struct path_element *at, const struct difference *d)
{
    for (int k = 0; k < N_KINDS; k++)
        if (d->self[k] || d->below[k])
            field_set_add(&to->b[k], *at, d->below[k], d->self[k]);
}

static void finish(struct difference_builder *from, struct difference *ret)
{
    for (int k = 0; k < N_KINDS; k++)
        ret->below[k] = field_set_built(&from->b[k]);
}

/* v when it is of this kind and not empty. */
static const struct value *parts_of(const struct value *v, enum value_kind kind)
{
    return v && v->kind == kind && v->n ? v : NULL;
}

/* --- what only one of them has --- */

static const struct field_set *all_below(struct comparing *c, struct typed t, const struct value *v);

static void add_items(struct comparing *c, const struct shape *s, const struct value *list, struct field_set_builder *b)
{
    struct items items;

    items_of(c->arena, s, list, &items);
    if (!c->problem)
        c->problem = items.problem;
    for (size_t i = 0; i < items.n; i++) {
        const struct item *it = &items.sorted[i];
        if (it->repeats) /* of repeated items the first stands for all, as one thing */
            field_set_add(b, it->at, it->repeats == 1 ? all_below(c, s->item, it->value) : NULL, true);
    }
}

static void add_members(struct comparing *c, const struct shape *s, const struct value *object, struct field_set_builder *b)
{
    struct typed t;
    bool unused;

    for (size_t i = 0; i < object->n; i++) {
        const struct value_member *m = &object->members[i];
        if (shape_of_member(s, m, &t, &unused))
            field_set_add(b, (struct path_element){.kind = PATH_FIELD, .name = member_key(m)}, all_below(c, t, &m->value), true);
    }
}

/* Every place below v. */
static const struct field_set *all_below(struct comparing *c, struct typed t, const struct value *v)
{
    struct field_set_builder b = {.arena = c->arena};
    struct shape s;

    if (v->kind < VALUE_LIST)
        return NULL;
    s = shape_of(t, v);
    if (s.kind == SHAPE_LIST && parts_of(v, VALUE_LIST))
        add_items(c, &s, v, &b);
    else if (s.kind == SHAPE_MAP && parts_of(v, VALUE_OBJECT))
        add_members(c, &s, v, &b);
    return field_set_built(&b);
}

/* --- what both have --- */

static void compare(struct comparing *c, struct typed t, const struct value *x, const struct value *y, struct difference *ret);

static bool same_items(const struct items *x, const struct item *p, const struct items *y, const struct item *q)
{
    if (p->repeats != q->repeats)
        return false;
    for (unsigned i = 0; i < p->repeats; i++)
        if (!value_equal(p[i].value, q[i].value))
            return false;
    return true;
}

/* Items that are repeated, before or after, are one thing together. */
static void compare_item(struct comparing *c, const struct shape *s, const struct items *x, const struct item *p,
                         const struct items *y, const struct item *q, struct difference *ret)
{
    unsigned before = p ? p->repeats : 0, after = q ? q->repeats : 0;

    if (before <= 1 && after <= 1) {
        compare(c, s->item, p ? p->value : NULL, q ? q->value : NULL, ret);
    } else if (before > 1 && after > 1) {
        ret->self[MODIFIED] = !same_items(x, p, y, q);
    } else if (before > 1) {
        if (q)
            compare(c, s->item, NULL, q->value, ret);
        ret->self[REMOVED] = true;
    } else {
        if (p)
            compare(c, s->item, p->value, NULL, ret);
        ret->self[ADDED] = true;
    }
}

static void check_items(struct comparing *c, const struct shape *s, const struct value *list)
{
    struct path_element unused;

    for (size_t i = 0; i < list->n && !c->problem; i++)
        c->problem = shape_item_element(c->arena, s, &list->items[i], &unused);
}

static void compare_items(struct comparing *c, const struct shape *s, const struct value *x, const struct value *y,
                          struct difference *ret)
{
    struct difference_builder b = builder(c->arena);
    struct items of_x, of_y;
    size_t i = 0, j = 0;

    if (x && y && value_equal(x, y)) {
        check_items(c, s, x);
        return;
    }
    items_of(c->arena, s, x, &of_x);
    items_of(c->arena, s, y, &of_y);
    if (!c->problem)
        c->problem = of_x.problem ? of_x.problem : of_y.problem;
    while (i < of_x.n || j < of_y.n) {
        const struct item *p = i < of_x.n ? &of_x.sorted[i] : NULL, *q = j < of_y.n ? &of_y.sorted[j] : NULL;
        int order = !p ? 1 : !q ? -1 : path_element_cmp(&p->at, &q->at);
        struct difference d = {0};
        if (order > 0)
            p = NULL;
        if (order < 0)
            q = NULL;
        const struct item *either = p ? p : q;
        if (!either)
            break; /* never: one of the lists goes on */
        compare_item(c, s, &of_x, p, &of_y, q, &d);
        add(&b, &either->at, &d);
        i += p ? p->repeats : 0;
        j += q ? q->repeats : 0;
    }
    finish(&b, ret);
}

/* Whatever their type, they are no difference. */
static bool are_same_scalar(const struct value *x, const struct value *y)
{
    return y && x->kind == y->kind && x->kind < VALUE_LIST && value_equal(x, y);
}

static void compare_members(struct comparing *c, const struct shape *s, const struct value *x, const struct value *y,
                            struct difference *ret)
{
    struct difference_builder b = builder(c->arena);
    struct finder in_x = finder_of(c->arena, x), in_y = finder_of(c->arena, y);
    size_t n_shared = 0;
    struct typed t;
    bool unused;

    for (size_t i = 0; x && i < x->n; i++) {
        const struct value_member *m = &x->members[i];
        const struct value *other = finder_get(&in_y, member_key(m));
        struct difference d = {0};
        n_shared += other != NULL;
        if (are_same_scalar(&m->value, other) || !shape_of_member(s, m, &t, &unused))
            continue;
        compare(c, t, &m->value, other, &d);
        add(&b, &(struct path_element){.kind = PATH_FIELD, .name = member_key(m)}, &d);
    }
    for (size_t i = 0; y && n_shared < y->n && i < y->n; i++) {
        const struct value_member *m = &y->members[i];
        struct difference d = {0};
        if (finder_get(&in_x, member_key(m)) || !shape_of_member(s, m, &t, &unused))
            continue;
        compare(c, t, NULL, &m->value, &d);
        add(&b, &(struct path_element){.kind = PATH_FIELD, .name = member_key(m)}, &d);
    }
    finish(&b, ret);
}

static void compare(struct comparing *c, struct typed t, const struct value *x, const struct value *y, struct difference *ret)
{
    if (!x || !y) {
        int kind = x ? REMOVED : ADDED;
        ret->self[kind] = true;
        ret->below[kind] = all_below(c, t, x ? x : y);
        return;
    }
    struct shape s = shape_of(t, y);
    enum value_kind kind = s.kind == SHAPE_LIST ? VALUE_LIST : VALUE_OBJECT;
    const struct value *parts_x = parts_of(x, kind), *parts_y = parts_of(y, kind);

    /* A value of any kind that was a map and is none now, or the other way. */
    if (s.kind == SHAPE_LEAF) {
        struct shape before = shape_of(t, x);
        if (before.kind == SHAPE_MAP && parts_of(x, VALUE_OBJECT))
            compare_members(c, &before, x, NULL, ret);
    }
    if (s.kind == SHAPE_LEAF || (!parts_x && !parts_y)) {
        ret->self[MODIFIED] = !value_equal(x, y);
        return;
    }
    if (s.kind == SHAPE_LIST)
        compare_items(c, &s, parts_x, parts_y, ret);
    else
        compare_members(c, &s, parts_x, parts_y, ret);
    if (!parts_x && shape_of(t, x).kind == SHAPE_LEAF)
        ret->self[MODIFIED] = true;
}

struct comparison typed_compare(struct arena *a, struct typed t, const struct value *x, const struct value *y)
{
    struct comparing c = {.arena = a};
    struct difference d = {0};

    compare(&c, t, x, y, &d);
    return (struct comparison){d.below[ADDED], d.below[REMOVED], d.below[MODIFIED], c.problem};
}
