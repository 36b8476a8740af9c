/* SPDX-License-Identifier: Apache-2.0 */
/* Managed fields and server-side apply. managed.jsonl holds random changes of random objects of many kinds, each with what
 * apimachinery's field manager (v0.36.3, with client-go's type converter) made of it: {live, obj, manager, force} and {managed,
 * result} or the error. What follows them needs a clock, a version or a run of many steps. */
#include <stdio.h>

#include "patch.h"
#include "trees.h"

static struct value canonical(struct arena *a, const struct schema_kind *kind, const struct value *v)
{
    struct status st = {0};
    struct value copy = value_copy(a, v);

    managed_keep_reset(a, &copy);
    if (schema_decode(a, kind->schema, &copy, NULL, &st) < 0)
        ck_abort_msg("%s", st.message);
    return copy;
}

static struct value *managed_of(const struct value *obj)
{
    return value_at(obj, "metadata", "managedFields", NULL);
}

static void strip_times(struct value *list)
{
    for (size_t i = 0; list && i < list->n; i++)
        value_remove(&list->items[i], TEXT("time"));
}

/* With field sets as trees. */
static struct value expanded(struct arena *a, const struct value *v)
{
    struct value copy = value_copy(a, v);

    json_expand(a, &copy);
    return copy;
}

static bool same(const struct value *x, const struct value *y)
{
    return x && y && x->kind != VALUE_NULL && y->kind != VALUE_NULL ? value_equal(x, y) : value_is_empty(x) && value_is_empty(y);
}

/* --- rows of the real thing --- */

static struct managing managing_of(struct arena *a, const struct value *row)
{
    static const char *const status[] = {"status", NULL}, *const spec[] = {"spec", NULL};
    static const char *const *const resets[] = {status, spec};
    const struct schema_kind *kind =
        schema_kind_of(value_get_text(row, TEXT("apiVersion")), value_get_text(row, TEXT("kind")));
    struct text reset = value_get_text(row, TEXT("reset"));

    return (struct managing){.arena = a,
                             .kind = kind,
                             .storage = kind,
                             .manager = value_get_text(row, TEXT("manager")),
                             .subresource = value_get_text(row, TEXT("sub")),
                             .reset = resets + text_is(reset, "spec"),
                             .n_reset = reset.n ? 1 : 0};
}

static void check_same(const char *line, const char *what, struct arena *a, const struct value *got, const struct value *want)
{
    struct value found = got ? expanded(a, got) : value_null;

    if (!same(&found, want))
        ck_abort_msg("%s\n%s: got %s\nwant %s", line, what, got ? written(a, got) : "nothing",
                     want ? written(a, want) : "nothing");
}

static void check_row(struct arena *a, const char *line)
{
    const struct value row = read_json(a, line), *live = value_get(&row, TEXT("live"));
    const struct managing m = managing_of(a, &row);
    struct text error = value_get_text(&row, TEXT("error"));
    struct status st = {0};
    struct value before, obj, result, managed = value_null;
    bool is_same;

    if (live->kind == VALUE_OBJECT)
        before = canonical(a, m.kind, live), live = &before;
    else
        live = NULL;
    if (text_is(value_get_text(&row, TEXT("op")), "update")) {
        obj = canonical(a, m.kind, value_get(&row, TEXT("obj")));
        managed_update(&m, live, &obj);
        strip_times(managed_of(&obj));
        check_same(line, "managed", a, managed_of(&obj), value_get(&row, TEXT("managed")));
        return;
    }
    if (managed_apply(&m, live, value_get(&row, TEXT("obj")), value_get_bool(&row, TEXT("force"), false), &result, &managed,
                      &is_same, &st) < 0) {
        if (!text_is(error, st.message))
            ck_abort_msg("%s\ngot %s\nwant %.*s", line, st.message, TEXT_ARG(error));
        status_clear(&st);
        return;
    }
    ck_assert_msg(!error.n, "%s\nis no error", line);
    strip_times(&managed);
    check_same(line, "managed", a, &managed, value_get(&row, TEXT("managed")));
    result = canonical(a, m.kind, &result);
    value_remove(value_get(&result, TEXT("metadata")), TEXT("managedFields"));
    check_same(line, "result", a, &result, value_get(&row, TEXT("result")));
}

