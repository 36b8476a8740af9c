/* SPDX-License-Identifier: Apache-2.0 */
/* PodResizeValidator: a pod on a node grows only as far as the node goes, and on Linux. Source: kubernetes
 * plugin/pkg/admission/podresize/admission.go. */
#include "admission/plugin.h"
#include "registry/quota.h"

static int forbid_because(const struct admission_attributes *a, struct status *st, const char *reason,
                          const char *why)
{
    admission_forbid(a, st, "%s", why);
    status_add_cause(st, reason, "", "%s", "");
    return -1;
}

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    struct text name = text_at(spec_of(a->object), "nodeName");
    const struct value *os, *allocatable;
    struct buffer b = BUFFER_IN(a->arena);
    struct value node, requests;

    if (!name.n || value_get_int(metadata_of(a->object), TEXT("generation"), 0) ==
                       value_get_int(metadata_of(a->old), TEXT("generation"), 0))
        return 0;
    if (!admission_find(a, "", "v1", "nodes", TEXT_NONE, name, &node))
        return admission_forbid(a, st, "node %.*s not found", TEXT_ARG(quoted(a->arena, name)));
    os = value_get(value_get(metadata_of(&node), TEXT("labels")), TEXT("kubernetes.io/os"));
    if (os && !text_is(value_text(os), "linux"))
        return forbid_because(
            a, st, "UnsupportedPlatform",
            arena_printf(a->arena, "pod resize is only supported on linux nodes, node %.*s is %.*s",
                         TEXT_ARG(quoted(a->arena, name)), TEXT_ARG(quoted(a->arena, value_text(os)))));
    requests = pod_resources(a->arena, spec_of(a->object), POD_REQUESTS);
    quantities_add(a->arena, &requests, value_get(spec_of(a->object), TEXT("overhead")));
    allocatable = value_at(&node, "status", "allocatable", NULL);
    for (int i = 0; i < 2; i++) {
        const char *resource = i ? "memory" : "cpu";
        struct text asked = quantity_text(a->arena, value_get(&requests, text_of(resource)));
        struct text there = quantity_text(a->arena, value_get(allocatable, text_of(resource)));
        asked = asked.n ? asked : TEXT("0");
        there = there.n ? there : TEXT("0");
        if (quantity_cmp(asked, there) > 0)
            buffer_addf(&b, "%s%s, requested: %lld, allocatable: %lld", b.n ? "; " : "", resource,
                        (long long)(i ? quantity_value(asked) : quantity_milli_value(asked)),
                        (long long)(i ? quantity_value(there) : quantity_milli_value(there)));
    }
    return b.n ? forbid_because(a, st, "NodeCapacity",
                                arena_printf(a->arena, "node didn't have enough allocatable resources: %s",
                                             buffer_str(&b)))
               : 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT("resize"), UPDATE, .validate = check}};
const struct admission_plugin plugin_pod_resize = {"PodResizeValidator", true, RULES(rules)};
