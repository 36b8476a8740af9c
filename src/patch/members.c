/* SPDX-License-Identifier: Apache-2.0 */
/* Removed members stay as marked gaps, so that the map's indices hold, until the object is closed. */
#include "members.h"

#define MAP_FROM 1024 /* comparisons; fewer are quicker than making the map */
#define GAP 1         /* in value.reserved */

void members_open(struct members *m, struct arena *a, struct value *object, size_t n_changes)
{
    *m = (struct members){
        .a = a, .object = object, .is_mapped = (object->n + n_changes) * n_changes > MAP_FROM};
    for (size_t i = 0; m->is_mapped && i < object->n; i++)
        map_put(&m->map, member_key(&object->members[i]), (void *)(i + 1));
}

struct value *members_get(const struct members *m, struct text key)
{
    if (m->is_mapped) {
        size_t at = (size_t)map_get(&m->map, key);
        return at && m->object->members[at - 1].value.reserved != GAP ? &m->object->members[at - 1].value
                                                                      : NULL;
    }
    struct value *v = value_get(m->object, key);
    return v && v->reserved != GAP ? v : NULL;
}

void members_set(struct members *m, struct text key, struct value v)
{
    struct value *old = members_get(m, key);

    v.reserved = 0;
    if (old) {
        *old = v;
        return;
    }
    value_add(m->a, m->object, key, v);
    if (m->is_mapped)
        map_put(&m->map, key, (void *)(size_t)m->object->n);
}

void members_remove(struct members *m, struct text key)
{
    struct value *v = members_get(m, key);

    if (!v)
        return;
    v->reserved = GAP;
    m->has_gaps = true;
}

void members_close(struct members *m)
{
    struct value *object = m->object;
    size_t n = 0;

    map_deinit(&m->map);
    if (!m->has_gaps)
        return;
    for (size_t i = 0; i < object->n; i++) {
        if (object->members[i].value.reserved != GAP)
            object->members[n++] = object->members[i];
    }
    object->n = (uint32_t)n;
}
