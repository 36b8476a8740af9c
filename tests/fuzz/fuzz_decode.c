/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON as any kind: the first byte chooses the kind. What decodes is canonical: it encodes to itself, and
 * decoding it again changes nothing. It can be defaulted and validated, whatever it is. */
#include <stdint.h>
#include <stdlib.h>

#include "schema/validate.h"

static void check(struct arena *a, const struct schema *s, struct value *v)
{
    struct buffer first = BUFFER_IN(a), second = BUFFER_IN(a);
    struct field_errors errs = {.arena = a};
    struct status st = {0};
    struct value again;
    size_t at;

    json_write(&first, v);
    schema_encode(&second, s, v, NULL);
    if (!text_eq(buffer_text(&first), buffer_text(&second)))
        abort();
    if (json_read(a, buffer_text(&first), NULL, &again, &st) < 0 ||
        schema_decode(a, s, &again, NULL, &st) < 0)
        abort();
    buffer_clear(&second);
    json_write(&second, &again);
    if (!text_eq(buffer_text(&first), buffer_text(&second)))
        abort();
    schema_default(a, s, v);
    schema_encode(&second, s, v, &at);
    schema_validate(s, v, NULL, VALIDATE_ALL, TEXT_NONE, &errs);
    schema_validate(s, v, &again, VALIDATE_ALL, TEXT_NONE, &errs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct json_options options = {.depth_max = 500};
    struct status st = {0};
    struct decode_notes notes = {0};
    struct value v;

    if (n > 0) {
        const struct schema *s = schema_kinds[data[0] * n_schema_kinds / 256].schema;
        struct text in = {(const char *)data + 1, n - 1};
        if (json_read(a, in, &options, &v, &st) == 0 && schema_decode(a, s, &v, &notes, &st) == 0)
            check(a, s, &v);
    }
    status_clear(&st);
    arena_free(a);
    return 0;
}
