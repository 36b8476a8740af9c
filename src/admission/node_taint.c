/* SPDX-License-Identifier: Apache-2.0 */
/* TaintNodesByCondition: a new node is not ready until its controller says so, so that no pod comes too
 * early. Source: kubernetes plugin/pkg/admission/nodetaint/admission.go. */
#include "admission/plugin.h"

#define NOT_READY TEXT("node.kubernetes.io/not-ready")

static int taint(void *state, struct admission_attributes *a, struct status *st)
{
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec")), made = value_object();
    struct value *taints = list_at(a->arena, spec, TEXT("taints"));

    for (size_t i = 0; i < taints->n; i++)
        if (text_eq(text_at(&taints->items[i], "key"), NOT_READY) &&
            text_is(text_at(&taints->items[i], "effect"), "NoSchedule"))
            return 0;
    value_add(a->arena, &made, TEXT("key"), value_string(NOT_READY));
    value_add(a->arena, &made, TEXT("effect"), value_string(TEXT("NoSchedule")));
    value_append(a->arena, taints, made);
    return 0;
}

static const struct admission_rule rules[] = {{TEXT(""), TEXT("nodes"), TEXT(""), CREATE, .admit = taint}};
const struct admission_plugin plugin_node_taint = {"TaintNodesByCondition", true, RULES(rules)};