START_TEST(random_changes_give_what_the_real_field_manager_gives)
{
    FILE *f = fopen("tests/unit/patch/managed.jsonl", "re");
    CLEANUP(arena_freep) struct arena *a = arena_new();
    char *line = NULL;
    size_t cap = 0, n = 0;

    ck_assert_msg(f != NULL, "no tests/unit/patch/managed.jsonl: run this from the top of the tree");
    while (getline(&line, &cap, f) > 0) {
        check_row(a, line);
        arena_reset(a);
        n++;
    }
    free(line);
    fclose(f);
    ck_assert_uint_gt(n, 100);
}
END_TEST

/* --- one object through its life --- */

struct life {
    struct arena *a;
    const struct schema_kind *kind;
    struct value live;
    bool exists;
};

static struct life life_of(const char *api_version, const char *kind)
{
    return (struct life){.a = arena_new(), .kind = schema_kind_of(text_of(api_version), text_of(kind))};
}

static struct value object_of(struct life *l, const char *members)
{
    return read_json(l->a, arena_printf(l->a, "{\"apiVersion\":\"%.*s\",\"kind\":\"%.*s\",%s}", TEXT_ARG(l->kind->api_version),
                                        TEXT_ARG(l->kind->gvk.kind), members));
}

static struct managing by(struct life *l, const char *manager)
{
    return (struct managing){.arena = l->a, .kind = l->kind, .storage = l->kind, .manager = text_of(arena_strdup(l->a, manager))};
}

static void store(struct life *l, const struct value *obj)
{
    l->live = *obj;
    l->exists = true;
    value_set(l->a, value_object_at(l->a, &l->live, TEXT("metadata")), TEXT("uid"), value_string(TEXT("u")));
    schema_arrange(l->a, l->kind->schema, &l->live);
}

static void update(struct life *l, const struct managing *m, const char *members)
{
    struct value sent = object_of(l, members), obj = canonical(l->a, l->kind, &sent);

    managed_update(m, l->exists ? &l->live : NULL, &obj);
    store(l, &obj);
}

static int apply(struct life *l, const struct managing *m, const char *members, bool force, struct status *st)
{
    struct value patch = object_of(l, members), result, managed, obj;
    bool is_same;

    if (managed_apply(m, l->exists ? &l->live : NULL, &patch, force, &result, &managed, &is_same, st) < 0)
        return -1;
    obj = is_same && l->exists ? value_copy(l->a, &l->live) : canonical(l->a, l->kind, &result);
    if (managed.kind == VALUE_LIST)
        value_set(l->a, value_object_at(l->a, &obj, TEXT("metadata")), TEXT("managedFields"), managed);
    else
        value_remove(value_get(&obj, TEXT("metadata")), TEXT("managedFields"));
    store(l, &obj);
    return 0;
}

static const struct value *entry_of(struct life *l, const char *manager, const char *operation)
{
    const struct value *list = managed_of(&l->live);

    for (size_t i = 0; list && i < list->n; i++)
        if (text_is(value_get_text(&list->items[i], TEXT("manager")), manager) &&
            text_is(value_get_text(&list->items[i], TEXT("operation")), operation))
            return &list->items[i];
    return NULL;
}

static void expect_fields(struct life *l, const char *manager, const char *operation, const char *fields)
{
    const struct value *entry = entry_of(l, manager, operation);

    if (!fields) {
        ck_assert_msg(!entry, "%s has %s", manager, entry ? written(l->a, entry) : "");
        return;
    }
    ck_assert_msg(entry != NULL, "%s is no manager in %s", manager, written(l->a, &l->live));
    ck_assert_str_eq(written(l->a, value_get(entry, TEXT("fieldsV1"))), fields);
}

#define NAMED "\"metadata\":{\"name\":\"x\"}"

START_TEST(more_than_ten_updaters_are_made_ancient)
{
    struct life l = life_of("v1", "ConfigMap");

    for (int i = 0; i < 15; i++) {
        char name[16], data[256] = "";
        snprintf(name, sizeof(name), "m%02d", i);
        for (int k = 0; k <= i; k++)
            snprintf(data + strlen(data), sizeof(data) - strlen(data), "%s\"k%02d\":\"v\"", k ? "," : "", k);
        const struct managing m = by(&l, name);
        update(&l, &m, arena_printf(l.a, NAMED ",\"data\":{%s}", data));
        struct value *list = managed_of(&l.live);
        ck_assert_uint_eq(list->n, (size_t)(i < 10 ? i + 1 : 10));
        for (size_t k = 0; k < list->n; k++) /* each is older than the next */
            if (text_is(value_get_text(&list->items[k], TEXT("manager")), name))
                value_set(l.a, &list->items[k], TEXT("time"),
                          value_string(arena_textf(l.a, "2026-01-01T00:00:%02dZ", i)));
    }
    expect_fields(&l, "ancient-changes", "Update",
                  "{\"f:data\":{\".\":{},\"f:k00\":{},\"f:k01\":{},\"f:k02\":{},\"f:k03\":{},\"f:k04\":{},\"f:k05\":{}}}");
    expect_fields(&l, "m05", "Update", NULL);
    expect_fields(&l, "m06", "Update", "{\"f:data\":{\"f:k06\":{}}}");
    ck_assert(text_is(value_get_text(entry_of(&l, "ancient-changes", "Update"), TEXT("time")), "2026-01-01T00:00:05Z"));
    arena_free(l.a);
}
END_TEST

