/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what and how much: quotas, roles, certificates, admission policies, flow control. */
#include "endpoints/printers/printers.h"

/* --- quotas ----------------------------------------------------------------------------------------------------------------- */

static void print_quota(struct row *r, bool wants_limits)
{
    const struct value *hard = value_find(r->o, "status.hard"), *used = value_find(r->o, "status.used");
    struct buffer b = BUFFER_IN(r->a);

    for (size_t i = 0; i < value_count(hard); i++) {
        struct text name = member_key(&hard->members[i]), spent = value_get_text(used, name);
        if (text_starts(name, TEXT("limits.")) != wants_limits)
            continue;
        buffer_addf(&b, "%s%.*s: ", b.n ? ", " : "", TEXT_ARG(name));
        buffer_add(&b, spent.n ? spent : TEXT("0"));
        buffer_add_char(&b, '/');
        buffer_add(&b, value_text(&hard->members[i].value));
    }
    row_buffer(r, &b);
}

static void print_quota_requests(struct row *r, struct text arg)
{
    print_quota(r, false);
}

static void print_quota_limits(struct row *r, struct text arg)
{
    print_quota(r, true);
}

/* --- role bindings ----------------------------------------------------------------------------------------------------------- */

static void print_role_ref(struct row *r, struct text arg)
{
    row_text(r, arena_textf(r->a, "%.*s/%.*s", TEXT_ARG(value_find_text(r->o, "roleRef.kind")),
                           TEXT_ARG(value_find_text(r->o, "roleRef.name"))));
}

static void print_subjects(struct row *r, const char *kind, bool has_namespace)
{
    const struct value *subjects = value_find(r->o, "subjects");
    struct buffer b = BUFFER_IN(r->a);
    bool is_first = true;

    for (size_t i = 0; i < value_count(subjects); i++) {
        const struct value *s = &subjects->items[i];
        if (!text_is(value_get_text(s, TEXT("kind")), kind))
            continue;
        if (!is_first)
            buffer_add_str(&b, ", ");
        is_first = false;
        if (has_namespace && value_get_text(s, TEXT("namespace")).n)
            buffer_addf(&b, "%.*s/", TEXT_ARG(value_get_text(s, TEXT("namespace"))));
        buffer_add(&b, value_get_text(s, TEXT("name")));
    }
    row_buffer(r, &b);
}

static void print_users(struct row *r, struct text arg)
{
    print_subjects(r, "User", false);
}

static void print_groups(struct row *r, struct text arg)
{
    print_subjects(r, "Group", false);
}

static void print_service_accounts(struct row *r, struct text arg)
{
    print_subjects(r, "ServiceAccount", true);
}

/* --- certificates ------------------------------------------------------------------------------------------------------------ */

static void print_csr_condition(struct row *r, struct text arg)
{
    const struct value *c = value_find(r->o, "status.conditions");
    const char *decision = condition_find(c, "Denied") ? "Denied" : condition_find(c, "Approved") ? "Approved" : "Pending";

    row_text(r, arena_textf(r->a, "%s%s%s", decision, condition_find(c, "Failed") ? ",Failed" : "",
                           value_find_text(r->o, "status.certificate").n ? ",Issued" : ""));
}

static void print_pod_certificate_state(struct row *r, struct text arg)
{
    static const char *const states[] = {"Denied", "Failed", "Issued"};
    const struct value *conditions = value_find(r->o, "status.conditions");

    for (size_t i = 0; i < N_ELEMENTS(states); i++) {
        if (condition_is_true(conditions, states[i])) {
            row_str(r, states[i]);
            return;
        }
    }
    row_str(r, "Pending");
}

/* --- admission policies --------------------------------------------------------------------------------------------------- */

static void print_param_kind(struct row *r, struct text arg)
{
    const struct value *p = value_find(r->o, "spec.paramKind");

    if (p)
        row_text(r, arena_textf(r->a, "%.*s/%.*s", TEXT_ARG(value_get_text(p, TEXT("apiVersion"))),
                               TEXT_ARG(value_get_text(p, TEXT("kind")))));
    else
        row_str(r, "<unset>");
}

/* A selector as Go prints the message: "&LabelSelector{MatchLabels:map[string]string{a: b,},...}". */
static void add_go_selector(struct buffer *b, const struct value *selector)
{
    const struct value *labels = value_find(selector, "matchLabels"), *more = value_find(selector, "matchExpressions");

    buffer_add_str(b, "&LabelSelector{MatchLabels:map[string]string{");
    for (size_t i = 0; i < value_count(labels); i++)
        buffer_addf(b, "%.*s: %.*s,", TEXT_ARG(member_key(&labels->members[i])),
                    TEXT_ARG(value_text(&labels->members[i].value)));
    buffer_add_str(b, "},MatchExpressions:[]LabelSelectorRequirement{");
    for (size_t i = 0; i < value_count(more); i++) {
        const struct value *e = &more->items[i];
        buffer_addf(b, "LabelSelectorRequirement{Key:%.*s,Operator:%.*s,Values:[", TEXT_ARG(value_get_text(e, TEXT("key"))),
                    TEXT_ARG(value_get_text(e, TEXT("operator"))));
        add_list(b, value_find(e, "values"), " ");
        buffer_add_str(b, "],},");
    }
    buffer_add_str(b, "},}");
}

static void print_param_ref(struct row *r, struct text arg)
{
    const struct value *ref = value_find(r->o, "spec.paramRef"), *selector = value_find(ref, "selector");
    struct text name = value_get_text(ref, TEXT("name")), namespace = value_get_text(ref, TEXT("namespace"));
    struct buffer b = BUFFER_IN(r->a);

    if (name.n) {
        buffer_add(&b, namespace.n ? namespace : TEXT("*"));
        buffer_add_char(&b, '/');
        buffer_add(&b, name);
    } else if (selector) {
        add_go_selector(&b, selector);
    }
    row_or(r, buffer_text(&b), "<unset>");
}

/* --- flow control ----------------------------------------------------------------------------------------------------------- */

static void print_missing_priority_level(struct row *r, struct text arg)
{
    const struct value *dangling = condition_find(value_find(r->o, "status.conditions"), "Dangling");

    row_or(r, value_get_text(dangling, TEXT("status")), "?");
}

const struct printer policy_printers[] = {
    {"quota_requests", print_quota_requests},
    {"quota_limits", print_quota_limits},
    {"role_ref", print_role_ref},
    {"users", print_users},
    {"groups", print_groups},
    {"service_accounts", print_service_accounts},
    {"csr_condition", print_csr_condition},
    {"pod_certificate_state", print_pod_certificate_state},
    {"param_kind", print_param_kind},
    {"param_ref", print_param_ref},
    {"missing_priority_level", print_missing_priority_level},
    {NULL, NULL},
};
