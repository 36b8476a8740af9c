/* SPDX-License-Identifier: Apache-2.0 */
/* --etcd-servers-overrides: what is read, what is refused, and what a resource finds. */
#include "server/store_overrides.h"
#include "unit.h"

START_TEST(resources_find_their_entry)
{
    struct text entries[] = {TEXT("/events#http://a:1;http://b:2"), TEXT("apps/*#http://c"),
                             TEXT("apps/deployments#http://d"), TEXT("/events#http://e"),
                             TEXT("apiextensions.k8s.io/customresourcedefinitions#http://f")};
    static const struct {
        struct text group, name;
        int entry; /* -1: none */
    } rows[] = {
        {TEXT(""), TEXT("events"), 3},
        {TEXT(""), TEXT("pods"), -1},
        {TEXT("apps"), TEXT("deployments"), 2},
        {TEXT("apps"), TEXT("statefulsets"), 1},
        {TEXT("batch"), TEXT("jobs"), -1},
        {TEXT("apiextensions.k8s.io"), TEXT("customresourcedefinitions"), -1},
    };
    const struct text_list flag = {.p = entries, .n = N_ELEMENTS(entries)};
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct store_override *o;
    struct status st = {0};

    ck_assert_int_eq(store_overrides_parse(a, &flag, &o, &st), 0);
    ck_assert_uint_eq(o[0].servers.n, 2);
    ck_assert(text_is(o[0].servers.p[1], "http://b:2"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct resource_type type = {.group = rows[i].group, .name = rows[i].name};
        const struct store_override *found = store_override_of(o, flag.n, &type);
        ck_assert_msg(found == (rows[i].entry < 0 ? NULL : &o[rows[i].entry]), "row %zu", i);
    }
}
END_TEST

START_TEST(bad_entries_are_refused)
{
    static const struct text rows[] = {
        TEXT("/events"),           TEXT("events#http://a"), TEXT("a/b/c#http://a"),
        TEXT("/events#"),          TEXT("/events#;"),       TEXT("/events#http://a;"),
        TEXT("/events#http://a#"), TEXT("#http://a"),       TEXT("")};

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        CLEANUP(status_clear) struct status st = {0};
        struct text entry = rows[i];
        struct store_override *o;
        ck_assert_msg(store_overrides_parse(a, &(struct text_list){.p = &entry, .n = 1}, &o, &st) < 0,
                      "row %zu", i);
        ck_assert_str_eq(st.message,
                         "--etcd-servers-overrides invalid, must be of format: group/resource#servers, where "
                         "servers are URLs, semicolon separated");
    }
}
END_TEST

START_TEST(servers_are_a_set)
{
    struct text ab[] = {TEXT("a"), TEXT("b")}, ba[] = {TEXT("b"), TEXT("a")}, aa[] = {TEXT("a"), TEXT("a")};
    const struct text_list x = {.p = ab, .n = 2}, y = {.p = ba, .n = 2}, z = {.p = aa, .n = 2},
                           one = {.p = ab, .n = 1};

    ck_assert(store_servers_are_same(&x, &y));
    ck_assert(!store_servers_are_same(&x, &z));
    ck_assert(!store_servers_are_same(&z, &x));
    ck_assert(!store_servers_are_same(&x, &one));
    ck_assert(!store_servers_are_same(&one, &x));
}
END_TEST

UNIT_MAIN("server/store_overrides", resources_find_their_entry, bad_entries_are_refused, servers_are_a_set)
