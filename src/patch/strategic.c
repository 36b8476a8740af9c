/* SPDX-License-Identifier: Apache-2.0 */
/* Strategic merge patch. An object of the patch is merged in four steps: a $patch directive decides about the
 * whole object; $retainKeys clears what is not named; each $setElementOrder/x orders the list x, merged with
 * the patch's x if it has one; then the remaining members are merged, by kind. How a list merges is the
 * field's patch strategy: replaced as a whole, or united, by value for scalars and by merge key for objects.
 */
#include "base/memory.h"
#include "items.h"
#include "members.h"

#define DEPTH_MAX 512 /* far more than any type that merges by name nests */

#define DIRECTIVE TEXT("$patch")
#define RETAIN_KEYS TEXT("$retainKeys")
#define DELETE_FROM TEXT("$deleteFromPrimitiveList")
#define SET_ORDER TEXT("$setElementOrder")

/* Where in the types an object lies: schema is NULL when its members are no struct's fields, and go_kind what
 * Go calls it. */
struct place {
    const struct schema *schema;
    const char *go_kind;
};

struct field_merge {
    struct place elem; /* the field's own place, or that of a list's items */
    bool is_merge, is_replace;
    struct text key; /* merge key; empty: none */
};

/* --- errors and types --- */

static int fail_bad_format(struct merge *m, const char *of)
{
    return status_set(m->st, STATUS_BAD_REQUEST, "invalid patch format of %s", of);
}

static struct place place_of(const struct schema_type *t)
{
    static const char *const names[] = {
        [TYPE_STRING] = "string",   [TYPE_INT32] = "int32", [TYPE_INT64] = "int64", [TYPE_BOOL] = "bool",
        [TYPE_FLOAT64] = "float64", [TYPE_BYTES] = "slice", [TYPE_LIST] = "slice",  [TYPE_MAP] = "map",
    };

    if (t->kind == TYPE_STRUCT)
        return (struct place){.schema = t->schema, .go_kind = "struct"};
    return (struct place){.go_kind =
                              t->kind < N_ELEMENTS(names) && names[t->kind] ? names[t->kind] : "struct"};
}

static int find_field(struct merge *m, struct place at, struct text name, bool is_list,
                      struct field_merge *ret)
{
    if (!at.schema)
        return merge_fail(m, "merging an object in json but data type is not struct, instead is: %s",
                          at.go_kind);
    const struct schema_field *f = schema_field_of(at.schema, name);
    if (!f)
        return merge_fail(m, "unable to find api field in struct %.*s for the json field \"%.*s\"",
                          TEXT_ARG(at.schema->name), TEXT_ARG(name));
    const struct schema_type *t = &f->type;
    if (is_list) {
        if (t->kind != TYPE_LIST)
            return merge_fail(m, "expected slice or array type, but got: %s", at.go_kind);
        t = t->elem;
    }
    *ret = (struct field_merge){.elem = place_of(t),
                                .is_merge = f->flags & FIELD_PATCH_MERGE,
                                .is_replace = f->flags & FIELD_PATCH_REPLACE,
                                .key = f->patch_key};
    return 0;
}

/* --- what is taken as it is --- */

static void drop_null_members(struct value *v)
{
    VEC(struct value *) todo = {0};

    vec_push(&todo, v);
    while (todo.n) {
        struct value *at = todo.p[--todo.n];
        size_t n = 0;
        for (size_t i = 0; at->kind == VALUE_OBJECT && i < at->n; i++) {
            if (at->members[i].value.kind != VALUE_NULL)
                at->members[n++] = at->members[i];
        }
        if (at->kind == VALUE_OBJECT)
            at->n = (uint32_t)n;
        for (size_t i = 0; at->kind >= VALUE_LIST && i < at->n; i++)
            vec_push(&todo, at->kind == VALUE_OBJECT ? &at->members[i].value : &at->items[i]);
    }
    vec_deinit(&todo);
}

