/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: stringData, which is written only, becomes data as soon as a whole object is read, so that nobody owns a field of it; who
 * applies owns what the configuration says.
 * Source: kubernetes pkg/registry/core/secret/strategy.go, pkg/apis/core/v1/conversion.go. */
#include "base/base64.h"
#include "registry/registry_internal.h"

static void merge_string_data(struct operation *op, struct value *obj, const struct value *old)
{
    const struct value *plain = value_get(obj, TEXT("stringData"));

    if (plain && plain->kind == VALUE_OBJECT && plain->n) {
        struct value copy = *plain; /* obj's members move below */
        struct value *data = value_object_at(op->arena, obj, TEXT("data"));
        for (size_t i = 0; i < copy.n; i++)
            value_set(
                op->arena, data, member_key(&copy.members[i]),
                value_string(base64_encode(op->arena, BASE64_STANDARD, value_text(&copy.members[i].value))));
    }
    value_remove(obj, TEXT("stringData"));
}

const struct strategy strategy_secrets = {
    .flags = STRATEGY_CHECKS_META_AGAIN,
    .convert = merge_string_data,
};
