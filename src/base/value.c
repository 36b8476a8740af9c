/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of values. A container's array has room for exactly n children while is_exact is set; otherwise its capacity
 * follows from n: the next power of two, four at least. So no capacity is stored, and a decoded document, which seldom
 * grows, wastes nothing.
 *
 * Whole-tree functions keep a list of containers still to visit instead of recursing: a document may nest 10,000
 * levels deep, more than a thread's stack bears. */
#include "base/value.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/containers.h"

const struct value value_null = {.kind = VALUE_NULL};

const char *value_kind_name(enum value_kind kind)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",  [VALUE_INT] = "number",    [VALUE_FLOAT] = "number",
        [VALUE_STRING] = "string", [VALUE_RAW] = "object", [VALUE_LIST] = "array",   [VALUE_OBJECT] = "object",
    };

    return names[kind];
}

static inline struct value_member *find(const struct value *v, struct text key)
{
    if (!v || v->kind != VALUE_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < v->n; i++) { /* no pointer to an end: an empty object may have no array */
        if (text_eq(member_key(&v->members[i]), key))
            return &v->members[i];
    }
    return NULL;
}

struct value *value_get(const struct value *v, struct text key)
{
    struct value_member *m = find(v, key);

    return m ? &m->value : NULL;
}

struct value *value_at(const struct value *v, ...)
{
    va_list names;
    const char *name;

    va_start(names, v);
    while (v && (name = va_arg(names, const char *)))
        v = value_get(v, text_of(name));
    va_end(names);
    return (struct value *)v;
}

struct text value_get_text(const struct value *v, struct text key)
{
    return value_text(value_get(v, key));
}

int64_t value_get_int(const struct value *v, struct text key, int64_t otherwise)
{
    const struct value *child = value_get(v, key);

    return child && child->kind == VALUE_INT ? child->integer : otherwise;
}

bool value_get_bool(const struct value *v, struct text key, bool otherwise)
{
    const struct value *child = value_get(v, key);

    return child && child->kind == VALUE_BOOL ? child->boolean : otherwise;
}

/* --- changes ---------------------------------------------------------------------------------------------------- */

static size_t capacity(const struct value *v)
{
    if (v->n == 0)
        return 0;
    if (v->is_exact)
        return v->n;
    return v->n <= 4 ? 4 : (size_t)1 << (32 - __builtin_clz(v->n - 1));
}

static size_t child_bytes(const struct value *v)
{
    return v->kind == VALUE_OBJECT ? sizeof(struct value_member) : sizeof(struct value);
}

/* Makes room for one child more; the caller fills it and counts it. */
static void make_room(struct arena *a, struct value *v)
{
    size_t cap = capacity(v), size = child_bytes(v);

    if (v->n < cap)
        return;
    size_t new_cap = v->n < 4 ? 4 : (size_t)1 << (32 - __builtin_clz(v->n));
    v->items = arena_grow(a, cap ? v->items : NULL, cap * size, new_cap * size);
    v->is_exact = 0;
}

struct value *value_add(struct arena *a, struct value *v, struct text key, struct value child)
{
    make_room(a, v);
    struct value_member *m = &v->members[v->n++];
    *m = (struct value_member){.key = key.p, .key_n = (uint32_t)key.n, .value = child};
    return &m->value;
}

struct value *value_set(struct arena *a, struct value *v, struct text key, struct value child)
{
    struct value_member *m = find(v, key);

    if (!m)
        return value_add(a, v, key, child);
    m->value = child;
    return &m->value;
}

struct value *value_object_at(struct arena *a, struct value *v, struct text key)
{
    struct value *child = value_get(v, key);

    if (child && child->kind != VALUE_NULL)
        return child;
    return value_set(a, v, key, value_object());
}

static void remove_child(struct value *v, size_t at)
{
    size_t size = child_bytes(v);
    char *p = (char *)v->items + at * size;

    memmove(p, p + size, (v->n - at - 1) * size);
    v->n--;
}

bool value_remove(struct value *v, struct text key)
{
    struct value_member *m = find(v, key);

    if (!m)
        return false;
    remove_child(v, (size_t)(m - v->members));
    return true;
}

struct value *value_append(struct arena *a, struct value *v, struct value item)
{
    make_room(a, v);
    v->items[v->n] = item;
    return &v->items[v->n++];
}

struct value value_texts(struct arena *a, const struct text *texts, size_t n)
{
    struct value list = value_list();

    for (size_t i = 0; i < n; i++)
        value_append(a, &list, value_string(texts[i]));
    return list;
}

void value_insert(struct arena *a, struct value *v, size_t at, struct value item)
{
    make_room(a, v);
    memmove(v->items + at + 1, v->items + at, (v->n - at) * sizeof(*v->items));
    v->items[at] = item;
    v->n++;
}

void value_remove_at(struct value *v, size_t at)
{
    remove_child(v, at);
}

/* --- whole trees ------------------------------------------------------------------------------------------------ */

