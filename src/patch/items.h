/* SPDX-License-Identifier: Apache-2.0 */
/* items.h - of strategic merge: the items of merging lists, what identifies them and in which order they end
 * up. */
#pragma once

#include "patch.h"

struct merge {
    struct arena *a;
    struct status *st;
    int depth;
};

/* Upstream's texts; the plain ones are errors without a reason, which become a 500. All return -1. */
int merge_fail(struct merge *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
int merge_fail_type(struct merge *m, enum value_kind expected, const struct value *got);
int merge_fail_no_key(struct merge *m, const struct value *item, struct text key);
const char *merge_printed(struct merge *m, const struct value *v);

/* A text that two items share exactly when upstream takes them for the same; empty: it identifies nothing.
 * key: the merge key, empty for scalars. */
struct text item_identity(struct arena *a, const struct value *item, struct text key);

#define NOWHERE SIZE_MAX
struct positions {
    struct map map; /* identity -> 1 + index */
};
void positions_of(struct positions *p, struct arena *a, const struct value *list, struct text key);
void positions_put(struct positions *p, struct arena *a, const struct value *item, struct text key,
                   size_t at);
size_t positions_get(const struct positions *p, struct arena *a, const struct value *item, struct text key);
void positions_deinit(struct positions *p);

/* Each item must be an object that has the key, if there is one. */
int items_check_keys(struct merge *m, const struct value *list, struct text key);
/* merged: every item; named: what the patch names, in the order wanted; old: the document's list. */
int items_order(struct merge *m, const struct value *merged, const struct value *named,
                const struct value *old, struct text key, struct value *ret);
