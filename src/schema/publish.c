/* SPDX-License-Identifier: Apache-2.0 */
/* A type's fields become properties, its marks x-kubernetes- members. Version 2 says nothing of defaults and
 * lets a reference have neighbours; version 3 puts a reference that has any into allOf. */
#include "schema/publish.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static const struct special {
    const char *name, *v2, *v3;
} specials[] = {
    [TYPE_QUANTITY] = {"io.k8s.apimachinery.pkg.api.resource.Quantity", "{\"type\":\"string\"}",
                       "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}"},
    [TYPE_INT_OR_STRING] =
        {"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
         "{\"type\":\"string\",\"format\":\"int-or-string\"}",
         "{\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}"},
    [TYPE_TIME] = {META "Time", "{\"type\":\"string\",\"format\":\"date-time\"}", NULL},
    [TYPE_MICRO_TIME] = {META "MicroTime", "{\"type\":\"string\",\"format\":\"date-time\"}", NULL},
    [TYPE_DURATION] = {META "Duration", "{\"type\":\"string\"}", NULL},
    [TYPE_RAW_EXTENSION] = {"io.k8s.apimachinery.pkg.runtime.RawExtension", "{\"type\":\"object\"}", NULL},
    [TYPE_FIELDS_V1] = {META "FieldsV1", "{\"type\":\"object\"}", NULL},
    [TYPE_UNKNOWN] = {"io.k8s.apimachinery.pkg.runtime.Unknown", "{\"type\":\"object\"}", NULL},
    [TYPE_UNKNOWN + 1] = {META "Patch", "{\"type\":\"object\"}", NULL},
};

static const struct scalar {
    const char *type, *format, *zero;
} scalars[] = {
    [TYPE_STRING] = {"string", NULL, "\"\""},   [TYPE_INT32] = {"integer", "int32", "0"},
    [TYPE_INT64] = {"integer", "int64", "0"},   [TYPE_BOOL] = {"boolean", NULL, "false"},
    [TYPE_FLOAT64] = {"number", "double", "0"}, [TYPE_BYTES] = {"string", "byte", NULL},
};

/* The answer of /version is no type of the API's. */
static const char *const info_required[] = {"major",     "minor",        "gitVersion",
                                            "gitCommit", "gitTreeState", "buildDate",
                                            "goVersion", "compiler",     "platform"};
static const char *const info_optional[] = {"emulationMajor", "emulationMinor", "minCompatibilityMajor",
                                            "minCompatibilityMinor"};
#define INFO "io.k8s.apimachinery.pkg.version.Info"

static struct value string(const char *s)
{
    return value_string(text_of(s));
}

static struct value parsed(struct arena *a, struct text json)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value v = {0};

    if (json_read(a, json, NULL, &v, &st) < 0)
        log_error("Cannot read a table's own JSON", LOG_STR("error", st.message));
    return v;
}

void publish_deinit(struct publish *p)
{
    map_deinit(&p->seen);
    vec_deinit(&p->queue);
}

/* Quantity and its like are message types too, but JSON knows nothing of their fields. */
static bool is_special(struct text name)
{
    for (size_t i = 0; i < N_ELEMENTS(specials); i++)
        if (specials[i].name && text_is(name, specials[i].name))
            return true;
    return text_is(name, INFO);
}

struct value publish_reference(struct publish *p, struct text full_name)
{
    struct value ref = value_object();

    if (!map_get(&p->seen, full_name)) {
        struct published item = {.name = full_name, .schema = schema_find(full_name)};
        item.is_special = !item.schema || is_special(full_name);
        map_put(&p->seen, full_name, p);
        vec_push(&p->queue, item);
    }
    value_add(p->arena, &ref, TEXT("$ref"),
              value_string(arena_textf(p->arena, "#/%s/%.*s", p->is_v3 ? "components/schemas" : "definitions",
                                       TEXT_ARG(full_name))));
    return ref;
}

/* --- types of fields and elements --- */

