/* SPDX-License-Identifier: Apache-2.0 */
/* Rows follow the behaviours that pkg/api/resource/quantity_test.go of kubernetes/apimachinery checks. */
#include "schema/quantity.h"

#include "base/macros.h"
#include "unit.h"

struct row {
    const char *in, *out; /* out NULL: no quantity */
};

static const struct row canonical_rows[] = {
    {"0", "0"},
    {"00", "0"},
    {"0Ki", "0"},
    {"0n", "0"},
    {"-0", "0"},
    {".", "0"},
    {"-", "0"},
    {"m", "0"},
    {"1", "1"},
    {"1.", "1."},
    {"1.G", "1.G"},
    {"0.5", "500m"},
    {".001", "1m"},
    {"1.5", "1500m"},
    {"1000m", "1"},
    {"1500m", "1500m"},
    {"1.5Gi", "1536Mi"},
    {"1024Mi", "1Gi"},
    {"1024Gi", "1Ti"},
    {"1000M", "1G"},
    {"307200Ki", "300Mi"},
    {"1025024Mi", "1001Gi"},
    {"8Ki", "8Ki"},
    {"1024", "1024"},
    {"2000", "2k"},
    {"1e3", "1e3"},
    {"1E6", "1E6"},
    {"1000e0", "1e3"},
    {"1e14", "100e12"},
    {"1.2e3", "1200"},
    {"1.3E+6", "1300e3"},
    {".001e12", "1e9"},
    {"1000e-12", "1e-9"},
    {"0.001e0", "1e-3"},
    {"100.035k", "100.035k"},
    {"10.035M", "10.035M"},
    {"0.0005k", "500m"},
    {"7.123456M", "7.123456M"},
    {"0.001T", "1G"},
    {"0.0000000001", "1n"},
    {"3.001n", "4n"},
    {"0.00000012345", "124n"},
    {"1.1E-9", "2e-9"},
    {"9Ei", "9223372036854775807"},
    {"9223372036854775807Ki", "9223372036854775807"},
    {"12E", "12E"},
    {"100.035Ki", "102435840m"},
    {"0.5Mi", "512Ki"},
    {".001Ki", "1024m"},
    {".000000000001Ki", "2n"},
    {"-1.5Gi", "-1536Mi"},
    {"-.001Ki", "-1024m"},
    {"-3.001n", "-4n"},
    {"500Ki", "500Ki"},
    {"512Ki", "512Ki"},
    {"2048Ki", "2Mi"},
    {"1.08", "1080m"},
    {"1080000000n", "1080m"},
    /* kept as they are */
    {"1.500", "1.500"},
    {"+1", "+1"},
    {"01", "01"},
    /* the mantissa grows past the largest suffix */
    {"12000E", "12000E"},
    {"1e100", "10e99"},
    {"123456789012345678901234567890", "123456789012345678901234567890"},
    {"1e2147483647", "10e2147483646"},
    {"1e-2147483647", "1e-9"},
    {"", NULL},
    {"1.1.M", NULL},
    {"1+1.0M", NULL},
    {"0.1mi", NULL},
    {"0.1am", NULL},
    {"aoeu", NULL},
    {".5i", NULL},
    {"1i", NULL},
    {"-3.01e-", NULL},
    {" 1", NULL},
    {"1 ", NULL},
    {"1e99999999999", NULL},
    {"1ee3", NULL},
    {"1e+-3", NULL},
    {"1KiKi", NULL},
};

