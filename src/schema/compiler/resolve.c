/* SPDX-License-Identifier: Apache-2.0 */
/* Names to pointers, inlined structs to fields, kinds and resources joined, everything in its final order. */
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

/* --- references ------------------------------------------------------------------------------------------------------- */

/* What another file calls it: "core/v1.PodSpec". */
static const char *full_reference(const struct file *home, const char *name)
{
    if (strncmp(name, "meta.", 5) == 0)
        return joined("meta/v1.%s", name + 5);
    return strchr(name, '/') ? name : joined("%s/%s.%s", home->dir, home->version, name);
}

struct named {
    const char *name;
    void *what;
};
struct index {
    struct named *p;
    size_t n;
};

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static void *find(const struct index *in, const char *name)
{
    struct named key = {.name = name};
    struct named *hit = bsearch(&key, in->p, in->n, sizeof *in->p, compare_named);
    return hit ? hit->what : NULL;
}

static struct index types, enums;

static void index_names(struct model *m)
{
    types.p = calloc(m->types.n + 1, sizeof *types.p);
    enums.p = calloc(m->enums.n + 1, sizeof *enums.p);
    if (!types.p || !enums.p)
        abort();
    for (size_t i = 0; i < m->types.n; i++)
        types.p[types.n++] = (struct named){full_reference(m->types.p[i]->file, m->types.p[i]->name), m->types.p[i]};
    for (size_t i = 0; i < m->enums.n; i++)
        enums.p[enums.n++] = (struct named){full_reference(m->enums.p[i]->file, m->enums.p[i]->name), m->enums.p[i]};
    qsort(types.p, types.n, sizeof *types.p, compare_named);
    qsort(enums.p, enums.n, sizeof *enums.p, compare_named);
    for (size_t i = 1; i < types.n; i++)
        if (strcmp(types.p[i - 1].name, types.p[i].name) == 0)
            fail(((struct type_decl *)types.p[i].what)->at, "%s is declared twice", types.p[i].name);
}

static struct type_decl *need_type(struct place at, const struct file *home, const char *name)
{
    struct type_decl *t = find(&types, full_reference(home, name));
    if (!t)
        fail(at, "no type %s", full_reference(home, name));
    return t;
}

/* --- fields ----------------------------------------------------------------------------------------------------------- */

static void resolve_expression(struct field_decl *f, struct type_expr *t)
{
    if (t->elem)
        resolve_expression(f, t->elem);
    if (t->kind == TYPE_STRUCT)
        t->ref = need_type(f->at, f->home, t->name);
}

/* A cast to a named list: protobuf wraps it, and so it is another kind of type. */
static void wrap_named_list(struct field_decl *f)
{
    struct type_expr *t = &f->type;
    const char *full = full_reference(f->home, f->cast), *dot = strrchr(full, '.');

    if (!find(&enums, joined("%.*s.list %s", (int)(dot - full), full, dot + 1)))
        return;
    while (t->kind == TYPE_MAP)
        t = t->elem;
    if (t->kind != TYPE_LIST || t->elem->kind != TYPE_STRING)
        fail(f->at, "%s is a list of strings, the field is not", f->cast);
    t->kind = TYPE_WRAPPED_LIST;
}

static void resolve_field(struct field_decl *f)
{
    resolve_expression(f, &f->type);
    if (f->cast)
        wrap_named_list(f);
    if (f->enumeration) {
        f->enum_ref = find(&enums, full_reference(f->home, f->enumeration));
        if (!f->enum_ref)
            fail(f->at, "no enum %s", f->enumeration);
    }
    if (f->key_enumeration) /* may be a name without declared values */
        f->key_enum_ref = find(&enums, full_reference(f->home, f->key_enumeration));
}

