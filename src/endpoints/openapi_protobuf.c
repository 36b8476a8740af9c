/* SPDX-License-Identifier: Apache-2.0 */
/* An OpenAPI version 2 document as the message that kubectl asks for: the tree of the JSON document, walked
 * by tables of the messages' fields. Values of any kind and x- members travel as YAML, of which JSON is a
 * part. Source: google/gnostic openapiv2/OpenAPIv2.proto. */
#include "endpoints/openapi.h"

struct message;

enum how {
    HOW_STRING,
    HOW_STRINGS,
    HOW_BOOL,
    HOW_MESSAGE,
    HOW_MESSAGES,
    HOW_NAMED, /* a message that holds the members as (name, value) pairs in the field number inner */
    HOW_ANY,
    HOW_ANYS,
    HOW_TYPE,       /* a message of strings */
    HOW_ONE,        /* a message whose field number inner is the value: the choice that is always made here */
    HOW_PARAMETERS, /* each one a reference or a parameter */
    HOW_PARAMETER_TABLE,
};

struct field {
    const char *name;
    uint8_t number;
    enum how how;
    const struct message *of;
    uint8_t inner;
};
struct message {
    const struct field *fields;
    uint8_t extension; /* number of the x- members; 0: none */
    /* What a value is wrapped in as one of several choices, outermost last; 0: nothing. */
    uint8_t choice;
    bool is_string_list; /* the JSON value is a list of strings, not an object */
};

static const struct message schema_message;
static const struct field properties_of_schema[] = {
    {"$ref", 1, HOW_STRING, NULL, 0},
    {"format", 2, HOW_STRING, NULL, 0},
    {"description", 4, HOW_STRING, NULL, 0},
    {"default", 5, HOW_ANY, NULL, 0},
    {"required", 19, HOW_STRINGS, NULL, 0},
    {"enum", 20, HOW_ANYS, NULL, 0},
    {"additionalProperties", 21, HOW_ONE, &schema_message, 1},
    {"type", 22, HOW_TYPE, NULL, 0},
    {"items", 23, HOW_ONE, &schema_message, 1},
    {"properties", 25, HOW_NAMED, &schema_message, 1},
    {NULL, 0, HOW_STRING, NULL, 0},
};
static const struct message schema_message = {.fields = properties_of_schema, .extension = 31};

