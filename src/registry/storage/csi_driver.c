/* SPDX-License-Identifier: Apache-2.0 */
/* CSI drivers count changes of their spec, but not that they were made. Source: kubernetes
 * pkg/registry/storage/csidriver/strategy.go. */
#include "registry/registry_internal.h"

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    if (!same_member(obj, old, TEXT("spec")))
        value_set(op->arena, metadata_of(obj), TEXT("generation"),
                  value_int(value_get_int(metadata_of(old), TEXT("generation"), 0) + 1));
}

const struct strategy strategy_csi_drivers = {
    .flags = STRATEGY_RETURNS_DELETED | STRATEGY_NEEDS_REVISION,
    .prepare_update = prepare_update,
};
