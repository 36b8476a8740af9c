/* SPDX-License-Identifier: Apache-2.0 */
/* The scale subresource: one small object, autoscaling/v1 Scale, in front of every kind that has
 * spec.replicas, status.replicas and a selector. Reading makes it of the object, writing puts its replicas
 * into the object. Source: kubernetes pkg/registry/apps/deployment/storage/storage.go, ScaleREST. */
#include "endpoints/table.h"
#include "endpoints/write.h"

static const struct schema_kind *scale_kind(void)
{
    return schema_kind_of(TEXT("autoscaling/v1"), TEXT("Scale"));
}

/* --- an object as a Scale --- */

static int compare_requirements(const void *a, const void *b)
{
    return text_cmp(((const struct requirement *)a)->key, ((const struct requirement *)b)->key);
}

static int compare_texts(const void *a, const void *b)
{
    return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

static void print_values(struct buffer *b, const struct requirement *q)
{
    qsort(q->values, q->n_values, sizeof(*q->values), compare_texts);
    buffer_add_char(b, '(');
    for (size_t i = 0; i < q->n_values; i++)
        buffer_addf(b, "%s%.*s", i ? "," : "", TEXT_ARG(q->values[i]));
    buffer_add_char(b, ')');
}

/* As labels.Selector's String: "app=web,tier in (a,b),!x". */
static struct text print_selector(struct arena *a, struct selector *s)
{
    struct buffer b = BUFFER_IN(a);

    if (s->n)
        qsort(s->requirements, s->n, sizeof(*s->requirements), compare_requirements);
    for (size_t i = 0; i < s->n; i++) {
        const struct requirement *q = &s->requirements[i];
        buffer_add_str(&b, i ? "," : "");
        if (q->op == SELECT_NOT_EXISTS)
            buffer_add_char(&b, '!');
        buffer_add(&b, q->key);
        if (q->op == SELECT_EQUALS) {
            buffer_addf(&b, "=%.*s", TEXT_ARG(q->values[0]));
        } else if (q->op == SELECT_IN || q->op == SELECT_NOT_IN) {
            buffer_add_str(&b, q->op == SELECT_IN ? " in " : " notin ");
            print_values(&b, q);
        }
    }
    return buffer_text(&b);
}

/* spec.selector is a LabelSelector or, of replication controllers, a plain map. */
static struct text selector_text(struct arena *a, const struct value *tree)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct value *given = value_at(tree, "spec", "selector", NULL);
    struct value wrapped = value_object();
    struct selector selector = {0};

    if (!given)
        return TEXT("");
    if (!value_get(given, TEXT("matchLabels")) && !value_get(given, TEXT("matchExpressions"))) {
        value_add(a, &wrapped, TEXT("matchLabels"), *given);
        given = &wrapped;
    }
    if (selector_from_object(a, given, &selector, &st) < 0)
        return TEXT("");
    return print_selector(a, &selector);
}

static void copy_member(struct arena *a, const struct value *from, const char *key, struct value *to)
{
    const struct value *v = value_get(from, text_of(key));

    if (v)
        value_add(a, to, text_of(key), *v);
}

/* A canonical Scale; strings are shared with tree. */
static int scale_of(struct arena *a, const struct value *tree, struct value *ret, struct status *st)
{
    static const char *const metadata_keys[] = {"name", "namespace", "uid", "resourceVersion",
                                                "creationTimestamp"};
    const struct value *metadata = value_get(tree, TEXT("metadata"));
    struct value scale = value_object(), meta = value_object(), spec = value_object(),
                 status = value_object();

    for (size_t i = 0; i < N_ELEMENTS(metadata_keys); i++)
        copy_member(a, metadata, metadata_keys[i], &meta);
    value_add(a, &spec, TEXT("replicas"),
              value_int(value_get_int(value_get(tree, TEXT("spec")), TEXT("replicas"), 0)));
    value_add(a, &status, TEXT("replicas"),
              value_int(value_get_int(value_get(tree, TEXT("status")), TEXT("replicas"), 0)));
    value_add(a, &status, TEXT("selector"), value_string(selector_text(a, tree)));
    value_add(a, &scale, TEXT("kind"), value_string(scale_kind()->gvk.kind));
    value_add(a, &scale, TEXT("apiVersion"), value_string(scale_kind()->api_version));
    value_add(a, &scale, TEXT("metadata"), meta);
    value_add(a, &scale, TEXT("spec"), spec);
    value_add(a, &scale, TEXT("status"), status);
    if (schema_decode(a, scale_kind()->schema, &scale, NULL, st) < 0)
        return -1;
    *ret = scale;
    return 0;
}

