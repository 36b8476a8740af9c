/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults of single kinds that are algorithms. Source: the defaults.go of each kind's package in kubernetes/kubernetes
 * pkg/apis and kubernetes/apiextensions-apiserver pkg/apis. */
#include "schema/defaults.h"

/* Every namespace bears its name as a label, so that selectors can name it. */
void fill_namespace_label(struct arena *a, const struct schema *s, struct value *namespace, uint16_t field)
{
    struct value *metadata = default_part(&s, namespace, TEXT("metadata")), labels = value_object();
    struct text name = value_get_text(metadata, TEXT("name"));
    const struct value *given = value_get(metadata, TEXT("labels"));

    if (!name.n) /* it will have one when it is made */
        return;
    if (given && given->kind == VALUE_OBJECT)
        labels = *given;
    default_set_key(a, &labels, TEXT("kubernetes.io/metadata.name"), value_string(name));
    default_set(a, s, metadata, TEXT("labels"), labels);
}

/* The addresses of load balancers are virtual ones unless they say otherwise. */
void fill_ip_mode(struct arena *a, const struct schema *s, struct value *service, uint16_t field)
{
    struct value *v = default_part(&s, service, TEXT("status"));

    if (v)
        v = default_part(&s, v, TEXT("loadBalancer"));
    if (v)
        v = default_part(&s, v, TEXT("ingress"));
    for (uint32_t i = 0; v && i < v->n; i++)
        if (value_get_text(&v->items[i], TEXT("ip")).n && !value_get(&v->items[i], TEXT("ipMode")))
            default_set(a, s, &v->items[i], TEXT("ipMode"), value_string(TEXT("VIP")));
}

/* Of a custom resource: the singular and the kind of its lists, made of the kind. */
void fill_custom_names(struct arena *a, const struct schema *s, struct value *spec, uint16_t field)
{
    struct value *names = default_part(&s, spec, s->fields[field].name);
    struct text kind = value_get_text(names, TEXT("kind"));

    if (!kind.n)
        return;
    if (!value_get_text(names, TEXT("singular")).n)
        default_set(a, s, names, TEXT("singular"), value_string(arena_lower(a, kind)));
    if (!value_get_text(names, TEXT("listKind")).n)
        default_set(a, s, names, TEXT("listKind"), value_string(arena_textf(a, "%.*sList", TEXT_ARG(kind))));
}

/* Objects of a custom resource may lie in the store in the version that is its storage now. */
void fill_stored_version(struct arena *a, const struct schema *s, struct value *definition, uint16_t field)
{
    const struct value *versions = value_at(definition, "spec", "versions", NULL);
    struct value *status = default_part(&s, definition, TEXT("status")), list = value_list();

    if (!status || !versions || versions->kind != VALUE_LIST || !value_is_empty(value_get(status, TEXT("storedVersions"))))
        return;
    for (uint32_t i = 0; i < versions->n; i++) {
        if (!value_get_bool(&versions->items[i], TEXT("storage"), false))
            continue;
        value_append(a, &list, value_string(value_get_text(&versions->items[i], TEXT("name"))));
        default_set(a, s, status, TEXT("storedVersions"), list);
        return;
    }
}

/* The time of the request, in whole seconds. */
void fill_now(struct arena *a, const struct schema *s, struct value *object, uint16_t field)
{
    struct text name = s->fields[field].name;
    const struct value *given = value_get(object, name);
    char text[CLOCK_TEXT_MAX];

    if (given && given->kind != VALUE_NULL)
        return;
    clock_write_seconds(clock_now_ns() / 1000000000, -1, text);
    default_set(a, s, object, name, value_string(text_of(arena_strdup(a, text))));
}
