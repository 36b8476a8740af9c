/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies as kube-apiserver sends them. Source of the wording: apimachinery pkg/api/errors/errors.go. */
#include "base/status.h"

#include <string.h>

#include "base/value.h"
#include "unit.h"

static void assert_json(const struct status *st, const char *expected)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    status_write_json(&b, st);
    ck_assert_str_eq(buffer_str(&b), expected);
}

START_TEST(not_found_of_a_resource)
{
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_int_eq(status_not_found(&st, TEXT_NONE, TEXT("pods"), TEXT("x")), -1);
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                     "\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"x\",\"kind\":"
                     "\"pods\"},\"code\":404}");
    status_not_found(&st, TEXT("apps"), TEXT("deployments"), TEXT("a\"b"));
    ck_assert_str_eq(st.message, "deployments.apps \"a\\\"b\" not found");
    ck_assert_str_eq(st.group, "apps");
}
END_TEST

START_TEST(ready_made_messages)
{
    CLEANUP(status_clear) struct status st = {0};
    status_already_exists(&st, TEXT("apps"), TEXT("deployments"), TEXT("web"));
    ck_assert_str_eq(st.message, "deployments.apps \"web\" already exists");
    ck_assert_int_eq(st.code, 409);
    status_conflict(&st, TEXT_NONE, TEXT("pods"), TEXT("x"), "it moved");
    ck_assert_str_eq(st.message, "Operation cannot be fulfilled on pods \"x\": it moved");
    ck_assert_str_eq(status_reason_name(st.reason), "Conflict");
    status_method_not_supported(&st, TEXT("apps"), TEXT("deployments"), "patch");
    ck_assert_str_eq(st.message, "patch is not supported on resources of kind \"deployments.apps\"");
    ck_assert_int_eq(st.code, 405);
    status_forbidden(&st, TEXT_NONE, TEXT("pods"), TEXT("x"), "why");
    ck_assert_str_eq(st.message, "pods \"x\" is forbidden: why");
    status_forbidden(&st, TEXT_NONE, TEXT("pods"), TEXT_NONE, "why");
    ck_assert_str_eq(st.message, "pods is forbidden: why");
    status_forbidden(&st, TEXT_NONE, TEXT_NONE, TEXT_NONE, "why");
    ck_assert_str_eq(st.message, "forbidden: why");
    status_internal_error(&st, "disk %s", "full");
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                     "\"Internal error occurred: disk full\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{"
                     "\"message\":\"disk full\"}]},\"code\":500}");
}
END_TEST

START_TEST(success_and_details)
{
    CLEANUP(status_clear) struct status st = {0};
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"}");
    status_details(&st, TEXT("apps"), TEXT("deployments"), TEXT("web"));
    st.uid = "u-1";
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"details\":{"
                     "\"name\":\"web\",\"group\":\"apps\",\"kind\":\"deployments\",\"uid\":\"u-1\"}}");
    status_set(&st, STATUS_TOO_MANY_REQUESTS, "%s", "later");
    st.has_details = true;
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                     "\"later\",\"reason\":\"TooManyRequests\",\"details\":{},\"code\":429}");
    st.retry_after_seconds = 1;
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                     "\"later\",\"reason\":\"TooManyRequests\",\"details\":{\"retryAfterSeconds\":1},\"code\":429}");
}
END_TEST

START_TEST(wrapping_setting_from_itself_and_moving)
{
    CLEANUP(status_clear) struct status st = {0}, to = {0};
    status_set(&st, STATUS_BAD_REQUEST, "bad %d", 1);
    ck_assert_int_eq(status_wrap(&st, "stored value of %s", "x"), -1);
    ck_assert_str_eq(st.message, "stored value of x: bad 1");
    status_set(&st, STATUS_INTERNAL_ERROR, "again: %s", st.message);
    ck_assert_str_eq(st.message, "again: stored value of x: bad 1");
    ck_assert_int_eq(st.code, 500);
    status_move(&to, &st);
    ck_assert_int_eq(st.reason, STATUS_OK);
    ck_assert_ptr_null(st.arena);
    ck_assert_str_eq(to.message, "again: stored value of x: bad 1");
}
END_TEST

