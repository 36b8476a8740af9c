/* text.h - borrowed bytes, growing buffers, shared immutable blobs.
 * A struct text is a view: two words, by value, never owning, not NUL-terminated unless a comment says so. */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
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
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
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
bool text_is_utf8(struct text t);
/* Bytes of the well-formed UTF-8 sequence that t starts with, its rune in *ret; 0: there is none. */
size_t text_rune(struct text t, uint32_t *ret);
uint64_t text_hash(struct text t); /* seeded per process: safe for keys that a client chooses */

/* A growing byte string. With an arena its memory is the arena's and deinit is not needed; without, deinit frees it. */
struct arena;
struct buffer {
    char *p;
    size_t n, cap;
    struct arena *arena; /* NULL: malloc */
};
#define BUFFER_INIT ((struct buffer){0})
#define BUFFER_IN(a) ((struct buffer){.arena = (a)})

void buffer_deinit(struct buffer *b);
void buffer_clear(struct buffer *b); /* n = 0, memory kept */
char *buffer_room(struct buffer *b, size_t n) __attribute__((returns_nonnull)); /* at least n bytes of space at p + n; the caller then adds to b->n */
void buffer_add_slow(struct buffer *b, const void *p, size_t n);
static inline void buffer_add_bytes(struct buffer *b, const void *p, size_t n)
{
    if (LIKELY(b->cap - b->n >= n)) {
        if (n)
            memcpy(b->p + b->n, p, n);
        b->n += n;
    } else {
        buffer_add_slow(b, p, n);
    }
}
static inline void buffer_add(struct buffer *b, struct text t)
{
    buffer_add_bytes(b, t.p, t.n);
}
static inline void buffer_add_char(struct buffer *b, char c)
{
    buffer_add_bytes(b, &c, 1);
}
void buffer_add_str(struct buffer *b, const char *s);
void buffer_add_u64(struct buffer *b, uint64_t v);
void buffer_add_i64(struct buffer *b, int64_t v);
void buffer_addf(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buffer_vaddf(struct buffer *b, const char *fmt, va_list args);
void buffer_add_quoted(struct buffer *b, struct text t); /* as Go's %q */
const char *buffer_str(struct buffer *b); /* NUL-terminated, n unchanged; borrowed until the next change */
static inline struct text buffer_text(const struct buffer *b)
{
    return (struct text){b->p, b->n};
}

/* Immutable shared bytes. Threads: any, by reference. */
struct blob {
    atomic_uint refs;
    size_t n;
    char p[];
};
struct blob *blob_new(struct text bytes);
struct blob *blob_alloc(size_t n); /* to be filled before it is shared */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);
DEFINE_CLEANUP(struct blob *, blob_unref)
static inline struct text blob_text(const struct blob *b)
{
    return (struct text){b->p, b->n};
}