START_TEST(an_object_of_nobody_gets_a_manager_before_its_first_apply)
{
    struct life l = life_of("v1", "ConfigMap");
    struct managing m = by(&l, "first");
    struct status st = {0};

    update(&l, &m, NAMED ",\"data\":{\"a\":\"1\",\"b\":\"1\"}");
    update(&l, &m, "\"metadata\":{\"name\":\"x\",\"managedFields\":[]},\"data\":{\"a\":\"1\",\"b\":\"1\"}");
    ck_assert_ptr_null(managed_of(&l.live)); /* an empty list clears them */
    update(&l, &m, NAMED ",\"data\":{\"a\":\"1\",\"b\":\"2\"}");
    ck_assert_ptr_null(managed_of(&l.live)); /* and updates do not begin again */
    m = by(&l, "applier");
    ck_assert_int_lt(apply(&l, &m, NAMED ",\"data\":{\"a\":\"2\"}", false, &st), 0);
    ck_assert_str_eq(st.message, "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a");
    status_clear(&st);
    ck_assert_int_eq(apply(&l, &m, NAMED ",\"data\":{\"a\":\"1\"}", false, &st), 0);
    expect_fields(&l, "applier", "Apply", "{\"f:data\":{\"f:a\":{}}}");
    expect_fields(&l, "before-first-apply", "Update", "{\"f:data\":{\".\":{},\"f:a\":{},\"f:b\":{}}}");
    arena_free(l.a);
}
END_TEST

START_TEST(what_a_client_sends_as_managed_fields_counts_when_it_is_good)
{
    static const struct {
        const char *managed;
        bool counts;
    } rows[] = {
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
         "\"f:data\":{\"f:b\":{},\"f:a\":{}}}}]", true},
        {"[{\"manager\":\"m\",\"operation\":\"Patch\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV2\",\"fieldsV1\":{}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
         "\"data\":{}}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
         "\"f:data\":[]}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
         "\"k:[]\":{}}}]", false},
        {"[{\"manager\":\"m\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
         "\"i:x\":{}}}]", false},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct life l = life_of("v1", "ConfigMap");
        struct managing m = by(&l, "first");
        update(&l, &m, NAMED ",\"data\":{\"a\":\"1\",\"b\":\"1\"}");
        m = by(&l, "second");
        update(&l, &m, arena_printf(l.a, "\"metadata\":{\"name\":\"x\",\"managedFields\":%s},\"data\":{\"a\":\"2\",\"b\":\"1\"}",
                                    rows[i].managed));
        expect_fields(&l, "m", "Update", rows[i].counts ? "{\"f:data\":{\"f:b\":{}}}" : NULL);
        expect_fields(&l, "first", "Update", rows[i].counts ? NULL : "{\"f:data\":{\".\":{},\"f:b\":{}}}");
        expect_fields(&l, "second", "Update", "{\"f:data\":{\"f:a\":{}}}");
        m.subresource = TEXT("status"); /* there they do not count */
        update(&l, &m, "\"metadata\":{\"name\":\"x\",\"managedFields\":[]},\"data\":{\"a\":\"2\",\"b\":\"1\"}");
        ck_assert_ptr_nonnull(managed_of(&l.live));
        arena_free(l.a);
    }
}
END_TEST

