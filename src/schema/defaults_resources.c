/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults of resource lists (maps of quantities): rounding, requests from limits, a pod's own requests and limits from
 * its containers', a limit range's values from each other. Source: kubernetes/kubernetes pkg/apis/core/v1/defaults.go;
 * sums: kubernetes/component-helpers resource/helpers.go. */
#include "schema/defaults.h"

/* --- rounding --- */

/* Whether a quantity may be finer than thousandths; most are not, and that is seen without reading them. */
static bool may_be_fine(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] == 'n' || t.p[i] == 'u' || t.p[i] == 'e' || t.p[i] == '.')
            return true;
    return false;
}

void fill_rounded(struct arena *a, const struct schema *s, struct value *object, uint16_t field)
{
    struct value *list = value_get(object, s->fields[field].name);
    struct text rounded;

    if (!list || list->kind != VALUE_OBJECT)
        return;
    for (uint32_t i = 0; i < list->n; i++) {
        struct value *q = &list->members[i].value;
        if (may_be_fine(value_text(q)) && quantity_round_milli(a, value_text(q), &rounded))
            *q = value_string(rounded);
    }
}

/* --- lists --- */

static bool is_empty_list(const struct value *list)
{
    return !list || list->kind != VALUE_OBJECT || !list->n;
}

/* Adds what is not in the list yet. */
static void add_missing(struct arena *a, struct value *list, const struct value *from)
{
    if (is_empty_list(from))
        return;
    for (uint32_t i = 0; i < from->n; i++)
        if (!value_get(list, member_key(&from->members[i])))
            default_set_key(a, list, member_key(&from->members[i]), from->members[i].value);
}

static void add_up(struct arena *a, struct value *list, const struct value *more)
{
    for (uint32_t i = 0; !is_empty_list(more) && i < more->n; i++) {
        struct text key = member_key(&more->members[i]), sum;
        struct value *there = value_get(list, key);
        if (!there)
            value_add(a, list, key, more->members[i].value);
        else if (quantity_add(a, value_text(there), value_text(&more->members[i].value), &sum))
            *there = value_string(sum);
    }
}

static void take_greater(struct arena *a, struct value *list, const struct value *other)
{
    for (uint32_t i = 0; !is_empty_list(other) && i < other->n; i++) {
        struct text key = member_key(&other->members[i]);
        struct value *there = value_get(list, key);
        if (!there)
            value_add(a, list, key, other->members[i].value);
        else if (quantity_cmp(value_text(&other->members[i].value), value_text(there)) > 0)
            *there = other->members[i].value;
    }
}

/* --- containers --- */

static void fill_requests(struct arena *a, const struct schema *s, struct value *spec, struct text containers)
{
    const struct value *list = default_part(&s, spec, containers);

    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct schema *of_resources = s;
        struct value *resources = default_part(&of_resources, &list->items[i], TEXT("resources"));
        const struct value *limits = value_get(resources, TEXT("limits"));
        struct value requests = value_object();
        if (is_empty_list(limits))
            continue;
        const struct value *given = value_get(resources, TEXT("requests"));
        if (!is_empty_list(given))
            requests = *given;
        add_missing(a, &requests, limits);
        default_set(a, of_resources, resources, TEXT("requests"), requests);
    }
}

/* --- the pod as a whole --- */

/* What the containers need together: the sum, or what one init container needs beside the sidecars before it, if that
 * is more. which: "requests" or "limits". */
static struct value sum_of_containers(struct arena *a, const struct value *spec, struct text which)
{
    const struct value *containers = value_get(spec, TEXT("containers"));
    const struct value *inits = value_get(spec, TEXT("initContainers"));
    struct value sum = value_object(), sidecars = value_object(), greatest = value_object();

