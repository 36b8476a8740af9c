/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and what is wrong with them: validate.txt (core, apps, batch) and validate_groups.txt (all other
 * groups, as kube-apiserver answered) have an object in JSON on one line, and below "->" the
 * errors as one text, "good" for none. A line "was {...}" before it holds what the object was before the
 * update; "status" there says that the status is written. Objects are decoded and defaulted first. The words
 * are those of kube-apiserver 1.36.3. */
#include "schema/validate.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

struct row {
    char *old, *object;
    bool is_of_status;
};

static struct value read_object(struct arena *a, const char *json, const struct schema_kind **ret_kind)
{
    struct value v;
    struct status st = {0};

    ck_assert_msg(json_read(a, text_of(json), NULL, &v, &st) == 0, "%s: %s", st.message, json);
    const struct schema_kind *kind =
        schema_kind_of(value_get_text(&v, TEXT("apiVersion")), value_get_text(&v, TEXT("kind")));
    ck_assert_msg(kind != NULL, "%s", json);
    ck_assert_msg(schema_decode(a, kind->schema, &v, NULL, &st) == 0, "%s: %s", st.message, json);
    schema_default(a, kind->schema, &v);
    *ret_kind = kind;
    return v;
}

/* Whether the row is as it should be. */
static bool check_row(const struct row *row, const char *wanted)
{
    struct arena *a = arena_new();
    struct field_errors errs = {.arena = a};
    const struct schema_kind *kind;
    struct value old, v = read_object(a, row->object, &kind);
    struct buffer said = BUFFER_IN(a);

    if (row->old)
        old = read_object(a, row->old, &kind);
    schema_validate(kind->schema, &v, row->old ? &old : NULL,
                    row->is_of_status ? VALIDATE_STATUS : VALIDATE_BUT_STATUS, TEXT_NONE, &errs);
    if (errs.n)
        field_errors_write(&said, &errs);
    else
        buffer_add_str(&said, "good");
    bool is_right = strcmp(buffer_str(&said), wanted) == 0;
    if (!is_right)
        printf("%s\n-> %s\nnot %s\n", row->object, buffer_str(&said), wanted);
    arena_free(a);
    return is_right;
}

