/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. Printing an object costs a tree and a dozen look-ups, so it is done once: the row's bytes hang off the object,
 * and an answer copies them, filling in the ages.
 * Source: kubernetes/kubernetes pkg/printers/tablegenerator.go, kubernetes/apiserver pkg/registry/rest/table.go,
 * pkg/endpoints/handlers/response.go. */
#include "endpoints/table.h"

#include <assert.h>
#include <stdlib.h>

#include "endpoints/printers/printers.h"

/* --- columns ---------------------------------------------------------------------------------------------------------------- */

/* Of a resource that has no columns of its own. */
static const struct resource_column default_columns[] = {
    {{"Name", 4}, {"string", 6}, {"name", 4}, {"Unique name within the namespace", 32}, {"metadata.name", 13}, 0},
    {{"Created At", 10}, {"date", 4}, {"", 0}, {"Time of creation", 16}, {"metadata.creationTimestamp", 26}, 0},
};

struct columns {
    const struct resource_column *p;
    size_t n;
    const struct resource_type *of; /* the version that the paths lie in */
};

static struct columns columns_of(const struct resource_type *type)
{
    if (type->n_columns)
        return (struct columns){type->columns, type->n_columns, type};
    if (type->storage->n_columns)
        return (struct columns){type->storage->columns, type->storage->n_columns, type->storage};
    return (struct columns){default_columns, N_ELEMENTS(default_columns), type->storage};
}

static void add_member(struct buffer *b, const char *name, struct text value)
{
    buffer_addf(b, "\"%s\":", name);
    json_write_string(b, value);
    buffer_add_char(b, ',');
}

static void write_columns(struct buffer *b, const struct resource_column *columns, size_t n)
{
    const char *comma = "";

    buffer_add_str(b, "\"columnDefinitions\":[");
    for (size_t i = 0; i < n; i++) {
        const struct resource_column *c = &columns[i];
        if (!c->name.n) /* a cell that no column names */
            continue;
        buffer_addf(b, "%s{", comma);
        add_member(b, "name", c->name);
        add_member(b, "type", c->type);
        add_member(b, "format", c->format);
        add_member(b, "description", c->description);
        buffer_addf(b, "\"priority\":%d}", c->priority);
        comma = ",";
    }
    buffer_add_char(b, ']');
}

void table_write_columns(struct buffer *b, const struct resource_type *type)
{
    struct columns columns = columns_of(type);

    write_columns(b, columns.p, columns.n);
}

/* --- cells ------------------------------------------------------------------------------------------------------------------ */

/* A member as it is; what is not there is the type's zero. */
static void print_path(struct row *r, const struct resource_column *c)
{
    const struct value *v = value_path(r->o, c->path);

    if (!v && text_is(c->type, "integer"))
        row_int(r, 0);
    else if (!v && text_is(c->type, "boolean"))
        row_bool(r, false);
    else
        row_value(r, v);
}

static void print_cell(struct row *r, const struct resource_column *c)
{
    struct text rest = text_from(c->path, 1), name;
    const struct printer *printer;

    if (c->path.p[0] != '@') {
        print_path(r, c);
        return;
    }
    text_split(&rest, ':', &name);
    printer = printer_find(name);
    assert(printer); /* a test prints every column */
    printer->print(r, rest);
}

/* Pods that are done say so beside the cells, so that clients may leave them out. */
static void add_conditions(struct buffer *b, const struct object *o, const struct value *tree)
{
    static const struct {
        const char *phase, *message;
    } rows[] = {
        {"Succeeded", "The pod has completed successfully."},
        {"Failed", "The pod failed."},
    };
    struct text phase = value_find_text(tree, "status.phase");

    if (!text_is(o->type->name, "pods") || o->type->group.n)
        return;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (text_is(phase, rows[i].phase))
            buffer_addf(b, ",\"conditions\":[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"%s\",\"message\":\"%s\"}]",
                        rows[i].phase, rows[i].message);
}

