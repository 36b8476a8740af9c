/* SPDX-License-Identifier: Apache-2.0 */
/* --feature-gates: what is chosen, and what upstream's words refuse. */
#include "server/feature_gates.h"

#include "base/features.h"
#include "unit.h"

static struct arena *a;
static struct status st;
static struct gate_choice *choices;

/* entries is split at commas, as the flag is. */
static int parse(const char *entries)
{
    struct text_list list = {.p = ARENA_ARRAY(a, struct text, 16)};
    struct text rest = text_of(entries);
    while (rest.n && text_split(&rest, ',', &list.p[list.n]))
        list.n++;
    status_clear(&st);
    return feature_gates_read(a, &list, &choices, &st);
}

static bool is_on(const char *name)
{
    for (size_t i = 0; i < n_feature_gates; i++)
        if (strcmp(feature_gates[i].name, name) == 0)
            return choices[i].is_on;
    ck_abort_msg("no gate %s", name);
    return false;
}

static const struct {
    const char *entries, *gate;
    bool is_on;
} chosen[] = {
    {"", "WatchList", true},
    {"", "PodsAPI", false},
    {"WatchList=false", "WatchList", false},
    {"WatchList=f, PodsAPI = T", "PodsAPI", true},
    {"WatchList=false,WatchList=true", "WatchList", true},
    {"kube:WatchList=false", "WatchList", false},
    {"AllAlpha=true", "PodsAPI", true},
    {"AllAlpha=true", "StorageVersionMigrator", false},
    {"PodsAPI=false,AllAlpha=true", "PodsAPI", false},
    {"AllAlpha=true,PodsAPI=false", "PodsAPI", false},
    {"AllAlpha=true", "AllowUnsafeMalformedObjectDeletion", true},
    {"AllAlpha=true", "AllBeta", false},
    {"AllBeta=true", "StorageVersionMigrator", true},
    {"AllBeta=false,APIServerIdentity=true", "WatchList", false},
    {"AllBeta=false", "AllowServiceExternalIPs", true},
    {"APIServerTracing=true", "APIServerTracing", true}, /* locked, and left as it is */
};

START_TEST(gates_are_chosen)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(chosen); i++) {
        ck_assert_msg(parse(chosen[i].entries) == 0, "%s: %s", chosen[i].entries, st.message);
        ck_assert_msg(is_on(chosen[i].gate) == chosen[i].is_on, "%s of %s", chosen[i].gate,
                      chosen[i].entries);
    }
    arena_free(a);
}
END_TEST

static const struct {
    const char *entries, *message;
} refused[] = {
    {"Nonsense=true", "unrecognized feature gate: Nonsense"},
    {"watchlist=true", "unrecognized feature gate: watchlist"},
    {"WatchList", "missing bool value for WatchList"},
    {"WatchList=yes",
     "invalid value of WatchList=yes, err: strconv.ParseBool: parsing \"yes\": invalid syntax"},
    {"APIServerTracing=false",
     "cannot set feature gate APIServerTracing to false, feature is locked to true"},
    {"GitRepoVolumeDriver=true",
     "cannot set feature gate GitRepoVolumeDriver to true, feature is locked to false"},
    {"APIServerTracing=false,WinDSR=false",
     "[cannot set feature gate APIServerTracing to false, feature is locked to true, "
     "cannot set feature gate WinDSR to false, feature is locked to true]"},
    {"GangScheduling=true",
     "GangScheduling is enabled, but depends on features that are disabled: [GenericWorkload]"},
    {"wardle:WatchList=true", "component not registered: wardle"},
    {"kube:WatchList=true,PodsAPI=true",
     "set kube feature gates with default empty prefix or kube: prefix consistently, do not mix use"},
};

START_TEST(mistakes_are_refused)
{
    a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        ck_assert_msg(parse(refused[i].entries) < 0, "%s is good", refused[i].entries);
        ck_assert_str_eq(st.message, refused[i].message);
    }
    status_clear(&st);
    arena_free(a);
}
END_TEST

START_TEST(the_table_fits_together)
{
    for (size_t i = 0; i < n_feature_gates; i++) {
        struct text rest = text_of(feature_gates[i].needs ? feature_gates[i].needs : ""), name;
        ck_assert(i == 0 || strcmp(feature_gates[i - 1].name, feature_gates[i].name) < 0);
        while (rest.n && text_split(&rest, ',', &name)) {
            size_t n = 0;
            for (size_t j = 0; j < n_feature_gates; j++)
                n += text_is(name, feature_gates[j].name);
            ck_assert_msg(n == 1, "%s needs %.*s", feature_gates[i].name, TEXT_ARG(name));
        }
    }
}
END_TEST

START_TEST(what_is_switched_has_upstreams_default)
{
    a = arena_new();
    ck_assert_int_eq(parse(""), 0);
    for (enum feature f = 0; f < N_FEATURES; f++)
        ck_assert_msg(is_on(feature_name(f)) == feature_is_on(f), "%s", feature_name(f));
    ck_assert_int_eq(parse("WatchList=false,AllowUnsafeMalformedObjectDeletion=true,PodsAPI=true"), 0);
    feature_gates_adopt(choices);
    ck_assert(!feature_is_on(FEATURE_WATCH_LIST));
    ck_assert(feature_is_on(FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION));
    ck_assert(feature_is_on(FEATURE_STORAGE_VERSION_HASH));
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    metrics_write(&b);
    const char *const lines[] = {"kubernetes_feature_enabled{name=\"PodsAPI\",stage=\"ALPHA\"} 1\n",
                                 "kubernetes_feature_enabled{name=\"WatchList\",stage=\"BETA\"} 0\n",
                                 "kubernetes_feature_enabled{name=\"APIServerTracing\",stage=\"\"} 1\n"};
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        ck_assert_msg(text_find_text(buffer_text(&b), text_of(lines[i])) >= 0, "%s", lines[i]);
    arena_free(a);
}
END_TEST

UNIT_MAIN("feature_gates", gates_are_chosen, mistakes_are_refused, the_table_fits_together,
          what_is_switched_has_upstreams_default)
