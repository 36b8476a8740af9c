/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations to C: a few big arrays that point into each other by index, so that the compiler has little to do and the
 * tables of neighbours lie together. */
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

#include "schema/name_hash.h"

static FILE *out;

/* A C string literal and its length, as the initialiser of a struct text. */
static void text(const char *s)
{
    if (!s)
        s = "";
    fprintf(out, "{");
    emit_literal(out, s);
    fprintf(out, ",%zu}", strlen(s));
}

static void texts(const char *name, size_t i, const strings *list)
{
    if (!list->n)
        return;
    fprintf(out, "static const struct text %s%zu[] = {", name, i);
    for (size_t j = 0; j < list->n; j++) {
        text(list->p[j]);
        fputc(',', out);
    }
    fprintf(out, "};\n");
}

/* The reference to such a list and its length. */
static void texts_ref(const char *name, size_t i, const strings *list)
{
    if (list->n)
        fprintf(out, "%s%zu", name, i);
    else
        fprintf(out, "0");
}

/* "v1.PodSpec": the last part of the Go package and the name. */
static const char *go_name(const struct file *f, const char *name)
{
    return joined("%s.%s", strrchr(f->go_package, '/') + 1, name);
}

static const char *openapi_name(const struct file *f, const char *name)
{
    return joined("%s.%s", f->openapi ? f->openapi : f->go_package, name);
}

/* As Go prints the type of a cast's field. The two of package types are core types by another name. */
static const char *cast_name(const struct field_decl *f)
{
    const char *dot;
    if (!f->cast)
        return NULL;
    if (strcmp(f->cast, "UID") == 0 || strcmp(f->cast, "NodeName") == 0)
        return joined("types.%s", f->cast);
    dot = strrchr(f->cast, '.');
    if (strchr(f->cast, '/')) /* core/v1.ResourceList */
        return strchr(f->cast, '/') + 1;
    return go_name(f->home, dot ? dot + 1 : f->cast);
}

/* --- types ------------------------------------------------------------------------------------------------------------ */

static LIST(struct type_expr *) elements;

static bool same_type(const struct type_expr *a, const struct type_expr *b)
{
    return a->kind == b->kind && a->is_pointer == b->is_pointer && a->ref == b->ref &&
           (a->elem ? b->elem && same_type(a->elem, b->elem) : !b->elem);
}

/* Equal element types are one. */
static void number_element(struct type_expr *t)
{
    if (t->elem)
        number_element(t->elem);
    for (size_t i = 0; i < elements.n; i++) {
        if (same_type(elements.p[i], t)) {
            t->index = (int)i;
            return;
        }
    }
    t->index = (int)elements.n;
    *PUSH(&elements) = t;
}

static void type_init(const struct type_expr *t, struct place at)
{
    fprintf(out, "{%d,%d,", t->kind, t->is_pointer);
    if (t->ref) {
        if (!is_emitted(t->ref))
            fail(at, "%s is no struct type", t->ref->name);
        fprintf(out, "&schemas[%d],", t->ref->index);
    } else {
        fprintf(out, "0,");
    }
    if (t->elem)
        fprintf(out, "&elements[%d]}", t->elem->index);
    else
        fprintf(out, "0}");
}

static void emit_elements(struct model *m)
{
    for (size_t i = 0; i < m->types.n; i++)
        for (size_t j = 0; j < m->types.p[i]->flat.n; j++)
            if (m->types.p[i]->flat.p[j].type.elem)
                number_element(m->types.p[i]->flat.p[j].type.elem);
    fprintf(out, "static const struct schema_type elements[] = {\n");
    for (size_t i = 0; i < elements.n; i++) {
        type_init(elements.p[i], (struct place){"element type", 0});
        fprintf(out, ",\n");
    }
    fprintf(out, "};\n");
}

static void emit_enums(struct model *m)
{
    for (size_t i = 0; i < m->enums.n; i++) {
        m->enums.p[i]->index = (int)i;
        texts("values", i, &m->enums.p[i]->values);
    }
    fprintf(out, "static const struct schema_enum enums[] = {\n");
    for (size_t i = 0; i < m->enums.n; i++) {
        struct enum_decl *e = m->enums.p[i];
        fprintf(out, "{");
        text(go_name(e->file, e->name));
        fputc(',', out);
        texts_ref("values", i, &e->values);
        fprintf(out, ",%zu,%d},\n", e->values.n, e->is_closed);
    }
    fprintf(out, "};\n");
}

static bool has_defaults(const struct type_expr *t)
{
    while (t->elem)
        t = t->elem;
    return t->ref && t->ref->has_defaults;
}