/* The form: number of holes, holes, the row up to its object. */
static struct blob *make_cells(struct object *o, const void *of, uint32_t number, void *ctx)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct columns *columns = ctx;
    struct row row = {.a = a, .json = BUFFER_IN(a)};
    struct buffer b = BUFFER_IN(a), end = BUFFER_IN(a);
    struct value stored, tree;
    static const char begin[] = "{\"cells\":[";
    uint64_t n;

    if (object_tree(a, o, &stored, &st) < 0)
        goto fail;
    tree = stored;
    if (columns->of->kind != o->type->kind &&
        schema_convert(a, o->type->kind, columns->of->kind, &stored, &tree, &st) < 0)
        goto fail;
    row.o = &tree;
    for (size_t i = 0; i < columns->n; i++)
        print_cell(&row, &columns->p[i]);
    n = row.n_holes;
    for (size_t i = 0; i < n; i++)
        row.holes[i].at += sizeof(begin) - 1;
    buffer_add_bytes(&b, &n, sizeof(n));
    buffer_add_bytes(&b, row.holes, n * sizeof(row.holes[0]));
    buffer_add_str(&b, begin);
    buffer_add(&b, buffer_text(&row.json));
    buffer_add_char(&end, ']');
    add_conditions(&end, o, &stored);
    buffer_add(&b, buffer_text(&end));
    buffer_add_str(&b, ",\"object\":");
    return blob_new(buffer_text(&b));
fail:
    log_error("Cannot print an object", LOG_TEXT("key", o->key), LOG_STR("error", st.message));
    return NULL;
}

static void add_age(struct buffer *b, int64_t ns)
{
    char text[DURATION_TEXT_MAX];
    size_t n = duration_text(ns, text);

    if (text[0] == '<') /* the bytes of a JSON string, as Go escapes them */
        buffer_add_str(b, "\\u003cinvalid\\u003e");
    else
        buffer_add_bytes(b, text, n);
}

/* The text with an age in each of its holes, which lie at holes, aligned or not. */
static void add_filled(struct buffer *b, struct text json, const void *holes, size_t n, int64_t now_ns)
{
    struct row_hole hole;
    size_t done = 0;

    for (size_t i = 0; i < n; i++) {
        memcpy(&hole, (const char *)holes + i * sizeof(hole), sizeof(hole));
        buffer_add_bytes(b, json.p + done, hole.at - done);
        done = hole.at;
        add_age(b, now_ns - hole.since_ns);
    }
    buffer_add(b, text_from(json, done));
}

/* The row up to its object. False: the object cannot be printed. */
static bool add_cells(struct buffer *b, const struct resource_type *type, struct object *o, int64_t now_ns)
{
    struct columns columns = columns_of(type);
    struct blob *blob = object_form_get(o, FORM_CELLS, columns.of, 0, make_cells, &columns);
    struct text json;
    uint64_t n;

    if (!blob)
        return false;
    memcpy(&n, blob->p, sizeof(n));
    json = text_from(blob_text(blob), sizeof(n) + n * sizeof(struct row_hole));
    add_filled(b, json, blob->p + sizeof(n), n, now_ns);
    return true;
}

/* --- rows and tables ---------------------------------------------------------------------------------------------------------- */

static struct text row_object(const struct representation *rep, struct object *o)
{
    switch (rep->include) {
    case INCLUDE_OBJECT:
        return object_json_as(o, rep->kind);
    case INCLUDE_NONE:
        return TEXT("null");
    case INCLUDE_METADATA:
        break;
    }
    return object_partial_as(o, rep);
}

static bool add_row(const struct representation *rep, struct object *o, struct buffer *b)
{
    struct text object = row_object(rep, o);

    if (!object.p || !add_cells(b, rep->resource->type, o, clock_now_ns()))
        return false;
    buffer_add(b, object);
    buffer_add_char(b, '}');
    return true;
}

static struct text table_item(const struct representation *rep, struct object *o, struct buffer *scratch)
{
    return add_row(rep, o, scratch) ? buffer_text(scratch) : TEXT_NONE;
}

static const char *version_of(const struct representation *rep)
{
    return text_is(rep->accepted.as_version, "v1beta1") ? "v1beta1" : "v1";
}

static void add_type(const struct representation *rep, const struct list_meta *meta, struct buffer *b)
{
    buffer_addf(b, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",", version_of(rep));
    list_meta_write(b, meta);
    buffer_add_char(b, ',');
}

static void add_head(const struct representation *rep, const struct list_meta *meta, struct buffer *b)
{
    add_type(rep, meta, b);
    if (rep->has_no_headers)
        buffer_add_str(b, "\"columnDefinitions\":null");
    else
        table_write_columns(b, rep->resource->type);
    buffer_add_str(b, ",\"rows\":[");
}

