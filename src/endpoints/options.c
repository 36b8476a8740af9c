/* SPDX-License-Identifier: Apache-2.0 */
/* Options that come in the query: what writes and lists may say, checked and worded as upstream does.
 * Source: kubernetes/apimachinery pkg/apis/meta/v1/validation/validation.go,
 * pkg/apis/meta/internalversion/validation, conversion of query values in pkg/runtime/conversion.go. */
#include <inttypes.h>

#include "base/features.h"
#include "endpoints/endpoints_internal.h"

#define FIELD_MANAGER_MAX 128

/* --- reading values --- */

static int read_int(struct request *r, const char *key, int64_t *ret, struct status *st)
{
    struct text given = request_query(r, key);
    struct buffer b = BUFFER_IN(r->arena);
    bool is_number = given.n > 0;

    if (!given.n || text_to_i64(given, ret))
        return 0;
    for (size_t i = given.p[0] == '-' || given.p[0] == '+'; i < given.n; i++)
        is_number &= given.p[i] >= '0' && given.p[i] <= '9';
    buffer_add_quoted(&b, given);
    return status_set(st, STATUS_BAD_REQUEST, "strconv.ParseInt: parsing %.*s: %s", TEXT_ARG(buffer_text(&b)),
                      is_number ? "value out of range" : "invalid syntax");
}

/* As upstream's conversion of a query value to a bool: there is more truth than Go's ParseBool knows. */
static bool read_bool(struct request *r, const char *key)
{
    struct text given = request_query(r, key);

    return request_has_query(r, key) && !text_is(given, "0") && !text_eq_nocase(given, TEXT("false"));
}

/* --- writes --- */

static void check_dry_run(struct request *r, struct field_errors *errs, struct write_options *ret)
{
    static const char *const supported[] = {"All"};
    struct value given = value_list();
    bool is_good = true;

    for (size_t i = 0; i < r->n_query; i++) {
        if (!text_is(r->query[i].key, "dryRun"))
            continue;
        value_append(r->arena, &given, value_string(r->query[i].value));
        is_good &= text_is(r->query[i].value, "All");
    }
    ret->is_dry_run = given.n > 0;
    if (!is_good)
        field_not_supported(errs, "dryRun", &given, supported, N_ELEMENTS(supported));
}

static void check_field_manager(struct text manager, struct field_errors *errs)
{
    struct value given = value_string(manager);
    uint32_t rune;

    if (manager.n > FIELD_MANAGER_MAX)
        field_too_long(errs, "fieldManager", FIELD_MANAGER_MAX);
    for (size_t at = 0, n; at < manager.n; at += n) {
        n = text_rune(text_from(manager, at), &rune);
        if (n == 0 || rune < 0x20 || (rune >= 0x7f && rune < 0xa0)) {
            field_error(errs, FIELD_INVALID, "fieldManager", &given,
                        "invalid character U+%04X (at position %zu)", n ? rune : 0xfffd, at);
            n = n ? n : 1;
        }
    }
}

static void check_field_validation(struct text given, struct field_errors *errs, struct write_options *ret)
{
    static const char *const supported[] = {"", "Ignore", "Strict", "Warn"};
    struct value value = value_string(given);
    bool is_known = false;

    for (size_t i = 0; i < N_ELEMENTS(supported); i++)
        is_known |= text_is(given, supported[i]);
    if (!is_known)
        field_not_supported(errs, "fieldValidation", &value, supported, N_ELEMENTS(supported));
    ret->is_strict = text_is(given, "Strict");
    ret->is_ignoring = text_is(given, "Ignore");
}

static void check_apply(struct request *r, struct field_errors *errs, struct write_options *ret)
{
    ret->is_forced = read_bool(r, "force");
    if (request_applies(r)) {
        if (!ret->field_manager.n)
            field_error(errs, FIELD_REQUIRED, "fieldManager", NULL, "is required for apply patch");
    } else if (request_has_query(r, "force")) {
        field_error(errs, FIELD_FORBIDDEN, "force", NULL, "may not be specified for non-apply patch");
    }
}

int write_options_read(struct request *r, const char *options_kind, bool has_field_validation,
                       struct write_options *ret, struct status *st)
{
    struct field_errors errs = {.arena = r->arena};

    *ret = (struct write_options){.field_manager = request_query(r, "fieldManager")};
    if (text_is(text_of(options_kind), "PatchOptions"))
        check_apply(r, &errs, ret);
    if (has_field_validation)
        check_field_manager(ret->field_manager, &errs);
    check_dry_run(r, &errs, ret);
    if (has_field_validation)
        check_field_validation(request_query(r, "fieldValidation"), &errs, ret);
    if (errs.n)
        return status_invalid(st, TEXT("meta.k8s.io"), text_of(options_kind), TEXT(""), &errs);
    return 0;
}