    for (uint32_t i = 0; containers && containers->kind == VALUE_LIST && i < containers->n; i++)
        add_up(a, &sum, value_get(value_get(&containers->items[i], TEXT("resources")), which));
    for (uint32_t i = 0; inits && inits->kind == VALUE_LIST && i < inits->n; i++) {
        const struct value *own = value_get(value_get(&inits->items[i], TEXT("resources")), which);
        if (text_is(value_get_text(&inits->items[i], TEXT("restartPolicy")), "Always")) {
            add_up(a, &sum, own);
            add_up(a, &sidecars, own);
            take_greater(a, &greatest, &sidecars);
        } else {
            struct value both = value_object();
            add_up(a, &both, own);
            add_up(a, &both, &sidecars);
            take_greater(a, &greatest, &both);
        }
    }
    take_greater(a, &sum, &greatest);
    return sum;
}

static bool is_huge_page(struct text name)
{
    return text_starts(name, TEXT("hugepages-"));
}

static void fill_pod_limits(struct arena *a, const struct value *spec, const struct schema *s, struct value *resources)
{
    const struct value *requests = value_get(resources, TEXT("requests")), *given = value_get(resources, TEXT("limits"));
    struct value sum = sum_of_containers(a, spec, TEXT("limits")), limits = is_empty_list(given) ? value_object() : *given;

    if (is_empty_list(requests) && is_empty_list(given))
        return;
    for (uint32_t i = 0; i < sum.n; i++) {
        struct text key = member_key(&sum.members[i]);
        if (is_huge_page(key) && !value_get(requests, key) && !value_get(&limits, key))
            default_set_key(a, &limits, key, sum.members[i].value);
    }
    if (limits.n)
        default_set(a, s, resources, TEXT("limits"), limits);
}

static void fill_pod_requests(struct arena *a, const struct value *spec, const struct schema *s, struct value *resources)
{
    const struct value *limits = value_get(resources, TEXT("limits")), *given = value_get(resources, TEXT("requests"));
    struct value requests = is_empty_list(given) ? value_object() : *given, sum;

    if (is_empty_list(limits))
        return;
    sum = sum_of_containers(a, spec, TEXT("requests"));
    for (uint32_t i = 0; i < sum.n; i++) {
        struct text key = member_key(&sum.members[i]);
        if ((text_is(key, "cpu") || text_is(key, "memory")) && !value_get(&requests, key))
            default_set_key(a, &requests, key, sum.members[i].value);
    }
    for (uint32_t i = 0; i < limits->n; i++) {
        struct text key = member_key(&limits->members[i]);
        if ((text_is(key, "cpu") || text_is(key, "memory") || is_huge_page(key)) && !value_get(&requests, key))
            default_set_key(a, &requests, key, limits->members[i].value);
    }
    if (requests.n)
        default_set(a, s, resources, TEXT("requests"), requests);
}

void fill_pod_resources(struct arena *a, const struct schema *s, struct value *pod, uint16_t field)
{
    struct value *spec = default_part(&s, pod, TEXT("spec")), *resources;

    if (!spec)
        return;
    fill_requests(a, s, spec, TEXT("containers"));
    fill_requests(a, s, spec, TEXT("initContainers"));
    resources = default_part(&s, spec, TEXT("resources"));
    if (!resources)
        return;
    fill_pod_limits(a, spec, s, resources);
    fill_pod_requests(a, spec, s, resources);
}

/* --- limit ranges --- */

/* Of containers: the default limit from the maximum, the default request from that and then from the minimum. */
void fill_limit_range_item(struct arena *a, const struct schema *s, struct value *item, uint16_t field)
{
    const struct value *given = value_get(item, TEXT("default")), *given_request = value_get(item, TEXT("defaultRequest"));
    struct value limit = is_empty_list(given) ? value_object() : *given;
    struct value request = is_empty_list(given_request) ? value_object() : *given_request;

    add_missing(a, &limit, value_get(item, TEXT("max")));
    add_missing(a, &request, &limit);
    add_missing(a, &request, value_get(item, TEXT("min")));
    if (limit.n)
        default_set(a, s, item, TEXT("default"), limit);
    if (request.n)
        default_set(a, s, item, TEXT("defaultRequest"), request);
}
