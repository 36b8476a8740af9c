/* SPDX-License-Identifier: Apache-2.0 */
/* An object is one allocation: the struct, the arrays of labels and fields, a pool for texts that JSON does not hold
 * verbatim (the key, escaped strings), then the JSON as head, hole, tail. The hole has room for the longest resource
 * version; sealing writes the true one at its end and moves the head, which is the shorter side (kind, apiVersion, name,
 * namespace, uid), up to it. */
#include "storage/object.h"

#include <stdio.h>
#include <stdlib.h>

#define HOLE_MAX (sizeof("\"resourceVersion\":\"18446744073709551615\",") - 1)
/* How far behind the resource version labels are looked for: they stand before annotations and managed fields. */
#define LABELS_WINDOW 1024

/* What an object is made of, before it is laid out. Texts that lie in head or tail move with them. */
struct parts {
    const struct resource_type *type;
    struct text head, tail; /* of the JSON, around the resource version */
    struct text name, namespace, uid;
    struct text *labels; /* n_labels pairs */
    size_t n_labels;
    const struct text *fields;
    int64_t creation_ns;
    bool is_deleting;
};

/* --- selectable fields -------------------------------------------------------------------------------------------- */

/* An event's source is its component or, for newer clients, who reports.
 * Source: kubernetes pkg/registry/core/event/strategy.go, ToSelectableFields. */
static struct text event_source(const struct value *tree)
{
    struct text t = value_text(value_at(tree, "source", "component", NULL));
    return t.n ? t : value_get_text(tree, TEXT("reportingComponent"));
}

static const struct {
    const char *name;
    struct text (*get)(const struct value *tree);
} field_functions[] = {
    {"@event_source", event_source},
};

/* What an absent field counts as: Go's zero, unless the field is a pointer. */
static struct text absent_field(const struct resource_type *type, struct text path)
{
    const struct schema *s = type->kind ? type->kind->schema : NULL;
    const struct schema_field *f = NULL;
    struct text part;
    while (s && text_split(&path, '.', &part)) {
        f = schema_field_of(s, part);
        s = f && f->type.kind == TYPE_STRUCT ? f->type.schema : NULL;
        if (path.p && !s)
            return TEXT_NONE;
    }
    if (!f || f->type.is_pointer)
        return TEXT_NONE;
    switch (f->type.kind) {
    case TYPE_BOOL:
        return TEXT("false");
    case TYPE_INT32:
    case TYPE_INT64:
        return TEXT("0");
    default:
        return TEXT_NONE;
    }
}

/* scratch: 24 bytes for a number's digits. */
static struct text field_text(const struct resource_type *type, struct text path, const struct value *tree,
                              char *scratch)
{
    if (path.n && path.p[0] == '@') {
        for (size_t i = 0; i < N_ELEMENTS(field_functions); i++)
            if (text_is(path, field_functions[i].name))
                return field_functions[i].get(tree);
        return TEXT_NONE;
    }
    struct text rest = path, part;
    const struct value *v = tree;
    while (v && text_split(&rest, '.', &part))
        v = part.n ? value_get(v, part) : v; /* CRDs write ".spec.color" */
    if (!v)
        return absent_field(type, path);
    switch (v->kind) {
    case VALUE_STRING:
        return value_text(v);
    case VALUE_BOOL:
        return v->boolean ? TEXT("true") : TEXT("false");
    case VALUE_INT:
        return (struct text){scratch, (size_t)snprintf(scratch, 24, "%lld", (long long)v->integer)};
    default:
        return TEXT_NONE;
    }
}

/* --- layout ------------------------------------------------------------------------------------------------------- */

static bool lies_in(struct text t, struct text whole)
{
    return t.p >= whole.p && t.p + t.n <= whole.p + whole.n;
}

