/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysPullImages: nobody runs an image from a node's store that he may not pull himself. Updates that bring no new image are left
 * alone. Source: kubernetes plugin/pkg/admission/alwayspullimages/admission.go. */
#include "admission/plugin.h"

static bool has_image(const struct value *spec, struct text image)
{
    for (size_t i = 0; i < N_CONTAINER_LISTS; i++) {
        const struct value *list = value_get(spec, container_lists[i]);
        for (size_t k = 0; k < list_size(list); k++)
            if (text_eq(text_at(&list->items[k], "image"), image))
                return true;
    }
    return false;
}

static bool is_left_alone(const struct admission_attributes *a)
{
    for (size_t i = 0; a->old && i < N_CONTAINER_LISTS; i++) {
        const struct value *list = value_get(spec_of(a->object), container_lists[i]);
        for (size_t k = 0; k < list_size(list); k++)
            if (!has_image(spec_of(a->old), text_at(&list->items[k], "image")))
                return false;
    }
    return a->old != NULL;
}

static int pull_always(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value always = value_string(TEXT("Always"));
    const struct value *spec = spec_of(a->object), *volumes = value_get(spec, TEXT("volumes"));

    if (is_left_alone(a))
        return 0;
    for (size_t i = 0; i < N_CONTAINER_LISTS; i++) {
        const struct value *list = value_get(spec, container_lists[i]);
        for (size_t k = 0; k < list_size(list); k++)
            value_set(a->arena, &list->items[k], TEXT("imagePullPolicy"), always);
    }
    for (size_t i = 0; i < list_size(volumes); i++) {
        struct value *image = value_get(&volumes->items[i], TEXT("image"));
        if (image)
            value_set(a->arena, image, TEXT("pullPolicy"), always);
    }
    return 0;
}

static void note(const struct admission_attributes *a, struct text_list *errors, struct text policy,
                 const char *path)
{
    if (!text_is(policy, "Always"))
        text_list_add(
            a->arena, errors,
            arena_textf(
                a->arena,
                "pods \"%.*s\" is forbidden: %s: Unsupported value: %.*s: supported values: \"Always\"",
                TEXT_ARG(name_of(a->object)), path, TEXT_ARG(quoted(a->arena, policy))));
}

/* Upstream's aggregate of refusals is no API error. */
static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *spec = spec_of(a->object), *volumes = value_get(spec, TEXT("volumes"));
    struct text_list errors = {0};
    struct buffer b = BUFFER_IN(a->arena);

    if (is_left_alone(a))
        return 0;
    for (size_t i = 0; i < N_CONTAINER_LISTS; i++) {
        const struct value *list = value_get(spec, container_lists[i]);
        for (size_t k = 0; k < list_size(list); k++)
            note(a, &errors, text_at(&list->items[k], "imagePullPolicy"),
                 arena_printf(a->arena, "spec.%.*s[%zu].imagePullPolicy", TEXT_ARG(container_lists[i]), k));
    }
    for (size_t i = 0; i < list_size(volumes); i++) {
        const struct value *image = value_get(&volumes->items[i], TEXT("image"));
        if (image)
            note(a, &errors, text_at(image, "pullPolicy"),
                 arena_printf(a->arena, "spec.volumes[%zu].image.pullPolicy", i));
    }
    text_list_write_errors(&b, &errors);
    return errors.n ? admission_fail(st, "%s", buffer_str(&b)) : 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE | UPDATE, pull_always, check}};
const struct admission_plugin plugin_always_pull_images = {"AlwaysPullImages", false, RULES(rules)};
