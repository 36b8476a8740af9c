/* SPDX-License-Identifier: Apache-2.0 */
/* All operations on two sets walk their nodes together, smallest element first. */
#include "patch/field_set.h"

#include <stdlib.h>

#define FEW_NODES 24

/* --- order --- */

static int number_cmp(double x, double y)
{
    return x < y ? -1 : x > y;
}

/* Numbers, strings, booleans, lists, objects, null. */
static int rank(const struct value *v)
{
    static const int ranks[] = {[VALUE_NULL] = 6,   [VALUE_BOOL] = 3, [VALUE_INT] = 1,   [VALUE_FLOAT] = 1,
                                [VALUE_STRING] = 2, [VALUE_LIST] = 4, [VALUE_OBJECT] = 5, [VALUE_RAW] = 7};
    return ranks[v->kind];
}

static int value_cmp(const struct value *x, const struct value *y);

static int items_cmp(const struct value *x, const struct value *y)
{
    for (size_t i = 0; i < x->n && i < y->n; i++) {
        int c = value_cmp(&x->items[i], &y->items[i]);
        if (c)
            return c;
    }
    return number_cmp(x->n, y->n);
}

static int members_cmp(const struct value *x, const struct value *y)
{
    for (size_t i = 0; i < x->n && i < y->n; i++) {
        int c = text_cmp(member_key(&x->members[i]), member_key(&y->members[i]));
        if (c == 0)
            c = value_cmp(&x->members[i].value, &y->members[i].value);
        if (c)
            return c;
    }
    return number_cmp(x->n, y->n);
}

static int value_cmp(const struct value *x, const struct value *y)
{
    if (rank(x) != rank(y))
        return rank(x) - rank(y);
    switch (x->kind) {
    case VALUE_STRING:
        return text_cmp(value_text(x), value_text(y));
    case VALUE_BOOL:
        return (int)x->boolean - (int)y->boolean;
    case VALUE_LIST:
        return items_cmp(x, y);
    case VALUE_OBJECT:
        return members_cmp(x, y);
    case VALUE_INT:
        if (y->kind == VALUE_INT)
            return x->integer < y->integer ? -1 : x->integer > y->integer;
        return number_cmp((double)x->integer, y->number);
    case VALUE_FLOAT:
        return number_cmp(x->number, y->kind == VALUE_INT ? (double)y->integer : y->number);
    default:
        return 0;
    }
}

static int keys_cmp(const struct path_element *a, const struct path_element *b)
{
    for (size_t i = 0; i < a->n_keys && i < b->n_keys; i++) {
        int c = text_cmp(a->keys[i].name, b->keys[i].name);
        if (c == 0)
            c = value_cmp(&a->keys[i].value, &b->keys[i].value);
        if (c)
            return c;
    }
    return (int)a->n_keys - (int)b->n_keys;
}

int path_element_cmp(const struct path_element *a, const struct path_element *b)
{
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    switch (a->kind) {
    case PATH_FIELD: /* names are often the schema's own */
        return a->name.p == b->name.p && a->name.n == b->name.n ? 0 : text_cmp(a->name, b->name);
    case PATH_KEY:
        return keys_cmp(a, b);
    case PATH_VALUE:
        return value_cmp(&a->value, &b->value);
    default:
        return a->index < b->index ? -1 : a->index > b->index;
    }
}

/* --- building --- */

void field_set_add(struct field_set_builder *b, struct path_element at, const struct field_set *below, bool is_member)
{
    if (!below && !is_member)
        return;
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 8;
        b->nodes = arena_grow(b->arena, b->nodes, b->cap * sizeof(*b->nodes), cap * sizeof(*b->nodes));
        b->cap = cap;
    }
    b->nodes[b->n++] = (struct field_node){at, below, is_member};
}

static int by_element(const void *x, const void *y)
{
    return path_element_cmp(&((const struct field_node *)x)->at, &((const struct field_node *)y)->at);
}

/* How many stand in order, without repetitions, from the first on. */
static size_t ordered(const struct field_node *nodes, size_t n)
{
    size_t i = 1;

    while (i < n && by_element(&nodes[i - 1], &nodes[i]) < 0)
        i++;
    return i;
}

