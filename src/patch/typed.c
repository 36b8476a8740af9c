/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of types, and the walks that look at one object. */
#include "patch/typed.h"

#include <stdlib.h>

#include "patch/typed_items.h"

struct typed typed_of(const struct schema_type *object)
{
    return (struct typed){.type = object};
}

/* --- shapes --- */

static const struct typed untyped = {.is_untyped = true};

/* Of a value that may be anything: maps are owned by their members, all else as a whole. */
static struct shape shape_of_any(const struct value *v)
{
    if (v && v->kind == VALUE_OBJECT)
        return (struct shape){.kind = SHAPE_MAP, .item = untyped};
    return (struct shape){.kind = SHAPE_LEAF, .is_scalar = !v || v->kind != VALUE_LIST};
}

static enum merge_kind relation_of(struct typed t)
{
    if (t.field && t.field->merge != MERGE_DEFAULT)
        return t.field->merge;
    return t.type->kind == TYPE_STRUCT ? (enum merge_kind)t.type->schema->merge : MERGE_DEFAULT;
}

static struct shape shape_of_struct(struct typed t, const struct value *v)
{
    if (t.type->schema->form != JSON_FORM_OBJECT || t.type->schema->n_fields == 0)
        return shape_of_any(v);
    if (relation_of(t) == MERGE_ATOMIC)
        return (struct shape){.kind = SHAPE_LEAF};
    return (struct shape){.kind = SHAPE_MAP, .schema = t.type->schema};
}

static struct shape shape_of_list(struct typed t)
{
    enum merge_kind relation = relation_of(t);

    if (relation != MERGE_SET && relation != MERGE_MAP)
        return (struct shape){.kind = SHAPE_LEAF};
    return (struct shape){.kind = SHAPE_LIST, .item = {.type = t.type->elem}, .list = t.field};
}

struct shape shape_of(struct typed t, const struct value *v)
{
    if (t.is_untyped)
        return shape_of_any(v);
    switch (t.type->kind) {
    case TYPE_STRUCT:
        return shape_of_struct(t, v);
    case TYPE_LIST:
        return shape_of_list(t);
    case TYPE_WRAPPED_LIST:
    case TYPE_RAW_EXTENSION:
        return (struct shape){.kind = SHAPE_LEAF};
    case TYPE_MAP:
        if (relation_of(t) == MERGE_ATOMIC)
            return (struct shape){.kind = SHAPE_LEAF};
        return (struct shape){.kind = SHAPE_MAP, .item = {.type = t.type->elem}};
    case TYPE_FIELDS_V1:
    case TYPE_UNKNOWN:
    case TYPE_ANY:
        return shape_of_any(v);
    default:
        return (struct shape){.kind = SHAPE_LEAF, .is_scalar = true};
    }
}

bool shape_member(const struct shape *s, struct text name, struct typed *ret, bool *ret_is_named)
{
    const struct schema_field *f;

    *ret_is_named = false;
    if (!s->schema) {
        *ret = s->item;
        return true;
    }
    f = schema_field_of(s->schema, name);
    if (!f)
        return false;
    *ret_is_named = true;
    *ret = (struct typed){.type = &f->type, .field = f};
    return true;
}

bool shape_of_member(const struct shape *s, const struct value_member *m, struct typed *ret, bool *ret_is_named)
{
    const struct schema_field *f;

    if (!s->schema || !m->field || m->field > s->schema->n_fields)
        return shape_member(s, member_key(m), ret, ret_is_named);
    f = &s->schema->fields[m->field - 1];
    if (f->name.p != m->key) /* decoded by another type */
        return shape_member(s, member_key(m), ret, ret_is_named);
    *ret_is_named = true;
    *ret = (struct typed){.type = &f->type, .field = f};
    return true;
}

/* --- items of lists --- */

static int by_name(const void *x, const void *y)
{
    return text_cmp(((const struct path_key *)x)->name, ((const struct path_key *)y)->name);
}

/* The value that a key has when the item leaves it out: its default, which is empty for a field that JSON always has. */
static bool default_of(struct arena *a, const struct shape *s, struct text key, struct value *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct schema_field *f =
        s->item.type->kind == TYPE_STRUCT ? schema_field_of(s->item.type->schema, key) : NULL;

    if (!f)
        return false;
    if (f->fallback.n)
        return json_read(a, f->fallback, NULL, ret, &st) == 0;
    if (!(f->flags & FIELD_KEEP_EMPTY) || f->type.is_pointer)
        return false;
    *ret = f->type.kind == TYPE_STRING ? value_string(TEXT("")) : value_int(0);
    return f->type.kind == TYPE_STRING || f->type.kind == TYPE_INT32 || f->type.kind == TYPE_INT64;
}

