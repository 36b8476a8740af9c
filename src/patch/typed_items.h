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

/* The member of this name; looks first where the last one was found, so that two objects of the same order are walked in
 * one pass. */
struct value *member_near(const struct value *v, struct text key, size_t *cursor);
/* For messages; cut when it is long. */
const char *typed_printed(struct arena *a, const struct value *v);
