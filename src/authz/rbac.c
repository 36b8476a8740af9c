/* SPDX-License-Identifier: Apache-2.0 */
/* The mode RBAC: asks the rules of all bindings that apply until one allows. There is no rule that denies.
 * The watches of the four resources feed the index, microseconds behind the writes.
 * Source: kubernetes plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go. */
#include "authz/rbac.h"
#include "authz/follow.h"
#include "authz/modes.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

static const char *const resources[] = {"clusterroles", "clusterrolebindings", "roles", "rolebindings"};

struct rbac_mode {
    struct authz_mode mode;
    struct rbac *rbac;
    struct follow *follow;
};

/* --- why not --- */

struct text rbac_role_error(struct arena *a, const struct rbac_binding *b)
{
    struct buffer text = BUFFER_IN(a);

    if (b->role_kind == RBAC_OTHER_ROLE) {
        buffer_add_str(&text, "unsupported role reference kind: ");
        buffer_add_quoted(&text, b->role_kind_name);
        return buffer_text(&text);
    }
    buffer_addf(&text, "%s.%s \"%.*s\" not found", b->role_kind == RBAC_CLUSTER_ROLE ? "clusterrole" : "role",
                RBAC_GROUP, TEXT_ARG(b->role_name));
    return buffer_text(&text);
}

/* --- deciding --- */

struct decision {
    struct rule_query query;
    const struct user_info *user;
    const struct rbac_binding *allowed_by; /* NULL: nothing allows yet */
    struct arena *arena;
    struct text_list errors; /* each once */
};

static bool decide(void *ctx, const struct rbac_binding *binding, const struct rbac_role *role)
{
    struct decision *d = ctx;

    if (!role) {
        text_list_add_once(d->arena, &d->errors, rbac_role_error(d->arena, binding));
        return true;
    }
    for (size_t i = 0; i < role->n; i++) {
        if (rule_allows(&role->rules[i], &d->query)) {
            d->allowed_by = binding;
            return false;
        }
    }
    return true;
}

static bool applies(const struct rbac_subject *s, const struct user_info *user)
{
    switch (s->kind) {
    case 'U':
        return text_eq(s->name, user->name);
    case 'S':
        return s->username.n && text_eq(s->username, user->name);
    case 'G':
        return user_in_group(user, s->name);
    default:
        return false;
    }
}

static struct text allowed_text(struct arena *a, const struct rbac_binding *b, const struct user_info *user)
{
    const struct rbac_subject *s = b->subjects;

    while (!applies(s, user))
        s++;
    char *p = arena_alloc(a, b->words.n + s->words.n);
    memcpy(p, b->words.p, b->words.n);
    memcpy(p + b->words.n, s->words.p, s->words.n);
    return (struct text){p, b->words.n + s->words.n};
}

void rbac_decide(struct rbac *rbac, struct arena *a, const struct authz_attributes *attrs,
                 struct authz_answer *ret)
{
    CLEANUP(rbac_index_unrefp) struct rbac_index *index = rbac_index_get(rbac);
    struct decision d = {.user = attrs->user, .arena = a};
    char scratch[RULE_SCRATCH_BYTES];

    rule_query_init(&d.query, attrs, a, scratch);
    rbac_visit_user(index, a, attrs->user, attrs->info->is_resource ? attrs->info->namespace : TEXT_NONE,
                    decide, &d);
    if (d.allowed_by) {
        ret->decision = AUTHZ_ALLOW;
        ret->reason = allowed_text(a, d.allowed_by, attrs->user);
    } else if (d.errors.n) {
        struct buffer b = BUFFER_IN(a);
        buffer_add_str(&b, "RBAC: ");
        text_list_write_errors(&b, &d.errors);
        ret->reason = buffer_text(&b);
    }
}

static void rbac_authorize(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                           struct authz_answer *ret)
{
    rbac_decide(CONTAINER_OF(m, struct rbac_mode, mode)->rbac, a, attrs, ret);
}

/* --- listing --- */

struct listing_rules {
    struct authz_rules *rules;
    struct text_list errors; /* each once */
    const struct rbac_binding **seen; /* bindings may apply by several subjects, and count once */
    size_t n_seen, cap_seen;
};

