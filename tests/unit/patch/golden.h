/* SPDX-License-Identifier: Apache-2.0 */
/* golden.h - rows of a patch test: document, patch and result as JSON text. */
#pragma once

#include <stdio.h>

#include "patch.h"
#include "trees.h"

struct golden_row {
    const char *name, *doc, *patch;
    const char *result; /* NULL: refused */
    enum status_reason reason;
    const char *says; /* part of the message; NULL: any */
};

/* True when the row holds; else prints what was got. The patch and the document must be as they were afterwards. */
static inline bool golden_check(const struct golden_row *row,
                                int (*run)(struct arena *a, const struct value *doc, const struct value *patch,
                                           struct value *ret, struct status *st))
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct value doc = read_json(a, row->doc), patch = read_json(a, row->patch), got;
    struct value doc_before = value_copy(a, &doc), patch_before = value_copy(a, &patch);
    struct buffer text = BUFFER_IN(a);
    bool is_good;

    if (run(a, &doc, &patch, &got, &st) < 0) {
        is_good = !row->result && st.reason == row->reason && (!row->says || strstr(st.message, row->says));
        buffer_addf(&text, "%s: %s", status_reason_name(st.reason), st.message);
    } else {
        struct value want = row->result ? read_json(a, row->result) : value_null;
        is_good = row->result && value_equal(&got, &want);
        json_write(&text, &got);
    }
    if (!value_equal(&doc, &doc_before) || !value_equal(&patch, &patch_before)) {
        fprintf(stderr, "%s: an argument was changed\n", row->name);
        return false;
    }
    if (!is_good)
        fprintf(stderr, "%s: got %s\n", row->name, buffer_str(&text));
    return is_good;
}
