/* SPDX-License-Identifier: Apache-2.0 */
/* DenyServiceExternalIPs: services get no new external addresses, which anybody could claim. Source: kubernetes
 * plugin/pkg/admission/network/denyserviceexternalips/admission.go. */
#include "admission/plugin.h"

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *now = value_get(spec_of(a->object), TEXT("externalIPs"));
    const struct value *before = value_get(spec_of(a->old), TEXT("externalIPs"));

    for (size_t i = 0; i < list_size(now); i++) {
        bool was_there = false;
        for (size_t k = 0; k < list_size(before); k++)
            was_there |= value_equal(&now->items[i], &before->items[k]);
        if (!was_there)
            return admission_forbid(a, st, "Use of external IPs is denied by admission control");
    }
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("services"), TEXT(""), CREATE | UPDATE, .validate = check}};
const struct admission_plugin plugin_external_ips = {"DenyServiceExternalIPs", false, RULES(rules)};
