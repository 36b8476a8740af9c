/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that many types share. Source: apimachinery pkg/apis/meta/v1/validation,
 * pkg/api/validation/objectmeta.go. */
#include "schema/checks.h"

#define ANNOTATIONS_BYTES_MAX (256 * 1024)

CHECK(labels)
{
    for (uint32_t i = 0; i < n_items(v); i++) {
        check_format_at(w, at, FORMAT_QUALIFIED_NAME, member_key(&v->members[i]));
        check_format_at(w, at, FORMAT_LABEL_VALUE, value_text(&v->members[i].value));
    }
}

/* The case of the keys does not matter, for once. */
CHECK(annotations)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text key = member_key(&v->members[i]);
        const char *problems[FORMAT_ERRORS_MAX];
        bytes += key.n + value_text(&v->members[i].value).n;
        if (!format_check(FORMAT_QUALIFIED_NAME, key, problems))
            continue;
        size_t n = format_check(FORMAT_QUALIFIED_NAME, arena_lower(w->errs->arena, key), problems);
        struct value bad = value_string(key);
        for (size_t k = 0; k < n; k++)
            check_error(w, FIELD_INVALID, at, &bad, "%s", problems[k]);
    }
    if (bytes > ANNOTATIONS_BYTES_MAX)
        field_too_long(w->errs, field_path_str(w->errs->arena, at), ANNOTATIONS_BYTES_MAX);
}

CHECK(port_or_name)
{
    if (v && v->kind == VALUE_STRING)
        check_format_at(w, at, FORMAT_PORT_NAME, value_text(v));
    else if (!v || v->kind != VALUE_INT || v->integer < 1 || v->integer > 65535)
        check_error(w, FIELD_INVALID, at, v ? v : &(struct value){.kind = VALUE_INT},
                    "must be between 1 and 65535, inclusive");
}

/* All of them are named as one field. */
CHECK(http_headers)
{
    for (uint32_t i = 0; i < n_items(v); i++)
        check_format_at(w, at, FORMAT_HTTP_HEADER, value_get_text(&v->items[i], TEXT("name")));
}

