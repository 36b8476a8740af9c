/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of webhooks and policies of admission, but for what their expressions say, and of API services.
 * Source: kubernetes pkg/apis/admissionregistration/validation, apiserver pkg/util/webhook, kube-aggregator
 * pkg/apis/apiregistration/validation. */
#include "schema/checks.h"

/* --- rules --- */

/* There must be something in the list, and nothing beside a star. */
static void check_names(struct validation *w, const struct field_path *at, const struct value *list,
                        const char *others)
{
    if (!n_items(list))
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
    else if (n_items(list) > 1 && list_has(list, TEXT("*")))
        check_error(w, FIELD_INVALID, at, list, "if '*' is present, must not specify other %s", others);
}

/* Resources with subresources: what one pattern means must not be said twice. */
static void check_subresource(struct validation *w, const struct field_path *at, struct text t,
                              struct seen_texts *resources, struct seen_texts *subresources)
{
    ptrdiff_t slash = text_find(t, '/');
    struct text resource = text_first(t, (size_t)slash), sub = text_from(t, (size_t)slash + 1);
    struct arena *a = w->errs->arena;

    if (seen_has(resources, resource))
        check_invalid_text(w, at, t,
                           arena_printf(a, "if '%.*s/*' is present, must not specify %.*s",
                                        TEXT_ARG(resource), TEXT_ARG(t)));
    if (seen_has(subresources, sub))
        check_invalid_text(
            w, at, t,
            arena_printf(a, "if '*/%.*s' is present, must not specify %.*s", TEXT_ARG(sub), TEXT_ARG(t)));
    if (text_is(sub, "*"))
        seen_add(resources, resource);
    if (text_is(resource, "*"))
        seen_add(subresources, sub);
}

static void check_resources(struct validation *w, const struct field_path *at, const struct value *list)
{
    CLEANUP(seen_deinit) struct seen_texts resources = {.n = 0}, subresources = {.n = 0};
    bool has_double_star = false, has_plain = false;

    if (!n_items(list))
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
    for (uint32_t i = 0; i < n_items(list); i++) {
        struct text t = value_text(&list->items[i]);
        if (!t.n)
            check_error(w, FIELD_REQUIRED, PATH_INDEX(at, i), NULL, "%s", "");
        else if (text_find(t, '/') < 0)
            has_plain = !text_is(t, "*");
        else
            check_subresource(w, PATH_INDEX(at, i), t, &resources, &subresources);
        has_double_star |= text_is(t, "*/*");
    }
    if (n_items(list) > 1 && has_double_star)
        check_error(w, FIELD_INVALID, at, list, "if '*/*' is present, must not specify other resources");
    if (list_has(list, TEXT("*")) && has_plain)
        check_error(w, FIELD_INVALID, at, list,
                    "if '*' is present, must not specify other resources without subresources");
}

static bool is_one_of(struct text t, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(t, list[i]))
            return true;
    return false;
}

static void check_each_of(struct validation *w, const struct field_path *at, const struct value *list,
                          const char *const *known, size_t n)
{
    for (uint32_t i = 0; i < n_items(list); i++)
        if (!is_one_of(value_text(&list->items[i]), known, n))
            check_not_supported(w, PATH_INDEX(at, i), value_text(&list->items[i]), known, n);
}

