/* SPDX-License-Identifier: Apache-2.0 */
/* What every family of printers shares: cells, texts, and the printers that take a path. */
#include "endpoints/printers/printers.h"

#include <assert.h>
#include <stdio.h>

/* --- reading -------------------------------------------------------------------------------------------------------------- */

const struct value *value_path(const struct value *v, struct text path)
{
    struct text part;

    while (v && text_split(&path, '.', &part))
        v = value_get(v, part);
    return v && v->kind != VALUE_NULL ? v : NULL;
}

int64_t value_find_int(const struct value *v, struct text path, int64_t otherwise)
{
    const struct value *found = value_path(v, path);

    return found && found->kind == VALUE_INT ? found->integer : otherwise;
}

size_t value_count(const struct value *v)
{
    return v && (v->kind == VALUE_LIST || v->kind == VALUE_OBJECT) ? v->n : 0;
}

const struct value *condition_find(const struct value *conditions, const char *type)
{
    if (!conditions || conditions->kind != VALUE_LIST)
        return NULL;
    for (size_t i = 0; i < conditions->n; i++)
        if (text_is(value_get_text(&conditions->items[i], TEXT("type")), type))
            return &conditions->items[i];
    return NULL;
}

bool condition_is_true(const struct value *conditions, const char *type)
{
    return text_is(value_get_text(condition_find(conditions, type), TEXT("status")), "True");
}

/* --- texts ---------------------------------------------------------------------------------------------------------------- */

/* "5m3s", or "5m" when there is nothing left over. */
static int two_units(char *dst, int64_t large, char large_unit, int64_t small, char small_unit)
{
    if (small == 0)
        return snprintf(dst, DURATION_TEXT_MAX, "%lld%c", (long long)large, large_unit);
    return snprintf(dst, DURATION_TEXT_MAX, "%lld%c%lld%c", (long long)large, large_unit, (long long)small, small_unit);
}

size_t duration_text(int64_t ns, char *dst)
{
    int64_t s = ns / 1000000000, m = s / 60, h = m / 60, d = h / 24;
    int n;

    if (s < -1)
        n = snprintf(dst, DURATION_TEXT_MAX, "<invalid>");
    else if (s < 0)
        n = two_units(dst, 0, 's', 0, 0);
    else if (s < 120)
        n = two_units(dst, s, 's', 0, 0);
    else if (m < 10)
        n = two_units(dst, m, 'm', s % 60, 's');
    else if (m < 180)
        n = two_units(dst, m, 'm', 0, 0);
    else if (h < 8)
        n = two_units(dst, h, 'h', m % 60, 'm');
    else if (h < 48)
        n = two_units(dst, h, 'h', 0, 0);
    else if (d < 8)
        n = two_units(dst, d, 'd', h % 24, 'h');
    else if (d < 2 * 365)
        n = two_units(dst, d, 'd', 0, 0);
    else if (d < 8 * 365)
        n = two_units(dst, d / 365, 'y', d % 365, 'd');
    else
        n = two_units(dst, d / 365, 'y', 0, 0);
    return (size_t)n;
}

struct buffer *short_list_next(struct short_list *l)
{
    if (l->n++ >= l->max)
        return NULL;
    if (l->n > 1)
        buffer_add_str(&l->b, l->separator);
    return &l->b;
}

void row_short_list(struct row *r, struct short_list *l, const char *otherwise)
{
    if (l->n > l->max)
        buffer_addf(&l->b, " + %zu more...", l->n - l->max);
    row_or(r, buffer_text(&l->b), otherwise);
}

void add_labels(struct buffer *b, const struct value *map)
{
    if (!map || map->kind != VALUE_OBJECT)
        return;
    for (size_t i = 0; i < map->n; i++) {
        if (i)
            buffer_add_char(b, ',');
        buffer_add(b, member_key(&map->members[i]));
        buffer_add_char(b, '=');
        buffer_add(b, value_text(&map->members[i].value));
    }
}

void add_lower(struct buffer *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        buffer_add_char(b, t.p[i] >= 'A' && t.p[i] <= 'Z' ? (char)(t.p[i] + 32) : t.p[i]);
}

void text_set_add(struct arena *a, struct text_set *set, struct text t)
{
    struct text_list *l = &set->list;
    size_t at = 0;

    while (at < l->n && text_cmp(l->p[at], t) < 0)
        at++;
    if (at < l->n && text_eq(l->p[at], t))
        return;
    text_list_add(a, l, t);
    memmove(l->p + at + 1, l->p + at, (l->n - 1 - at) * sizeof(*l->p));
    l->p[at] = t;
}