/* As kubectl get --subresource=scale prints it. */
static const struct {
    const char *name, *type, *format, *description, *path;
} scale_columns[] = {
    {"Name", "string", "", "Unique name within the namespace", "metadata.name"},
    {"Desired", "integer", "", "How many are wanted", "spec.replicas"},
    {"Available", "integer", "", "How many there are", "status.replicas"},
    {"Age", "string", "", "Time since creation", "@age:metadata.creationTimestamp"},
};

static enum flow respond_as_table(struct request *r, struct representation *rep, const struct value *scale)
{
    struct resource_column columns[N_ELEMENTS(scale_columns)] = {0};
    struct buffer b = BUFFER_IN(r->arena);
    struct status st = {0};

    if (table_options_read(r, rep, &st) < 0)
        return request_fail(r, &st);
    for (size_t i = 0; i < N_ELEMENTS(columns); i++) {
        columns[i].name = text_of(scale_columns[i].name);
        columns[i].type = text_of(scale_columns[i].type);
        columns[i].format = text_of(scale_columns[i].format);
        columns[i].description = text_of(scale_columns[i].description);
        columns[i].path = text_of(scale_columns[i].path);
    }
    table_write_tree(&b, rep, scale_kind()->schema, columns, N_ELEMENTS(columns), scale);
    return respond_json(r, 200, &rep->accepted, wants_pretty(r, &rep->accepted), &b);
}

static void unref_object(void *o)
{
    object_unref(o);
}

/* Takes o. */
static enum flow respond_scale(struct request *r, struct object *o)
{
    struct representation rep = {0};
    struct status st = {0};
    struct value tree, scale;

    arena_defer(r->arena, unref_object, o);
    if (object_tree(r->arena, o, &tree, &st) < 0 || scale_of(r->arena, &tree, &scale, &st) < 0)
        return request_fail(r, &st);
    if (negotiate_accept(r->arena, request_header(r, "Accept"), SERVED_MEDIA, TRANSFORMS_ALL, &rep.accepted) &&
        rep.accepted.as == AS_TABLE)
        return respond_as_table(r, &rep, &scale);
    return respond_tree(r, 200, scale_kind(), &scale);
}

static enum flow find_scale(struct request *r, struct call *c)
{
    struct status st = {0};
    struct object *o;

    if (registry_get(c->resource, c->namespace, c->name, &o, &st) < 0)
        return request_fail(r, &st);
    return respond_scale(r, o);
}

enum flow call_scale_get(struct request *r, struct call *c)
{
    return find_scale(r, c);
}

/* --- a Scale into an object --- */

static int check_scale(struct arena *a, const struct value *scale, struct status *st)
{
    const struct value *replicas = value_at(scale, "spec", "replicas", NULL);
    struct field_errors errs = {.arena = a};

    if (replicas && replicas->kind == VALUE_INT && replicas->integer < 0) {
        field_error(&errs, FIELD_INVALID, "spec.replicas", replicas, "must be greater than or equal to 0");
        return status_invalid(st, TEXT("autoscaling"), TEXT("Scale"),
                              value_get_text(value_get(scale, TEXT("metadata")), TEXT("name")), &errs);
    }
    return 0;
}

/* Who writes a Scale. */
static struct managing managing_scale(const struct operation *op)
{
    struct managing m = registry_managing(op);

    m.kind = m.storage = scale_kind();
    m.reset = NULL;
    m.n_reset = 0;
    return m;
}

/* The current object as a Scale, with those who own its replicas. */
static int current_scale(struct operation *op, const struct value *current, struct value *ret, struct status *st)
{
    if (!current)
        return status_not_found(st, op->resource->type->group, op->resource->type->name, op->name);
    if (scale_of(op->arena, current, ret, st) < 0)
        return -1;
    struct value managed = managed_to_scale(op->arena, value_at(current, "metadata", "managedFields", NULL));
    if (managed.kind == VALUE_LIST)
        value_set(op->arena, value_object_at(op->arena, ret, TEXT("metadata")), TEXT("managedFields"), managed);
    return 0;
}

static void set_or_remove(struct arena *a, struct value *object, struct text key, struct value v)
{
    if (v.kind == VALUE_NULL)
        value_remove(object, key);
    else
        value_set(a, object, key, v);
}

