/* SPDX-License-Identifier: Apache-2.0 */
/* An OpenAPI version 3 document as the message that kubectl asks for. Source: google/gnostic openapiv3/OpenAPIv3.proto. */
#include "endpoints/openapi.h"
#include "endpoints/openapi_message.h"

static const struct message schema_message;
static const struct field fields_of_schema[] = {
    {"uniqueItems", 20, HOW_BOOL, NULL, 0},
    {"required", 23, HOW_STRINGS, NULL, 0},
    {"enum", 24, HOW_ANYS, NULL, 0},
    {"type", 25, HOW_STRING, NULL, 0},
    {"allOf", 26, HOW_LIST, &schema_message, 0},
    {"oneOf", 27, HOW_LIST, &schema_message, 0},
    {"items", 30, HOW_ONE, &schema_message, 1},
    {"properties", 31, HOW_NAMED, &schema_message, 1},
    {"additionalProperties", 32, HOW_ONE, &schema_message, 1},
    {"default", 33, HOW_SCALAR, NULL, 0},
    {"description", 34, HOW_STRING, NULL, 0},
    {"format", 35, HOW_STRING, NULL, 0},
    {NULL, 0, HOW_STRING, NULL, 0},
};
static const struct message schema_message = {
    .fields = fields_of_schema, .extension = 36, .choice = {1}, .reference = 2};

static const struct message media_message = {
    .fields = (const struct field[]){{"schema", 1, HOW_MESSAGE, &schema_message, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 5,
};
static const struct message parameter_message = {
    .fields = (const struct field[]){{"name", 1, HOW_STRING, NULL, 0},
                                     {"in", 2, HOW_STRING, NULL, 0},
                                     {"description", 3, HOW_STRING, NULL, 0},
                                     {"required", 4, HOW_BOOL, NULL, 0},
                                     {"schema", 10, HOW_MESSAGE, &schema_message, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 14,
    .choice = {1},
    .reference = 2,
};
static const struct message body_message = {
    .fields = (const struct field[]){{"description", 1, HOW_STRING, NULL, 0},
                                     {"content", 2, HOW_NAMED, &media_message, 1},
                                     {"required", 3, HOW_BOOL, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 4,
    .choice = {1},
    .reference = 2,
};
static const struct message response_message = {
    .fields = (const struct field[]){{"description", 1, HOW_STRING, NULL, 0},
                                     {"content", 3, HOW_NAMED, &media_message, 1},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 5,
    .choice = {1},
    .reference = 2,
};
static const struct message operation_message = {
    .fields = (const struct field[]){{"tags", 1, HOW_STRINGS, NULL, 0},
                                     {"description", 3, HOW_STRING, NULL, 0},
                                     {"operationId", 5, HOW_STRING, NULL, 0},
                                     {"parameters", 6, HOW_LIST, &parameter_message, 0},
                                     {"requestBody", 7, HOW_MESSAGE, &body_message, 0},
                                     {"responses", 8, HOW_NAMED, &response_message, 2},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 13,
};
static const struct message path_message = {
    .fields = (const struct field[]){{"get", 4, HOW_MESSAGE, &operation_message, 0},
                                     {"put", 5, HOW_MESSAGE, &operation_message, 0},
                                     {"post", 6, HOW_MESSAGE, &operation_message, 0},
                                     {"delete", 7, HOW_MESSAGE, &operation_message, 0},
                                     {"options", 8, HOW_MESSAGE, &operation_message, 0},
                                     {"head", 9, HOW_MESSAGE, &operation_message, 0},
                                     {"patch", 10, HOW_MESSAGE, &operation_message, 0},
                                     {"parameters", 13, HOW_LIST, &parameter_message, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 14,
};
static const struct message info_message = {
    .fields = (const struct field[]){{"title", 1, HOW_STRING, NULL, 0},
                                     {"version", 6, HOW_STRING, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 7,
};
static const struct message api_key_message = {
    .fields = (const struct field[]){{"type", 1, HOW_STRING, NULL, 0},
                                     {"description", 2, HOW_STRING, NULL, 0},
                                     {"name", 3, HOW_STRING, NULL, 0},
                                     {"in", 4, HOW_STRING, NULL, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 9,
    .choice = {1},
    .reference = 2,
};
static const struct message components_message = {
    .fields = (const struct field[]){{"schemas", 1, HOW_NAMED, &schema_message, 1},
                                     {"securitySchemes", 7, HOW_NAMED, &api_key_message, 1},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 10,
};
static const struct message document_message = {
    .fields = (const struct field[]){{"openapi", 1, HOW_STRING, NULL, 0},
                                     {"info", 2, HOW_MESSAGE, &info_message, 0},
                                     {"paths", 4, HOW_NAMED, &path_message, 1},
                                     {"components", 5, HOW_MESSAGE, &components_message, 0},
                                     {NULL, 0, HOW_STRING, NULL, 0}},
    .extension = 9,
};

struct text openapi_v3_message(struct arena *a, const struct value *document)
{
    return message_encode(a, &document_message, document);
}