static void table_list_head(const struct representation *rep, const struct list_meta *meta, struct buffer *b)
{
    add_head(rep, meta, b);
}

static struct text table_single(struct representation *rep, struct object *o, struct buffer *scratch)
{
    const struct list_meta meta = {.revision = o->revision, .remaining = -1};

    add_head(rep, &meta, scratch);
    rep->has_no_headers = true;
    if (!add_row(rep, o, scratch))
        return TEXT_NONE;
    buffer_add_str(scratch, "]}");
    return buffer_text(scratch);
}

static void add_object_of_tree(const struct representation *rep, const struct schema *schema, const struct value *tree,
                               struct buffer *b)
{
    if (rep->include == INCLUDE_OBJECT) {
        schema_encode(b, schema, tree, NULL);
    } else if (rep->include == INCLUDE_NONE) {
        buffer_add_str(b, "null");
    } else {
        buffer_addf(b, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":", version_of(rep));
        json_write(b, value_get(tree, TEXT("metadata")));
        buffer_add_char(b, '}');
    }
}

void table_write_tree(struct buffer *b, const struct representation *rep, const struct schema *schema,
                      const struct resource_column *columns, size_t n, const struct value *tree)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct row row = {.a = a, .o = tree, .json = BUFFER_IN(a)};
    struct list_meta meta = {.remaining = -1};

    text_to_u64(value_get_text(value_get(tree, TEXT("metadata")), TEXT("resourceVersion")), &meta.revision);
    for (size_t i = 0; i < n; i++)
        print_cell(&row, &columns[i]);
    add_type(rep, &meta, b);
    write_columns(b, columns, n);
    buffer_add_str(b, ",\"rows\":[{\"cells\":[");
    add_filled(b, buffer_text(&row.json), row.holes, row.n_holes, clock_now_ns());
    buffer_add_str(b, "],\"object\":");
    add_object_of_tree(rep, schema, tree, b);
    buffer_add_str(b, "}]}");
}

/* --- order ------------------------------------------------------------------------------------------------------------------- */

struct ordered {
    struct object *object;
    int64_t precedence;
};

static int compare_ordered(const void *x, const void *y)
{
    const struct ordered *a = x, *b = y;

    if (a->precedence != b->precedence)
        return a->precedence < b->precedence ? -1 : 1;
    return text_cmp(a->object->name, b->object->name);
}

/* Flow schemas stand in the order in which they are tried. */
static void table_arrange(const struct representation *rep, struct object **objects, size_t n)
{
    CLEANUP(arena_freep) struct arena *a = NULL;
    const struct resource_type *type = rep->resource->type;
    struct ordered *all;

    if (!text_is(type->name, "flowschemas") || !text_is(type->group, "flowcontrol.apiserver.k8s.io"))
        return;
    a = arena_new();
    all = ARENA_ARRAY(a, struct ordered, n + 1);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(status_clear) struct status st = {0};
        struct value tree;
        all[i].object = objects[i];
        if (object_tree(a, objects[i], &tree, &st) == 0)
            all[i].precedence = value_find_int(&tree, TEXT("spec.matchingPrecedence"), 0);
    }
    qsort(all, n, sizeof(*all), compare_ordered);
    for (size_t i = 0; i < n; i++)
        objects[i] = all[i].object;
}

const struct representation_form form_table = {
    .name = "table",
    .item = table_item,
    .single = table_single,
    .list_head = table_list_head,
    .arrange = table_arrange,
    .first = {"", 0},
    .next = {",", 1},
    .tail = {"]}", 2},
    .is_shared = false,
};

int table_options_read(struct request *r, struct representation *rep, struct status *st)
{
    static const char *const names[] = {[INCLUDE_METADATA] = "Metadata", [INCLUDE_OBJECT] = "Object", [INCLUDE_NONE] = "None"};
    struct text given = request_query(r, "includeObject");

    if (!given.n || rep->accepted.as != AS_TABLE)
        return 0;
    for (unsigned i = 0; i < N_ELEMENTS(names); i++) {
        if (text_is(given, names[i])) {
            rep->include = i;
            return 0;
        }
    }
    return status_set(st, STATUS_BAD_REQUEST,
                      "Unable to convert to Table as requested: includeObject: Invalid value: \"%.*s\": must be 'Metadata', "
                      "'Object', 'None', or empty",
                      TEXT_ARG(given));
}
