/* SPDX-License-Identifier: Apache-2.0 */
/* FieldsV1: the set as JSON objects in each other, read from the text and written as one: most sets that a request meets are read
 * and never written, and a tree between the two would cost more than both. A name "f:spec", "k:{\"name\":\"web\"}", "v:\"x\"" or "i:0" is a path element; what
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

struct reader {
    struct arena *arena;
    struct status *st;
    const char *p, *end;
    unsigned depth;
    VEC(struct field_node) nodes; /* of the open objects, innermost last */
};

static int fail(struct reader *r, const char *what)
{
    return status_set(r->st, STATUS_BAD_REQUEST, "%s", what);
}

static inline char next_char(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
    return r->p < r->end ? *r->p : '\0';
}

static inline bool take_char(struct reader *r, char c)
{
    if (next_char(r) != c)
        return false;
    r->p++;
    return true;
}

static const char *end_of_string(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    return p < end ? p : NULL;
}

/* A member's name; those with escapes, as of list items, are read as the JSON that they are. */
static int read_name(struct reader *r, struct text *ret)
{
    struct value name;

    if (!take_char(r, '"'))
        return fail(r, "fields must be objects in each other");
    const char *from = r->p, *quote = memchr(from, '"', (size_t)(r->end - from));
    bool has_escapes = quote && memchr(from, '\\', (size_t)(quote - from));
    if (has_escapes)
        quote = end_of_string(from, r->end);
    r->p = quote ? quote + 1 : r->end;
    if (!take_char(r, ':'))
        return fail(r, "fields must be objects in each other");
    *ret = (struct text){from, (size_t)(quote - from)};
    if (!has_escapes)
        return 0;
    if (json_read(r->arena, (struct text){from - 1, ret->n + 2}, NULL, &name, r->st) < 0)
        return -1;
    *ret = value_text(&name);
    return 0;
}

static int read_below(struct reader *r, const struct field_set **ret, bool *ret_is_member);

static int read_member(struct reader *r, bool *ret_is_self)
{
    struct field_node node;
    struct text name;

    if (read_name(r, &name) < 0)
        return -1;
    *ret_is_self = text_is(name, ".");
    int rc = *ret_is_self ? 1 : read_element(r->arena, name, &node.at, r->st);
    if (rc < 0)
        return -1;
    if (rc > 0) { /* whatever it says */
        const char *end = json_skip_value(r->p, r->end);
        r->p = end ? end : r->end;
        return 0;
    }
    if (read_below(r, &node.below, &node.is_member) < 0)
        return -1;
    vec_push(&r->nodes, node);
    return 0;
}

/* What the object holds becomes a set of its own. */
static const struct field_set *take_nodes(struct reader *r, size_t first)
{
    struct field_set_builder b = {.arena = r->arena, .n = r->nodes.n - first, .cap = r->nodes.n - first};

    r->nodes.n = first;
    if (!b.n)
        return NULL;
    b.nodes = memcpy(arena_alloc(r->arena, b.n * sizeof(*b.nodes)), r->nodes.p + first, b.n * sizeof(*b.nodes));
    return field_set_built(&b);
}

static int read_below(struct reader *r, const struct field_set **ret, bool *ret_is_member)
{
    size_t first = r->nodes.n;
    bool is_self = false, has_self = false;

    *ret = NULL;
    *ret_is_member = true;
    if (LIKELY(r->end - r->p >= 2 && memcmp(r->p, "{}", 2) == 0)) { /* most are */
        r->p += 2;
        return 0;
    }
    if (next_char(r) == 'n' && r->end - r->p >= 4 && memcmp(r->p, "null", 4) == 0) {
        r->p += 4;
        return 0;
    }
    if (!take_char(r, '{'))
        return fail(r, "fields must be objects in each other");
    if (r->depth == DEPTH_MAX)
        return fail(r, "fields are too deep");
    r->depth++;
    while (next_char(r) != '}') {
        if (read_member(r, &is_self) < 0)
            return -1;
        has_self |= is_self;
        if (!take_char(r, ',') && next_char(r) != '}')
            return fail(r, "fields must be objects in each other");
    }
    r->p++;
    r->depth--;
    *ret = take_nodes(r, first);
    *ret_is_member = has_self || !*ret;
    return 0;
}

int field_set_read(struct arena *a, struct text fields, const struct field_set **ret, struct status *st)
{
    struct reader r = {.arena = a, .st = st, .p = fields.p, .end = fields.p + fields.n};
    bool is_member;
    int rc;

    *ret = NULL;
    rc = fields.n ? read_below(&r, ret, &is_member) : 0;
    if (rc == 0 && next_char(&r))
        rc = fail(&r, "fields must be objects in each other");
    vec_deinit(&r.nodes);
    return rc;
}

/* --- writing --- */

static void add_field(struct buffer *b, struct text name)
{
    size_t at = b->n;

    buffer_room(b, 2);
    b->n += 2;
    json_write_string(b, name);
    memcpy(b->p + at, "\"f:", 3); /* over the opening quote */
}

/* Of a list's item. */
static void add_item(struct buffer *b, const struct path_element *e)
{
    switch (e->kind) {
    case PATH_KEY:
        buffer_add(b, TEXT("k:{"));
        for (size_t i = 0; i < e->n_keys; i++) {
            if (i)
                buffer_add_char(b, ',');
            json_write_string(b, e->keys[i].name);
            buffer_add_char(b, ':');
            json_write(b, &e->keys[i].value);
        }
        buffer_add_char(b, '}');
        break;
    case PATH_VALUE:
        buffer_add(b, TEXT("v:"));
        json_write(b, &e->value);
        break;
    default:
        buffer_addf(b, "i:%lld", (long long)e->index);
    }
}

/* name: room for one. */
static void write_below(struct buffer *b, struct buffer *name, const struct field_set *s, bool is_member)
{
    if (!s) {
        buffer_add(b, TEXT("{}"));
        return;
    }
    buffer_add(b, is_member ? TEXT("{\".\":{}") : TEXT("{"));
    for (size_t i = 0; i < s->n; i++) {
        const struct field_node *n = &s->nodes[i];
        if (i || is_member)
            buffer_add_char(b, ',');
        if (n->at.kind == PATH_FIELD) {
            add_field(b, n->at.name);
        } else {
            buffer_clear(name);
            add_item(name, &n->at);
            json_write_string(b, buffer_text(name));
        }
        buffer_add_char(b, ':');
        write_below(b, name, n->below, n->is_member);
    }
    buffer_add_char(b, '}');
}

struct text field_set_write(struct arena *a, const struct field_set *s)
{
    struct buffer b = BUFFER_IN(a), name = BUFFER_IN(a);

    buffer_room(&name, 256);
    buffer_room(&b, 1024);
    write_below(&b, &name, s, false);
    return buffer_text(&b);
}
