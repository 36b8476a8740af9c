/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: ranges, pages at one revision, tokens, versions and their matches. */
#include "world.h"

static struct world w;

static void create(const char *ns, const char *name, const char *label)
{
    struct operation op = {0};

    ck_assert_int_eq(
        world_create(
            &w, &op, "v1", "configmaps", ns,
            arena_printf(w.arena, "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"l\":\"%s\"}}}", name, label)),
        0);
    operation_clear(&op);
}

/* Six objects in two namespaces. */
static void fill_with(size_t ring_max_events)
{
    world_start_with(&w, ring_max_events);
    world_namespace(&w, "ns2");
    create("ns", "a", "1");
    create("ns", "b", "2");
    create("ns", "c", "1");
    create("ns", "d", "2");
    create("ns2", "a", "1");
    create("ns2", "e", "2");
}

static void fill(void)
{
    fill_with(0);
}

static const char *read_all(struct listing *l)
{
    struct buffer b = BUFFER_IN(w.arena);
    struct object *o;

    while ((o = listing_next(l)))
        buffer_addf(&b, "%s%.*s", b.n ? " " : "", TEXT_ARG(o->key));
    return buffer_str(&b);
}

static const char *read_runs(struct listing *l)
{
    struct buffer b = BUFFER_IN(w.arena);
    struct listing_run run;

    while (listing_next_run(l, &run))
        for (size_t i = 0; i < run.n; i++)
            buffer_addf(&b, "%s%.*s", b.n ? " " : "",
                        TEXT_ARG(((const struct object *)run.leaf.items[run.from + i])->key));
    return buffer_str(&b);
}

static int open_list(struct listing *l, const struct list_request *req, struct status *st)
{
    uint64_t wait_for;
    int r = listing_open(l, world_resource(&w, "v1", "configmaps"), req, &wait_for, st);

    ck_assert_uint_eq(wait_for, 0);
    return r;
}

static const struct list_row {
    const char *ns, *labels, *fields;
    int64_t limit;
    const char *keys;
    int64_t remaining; /* -2: there is no next page */
} rows[] = {
    {"", "", "", 0, "ns/a ns/b ns/c ns/d ns2/a ns2/e", -2},
    {"ns", "", "", 0, "ns/a ns/b ns/c ns/d", -2},
    {"ns2", "", "", 0, "ns2/a ns2/e", -2},
    {"none", "", "", 0, "", -2},
    {"", "", "", 4, "ns/a ns/b ns/c ns/d", 2},
    {"ns", "", "", 3, "ns/a ns/b ns/c", 1},
    {"ns", "", "", 4, "ns/a ns/b ns/c ns/d", -2},
    {"", "l=1", "", 0, "ns/a ns/c ns2/a", -2},
    {"", "l=1", "", 2, "ns/a ns/c", -1},
    {"", "", "metadata.name=a", 0, "ns/a ns2/a", -2},
    {"ns", "", "metadata.name=a", 0, "ns/a", -2},
    {"ns", "l=2", "metadata.name=a", 0, "", -2},
    {"ns", "", "metadata.name=none", 0, "", -2},
    {"", "", "metadata.namespace=ns2", 0, "ns2/a ns2/e", -2},
    {"", "", "metadata.namespace=ns2,metadata.name=e", 0, "ns2/e", -2},
};

START_TEST(ranges_and_selectors_choose)
{
    fill();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct list_row *r = &rows[i];
        const struct resource *res = world_resource(&w, "v1", "configmaps");
        struct selector labels, fields;
        struct status st = {0};
        struct listing l;
        int64_t remaining;
        ck_assert_int_eq(selector_parse_labels(w.arena, text_of(r->labels), &labels, &st), 0);
        ck_assert_int_eq(selector_parse_fields(w.arena, text_of(r->fields), res->type, &fields, &st), 0);
        struct list_request req = {
            .namespace = text_of(r->ns), .labels = &labels, .fields = &fields, .limit = r->limit};
        ck_assert_int_eq(open_list(&l, &req, &st), 0);
        const char *keys = read_all(&l);
        struct text token = listing_continue(w.arena, &l, &remaining);
        ck_assert_msg(!strcmp(keys, r->keys) && (token.n > 0) == (r->remaining != -2) &&
                          (!token.n || remaining == r->remaining),
                      "row %zu: %s, %lld left", i, keys, (long long)remaining);
        listing_close(&l);
        if (labels.n || fields.n)
            continue;
        int64_t remaining_of_runs;
        ck_assert_int_eq(open_list(&l, &req, &st), 0);
        ck_assert(listing_is_range(&l));
        ck_assert_str_eq(read_runs(&l), r->keys);
        ck_assert(text_eq(listing_continue(w.arena, &l, &remaining_of_runs), token));
        ck_assert_int_eq(remaining_of_runs, remaining);
        listing_close(&l);
    }
    world_stop(&w);
}
END_TEST

