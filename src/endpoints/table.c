/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. Printing an object costs a tree and a dozen look-ups, so it is done once: the row's bytes, the object's metadata
 * included, hang off the object, and an answer copies them, filling in the ages.
 * Source: kubernetes/kubernetes pkg/printers/tablegenerator.go, kubernetes/apiserver pkg/registry/rest/table.go,
 * pkg/endpoints/handlers/response.go. */
#include "endpoints/table.h"

#include <assert.h>
#include <stdlib.h>

#include "endpoints/printers/printers.h"

#define AGE_BYTES_MAX (DURATION_TEXT_MAX + 16) /* with "<invalid>" escaped */

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

/* What hangs off the object: this, the holes, then the row. */
struct row_head {
    uint32_t n_holes;
    uint32_t bytes_max; /* of the row with its holes filled */
};

/* Whether a row is whole, and with whose metadata; otherwise it ends where its object begins. */
enum row_number { ROW_CELLS, ROW_V1, ROW_V1BETA1 };

static struct blob *row_blob(const struct row *row, struct text after)
{
    static const char begin[] = "{\"cells\":[";
    size_t n = sizeof(begin) - 1 + row->json.n + after.n;
    struct row_head head = {.n_holes = (uint32_t)row->n_holes,
                            .bytes_max = (uint32_t)(n + row->n_holes * AGE_BYTES_MAX)};
    struct blob *blob = blob_alloc(sizeof(head) + row->n_holes * sizeof(row->holes[0]) + n);
    char *to = blob->p;

    memcpy(to, &head, sizeof(head));
    to += sizeof(head);
    for (size_t i = 0; i < row->n_holes; i++) {
        struct row_hole hole = row->holes[i];
        hole.at += sizeof(begin) - 1;
        memcpy(to, &hole, sizeof(hole));
        to += sizeof(hole);
    }
    memcpy(to, begin, sizeof(begin) - 1);
    to += sizeof(begin) - 1;
    if (row->json.n)
        memcpy(to, row->json.p, row->json.n);
    memcpy(to + row->json.n, after.p, after.n);
    return blob;
}

static struct blob *make_row(struct object *o, const void *of, uint32_t number, void *ctx)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct columns *columns = ctx;
    struct row row = {.a = a, .json = BUFFER_IN(a)};
    struct buffer end = BUFFER_IN(a);
    struct value stored, tree;

    if (object_tree(a, o, &stored, &st) < 0)
        goto fail;
    tree = stored;
    if (columns->of->kind != o->type->kind &&
        schema_convert(a, o->type->kind, columns->of->kind, &stored, &tree, &st) < 0)
        goto fail;
    row.o = &tree;
    for (size_t i = 0; i < columns->n; i++)
        print_cell(&row, &columns->p[i]);
    buffer_add_char(&end, ']');
    add_conditions(&end, o, &stored);
    buffer_add_str(&end, ",\"object\":");
    if (number != ROW_CELLS) {
        partial_write(&end, o, number == ROW_V1BETA1 ? "v1beta1" : "v1");
        buffer_add_char(&end, '}');
    }
    return row_blob(&row, buffer_text(&end));
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

static struct text row_of(const struct resource_type *type, struct object *o, enum row_number number)
{
    struct columns columns = columns_of(type);
    struct blob *blob = object_form_get(o, FORM_CELLS, columns.of, number, make_row, &columns);

    return blob ? blob_text(blob) : TEXT_NONE;
}

static void fill_row(struct buffer *b, struct text row, int64_t now_ns)
{
    struct row_head head;

    memcpy(&head, row.p, sizeof(head));
    if (head.bytes_max) /* none is known of a row that was made for this list */
        buffer_room(b, head.bytes_max);
    add_filled(b, text_from(row, sizeof(head) + head.n_holes * sizeof(struct row_hole)), row.p + sizeof(head),
               head.n_holes, now_ns);
}

/* --- rows and tables ---------------------------------------------------------------------------------------------------------- */

static enum row_number whole_row(const struct representation *rep)
{
    return text_is(rep->accepted.as_version, "v1beta1") ? ROW_V1BETA1 : ROW_V1;
}

/* Adds a row whose object is not its metadata. */
static bool add_row_around(const struct representation *rep, struct object *o, struct buffer *b)
{
    struct text row = row_of(rep->resource->type, o, ROW_CELLS);
    struct text object = rep->include == INCLUDE_NONE ? TEXT("null") : object_json_as(o, rep->kind);

    if (!row.p || !object.p)
        return false;
    fill_row(b, row, clock_now_ns());
    buffer_add(b, object);
    buffer_add_char(b, '}');
    return true;
}

/* Without holes, so that all of them are filled in alike. */
static struct text bare_row(const struct representation *rep, struct object *o, struct arena *a)
{
    struct buffer b = BUFFER_IN(a);
    struct row_head head = {0};

    buffer_add_bytes(&b, &head, sizeof(head));
    return add_row_around(rep, o, &b) ? buffer_text(&b) : TEXT_NONE;
}

static struct text table_item(const struct representation *rep, struct object *o, struct arena *a)
{
    if (rep->include != INCLUDE_METADATA)
        return bare_row(rep, o, a);
    return row_of(rep->resource->type, o, whole_row(rep));
}

static bool is_arranged(const struct resource_type *type)
{
    return text_is(type->name, "flowschemas") && text_is(type->group, "flowcontrol.apiserver.k8s.io");
}

static const void *table_shared_of(const struct representation *rep, uint32_t *ret_number)
{
    if (rep->include != INCLUDE_METADATA || is_arranged(rep->resource->type))
        return NULL;
    *ret_number = whole_row(rep);
    return columns_of(rep->resource->type).of;
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
    if (rep->include == INCLUDE_METADATA) {
        struct text row = row_of(rep->resource->type, o, whole_row(rep));
        if (!row.p)
            return TEXT_NONE;
        fill_row(scratch, row, clock_now_ns());
    } else if (!add_row_around(rep, o, scratch)) {
        return TEXT_NONE;
    }
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
    struct ordered *all;

    if (!is_arranged(rep->resource->type))
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
    .fill = fill_row,
    .shared_of = table_shared_of,
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
