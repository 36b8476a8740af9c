/* SPDX-License-Identifier: Apache-2.0 */
/* How an object is written for a client: the object itself or its metadata, as JSON (which YAML and indented
 * JSON are made of) or protobuf, in the version that the path names. What has to be made hangs off the object
 * and is shared. Items of a list of a built-in kind carry neither kind nor apiVersion, as upstream's typed
 * lists have it. Source: kubernetes/apiserver pkg/endpoints/handlers/response.go, negotiation/negotiate.go.
 */
#include "endpoints/table.h"

/* --- versions --- */

/* o as a canonical tree of kind; strings point into o. */
static int tree_as(struct arena *a, const struct object *o, const struct schema_kind *kind, struct value *ret,
                   struct status *st)
{
    struct value stored;

    if (object_tree(a, o, &stored, st) < 0)
        return -1;
    if (kind == o->type->kind) {
        *ret = stored;
        return 0;
    }
    return schema_convert(a, o->type->kind, kind, &stored, ret, st);
}

static struct blob *no_form(const struct object *o, const struct schema_kind *kind, const struct status *st)
{
    log_error("Cannot convert an object", LOG_TEXT("key", o->key), LOG_TEXT("to", kind->api_version),
              LOG_TEXT("kind", kind->gvk.kind), LOG_STR("error", st->message));
    return NULL;
}

static struct blob *make_json_version(struct object *o, const void *of, uint32_t number, void *ctx)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct schema_kind *kind = of;
    struct buffer b = BUFFER_IN(a);
    struct value tree;

    if (tree_as(a, o, kind, &tree, &st) < 0)
        return no_form(o, kind, &st);
    schema_encode(&b, kind->schema, &tree, NULL);
    return blob_new(buffer_text(&b));
}

struct text object_json_as(struct object *o, const struct schema_kind *kind)
{
    struct blob *b;

    if (kind == o->type->kind)
        return o->json;
    b = object_form_get(o, FORM_JSON_VERSION, kind, 0, make_json_version, NULL);
    return b ? blob_text(b) : TEXT_NONE;
}

static struct blob *make_protobuf(struct object *o, const void *of, uint32_t number, void *ctx)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct schema_kind *kind = of;
    struct buffer b = BUFFER_IN(a), message = BUFFER_IN(a);
    struct value tree;

    if (tree_as(a, o, kind, &tree, &st) < 0)
        return no_form(o, kind, &st);
    schema_protobuf_encode(&message, kind->schema, &tree);
    protobuf_envelope(&b, kind->api_version, kind->gvk.kind, buffer_text(&message));
    return blob_new(buffer_text(&b));
}

struct text object_protobuf_as(struct object *o, const struct schema_kind *kind)
{
    struct blob *b = object_form_get(o, FORM_PROTOBUF, kind, 0, make_protobuf, NULL);

    return b ? blob_text(b) : TEXT_NONE;
}

/* --- metadata only --- */

/* The end of the JSON value that begins at p. The text is valid JSON. */
static size_t skip_value(struct text t, size_t at)
{
    size_t depth = 0;

    for (bool in_string = false; at < t.n; at++) {
        char c = t.p[at];
        if (in_string) {
            if (c == '\\')
                at++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at;
            depth--;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return at;
}

struct text json_metadata_of(struct text json)
{
    static const char key[] = "\"metadata\":";
    size_t at = 1;

    while (at < json.n && json.p[at] == '"') {
        struct text rest = text_from(json, at);
        bool is_it = text_starts(rest, TEXT("\"metadata\":"));
        size_t start = is_it ? at + sizeof(key) - 1 : at, end;

        if (!is_it) /* past the key and its colon */
            start = at + (size_t)text_find(rest, ':') + 1;
        end = skip_value(json, start);
        if (is_it)
            return (struct text){json.p + start, end - start};
        at = end + 1;
    }
    return TEXT("{}");
}

/* The object's metadata as one sees it alone. */
static void add_metadata(struct buffer *b, const struct object *o)
{
    struct text json = json_metadata_of(o->json), hidden = o->type->field_annotation;

    if (!hidden.n || text_find_text(json, hidden) < 0) {
        buffer_add(b, json);
        return;
    }
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct value metadata;
    if (json_read(a, json, NULL, &metadata, &st) < 0)
        metadata = value_object(); /* cannot be: it was written by us */
    struct value *annotations = value_get(&metadata, TEXT("annotations"));
    if (annotations && value_remove(annotations, hidden) && annotations->n == 0)
        value_remove(&metadata, TEXT("annotations"));
    json_write(b, &metadata);
}

void partial_write(struct buffer *b, const struct object *o, const char *version)
{
    buffer_addf(
        b, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":", version);
    add_metadata(b, o);
    buffer_add_char(b, '}');
}

static struct blob *make_partial(struct object *o, const void *of, uint32_t number, void *ctx)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;

    partial_write(&b, o, of);
    return blob_new(buffer_text(&b));
}

const char *partial_version(const struct representation *rep)
{
    static const char v1[] = "v1", v1beta1[] = "v1beta1";

    return text_is(rep->accepted.as_version, v1beta1) ? v1beta1 : v1;
}

static const struct schema_kind *partial_kind(const struct representation *rep)
{
    return schema_kind_of(text_is(rep->accepted.as_version, "v1beta1") ? TEXT("meta.k8s.io/v1beta1")
                                                                       : TEXT("meta.k8s.io/v1"),
                          TEXT("PartialObjectMetadata"));
}

struct text object_partial_as(struct object *o, const struct representation *rep)
{
    struct blob *b = object_form_get(o, FORM_PARTIAL, partial_version(rep), 0, make_partial, NULL);

    return b ? blob_text(b) : TEXT_NONE;
}

static struct text partial_item(const struct representation *rep, struct object *o, struct arena *a)
{
    return object_partial_as(o, rep);
}

static const void *partial_shared_of(const struct representation *rep, uint32_t *ret_number)
{
    *ret_number = 0;
    return partial_version(rep);
}

static struct text partial_single(struct representation *rep, struct object *o, struct buffer *scratch)
{
    return object_partial_as(o, rep);
}

static struct blob *make_partial_protobuf(struct object *o, const void *of, uint32_t number, void *ctx)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct schema_kind *kind = of;
    struct buffer b = BUFFER_IN(a), message = BUFFER_IN(a), json = BUFFER_IN(a);
    struct value tree = value_object(), metadata;

    add_metadata(&json, o);
    if (json_read(a, buffer_text(&json), NULL, &metadata, &st) < 0)
        return no_form(o, kind, &st);
    value_add(a, &tree, TEXT("metadata"), metadata);
    if (schema_decode(a, kind->schema, &tree, NULL, &st) < 0)
        return no_form(o, kind, &st);
    schema_protobuf_encode(&message, kind->schema, &tree);
    protobuf_envelope(&b, kind->api_version, kind->gvk.kind, buffer_text(&message));
    return blob_new(buffer_text(&b));
}

