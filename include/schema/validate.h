/* validate.h - floor 2: is an object good? Walks it with the checks of its type (struct schema_check), which
 * the .schema files or the maker of a type at run time have written down. Threads: any. Nothing is allocated
 * unless there is something to complain about. */
#pragma once

#include "schema.h"

/* Where a value lies, from the inside out: a chain on the walk's stack, put into words ("spec.ports[0].name")
 * for an error only. */
struct field_path {
    const struct field_path *parent; /* NULL: the object itself is the parent */
    struct text name;                /* of a field; the key when index is PATH_KEY */
    int64_t index;                   /* of an item, or PATH_NAME, PATH_KEY */
};
enum { PATH_NAME = -1, PATH_KEY = -2 };
#define PATH_FIELD(parent, literal) (&(struct field_path){(parent), TEXT(literal), PATH_NAME})
#define PATH_INDEX(parent, i) (&(struct field_path){(parent), TEXT_NONE, (int64_t)(i)})
#define PATH_OF_KEY(parent, key) (&(struct field_path){(parent), (key), PATH_KEY})

enum validation_scope {
    VALIDATE_ALL,        /* of a type whose status is not written apart */
    VALIDATE_BUT_STATUS, /* what its main resource writes */
    VALIDATE_STATUS,
};

/* The walk, as checks that are functions see it. */
struct validation {
    struct field_errors *errs;
    const struct value *object, *old; /* the whole ones; old NULL: a creation */
    struct text sub;                  /* the subresource that is written; empty: the object itself */
};

/* Adds what is wrong with a canonical object to errs, in upstream's order and words. old: what it was before
 * the update, as it was read (its members are found by name); NULL on creation. */
void schema_validate(const struct schema *s, const struct value *object, const struct value *old,
                     enum validation_scope scope, struct text sub, struct field_errors *errs);

/* --- for checks that are functions --- */

/* field_error (base/status.h) at a path; NULL: of the whole object, which prints as "<nil>". */
void check_error(struct validation *w, enum field_error type, const struct field_path *at,
                 const struct value *bad_value, const char *fmt, ...) PRINTF_LIKE(5, 6);
const char *field_path_str(struct arena *a, const struct field_path *at);
/* All that is wrong with t as INVALID; shown is the value that is printed. */
void check_format_at(struct validation *w, const struct field_path *at, enum format f, struct text t);