void add_joined(struct buffer *b, const struct text_list *list, const char *separator)
{
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buffer_add_str(b, separator);
        buffer_add(b, list->p[i]);
    }
}

void add_list(struct buffer *b, const struct value *list, const char *separator)
{
    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        if (i)
            buffer_add_str(b, separator);
        buffer_add(b, value_text(&list->items[i]));
    }
}

/* --- selectors ------------------------------------------------------------------------------------------------------------ */

struct requirement {
    struct text key, op, value; /* op empty: key=value */
    const struct value *values;
};

static void add_requirement(struct arena *a, struct buffer *b, const struct requirement *q)
{
    struct text_set values = {0};

    if (text_is(q->op, "DoesNotExist"))
        buffer_add_char(b, '!');
    buffer_add(b, q->key);
    if (q->op.n == 0) {
        buffer_add_char(b, '=');
        buffer_add(b, q->value);
    }
    if (!text_is(q->op, "In") && !text_is(q->op, "NotIn"))
        return;
    for (size_t i = 0; i < value_count(q->values); i++)
        text_set_add(a, &values, value_text(&q->values->items[i]));
    buffer_add_str(b, text_is(q->op, "In") ? " in (" : " notin (");
    add_joined(b, &values.list, ",");
    buffer_add_char(b, ')');
}

void add_selector(struct arena *a, struct buffer *b, const struct value *selector)
{
    const struct value *labels = value_find(selector, "matchLabels"), *more = value_find(selector, "matchExpressions");
    size_t n = 0, n_labels = value_count(labels), n_all = n_labels + value_count(more);
    struct requirement *all = arena_alloc(a, (n_all + 1) * sizeof(*all));

    for (size_t i = 0; i < n_all; i++) {
        struct requirement q = {0};
        size_t at = n++;
        if (i < n_labels) {
            q.key = member_key(&labels->members[i]);
            q.value = value_text(&labels->members[i].value);
        } else {
            const struct value *e = &more->items[i - n_labels];
            q.key = value_get_text(e, TEXT("key"));
            q.op = value_get_text(e, TEXT("operator"));
            q.values = value_get(e, TEXT("values"));
        }
        for (; at > 0 && text_cmp(all[at - 1].key, q.key) > 0; at--)
            all[at] = all[at - 1];
        all[at] = q;
    }
    for (size_t i = 0; i < n; i++) {
        if (i)
            buffer_add_char(b, ',');
        add_requirement(a, b, &all[i]);
    }
}

/* --- cells ---------------------------------------------------------------------------------------------------------------- */

static void begin_cell(struct row *r)
{
    if (r->json.n)
        buffer_add_char(&r->json, ',');
}

void row_text(struct row *r, struct text t)
{
    begin_cell(r);
    json_write_string(&r->json, t);
}

void row_str(struct row *r, const char *s)
{
    row_text(r, text_of(s));
}

void row_buffer(struct row *r, const struct buffer *b)
{
    row_text(r, buffer_text(b));
}

void row_int(struct row *r, int64_t i)
{
    begin_cell(r);
    buffer_add_i64(&r->json, i);
}

void row_bool(struct row *r, bool b)
{
    begin_cell(r);
    buffer_add_str(&r->json, b ? "true" : "false");
}

void row_value(struct row *r, const struct value *v)
{
    if (!v) {
        row_str(r, "");
        return;
    }
    begin_cell(r);
    json_write(&r->json, v);
}

void row_or(struct row *r, struct text t, const char *otherwise)
{
    row_text(r, t.n ? t : text_of(otherwise));
}

void row_since(struct row *r, const char *before, int64_t since_ns, const char *after)
{
    assert(r->n_holes < ROW_HOLES_MAX);
    begin_cell(r);
    buffer_addf(&r->json, "\"%s", before);
    r->holes[r->n_holes++] = (struct row_hole){since_ns, (uint32_t)r->json.n};
    buffer_addf(&r->json, "%s\"", after);
}

void row_age(struct row *r, struct text time)
{
    int64_t ns;

    if (time.n && clock_parse_rfc3339(time, &ns))
        row_since(r, "", ns, "");
    else
        row_str(r, "<unknown>");
}

/* --- printers that take a path ----------------------------------------------------------------------------------------------- */

/* "PATH=TEXT" */
static struct text path_and_text(struct text arg, struct text *ret_text)
{
    ptrdiff_t at = text_find(arg, '=');

