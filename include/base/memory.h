/* memory.h - malloc for small things: running out of memory ends the process, so that no caller checks.
 * Sizes that a client chooses are bounded before they come here. What these return is free()d. Threads: any. */
#pragma once

#include <stddef.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull)); /* n == 0 gives a valid pointer too */
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* Says so on stderr and aborts; for those who call another allocator. */
void out_of_memory(void) __attribute__((noreturn, cold));
