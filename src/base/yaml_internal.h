/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_internal.h - YAML 1.1's implicit types, which the reader resolves and the writer quotes. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/buffer.h"
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

/* A document as composed from libyaml's events: aliases are edges. All in the arena. */
enum yaml_node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP, NODE_ALIAS };

struct yaml_node {
    enum yaml_node_kind kind;
    bool is_plain;     /* a scalar without quotes, or with a tag that leaves the type open */
    bool is_expanding; /* an alias that is being followed */
    uint32_t line;     /* from 1 */
    struct text tag;   /* long form; empty when there is none */
    struct text value; /* of a scalar; an alias's anchor */
    struct yaml_node *target;                     /* of an alias */
    struct yaml_node *next, *prev, *first, *last; /* siblings, children: of a map, key after key and value */
};

/* The root of the first document; NULL when there is none. */
int yaml_compose(struct arena *a, struct text in, unsigned depth_max, struct yaml_node **ret, struct status *st);

/* The scalar's type: by its tag, or by its text. Fails when the text is not of the tag's type. */
int yaml_resolve_node(const struct yaml_node *n, struct yaml_scalar *ret, struct status *st);

/* The node as Go's %#v prints what go-yaml makes of it, for messages that quote a key; cut short when it is long. */
void yaml_print_go_syntax(struct buffer *b, const struct yaml_node *n);

#define YAML_TAG_PREFIX "tag:yaml.org,2002:"

static inline int yaml_fail(struct status *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline int yaml_fail(struct status *st, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    status_vset(st, STATUS_BAD_REQUEST, fmt, args);
    va_end(args);
    return -1;
}
