/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.managedFields brought up to date. The entries are few and each is a whole set, so nothing is kept between requests.
 * Source: kubernetes/apimachinery pkg/util/managedfields/internal: fieldmanager.go for the order of the steps. */
#include <stdlib.h>

#include "patch.h"
#include "patch/managers.h"

#define UPDATERS_MAX 10
#define MANAGER_BYTES_MAX 128
#define ANCIENT TEXT("ancient-changes")
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* --- what counts and what does not --- */

/* Fields that the server keeps itself belong to nobody. */
#define FIELD(field, inner) {.at = {.kind = PATH_FIELD, .name = TEXT(field)}, .below = (inner), .is_member = true}
static const struct field_node own_metadata[] = {
    FIELD("clusterName", NULL), FIELD("creationTimestamp", NULL), FIELD("generation", NULL),
    FIELD("managedFields", NULL), FIELD("name", NULL), FIELD("namespace", NULL),
    FIELD("resourceVersion", NULL), FIELD("selfLink", NULL), FIELD("uid", NULL),
};
static const struct field_set own_metadata_set = {own_metadata, N_ELEMENTS(own_metadata)};
static const struct field_node own_nodes[] = {
    FIELD("apiVersion", NULL),
    FIELD("kind", NULL),
    FIELD("metadata", &own_metadata_set),
};
static const struct field_set own_set = {own_nodes, N_ELEMENTS(own_nodes)};
#undef FIELD

static const struct field_set *stripped(struct arena *a, const struct field_set *s)
{
    return field_set_difference(a, s, &own_set);
}

/* The first of equal age and least name first; times to the second. */
static int by_age(const void *x, const void *y)
{
    const struct manager *a = *(struct manager *const *)x, *b = *(struct manager *const *)y;
    int64_t at_a = manager_seconds(a), at_b = manager_seconds(b);

    return at_a != at_b ? (at_a < at_b ? -1 : 1) : manager_cmp(a, b);
}

/* Where the oldest changes of a version gather. */
struct bucket {
    struct text api_version;
    struct manager *first, *into; /* into NULL: there is none yet */
};

static struct bucket *bucket_of(struct arena *a, struct bucket **buckets, size_t *n, struct text api_version)
{
    for (size_t i = 0; i < *n; i++)
        if (text_eq((*buckets)[i].api_version, api_version))
            return &(*buckets)[i];
    *buckets = arena_grow(a, *buckets, *n * sizeof(**buckets), (*n + 1) * sizeof(**buckets));
    (*buckets)[*n] = (struct bucket){.api_version = api_version};
    return &(*buckets)[(*n)++];
}

static void pour(struct arena *a, struct manager *into, struct manager *from)
{
    into->fields = field_set_union(a, into->fields, from->fields);
    into->time = from->time; /* the later */
    into->name = ANCIENT;
    into->subresource = TEXT_NONE;
    from->fields = NULL;
}

/* More than so many updaters: the oldest ones of a version become one entry without a face. */
static void cap_updaters(struct managers *ms)
{
    struct manager **old;
    struct bucket *buckets = NULL;
    size_t n = 0, n_buckets = 0, left;

    for (size_t i = 0; i < ms->n; i++)
        n += !ms->p[i].is_apply;
    if (n <= UPDATERS_MAX)
        return;
    old = ARENA_ARRAY(ms->arena, struct manager *, n);
    left = n;
    n = 0;
    for (size_t i = 0; i < ms->n; i++)
        if (!ms->p[i].is_apply)
            old[n++] = &ms->p[i];
    qsort(old, n, sizeof(*old), by_age);
    for (size_t i = 0; i < n && left > UPDATERS_MAX; i++) {
        struct bucket *b = bucket_of(ms->arena, &buckets, &n_buckets, old[i]->api_version);
        if (!b->first) {
            const struct manager like = {.name = ANCIENT, .api_version = old[i]->api_version};
            b->first = old[i];
            b->into = managers_find(ms, &like);
            continue;
        }
        if (!b->into || b->into == old[i])
            b->into = b->first;
        pour(ms->arena, b->into, old[i]);
        left--;
    }
    managers_remove_empty(ms);
}

/* --- an update --- */

static struct value empty_object(struct arena *a, const struct schema_kind *kind)
{
    struct value object = value_object();

    value_add(a, &object, TEXT("apiVersion"), value_string(kind->api_version));
    value_add(a, &object, TEXT("kind"), value_string(kind->gvk.kind));
    schema_arrange(a, kind->schema, &object);
    return object;
}

/* A view of an object in arrays of its own as far as something is left out. */
static struct value members_but(struct arena *a, const struct value *object, struct text left_out)
{
    struct value view = value_object();