/* --- lists and watches --- */

#define MATCH "resourceVersionMatch"

static void check_watch(struct list_options *o, struct field_errors *errs)
{
    static const char *const supported[] = {"NotOlderThan"};
    struct text match = o->request.resource_version_match;
    struct value given = value_string(match);
    bool is_not_older = text_is(match, "NotOlderThan");

    if (o->has_initial_events && !is_not_older)
        field_error(errs, FIELD_FORBIDDEN, MATCH, NULL,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (o->has_initial_events && !feature_is_on(FEATURE_WATCH_LIST))
        field_error(errs, FIELD_FORBIDDEN, "sendInitialEvents", NULL,
                    "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
    if (!match.n)
        return;
    if (!o->has_initial_events)
        field_error(errs, FIELD_FORBIDDEN, MATCH, NULL,
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (!is_not_older)
        field_not_supported(errs, MATCH, &given, supported, N_ELEMENTS(supported));
    if (o->request.continue_token.n)
        field_error(errs, FIELD_FORBIDDEN, MATCH, NULL,
                    "resourceVersionMatch is forbidden when continue is provided");
}

/* Source: kubernetes/apimachinery pkg/apis/meta/internalversion/defaults.go. */
static void set_defaults(struct list_options *o)
{
    struct list_request *q = &o->request;

    if (!feature_is_on(FEATURE_WATCH_LIST) || !o->says_watch || o->has_initial_events || q->resource_version_match.n ||
        (q->resource_version.n && !text_is(q->resource_version, "0")))
        return;
    o->has_initial_events = o->send_initial_events = true;
    q->resource_version_match = TEXT("NotOlderThan");
}

/* A name in the path and one in the field selector must be the same; alone, it is a selector. */
static int select_name(struct request *r, struct call *c, struct list_options *o, struct status *st)
{
    struct buffer b = BUFFER_IN(r->arena);

    if (!c->name.n)
        return 0;
    if (o->fields.n) {
        if (!text_eq(selector_single_name(&o->fields), c->name))
            return status_set(st, STATUS_BAD_REQUEST,
                              "fieldSelector metadata.name doesn't match requested name");
        return 0;
    }
    buffer_add_str(&b, "metadata.name=");
    for (size_t i = 0; i < c->name.n; i++) {
        if (strchr("\\,=", c->name.p[i]))
            buffer_add_char(&b, '\\');
        buffer_add_char(&b, c->name.p[i]);
    }
    return selector_parse_fields(r->arena, buffer_text(&b), c->resource->type, &o->fields, st);
}

int list_options_read(struct request *r, struct call *c, bool is_watch, struct list_options *ret,
                      struct status *st)
{
    struct field_errors errs = {.arena = r->arena};
    struct list_request *q = &ret->request;

    *ret = (struct list_options){0};
    *q = (struct list_request){.namespace = c->namespace,
                               .labels = &ret->labels,
                               .fields = &ret->fields,
                               .continue_token = request_query(r, "continue"),
                               .resource_version = request_query(r, "resourceVersion"),
                               .resource_version_match = request_query(r, MATCH)};
    ret->has_initial_events = request_has_query(r, "sendInitialEvents");
    ret->send_initial_events = read_bool(r, "sendInitialEvents");
    ret->allow_bookmarks = read_bool(r, "allowWatchBookmarks");
    ret->says_watch = read_bool(r, "watch");
    set_defaults(ret);
    if (read_int(r, "limit", &q->limit, st) < 0 || read_int(r, "timeoutSeconds", &ret->timeout_s, st) < 0 ||
        selector_parse_labels(r->arena, request_query(r, "labelSelector"), &ret->labels, st) < 0)
        return -1;
    /* The old paths of watches do not say watch: upstream takes their options for those of a list. */
    if (ret->says_watch)
        check_watch(ret, &errs);
    else
        list_request_check(q, &errs);
    if (!ret->says_watch && ret->has_initial_events)
        field_error(&errs, FIELD_FORBIDDEN, "sendInitialEvents", NULL,
                    "sendInitialEvents is forbidden for list");
    if (errs.n)
        return status_invalid(st, TEXT("meta.k8s.io"), TEXT("ListOptions"), TEXT(""), &errs);
    if (selector_parse_fields(r->arena, request_query(r, "fieldSelector"), c->resource->type, &ret->fields,
                              st) < 0)
        return -1;
    return is_watch ? select_name(r, c, ret, st) : 0;
}
