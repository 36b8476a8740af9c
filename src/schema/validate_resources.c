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

/* Quotas of so many objects. */
static bool is_object_count(struct text name)
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

    return is_one_of(name, names, N_ELEMENTS(names));
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
                                        TEXT("storage"),
                                        TEXT("requests.storage")};

    return is_one_of(name, names, N_ELEMENTS(names)) || is_object_count(name) || is_huge_page(name) ||
           text_starts(name, TEXT("requests.hugepages-"));
}

static bool is_whole(struct validation *w, struct text name)
{
    return is_object_count(name) || is_extended(w, name);
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

static void check_any_name(struct validation *w, const struct field_path *at, struct text name)
{
    if (format_problem(FORMAT_QUALIFIED_NAME, name))
        check_format_at(w, at, FORMAT_QUALIFIED_NAME, name);
    else if (text_find(name, '/') < 0 && !is_standard(name))
        complain(w, at, name, "must be a standard resource type or fully qualified");
}

static void check_name(struct validation *w, const struct field_path *at, struct text name)
{
    if (is_of_containers(name) && !is_huge_page(name))
        return;
    check_any_name(w, at, name);
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
    if (!is_of_containers(name) && is_whole(w, name) && quantity_milli_value(value_text(amount)) % 1000)
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

/* --- limit ranges --- */

CHECK(limit_type)
{
    struct text t = value_text(v);

    if (format_problem(FORMAT_QUALIFIED_NAME, t))
        check_format_at(w, at, FORMAT_QUALIFIED_NAME, t);
    else if (text_find(t, '/') < 0 && !text_is(t, "Pod") && !text_is(t, "Container") &&
             !text_is(t, "PersistentVolumeClaim"))
        complain(w, at, t, "must be a standard limit type or fully qualified");
}

enum limit { MAX, MIN, DEFAULT, DEFAULT_REQUEST, RATIO, N_LIMITS };
static const struct text limit_names[N_LIMITS] = {TEXT("max"), TEXT("min"), TEXT("default"),
                                                  TEXT("defaultRequest"), TEXT("maxLimitRequestRatio")};

/* Which amount must not be above which, where the error lies, and what it shows. */
static const struct {
    enum limit low, high, where, shown;
    const char *low_words, *high_words;
} orders[] = {{MIN, MAX, MIN, MIN, "min value", "max value"},
              {MIN, DEFAULT_REQUEST, DEFAULT_REQUEST, DEFAULT_REQUEST, "min value", "default request value"},
              {DEFAULT_REQUEST, MAX, DEFAULT_REQUEST, DEFAULT_REQUEST, "default request value", "max value"},
              {DEFAULT_REQUEST, DEFAULT, DEFAULT_REQUEST, DEFAULT_REQUEST, "default request value",
               "default limit value"},
              {MIN, DEFAULT, DEFAULT, MIN, "min value", "default value"},
              {DEFAULT, MAX, DEFAULT, MAX, "default value", "max value"}};

static void check_ratio(struct validation *w, const struct field_path *at,
                        const struct value *const amounts[N_LIMITS])
{
    struct text ratio = value_text(amounts[RATIO]), min = value_text(amounts[MIN]),
                max = value_text(amounts[MAX]);
    double asked, limit;

    if (quantity_cmp(ratio, TEXT("1")) < 0)
        check_error(w, FIELD_INVALID, at, amounts[RATIO], "ratio %.*s is less than 1", TEXT_ARG(ratio));
    if (!amounts[MIN] || !amounts[MAX])
        return;
    if (quantity_value(ratio) < INT64_MAX / 1000 && quantity_value(min) < INT64_MAX / 1000 &&
        quantity_value(max) < INT64_MAX / 1000) {
        asked = (double)quantity_milli_value(ratio) / 1000;
        limit = (double)quantity_milli_value(max) / (double)quantity_milli_value(min);
    } else {
        asked = (double)quantity_value(ratio);
        limit = (double)quantity_value(max) / (double)quantity_value(min);
    }
    if (asked > limit)
        check_error(w, FIELD_INVALID, at, amounts[RATIO], "ratio %.*s is greater than max/min = %f",
                    TEXT_ARG(ratio), limit);
}

static void check_limits_of(struct validation *w, const struct field_path *item, struct text name,
                            const struct value *const amounts[N_LIMITS])
{
    bool may_differ = is_native(name) && !is_huge_page(name);

    for (size_t i = 0; i < N_ELEMENTS(orders); i++) {
        const struct value *low = amounts[orders[i].low], *high = amounts[orders[i].high];
        const struct field_path list = {item, limit_names[orders[i].where], PATH_NAME};
        if (low && high && quantity_cmp(value_text(low), value_text(high)) > 0)
            check_error(w, FIELD_INVALID, PATH_OF_KEY(&list, name), amounts[orders[i].shown],
                        "%s %.*s is greater than %s %.*s", orders[i].low_words, TEXT_ARG(value_text(low)),
                        orders[i].high_words, TEXT_ARG(value_text(high)));
    }
    if (amounts[RATIO])
        check_ratio(w, PATH_OF_KEY(PATH_FIELD(item, "maxLimitRequestRatio"), name), amounts);
    if (!may_differ && amounts[DEFAULT] && amounts[DEFAULT_REQUEST] &&
        quantity_cmp(value_text(amounts[DEFAULT]), value_text(amounts[DEFAULT_REQUEST])))
        check_error(w, FIELD_INVALID, PATH_OF_KEY(PATH_FIELD(item, "defaultRequest"), name),
                    amounts[DEFAULT_REQUEST],
                    "default value %.*s must equal to defaultRequest value %.*s in %.*s",
                    TEXT_ARG(value_text(amounts[DEFAULT])), TEXT_ARG(value_text(amounts[DEFAULT_REQUEST])),
                    TEXT_ARG(name));
}

CHECK(limit_range_item)
{
    struct text type = value_get_text(v, TEXT("type"));
    bool is_pod = text_is(type, "Pod"), is_of_pods = is_pod || text_is(type, "Container");
    const struct value *lists[N_LIMITS], *amounts[N_LIMITS];

    for (int i = 0; i < N_LIMITS; i++) {
        const struct field_path list = {at, limit_names[i], PATH_NAME};
        bool is_forbidden = is_pod && (i == DEFAULT || i == DEFAULT_REQUEST);
        lists[i] = value_get(v, limit_names[i]);
        if (is_forbidden && n_items(lists[i]))
            check_error(w, FIELD_FORBIDDEN, &list, NULL, "may not be specified when `type` is 'Pod'");
        if (is_forbidden)
            lists[i] = NULL;
        for (uint32_t k = 0; k < n_items(lists[i]); k++) {
            struct text name = member_key(&lists[i]->members[k]);
            if (is_of_pods)
                check_name(w, PATH_OF_KEY(&list, name), name);
            else
                check_any_name(w, PATH_OF_KEY(&list, name), name);
        }
    }
    if (text_is(type, "PersistentVolumeClaim") && !value_get(lists[MIN], TEXT("storage")) &&
        !value_get(lists[MAX], TEXT("storage")))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "limits"), NULL,
                    "either minimum or maximum storage value is required, but neither was provided");
    for (int i = 0; i < N_LIMITS; i++) { /* each name once: at the first list that has it */
        for (uint32_t k = 0; k < n_items(lists[i]); k++) {
            struct text name = member_key(&lists[i]->members[k]);
            bool is_seen = false;
            for (int j = 0; j < N_LIMITS; j++) {
                amounts[j] = value_get(lists[j], name);
                is_seen |= j < i && amounts[j];
            }
            if (!is_seen)
                check_limits_of(w, at, name, amounts);
        }
    }
}

