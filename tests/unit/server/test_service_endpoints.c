/* SPDX-License-Identifier: Apache-2.0 */
/* Who is among the endpoints of the kubernetes service, and by what rule. */
#include "server/service_endpoints.h"
#include "unit.h"

START_TEST(reconcilers_have_upstreams_names)
{
    enum reconciler r = RECONCILER_NONE;
    struct status st = {0};

    ck_assert_int_eq(reconciler_parse(NULL, &r, &st), 0);
    ck_assert_int_eq(r, RECONCILER_LEASE);
    ck_assert_int_eq(reconciler_parse("none", &r, &st), 0);
    ck_assert_int_eq(r, RECONCILER_NONE);
    ck_assert_int_eq(reconciler_parse("", &r, &st), 0);
    ck_assert_int_eq(r, RECONCILER_LEASE);
    ck_assert_int_eq(reconciler_parse("master-count", &r, &st), 0);
    ck_assert_int_eq(r, RECONCILER_MASTER_COUNT);
    ck_assert_int_lt(reconciler_parse("Lease", &r, &st), 0);
    ck_assert_str_eq(st.message, "--endpoint-reconciler-type: Reconciler not implemented: Lease");
    status_clear(&st);
}
END_TEST

/* Source of the rule: kubernetes pkg/controlplane/reconcilers/instancecount.go. */
START_TEST(those_behind_the_own_address_go)
{
    static const struct {
        const char *before, *own;
        size_t count;
        const char *after;
    } rows[] = {
        {"", "1.2.3.4", 1, "1.2.3.4"},
        {"1.2.3.4", "1.2.3.4", 1, "1.2.3.4"},
        {"1.2.3.4 4.3.2.1", "1.2.3.4", 1, "1.2.3.4"},
        {"1.2.3.4 4.3.2.1 4.3.2.2", "1.2.3.4", 2, "1.2.3.4 4.3.2.2"},
        {"4.3.2.1", "4.3.2.2", 2, "4.3.2.1 4.3.2.2"},
        {"4.3.2.1 4.3.2.2", "4.3.2.3", 2, "4.3.2.2 4.3.2.3"},
        {"1.1.1.1 2.2.2.2 3.3.3.3", "2.2.2.2", 2, "1.1.1.1 2.2.2.2"},
        {"1.1.1.1 2.2.2.2 3.3.3.3", "4.4.4.4", 1, "4.4.4.4"},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
        struct text addresses[8], rest = text_of(rows[i].before);
        size_t n = 0;
        while (rest.n && text_split(&rest, ' ', &addresses[n]))
            n++;
        n = service_endpoints_add(addresses, n, text_of(rows[i].own), rows[i].count);
        for (size_t k = 0; k < n; k++)
            buffer_addf(&b, "%s%.*s", k ? " " : "", TEXT_ARG(addresses[k]));
        ck_assert_msg(strcmp(buffer_str(&b), rows[i].after) == 0, "row %zu: %s", i, buffer_str(&b));
    }
}
END_TEST

UNIT_MAIN("server/service_endpoints", reconcilers_have_upstreams_names, those_behind_the_own_address_go)
