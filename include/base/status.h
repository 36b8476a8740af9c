/* status.h - the one error type: the Kubernetes Status object.
 * A fallible function returns 0, or -1 with *st set; its ret_ parameters are then untouched. status_set returns -1, so
 * that failing is one line. A struct status owns its strings; zeroed memory is "no error".
 * Source of reasons, codes and wording: kubernetes/apimachinery pkg/api/errors and pkg/apis/meta/v1/types.go. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/buffer.h"

enum status_reason {
    STATUS_OK, /* no error */
    STATUS_UNKNOWN, /* reason "" with code 500 */
    STATUS_UNAUTHORIZED,
    STATUS_FORBIDDEN,
    STATUS_NOT_FOUND,
    STATUS_ALREADY_EXISTS,
    STATUS_CONFLICT,
    STATUS_GONE,
    STATUS_INVALID,
    STATUS_SERVER_TIMEOUT,
    STATUS_STORE_READ_ERROR,
    STATUS_TIMEOUT,
    STATUS_TOO_MANY_REQUESTS,
    STATUS_BAD_REQUEST,
    STATUS_METHOD_NOT_ALLOWED,
    STATUS_NOT_ACCEPTABLE,
    STATUS_REQUEST_ENTITY_TOO_LARGE,
    STATUS_UNSUPPORTED_MEDIA_TYPE,
    STATUS_INTERNAL_ERROR,
    STATUS_EXPIRED,
    STATUS_SERVICE_UNAVAILABLE,
};
const char *status_reason_name(enum status_reason r); /* "NotFound" */
int status_reason_code(enum status_reason r);         /* 404 */

/* Of a cause: the wire's reason ("FieldValueInvalid"), message and JSON path. */
struct status_cause {
    const char *reason, *message, *field;
};

struct status {
    enum status_reason reason;
    int code; /* HTTP; set from the reason unless changed afterwards */
    const char *message;
    /* details; strings NULL when absent */
    bool has_details; /* an empty details object is still sent */
    const char *name, *group, *kind, *uid;
    struct status_cause *causes;
    size_t n_causes;
    int retry_after_seconds;
    const char *continue_token; /* metadata.continue: where an expired list may go on all the same; NULL: none */
    struct arena *arena; /* owns all of the above; made when first needed */
};

void status_clear(struct status *st); /* frees what it owns; also its CLEANUP */
/* Replaces whatever was there; always -1. */
void status_record(struct status *st, enum status_reason r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The -1 stands here, so that compilers and analyzers see that a failure is never taken for success. */
#define status_set(...)             \
    ({                              \
        status_record(__VA_ARGS__); \
        -1;                         \
    })
int status_vset(struct status *st, enum status_reason r, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
/* Puts "context: " before the message; always -1. */
int status_wrap(struct status *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Details of a resource error: kind is a resource name or, for INVALID, a kind, as upstream has it. */
void status_details(struct status *st, struct text group, struct text kind, struct text name);
void status_set_continue(struct status *st, struct text token); /* after status_set */
void status_add_cause(struct status *st, const char *reason, const char *field, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void status_move(struct status *to, struct status *from); /* to is cleared first, from is left empty */

/* The ready-made errors of apimachinery, wording included; all return -1. resource is "pods" or, with a group,
 * printed as "deployments.apps". */
int status_not_found(struct status *st, struct text group, struct text resource, struct text name);
int status_already_exists(struct status *st, struct text group, struct text resource, struct text name);
int status_conflict(struct status *st, struct text group, struct text resource, struct text name, const char *why);
/* `pods "x" is forbidden: why`; without a resource `forbidden: why`. */
int status_forbidden(struct status *st, struct text group, struct text resource, struct text name, const char *why);
int status_method_not_supported(struct status *st, struct text group, struct text resource, const char *action);
/* "Internal error occurred: why", with why as the only cause. */
int status_internal_error(struct status *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* INVALID in the making: collect the causes with field_error, then finish. Reason names are those of
 * field.ErrorType.String() mapped to the wire ("FieldValueRequired", ...). status_invalid words the message:
 * `Pod "x" is invalid: spec.a: Required value: must ...`, or `[..., ...]` for several. */
enum field_error {
    FIELD_NOT_FOUND,
    FIELD_REQUIRED,
    FIELD_DUPLICATE,
    FIELD_INVALID,
    FIELD_NOT_SUPPORTED,
    FIELD_FORBIDDEN,
    FIELD_TOO_LONG,
    FIELD_TOO_SHORT,
    FIELD_TOO_MANY,
    FIELD_TOO_FEW,
    FIELD_INTERNAL,
    FIELD_TYPE_INVALID,
};
struct field_errors {
    struct arena *arena; /* set by the caller; everything below lies in it */
    struct status_cause *p;
    size_t n, cap;
};
/* bad_value is printed as upstream prints it (strings quoted, others as JSON) by the types that have one: INVALID,
 * TYPE_INVALID, NOT_SUPPORTED, NOT_FOUND, DUPLICATE, TOO_MANY, TOO_FEW; NULL leaves it out (&value_null prints null).
 * fmt is the detail, "" for none; field is copied. */
struct value;
void field_error(struct field_errors *errs, enum field_error type, const char *field, const struct value *bad_value,
                 const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The forms with a fixed detail. Of TOO_LONG and TOO_MANY: a negative max words it without the number. */
void field_not_supported(struct field_errors *errs, const char *field, const struct value *bad_value,
                         const char *const *supported, size_t n); /* in the order given; upstream sorts them */
void field_too_long(struct field_errors *errs, const char *field, int64_t max_bytes);
void field_too_many(struct field_errors *errs, const char *field, int64_t actual, int64_t max);
/* The errors as one text, as Go's aggregates print: each once, in brackets if there are several. */
void field_errors_write(struct buffer *b, const struct field_errors *errs);
int status_invalid(struct status *st, struct text group, struct text kind, struct text name,
                   const struct field_errors *errs);

/* The Status object as JSON, upstream's member order. A zeroed status gives {"status":"Success"}'s form. */
void status_write_json(struct buffer *b, const struct status *st);
