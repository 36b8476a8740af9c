/* SPDX-License-Identifier: Apache-2.0 */
/* The managed fields of an object as those of its Scale, and back. A Scale has one field that anybody can own, so an entry that has
 * the object's replicas is one that has the Scale's, and whoever has no such entry any more has lost them. An updater is known by
 * the version that it wrote, too, which is not the same in the Scale: on the way back its entry is taken for a new one, without
 * a time. Source: kubernetes/apimachinery pkg/util/managedfields/scalehandler.go. */
#include "patch.h"
#include "patch/managers.h"

#define SCALE_VERSION TEXT("autoscaling/v1")

/* The same place in both objects. */
static const struct field_set *replicas(struct arena *a)
{
    static const char *const path[] = {"spec", "replicas", NULL}, *const *const paths[] = {path};

    return field_set_of_names(a, paths, 1);
}

static bool has_replicas(struct arena *a, const struct manager *m)
{
    return field_set_intersection(a, m->fields, replicas(a));
}

struct value managed_to_scale(struct arena *a, const struct value *managed)
{
    struct managers ms = managers_read_or_none(a, managed, false), scale = {.arena = a};

    for (size_t i = 0; i < ms.n; i++) {
        if (!has_replicas(a, &ms.p[i]))
            continue;
        struct manager *m = managers_add(&scale, &ms.p[i]);
        m->fields = replicas(a);
        m->api_version = SCALE_VERSION;
    }
    return scale.n ? managers_write(a, &scale) : value_null;
}

struct value managed_from_scale(struct arena *a, const struct value *managed, const struct value *of_scale, struct text api_version)
{
    struct managers ms = managers_read_or_none(a, managed, true), scale = managers_read_or_none(a, of_scale, false), new = {.arena = a};

    for (size_t i = 0; i < ms.n; i++) {
        struct manager m = ms.p[i], *still;
        if (has_replicas(a, &m)) {
            still = managers_find(&scale, &m);
            if (still)
                managers_remove(&scale, still);
            else
                m.fields = field_set_difference(a, m.fields, replicas(a));
        }
        if (m.fields)
            managers_add(&new, &m);
    }
    for (size_t i = 0; i < scale.n; i++) {
        if (!has_replicas(a, &scale.p[i]))
            continue;
        struct manager m = scale.p[i];
        const struct manager *known = managers_find(&ms, &m);
        m.time = known ? known->time : TEXT_NONE;
        m.fields = replicas(a);
        m.api_version = api_version;
        struct manager *there = managers_find(&new, &scale.p[i]); /* by how it is known in the Scale */
        if (there)
            *there = m;
        else
            managers_add(&new, &m);
    }
    return new.n ? managers_write(a, &new) : value_null;
}