CHECK(admission_rule)
{
    static const char *const operations[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"};
    static const char *const scopes[] = {"*", "Cluster", "Namespaced"};
    const struct value *list = value_get(v, TEXT("operations")),
                       *versions = value_get(v, TEXT("apiVersions")), *scope = value_get(v, TEXT("scope"));
    const struct field_path *versions_at = PATH_FIELD(at, "apiVersions");

    check_names(w, PATH_FIELD(at, "operations"), list, "operations");
    check_each_of(w, PATH_FIELD(at, "operations"), list, operations, N_ELEMENTS(operations));
    check_names(w, PATH_FIELD(at, "apiGroups"), value_get(v, TEXT("apiGroups")), "API groups");
    check_names(w, versions_at, versions, "API versions");
    for (uint32_t i = 0; i < n_items(versions); i++)
        if (!value_text(&versions->items[i]).n)
            check_error(w, FIELD_REQUIRED, PATH_INDEX(versions_at, i), NULL, "%s", "");
    check_resources(w, PATH_FIELD(at, "resources"), value_get(v, TEXT("resources")));
    if (scope && scope->kind == VALUE_STRING && !is_one_of(value_text(scope), scopes, N_ELEMENTS(scopes)))
        check_not_supported(w, PATH_FIELD(at, "scope"), value_text(scope), scopes, N_ELEMENTS(scopes));
}

/* What goes cannot be mutated. */
CHECK(mutating_operations)
{
    static const char *const known[] = {"*", "CONNECT", "CREATE", "UPDATE"};
    const struct value *rules = value_get(v, TEXT("resourceRules"));
    const struct field_path *path = PATH_FIELD(PATH_FIELD(at, "resourceRules"), "operations");

    for (uint32_t i = 0; i < n_items(rules); i++) {
        const struct value *list = value_get(&rules->items[i], TEXT("operations"));
        for (uint32_t k = 0; k < n_items(list); k++)
            if (!is_one_of(value_text(&list->items[k]), known, N_ELEMENTS(known)))
                check_not_supported(w, path, value_text(&list->items[k]), known, N_ELEMENTS(known));
    }
}

/* --- webhooks --- */

CHECK(hook_name)
{
    struct text t = value_text(v);
    const char *problem = format_problem(FORMAT_DNS1123_SUBDOMAIN, t);
    ptrdiff_t dot = text_find(t, '.');

    if (problem)
        check_invalid_text(w, at, t, problem);
    else if (dot < 0 || text_find(text_from(t, (size_t)dot + 1), '.') < 0)
        check_invalid_text(w, at, t, "should be a domain with at least three segments separated by dots");
}

static const char *const no_effects[] = {"None", "NoneOnDryRun"};
static const char *const effects[] = {"None", "NoneOnDryRun", "Some", "Unknown"};

/* Whether all webhooks that the object had say so of field; true when there was none. */
static bool had_all(const struct validation *w, struct text field, bool (*is_good)(const struct value *))
{
    const struct value *hooks = value_get(w->old, TEXT("webhooks"));

    for (uint32_t i = 0; i < n_items(hooks); i++)
        if (!is_good(value_get(&hooks->items[i], field)))
            return false;
    return true;
}

static bool has_no_effects(const struct value *v)
{
    return v && is_one_of(value_text(v), no_effects, N_ELEMENTS(no_effects));
}

/* Old objects may have webhooks with side effects; they keep that freedom. */
CHECK(side_effects)
{
    bool is_strict = had_all(w, TEXT("sideEffects"), has_no_effects);

    if (!v || v->kind != VALUE_STRING)
        check_error(w, FIELD_REQUIRED, at, NULL, "%s",
                    is_strict ? "must specify one of None, NoneOnDryRun"
                              : "must specify one of None, NoneOnDryRun, Some, Unknown");
    else if (is_strict && !has_no_effects(v))
        check_not_supported(w, at, value_text(v), no_effects, N_ELEMENTS(no_effects));
    else if (!is_one_of(value_text(v), effects, N_ELEMENTS(effects)))
        check_not_supported(w, at, value_text(v), effects, N_ELEMENTS(effects));
}

static bool has_known_version(const struct value *list)
{
    return list_has(list, TEXT("v1")) || list_has(list, TEXT("v1beta1"));
}

CHECK(review_versions)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    if (!n_items(v)) {
        check_error(w, FIELD_REQUIRED, at, NULL, "must specify one of v1, v1beta1");
        return;
    }
    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text t = value_text(&v->items[i]);
        if (!seen_add(&seen, t))
            check_invalid_text(w, PATH_INDEX(at, i), t, "duplicate version");
        else
            check_format_at(w, PATH_INDEX(at, i), FORMAT_DNS1035_LABEL, t);
    }
    if (!has_known_version(v) && had_all(w, TEXT("admissionReviewVersions"), has_known_version))
        check_error(w, FIELD_INVALID, at, v, "must include at least one of v1, v1beta1");
}

#define URL_FORM "; desired format: https://host[/path]"