static struct text reference_name(const struct schema_type *t)
{
    if (t->kind == TYPE_STRUCT)
        return t->schema->full_name;
    if (t->kind >= TYPE_QUANTITY && t->kind <= TYPE_UNKNOWN && specials[t->kind].name)
        return text_of(specials[t->kind].name);
    return TEXT_NONE;
}

static const char *zero_of(const struct schema_type *t, bool has_scalar_zero)
{
    if (t->is_pointer)
        return NULL;
    if (t->kind == TYPE_STRUCT)
        return t->schema->form == JSON_FORM_OBJECT ? "{}" : NULL;
    return has_scalar_zero && t->kind < N_ELEMENTS(scalars) ? scalars[t->kind].zero : NULL;
}

static void put_enum(struct publish *p, const struct schema_enum *e, struct value *v)
{
    struct value list = value_list();

    if (!e || !e->is_closed)
        return;
    for (size_t i = 0; i < e->n_values; i++)
        value_append(p->arena, &list, value_string(e->values[i]));
    value_add(p->arena, v, TEXT("enum"), list);
}

static struct value element(struct publish *p, const struct schema_type *t, const struct schema_enum *e);

/* In version 3 a description counts as a neighbour of the reference. These are the fields without one
 * upstream. */
static const struct {
    const char *schema, *field;
} undescribed[] = {
    {"JSONSchemaProps", "additionalItems"},
    {"JSONSchemaProps", "additionalProperties"},
    {"JSONSchemaProps", "example"},
    {"JSONSchemaProps", "externalDocs"},
    {"JSONSchemaProps", "items"},
    {"JSONSchemaProps", "not"},
    {"IngressRule", "http"},
};

static bool is_described(const struct schema *s, const struct schema_field *f)
{
    for (size_t i = 0; i < N_ELEMENTS(undescribed); i++)
        if (text_is(s->name, undescribed[i].schema) && text_is(f->name, undescribed[i].field))
            return false;
    return true;
}

static void put_type(struct publish *p, const struct schema_type *t, const struct schema_enum *e,
                     struct text fallback, bool has_neighbour, struct value *v)
{
    struct arena *a = p->arena;
    struct text name = reference_name(t);
    bool has_default = p->is_v3 && fallback.n;

    if (has_default)
        value_add(a, v, TEXT("default"), parsed(a, fallback));
    if (name.n) {
        struct value ref = publish_reference(p, name);
        if (p->is_v3 && (has_default || has_neighbour)) {
            struct value all = value_list();
            value_append(a, &all, ref);
            value_add(a, v, TEXT("allOf"), all);
        } else {
            value_add(a, v, TEXT("$ref"), *value_get(&ref, TEXT("$ref")));
        }
    } else if (t->kind == TYPE_LIST || t->kind == TYPE_WRAPPED_LIST) {
        value_add(a, v, TEXT("type"), string("array"));
        value_add(a, v, TEXT("items"), element(p, t->elem, e));
    } else if (t->kind == TYPE_MAP) {
        value_add(a, v, TEXT("type"), string("object"));
        value_add(a, v, TEXT("additionalProperties"), element(p, t->elem, e));
    } else if (t->kind < N_ELEMENTS(scalars) && scalars[t->kind].type) {
        value_add(a, v, TEXT("type"), string(scalars[t->kind].type));
        if (scalars[t->kind].format)
            value_add(a, v, TEXT("format"), string(scalars[t->kind].format));
        put_enum(p, e, v);
    }
}

static struct value element(struct publish *p, const struct schema_type *t, const struct schema_enum *e)
{
    static const struct schema_type string_type = {.kind = TYPE_STRING};
    struct value v = value_object();

    if (!t)
        t = &string_type; /* of a wrapped list */
    put_type(p, t, e, text_of(zero_of(t, true)), false, &v);
    return v;
}

/* --- marks --- */

static void put_merge(struct publish *p, uint8_t kind, const struct schema_field *f, uint8_t merge,
                      struct value *v)
{
    static const char *const names[] = {
        [MERGE_ATOMIC] = "atomic", [MERGE_SET] = "set", [MERGE_MAP] = "map", [MERGE_GRANULAR] = "granular"};
    bool is_list = kind == TYPE_LIST || kind == TYPE_WRAPPED_LIST || kind == TYPE_BYTES;

