/* SPDX-License-Identifier: Apache-2.0 */
/* trees.h - what the tests of this folder write as JSON text, as trees; and back. */
#pragma once

#include "base/json.h"
#include "unit.h"

/* The strings are a's. */
static inline struct value read_json(struct arena *a, const char *json)
{
    struct status st = {0};
    struct value v;

    if (json_read(a, arena_text(a, text_of(json)), NULL, &v, &st) < 0)
        ck_abort_msg("%s: %s", json, st.message);
    return v;
}

static inline const char *written(struct arena *a, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    json_write(&b, v);
    return buffer_str(&b);
}
