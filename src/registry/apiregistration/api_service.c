/* SPDX-License-Identifier: Apache-2.0 */
/* API services without a service are this server's own, and so available.
 * Source: kubernetes/kube-aggregator pkg/registry/apiservice/strategy.go. */
#include "registry/registry_internal.h"

static void prepare_create(struct operation *op, struct value *obj)
{
    struct value condition = value_object(), list = value_list(), status = value_object();
    const struct value *service = value_at(obj, "spec", "service", NULL);

    if (service && service->kind == VALUE_OBJECT)
        return;
    value_set(op->arena, &condition, TEXT("type"), value_string(TEXT("Available")));
    value_set(op->arena, &condition, TEXT("status"), value_string(TEXT("True")));
    value_set(op->arena, &condition, TEXT("lastTransitionTime"),
              value_string(time_text(op->arena, clock_now_ns())));
    value_set(op->arena, &condition, TEXT("reason"), value_string(TEXT("Local")));
    value_set(op->arena, &condition, TEXT("message"),
              value_string(TEXT("Local APIServices are always available")));
    value_append(op->arena, &list, condition);
    value_set(op->arena, &status, TEXT("conditions"), list);
    value_set(op->arena, obj, TEXT("status"), status);
}

const struct strategy strategy_api_services = {
    .flags = STRATEGY_NEEDS_REVISION | STRATEGY_ANY_FINALIZER | STRATEGY_CHECKS_META_AGAIN,
    .name = NAME_PATH_SEGMENT, /* and it is that of the version: see the type's check */
    .status_metadata = STATUS_METADATA_NONE,
    .prepare_create = prepare_create,
};