/* An inlined struct with a number is a message inside the message; one without is not in protobuf. */
static void flatten(struct type_decl *t, const field_list *from, const int embedded[2], bool in_protobuf)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct field_decl *f = &from->p[i];
        if (!f->name) {
            int deeper[2] = {embedded[0], embedded[1]};
            if (f->number && deeper[1])
                fail(f->at, "messages are embedded more than twice");
            if (f->number)
                deeper[deeper[0] ? 1 : 0] = f->number;
            flatten(t, &f->type.ref->fields, deeper, in_protobuf && f->number);
            continue;
        }
        for (size_t j = 0; j < t->flat.n; j++)
            if (strcmp(t->flat.p[j].name, f->name) == 0)
                fail(f->at, "%s has two fields %s", t->name, f->name);
        struct field_decl *to = PUSH(&t->flat);
        *to = *f;
        to->embedded[0] = embedded[0];
        to->embedded[1] = embedded[1];
        if (!in_protobuf)
            to->number = 0;
    }
}

/* The type's own rules first, then those of inlined structs: as upstream calls its defaulting functions. */
static void gather_rules(struct type_decl *t, const struct type_decl *from)
{
    for (size_t i = 0; i < from->rules.n; i++)
        *PUSH(&t->flat_rules) = from->rules.p[i];
    for (size_t i = 0; i < from->fields.n; i++)
        if (!from->fields.p[i].name)
            gather_rules(t, from->fields.p[i].type.ref);
}

/* Says how the walk goes down into a field, if at all. */
static bool is_way_down(const char *item)
{
    return strcmp(item, "below") == 0 || strcmp(item, "below=.") == 0 || strcmp(item, "skip") == 0;
}

static bool says_where_below(const struct type_decl *t, const char *field)
{
    for (size_t i = 0; i < t->checks.n; i++) {
        const struct check_decl *c = &t->checks.p[i];
        const char *path = c->path ? c->path : t->fields.p[c->n_above - 1].name;
        for (size_t j = 0; j < c->items.n; j++)
            if (is_way_down(c->items.p[j]) && strcmp(path, field) == 0)
                return true;
    }
    return false;
}

/* Lines of the type that stand below its first n fields: those of the field itself, or those with paths. */
static void gather_lines(struct type_decl *t, const struct type_decl *from, size_t n, bool is_of_field)
{
    for (size_t i = 0; i < from->checks.n; i++) {
        const struct check_decl *c = &from->checks.p[i];
        if (c->n_above != n || !c->path != is_of_field)
            continue;
        struct check_decl *to = PUSH(&t->flat_checks);
        *to = *c;
        if (is_of_field)
            to->path = from->fields.p[n - 1].name;
    }
}

/* In the order of the lines; behind what a field's own lines say of it the walk goes down into it, unless a
 * line says where. */
static void gather_checks(struct type_decl *t, const struct type_decl *from)
{
    gather_lines(t, from, 0, false);
    for (size_t i = 0; i < from->fields.n; i++) {
        const struct field_decl *f = &from->fields.p[i];
        if (!f->name) {
            gather_checks(t, f->type.ref);
        } else {
            gather_lines(t, from, i + 1, true);
            if (!says_where_below(from, f->name)) {
                struct check_decl *down = PUSH(&t->flat_checks);
                *down = (struct check_decl){.at = f->at, .path = f->name, .owner = from};
                *PUSH(&down->items) = "below";
            }
        }
        gather_lines(t, from, i + 1, false);
    }
}

static bool leads_to_checks(const struct type_expr *e)
{
    while (e->elem)
        e = e->elem;
    return e->ref && e->ref->has_checks;
}

/* As with defaults. Afterwards only those ways down are left that lead to something. */
static void mark_checks(struct model *m)
{
    bool has_changed = true;

    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < m->types.n; i++) {
            struct type_decl *t = m->types.p[i];
            bool has_checks = false;
            for (size_t j = 0; j < t->flat_checks.n; j++)
                has_checks |= !is_way_down(t->flat_checks.p[j].items.p[0]);
            for (size_t j = 0; j < t->flat.n; j++)
                has_checks |= leads_to_checks(&t->flat.p[j].type);
            if (has_checks && !t->has_checks)
                t->has_checks = has_changed = true;
        }
    }
}