CHECK(domain_path)
{
    struct text host = value_text(v), t = host;
    ptrdiff_t slash = text_find(t, '/');

    if (!t.n) {
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
        return;
    }
    host = text_first(t, slash < 0 ? 0 : (size_t)slash);
    if (!host.n || (size_t)slash + 1 == t.n) {
        check_error(w, FIELD_INVALID, at, v, "must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    }
    check_format_at(w, at, FORMAT_DNS1123_SUBDOMAIN, host);
    check_format_at(w, at, FORMAT_HTTP_PATH, text_from(t, (size_t)slash + 1));
}

CHECK(no_ip)
{
    struct format_ip ip;

    if (format_ip_read(value_text(v), &ip))
        check_error(w, FIELD_INVALID, at, v, "must be a DNS name, not an IP address");
}

CHECK(csi_driver_name)
{
    const char *problems[FORMAT_ERRORS_MAX];
    size_t n;

    if (value_text(v).n > 63)
        field_too_long(w->errs, field_path_str(w->errs->arena, at), 63);
    n = format_check(FORMAT_DNS1123_SUBDOMAIN, arena_lower(w->errs->arena, value_text(v)), problems);
    for (size_t i = 0; i < n; i++)
        check_error(w, FIELD_INVALID, at, v, "%s", problems[i]);
}

/* --- for other functions --- */

void check_invalid_text(struct validation *w, const struct field_path *at, struct text bad, const char *words)
{
    struct value v = value_string(bad);

    check_error(w, FIELD_INVALID, at, &v, "%s", words);
}

void seen_deinit(struct seen_texts *s)
{
    map_deinit(&s->many);
}

bool seen_has(const struct seen_texts *s, struct text t)
{
    for (size_t i = 0; i < s->n; i++)
        if (text_eq(s->few[i], t))
            return true;
    return s->many.n && map_get(&s->many, t);
}

bool seen_add(struct seen_texts *s, struct text t)
{
    if (seen_has(s, t))
        return false;
    if (s->n < N_ELEMENTS(s->few))
        s->few[s->n++] = t;
    else
        map_put(&s->many, t, s);
    return true;
}

bool list_has(const struct value *list, struct text t)
{
    for (uint32_t i = 0; i < n_items(list); i++)
        if (text_eq(value_text(&list->items[i]), t))
            return true;
    return false;
}

static bool demand_holds(const struct value *demand, const struct value *labels)
{
    struct text operator= value_get_text(demand, TEXT("operator"));
    const struct value *label = value_get(labels, value_get_text(demand, TEXT("key")));

    if (text_is(operator, "In"))
        return label && list_has(value_get(demand, TEXT("values")), value_text(label));
    if (text_is(operator, "NotIn"))
        return !label || !list_has(value_get(demand, TEXT("values")), value_text(label));
    return text_is(operator, "Exists") ? label != NULL : label == NULL;
}

bool selector_matches(const struct value *selector, const struct value *labels)
{
    const struct value *wanted = value_get(selector, TEXT("matchLabels"));
    const struct value *demands = value_get(selector, TEXT("matchExpressions"));

    if (!selector)
        return false;
    for (uint32_t i = 0; i < n_items(wanted); i++) {
        const struct value *label = value_get(labels, member_key(&wanted->members[i]));
        if (!label || !value_equal(label, &wanted->members[i].value))
            return false;
    }
    for (uint32_t i = 0; i < n_items(demands); i++)
        if (!demand_holds(&demands->items[i], labels))
            return false;
    return true;
}

bool selector_is_good(const struct value *selector)
{
    const struct value *labels = value_get(selector, TEXT("matchLabels"));
    const struct value *demands = value_get(selector, TEXT("matchExpressions"));

    for (uint32_t i = 0; i < n_items(labels); i++)
        if (format_problem(FORMAT_QUALIFIED_NAME, member_key(&labels->members[i])) ||
            format_problem(FORMAT_LABEL_VALUE, value_text(&labels->members[i].value)))
            return false;
    for (uint32_t i = 0; i < n_items(demands); i++) {
        const struct value *values = value_get(&demands->items[i], TEXT("values"));
        struct text operator= value_get_text(&demands->items[i], TEXT("operator"));
        bool is_in = text_is(operator, "In") || text_is(operator, "NotIn");
        bool is_known = is_in || text_is(operator, "Exists") || text_is(operator, "DoesNotExist");
        if (!is_known || is_in != (n_items(values) > 0) ||
            format_problem(FORMAT_QUALIFIED_NAME, value_get_text(&demands->items[i], TEXT("key"))))
            return false;
        for (uint32_t k = 0; k < n_items(values); k++)
            if (format_problem(FORMAT_LABEL_VALUE, value_text(&values->items[k])))
                return false;
    }
    return true;
}

bool differs_at(const struct value *v, const struct value *old, struct text name)
{
    const struct value *now = value_get(v, name), *before = value_get(old, name);

    return !value_equal(now ? now : &value_null, before ? before : &value_null);
}

bool differs_besides(const struct value *v, const struct value *old, const struct text *names, size_t n)
{
    for (uint32_t i = 0; i < n_items(v) + n_items(old); i++) {
        struct text name = member_key(i < n_items(v) ? &v->members[i] : &old->members[i - n_items(v)]);
        bool is_free = false;
        for (size_t k = 0; k < n; k++)
            is_free |= text_eq(names[k], name);
        if (!is_free && differs_at(v, old, name))
            return true;
    }
    return false;
}

void check_not_supported(struct validation *w, const struct field_path *at, struct text t,
                         const char *const *supported, size_t n)
{
    struct value bad = value_string(t);

    field_not_supported(w->errs, field_path_str(w->errs->arena, at), &bad, supported, n);
}
