/* SPDX-License-Identifier: Apache-2.0 */
/* A signing request says who asks, in the server's words; its spec never changes, and approval is written
 * apart from the rest of the status. Source: kubernetes pkg/registry/certificates/certificates/strategy.go.
 */
#include "registry/registry_internal.h"

static void set_user(struct arena *a, struct value *spec, const struct user_info *user)
{
    static const struct text members[] = {TEXT("username"), TEXT("uid"), TEXT("groups"), TEXT("extra")};

    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        value_remove(spec, members[i]);
    if (!user)
        return;
    value_set(a, spec, TEXT("username"), value_string(user->name));
    if (user->uid.n)
        value_set(a, spec, TEXT("uid"), value_string(user->uid));
    if (user->n_groups)
        value_set(a, spec, TEXT("groups"), value_texts(a, user->groups, user->n_groups));
    struct value extra = value_object();
    for (size_t i = 0; i < user->n_extra; i++)
        value_set(a, &extra, user->extra[i].key,
                  value_texts(a, user->extra[i].values, user->extra[i].n_values));
    if (extra.n)
        value_set(a, spec, TEXT("extra"), extra);
}

static void prepare_create(struct operation *op, struct value *obj)
{
    set_user(op->arena, value_object_at(op->arena, obj, TEXT("spec")), op->user);
}

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    keep_member(op->arena, obj, old, TEXT("spec"));
}

static bool is_decision(const struct value *condition)
{
    struct text type = value_get_text(condition, TEXT("type"));

    return text_is(type, "Approved") || text_is(type, "Denied");
}

/* New conditions get their times; updated ones keep the time of the transition they had. */
static void set_times(struct arena *a, struct value *conditions, const struct value *before)
{
    struct value now = value_string(time_text(a, clock_now_ns()));

    for (size_t i = 0; conditions && conditions->kind == VALUE_LIST && i < conditions->n; i++) {
        struct value *c = &conditions->items[i];
        const struct value *last = NULL;
        for (size_t k = 0; before && before->kind == VALUE_LIST && k < before->n; k++) {
            if (text_eq(value_get_text(&before->items[k], TEXT("type")), value_get_text(c, TEXT("type"))))
                last = &before->items[k];
        }
        if (!value_get_text(c, TEXT("status")).n)
            value_set(a, c, TEXT("status"), value_string(TEXT("True")));
        if (!value_get_text(c, TEXT("lastUpdateTime")).n)
            value_set(a, c, TEXT("lastUpdateTime"), now);
        if (value_get_text(c, TEXT("lastTransitionTime")).n)
            continue;
        if (last && text_eq(value_get_text(last, TEXT("status")), value_get_text(c, TEXT("status"))))
            keep_member(a, c, last, TEXT("lastTransitionTime"));
        else
            value_set(a, c, TEXT("lastTransitionTime"), now);
    }
}

/* Decisions are the approval subresource's: what was decided stays, what was not is not. */
static void keep_decisions(struct arena *a, struct value *status, const struct value *before)
{
    const struct value *sent = value_get(status, TEXT("conditions")),
                       *had = value_get(before, TEXT("conditions"));
    struct value list = value_list();

    for (size_t i = 0; had && had->kind == VALUE_LIST && i < had->n; i++) {
        if (is_decision(&had->items[i]))
            value_append(a, &list, value_copy(a, &had->items[i]));
    }
    for (size_t i = 0; sent && sent->kind == VALUE_LIST && i < sent->n; i++) {
        if (!is_decision(&sent->items[i]))
            value_append(a, &list, sent->items[i]);
    }
    value_set(a, status, TEXT("conditions"), list);
}

static void prepare_status(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));
    const struct value *before = value_get(old, TEXT("status"));

    keep_decisions(op->arena, status, before);
    set_times(op->arena, value_get(status, TEXT("conditions")), value_get(before, TEXT("conditions")));
}

static bool prepare_sub(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));
    const struct value *before = value_get(old, TEXT("status"));

    if (!text_is(op->sub->name, "approval"))
        return false;
    keep_member(op->arena, status, before, TEXT("certificate"));
    set_times(op->arena, value_get(status, TEXT("conditions")), value_get(before, TEXT("conditions")));
    keep_member(op->arena, obj, old, TEXT("spec"));
    return true;
}

static const char *const spec[] = {"spec", NULL}, *const whole_status[] = {"status", NULL},
                         *const conditions[] = {"status", "conditions", NULL},
                         *const certificate[] = {"status", "certificate", NULL};
static const char *const *const of_object[] = {spec, whole_status}, *const *const of_status[] = {spec, conditions},
                                *const *const of_approval[] = {spec, certificate};
static const struct field_resets resets[] = {{"", of_object, 2}, {"status", of_status, 2}, {"approval", of_approval, 2}, {0}};

const struct strategy strategy_certificate_requests = {
    .resets = resets,
    .name = NAME_PATH_SEGMENT,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .prepare_sub = prepare_sub,
    .prepare_status = prepare_status,
};