START_TEST(an_apply_that_changes_nothing_keeps_the_times)
{
    struct life l = life_of("v1", "ConfigMap");
    struct managing m = by(&l, "a");
    struct status st = {0};

    ck_assert_int_eq(apply(&l, &m, NAMED ",\"data\":{\"a\":\"1\"}", false, &st), 0);
    value_set(l.a, (struct value *)entry_of(&l, "a", "Apply"), TEXT("time"), value_string(TEXT("2020-01-01T00:00:00Z")));
    struct value before = value_copy(l.a, &l.live);
    ck_assert_int_eq(apply(&l, &m, NAMED ",\"data\":{\"a\":\"1\"}", false, &st), 0);
    ck_assert_str_eq(written(l.a, &l.live), written(l.a, &before));
    update(&l, &m, NAMED ",\"data\":{\"a\":\"1\"}");
    ck_assert_str_eq(written(l.a, managed_of(&l.live)), written(l.a, managed_of(&before)));
    arena_free(l.a);
}
END_TEST

START_TEST(fields_are_followed_from_one_version_to_the_next)
{
    struct life l = life_of("autoscaling/v2", "HorizontalPodAutoscaler");
    const struct schema_kind *v1 = schema_kind_of(TEXT("autoscaling/v1"), TEXT("HorizontalPodAutoscaler"));
    struct managing m = by(&l, "a");
    struct status st = {0};
    struct value result, managed, patch;
    bool is_same;

    ck_assert_int_eq(apply(&l, &m, NAMED ",\"spec\":{\"maxReplicas\":3,\"minReplicas\":1,\"scaleTargetRef\":{\"kind\":\"D\",\"name\":\"d\"}}",
                           false, &st), 0);
    m.kind = v1; /* the same applier leaves a field out, in the older version */
    m.storage = l.kind;
    patch = read_json(l.a, "{\"apiVersion\":\"autoscaling/v1\",\"kind\":\"HorizontalPodAutoscaler\"," NAMED
                           ",\"spec\":{\"maxReplicas\":4,\"scaleTargetRef\":{\"kind\":\"D\",\"name\":\"d\"}}}");
    if (managed_apply(&m, &l.live, &patch, false, &result, &managed, &is_same, &st) < 0)
        ck_abort_msg("%s", st.message);
    ck_assert_uint_eq(managed.n, 1);
    ck_assert(text_is(value_get_text(&managed.items[0], TEXT("apiVersion")), "autoscaling/v1"));
    ck_assert_int_eq(value_get_int(value_get(&result, TEXT("spec")), TEXT("maxReplicas"), 0), 4);
    ck_assert_ptr_null(value_at(&result, "spec", "minReplicas", NULL));
    m.manager = TEXT("b"); /* another has a conflict across the versions */
    ck_assert_int_lt(managed_apply(&m, &l.live, &patch, false, &result, &managed, &is_same, &st), 0);
    ck_assert_str_eq(st.message, "Apply failed with 1 conflict: conflict with \"a\": .spec.maxReplicas");
    status_clear(&st);
    arena_free(l.a);
}
END_TEST

START_TEST(the_client_side_record_yields_what_is_still_as_it_says)
{
#define RECORD "\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":" \
               "\\\"ConfigMap\\\",\\\"data\\\":{\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"1\\\"}}\"}"
    struct life l = life_of("v1", "ConfigMap");
    struct managing m = by(&l, "kubectl-client-side-apply");
    struct status st = {0};

    update(&l, &m, "\"metadata\":{\"name\":\"x\"," RECORD "},\"data\":{\"a\":\"1\",\"b\":\"1\"}");
    m = by(&l, "other");
    update(&l, &m, "\"metadata\":{\"name\":\"x\"," RECORD "},\"data\":{\"a\":\"1\",\"b\":\"2\"}");
    m = by(&l, "kubectl");
    ck_assert_int_lt(apply(&l, &m, NAMED ",\"data\":{\"a\":\"3\",\"b\":\"3\"}", false, &st), 0);
    ck_assert_str_eq(st.message, "Apply failed with 1 conflict: conflict with \"other\" using v1: .data.b");
    status_clear(&st);
    ck_assert_int_eq(apply(&l, &m, NAMED ",\"data\":{\"a\":\"3\"}", false, &st), 0);
    ck_assert_str_eq(written(l.a, value_get(&l.live, TEXT("data"))), "{\"a\":\"3\",\"b\":\"2\"}");
    ck_assert(text_is(value_get_text(value_at(&l.live, "metadata", "annotations", NULL),
                                     TEXT("kubectl.kubernetes.io/last-applied-configuration")),
                      "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"3\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}\n"));
    m = by(&l, "not-kubectl");
    ck_assert_int_lt(apply(&l, &m, NAMED ",\"data\":{\"a\":\"4\"}", false, &st), 0);
    status_clear(&st);
    arena_free(l.a);
}
END_TEST

START_TEST(refused_patches_say_why)
{
    static const struct {
        const char *patch, *says;
        enum status_reason reason;
    } rows[] = {
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}", "invalid object type: /v1, Kind=Secret", STATUS_BAD_REQUEST},
        {"{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\"}", "invalid object type: /v2, Kind=ConfigMap", STATUS_BAD_REQUEST},
        {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"managedFields\":[]}}", "metadata.managedFields must be nil",
         STATUS_BAD_REQUEST},
        {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"},\"foo\":1}",
         "failed to create typed patch object (n/x; /v1, Kind=ConfigMap): .foo: field not declared in schema", STATUS_UNKNOWN},
        {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":[]}",
         "failed to create typed patch object (/; /v1, Kind=ConfigMap): .data: expected map, got []", STATUS_UNKNOWN},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct schema_kind *kind = schema_kind_of(TEXT("v1"), TEXT("ConfigMap"));
    const struct managing m = {.arena = a, .kind = kind, .storage = kind, .manager = TEXT("m")};

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct value patch = read_json(a, rows[i].patch), result, managed;
        struct status st = {0};
        bool is_same;
        ck_assert_int_lt(managed_apply(&m, NULL, &patch, true, &result, &managed, &is_same, &st), 0);
        ck_assert_str_eq(st.message, rows[i].says);
        ck_assert_int_eq(st.reason, rows[i].reason);
        status_clear(&st);
    }
}
END_TEST

