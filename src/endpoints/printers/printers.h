/* printers.h - the cells of a printed row.
 * A printer adds exactly one cell for an object, given as the canonical tree of its stored version. What depends on the
 * clock is left open: a hole remembers since when, and the length of time is filled in for each answer.
 * Source: kubernetes/kubernetes pkg/printers/internalversion/printers.go. */
#pragma once

#include "base.h"

#define ROW_HOLES_MAX 8

struct row_hole {
    int64_t since_ns;
    uint32_t at; /* offset in json */
};

struct row {
    struct arena *a; /* for what printers build meanwhile */
    const struct value *o;
    struct buffer json; /* the cells, separated by commas */
    struct row_hole holes[ROW_HOLES_MAX];
    size_t n_holes;
};

struct printer {
    const char *name;
    void (*print)(struct row *r, struct text arg);
};

/* By the name in the column line, or NULL. */
const struct printer *printer_find(struct text name);

/* One table for each family, ended by a NULL name. */
extern const struct printer common_printers[], workload_printers[], pod_printers[], node_printers[], service_printers[],
    storage_printers[], policy_printers[], resource_printers[], event_printers[], scaling_printers[];

/* --- one cell each -------------------------------------------------------------------------------------------------------- */

void row_text(struct row *r, struct text t);
void row_str(struct row *r, const char *s);
void row_buffer(struct row *r, const struct buffer *b);
void row_int(struct row *r, int64_t i);
void row_bool(struct row *r, bool b);
/* A string or number of the object; NULL: the empty string. */
void row_value(struct row *r, const struct value *v);
void row_or(struct row *r, struct text t, const char *otherwise); /* an empty t */
/* Since a time of the object: before, the length of time, after. */
void row_since(struct row *r, const char *before, int64_t since_ns, const char *after);
/* Since an RFC 3339 time; "<unknown>" without one. */
void row_age(struct row *r, struct text time);

/* --- reading -------------------------------------------------------------------------------------------------------------- */

/* Along a dotted path; NULL: not there. */
const struct value *value_path(const struct value *v, struct text path);
#define value_find(v, literal) value_path(v, TEXT(literal))
#define value_find_text(v, literal) value_text(value_path(v, TEXT(literal)))
int64_t value_find_int(const struct value *v, struct text path, int64_t otherwise);
size_t value_count(const struct value *v); /* items or members; 0 for anything else and for NULL */
/* The condition of this type, or NULL; its status. */
const struct value *condition_find(const struct value *conditions, const char *type);
bool condition_is_true(const struct value *conditions, const char *type);

/* --- texts ---------------------------------------------------------------------------------------------------------------- */

/* "3h5m": how tables write a length of time. dst holds DURATION_TEXT_MAX bytes. Source: apimachinery
 * pkg/util/duration/duration.go, HumanDuration. */
#define DURATION_TEXT_MAX 32
size_t duration_text(int64_t ns, char *dst);

/* A list cut off after max entries: "a,b,c + 2 more...". */
struct short_list {
    struct buffer b; /* in an arena */
    const char *separator;
    size_t n, max;
};
/* The buffer for one more entry, or NULL when it is only counted. */
struct buffer *short_list_next(struct short_list *l);
void row_short_list(struct row *r, struct short_list *l, const char *otherwise);
/* "a=b,c=d" of a map of strings. */
void add_labels(struct buffer *b, const struct value *map);
/* As labels.Selector prints a LabelSelector. */
void add_selector(struct arena *a, struct buffer *b, const struct value *selector);
void add_lower(struct buffer *b, struct text t);
/* Sorted, without repeats. */
struct text_set {
    struct text_list list;
};
void text_set_add(struct arena *a, struct text_set *set, struct text t);
void add_joined(struct buffer *b, const struct text_list *list, const char *separator);
/* The strings of a list value. */
void add_list(struct buffer *b, const struct value *list, const char *separator);