/* The parts of a URL, as Go reads it; false: it is none. */
struct url_parts {
    struct text scheme, host, user, query, fragment;
    bool has_user;
};
static bool read_url(struct text t, struct url_parts *ret)
{
    ptrdiff_t i, end;

    *ret = (struct url_parts){0};
    for (size_t k = 0; k < t.n; k++) {
        bool is_escape = t.p[k] == '%';
        if ((unsigned char)t.p[k] < 0x20 || t.p[k] == 0x7f)
            return false;
        if (is_escape && (k + 2 >= t.n || text_hex_digit(t.p[k + 1]) < 0 || text_hex_digit(t.p[k + 2]) < 0))
            return false;
    }
    if ((i = text_find(t, '#')) >= 0) {
        ret->fragment = text_from(t, (size_t)i + 1);
        t = text_first(t, (size_t)i);
    }
    if ((i = text_find(t, '?')) >= 0) {
        ret->query = text_from(t, (size_t)i + 1);
        t = text_first(t, (size_t)i);
    }
    end = text_find(t, '/');
    if ((i = text_find(t, ':')) >= 0 && (end < 0 || i < end)) {
        if (i == 0)
            return false;
        ret->scheme = text_first(t, (size_t)i);
        t = text_from(t, (size_t)i + 1);
    }
    if (!text_starts(t, TEXT("//")))
        return true;
    t = text_from(t, 2);
    if ((end = text_find(t, '/')) >= 0)
        t = text_first(t, (size_t)end);
    while ((i = text_find(t, '@')) >= 0) {
        ret->user = text_first(t, (size_t)i);
        ret->has_user = true;
        t = text_from(t, (size_t)i + 1);
    }
    ret->host = t;
    return text_find(t, ' ') < 0;
}

static void check_url(struct validation *w, const struct field_path *at, struct text t)
{
    struct url_parts url;

    if (!read_url(t, &url)) {
        check_error(w, FIELD_REQUIRED, at, NULL, "url must be a valid URL" URL_FORM);
        return;
    }
    if (!text_eq_nocase(url.scheme, TEXT("https")))
        check_invalid_text(w, at, url.scheme, "'https' is the only allowed URL scheme" URL_FORM);
    if (!url.host.n)
        check_invalid_text(w, at, url.host, "host must be specified" URL_FORM);
    if (url.has_user)
        check_invalid_text(w, at, url.user, "user information is not permitted in the URL");
    if (url.fragment.n)
        check_invalid_text(w, at, url.fragment, "fragments are not permitted in the URL");
    if (url.query.n)
        check_invalid_text(w, at, url.query, "query parameters are not permitted in the URL");
}

static void check_service_path(struct validation *w, const struct field_path *at, struct text path)
{
    struct text rest = text_from(path, 1), step;
    const char *problems[FORMAT_ERRORS_MAX];
    struct arena *a = w->errs->arena;

    if (!path.n || text_is(path, "/"))
        return;
    if (text_is(path, "//")) {
        check_invalid_text(w, at, path, "segment[0] may not be empty");
        return;
    }
    if (path.p[0] != '/')
        check_invalid_text(w, at, path, "must start with a '/'");
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest = text_first(rest, rest.n - 1);
    for (int i = 0; text_split(&rest, '/', &step); i++) {
        size_t n = step.n ? format_check(FORMAT_DNS1123_SUBDOMAIN, step, problems) : 0;
        if (!step.n)
            check_invalid_text(w, at, path, arena_printf(a, "segment[%d] may not be empty", i));
        for (size_t k = 0; k < n; k++)
            check_invalid_text(w, at, path, arena_printf(a, "segment[%d]: %s", i, problems[k]));
    }
}

/* Upstream takes name and namespace for each other. */
static void check_hook_service(struct validation *w, const struct field_path *at, const struct value *service)
{
    const struct value *port = value_get(service, TEXT("port"));

    if (!value_get_text(service, TEXT("namespace")).n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "name"), NULL, "%s", "");
    if (!value_get_text(service, TEXT("name")).n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "namespace"), NULL, "%s", "");
    if (port && port->kind == VALUE_INT && (port->integer < 1 || port->integer > 65535))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "port"), port,
                    "port is not valid: must be between 1 and 65535, inclusive");
    check_service_path(w, PATH_FIELD(at, "path"), value_get_text(service, TEXT("path")));
}

CHECK(client_config)
{
    const struct value *url = value_get(v, TEXT("url")), *service = value_get(v, TEXT("service"));

    if (!url == !service)
        check_error(w, FIELD_REQUIRED, at, NULL, "exactly one of url or service is required");
    else if (url)
        check_url(w, PATH_FIELD(at, "url"), value_text(url));
    else
        check_hook_service(w, PATH_FIELD(at, "service"), service);
}

/* --- policies --- */

CHECK(validation_actions)
{
    if (list_has(v, TEXT("Deny")) && list_has(v, TEXT("Warn")))
        check_error(
            w, FIELD_INVALID, at, v,
            "must not contain both Deny and Warn (repeating the same validation failure information in "
            "the API response and headers serves no purpose)");
}

