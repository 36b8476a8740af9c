/* SPDX-License-Identifier: Apache-2.0 */
#include "patch/managers.h"

#include <stdlib.h>

/* --- the list --- */

struct manager *managers_add(struct managers *ms, const struct manager *m)
{
    if (ms->n == ms->cap) {
        size_t cap = ms->cap ? 2 * ms->cap : 8;
        ms->p = arena_grow(ms->arena, ms->p, ms->cap * sizeof(*ms->p), cap * sizeof(*ms->p));
        ms->cap = cap;
    }
    ms->p[ms->n] = *m;
    return &ms->p[ms->n++];
}

struct manager *managers_find(struct managers *ms, const struct manager *like)
{
    for (size_t i = 0; i < ms->n; i++) {
        struct manager *m = &ms->p[i];
        if (m->is_apply == like->is_apply && text_eq(m->name, like->name) && text_eq(m->subresource, like->subresource) &&
            (m->is_apply || text_eq(m->api_version, like->api_version)))
            return m;
    }
    return NULL;
}

int manager_cmp(const struct manager *a, const struct manager *b)
{
    int c = text_cmp(a->name, b->name);

    if (c == 0)
        c = (int)b->is_apply - (int)a->is_apply;
    if (c == 0 && !a->is_apply)
        c = text_cmp(a->api_version, b->api_version);
    if (c == 0 && !a->subresource.n != !b->subresource.n)
        return a->subresource.n ? -1 : 1; /* upstream compares JSON, where ',' comes before '}' */
    return c ? c : text_cmp(a->subresource, b->subresource);
}

void managers_remove(struct managers *ms, struct manager *m)
{
    size_t i = (size_t)(m - ms->p);

    memmove(m, m + 1, (ms->n - i - 1) * sizeof(*m));
    ms->n--;
}

void managers_remove_empty(struct managers *ms)
{
    size_t n = 0;

    for (size_t i = 0; i < ms->n; i++)
        if (ms->p[i].fields)
            ms->p[n++] = ms->p[i];
    ms->n = n;
}

/* --- versions --- */

static struct schema_type type_of_kind(const struct schema_kind *k)
{
    return (struct schema_type){.kind = TYPE_STRUCT, .schema = k->schema};
}

/* The kind in another version; NULL: that version is gone. */
static const struct schema_kind *kind_at(const struct change *c, struct text api_version)
{
    return text_eq(api_version, c->kind->api_version) ? c->kind : schema_kind_of(api_version, c->kind->gvk.kind);
}

/* False: it cannot be shown in that version. */
static bool convert(struct arena *a, const struct schema_kind *from, const struct schema_kind *to, const struct value *v,
                    struct value *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value canonical;

    if (from == to) {
        *ret = *v;
        return true;
    }
    canonical = value_copy(a, v);
    if (schema_decode(a, from->schema, &canonical, NULL, &st) < 0)
        return false;
    if (from->storage != from && from->storage != to) {
        struct value stored;
        return schema_convert(a, from, from->storage, &canonical, &stored, &st) == 0 &&
               schema_convert(a, from->storage, to, &stored, ret, &st) == 0;
    }
    return schema_convert(a, from, to, &canonical, ret, &st) == 0;
}

/* The comparison in every version in which somebody manages something, each made once. */
struct version {
    struct text api_version;
    bool is_gone;
    struct comparison changed;
};
struct versions {
    const struct change *c;
    const struct value *before, *after;
    struct version *p;
    size_t n;
};

static struct version *version_of(struct versions *vs, struct text api_version)
{
    struct arena *a = vs->c->arena;

    for (size_t i = 0; i < vs->n; i++)
        if (text_eq(vs->p[i].api_version, api_version))
            return &vs->p[i];
    vs->p = arena_grow(a, vs->p, vs->n * sizeof(*vs->p), (vs->n + 1) * sizeof(*vs->p));
    struct version *v = &vs->p[vs->n++];
    const struct schema_kind *kind = kind_at(vs->c, api_version);
    struct value before, after;

