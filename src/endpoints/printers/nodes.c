/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and the health of the control plane's components. */
#include "endpoints/printers/printers.h"

/* Of several conditions of one type the last counts. */
static struct text last_ready(const struct value *conditions)
{
    struct text status = TEXT_NONE;

    for (size_t i = 0; i < value_count(conditions); i++)
        if (text_is(value_get_text(&conditions->items[i], TEXT("type")), "Ready"))
            status = value_get_text(&conditions->items[i], TEXT("status"));
    return status;
}

static void print_node_status(struct row *r, struct text arg)
{
    struct text ready = last_ready(value_find(r->o, "status.conditions"));
    const char *word = !ready.p ? "Unknown" : text_is(ready, "True") ? "Ready" : "NotReady";
    bool is_cordoned = value_get_bool(value_find(r->o, "spec"), TEXT("unschedulable"), false);

    row_text(r, arena_textf(r->a, "%s%s", word, is_cordoned ? ",SchedulingDisabled" : ""));
}

static void print_node_roles(struct row *r, struct text arg)
{
    static const struct text prefix = {"node-role.kubernetes.io/", sizeof("node-role.kubernetes.io/") - 1};
    const struct value *labels = value_find(r->o, "metadata.labels");
    struct buffer b = BUFFER_IN(r->a);
    struct text_set roles = {0};

    for (size_t i = 0; i < value_count(labels); i++) {
        struct text key = member_key(&labels->members[i]), role = value_text(&labels->members[i].value);
        if (text_starts(key, prefix))
            role = text_from(key, prefix.n);
        else if (!text_is(key, "kubernetes.io/role"))
            continue;
        if (role.n)
            text_set_add(r->a, &roles, role);
    }
    add_joined(&b, &roles.list, ",");
    row_or(r, buffer_text(&b), "<none>");
}

static void print_node_address(struct row *r, struct text arg)
{
    const struct value *addresses = value_find(r->o, "status.addresses");
    struct text found = TEXT_NONE;

    for (size_t i = 0; i < value_count(addresses) && !found.n; i++)
        if (text_eq(value_get_text(&addresses->items[i], TEXT("type")), arg))
            found = value_get_text(&addresses->items[i], TEXT("address"));
    row_or(r, found, "<none>");
}

static void print_node_kernel(struct row *r, struct text arg)
{
    struct text kernel = value_find_text(r->o, "status.nodeInfo.kernelVersion");
    struct text architecture = value_find_text(r->o, "status.nodeInfo.architecture");

    if (kernel.n && architecture.n)
        row_text(r, arena_textf(r->a, "%.*s (%.*s)", TEXT_ARG(kernel), TEXT_ARG(architecture)));
    else
        row_or(r, kernel, "<unknown>");
}

/* --- component statuses ---------------------------------------------------------------------------------------------------- */

static const struct value *healthy(struct row *r)
{
    return condition_find(value_find(r->o, "conditions"), "Healthy");
}

static void print_component_status(struct row *r, struct text arg)
{
    const struct value *c = healthy(r);

    row_str(r, !c ? "Unknown" : text_is(value_get_text(c, TEXT("status")), "True") ? "Healthy" : "Unhealthy");
}

static void print_component_message(struct row *r, struct text arg)
{
    row_text(r, value_get_text(healthy(r), TEXT("message")));
}

static void print_component_error(struct row *r, struct text arg)
{
    row_text(r, value_get_text(healthy(r), TEXT("error")));
}

const struct printer node_printers[] = {
    {"node_status", print_node_status},
    {"node_roles", print_node_roles},
    {"node_address", print_node_address},
    {"node_kernel", print_node_kernel},
    {"component_status", print_component_status},
    {"component_message", print_component_message},
    {"component_error", print_component_error},
    {NULL, NULL},
};
