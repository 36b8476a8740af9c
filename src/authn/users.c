/* SPDX-License-Identifier: Apache-2.0 */
#include "authn/users.h"

void user_copy(struct arena *a, const struct user_info *from, struct user_info *to)
{
    *to = (struct user_info){.name = arena_text(a, from->name), .uid = arena_text(a, from->uid)};
    to->groups = ARENA_ARRAY(a, struct text, from->n_groups + 1);
    for (; to->n_groups < from->n_groups; to->n_groups++)
        to->groups[to->n_groups] = arena_text(a, from->groups[to->n_groups]);
    to->extra = ARENA_ARRAY(a, struct user_extra, from->n_extra + 1);
    for (; to->n_extra < from->n_extra; to->n_extra++) {
        const struct user_extra *e = &from->extra[to->n_extra];
        struct text *values = ARENA_ARRAY(a, struct text, e->n_values);
        for (size_t i = 0; i < e->n_values; i++)
            values[i] = arena_text(a, e->values[i]);
        to->extra[to->n_extra] = (struct user_extra){arena_text(a, e->key), values, e->n_values};
    }
}

/* The arrays may be another's (a token file's entry): they are copied, never grown in place. */
void user_add_group(struct arena *a, struct user_info *u, struct text group)
{
    struct text *groups = ARENA_ARRAY(a, struct text, u->n_groups + 1);

    for (size_t i = 0; i < u->n_groups; i++)
        groups[i] = u->groups[i];
    groups[u->n_groups++] = group;
    u->groups = groups;
}

void user_add_extra(struct arena *a, struct user_info *u, struct text key, struct text value)
{
    struct user_extra *extra = ARENA_ARRAY(a, struct user_extra, u->n_extra + 1);
    struct text *values = ARENA_NEW(a, struct text);

    for (size_t i = 0; i < u->n_extra; i++)
        extra[i] = u->extra[i];
    *values = value;
    extra[u->n_extra++] = (struct user_extra){key, values, 1};
    u->extra = extra;
}

void user_extend_extra(struct arena *a, struct user_info *u, struct text key, struct text value)
{
    for (size_t i = 0; i < u->n_extra; i++) {
        struct user_extra *e = &u->extra[i];
        if (!text_eq(e->key, key))
            continue;
        struct text *values = ARENA_ARRAY(a, struct text, e->n_values + 1);
        for (size_t j = 0; j < e->n_values; j++)
            values[j] = e->values[j];
        values[e->n_values++] = value;
        e->values = values;
        return;
    }
    user_add_extra(a, u, key, value);
}

struct text user_extra_key(struct arena *a, struct text header_end)
{
    char *lower = arena_str(a, header_end);

    for (size_t i = 0; i < header_end.n; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] += 'a' - 'A';
    return url_decode(a, (struct text){lower, header_end.n}, false);
}

void user_service_account(struct arena *a, struct text namespace, struct text name, struct text uid, struct user_info *ret)
{
    *ret = (struct user_info){.name = arena_textf(a, "system:serviceaccount:%.*s:%.*s", TEXT_ARG(namespace), TEXT_ARG(name)),
                              .uid = uid,
                              .groups = ARENA_ARRAY(a, struct text, 3),
                              .n_groups = 2};
    ret->groups[0] = TEXT("system:serviceaccounts");
    ret->groups[1] = arena_textf(a, "system:serviceaccounts:%.*s", TEXT_ARG(namespace));
}
