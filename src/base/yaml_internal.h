/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_internal.h - YAML 1.1's implicit types, which the reader resolves and the writer quotes. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "base/value.h"

enum yaml_type {
    YAML_TYPE_STRING,
    YAML_TYPE_NULL,
    YAML_TYPE_BOOL,
    YAML_TYPE_INT,
    YAML_TYPE_FLOAT,
    YAML_TYPE_TIMESTAMP,
};

struct yaml_scalar {
    enum yaml_type type;
    bool is_unsigned; /* an INT beyond int64: u holds it */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
    };
};

/* What a plain scalar stands for. Timestamps are strings to everyone but the writer, which quotes them. */
struct yaml_scalar yaml_resolve(struct text in);

/* As Go's FormatFloat(d, 'g', -1, 64), or with as few digits as a 32-bit float needs; .inf, -.inf, .nan. Returns the
 * bytes written to out, which holds YAML_FLOAT_TEXT_MAX. */
#define YAML_FLOAT_TEXT_MAX 40
size_t yaml_format_float(double d, bool is_float32, char *out);

/* Invalid bytes become U+FFFD, as Go's JSON encoder does it; t itself when there are none. */
struct text yaml_replace_invalid_utf8(struct arena *a, struct text t);
