/* SPDX-License-Identifier: Apache-2.0 */
#include "things.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

static void expect_text(struct text is, const char *should)
{
    ck_assert_msg(text_is(is, should), "\"%.*s\" should be \"%s\"", TEXT_ARG(is), should);
}

static void check_thing(const struct object *o, uint64_t revision)
{
    char rv[64];
    ck_assert_uint_eq(o->revision, revision);
    expect_text(o->key, "ns/x");
    expect_text(o->namespace, "ns");
    expect_text(o->name, "x");
    expect_text(o->uid, "u-ns/x");
    ck_assert_uint_eq(o->n_labels, 3);
    expect_text(o->labels[0], "a");
    expect_text(o->labels[1], "1");
    expect_text(o->labels[2], "b");
    expect_text(o->labels[3], "");
    expect_text(o->labels[4], "c\"d");
    expect_text(o->labels[5], "l\nine");
    expect_text(o->fields[0], "red");
    expect_text(o->fields[1], "42");
    ck_assert(o->creation_ns == 1767323045000000000);
    snprintf(rv, sizeof(rv), "\"resourceVersion\":\"%llu\",", (unsigned long long)revision);
    expect_text((struct text){o->json.p + o->rv_at, o->rv_n}, rv);
    expect_text(text_from(o->json, o->json.n - 34), ",\"spec\":{\"color\":\"red\",\"count\":42}}" + 1);
}

#define LABELS "\"b\":\"\",\"a\":\"1\",\"c\\\"d\":\"l\\nine\""
#define SPEC "\"color\":\"red\",\"count\":42"

START_TEST(an_object_is_sealed_and_loaded_again)
{
    static const uint64_t revisions[] = {2, 12345, UINT64_MAX};
    for (size_t i = 0; i < N_ELEMENTS(revisions); i++) {
        struct object *o = make_object(&things, "ns/x", LABELS, SPEC), *again;
        struct text pieces[2];
        struct status st = {0};
        object_stored(o, pieces);
        struct buffer stored = BUFFER_INIT;
        buffer_add(&stored, pieces[0]);
        buffer_add(&stored, pieces[1]);
        object_seal(o, revisions[i]);
        check_thing(o, revisions[i]);
        ck_assert_msg(object_load(&things, buffer_text(&stored), true, revisions[i], &again, &st) == 0, "%s",
                      st.message);
        check_thing(again, revisions[i]);
        ck_assert(text_eq(o->json, again->json));
        /* what is stored of a sealed object is the same */
        object_stored(again, pieces);
        ck_assert_uint_eq(pieces[0].n + pieces[1].n, stored.n);
        struct object *copy = object_with_revision(again, 77);
        object_unref(again);
        check_thing(copy, 77);
        object_unref(copy);
        object_unref(o);
        buffer_deinit(&stored);
    }
}
END_TEST