CHECK(param_kind)
{
    struct text api_version = value_get_text(v, TEXT("apiVersion")), kind = value_get_text(v, TEXT("kind"));
    struct text group, version;
    const struct field_path *version_at = PATH_FIELD(at, "apiVersion"), *kind_at = PATH_FIELD(at, "kind");
    const char *problem;

    group_version_parse(api_version, &group, &version);
    if (!api_version.n) {
        check_error(w, FIELD_REQUIRED, version_at, NULL, "%s", "");
    } else if (text_find(version, '/') >= 0) {
        check_invalid_text(
            w, version_at, api_version,
            arena_printf(w->errs->arena, "unexpected GroupVersion string: %.*s", TEXT_ARG(api_version)));
    } else {
        if (group.n && (problem = format_problem(FORMAT_DNS1123_SUBDOMAIN, group)))
            check_invalid_text(w, version_at, group, problem);
        if (!version.n)
            check_invalid_text(w, version_at, api_version, "version must be specified");
        else if ((problem = format_problem(FORMAT_DNS1035_LABEL, version)))
            check_invalid_text(w, version_at, version, problem);
    }
    problem = format_problem(FORMAT_DNS1035_LABEL, arena_lower(w->errs->arena, kind));
    if (!kind.n)
        check_error(w, FIELD_REQUIRED, kind_at, NULL, "%s", "");
    else if (problem)
        check_invalid_text(
            w, kind_at, kind,
            arena_printf(w->errs->arena, "may have mixed case, but should otherwise match: %s", problem));
}

/* The key of the annotation is that of the policy with this behind it. */
CHECK(audit_key)
{
    struct text name = value_get_text(value_get(w->object, TEXT("metadata")), TEXT("name"));

    if (!name.n)
        check_invalid_text(w, at, v ? value_text(v) : TEXT(""), "requires metadata.name be non-empty");
    else
        check_format_at(w, at, FORMAT_QUALIFIED_NAME,
                        arena_textf(w->errs->arena, "%.*s/%.*s", TEXT_ARG(name),
                                    TEXT_ARG(v ? value_text(v) : TEXT_NONE)));
}

CHECK(audit_annotations)
{
    if (n_items(v) > 20)
        check_error(w, FIELD_INVALID, at, v, "must not have more than 20 auditAnnotations");
}

/* Of what is there: blanks count as nothing. */
CHECK(not_blank)
{
    if (!text_trim(value_text(v)).n)
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
}

CHECK(blank_or_said)
{
    if (!text_trim(value_text(v)).n)
        check_error(w, FIELD_INVALID, at, v, "must be non-empty if specified");
}

CHECK(one_line)
{
    struct text t = text_trim(value_text(v));

    if (text_find(t, '\n') >= 0 || text_find(t, '\r') >= 0)
        check_error(w, FIELD_INVALID, at, v, "must not contain line breaks");
}

CHECK(cel_identifier)
{
    static const char *const reserved[] = {"true",   "false",    "null", "in",      "as",        "break",
                                           "const",  "continue", "else", "for",     "function",  "if",
                                           "import", "let",      "loop", "package", "namespace", "return",
                                           "var",    "void",     "while"};
    struct text t = value_text(v);

    if (!text_trim(t).n)
        check_error(w, FIELD_REQUIRED, at, NULL, "name is not specified");
    else if (format_problem(FORMAT_C_IDENTIFIER, t) || is_one_of(t, reserved, N_ELEMENTS(reserved)))
        check_error(w, FIELD_INVALID, at, v, "must be a valid CEL identifier");
}

/* --- API services --- */

CHECK(api_service_name)
{
    const struct value *spec = value_get(v, TEXT("spec"));
    struct text name = value_get_text(value_get(v, TEXT("metadata")), TEXT("name"));
    struct text wanted =
        arena_textf(w->errs->arena, "%.*s.%.*s", TEXT_ARG(value_get_text(spec, TEXT("version"))),
                    TEXT_ARG(value_get_text(spec, TEXT("group"))));

    if (name.n && !format_problem(FORMAT_PATH_SEGMENT, name) && !text_eq(name, wanted))
        check_invalid_text(w, PATH_FIELD(PATH_FIELD(at, "metadata"), "name"), name,
                           arena_printf(w->errs->arena, "must be `spec.version+\".\"+spec.group`: \"%.*s\"",
                                        TEXT_ARG(wanted)));
}