START_TEST(managers_without_a_name_are_called_by_their_agent)
{
    static const struct {
        const char *agent, *name;
    } rows[] = {
        {"kubectl/v1.33.0 (linux/amd64)", "kubectl"}, {"curl", "curl"}, {"", ""}, {"/x", ""}, {"a\x01" "b/1", "ab"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ck_assert_msg(text_is(managed_name_of_agent(a, text_of(rows[i].agent)), rows[i].name), "%s", rows[i].agent);
}
END_TEST

/* --- a plain model of ownership --- */

enum { KEYS = 6, MANAGERS = 4 };
struct model {
    int value[KEYS]; /* 0: not there */
    bool owns[2 * MANAGERS][KEYS]; /* appliers, then updaters */
};

static unsigned roll(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % n;
}

static bool is_owned_by_others(const struct model *m, int who, int key)
{
    for (int i = 0; i < 2 * MANAGERS; i++)
        if (i != who && m->owns[i][key])
            return true;
    return false;
}

static void give(struct model *m, int who, int key, bool is_alone)
{
    for (int i = 0; i < 2 * MANAGERS && is_alone; i++)
        m->owns[i][key] = false;
    if (who >= 0)
        m->owns[who][key] = true;
}

/* False: there is a conflict. */
static bool model_apply(struct model *m, int who, const int *config, bool force)
{
    for (int k = 0; k < KEYS && !force; k++)
        if (config[k] && m->value[k] != config[k] && is_owned_by_others(m, who, k))
            return false;
    for (int k = 0; k < KEYS; k++) {
        if (config[k]) {
            give(m, who, k, m->value[k] != config[k]);
            m->value[k] = config[k];
        } else if (m->owns[who][k]) {
            m->owns[who][k] = false;
            if (!is_owned_by_others(m, who, k))
                m->value[k] = 0;
        }
    }
    return true;
}

static void model_update(struct model *m, int who, const int *wanted)
{
    for (int k = 0; k < KEYS; k++) {
        if (m->value[k] == wanted[k])
            continue;
        give(m, wanted[k] ? who : -1, k, true);
        m->value[k] = wanted[k];
    }
}

static const char *data_of(struct arena *a, const int *values)
{
    struct buffer b = BUFFER_IN(a);

    buffer_add_str(&b, NAMED ",\"data\":{");
    for (int k = 0, n = 0; k < KEYS; k++)
        if (values[k])
            buffer_addf(&b, "%s\"k%d\":\"%d\"", n++ ? "," : "", k, values[k]);
    buffer_add_char(&b, '}');
    return buffer_str(&b);
}

static void expect_model(struct life *l, const struct model *m)
{
    for (int who = 0; who < 2 * MANAGERS; who++) {
        char name[8];
        snprintf(name, sizeof(name), "m%d", who % MANAGERS);
        const struct value *fields = value_get(entry_of(l, name, who < MANAGERS ? "Apply" : "Update"), TEXT("fieldsV1"));
        const struct value set = fields ? expanded(l->a, fields) : value_null, *data = value_get(&set, TEXT("f:data"));
        for (int k = 0; k < KEYS; k++) {
            char field[8];
            snprintf(field, sizeof(field), "f:k%d", k);
            if ((value_get(data, text_of(field)) != NULL) != m->owns[who][k])
                ck_abort_msg("%s %s %s: %s", name, who < MANAGERS ? "applies" : "updates", field, written(l->a, &l->live));
        }
    }
    for (int k = 0; k < KEYS; k++) {
        char key[8], value[8] = "";
        snprintf(key, sizeof(key), "k%d", k);
        if (m->value[k])
            snprintf(value, sizeof(value), "%d", m->value[k]);
        ck_assert_msg(text_is(value_get_text(value_get(&l->live, TEXT("data")), text_of(key)), value), "%s: %s", key,
                      written(l->a, &l->live));
    }
}

START_TEST(random_sequences_end_as_a_plain_model_says)
{
    unsigned seed = 1;

    for (int run = 0; run < 150; run++) {
        struct life l = life_of("v1", "ConfigMap");
        struct model model = {0};
        for (int s = 0; s < 25; s++) {
            struct status st = {0};
            int values[KEYS], who = (int)roll(&seed, MANAGERS);
            char name[8];
            bool is_update = roll(&seed, 3) == 0, force = roll(&seed, 3) == 0;
            snprintf(name, sizeof(name), "m%d", who);
            const struct managing m = by(&l, name);
            for (int k = 0; k < KEYS; k++)
                values[k] = roll(&seed, 2) ? (int)roll(&seed, 3) : is_update ? model.value[k] : 0;
            values[who] += !values[who] && !is_update; /* an empty map would be a field of its own */
            if (is_update) {
                update(&l, &m, data_of(l.a, values));
                model_update(&model, MANAGERS + who, values);
            } else if (apply(&l, &m, data_of(l.a, values), force, &st) < 0) {
                ck_assert_int_eq(st.reason, STATUS_CONFLICT);
                struct model unchanged = model;
                ck_assert(!model_apply(&unchanged, who, values, force));
            } else {
                ck_assert(model_apply(&model, who, values, force));
                struct value before = value_copy(l.a, &l.live);
                ck_assert_int_eq(apply(&l, &m, data_of(l.a, values), false, &st), 0);
                ck_assert_str_eq(written(l.a, &l.live), written(l.a, &before));
            }
            status_clear(&st);
            expect_model(&l, &model);
        }
        arena_free(l.a);
    }
}
END_TEST

/* --- size --- */

START_TEST(hostile_lists_of_managers_take_no_long_time)
{
    struct life l = life_of("v1", "ConfigMap");
    struct buffer b = BUFFER_IN(l.a);
    struct managing m = by(&l, "m");

    update(&l, &m, NAMED ",\"data\":{\"a\":\"1\"}");
    buffer_add_str(&b, "\"metadata\":{\"name\":\"x\",\"managedFields\":[");
    for (int i = 0; i < 20000; i++)
        buffer_addf(&b, "%s{\"manager\":\"m%d\",\"operation\":\"Update\",\"apiVersion\":\"%s\",\"fieldsType\":\"FieldsV1\","
                        "\"fieldsV1\":{\"f:data\":{\"f:a\":{}}}}", i ? "," : "", i, i % 2 ? "v1" : arena_printf(l.a, "v%d", i));
    buffer_add_str(&b, "]},\"data\":{\"a\":\"1\",\"b\":\"2\"}");
    update(&l, &m, buffer_str(&b));
    ck_assert_uint_eq(managed_of(&l.live)->n, 10);
    ck_assert_ptr_nonnull(entry_of(&l, "ancient-changes", "Update"));
    arena_free(l.a);
}
END_TEST

UNIT_MAIN("managed", random_changes_give_what_the_real_field_manager_gives, more_than_ten_updaters_are_made_ancient,
          an_object_of_nobody_gets_a_manager_before_its_first_apply,
          what_a_client_sends_as_managed_fields_counts_when_it_is_good, an_apply_that_changes_nothing_keeps_the_times,
          fields_are_followed_from_one_version_to_the_next, the_client_side_record_yields_what_is_still_as_it_says,
          refused_patches_say_why, managers_without_a_name_are_called_by_their_agent,
          random_sequences_end_as_a_plain_model_says, hostile_lists_of_managers_take_no_long_time)
