/* SPDX-License-Identifier: Apache-2.0 */
/* LimitPodHardAntiAffinityTopology: a pod may keep others off its node, not off a whole zone. Source: kubernetes
 * plugin/pkg/admission/antiaffinity/admission.go. */
#include "admission/plugin.h"

#define HOSTNAME "kubernetes.io/hostname"

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *terms = value_at(a->object, "spec", "affinity", "podAntiAffinity",
                                         "requiredDuringSchedulingIgnoredDuringExecution", NULL);

    for (size_t i = 0; i < list_size(terms); i++) {
        struct text key = text_at(&terms->items[i], "topologyKey");
        if (!text_is(key, HOSTNAME))
            return status_forbidden(
                st, TEXT_NONE, TEXT("pods"), name_of(a->object),
                arena_printf(a->arena,
                             "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey %.*s but "
                             "only key " HOSTNAME " is allowed",
                             TEXT_ARG(key)));
    }
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE | UPDATE, .validate = check}};
const struct admission_plugin plugin_anti_affinity = {"LimitPodHardAntiAffinityTopology", false,
                                                      RULES(rules)};