static bool has_defaults_below(const struct type_decl *t)
{
    for (size_t i = 0; i < t->flat.n; i++) {
        const struct type_expr *e = &t->flat.p[i].type;
        while (e->elem)
            e = e->elem;
        if (e->ref && e->ref->has_defaults)
            return true;
    }
    return false;
}

/* Types may lie in each other: passed on until nothing changes. */
static void mark_defaults(struct model *m)
{
    bool has_changed = true;

    for (size_t i = 0; i < m->types.n; i++) {
        struct type_decl *t = m->types.p[i];
        t->has_defaults = t->flat_rules.n > 0;
        for (size_t j = 0; j < t->flat.n; j++)
            t->has_defaults |= t->flat.p[j].fallback != NULL;
    }
    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < m->types.n; i++) {
            struct type_decl *t = m->types.p[i];
            if (!t->has_defaults && has_defaults_below(t))
                t->has_defaults = has_changed = true;
        }
    }
}

/* --- kinds ------------------------------------------------------------------------------------------------------------- */

static struct kind_decl *find_kind(struct model *m, const char *group, const char *version, const char *kind)
{
    for (size_t i = 0; i < m->kinds.n; i++) {
        struct kind_decl *k = m->kinds.p[i];
        if (strcmp(k->kind, kind) == 0 && strcmp(k->group, group) == 0 && strcmp(k->version, version) == 0)
            return k;
    }
    return NULL;
}

/* registration: "" for the file's own group-version, else "v1/Status", "meta.k8s.io/v1/Table", any version "x/Kind". */
static void add_kind(struct model *m, struct type_decl *t, const char *registration)
{
    struct kind_decl *k = calloc(1, sizeof *k);
    const char *name = strrchr(registration, '/');

    if (!k)
        abort();
    k->type = t;
    k->storage = k;
    if (!*registration) {
        k->group = t->file->group;
        k->version = t->file->version;
        k->kind = t->name;
    } else if (!name) {
        fail(t->at, "a kind is registered as VERSION/KIND or GROUP/VERSION/KIND");
    } else if (registration[0] == '*') {
        k->group = "*";
        k->version = "";
        k->kind = name + 1;
    } else {
        const char *slash = strchr(registration, '/');
        k->group = slash == name ? "" : copy(registration, (size_t)(slash - registration));
        k->version = slash == name ? copy(registration, (size_t)(name - registration))
                                   : copy(slash + 1, (size_t)(name - slash - 1));
        k->kind = name + 1;
    }
    if (find_kind(m, k->group, k->version, k->kind))
        fail(t->at, "the kind %s of %s/%s is registered twice", k->kind, k->group, k->version);
    *PUSH(&m->kinds) = k;
}

static int compare_kinds(const void *a, const void *b)
{
    const struct kind_decl *x = *(struct kind_decl *const *)a, *y = *(struct kind_decl *const *)b;
    int c = strcmp(x->group, y->group);
    if (c == 0)
        c = strcmp(x->version, y->version);
    return c ? c : strcmp(x->kind, y->kind);
}

/* --- resources ---------------------------------------------------------------------------------------------------------- */

static int compare_files(const void *a, const void *b)
{
    const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;
    if (x->group_priority != y->group_priority)
        return y->group_priority - x->group_priority;
    int c = strcmp(x->group, y->group);
    return c ? c : y->version_priority - x->version_priority;
}

static int compare_resources(const void *a, const void *b)
{
    struct resource_decl *const *x = a, *const *y = b;
    int c = compare_files(&(*x)->file, &(*y)->file);
    return c ? c : strcmp((*x)->name, (*y)->name);
}

