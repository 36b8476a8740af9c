/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: every printed object, column and length of time that was recorded (../shared/facts/live/tables), and the form of a
 * Table in lists, single objects and watches. */
#include <dirent.h>

#include "endpoints/printers/printers.h"
#include "endpoints/table.h"
#include "fixture.h"

static struct text file_of(struct arena *a, const char *path)
{
    struct buffer b = BUFFER_IN(a);
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return TEXT_NONE;
    while ((n = fread(buffer_room(&b, 65536), 1, 65536, f)) > 0)
        b.n += n;
    fclose(f);
    return buffer_text(&b);
}

static struct value json_of(struct arena *a, struct text json)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value v;

    if (json_read(a, json, NULL, &v, &st) < 0)
        ck_abort_msg("%s in %.*s", st.message, TEXT_ARG(json));
    return v;
}

static const char *shown(struct arena *a, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    if (v)
        json_write(&b, v);
    return v ? arena_printf(a, "%.*s", TEXT_ARG(buffer_text(&b))) : "nothing";
}

/* Custom resources have no compiled-in type. */
static bool is_custom(struct text group)
{
    return text_is(group, "example.com");
}

/* --- rows ------------------------------------------------------------------------------------------------------------------- */

/* Conditions without their message, as they were recorded. */
static void drop_messages(struct value *conditions)
{
    for (size_t i = 0; conditions && i < conditions->n; i++)
        value_remove(&conditions->items[i], TEXT("message"));
}

static bool row_is_right(struct arena *a, const struct resource_type *type, const struct value *recorded)
{
    CLEANUP(status_clear) struct status st = {0};
    CLEANUP(object_unrefp) struct object *o = NULL;
    struct resource res = {.type = type, .storage = type->storage};
    struct representation rep = {.form = &form_table, .resource = &res, .kind = type->kind, .include = INCLUDE_NONE};
    struct value tree = value_copy(a, value_get(recorded, TEXT("object"))), stored, row;
    struct buffer json = BUFFER_IN(a), out = BUFFER_IN(a);
    struct value *conditions;
    int64_t now_ns;
    size_t rv_at;

    /* Component statuses are never stored; to hang off an object they need what every stored one has. */
    if (!value_find(&tree, "metadata.creationTimestamp"))
        value_set(a, value_get(&tree, TEXT("metadata")), TEXT("creationTimestamp"), value_string(TEXT("2026-01-02T03:04:05Z")));
    if (schema_decode(a, type->kind->schema, &tree, NULL, &st) < 0)
        ck_abort_msg("%s", st.message);
    stored = tree;
    if (type->kind != type->storage->kind &&
        schema_convert(a, type->kind, type->storage->kind, &tree, &stored, &st) < 0)
        ck_abort_msg("%s", st.message);
    schema_encode(&json, type->storage->kind->schema, &stored, &rv_at);
    o = object_new(type->storage, buffer_text(&json), rv_at, &stored);
    object_seal(o, 7);
    ck_assert(clock_parse_rfc3339(value_get_text(recorded, TEXT("now")), &now_ns));
    clock_fake(now_ns);
    for (int again = 0; again < 2; again++) { /* made, and found again */
        struct text item = form_table.item(&rep, o, a);
        ck_assert(item.p);
        buffer_clear(&out);
        form_table.fill(&out, item, now_ns);
    }
    clock_real();
    row = json_of(a, buffer_text(&out));
    conditions = value_get(&row, TEXT("conditions"));
    drop_messages(conditions);
    if (value_equal(value_get(&row, TEXT("cells")), value_get(recorded, TEXT("cells"))) &&
        (conditions ? value_get(recorded, TEXT("conditions")) && value_equal(conditions, value_get(recorded, TEXT("conditions")))
                    : !value_get(recorded, TEXT("conditions"))))
        return true;
    printf("%.*s/%.*s %s:\n  %s, not\n  %s %s\n", TEXT_ARG(type->group), TEXT_ARG(type->name),
           shown(a, value_get(recorded, TEXT("case"))), buffer_str(&out), shown(a, value_get(recorded, TEXT("cells"))),
           shown(a, value_get(recorded, TEXT("conditions"))));
    return false;
}