/* --- JSON --- */

/* What an item of a typed list does not repeat. */
static bool skips_type(struct text json, const struct schema_kind *kind, size_t *ret_n)
{
    static const char k[] = "{\"kind\":\"", v[] = "\",\"apiVersion\":\"", end[] = "\",";
    const struct text pieces[] = {TEXT("{\"kind\":\""), kind->gvk.kind, TEXT("\",\"apiVersion\":\""),
                                  kind->api_version, TEXT("\",")};
    size_t n = sizeof(k) + sizeof(v) + sizeof(end) - 3 + kind->gvk.kind.n + kind->api_version.n, at = 0;

    if (json.n <= n)
        return false;
    for (size_t i = 0; i < N_ELEMENTS(pieces); at += pieces[i].n, i++)
        if (memcmp(json.p + at, pieces[i].p, pieces[i].n) != 0)
            return false;
    *ret_n = n;
    return true;
}

static const void *kind_shared_of(const struct representation *rep, uint32_t *ret_number)
{
    *ret_number = 0;
    return rep->kind;
}

/* Behind the "{" that first and next end with. */
static struct text json_item(const struct representation *rep, struct object *o, struct arena *a)
{
    struct text json = object_json_as(o, rep->kind);
    size_t n = 1;

    if (!json.p)
        return json;
    skips_type(json, rep->kind, &n);
    return text_from(json, n);
}

static struct text json_single(struct representation *rep, struct object *o, struct buffer *scratch)
{
    return object_json_as(o, rep->kind);
}

void list_meta_write(struct buffer *b, const struct list_meta *meta)
{
    const char *comma = "";

    buffer_add_str(b, "\"metadata\":{");
    if (meta->revision) {
        buffer_add_str(b, "\"resourceVersion\":\"");
        buffer_add_u64(b, meta->revision);
        buffer_add_char(b, '"');
        comma = ",";
    }
    if (meta->continue_token.n) {
        buffer_addf(b, "%s\"continue\":", comma);
        json_write_string(b, meta->continue_token);
        comma = ",";
    }
    if (meta->remaining > 0) {
        buffer_addf(b, "%s\"remainingItemCount\":", comma);
        buffer_add_i64(b, meta->remaining);
    }
    buffer_add_char(b, '}');
}

static void write_list_meta(struct buffer *b, const struct list_meta *meta)
{
    list_meta_write(b, meta);
    buffer_add_str(b, ",\"items\":[");
}

static void json_list_head(const struct representation *rep, const struct list_meta *meta, struct buffer *b)
{
    const struct schema_kind *list = rep->resource->type->list_kind;

    buffer_add_str(b, "{\"kind\":\"");
    if (list) {
        buffer_add(b, list->gvk.kind);
    } else {
        buffer_add(b, rep->kind->gvk.kind);
        buffer_add_str(b, "List");
    }
    buffer_add_str(b, "\",\"apiVersion\":\"");
    buffer_add(b, rep->kind->api_version);
    buffer_add_str(b, "\",");
    write_list_meta(b, meta);
}

static void partial_list_head(const struct representation *rep, const struct list_meta *meta,
                              struct buffer *b)
{
    buffer_addf(b, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\",",
                partial_version(rep));
    list_meta_write(b, meta);
    buffer_add_str(b, ",\"items\":");
}

