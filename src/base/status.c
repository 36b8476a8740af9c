/* SPDX-License-Identifier: Apache-2.0 */
/* The Status object: reasons and codes in a table, the strings in a small arena that the first error makes. New text is
 * formatted before old text is dropped, so that an error may be built from the one it replaces.
 * Wording: apimachinery's pkg/api/errors/errors.go and pkg/util/validation/field/errors.go. */
#include "base/status.h"

#include <string.h>

#include "base/containers.h"
#include "base/json.h"
#include "base/value.h"

static const struct {
    const char *name;
    int code;
} reasons[] = {
    [STATUS_OK] = {"", 0},
    [STATUS_UNKNOWN] = {"", 500},
    [STATUS_UNAUTHORIZED] = {"Unauthorized", 401},
    [STATUS_FORBIDDEN] = {"Forbidden", 403},
    [STATUS_NOT_FOUND] = {"NotFound", 404},
    [STATUS_ALREADY_EXISTS] = {"AlreadyExists", 409},
    [STATUS_CONFLICT] = {"Conflict", 409},
    [STATUS_GONE] = {"Gone", 410},
    [STATUS_INVALID] = {"Invalid", 422},
    [STATUS_SERVER_TIMEOUT] = {"ServerTimeout", 500},
    [STATUS_STORE_READ_ERROR] = {"StorageReadError", 500},
    [STATUS_TIMEOUT] = {"Timeout", 504},
    [STATUS_TOO_MANY_REQUESTS] = {"TooManyRequests", 429},
    [STATUS_BAD_REQUEST] = {"BadRequest", 400},
    [STATUS_METHOD_NOT_ALLOWED] = {"MethodNotAllowed", 405},
    [STATUS_NOT_ACCEPTABLE] = {"NotAcceptable", 406},
    [STATUS_REQUEST_ENTITY_TOO_LARGE] = {"RequestEntityTooLarge", 413},
    [STATUS_UNSUPPORTED_MEDIA_TYPE] = {"UnsupportedMediaType", 415},
    [STATUS_INTERNAL_ERROR] = {"InternalError", 500},
    [STATUS_EXPIRED] = {"Expired", 410},
    [STATUS_SERVICE_UNAVAILABLE] = {"ServiceUnavailable", 503},
};

const char *status_reason_name(enum status_reason r)
{
    return reasons[r].name;
}

int status_reason_code(enum status_reason r)
{
    return reasons[r].code;
}

/* --- life --- */

void status_clear(struct status *st)
{
    arena_free(st->arena);
    *st = (struct status){0};
}

void status_move(struct status *to, struct status *from)
{
    if (to == from)
        return;
    status_clear(to);
    *to = *from;
    *from = (struct status){0};
}

static struct arena *status_arena(struct status *st)
{
    if (!st->arena)
        st->arena = arena_new();
    return st->arena;
}

int status_vset(struct status *st, enum status_reason r, const char *fmt, va_list args)
{
    struct arena *a = arena_new();
    const char *message = arena_vprintf(a, fmt, args);
    status_clear(st);
    *st = (struct status){.reason = r, .code = reasons[r].code, .message = message, .arena = a};
    return -1;
}

void status_record(struct status *st, enum status_reason r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    status_vset(st, r, fmt, args);
    va_end(args);
}

int status_wrap(struct status *st, const char *fmt, ...)
{
    struct arena *a = status_arena(st);
    va_list args;
    va_start(args, fmt);
    const char *context = arena_vprintf(a, fmt, args);
    va_end(args);
    st->message = st->message ? arena_printf(a, "%s: %s", context, st->message) : context;
    return -1;
}

static const char *copy_or_null(struct arena *a, struct text t)
{
    return t.n ? arena_str(a, t) : NULL;
}