static void emit_field(const struct field_decl *f, size_t number)
{
    /* Type meta is inlined into objects and not in their messages. */
    int flags = f->flags | (f->number ? 0 : FIELD_NO_PROTO);

    fprintf(out, "{");
    text(f->name);
    fputc(',', out);
    type_init(&f->type, f->at);
    fprintf(out, ",%d,%d,%d,{%d,%d},%zu,%d,", flags, f->merge, f->number, f->embedded[0], f->embedded[1],
            f->merge_keys.n, !has_defaults(&f->type));
    texts_ref("keys", number, &f->merge_keys);
    fputc(',', out);
    text(f->patch_key);
    fputc(',', out);
    text(f->fallback);
    fprintf(out, f->enum_ref ? ",&enums[%d]" : ",0", f->enum_ref ? f->enum_ref->index : 0);
    fprintf(out, f->key_enum_ref ? ",&enums[%d]," : ",0,", f->key_enum_ref ? f->key_enum_ref->index : 0);
    text(cast_name(f));
    fputc(',', out);
    text(f->description);
    fprintf(out, "},\n");
}

static void emit_fields(struct model *m)
{
    size_t number = 0;
    for (size_t i = 0; i < m->types.n; i++)
        for (size_t j = 0; j < m->types.p[i]->flat.n; j++)
            texts("keys", number++, &m->types.p[i]->flat.p[j].merge_keys);
    number = 0;
    fprintf(out, "static const struct schema_field fields[] = {\n");
    for (size_t i = 0; i < m->types.n; i++)
        for (size_t j = 0; j < m->types.p[i]->flat.n; j++) {
            if (is_emitted(m->types.p[i]))
                emit_field(&m->types.p[i]->flat.p[j], number);
            number++;
        }
    fprintf(out, "};\n");
}

/* --- the small tables of a type ------------------------------------------------------------------------------------------ */

static LIST(int) numbers; /* slots, kept and by_number of all types, one after the other */

/* Tries seeds for a table without collisions; the last one does where there is none, as the look-up probes on. */
static size_t make_slots(const field_list *fields, size_t *ret_n_slots, unsigned *ret_seed)
{
    enum { SEEDS = 3000 };
    size_t at = numbers.n, n = 1;

    while (n < 2 * fields->n)
        n *= 2;
    for (size_t i = 0; i < n; i++)
        *PUSH(&numbers) = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        int *slots = numbers.p + at;
        bool is_perfect = true;
        memset(slots, 0, n * sizeof *slots);
        for (size_t i = 0; i < fields->n && (is_perfect || seed == SEEDS); i++) {
            size_t slot = name_hash(fields->p[i].name, strlen(fields->p[i].name), seed) & (n - 1);
            is_perfect &= !slots[slot];
            while (slots[slot])
                slot = (slot + 1) & (n - 1);
            slots[slot] = (int)i + 1;
        }
        *ret_seed = seed;
        if (is_perfect)
            break;
    }
    *ret_n_slots = n;
    return at;
}

static const field_list *sorting;
static int compare_numbers(const void *a, const void *b)
{
    const struct field_decl *x = &sorting->p[*(const int *)a], *y = &sorting->p[*(const int *)b];
    int xs[3] = {0}, ys[3] = {0}, n = 0, k = 0;

    for (int i = 0; i < 2 && x->embedded[i]; i++)
        xs[n++] = x->embedded[i];
    xs[n] = x->number;
    for (int i = 0; i < 2 && y->embedded[i]; i++)
        ys[k++] = y->embedded[i];
    ys[k] = y->number;
    for (int i = 0; i < 3; i++)
        if (xs[i] != ys[i])
            return xs[i] - ys[i];
    return 0;
}

static size_t make_by_number(const field_list *fields)
{
    size_t at = numbers.n;
    for (size_t i = 0; i < fields->n; i++)
        if (fields->p[i].number)
            *PUSH(&numbers) = (int)i;
    sorting = fields;
    qsort(numbers.p + at, numbers.n - at, sizeof *numbers.p, compare_numbers);
    for (size_t i = at + 1; i < numbers.n; i++)
        if (compare_numbers(&numbers.p[i - 1], &numbers.p[i]) == 0)
            fail(fields->p[numbers.p[i]].at, "the protobuf number is taken");
    return at;
}

static int field_named(const struct type_decl *t, const char *name, size_t n)
{
    for (size_t i = 0; i < t->flat.n; i++)
        if (strlen(t->flat.p[i].name) == n && strncmp(t->flat.p[i].name, name, n) == 0)
            return (int)i;
    fail(t->at, "json= names no field: %s", name);
}

