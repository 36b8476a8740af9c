/* SPDX-License-Identifier: Apache-2.0 */
/* --watch-cache-sizes: what is read and what it turns off. */
#include "server/watch_cache.h"
#include "unit.h"

static const struct resource_type pods = {.name = TEXT("pods")},
                                  deployments = {.name = TEXT("deployments"), .group = TEXT("apps")};

static struct settings settings_of(struct text *entry, size_t n)
{
    return (struct settings){.watch_cache = true, .watch_cache_sizes = {.p = entry, .n = n}};
}

START_TEST(zero_turns_the_cache_off)
{
    struct text entries[] = {TEXT("pods#0"), TEXT("deployments.apps#0"), TEXT("secrets#100")};
    struct settings s = settings_of(entries, 3);
    struct status st = {0};

    ck_assert_int_eq(watch_cache_sizes_check(&s.watch_cache_sizes, &st), 0);
    ck_assert(!watch_cache_serves(&s, &pods));
    ck_assert(!watch_cache_serves(&s, &deployments));
    s.watch_cache_sizes.n = 1;
    ck_assert(watch_cache_serves(&s, &deployments));
    s = settings_of(entries + 2, 1);
    ck_assert(watch_cache_serves(&s, &pods));
    s.watch_cache = false;
    ck_assert(!watch_cache_serves(&s, &pods));
}
END_TEST

START_TEST(bad_entries_are_named)
{
    static const struct {
        struct text entry;
        const char *says;
    } rows[] = {{TEXT("pods"), "invalid value of watch cache size: pods"},
                {TEXT("pods#x"), "invalid value of watch cache size: pods#x"},
                {TEXT("pods#1#2"), "invalid value"},
                {TEXT("pods#-1"), "cannot be negative: pods#-1"}};

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct text entry = rows[i].entry;
        struct settings s = settings_of(&entry, 1);
        struct status st = {0};
        ck_assert_int_lt(watch_cache_sizes_check(&s.watch_cache_sizes, &st), 0);
        ck_assert_msg(strstr(st.message, rows[i].says) != NULL, "%s", st.message);
        status_clear(&st);
    }
}
END_TEST

UNIT_MAIN("server/watch_cache", zero_turns_the_cache_off, bad_entries_are_named)
