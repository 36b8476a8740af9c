/* SPDX-License-Identifier: Apache-2.0 */
/* require.h - an invariant of a target: says which one does not hold, and aborts. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                                       \
    do {                                                                                                         \
        if (!(condition)) {                                                                                      \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                             \
        }                                                                                                        \
    } while (0)