static bool is_directive(const struct value *v)
{
    return value_get(v, DIRECTIVE) != NULL;
}

/* Objects with a $patch directive make no sense where there was nothing: they go, at any depth. v itself is
 * none. */
static void drop_directives(struct value *v)
{
    VEC(struct value *) todo = {0};

    vec_push(&todo, v);
    while (todo.n) {
        struct value *at = todo.p[--todo.n];
        size_t n = 0;
        if (at->kind < VALUE_LIST)
            continue;
        for (size_t i = 0; i < at->n; i++) {
            if (at->kind == VALUE_OBJECT && !is_directive(&at->members[i].value))
                at->members[n++] = at->members[i];
            else if (at->kind == VALUE_LIST && !is_directive(&at->items[i]))
                at->items[n++] = at->items[i];
        }
        at->n = (uint32_t)n;
        for (size_t i = 0; i < at->n; i++)
            vec_push(&todo, at->kind == VALUE_OBJECT ? &at->members[i].value : &at->items[i]);
    }
    vec_deinit(&todo);
}

/* The member becomes the patch's value. */
static void take(struct members *doc, struct text key, struct value *v)
{
    drop_null_members(v);
    if (is_directive(v)) {
        members_remove(doc, key);
        return;
    }
    drop_directives(v);
    members_set(doc, key, *v);
}

/* --- lists --- */

static int merge_object(struct merge *m, struct value *doc, struct value *patch, struct place at);

/* All items of both lists are of one kind, and no lists. */
static int item_kind(struct merge *m, const struct value *x, const struct value *y, enum value_kind *ret)
{
    const struct value *first = x->n ? &x->items[0] : y->n ? &y->items[0] : NULL;

    if (!first)
        return merge_fail(m, "no elements in any of the given slices");
    if (first->kind == VALUE_LIST) {
        status_set(m->st, STATUS_INVALID,
                   "the server rejected our request due to an error in our request: "
                   "lists of lists are not supported");
        m->st->has_details = true;
        return -1;
    }
    for (size_t i = 0; i < (size_t)x->n + y->n; i++) {
        const struct value *item = i < x->n ? &x->items[i] : &y->items[i - x->n];
        if (item->kind != first->kind || item->kind == VALUE_NULL)
            return merge_fail(m, "list element types are not identical: [%s %s]", merge_printed(m, x),
                              merge_printed(m, y));
    }
    *ret = first->kind;
    return 0;
}

static void delete_scalars(struct merge *m, struct value *list, const struct value *gone)
{
    struct positions p;
    size_t n = 0;

    positions_of(&p, m->a, gone, TEXT_NONE);
    for (size_t i = 0; i < list->n; i++) {
        if (positions_get(&p, m->a, &list->items[i], TEXT_NONE) == NOWHERE)
            list->items[n++] = list->items[i];
    }
    list->n = (uint32_t)n;
    positions_deinit(&p);
}

static struct value unite_scalars(struct merge *m, const struct value *old, const struct value *patch)
{
    struct value merged = value_list();
    struct positions seen = {0};

    for (size_t i = 0; i < (size_t)old->n + patch->n; i++) {
        const struct value *item = i < old->n ? &old->items[i] : &patch->items[i - old->n];
        if (positions_get(&seen, m->a, item, TEXT_NONE) != NOWHERE)
            continue;
        positions_put(&seen, m->a, item, TEXT_NONE, merged.n);
        value_append(m->a, &merged, *item);
    }
    positions_deinit(&seen);
    return merged;
}

/* Takes $patch items out of the patch: delete removes from old, replace (anywhere) makes the rest of the
 * patch the list. */
