/* SPDX-License-Identifier: Apache-2.0 */
/* A canonical tree is what JSON shows, so it is written as it stands; a walk of a fraction of that cost makes sure that it is
 * canonical, since trees are changed by many hands. */
#include "schema.h"

#include "schema/canonical.h"

static void add_member(struct buffer *b, const struct value_member *m, bool *is_first)
{
    if (!*is_first)
        buffer_add_char(b, ',');
    *is_first = false;
    json_write_string(b, member_key(m));
    buffer_add_char(b, ':');
    json_write(b, &m->value);
}

/* metadata without its resource version; the offset of the member that would follow it. */
static void add_metadata(struct buffer *b, const struct value *metadata, const struct value_member *version,
                         const struct value_member *next, size_t *ret_offset)
{
    bool is_first = true;

    buffer_add_char(b, '{');
    for (const struct value_member *m = metadata->members; m < metadata->members + metadata->n; m++) {
        if (m == version)
            continue;
        if (m == next) { /* behind the comma */
            if (!is_first)
                buffer_add_char(b, ',');
            is_first = true;
            *ret_offset = b->n;
        }
        add_member(b, m, &is_first);
    }
    buffer_add_char(b, '}');
}

/* The member of metadata that stands, or would stand, behind the resource version. */
static const struct value_member *behind_version(const struct schema *s, const struct value *metadata,
                                                 const struct value_member **ret_version)
{
    const struct schema_field *field = schema_field_of(s, TEXT("resourceVersion"));
    uint32_t place = field ? (uint32_t)(field - s->fields) + 1 : 0;

    *ret_version = NULL;
    for (uint32_t i = 0; place && i < metadata->n; i++) {
        const struct value_member *m = &metadata->members[i];
        if (m->field == place)
            *ret_version = m;
        else if (m->field > place)
            return m;
    }
    return NULL;
}

static void encode_for_version(struct buffer *b, const struct schema *s, const struct value *v, size_t *ret_offset)
{
    const struct schema_field *field = schema_field_of(s, TEXT("metadata"));
    const struct value *metadata = value_get(v, TEXT("metadata"));
    const struct value_member *version = NULL, *next = NULL;
    bool is_first = true;

    if (field && field->type.schema && metadata && metadata->kind == VALUE_OBJECT)
        next = behind_version(field->type.schema, metadata, &version);
    *ret_offset = SIZE_MAX;
    if (!next) {
        json_write(b, v);
        return;
    }
    buffer_add_char(b, '{');
    for (const struct value_member *m = v->members; m < v->members + v->n; m++) {
        if (&m->value != metadata) {
            add_member(b, m, &is_first);
            continue;
        }
        buffer_add(b, is_first ? TEXT("\"metadata\":") : TEXT(",\"metadata\":"));
        is_first = false;
        add_metadata(b, metadata, version, next, ret_offset);
    }
    buffer_add_char(b, '}');
}

static void forget_empty(const struct schema_type *t, struct value *v)
{
    bool is_list = t->kind == TYPE_LIST && v->kind == VALUE_LIST, is_map = t->kind == TYPE_MAP && v->kind == VALUE_OBJECT;

    if ((is_list || is_map) && v->n == 0)
        *v = value_null;
    else if (t->kind == TYPE_STRUCT && v->kind == VALUE_OBJECT)
        schema_forget_empty(t->schema, v);
    for (uint32_t i = 0; (is_list || is_map) && i < v->n; i++)
        forget_empty(t->elem, is_list ? &v->items[i] : &v->members[i].value);
}

void schema_forget_empty(const struct schema *s, struct value *v)
{
    for (uint32_t i = 0; v->kind == VALUE_OBJECT && s->form == JSON_FORM_OBJECT && i < v->n; i++) {
        uint32_t place = v->members[i].field;
        if (place)
            forget_empty(&s->fields[place - 1].type, &v->members[i].value);
    }
}

void schema_encode(struct buffer *b, const struct schema *s, const struct value *v, size_t *ret_rv_offset)
{
    CLEANUP(arena_freep) struct arena *scratch = NULL;
    struct value arranged;

    if (UNLIKELY(!canonical_is_arranged(s, v))) {
        scratch = arena_new();
        arranged = value_copy(scratch, v);
        schema_arrange(scratch, s, &arranged);
        v = &arranged;
    }
    if (ret_rv_offset)
        encode_for_version(b, s, v, ret_rv_offset);
    else
        json_write(b, v);
}
