/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of devices: claims and the slices that offer them. Source: kubernetes pkg/apis/resource/validation. */
#include "schema/checks.h"

/* The item is what is there twice, its name what is shown. */
CHECK(names_of_items)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    for (uint32_t i = 0; i < n_items(v); i++) {
        struct value name = value_string(value_get_text(&v->items[i], TEXT("name")));
        if (!seen_add(&seen, value_text(&name)))
            check_error(w, FIELD_DUPLICATE, PATH_INDEX(at, i), &name, "%s", "");
    }
}

CHECK(request_kinds)
{
    if (is_set(v, TEXT("exactly")) && n_items(value_get(v, TEXT("firstAvailable"))))
        check_error(w, FIELD_INVALID, at, &value_null,
                    "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set");
}

CHECK(pool_name)
{
    struct text rest = value_text(v), part;

    if (rest.n > 253)
        field_too_long(w->errs, field_path_str(w->errs->arena, at), 253);
    while (text_split(&rest, '/', &part))
        check_format_at(w, at, FORMAT_DNS1123_SUBDOMAIN, part);
}

/* True must be said, false must not. */
static bool check_flag(struct validation *w, const struct field_path *spec, const struct value *v,
                       struct text name)
{
    const struct value *flag = value_get(v, name);

    if (!flag || flag->kind != VALUE_BOOL)
        return false;
    if (!flag->boolean)
        check_error(w, FIELD_INVALID, &(struct field_path){spec, name, PATH_NAME}, flag,
                    "must be either unset or set to true");
    return flag->boolean;
}

#define ONE_OF "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"

/* From which nodes the devices can be reached: one way to say it. */
CHECK(slice_nodes)
{
    const struct value *node = value_get(v, TEXT("nodeName")), *selector = value_get(v, TEXT("nodeSelector"));
    const struct field_path *node_at = PATH_FIELD(at, "nodeName");
    struct buffer said = BUFFER_IN(w->errs->arena);
    struct text name = value_text(node ? node : &value_null);
    size_t n = 0;

    if (node && node->kind == VALUE_STRING && !name.n)
        check_error(w, FIELD_INVALID, node_at, node, "must be either unset or set to a non-empty string");
    if (name.n) {
        check_format_at(w, node_at, FORMAT_DNS1123_SUBDOMAIN, name);
        buffer_addf(&said, "%s`nodeName`", n++ ? ", " : "");
    }
    if (selector)
        buffer_addf(&said, "%s`nodeSelector`", n++ ? ", " : "");
    if (selector && n_items(value_get(selector, TEXT("nodeSelectorTerms"))) != 1)
        check_error(w, FIELD_INVALID, PATH_FIELD(PATH_FIELD(at, "nodeSelector"), "nodeSelectorTerms"),
                    value_get(selector, TEXT("nodeSelectorTerms"))
                        ? value_get(selector, TEXT("nodeSelectorTerms"))
                        : &value_null,
                    "must have exactly one node selector term");
    if (check_flag(w, at, v, TEXT("allNodes")))
        buffer_addf(&said, "%s`allNodes`", n++ ? ", " : "");
    if (check_flag(w, at, v, TEXT("perDeviceNodeSelection")))
        buffer_addf(&said, "%s`perDeviceNodeSelection`", n++ ? ", " : "");
    if (n == 0)
        check_error(w, FIELD_REQUIRED, at, NULL, ONE_OF);
    else if (n > 1)
        check_invalid_text(w, at, arena_textf(w->errs->arena, "{%s}", buffer_str(&said)),
                           ONE_OF ", but multiple fields are set");
}

CHECK(device_attribute)
{
    uint32_t n = 0;
    const struct value nothing = value_string(TEXT(""));

    for (uint32_t i = 0; i < n_items(v); i++)
        n += v->members[i].value.kind != VALUE_NULL;
    if (n != 1)
        check_error(w, FIELD_INVALID, at, n ? v : &nothing, "exactly one value must be specified");
}
