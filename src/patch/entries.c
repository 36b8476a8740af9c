/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.managedFields, read and written. Source: kubernetes/apimachinery pkg/util/managedfields/internal/managedfields.go. */
#include <stdlib.h>

#include "patch/managers.h"

static int read_entry(struct arena *a, const struct value *entry, struct manager *ret, struct status *st)
{
    struct text operation = value_get_text(entry, TEXT("operation")), type = value_get_text(entry, TEXT("fieldsType"));

    *ret = (struct manager){.name = value_get_text(entry, TEXT("manager")),
                            .api_version = value_get_text(entry, TEXT("apiVersion")),
                            .subresource = value_get_text(entry, TEXT("subresource")),
                            .time = value_get_text(entry, TEXT("time")),
                            .is_apply = text_is(operation, "Apply")};
    if (!ret->is_apply && !text_is(operation, "Update"))
        return status_set(st, STATUS_BAD_REQUEST, "operation must be `Apply` or `Update`");
    if (!ret->api_version.n)
        return status_set(st, STATUS_BAD_REQUEST, "apiVersion must not be empty");
    if (!text_is(type, "FieldsV1"))
        return status_set(st, STATUS_BAD_REQUEST, "fieldsType must be FieldsV1");
    const struct value *fields = value_get(entry, TEXT("fieldsV1"));
    if (fields && fields->kind == VALUE_RAW)
        ret->stored = (struct text){fields->string, fields->n};
    if (field_set_read(a, ret->stored, &ret->fields, st) < 0)
        return -1;
    ret->as_read = ret->fields;
    return 0;
}

/* Two entries of one identity are one, the later; a hostile list is long, so they are found by sorting. */
static int by_identity(const void *x, const void *y)
{
    const struct manager *a = *(struct manager *const *)x, *b = *(struct manager *const *)y;
    int c = manager_cmp(a, b);

    return c ? c : a < b ? -1 : 1;
}

static void drop_repeated(struct managers *ms)
{
    struct manager **sorted = ARENA_ARRAY(ms->arena, struct manager *, ms->n);
    bool has_repeats = false;

    for (size_t i = 0; i < ms->n; i++)
        sorted[i] = &ms->p[i];
    qsort(sorted, ms->n, sizeof(*sorted), by_identity);
    for (size_t i = 1; i < ms->n; i++)
        if (manager_cmp(sorted[i - 1], sorted[i]) == 0) {
            sorted[i - 1]->is_dropped = true;
            has_repeats = true;
        }
    if (!has_repeats)
        return;
    size_t n = 0;
    for (size_t i = 0; i < ms->n; i++)
        if (!ms->p[i].is_dropped)
            ms->p[n++] = ms->p[i];
    ms->n = n;
}

int managers_read(struct arena *a, const struct value *list, struct managers *ret, struct status *st)
{
    *ret = (struct managers){.arena = a};
    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        struct manager m;
        if (read_entry(a, &list->items[i], &m, st) < 0)
            return -1;
        managers_add(ret, &m);
    }
    if (ret->n > 1)
        drop_repeated(ret);
    return 0;
}

struct managers managers_read_or_none(struct arena *a, const struct value *list, bool is_stored)
{
    CLEANUP(status_clear) struct status st = {0};
    struct managers ms;

    if (managers_read(a, list, &ms, &st) < 0)
        ms.n = 0;
    for (size_t i = 0; i < ms.n && !is_stored; i++)
        ms.p[i].stored = TEXT_NONE;
    return ms;
}

int64_t manager_seconds(const struct manager *m)
{
    int64_t ns;

    return m->time.n && clock_parse_rfc3339(m->time, &ns) ? ns / 1000000000 : 0;
}

static int by_order(const void *x, const void *y)
{
    const struct manager *a = x, *b = y;
    int64_t at_a = manager_seconds(a), at_b = manager_seconds(b);
    int c;

    if (a->is_apply != b->is_apply)
        return a->is_apply ? -1 : 1;
    if (at_a != at_b)
        return at_a < at_b ? -1 : 1;
    c = text_cmp(a->name, b->name);
    if (c == 0)
        c = text_cmp(a->api_version, b->api_version);
    return c ? c : text_cmp(a->subresource, b->subresource);
}

struct value managers_write(struct arena *a, struct managers *ms)
{
    struct value list = value_list();

    qsort(ms->p, ms->n, sizeof(*ms->p), by_order);
    for (size_t i = 0; i < ms->n; i++) {
        const struct manager *m = &ms->p[i];
        struct value entry = value_object();
        if (m->name.n)
            value_add(a, &entry, TEXT("manager"), value_string(m->name));
        value_add(a, &entry, TEXT("operation"), value_string(m->is_apply ? TEXT("Apply") : TEXT("Update")));
        value_add(a, &entry, TEXT("apiVersion"), value_string(m->api_version));
        if (m->time.n)
            value_add(a, &entry, TEXT("time"), value_string(m->time));
        value_add(a, &entry, TEXT("fieldsType"), value_string(TEXT("FieldsV1")));
        value_add(a, &entry, TEXT("fieldsV1"),
                  value_raw(m->stored.n && field_set_equal(m->fields, m->as_read) ? m->stored : field_set_write(a, m->fields)));
        if (m->subresource.n)
            value_add(a, &entry, TEXT("subresource"), value_string(m->subresource));
        value_append(a, &list, entry);
    }
    return list;
}