/* form, and the two fields of JSON_FORM_EITHER */
static void emit_form(const struct type_decl *t)
{
    const char *bar;

    if (!t->json) {
        fprintf(out, "%d,%d,{0,0},", JSON_FORM_OBJECT, t->merge);
    } else if (strcmp(t->json, "value") == 0) {
        fprintf(out, "%d,%d,{0,0},", JSON_FORM_VALUE, t->merge);
    } else if ((bar = strchr(t->json, '|'))) {
        fprintf(out, "%d,%d,{%d,%d},", JSON_FORM_EITHER, t->merge,
                field_named(t, t->json, (size_t)(bar - t->json)), field_named(t, bar + 1, strlen(bar + 1)));
    } else {
        fail(t->at, "unknown JSON form: %s", t->json);
    }
}

/* Where a type's tables lie among the numbers. */
struct tables {
    size_t slots, n_slots, kept, by_number, end;
    unsigned seed;
};

static struct tables make_tables(const struct type_decl *t)
{
    struct tables ret = {0};

    ret.slots = make_slots(&t->flat, &ret.n_slots, &ret.seed);
    ret.kept = numbers.n;
    for (size_t i = 0; i < t->flat.n; i++)
        if (t->flat.p[i].flags & (FIELD_KEEP_EMPTY | FIELD_KEEP_STRUCT))
            *PUSH(&numbers) = (int)i;
    ret.by_number = make_by_number(&t->flat);
    ret.end = numbers.n;
    return ret;
}

static bool is_union(const struct type_decl *t)
{
    for (size_t i = 0; i < t->flat.n; i++)
        if (t->flat.p[i].member)
            return true;
    return false;
}

static void emit_union(const struct type_decl *t)
{
    int n = 0, discriminator = -1;

    fprintf(out, "static const struct schema_union union%d = {(const struct text[]){", t->index);
    for (size_t i = 0; i < t->flat.n; i++) {
        if (t->flat.p[i].is_discriminator)
            discriminator = (int)i;
        if (!t->flat.p[i].member)
            continue;
        n++;
        text(t->flat.p[i].member);
        fputc(',', out);
    }
    fprintf(out, "},(const uint16_t[]){");
    for (size_t i = 0; i < t->flat.n; i++)
        if (t->flat.p[i].member)
            fprintf(out, "%zu,", i);
    fprintf(out, "},%d,%d,%d};\n", n, discriminator >= 0, discriminator < 0 ? 0 : discriminator);
}

static void emit_schema(const struct type_decl *t, size_t first_field, const struct tables *in)
{
    fprintf(out, "{");
    text(t->name);
    fprintf(out, ",fields+%zu,%zu,%zu,%uu,numbers+%zu,numbers+%zu,rules+%zu,%zu,%zu,%zu,numbers+%zu,", first_field,
            t->flat.n, in->n_slots, in->seed, in->slots, in->kept, t->first_rule, in->by_number - in->kept,
            t->n_rules, in->end - in->by_number, in->by_number);
    emit_form(t);
    text(openapi_name(t->file, t->name));
    fputc(',', out);
    text(go_name(t->file, t->name));
    fputc(',', out);
    text(t->description);
    fprintf(out, is_union(t) ? ",&union%d" : ",0", t->index);
    fprintf(out, ",checks+%zu,%zu},\n", t->first_check, t->n_checks);
}

static int compare_names(const void *a, const void *b)
{
    const struct type_decl *x = *(struct type_decl *const *)a, *y = *(struct type_decl *const *)b;
    return strcmp(openapi_name(x->file, x->name), openapi_name(y->file, y->name));
}

/* The types come sorted by full name: schema_all and schema_find need no table of their own. */
static void emit_schemas(struct model *m, size_t n_schemas)
{
    struct tables *tables = calloc(m->types.n + 1, sizeof *tables);
    size_t first_field = 0;

    if (!tables)
        abort();
    for (size_t i = 0; i < m->types.n; i++)
        if (is_emitted(m->types.p[i]))
            tables[i] = make_tables(m->types.p[i]);
    for (size_t i = 0; i < m->types.n; i++)
        if (is_emitted(m->types.p[i]) && is_union(m->types.p[i]))
            emit_union(m->types.p[i]);
    fprintf(out, "static const uint16_t numbers[%zu] = {", numbers.n);
    for (size_t i = 0; i < numbers.n; i++)
        fprintf(out, "%d,", numbers.p[i]);
    fprintf(out, "};\nstatic const struct schema schemas[%zu] = {\n", n_schemas);
    for (size_t i = 0; i < m->types.n; i++) {
        if (!is_emitted(m->types.p[i]))
            continue;
        emit_schema(m->types.p[i], first_field, &tables[i]);
        first_field += m->types.p[i]->flat.n;
    }
    free(tables);
    fprintf(out, "};\nconst struct schema *const schema_all[] = {\n");
    for (size_t i = 0; i < n_schemas; i++)
        fprintf(out, "&schemas[%zu],", i);
    fprintf(out, "};\nconst size_t n_schema_all = %zu;\n", n_schemas);
}

