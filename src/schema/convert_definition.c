/* SPDX-License-Identifier: Apache-2.0 */
/* CustomResourceDefinition v1beta1 has once for all versions what v1 has in each: schema, subresources,
 * columns and selectable fields; and its webhook's settings flat. No API serves it any more, but it is what
 * kube-apiserver stores. Source: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/v1/conversion.go,
 * v1beta1/defaults.go. */
#include "schema/convert.h"

#define TYPES "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."

/* In v1beta1's spec; in a version of v1. */
static const struct {
    struct text spec, version;
} per_version[] = {
    {TEXT("validation"), TEXT("schema")},
    {TEXT("subresources"), TEXT("subresources")},
    {TEXT("additionalPrinterColumns"), TEXT("additionalPrinterColumns")},
    {TEXT("selectableFields"), TEXT("selectableFields")},
};

/* The member of v, of the v1beta1 type, as the same member of the v1 type called `like` is. */
static struct value member_as(struct arena *a, const char *type, struct text name, struct text like,
                              const struct value *member)
{
    const struct schema *from = schema_find(arena_textf(a, TYPES "v1beta1.%s", type)),
                        *to = schema_find(arena_textf(a, TYPES "v1.%s", type));
    struct value outer = value_object(), converted;

    value_add(a, &outer, like, *member);
    converted = convert_struct(a, from, to, &outer);
    const struct value *made = value_get(&converted, like);
    return made ? *made : *member;
}

void convert_definition_spec_to_v1(struct arena *a, const struct schema *to, const struct value *v,
                                   struct value *ret)
{
    struct value *versions = value_get(ret, TEXT("versions"));
    struct text only = value_get_text(v, TEXT("version"));

    if (value_is_empty(versions) && only.n) {
        struct value list = value_list(), version = value_object();
        value_add(a, &version, TEXT("name"), value_string(only));
        value_add(a, &version, TEXT("served"), value_bool(true));
        value_add(a, &version, TEXT("storage"), value_bool(true));
        value_append(a, &list, version);
        versions = value_set(a, ret, TEXT("versions"), list);
    }
    for (size_t i = 0; i < N_ELEMENTS(per_version); i++) {
        const struct value *shared = value_get(v, per_version[i].spec);
        if (!shared || shared->kind == VALUE_NULL)
            continue;
        struct value made = member_as(a, "CustomResourceDefinitionVersion", per_version[i].spec,
                                      per_version[i].version, shared);
        for (uint32_t k = 0; versions && k < versions->n; k++)
            value_set(a, &versions->items[k], per_version[i].version, value_copy_deep(a, &made));
    }
    schema_arrange(a, to, ret);
}

void convert_definition_webhook_to_v1(struct arena *a, const struct schema *to, const struct value *v,
                                      struct value *ret)
{
    const struct value *client = value_get(v, TEXT("webhookClientConfig")),
                       *reviews = value_get(v, TEXT("conversionReviewVersions"));
    struct value webhook = value_object();

    if (value_is_empty(client) && value_is_empty(reviews))
        return;
    if (client && client->kind == VALUE_OBJECT)
        value_add(a, &webhook, TEXT("clientConfig"), value_copy_deep(a, client));
    value_add(a, &webhook, TEXT("conversionReviewVersions"),
              value_copy_deep(a, reviews ? reviews : &value_null));
    value_set(a, ret, TEXT("webhook"), webhook);
    schema_arrange(a, to, ret);
}