static int run_list_directives(struct merge *m, struct value *old, struct value *patch, struct text key)
{
    struct value gone = value_list();
    bool is_replaced = false;
    size_t n = 0;

    for (size_t i = 0; i < patch->n; i++) {
        struct value *item = &patch->items[i];
        const struct value *directive = value_get(item, DIRECTIVE);
        if (!directive) {
            patch->items[n++] = *item;
        } else if (text_eq(value_text(directive), TEXT("delete"))) {
            if (!value_get(item, key))
                return merge_fail_no_key(m, item, key);
            value_append(m->a, &gone, *item);
        } else if (text_eq(value_text(directive), TEXT("replace"))) {
            is_replaced = true;
        } else if (text_eq(value_text(directive), TEXT("merge"))) {
            return merge_fail(m, "merging lists cannot yet be specified in the patch");
        } else {
            return merge_fail(m, "unknown patch type: %s in map: %s", merge_printed(m, directive),
                              merge_printed(m, item));
        }
    }
    patch->n = (uint32_t)n;
    if (is_replaced) {
        *old = *patch;
        *patch = value_list();
        return 0;
    }
    struct positions p;
    positions_of(&p, m->a, &gone, key);
    n = 0;
    for (size_t i = 0; i < old->n; i++) {
        if (positions_get(&p, m->a, &old->items[i], key) == NOWHERE)
            old->items[n++] = old->items[i];
    }
    old->n = (uint32_t)n;
    positions_deinit(&p);
    return 0;
}

static int unite_objects(struct merge *m, const struct value *old, struct value *patch,
                         const struct field_merge *f, struct value *ret)
{
    struct positions p;
    int result = 0;

    *ret = value_copy(m->a, old);
    positions_of(&p, m->a, ret, f->key);
    for (size_t i = 0; i < patch->n && result == 0; i++) {
        struct value *item = &patch->items[i];
        if (!value_get(item, f->key)) {
            result = merge_fail_no_key(m, item, f->key);
            break;
        }
        size_t at = positions_get(&p, m->a, item, f->key);
        if (at != NOWHERE) {
            result = merge_object(m, &ret->items[at], item, f->elem);
        } else {
            positions_put(&p, m->a, item, f->key, ret->n);
            value_append(m->a, ret, *item);
        }
    }
    positions_deinit(&p);
    return result;
}

/* A field with the strategy merge. old becomes the result; patch is used up. */
static int merge_list(struct merge *m, struct value *old, struct value *patch, const struct field_merge *f)
{
    struct value merged, ordered;
    enum value_kind kind = VALUE_NULL;

    if (!old->n && !patch->n)
        return 0;
    if (item_kind(m, old, patch, &kind) < 0)
        return -1;
    if (kind != VALUE_OBJECT) {
        merged = unite_scalars(m, old, patch);
    } else {
        if (!f->key.n)
            return merge_fail(m, "cannot merge lists without merge key for %s", f->elem.go_kind);
        if (run_list_directives(m, old, patch, f->key) < 0 || unite_objects(m, old, patch, f, &merged) < 0)
            return -1;
    }
    /* Merging may have used up an item's directives but not its key. */
    if (items_order(m, &merged, patch, old, kind == VALUE_OBJECT ? f->key : TEXT_NONE, &ordered) < 0)
        return -1;
    *old = ordered;
    return 0;
}

/* --- $setElementOrder --- */

/* "$prefix/name" -> name. */
static bool directive_field(struct text key, struct text prefix, struct text *ret)
{
    if (!text_starts(key, prefix) || key.n <= prefix.n || key.p[prefix.n] != '/')
        return false;
    *ret = text_from(key, prefix.n + 1);
    return true;
}

static bool same_item(struct merge *m, const struct value *x, const struct value *y, struct text key)
{
    struct text a = item_identity(m->a, x, key), b = item_identity(m->a, y, key);

    return a.n && text_eq(a, b);
}