static const struct message response_message = {
    .fields = (const struct field[]){{"description", 1, HOW_STRING, NULL, 0},
                                     {"schema", 2, HOW_ONE, &schema_message, 1},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 5,
    .choice = 1,
};
static const struct message operation_message = {
    .fields = (const struct field[]){{"tags", 1, HOW_STRINGS, NULL, 0},
                                     {"description", 3, HOW_STRING, NULL, 0},
                                     {"operationId", 5, HOW_STRING, NULL, 0},
                                     {"produces", 6, HOW_STRINGS, NULL, 0},
                                     {"consumes", 7, HOW_STRINGS, NULL, 0},
                                     {"parameters", 8, HOW_PARAMETERS, NULL, 0},
                                     {"responses", 9, HOW_NAMED, &response_message, 1},
                                     {"schemes", 10, HOW_STRINGS, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 13,
};
static const struct message path_message = {
    .fields = (const struct field[]){{"get", 2, HOW_MESSAGE, &operation_message, 0},
                                     {"put", 3, HOW_MESSAGE, &operation_message, 0},
                                     {"post", 4, HOW_MESSAGE, &operation_message, 0},
                                     {"delete", 5, HOW_MESSAGE, &operation_message, 0},
                                     {"options", 6, HOW_MESSAGE, &operation_message, 0},
                                     {"head", 7, HOW_MESSAGE, &operation_message, 0},
                                     {"patch", 8, HOW_MESSAGE, &operation_message, 0},
                                     {"parameters", 9, HOW_PARAMETERS, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 10,
};
static const struct message body_message = {
    .fields = (const struct field[]){{"description", 1, HOW_STRING, NULL, 0},
                                     {"name", 2, HOW_STRING, NULL, 0},
                                     {"in", 3, HOW_STRING, NULL, 0},
                                     {"required", 4, HOW_BOOL, NULL, 0},
                                     {"schema", 5, HOW_MESSAGE, &schema_message, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 6,
};
static const struct message query_message = {
    .fields = (const struct field[]){{"required", 1, HOW_BOOL, NULL, 0},
                                     {"in", 2, HOW_STRING, NULL, 0},
                                     {"description", 3, HOW_STRING, NULL, 0},
                                     {"name", 4, HOW_STRING, NULL, 0},
                                     {"type", 6, HOW_STRING, NULL, 0},
                                     {"uniqueItems", 20, HOW_BOOL, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 23,
    .choice = 3,
};
static const struct message in_path_message = {
    .fields = (const struct field[]){{"required", 1, HOW_BOOL, NULL, 0},
                                     {"in", 2, HOW_STRING, NULL, 0},
                                     {"description", 3, HOW_STRING, NULL, 0},
                                     {"name", 4, HOW_STRING, NULL, 0},
                                     {"type", 5, HOW_STRING, NULL, 0},
                                     {"uniqueItems", 19, HOW_BOOL, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 22,
    .choice = 4,
};
static const struct message info_message = {
    .fields = (const struct field[]){{"title", 1, HOW_STRING, NULL, 0},
                                     {"version", 2, HOW_STRING, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 7,
};
static const struct message api_key_message = {
    .fields = (const struct field[]){{"type", 1, HOW_STRING, NULL, 0},
                                     {"name", 2, HOW_STRING, NULL, 0},
                                     {"in", 3, HOW_STRING, NULL, 0},
                                     {"description", 4, HOW_STRING, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 5,
    .choice = 2,
};
static const struct message scopes_message = {.is_string_list = true};
static const struct message document_message = {
    .fields = (const struct field[]){{"swagger", 1, HOW_STRING, NULL, 0},
                                     {"info", 2, HOW_MESSAGE, &info_message, 0},
                                     {"paths", 8, HOW_NAMED, &path_message, 2},
                                     {"definitions", 9, HOW_NAMED, &schema_message, 1},
                                     {"parameters", 10, HOW_PARAMETER_TABLE, NULL, 1},
                                     {"security", 12, HOW_MESSAGES, &scopes_message, 1},
                                     {"securityDefinitions", 13, HOW_NAMED, &api_key_message, 1},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 16,
};

static struct text encode(struct arena *a, const struct message *m, const struct value *v);

/* A message with the one field. */
static struct text boxed(struct arena *a, unsigned number, struct text inner)
{
    struct buffer b = BUFFER_IN(a);

    protobuf_field_bytes(&b, number, inner);
    return buffer_text(&b);
}

static struct text any_value(struct arena *a, const struct value *v)
{
    struct buffer json = BUFFER_IN(a);

    json_write(&json, v);
    buffer_add_char(&json, '\n');
    return boxed(a, 2, buffer_text(&json));
}

static void add_pair(struct arena *a, struct buffer *b, unsigned number, struct text name, struct text value)
{
    struct buffer pair = BUFFER_IN(a);

    protobuf_field_bytes(&pair, 1, name);
    protobuf_field_bytes(&pair, 2, value);
    protobuf_field_bytes(b, number, buffer_text(&pair));
}

static struct text encode_parameter(struct arena *a, const struct value *v)
{
    struct text where = value_get_text(v, TEXT("in"));

    if (text_is(where, "body"))
        return boxed(a, 1, encode(a, &body_message, v));
    return boxed(a, 2, encode(a, text_is(where, "path") ? &in_path_message : &query_message, v));
}

static void add_parameters(struct arena *a, struct buffer *b, unsigned number, const struct value *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct text ref = value_get_text(&list->items[i], TEXT("$ref"));
        protobuf_field_bytes(b, number,
                             ref.n ? boxed(a, 2, boxed(a, 1, ref))
                                   : boxed(a, 1, encode_parameter(a, &list->items[i])));
    }
}

static struct text encode_members(struct arena *a, const struct field *f, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    for (size_t i = 0; i < v->n; i++) {
        const struct value_member *m = &v->members[i];
        add_pair(a, &b, f->inner, member_key(m),
                 f->how == HOW_PARAMETER_TABLE ? encode_parameter(a, &m->value)
                                               : encode(a, f->of, &m->value));
    }
    return buffer_text(&b);
}

static void add_field(struct arena *a, struct buffer *b, const struct field *f, const struct value *v)
{
    switch (f->how) {
    case HOW_STRING:
        protobuf_field_bytes(b, f->number, value_text(v));
        return;
    case HOW_STRINGS:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, value_text(&v->items[i]));
        return;
    case HOW_BOOL:
        protobuf_varint(b, (uint64_t)f->number << 3);
        protobuf_varint(b, v->boolean);
        return;
    case HOW_MESSAGE:
        protobuf_field_bytes(b, f->number, encode(a, f->of, v));
        return;
    case HOW_MESSAGES:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, encode_members(a, f, &v->items[i]));
        return;
    case HOW_NAMED:
    case HOW_PARAMETER_TABLE:
        protobuf_field_bytes(b, f->number, encode_members(a, f, v));
        return;
    case HOW_ANY:
        protobuf_field_bytes(b, f->number, any_value(a, v));
        return;
    case HOW_ANYS:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, any_value(a, &v->items[i]));
        return;
    case HOW_TYPE:
        protobuf_field_bytes(b, f->number, boxed(a, 1, value_text(v)));
        return;
    case HOW_ONE:
        protobuf_field_bytes(b, f->number, boxed(a, f->inner, encode(a, f->of, v)));
        return;
    case HOW_PARAMETERS:
        add_parameters(a, b, f->number, v);
        return;
    }
}

static struct text encode(struct arena *a, const struct message *m, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    if (m->is_string_list) {
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(&b, 1, value_text(&v->items[i]));
        return buffer_text(&b);
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct value_member *member = &v->members[i];
        struct text key = member_key(member);
        if (m->extension && text_starts(key, TEXT("x-"))) {
            add_pair(a, &b, m->extension, key, any_value(a, &member->value));
            continue;
        }
        for (const struct field *f = m->fields; f->name; f++)
            if (text_is(key, f->name))
                add_field(a, &b, f, &member->value);
    }
    return m->choice ? boxed(a, m->choice, buffer_text(&b)) : buffer_text(&b);
}

struct text openapi_protobuf(struct arena *a, const struct value *document)
{
    return encode(a, &document_message, document);
}
