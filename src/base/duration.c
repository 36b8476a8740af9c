/* SPDX-License-Identifier: Apache-2.0 */
/* Go's durations. Source: Go's time.ParseDuration and Duration.String. */
#include "base/duration.h"

#include <string.h>

#include "base/status.h"

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},          {"us", 1000},        {"\xc2\xb5s", 1000},       {"\xce\xbcs", 1000},
    {"ms", 1000000},    {"s", 1000000000},   {"m", 60 * 1000000000LL}, {"h", 3600 * 1000000000LL},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t unit_ns(struct text name)
{
    for (size_t i = 0; i < N_ELEMENTS(units); i++)
        if (text_is(name, units[i].name))
            return units[i].ns;
    return 0;
}

enum problem { PROBLEM_NONE, PROBLEM_INVALID, PROBLEM_NO_UNIT, PROBLEM_UNKNOWN_UNIT };

/* One number and its unit off *t, added to *sum; *ret_unit is the unit's name. */
static enum problem parse_part(struct text *t, unsigned __int128 *sum, struct text *ret_unit)
{
    unsigned __int128 whole = 0, fraction = 0, scale = 1;
    size_t i = 0, digits = 0;

    for (; i < t->n && is_digit(t->p[i]); i++, digits++) {
        whole = whole * 10 + (unsigned)(t->p[i] - '0');
        if (whole > INT64_MAX)
            return PROBLEM_INVALID;
    }
    if (i < t->n && t->p[i] == '.') {
        for (i++; i < t->n && is_digit(t->p[i]); i++, digits++) {
            if (scale > (unsigned __int128)1000000000000000LL)
                continue; /* finer than any unit shows */
            fraction = fraction * 10 + (unsigned)(t->p[i] - '0');
            scale *= 10;
        }
    }
    if (!digits)
        return PROBLEM_INVALID;
    size_t start = i;
    while (i < t->n && t->p[i] != '.' && !is_digit(t->p[i]))
        i++;
    *ret_unit = (struct text){t->p + start, i - start};
    int64_t ns = unit_ns(*ret_unit);
    if (!ns)
        return i == start ? PROBLEM_NO_UNIT : PROBLEM_UNKNOWN_UNIT;
    *sum += whole * (unsigned __int128)ns + fraction * (unsigned __int128)ns / scale;
    *t = text_from(*t, i);
    return *sum <= (unsigned __int128)INT64_MAX + 1 ? PROBLEM_NONE : PROBLEM_INVALID;
}

static enum problem parse(struct text t, int64_t *ret_ns, struct text *ret_unit)
{
    bool negative = t.n && t.p[0] == '-';
    enum problem problem = PROBLEM_NONE;
    unsigned __int128 sum = 0;

    if (t.n && (t.p[0] == '-' || t.p[0] == '+'))
        t = text_from(t, 1);
    if (text_is(t, "0")) {
        *ret_ns = 0;
        return PROBLEM_NONE;
    }
    if (!t.n)
        return PROBLEM_INVALID;
    while (t.n && problem == PROBLEM_NONE)
        problem = parse_part(&t, &sum, ret_unit);
    if (problem == PROBLEM_NONE && !negative && sum > INT64_MAX)
        problem = PROBLEM_INVALID;
    if (problem == PROBLEM_NONE)
        *ret_ns = negative ? (int64_t)-sum : (int64_t)sum;
    return problem;
}

bool duration_parse(struct text t, int64_t *ret_ns)
{
    struct text unit;
    return parse(t, ret_ns, &unit) == PROBLEM_NONE;
}

int duration_read(struct text t, int64_t *ret_ns, struct status *st)
{
    static const char *const words[] = {
        [PROBLEM_INVALID] = "invalid", [PROBLEM_NO_UNIT] = "missing unit in", [PROBLEM_UNKNOWN_UNIT] = "unknown unit"};
    CLEANUP(buffer_deinit) struct buffer b = {0};
    struct text unit;
    enum problem problem = parse(t, ret_ns, &unit);

    if (problem == PROBLEM_NONE)
        return 0;
    buffer_addf(&b, "time: %s ", words[problem]);
    if (problem == PROBLEM_UNKNOWN_UNIT) {
        buffer_add_quoted(&b, unit);
        buffer_add_str(&b, " in ");
    }
    buffer_add_str(&b, "duration ");
    buffer_add_quoted(&b, t);
    return status_set(st, STATUS_BAD_REQUEST, "%s", buffer_str(&b));
}

/* value / 10^decimals without trailing zeros. */
static void add_decimal(struct buffer *b, uint64_t value, unsigned decimals)
{
    char digits[32];
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    buffer_add_u64(b, value / scale);
    uint64_t rest = value % scale;
    if (!rest)
        return;
    for (unsigned i = decimals; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    size_t n = decimals;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    buffer_add_char(b, '.');
    buffer_add_bytes(b, digits, n);
}

void duration_add(struct buffer *b, int64_t ns)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    if (ns < 0)
        buffer_add_char(b, '-');
    if (u < 1000000000) {
        static const struct {
            uint64_t below;
            unsigned decimals;
            const char *unit;
        } small[] = {{1000, 0, "ns"}, {1000000, 3, "\xc2\xb5s"}, {1000000000, 6, "ms"}};
        size_t i = 0;
        while (u >= small[i].below)
            i++;
        if (!u)
            return buffer_add(b, TEXT("0s"));
        add_decimal(b, u, small[i].decimals);
        return buffer_add_str(b, small[i].unit);
    }
    uint64_t minutes = u / 60000000000ULL;
    if (minutes >= 60) {
        buffer_add_u64(b, minutes / 60);
        buffer_add_char(b, 'h');
    }
    if (minutes) {
        buffer_add_u64(b, minutes % 60);
        buffer_add_char(b, 'm');
    }
    add_decimal(b, u % 60000000000ULL, 9);
    buffer_add_char(b, 's');
}
