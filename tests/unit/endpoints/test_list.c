/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of many leaves. What is read from the arrays that hang on leaves must be what the objects give one by one: a label
 * selector that takes everything makes the server do that. */
#include "fixture.h"

#define EVERYTHING "labelSelector=%21nowhere"
#define PROTOBUF "Accept: application/vnd.kubernetes.protobuf\r\n"
#define TABLE "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n"
#define PARTIAL "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n"

static const char *const accepts[] = {
    "",
    PROTOBUF,
    TABLE,
    PARTIAL,
    "Accept: application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n",
    "Accept: application/yaml\r\n",
};

static void fill(struct fixture *f, const char *namespace, int n, const char *value)
{
    ck_code(post(f, "/api/v1/namespaces", arena_printf(f->a, "{\"metadata\":{\"name\":\"%s\"}}", namespace)),
            201);
    for (int i = 0; i < n; i++)
        ck_code(post(f, arena_printf(f->a, "/api/v1/namespaces/%s/configmaps", namespace),
                     arena_printf(f->a, "{\"metadata\":{\"name\":\"c%03d\"},\"data\":{\"k\":\"%s\"}}", i, value)),
                201);
}

/* Ages may have grown between two tables, but not again and again. */
static void compare(struct fixture *f, const char *path)
{
    for (size_t i = 0; i < N_ELEMENTS(accepts); i++) {
        struct reply range, selected;
        for (int tries = 0; tries < 3; tries++) {
            range = call(f, "GET", path, accepts[i], NULL);
            selected = call(f, "GET", arena_printf(f->a, "%s?%s", path, EVERYTHING), accepts[i], NULL);
            if (text_eq(range.body, selected.body))
                break;
        }
        ck_code(range, 200);
        ck_assert_msg(text_eq(range.body, selected.body), "%s %s", path, accepts[i]);
    }
}

START_TEST(a_range_is_what_its_objects_are)
{
    struct fixture f;
    static const char *const paths[] = {"/api/v1/configmaps", "/api/v1/namespaces/a/configmaps",
                                        "/api/v1/namespaces/b/configmaps", "/api/v1/namespaces/c/configmaps",
                                        "/api/v1/namespaces/none/configmaps"};
    char words[2001] = "";

    memset(words, 'w', 2000);
    fixture_start(&f);
    fill(&f, "b", 130, words);
    fill(&f, "a", 70, "short");
    fill(&f, "c", 3, "short");
    for (int again = 0; again < 3; again++) {
        for (size_t i = 0; i < N_ELEMENTS(paths); i++)
            compare(&f, paths[i]);
        ck_code(call(&f, "DELETE", arena_printf(f.a, "/api/v1/namespaces/b/configmaps/c%03d", 60 + again), "", NULL),
                200);
        ck_code(call(&f, "PATCH", arena_printf(f.a, "/api/v1/namespaces/a/configmaps/c%03d", again),
                     "Content-Type: application/merge-patch+json\r\n", "{\"data\":{\"k\":\"changed\"}}"),
                200);
    }
    fixture_stop(&f);
}
END_TEST

/* The names on a page, and its token. */
static size_t read_page(struct fixture *f, const char *path, const char **ret_token, struct buffer *names)
{
    struct reply r = get(f, path);
    struct value list;
    struct status st = {0};

    ck_code(r, 200);
    ck_assert_int_eq(json_read(f->a, r.body, NULL, &list, &st), 0);
    const struct value *items = value_get(&list, TEXT("items"));
    for (uint32_t i = 0; i < items->n; i++)
        buffer_addf(names, "%.*s/%.*s ", TEXT_ARG(value_text(value_at(&items->items[i], "metadata", "namespace", NULL))),
                    TEXT_ARG(value_text(value_at(&items->items[i], "metadata", "name", NULL))));
    *ret_token = arena_str(f->a, value_text(value_at(&list, "metadata", "continue", NULL)));
    return items->n;
}

static void read_pages(struct fixture *f, const char *path, const char *options, size_t limit, struct buffer *names)
{
    const char *token = "";

    do {
        size_t n = read_page(f,
                             arena_printf(f->a, "%s?%slimit=%zu%s%s", path, options, limit,
                                          *token ? "&continue=" : "", token),
                             &token, names);
        ck_assert(*token ? n == limit : n <= limit);
    } while (*token);
}

START_TEST(pages_join)
{
    struct fixture f;
    const char *none;

    fixture_start(&f);
    fill(&f, "a", 60, "x");
    fill(&f, "b", 96, "x");
    for (size_t limit = 1; limit < 200; limit = limit * 2 + 5) {
        static const char *const paths[] = {"/api/v1/configmaps", "/api/v1/namespaces/b/configmaps"};
        for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
            struct buffer range = BUFFER_IN(f.a), selected = BUFFER_IN(f.a), whole = BUFFER_IN(f.a);
            read_pages(&f, paths[i], "", limit, &range);
            read_pages(&f, paths[i], EVERYTHING "&", limit, &selected);
            read_page(&f, paths[i], &none, &whole);
            ck_assert_str_eq(buffer_str(&range), buffer_str(&whole));
            ck_assert_str_eq(buffer_str(&selected), buffer_str(&whole));
        }
    }
    fixture_stop(&f);
}
END_TEST

UNIT_MAIN("endpoints/list", a_range_is_what_its_objects_are, pages_join)