/* --- kinds and resources -------------------------------------------------------------------------------------------------- */

/* An open hash table over n rows; row i has the three names that names(i) gives. */
static void emit_slots(const char *name, size_t n, void (*names)(size_t i, const char *ret[3]))
{
    size_t n_slots = 1;
    int *slots;

    while (n_slots < 4 * n)
        n_slots *= 2;
    slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        abort();
    for (size_t i = 0; i < n; i++) {
        const char *k[3];
        names(i, k);
        size_t slot = name_hash3(k[0], strlen(k[0]), k[1], strlen(k[1]), k[2], strlen(k[2])) & (n_slots - 1);
        while (slots[slot])
            slot = (slot + 1) & (n_slots - 1);
        slots[slot] = (int)i + 1;
    }
    fprintf(out, "const uint16_t %s[] = {", name);
    for (size_t i = 0; i < n_slots; i++)
        fprintf(out, "%d,", slots[i]);
    fprintf(out, "};\nconst size_t n_%s = %zu;\n", name, n_slots);
    free(slots);
}

static struct model *model;

static void kind_names(size_t i, const char *ret[3])
{
    ret[0] = model->kinds.p[i]->group;
    ret[1] = model->kinds.p[i]->version;
    ret[2] = model->kinds.p[i]->kind;
}

static void resource_names(size_t i, const char *ret[3])
{
    ret[0] = model->resources.p[i]->file->group;
    ret[1] = model->resources.p[i]->file->version;
    ret[2] = model->resources.p[i]->name;
}

static void gvk(const char *group, const char *version, const char *kind)
{
    fprintf(out, "{");
    text(group);
    fputc(',', out);
    text(version);
    fputc(',', out);
    text(kind);
    fprintf(out, "},");
}

/* "apps/v1.Deployment" -> "apps/v1 Deployment" */
static const char *replacement(const char *reference)
{
    if (!reference)
        return "";
    const char *dot = strrchr(reference, '.');
    if (strncmp(reference, "core/", 5) == 0)
        reference += 5;
    return joined("%.*s %s", (int)(dot - reference), reference, dot + 1);
}

static void emit_kinds(void)
{
    for (size_t i = 0; i < model->kinds.n; i++)
        model->kinds.p[i]->index = (int)i;
    fprintf(out, "const struct schema_kind schema_kinds[] = {\n");
    for (size_t i = 0; i < model->kinds.n; i++) {
        const struct kind_decl *k = model->kinds.p[i];
        fprintf(out, "{");
        gvk(k->group, k->version, k->kind);
        text(*k->group && *k->version ? joined("%s/%s", k->group, k->version) : *k->group ? k->group : k->version);
        fprintf(out, ",&schemas[%d],&schema_kinds[%d],%d,%d,%d,", k->type->index, k->storage->index,
                k->type->introduced, k->type->deprecated, k->type->removed);
        text(replacement(k->type->replaced));
        fprintf(out, "},\n");
    }
    fprintf(out, "};\nconst size_t n_schema_kinds = %zu;\n", model->kinds.n);
    emit_slots("schema_kind_slots", model->kinds.n, kind_names);
}

static void emit_resource_parts(const struct resource_decl *r, size_t i)
{
    bool has_status = false;

    texts("short_names", i, &r->short_names);
    texts("categories", i, &r->categories);
    if (r->subs.n) {
        fprintf(out, "static const struct resource_sub subs%zu[] = {", i);
        for (size_t j = 0; j < r->subs.n; j++) {
            const struct sub_decl *s = &r->subs.p[j];
            fprintf(out, "{");
            text(s->name);
            fprintf(out, ",%d,", s->verbs);
            gvk(s->group, s->version, s->kind);
            fprintf(out, "%d},", s->has_no_table);
            has_status |= strcmp(s->name, "status") == 0;
        }
        fprintf(out, "};\n");
    }
    fprintf(out, "enum { has_status%zu = %d };\n", i, has_status);
    if (r->selects.n) {
        fprintf(out, "static const struct resource_selectable selects%zu[] = {", i);
        for (size_t j = 0; j < r->selects.n; j++) {
            fprintf(out, "{");
            text(r->selects.p[j].name);
            fputc(',', out);
            text(r->selects.p[j].path);
            fprintf(out, ",%d},", r->selects.p[j].index);
        }
        fprintf(out, "};\n");
    }
    if (r->columns.n) {
        fprintf(out, "static const struct resource_column columns%zu[] = {", i);
        for (size_t j = 0; j < r->columns.n; j++) {
            const struct column_decl *c = &r->columns.p[j];
            fprintf(out, "{");
            text(c->name);
            fputc(',', out);
            text(c->type);
            fputc(',', out);
            text(c->format);
            fputc(',', out);
            text(c->description);
            fputc(',', out);
            text(c->path);
            fprintf(out, ",%d},", c->priority);
        }
        fprintf(out, "};\n");
    }
}