START_TEST(codes_of_reasons)
{
    static const struct {
        enum status_reason r;
        const char *name;
        int code;
    } rows[] = {
        {STATUS_UNAUTHORIZED, "Unauthorized", 401},
        {STATUS_INVALID, "Invalid", 422},
        {STATUS_TIMEOUT, "Timeout", 504},
        {STATUS_SERVER_TIMEOUT, "ServerTimeout", 500},
        {STATUS_EXPIRED, "Expired", 410},
        {STATUS_REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", 413},
        {STATUS_UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", 415},
        {STATUS_NOT_ACCEPTABLE, "NotAcceptable", 406},
        {STATUS_SERVICE_UNAVAILABLE, "ServiceUnavailable", 503},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        ck_assert_str_eq(status_reason_name(rows[i].r), rows[i].name);
        ck_assert_int_eq(status_reason_code(rows[i].r), rows[i].code);
    }
}
END_TEST

START_TEST(field_errors_are_worded_as_upstream)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct field_errors errs = {.arena = a};
    struct value s = value_string(TEXT("a\"b")), i = value_int(-1), o = value_object();
    static const char *const supported[] = {"Always", "Never"};
    field_error(&errs, FIELD_REQUIRED, "spec.a", NULL, "must be set");
    field_error(&errs, FIELD_INVALID, "spec.b", &s, "must be %s", "x");
    field_error(&errs, FIELD_INVALID, "spec.c", &i, "must be greater than or equal to 0");
    field_not_supported(&errs, "spec.d", &s, supported, 2);
    field_too_long(&errs, "spec.e", 63);
    field_too_long(&errs, "spec.e1", 1);
    field_too_many(&errs, "spec.f", 17, 16);
    field_error(&errs, FIELD_FORBIDDEN, "spec.g", NULL, "no");
    field_error(&errs, FIELD_DUPLICATE, "spec.h", &s, "%s", "");
    field_error(&errs, FIELD_NOT_FOUND, "spec.i", &s, "%s", "");
    field_error(&errs, FIELD_INTERNAL, "spec.j", NULL, "oops");
    field_error(&errs, FIELD_INVALID, "spec.k", &o, "%s", "");
    field_error(&errs, FIELD_INVALID, "spec.l", &value_null, "x");
    field_error(&errs, FIELD_REQUIRED, "spec.m", NULL, "%s", "");
    static const struct {
        const char *reason, *message;
    } rows[] = {
        {"FieldValueRequired", "Required value: must be set"},
        {"FieldValueInvalid", "Invalid value: \"a\\\"b\": must be x"},
        {"FieldValueInvalid", "Invalid value: -1: must be greater than or equal to 0"},
        {"FieldValueNotSupported", "Unsupported value: \"a\\\"b\": supported values: \"Always\", \"Never\""},
        {"FieldValueTooLong", "Too long: may not be more than 63 bytes"},
        {"FieldValueTooLong", "Too long: may not be more than 1 byte"},
        {"FieldValueTooMany", "Too many: 17: must have at most 16 items"},
        {"FieldValueForbidden", "Forbidden: no"},
        {"FieldValueDuplicate", "Duplicate value: \"a\\\"b\""},
        {"FieldValueNotFound", "Not found: \"a\\\"b\""},
        {"InternalError", "Internal error: oops"},
        {"FieldValueInvalid", "Invalid value: {}"},
        {"FieldValueInvalid", "Invalid value: null: x"},
        {"FieldValueRequired", "Required value"},
    };
    ck_assert_uint_eq(errs.n, N_ELEMENTS(rows));
    ck_assert_int_eq(status_invalid(&st, TEXT("apps"), TEXT("Deployment"), TEXT("web"), &errs), -1);
    ck_assert_uint_eq(st.n_causes, N_ELEMENTS(rows));
    for (size_t k = 0; k < N_ELEMENTS(rows); k++) {
        ck_assert_str_eq(st.causes[k].reason, rows[k].reason);
        ck_assert_str_eq(st.causes[k].message, rows[k].message);
    }
    const char *start = "Deployment.apps \"web\" is invalid: [spec.a: Required value: must be set, spec.b: Invalid";
    ck_assert_int_eq(strncmp(st.message, start, strlen(start)), 0);
    const char *end = ", spec.m: Required value]";
    ck_assert_str_eq(st.message + strlen(st.message) - strlen(end), end);
}
END_TEST

START_TEST(aggregates_name_each_error_once)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct field_errors errs = {.arena = a};
    status_invalid(&st, TEXT_NONE, TEXT("Pod"), TEXT("x"), &errs);
    ck_assert_str_eq(st.message, "Pod \"x\" is invalid");
    field_error(&errs, FIELD_REQUIRED, "a", NULL, "b");
    status_invalid(&st, TEXT_NONE, TEXT("Pod"), TEXT("x"), &errs);
    ck_assert_str_eq(st.message, "Pod \"x\" is invalid: a: Required value: b");
    field_error(&errs, FIELD_REQUIRED, "a", NULL, "b");
    status_invalid(&st, TEXT_NONE, TEXT("Pod"), TEXT("x"), &errs);
    ck_assert_str_eq(st.message, "Pod \"x\" is invalid: a: Required value: b");
    ck_assert_uint_eq(st.n_causes, 2);
    field_error(&errs, FIELD_FORBIDDEN, "c", NULL, "d");
    status_invalid(&st, TEXT_NONE, TEXT("Pod"), TEXT("x"), &errs);
    ck_assert_str_eq(st.message, "Pod \"x\" is invalid: [a: Required value: b, c: Forbidden: d]");
    assert_json(&st, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                     "\"Pod \\\"x\\\" is invalid: [a: Required value: b, c: Forbidden: d]\",\"reason\":\"Invalid\","
                     "\"details\":{\"name\":\"x\",\"kind\":\"Pod\",\"causes\":[{\"reason\":\"FieldValueRequired\","
                     "\"message\":\"Required value: b\",\"field\":\"a\"},{\"reason\":\"FieldValueRequired\","
                     "\"message\":\"Required value: b\",\"field\":\"a\"},{\"reason\":\"FieldValueForbidden\","
                     "\"message\":\"Forbidden: d\",\"field\":\"c\"}]},\"code\":422}");
}
END_TEST

START_TEST(many_causes)
{
    CLEANUP(status_clear) struct status st = {0};
    status_set(&st, STATUS_INVALID, "many");
    for (int i = 0; i < 1000; i++)
        status_add_cause(&st, "R", "f", "cause %d", i);
    ck_assert_uint_eq(st.n_causes, 1000);
    ck_assert_str_eq(st.causes[0].message, "cause 0");
    ck_assert_str_eq(st.causes[517].message, "cause 517");
    ck_assert_str_eq(st.causes[999].message, "cause 999");
}
END_TEST

UNIT_MAIN("base/status", not_found_of_a_resource, ready_made_messages, success_and_details,
          wrapping_setting_from_itself_and_moving, codes_of_reasons, field_errors_are_worded_as_upstream,
          aggregates_name_each_error_once, many_causes)