/* The patch's items must stand in the order's order, and all be in it; deletions do not count. */
static int check_order(struct merge *m, const struct value *patch, const struct value *order, struct text key)
{
    size_t i = 0, k = 0;

    if (!patch->n || !order->n)
        return 0;
    if (key.n && (items_check_keys(m, order, key) < 0))
        return -1;
    while (i < patch->n) {
        const struct value *item = &patch->items[i];
        if (key.n && item->kind != VALUE_OBJECT)
            return merge_fail_type(m, VALUE_OBJECT, item);
        if (is_directive(item)) {
            i++;
            continue;
        }
        if (key.n && !value_get(item, key))
            return merge_fail_no_key(m, item, key);
        if (k == order->n)
            return merge_fail(m, "The order in patch list:\n%s\n doesn't match $setElementOrder list:\n%s\n",
                              merge_printed(m, patch), merge_printed(m, order));
        i += same_item(m, item, &order->items[k++], key);
    }
    return 0;
}

static int set_order(struct merge *m, struct value *doc, struct value *patch, struct text name,
                     const struct value *order, struct place at)
{
    struct value *old = value_get(doc, name), *changes = value_get(patch, name);
    struct value none = value_list(), before, merged, ordered;
    struct field_merge f = {0};
    enum value_kind kind = VALUE_NULL;

    if (order->kind != VALUE_LIST)
        return merge_fail_type(m, VALUE_LIST, order);
    if (old && old->kind != VALUE_LIST)
        return merge_fail_type(m, VALUE_LIST, old);
    if (changes && changes->kind != VALUE_LIST)
        return merge_fail_type(m, VALUE_LIST, changes);
    if (find_field(m, at, name, true, &f) < 0 || check_order(m, changes ? changes : &none, order, f.key) < 0)
        return -1;
    if (!old && !changes)
        return 0;
    before = old ? *old : none;
    if (item_kind(m, &before, changes ? changes : &none, &kind) < 0)
        return -1;
    if (!changes) {
        merged = before;
    } else if (!old) {
        drop_directives(changes);
        merged = *changes;
    } else {
        merged = before;
        before = value_copy(m->a, old);
        if (!f.is_merge)
            merged = *changes;
        else if (merge_list(m, &merged, changes, &f) < 0)
            return -1;
    }
    if (items_order(m, &merged, order, &before, kind == VALUE_OBJECT ? f.key : TEXT_NONE, &ordered) < 0)
        return -1;
    value_set(m->a, doc, name, ordered);
    value_remove(patch, name);
    return 0;
}

static int run_set_orders(struct merge *m, struct value *doc, struct value *patch, struct place at)
{
    for (size_t i = 0; i < patch->n;) {
        struct text key = member_key(&patch->members[i]), name;
        if (!text_starts(key, SET_ORDER)) {
            i++;
            continue;
        }
        if (!directive_field(key, SET_ORDER, &name))
            return fail_bad_format(m, "setElementOrder list");
        struct value order = patch->members[i].value;
        value_remove(patch, key);
        if (set_order(m, doc, patch, name, &order, at) < 0)
            return -1;
        i = 0; /* the list itself was taken out, perhaps before this place */
    }
    return 0;
}

/* --- objects --- */

static int run_retain_keys(struct merge *m, struct value *doc, struct value *patch)
{
    const struct value *found = value_get(patch, RETAIN_KEYS);

    if (!found)
        return 0;
    struct value keys = *found;
    value_remove(patch, RETAIN_KEYS);
    if (keys.kind != VALUE_LIST)
        return fail_bad_format(m, "retainKeys");
    struct positions p;
    positions_of(&p, m->a, &keys, TEXT_NONE);
    bool is_good = true;
    for (size_t i = 0; i < patch->n; i++) {
        struct text key = member_key(&patch->members[i]);
        struct value as_item = value_string(key);
        is_good &= patch->members[i].value.kind == VALUE_NULL || text_starts(key, DELETE_FROM) ||
                   text_starts(key, SET_ORDER) || positions_get(&p, m->a, &as_item, TEXT_NONE) != NOWHERE;
    }
    size_t n = 0;
    for (size_t i = 0; is_good && i < doc->n; i++) {
        struct value as_item = value_string(member_key(&doc->members[i]));
        if (positions_get(&p, m->a, &as_item, TEXT_NONE) != NOWHERE)
            doc->members[n++] = doc->members[i];
    }
    positions_deinit(&p);
    if (!is_good)
        return fail_bad_format(m, "retainKeys");
    doc->n = (uint32_t)n;
    return 0;
}