/* --- quotas --- */

static bool is_of_quotas(struct text name)
{
    return is_standard(name) && !text_is(name, "storage") && !is_huge_page(name);
}

CHECK(quota_resources)
{
    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text name = member_key(&v->members[i]);
        const struct value *amount = &v->members[i].value;
        const struct field_path *key = PATH_OF_KEY(at, name);
        check_any_name(w, key, name);
        if (text_find(name, '/') < 0 && !is_of_quotas(name) && !is_huge_page(name))
            complain(w, key, name, "must be a standard resource for quota");
        if (quantity_sign(value_text(amount)) < 0)
            check_error(w, FIELD_INVALID, key, amount, "must be greater than or equal to 0");
        if (is_whole(w, name) && quantity_milli_value(value_text(amount)) % 1000)
            check_error(w, FIELD_INVALID, key, amount, "must be an integer");
    }
}

/* Whether a scope has a meaning for a resource; scopes that nobody knows have one for all. */
static bool scope_fits(struct text scope, struct text resource)
{
    static const struct text of_pods[] = {TEXT("Terminating"), TEXT("NotTerminating"), TEXT("NotBestEffort"),
                                          TEXT("PriorityClass"), TEXT("CrossNamespacePodAffinity")};
    static const struct text of_compute[] = {
        TEXT("pods"),          TEXT("cpu"),          TEXT("memory"),         TEXT("limits.cpu"),
        TEXT("limits.memory"), TEXT("requests.cpu"), TEXT("requests.memory")};

    if (is_one_of(scope, of_pods, N_ELEMENTS(of_pods)))
        return is_one_of(resource, of_compute, N_ELEMENTS(of_compute));
    if (text_is(scope, "BestEffort"))
        return text_is(resource, "pods");
    if (text_is(scope, "VolumeAttributesClass"))
        return text_is(resource, "persistentvolumeclaims") || text_is(resource, "requests.storage");
    return true;
}

static bool is_scope(struct text scope)
{
    static const struct text scopes[] = {TEXT("Terminating"),          TEXT("NotTerminating"),
                                         TEXT("BestEffort"),           TEXT("NotBestEffort"),
                                         TEXT("PriorityClass"),        TEXT("CrossNamespacePodAffinity"),
                                         TEXT("VolumeAttributesClass")};

    return is_one_of(scope, scopes, N_ELEMENTS(scopes));
}