START_TEST(canonical_text)
{
    for (size_t i = 0; i < N_ELEMENTS(canonical_rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        const struct row *r = &canonical_rows[i];
        struct text out = TEXT("(none)");
        bool ok = quantity_canonical(a, text_of(r->in), &out);
        ck_assert_msg(ok == (r->out != NULL), "%s: read %d", r->in, ok);
        ck_assert_msg(ok == !quantity_problem(text_of(r->in)), "%s: problem", r->in);
        if (ok)
            ck_assert_msg(text_is(out, r->out), "%s: expected %s, got %.*s", r->in, r->out, TEXT_ARG(out));
    }
}
END_TEST

START_TEST(canonical_text_is_stable_and_equal)
{
    for (size_t i = 0; i < N_ELEMENTS(canonical_rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct text in = text_of(canonical_rows[i].in), once, twice;
        if (!quantity_canonical(a, in, &once))
            continue;
        ck_assert(quantity_canonical(a, once, &twice));
        ck_assert_msg(text_eq(once, twice), "%.*s: then %.*s", TEXT_ARG(once), TEXT_ARG(twice));
        ck_assert_msg(quantity_cmp(in, once) == 0, "%.*s differs from %.*s", TEXT_ARG(in), TEXT_ARG(once));
    }
}
END_TEST

START_TEST(compares_across_suffixes)
{
    static const struct {
        const char *x, *y;
        int expect;
    } rows[] = {
        {"0", "0", 0},          {"100m", "50m", 1},        {"50m", "100m", -1},  {"10000T", "100Gi", 1},
        {"1Ki", "1024", 0},     {"1k", "1Ki", -1},         {"-1", "1", -1},      {"-2", "-1", -1},
        {"0", "-1n", 1},        {"1e3", "1k", 0},          {"1e100", "1e99", 1}, {"-0", "0", 0},
        {"1.5Gi", "1536Mi", 0}, {"1e2147483647", "1n", 1}, {"9.01", "9010m", 0}, {"9.011", "9010m", 1},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        ck_assert_msg(quantity_cmp(text_of(rows[i].x), text_of(rows[i].y)) == rows[i].expect, "%s %s",
                      rows[i].x, rows[i].y);
        ck_assert_int_eq(quantity_cmp(text_of(rows[i].y), text_of(rows[i].x)), -rows[i].expect);
    }
}
END_TEST

START_TEST(adds_and_subtracts)
{
    static const struct {
        const char *x, *y, *sum, *difference;
    } rows[] = {
        {"100m", "0", "100m", "100m"},
        {"0", "1Gi", "1Gi", "-1Gi"},
        {"1", "500m", "1500m", "500m"},
        {"1Gi", "512Mi", "1536Mi", "512Mi"},
        {"1Gi", "1", "1073741825", "1073741823"},
        {"1k", "1k", "2k", "0"},
        {"1", "3", "4", "-2"},
        {"-1", "1", "0", "-2"},
        {"1e3", "1", "1001", "999"},
        {"9223372036854775807", "1", "9223372036854775808", "9223372036854775806"},
        {"1", "1n", "1000000001n", "999999999n"},
        {"999999999999999999", "1", "1E", "999999999999999998"},
        {"1Ki", "100m", "1024100m", "1023900m"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct text out;
        ck_assert(quantity_add(a, text_of(rows[i].x), text_of(rows[i].y), &out));
        ck_assert_msg(text_is(out, rows[i].sum), "%s + %s = %.*s", rows[i].x, rows[i].y, TEXT_ARG(out));
        ck_assert(quantity_sub(a, text_of(rows[i].x), text_of(rows[i].y), &out));
        ck_assert_msg(text_is(out, rows[i].difference), "%s - %s = %.*s", rows[i].x, rows[i].y,
                      TEXT_ARG(out));
    }
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text out;
    ck_assert(!quantity_add(a, TEXT("1e2000000000"), TEXT("1"), &out));
    ck_assert(!quantity_add(a, TEXT("x"), TEXT("1"), &out));
}
END_TEST

START_TEST(values_round_up)
{
    static const struct {
        const char *in;
        int64_t value, milli;
    } rows[] = {
        {"0", 0, 0},
        {"1", 1, 1000},
        {"1m", 1, 1},
        {"1n", 1, 1},
        {"1.5", 2, 1500},
        {"-1.5", -2, -1500},
        {"1Ki", 1024, 1024000},
        {"1e3", 1000, 1000000},
        {"9223372036854775807", INT64_MAX, INT64_MAX},
        {"12E", INT64_MAX, INT64_MAX},
        {"-12E", INT64_MIN, INT64_MIN},
        {"9E", 9000000000000000000, INT64_MAX},
        {"1e2147483647", INT64_MAX, INT64_MAX},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        ck_assert_msg(quantity_value(text_of(rows[i].in)) == rows[i].value, "%s", rows[i].in);
        ck_assert_msg(quantity_milli_value(text_of(rows[i].in)) == rows[i].milli, "%s", rows[i].in);
    }
    ck_assert_int_eq(quantity_sign(TEXT("-1n")), -1);
    ck_assert_int_eq(quantity_sign(TEXT("0Gi")), 0);
}
END_TEST

START_TEST(rounds_and_makes)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text out;
    ck_assert(quantity_round_milli(a, TEXT("1u"), &out) && text_is(out, "1m"));
    ck_assert(quantity_round_milli(a, TEXT("1000001n"), &out) && text_is(out, "2m"));
    ck_assert(quantity_round_milli(a, TEXT("-1000001n"), &out) && text_is(out, "-2m"));
    ck_assert(quantity_round_milli(a, TEXT("1.500"), &out) && text_is(out, "1.500"));
    ck_assert(quantity_round_milli(a, TEXT("1Gi"), &out) && text_is(out, "1Gi"));
    ck_assert(text_is(quantity_of(a, 1234000, false), "1234k"));
    ck_assert(text_is(quantity_of(a, 1 << 20, true), "1Mi"));
    ck_assert(text_is(quantity_of(a, 0, true), "0"));
    ck_assert(text_is(quantity_of(a, INT64_MIN, false), "-9223372036854775808"));
    ck_assert(text_is(quantity_of_milli(a, 1234000), "1234"));
    ck_assert(text_is(quantity_of_milli(a, 1024), "1024m"));
}
END_TEST

START_TEST(long_numbers_are_refused)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    char digits[QUANTITY_DIGITS_MAX + 3];
    struct text out;
    memset(digits, '9', sizeof(digits));
    memcpy(digits + QUANTITY_DIGITS_MAX, "Ei", 2);
    ck_assert(quantity_canonical(a, (struct text){digits, QUANTITY_DIGITS_MAX}, &out));
    ck_assert(quantity_canonical(a, (struct text){digits, QUANTITY_DIGITS_MAX + 2}, &out));
    ck_assert(text_is(out, "9223372036854775807"));
    memset(digits, '9', sizeof(digits));
    ck_assert(!quantity_canonical(a, (struct text){digits, QUANTITY_DIGITS_MAX + 1}, &out));
}
END_TEST

UNIT_MAIN("quantity", canonical_text, canonical_text_is_stable_and_equal, compares_across_suffixes,
          adds_and_subtracts, values_round_up, rounds_and_makes, long_numbers_are_refused)