/* The current object with the Scale's replicas, their owners and, where it names one, its resourceVersion. */
static int put_scale(struct operation *op, const struct value *current, struct value *scale, struct value *ret, struct status *st)
{
    struct arena *a = op->arena;
    const struct value *of_scale = value_get(scale, TEXT("metadata"));
    struct text revision = value_get_text(of_scale, TEXT("resourceVersion"));
    struct value tree = value_copy(a, current);

    if (registry_check_identity(a, op->resource, op->namespace, op->name, scale, st) < 0 || check_scale(a, scale, st) < 0)
        return -1;
    value_set(a, value_object_at(a, &tree, TEXT("spec")), TEXT("replicas"),
              value_int(value_get_int(value_get(scale, TEXT("spec")), TEXT("replicas"), 0)));
    struct value *metadata = value_object_at(a, &tree, TEXT("metadata"));
    if (revision.n)
        value_set(a, metadata, TEXT("resourceVersion"), value_string(revision));
    set_or_remove(a, metadata, TEXT("managedFields"),
                  managed_from_scale(a, value_get(metadata, TEXT("managedFields")), value_get(of_scale, TEXT("managedFields")),
                                     op->resource->type->kind->api_version));
    schema_arrange(a, op->resource->storage->kind->schema, &tree);
    *ret = tree;
    return 0;
}

static int update_scale(struct operation *op, const struct object *current, const struct value *current_tree,
                        struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;
    const struct managing m = managing_scale(op);
    struct value old, scale = value_copy_deep(op->arena, &w->object);

    if (current_scale(op, current_tree, &old, st) < 0)
        return -1;
    managed_update(&m, &old, &scale);
    return put_scale(op, current_tree, &scale, ret_new, st);
}

static int patch_scale(struct operation *op, const struct object *current, const struct value *current_tree,
                       struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;
    const struct managing m = managing_scale(op);
    struct value old, scale;

    if (current_scale(op, current_tree, &old, st) < 0 || patch_apply(w, scale_kind(), &old, &scale, st) < 0)
        return -1;
    managed_update(&m, &old, &scale);
    return put_scale(op, current_tree, &scale, ret_new, st);
}

static int apply_scale(struct operation *op, const struct object *current, const struct value *current_tree,
                       struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;
    const struct managing m = managing_scale(op);
    struct value old, merged, managed, scale;
    bool is_same;

    if (current_scale(op, current_tree, &old, st) < 0 ||
        managed_apply(&m, &old, &w->patch, w->options.is_forced, &merged, &managed, &is_same, st) < 0 ||
        patch_note_repeats(w, st) < 0)
        return -1;
    scale = value_copy(op->arena, &merged);
    if (schema_decode(op->arena, scale_kind()->schema, &scale, NULL, st) < 0)
        return -1;
    set_or_remove(op->arena, value_object_at(op->arena, &scale, TEXT("metadata")), TEXT("managedFields"), managed);
    return put_scale(op, current_tree, &scale, ret_new, st);
}

static enum flow respond_scale_written(struct request *r, struct call *c, struct write_call *w)
{
    return respond_scale(r, object_ref(w->op.result));
}

enum flow call_scale_update(struct request *r, struct call *c)
{
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_UPDATE, "UpdateOptions", &flow);

    if (!w)
        return flow;
    w->op.transform = update_scale;
    w->op.manages_fields = true;
    w->op.admission = NULL; /* the Scale is what is admitted */
    w->respond = respond_scale_written;
    if (body_read_object(r, scale_kind(), &w->options, &w->object, &st) < 0 ||
        registry_check_identity(r->arena, c->resource, c->namespace, c->name, &w->object, &st) < 0 ||
        check_scale(r->arena, &w->object, &st) < 0)
        return request_fail(r, &st);
    w->op.expected_uid = value_get_text(value_get(&w->object, TEXT("metadata")), TEXT("uid"));
    return write_submit(w);
}

enum flow call_scale_patch(struct request *r, struct call *c)
{
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_UPDATE, "PatchOptions", &flow);

    if (!w)
        return flow;
    w->op.transform = request_applies(r) ? apply_scale : patch_scale;
    w->op.manages_fields = true;
    w->op.admission = NULL; /* the Scale is what is admitted */
    w->respond = respond_scale_written;
    if (patch_read(r, w, &st) < 0)
        return request_fail(r, &st);
    return write_submit(w);
}
