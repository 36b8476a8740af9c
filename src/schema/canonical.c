/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of absence and order, once. Source of the rules: Go's encoding/json with the tags that the schema carries. */
#include "schema/canonical.h"

#include <stdlib.h>

struct value canonical_zero(struct arena *a, const struct schema_type *t)
{
    if (t->is_pointer)
        return value_null;
    switch ((enum type_kind)t->kind) {
    case TYPE_STRING:
        return value_string(TEXT(""));
    case TYPE_INT32:
    case TYPE_INT64:
    case TYPE_FLOAT64:
    case TYPE_INT_OR_STRING:
        return value_int(0);
    case TYPE_BOOL:
        return value_bool(false);
    case TYPE_QUANTITY:
        return value_string(TEXT("0"));
    case TYPE_DURATION:
        return value_string(TEXT("0s"));
    case TYPE_STRUCT:
        if (t->schema->form == JSON_FORM_OBJECT) {
            struct value v = value_object();
            if (t->schema->n_kept)
                canonical_place_members(a, t->schema, &v);
            return v;
        }
        return value_null;
    default: /* lists, maps, bytes, times, raw values */
        return value_null;
    }
}

bool canonical_is_left_out(const struct schema_field *f, const struct value *v)
{
    if (f->flags & FIELD_KEEP)
        return false;
    if (v->kind == VALUE_NULL)
        return true;
    if (f->type.is_pointer)
        return false;
    switch (v->kind) {
    case VALUE_BOOL:
        return !v->boolean && f->type.kind == TYPE_BOOL;
    case VALUE_INT:
        return v->integer == 0 && f->type.kind <= TYPE_FLOAT64;
    case VALUE_STRING:
        return v->n == 0 && f->type.kind <= TYPE_BYTES;
    case VALUE_LIST:
        return v->n == 0 && f->type.kind >= TYPE_LIST;
    case VALUE_OBJECT:
        return v->n == 0 && (f->type.kind == TYPE_MAP || (f->flags & FIELD_OMIT_ZERO));
    default:
        return false;
    }
}

void canonical_place_members(struct arena *a, const struct schema *s, struct value *object)
{
    enum { FEW = 64 };
    uint32_t few[FEW], *at = few; /* 1 + position of each field's member; the last one counts */
    size_t n = s->n_kept;
    struct value_member *members;

    if (s->n_fields > FEW)
        at = arena_alloc(a, s->n_fields * sizeof *at);
    memset(at, 0, s->n_fields * sizeof *at);
    for (uint32_t i = 0; i < object->n; i++) {
        at[object->members[i].field - 1] = i + 1;
        n++;
    }
    members = arena_alloc(a, n * sizeof *members);
    n = 0;
    for (uint32_t i = 0; i < s->n_fields; i++) {
        const struct schema_field *f = &s->fields[i];
        if (at[i])
            members[n++] = object->members[at[i] - 1];
        else if (f->flags & FIELD_KEEP)
            members[n++] = (struct value_member){f->name.p, (uint32_t)f->name.n, i + 1, canonical_zero(a, &f->type)};
    }
    object->members = members;
    object->n = (uint32_t)n;
    object->is_exact = 1;
}

struct value *canonical_put(struct arena *a, const struct schema *s, struct value *object, uint16_t field,
                            struct value v)
{
    struct value_member *members;
    uint32_t i = object->n;

    while (i && object->members[i - 1].field > field + 1u)
        i--;
    if (i && object->members[i - 1].field == field + 1u) {
        object->members[i - 1].value = v;
        return &object->members[i - 1].value;
    }
    value_add(a, object, s->fields[field].name, v);
    members = object->members;
    struct value_member added = members[object->n - 1];
    memmove(members + i + 1, members + i, (object->n - 1 - i) * sizeof *members);
    added.field = field + 1u;
    members[i] = added;
    return &members[i].value;
}