static const char *copy_bytes(struct arena *a, const char *p, size_t n)
{
    char *copy = arena_alloc(a, n);

    if (n)
        memcpy(copy, p, n);
    return copy;
}

static bool has_bytes(const struct value *v)
{
    return v->kind == VALUE_STRING || v->kind == VALUE_RAW;
}

typedef VEC(struct value *) value_queue;

/* Gives *v an array of its own and queues those children that have arrays themselves. */
static void copy_children(struct arena *a, struct value *v, bool with_strings, value_queue *todo)
{
    size_t bytes = v->n * child_bytes(v);

    v->is_exact = 1;
    if (!bytes) {
        v->items = NULL;
        return;
    }
    v->items = memcpy(arena_alloc(a, bytes), v->items, bytes);
    for (size_t i = 0; i < v->n; i++) {
        struct value *child = v->kind == VALUE_OBJECT ? &v->members[i].value : &v->items[i];
        if (child->kind >= VALUE_LIST && child->n)
            vec_push(todo, child);
        else if (with_strings && has_bytes(child))
            child->string = copy_bytes(a, child->string, child->n);
        if (with_strings && v->kind == VALUE_OBJECT)
            v->members[i].key = copy_bytes(a, v->members[i].key, v->members[i].key_n);
    }
}

static struct value copy_tree(struct arena *a, const struct value *from, bool with_strings)
{
    value_queue todo = {0};
    struct value copy = *from;

    if (copy.kind >= VALUE_LIST)
        copy_children(a, &copy, with_strings, &todo);
    else if (with_strings && has_bytes(&copy))
        copy.string = copy_bytes(a, copy.string, copy.n);
    while (todo.n)
        copy_children(a, todo.p[--todo.n], with_strings, &todo);
    vec_deinit(&todo);
    return copy;
}

struct value value_copy(struct arena *a, const struct value *v)
{
    return copy_tree(a, v, false);
}

struct value value_copy_deep(struct arena *a, const struct value *v)
{
    return copy_tree(a, v, true);
}

struct value_pair {
    const struct value *a, *b;
};
typedef VEC(struct value_pair) pair_queue;

static bool numbers_equal(const struct value *a, const struct value *b)
{
    if (a->kind == b->kind)
        return a->kind == VALUE_INT ? a->integer == b->integer : a->number == b->number;
    int64_t i = a->kind == VALUE_INT ? a->integer : b->integer;
    double d = a->kind == VALUE_INT ? b->number : a->number;
    /* 2^63 itself does not fit an int64; within the range the conversion of a whole number is exact. */
    /* cppcheck-suppress incorrectLogicOperator; it does not read hexadecimal floats */
    return d >= -0x1p63 && d < 0x1p63 && trunc(d) == d && (int64_t)d == i;
}

static bool scalars_equal(const struct value *a, const struct value *b)
{
    bool a_is_number = a->kind == VALUE_INT || a->kind == VALUE_FLOAT;
    bool b_is_number = b->kind == VALUE_INT || b->kind == VALUE_FLOAT;

    if (a_is_number && b_is_number)
        return numbers_equal(a, b);
    if (a->kind != b->kind)
        return false;
    if (has_bytes(a))
        return text_eq((struct text){a->string, a->n}, (struct text){b->string, b->n});
    return a->kind != VALUE_BOOL || a->boolean == b->boolean;
}

/* Compares the two but for their children, which are queued. */
static inline bool nodes_equal(const struct value *a, const struct value *b, pair_queue *todo)
{
    if (a->kind < VALUE_LIST || b->kind < VALUE_LIST)
        return scalars_equal(a, b);
    if (a->kind != b->kind || a->n != b->n)
        return false;
    if (a->n && a->items != b->items)
        vec_push(todo, ((struct value_pair){a, b}));
    return true;
}

static bool children_equal(const struct value *a, const struct value *b, pair_queue *todo)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->kind == VALUE_LIST) {
            if (!nodes_equal(&a->items[i], &b->items[i], todo))
                return false;
            continue;
        }
        const struct value_member *m = &a->members[i], *other = &b->members[i];
        struct text key = member_key(m);
        /* Most often both sides have the same order. */
        const struct value *child = text_eq(key, member_key(other)) ? &other->value : value_get(b, key);
        if (!child || !nodes_equal(&m->value, child, todo))
            return false;
    }
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    pair_queue todo = {0};
    bool is_equal = nodes_equal(a, b, &todo);

    while (is_equal && todo.n) {
        struct value_pair pair = todo.p[--todo.n];
        is_equal = children_equal(pair.a, pair.b, &todo);
    }
    vec_deinit(&todo);
    return is_equal;
}

bool value_is_empty(const struct value *v)
{
    if (!v)
        return true;
    switch ((enum value_kind)v->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return !v->boolean;
    case VALUE_INT:
        return v->integer == 0;
    case VALUE_FLOAT:
        return v->number == 0;
    default:
        return v->n == 0;
    }
}
