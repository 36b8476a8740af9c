/* rows.h - tables of what a reader of trees is given and the JSON, or the error, that it makes of it. */
#pragma once

#include "base/json.h"
#include "unit.h"

typedef int (*tree_reader)(struct arena *a, struct text in, const struct json_options *opt, struct value *ret,
                           struct status *st);

/* JSON, or "error: " and the message. */
static inline char *read_to_json(tree_reader read, struct arena *a, struct text in, struct text_list *duplicates)
{
    struct json_options opt = {.duplicates = duplicates};
    struct value v;
    struct status st = {0};
    struct buffer b = BUFFER_IN(a);

    if (read(a, in, &opt, &v, &st) < 0) {
        buffer_addf(&b, "error: %s", st.message);
        ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
        status_clear(&st);
    } else {
        json_write(&b, &v);
    }
    return arena_str(a, buffer_text(&b));
}

struct row {
    const char *in, *out;
};

static inline void check_read_rows(tree_reader read, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new();
        /* A copy of the exact size, so that the sanitizer sees a read past its end. */
        struct text in = text_of(rows[i].in);
        char *exact = malloc(in.n + !in.n);
        memcpy(exact, in.p, in.n);
        in.p = exact;
        char *out = read_to_json(read, a, in, NULL);
        ck_assert_msg(strcmp(out, rows[i].out) == 0, "row %zu: %s\n  gave %s\n  want %s", i, rows[i].in, out,
                      rows[i].out);
        free(exact);
        arena_free(a);
    }
}
