/* buffer.h - bytes that somebody owns: growing buffers, shared immutable blobs. */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/text.h"

/* A growing byte string. With an arena its memory is the arena's and deinit is not needed; without, deinit frees it. */
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
