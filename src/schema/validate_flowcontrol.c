/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of flow schemas, priority levels and priority classes. Source: kubernetes
 * pkg/apis/flowcontrol/validation, pkg/apis/scheduling/validation. */
#include "schema/checks.h"

#include <math.h>

#define HASH_BITS_MAX 60

/* --- rules of flow schemas --- */

/* There must be something in the list, and nothing beside a star. False: there is no list of names to look at. */
static bool check_names(struct validation *w, const struct field_path *at, const struct value *list,
                        const char *empty_words, const char *others)
{
    if (!n_items(list))
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", empty_words);
    else if (!list_has(list, TEXT("*")))
        return true;
    else if (n_items(list) > 1)
        check_error(w, FIELD_INVALID, at, list, "if '*' is present, must not specify other %s", others);
    return false;
}

static void check_verbs(struct validation *w, const struct field_path *rule, const struct value *verbs)
{
    static const char *const known[] = {"create", "delete", "deletecollection", "get",  "list",
                                        "patch",  "proxy",  "update",           "watch"};
    const struct field_path *at = PATH_FIELD(rule, "verbs");

    if (!check_names(w, at, verbs, "verbs must contain at least one value", "verbs"))
        return;
    for (uint32_t i = 0; i < n_items(verbs); i++) {
        bool is_known = false;
        for (size_t k = 0; k < N_ELEMENTS(known); k++)
            is_known |= text_is(value_text(&verbs->items[i]), known[k]);
        if (!is_known) {
            field_not_supported(w->errs, field_path_str(w->errs->arena, at), verbs, known, N_ELEMENTS(known));
            return;
        }
    }
}

static const char *path_problem(struct text t)
{
    ptrdiff_t star = text_find(t, '*');

    if (!t.n)
        return "must not be empty";
    if (t.p[0] != '/')
        return "must start with slash";
    if (text_find(t, ' ') >= 0)
        return "must not contain white-space";
    if (text_find_text(t, TEXT("//")) >= 0)
        return "must not contain double slash";
    if (star >= 0 && ((size_t)star + 1 != t.n || !text_ends(t, TEXT("/*"))))
        return "wildcard can only do suffix matching";
    return NULL;
}

CHECK(path_rule)
{
    const struct value *paths = value_get(v, TEXT("nonResourceURLs"));
    const struct field_path *paths_at = PATH_FIELD(at, "nonResourceURLs");

    check_verbs(w, at, value_get(v, TEXT("verbs")));
    if (!check_names(w, paths_at, paths, "nonResourceURLs must contain at least one value",
                     "non-resource URLs"))
        return;
    for (uint32_t i = 0; i < n_items(paths); i++) {
        struct text path = value_text(&paths->items[i]);
        const char *problem = path_problem(path);
        if (problem)
            check_invalid_text(w, PATH_INDEX(paths_at, i), path, problem);
    }
}

static void check_namespaces(struct validation *w, const struct field_path *at, const struct value *list,
                             bool is_for_cluster)
{
    const char *problems[FORMAT_ERRORS_MAX];

    if ((is_for_cluster && !n_items(list)) ||
        !check_names(w, at, list,
                     "resource rules that are not cluster scoped must supply at least one namespace",
                     "namespaces"))
        return;
    for (uint32_t i = 0; i < n_items(list); i++) {
        size_t n = format_check(FORMAT_DNS1123_LABEL, value_text(&list->items[i]), problems);
        for (size_t k = 0; k < n; k++)
            check_error(w, FIELD_INVALID, PATH_INDEX(at, i), &list->items[i],
                        "each member of this list must be '*' or a DNS-1123 label; %s", problems[k]);
    }
}

CHECK(resource_rule)
{
    check_verbs(w, at, value_get(v, TEXT("verbs")));
    check_names(w, PATH_FIELD(at, "apiGroups"), value_get(v, TEXT("apiGroups")),
                "resource rules must supply at least one api group", "api groups");
    check_names(w, PATH_FIELD(at, "resources"), value_get(v, TEXT("resources")),
                "resource rules must supply at least one resource", "resources");
    check_namespaces(w, PATH_FIELD(at, "namespaces"), value_get(v, TEXT("namespaces")),
                     value_get_bool(v, TEXT("clusterScope"), false));
}

/* A hand of queues is drawn by one hash: it must have bits enough for all of them. */
CHECK(hand_size)
{
    int64_t hand = value_get_int(v, TEXT("handSize"), 0), queues = value_get_int(v, TEXT("queues"), 0);
    const struct field_path *path = PATH_FIELD(at, "handSize");
    const struct value bad = {.kind = VALUE_INT, .integer = hand};

    if (hand <= 0)
        check_error(w, FIELD_INVALID, path, &bad, "must be positive");
    else if (hand > queues)
        check_error(w, FIELD_INVALID, path, &bad, "should not be greater than queues (%lld)",
                    (long long)queues);
    else if (ceil(log2((double)queues) * (double)hand) > HASH_BITS_MAX)
        check_error(w, FIELD_INVALID, path, &bad,
                    "required entropy bits of deckSize %lld and handSize %lld should not be greater than %d",
                    (long long)queues, (long long)hand, HASH_BITS_MAX);
}

/* --- priority classes --- */

#define USER_PRIORITY_MAX 1000000000

/* Names that begin with system- are those of two classes. */
CHECK(priority_class)
{
    static const struct {
        const char *name;
        int64_t priority;
    } system[] = {{"system-node-critical", 2000001000}, {"system-cluster-critical", 2000000000}};
    struct text name = value_get_text(value_get(v, TEXT("metadata")), TEXT("name"));
    int64_t priority = value_get_int(v, TEXT("value"), 0);
    const char *problem = NULL;

    if (!text_starts(name, TEXT("system-"))) {
        if (priority > USER_PRIORITY_MAX)
            check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "value"), NULL,
                        "maximum allowed value of a user defined priority is %d", USER_PRIORITY_MAX);
        return;
    }
    problem = arena_printf(w->errs->arena, "%.*s is not a known system priority class", TEXT_ARG(name));
    for (size_t i = 0; i < N_ELEMENTS(system); i++) {
        if (!text_is(name, system[i].name))
            continue;
        problem = priority != system[i].priority
                      ? arena_printf(w->errs->arena, "value of %s PriorityClass must be %lld", system[i].name,
                                     (long long)system[i].priority)
                  : value_get_bool(v, TEXT("globalDefault"), false)
                      ? arena_printf(w->errs->arena, "globalDefault of %s PriorityClass must be false",
                                     system[i].name)
                      : NULL;
    }
    if (problem)
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(PATH_FIELD(at, "metadata"), "name"), NULL,
                    "priority class names with 'system-' prefix are reserved for system use only. error: %s",
                    problem);
}

CHECK(priority_value)
{
    if ((v ? v->integer : 0) != (old && old->kind == VALUE_INT ? old->integer : 0))
        check_error(w, FIELD_FORBIDDEN, at, NULL, "may not be changed in an update.");
}
