/* openapi_message.h - a tree as a protobuf message, by tables of the message's fields (openapi_message.c), for the
 * messages that gnostic has for OpenAPI's documents. */
#pragma once

#include "endpoints/endpoints_internal.h"

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
    HOW_LIST,       /* a message for each item */
    HOW_SCALAR,     /* number, bool or string, as one of three choices; of other values there is none */
    HOW_TYPE,       /* a message of strings */
    HOW_ONE,        /* a message whose field number inner is the value: the choice that is always made here */
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
    /* Instead of fields, for a value whose kind of message depends on what it says. */
    const struct message *(*pick)(const struct value *v);
    uint8_t extension; /* number of the x- members; 0: none */
    uint8_t choice[3]; /* what the message is wrapped in, as one of several choices each time, innermost first; 0: the end */
    uint8_t reference; /* of an object that is a "$ref": the choice, which has it as field 1; 0: there is none here */
    bool is_string_list; /* the JSON value is a list of strings, not an object */
};

struct text message_encode(struct arena *a, const struct message *m, const struct value *v);
