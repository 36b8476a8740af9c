/* SPDX-License-Identifier: Apache-2.0 */
/* Label and field selectors: whatever is taken must match, and its copy must match alike. A NUL byte parts the two. */
#include <stdint.h>
#include <stdlib.h>

#include "storage/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct resource_selectable fields[] = {{TEXT("spec.a"), TEXT("spec.a"), 0}, {TEXT("b"), TEXT("b"), 1}};
static const struct resource_type type = {.name = TEXT("things"), .is_namespaced = true, .selectable = fields,
                                          .n_selectable = 2};

static struct object *sample(void)
{
    static const char stored[] = "{\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\",\"labels\":{\"a\":\"b\",\"n\":\"3\"}},"
                                 "\"spec\":{\"a\":\"c\"}}";
    struct status st = {0};
    struct object *o;
    if (object_load(&type, text_of(stored), true, 2, &o, &st) < 0)
        abort();
    return o;
}

static void check(bool is_taken, const struct selector *s, const struct object *o, const struct status *st,
                  bool (*match)(const struct selector *, const struct object *))
{
    if (!is_taken) {
        if (st->reason != STATUS_BAD_REQUEST || !st->message)
            abort();
        return;
    }
    struct selector *copy = selector_copy(s);
    if (match(s, o) != match(copy, o))
        abort();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct object *o;
    struct text rest = {(const char *)data, n};
    ptrdiff_t nul = text_find(rest, '\0');
    struct text label_part = nul < 0 ? rest : text_first(rest, (size_t)nul);
    struct text field_part = nul < 0 ? rest : text_from(rest, (size_t)nul + 1);
    struct arena *a = arena_new();
    struct status st = {0};
    struct selector s;

    if (!o)
        o = sample();
    check(selector_parse_labels(a, label_part, &s, &st) == 0, &s, o, &st, selector_match_labels);
    status_clear(&st);
    check(selector_parse_fields(a, field_part, &type, &s, &st) == 0, &s, o, &st, selector_match_fields);
    status_clear(&st);
    arena_free(a);
    return 0;
}