/* Of few, and from a place up to which they are sorted. */
static void insert_nodes(struct field_node *nodes, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++) {
        const struct field_node moved = nodes[i];
        size_t at = i;
        for (; at > 0 && path_element_cmp(&nodes[at - 1].at, &moved.at) > 0; at--)
            nodes[at] = nodes[at - 1];
        nodes[at] = moved;
    }
}

/* An element that is named twice, as a hostile client may do in other words ("k:{\"a\":1}" with a space), is one. */
static size_t unite_repeated(struct arena *a, struct field_node *nodes, size_t n)
{
    size_t n_kept = 1;

    for (size_t i = 1; i < n; i++) {
        struct field_node *last = &nodes[n_kept - 1];
        if (by_element(last, &nodes[i]) == 0) {
            last->below = field_set_union(a, last->below, nodes[i].below);
            last->is_member |= nodes[i].is_member;
        } else {
            nodes[n_kept++] = nodes[i];
        }
    }
    return n_kept;
}

const struct field_set *field_set_built(struct field_set_builder *b)
{
    struct field_set *s;
    size_t n_ordered;

    if (!b->n)
        return NULL;
    n_ordered = ordered(b->nodes, b->n); /* mostly all of them */
    if (n_ordered < b->n) {
        if (b->n > FEW_NODES)
            qsort(b->nodes, b->n, sizeof(*b->nodes), by_element);
        else
            insert_nodes(b->nodes, n_ordered, b->n);
        b->n = unite_repeated(b->arena, b->nodes, b->n);
    }
    s = arena_alloc(b->arena, sizeof(*s));
    *s = (struct field_set){b->nodes, b->n};
    return s;
}

/* --- two sets --- */

/* Gives both sides' nodes of the next element, NULL where a side has none. */
struct pair_walk {
    const struct field_node *x, *x_end, *y, *y_end;
};

static struct pair_walk walk_of(const struct field_set *x, const struct field_set *y)
{
    struct pair_walk w = {0};

    if (x)
        w.x = x->nodes, w.x_end = x->nodes + x->n;
    if (y)
        w.y = y->nodes, w.y_end = y->nodes + y->n;
    return w;
}

static bool walk_next(struct pair_walk *w, const struct field_node **ret_x, const struct field_node **ret_y)
{
    int c;

    if (w->x == w->x_end && w->y == w->y_end)
        return false;
    c = w->x == w->x_end ? 1 : w->y == w->y_end ? -1 : path_element_cmp(&w->x->at, &w->y->at);
    *ret_x = c <= 0 ? w->x++ : NULL;
    *ret_y = c >= 0 ? w->y++ : NULL;
    return true;
}

const struct field_set *field_set_union(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    struct field_set_builder b = {.arena = a};
    struct pair_walk w = walk_of(x, y);
    const struct field_node *p, *q;

    if (!x || !y || x == y)
        return x ? x : y;
    while (walk_next(&w, &p, &q)) {
        if (p && q)
            field_set_add(&b, p->at, field_set_union(a, p->below, q->below), p->is_member || q->is_member);
        else if (p)
            field_set_add(&b, p->at, p->below, p->is_member);
        else
            field_set_add(&b, q->at, q->below, q->is_member);
    }
    return field_set_built(&b);
}

const struct field_set *field_set_intersection(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    struct field_set_builder b = {.arena = a};
    struct pair_walk w = walk_of(x, y);
    const struct field_node *p, *q;

    if (!x || !y)
        return NULL;
    while (walk_next(&w, &p, &q))
        if (p && q)
            field_set_add(&b, p->at, field_set_intersection(a, p->below, q->below), p->is_member && q->is_member);
    return field_set_built(&b);
}

static const struct field_set *difference(struct arena *a, const struct field_set *x, const struct field_set *y, bool is_deep)
{
    struct field_set_builder b = {.arena = a};
    struct pair_walk w = walk_of(x, y);
    const struct field_node *p, *q;

    if (!x || !y)
        return x;
    while (walk_next(&w, &p, &q)) {
        if (p && !q)
            field_set_add(&b, p->at, p->below, p->is_member);
        else if (p && !(is_deep && q->is_member))
            field_set_add(&b, p->at, difference(a, p->below, q->below, is_deep), p->is_member && !q->is_member);
    }
    return field_set_built(&b);
}