void status_details(struct status *st, struct text group, struct text kind, struct text name)
{
    struct arena *a = status_arena(st);
    st->has_details = true;
    st->group = copy_or_null(a, group);
    st->kind = copy_or_null(a, kind);
    st->name = copy_or_null(a, name);
}

static void push_cause(struct arena *a, struct status_cause **p, size_t *n, size_t *cap, struct status_cause cause)
{
    if (*n == *cap) {
        size_t to = *cap ? *cap * 2 : 4;
        *p = arena_grow(a, *p, *cap * sizeof(**p), to * sizeof(**p));
        *cap = to;
    }
    (*p)[(*n)++] = cause;
}

void status_set_continue(struct status *st, struct text token)
{
    st->continue_token = arena_str(status_arena(st), token);
}

void status_add_cause(struct status *st, const char *reason, const char *field, const char *fmt, ...)
{
    struct arena *a = status_arena(st);
    va_list args;
    va_start(args, fmt);
    struct status_cause cause = {
        .reason = reason ? arena_strdup(a, reason) : NULL,
        .field = field ? arena_strdup(a, field) : NULL,
        .message = arena_vprintf(a, fmt, args),
    };
    va_end(args);
    /* The array holds the next power of two, 4 at least. */
    size_t cap = st->n_causes < 4 ? (st->n_causes ? 4 : 0) : st->n_causes;
    if (cap > 4)
        while (cap & (cap - 1))
            cap += cap & -cap;
    push_cause(a, &st->causes, &st->n_causes, &cap, cause);
    st->has_details = true;
}

/* --- the ready-made errors --- */

/* "deployments.apps", or "pods" in the core group. */
static void add_qualified(struct buffer *b, struct text group, struct text resource)
{
    buffer_add(b, resource);
    if (group.n) {
        buffer_add_char(b, '.');
        buffer_add(b, group);
    }
}

/* Sets `BEFORE resource.group "name"AFTER` and the details. */
static int resource_error(struct status *st, enum status_reason r, struct text group, struct text resource,
                          struct text name, const char *before, const char *after)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    buffer_add_str(&b, before);
    add_qualified(&b, group, resource);
    buffer_add_char(&b, ' ');
    buffer_add_quoted(&b, name);
    buffer_add_str(&b, after);
    status_set(st, r, "%s", buffer_str(&b));
    status_details(st, group, resource, name);
    return -1;
}

int status_not_found(struct status *st, struct text group, struct text resource, struct text name)
{
    return resource_error(st, STATUS_NOT_FOUND, group, resource, name, "", " not found");
}

int status_already_exists(struct status *st, struct text group, struct text resource, struct text name)
{
    return resource_error(st, STATUS_ALREADY_EXISTS, group, resource, name, "", " already exists");
}

int status_conflict(struct status *st, struct text group, struct text resource, struct text name, const char *why)
{
    CLEANUP(buffer_deinit) struct buffer after = BUFFER_INIT;
    buffer_addf(&after, ": %s", why);
    return resource_error(st, STATUS_CONFLICT, group, resource, name, "Operation cannot be fulfilled on ",
                          buffer_str(&after));
}

int status_forbidden(struct status *st, struct text group, struct text resource, struct text name, const char *why)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    add_qualified(&b, group, resource);
    if (b.n && name.n) {
        buffer_add_char(&b, ' ');
        buffer_add_quoted(&b, name);
    }
    buffer_add_str(&b, b.n ? " is forbidden: " : "forbidden: ");
    buffer_add_str(&b, why);
    status_set(st, STATUS_FORBIDDEN, "%s", buffer_str(&b));
    status_details(st, group, resource, name);
    return -1;
}

int status_method_not_supported(struct status *st, struct text group, struct text resource, const char *action)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    add_qualified(&b, group, resource);
    status_set(st, STATUS_METHOD_NOT_ALLOWED, "%s is not supported on resources of kind \"%s\"", action,
               buffer_str(&b));
    status_details(st, group, resource, TEXT_NONE);
    return -1;
}

