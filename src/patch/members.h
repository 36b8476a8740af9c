/* SPDX-License-Identifier: Apache-2.0 */
/* members.h - look-ups and changes of one object's members while a patch is merged into it: by comparing
 * while that is cheap, by a hash map from then on, so that merging is linear whatever a client sends. */
#pragma once

#include "patch.h"

struct members {
    struct arena *a;
    struct value *object;
    struct map map; /* key -> 1 + index */
    bool is_mapped, has_gaps;
};
/* n_changes: how many look-ups will come, about. The object is changed through m only until it is closed. */
void members_open(struct members *m, struct arena *a, struct value *object, size_t n_changes);
struct value *members_get(const struct members *m, struct text key); /* until the next members_set */
void members_set(struct members *m, struct text key, struct value v);
void members_remove(struct members *m, struct text key);
void members_close(struct members *m);