/* Where the resource version's comma goes. */
START_TEST(the_resource_version_fits_any_neighbour)
{
    static const struct {
        const char *stored, *json;
    } rows[] = {
        {"{\"metadata\":{\"name\":\"x\",\"labels\":{}}}",
         "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\",\"labels\":{}}}"},
        {"{\"metadata\":{\"name\":\"x\"}}", "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\"}}"},
        {"{\"data\":{\"name\":\"y\"},\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"generation\":1},\"a\":1}",
         "{\"data\":{\"name\":\"y\"},\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"9\","
         "\"generation\":1},\"a\":1}"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct object *o;
        struct status st = {0};
        ck_assert_msg(object_load(&rooms, t_of(rows[i].stored), true, 9, &o, &st) == 0, "%s", st.message);
        expect_text(o->json, rows[i].json);
        expect_text(o->name, "x");
        object_unref(o);
    }
}
END_TEST

/* JSON of other programs, in other blanks and orders, of former versions, without what came to be there by
 * default. */
START_TEST(foreign_bytes_become_what_would_have_been_stored)
{
    static const struct {
        const char *group, *name, *stored, *holds;
        bool is_own;
    } rows[] = {
        {"", "secrets",
         "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"creationTimestamp\":"
         "\"2026-01-02T03:04:05Z\"}}\n",
         "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\","
         "\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"type\":\"Opaque\"}"},
        {"", "secrets",
         "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"creationTimestamp\":"
         "\"2026-01-02T03:04:05Z\"}}",
         "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\","
         "\"creationTimestamp\":\"2026-01-02T03:04:05Z\"}}",
         true},
        {"", "secrets",
         "{ \"apiVersion\": \"v1\", \"kind\": \"Secret\", \"type\": \"a/b\",\n"
         " \"metadata\": {\"creationTimestamp\": \"2026-01-02T03:04:05Z\", \"name\": \"x\" } }\n",
         "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\","
         "\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"type\":\"a/b\"}",
         true},
        {"apiextensions.k8s.io", "customresourcedefinitions",
         "{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/"
         "v1beta1\",\"metadata\":{\"name\":\"x\","
         "\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"spec\":{\"group\":\"g\",\"names\":{\"plural\":"
         "\"ds\",\"kind\":\"D\"},"
         "\"version\":\"a\",\"versions\":[{\"name\":\"a\",\"served\":true,\"storage\":true}]}}\n",
         "{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/"
         "v1\",\"metadata\":{\"name\":\"x\","
         "\"resourceVersion\":\"9\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"spec\":{\"group\":"
         "\"g\",\"names\":{\"plural\":\"ds\","
         "\"singular\":\"d\",\"kind\":\"D\",\"listKind\":\"DList\"},\"scope\":\"Namespaced\",\"versions\":[{"
         "\"name\":\"a\","
         "\"served\":true,\"storage\":true}],\"conversion\":{\"strategy\":\"None\"},"
         "\"preserveUnknownFields\":true},"
         "\"status\":{\"conditions\":null,\"acceptedNames\":{\"plural\":\"\",\"kind\":\"\"},"
         "\"storedVersions\":[\"a\"]}}"},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct object *o;
        struct status st = {0};
        const struct resource_type *type =
            schema_resource_find(text_of(rows[i].group), TEXT("v1"), text_of(rows[i].name));
        ck_assert_msg(object_load(type, text_of(rows[i].stored), rows[i].is_own, 9, &o, &st) == 0, "%zu: %s",
                      i, st.message);
        expect_text(o->json, rows[i].holds);
        object_unref(o);
    }
}
END_TEST

START_TEST(bad_stored_bytes_are_refused)
{
    static const char *const rows[] = {"",
                                       "x",
                                       "[]",
                                       "{}",
                                       "{\"metadata\":[]}",
                                       "{\"metadata\":{}}",
                                       "{\"metadata\":{\"name\":\"\"}}",
                                       "{\"metadata\":{\"name\":1}}",
                                       "{\"metadata\":{\"name\":\"x\"",
                                       "k8s\0pb",
                                       "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"3\"}}"};
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct object *o = NULL;
        CLEANUP(status_clear) struct status st = {0};
        ck_assert_msg(object_load(&things, t_of(rows[i]), true, 9, &o, &st) < 0, "row %zu", i);
        ck_assert_ptr_null(o);
        ck_assert_ptr_nonnull(st.message);
    }
    struct object *o = object_unreadable(&things, TEXT("ns/x"), TEXT("garbage"), 5, TEXT("it rotted"));
    ck_assert(o->is_unreadable);
    expect_text(o->name, "x");
    expect_text(o->json, "garbage");
    struct object *later = object_with_revision(o, 6);
    ck_assert(later->is_unreadable && later->revision == 6);
    object_unref(later);
    object_unref(o);
}
END_TEST

static atomic_uint n_made;

static struct blob *make_form(struct object *o, const void *of, uint32_t number, void *ctx)
{
    atomic_fetch_add(&n_made, 1);
    return ctx ? NULL : blob_new(number ? o->name : o->key);
}

