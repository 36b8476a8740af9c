/* SPDX-License-Identifier: Apache-2.0 */
/* Policy rules. A rule allows what matches in every respect; a set of rules covers another one when each
 * smallest part of that one is allowed by a single rule of the set. Source: kubernetes
 * pkg/apis/rbac/v1/evaluation_helpers.go, component-helpers auth/rbac/validation/policy_comparator.go,
 * pkg/registry/rbac/validation/policy_compact.go. */
#include "authz/rule.h"

bool span_has(struct text_span t, struct text s)
{
    for (size_t i = 0; i < t.n; i++)
        if (text_eq(t.p[i], s))
            return true;
    return false;
}

static bool is_star(struct text t)
{
    return t.n == 1 && t.p[0] == '*';
}

static bool has_or_star(struct text_span t, struct text s)
{
    for (size_t i = 0; i < t.n; i++)
        if (is_star(t.p[i]) || text_eq(t.p[i], s))
            return true;
    return false;
}

/* --- evaluation --- */

void rule_query_init(struct rule_query *q, const struct authz_attributes *attrs, struct arena *a,
                     char *scratch)
{
    const struct request_info *info = attrs->info;
    size_t n = info->resource.n + 1 + info->subresource.n;

    *q = (struct rule_query){.is_resource = info->is_resource,
                             .verb = info->verb,
                             .group = info->group,
                             .resource = info->resource,
                             .subresource = info->subresource,
                             .combined = info->resource,
                             .name = info->name,
                             .path = attrs->path};
    if (!info->subresource.n)
        return;
    char *p = n <= RULE_SCRATCH_BYTES ? scratch : arena_alloc(a, n);
    if (info->resource.n)
        memcpy(p, info->resource.p, info->resource.n);
    p[info->resource.n] = '/';
    memcpy(p + info->resource.n + 1, info->subresource.p, info->subresource.n);
    q->combined = (struct text){p, n};
}

/* "*", the name itself, or "*" + "/subresource". */
static bool resource_matches(struct text_span resources, const struct rule_query *q)
{
    for (size_t i = 0; i < resources.n; i++) {
        struct text t = resources.p[i];
        if (is_star(t) || text_eq(t, q->combined))
            return true;
        if (q->subresource.n && t.n == q->subresource.n + 2 && t.p[0] == '*' && t.p[1] == '/' &&
            text_eq(text_from(t, 2), q->subresource))
            return true;
    }
    return false;
}

bool rule_path_covers(struct text pattern, struct text path)
{
    if (is_star(pattern) || text_eq(pattern, path))
        return true;
    if (!pattern.n || pattern.p[pattern.n - 1] != '*')
        return false;
    while (pattern.n && pattern.p[pattern.n - 1] == '*')
        pattern.n--;
    return text_starts(path, pattern);
}

static bool path_matches(struct text_span urls, struct text path)
{
    for (size_t i = 0; i < urls.n; i++)
        if (rule_path_covers(urls.p[i], path))
            return true;
    return false;
}

bool rule_allows(const struct policy_rule *rule, const struct rule_query *q)
{
    if (!q->is_resource)
        return rule->urls.n && path_matches(rule->urls, q->path) && has_or_star(rule->verbs, q->verb);
    return rule->resources.n && has_or_star(rule->verbs, q->verb) && has_or_star(rule->groups, q->group) &&
           resource_matches(rule->resources, q) && (!rule->names.n || span_has(rule->names, q->name));
}

/* --- from and to trees --- */

static const struct {
    const char *key;
    size_t offset;
} members[] = {
    {"verbs", offsetof(struct policy_rule, verbs)},
    {"apiGroups", offsetof(struct policy_rule, groups)},
    {"resources", offsetof(struct policy_rule, resources)},
    {"resourceNames", offsetof(struct policy_rule, names)},
    {"nonResourceURLs", offsetof(struct policy_rule, urls)},
};

static struct text_span *span_at(const struct policy_rule *rule, size_t i)
{
    return (struct text_span *)((char *)rule + members[i].offset);
}

