/* SPDX-License-Identifier: Apache-2.0 */
/* --runtime-config. The widest entries are weaker than the narrower ones, whatever their order: api/all, then api/ga, api/beta
 * and api/alpha, then GROUP/VERSION (the core group's is /v1 or v1), then GROUP/VERSION/RESOURCE.
 * Source: kubernetes/apiserver pkg/server/resourceconfig/helpers.go. */
#include "server/runtime_config.h"

enum rank { RANK_DEFAULT, RANK_ALL, RANK_STAGE, RANK_VERSION, RANK_RESOURCE };

struct rule {
    enum rank rank;
    struct text group, version, resource; /* as far as the rank has them; of a stage: "alpha", "beta" or "ga" in version */
    bool is_served;
};

struct runtime_config {
    struct rule *rules;
    size_t n;
};

static struct text stage_of(struct text version)
{
    if (text_find_text(version, TEXT("alpha")) >= 0)
        return TEXT("alpha");
    return text_find_text(version, TEXT("beta")) >= 0 ? TEXT("beta") : TEXT("ga");
}

static bool is_known(const struct rule *r)
{
    for (size_t i = 0; i < n_schema_resources; i++) {
        const struct resource_type *t = &schema_resources[i];
        if (text_eq(t->group, r->group) && text_eq(t->version, r->version) &&
            (r->rank == RANK_VERSION || text_eq(t->name, r->resource)))
            return true;
    }
    return false;
}

static bool parse_key(struct text key, struct rule *r)
{
    struct text part[3] = {0};
    size_t n = 0;

    while (n < N_ELEMENTS(part) && text_split(&key, '/', &part[n]))
        n++;
    if (key.p)
        return false;
    if (n == 2 && text_is(part[0], "api")) {
        r->rank = text_is(part[1], "all") ? RANK_ALL : RANK_STAGE;
        r->version = part[1];
        return r->rank == RANK_ALL || text_is(part[1], "ga") || text_is(part[1], "beta") || text_is(part[1], "alpha");
    }
    r->rank = n == 3 ? RANK_RESOURCE : RANK_VERSION;
    r->group = n == 1 ? TEXT("") : part[0];
    r->version = n == 1 ? part[0] : part[1];
    r->resource = part[2];
    return is_known(r);
}

int runtime_config_parse(struct arena *a, const struct text_list *entries, struct runtime_config **ret,
                         struct status *st)
{
    struct runtime_config *c = ARENA_NEW(a, struct runtime_config);
    c->rules = ARENA_ARRAY(a, struct rule, entries->n + 1);
    for (size_t i = 0; i < entries->n; i++) {
        struct text value = entries->p[i], key;
        struct rule *r = &c->rules[c->n++];
        text_split(&value, '=', &key);
        r->is_served = !value.p || text_is(value, "true") || text_is(value, "1") || !value.n;
        if (value.n && !r->is_served && !text_is(value, "false") && !text_is(value, "0"))
            return status_set(st, STATUS_BAD_REQUEST, "--runtime-config: invalid value %.*s=%.*s: true or false is wanted",
                              TEXT_ARG(key), TEXT_ARG(value));
        if (!parse_key(key, r))
            return status_set(st, STATUS_BAD_REQUEST, "--runtime-config: unknown api groups %.*s", TEXT_ARG(key));
    }
    *ret = c;
    return 0;
}

static bool applies(const struct rule *r, const struct resource_type *type)
{
    switch (r->rank) {
    case RANK_ALL:
        return true;
    case RANK_STAGE:
        return text_eq(stage_of(type->version), r->version);
    case RANK_VERSION:
        return text_eq(type->group, r->group) && text_eq(type->version, r->version);
    case RANK_RESOURCE:
        return text_eq(type->group, r->group) && text_eq(type->version, r->version) &&
               text_eq(type->name, r->resource);
    case RANK_DEFAULT:
        break;
    }
    return false;
}

bool runtime_config_serves(void *ctx, const struct resource_type *type)
{
    const struct runtime_config *c = ctx;
    bool is_served = type->is_on_by_default;
    enum rank strongest = RANK_DEFAULT;

    for (size_t i = 0; i < c->n; i++) {
        const struct rule *r = &c->rules[i];
        if (r->rank < strongest || !applies(r, type))
            continue;
        strongest = r->rank;
        is_served = r->is_served;
    }
    return is_served;
}
