/* SPDX-License-Identifier: Apache-2.0 */
#include "base/duration.h"

#include "base/status.h"

#include "unit.h"

static const struct {
    const char *in, *out; /* out NULL: refused */
    int64_t ns;
} rows[] = {
    {"0", "0s", 0},
    {"5s", "5s", 5000000000},
    {"1h30m", "1h30m0s", 5400000000000},
    {"2m0s", "2m0s", 120000000000},
    {"1.5s", "1.5s", 1500000000},
    {"300ms", "300ms", 300000000},
    {"1.000001ms", "1.000001ms", 1000001},
    {"12us", "12\xc2\xb5s", 12000},
    {"-1m", "-1m0s", -60000000000},
    {"+.5h", "30m0s", 1800000000000},
    {"", NULL, 0},
    {"5", NULL, 0},
    {"s", NULL, 0},
    {"1d", NULL, 0},
    {"-", NULL, 0},
    {"9999999h", NULL, 0},
};

START_TEST(reads_and_writes_as_go_does)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int64_t ns = 42;
        struct buffer b = BUFFER_INIT;
        bool good = duration_parse(text_of(rows[i].in), &ns);
        ck_assert_msg(good == (rows[i].out != NULL), "%s", rows[i].in);
        if (!good) {
            ck_assert_int_eq(ns, 42);
            continue;
        }
        ck_assert_msg(ns == rows[i].ns, "%s: %lld", rows[i].in, (long long)ns);
        duration_add(&b, ns);
        ck_assert_str_eq(buffer_str(&b), rows[i].out);
        buffer_deinit(&b);
    }
}
END_TEST

START_TEST(refusals_have_the_words_of_go)
{
    static const struct {
        const char *in, *message;
    } refused[] = {
        {"bad", "time: invalid duration \"bad\""},
        {"", "time: invalid duration \"\""},
        {"5", "time: missing unit in duration \"5\""},
        {"1h5", "time: missing unit in duration \"1h5\""},
        {"-1d", "time: unknown unit \"d\" in duration \"-1d\""},
        {"9999999h", "time: invalid duration \"9999999h\""},
    };
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        CLEANUP(status_clear) struct status st = {0};
        int64_t ns = 42;
        ck_assert_int_eq(duration_read(text_of(refused[i].in), &ns, &st), -1);
        ck_assert_str_eq(st.message, refused[i].message);
        ck_assert_int_eq(ns, 42);
    }
}
END_TEST

UNIT_MAIN("duration", reads_and_writes_as_go_does, refusals_have_the_words_of_go)