/* "core_v1_pods.json" */
static const struct resource_type *type_of_file(struct arena *a, const char *name, struct text *ret_group)
{
    struct text rest = arena_text(a, text_of(name)), version, resource;

    text_split(&rest, '_', ret_group);
    text_split(&rest, '_', &version);
    text_split(&rest, '.', &resource);
    if (text_is(*ret_group, "core"))
        *ret_group = TEXT("");
    return schema_resource_find(*ret_group, version, resource);
}

static void check_rows(const char *folder, size_t *n_rows, size_t *n_wrong)
{
    DIR *d = opendir(folder);

    if (!d) {
        printf("skipped: no %s\n", folder);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        const struct resource_type *type;
        struct text group;
        struct value rows;

        if (e->d_name[0] == '.')
            continue;
        type = type_of_file(a, e->d_name, &group);
        if (!type && is_custom(group)) {
            printf("skipped: %s is a custom resource, whose columns are its definition's\n", e->d_name);
            continue;
        }
        if (!type)
            ck_abort_msg("no resource for %s", e->d_name);
        rows = json_of(a, file_of(a, arena_printf(a, "%s/%s", folder, e->d_name)));
        for (size_t i = 0; i < rows.n; i++, ++*n_rows)
            *n_wrong += !row_is_right(a, type, &rows.items[i]);
    }
    closedir(d);
}

