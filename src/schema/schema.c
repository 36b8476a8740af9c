/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups over the tables. All of them are one hash and, nearly always, one comparison. */
#include "schema.h"

#include "schema/name_hash.h"
#include "schema/tables.h"

const struct schema_field *schema_field_of(const struct schema *s, struct text name)
{
    for (size_t slot = name_hash(name.p, name.n, s->seed);; slot++) {
        unsigned i = s->slots[slot & (s->n_slots - 1u)];
        if (!i)
            return NULL;
        if (text_eq(s->fields[i - 1].name, name))
            return &s->fields[i - 1];
    }
}

const struct schema *schema_find(struct text full_name)
{
    size_t low = 0, high = n_schema_all;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = text_cmp(full_name, schema_all[middle]->full_name);
        if (c == 0)
            return schema_all[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* --- types made at run time ------------------------------------------------------------------------------------------- */

/* Protobuf's order: an embedded message's fields stand where the message stands. */
static int field_compare_number(const struct schema_field *x, const struct schema_field *y)
{
    unsigned a[3] = {x->embedded[0] ? x->embedded[0] : x->number, x->embedded[1] ? x->embedded[1] : x->number, x->number};
    unsigned b[3] = {y->embedded[0] ? y->embedded[0] : y->number, y->embedded[1] ? y->embedded[1] : y->number, y->number};

    for (size_t i = 0; i < 3; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

void schema_index(struct arena *a, struct schema *s)
{
    size_t n_slots = 1;
    uint16_t *slots, *kept = ARENA_ARRAY(a, uint16_t, s->n_fields);
    uint16_t *by_number = ARENA_ARRAY(a, uint16_t, s->n_fields);
    struct schema_rule *rules = ARENA_ARRAY(a, struct schema_rule, s->n_fields);

    while (n_slots < 2u * s->n_fields)
        n_slots *= 2;
    slots = ARENA_ARRAY(a, uint16_t, n_slots);
    s->n_kept = s->n_rules = s->n_by_number = 0;
    s->seed = 1;
    for (uint16_t i = 0; i < s->n_fields; i++) {
        const struct schema_field *f = &s->fields[i];
        size_t slot = name_hash(f->name.p, f->name.n, s->seed) & (n_slots - 1);
        while (slots[slot])
            slot = (slot + 1) & (n_slots - 1);
        slots[slot] = (uint16_t)(i + 1);
        if (f->flags & (FIELD_KEEP_EMPTY | FIELD_KEEP_STRUCT))
            kept[s->n_kept++] = i;
        if (f->fallback.n)
            rules[s->n_rules++] = (struct schema_rule){.path = {1, {i}}, .kind = RULE_JSON, .json = f->fallback};
        if (f->number) { /* in by insertion: mostly they come in order, or have no number at all */
            size_t at = s->n_by_number++;
            for (; at && field_compare_number(f, &s->fields[by_number[at - 1]]) < 0; at--)
                by_number[at] = by_number[at - 1];
            by_number[at] = i;
        }
    }
    s->slots = slots;
    s->n_slots = (uint16_t)n_slots;
    s->kept = kept;
    s->rules = rules;
    s->by_number = by_number;
}

/* --- kinds and resources ------------------------------------------------------------------------------------------------ */

struct text group_version_text(struct arena *a, struct text group, struct text version)
{
    if (!group.n)
        return version;
    return arena_textf(a, "%.*s/%.*s", TEXT_ARG(group), TEXT_ARG(version));
}

struct text gvk_api_version(struct arena *a, struct gvk k)
{
    return group_version_text(a, k.group, k.version);
}

void group_version_parse(struct text api_version, struct text *ret_group, struct text *ret_version)
{
    const char *slash = api_version.n ? memchr(api_version.p, '/', api_version.n) : NULL;
    size_t n = slash ? (size_t)(slash - api_version.p) : 0;

    *ret_group = (struct text){api_version.p, n};
    *ret_version = slash ? text_from(api_version, n + 1) : api_version;
}

static uint32_t hash3(struct text a, struct text b, struct text c)
{
    return name_hash3(a.p, a.n, b.p, b.n, c.p, c.n);
}

static const struct schema_kind *kind_find_exactly(struct gvk k)
{
    for (size_t slot = hash3(k.group, k.version, k.kind);; slot++) {
        unsigned i = schema_kind_slots[slot & (n_schema_kind_slots - 1)];
        if (!i)
            return NULL;
        const struct gvk *found = &schema_kinds[i - 1].gvk;
        if (text_eq(found->kind, k.kind) && text_eq(found->version, k.version) && text_eq(found->group, k.group))
            return &schema_kinds[i - 1];
    }
}

const struct schema_kind *schema_kind_find(struct gvk k)
{
    const struct schema_kind *ret = kind_find_exactly(k);
    return ret ? ret : kind_find_exactly((struct gvk){TEXT("*"), TEXT(""), k.kind});
}

const struct schema_kind *schema_kind_of(struct text api_version, struct text kind)
{
    struct gvk k = {.kind = kind};
    group_version_parse(api_version, &k.group, &k.version);
    return schema_kind_find(k);
}

const struct resource_type *schema_resource_find(struct text group, struct text version, struct text name)
{
    for (size_t slot = hash3(group, version, name);; slot++) {
        unsigned i = schema_resource_slots[slot & (n_schema_resource_slots - 1)];
        if (!i)
            return NULL;
        const struct resource_type *found = &schema_resources[i - 1];
        if (text_eq(found->name, name) && text_eq(found->version, version) && text_eq(found->group, group))
            return found;
    }
}