static int merge_member(struct merge *m, struct members *doc, struct value_member *change, struct place at)
{
    struct text key = member_key(change);
    bool is_deletion = text_starts(key, DELETE_FROM);
    struct value *v = &change->value;
    struct field_merge f = {0};

    if (is_deletion && !directive_field(key, DELETE_FROM, &key))
        return fail_bad_format(m, "primitive list");
    if (v->kind == VALUE_NULL) {
        members_remove(doc, key);
        return 0;
    }
    struct value *old = members_get(doc, key);
    if (!old || old->kind != v->kind || old->kind < VALUE_LIST) {
        if (!is_deletion)
            take(doc, key, v);
        return 0;
    }
    if (find_field(m, at, key, old->kind == VALUE_LIST, &f) < 0)
        return -1;
    if (is_deletion && old->kind == VALUE_LIST) {
        enum value_kind kind = VALUE_NULL;
        if (!old->n && !v->n)
            return 0;
        if (item_kind(m, old, v, &kind) < 0)
            return -1;
        if (kind != VALUE_OBJECT) {
            delete_scalars(m, old, v);
            return 0;
        }
        return merge_list(m, old, v, &f); /* upstream takes no deletion of objects for one */
    }
    if (old->kind == VALUE_LIST && f.is_merge)
        return merge_list(m, old, v, &f);
    if (old->kind == VALUE_OBJECT && !f.is_replace)
        return merge_object(m, old, v, f.elem);
    *old = *v;
    return 0;
}

/* doc becomes the result; patch is used up. */
static int merge_object(struct merge *m, struct value *doc, struct value *patch, struct place at)
{
    const struct value *directive = value_get(patch, DIRECTIVE);

    if (directive && text_eq(value_text(directive), TEXT("replace"))) {
        value_remove(patch, DIRECTIVE);
        *doc = *patch;
        return 0;
    }
    if (directive && text_eq(value_text(directive), TEXT("delete"))) {
        *doc = value_object();
        return 0;
    }
    if (directive)
        return merge_fail(m, "unknown patch type: %s in map: %s", merge_printed(m, directive),
                          merge_printed(m, patch));
    if (m->depth == DEPTH_MAX)
        return status_set(m->st, STATUS_BAD_REQUEST, "exceeded max depth");
    m->depth++;
    if (run_retain_keys(m, doc, patch) < 0 || run_set_orders(m, doc, patch, at) < 0)
        return -1;
    struct members members;
    int result = 0;
    members_open(&members, m->a, doc, patch->n);
    for (size_t i = 0; i < patch->n && result == 0; i++)
        result = merge_member(m, &members, &patch->members[i], at);
    members_close(&members);
    m->depth--;
    return result;
}

int patch_strategic(struct arena *a, const struct schema *s, const struct value *doc,
                    const struct value *patch, struct value *ret, struct status *st)
{
    struct merge m = {.a = a, .st = st};

    if (patch->kind != VALUE_OBJECT && patch->kind != VALUE_NULL)
        return status_set(st, STATUS_BAD_REQUEST,
                          "json: cannot unmarshal %s into Go value of type map[string]interface {}",
                          value_kind_name(patch->kind));
    struct value merged = value_copy(a, doc), changes = value_copy(a, patch);
    if (changes.kind == VALUE_OBJECT &&
        merge_object(&m, &merged, &changes, (struct place){.schema = s, .go_kind = "struct"}) < 0)
        return -1;
    *ret = merged;
    return 0;
}