static void part_ref(const char *field, const char *name, size_t i, size_t n)
{
    if (n)
        fprintf(out, ".%s=%s%zu,.n_%s=%zu,", field, name, i, field, n);
}

static void member(const char *name, const char *value)
{
    fprintf(out, ".%s=", name);
    text(value);
    fputc(',', out);
}

static void emit_resource(const struct resource_decl *r, size_t i)
{
    fprintf(out, "{");
    member("group", r->file->group);
    member("version", r->file->version);
    member("name", r->name);
    member("singular", r->singular);
    fprintf(out, ".kind=&schema_kinds[%d],", r->kind_ref->index);
    if (r->list_kind)
        fprintf(out, ".list_kind=&schema_kinds[%d],", r->list_kind->index);
    fprintf(out, ".is_namespaced=%d,.is_on_by_default=%d,.has_status=has_status%zu,.has_generation=%d,"
                 ".is_kept_as_json=%d,.verbs=%d,",
            r->is_namespaced, !r->is_optional, i, r->has_generation, r->is_kept_as_json, r->verbs);
    part_ref("short_names", "short_names", i, r->short_names.n);
    part_ref("categories", "categories", i, r->categories.n);
    part_ref("subs", "subs", i, r->subs.n);
    part_ref("selectable", "selects", i, r->selects.n);
    part_ref("columns", "columns", i, r->columns.n);
    member("storage_prefix", r->prefix);
    member("storage_hash", r->hash);
    member("field_annotation", r->field_annotation);
    fprintf(out, ".storage=&schema_resources[%d]},\n", r->storage->index);
}

static void emit_resources(void)
{
    for (size_t i = 0; i < model->resources.n; i++) {
        model->resources.p[i]->index = (int)i;
        emit_resource_parts(model->resources.p[i], i);
    }
    fprintf(out, "const struct resource_type schema_resources[] = {\n");
    for (size_t i = 0; i < model->resources.n; i++)
        emit_resource(model->resources.p[i], i);
    fprintf(out, "};\nconst size_t n_schema_resources = %zu;\n", model->resources.n);
    emit_slots("schema_resource_slots", model->resources.n, resource_names);

    fprintf(out, "const struct schema_version schema_versions[] = {\n");
    for (size_t i = 0, at = 0; i < model->served.n; i++) {
        const struct file *f = model->served.p[i];
        size_t end = at;
        while (end < model->resources.n && model->resources.p[end]->file == f)
            end++;
        fprintf(out, "{");
        text(f->group);
        fputc(',', out);
        text(f->version);
        fprintf(out, ",%d,%d,&schema_resources[%zu],%zu},\n", f->group_priority, f->version_priority, at, end - at);
        if (end == at)
            fail((struct place){f->path, f->served_line}, "served, but without a resource");
        at = end;
    }
    fprintf(out, "};\nconst size_t n_schema_versions = %zu;\n", model->served.n);
}

void emit(struct model *m, FILE *to)
{
    size_t n_schemas = 0;

    out = to;
    model = m;
    qsort(m->types.p, m->types.n, sizeof *m->types.p, compare_names);
    for (size_t i = 0; i < m->types.n; i++)
        if (is_emitted(m->types.p[i]))
            m->types.p[i]->index = (int)n_schemas++;

    fprintf(out,
            "/* Made by schemac from src/api; see docs/schema-language.md. */\n"
            "#include \"schema.h\"\n#include \"schema/checks.h\"\n#include \"schema/defaults.h\"\n#include "
            "\"schema/tables.h\"\n"
            "static const struct schema schemas[%zu];\n",
            n_schemas);
    emit_elements(m);
    emit_enums(m);
    emit_fields(m);
    emit_rules(m, out);
    emit_checks(m, out);
    emit_schemas(m, n_schemas);
    emit_kinds();
    emit_resources();
}