    *v = (struct version){.api_version = api_version};
    if (!kind || !convert(a, vs->c->kind, kind, vs->before, &before) || !convert(a, vs->c->kind, kind, vs->after, &after)) {
        v->is_gone = true;
        return v;
    }
    const struct schema_type type = type_of_kind(kind);
    v->changed = typed_compare(a, typed_of(&type), &before, &after);
    v->changed.added = field_set_difference_deep(a, v->changed.added, vs->c->reset);
    v->changed.removed = field_set_difference_deep(a, v->changed.removed, vs->c->reset);
    v->changed.modified = field_set_difference_deep(a, v->changed.modified, vs->c->reset);
    return v;
}

void managers_reconcile(struct managers *ms, const struct change *c)
{
    for (size_t i = 0; i < ms->n; i++) {
        const struct schema_kind *kind = kind_at(c, ms->p[i].api_version);
        if (!kind) {
            ms->p[i].fields = NULL;
            continue;
        }
        const struct schema_type type = type_of_kind(kind);
        ms->p[i].fields = typed_reconcile(c->arena, typed_of(&type), ms->p[i].fields);
    }
    managers_remove_empty(ms);
}

/* --- taking fields from others --- */

struct conflict {
    const struct manager *with;
    struct text path;
    size_t at; /* in order of arrival, which sorting keeps */
};
struct conflicts {
    struct conflict *p;
    size_t n, cap;
};
struct gathering {
    struct arena *arena;
    struct conflicts *to;
    const struct manager *with;
};

static void gather(void *ctx, struct text path)
{
    struct gathering *g = ctx;
    struct conflicts *to = g->to;

    if (to->n == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 8;
        to->p = arena_grow(g->arena, to->p, to->cap * sizeof(*to->p), cap * sizeof(*to->p));
        to->cap = cap;
    }
    to->p[to->n] = (struct conflict){g->with, path, to->n};
    to->n++;
}

/* What m had of the fields that change. */
static const struct field_set *fields_lost(const struct version *v, struct arena *a, const struct manager *m)
{
    return field_set_intersection(a, m->fields, field_set_union(a, v->changed.modified, v->changed.added));
}

static void lose(struct arena *a, struct manager *m, const struct field_set *lost)
{
    if (lost)
        m->fields = field_set_difference(a, m->fields, lost);
}

/* All but `who` lose what changes; who NULL: a change that has no entry yet. */
static void take_fields(struct managers *ms, struct versions *vs, const struct manager *who)
{
    struct arena *a = vs->c->arena;

    for (size_t i = 0; i < ms->n; i++) {
        struct manager *m = &ms->p[i];
        const struct version *v;
        if (m == who)
            continue;
        v = version_of(vs, m->api_version);
        if (v->is_gone) {
            m->fields = NULL;
            continue;
        }
        lose(a, m, fields_lost(v, a, m));
        lose(a, m, field_set_intersection(a, m->fields, v->changed.removed));
    }
}

/* What the others would lose, but for the fields of `yielded`. */
static struct conflicts find_conflicts(struct managers *ms, struct versions *vs, const struct manager *who,
                                       const struct field_set *yielded)
{
    struct arena *a = vs->c->arena;
    struct conflicts conflicts = {0};

    for (size_t i = 0; i < ms->n; i++) {
        const struct manager *m = &ms->p[i];
        const struct version *v = m == who ? NULL : version_of(vs, m->api_version);
        if (v && !v->is_gone)
            field_set_each(field_set_difference(a, fields_lost(v, a, m), yielded), a, gather,
                           &(struct gathering){a, &conflicts, m});
    }
    return conflicts;
}

