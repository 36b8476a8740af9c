/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a cron job must leave room for what its jobs' names have behind it.
 * Source: kubernetes pkg/apis/batch/validation/validation.go. */
#include "registry/registry_internal.h"

#define NAME_BYTES_MAX 52

static void validate(struct operation *op, const struct value *obj, const struct value *old,
                     struct field_errors *errs)
{
    const struct value *name = value_get(metadata_of(obj), TEXT("name"));

    if (!old && value_text(name).n > NAME_BYTES_MAX)
        field_error(errs, FIELD_INVALID, "metadata.name", name, "must be no more than %d characters",
                    NAME_BYTES_MAX);
}

const struct strategy strategy_cron_jobs = {.validate = validate};
