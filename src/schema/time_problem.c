/* SPDX-License-Identifier: Apache-2.0 */
/* Why a text is no time, in the words of Go's time.Parse: it names the rest of the text and the part of the layout that it does
 * not fit. Clients show these words, so a bad timestamp in a manifest is found by them. */
#include "schema/time_problem.h"

struct part {
    const char *layout; /* as Go prints it */
    int digits_min, digits_max; /* 0: the layout is literal text */
    int low, high;
    const char *name; /* for "NAME out of range" */
};

static const struct part parts[] = {
    {"2006", 4, 4, 0, 9999, "year"}, {"-", 0, 0, 0, 0, NULL},        {"01", 2, 2, 1, 12, "month"},
    {"-", 0, 0, 0, 0, NULL},         {"02", 2, 2, 1, 31, "day"},     {"T", 0, 0, 0, 0, NULL},
    {"15", 1, 2, 0, 23, "hour"},     {":", 0, 0, 0, 0, NULL},        {"04", 2, 2, 0, 59, "minute"},
    {":", 0, 0, 0, 0, NULL},         {"05", 2, 2, 0, 59, "second"},
};

static bool is_digit(struct text t, size_t i)
{
    return i < t.n && t.p[i] >= '0' && t.p[i] <= '9';
}

/* Takes the part off *rest. False: it does not fit; *ret_in_range otherwise. */
static bool take(const struct part *p, struct text *rest, bool *ret_in_range)
{
    int value = 0, n = 0;

    *ret_in_range = true;
    if (!p->digits_max) {
        if (!rest->n || *rest->p != *p->layout)
            return false;
        *rest = text_from(*rest, 1);
        return true;
    }
    for (; n < p->digits_max && is_digit(*rest, (size_t)n); n++)
        value = value * 10 + (rest->p[n] - '0');
    if (n < p->digits_min)
        return false;
    *rest = text_from(*rest, (size_t)n);
    *ret_in_range = value >= p->low && value <= p->high;
    return true;
}

/* Z or +07:00, the zone of RFC 3339. */
static bool take_zone(struct text *rest)
{
    if (rest->n && *rest->p == 'Z') {
        *rest = text_from(*rest, 1);
        return true;
    }
    if (rest->n < 6 || (*rest->p != '+' && *rest->p != '-') || rest->p[3] != ':' || !is_digit(*rest, 1) ||
        !is_digit(*rest, 2) || !is_digit(*rest, 4) || !is_digit(*rest, 5))
        return false;
    *rest = text_from(*rest, 6);
    return true;
}

static void cannot_parse(struct buffer *b, struct text t, const char *layout, struct text rest, const char *part)
{
    buffer_add_str(b, "parsing time ");
    buffer_add_quoted(b, t);
    buffer_add_str(b, " as ");
    buffer_add_quoted(b, text_of(layout));
    buffer_add_str(b, ": cannot parse ");
    buffer_add_quoted(b, rest);
    buffer_add_str(b, " as ");
    buffer_add_quoted(b, text_of(part));
}

static void out_of_range(struct buffer *b, struct text t, const char *name)
{
    buffer_add_str(b, "parsing time ");
    buffer_add_quoted(b, t);
    buffer_addf(b, ": %s out of range", name);
}

void time_problem(struct buffer *b, struct text t, bool is_micro)
{
    const char *layout = is_micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
    struct text rest = t;

    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        struct text before = rest;
        bool is_in_range;
        if (!take(&parts[i], &rest, &is_in_range)) {
            cannot_parse(b, t, layout, before, parts[i].layout);
            return;
        }
        if (!is_in_range) {
            out_of_range(b, t, parts[i].name);
            return;
        }
    }
    if (rest.n > 1 && (*rest.p == '.' || *rest.p == ',') && is_digit(rest, 1)) {
        size_t n = 1;
        while (is_digit(rest, n))
            n++;
        rest = text_from(rest, n);
    }
    struct text zone = rest;
    if (!take_zone(&rest)) {
        cannot_parse(b, t, layout, zone, "Z07:00");
    } else if (rest.n) {
        buffer_add_str(b, "parsing time ");
        buffer_add_quoted(b, t);
        buffer_add_str(b, ": extra text: ");
        buffer_add_quoted(b, rest);
    } else { /* the month has fewer days, or the zone is too far off */
        out_of_range(b, t, zone.n && *zone.p == 'Z' ? "day" : "time zone offset");
    }
}
