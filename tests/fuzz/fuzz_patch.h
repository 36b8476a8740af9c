/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_patch.h - what the patch targets share: the input is two lines of JSON, a document and a patch. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "patch.h"

typedef int (*fuzz_patch_run)(struct arena *a, const struct value *doc, const struct value *patch,
                              struct value *ret, struct status *st);

static inline int fuzz_patch(const uint8_t *data, size_t n, fuzz_patch_run run)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct text rest = {(const char *)data, n}, first;
    struct value doc, patch, got, again;
    struct buffer b = BUFFER_IN(a);

    if (!text_split(&rest, '\n', &first) || !rest.p || json_read(a, first, NULL, &doc, &st) < 0 ||
        json_read(a, rest, NULL, &patch, &st) < 0)
        return 0;
    struct value doc_before = value_copy(a, &doc), patch_before = value_copy(a, &patch);
    if (run(a, &doc, &patch, &got, &st) == 0) {
        json_write(&b, &got);
        if (json_read(a, buffer_text(&b), NULL, &again, &st) < 0)
            abort();
    } else if (st.reason == STATUS_OK) {
        abort();
    }
    if (!value_equal(&doc, &doc_before) || !value_equal(&patch, &patch_before))
        abort();
    return 0;
}