    view.is_exact = true;
    view.members = arena_alloc(a, object->n * sizeof(*view.members));
    for (size_t i = 0; i < object->n; i++)
        if (!text_eq(member_key(&object->members[i]), left_out))
            view.members[view.n++] = object->members[i];
    return view;
}

static struct value without_managed_fields(struct arena *a, const struct value *obj)
{
    const struct value *metadata = value_get(obj, TEXT("metadata"));
    struct value view;

    if (!value_get(metadata, TEXT("managedFields")))
        return *obj;
    view = members_but(a, obj, TEXT_NONE);
    *value_get(&view, TEXT("metadata")) = members_but(a, metadata, TEXT("managedFields"));
    return view;
}

/* obj in the version of the request, without managed fields. */
static int show(const struct managing *m, const struct value *obj, struct value *ret, struct status *st)
{
    struct value bare = without_managed_fields(m->arena, obj);

    if (m->kind == m->storage) {
        *ret = bare;
        return 0;
    }
    return schema_convert(m->arena, m->storage, m->kind, &bare, ret, st);
}

static struct text now_text(struct arena *a)
{
    char *dst = arena_alloc(a, CLOCK_TEXT_MAX);

    return clock_rfc3339(clock_now_ns(), dst);
}

static struct change change_of(const struct managing *m)
{
    return (struct change){
        .arena = m->arena, .kind = m->kind, .reset = field_set_of_names(m->arena, m->reset, m->n_reset)};
}

/* Records the change from before to after, both of m's kind, as made by this manager. -1: that cannot be told. */
static int record_update(const struct managing *m, struct managers *ms, const struct value *before, const struct value *after,
                         struct text name)
{
    const struct change c = change_of(m);
    const struct manager like = {.name = name.n ? name : TEXT("unknown"),
                                 .api_version = m->kind->api_version,
                                 .subresource = m->subresource};
    const struct field_set *fields;
    struct manager *own;

    managers_reconcile(ms, &c);
    if (managers_update(ms, &c, before, after, &fields) < 0)
        return -1;
    fields = stripped(m->arena, field_set_difference_deep(m->arena, fields, c.reset));
    if (fields) {
        own = managers_find(ms, &like);
        if (!own)
            own = managers_add(ms, &like);
        own->fields = field_set_union(m->arena, own->fields, fields);
        own->time = now_text(m->arena);
    }
    cap_updaters(ms);
    return 0;
}

static bool is_reset(const struct value *list)
{
    return list && list->kind == VALUE_LIST &&
           (list->n == 0 || (list->n == 1 && list->items[0].kind == VALUE_OBJECT && list->items[0].n == 0));
}

/* The entries to start from: what the client sent, where it may, else what there was. */
static struct managers entries_for(const struct managing *m, const struct value *live, const struct value *obj)
{
    const struct value *sent = value_at(obj, "metadata", "managedFields", NULL);
    const struct value *before = value_at(live, "metadata", "managedFields", NULL);

    if (!m->subresource.n) {
        struct managers ms;
        if (is_reset(sent))
            return (struct managers){.arena = m->arena};
        ms = managers_read_or_none(m->arena, sent, sent && before && value_equal(sent, before));
        if (ms.n)
            return ms;
    }
    return managers_read_or_none(m->arena, before, true);
}

static void set_managed(struct arena *a, struct value *obj, struct managers *ms)
{
    struct value *metadata = value_object_at(a, obj, TEXT("metadata"));

    if (ms->n)
        value_set(a, metadata, TEXT("managedFields"), managers_write(a, ms));
    else
        value_remove(metadata, TEXT("managedFields"));
}

void managed_update(const struct managing *m, const struct value *live, struct value *obj)
{
    CLEANUP(status_clear) struct status st = {0};
    struct managers ms = entries_for(m, live, obj);
    struct value before, after;

    if (!ms.n && live) { /* nothing was ever recorded, or the client wants nothing to be */
        set_managed(m->arena, obj, &ms);
        return;
    }
    if (!live)
        before = empty_object(m->arena, m->kind);
    if ((live && show(m, live, &before, &st) < 0) || show(m, obj, &after, &st) < 0 ||
        record_update(m, &ms, &before, &after, m->manager) < 0)
        ms.n = 0;
    set_managed(m->arena, obj, &ms);
}

/* --- an apply --- */

static struct text name_of(struct arena *a, const struct value *obj, const struct schema_kind *kind)
{
    const struct value *metadata = value_get(obj, TEXT("metadata"));

    return arena_textf(a, "%.*s/%.*s; %.*s/%.*s, Kind=%.*s", TEXT_ARG(value_get_text(metadata, TEXT("namespace"))),
                       TEXT_ARG(value_get_text(metadata, TEXT("name"))), TEXT_ARG(kind->gvk.group),
                       TEXT_ARG(kind->gvk.version), TEXT_ARG(kind->gvk.kind));
}

