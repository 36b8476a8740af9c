/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what pods say about where they may run. Source: kubernetes
 * pkg/apis/core/validation/validation.go. */
#include "schema/checks.h"

/* --- tolerations --- */

CHECK(toleration)
{
    static const char *const operators[] = {"Equal", "Exists"}, *const effects[] = {"NoSchedule",
                                                                                    "PreferNoSchedule",
                                                                                    "NoExecute"};
    struct text operator= value_get_text(v, TEXT("operator")), effect = value_get_text(v, TEXT("effect"));
    struct value operator_value = value_string(operator), effect_value = value_string(effect);
    struct value value = value_string(value_get_text(v, TEXT("value")));
    bool is_equal = !operator.n || text_is(operator, "Equal"), exists = text_is(operator, "Exists");

    if (!value_get_text(v, TEXT("key")).n && !exists)
        check_error(
            w, FIELD_INVALID, PATH_FIELD(at, "operator"), &operator_value,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (is_set(v, TEXT("tolerationSeconds")) && !text_is(effect, "NoExecute"))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "effect"), &effect_value,
                    "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (is_equal)
        check_format_at(w, PATH_FIELD(at, "operator"), FORMAT_LABEL_VALUE, value_text(&value));
    else if (exists && value.n)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "operator"), &value,
                    "value must be empty when `operator` is 'Exists'");
    else if (!exists)
        check_not_supported(w, PATH_FIELD(at, "operator"), operator, operators, N_ELEMENTS(operators));
    if (effect.n && !text_is(effect, "NoSchedule") && !text_is(effect, "PreferNoSchedule") &&
        !text_is(effect, "NoExecute"))
        check_not_supported(w, PATH_FIELD(at, "effect"), effect, effects, N_ELEMENTS(effects));
}

/* --- affinity --- */

static bool has_demand_for(const struct value *selector, struct text key, uint32_t n)
{
    const struct value *demands = value_get(selector, TEXT("matchExpressions"));

    for (uint32_t i = 0; i < n && i < n_items(demands); i++)
        if (text_eq(value_get_text(&demands->items[i], TEXT("key")), key))
            return true;
    return value_get(value_get(selector, TEXT("matchLabels")), key) != NULL;
}

static int64_t index_of(const struct value *list, struct text t)
{
    for (uint32_t i = n_items(list); i-- > 0;)
        if (text_eq(value_text(&list->items[i]), t))
            return i;
    return -1;
}

static void check_keys(struct validation *w, const struct field_path *at, const struct value *keys,
                       const struct value *selector)
{
    if (n_items(keys) && !selector)
        check_error(w, FIELD_FORBIDDEN, at, NULL, "must not be specified when labelSelector is not set");
    for (uint32_t i = 0; selector && i < n_items(keys); i++)
        check_format_at(w, PATH_INDEX(at, i), FORMAT_QUALIFIED_NAME, value_text(&keys->items[i]));
}

/* matchLabelKeys and mismatchLabelKeys, of affinity terms and of spread constraints. Upstream's path of a key
 * that the selector has too is that of the term with the key's index. */
CHECK(label_keys)
{
    const struct value *selector = value_get(v, TEXT("labelSelector")),
                       *keys = value_get(v, TEXT("matchLabelKeys"));
    const struct value *others = value_get(v, TEXT("mismatchLabelKeys")),
                       *demands = value_get(selector, TEXT("matchExpressions"));

    check_keys(w, PATH_FIELD(at, "matchLabelKeys"), keys, selector);
    check_keys(w, PATH_FIELD(at, "mismatchLabelKeys"), others, selector);
    for (uint32_t i = 0; n_items(keys) && i < n_items(demands) && i < 1000; i++) {
        const struct value *key = value_get(&demands->items[i], TEXT("key"));
        int64_t k = index_of(keys, value_text(key));
        if (k >= 0 && has_demand_for(selector, value_text(key), i))
            check_error(w, FIELD_INVALID, PATH_INDEX(at, k), key,
                        "exists in both matchLabelKeys and labelSelector");
    }
    for (uint32_t i = 0; n_items(others) && i < n_items(keys) && i < 1000; i++)
        if (index_of(others, value_text(&keys->items[i])) >= 0)
            check_error(w, FIELD_INVALID, PATH_INDEX(PATH_FIELD(at, "matchLabelKeys"), i), &keys->items[i],
                        "exists in both matchLabelKeys and mismatchLabelKeys");
}

