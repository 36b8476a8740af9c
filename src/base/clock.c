/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the system, or one fake one that stands still. Calendar arithmetic is done here: libc's goes through
 * time zones and locks. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL

static atomic_bool is_fake;
static _Atomic int64_t fake_ns;
static _Atomic(void (*)(void)) on_turn;

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_ns) : read_ns(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_ns) : read_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

bool clock_is_fake(void)
{
    return atomic_load(&is_fake);
}

void clock_on_turn(void (*fn)(void))
{
    atomic_store(&on_turn, fn);
}

static void turned(void)
{
    void (*fn)(void) = atomic_load(&on_turn);
    if (fn)
        fn();
}

void clock_fake(int64_t wall_ns)
{
    atomic_store(&fake_ns, wall_ns);
    atomic_store(&is_fake, true);
    turned();
}

void clock_fake_advance_ms(int64_t ms)
{
    atomic_fetch_add(&fake_ns, ms * NS_PER_MS);
    turned();
}

void clock_real(void)
{
    atomic_store(&is_fake, false);
    turned();
}

/* --- RFC 3339 --- */

/* Days since 1970-01-01 of a day in the Gregorian calendar. Years are counted from March, so that the leap day is the
 * last of its year, and in eras of 400 years, which all have the same length. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *ret_month = shifted < 10 ? shifted + 3 : shifted - 9;
    *ret_year = (int64_t)year_of_era + era * 400 + (*ret_month <= 2);
}

static char *put_digits(char *at, unsigned value, unsigned n)
{
    for (unsigned i = n; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + n;
}

static struct text format(int64_t wall_ns, char *dst, bool micros)
{
    int64_t s = wall_ns / NS_PER_S, ns = wall_ns % NS_PER_S, year;
    unsigned month, day;
    if (ns < 0) {
        ns += NS_PER_S;
        s--;
    }
    int64_t days = s / 86400, of_day = s % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    date_of(days, &year, &month, &day); /* an int64 of nanoseconds spans 1677 to 2262 */
    char *p = put_digits(dst, (unsigned)year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, (unsigned)of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, (unsigned)of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, (unsigned)of_day % 60, 2);
    if (micros) {
        *p++ = '.';
        p = put_digits(p, (unsigned)(ns / 1000), 6);
    }
    *p++ = 'Z';
    *p = '\0';
    return (struct text){dst, (size_t)(p - dst)};
}

struct text clock_rfc3339(int64_t wall_ns, char *dst)
{
    return format(wall_ns, dst, false);
}

struct text clock_rfc3339_micro(int64_t wall_ns, char *dst)
{
    return format(wall_ns, dst, true);
}

/* Takes n digits off the front. */
static bool take_digits(struct text *t, size_t n, unsigned *ret)
{
    uint64_t v;
    if (t->n < n || !text_to_u64(text_first(*t, n), &v))
        return false;
    *t = text_from(*t, n);
    *ret = (unsigned)v;
    return true;
}

static bool take_char(struct text *t, char c)
{
    if (t->n == 0 || t->p[0] != c)
        return false;
    *t = text_from(*t, 1);
    return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* ".123" or, as Go reads it, ",123"; digits past the ninth are dropped. */
static bool take_fraction(struct text *t, int64_t *ret_ns)
{
    int64_t scale = NS_PER_S / 10, ns = 0;
    size_t n = 0;
    if (!take_char(t, '.') && !take_char(t, ','))
        return true;
    for (unsigned digit; t->n && take_digits(t, 1, &digit); n++) {
        ns += digit * scale;
        scale /= 10;
    }
    *ret_ns = ns;
    return n > 0;
}

/* "Z" or "+hh:mm", in seconds. */
static bool take_offset(struct text *t, int64_t *ret_s)
{
    unsigned hours, minutes;
    *ret_s = 0;
    if (take_char(t, 'Z'))
        return true;
    bool west = take_char(t, '-');
    if (!west && !take_char(t, '+'))
        return false;
    if (!take_digits(t, 2, &hours) || !take_char(t, ':') || !take_digits(t, 2, &minutes) || hours > 24 ||
        minutes > 60)
        return false;
    *ret_s = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool clock_parse_rfc3339(struct text t, int64_t *ret_wall_ns)
{
    unsigned year, month, day, h, m, s;
    int64_t ns = 0, offset, wall;
    if (!take_digits(&t, 4, &year) || !take_char(&t, '-') || !take_digits(&t, 2, &month) || !take_char(&t, '-') ||
        !take_digits(&t, 2, &day) || !take_char(&t, 'T') || !take_digits(&t, 2, &h) || !take_char(&t, ':') ||
        !take_digits(&t, 2, &m) || !take_char(&t, ':') || !take_digits(&t, 2, &s))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || h > 23 || m > 59 || s > 59)
        return false;
    if (!take_fraction(&t, &ns) || !take_offset(&t, &offset) || t.n != 0)
        return false;
    int64_t seconds = days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s - offset;
    /* Years that nanoseconds in an int64 do not reach are taken as the nearest that they do. */
    if (__builtin_mul_overflow(seconds, NS_PER_S, &wall) || __builtin_add_overflow(wall, ns, &wall))
        wall = seconds < 0 ? INT64_MIN : INT64_MAX;
    *ret_wall_ns = wall;
    return true;
}
