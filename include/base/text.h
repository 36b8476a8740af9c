/* text.h - borrowed bytes. A struct text is a view: two words, by value, never owning, not NUL-terminated unless a comment
 * says so. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct text {
    const char *p;
    size_t n;
};

#define TEXT(literal) ((struct text){("" literal), sizeof(literal) - 1})
#define TEXT_NONE ((struct text){NULL, 0})
/* For printf's "%.*s". */
#define TEXT_ARG(t) (int)(t).n, (t).p ? (t).p : ""

static inline struct text text_of(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}
static inline bool text_eq(struct text a, struct text b)
{
    return a.n == b.n && (a.p == b.p || a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool text_is(struct text a, const char *s)
{
    return text_eq(a, text_of(s));
}
int text_cmp(struct text a, struct text b); /* bytewise, as Go compares strings */
bool text_eq_nocase(struct text a, struct text b);
bool text_starts(struct text t, struct text prefix);
bool text_ends(struct text t, struct text suffix);
/* Position of the first needle, or -1. */
ptrdiff_t text_find(struct text t, char c);
ptrdiff_t text_find_text(struct text t, struct text needle);
struct text text_from(struct text t, size_t start); /* the rest from start on; empty past the end */
struct text text_first(struct text t, size_t n);    /* the first n bytes at most */
struct text text_trim(struct text t);               /* ASCII white space off both ends */
/* Cuts *rest at the next sep: returns the part before it and moves *rest behind it. False once *rest.p is NULL. */
bool text_split(struct text *rest, char sep, struct text *ret_part);
/* Whole text must be a decimal number in range; false and untouched otherwise. */
bool text_to_u64(struct text t, uint64_t *ret);
bool text_to_i64(struct text t, int64_t *ret);
bool text_to_bool(struct text t, bool *ret); /* Go's ParseBool: 1, t, T, TRUE, true, True and their opposites */
static inline int text_hex_digit(char c) /* -1: none */
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
bool text_is_utf8(struct text t);
/* Bytes of the well-formed UTF-8 sequence that t starts with, its rune in *ret; 0: there is none. */
size_t text_rune(struct text t, uint32_t *ret);
uint64_t text_hash(struct text t); /* seeded per process: safe for keys that a client chooses */
