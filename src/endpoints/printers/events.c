/* SPDX-License-Identifier: Apache-2.0 */
/* Events, of the old and of the new API: the new one has eventTime and series instead of first, last and count. */
#include "endpoints/printers/printers.h"

static struct text first_seen(const struct value *o)
{
    struct text time = value_find_text(o, "firstTimestamp");

    return time.n ? time : value_find_text(o, "eventTime");
}

static void print_first_seen(struct row *r, struct text arg)
{
    row_age(r, first_seen(r->o));
}

static void print_last_seen(struct row *r, struct text arg)
{
    struct text time = value_find_text(r->o, "lastTimestamp");

    if (value_find(r->o, "series"))
        time = value_find_text(r->o, "series.lastObservedTime");
    else if (!time.n)
        time = first_seen(r->o);
    row_age(r, time);
}

static void print_count(struct row *r, struct text arg)
{
    int64_t count = value_find_int(r->o, TEXT("count"), 0);

    if (value_find(r->o, "series"))
        count = value_find_int(r->o, TEXT("series.count"), 0);
    else if (count == 0)
        count = 1;
    row_int(r, count);
}

static void print_object(struct row *r, struct text arg)
{
    struct text name = value_find_text(r->o, "involvedObject.name");
    struct buffer b = BUFFER_IN(r->a);

    add_lower(&b, value_find_text(r->o, "involvedObject.kind"));
    if (name.n)
        buffer_addf(&b, "/%.*s", TEXT_ARG(name));
    row_buffer(r, &b);
}

static void print_source(struct row *r, struct text arg)
{
    struct text component = value_find_text(r->o, "source.component"), host = value_find_text(r->o, "source.host");

    if (!component.n)
        component = value_find_text(r->o, "reportingComponent");
    if (!host.n)
        host = value_find_text(r->o, "reportingInstance");
    row_text(r, arena_textf(r->a, "%.*s%s%.*s", TEXT_ARG(component), host.n ? ", " : "", TEXT_ARG(host)));
}

static void print_message(struct row *r, struct text arg)
{
    row_text(r, text_trim(value_find_text(r->o, "message")));
}

const struct printer event_printers[] = {
    {"event_last_seen", print_last_seen},
    {"event_first_seen", print_first_seen},
    {"event_count", print_count},
    {"event_object", print_object},
    {"event_source", print_source},
    {"event_message", print_message},
    {NULL, NULL},
};