static struct text_span span_of_value(struct arena *a, const struct value *list)
{
    if (!list || list->kind != VALUE_LIST || !list->n)
        return (struct text_span){0};
    struct text *p = ARENA_ARRAY(a, struct text, list->n);
    for (size_t i = 0; i < list->n; i++)
        p[i] = value_text(&list->items[i]);
    return (struct text_span){p, list->n};
}

struct policy_rule rule_of_value(struct arena *a, const struct value *v)
{
    struct policy_rule rule = {0};

    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        *span_at(&rule, i) = span_of_value(a, value_get(v, text_of(members[i].key)));
    return rule;
}

struct policy_rule *rules_of_value(struct arena *a, const struct value *list, size_t *ret_n)
{
    size_t n = list && list->kind == VALUE_LIST ? list->n : 0;
    struct policy_rule *rules = ARENA_ARRAY(a, struct policy_rule, n + 1);

    for (size_t i = 0; i < n; i++)
        rules[i] = rule_of_value(a, &list->items[i]);
    *ret_n = n;
    return rules;
}

struct value rule_as_value(struct arena *a, const struct policy_rule *rule)
{
    struct value v = value_object();

    for (size_t i = 0; i < N_ELEMENTS(members); i++) {
        const struct text_span *span = span_at(rule, i);
        struct value list = value_list();
        for (size_t j = 0; j < span->n; j++)
            value_append(a, &list, value_string(span->p[j]));
        if (span->n || i == 0)
            value_add(a, &v, text_of(members[i].key), list);
    }
    return v;
}

struct policy_rule *rules_copy(const struct policy_rule *rules, size_t n)
{
    size_t n_texts = 0, n_bytes = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < N_ELEMENTS(members); m++) {
            const struct text_span *span = span_at(&rules[i], m);
            n_texts += span->n;
            for (size_t j = 0; j < span->n; j++)
                n_bytes += span->p[j].n;
        }
    struct policy_rule *copy = xmalloc(n * sizeof(*copy) + n_texts * sizeof(struct text) + n_bytes + 1);
    struct text *texts = (struct text *)(copy + n);
    char *bytes = (char *)(texts + n_texts);
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < N_ELEMENTS(members); m++) {
            const struct text_span *span = span_at(&rules[i], m);
            *span_at(&copy[i], m) = (struct text_span){texts, span->n};
            for (size_t j = 0; j < span->n; j++) {
                if (span->p[j].n)
                    memcpy(bytes, span->p[j].p, span->p[j].n);
                *texts++ = (struct text){bytes, span->p[j].n};
                bytes += span->p[j].n;
            }
        }
    return copy;
}

/* --- covering --- */

static bool all_in(struct text_span set, struct text_span parts)
{
    for (size_t i = 0; i < parts.n; i++)
        if (!span_has(set, parts.p[i]))
            return false;
    return true;
}

static bool resources_cover(struct text_span set, struct text_span parts)
{
    if (span_has(set, TEXT("*")))
        return true;
    for (size_t i = 0; i < parts.n; i++) {
        ptrdiff_t slash = text_find(parts.p[i], '/');
        bool found = span_has(set, parts.p[i]);
        for (size_t j = 0; slash >= 0 && !found && j < set.n; j++)
            found = set.p[j].n > 2 && set.p[j].p[0] == '*' &&
                    text_eq(text_from(set.p[j], 1), text_from(parts.p[i], (size_t)slash));
        if (!found)
            return false;
    }
    return true;
}

static bool rule_covers(const struct policy_rule *owner, const struct policy_rule *part)
{
    if (!span_has(owner->verbs, TEXT("*")) && !all_in(owner->verbs, part->verbs))
        return false;
    if (!span_has(owner->groups, TEXT("*")) && !all_in(owner->groups, part->groups))
        return false;
    if (owner->names.n && (!part->names.n || !all_in(owner->names, part->names)))
        return false;
    for (size_t i = 0; i < part->urls.n; i++)
        if (!path_matches(owner->urls, part->urls.p[i]))
            return false;
    return resources_cover(owner->resources, part->resources);
}

