/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic resources, storage versions and their migration. */
#include "endpoints/printers/printers.h"

static void print_claim_state(struct row *r, struct text arg)
{
    bool is_deleted = value_find(r->o, "metadata.deletionTimestamp") != NULL;
    bool is_allocated = value_find(r->o, "status.allocation") != NULL;
    const char *state = is_deleted ? "" : "pending";

    if (is_allocated)
        state = value_count(value_find(r->o, "status.reservedFor")) ? "allocated,reserved" : "allocated";
    row_text(r, arena_textf(r->a, "%s%s%s", is_deleted ? "deleted" : "", is_deleted && *state ? "," : "", state));
}

/* The sum of a number over all pools; unknown as long as there is no answer. */
static void print_pool_sum(struct row *r, struct text arg)
{
    const struct value *pools = value_find(r->o, "status.pools");
    int64_t sum = 0;

    for (size_t i = 0; i < value_count(pools); i++)
        sum += value_get_int(&pools->items[i], arg, 0);
    row_text(r, value_find(r->o, "status") ? arena_textf(r->a, "%lld", (long long)sum) : TEXT("-"));
}

static void print_pool_errors(struct row *r, struct text arg)
{
    const struct value *pools = value_find(r->o, "status.pools");
    size_t n = 0;

    for (size_t i = 0; i < value_count(pools); i++)
        n += value_get_text(&pools->items[i], TEXT("validationError")).n > 0;
    row_text(r, value_find(r->o, "status") ? arena_textf(r->a, "%zu", n) : TEXT("-"));
}

static void print_pool_status(struct row *r, struct text arg)
{
    const struct value *conditions = value_find(r->o, "status.conditions");

    row_str(r, condition_is_true(conditions, "Complete") ? "Complete"
               : condition_is_true(conditions, "Failed") ? "Failed"
                                                         : "Pending");
}

static void print_pool_completed(struct row *r, struct text arg)
{
    const struct value *conditions = value_find(r->o, "status.conditions");
    const char *type = condition_is_true(conditions, "Complete") ? "Complete" : "Failed";

    if (condition_is_true(conditions, type))
        row_age(r, value_get_text(condition_find(conditions, type), TEXT("lastTransitionTime")));
    else
        row_str(r, "<none>");
}

static void print_storage_versions(struct row *r, struct text arg)
{
    const struct value *versions = value_find(r->o, "status.storageVersions");
    struct short_list l = {.b = BUFFER_IN(r->a), .separator = ",", .max = 3};

    for (size_t i = 0; i < value_count(versions); i++) {
        struct buffer *b = short_list_next(&l);
        if (b)
            buffer_addf(b, "%.*s=%.*s", TEXT_ARG(value_get_text(&versions->items[i], TEXT("apiServerID"))),
                        TEXT_ARG(value_get_text(&versions->items[i], TEXT("encodingVersion"))));
    }
    row_short_list(r, &l, "<unset>");
}

static void print_migrated_resource(struct row *r, struct text arg)
{
    struct text group = value_find_text(r->o, "spec.resource.group");
    struct text resource = value_find_text(r->o, "spec.resource.resource");

    row_text(r, arena_textf(r->a, "%.*s%s%.*s", TEXT_ARG(resource), group.n ? "." : "", TEXT_ARG(group)));
}

static void print_migration_status(struct row *r, struct text arg)
{
    static const char *const states[] = {"Succeeded", "Failed", "Running"};
    const struct value *conditions = value_find(r->o, "status.conditions");

    for (size_t i = 0; i < N_ELEMENTS(states); i++) {
        if (condition_is_true(conditions, states[i])) {
            row_str(r, states[i]);
            return;
        }
    }
    row_str(r, "Unknown");
}

const struct printer resource_printers[] = {
    {"claim_state", print_claim_state},
    {"pool_sum", print_pool_sum},
    {"pool_errors", print_pool_errors},
    {"pool_status", print_pool_status},
    {"pool_completed", print_pool_completed},
    {"storage_versions", print_storage_versions},
    {"migrated_resource", print_migrated_resource},
    {"migration_status", print_migration_status},
    {NULL, NULL},
};
