/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers over object trees. */
#include "registry_internal.h"

void keep_member(struct arena *a, struct value *obj, const struct value *old, struct text name)
{
    const struct value *kept = value_get(old, name);

    if (kept)
        value_set(a, obj, name, value_copy(a, kept));
    else
        value_remove(obj, name);
}

bool same_member(const struct value *x, const struct value *y, struct text name)
{
    const struct value *a = value_get(x, name), *b = value_get(y, name);

    return a && b ? value_equal(a, b) : value_is_empty(a) && value_is_empty(b);
}

size_t finalizer_count(const struct value *obj)
{
    const struct value *list = value_at(obj, "metadata", "finalizers", NULL);

    return list && list->kind == VALUE_LIST ? list->n : 0;
}

struct text time_text(struct arena *a, int64_t wall_ns)
{
    return clock_rfc3339(wall_ns, arena_alloc(a, CLOCK_TEXT_MAX));
}