struct breakdown {
    struct arena *arena;
    const struct policy_rule *owners;
    size_t n_owners;
    struct policy_rule *missing;
    size_t n, cap;
};

static struct text_span one(const struct text *t)
{
    return (struct text_span){t, t ? 1 : 0};
}

static void check_part(struct breakdown *b, struct policy_rule part)
{
    for (size_t i = 0; i < b->n_owners; i++)
        if (rule_covers(&b->owners[i], &part))
            return;
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 16;
        b->missing = arena_grow(b->arena, b->missing, b->cap * sizeof(part), cap * sizeof(part));
        b->cap = cap;
    }
    b->missing[b->n++] = part;
}

static void check_resources(struct breakdown *b, const struct policy_rule *r)
{
    for (size_t g = 0; g < r->groups.n; g++)
        for (size_t i = 0; i < r->resources.n; i++)
            for (size_t v = 0; v < r->verbs.n; v++)
                for (size_t k = 0; k < (r->names.n ? r->names.n : 1); k++)
                    check_part(b, (struct policy_rule){.verbs = one(&r->verbs.p[v]),
                                                       .groups = one(&r->groups.p[g]),
                                                       .resources = one(&r->resources.p[i]),
                                                       .names = one(r->names.n ? &r->names.p[k] : NULL)});
}

size_t rules_missing(struct arena *a, const struct policy_rule *owners, size_t n_owners,
                     const struct policy_rule *servants, size_t n_servants, struct policy_rule **ret)
{
    struct breakdown b = {.arena = a, .owners = owners, .n_owners = n_owners};

    for (size_t i = 0; i < n_servants; i++) {
        const struct policy_rule *r = &servants[i];
        check_resources(&b, r);
        for (size_t u = 0; u < r->urls.n; u++)
            for (size_t v = 0; v < r->verbs.n; v++)
                check_part(&b,
                           (struct policy_rule){.verbs = one(&r->verbs.p[v]), .urls = one(&r->urls.p[u])});
    }
    *ret = b.missing;
    return b.n;
}

static bool is_simple(const struct policy_rule *r)
{
    return !r->names.n && !r->urls.n && r->groups.n == 1 && r->resources.n == 1;
}

static struct text_span joined(struct arena *a, struct text_span x, struct text_span y)
{
    struct text *p = ARENA_ARRAY(a, struct text, x.n + y.n);

    for (size_t i = 0; i < x.n + y.n; i++)
        p[i] = i < x.n ? x.p[i] : y.p[i - x.n];
    return (struct text_span){p, x.n + y.n};
}

size_t rules_compact(struct arena *a, struct policy_rule *rules, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < kept && !(is_simple(&rules[i]) && is_simple(&rules[j]) &&
                             text_eq(rules[i].groups.p[0], rules[j].groups.p[0]) &&
                             text_eq(rules[i].resources.p[0], rules[j].resources.p[0])))
            j++;
        if (j < kept)
            rules[j].verbs = joined(a, rules[j].verbs, rules[i].verbs);
        else
            rules[kept++] = rules[i];
    }
    return kept;
}

/* --- printing --- */

void texts_print(struct buffer *b, struct text_span t)
{
    buffer_add_char(b, '[');
    for (size_t i = 0; i < t.n; i++) {
        if (i)
            buffer_add_char(b, ' ');
        buffer_add_quoted(b, t.p[i]);
    }
    buffer_add_char(b, ']');
}

void rule_print(struct buffer *b, const struct policy_rule *rule)
{
    const struct {
        const char *name;
        struct text_span span;
    } parts[] = {{"APIGroups", rule->groups},
                 {"Resources", rule->resources},
                 {"NonResourceURLs", rule->urls},
                 {"ResourceNames", rule->names},
                 {"Verbs", rule->verbs}};
    const char *separator = "";

    buffer_add_char(b, '{');
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        if (!parts[i].span.n)
            continue;
        buffer_addf(b, "%s%s:", separator, parts[i].name);
        texts_print(b, parts[i].span);
        separator = ", ";
    }
    buffer_add_char(b, '}');
}
