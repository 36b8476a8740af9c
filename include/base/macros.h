/* macros.h - the few language helpers that every file may use. */
#pragma once

#include <stddef.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Yields the pointer and leaves NULL behind, so that its CLEANUP does nothing. */
#define MOVE(ptr)                                                                                                \
    ({                                                                                                           \
        __typeof__(ptr) moved_ = (ptr);                                                                          \
        (ptr) = NULL;                                                                                            \
        moved_;                                                                                                  \
    })

/* Defines fn##p, the CLEANUP form of a destructor that accepts NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                                 \
    static inline void fn##p(type *ptr)                                                                          \
    {                                                                                                            \
        fn(*ptr);                                                                                                \
    }