static bool is_repeated(struct listing_rules *l, const struct rbac_binding *b)
{
    for (size_t i = 0; i < l->n_seen; i++)
        if (l->seen[i] == b)
            return true;
    if (l->n_seen == l->cap_seen) {
        size_t cap = l->cap_seen ? 2 * l->cap_seen : 16;
        l->seen = arena_grow(l->rules->arena, l->seen, l->cap_seen * sizeof(b), cap * sizeof(b));
        l->cap_seen = cap;
    }
    l->seen[l->n_seen++] = b;
    return false;
}

/* The rules outlive the index that they lie in. */
static struct text_span copy_span(struct arena *a, struct text_span from)
{
    struct text *p = from.n ? ARENA_ARRAY(a, struct text, from.n) : NULL;

    for (size_t i = 0; i < from.n; i++)
        p[i] = arena_text(a, from.p[i]);
    return (struct text_span){p, from.n};
}

static bool list_rules(void *ctx, const struct rbac_binding *binding, const struct rbac_role *role)
{
    struct listing_rules *l = ctx;
    struct arena *a = l->rules->arena;

    if (is_repeated(l, binding))
        return true;
    if (!role)
        text_list_add_once(a, &l->errors, rbac_role_error(a, binding));
    for (size_t i = 0; role && i < role->n; i++) {
        const struct policy_rule *r = &role->rules[i];
        const struct policy_rule copy = {copy_span(a, r->verbs), copy_span(a, r->groups),
                                         copy_span(a, r->resources), copy_span(a, r->names),
                                         copy_span(a, r->urls)};
        authz_rules_add(l->rules, &copy);
    }
    return true;
}

void rbac_rules_for(struct rbac *r, const struct user_info *user, struct text namespace,
                    struct authz_rules *ret)
{
    CLEANUP(rbac_index_unrefp) struct rbac_index *index = rbac_index_get(r);
    struct listing_rules l = {.rules = ret};

    rbac_visit_user(index, ret->arena, user, namespace, list_rules, &l);
    if (l.errors.n) {
        struct buffer b = BUFFER_IN(ret->arena);
        text_list_write_errors(&b, &l.errors);
        text_list_add(ret->arena, &ret->errors, buffer_text(&b));
    }
}

static void rbac_list_rules(struct authz_mode *m, const struct user_info *user, struct text namespace,
                            struct authz_rules *rules)
{
    rbac_rules_for(CONTAINER_OF(m, struct rbac_mode, mode)->rbac, user, namespace, rules);
}

/* --- the mode --- */

static void begin(void *ctx)
{
    rbac_hold(ctx);
    rbac_clear(ctx);
}

static void synced(void *ctx)
{
    rbac_release(ctx);
}

static void on_event(void *ctx, struct object *o, const struct object *previous, bool is_removed)
{
    rbac_put(ctx, o, is_removed);
}

static void rbac_mode_free(struct authz_mode *m)
{
    struct rbac_mode *mode = CONTAINER_OF(m, struct rbac_mode, mode);

    follow_stop(mode->follow);
    rbac_free(mode->rbac);
    free(mode);
}

int rbac_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    const struct resource *found[N_ELEMENTS(resources)];
    struct rbac_mode *m;

    for (size_t i = 0; i < N_ELEMENTS(resources); i++) {
        found[i] = registry_find(opt->registry, TEXT(RBAC_GROUP), TEXT("v1"), text_of(resources[i]));
        if (!found[i])
            return status_set(st, STATUS_BAD_REQUEST,
                              "--authorization-mode: RBAC needs %s/v1, which --runtime-config "
                              "switches off",
                              RBAC_GROUP);
    }
    m = xcalloc(1, sizeof(*m));
    m->mode = (struct authz_mode){.type = "RBAC",
                                  .name = "rbac",
                                  .authorize = rbac_authorize,
                                  .list_rules = rbac_list_rules,
                                  .free = rbac_mode_free};
    m->rbac = rbac_new();
    const struct follow_options follow = {.resources = found,
                                          .n = N_ELEMENTS(found),
                                          .workers = opt->workers,
                                          .begin = begin,
                                          .synced = synced,
                                          .event = on_event,
                                          .ctx = m->rbac};
    if (follow_start(&follow, &m->follow, st) < 0) {
        rbac_mode_free(&m->mode);
        return -1;
    }
    *ret = &m->mode;
    return 0;
}

struct rbac *rbac_of_mode(struct authz_mode *m)
{
    return m->authorize == rbac_authorize ? CONTAINER_OF(m, struct rbac_mode, mode)->rbac : NULL;
}