/* Demands on fields of a node, of which there is one: its name. */
CHECK(node_fields)
{
    for (uint32_t i = 0; i < n_items(v); i++) {
        const struct field_path *item = PATH_INDEX(at, i);
        const struct value *operator_value = value_get(&v->items[i], TEXT("operator")),
                           *key = value_get(&v->items[i], TEXT("key"));
        const struct value *values = value_get(&v->items[i], TEXT("values"));
        bool is_in =
            text_is(value_text(operator_value), "In") || text_is(value_text(operator_value), "NotIn");
        if (is_in && n_items(values) != 1)
            check_error(w, FIELD_REQUIRED, PATH_FIELD(item, "values"), NULL,
                        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
        if (!is_in)
            check_error(w, FIELD_INVALID, PATH_FIELD(item, "operator"),
                        operator_value ? operator_value : &value_null, "not a valid selector operator");
        if (!text_is(value_text(key), "metadata.name"))
            check_error(w, FIELD_INVALID, PATH_FIELD(item, "key"), key ? key : &value_null,
                        "not a valid field selector key");
        for (uint32_t k = 0; text_is(value_text(key), "metadata.name") && k < n_items(values); k++)
            check_format_at(w, PATH_INDEX(PATH_FIELD(item, "values"), k), FORMAT_DNS1123_SUBDOMAIN,
                            value_text(&values->items[k]));
    }
}

/* Of a node selector that must hold: one that is only preferred may ask for what no label can be. */
CHECK(node_label_values)
{
    const struct value *terms = value_get(v, TEXT("nodeSelectorTerms"));

    for (uint32_t i = 0; i < n_items(terms); i++) {
        const struct value *demands = value_get(&terms->items[i], TEXT("matchExpressions"));
        for (uint32_t j = 0; j < n_items(demands); j++) {
            const struct value *values = value_get(&demands->items[j], TEXT("values"));
            for (uint32_t k = 0; k < n_items(values); k++)
                if (format_problem(FORMAT_LABEL_VALUE, value_text(&values->items[k])))
                    check_format_at(
                        w,
                        PATH_INDEX(
                            PATH_FIELD(
                                PATH_INDEX(PATH_FIELD(PATH_INDEX(PATH_FIELD(at, "nodeSelectorTerms"), i),
                                                      "matchExpressions"),
                                           j),
                                "values"),
                            k),
                        FORMAT_LABEL_VALUE, value_text(&values->items[k]));
        }
    }
}

/* --- gates and spreading --- */

CHECK(scheduling_gates)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    for (uint32_t i = 0; i < n_items(v); i++) {
        const struct value *name = value_get(&v->items[i], TEXT("name"));
        check_format_at(w, PATH_INDEX(at, i), FORMAT_QUALIFIED_NAME, value_text(name));
        if (!seen_add(&seen, value_text(name)))
            check_error(w, FIELD_DUPLICATE, PATH_INDEX(at, i), name, "%s", "");
    }
}

/* The error lies at the first of two that are of one kind. */
CHECK(spread_repeats)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    for (uint32_t i = n_items(v); n_items(v) > 1 && i-- > 0;) {
        struct text key = arena_textf(w->errs->arena, "{%.*s, %.*s}",
                                      TEXT_ARG(value_get_text(&v->items[i], TEXT("topologyKey"))),
                                      TEXT_ARG(value_get_text(&v->items[i], TEXT("whenUnsatisfiable"))));
        struct value bad = value_string(key);
        if (!seen_add(&seen, key))
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(PATH_INDEX(at, i), "{topologyKey, whenUnsatisfiable}"),
                        &bad, "%s", "");
    }
}
