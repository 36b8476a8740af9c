/* SPDX-License-Identifier: Apache-2.0 */
/* An OpenAPI version 2 document as the message that kubectl asks for. Source: google/gnostic openapiv2/OpenAPIv2.proto. */
#include "endpoints/openapi.h"
#include "endpoints/openapi_message.h"

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

static const struct message body_message = {
    .fields = (const struct field[]){{"description", 1, HOW_STRING, NULL, 0},
                                     {"name", 2, HOW_STRING, NULL, 0},
                                     {"in", 3, HOW_STRING, NULL, 0},
                                     {"required", 4, HOW_BOOL, NULL, 0},
                                     {"schema", 5, HOW_MESSAGE, &schema_message, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 6,
    .choice = {1},
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
    .choice = {3, 2},
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
    .choice = {4, 2},
};
static const struct message *pick_parameter(const struct value *v)
{
    struct text where = value_get_text(v, TEXT("in"));

    if (text_is(where, "body"))
        return &body_message;
    return text_is(where, "path") ? &in_path_message : &query_message;
}
static const struct message parameter_message = {.pick = pick_parameter};
static const struct message parameter_or_reference = {.pick = pick_parameter, .choice = {1}, .reference = 2};

static const struct message response_message = {
    .fields = (const struct field[]){{"description", 1, HOW_STRING, NULL, 0},
                                     {"schema", 2, HOW_ONE, &schema_message, 1},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 5,
    .choice = {1},
};
static const struct message operation_message = {
    .fields = (const struct field[]){{"tags", 1, HOW_STRINGS, NULL, 0},
                                     {"description", 3, HOW_STRING, NULL, 0},
                                     {"operationId", 5, HOW_STRING, NULL, 0},
                                     {"produces", 6, HOW_STRINGS, NULL, 0},
                                     {"consumes", 7, HOW_STRINGS, NULL, 0},
                                     {"parameters", 8, HOW_LIST, &parameter_or_reference, 0},
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
                                     {"parameters", 9, HOW_LIST, &parameter_or_reference, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 10,
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
    .choice = {2},
};
static const struct message scopes_message = {.is_string_list = true};
static const struct message document_message = {
    .fields = (const struct field[]){{"swagger", 1, HOW_STRING, NULL, 0},
                                     {"info", 2, HOW_MESSAGE, &info_message, 0},
                                     {"paths", 8, HOW_NAMED, &path_message, 2},
                                     {"definitions", 9, HOW_NAMED, &schema_message, 1},
                                     {"parameters", 10, HOW_NAMED, &parameter_message, 1},
                                     {"security", 12, HOW_MESSAGES, &scopes_message, 1},
                                     {"securityDefinitions", 13, HOW_NAMED, &api_key_message, 1},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 16,
};

struct text openapi_v2_message(struct arena *a, const struct value *document)
{
    return message_encode(a, &document_message, document);
}