static const char *keyed_element(struct arena *a, const struct shape *s, const struct value *item, struct path_element *ret)
{
    const struct schema_field *list = s->list;
    struct path_key *keys;
    uint32_t n = 0;

    if (item->kind == VALUE_NULL)
        return "associative list with keys may not have a null element";
    if (item->kind != VALUE_OBJECT)
        return "associative list with keys may not have non-map elements";
    keys = arena_alloc(a, list->n_merge_keys * sizeof(*keys));
    for (size_t i = 0; i < list->n_merge_keys; i++) {
        const struct value *v = value_get(item, list->merge_keys[i]);
        struct value fallback;
        if (!v && default_of(a, s, list->merge_keys[i], &fallback))
            v = &fallback;
        if (v)
            keys[n++] = (struct path_key){list->merge_keys[i], *v};
    }
    if (!n) {
        struct buffer b = BUFFER_IN(a);
        for (size_t i = 0; i < list->n_merge_keys; i++) {
            buffer_add_char(&b, i ? ' ' : '[');
            buffer_add_quoted(&b, list->merge_keys[i]);
        }
        return arena_printf(a, "associative list with keys has an element that omits all key fields %s] (and doesn't have "
                               "default values for any key fields)", buffer_str(&b));
    }
    if (n > 1)
        qsort(keys, n, sizeof(*keys), by_name);
    *ret = (struct path_element){.kind = PATH_KEY, .n_keys = n, .keys = keys};
    return NULL;
}

const char *shape_item_element(struct arena *a, const struct shape *s, const struct value *item, struct path_element *ret)
{
    if (s->list->merge == MERGE_MAP)
        return keyed_element(a, s, item, ret);
    switch (item->kind) {
    case VALUE_OBJECT:
        return "associative list without keys has an element that's a map type";
    case VALUE_LIST:
        return "not supported: associative list with lists as elements";
    case VALUE_NULL:
        return "associative list without keys has an element that's an explicit null";
    default:
        *ret = (struct path_element){.kind = PATH_VALUE, .value = *item};
        return NULL;
    }
}

static int by_element(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int c = path_element_cmp(&a->at, &b->at);

    return c ? c : a->index < b->index ? -1 : a->index > b->index;
}

static bool is_sorted(const struct items *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (path_element_cmp(&s->in_order[i - 1].at, &s->in_order[i].at) >= 0)
            return false;
    return true;
}

/* The first of equals counts them. */
static void count_repeats(struct items *s)
{
    for (size_t i = 0, first = 0; i < s->n; i++) {
        if (i && path_element_cmp(&s->sorted[i].at, &s->sorted[first].at) != 0)
            first = i;
        s->sorted[i].repeats = 0;
        s->sorted[first].repeats++;
        s->has_repeats |= i != first;
    }
}

void items_of(struct arena *a, const struct shape *s, const struct value *list, struct items *ret)
{
    size_t n = list && list->kind == VALUE_LIST ? list->n : 0;

    *ret = (struct items){.in_order = arena_alloc(a, n * sizeof(struct item))};
    ret->sorted = ret->in_order;
    for (size_t i = 0; i < n; i++) {
        struct item *it = &ret->in_order[ret->n];
        it->value = &list->items[i];
        it->index = ret->n;
        it->repeats = 1;
        const char *problem = shape_item_element(a, s, it->value, &it->at);
        if (!problem)
            ret->n++;
        else if (!ret->problem)
            ret->problem = arena_printf(a, "element %zu: %s", i, problem);
    }
    if (is_sorted(ret))
        return;
    ret->sorted = arena_alloc(a, ret->n * sizeof(struct item));
    memcpy(ret->sorted, ret->in_order, ret->n * sizeof(struct item));
    qsort(ret->sorted, ret->n, sizeof(struct item), by_element);
    count_repeats(ret);
}

