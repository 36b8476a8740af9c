/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what tells how far something has come: signing requests and storage migrations. What needs a
 * certificate's parser is the registry's. Source: kubernetes pkg/apis/certificates/validation,
 * pkg/apis/storagemigration/validation, pkg/apis/core/validation (ValidateSignerName). */
#include "schema/checks.h"

/* --- signers --- */

/* Labels of a domain, or subdomains of a path, of which the first that is wrong is told. */
static size_t check_labels_of(struct validation *w, const struct field_path *at, struct text all,
                              enum format f)
{
    struct text rest = all, label;
    const char *problems[FORMAT_ERRORS_MAX];
    size_t n = 0, n_labels = 0;

    while (text_split(&rest, '.', &label)) {
        n_labels++;
        if (!n && (n = format_check(f, label, problems)))
            for (size_t i = 0; i < n; i++)
                check_invalid_text(w, at, all,
                                   arena_printf(w->errs->arena, "validating label \"%.*s\": %s",
                                                TEXT_ARG(label), problems[i]));
    }
    return n_labels;
}

CHECK(signer_name)
{
    struct text t = value_text(v);
    ptrdiff_t slash = text_find(t, '/');
    struct text domain = text_first(t, slash < 0 ? 0 : (size_t)slash), path = text_from(t, (size_t)slash + 1);
    const char *where = field_path_str(w->errs->arena, at);

    if (slash < 0 || text_find(path, '/') >= 0) {
        check_invalid_text(w, at, t,
                           "must be a fully qualified domain and path of the form 'example.com/signer-name'");
        return;
    }
    if (domain.n > 253)
        field_too_long(w->errs, where, 253);
    if (!domain.n)
        domain.p = t.p; /* one empty label */
    if (check_labels_of(w, at, domain, FORMAT_DNS1123_LABEL) < 2)
        check_invalid_text(w, at, domain, "should be a domain with at least two segments separated by dots");
    check_labels_of(w, at, path, FORMAT_DNS1123_SUBDOMAIN);
    if (t.n > 571)
        field_too_long(w->errs, where, 571);
}

/* --- conditions --- */

static uint32_t n_conditions(const struct value *list, struct text type)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < n_items(list); i++)
        n += text_eq(value_get_text(&list->items[i], TEXT("type")), type);
    return n;
}

static bool is_true(const struct value *list, struct text type)
{
    for (uint32_t i = 0; i < n_items(list); i++)
        if (text_eq(value_get_text(&list->items[i], TEXT("type")), type))
            return text_is(value_get_text(&list->items[i], TEXT("status")), "True");
    return false;
}

static const struct text approved = TEXT("Approved"), denied = TEXT("Denied"), failed = TEXT("Failed");

static void check_condition(struct validation *w, const struct field_path *list_at, const struct value *list,
                            uint32_t i)
{
    static const char *const any[] = {"False", "True", "Unknown"}, *const only_true[] = {"True"};
    const struct value *item = &list->items[i];
    const struct field_path *at = PATH_INDEX(list_at, i);
    struct text type = value_get_text(item, TEXT("type")), status = value_get_text(item, TEXT("status"));
    bool is_true_only = text_eq(type, approved) || text_eq(type, denied) || text_eq(type, failed);
    struct text other = text_eq(type, approved) ? denied : text_eq(type, denied) ? approved : TEXT_NONE;
    const struct value bad = value_string(type);

    if (!type.n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "type"), NULL, "%s", "");
    if (!status.n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "status"), NULL, "%s", "");
    else if (!text_is(status, "True") &&
             (is_true_only || (!text_is(status, "False") && !text_is(status, "Unknown"))))
        check_not_supported(w, PATH_FIELD(at, "status"), status, is_true_only ? only_true : any,
                            is_true_only ? N_ELEMENTS(only_true) : N_ELEMENTS(any));
    for (uint32_t k = 0; k < i; k++) {
        struct text before = value_get_text(&list->items[k], TEXT("type"));
        if (other.n && text_eq(before, other)) {
            check_error(w, FIELD_INVALID, list_at, &bad,
                        "Approved and Denied conditions are mutually exclusive");
            break;
        }
    }
    for (uint32_t k = 0; k < i; k++)
        if (text_eq(value_get_text(&list->items[k], TEXT("type")), type)) {
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(at, "type"), &bad, "%s", "");
            break;
        }
}

/* Decisions stay; only the subresource approval makes them, only status brings the certificate, once. What was wrong
 * with the conditions before is let alone. */
CHECK(request_status)
{
    static const struct text *const kept[] = {&approved, &denied, &failed};
    const struct value *list = value_get(v, TEXT("conditions")), *was = value_get(old, TEXT("conditions"));
    const struct field_path *list_at = PATH_FIELD(at, "conditions");

    if (!old || !value_equal(list ? list : &value_null, was ? was : &value_null))
        for (uint32_t i = 0; i < n_items(list); i++)
            check_condition(w, list_at, list, i);
    for (size_t i = 0; old && i < N_ELEMENTS(kept); i++)
        if (n_conditions(list, *kept[i]) < n_conditions(was, *kept[i]))
            check_error(w, FIELD_FORBIDDEN, list_at, NULL,
                        "updates may not remove a condition of type \"%.*s\"", TEXT_ARG(*kept[i]));
    if (old && value_get_text(old, TEXT("certificate")).n && differs_at(v, old, TEXT("certificate")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "certificate"), NULL,
                    "updates may not modify existing certificate content");
}

CHECK(request_approval)
{
    if (text_is(w->sub, "approval"))
        check_request_status(w, PATH_FIELD(at, "status"), value_get(v, TEXT("status")),
                             value_get(old, TEXT("status")));
}

/* --- migrations --- */

static bool is_revision(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
    return t.n && (t.n == 1 || t.p[0] != '0');
}

CHECK(migration_status)
{
    const struct value *list = value_get(v, TEXT("conditions")), *was = value_get(old, TEXT("conditions"));
    const struct field_path *list_at = PATH_FIELD(at, "conditions"),
                            *rv_at = PATH_FIELD(at, "resourceVersion");
    struct text rv = value_get_text(v, TEXT("resourceVersion")),
                rv_was = value_get_text(old, TEXT("resourceVersion"));
    const struct value *shown = list ? list : &value_null;
    bool has_succeeded = is_true(list, TEXT("Succeeded")), has_failed = is_true(list, failed);

    if (rv.n && !is_revision(rv))
        check_invalid_text(
            w, rv_at, rv,
            arena_printf(w->errs->arena, "resource version is not well formed: %.*s", TEXT_ARG(rv)));
    if (rv_was.n && !text_eq(rv, rv_was))
        check_invalid_text(w, rv_at, rv, "field is immutable");
    if (has_succeeded && has_failed)
        check_error(w, FIELD_INVALID, list_at, shown,
                    "Both success and failed conditions cannot be true at the same time");
    if (!has_succeeded && is_true(was, TEXT("Succeeded")))
        check_error(w, FIELD_INVALID, list_at, shown,
                    "Success condition cannot be set to false once it is true");
    if (!has_failed && is_true(was, failed))
        check_error(w, FIELD_INVALID, list_at, shown,
                    "Failed condition cannot be set to false once it is true");
}
