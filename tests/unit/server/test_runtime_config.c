/* SPDX-License-Identifier: Apache-2.0 */
/* --runtime-config: which entry is stronger, and which entries mean nothing. */
#include "server/runtime_config.h"

#include "unit.h"

static struct arena *a;
static struct status st;
static struct runtime_config *config;

/* entries is split at commas, as the flag is. */
static int parse(const char *entries)
{
    struct text_list list = {.p = ARENA_ARRAY(a, struct text, 16)};
    struct text rest = text_of(entries);
    while (rest.n && text_split(&rest, ',', &list.p[list.n]))
        list.n++;
    return runtime_config_parse(a, &list, &config, &st);
}

static bool serves(const char *group, const char *version, const char *name, bool by_default)
{
    const struct resource_type type = {.group = text_of(group),
                                       .version = text_of(version),
                                       .name = text_of(name),
                                       .is_on_by_default = by_default};
    return runtime_config_serves(config, &type);
}

static const struct {
    const char *entries, *group, *version, *name;
    bool by_default, serves;
} rows[] = {
    {"", "", "v1", "pods", true, true},
    {"", "apps", "v1beta1", "x", false, false},
    {"api/all=false", "", "v1", "pods", true, false},
    {"api/all=true", "x", "v1alpha1", "x", false, true},
    {"api/all", "x", "v1alpha1", "x", false, true},
    {"api/beta=true", "x", "v1beta1", "x", false, true},
    {"api/beta=true", "x", "v1alpha1", "x", false, false},
    {"api/alpha=1", "x", "v2alpha3", "x", false, true},
    {"api/ga=false", "apps", "v1", "deployments", true, false},
    {"api/ga=false", "x", "v1beta1", "x", true, true},
    /* The narrower is stronger, whatever the order. */
    {"api/all=false,api/ga=true", "apps", "v1", "deployments", true, true},
    {"api/ga=true,api/all=false", "apps", "v1", "deployments", true, true},
    {"api/all=false,v1=true", "", "v1", "pods", true, true},
    {"v1=true,api/all=false", "", "v1", "pods", true, true},
    {"v1=true,api/all=false", "apps", "v1", "deployments", true, false},
    {"apps/v1=false", "apps", "v1", "deployments", true, false},
    {"apps/v1=0", "apps", "v1", "deployments", true, false},
    {"apps/v1=false", "", "v1", "pods", true, true},
    {"apps/v1/deployments=true,apps/v1=false", "apps", "v1", "deployments", true, true},
    {"apps/v1/deployments=true,apps/v1=false", "apps", "v1", "daemonsets", true, false},
    /* Of two equals the last counts. */
    {"apps/v1=false,apps/v1=true", "apps", "v1", "deployments", true, true},
    {"/v1=false", "", "v1", "pods", true, false},
};

START_TEST(the_narrower_entry_is_stronger)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        ck_assert_msg(parse(rows[i].entries) == 0, "row %zu: %s", i, st.message);
        ck_assert_msg(serves(rows[i].group, rows[i].version, rows[i].name, rows[i].by_default) ==
                          rows[i].serves,
                      "row %zu: %s", i, rows[i].entries);
    }
    arena_free(a);
}
END_TEST

static const struct {
    const char *entries, *message;
} slips[] = {
    {"apps/v9=true", "--runtime-config: unknown api groups apps/v9"},
    {"nope/v1", "--runtime-config: unknown api groups nope/v1"},
    {"api/gamma=true", "--runtime-config: unknown api groups api/gamma"},
    {"apps/v1/nope=true", "--runtime-config: unknown api groups apps/v1/nope"},
    {"apps/v1/deployments/scale=true", "--runtime-config: unknown api groups apps/v1/deployments/scale"},
    {"api/all=true,api/ga=maybe", "--runtime-config: invalid value api/ga=maybe: true or false is wanted"},
};

START_TEST(an_entry_that_means_nothing_is_named)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(slips); i++) {
        ck_assert_int_eq(parse(slips[i].entries), -1);
        ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
        ck_assert_str_eq(st.message, slips[i].message);
    }
    status_clear(&st);
    arena_free(a);
}
END_TEST

UNIT_MAIN("runtime_config", the_narrower_entry_is_stronger, an_entry_that_means_nothing_is_named)
