/* json.h - reads and writes API objects: JSON text to struct value and back.
 * A reader for hostile input (depth and size are bounded by the caller's limits, UTF-8 is checked) and a writer that
 * makes the bytes that Go's encoding/json makes: < > & and U+2028/9 escaped, shortest numbers.
 * JSON that is no API object goes through jansson instead. Threads: any. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/buffer.h"
#include "base/text_list.h"
#include "base/value.h"

#define JSON_DEPTH_MAX 10000 /* as Go's encoding/json */

struct json_options {
    unsigned depth_max; /* 0: JSON_DEPTH_MAX */
    /* When not NULL, the paths of repeated keys are added here ("spec.containers[0].name"), in order, 100 at most.
     * The last of the values counts. */
    struct text_list *duplicates;
    /* Members of a repeated object join those of the first, as Go's decoder fills a struct or a typed map twice; otherwise the
     * last one counts alone. Only the first few of a document: each one costs a copy. */
    bool merge_duplicates;
    /* Names of members in each other, lists between them counting for nothing, ending with NULL: what stands there is not read but
     * kept as a raw value. Only for JSON that is known to be good and compact. */
    const char *const *raw_path;
    bool copy_strings; /* otherwise strings without escapes point into the input, which must outlive the arena */
};

/* Exactly one JSON value, white space around it. BAD_REQUEST with the wording of Go's decoder otherwise, e.g.
 * "invalid character 'x' looking for beginning of value", "unexpected end of JSON input". */
int json_read(struct arena *a, struct text in, const struct json_options *opt, struct value *ret, struct status *st);

/* Behind the value that begins at p and its white space, of JSON that is known to be good; NULL when it is cut short. */
const char *json_skip_value(const char *p, const char *end);
/* Makes trees of the raw values in v, itself included. */
void json_expand(struct arena *a, struct value *v);

/* Compact, members in the order they have. */
void json_write(struct buffer *b, const struct value *v);
/* Indented by two spaces as kube-apiserver's pretty=true does it. */
void json_write_pretty(struct buffer *b, const struct value *v);
/* Re-indents bytes that are known to be valid JSON, without a tree. */
void json_indent(struct buffer *b, struct text json);
/* A quoted string with Go's escapes. */
void json_write_string(struct buffer *b, struct text s);
void json_write_float(struct buffer *b, double d);
