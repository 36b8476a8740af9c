/* SPDX-License-Identifier: Apache-2.0 */
/* field_set.h - sets of fields of an object, as managedFields records who owns which (FieldsV1).
 * A set is a tree of path elements, each of which may itself be a member; sorted, so that two sets are united, intersected
 * and subtracted in one pass. Sets are immutable once built and share their parts; NULL is the empty set.
 * All of it lies in an arena. Threads: one at a time.
 * Source: sigs.k8s.io/structured-merge-diff fieldpath. */
#pragma once

#include "base.h"

enum path_kind { PATH_FIELD, PATH_KEY, PATH_VALUE, PATH_INDEX }; /* in their order */

struct path_key {
    struct text name;
    struct value value;
};
/* One step down: into a member, to the item of a list that has these keys or is this value, to an item by number. */
struct path_element {
    uint8_t kind;
    uint32_t n_keys;
    union {
        struct text name;
        const struct path_key *keys; /* sorted by name */
        struct value value;
        int64_t index;
    };
};

struct field_set;
struct field_node {
    struct path_element at;
    const struct field_set *below; /* NULL: nothing */
    bool is_member;
};
struct field_set {
    const struct field_node *nodes; /* sorted; each is a member or has something below */
    size_t n;
};

int path_element_cmp(const struct path_element *a, const struct path_element *b);
/* As messages print it: ".name", [key="value"], [="value"]. */
void path_element_print(struct buffer *b, const struct path_element *e);

/* Nodes in any order; those of one element become one. */
struct field_set_builder {
    struct arena *arena;
    struct field_node *nodes;
    size_t n, cap;
};
void field_set_add(struct field_set_builder *b, struct path_element at, const struct field_set *below, bool is_member);
const struct field_set *field_set_built(struct field_set_builder *b); /* NULL when nothing was added */

const struct field_set *field_set_union(struct arena *a, const struct field_set *x, const struct field_set *y);
const struct field_set *field_set_intersection(struct arena *a, const struct field_set *x, const struct field_set *y);
/* Members of x that are none of y. */
const struct field_set *field_set_difference(struct arena *a, const struct field_set *x, const struct field_set *y);
/* The same, and with a member of y goes all that lies below it in x. */
const struct field_set *field_set_difference_deep(struct arena *a, const struct field_set *x, const struct field_set *y);
const struct field_node *field_set_find(const struct field_set *s, const struct path_element *at); /* NULL: nothing there */
bool field_set_has_all(const struct field_set *s, const struct field_set *members); /* is none of members missing? */
bool field_set_equal(const struct field_set *x, const struct field_set *y);
/* Calls f with the path of each member, "." before each name; members before what lies below them. */
void field_set_each(const struct field_set *s, struct arena *a, void (*f)(void *ctx, struct text path), void *ctx);
/* The set of the members whose path every one of the NULL-terminated lists spells: {"metadata", "labels", NULL}. */
const struct field_set *field_set_of_names(struct arena *a, const char *const *const *paths, size_t n);

/* FieldsV1, from and to JSON; the set points into the text. -1: it is no such thing. Kinds of elements that a later version may know
 * are left out. */
int field_set_read(struct arena *a, struct text fields, const struct field_set **ret, struct status *st);
struct text field_set_write(struct arena *a, const struct field_set *s);