    assert(at >= 0);
    *ret_text = text_from(arg, (size_t)at + 1);
    return text_first(arg, (size_t)at);
}

static void print_age(struct row *r, struct text arg)
{
    row_age(r, value_text(value_path(r->o, arg)));
}

static void print_age_or_none(struct row *r, struct text arg)
{
    struct text time = value_text(value_path(r->o, arg));

    if (time.n)
        row_age(r, time);
    else
        row_str(r, "<none>");
}

static void print_or(struct row *r, struct text arg)
{
    struct text otherwise, path = path_and_text(arg, &otherwise), t = value_text(value_path(r->o, path));

    row_text(r, t.n ? t : otherwise);
}

/* A string or a number, as a string. */
static void print_text(struct row *r, struct text arg)
{
    struct text otherwise, path = path_and_text(arg, &otherwise);
    const struct value *v = value_path(r->o, path);
    struct buffer b = BUFFER_IN(r->a);

    if (!v)
        buffer_add(&b, otherwise);
    else if (v->kind == VALUE_INT)
        buffer_add_i64(&b, v->integer);
    else
        buffer_add(&b, value_text(v));
    row_buffer(r, &b);
}

static void print_int(struct row *r, struct text arg)
{
    row_int(r, value_find_int(r->o, arg, 0));
}

static void print_int_or_none(struct row *r, struct text arg)
{
    const struct value *v = value_path(r->o, arg);

    if (v)
        row_value(r, v);
    else
        row_str(r, "<none>");
}

static void print_bool(struct row *r, struct text arg)
{
    const struct value *v = value_path(r->o, arg);

    row_bool(r, v && v->kind == VALUE_BOOL && v->boolean);
}

static void print_bool_word(struct row *r, struct text arg)
{
    const struct value *v = value_path(r->o, arg);

    row_str(r, !v ? "<unset>" : v->boolean ? "True" : "False");
}

/* The sum of what lies at "PATH+PATH". */
static void print_count(struct row *r, struct text arg)
{
    struct text path;
    size_t n = 0;

    while (text_split(&arg, '+', &path))
        n += value_count(value_path(r->o, path));
    row_int(r, (int64_t)n);
}

static void print_labels(struct row *r, struct text arg)
{
    struct buffer b = BUFFER_IN(r->a);

    add_labels(&b, value_path(r->o, arg));
    row_or(r, buffer_text(&b), "<none>");
}

static void print_selector(struct row *r, struct text arg)
{
    struct buffer b = BUFFER_IN(r->a);

    add_selector(r->a, &b, value_path(r->o, arg));
    row_or(r, buffer_text(&b), "<none>");
}

static void print_list(struct row *r, struct text arg)
{
    struct buffer b = BUFFER_IN(r->a);

    add_list(&b, value_path(r->o, arg), ",");
    row_buffer(r, &b);
}

static void print_quantity(struct row *r, struct text arg)
{
    row_or(r, value_text(value_path(r->o, arg)), "0");
}

static void print_seconds(struct row *r, struct text arg)
{
    const struct value *v = value_path(r->o, arg);
    char text[DURATION_TEXT_MAX];

    if (!v || v->kind != VALUE_INT)
        row_str(r, "<none>");
    else
        row_text(r, (struct text){text, duration_text(v->integer * 1000000000, text)});
}

/* The name, marked when the annotation says that the object is the default of its kind. */
static void print_default_name(struct row *r, struct text arg)
{
    struct text name = value_find_text(r->o, "metadata.name");
    const struct value *annotations = value_find(r->o, "metadata.annotations");
    bool is_default = text_is(value_get_text(annotations, arg), "true");

    if (text_is(arg, "storageclass.kubernetes.io/is-default-class"))
        is_default |= text_is(value_get_text(annotations, TEXT("storageclass.beta.kubernetes.io/is-default-class")), "true");
    row_text(r, is_default ? arena_textf(r->a, "%.*s (default)", TEXT_ARG(name)) : name);
}

const struct printer common_printers[] = {
    {"age", print_age},
    {"age_or_none", print_age_or_none},
    {"or", print_or},
    {"text", print_text},
    {"int", print_int},
    {"int_or_none", print_int_or_none},
    {"bool", print_bool},
    {"bool_word", print_bool_word},
    {"count", print_count},
    {"labels", print_labels},
    {"selector", print_selector},
    {"list", print_list},
    {"quantity", print_quantity},
    {"seconds", print_seconds},
    {"default_name", print_default_name},
    {NULL, NULL},
};