START_TEST(pages_are_of_one_revision)
{
    struct operation op = {0};
    struct list_request req = {.limit = 2};
    struct buffer all = BUFFER_INIT;
    struct status st = {0};
    uint64_t revision = 0;
    int n_pages = 0;

    fill();
    do {
        struct listing l;
        int64_t remaining;
        ck_assert_int_eq(open_list(&l, &req, &st), 0);
        ck_assert(!revision || l.revision == revision);
        revision = l.revision;
        buffer_addf(&all, " %s", read_all(&l));
        req.continue_token = listing_continue(w.arena, &l, &remaining);
        listing_close(&l);
        /* What happens between pages is not seen. */
        create("ns", arena_printf(w.arena, "a%d", n_pages++), "9");
        if (n_pages == 1) {
            ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns2", "e", NULL), 0);
            operation_clear(&op);
        }
    } while (req.continue_token.n);
    ck_assert_int_eq(n_pages, 3);
    ck_assert_str_eq(buffer_str(&all), " ns/a ns/b ns/c ns/d ns2/a ns2/e");
    buffer_deinit(&all);
    world_stop(&w);
}
END_TEST

static const struct refused_row {
    const char *version, *match, *token;
    int64_t limit;
    int code;
    const char *says;
} refused[] = {
    {"", "Exact", "", 0, 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"},
    {"0", "Exact", "", 0, 422, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""},
    {"5", "Sideways", "", 0, 422, "supported values: "},
    {"5", "Exact", "abc", 0, 422, "resourceVersionMatch is forbidden when continue is provided"},
    {"abc", "", "", 0, 400, "invalid resource version: resourceVersion: Invalid value: \"abc\""},
    {"", "", "!!", 0, 400, "invalid continue token: continue key is not valid"},
    {"", "", "e30", 0, 400, "does not recognize this encoded version"},
    /* {"v":"meta.k8s.io/v1","rv":0,"start":"a"}, {"v":"meta.k8s.io/v1","rv":3}, start "../../secrets" */
    {"", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0", 0, 400,
     "incorrect encoded start resourceVersion"},
    {"", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6M30", 0, 400, "encoded start key empty"},
    {"", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Mywic3RhcnQiOiIuLi8uLi9zZWNyZXRzIn0", 0, 400,
     "leads elsewhere"},
    {"7", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Mywic3RhcnQiOiJhIn0", 0, 400,
     "specifying resource version is not allowed when using continue"},
};

START_TEST(bad_parameters_are_refused)
{
    fill();
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        const struct refused_row *r = &refused[i];
        struct list_request req = {.resource_version = text_of(r->version),
                                   .resource_version_match = text_of(r->match),
                                   .continue_token = text_of(r->token),
                                   .limit = r->limit};
        struct status st = {0};
        struct listing l;
        struct field_errors errs = {.arena = w.arena};
        list_request_check(&req, &errs);
        bool is_good = (errs.n ? status_invalid(&st, TEXT("meta.k8s.io"), TEXT("ListOptions"), TEXT_NONE, &errs)
                               : open_list(&l, &req, &st)) == 0;
        ck_assert_msg(!is_good && st.code == r->code && strstr(st.message, r->says), "row %zu: %d %s", i,
                      st.code, st.message ? st.message : "");
        status_clear(&st);
    }
    world_stop(&w);
}
END_TEST

START_TEST(versions_choose_the_snapshot)
{
    const struct resource *res;
    struct status st = {0};
    struct listing l;
    uint64_t wait_for, old_revision;

    fill();
    res = world_resource(&w, "v1", "configmaps");
    old_revision = storage_revision(w.storage);
    create("ns", "z", "1");
    const char *old_text = arena_printf(w.arena, "%llu", (unsigned long long)old_revision);
    struct list_request req = {.namespace = TEXT("ns"), .resource_version = text_of(old_text)};
    ck_assert_int_eq(open_list(&l, &req, &st), 0); /* not older than */
    ck_assert_str_eq(read_all(&l), "ns/a ns/b ns/c ns/d ns/z");
    listing_close(&l);
    req.resource_version_match = TEXT("Exact");
    ck_assert_int_eq(open_list(&l, &req, &st), 0);
    ck_assert_uint_eq(l.revision, old_revision);
    ck_assert_str_eq(read_all(&l), "ns/a ns/b ns/c ns/d");
    listing_close(&l);
    req.resource_version_match = TEXT_NONE;
    req.limit = 10; /* a limit makes a version exact */
    ck_assert_int_eq(open_list(&l, &req, &st), 0);
    ck_assert_str_eq(read_all(&l), "ns/a ns/b ns/c ns/d");
    listing_close(&l);
    /* Whoever takes any version gets all of it, whatever the limit. */
    req = (struct list_request){.namespace = TEXT("ns"), .resource_version = TEXT("0"), .limit = 1};
    ck_assert_int_eq(open_list(&l, &req, &st), 0);
    ck_assert_str_eq(read_all(&l), "ns/a ns/b ns/c ns/d ns/z");
    listing_close(&l);
    /* The future is waited for. */
    req = (struct list_request){.resource_version = TEXT("999999")};
    ck_assert_int_eq(listing_open(&l, res, &req, &wait_for, &st), 0);
    ck_assert_uint_eq(wait_for, 999999);
    world_stop(&w);
}
END_TEST

/* A page whose revision is gone: the refusal has a token that goes on at the newest one. */
START_TEST(expired_page_may_go_on)
{
    struct list_request req = {.limit = 2, .namespace = TEXT("ns")};
    struct status st = {0};
    struct listing l;
    struct operation op = {0};

    fill_with(2);
    /* {"v":"meta.k8s.io/v1","rv":1,"start":"b\u0000"} */
    req.continue_token = TEXT("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJiXHUwMDAwIn0");
    ck_assert_int_lt(open_list(&l, &req, &st), 0);
    ck_assert_int_eq(st.code, 410);
    ck_assert_ptr_nonnull(st.continue_token);
    ck_assert_ptr_nonnull(strstr(st.message, "use the continue token in this response"));
    ck_assert_int_eq(world_delete(&w, &op, "v1", "configmaps", "ns", "c", NULL), 0);
    operation_clear(&op);
    create("ns", "bb", "1");
    req.continue_token = text_of(st.continue_token);
    struct status none = {0};
    ck_assert_int_eq(open_list(&l, &req, &none), 0);
    ck_assert_str_eq(read_all(&l), "ns/bb ns/d");
    ck_assert_uint_eq(l.revision, storage_revision(w.storage));
    listing_close(&l);
    status_clear(&st);
    world_stop(&w);
}
END_TEST

/* One key at a revision: told at once when that is of the future, where a list waits. */
START_TEST(one_key_does_not_wait)
{
    const struct resource *res;
    struct selector fields;
    struct status st = {0};
    struct listing l;
    uint64_t wait_for;

    fill();
    res = world_resource(&w, "v1", "configmaps");
    ck_assert_int_eq(selector_parse_fields(w.arena, TEXT("metadata.name=a"), res->type, &fields, &st), 0);
    struct list_request req = {.namespace = TEXT("ns"), .fields = &fields, .resource_version = TEXT("999999"),
                               .resource_version_match = TEXT("Exact")};
    ck_assert_int_lt(listing_open(&l, res, &req, &wait_for, &st), 0);
    ck_assert_int_eq(st.code, 504);
    ck_assert_int_eq(st.retry_after_seconds, 0);
    status_clear(&st);
    req.resource_version_match = TEXT_NONE;
    ck_assert_int_eq(listing_open(&l, res, &req, &wait_for, &st), 0);
    ck_assert_uint_eq(wait_for, 999999);
    req.limit = 5;
    ck_assert_int_lt(listing_open(&l, res, &req, &wait_for, &st), 0);
    status_clear(&st);
    world_stop(&w);
}
END_TEST

UNIT_MAIN("list", ranges_and_selectors_choose, pages_are_of_one_revision, bad_parameters_are_refused,
          versions_choose_the_snapshot,
          expired_page_may_go_on, one_key_does_not_wait)
