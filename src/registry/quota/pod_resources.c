/* SPDX-License-Identifier: Apache-2.0 */
/* The resources of a pod. Source: kubernetes/component-helpers resource/helpers.go (PodRequests, PodLimits).
 */
#include "registry/quota.h"

struct text quantity_text(struct arena *a, const struct value *v)
{
    return v && v->kind == VALUE_INT ? arena_textf(a, "%lld", (long long)v->integer) : value_text(v);
}

static size_t list_size(const struct value *list)
{
    return list && list->kind == VALUE_LIST ? list->n : 0;
}

static size_t size_of(const struct value *object)
{
    return object && object->kind == VALUE_OBJECT ? object->n : 0;
}

void quantities_add(struct arena *a, struct value *sum, const struct value *list)
{
    for (size_t i = 0; i < size_of(list); i++) {
        struct text key = member_key(&list->members[i]), q = quantity_text(a, &list->members[i].value), total;
        const struct value *there = value_get(sum, key);
        if (!there || !quantity_add(a, value_text(there), q, &total))
            total = q;
        value_set(a, sum, key, value_string(total));
    }
}

static void raise_to(struct arena *a, struct value *most, const struct value *list)
{
    for (size_t i = 0; i < size_of(list); i++) {
        struct text key = member_key(&list->members[i]), q = quantity_text(a, &list->members[i].value);
        const struct value *there = value_get(most, key);
        if (!there || quantity_cmp(q, value_text(there)) > 0)
            value_set(a, most, key, value_string(q));
    }
}

static bool is_pod_level(struct text resource)
{
    return text_is(resource, "cpu") || text_is(resource, "memory") ||
           text_starts(resource, TEXT("hugepages-"));
}

struct value pod_resources(struct arena *a, const struct value *spec, enum pod_resource_list which)
{
    struct text member = which == POD_REQUESTS ? TEXT("requests") : TEXT("limits");
    const struct value *containers = value_get(spec, TEXT("containers")),
                       *init = value_get(spec, TEXT("initContainers"));
    struct value sum = value_object(), stay = value_object(), most = value_object();

    for (size_t i = 0; i < list_size(containers); i++)
        quantities_add(a, &sum, value_at(&containers->items[i], "resources", member.p, NULL));
    for (size_t i = 0; i < list_size(init); i++) {
        const struct value *own = value_at(&init->items[i], "resources", member.p, NULL);
        struct value then = value_object();
        if (text_is(value_get_text(&init->items[i], TEXT("restartPolicy")), "Always")) {
            quantities_add(a, &sum, own);
            quantities_add(a, &stay, own);
            raise_to(a, &most, &stay);
            continue;
        }
        quantities_add(a, &then, own);
        quantities_add(a, &then, &stay);
        raise_to(a, &most, &then);
    }
    raise_to(a, &sum, &most);
    const struct value *whole = value_at(spec, "resources", member.p, NULL);
    for (size_t i = 0; i < size_of(whole); i++)
        if (is_pod_level(member_key(&whole->members[i])))
            value_set(a, &sum, member_key(&whole->members[i]),
                      value_string(quantity_text(a, &whole->members[i].value)));
    return sum;
}