static int check_kind(const struct managing *m, const struct value *patch, struct status *st)
{
    struct text group, version, api_version = value_get_text(patch, TEXT("apiVersion"));
    struct text kind = value_get_text(patch, TEXT("kind"));

    if (text_eq(api_version, m->kind->api_version) && text_eq(kind, m->kind->gvk.kind))
        return 0;
    group_version_parse(api_version, &group, &version);
    return status_set(st, STATUS_BAD_REQUEST, "invalid object type: %.*s/%.*s, Kind=%.*s", TEXT_ARG(group),
                      TEXT_ARG(version), TEXT_ARG(kind));
}

/* what: the words before the object's name, after: those behind it. */
static int check_typed(const struct managing *m, const struct value *obj, bool allows_repeats, const char *what,
                       const char *after, struct status *st)
{
    const struct schema_type type = {.kind = TYPE_STRUCT, .schema = m->kind->schema};
    struct text problem = typed_problem(m->arena, typed_of(&type), obj, allows_repeats);

    if (!problem.n)
        return 0;
    return status_set(st, STATUS_UNKNOWN, "%s (%.*s)%s: %.*s", what, TEXT_ARG(name_of(m->arena, obj, m->kind)), after,
                      TEXT_ARG(problem));
}

/* An object of which nothing is recorded belongs to everybody: what it has becomes the fields of one manager. */
static int begin_managing(const struct managing *m, const struct value *empty, const struct value *live, struct managers *ms,
                          struct status *st)
{
    if (record_update(m, ms, empty, live, TEXT("before-first-apply")) == 0)
        return 0;
    if (check_typed(m, live, true, "failed to create manager for existing fields: failed to convert new object",
                    " to smd typed", st) < 0)
        return -1;
    return status_set(st, STATUS_UNKNOWN, "failed to create manager for existing fields");
}

static int check_patch(const struct managing *m, const struct value *patch, struct status *st)
{
    const struct value *managed = value_at(patch, "metadata", "managedFields", NULL);

    if (managed && managed->kind != VALUE_NULL)
        return status_set(st, STATUS_BAD_REQUEST, "metadata.managedFields must be nil");
    return check_typed(m, patch, false, "failed to create typed patch object", "", st);
}

struct applying {
    const struct managing *m;
    const struct value *live;
};

/* The fields that kubectl's client-side apply last set and that are still as it set them: a kubectl that begins to apply by the
 * server has no conflict over them. */
static const struct field_set *client_side_fields(void *ctx)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct applying *ap = ctx;
    struct arena *a = ap->m->arena;
    const struct schema_type type = {.kind = TYPE_STRUCT, .schema = ap->m->kind->schema};
    struct text json = value_text(value_at(ap->live, "metadata", "annotations", LAST_APPLIED, NULL));
    struct typed t = typed_of(&type);
    struct value last;

    if (!json.n || json_read(a, json, NULL, &last, &st) < 0 || last.kind != VALUE_OBJECT ||
        !text_eq(value_get_text(&last, TEXT("apiVersion")), ap->m->kind->api_version) ||
        typed_problem(a, t, &last, false).n || typed_problem(a, t, ap->live, false).n)
        return NULL;
    const struct field_set *fields = typed_fields(a, t, &last);
    struct comparison c = typed_compare(a, t, &last, ap->live);
    fields = field_set_difference(a, fields, c.modified);
    fields = field_set_difference(a, fields, c.added);
    return field_set_difference(a, fields, c.removed);
}

static int apply(const struct managing *m, struct managers *ms, const struct value *live, const struct value *patch, bool force,
                 struct value *ret, bool *ret_is_same, struct status *st)
{
    const struct applying ap = {m, live};
    struct change c = change_of(m);
    const struct manager who = {.name = m->manager.n ? m->manager : TEXT("unknown"),
                                .api_version = m->kind->api_version,
                                .subresource = m->subresource,
                                .is_apply = true};

    if (text_is(m->manager, "kubectl"))
        c.yielded = client_side_fields, c.ctx = (void *)&ap;
    managers_reconcile(ms, &c);
    if (managers_apply(ms, &c, live, patch, &who, force, ret, ret_is_same, st) == 0)
        return 0;
    if (st->reason != STATUS_OK) /* else the live object is not what its type says */
        return -1;
    if (check_typed(m, live, true, "failed to create typed live object", "", st) < 0)
        return -1;
    return status_set(st, STATUS_UNKNOWN, "failed to compare objects");
}

static int by_key(const void *x, const void *y)
{
    return text_cmp(member_key(x), member_key(y));
}

