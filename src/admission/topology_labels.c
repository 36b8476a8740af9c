/* SPDX-License-Identifier: Apache-2.0 */
/* PodTopologyLabels: a pod carries the zone and region of its node as labels, from its binding or its
 * creation on. Source: kubernetes plugin/pkg/admission/podtopologylabels/admission.go. */
#include "admission/plugin.h"

static const struct text copied[] = {TEXT("topology.kubernetes.io/zone"),
                                     TEXT("topology.kubernetes.io/region")};

static void copy_labels(struct admission_attributes *a, struct text node)
{
    CLEANUP(object_unrefp) struct object *o = admission_find_object(a, "", "v1", "nodes", TEXT_NONE, node);
    struct value *metadata;

    for (size_t i = 0; o && i < N_ELEMENTS(copied); i++) {
        bool has_label;
        struct text value = label_of(o, copied[i], &has_label);
        if (!has_label)
            continue;
        metadata = value_object_at(a->arena, a->object, TEXT("metadata"));
        value_set(a->arena, value_object_at(a->arena, metadata, TEXT("labels")), copied[i],
                  value_string(arena_text(a->arena, value)));
    }
}

static int label_pod(void *state, struct admission_attributes *a, struct status *st)
{
    struct text node = text_at(spec_of(a->object), "nodeName");

    if (node.n)
        copy_labels(a, node);
    return 0;
}

static int label_binding(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *target = value_get(a->object, TEXT("target"));

    if (text_is(text_at(target, "kind"), "Node"))
        copy_labels(a, text_at(target, "name"));
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE, .admit = label_pod},
    {TEXT(""), TEXT("pods"), TEXT("binding"), CREATE, .admit = label_binding},
};
const struct admission_plugin plugin_topology_labels = {"PodTopologyLabels", true, RULES(rules)};
