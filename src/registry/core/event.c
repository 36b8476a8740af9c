/* SPDX-License-Identifier: Apache-2.0 */
/* Events are checked by the group that brings them: core's rules are of the days when nobody checked, those of events.k8s.io are
 * every kind's. Source: kubernetes pkg/apis/core/validation/events.go. */
#include "registry/registry_internal.h"

static void validate(struct operation *op, const struct value *obj, const struct value *old, struct field_errors *errs)
{
    static const struct strategy as_others = {.flags = STRATEGY_ANY_FINALIZER};

    if (!op->resource->type->group.n)
        return;
    if (old)
        metadata_check_update(obj, old, errs);
    else if (!errs->n)
        metadata_check(op->arena, op->resource->storage, &as_others, obj, errs);
}

const struct strategy strategy_events = {
    .flags = STRATEGY_CREATE_ON_UPDATE | STRATEGY_ANY_FINALIZER | STRATEGY_CHECKS_UPDATE_ONCE | STRATEGY_NO_COLLECTION |
             STRATEGY_EXPIRES,
    .name = NAME_PATH_SEGMENT,
    .validate = validate,
};