static int pair_cmp(const void *a, const void *b)
{
    return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

/* Gathers the pairs of metadata.labels, sorted, in a malloc'd array. */
static size_t gather_labels(const struct value *metadata, struct text **ret)
{
    const struct value *labels = value_get(metadata, TEXT("labels"));
    if (!labels || labels->kind != VALUE_OBJECT || labels->n == 0)
        return 0;
    struct text *p = xmalloc(labels->n * 2 * sizeof(*p));
    bool is_sorted = true;
    for (uint32_t i = 0; i < labels->n; i++) {
        p[2 * i] = member_key(&labels->members[i]);
        p[2 * i + 1] = value_text(&labels->members[i].value);
        is_sorted = is_sorted && (i == 0 || text_cmp(p[2 * i - 2], p[2 * i]) < 0);
    }
    if (!is_sorted)
        qsort(p, labels->n, 2 * sizeof(*p), pair_cmp);
    *ret = p;
    return labels->n;
}

/* Points t at its copy between *from and end of the JSON, which has the labels in this order, so that no second copy is
 * needed; leaves it alone if there is none (it is escaped there). */
static void find_in_json(struct text *t, const char **from, const char *end)
{
    if (t->n == 0)
        return;
    const char *at = memmem(*from, (size_t)(end - *from), t->p, t->n);
    if (at) {
        t->p = at;
        *from = at + t->n;
    }
}

struct layout {
    const struct parts *parts;
    char *pool;
    const char *head, *tail; /* of the new object */
};

/* The new object's own copy of a text. */
static struct text place(struct layout *l, struct text t)
{
    if (t.n == 0)
        return (struct text){"", 0};
    if (lies_in(t, l->parts->head))
        return (struct text){l->head + (t.p - l->parts->head.p), t.n};
    if (lies_in(t, l->parts->tail))
        return (struct text){l->tail + (t.p - l->parts->tail.p), t.n};
    char *to = l->pool;
    memcpy(to, t.p, t.n);
    l->pool += t.n;
    return (struct text){to, t.n};
}

static size_t pool_bytes(const struct parts *p)
{
    size_t n = p->namespace.n + 1 + p->name.n;
    n += lies_in(p->uid, p->head) || lies_in(p->uid, p->tail) ? 0 : p->uid.n;
    for (size_t i = 0; i < 2 * p->n_labels; i++)
        n += lies_in(p->labels[i], p->head) || lies_in(p->labels[i], p->tail) ? 0 : p->labels[i].n;
    for (size_t i = 0; i < p->type->n_selectable; i++)
        n += p->fields[i].n;
    return n;
}

static struct object *build(const struct parts *p)
{
    size_t n_fields = p->type->n_selectable;
    size_t arrays = (2 * p->n_labels + n_fields) * sizeof(struct text), pool = pool_bytes(p);
    size_t bytes = sizeof(struct object) + arrays + pool + p->head.n + HOLE_MAX + p->tail.n;
    struct object *o = xmalloc(bytes);
    struct text *texts = (struct text *)(o + 1);
    char *json = (char *)texts + arrays + pool;
    struct layout l = {.parts = p, .pool = (char *)texts + arrays, .head = json,
                       .tail = json + p->head.n + HOLE_MAX};

    if (p->head.n)
        memcpy(json, p->head.p, p->head.n);
    if (p->tail.n)
        memcpy(json + p->head.n + HOLE_MAX, p->tail.p, p->tail.n);
    *o = (struct object){.refs = 1, .type = p->type, .creation_ns = p->creation_ns, .is_deleting = p->is_deleting,
                         .bytes = (uint32_t)bytes, .n_labels = (uint32_t)p->n_labels, .n_fields = (uint32_t)n_fields,
                         .labels = texts, .fields = texts + 2 * p->n_labels,
                         .json = {json, p->head.n + HOLE_MAX + p->tail.n},
                         .rv_at = (uint32_t)p->head.n, .rv_n = HOLE_MAX};
    o->key.p = l.pool;
    if (p->namespace.n) {
        memcpy(l.pool, p->namespace.p, p->namespace.n);
        l.pool[p->namespace.n] = '/';
        l.pool += p->namespace.n + 1;
    }
    if (p->name.n)
        memcpy(l.pool, p->name.p, p->name.n);
    l.pool += p->name.n;
    o->key.n = (size_t)(l.pool - o->key.p);
    o->namespace = text_first(o->key, p->namespace.n);
    o->name = text_from(o->key, o->key.n - p->name.n);
    o->uid = place(&l, p->uid);
    for (size_t i = 0; i < 2 * p->n_labels; i++)
        texts[i] = place(&l, p->labels[i]);
    for (size_t i = 0; i < n_fields; i++)
        texts[2 * p->n_labels + i] = place(&l, p->fields[i]);
    o->hash = (uint32_t)text_hash(o->key);
    return o;
}

static struct object *build_from_tree(struct parts *p, const struct value *tree)
{
    const struct value *metadata = value_get(tree, TEXT("metadata"));
    struct text fields[UINT8_MAX + 1];
    char numbers[UINT8_MAX + 1][24];

    p->name = value_get_text(metadata, TEXT("name"));
    p->namespace = p->type->is_namespaced ? value_get_text(metadata, TEXT("namespace")) : TEXT_NONE;
    p->uid = value_get_text(metadata, TEXT("uid"));
    clock_parse_rfc3339(value_get_text(metadata, TEXT("creationTimestamp")), &p->creation_ns);
    const struct value *deletion = value_get(metadata, TEXT("deletionTimestamp"));
    p->is_deleting = deletion && deletion->kind != VALUE_NULL;
    for (size_t i = 0; i < p->type->n_selectable; i++)
        fields[i] = field_text(p->type, p->type->selectable[i].path, tree, numbers[i]);
    p->fields = fields;
    p->n_labels = gather_labels(metadata, &p->labels);

    const char *from = p->head.p;
    if (!lies_in(p->uid, p->head))
        find_in_json(&p->uid, &from, p->head.p + p->head.n);
    from = p->tail.p;
    const char *end = p->tail.p + (p->tail.n < LABELS_WINDOW ? p->tail.n : LABELS_WINDOW);
    for (size_t i = 0; i < 2 * p->n_labels; i++)
        if (!lies_in(p->labels[i], p->tail))
            find_in_json(&p->labels[i], &from, end);
    struct object *o = build(p);
    free(p->labels);
    p->labels = NULL; /* build has copied both */
    p->fields = NULL;
    return o;
}

struct object *object_new(const struct resource_type *type, struct text json, size_t rv_at, const struct value *tree)
{
    struct parts p = {.type = type, .head = text_first(json, rv_at), .tail = text_from(json, rv_at)};
    return build_from_tree(&p, tree);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* Where the resource version goes in stored JSON, by metadata's order of fields: before the first member that is not one
 * of those that stand in front of it. */
static bool find_rv_at(const struct value *metadata, struct text json, size_t *ret)
{
    static const struct text before[] = {TEXT("name"), TEXT("generateName"), TEXT("namespace"), TEXT("selfLink"),
                                         TEXT("uid")};
    const char *at = NULL;
    for (uint32_t i = 0; i < metadata->n; i++) {
        const struct value_member *m = &metadata->members[i];
        size_t k = 0;
        while (k < N_ELEMENTS(before) && !text_eq(member_key(m), before[k]))
            k++;
        if (k == N_ELEMENTS(before)) {
            at = text_is(member_key(m), "resourceVersion") ? NULL : m->key - 1;
            break;
        }
        at = m->value.kind == VALUE_STRING ? m->value.string + m->value.n + 1 : NULL;
    }
    if (!at || at <= json.p || at >= json.p + json.n)
        return false;
    *ret = (size_t)(at - json.p);
    return true;
}

/* What the bytes say they are, if the type's objects may be stored so. */
static int stored_kind(const struct resource_type *type, struct text api_version, struct text kind,
                       const struct schema_kind **ret, struct status *st)
{
    const struct schema_kind *mine = type->kind, *k = mine;
    if (mine && !(text_eq(api_version, mine->api_version) && text_eq(kind, mine->gvk.kind)))
        k = schema_kind_of(api_version, kind);
    bool is_former = k && mine && text_eq(k->gvk.group, mine->gvk.group) && text_eq(k->gvk.kind, mine->gvk.kind);
    if (!k || (k != mine && k->storage != mine && !is_former))
        return status_set(st, STATUS_INTERNAL_ERROR, "the stored object is a %.*s of %.*s", TEXT_ARG(kind),
                          TEXT_ARG(api_version));
    *ret = k;
    return 0;
}

/* The long way, from a tree of any version that the decoder has passed. Like upstream's decoder it fills in defaults: another
 * server's objects lack those that came after it, and what protobuf does not carry. */
static int load_tree(struct arena *a, const struct resource_type *type, const struct schema_kind *kind,
                     struct value *tree, struct object **ret, struct status *st)
{
    struct buffer b = BUFFER_IN(a);
    struct value converted;
    size_t rv_at;
    schema_default(a, kind->schema, tree);
    if (kind != type->kind) {
        if (schema_convert(a, kind, type->kind, tree, &converted, st) < 0)
            return -1;
        tree = &converted;
    }
    if (!value_get_text(value_get(tree, TEXT("metadata")), TEXT("name")).n)
        return status_set(st, STATUS_INTERNAL_ERROR, "the stored object has no metadata.name");
    schema_encode(&b, type->kind->schema, tree, &rv_at);
    if (rv_at == SIZE_MAX)
        return status_set(st, STATUS_INTERNAL_ERROR, "the stored object has no metadata.creationTimestamp");
    *ret = object_new(type, buffer_text(&b), rv_at, tree);
    return 0;
}

static int load_protobuf(struct arena *a, const struct resource_type *type, struct text stored, struct object **ret,
                         struct status *st)
{
    struct text api_version, kind_name, message;
    const struct schema_kind *kind;
    struct value tree;
    if (protobuf_open(stored, &api_version, &kind_name, &message, st) < 0 ||
        stored_kind(type, api_version, kind_name, &kind, st) < 0 ||
        schema_protobuf_read(a, kind->schema, stored, &tree, st) < 0)
        return -1;
    return load_tree(a, type, kind, &tree, ret, st);
}

static int load_foreign_json(struct arena *a, const struct resource_type *type, struct value *tree,
                             struct object **ret, struct status *st)
{
    const struct schema_kind *kind;
    if (stored_kind(type, value_get_text(tree, TEXT("apiVersion")), value_get_text(tree, TEXT("kind")), &kind, st) < 0 ||
        schema_decode(a, kind->schema, tree, NULL, st) < 0)
        return -1;
    return load_tree(a, type, kind, tree, ret, st);
}

/* Do the bytes begin as ours do? Another program's JSON has other blanks, or another order from here on. */
static bool begins_as_ours(struct text stored, const struct schema_kind *kind)
{
    const struct text pieces[] = {TEXT("{\"kind\":\""), kind->gvk.kind, TEXT("\",\"apiVersion\":\""), kind->api_version,
                                  TEXT("\",\"metadata\":{\"name\":\"")};
    for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
        if (!text_starts(stored, pieces[i]))
            return false;
        stored = text_from(stored, pieces[i].n);
    }
    return true;
}

static int load_json(struct arena *a, const struct resource_type *type, struct text stored, bool is_own, struct object **ret,
                     struct status *st)
{
    struct value tree;
    struct parts p = {.type = type};
    size_t rv_at;

    stored = text_trim(stored); /* Go's encoder ends with a line break */
    if (json_read(a, stored, &(struct json_options){0}, &tree, st) < 0)
        return -1;
    const struct value *metadata = value_get(&tree, TEXT("metadata"));
    if (!metadata || metadata->kind != VALUE_OBJECT || !value_get_text(metadata, TEXT("name")).n)
        return status_set(st, STATUS_INTERNAL_ERROR, "the stored object has no metadata.name");
    if ((type->kind && !(is_own && begins_as_ours(stored, type->kind))) || !find_rv_at(metadata, stored, &rv_at))
        return load_foreign_json(a, type, &tree, ret, st);
    p.head = text_first(stored, rv_at);
    p.tail = text_from(stored, rv_at);
    *ret = build_from_tree(&p, &tree);
    return 0;
}

int object_load(const struct resource_type *type, struct text stored, bool is_own, uint64_t revision, struct object **ret,
                struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    if ((protobuf_is_envelope(stored) ? load_protobuf(a, type, stored, ret, st)
                                      : load_json(a, type, stored, is_own, ret, st)) < 0)
        return -1;
    object_seal(*ret, revision);
    return 0;
}

struct object *object_unreadable(const struct resource_type *type, struct text key, struct text stored,
                                 uint64_t revision, struct text why)
{
    static const struct text no_fields[UINT8_MAX + 1];
    struct parts p = {.type = type, .head = stored, .name = key, .uid = why, .fields = no_fields};
    ptrdiff_t slash = type->is_namespaced ? text_find(key, '/') : -1;
    if (slash > 0) {
        p.namespace = text_first(key, (size_t)slash);
        p.name = text_from(key, (size_t)slash + 1);
    }
    struct object *o = build(&p);
    o->json.n = stored.n;
    o->rv_n = 0;
    o->revision = revision;
    o->is_sealed = o->is_unreadable = true;
    return o;
}

/* Source: kubernetes/apiserver pkg/storage/etcd3/corrupt_obj_deleter.go, corruptObjectError. */
struct text object_corruption(struct arena *a, const struct object *o)
{
    return arena_textf(a, "%s revision=%llu: %.*s",
                       o->is_undecrypted ? "data from the storage is not transformable" : "object not decodable",
                       o->is_undecrypted ? 0ull : (unsigned long long)o->revision, TEXT_ARG(object_problem(o)));
}

/* --- the resource version ----------------------------------------------------------------------------------------- */

/* The comma stands where the neighbours of the hole leave it to be. */
static size_t write_rv(char *dst, uint64_t revision, char before, char after)
{
    const char *first = after == '}' && before != '{' && before != ',' ? "," : "", *last = after == '}' ? "" : ",";
    char text[HOLE_MAX + 2];
    int n = snprintf(text, sizeof(text), "%s\"resourceVersion\":\"%llu\"%s", first, (unsigned long long)revision,
                     last);
    memcpy(dst, text, (size_t)n);
    return (size_t)n;
}

static void move_up(struct text *t, const char *head, size_t head_n, size_t by)
{
    if (t->p >= head && t->p < head + head_n)
        t->p += by;
}

void object_seal(struct object *o, uint64_t revision)
{
    char *head = (char *)o->json.p, rv[HOLE_MAX + 2];
    size_t head_n = o->rv_at, tail_n = o->json.n - head_n - HOLE_MAX;
    char *tail = head + head_n + HOLE_MAX;
    size_t n = write_rv(rv, revision, head_n ? head[head_n - 1] : '{', tail_n ? tail[0] : '}');
    size_t up = HOLE_MAX - n;

    memmove(head + up, head, head_n);
    memcpy(head + up + head_n, rv, n);
    o->json = (struct text){head + up, head_n + n + tail_n};
    o->rv_n = (uint32_t)n;
    o->revision = revision;
    move_up(&o->uid, head, head_n, up);
    struct text *texts = (struct text *)(o + 1);
    for (size_t i = 0; i < 2 * (size_t)o->n_labels + o->n_fields; i++)
        move_up(&texts[i], head, head_n, up);
    o->is_sealed = true;
}

void object_seal_dry(struct object *o)
{
    char *head = (char *)o->json.p;
    size_t head_n = o->rv_at;

    memmove(head + HOLE_MAX, head, head_n);
    o->json = (struct text){head + HOLE_MAX, o->json.n - HOLE_MAX};
    o->rv_n = 0;
    move_up(&o->uid, head, head_n, HOLE_MAX);
    struct text *texts = (struct text *)(o + 1);
    for (size_t i = 0; i < 2 * (size_t)o->n_labels + o->n_fields; i++)
        move_up(&texts[i], head, head_n, HOLE_MAX);
    o->is_sealed = true;
}

void object_stored(const struct object *o, struct text ret_pieces[2])
{
    ret_pieces[0] = text_first(o->json, o->rv_at);
    ret_pieces[1] = text_from(o->json, o->rv_at + o->rv_n);
}

bool object_has_protobuf(const struct resource_type *type)
{
    return type->kind && type->kind->schema && type->kind->schema->n_by_number;
}

static int read_stored(struct arena *a, const struct object *o, struct value *ret, struct status *st)
{
    struct buffer json = BUFFER_IN(a);
    struct text pieces[2];
    object_stored(o, pieces);
    buffer_room(&json, pieces[0].n + pieces[1].n);
    buffer_add(&json, pieces[0]);
    buffer_add(&json, pieces[1]);
    return json_read(a, buffer_text(&json), &(struct json_options){0}, ret, st);
}

/* The object v without its member, copied no deeper than that. */
static struct value without(struct arena *a, const struct value *v, struct text member)
{
    struct value copy = *v;
    copy.members = ARENA_ARRAY(a, struct value_member, v->n + 1);
    memcpy(copy.members, v->members, v->n * sizeof(*v->members));
    value_remove(&copy, member);
    return copy;
}

static struct value without_revision(struct arena *a, const struct value *tree)
{
    const struct value *metadata = value_get(tree, TEXT("metadata"));
    struct value copy = *tree;
    if (!value_get(metadata, TEXT("resourceVersion")))
        return copy;
    copy = without(a, tree, TEXT_NONE);
    *value_get(&copy, TEXT("metadata")) = without(a, metadata, TEXT("resourceVersion"));
    return copy;
}

int object_stored_protobuf(const struct object *o, const struct value *tree, struct buffer *b, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct value stored;
    if (!object_has_protobuf(o->type))
        return status_set(st, STATUS_INTERNAL_ERROR, "%.*s have no protobuf message", TEXT_ARG(o->type->name));
    if (tree)
        stored = without_revision(a, tree);
    else if (read_stored(a, o, &stored, st) < 0)
        return -1;
    schema_protobuf_write(b, o->type->kind->schema, &stored);
    return 0;
}

static struct object *unreadable_with_revision(const struct object *o, uint64_t revision)
{
    struct object *copy = object_unreadable(o->type, o->key, o->json, revision, o->uid);
    copy->is_undecrypted = o->is_undecrypted;
    return copy;
}

struct object *object_with_revision(const struct object *o, uint64_t revision)
{
    struct parts p = {.type = o->type, .name = o->name, .namespace = o->namespace, .uid = o->uid,
                      .labels = (struct text *)o->labels, .n_labels = o->n_labels, .fields = o->fields,
                      .creation_ns = o->creation_ns, .is_deleting = o->is_deleting};
    if (o->is_unreadable)
        return unreadable_with_revision(o, revision);
    struct text pieces[2];
    object_stored(o, pieces);
    p.head = pieces[0];
    p.tail = pieces[1];
    struct object *copy = build(&p);
    copy->expires_ms = o->expires_ms;
    copy->sealed_by = o->sealed_by;
    object_seal(copy, revision);
    return copy;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct object *object_ref(struct object *o)
{
    if (o)
        atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void object_unref(struct object *o)
{
    if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct object_form *f = atomic_load_explicit(&o->forms, memory_order_relaxed), *next;
    for (; f; f = next) {
        next = f->next;
        blob_unref(f->blob);
        free(f);
    }
    free(o);
}

size_t object_bytes(const struct object *o)
{
    size_t n = o->bytes;
    for (const struct object_form *f = atomic_load_explicit(&o->forms, memory_order_acquire); f; f = f->next)
        n += sizeof(*f) + sizeof(*f->blob) + f->blob->n;
    return n;
}

int object_tree(struct arena *a, const struct object *o, struct value *ret, struct status *st)
{
    static const char *const fields[] = {"metadata", "managedFields", "fieldsV1", NULL};
    return json_read(a, o->json, &(struct json_options){.raw_path = fields}, ret, st);
}

/* --- forms -------------------------------------------------------------------------------------------------------- */

static struct object_form *form_find(struct object_form *f, const struct object_form *end, enum object_form_kind kind,
                                     const void *of, uint32_t number)
{
    while (f != end && !(f->kind == kind && f->of == of && f->number == number))
        f = f->next;
    return f == end ? NULL : f;
}

struct blob *object_form_get(struct object *o, enum object_form_kind kind, const void *of, uint32_t number,
                             struct blob *(*make)(struct object *o, const void *of, uint32_t number, void *ctx),
                             void *ctx)
{
    struct object_form *first = atomic_load_explicit(&o->forms, memory_order_acquire);
    struct object_form *f = form_find(first, NULL, kind, of, number);
    if (f)
        return f->blob;
    struct blob *blob = make(o, of, number, ctx);
    if (!blob)
        return NULL;
    struct object_form *mine = xmalloc(sizeof(*mine));
    *mine = (struct object_form){.next = first, .kind = kind, .of = of, .number = number, .blob = blob};
    /* The list only grows at its front, so after losing a race only the newcomers need a look. */
    while (!atomic_compare_exchange_strong_explicit(&o->forms, &mine->next, mine, memory_order_acq_rel,
                                                    memory_order_acquire)) {
        f = form_find(mine->next, first, kind, of, number);
        if (f) {
            blob_unref(blob);
            free(mine);
            return f->blob;
        }
        first = mine->next;
    }
    return blob;
}

/* --- trees of objects --------------------------------------------------------------------------------------------- */

static struct text tree_key(const void *item)
{
    return ((const struct object *)item)->key;
}

static void tree_item_ref(void *item)
{
    object_ref(item);
}

static void tree_item_unref(void *item)
{
    object_unref(item);
}

static void tree_free_extra(void *extra)
{
    for (struct leaf_form *f = extra, *next; f; f = next) {
        next = f->next;
        f->free(f);
    }
}

const struct tree_ops object_tree_ops = {
    .key = tree_key, .ref = tree_item_ref, .unref = tree_item_unref, .free_extra = tree_free_extra};

static struct leaf_form *leaf_form_among(struct leaf_form *f, const void *form, const void *of, uint32_t number)
{
    while (f && !(f->form == form && f->of == of && f->number == number))
        f = f->next;
    return f;
}

struct leaf_form *leaf_form_find(const struct tree_leaf *leaf, const void *form, const void *of, uint32_t number)
{
    return leaf_form_among(atomic_load_explicit(leaf->extra, memory_order_acquire), form, of, number);
}

struct leaf_form *leaf_form_add(const struct tree_leaf *leaf, struct leaf_form *mine)
{
    void *first = atomic_load_explicit(leaf->extra, memory_order_acquire);
    do {
        struct leaf_form *theirs = leaf_form_among(first, mine->form, mine->of, mine->number);
        if (theirs) {
            mine->free(mine);
            return theirs;
        }
        mine->next = first;
    } while (!atomic_compare_exchange_strong_explicit(leaf->extra, &first, mine, memory_order_acq_rel,
                                                      memory_order_acquire));
    return mine;
}