    if (merge == MERGE_DEFAULT)
        return;
    value_add(p->arena, v, is_list ? TEXT("x-kubernetes-list-type") : TEXT("x-kubernetes-map-type"),
              string(names[merge]));
    if (is_list && merge == MERGE_MAP && f) {
        struct value keys = value_list();
        for (size_t i = 0; i < f->n_merge_keys; i++)
            value_append(p->arena, &keys, value_string(f->merge_keys[i]));
        value_add(p->arena, v, TEXT("x-kubernetes-list-map-keys"), keys);
    }
}

static void put_patch(struct publish *p, const struct schema_field *f, struct value *v)
{
    static const struct {
        uint8_t flag;
        const char *name;
    } strategies[] = {{FIELD_PATCH_MERGE, "merge"},
                      {FIELD_PATCH_REPLACE, "replace"},
                      {FIELD_PATCH_RETAIN_KEYS, "retainKeys"}};
    struct buffer b = BUFFER_IN(p->arena);

    for (size_t i = 0; i < N_ELEMENTS(strategies); i++) {
        if (!(f->flags & strategies[i].flag))
            continue;
        if (b.n)
            buffer_add_char(&b, ',');
        buffer_add_str(&b, strategies[i].name);
    }
    if (f->patch_key.n)
        value_add(p->arena, v, TEXT("x-kubernetes-patch-merge-key"), value_string(f->patch_key));
    if (b.n)
        value_add(p->arena, v, TEXT("x-kubernetes-patch-strategy"), value_string(buffer_text(&b)));
}

static struct value property(struct publish *p, const struct schema *s, const struct schema_field *f)
{
    struct value v = value_object();
    struct text fallback = f->fallback;

    if (!fallback.n)
        fallback = text_of(zero_of(&f->type, f->flags & FIELD_KEEP_EMPTY));
    if (f->description.n)
        value_add(p->arena, &v, TEXT("description"), value_string(f->description));
    put_type(p, &f->type, f->enumeration, fallback, is_described(s, f), &v);
    put_merge(p, f->type.kind, f, f->merge, &v);
    put_patch(p, f, &v);
    return v;
}

static void put_union(struct publish *p, const struct schema *s, struct value *v)
{
    struct value list = value_list(), one = value_object(), members = value_object();

    if (!s->one_of)
        return;
    if (s->one_of->has_discriminator)
        value_add(p->arena, &one, TEXT("discriminator"), value_string(s->fields[s->one_of->discriminator].name));
    for (size_t i = 0; i < s->one_of->n_members; i++)
        value_add(p->arena, &members, s->fields[s->one_of->members[i]].name, value_string(s->one_of->values[i]));
    value_add(p->arena, &one, TEXT("fields-to-discriminateBy"), members);
    value_append(p->arena, &list, one);
    value_add(p->arena, v, TEXT("x-kubernetes-unions"), list);
}

/* --- definitions --- */

static void put_gvk(struct publish *p, struct text group, struct text version, struct text kind,
                    struct value *list)
{
    struct value gvk = value_object();

    value_add(p->arena, &gvk, TEXT("group"), value_string(group));
    value_add(p->arena, &gvk, TEXT("kind"), value_string(kind));
    value_add(p->arena, &gvk, TEXT("version"), value_string(version));
    value_append(p->arena, list, gvk);
}

/* Groups of kinds that are not registered with upstream's server. */
static bool is_unregistered(struct text group)
{
    return text_is(group, "*") || text_is(group, "apidiscovery.k8s.io") || text_is(group, "meta.k8s.io");
}

/* Every group-version has kinds such as DeleteOptions. */
static void put_all_versions(struct publish *p, struct text kind, struct value *list)
{
    if (p->is_v3) {
        put_gvk(p, TEXT(""), TEXT("v1"), kind, list);
        if (p->group.n)
            put_gvk(p, p->group, p->version, kind, list);
        return;
    }
    for (size_t i = 0; i < n_schema_kinds; i++) {
        const struct gvk *k = &schema_kinds[i].gvk, *before = i ? &schema_kinds[i - 1].gvk : NULL;
        if (!is_unregistered(k->group) &&
            !(before && text_eq(before->group, k->group) && text_eq(before->version, k->version)))
            put_gvk(p, k->group, k->version, kind, list);
    }
}

