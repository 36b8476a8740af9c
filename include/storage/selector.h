/* selector.h - label and field selectors: parsed once, matched against objects without allocation.
 * Source: kubernetes/apimachinery pkg/labels/selector.go and pkg/fields/selector.go, wording of errors included. */
#pragma once

#include "storage/object.h"

enum selector_op { SELECT_EQUALS, SELECT_NOT_EQUALS, SELECT_IN, SELECT_NOT_IN, SELECT_EXISTS, SELECT_NOT_EXISTS,
                   SELECT_GREATER, SELECT_LESS };

struct requirement {
    enum selector_op op;
    struct text key;
    struct text *values;
    size_t n_values;
    /* Field selectors: index into object.fields, or one of these. */
    enum { FIELD_METADATA_NAME = -1, FIELD_METADATA_NAMESPACE = -2 } field;
};
struct selector {
    struct requirement *requirements;
    size_t n;
};

/* Both parse into the arena; an empty text selects all (n == 0). BAD_REQUEST with upstream's words. */
int selector_parse_labels(struct arena *a, struct text in, struct selector *ret, struct status *st);
/* Unknown fields: BAD_REQUEST `field label not supported: spec.foo`-like, worded for this type. */
int selector_parse_fields(struct arena *a, struct text in, const struct resource_type *type, struct selector *ret,
                          struct status *st);
bool selector_match_labels(const struct selector *s, const struct object *o);
bool selector_match_fields(const struct selector *s, const struct object *o);
/* A copy with a life of its own, freed by free(): for watchers, which outlive the request's arena. */
struct selector *selector_copy(const struct selector *s);
/* metadata.name=x, when the fields ask for exactly one name; empty otherwise. */
struct text selector_single_name(const struct selector *fields);
/* A LabelSelector object (matchLabels, matchExpressions) as a selector; NULL or null selects nothing, {} all. */
int selector_from_object(struct arena *a, const struct value *label_selector, struct selector *ret, struct status *st);