static void check_rows(const char *path)
{
    FILE *file = fopen(path, "r");
    struct row row = {0};
    char *line = NULL;
    size_t cap = 0, n_rows = 0, n_wrong = 0;
    ssize_t n;

    ck_assert_msg(file != NULL, "%s is missing", path);
    while ((n = getline(&line, &cap, file)) > 0) {
        if (line[n - 1] == '\n')
            line[--n] = 0;
        if (strncmp(line, "was ", 4) == 0) {
            row.old = strdup(line + 4);
        } else if (strcmp(line, "status") == 0) {
            row.is_of_status = true;
        } else if (line[0] == '{') {
            ck_assert_msg(!row.object, "no outcome: %s", row.object);
            row.object = strdup(line);
        } else if (strncmp(line, "-> ", 3) == 0) {
            ck_assert(row.object != NULL);
            n_wrong += !check_row(&row, line + 3);
            n_rows++;
            free(row.object);
            free(row.old);
            row = (struct row){0};
        } else {
            ck_assert_msg(!n || line[0] == '#', "neither object nor outcome: %s", line);
        }
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_uint_gt(n_rows, 10);
    free(line);
    fclose(file);
}

START_TEST(rows)
{
    check_rows("tests/unit/schema/validate.txt");
}
END_TEST

START_TEST(rows_of_other_groups)
{
    check_rows("tests/unit/schema/validate_groups.txt");
}
END_TEST

/* --- a type made at run time --- */

static const struct schema_field port_fields[] = {
    {.name = TEXT("name"), .type = {TYPE_STRING}},
    {.name = TEXT("number"), .type = {TYPE_INT32, true}},
};
static const struct schema_check port_checks[] = {
    {.path = {1, {0}}, .kind = CHECK_REQUIRED},
    {.path = {1, {1}}, .kind = CHECK_RANGE, .min = 1, .max = 10},
};
static struct schema port = {
    .name = TEXT("Port"), .fields = port_fields, .n_fields = 2, .checks = port_checks, .n_checks = 2};
static const struct schema_type port_type = {TYPE_STRUCT, false, &port};
static const struct schema_field fields[] = {
    {.name = TEXT("ports"), .type = {TYPE_LIST, false, NULL, &port_type}},
    {.name = TEXT("mode"), .type = {TYPE_STRING}},
};
static const uint16_t name_key[] = {0};
static const struct text modes[] = {TEXT("A"), TEXT("B")};
static const struct schema_condition mode_is_b = {
    .path = {1, {1}}, .test = TEST_EQUALS, .value = {.kind = VALUE_STRING, .n = 1, .string = "B"}};
static const struct schema_check checks[] = {
    {.path = {1, {0}}, .kind = CHECK_UNIQUE, .fields = name_key, .n_fields = 1},
    {.path = {1, {0}}, .kind = CHECK_BELOW},
    {.path = {1, {1}}, .kind = CHECK_ENUM, .texts = modes, .n_texts = 2},
    {.path = {1, {0}}, .kind = CHECK_ITEMS, .max = 1, .conditions = &mode_is_b, .n_conditions = 1},
    {.path = {1, {1}}, .kind = CHECK_IMMUTABLE},
};

static const char *said_of(struct arena *a, const struct schema *s, const char *json, const char *old_json)
{
    struct field_errors errs = {.arena = a};
    struct buffer said = BUFFER_IN(a);
    struct status st = {0};
    struct value v, old;

    ck_assert(json_read(a, text_of(json), NULL, &v, &st) == 0 && schema_decode(a, s, &v, NULL, &st) == 0);
    if (old_json)
        ck_assert(json_read(a, text_of(old_json), NULL, &old, &st) == 0);
    schema_validate(s, &v, old_json ? &old : NULL, VALIDATE_ALL, TEXT_NONE, &errs);
    field_errors_write(&said, &errs);
    return buffer_str(&said);
}

START_TEST(types_made_at_run_time)
{
    struct arena *a = arena_new();
    struct schema s = {.name = TEXT("Thing"),
                       .fields = fields,
                       .n_fields = 2,
                       .checks = checks,
                       .n_checks = N_ELEMENTS(checks)};

    schema_index(a, &s);
    schema_index(a, &port);
    ck_assert_str_eq(said_of(a, &s, "{\"ports\":[{\"name\":\"a\",\"number\":3}],\"mode\":\"A\"}", NULL), "");
    ck_assert_str_eq(
        said_of(a, &s, "{\"ports\":[{\"name\":\"a\"},{\"number\":11},{\"name\":\"a\"}],\"mode\":\"C\"}",
                NULL),
        "[ports[2].name: Duplicate value: \"a\", ports[1].name: Required value, ports[1].number: Invalid "
        "value: 11: must "
        "be between 1 and 10, inclusive, mode: Unsupported value: \"C\": supported values: \"A\", \"B\"]");
    ck_assert_str_eq(
        said_of(a, &s, "{\"ports\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"mode\":\"B\"}", "{\"mode\":\"A\"}"),
        "[ports: Too many: 2: must have at most 1 item, mode: Invalid value: \"B\": field is immutable]");
    arena_free(a);
}
END_TEST

/* A list that is long enough to be looked up, not compared. */
START_TEST(duplicates_of_long_lists)
{
    struct arena *a = arena_new();
    struct schema s = {
        .name = TEXT("Thing"), .fields = fields, .n_fields = 2, .checks = checks, .n_checks = 1};
    struct buffer json = BUFFER_IN(a);

    schema_index(a, &s);
    schema_index(a, &port);
    buffer_add_str(&json, "{\"ports\":[");
    for (int i = 0; i < 100; i++)
        buffer_addf(&json, "%s{\"name\":\"n%d\"}", i ? "," : "", i == 99 ? 7 : i);
    buffer_add_str(&json, "]}");
    ck_assert_str_eq(said_of(a, &s, buffer_str(&json), NULL), "ports[99].name: Duplicate value: \"n7\"");
    arena_free(a);
}
END_TEST

UNIT_MAIN("validate", rows, rows_of_other_groups, types_made_at_run_time, duplicates_of_long_lists)