/* As Go writes maps. */
static void sort_members(struct value *v)
{
    for (size_t i = 0; v->kind == VALUE_LIST && i < v->n; i++)
        sort_members(&v->items[i]);
    if (v->kind != VALUE_OBJECT || !v->n)
        return;
    qsort(v->members, v->n, sizeof(*v->members), by_key);
    for (size_t i = 0; i < v->n; i++)
        sort_members(&v->members[i].value);
}

/* kubectl's own record of what it applied follows what it applies by the server. */
static void renew_last_applied(struct arena *a, const struct value *patch, struct value *obj)
{
    struct value *there = value_at(obj, "metadata", "annotations", LAST_APPLIED, NULL), *metadata, *annotations, copy;
    struct buffer json = BUFFER_IN(a);

    if (!value_text(there).n)
        return;
    copy = value_copy(a, patch);
    metadata = value_get(&copy, TEXT("metadata"));
    annotations = value_get(metadata, TEXT("annotations"));
    if (annotations && annotations->kind == VALUE_OBJECT) {
        value_remove(annotations, TEXT(LAST_APPLIED));
        for (size_t i = 0; i < annotations->n; i++)
            if (annotations->members[i].value.kind == VALUE_NULL)
                annotations->members[i].value = value_string(TEXT(""));
    } else if (annotations)
        value_remove(metadata, TEXT("annotations"));
    sort_members(&copy);
    json_write(&json, &copy);
    buffer_add_char(&json, '\n');
    *there = value_string(buffer_text(&json));
}

int managed_apply(const struct managing *m, const struct value *live, const struct value *patch, bool force,
                  struct value *ret, struct value *ret_managed, bool *ret_is_same, struct status *st)
{
    const struct manager like = {.name = m->manager.n ? m->manager : TEXT("unknown"),
                                 .subresource = m->subresource,
                                 .is_apply = true};
    struct managers ms;
    struct manager *own;
    struct value now, merged, empty = empty_object(m->arena, m->kind);

    if (check_kind(m, patch, st) < 0)
        return -1;
    if (managers_read(m->arena, value_at(live, "metadata", "managedFields", NULL), &ms, st) < 0)
        return status_wrap(st, "failed to decode managed fields");
    if (live && show(m, live, &now, st) < 0)
        return -1;
    if (!live)
        now = empty;
    else if (!ms.n && begin_managing(m, &empty, &now, &ms, st) < 0)
        return -1;
    if (check_patch(m, patch, st) < 0)
        return -1;
    if (apply(m, &ms, &now, patch, force, &merged, ret_is_same, st) < 0)
        return -1;
    own = managers_find(&ms, &like);
    if (own) {
        own->fields = stripped(m->arena, own->fields);
        if (!own->fields)
            managers_remove(&ms, own);
        else if (!*ret_is_same)
            own->time = now_text(m->arena);
    }
    if (text_is(m->manager, "kubectl"))
        renew_last_applied(m->arena, patch, &merged);
    *ret = merged;
    *ret_managed = ms.n ? managers_write(m->arena, &ms) : value_null;
    return 0;
}

/* --- around it --- */

void managed_keep_reset(struct arena *a, struct value *sent)
{
    struct value *list = value_at(sent, "metadata", "managedFields", NULL);

    if (list && list->kind == VALUE_LIST && list->n == 0)
        value_append(a, list, value_object());
}

bool managed_equal_but_times(const struct value *x, const struct value *y)
{
    static const struct text keys[] = {TEXT("manager"), TEXT("operation"), TEXT("apiVersion"), TEXT("subresource"),
                                       TEXT("fieldsV1")};

    if (!x || !y || x->kind != VALUE_LIST || y->kind != VALUE_LIST || x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        for (size_t k = 0; k < N_ELEMENTS(keys); k++) {
            const struct value *p = value_get(&x->items[i], keys[k]), *q = value_get(&y->items[i], keys[k]);
            if (!p != !q || (p && !value_equal(p, q)))
                return false;
        }
    return true;
}

struct text managed_name_of_agent(struct arena *a, struct text user_agent)
{
    struct text rest = user_agent, name = TEXT_NONE;
    struct buffer b = BUFFER_IN(a);
    uint32_t rune;

    text_split(&rest, '/', &name);
    while (name.n) {
        size_t n = text_rune(name, &rune);
        if (!n) {
            name = text_from(name, 1);
            continue;
        }
        if (b.n + n > MANAGER_BYTES_MAX)
            break;
        if (rune >= 0x20 && !(rune >= 0x7f && rune < 0xa0))
            buffer_add(&b, text_first(name, n));
        name = text_from(name, n);
    }
    return b.n ? buffer_text(&b) : TEXT("");
}
