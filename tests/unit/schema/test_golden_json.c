/* SPDX-License-Identifier: Apache-2.0 */
/* Upstream's golden objects, every field of every kind filled: each decodes without an unknown field and is written back byte
 * for byte, from its members in any order. They lie outside the source tree; without them there is nothing to test. */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>

#include "schema.h"

#define GOLDEN "../shared/facts/golden"
#define LIVE "../shared/facts/live/tables/rows"

static struct text read_file(struct arena *a, const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    ck_assert_msg(in, "%s", path);
    char *p = arena_alloc(a, 1 << 20);
    size_t n = fread(p, 1, 1 << 20, in);
    fclose(in);
    return text_trim((struct text){p, n});
}

/* A watch event has no type meta, but the file is named core.v1.WatchEvent.json. */
static const struct schema *schema_in(const char *name, const struct value *v)
{
    struct text api_version = value_get_text(v, TEXT("apiVersion")), kind = value_get_text(v, TEXT("kind"));

    if (!kind.n) {
        ck_assert_str_eq(name, "core.v1.WatchEvent.json");
        api_version = TEXT("v1");
        kind = TEXT("WatchEvent");
    }
    const struct schema_kind *k = schema_kind_of(api_version, kind);
    return k ? k->schema : NULL;
}

static void assert_same(const char *name, struct text want, struct text got)
{
    size_t i = 0;
    if (text_eq(want, got))
        return;
    while (i < want.n && i < got.n && want.p[i] == got.p[i])
        i++;
    ck_abort_msg("%s: at byte %zu\nwant %.200s\ngot  %.200s", name, i, want.p + (i > 60 ? i - 60 : 0),
                 got.p + (i > 60 ? i - 60 : 0));
}

static void reverse_members(struct value *v)
{
    if (v->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++)
            reverse_members(&v->items[i]);
    } else if (v->kind == VALUE_OBJECT) {
        for (uint32_t i = 0; i < v->n / 2; i++) {
            struct value_member m = v->members[i];
            v->members[i] = v->members[v->n - 1 - i];
            v->members[v->n - 1 - i] = m;
        }
        for (uint32_t i = 0; i < v->n; i++)
            reverse_members(&v->members[i].value);
    }
}

/* Raw values keep the order in which they come, and so cannot be turned round. The fields of managed fields are raw too, but
 * empty in the golden objects. */
static bool has_raw_values(const struct schema *s, int depth)
{
    for (uint16_t i = 0; depth < 12 && i < s->n_fields; i++) {
        const struct schema_type *t = &s->fields[i].type;
        while (t->elem)
            t = t->elem;
        if (t->kind == TYPE_RAW_EXTENSION || t->kind == TYPE_UNKNOWN || (t->schema && t->schema->form))
            return true;
        if (t->schema && t->schema != s && has_raw_values(t->schema, depth + 1))
            return true;
    }
    return false;
}

static void round_trip(const char *name, bool is_reversed)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer compact = BUFFER_IN(a), indented = BUFFER_IN(a);
    struct decode_notes notes = {0};
    struct status st = {0};
    struct value v;
    struct text in = read_file(a, GOLDEN, name);

    ck_assert_int_eq(json_read(a, in, NULL, &v, &st), 0);
    const struct schema *s = schema_in(name, &v);
    ck_assert_msg(s, "%s: unknown kind", name);
    if (is_reversed && has_raw_values(s, 0))
        return;
    if (is_reversed)
        reverse_members(&v);
    ck_assert_msg(schema_decode(a, s, &v, &notes, &st) == 0, "%s: %s", name, st.message);
    ck_assert_msg(notes.unknown.n == 0, "%s: unknown field %.*s", name, TEXT_ARG(notes.unknown.p[0]));
    schema_encode(&compact, s, &v, NULL);
    json_indent(&indented, buffer_text(&compact));
    assert_same(name, in, buffer_text(&indented));
}

static void each_golden(bool is_reversed)
{
    DIR *dir = opendir(GOLDEN);
    struct dirent *entry;
    size_t n = 0;

    if (!dir) {
        printf("skipped: no %s\n", GOLDEN);
        return;
    }
    while ((entry = readdir(dir))) {
        if (!text_ends(text_of(entry->d_name), TEXT(".json")))
            continue;
        round_trip(entry->d_name, is_reversed);
        n++;
    }
    closedir(dir);
    ck_assert_uint_gt(n, 100);
}

START_TEST(golden_objects_are_written_back)
{
    each_golden(false);
}
END_TEST

START_TEST(order_of_members_does_not_matter)
{
    each_golden(true);
}
END_TEST

/* Objects as a kube-apiserver answered them, which leave most fields empty. */
static size_t round_trip_live(const char *name)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct status st = {0};
    struct value rows;

    ck_assert_int_eq(json_read(a, read_file(a, LIVE, name), NULL, &rows, &st), 0);
    for (uint32_t i = 0; i < rows.n; i++) {
        struct value *object = value_get(&rows.items[i], TEXT("object"));
        struct buffer want = BUFFER_IN(a), got = BUFFER_IN(a);
        const struct schema_kind *k = schema_kind_of(value_get_text(object, TEXT("apiVersion")),
                                                     value_get_text(object, TEXT("kind")));
        if (!k) /* a custom resource */
            continue;
        json_write(&want, object);
        ck_assert_msg(schema_decode(a, k->schema, object, NULL, &st) == 0, "%s: %s", name, st.message);
        schema_encode(&got, k->schema, object, NULL);
        assert_same(name, buffer_text(&want), buffer_text(&got));
    }
    return rows.n;
}

START_TEST(objects_of_a_live_server_are_written_back)
{
    DIR *dir = opendir(LIVE);
    struct dirent *entry;
    size_t n = 0;

    if (!dir) {
        printf("skipped: no %s\n", LIVE);
        return;
    }
    while ((entry = readdir(dir)))
        if (text_ends(text_of(entry->d_name), TEXT(".json")))
            n += round_trip_live(entry->d_name);
    closedir(dir);
    ck_assert_uint_gt(n, 100);
}
END_TEST

UNIT_MAIN("golden_json", objects_of_a_live_server_are_written_back, golden_objects_are_written_back, order_of_members_does_not_matter)
