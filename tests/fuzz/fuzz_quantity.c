/* SPDX-License-Identifier: Apache-2.0 */
/* Two texts, one a line: canonical text is stable and of the same value, comparing is symmetric, and what was
 * added can be taken away again. */
#include <stdlib.h>

#include "schema/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct text rest = {(const char *)data, n}, x = TEXT_NONE, y = TEXT_NONE, once, twice, sum, back;
    struct arena *a = arena_new();
    text_split(&rest, '\n', &x);
    if (rest.p)
        text_split(&rest, '\n', &y);
    if (quantity_canonical(a, x, &once)) {
        require(!quantity_problem(x));
        require(quantity_canonical(a, once, &twice) && text_eq(once, twice));
        require(quantity_cmp(x, once) == 0);
        quantity_value(x);
        quantity_milli_value(x);
        if (quantity_round_milli(a, x, &once))
            require(quantity_sign(x) * quantity_cmp(once, x) >= 0);
        require(quantity_cmp(x, y) == -quantity_cmp(y, x));
        /* Binary sums are capped when they are read again. */
        if (quantity_add(a, x, y, &sum) && quantity_sub(a, sum, y, &back))
            require(quantity_cmp(back, x) == 0 || quantity_value(sum) >= INT64_MAX ||
                    quantity_value(sum) <= -INT64_MAX);
    }
    arena_free(a);
    return 0;
}
