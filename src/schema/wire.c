/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over a message: each step checks its length against what is left, so that damaged bytes end the walk. */
#include "schema/wire.h"

#include "schema.h"
#include "schema/protobuf.h"

static bool take_varint(struct text *rest, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < rest->n && i < VARINT_BYTES_MAX; i++) {
        uint8_t b = (uint8_t)rest->p[i];
        v |= (uint64_t)(b & 0x7F) << 7 * i;
        if (b < 0x80) {
            *rest = text_from(*rest, i + 1);
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool take_fixed(struct text *rest, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    if (rest->n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(uint8_t)rest->p[i] << 8 * i;
    *rest = text_from(*rest, n);
    *ret = v;
    return true;
}

int protobuf_next(struct text *rest, struct protobuf_field *ret)
{
    uint64_t tag, n;
    if (rest->n == 0)
        return 0;
    if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > INT32_MAX)
        return -1;
    *ret = (struct protobuf_field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case WIRE_VARINT:
        return take_varint(rest, &ret->value) ? 1 : -1;
    case WIRE_FIXED64:
        return take_fixed(rest, 8, &ret->value) ? 1 : -1;
    case WIRE_FIXED32:
        return take_fixed(rest, 4, &ret->value) ? 1 : -1;
    case WIRE_BYTES:
        if (!take_varint(rest, &n) || n > rest->n)
            return -1;
        ret->wire = PROTOBUF_BYTES;
        ret->bytes = text_first(*rest, (size_t)n);
        *rest = text_from(*rest, (size_t)n);
        return 1;
    default:
        return -1;
    }
}

void protobuf_field_number(struct buffer *b, unsigned number, uint64_t value)
{
    protobuf_varint(b, number << 3 | WIRE_VARINT);
    protobuf_varint(b, value);
}
