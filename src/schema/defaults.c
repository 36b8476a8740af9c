/* SPDX-License-Identifier: Apache-2.0 */
/* Defaulting: at each struct its type's rules in their order, then the same for what lies below. So a rule sees what the
 * rules of the types above have set, as upstream's generated functions do. Types without a default anywhere below are
 * not walked, and only parts of a tree that exist are: a rule creates a plain struct on its path, never one behind a
 * pointer, unless it is there to do that.
 * Source: kubernetes/kubernetes pkg/apis/<group>/<version>/zz_generated.defaults.go. */
#include "schema/defaults.h"

#include <assert.h>

#include "schema/canonical.h"
#include "schema/paths.h"

/* The object that the path's last field belongs to, NULL if a pointer on the way is not set. Plain structs are made. */
static struct value *object_along(struct arena *a, const struct schema **s, struct value *v,
                                  const struct schema_path *path)
{
    for (uint16_t i = 0; i + 1 < path->n; i++) {
        const struct schema_field *f = &(*s)->fields[path->fields[i]];
        struct value *child = path_member(v, path->fields[i]);
        if (!child && !f->type.is_pointer)
            child = canonical_put(a, *s, v, path->fields[i], canonical_zero(a, &f->type));
        if (!child || child->kind != VALUE_OBJECT)
            return NULL;
        *s = f->type.schema;
        v = child;
    }
    return v;
}

/* --- rules --- */

static struct value empty_struct(struct arena *a, const struct schema_type *t)
{
    struct schema_type plain = *t;

    plain.is_pointer = false;
    return canonical_zero(a, &plain);
}

/* The compiler has seen to it that it is JSON; whether it fits the type the unit tests see. */
static bool read_json(struct arena *a, const struct schema *s, const struct schema_field *f, struct text json,
                      struct value *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value object = value_object();

    if (json_read(a, json, NULL, ret, &st) < 0)
        return false;
    value_add(a, &object, f->name, *ret);
    if (schema_decode(a, s, &object, NULL, &st) < 0)
        return false;
    const struct value *found = path_member(&object, (uint16_t)(f - s->fields));
    if (found)
        *ret = *found;
    return found;
}

static bool rule_value(struct arena *a, const struct schema_rule *r, const struct value *object,
                       const struct schema *owner, const struct schema_field *f, struct value *ret)
{
    const struct value *source;

    switch ((enum schema_rule_kind)r->kind) {
    case RULE_CONSTANT:
        *ret = r->constant;
        return true;
    case RULE_STRUCT:
        *ret = empty_struct(a, &f->type);
        return true;
    case RULE_JSON:
        return read_json(a, owner, f, r->json, ret);
    default:
        source = path_value(object, &r->from);
        if (!source || source->kind == VALUE_NULL || value_is_empty(source))
            return false;
        *ret = value_copy(a, source);
        return true;
    }
}

static void carry_out(struct arena *a, const struct schema *s, struct value *v, const struct schema_rule *r)
{
    const struct schema *owner = s;
    uint16_t field = r->path.n ? r->path.fields[r->path.n - 1] : 0;
    struct value *object, filling;

    if (r->path.n && r->kind < RULE_REMOVE &&
        !path_is_unset(path_last_field(s, &r->path), path_value(v, &r->path)))
        return;
    for (uint8_t i = 0; i < r->n_conditions; i++)
        if (!condition_holds(&r->conditions[i], s, v, NULL))
            return;
    if (r->kind == RULE_FUNCTION) {
        r->fill(a, s, v, field);
        return;
    }
    if (r->kind == RULE_REMOVE) {
        if (path_value(v, &r->path) && (object = object_along(a, &owner, v, &r->path)))
            value_remove(object, owner->fields[field].name);
        return;
    }
    object = object_along(a, &owner, v, &r->path);
    if (object && rule_value(a, r, v, owner, &owner->fields[field], &filling))
        canonical_put(a, owner, object, field, filling);
}

/* --- the walk --- */

static void default_struct(struct arena *a, const struct schema *s, struct value *v);

static void default_value(struct arena *a, const struct schema_type *t, struct value *v)
{
    if (t->kind == TYPE_STRUCT && v->kind == VALUE_OBJECT) {
        if (t->schema->form == JSON_FORM_OBJECT)
            default_struct(a, t->schema, v);
    } else if (t->kind == TYPE_LIST && v->kind == VALUE_LIST && t->elem->kind >= TYPE_STRUCT) {
        for (uint32_t i = 0; i < v->n; i++)
            default_value(a, t->elem, &v->items[i]);
    } else if (t->kind == TYPE_MAP && v->kind == VALUE_OBJECT && t->elem->kind >= TYPE_STRUCT) {
        for (uint32_t i = 0; i < v->n; i++)
            default_value(a, t->elem, &v->members[i].value);
    }
}

static void default_struct(struct arena *a, const struct schema *s, struct value *v)
{
    for (uint16_t i = 0; i < s->n_rules; i++)
        carry_out(a, s, v, &s->rules[i]);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct schema_field *f = &s->fields[v->members[i].field - 1];
        if (!f->is_default_free && f->type.kind >= TYPE_STRUCT)
            default_value(a, &f->type, &v->members[i].value);
    }
}

void schema_default(struct arena *a, const struct schema *s, struct value *v)
{
    if (v->kind == VALUE_OBJECT && s->form == JSON_FORM_OBJECT)
        default_struct(a, s, v);
}

/* --- for the functions --- */

void default_set(struct arena *a, const struct schema *s, struct value *object, struct text name, struct value v)
{
    const struct schema_field *f = schema_field_of(s, name);

    assert(f);
    canonical_put(a, s, object, (uint16_t)(f - s->fields), v);
}

void default_set_key(struct arena *a, struct value *map, struct text key, struct value v)
{
    value_set(a, map, key, v);
    canonical_sort_keys(a, map);
}

struct value *default_part(const struct schema **s, struct value *object, struct text name)
{
    const struct schema_field *f = schema_field_of(*s, name);

    assert(f);
    struct value *part = path_member(object, (uint16_t)(f - (*s)->fields));
    if (!part || part->kind == VALUE_NULL)
        return NULL;
    const struct schema_type *t = &f->type;
    while (t->elem)
        t = t->elem;
    if (t->schema)
        *s = t->schema;
    return part;
}
