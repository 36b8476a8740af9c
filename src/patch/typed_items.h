/* SPDX-License-Identifier: Apache-2.0 */
/* typed_items.h - the items of a list by what tells them apart, and members by name: for the walks over typed objects. */
#pragma once

#include "patch/typed.h"

struct item {
    struct path_element at;
    const struct value *value;
    size_t index;     /* among those in order */
    unsigned repeats; /* of the first among equals in sorted: how many they are; of the others 0 */
};
struct items {
    struct item *in_order, *sorted; /* may be the same array */
    size_t n;
    bool has_repeats;
    const char *problem; /* of the first item that cannot be told apart; such items are left out */
};
void items_of(struct arena *a, const struct shape *s, const struct value *list /* may be NULL */, struct items *ret);
const struct item *items_find(const struct items *s, const struct path_element *at); /* the first among equals */

/* Members by name, for who asks for one after the other: looks first behind the last one found, so that two objects of the same
 * order are walked in one pass; a large object of another order is indexed. */
struct finder {
    struct arena *arena;
    const struct value *object; /* NULL when there are no members */
    size_t next;
    const struct value_member **sorted; /* NULL: not yet */
};
struct finder finder_of(struct arena *a, const struct value *v /* may be NULL or no object */);
const struct value *finder_get(struct finder *f, struct text key); /* NULL: none */
/* For messages; cut when it is long. */
const char *typed_printed(struct arena *a, const struct value *v);
