/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf.h - what the two directions share. Source: protobuf's encoding, gogo's generated code,
 * runtime.Unknown. */
#pragma once

#define PROTOBUF_MAGIC "k8s\0"
#define PROTOBUF_MAGIC_BYTES 4
#define PROTOBUF_FIELDS_MAX 128 /* of a type that has a message; JSONSchemaProps has some 45 */
#define N_EMBEDDED 2            /* of schema_field.embedded */
#define VARINT_BYTES_MAX 10

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_START_GROUP = 3,
    WIRE_END_GROUP = 4,
    WIRE_FIXED32 = 5,
};