static void check_scope(struct validation *w, const struct field_path *at, const struct value *shown,
                        struct text scope, const struct value *hard)
{
    for (uint32_t i = 0; i < n_items(hard); i++) {
        struct text name = member_key(&hard->members[i]);
        if (is_of_quotas(name) && !scope_fits(scope, name))
            check_error(w, FIELD_INVALID, at, shown, "unsupported scope applied to resource");
    }
}

static void check_conflicts(struct validation *w, const struct field_path *at, const struct value *shown,
                            const struct seen_texts *seen)
{
    static const struct text pairs[][2] = {{TEXT("BestEffort"), TEXT("NotBestEffort")},
                                           {TEXT("Terminating"), TEXT("NotTerminating")}};

    for (size_t i = 0; i < N_ELEMENTS(pairs); i++)
        if (seen_has(seen, pairs[i][0]) && seen_has(seen, pairs[i][1]))
            check_error(w, FIELD_INVALID, at, shown, "conflicting scopes");
}

/* A demand of the scope selector. Upstream names it without its index. */
static void check_scope_demand(struct validation *w, const struct field_path *at, const struct value *demand)
{
    static const struct text alone[] = {TEXT("BestEffort"), TEXT("NotBestEffort"), TEXT("Terminating"),
                                        TEXT("NotTerminating"), TEXT("CrossNamespacePodAffinity")};
    const struct value *operator_value = value_get(demand, TEXT("operator")),
                       *values = value_get(demand, TEXT("values"));
    struct text scope = value_get_text(demand, TEXT("scopeName")), operator= value_text(operator_value);
    bool is_in = text_is(operator, "In") || text_is(operator, "NotIn");
    bool is_exists = text_is(operator, "Exists") || text_is(operator, "DoesNotExist");

    if (is_one_of(scope, alone, N_ELEMENTS(alone)) && !text_is(operator, "Exists"))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "operator"), operator_value,
                    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                    "ResourceQuotaScopeNotTerminating, "
                    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
                    "ResourceQuotaScopeCrossNamespacePodAffinity");
    if (is_in && !n_items(values))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "values"), NULL,
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    else if (is_exists && n_items(values))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "values"), values,
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
    else if (!is_in && !is_exists)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "operator"), operator_value,
                    "not a valid selector operator");
}

CHECK(quota_scopes)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0}, selected = {.n = 0};
    const struct value *hard = value_get(v, TEXT("hard")), *scopes = value_get(v, TEXT("scopes"));
    const struct value *selector = value_get(v, TEXT("scopeSelector")),
                       *demands = value_get(selector, TEXT("matchExpressions"));
    const struct field_path *path = PATH_FIELD(at, "scopes"),
                            *demand_path = PATH_FIELD(PATH_FIELD(at, "scopeSelector"), "matchExpressions");

    for (uint32_t i = 0; i < n_items(scopes); i++) {
        struct text scope = value_text(&scopes->items[i]);
        if (!is_scope(scope))
            check_error(w, FIELD_INVALID, path, scopes, "unsupported scope");
        check_scope(w, path, scopes, scope, hard);
        seen_add(&seen, scope);
    }
    check_conflicts(w, path, scopes, &seen);
    for (uint32_t i = 0; i < n_items(demands); i++) {
        const struct value *scope = value_get(&demands->items[i], TEXT("scopeName"));
        if (!is_scope(value_text(scope)))
            check_error(w, FIELD_INVALID, PATH_FIELD(demand_path, "scopeName"), scope, "unsupported scope");
        check_scope(w, demand_path, selector, value_text(scope), hard);
        check_scope_demand(w, demand_path, &demands->items[i]);
        seen_add(&selected, value_text(scope));
    }
    check_conflicts(w, demand_path, scopes ? scopes : &value_null, &selected);
}

static void gather_texts(struct seen_texts *seen, const struct value *list)
{
    for (uint32_t i = 0; i < n_items(list); i++)
        seen_add(seen, value_text(&list->items[i]));
}

CHECK(quota_update)
{
    CLEANUP(seen_deinit) struct seen_texts now = {.n = 0}, before = {.n = 0};
    const struct value *scopes = value_get(v, TEXT("scopes")), *old_scopes = value_get(old, TEXT("scopes"));
    bool is_same = true;

    if (!old)
        return;
    gather_texts(&now, scopes);
    gather_texts(&before, old_scopes);
    for (uint32_t i = 0; i < n_items(scopes); i++)
        is_same &= seen_has(&before, value_text(&scopes->items[i]));
    for (uint32_t i = 0; i < n_items(old_scopes); i++)
        is_same &= seen_has(&now, value_text(&old_scopes->items[i]));
    if (!is_same)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "scopes"), scopes ? scopes : &value_null,
                    "field is immutable");
}

CHECK(container_resource_name)
{
    check_name(w, at, value_text(v));
}
