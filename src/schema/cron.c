/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules in cron's notation: five fields, each a list of values, ranges and steps. Only whether one is
 * right is asked here. */
#include "schema/formats.h"

#include "base/duration.h"
#include "base/macros.h"

struct bounds {
    unsigned min, max;
    const char *names; /* of three letters each, the first of which is min; NULL: none */
};
static const struct bounds bounds[] = {{0, 59, NULL},
                                       {0, 23, NULL},
                                       {1, 31, NULL},
                                       {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                                       {0, 6, "sunmontuewedthufrisat"}};

static const char *number_problem(struct arena *a, struct text t, int64_t *ret)
{
    if (!text_to_i64(t, ret))
        return arena_printf(a,
                            "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": invalid syntax",
                            TEXT_ARG(t), TEXT_ARG(t));
    if (*ret < 0)
        return arena_printf(a, "negative number (%lld) not allowed: %.*s", (long long)*ret, TEXT_ARG(t));
    return NULL;
}

static const char *value_problem(struct arena *a, const struct bounds *b, struct text t, int64_t *ret)
{
    struct text lower = arena_lower(a, t);

    for (unsigned i = 0; b->names && t.n == 3 && i <= b->max - b->min; i++) {
        if (memcmp(b->names + 3 * (size_t)i, lower.p, 3) == 0) {
            *ret = b->min + i;
            return NULL;
        }
    }
    return number_problem(a, t, ret);
}

/* Cuts t before the first c; *rest is what follows. */
static bool cut(struct text *t, char c, struct text *rest)
{
    ptrdiff_t at = text_find(*t, c);

    if (at < 0)
        return false;
    *rest = text_from(*t, (size_t)at + 1);
    *t = text_first(*t, (size_t)at);
    return true;
}

/* "*", "1", "1-5", each perhaps with "/2" behind it */
static const char *range_problem(struct arena *a, const struct bounds *b, struct text expression)
{
    struct text low = expression, high = TEXT_NONE, steps = TEXT_NONE;
    bool has_steps = cut(&low, '/', &steps), has_high = cut(&low, '-', &high);
    int64_t start = b->min, end = b->max, step = 1;
    const char *problem = NULL;

    if (!text_is(low, "*") && !text_is(low, "?")) {
        problem = value_problem(a, b, low, &start);
        end = start;
        if (!problem && has_high && text_find(high, '-') >= 0)
            return arena_printf(a, "too many hyphens: %.*s", TEXT_ARG(expression));
        if (!problem && has_high)
            problem = value_problem(a, b, high, &end);
    }
    if (problem)
        return problem;
    if (has_steps && text_find(steps, '/') >= 0)
        return arena_printf(a, "too many slashes: %.*s", TEXT_ARG(expression));
    if (has_steps && (problem = number_problem(a, steps, &step)))
        return problem;
    if (has_steps && !has_high)
        end = b->max;
    if (start < b->min)
        return arena_printf(a, "beginning of range (%lld) below minimum (%u): %.*s", (long long)start, b->min,
                            TEXT_ARG(expression));
    if (end > b->max)
        return arena_printf(a, "end of range (%lld) above maximum (%u): %.*s", (long long)end, b->max,
                            TEXT_ARG(expression));
    if (start > end)
        return arena_printf(a, "beginning of range (%lld) beyond end of range (%lld): %.*s", (long long)start,
                            (long long)end, TEXT_ARG(expression));
    return step ? NULL
                : arena_printf(a, "step of range should be a positive number: %.*s", TEXT_ARG(expression));
}

static const char *descriptor_problem(struct arena *a, struct text t)
{
    static const char *const known[] = {"@yearly", "@annually", "@monthly", "@weekly",
                                        "@daily",  "@midnight", "@hourly"};
    int64_t ns;

    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (text_is(t, known[i]))
            return NULL;
    if (!text_starts(t, TEXT("@every ")))
        return arena_printf(a, "unrecognized descriptor: %.*s", TEXT_ARG(t));
    return duration_parse(text_from(t, strlen("@every ")), &ns)
               ? NULL
               : arena_printf(a, "failed to parse duration %.*s", TEXT_ARG(t));
}

const char *format_cron(struct arena *a, struct text t)
{
    struct text all = t, field, range;
    const char *problem = NULL;
    size_t n = 0;

    if (text_starts(t, TEXT("TZ=")) || text_starts(t, TEXT("CRON_TZ="))) {
        if (!cut(&t, ' ', &all)) /* upstream's parser panics */
            return "invalid schedule format: runtime error: slice bounds out of range [:-1]";
        t = all;
    }
    if (!t.n)
        return "empty spec string";
    if (t.p[0] == '@')
        return descriptor_problem(a, t);
    for (struct text rest = t; text_split(&rest, ' ', &field);)
        n += field.n > 0;
    if (n != N_ELEMENTS(bounds))
        return arena_printf(a, "expected exactly 5 fields, found %zu: [%.*s]", n, TEXT_ARG(t));
    n = 0;
    for (struct text rest = t; !problem && text_split(&rest, ' ', &field);) {
        if (!field.n)
            continue;
        while (!problem && text_split(&field, ',', &range))
            if (range.n)
                problem = range_problem(a, &bounds[n], range);
        n++;
    }
    return problem;
}
