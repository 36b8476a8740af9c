/* wire.h - messages of protobuf that are no API objects, field by field; protobuf_varint and protobuf_field_bytes of
 * schema.h write them. Threads: any. Source: protobuf.dev, encoding. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum protobuf_wire { PROTOBUF_NUMBER, PROTOBUF_BYTES };
struct protobuf_field {
    uint32_t number;
    enum protobuf_wire wire;
    uint64_t value;    /* NUMBER: a varint or a fixed number */
    struct text bytes; /* BYTES: points into the message */
};

/* Reads the next field and moves *rest behind it. 1: there was one; 0: the message has ended; -1: it is no message (cut short,
 * a number too long, field number 0, or a group, which no message of today has). */
int protobuf_next(struct text *rest, struct protobuf_field *ret);
void protobuf_field_number(struct buffer *b, unsigned number, uint64_t value); /* written as a varint */
