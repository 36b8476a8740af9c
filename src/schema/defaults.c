/* SPDX-License-Identifier: Apache-2.0 */
/* Marker defaults: what stands behind default= in the schema takes the place of what is not there. Only parts of a tree that
 * exist are walked, so a default never creates its parents. Types without a default anywhere below are not walked. */
#include "schema.h"

#include "schema/canonical.h"

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

/* Zero counts as absent for what is no pointer: Go's defaulting functions cannot tell the two apart. */
static bool is_unset(const struct schema_field *f, const struct value *v)
{
    return !v || v->kind == VALUE_NULL || (!f->type.is_pointer && value_is_empty(v));
}

static const struct value *member_of_field(const struct value *v, uint32_t place)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->members[i].field == place)
            return &v->members[i].value;
    return NULL;
}

static void default_struct(struct arena *a, const struct schema *s, struct value *v)
{
    bool has_added = false;

    for (uint16_t k = 0; k < s->n_defaulted; k++) {
        uint32_t i = s->defaulted[k];
        const struct schema_field *f = &s->fields[i];
        struct value fallback;
        if (!is_unset(f, member_of_field(v, i + 1u)))
            continue;
        struct status st = {0};
        /* The compiler, or whoever made the type, has seen to it that this is JSON. */
        if (json_read(a, f->fallback, NULL, &fallback, &st) < 0) {
            status_clear(&st);
            continue;
        }
        if (canonical_is_left_out(f, &fallback))
            continue;
        value_set(a, v, f->name, fallback);
        for (uint32_t j = 0; j < v->n; j++)
            if (text_eq(member_key(&v->members[j]), f->name))
                v->members[j].field = i + 1u;
        has_added = true;
    }
    if (has_added)
        canonical_place_members(a, s, v);
    for (uint32_t i = 0; i < v->n; i++)
        default_value(a, &s->fields[v->members[i].field - 1].type, &v->members[i].value);
}

void schema_default(struct arena *a, const struct schema *s, struct value *v)
{
    if (v->kind == VALUE_OBJECT && s->form == JSON_FORM_OBJECT)
        default_struct(a, s, v);
}