/* --- protobuf --- */

/* The message inside an object's envelope. */
static struct text message_of(struct text envelope)
{
    CLEANUP(status_clear) struct status st = {0};
    struct text api_version, kind, message;

    if (!envelope.p || protobuf_open(envelope, &api_version, &kind, &message, &st) < 0)
        return TEXT_NONE;
    return message;
}

static struct text protobuf_item(const struct representation *rep, struct object *o, struct arena *a)
{
    return message_of(object_protobuf_as(o, rep->kind));
}

static struct text protobuf_single(struct representation *rep, struct object *o, struct buffer *scratch)
{
    return object_protobuf_as(o, rep->kind);
}

static struct text partial_protobuf_single(struct representation *rep, struct object *o,
                                           struct buffer *scratch)
{
    struct blob *b = object_form_get(o, FORM_PARTIAL, partial_kind(rep), 1, make_partial_protobuf, NULL);

    return b ? blob_text(b) : TEXT_NONE;
}

static struct text partial_protobuf_item(const struct representation *rep, struct object *o, struct arena *a)
{
    struct representation mine = *rep;

    return message_of(partial_protobuf_single(&mine, o, NULL));
}

/* ListMeta: resourceVersion = 2, continue = 3, remainingItemCount = 4; selfLink = 1 is always there, empty,
 * as gogo writes strings that are no pointers. */
static void write_list_meta_message(struct buffer *b, const struct list_meta *meta)
{
    char revision[24];
    struct text text = {revision, 0};

    if (meta->revision) {
        struct buffer digits = {.p = revision, .cap = sizeof(revision)};
        buffer_add_u64(&digits, meta->revision);
        text.n = digits.n;
    }
    protobuf_field_bytes(b, 1, TEXT(""));
    protobuf_field_bytes(b, 2, text);
    protobuf_field_bytes(b, 3, meta->continue_token);
    if (meta->remaining > 0) {
        protobuf_varint(b, 4 << 3);
        protobuf_varint(b, (uint64_t)meta->remaining);
    }
}

/* Every list message is metadata = 1, items = 2; the items stand between head and tail. */
static void write_protobuf_list(const struct list_meta *meta, size_t items_bytes, struct text api_version,
                                struct text kind, struct buffer *head, struct buffer *tail)
{
    CLEANUP(buffer_deinit) struct buffer list_meta = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer field = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer around = BUFFER_INIT;
    size_t at;

    write_list_meta_message(&list_meta, meta);
    protobuf_field_bytes(&field, 1, buffer_text(&list_meta));
    /* The envelope of an empty message has its length in one byte, a zero behind the tag of field 2: ours
     * goes there. */
    protobuf_envelope(&around, api_version, kind, TEXT(""));
    for (at = around.n; at > 0 && around.p[at - 1] != 0x12;)
        at--;
    buffer_add_bytes(head, around.p, at);
    protobuf_varint(head, field.n + items_bytes);
    buffer_add(head, buffer_text(&field));
    buffer_add_bytes(tail, around.p + at + 1, around.n - at - 1);
}

static void protobuf_list(const struct representation *rep, const struct list_meta *meta, size_t items_bytes,
                          struct buffer *head, struct buffer *tail)
{
    write_protobuf_list(meta, items_bytes, rep->kind->api_version, rep->resource->type->list_kind->gvk.kind,
                        head, tail);
}

static void partial_protobuf_list(const struct representation *rep, const struct list_meta *meta,
                                  size_t items_bytes, struct buffer *head, struct buffer *tail)
{
    write_protobuf_list(meta, items_bytes, partial_kind(rep)->api_version, TEXT("PartialObjectMetadataList"),
                        head, tail);
}

/* --- the forms --- */

const struct representation_form form_json = {
    .name = "json",
    .item = json_item,
    .shared_of = kind_shared_of,
    .single = json_single,
    .list_head = json_list_head,
    .first = {"{", sizeof("{") - 1},
    .next = {",{", sizeof(",{") - 1},
    .tail = {"]}", sizeof("]}") - 1},
    .is_shared = true,
};
const struct representation_form form_protobuf = {
    .name = "protobuf",
    .item = protobuf_item,
    .shared_of = kind_shared_of,
    .single = protobuf_single,
    .list = protobuf_list,
    .is_shared = true,
};
const struct representation_form form_partial = {
    .name = "partial",
    .item = partial_item,
    .shared_of = partial_shared_of,
    .single = partial_single,
    .list_head = partial_list_head,
    .first = {"[", sizeof("[") - 1},
    .next = {",", sizeof(",") - 1},
    .tail = {"]}", sizeof("]}") - 1},
    .no_items = {"null}", sizeof("null}") - 1}, /* upstream makes the list by appending to nothing */
    .is_shared = true,
};
const struct representation_form form_partial_protobuf = {
    .name = "partial protobuf",
    .item = partial_protobuf_item,
    .shared_of = partial_shared_of,
    .single = partial_protobuf_single,
    .list = partial_protobuf_list,
    .is_shared = true,
};
