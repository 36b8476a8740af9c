/* SPDX-License-Identifier: Apache-2.0 */
/* The health pages, worded as ../shared/facts/live/health has them. */
#include "fixture.h"

static atomic_bool is_broken;

static int check(void *ctx, struct status *st)
{
    return is_broken ? status_set(st, STATUS_INTERNAL_ERROR, "%s is broken", (const char *)ctx) : 0;
}

static const struct health_check checks[] = {
    {.name = "etcd", .pages = HEALTH_ALL, .group = "etcd"},
    {.name = "etcd-readiness", .pages = HEALTH_READYZ, .group = "etcd-readiness"},
    {.name = "etcd-override-0", .pages = HEALTH_READYZ, .group = "etcd"},
    {.name = "poststarthook/rbac/bootstrap-roles", .pages = HEALTH_ALL, .check = check, .ctx = "the hook"},
    {.name = "shutdown", .pages = HEALTH_READYZ},
};

START_TEST(pages)
{
    static const struct {
        bool is_broken;
        const char *path;
        int code;
        const char *body;
    } rows[] = {
        {false, "/healthz", 200, "ok"},
        {false, "/livez?verbose", 200,
         "[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]poststarthook/rbac/bootstrap-roles ok\nlivez check passed\n"},
        {false, "/readyz?verbose=false&exclude=etcd", 200,
         "[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n[+]etcd-readiness "
         "ok\n[+]etcd-override-0 excluded with etcd: ok\n[+]poststarthook/rbac/bootstrap-roles ok\n[+]shutdown ok\n"
         "readyz check passed\n"},
        {false, "/readyz/shutdown", 200, "ok"},
        {false, "/livez/shutdown", 404, "404 page not found\n"},
        {false, "/livez/poststarthook/rbac/bootstrap-roles", 200, "ok"},
        {false, "/livez/poststarthook/rbac", 404, "404 page not found\n"},
        {true, "/livez", 500,
         "[+]ping ok\n[+]log ok\n[+]etcd ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason "
         "withheld\nlivez check failed\n"},
        {true, "/livez?exclude=poststarthook/rbac/bootstrap-roles", 200, "ok"},
        {true, "/livez/poststarthook/rbac/bootstrap-roles", 500,
         "internal server error: the hook is broken\n"},
    };
    struct fixture f;

    fixture_start_with(&f, checks, N_ELEMENTS(checks));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        is_broken = rows[i].is_broken;
        struct reply r = get(&f, rows[i].path);
        ck_code(r, rows[i].code);
        if (!text_is(r.body, rows[i].body))
            ck_abort_msg("%s: %.*s", rows[i].path, TEXT_ARG(r.body));
        ck_assert(text_is(reply_header(&r, "Content-Type"), "text/plain; charset=utf-8"));
        ck_assert(text_is(reply_header(&r, "X-Content-Type-Options"), "nosniff"));
    }
    fixture_stop(&f);
}
END_TEST

UNIT_MAIN("endpoints/health", pages)