static void resolve_storage(struct model *m, struct resource_decl *r)
{
    r->storage = r;
    if (!r->storage_name)
        return;
    r->storage = NULL;
    for (size_t i = 0; i < m->resources.n; i++) {
        struct resource_decl *s = m->resources.p[i];
        if (strcmp(s->name, r->name) == 0 && !s->storage_name &&
            strcmp(joined("%s/%s", s->file->dir, s->file->version), r->storage_name) == 0)
            r->storage = s;
    }
    if (!r->storage)
        fail(r->at, "%s has no resource %s that is stored as it is", r->storage_name, r->name);
}

static void resolve_selects(struct resource_decl *r)
{
    for (size_t i = 0; i < r->selects.n; i++) {
        struct select_decl *s = &r->selects.p[i];
        s->index = -1;
        for (size_t j = r->storage->selects.n; j-- > 0;)
            if (strcmp(r->storage->selects.p[j].path, s->path) == 0)
                s->index = (int)j;
        if (s->index < 0)
            fail(r->at, "the stored version does not select by %s", s->path);
    }
}

static void resolve_sub(struct resource_decl *r, struct sub_decl *s)
{
    s->group = r->file->group;
    s->version = r->file->version;
    if (!s->kind) {
        s->kind = r->kind;
        return;
    }
    struct type_decl *t = need_type(s->at, r->file, s->kind);
    s->group = t->file->group;
    s->version = t->file->version;
    s->kind = t->name;
}

static void resolve_resource(struct model *m, struct resource_decl *r)
{
    if (!r->file->is_served)
        fail(r->at, "the file has resources and no line that says served");
    r->kind_ref = find_kind(m, r->file->group, r->file->version, r->kind);
    if (!r->kind_ref)
        fail(r->at, "no kind %s", r->kind);
    if (r->verbs & VERB_LIST) {
        r->list_kind = find_kind(m, r->file->group, r->file->version, joined("%sList", r->kind));
        if (!r->list_kind)
            fail(r->at, "no kind %sList", r->kind);
    }
    if (!r->hash)
        r->hash = "";
    for (size_t i = 0; i < r->subs.n; i++)
        resolve_sub(r, &r->subs.p[i]);
    resolve_storage(m, r);
}

/* meta/special declares the messages of types that are no structs here. */
bool is_emitted(const struct type_decl *t)
{
    return strcmp(t->file->version, "special") != 0 && !(t->json && strcmp(t->json, "string") == 0);
}

void resolve(struct model *m)
{
    static const int not_embedded[2];

    index_names(m);
    for (size_t i = 0; i < m->types.n; i++) {
        struct type_decl *t = m->types.p[i];
        for (size_t j = 0; j < t->fields.n; j++)
            resolve_field(&t->fields.p[j]);
    }
    for (size_t i = 0; i < m->types.n; i++) {
        struct type_decl *t = m->types.p[i];
        flatten(t, &t->fields, not_embedded, true);
        gather_rules(t, t);
        gather_checks(t, t);
        for (size_t j = 0; j < t->kinds.n; j++)
            add_kind(m, t, t->kinds.p[j]);
    }
    mark_defaults(m);
    mark_checks(m);
    qsort(m->kinds.p, m->kinds.n, sizeof *m->kinds.p, compare_kinds);

    for (size_t i = 0; i < m->resources.n; i++)
        resolve_resource(m, m->resources.p[i]);
    for (size_t i = 0; i < m->resources.n; i++) {
        struct resource_decl *r = m->resources.p[i];
        r->kind_ref->storage = r->storage->kind_ref;
        resolve_selects(r);
    }
    qsort(m->resources.p, m->resources.n, sizeof *m->resources.p, compare_resources);

    for (size_t i = 0; i < m->files.n; i++)
        if (m->files.p[i]->is_served)
            *PUSH(&m->served) = m->files.p[i];
    qsort(m->served.p, m->served.n, sizeof *m->served.p, compare_files);
}