int managers_update(struct managers *ms, const struct change *c, const struct value *before, const struct value *after,
                    const struct field_set **ret_fields)
{
    struct versions vs = {.c = c, .before = before, .after = after};
    const struct version *own = version_of(&vs, c->kind->api_version);

    *ret_fields = field_set_union(c->arena, own->changed.modified, own->changed.added);
    take_fields(ms, &vs, NULL);
    managers_remove_empty(ms);
    for (size_t i = 0; i < vs.n; i++)
        if (vs.p[i].changed.problem)
            return -1;
    return 0;
}

/* --- conflicts --- */

static const char *manager_text(struct arena *a, const struct manager *m)
{
    struct buffer b = BUFFER_IN(a);

    buffer_add_quoted(&b, m->name);
    if (m->subresource.n) {
        buffer_add_str(&b, " with subresource ");
        buffer_add_quoted(&b, m->subresource);
    }
    if (!m->is_apply)
        buffer_addf(&b, " using %.*s", TEXT_ARG(m->api_version));
    return buffer_str(&b);
}

static int by_manager(const void *x, const void *y)
{
    const struct conflict *a = x, *b = y;
    int c = manager_cmp(a->with, b->with);

    return c ? c : a->at < b->at ? -1 : 1;
}

static int fail_conflicts(struct arena *a, struct conflicts *conflicts, struct status *st)
{
    struct buffer b = BUFFER_IN(a);

    qsort(conflicts->p, conflicts->n, sizeof(*conflicts->p), by_manager);
    for (size_t i = 0; i < conflicts->n && conflicts->n > 1; i++) {
        if (i == 0 || conflicts->p[i].with != conflicts->p[i - 1].with)
            buffer_addf(&b, "%sconflicts with %s:", b.n ? "\n" : "", manager_text(a, conflicts->p[i].with));
        buffer_addf(&b, "\n- %.*s", TEXT_ARG(conflicts->p[i].path));
    }
    if (conflicts->n == 1)
        status_record(st, STATUS_CONFLICT, "Apply failed with 1 conflict: conflict with %s: %.*s",
                      manager_text(a, conflicts->p[0].with), TEXT_ARG(conflicts->p[0].path));
    else
        status_record(st, STATUS_CONFLICT, "Apply failed with %zu conflicts: %s", conflicts->n, buffer_str(&b));
    status_details(st, TEXT(""), TEXT(""), TEXT(""));
    for (size_t i = 0; i < conflicts->n; i++)
        status_add_cause(st, "FieldManagerConflict", arena_str(a, conflicts->p[i].path), "conflict with %s",
                         manager_text(a, conflicts->p[i].with));
    return -1;
}

static int check_conflicts(struct managers *ms, struct versions *vs, const struct manager *who, struct status *st)
{
    const struct change *c = vs->c;
    struct conflicts conflicts = find_conflicts(ms, vs, who, NULL);

    if (conflicts.n && c->yielded)
        conflicts = find_conflicts(ms, vs, who, c->yielded(c->ctx));
    return conflicts.n ? fail_conflicts(c->arena, &conflicts, st) : 0;
}

/* --- applying --- */

/* What everybody owns, by version; prunes in the version of the last apply. */
struct pruning {
    const struct change *c;
    struct managers *ms;
};

/* Puts back into pruned what merged has and somebody owns in this version. Both are of the kind `from`; the result is of `to`. */
static bool add_back_owned(const struct pruning *p, const struct schema_kind *from, const struct schema_kind *to,
                           struct value *merged, struct value *pruned)
{
    struct arena *a = p->c->arena;
    const struct schema_type type = type_of_kind(to);
    const struct field_set *owned = NULL, *of_merged, *of_pruned;
    struct typed t = typed_of(&type);
    struct value m, r;

