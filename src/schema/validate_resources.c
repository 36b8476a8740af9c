/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of resources: what a resource may be called, and what its amounts may be.
 * Source: kubernetes pkg/apis/core/validation (validateResourceRequirements and below), pkg/apis/core/helper.
 */
#include "schema/checks.h"

static bool is_one_of(struct text t, const struct text *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq(t, list[i]))
            return true;
    return false;
}

static bool is_native(struct text name)
{
    return text_find(name, '/') < 0 || text_find_text(name, TEXT("kubernetes.io/")) >= 0;
}

static bool is_huge_page(struct text name)
{
    return text_starts(name, TEXT("hugepages-"));
}

static bool is_extended(struct validation *w, struct text name)
{
    if (is_native(name) || text_starts(name, TEXT("requests.")))
        return false;
    return name.n <= 316 && !format_problem(FORMAT_QUALIFIED_NAME,
                                            arena_textf(w->errs->arena, "requests.%.*s", TEXT_ARG(name)));
}

static bool is_standard(struct text name)
{
    static const struct text names[] = {TEXT("cpu"),
                                        TEXT("memory"),
                                        TEXT("ephemeral-storage"),
                                        TEXT("requests.cpu"),
                                        TEXT("requests.memory"),
                                        TEXT("requests.ephemeral-storage"),
                                        TEXT("limits.cpu"),
                                        TEXT("limits.memory"),
                                        TEXT("limits.ephemeral-storage"),
                                        TEXT("pods"),
                                        TEXT("resourcequotas"),
                                        TEXT("services"),
                                        TEXT("replicationcontrollers"),
                                        TEXT("secrets"),
                                        TEXT("configmaps"),
                                        TEXT("persistentvolumeclaims"),
                                        TEXT("storage"),
                                        TEXT("requests.storage"),
                                        TEXT("services.nodeports"),
                                        TEXT("services.loadbalancers")};

    return is_one_of(name, names, N_ELEMENTS(names)) || is_huge_page(name) ||
           text_starts(name, TEXT("requests.hugepages-"));
}

static bool is_whole(struct validation *w, struct text name)
{
    static const struct text names[] = {TEXT("pods"),
                                        TEXT("resourcequotas"),
                                        TEXT("services"),
                                        TEXT("replicationcontrollers"),
                                        TEXT("secrets"),
                                        TEXT("configmaps"),
                                        TEXT("persistentvolumeclaims"),
                                        TEXT("services.nodeports"),
                                        TEXT("services.loadbalancers")};

    return is_one_of(name, names, N_ELEMENTS(names)) || is_extended(w, name);
}

static bool is_of_containers(struct text name)
{
    return text_is(name, "cpu") || text_is(name, "memory") || text_is(name, "ephemeral-storage") ||
           is_huge_page(name);
}

static void complain(struct validation *w, const struct field_path *at, struct text name, const char *words)
{
    struct value bad = value_string(name);

    check_error(w, FIELD_INVALID, at, &bad, "%s", words);
}

static void check_name(struct validation *w, const struct field_path *at, struct text name)
{
    if (is_of_containers(name) && !is_huge_page(name))
        return;
    if (format_problem(FORMAT_QUALIFIED_NAME, name)) {
        check_format_at(w, at, FORMAT_QUALIFIED_NAME, name);
    } else if (text_find(name, '/') < 0 && !is_standard(name)) {
        complain(w, at, name, "must be a standard resource type or fully qualified");
    }
    if (text_find(name, '/') < 0) {
        if (!is_of_containers(name))
            complain(w, at, name, "must be a standard resource for containers");
    } else if (!is_native(name) && !is_extended(w, name)) {
        complain(w, at, name, "doesn't follow extended resource name standard");
    }
}

static void check_amount(struct validation *w, const struct field_path *at, struct text name,
                         const struct value *amount)
{
    if (quantity_sign(value_text(amount)) < 0)
        check_error(w, FIELD_INVALID, at, amount, "must be greater than or equal to 0");
    if (text_find(name, '/') >= 0 && is_whole(w, name) && quantity_milli_value(value_text(amount)) % 1000)
        check_error(w, FIELD_INVALID, at, amount, "must be an integer");
    if (is_huge_page(name)) {
        struct text size = text_from(name, strlen("hugepages-"));
        int64_t bytes = quantity_problem(size) ? 0 : quantity_value(size);
        if (bytes <= 0 || quantity_value(value_text(amount)) % bytes)
            check_error(w, FIELD_INVALID, at, amount, "%.*s is not positive integer multiple of %.*s",
                        TEXT_ARG(value_text(amount)), TEXT_ARG(name));
    }
}

static void check_against_limit(struct validation *w, const struct field_path *resources, struct text name,
                                const struct value *amount, const struct value *limit)
{
    const struct field_path *at = PATH_FIELD(resources, "requests");
    bool may_differ = is_native(name) && !is_huge_page(name);
    int order = limit ? quantity_cmp(value_text(amount), value_text(limit)) : 0;

    if (!limit && !may_differ)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(resources, "limits"), NULL,
                    "Limit must be set for non overcommitable resources");
    else if (order && !may_differ)
        check_error(w, FIELD_INVALID, at, amount, "must be equal to %.*s limit of %.*s", TEXT_ARG(name),
                    TEXT_ARG(value_text(limit)));
    else if (order > 0)
        check_error(w, FIELD_INVALID, at, amount, "must be less than or equal to %.*s limit of %.*s",
                    TEXT_ARG(name), TEXT_ARG(value_text(limit)));
}

CHECK(container_resources)
{
    const struct value *limits = value_get(v, TEXT("limits")), *requests = value_get(v, TEXT("requests"));
    bool has_huge_pages = false, has_others = false;

    for (uint32_t i = 0; i < n_items(limits) + n_items(requests); i++) {
        bool is_request = i >= n_items(limits);
        const struct value_member *m =
            is_request ? &requests->members[i - n_items(limits)] : &limits->members[i];
        struct text name = member_key(m);
        const struct field_path *list = is_request ? PATH_FIELD(at, "requests") : PATH_FIELD(at, "limits");
        const struct field_path *key = PATH_OF_KEY(list, name);
        check_name(w, key, name);
        check_amount(w, key, name, &m->value);
        if (is_request)
            check_against_limit(w, at, name, &m->value, value_get(limits, name));
        has_huge_pages |= is_huge_page(name);
        has_others |= text_is(name, "cpu") || text_is(name, "memory");
    }
    if (has_huge_pages && !has_others)
        check_error(w, FIELD_FORBIDDEN, at, NULL, "HugePages require cpu or memory");
}
