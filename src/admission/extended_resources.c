/* SPDX-License-Identifier: Apache-2.0 */
/* ExtendedResourceToleration: nodes with devices are tainted by the devices' name; pods that ask for one tolerate it. Source:
 * kubernetes plugin/pkg/admission/extendedresourcetoleration/admission.go. */
#include "admission/plugin.h"

static bool is_extended(struct arena *a, struct text name)
{
    if (text_find(name, '/') < 0 || text_find_text(name, TEXT("kubernetes.io/")) >= 0 ||
        text_starts(name, TEXT("requests.")))
        return false;
    return !format_qualified_name(arena_textf(a, "requests.%.*s", TEXT_ARG(name)));
}

static void tolerate(struct arena *a, struct value *spec, struct text key)
{
    struct value *list = list_at(a, spec, TEXT("tolerations")), made = value_object();

    value_add(a, &made, TEXT("key"), value_string(key));
    value_add(a, &made, TEXT("operator"), value_string(TEXT("Exists")));
    value_add(a, &made, TEXT("effect"), value_string(TEXT("NoSchedule")));
    for (size_t i = 0; i < list->n; i++)
        if (text_eq(text_at(&list->items[i], "key"), key) &&
            text_is(text_at(&list->items[i], "effect"), "NoSchedule") &&
            text_is(text_at(&list->items[i], "operator"), "Exists") && !text_at(&list->items[i], "value").n) {
            list->items[i] = made;
            return;
        }
    value_append(a, list, made);
}

static int fill(void *state, struct admission_attributes *a, struct status *st)
{
    static const struct text lists[] = {TEXT("containers"), TEXT("initContainers")};
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    struct text_list names = {0};

    for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
        const struct value *containers = value_get(spec, lists[i]);
        for (size_t k = 0; k < list_size(containers); k++) {
            const struct value *requests = value_at(&containers->items[k], "resources", "requests", NULL);
            for (size_t j = 0; requests && requests->kind == VALUE_OBJECT && j < requests->n; j++)
                if (is_extended(a->arena, member_key(&requests->members[j])))
                    text_list_add_once(a->arena, &names, member_key(&requests->members[j]));
        }
    }
    text_list_sort(&names);
    for (size_t i = 0; i < names.n; i++)
        tolerate(a->arena, spec, names.p[i]);
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE | UPDATE, .admit = fill}};
const struct admission_plugin plugin_extended_resources = {"ExtendedResourceToleration", false, RULES(rules)};
