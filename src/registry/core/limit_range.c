/* SPDX-License-Identifier: Apache-2.0 */
/* A limit range without a name gets one that nobody else has. Source: kubernetes
 * pkg/registry/core/limitrange/strategy.go. */
#include "base/random.h"
#include "registry/registry_internal.h"

static void prepare_create(struct operation *op, struct value *obj)
{
    if (!value_get_text(metadata_of(obj), TEXT("name")).n)
        value_set(op->arena, metadata_of(obj), TEXT("name"), value_string(random_uuid(op->arena)));
}

const struct strategy strategy_limit_ranges = {
    .flags = STRATEGY_CREATE_ON_UPDATE | STRATEGY_CHECKS_UPDATE_ONCE | STRATEGY_CHECKS_META_AGAIN,
    .prepare_create = prepare_create,
};