    for (size_t i = 0; i < p->ms->n; i++)
        if (text_eq(p->ms->p[i].api_version, to->api_version))
            owned = field_set_union(a, owned, p->ms->p[i].fields);
    if (!convert(a, from, to, merged, &m) || !convert(a, from, to, pruned, &r))
        return false;
    of_merged = typed_name_fields(a, t, typed_fields(a, t, &m));
    of_pruned = typed_name_fields(a, t, typed_fields(a, t, &r));
    owned = typed_name_fields(a, t, owned);
    *pruned = typed_remove(a, t, &m, field_set_difference(a, of_merged, field_set_union(a, of_pruned, owned)));
    *merged = m;
    return true;
}

static bool is_first_of_version(const struct managers *ms, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (text_eq(ms->p[j].api_version, ms->p[i].api_version))
            return false;
    return true;
}

static void add_back_all(const struct pruning *p, const struct schema_kind *last, struct value *merged, struct value *pruned,
                         const struct schema_kind **ret_kind)
{
    const struct schema_kind *now = last;

    add_back_owned(p, last, last, merged, pruned);
    for (size_t i = 0; i < p->ms->n; i++) {
        const struct schema_kind *to = kind_at(p->c, p->ms->p[i].api_version);
        if (to && to != last && is_first_of_version(p->ms, i) && add_back_owned(p, now, to, merged, pruned))
            now = to;
    }
    *ret_kind = now;
}

/* What who applied last and does not apply now goes out of merged, unless others own it or it hangs on what they own. */
static void prune(const struct pruning *p, const struct field_set *last_fields, struct text last_version, struct value *merged)
{
    struct arena *a = p->c->arena;
    const struct schema_kind *last = kind_at(p->c, last_version), *now;
    struct value full, pruned, whole, in_last;

    if (!last_fields || !last || !convert(a, p->c->kind, last, merged, &full))
        return;
    const struct schema_type type = type_of_kind(last);
    struct typed t = typed_of(&type);
    last_fields = typed_name_fields(a, t, last_fields);
    pruned = typed_remove(a, t, &full, last_fields);
    whole = full;
    add_back_all(p, last, &whole, &pruned, &now);
    /* Items that only hang on: removed from the merged object go those that were applied last and are gone from the pruned. */
    if (!convert(a, now, last, &pruned, &in_last))
        return;
    const struct field_set *of_pruned = typed_name_fields(a, t, typed_fields(a, t, &in_last));
    const struct field_set *of_merged = typed_name_fields(a, t, typed_fields(a, t, &full));
    const struct field_set *gone =
        field_set_intersection(a, field_set_difference(a, of_merged, of_pruned), last_fields);
    pruned = typed_remove(a, t, &full, gone);
    convert(a, last, p->c->kind, &pruned, merged);
}

int managers_apply(struct managers *ms, const struct change *c, const struct value *live, const struct value *applied,
                   const struct manager *who, bool force, struct value *ret, bool *ret_is_same, struct status *st)
{
    struct arena *a = c->arena;
    const struct schema_type type = type_of_kind(c->kind);
    struct typed t = typed_of(&type);
    struct manager *own = managers_find(ms, who);
    const struct manager last = own ? *own : (struct manager){0};
    struct value merged;

    if (typed_merge(a, t, live, applied, &merged, st) < 0)
        return -1;
    if (!own)
        own = managers_add(ms, who);
    own->api_version = who->api_version;
    own->fields = field_set_difference_deep(a, typed_fields(a, t, applied), c->reset);
    /* Who leaves nothing out has nothing to prune. */
    if (!text_eq(last.api_version, own->api_version) || !field_set_has_all(own->fields, last.fields))
        prune(&(struct pruning){c, ms}, last.fields, last.api_version, &merged);

    struct versions vs = {.c = c, .before = live, .after = &merged};
    if (version_of(&vs, c->kind->api_version)->changed.problem)
        return -1;
    if (!force && check_conflicts(ms, &vs, own, st) < 0)
        return -1;
    take_fields(ms, &vs, own);
    managers_remove_empty(ms);
    *ret_is_same = value_equal(live, &merged);
    *ret = merged;
    return 0;
}
