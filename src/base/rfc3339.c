/* SPDX-License-Identifier: Apache-2.0 */
/* Times as RFC 3339 has them, by the proleptic Gregorian calendar. Years are counted from March, so that the leap day is
 * the last of its year, and in eras of 400 years, which all have the same length. libc's calendar goes through time zones
 * and locks. */
#include "base/clock.h"

#define NS_PER_S 1000000000LL

static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static bool digits(struct text t, size_t at, size_t n, int *ret)
{
    int v = 0;
    if (at + n > t.n)
        return false;
    for (size_t i = at; i < at + n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
        v = v * 10 + (t.p[i] - '0');
    }
    *ret = v;
    return true;
}

static bool is_date(int year, int month, int day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

/* "Z" or "+01:00", the whole of t. */
static bool read_offset(struct text t, int64_t *ret_seconds)
{
    int hours, minutes;
    *ret_seconds = 0;
    if (t.n == 1 && t.p[0] == 'Z')
        return true;
    if (t.n != 6 || (t.p[0] != '+' && t.p[0] != '-') || t.p[3] != ':' || !digits(t, 1, 2, &hours) ||
        !digits(t, 4, 2, &minutes) || hours > 24 || minutes > 60)
        return false;
    *ret_seconds = (hours * 3600 + minutes * 60) * (t.p[0] == '-' ? -1 : 1);
    return true;
}

bool clock_read_seconds(struct text t, int64_t *ret_seconds, int32_t *ret_nanos)
{
    int year, month, day, hour, minute, second;
    int64_t offset;
    int32_t nanos = 0;
    if (!digits(t, 0, 4, &year) || !digits(t, 5, 2, &month) || !digits(t, 8, 2, &day) ||
        !digits(t, 11, 2, &hour) || !digits(t, 14, 2, &minute) || !digits(t, 17, 2, &second) ||
        t.p[4] != '-' || t.p[7] != '-' || t.p[10] != 'T' || t.p[13] != ':' || t.p[16] != ':' ||
        !is_date(year, month, day) || hour > 23 || minute > 59 || second > 59)
        return false;
    size_t at = 19;
    if (at + 1 < t.n && (t.p[at] == '.' || t.p[at] == ',')) {
        int32_t unit = 100000000;
        size_t first = ++at;
        for (; at < t.n && t.p[at] >= '0' && t.p[at] <= '9'; at++, unit /= 10)
            nanos += (t.p[at] - '0') * unit;
        if (at == first)
            return false;
    }
    if (!read_offset(text_from(t, at), &offset))
        return false;
    *ret_seconds =
        days_of(year, (unsigned)month, (unsigned)day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    *ret_nanos = nanos;
    return true;
}

static char *put(char *p, int v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + n;
}

struct text clock_write_seconds(int64_t seconds, int32_t micros, char *dst)
{
    int year, month, day;
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    date_of(days, &year, &month, &day);
    char *p = put(dst, year, 4);
    *p++ = '-';
    p = put(p, month, 2);
    *p++ = '-';
    p = put(p, day, 2);
    *p++ = 'T';
    p = put(p, (int)(rest / 3600), 2);
    *p++ = ':';
    p = put(p, (int)(rest / 60 % 60), 2);
    *p++ = ':';
    p = put(p, (int)(rest % 60), 2);
    if (micros >= 0) {
        *p++ = '.';
        p = put(p, micros, 6);
    }
    *p++ = 'Z';
    *p = '\0';
    return (struct text){dst, (size_t)(p - dst)};
}

/* --- in nanoseconds: the clock's own times --- */

static struct text write_ns(int64_t wall_ns, bool has_micros, char *dst)
{
    int64_t seconds = wall_ns / NS_PER_S, ns = wall_ns % NS_PER_S;

    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    return clock_write_seconds(seconds, has_micros ? (int32_t)(ns / 1000) : -1, dst);
}

struct text clock_rfc3339(int64_t wall_ns, char *dst)
{
    return write_ns(wall_ns, false, dst);
}

struct text clock_rfc3339_micro(int64_t wall_ns, char *dst)
{
    return write_ns(wall_ns, true, dst);
}

bool clock_parse_rfc3339(struct text t, int64_t *ret_wall_ns)
{
    int64_t seconds, wall;
    int32_t nanos;

    if (!clock_read_seconds(t, &seconds, &nanos))
        return false;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &wall) || __builtin_add_overflow(wall, nanos, &wall))
        wall = seconds < 0 ? INT64_MIN : INT64_MAX;
    *ret_wall_ns = wall;
    return true;
}
