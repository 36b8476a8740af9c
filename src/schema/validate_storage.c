/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of storage classes and what CSI drivers need. Source: kubernetes pkg/apis/storage/validation. */
#include "schema/checks.h"

#define PARAMETERS_MAX 512
#define PARAMETERS_BYTES_MAX (256 * 1024)

/* --- classes --- */

/* The case does not matter. */
CHECK(provisioner)
{
    struct text lower = arena_lower(w->errs->arena, value_text(v));

    check_format_at(w, at, FORMAT_QUALIFIED_NAME, lower);
}

static size_t bytes_of(const struct value *map)
{
    size_t n = 0;

    for (uint32_t i = 0; i < n_items(map); i++)
        n += member_key(&map->members[i]).n + value_text(&map->members[i].value).n;
    return n;
}

CHECK(volume_parameters)
{
    const char *path = field_path_str(w->errs->arena, at);

    if (n_items(v) > PARAMETERS_MAX) {
        field_too_long(w->errs, path, PARAMETERS_MAX);
        return;
    }
    for (uint32_t i = 0; i < n_items(v); i++)
        if (!member_key(&v->members[i]).n)
            check_invalid_text(w, at, TEXT(""), "field can not be empty.");
    if (bytes_of(v) > PARAMETERS_BYTES_MAX)
        field_too_long(w->errs, path, PARAMETERS_BYTES_MAX);
}

CHECK(attachment_metadata)
{
    if (bytes_of(v) > PARAMETERS_BYTES_MAX)
        field_too_long(w->errs, field_path_str(w->errs->arena, at), PARAMETERS_BYTES_MAX);
}

/* Terms that say the same. */
CHECK(topologies)
{
    const struct value empty = value_string(TEXT(""));

    for (uint32_t i = 0; i < n_items(v) && i < PARAMETERS_MAX; i++)
        for (uint32_t k = 0; k < i; k++)
            if (value_equal(&v->items[i], &v->items[k]))
                check_error(w, FIELD_DUPLICATE, PATH_FIELD(PATH_INDEX(at, i), "matchLabelExpressions"),
                            &empty, "%s", "");
}

CHECK(attributes_unchanged)
{
    if (differs_at(v, old, TEXT("driverName")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "driverName"), NULL,
                    "updates to driverName are forbidden.");
    if (differs_at(v, old, TEXT("parameters")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "parameters"), NULL,
                    "updates to parameters are forbidden.");
}

/* --- drivers --- */

CHECK(token_requests)
{
    CLEANUP(seen_deinit) struct seen_texts audiences = {.n = 0};

    for (uint32_t i = 0; i < n_items(v); i++) {
        const struct field_path *item = PATH_INDEX(at, i);
        const struct value *seconds = value_get(&v->items[i], TEXT("expirationSeconds"));
        struct value audience = value_string(value_get_text(&v->items[i], TEXT("audience")));
        if (!seen_add(&audiences, value_text(&audience))) {
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(item, "audience"), &audience, "%s", "");
            continue;
        }
        if (!seconds || seconds->kind != VALUE_INT)
            continue;
        if (seconds->integer < 600)
            check_error(w, FIELD_INVALID, PATH_FIELD(item, "expirationSeconds"), seconds,
                        "may not specify a duration less than 10 minutes");
        if (seconds->integer > (int64_t)1 << 32)
            check_error(w, FIELD_INVALID, PATH_FIELD(item, "expirationSeconds"), seconds,
                        "may not specify a duration larger than 2^32 seconds");
    }
}

/* The list is what is not supported. */
CHECK(lifecycle_modes)
{
    static const char *const modes[] = {"Persistent", "Ephemeral"};

    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text mode = value_text(&v->items[i]);
        if (!text_is(mode, modes[0]) && !text_is(mode, modes[1]))
            check_not_supported(w, at, mode, modes, N_ELEMENTS(modes));
    }
}

/* Upstream misspells the field. */
CHECK(attach_required)
{
    const struct value *now = value_get(v, TEXT("attachRequired"));
    const struct field_path *path = PATH_FIELD(at, "attachedRequired");

    if (!now)
        check_error(w, FIELD_REQUIRED, path, NULL, "%s", "");
    if (old && differs_at(v, old, TEXT("attachRequired")))
        check_error(w, FIELD_INVALID, path, now ? now : &value_null, "field is immutable");
}

/* --- nodes of drivers --- */

CHECK(csi_node_id)
{
    if (value_text(v).n > 256)
        check_error(w, FIELD_INVALID, at, v, "must be 256 characters or less");
}

CHECK(topology_keys)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};
    const struct value *keys = value_get(v, TEXT("topologyKeys"));

    for (uint32_t i = 0; i < n_items(keys); i++) {
        struct text key = value_text(&keys->items[i]);
        if (!key.n)
            check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
        if (!seen_add(&seen, key))
            check_error(w, FIELD_DUPLICATE, at, &keys->items[i], "%s", "");
        check_format_at(w, at, FORMAT_QUALIFIED_NAME, key);
    }
}

/* What a driver said of itself stays, but for how many volumes there may be. */
CHECK(csi_drivers)
{
    static const struct text count[] = {TEXT("allocatable")};

    for (uint32_t i = 0; i < n_items(old); i++)
        for (uint32_t k = 0; k < n_items(v); k++)
            if (text_eq(value_get_text(&old->items[i], TEXT("name")),
                        value_get_text(&v->items[k], TEXT("name"))) &&
                differs_besides(&v->items[k], &old->items[i], count, N_ELEMENTS(count)))
                check_error(w, FIELD_INVALID, at, &v->items[k], "field is immutable");
}
