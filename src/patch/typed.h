/* SPDX-License-Identifier: Apache-2.0 */
/* typed.h - objects seen by their schema as server-side apply sees them: what of them is one thing (a scalar, an atomic list or
 * map), what has parts of its own, and how the items of a list are told apart.
 * Trees need not be canonical: what a client applies is taken as it was written. Nothing here changes a tree; what comes back
 * shares its parts. Threads: any.
 * Source: sigs.k8s.io/structured-merge-diff typed; kube-openapi pkg/schemaconv for how markers become relations. */
#pragma once

#include "patch/field_set.h"
#include "schema.h"

/* A place in a type: the type, and the field whose markers hold there (NULL: an element, or the whole object). */
struct typed {
    const struct schema_type *type;
    const struct schema_field *field;
    bool is_untyped; /* below a value of any kind: maps have parts, lists are atomic */
};
struct typed typed_of(const struct schema_type *object);

enum shape_kind {
    SHAPE_LEAF, /* one thing */
    SHAPE_MAP,  /* a struct or a map whose members are owned one by one */
    SHAPE_LIST, /* a list whose items are known by their keys or are a set */
};
struct shape {
    enum shape_kind kind;
    bool is_scalar;              /* LEAF: neither a list nor a map */
    const struct schema *schema; /* MAP of a struct */
    struct typed item;           /* MAP that is no struct, LIST */
    const struct schema_field *list; /* LIST: whose merge keys; a set when it has none */
};
/* v helps where the type leaves it open; may be NULL. */
struct shape shape_of(struct typed t, const struct value *v);
/* The type of a member; ret_is_named: a field of the struct, not a key of a map. False: the type has no such member. */
bool shape_member(const struct shape *s, struct text name, struct typed *ret, bool *ret_is_named);
/* The same for a member of a tree, which is quick when the tree is canonical. */
bool shape_of_member(const struct shape *s, const struct value_member *m, struct typed *ret, bool *ret_is_named);
/* What tells the item of a LIST from the others. NULL, or what is wrong with it. */
const char *shape_item_element(struct arena *a, const struct shape *s, const struct value *item, struct path_element *ret);

/* --- walks --- */

/* Is this tree of this type? "": yes; else what is wrong, as upstream words it. Repeated items of a list are wrong unless
 * allowed. */
struct text typed_problem(struct arena *a, struct typed t, const struct value *v, bool allows_repeats);
/* All fields that v sets. */
const struct field_set *typed_fields(struct arena *a, struct typed t, const struct value *v);

struct comparison {
    const struct field_set *added, *removed, *modified;
    const char *problem; /* an item of a list cannot be told from the others; NULL: none */
};
/* From x to y. Either may be NULL, not both. */
struct comparison typed_compare(struct arena *a, struct typed t, const struct value *x, const struct value *y);
/* x with what y says. The members of structs are in no order: make the result canonical. -1: a list of y repeats an item. */
int typed_merge(struct arena *a, struct typed t, const struct value *x, const struct value *y, struct value *ret,
                struct status *st);
/* v without the fields of the set. */
struct value typed_remove(struct arena *a, struct typed t, const struct value *v, const struct field_set *fields);

/* Named fields count as members wherever something below them is one. */
const struct field_set *typed_name_fields(struct arena *a, struct typed t, const struct field_set *s);
/* s, written when the type looked different, for the type as it is: what is atomic now has nothing below it. */
const struct field_set *typed_reconcile(struct arena *a, struct typed t, const struct field_set *s);
