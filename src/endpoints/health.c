/* SPDX-License-Identifier: Apache-2.0 */
/* /healthz, /livez, /readyz and their single checks. Checks may block, so the pages are made on a worker.
 * A page is "ok" or, when verbose or when a check failed, one line per check; why a check failed is told on
 * its own page only. Source: kubernetes/apiserver pkg/server/healthz/healthz.go. */
#include "endpoints/endpoints_internal.h"

/* The checks of endpoints' own, before those that the top floor brings. */
static const struct health_check own_checks[] = {{.name = "ping", .pages = HEALTH_ALL}, {.name = "log", .pages = HEALTH_ALL}};

static size_t n_checks(const struct endpoints *e)
{
    return N_ELEMENTS(own_checks) + e->opt.n_health_checks;
}

static struct health_check check_at(struct endpoints *e, size_t i)
{
    return i < N_ELEMENTS(own_checks) ? own_checks[i] : e->opt.health_checks[i - N_ELEMENTS(own_checks)];
}

bool health_check_at(struct endpoints *e, size_t i, struct health_check *ret)
{
    if (i >= n_checks(e))
        return false;
    *ret = check_at(e, i);
    return true;
}

static bool is_excluded(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->n_query; i++)
        if (text_is(r->query[i].key, "exclude") && text_is(r->query[i].value, name))
            return true;
    return false;
}

static enum flow answer(struct request *r, int code, struct text body)
{
    response_set_header(r, "X-Content-Type-Options", TEXT("nosniff"));
    response_bytes(r, code, "text/plain; charset=utf-8", body);
    return FLOW_DONE;
}

static enum flow serve_one(struct request *r, struct endpoints *e, unsigned page, struct text name)
{
    for (size_t i = 0; i < n_checks(e); i++) {
        struct health_check check = check_at(e, i);
        CLEANUP(status_clear) struct status st = {0};

        if (!(check.pages & page) || !text_is(name, check.name))
            continue;
        if (!check.check || check.check(check.ctx, &st) == 0)
            return answer(r, 200, TEXT("ok"));
        return answer(
            r, 500,
            arena_textf(r->arena, "internal server error: %s\n", st.message ? st.message : "unknown"));
    }
    return respond_text(r, 404, TEXT("404 page not found\n"));
}

static enum flow serve_page(struct request *r, struct endpoints *e, unsigned page, const char *page_name)
{
    struct buffer b = BUFFER_IN(r->arena), failed = BUFFER_IN(r->arena);

    for (size_t i = 0; i < n_checks(e); i++) {
        struct health_check check = check_at(e, i);
        CLEANUP(status_clear) struct status st = {0};

        if (!(check.pages & page))
            continue;
        if (is_excluded(r, check.name)) {
            buffer_addf(&b, "[+]%s excluded: ok\n", check.name);
        } else if (check.group && is_excluded(r, check.group)) {
            buffer_addf(&b, "[+]%s excluded with %s: ok\n", check.name, check.group);
        } else if (!check.check || check.check(check.ctx, &st) == 0) {
            buffer_addf(&b, "[+]%s ok\n", check.name);
        } else {
            buffer_addf(&b, "[-]%s failed: reason withheld\n", check.name);
            buffer_addf(&failed, "%s%s", failed.n ? "," : "", check.name);
        }
    }
    if (failed.n) {
        log_info("Health check failed", LOG_STR("page", page_name), LOG_TEXT("checks", buffer_text(&failed)));
        buffer_addf(&b, "%s check failed\n", page_name);
        return answer(r, 500, buffer_text(&b));
    }
    if (!request_has_query(r, "verbose"))
        return answer(r, 200, TEXT("ok"));
    buffer_addf(&b, "%s check passed\n", page_name);
    return answer(r, 200, buffer_text(&b));
}

static enum flow serve(struct request *r, struct endpoints *e, unsigned page, const char *page_name,
                       struct text rest)
{
    if (!request_may_block(r))
        return FLOW_BLOCK;
    return rest.p ? serve_one(r, e, page, rest) : serve_page(r, e, page, page_name);
}

enum flow serve_healthz(struct request *r, struct endpoints *e, struct text rest)
{
    return serve(r, e, HEALTH_HEALTHZ, "healthz", rest);
}

enum flow serve_livez(struct request *r, struct endpoints *e, struct text rest)
{
    return serve(r, e, HEALTH_LIVEZ, "livez", rest);
}

enum flow serve_readyz(struct request *r, struct endpoints *e, struct text rest)
{
    return serve(r, e, HEALTH_READYZ, "readyz", rest);
}
