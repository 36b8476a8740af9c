/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and what they are by default: defaults.txt has an object in JSON on one line and, below "->", what becomes of
 * it. What came out is defaulted once more: nothing may change then. The lines are what kube-apiserver 1.36.3 makes of
 * such objects before admission, as its defaults.go say. */
#include "schema.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define ROWS "tests/unit/schema/defaults.txt"

static struct value defaulted(struct arena *a, struct text json, const struct schema_kind **ret_kind)
{
    struct value v;
    struct status st = {0};

    ck_assert_msg(json_read(a, json, NULL, &v, &st) == 0, "%.*s", TEXT_ARG(json));
    const struct schema_kind *kind =
        schema_kind_of(value_get_text(&v, TEXT("apiVersion")), value_get_text(&v, TEXT("kind")));
    ck_assert_msg(kind != NULL, "%.*s", TEXT_ARG(json));
    ck_assert_msg(schema_decode(a, kind->schema, &v, NULL, &st) == 0, "%s: %.*s", st.message, TEXT_ARG(json));
    schema_default(a, kind->schema, &v);
    *ret_kind = kind;
    return v;
}

/* Whether the row is as it should be. */
static bool check_row(struct text in, struct text wanted)
{
    struct arena *a = arena_new();
    const struct schema_kind *kind;
    struct value v = defaulted(a, in, &kind);
    struct buffer once = BUFFER_IN(a), arranged = BUFFER_IN(a), twice = BUFFER_IN(a);
    bool is_right;

    schema_encode(&once, kind->schema, &v, NULL);
    is_right = text_eq(buffer_text(&once), wanted);
    if (!is_right)
        printf("%.*s\n-> %s\nnot %.*s\n", TEXT_ARG(in), buffer_str(&once), TEXT_ARG(wanted));
    schema_arrange(a, kind->schema, &v); /* the tree is canonical: nothing to do */
    schema_encode(&arranged, kind->schema, &v, NULL);
    ck_assert_str_eq(buffer_str(&arranged), buffer_str(&once));
    schema_default(a, kind->schema, &v);
    schema_encode(&twice, kind->schema, &v, NULL);
    ck_assert_str_eq(buffer_str(&twice), buffer_str(&once));
    arena_free(a);
    return is_right;
}

START_TEST(rows)
{
    FILE *file = fopen(ROWS, "r");
    char *line = NULL, *in = NULL;
    size_t cap = 0, n_rows = 0, n_wrong = 0;
    ssize_t n;

    ck_assert_msg(file != NULL, "%s is missing", ROWS);
    clock_fake(1782864000000000000); /* 2026-07-01T00:00:00Z */
    while ((n = getline(&line, &cap, file)) > 0) {
        if (line[n - 1] == '\n')
            line[--n] = 0;
        if (line[0] == '{') {
            ck_assert_msg(!in, "no outcome: %s", in);
            in = strdup(line);
        } else if (strncmp(line, "-> ", 3) == 0) {
            ck_assert(in != NULL);
            n_wrong += !check_row(text_of(in), text_of(line + 3));
            n_rows++;
            free(in);
            in = NULL;
        } else {
            ck_assert_msg(!n || line[0] == '#', "neither object nor outcome: %s", line);
        }
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_uint_gt(n_rows, 50);
    free(line);
    fclose(file);
}
END_TEST

/* A rule whose value is JSON is read when it is needed: each must fit its type. */
START_TEST(values_fit_their_types)
{
    struct arena *a = arena_new();

    for (size_t i = 0; i < n_schema_all; i++) {
        const struct schema *s = schema_all[i];
        for (uint16_t k = 0; k < s->n_rules; k++) {
            const struct schema_rule *r = &s->rules[k];
            const struct schema *owner = s;
            struct value v, object = value_object();
            struct status st = {0};
            for (uint16_t j = 0; r->path.n && j + 1 < r->path.n; j++)
                owner = owner->fields[r->path.fields[j]].type.schema;
            if (r->kind != RULE_JSON && r->kind != RULE_CONSTANT)
                continue;
            v = r->constant;
            if (r->kind == RULE_JSON)
                ck_assert_msg(json_read(a, r->json, NULL, &v, &st) == 0, "%.*s", TEXT_ARG(r->json));
            value_add(a, &object, owner->fields[r->path.fields[r->path.n - 1]].name, v);
            struct decode_notes notes = {0};
            ck_assert_msg(schema_decode(a, owner, &object, &notes, &st) == 0, "%.*s: %s", TEXT_ARG(owner->name),
                          st.message);
            ck_assert_msg(notes.unknown.n == 0, "%.*s", TEXT_ARG(r->json));
        }
    }
    arena_free(a);
}
END_TEST

START_TEST(images_and_their_policies)
{
    static const struct {
        const char *image;
        bool is_always;
    } images[] = {
        {"nginx", true},
        {"nginx:latest", true},
        {"nginx:1.2", false},
        {"nginx:Latest", false},
        {"a/b/c", true},
        {"host:5000/a", true},
        {"host:5000/a:1", false},
        {"host.example/a:latest", true},
        {"localhost/a", true},
        {"[::1]:5000/a", true},
        {"HOST/a", true},
        {"host:/a", false},
        {"Nginx", false},
        {"a//b", false},
        {"a__b", true},
        {"a___b", false},
        {"a..b", false},
        {"a--b", true},
        {"-a", false},
        {"a:", false},
        {"", false},
        {"a:b:c", false},
        {"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false},
        {"a:latest@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
        {"a:latest@sha256:0123", false},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", true},
    };
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        struct arena *a = arena_new();
        const struct schema_kind *kind;
        struct value v = defaulted(a,
                                   arena_textf(a,
                                               "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"containers\":[{"
                                               "\"name\":\"c\",\"image\":\"%s\"}]}}",
                                               images[i].image),
                                   &kind);
        struct text policy =
            value_get_text(&value_at(&v, "spec", "containers", NULL)->items[0], TEXT("imagePullPolicy"));
        ck_assert_msg(text_is(policy, images[i].is_always ? "Always" : "IfNotPresent"), "%s", images[i].image);
        arena_free(a);
    }
}
END_TEST

UNIT_MAIN("defaults", rows, values_fit_their_types, images_and_their_policies)