const struct item *items_find(const struct items *s, const struct path_element *at)
{
    size_t low = 0, high = s->n;

    while (low < high) { /* the first that is not smaller */
        size_t middle = low + (high - low) / 2;
        if (path_element_cmp(&s->sorted[middle].at, at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && path_element_cmp(&s->sorted[low].at, at) == 0 ? &s->sorted[low] : NULL;
}

#define FEW_MEMBERS 16

static bool is_named(const struct value_member *m, struct text key)
{
    return m->key_n == key.n && (m->key == key.p || text_eq(member_key(m), key));
}

static int by_key(const void *x, const void *y)
{
    return text_cmp(member_key(*(const struct value_member *const *)x), member_key(*(const struct value_member *const *)y));
}

struct finder finder_of(struct arena *a, const struct value *v)
{
    return (struct finder){.arena = a, .object = v && v->kind == VALUE_OBJECT && v->n ? v : NULL};
}

static void index_members(struct finder *f)
{
    f->sorted = arena_alloc(f->arena, f->object->n * sizeof(*f->sorted));
    for (size_t i = 0; i < f->object->n; i++)
        f->sorted[i] = &f->object->members[i];
    qsort(f->sorted, f->object->n, sizeof(*f->sorted), by_key);
}

static const struct value_member *find_indexed(const struct finder *f, struct text key)
{
    size_t low = 0, high = f->object->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = text_cmp(key, member_key(f->sorted[middle]));
        if (c == 0)
            return f->sorted[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct value *finder_get(struct finder *f, struct text key)
{
    const struct value_member *found = NULL;

    if (!f->object)
        return NULL;
    if (f->next < f->object->n && is_named(&f->object->members[f->next], key))
        return &f->object->members[f->next++].value;
    if (f->object->n <= FEW_MEMBERS) {
        for (size_t i = 0; i < f->object->n && !found; i++)
            if (is_named(&f->object->members[i], key))
                found = &f->object->members[i];
    } else {
        if (!f->sorted)
            index_members(f);
        found = find_indexed(f, key);
    }
    if (!found)
        return NULL;
    f->next = (size_t)(found - f->object->members) + 1;
    return &found->value;
}

/* --- is it of the type? --- */

/* Where the walk is; written out only when there is something to say. */
struct place {
    const struct place *up; /* NULL: the object itself */
    struct path_element at;
};
struct problems {
    struct arena *arena;
    struct buffer all;
    size_t n;
    bool allows_repeats;
};

static void print_place(struct buffer *b, const struct place *at)
{
    if (!at)
        return;
    print_place(b, at->up);
    path_element_print(b, &at->at);
}

static void problem(struct problems *p, const struct place *at, const char *what)
{
    if (p->n++)
        buffer_add_str(&p->all, "\n  ");
    print_place(&p->all, at);
    if (at)
        buffer_add_str(&p->all, ": ");
    buffer_add_str(&p->all, what);
}

const char *typed_printed(struct arena *a, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    json_write(&b, v);
    return b.n > 200 ? arena_printf(a, "%.*s...", 200, b.p) : buffer_str(&b);
}

static void not_a(struct problems *p, const struct place *at, const char *wanted, const struct value *v)
{
    problem(p, at, arena_printf(p->arena, "expected %s, got %s", wanted, typed_printed(p->arena, v)));
}

static void check(struct problems *p, const struct place *at, struct typed t, const struct value *v);

static void check_member(struct problems *p, const struct place *at, const struct shape *s, const struct value_member *m)
{
    const struct place inner = {at, {.kind = PATH_FIELD, .name = member_key(m)}};
    struct typed t;
    bool is_named;

    if (shape_of_member(s, m, &t, &is_named))
        check(p, &inner, t, &m->value);
    else
        problem(p, &inner, "field not declared in schema");
}

static void check_items(struct problems *p, const struct place *at, const struct shape *s, const struct value *list)
{
    struct items items;

    items_of(p->arena, s, list, &items);
    if (items.problem) {
        problem(p, at, items.problem);
        return;
    }
    for (size_t i = 0; i < items.n; i++) {
        const struct place inner = {at, items.in_order[i].at};
        const struct item *first = p->allows_repeats || !items.has_repeats ? NULL : items_find(&items, &inner.at);
        if (first && first->repeats > 1 && first->index != i) {
            struct buffer printed = BUFFER_IN(p->arena);
            path_element_print(&printed, &inner.at);
            problem(p, at, arena_printf(p->arena, "duplicate entries for key %s", buffer_str(&printed)));
        }
        check(p, &inner, s->item, items.in_order[i].value);
    }
}

static void check_scalar(struct problems *p, const struct place *at, const struct schema_type *type, const struct value *v)
{
    static const char *const go_names[] = {
        [VALUE_BOOL] = "bool", [VALUE_STRING] = "string", [VALUE_RAW] = "map[string]interface {}", [VALUE_LIST] = "[]interface {}",
        [VALUE_OBJECT] = "map[string]interface {}"};

    switch (type->kind) {
    case TYPE_INT32:
    case TYPE_INT64:
    case TYPE_FLOAT64:
        if (v->kind != VALUE_INT && v->kind != VALUE_FLOAT)
            problem(p, at, arena_printf(p->arena, "expected numeric (int or float), got %s", go_names[v->kind]));
        break;
    case TYPE_BOOL:
        if (v->kind != VALUE_BOOL)
            not_a(p, at, "boolean", v);
        break;
    case TYPE_STRING:
    case TYPE_BYTES:
    case TYPE_DURATION:
        if (v->kind != VALUE_STRING)
            not_a(p, at, "string", v);
        break;
    default: /* quantities, times, ports by number or name: any scalar */
        if (v->kind == VALUE_LIST || v->kind == VALUE_OBJECT)
            not_a(p, at, "any scalar", v);
    }
}

/* Lists and maps that are atomic are checked all the same. */
static void check_atomic(struct problems *p, const struct place *at, struct typed t, const struct value *v)
{
    const struct shape map = {.kind = SHAPE_MAP,
                              .schema = t.type->kind == TYPE_STRUCT ? t.type->schema : NULL,
                              .item = {.type = t.type->elem}};

    if (t.type->kind == TYPE_RAW_EXTENSION)
        return;
    if (t.type->kind == TYPE_STRUCT || t.type->kind == TYPE_MAP) {
        if (v->kind != VALUE_OBJECT)
            not_a(p, at, "map", v);
        for (size_t i = 0; v->kind == VALUE_OBJECT && i < v->n; i++)
            check_member(p, at, &map, &v->members[i]);
        return;
    }
    if (v->kind != VALUE_LIST)
        not_a(p, at, "list", v);
    for (size_t i = 0; v->kind == VALUE_LIST && i < v->n && t.type->elem; i++) {
        const struct place inner = {at, {.kind = PATH_INDEX, .index = (int64_t)i}};
        check(p, &inner, (struct typed){.type = t.type->elem}, &v->items[i]);
    }
}

static bool may_be_anything(struct typed t)
{
    return t.is_untyped || t.type->kind == TYPE_ANY || t.type->kind == TYPE_UNKNOWN || t.type->kind == TYPE_FIELDS_V1 ||
           (t.type->kind == TYPE_STRUCT && t.type->schema->form != JSON_FORM_OBJECT);
}

static void check(struct problems *p, const struct place *at, struct typed t, const struct value *v)
{
    struct shape s = shape_of(t, v);

    if (v->kind == VALUE_NULL || t.is_untyped)
        return;
    if (s.kind == SHAPE_LIST) {
        if (v->kind == VALUE_LIST)
            check_items(p, at, &s, v);
        else
            not_a(p, at, "list", v);
    } else if (s.kind == SHAPE_MAP) {
        if (v->kind != VALUE_OBJECT)
            not_a(p, at, "map", v);
        for (size_t i = 0; v->kind == VALUE_OBJECT && i < v->n; i++)
            check_member(p, at, &s, &v->members[i]);
    } else if (s.is_scalar && !may_be_anything(t)) {
        check_scalar(p, at, t.type, v);
    } else if (!may_be_anything(t)) {
        check_atomic(p, at, t, v);
    }
}

struct text typed_problem(struct arena *a, struct typed t, const struct value *v, bool allows_repeats)
{
    struct problems p = {.arena = a, .all = BUFFER_IN(a), .allows_repeats = allows_repeats};

    check(&p, NULL, t, v);
    if (p.n > 1)
        return arena_textf(a, "errors:\n  %.*s", TEXT_ARG(buffer_text(&p.all)));
    return p.n ? buffer_text(&p.all) : TEXT("");
}

/* --- the fields that it sets --- */

/* What lies below v; *ret_is_member: v is one field itself. */
static const struct field_set *fields_of(struct arena *a, struct typed t, const struct value *v, bool *ret_is_member);

static const struct field_set *fields_of_items(struct arena *a, const struct shape *s, const struct value *list)
{
    struct field_set_builder b = {.arena = a};
    struct items items;
    bool unused;

    items_of(a, s, list, &items);
    for (size_t i = 0; i < items.n; i++) {
        const struct item *it = &items.sorted[i];
        if (it->repeats > 1) /* repeated items are owned together, as one thing */
            field_set_add(&b, it->at, NULL, true);
        else if (it->repeats == 1)
            field_set_add(&b, it->at, fields_of(a, s->item, it->value, &unused), true);
    }
    return field_set_built(&b);
}

static const struct field_set *fields_of_members(struct arena *a, const struct shape *s, const struct value *object)
{
    struct field_set_builder b = {.arena = a};

    for (size_t i = 0; i < object->n; i++) {
        const struct value_member *m = &object->members[i];
        const struct field_set *below;
        bool is_named, is_member;
        struct typed t;
        if (!shape_of_member(s, m, &t, &is_named))
            continue;
        below = fields_of(a, t, &m->value, &is_member);
        is_member |= m->value.kind == VALUE_NULL || (m->value.kind == VALUE_OBJECT && m->value.n == 0) || !is_named;
        field_set_add(&b, (struct path_element){.kind = PATH_FIELD, .name = member_key(m)}, below, is_member);
    }
    return field_set_built(&b);
}

static const struct field_set *fields_of(struct arena *a, struct typed t, const struct value *v, bool *ret_is_member)
{
    struct shape s = shape_of(t, v);

    *ret_is_member = s.kind == SHAPE_LEAF;
    if (s.kind == SHAPE_LIST && v->kind == VALUE_LIST)
        return fields_of_items(a, &s, v);
    if (s.kind == SHAPE_MAP && v->kind == VALUE_OBJECT)
        return fields_of_members(a, &s, v);
    return NULL;
}

const struct field_set *typed_fields(struct arena *a, struct typed t, const struct value *v)
{
    bool unused;

    return fields_of(a, t, v, &unused);
}

/* --- sets and types --- */

/* The type of what an element leads to; false: none that is known. */
static bool step(const struct shape *s, const struct path_element *at, struct typed *ret, bool *ret_is_named)
{
    *ret_is_named = false;
    if (s->kind == SHAPE_MAP && at->kind == PATH_FIELD)
        return shape_member(s, at->name, ret, ret_is_named);
    *ret = s->item;
    return s->kind == SHAPE_LIST;
}

static const struct value any_object = {.kind = VALUE_OBJECT};

const struct field_set *typed_name_fields(struct arena *a, struct typed t, const struct field_set *s)
{
    struct shape shape = shape_of(t, &any_object);
    struct field_set_builder b = {.arena = a};

    for (size_t i = 0; s && i < s->n; i++) {
        const struct field_node *n = &s->nodes[i];
        bool is_named = false, is_known;
        struct typed inner;
        is_known = step(&shape, &n->at, &inner, &is_named);
        field_set_add(&b, n->at, is_known && n->below ? typed_name_fields(a, inner, n->below) : n->below,
                      n->is_member || (n->below && is_named));
    }
    return field_set_built(&b);
}

static bool is_atomic_now(struct typed t, const struct shape *s)
{
    return s->kind == SHAPE_LEAF && !s->is_scalar && !t.is_untyped;
}

const struct field_set *typed_reconcile(struct arena *a, struct typed t, const struct field_set *s)
{
    struct shape shape = shape_of(t, &any_object);
    struct field_set_builder b = {.arena = a};
    bool is_changed = false;

    for (size_t i = 0; s && i < s->n; i++) {
        const struct field_node *n = &s->nodes[i];
        const struct field_set *below = n->below;
        bool is_named, is_member = n->is_member;
        struct typed inner;
        if (below && step(&shape, &n->at, &inner, &is_named)) {
            struct shape of_inner = shape_of(inner, &any_object);
            if (is_atomic_now(inner, &of_inner)) {
                below = NULL;
                is_member = true;
            } else {
                below = typed_reconcile(a, inner, below);
            }
        }
        is_changed |= below != n->below;
        field_set_add(&b, n->at, below, is_member);
    }
    return is_changed ? field_set_built(&b) : s;
}
