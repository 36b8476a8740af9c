/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h - what the files of quotas share: which objects a scope means. */
#pragma once

#include "registry/quota.h"

bool quota_scope_of_pod(const struct value *scope, const struct value *pod);
bool quota_scope_of_claim(const struct value *scope, const struct value *claim);