/* --- maps --------------------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return text_cmp(member_key(a), member_key(b));
}

static bool keys_are_sorted(const struct value *object)
{
    for (uint32_t i = 1; i < object->n; i++)
        if (compare_keys(&object->members[i - 1], &object->members[i]) > 0)
            return false;
    return true;
}

void canonical_sort_keys(struct arena *a, struct value *object)
{
    (void)a;
    if (!keys_are_sorted(object))
        qsort(object->members, object->n, sizeof *object->members, compare_keys);
}

void canonical_sort_any(struct arena *a, struct value *v)
{
    if (v->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++)
            canonical_sort_any(a, &v->items[i]);
    } else if (v->kind == VALUE_OBJECT) {
        canonical_sort_keys(a, v);
        for (uint32_t i = 0; i < v->n; i++) {
            v->members[i].field = 0;
            canonical_sort_any(a, &v->members[i].value);
        }
    }
}

bool canonical_any_is_sorted(const struct value *v)
{
    if (v->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++)
            if (!canonical_any_is_sorted(&v->items[i]))
                return false;
    } else if (v->kind == VALUE_OBJECT) {
        if (!keys_are_sorted(v))
            return false;
        for (uint32_t i = 0; i < v->n; i++)
            if (!canonical_any_is_sorted(&v->members[i].value))
                return false;
    }
    return true;
}

/* --- raw values --- */

void canonical_make_raw(struct arena *a, struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    if (v->kind == VALUE_RAW)
        return;
    json_write(&b, v);
    *v = value_raw(buffer_text(&b));
}

/* --- the check ------------------------------------------------------------------------------------------------------------ */

static bool struct_is_arranged(const struct schema *s, const struct value *v);

static bool value_is_arranged(const struct schema_type *t, const struct value *v)
{
    switch (t->kind) {
    case TYPE_STRUCT:
        return v->kind == VALUE_OBJECT ? struct_is_arranged(t->schema, v) : v->kind == VALUE_NULL || t->schema->form;
    case TYPE_LIST:
        if (t->elem->kind < TYPE_ANY)
            return true;
        for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->n; i++)
            if (!value_is_arranged(t->elem, &v->items[i]))
                return false;
        return true;
    case TYPE_MAP:
        if (v->kind != VALUE_OBJECT)
            return true;
        if (!keys_are_sorted(v))
            return false;
        for (uint32_t i = 0; t->elem->kind >= TYPE_ANY && i < v->n; i++)
            if (!value_is_arranged(t->elem, &v->members[i].value))
                return false;
        return true;
    case TYPE_ANY:
        return canonical_any_is_sorted(v);
    case TYPE_FIELDS_V1:
        return v->kind == VALUE_RAW;
    default:
        return true;
    }
}

static bool struct_is_arranged(const struct schema *s, const struct value *v)
{
    uint32_t last = 0, n_kept = 0;

    if (s->form == JSON_FORM_VALUE)
        return true;
    if (s->form == JSON_FORM_EITHER) {
        for (size_t i = 0; i < 2; i++)
            if (s->fields[s->form_fields[i]].type.kind == TYPE_STRUCT)
                return struct_is_arranged(s->fields[s->form_fields[i]].type.schema, v);
        return true;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        const struct value_member *m = &v->members[i];
        if (m->field <= last || m->field > s->n_fields)
            return false;
        const struct schema_field *f = &s->fields[m->field - 1];
        /* The names are one and the same array, or the tree was decoded as another type. */
        if (m->key != f->name.p && !text_eq(member_key(m), f->name))
            return false;
        if (canonical_is_left_out(f, &m->value))
            return false;
        if (f->type.kind >= TYPE_FIELDS_V1 && !value_is_arranged(&f->type, &m->value))
            return false;
        last = m->field;
        n_kept += (f->flags & FIELD_KEEP) != 0;
    }
    return n_kept == s->n_kept;
}

bool canonical_is_arranged(const struct schema *s, const struct value *v)
{
    return v->kind != VALUE_OBJECT || struct_is_arranged(s, v);
}
