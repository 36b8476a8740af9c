/* arena.h - memory that is born and dies together.
 * One arena per request, per decoded document, per test. Threads: an arena belongs to one thread at a time; it may be
 * handed on with the request. Errors: running out of memory aborts, so no call here fails.
 * In the sanitizer builds (KS_ARENA_MALLOC) each allocation is a malloc of its own, so that ASan sees every overrun. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/text.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free)

/* Runs the deferred calls and forgets everything allocated, but keeps the first block for the next user. */
void arena_reset(struct arena *a);

/* Aligned to 16 bytes, uninitialised; n == 0 gives a unique valid pointer. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((malloc, returns_nonnull));
void *arena_alloc0(struct arena *a, size_t n) __attribute__((malloc, returns_nonnull));
#define ARENA_NEW(a, type) ((type *)arena_alloc0((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc0((a), sizeof(type) * (n)))

/* Grows the newest allocation in place where it can, else copies. old may be NULL. */
void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t new_bytes);

/* Copies; the strings are NUL-terminated though the text's n does not count the NUL. */
struct text arena_text(struct arena *a, struct text t);
struct text arena_lower(struct arena *a, struct text t); /* ASCII; t itself when there is nothing to change */
char *arena_str(struct arena *a, struct text t);
char *arena_strdup(struct arena *a, const char *s);
struct text arena_textf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list args);

/* fn(ptr) runs at arena_reset or arena_free, in reverse order of the calls: the way to link a refcounted object to a
 * request's life. */
void arena_defer(struct arena *a, void (*fn)(void *), void *ptr);

/* Bytes taken from the allocator, for metrics and limits. */
size_t arena_bytes(const struct arena *a);
