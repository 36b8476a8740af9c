/* yaml.h - YAML text to and from the trees of value.h, by libyaml.
 * The reading is that of sigs.k8s.io/yaml: one document is turned into JSON's data model (YAML 1.1 scalars: yes/no/on/off
 * are booleans, octal and hexadecimal integers, keys become strings), aliases and merge keys are expanded within a limit.
 * Threads: any. */
#pragma once

#include "base/json.h"

/* The first document of in; an empty one is null. BAD_REQUEST with the line of the fault otherwise. */
int yaml_read(struct arena *a, struct text in, const struct json_options *opt, struct value *ret, struct status *st);
/* Block style, map keys sorted, as sigs.k8s.io/yaml writes. */
void yaml_write(struct buffer *b, const struct value *v);
