/* SPDX-License-Identifier: Apache-2.0 */
/* FieldsV1: the set as JSON objects in each other. A name "f:spec", "k:{\"name\":\"web\"}", "v:\"x\"" or "i:0" is a path element; what
 * has something below it and is a member too says so by a member ".".
 * Source: structured-merge-diff fieldpath/serialize.go, serialize-pe.go. */
#include <stdlib.h>

#include "patch/field_set.h"

#define DEPTH_MAX 500 /* no object that can be stored is deeper; the walk is recursive */

/* --- reading --- */

static int by_name(const void *x, const void *y)
{
    return text_cmp(((const struct path_key *)x)->name, ((const struct path_key *)y)->name);
}

static int read_keys(struct arena *a, struct text json, struct path_element *ret, struct status *st)
{
    const struct json_options opt = {.depth_max = 16};
    struct path_key *keys;
    struct value object;

    if (json_read(a, json, &opt, &object, st) < 0)
        return -1;
    if (object.kind != VALUE_OBJECT)
        return status_set(st, STATUS_BAD_REQUEST, "k: is no object");
    keys = ARENA_ARRAY(a, struct path_key, object.n);
    for (size_t i = 0; i < object.n; i++)
        keys[i] = (struct path_key){member_key(&object.members[i]), object.members[i].value};
    qsort(keys, object.n, sizeof(*keys), by_name);
    *ret = (struct path_element){.kind = PATH_KEY, .n_keys = object.n, .keys = keys};
    return 0;
}

/* 1: of a kind that is not known here. */
static int read_element(struct arena *a, struct text name, struct path_element *ret, struct status *st)
{
    const struct json_options opt = {.depth_max = 16};
    struct text rest = text_from(name, 2);

    if (name.n < 2 || name.p[1] != ':')
        return status_set(st, STATUS_BAD_REQUEST, "not a path element: %.*s", TEXT_ARG(text_first(name, 100)));
    switch (name.p[0]) {
    case 'f':
        *ret = (struct path_element){.kind = PATH_FIELD, .name = rest};
        return 0;
    case 'k':
        return read_keys(a, rest, ret, st);
    case 'v':
        *ret = (struct path_element){.kind = PATH_VALUE};
        return json_read(a, rest, &opt, &ret->value, st);
    case 'i':
        *ret = (struct path_element){.kind = PATH_INDEX};
        return text_to_i64(rest, &ret->index)
                   ? 0
                   : status_set(st, STATUS_BAD_REQUEST, "not an index: %.*s", TEXT_ARG(text_first(name, 100)));
    default:
        return 1;
    }
}

/* A hostile client may name an element twice, in other words ("k:{\"a\":1}" with a space): they are united. */
static const struct field_set *without_repeats(struct arena *a, const struct field_set *s)
{
    struct field_set_builder b = {.arena = a};

    for (size_t i = 0; s && i < s->n; i++) {
        const struct field_node *n = &s->nodes[i];
        struct field_node *last = b.n ? &b.nodes[b.n - 1] : NULL;
        if (last && path_element_cmp(&last->at, &n->at) == 0) {
            last->below = field_set_union(a, last->below, n->below);
            last->is_member |= n->is_member;
        } else {
            field_set_add(&b, n->at, n->below, n->is_member);
        }
    }
    return s && b.n < s->n ? field_set_built(&b) : s;
}

static int read_below(struct arena *a, const struct value *v, unsigned depth, const struct field_set **ret,
                      bool *ret_is_member, struct status *st)
{
    struct field_set_builder b = {.arena = a};

    if (v->kind != VALUE_OBJECT && v->kind != VALUE_NULL)
        return status_set(st, STATUS_BAD_REQUEST, "fields must be objects in each other");
    if (depth > DEPTH_MAX)
        return status_set(st, STATUS_BAD_REQUEST, "fields are too deep");
    *ret_is_member = false;
    for (size_t i = 0; v->kind == VALUE_OBJECT && i < v->n; i++) {
        const struct value_member *m = &v->members[i];
        const struct field_set *below;
        struct path_element at;
        bool is_member;
        if (text_is(member_key(m), ".")) {
            *ret_is_member = true;
            continue;
        }
        int rc = read_element(a, member_key(m), &at, st);
        if (rc < 0)
            return -1;
        if (rc > 0)
            continue;
        if (read_below(a, &m->value, depth + 1, &below, &is_member, st) < 0)
            return -1;
        field_set_add(&b, at, below, is_member);
    }
    *ret = without_repeats(a, field_set_built(&b));
    if (!*ret)
        *ret_is_member = true;
    return 0;
}

int field_set_read(struct arena *a, const struct value *fields, const struct field_set **ret, struct status *st)
{
    bool is_member;

    if (!fields) {
        *ret = NULL;
        return 0;
    }
    return read_below(a, fields, 0, ret, &is_member, st);
}

/* --- writing --- */

static struct text field_name(struct arena *a, struct text name)
{
    char *p = arena_alloc(a, name.n + 2);

    p[0] = 'f';
    p[1] = ':';
    if (name.n)
        memcpy(p + 2, name.p, name.n);
    return (struct text){p, name.n + 2};
}

static struct text element_name(struct arena *a, const struct path_element *e)
{
    struct buffer b = BUFFER_IN(a);

    switch (e->kind) {
    case PATH_FIELD:
        return field_name(a, e->name);
    case PATH_KEY:
        buffer_add_str(&b, "k:{");
        for (size_t i = 0; i < e->n_keys; i++) {
            if (i)
                buffer_add_char(&b, ',');
            json_write_string(&b, e->keys[i].name);
            buffer_add_char(&b, ':');
            json_write(&b, &e->keys[i].value);
        }
        buffer_add_char(&b, '}');
        break;
    case PATH_VALUE:
        buffer_add_str(&b, "v:");
        json_write(&b, &e->value);
        break;
    default:
        buffer_addf(&b, "i:%lld", (long long)e->index);
    }
    return buffer_text(&b);
}

static struct value_member member_of(struct text name, struct value v)
{
    return (struct value_member){.key = name.p, .key_n = (uint32_t)name.n, .value = v};
}

static struct value write_below(struct arena *a, const struct field_set *s, bool is_member)
{
    struct value object = value_object();

    if (!s)
        return object;
    object.is_exact = true;
    object.members = arena_alloc(a, (s->n + is_member) * sizeof(*object.members));
    if (is_member)
        object.members[object.n++] = member_of(TEXT("."), value_object());
    for (size_t i = 0; i < s->n; i++)
        object.members[object.n++] = member_of(element_name(a, &s->nodes[i].at),
                                               write_below(a, s->nodes[i].below, s->nodes[i].is_member));
    return object;
}

struct value field_set_write(struct arena *a, const struct field_set *s)
{
    return write_below(a, s, false);
}
