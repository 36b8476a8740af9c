/* SPDX-License-Identifier: Apache-2.0 */
/* Merging and comparing lists of tolerations. Source: kubernetes pkg/util/tolerations/tolerations.go. */
#include "admission/toleration_sets.h"

static bool covers_seconds(const struct value *wide, const struct value *t)
{
    const struct value *limit = value_get(wide, TEXT("tolerationSeconds")),
                       *own = value_get(t, TEXT("tolerationSeconds"));

    return !text_is(text_at(wide, "effect"), "NoExecute") || !limit ||
           (own && own->integer <= limit->integer);
}

bool toleration_covers(const struct value *wide, const struct value *t)
{
    struct text key = text_at(wide, "key"), how = text_at(wide, "operator"), effect = text_at(wide, "effect");

    if (same_value(wide, t))
        return true;
    if (!text_eq(key, text_at(t, "key")) && (key.n || !text_is(how, "Exists")))
        return false;
    if ((effect.n && !text_eq(effect, text_at(t, "effect"))) || !covers_seconds(wide, t))
        return false;
    if (!how.n || text_is(how, "Equal"))
        return text_is(text_at(t, "operator"), "Equal") &&
               text_eq(text_at(t, "value"), text_at(wide, "value"));
    return text_is(how, "Exists");
}

static bool is_redundant(const struct value *merged, const struct value *all, size_t i)
{
    for (size_t k = 0; k < merged->n; k++)
        if (toleration_covers(&merged->items[k], &all->items[i]))
            return true;
    for (size_t k = i + 1; k < all->n; k++) /* of equal ones the first stays */
        if (!same_value(&all->items[k], &all->items[i]) && toleration_covers(&all->items[k], &all->items[i]))
            return true;
    return false;
}

void tolerations_merge(struct arena *a, struct value *spec, const struct value *more)
{
    const struct value *own = value_get(spec, TEXT("tolerations"));
    struct value all = value_list(), merged = value_list();

    for (size_t i = 0; i < list_size(own); i++)
        value_append(a, &all, own->items[i]);
    for (size_t i = 0; i < list_size(more); i++)
        value_append(a, &all, value_copy(a, &more->items[i]));
    for (size_t i = 0; i < all.n; i++)
        if (!is_redundant(&merged, &all, i))
            value_append(a, &merged, all.items[i]);
    if (merged.n)
        value_set(a, spec, TEXT("tolerations"), merged);
}

bool tolerations_are_within(const struct value *tolerations, const struct value *allowed)
{
    for (size_t i = 0; list_size(allowed) && i < list_size(tolerations); i++) {
        bool is_covered = false;
        for (size_t k = 0; k < allowed->n && !is_covered; k++)
            is_covered = toleration_covers(&allowed->items[k], &tolerations->items[i]);
        if (!is_covered)
            return false;
    }
    return true;
}
