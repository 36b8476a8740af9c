/* SPDX-License-Identifier: Apache-2.0 */
/* FieldsV1 of a hostile client: what is read is written so that it reads as the same set. */
#include <stdint.h>
#include <stdlib.h>

#include "patch/field_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct field_set *s, *again;
    struct text written;
    struct value read;

    if (field_set_read(a, (struct text){(const char *)data, n}, &s, &st) < 0)
        return 0;
    written = field_set_write(a, s);
    if (json_read(a, written, NULL, &read, &st) < 0 || field_set_read(a, written, &again, &st) < 0 ||
        !field_set_equal(s, again) || field_set_difference(a, s, again))
        abort();
    return 0;
}
