/* SPDX-License-Identifier: Apache-2.0 */
/* compiler.h - the schema compiler's picture of the .schema files; docs/schema-language.md describes the language.
 * A run lasts a moment and frees nothing. Every error is the author's: it is printed as file:line and ends the run. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "schema.h"

struct place {
    const char *file;
    int line;
};
void fail(struct place at, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* A growing array: LIST(struct x) xs; *PUSH(&xs) = ...; */
#define LIST(type)                                                                                               \
    struct {                                                                                                     \
        type *p;                                                                                                 \
        size_t n, cap;                                                                                           \
    }
#define PUSH(list)                                                                                               \
    ({                                                                                                           \
        (list)->p = grow((list)->p, (list)->n, &(list)->cap, sizeof *(list)->p);                                 \
        &(list)->p[(list)->n++];                                                                                 \
    })
void *grow(void *p, size_t n, size_t *cap, size_t size); /* room for one more, zeroed */
char *copy(const char *s, size_t n);
char *joined(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct type_expr {
    int kind; /* enum type_kind */
    bool is_pointer;
    const char *name; /* of a struct, as written */
    struct type_decl *ref;
    struct type_expr *elem;
    int index; /* among the emitted element types; -1: not yet */
};

typedef LIST(const char *) strings;

struct field_decl {
    struct place at;
    const char *name; /* NULL: an inlined struct, type.ref */
    struct type_expr type;
    int number, embedded[2];
    int flags, merge;
    strings merge_keys;
    const char *patch_key, *fallback, *enumeration, *key_enumeration, *cast;
    const char *member, *description; /* member: the discriminator's value for this field of a union */
    bool is_discriminator;
    struct enum_decl *enum_ref, *key_enum_ref;
    struct file *home; /* whose short names the strings above use */
};
typedef LIST(struct field_decl) field_list;

/* A default that is published (default=) or one that is not (fill=, a fill line). */
struct rule_decl {
    struct place at;
    const char *path, *value; /* as written: "spec.replicas", "1" or "=PATH" or "@FUNCTION" */
    strings conditions;
};
typedef LIST(struct rule_decl) rule_list;

/* A check line. */
struct check_decl {
    struct place at;
    const char *path;   /* as written behind the dot, "" for the object itself; NULL: the field above */
    size_t n_above;     /* fields of the type that stand above the line */
    strings items;      /* each, keys, then what is checked */
    const char *detail; /* NULL: the usual words */
    strings conditions;
    const struct type_decl *owner; /* in whose block it stands */
};
typedef LIST(struct check_decl) check_list;

struct enum_decl {
    struct file *file;
    const char *name;
    strings values;
    bool is_closed;
    int index;
};

struct type_decl {
    struct place at;
    struct file *file;
    const char *name;
    field_list fields; /* as written */
    field_list flat;   /* with inlined structs' fields in their place */
    rule_list rules;   /* as written */
    rule_list flat_rules; /* with those of inlined structs */
    check_list checks;    /* as written */
    check_list flat_checks;        /* with those of inlined structs in their place, and the ways down */
    bool has_defaults, has_checks; /* here or anywhere below */
    size_t first_check, n_checks;
    size_t first_rule, n_rules;
    const char *json;  /* json=, NULL: an object */
    int merge;
    strings kinds; /* "", or api version and kind of a registration elsewhere */
    int introduced, deprecated, removed;
    const char *replaced;
    const char *description;
    int index;
};

struct sub_decl {
    struct place at;
    const char *name, *kind; /* kind NULL: the resource's own */
    int verbs;
    bool has_no_table;
    const char *group, *version;
};

struct select_decl {
    const char *name, *path;
    int index;
};

struct column_decl {
    const char *name, *type, *format, *path, *description;
    int priority;
};

struct resource_decl {
    struct place at;
    struct file *file;
    const char *name, *kind, *singular, *hash, *prefix, *storage_name, *field_annotation;
    bool is_namespaced, is_optional, has_generation, is_kept_as_json;
    int verbs;
    strings short_names, categories;
    LIST(struct sub_decl) subs;
    LIST(struct select_decl) selects;
    LIST(struct column_decl) columns;
    struct kind_decl *kind_ref, *list_kind;
    struct resource_decl *storage;
    int index;
};

struct file {
    const char *path;
    const char *dir, *version; /* "core", "v1": what references say */
    const char *group;         /* "" for core */
    const char *go_package, *openapi;
    bool is_served;
    int served_line;
    int group_priority, version_priority;
};

struct kind_decl {
    const char *group, *version, *kind;
    struct type_decl *type;
    struct kind_decl *storage;
    int index;
};

struct model {
    LIST(struct file *) files;
    LIST(struct type_decl *) types;
    LIST(struct enum_decl *) enums;
    LIST(struct resource_decl *) resources;
    LIST(struct kind_decl *) kinds;
    LIST(struct file *) served; /* in discovery's order */
};

void parse_file(struct model *m, const char *path);
void resolve(struct model *m);
void emit(struct model *m, FILE *out);
void emit_literal(FILE *out, const char *s); /* as a C string */
void emit_rules(struct model *m, FILE *out); /* the defaults of all types; sets first_rule and n_rules */
/* "spec.replicas" -> "{2,{3,0}}"; ret_last: the last field. Only structs lie on the way. */
const char *path_init(struct place at, const struct type_decl *t, const char *path,
                      const struct field_decl **ret_last);
const char *condition_init(struct place at, const struct type_decl *t, const char *w);
int field_index(struct place at, const struct type_decl *t, const char *name, size_t n);
void emit_checks(struct model *m, FILE *out); /* sets first_check and n_checks */
/* Words with parts. */
void split(strings *to, const char *s, char sep);
const char *value_of(const char *w, const char *key); /* the value if w is key=value */
/* Types of meta/special and the like only say what other types mean. */
bool is_emitted(const struct type_decl *t);
