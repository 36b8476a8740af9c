/* value.h - the tree of an object under work: decoded, patched, defaulted, validated, encoded.
 * Values lie in arrays inside an arena: nobody frees one, and a pointer to a member or an item holds until something is
 * added to or removed from its parent. Threads: one at a time.
 * 16 bytes a value, 32 a member: a 2.7 KB pod is about 8 KB of tree. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

enum value_kind {
    VALUE_NULL, /* zeroed memory is null */
    VALUE_BOOL,
    VALUE_INT,   /* every whole number that fits an int64 */
    VALUE_FLOAT, /* the others */
    VALUE_STRING,
    VALUE_RAW, /* JSON text of a value that nobody looks into, compact; see json_expand */
    VALUE_LIST,
    VALUE_OBJECT,
};

struct value_member;
struct value {
    uint8_t kind;
    uint8_t is_exact; /* a list or an object whose array has no spare room */
    uint16_t reserved;
    uint32_t n; /* bytes of the string or the text, items of the list, members of the object */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *string; /* of a raw value too; not NUL-terminated */
        struct value *items;
        struct value_member *members; /* in order of arrival; decoding sorts them into the schema's order */
    };
};

struct value_member {
    const char *key; /* not NUL-terminated */
    uint32_t key_n;
    uint32_t field; /* 1 + index of the schema's field once decoded, else 0 */
    struct value value;
};
_Static_assert(sizeof(struct value) == 16 && sizeof(struct value_member) == 32, "the sizes that value.h promises");

extern const struct value value_null; /* for readers that want a value where there is none */

static inline struct value value_string(struct text t)
{
    return (struct value){.kind = VALUE_STRING, .n = (uint32_t)t.n, .string = t.p};
}
static inline struct value value_raw(struct text json)
{
    return (struct value){.kind = VALUE_RAW, .n = (uint32_t)json.n, .string = json.p};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .integer = i};
}
static inline struct value value_float(double d)
{
    return (struct value){.kind = VALUE_FLOAT, .number = d};
}
static inline struct value value_bool(bool b)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = b};
}
static inline struct value value_object(void)
{
    return (struct value){.kind = VALUE_OBJECT};
}
static inline struct value value_list(void)
{
    return (struct value){.kind = VALUE_LIST};
}
static inline struct text value_text(const struct value *v) /* of a string; empty for any other kind and for NULL */
{
    return v && v->kind == VALUE_STRING ? (struct text){v->string, v->n} : TEXT_NONE;
}
static inline struct text member_key(const struct value_member *m)
{
    return (struct text){m->key, m->key_n};
}
const char *value_kind_name(enum value_kind kind); /* as Go's JSON errors name it: "string", "number", "object", ... */

/* Look-ups: NULL when v is NULL, no object, or has no such member. */
struct value *value_get(const struct value *v, struct text key);
/* Along member names: value_at(v, "metadata", "labels", NULL). */
struct value *value_at(const struct value *v, ...) __attribute__((sentinel));
struct text value_get_text(const struct value *v, struct text key);
int64_t value_get_int(const struct value *v, struct text key, int64_t otherwise);
bool value_get_bool(const struct value *v, struct text key, bool otherwise);

/* Changes. Keys and strings are borrowed: they must live as long as the arena. v must be of the fitting kind. */
struct value *value_set(struct arena *a, struct value *v, struct text key, struct value child); /* replace or append */
struct value *value_add(struct arena *a, struct value *v, struct text key, struct value child); /* append, unchecked */
/* The member, made as an empty object when absent or null. */
struct value *value_object_at(struct arena *a, struct value *v, struct text key);
bool value_remove(struct value *v, struct text key); /* keeps the order of the rest */
struct value *value_append(struct arena *a, struct value *v, struct value item);
struct value value_texts(struct arena *a, const struct text *texts, size_t n); /* a list of strings */
void value_insert(struct arena *a, struct value *v, size_t at, struct value item);
void value_remove_at(struct value *v, size_t at);

/* A copy that shares nothing that could change: arrays anew, strings shared (they are immutable). */
struct value value_copy(struct arena *a, const struct value *v);
/* The same with strings and keys copied too: a tree may so outlive the bytes it was read from. */
struct value value_copy_deep(struct arena *a, const struct value *v);
/* Equal as JSON: members in any order, 1 equals 1.0. */
bool value_equal(const struct value *a, const struct value *b);
bool value_is_empty(const struct value *v); /* NULL, null, "", 0, false, [] or {} */
