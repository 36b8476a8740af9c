/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "unit.h"

#define S 1000000000LL

START_TEST(times_are_read_and_written)
{
    static const struct {
        const char *in;
        bool ok;
        const char *out; /* with six decimals */
    } rows[] = {
        {"1970-01-01T00:00:00Z", true, "1970-01-01T00:00:00.000000Z"},
        {"2026-01-02T03:04:05Z", true, "2026-01-02T03:04:05.000000Z"},
        {"2024-02-29T23:59:59.5Z", true, "2024-02-29T23:59:59.500000Z"},
        {"2026-01-02T03:04:05.123456789Z", true, "2026-01-02T03:04:05.123456Z"},
        {"2026-01-02T03:04:05.1234567891234Z", true, "2026-01-02T03:04:05.123456Z"},
        {"2026-01-02T03:04:05+02:00", true, "2026-01-02T01:04:05.000000Z"},
        {"2026-01-01T00:30:00+01:00", true, "2025-12-31T23:30:00.000000Z"},
        {"2026-12-31T23:30:00-01:30", true, "2027-01-01T01:00:00.000000Z"},
        {"1969-12-31T23:59:59.999999Z", true, "1969-12-31T23:59:59.999999Z"},
        {"1900-03-01T00:00:00Z", true, "1900-03-01T00:00:00.000000Z"},
        {"2000-02-29T00:00:00Z", true, "2000-02-29T00:00:00.000000Z"},
        {"2023-02-29T00:00:00Z", false, NULL},
        {"1900-02-29T00:00:00Z", false, NULL},
        {"2026-13-01T00:00:00Z", false, NULL},
        {"2026-00-01T00:00:00Z", false, NULL},
        {"2026-01-32T00:00:00Z", false, NULL},
        {"2026-01-01T24:00:00Z", false, NULL},
        {"2026-01-01T00:60:00Z", false, NULL},
        {"2026-01-01T00:00:60Z", false, NULL},
        {"2026-01-01 00:00:00Z", false, NULL},
        {"2026-01-01t00:00:00Z", false, NULL},
        {"2026-01-01T00:00:00", false, NULL},
        {"2026-01-01T00:00:00.Z", false, NULL},
        {"2026-01-01T00:00:00z", false, NULL},
        {"2026-01-01T00:00:00Zx", false, NULL},
        {"2026-01-01T00:00:00+0200", false, NULL},
        {"2026-1-01T00:00:00Z", false, NULL},
        {"-026-01-01T00:00:00Z", false, NULL},
        {"2026-01-01", false, NULL},
        {"", false, NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int64_t ns = 77;
        char text[CLOCK_TEXT_MAX];
        ck_assert_msg(clock_parse_rfc3339(text_of(rows[i].in), &ns) == rows[i].ok, "%s", rows[i].in);
        if (rows[i].ok)
            ck_assert_str_eq(clock_rfc3339_micro(ns, text).p, rows[i].out);
        else
            ck_assert_int_eq(ns, 77);
    }
}
END_TEST

/* Every day of 400 years, and a time of day, against libc. */
START_TEST(days_agree_with_libc)
{
    for (int64_t day = -106000; day < 106000; day++) {
        time_t s = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
        struct tm tm;
        char ours[CLOCK_TEXT_MAX], theirs[CLOCK_TEXT_MAX];
        int64_t back;
        gmtime_r(&s, &tm);
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
        struct text t = clock_rfc3339(s * S, ours);
        if (strcmp(ours, theirs) != 0)
            ck_abort_msg("%s, not %s", ours, theirs);
        if (!clock_parse_rfc3339(t, &back) || back != s * S)
            ck_abort_msg("%s is not read back", ours);
    }
}
END_TEST

START_TEST(years_out_of_range_are_capped)
{
    int64_t ns;
    ck_assert(clock_parse_rfc3339(TEXT("9999-12-31T23:59:59Z"), &ns));
    ck_assert_int_eq(ns, INT64_MAX);
    ck_assert(clock_parse_rfc3339(TEXT("0001-01-01T00:00:00Z"), &ns));
    ck_assert_int_eq(ns, INT64_MIN);
}
END_TEST

START_TEST(the_fake_clock_stands_still)
{
    clock_fake(1000 * S);
    ck_assert(clock_is_fake());
    ck_assert_int_eq(clock_now_ns(), 1000 * S);
    ck_assert_int_eq(clock_mono_ms(), 1000000);
    clock_fake_advance_ms(1500);
    ck_assert_int_eq(clock_now_ns(), 1001 * S + S / 2);
    ck_assert_int_eq(clock_mono_ns(), clock_now_ns());
    clock_real();
    ck_assert_int_gt(clock_now_ns(), 1700000000 * S);
    int64_t before = clock_mono_ns();
    ck_assert_int_ge(clock_mono_ns(), before);
}
END_TEST

UNIT_MAIN("base/clock", times_are_read_and_written, days_agree_with_libc, years_out_of_range_are_capped,
          the_fake_clock_stands_still)