static void *ask_for_forms(void *arg)
{
    for (uint32_t i = 0; i < 2000; i++) {
        struct blob *b = object_form_get(arg, FORM_OTHER, &things, i % 50, make_form, NULL);
        ck_assert(text_eq(blob_text(b), i % 50 ? TEXT("x") : TEXT("ns/x")));
    }
    return NULL;
}

START_TEST(forms_are_made_once_and_shared)
{
    struct object *o = make_object(&things, "ns/x", NULL, NULL);
    object_seal(o, 2);
    ck_assert_ptr_null(object_form_get(o, FORM_OTHER, &things, 1, make_form, o));
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, ask_for_forms, o);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_le(atomic_load(&n_made), 1 + 4 * 50);
    unsigned before = atomic_load(&n_made);
    struct blob *a = object_form_get(o, FORM_OTHER, &things, 7, make_form, NULL);
    ck_assert_ptr_eq(a, object_form_get(o, FORM_OTHER, &things, 7, make_form, NULL));
    ck_assert_uint_eq(atomic_load(&n_made), before);
    ck_assert_uint_ge(object_bytes(o), o->bytes + 50);
    object_unref(o);
}
END_TEST

/* The tree as a writer has it, its members in whatever order and of an older revision, and what is read from the JSON that was
 * made of it. */
START_TEST(protobuf_is_the_same_of_the_tree_and_of_the_json)
{
    static const char *const pods[] = {
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\","
        "\"resourceVersion\":\"17\","
        "\"uid\":\"u\",\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"creationTimestamp\":\"2026-01-02T03:04:05Z\","
        "\"managedFields\":"
        "[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\","
        "\"fieldsV1\":"
        "{\"f:spec\":{\"f:nodeName\":{}},\"f:a\":{}}}]},\"spec\":{\"containers\":[{\"image\":\"i\",\"name\":"
        "\"c\",\"resources\":"
        "{\"requests\":{\"memory\":\"1Gi\",\"cpu\":\"100m\"}},\"ports\":[{\"containerPort\":80}],"
        "\"livenessProbe\":"
        "{\"httpGet\":{\"port\":\"http\"}}}],\"nodeName\":\"n\",\"terminationGracePeriodSeconds\":30},"
        "\"status\":{}}",
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\",\"uid\":\"u\"},\"spec\":{"
        "\"containers\":null}}",
    };
    const struct resource_type *type = schema_resource_find(TEXT(""), TEXT("v1"), TEXT("pods"));
    for (size_t i = 0; i < N_ELEMENTS(pods); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct buffer json = BUFFER_IN(a), of_tree = BUFFER_IN(a), of_json = BUFFER_IN(a);
        struct status st = {0};
        struct value tree;
        size_t rv_at;
        ck_assert_int_eq(json_read(a, text_of(pods[i]), &(struct json_options){0}, &tree, &st), 0);
        ck_assert_int_eq(schema_decode(a, type->kind->schema, &tree, NULL, &st), 0);
        schema_encode(&json, type->kind->schema, &tree, &rv_at);
        struct object *o = object_new(type, buffer_text(&json), rv_at, &tree);
        ck_assert_int_eq(object_stored_protobuf(o, &tree, &of_tree, &st), 0);
        ck_assert_int_eq(object_stored_protobuf(o, NULL, &of_json, &st), 0);
        ck_assert(text_eq(buffer_text(&of_tree), buffer_text(&of_json)));
        ck_assert_int_eq(text_is(value_text(value_at(&tree, "metadata", "resourceVersion", NULL)), "17"),
                         i == 0);
        object_unref(o);
    }
}
END_TEST

UNIT_MAIN("storage/object", protobuf_is_the_same_of_the_tree_and_of_the_json,
          an_object_is_sealed_and_loaded_again, the_resource_version_fits_any_neighbour,
          foreign_bytes_become_what_would_have_been_stored, bad_stored_bytes_are_refused,
          forms_are_made_once_and_shared)