int status_internal_error(struct status *st, const char *fmt, ...)
{
    CLEANUP(buffer_deinit) struct buffer why = BUFFER_INIT;
    va_list args;
    va_start(args, fmt);
    buffer_vaddf(&why, fmt, args);
    va_end(args);
    status_set(st, STATUS_INTERNAL_ERROR, "Internal error occurred: %s", buffer_str(&why));
    status_add_cause(st, NULL, NULL, "%s", buffer_str(&why));
    return -1;
}

/* --- field errors --- */

static const struct {
    const char *wire, *words;
    bool has_value;
} field_types[] = {
    [FIELD_NOT_FOUND] = {"FieldValueNotFound", "Not found", true},
    [FIELD_REQUIRED] = {"FieldValueRequired", "Required value", false},
    [FIELD_DUPLICATE] = {"FieldValueDuplicate", "Duplicate value", true},
    [FIELD_INVALID] = {"FieldValueInvalid", "Invalid value", true},
    [FIELD_NOT_SUPPORTED] = {"FieldValueNotSupported", "Unsupported value", true},
    [FIELD_FORBIDDEN] = {"FieldValueForbidden", "Forbidden", false},
    [FIELD_TOO_LONG] = {"FieldValueTooLong", "Too long", false},
    [FIELD_TOO_SHORT] = {"FieldValueTooShort", "Too short", false},
    [FIELD_TOO_MANY] = {"FieldValueTooMany", "Too many", true},
    [FIELD_TOO_FEW] = {"FieldValueTooFew", "Too few", true},
    [FIELD_INTERNAL] = {"InternalError", "Internal error", false},
    [FIELD_TYPE_INVALID] = {"FieldValueTypeInvalid", "Invalid value", true},
};

static void add_field_error(struct field_errors *errs, enum field_error type, const char *field,
                            const struct value *bad_value, struct text detail)
{
    struct buffer b = BUFFER_IN(errs->arena);
    buffer_add_str(&b, field_types[type].words);
    if (bad_value && field_types[type].has_value) {
        buffer_add_str(&b, ": ");
        if (bad_value->kind == VALUE_STRING)
            buffer_add_quoted(&b, value_text(bad_value));
        else
            json_write(&b, bad_value);
    }
    if (detail.n) {
        buffer_add_str(&b, ": ");
        buffer_add(&b, detail);
    }
    struct status_cause cause = {
        .reason = field_types[type].wire,
        .message = buffer_str(&b),
        .field = arena_strdup(errs->arena, field),
    };
    push_cause(errs->arena, &errs->p, &errs->n, &errs->cap, cause);
}

void field_error(struct field_errors *errs, enum field_error type, const char *field, const struct value *bad_value,
                 const char *fmt, ...)
{
    struct buffer detail = BUFFER_IN(errs->arena);
    va_list args;
    va_start(args, fmt);
    buffer_vaddf(&detail, fmt, args);
    va_end(args);
    add_field_error(errs, type, field, bad_value, buffer_text(&detail));
}

void field_not_supported(struct field_errors *errs, const char *field, const struct value *bad_value,
                         const char *const *supported, size_t n)
{
    struct buffer detail = BUFFER_IN(errs->arena);
    for (size_t i = 0; i < n; i++) {
        buffer_add_str(&detail, i ? ", " : "supported values: ");
        buffer_add_quoted(&detail, text_of(supported[i]));
    }
    add_field_error(errs, FIELD_NOT_SUPPORTED, field, bad_value, buffer_text(&detail));
}

void field_too_long(struct field_errors *errs, const char *field, int64_t max_bytes)
{
    if (max_bytes < 0)
        field_error(errs, FIELD_TOO_LONG, field, NULL, "value is too long");
    else
        field_error(errs, FIELD_TOO_LONG, field, NULL, "may not be more than %lld %s", (long long)max_bytes,
                    max_bytes == 1 ? "byte" : "bytes");
}

