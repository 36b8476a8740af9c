/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysAdmit and AlwaysDeny: for tests of admission itself. Source: kubernetes plugin/pkg/admission/admit, deny. */
#include "admission/plugin.h"

static int let_pass(void *state, struct admission_attributes *a, struct status *st)
{
    return 0;
}

static int deny(void *state, struct admission_attributes *a, struct status *st)
{
    return admission_forbid(a, st, "admission control is denying all modifications");
}

#define ALL (CREATE | UPDATE | DELETE | ADMISSION_CONNECT)
static const struct admission_rule admit_rules[] = {
    {TEXT("*"), TEXT("*"), TEXT("*"), ALL, let_pass, let_pass}};
const struct admission_plugin plugin_always_admit = {"AlwaysAdmit", false, RULES(admit_rules)};

static const struct admission_rule deny_rules[] = {{TEXT("*"), TEXT("*"), TEXT("*"), ALL, deny, deny}};
const struct admission_plugin plugin_always_deny = {"AlwaysDeny", false, RULES(deny_rules)};