START_TEST(recorded_rows)
{
    size_t n_rows = 0, n_wrong = 0;

    check_rows("../shared/facts/live/tables/rows", &n_rows, &n_wrong);
    check_rows("../shared/facts/live/tables-all/rows", &n_rows, &n_wrong);
    if (n_rows)
        printf("%zu rows, %zu wrong\n", n_rows, n_wrong);
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

/* --- columns ---------------------------------------------------------------------------------------------------------------- */

static bool columns_are_right(struct arena *a, const struct resource_type *type, const struct value *recorded)
{
    struct buffer b = BUFFER_IN(a);
    struct value all, *ours;

    buffer_add_char(&b, '{');
    table_write_columns(&b, type);
    buffer_add_char(&b, '}');
    all = json_of(a, buffer_text(&b));
    ours = value_get(&all, TEXT("columnDefinitions"));
    for (size_t i = 0; i < ours->n; i++)
        ck_assert(value_remove(&ours->items[i], TEXT("description")));
    if (value_equal(ours, recorded))
        return true;
    printf("%.*s: %s, not %s\n", TEXT_ARG(type->name), shown(a, ours), shown(a, recorded));
    return false;
}

/* "api/v1/pods", "apis/apps/v1/deployments" */
static const struct resource_type *type_of_path(struct text path, struct text *ret_group)
{
    struct text part, version, resource;

    *ret_group = TEXT("");
    text_split(&path, '/', &part);
    if (text_is(part, "apis"))
        text_split(&path, '/', ret_group);
    text_split(&path, '/', &version);
    text_split(&path, '/', &resource);
    return schema_resource_find(*ret_group, version, resource);
}

START_TEST(recorded_columns)
{
    static const char *const files[] = {"../shared/facts/live/tables/columns.json", "../shared/facts/live/tables-all/columns.json"};
    CLEANUP(arena_freep) struct arena *a = arena_new();
    size_t n_wrong = 0;

    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        struct text json = file_of(a, files[i]);
        struct value all;
        if (!json.n) {
            printf("skipped: no %s\n", files[i]);
            continue;
        }
        all = json_of(a, json);
        for (size_t j = 0; j < all.n; j++) {
            struct text group;
            const struct resource_type *type = type_of_path(member_key(&all.members[j]), &group);
            if (!type && is_custom(group))
                continue;
            if (!type)
                ck_abort_msg("no resource for %.*s", TEXT_ARG(member_key(&all.members[j])));
            n_wrong += !columns_are_right(a, type, &all.members[j].value);
        }
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

/* Every column line names a printer that exists, and has a description. */
START_TEST(column_lines)
{
    for (size_t i = 0; i < n_schema_resources; i++) {
        for (size_t j = 0; j < schema_resources[i].n_columns; j++) {
            const struct resource_column *c = &schema_resources[i].columns[j];
            struct text rest = text_from(c->path, 1), name;
            if (c->path.p[0] == '@' && text_split(&rest, ':', &name) && !printer_find(name))
                ck_abort_msg("no printer %.*s", TEXT_ARG(name));
            ck_assert(!c->name.n || c->description.n || text_is(c->name, "Handler")); /* upstream has no words for it */
        }
    }
}
END_TEST

/* --- ages ------------------------------------------------------------------------------------------------------------------- */

START_TEST(recorded_ages)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text rest = file_of(a, "../shared/facts/live/tables/ages.tsv"), line, seconds, want;
    char text[DURATION_TEXT_MAX];
    int64_t s;

    if (!rest.n)
        printf("skipped: no ../shared/facts/live/tables/ages.tsv\n");
    while (text_split(&rest, '\n', &line)) {
        if (!line.n || line.p[0] == '#')
            continue;
        text_split(&line, '\t', &seconds);
        text_split(&line, '\t', &want);
        ck_assert(text_to_i64(seconds, &s));
        text[duration_text(s * 1000000000, text)] = 0;
        if (!text_is(want, text))
            ck_abort_msg("%lld s: %s, not %.*s", (long long)s, text, TEXT_ARG(want));
    }
}
END_TEST

/* --- the Table ---------------------------------------------------------------------------------------------------------------- */

#define AS_TABLE_V1 "Accept: application/json;as=Table;g=meta.k8s.io;v=v1\r\n"
#define CONFIG_MAPS "/api/v1/namespaces/default/configmaps"

START_TEST(forms)
{
    static const struct {
        const char *path, *accept;
        int code;
        const char *part[3];
    } rows[] = {
        {CONFIG_MAPS, AS_TABLE_V1, 200,
         {"{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"",
          "\"columnDefinitions\":[{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"description\":\"",
          "\"rows\":[{\"cells\":[\"tiny\",1,\"0s\"],\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
          "\"metadata\":{\"name\":\"tiny\","}},
        {CONFIG_MAPS "/tiny", AS_TABLE_V1, 200,
         {"\"metadata\":{\"resourceVersion\":\"", "\"columnDefinitions\":[{", "\"rows\":[{\"cells\":[\"tiny\",1,"}},
        {CONFIG_MAPS "?includeObject=None", AS_TABLE_V1, 200, {"\"object\":null}]}"}},
        {CONFIG_MAPS "?includeObject=Object", AS_TABLE_V1, 200, {"\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",", "\"data\":{\"a\":\"b\"}}}]}"}},
        {CONFIG_MAPS "?includeObject=Nope", AS_TABLE_V1, 400,
         {"Unable to convert to Table as requested: includeObject: Invalid value: \\\"Nope\\\": must be 'Metadata', 'Object', "
          "'None', or empty", "\"reason\": \"BadRequest\""}},
        {CONFIG_MAPS "/tiny?includeObject=Nope", AS_TABLE_V1, 400, {"Unable to convert to Table"}},
        {CONFIG_MAPS "/none?includeObject=Nope", AS_TABLE_V1, 404, {"\"reason\": \"NotFound\""}},
        {CONFIG_MAPS "/tiny?includeObject=Nope", "", 200, {"\"data\""}},
        {CONFIG_MAPS "?labelSelector=no=one", AS_TABLE_V1, 200, {"\"rows\":[]}"}},
        {CONFIG_MAPS, "Accept: application/json;as=Table;g=meta.k8s.io;v=v1beta1\r\n", 200,
         {"\"apiVersion\":\"meta.k8s.io/v1beta1\",\"metadata\"", "\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1beta1\""}},
        {CONFIG_MAPS, "Accept: application/json;as=Table;g=meta.k8s.io;v=v2\r\n", 406, {"only the following media types are accepted"}},
        {CONFIG_MAPS, "Accept: application/json;as=Table;g=meta.k8s.io;v=v2,application/json\r\n", 200, {"\"kind\":\"ConfigMapList\""}},
        {CONFIG_MAPS, "Accept: application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1\r\n", 406, {"NotAcceptable"}},
        {CONFIG_MAPS, "Accept: application/yaml;as=Table;g=meta.k8s.io;v=v1\r\n", 200, {"kind: Table\n", "- cells:\n  - tiny\n  - 1\n"}},
        {CONFIG_MAPS "/none", AS_TABLE_V1, 404, {"configmaps \\\"none\\\" not found"}},
    };
    struct fixture f;

    fixture_start(&f);
    ck_code(post(&f, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    ck_code(post(&f, CONFIG_MAPS, "{\"metadata\":{\"name\":\"tiny\"},\"data\":{\"a\":\"b\"}}"), 201);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct reply r = call(&f, "GET", rows[i].path, rows[i].accept, NULL);
        ck_code(r, rows[i].code);
        for (size_t j = 0; j < N_ELEMENTS(rows[i].part) && rows[i].part[j]; j++)
            ck_has(r.body, rows[i].part[j]);
    }
    fixture_stop(&f);
}
END_TEST

START_TEST(watch_events)
{
    struct fixture f;
    struct reply r;
    struct text first, second;

    fixture_start(&f);
    ck_code(post(&f, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    ck_code(post(&f, CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"}}"), 201);
    ck_code(post(&f, CONFIG_MAPS, "{\"metadata\":{\"name\":\"b\"}}"), 201);
    r = call(&f, "GET", CONFIG_MAPS "?watch=1&resourceVersion=0&timeoutSeconds=1", AS_TABLE_V1, NULL);
    ck_code(r, 200);
    ck_assert(text_split(&r.body, '\n', &first));
    ck_assert(text_split(&r.body, '\n', &second));
    ck_has(first, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Table\",");
    ck_has(first, "\"columnDefinitions\":[{");
    ck_has(first, "\"cells\":[\"a\",0,");
    ck_has(second, "\"columnDefinitions\":null,\"rows\":[{\"cells\":[\"b\",0,");
    fixture_stop(&f);
}
END_TEST

START_TEST(flow_schemas_are_ordered)
{
    static const struct {
        const char *name;
        int precedence;
    } schemas[] = {{"a", 500}, {"c", 20}, {"b", 20}};
    struct fixture f;
    struct reply r;
    ptrdiff_t a, b, c;

    fixture_start(&f);
    for (size_t i = 0; i < N_ELEMENTS(schemas); i++)
        ck_code(post(&f, "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
                     arena_printf(f.a, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"matchingPrecedence\":%d,"
                                       "\"priorityLevelConfiguration\":{\"name\":\"p\"}}}", schemas[i].name, schemas[i].precedence)), 201);
    r = call(&f, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas?includeObject=None", AS_TABLE_V1, NULL);
    ck_code(r, 200);
    a = text_find_text(r.body, TEXT("[\"a\",\"p\",500,"));
    b = text_find_text(r.body, TEXT("[\"b\",\"p\",20,"));
    c = text_find_text(r.body, TEXT("[\"c\",\"p\",20,"));
    ck_assert(b > 0 && b < c && c < a);
    fixture_stop(&f);
}
END_TEST

UNIT_MAIN("endpoints/table", recorded_rows, recorded_columns, column_lines, recorded_ages, forms, watch_events,
          flow_schemas_are_ordered)
