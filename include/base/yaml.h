/* yaml.h - YAML text to and from the trees of value.h, by libyaml.
 * The reading is that of sigs.k8s.io/yaml: one document is turned into JSON's data model (YAML 1.1 scalars: yes/no/on/off
 * are booleans, octal and hexadecimal integers, keys become strings), aliases and merge keys are expanded within a limit.
 * Threads: any. */
#pragma once

#include "base/json.h"

/* The first document of in; an empty one is null. Members come sorted by key. BAD_REQUEST otherwise, worded as go-yaml
 * does: "yaml: line 3: ..." (what calls sigs' Unmarshal says "error converting YAML to JSON: " before it; the
 * apiserver's decoder does not). The depth is limited by opt, that of brackets to 200, too; and what lies in deep brackets,
 * by the length of in: reading takes time in proportion to that.
 * opt->duplicates gets one line for each repeated key: `line 4: key "a" already set in map`. The last value counts.
 * Upstream's strict error joins the lines: "yaml: unmarshal errors:\n  " LINE "\n  " LINE. Strings are always copied. */
int yaml_read(struct arena *a, struct text in, const struct json_options *opt, struct value *ret, struct status *st);
/* Block style, map keys sorted, as sigs.k8s.io/yaml writes. */
void yaml_write(struct buffer *b, const struct value *v);
