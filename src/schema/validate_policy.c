/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of small kinds: roles and their bindings, leases, runtime classes. Source: kubernetes pkg/apis/rbac,
 * coordination, node (validation). */
#include "schema/checks.h"

/* --- roles --- */

CHECK(aggregated_roles)
{
    if (!selector_is_good(v))
        check_error(w, FIELD_INVALID, at, &value_null, "invalid label selector.");
}

CHECK(rule_of_namespace)
{
    const struct value *paths = value_get(v, TEXT("nonResourceURLs"));

    if (n_items(paths))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "nonResourceURLs"), paths,
                    "namespaced rules cannot apply to non-resource URLs");
}

CHECK(subject_of_cluster)
{
    if (text_is(value_get_text(v, TEXT("kind")), "ServiceAccount") && !value_get_text(v, TEXT("namespace")).n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "namespace"), NULL, "%s", "");
}

CHECK(no_group)
{
    static const char *const groups[] = {""};

    check_not_supported(w, at, value_text(v), groups, N_ELEMENTS(groups));
}

/* --- leases --- */

/* The path names the field twice, as upstream's. */
CHECK(lease_strategy)
{
    static const char *const strategies[] = {"OldestEmulationVersion"};
    struct text t = value_text(v);
    const struct field_path *path = PATH_FIELD(at, "strategy");

    if (text_find(t, '/') >= 0)
        check_format_at(w, path, FORMAT_QUALIFIED_NAME, t);
    else if (!text_is(t, strategies[0]))
        check_not_supported(w, path, t, strategies, N_ELEMENTS(strategies));
}

/* A semantic version: major.minor.patch[-pre][+build]. */
struct version {
    uint64_t numbers[3];
    struct text pre;
};

static bool read_number(struct text t, uint64_t *ret)
{
    return t.n && (t.n == 1 || t.p[0] != '0') && t.p[0] != '+' && text_to_u64(t, ret);
}

static bool are_identifiers(struct text t, bool is_pre)
{
    struct text part;
    uint64_t n;

    while (text_split(&t, '.', &part)) {
        bool is_number = part.n > 0;
        for (size_t i = 0; i < part.n; i++) {
            char c = part.p[i];
            bool is_digit = c >= '0' && c <= '9';
            if (!is_digit && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '-')
                return false;
            is_number &= is_digit;
        }
        if (!part.n || (is_pre && is_number && !read_number(part, &n)))
            return false;
    }
    return true;
}

static bool read_version(struct text t, struct version *ret)
{
    ptrdiff_t plus = text_find(t, '+'), dash;
    struct text part, build = text_from(t, (size_t)plus + 1);

    if (plus >= 0 && (!build.n || !are_identifiers(build, false)))
        return false;
    if (plus >= 0)
        t = text_first(t, (size_t)plus);
    dash = text_find(t, '-');
    ret->pre = dash < 0 ? TEXT_NONE : text_from(t, (size_t)dash + 1);
    if (dash >= 0 && (!ret->pre.n || !are_identifiers(ret->pre, true)))
        return false;
    if (dash >= 0)
        t = text_first(t, (size_t)dash);
    for (int i = 0; i < 3; i++)
        if (!text_split(&t, '.', &part) || !read_number(part, &ret->numbers[i]))
            return false;
    return !text_split(&t, '.', &part);
}

static int compare_identifiers(struct text a, struct text b)
{
    uint64_t x, y;
    bool is_number = text_to_u64(a, &x), is_other_number = text_to_u64(b, &y);

    if (is_number && is_other_number)
        return x < y ? -1 : x > y;
    if (is_number != is_other_number)
        return is_number ? -1 : 1;
    return text_cmp(a, b);
}

static int compare_versions(const struct version *a, const struct version *b)
{
    struct text pre = a->pre, other = b->pre, part, other_part;

    for (int i = 0; i < 3; i++)
        if (a->numbers[i] != b->numbers[i])
            return a->numbers[i] < b->numbers[i] ? -1 : 1;
    if (!pre.n || !other.n)
        return pre.n ? -1 : other.n ? 1 : 0;
    for (;;) {
        bool has = text_split(&pre, '.', &part), has_other = text_split(&other, '.', &other_part);
        int order = has && has_other ? compare_identifiers(part, other_part) : has - has_other;
        if (order || !has)
            return order;
    }
}

/* False: it is set and no version. */
static bool check_version(struct validation *w, const struct field_path *at, struct text t,
                          struct version *ret)
{
    if (!t.n || read_version(t, ret))
        return t.n > 0;
    *ret = (struct version){0};
    check_invalid_text(w, at, t, "must be a valid semantic version");
    return true;
}

CHECK(candidate_versions)
{
    static const struct version none = {0};
    struct version emulated = {0}, binary = {0};
    struct text binary_text = value_get_text(v, TEXT("binaryVersion"));
    const struct field_path *binary_at = PATH_FIELD(at, "binaryVersion"),
                            *emulated_at = PATH_FIELD(at, "emulationVersion");
    bool has_emulated = check_version(w, emulated_at, value_get_text(v, TEXT("emulationVersion")), &emulated);

    if (!check_version(w, binary_at, binary_text, &binary))
        check_error(w, FIELD_REQUIRED, binary_at, NULL, "%s", "");
    else if (has_emulated && compare_versions(&binary, &emulated) < 0)
        check_invalid_text(w, binary_at, binary_text, "must be greater than or equal to `emulationVersion`");
    if (text_is(value_get_text(v, TEXT("strategy")), "OldestEmulationVersion") &&
        compare_versions(&emulated, &none) == 0)
        check_error(w, FIELD_REQUIRED, emulated_at, NULL,
                    "must be specified when `strategy` is 'OldestEmulationVersion'");
}

/* --- runtime classes --- */

/* Looked at as the limits of a container. */
CHECK(overhead)
{
    const struct value *amounts = value_get(v, TEXT("podFixed"));
    struct value resources = value_object();

    if (amounts)
        value_add(w->errs->arena, &resources, TEXT("limits"), *amounts);
    check_container_resources(w, at, &resources, NULL);
}