static void put_kinds(struct publish *p, const struct schema *s, struct value *v)
{
    struct value list = value_list();

    for (size_t i = 0; i < n_schema_kinds; i++) {
        const struct schema_kind *k = &schema_kinds[i];
        if (k->schema != s)
            continue;
        if (text_is(k->gvk.group, "*") || text_is(k->gvk.version, "*"))
            put_all_versions(p, k->gvk.kind, &list);
        else
            put_gvk(p, k->gvk.group, k->gvk.version, k->gvk.kind, &list);
    }
    if (list.n)
        value_add(p->arena, v, TEXT("x-kubernetes-group-version-kind"), list);
}

static struct value define(struct publish *p, const struct schema *s)
{
    struct value v = value_object(), required = value_list(), properties = value_object();

    if (s->description.n)
        value_add(p->arena, &v, TEXT("description"), value_string(s->description));
    if (s->form != JSON_FORM_OBJECT)
        return v;
    value_add(p->arena, &v, TEXT("type"), string("object"));
    for (size_t i = 0; i < s->n_fields; i++) {
        const struct schema_field *f = &s->fields[i];
        if (f->flags & FIELD_IS_REQUIRED)
            value_append(p->arena, &required, value_string(f->name));
        value_add(p->arena, &properties, f->name, property(p, s, f));
    }
    if (required.n)
        value_add(p->arena, &v, TEXT("required"), required);
    if (properties.n)
        value_add(p->arena, &v, TEXT("properties"), properties);
    put_kinds(p, s, &v);
    put_merge(p, TYPE_STRUCT, NULL, s->merge, &v);
    put_union(p, s, &v);
    return v;
}

static struct value define_info(struct publish *p)
{
    struct value v = value_object(), required = value_list(), properties = value_object();

    for (size_t i = 0; i < N_ELEMENTS(info_required) + N_ELEMENTS(info_optional); i++) {
        bool is_required = i < N_ELEMENTS(info_required);
        const char *name = is_required ? info_required[i] : info_optional[i - N_ELEMENTS(info_required)];
        struct value field = value_object();
        value_add(p->arena, &field, TEXT("type"), string("string"));
        if (is_required)
            value_append(p->arena, &required, string(name));
        if (is_required && p->is_v3)
            value_add(p->arena, &field, TEXT("default"), string(""));
        value_add(p->arena, &properties, text_of(name), field);
    }
    value_add(p->arena, &v, TEXT("type"), string("object"));
    value_add(p->arena, &v, TEXT("required"), required);
    value_add(p->arena, &v, TEXT("properties"), properties);
    return v;
}

static struct value define_special(struct publish *p, struct text name)
{
    if (text_is(name, INFO))
        return define_info(p);
    for (size_t i = 0; i < N_ELEMENTS(specials); i++)
        if (specials[i].name && text_is(name, specials[i].name))
            return parsed(p->arena, text_of(p->is_v3 && specials[i].v3 ? specials[i].v3 : specials[i].v2));
    log_error("No definition for a type", LOG_TEXT("name", name));
    return value_object();
}

static int published_compare(const void *x, const void *y)
{
    return text_cmp(((const struct published *)x)->name, ((const struct published *)y)->name);
}

void publish_definitions(struct publish *p, struct value *ret)
{
    for (size_t i = 0; i < p->queue.n; i++) { /* defining one may add others, and move the queue */
        struct published item = p->queue.p[i];
        struct value v = item.is_special ? define_special(p, item.name) : define(p, item.schema);
        p->queue.p[i].definition = v;
    }
    if (p->queue.n)
        qsort(p->queue.p, p->queue.n, sizeof(p->queue.p[0]), published_compare);
    for (size_t i = 0; i < p->queue.n; i++)
        value_add(p->arena, ret, p->queue.p[i].name, p->queue.p[i].definition);
}