const struct field_set *field_set_difference(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    return difference(a, x, y, false);
}

const struct field_set *field_set_difference_deep(struct arena *a, const struct field_set *x, const struct field_set *y)
{
    return difference(a, x, y, true);
}

bool field_set_has_all(const struct field_set *s, const struct field_set *members)
{
    struct pair_walk w = walk_of(s, members);
    const struct field_node *p, *q;

    while (s != members && walk_next(&w, &p, &q))
        if (q && ((q->is_member && !(p && p->is_member)) || !field_set_has_all(p ? p->below : NULL, q->below)))
            return false;
    return true;
}

bool field_set_equal(const struct field_set *x, const struct field_set *y)
{
    if (x == y)
        return true;
    if (!x || !y || x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (x->nodes[i].is_member != y->nodes[i].is_member || path_element_cmp(&x->nodes[i].at, &y->nodes[i].at) != 0 ||
            !field_set_equal(x->nodes[i].below, y->nodes[i].below))
            return false;
    return true;
}

const struct field_node *field_set_find(const struct field_set *s, const struct path_element *at)
{
    size_t low = 0, high = s ? s->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = path_element_cmp(at, &s->nodes[middle].at);
        if (c == 0)
            return &s->nodes[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* --- paths as text --- */

static void print_value(struct buffer *b, const struct value *v)
{
    if (v->kind == VALUE_STRING)
        buffer_add_quoted(b, value_text(v));
    else
        json_write(b, v);
}

void path_element_print(struct buffer *b, const struct path_element *e)
{
    switch (e->kind) {
    case PATH_FIELD:
        buffer_addf(b, ".%.*s", TEXT_ARG(e->name));
        break;
    case PATH_KEY:
        for (size_t i = 0; i < e->n_keys; i++) {
            buffer_addf(b, "%s%.*s=", i ? "," : "[", TEXT_ARG(e->keys[i].name));
            print_value(b, &e->keys[i].value);
        }
        buffer_add_char(b, ']');
        break;
    case PATH_VALUE:
        buffer_add_str(b, "[=");
        print_value(b, &e->value);
        buffer_add_char(b, ']');
        break;
    default:
        buffer_addf(b, "[%lld]", (long long)e->index);
    }
}

struct each {
    struct buffer path;
    struct arena *arena;
    void (*f)(void *ctx, struct text path);
    void *ctx;
};

static void each_below(struct each *e, const struct field_set *s)
{
    size_t n = e->path.n;

    for (size_t i = 0; s && i < s->n; i++) {
        if (!s->nodes[i].is_member)
            continue;
        path_element_print(&e->path, &s->nodes[i].at);
        e->f(e->ctx, arena_text(e->arena, buffer_text(&e->path)));
        e->path.n = n;
    }
    for (size_t i = 0; s && i < s->n; i++) {
        if (!s->nodes[i].below)
            continue;
        path_element_print(&e->path, &s->nodes[i].at);
        each_below(e, s->nodes[i].below);
        e->path.n = n;
    }
}

void field_set_each(const struct field_set *s, struct arena *a, void (*f)(void *ctx, struct text path), void *ctx)
{
    struct each e = {.path = BUFFER_IN(a), .arena = a, .f = f, .ctx = ctx};

    each_below(&e, s);
}

static const struct field_set *set_of_path(struct arena *a, const char *const *names)
{
    struct field_set_builder b = {.arena = a};
    bool is_last = !names[1];

    field_set_add(&b, (struct path_element){.kind = PATH_FIELD, .name = text_of(names[0])},
                  is_last ? NULL : set_of_path(a, names + 1), is_last);
    return field_set_built(&b);
}

const struct field_set *field_set_of_names(struct arena *a, const char *const *const *paths, size_t n)
{
    const struct field_set *s = NULL;

    for (size_t i = 0; i < n; i++)
        s = field_set_union(a, s, set_of_path(a, paths[i]));
    return s;
}
