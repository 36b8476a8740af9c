/* SPDX-License-Identifier: Apache-2.0 */
/* Services. Addresses and node ports are not allocated here: an allocator needs the ranges that flags set,
 * and joins later. Source: kubernetes pkg/registry/core/service/strategy.go. */
#include "registry/registry_internal.h"

const struct strategy strategy_services = {
    .flags = STRATEGY_CREATE_ON_UPDATE | STRATEGY_RETURNS_DELETED | STRATEGY_CHECKS_META_AGAIN,
    .name = NAME_LABEL,
};