void field_too_many(struct field_errors *errs, const char *field, int64_t actual, int64_t max)
{
    struct value v = value_int(actual);
    const struct value *bad = actual < 0 ? NULL : &v;
    if (max < 0)
        field_error(errs, FIELD_TOO_MANY, field, bad, "has too many items");
    else
        field_error(errs, FIELD_TOO_MANY, field, bad, "must have at most %lld %s", (long long)max,
                    max == 1 ? "item" : "items");
}

/* A client may cause very many of them, so those seen are kept in a map. */
void field_errors_write(struct buffer *b, const struct field_errors *errs)
{
    struct map seen = {0};
    size_t start = b->n;
    for (size_t i = 0; i < errs->n; i++) {
        struct text line = arena_textf(errs->arena, "%s: %s", errs->p[i].field, errs->p[i].message);
        if (map_put(&seen, line, &errs->p[i]))
            continue;
        if (seen.n > 1)
            buffer_add_str(b, ", ");
        buffer_add(b, line);
    }
    if (seen.n > 1) {
        buffer_add_char(b, ']');
        buffer_room(b, 1);
        memmove(b->p + start + 1, b->p + start, b->n - start);
        b->p[start] = '[';
        b->n++;
    }
    map_deinit(&seen);
}

int status_invalid(struct status *st, struct text group, struct text kind, struct text name,
                   const struct field_errors *errs)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    add_qualified(&b, group, kind);
    buffer_add_char(&b, ' ');
    buffer_add_quoted(&b, name);
    buffer_add_str(&b, " is invalid");
    if (errs->n) {
        buffer_add_str(&b, ": ");
        field_errors_write(&b, errs);
    }
    status_set(st, STATUS_INVALID, "%s", buffer_str(&b));
    status_details(st, group, kind, name);
    for (size_t i = 0; i < errs->n; i++)
        status_add_cause(st, errs->p[i].reason, errs->p[i].field, "%s", errs->p[i].message);
    return -1;
}

/* --- JSON --- */

/* ,"key":"value" unless value is empty; the comma is left out after an opening brace. */
static void add_member(struct buffer *b, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    if (b->p[b->n - 1] != '{')
        buffer_add_char(b, ',');
    buffer_addf(b, "\"%s\":", key);
    json_write_string(b, text_of(value));
}

static void add_number(struct buffer *b, const char *key, int value)
{
    if (value)
        buffer_addf(b, "%s\"%s\":%d", b->p[b->n - 1] == '{' ? "" : ",", key, value);
}

void status_write_json(struct buffer *b, const struct status *st)
{
    buffer_add_str(b, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{");
    add_member(b, "continue", st->continue_token);
    buffer_add_char(b, '}');
    add_member(b, "status", st->reason == STATUS_OK ? "Success" : "Failure");
    add_member(b, "message", st->message);
    add_member(b, "reason", reasons[st->reason].name);
    if (st->has_details) {
        buffer_add_str(b, ",\"details\":{");
        add_member(b, "name", st->name);
        add_member(b, "group", st->group);
        add_member(b, "kind", st->kind);
        add_member(b, "uid", st->uid);
        for (size_t i = 0; i < st->n_causes; i++) {
            if (i)
                buffer_add_char(b, ',');
            else
                buffer_addf(b, "%s\"causes\":[", b->p[b->n - 1] == '{' ? "" : ",");
            buffer_add_char(b, '{');
            add_member(b, "reason", st->causes[i].reason);
            add_member(b, "message", st->causes[i].message);
            add_member(b, "field", st->causes[i].field);
            buffer_add_char(b, '}');
        }
        if (st->n_causes)
            buffer_add_char(b, ']');
        add_number(b, "retryAfterSeconds", st->retry_after_seconds);
        buffer_add_char(b, '}');
    }
    add_number(b, "code", st->code);
    buffer_add_char(b, '}');
}
