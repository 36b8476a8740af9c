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
    struct buffer b = BUFFER_IN(a);
    struct value fields, written, read;

    if (json_read(a, (struct text){(const char *)data, n}, NULL, &fields, &st) < 0 ||
        field_set_read(a, &fields, &s, &st) < 0)
        return 0;
    written = field_set_write(a, s);
    json_write(&b, &written);
    if (json_read(a, buffer_text(&b), NULL, &read, &st) < 0 || field_set_read(a, &read, &again, &st) < 0 ||
        !field_set_equal(s, again) || field_set_difference(a, s, again))
        abort();
    return 0;
}
