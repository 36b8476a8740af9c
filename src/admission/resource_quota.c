/* SPDX-License-Identifier: Apache-2.0 */
/* ResourceQuota: what an object counts for is added to the usage that the namespace's quotas note in their
 * status, each by an update that is made anew when another writer was quicker, so that what is noted never
 * exceeds what is hard. It is the last plugin but AlwaysDeny; a write that fails all the same stays charged
 * until a controller counts anew, as upstream. The updates wait for the store, so requests in namespaces with
 * quotas run on workers. Source: kubernetes/apiserver pkg/admission/plugin/resourcequota. */
#include "admission/plugin.h"
#include "registry/quota.h"

struct quotas {
    struct cache *cache;             /* NULL: none are served */
    const struct resource *resource; /* of quotas */
    const struct resource_sub *status;
    struct value limited; /* of the configuration: what nobody may have without a quota */
};

/* --- configuration --- */

static bool is_configuration(const struct value *config)
{
    static const struct {
        const char *version, *kind;
    } known[] = {{"apiserver.config.k8s.io/v1", "ResourceQuotaConfiguration"},
                 {"resourcequota.admission.k8s.io/v1beta1", "Configuration"},
                 {"resourcequota.admission.k8s.io/v1alpha1", "Configuration"}};

    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (text_is(text_at(config, "apiVersion"), known[i].version) &&
            text_is(text_at(config, "kind"), known[i].kind))
            return true;
    return false;
}

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    struct quotas *q = ARENA_NEW(c->arena, struct quotas);
    const struct value *limited = value_get(c->config, TEXT("limitedResources"));

    q->resource = registry_find(c->opt->registry, TEXT_NONE, TEXT("v1"), TEXT("resourcequotas"));
    q->cache = q->resource ? q->resource->cache : NULL;
    for (size_t i = 0; q->resource && i < q->resource->type->n_subs; i++)
        if (text_is(q->resource->type->subs[i].name, "status"))
            q->status = &q->resource->type->subs[i];
    *ret_state = q;
    if (c->config && !is_configuration(c->config))
        return status_set(st, STATUS_BAD_REQUEST, "no kind \"%.*s\" is registered for version \"%.*s\"",
                          TEXT_ARG(text_at(c->config, "kind")), TEXT_ARG(text_at(c->config, "apiVersion")));
    if (limited)
        q->limited = *limited;
    return 0;
}

/* --- lists of quantities --- */

static size_t size_of(const struct value *list)
{
    return list && list->kind == VALUE_OBJECT ? list->n : 0;
}

static int compare_members(const void *x, const void *y)
{
    return text_cmp(member_key(x), member_key(y));
}

/* name=1,other=2 */
static const char *print(struct arena *a, const struct value *list, bool has_values)
{
    struct value sorted = value_copy(a, list);
    struct buffer b = BUFFER_IN(a);

    if (sorted.n)
        qsort(sorted.members, sorted.n, sizeof(*sorted.members), compare_members);
    for (size_t i = 0; i < sorted.n; i++) {
        buffer_addf(&b, "%s%.*s", i ? "," : "", TEXT_ARG(member_key(&sorted.members[i])));
        if (has_values)
            buffer_addf(&b, "=%.*s", TEXT_ARG(quantity_text(a, &sorted.members[i].value)));
    }
    return buffer_str(&b);
}

static struct text amount(struct arena *a, const struct value *list, struct text name)
{
    const struct value *v = value_get(list, name);

    return v ? quantity_text(a, v) : TEXT("0");
}

/* More than before, by name; nothing of what has become less. */
static struct value increase(struct arena *a, const struct value *now, const struct value *before)
{
    struct value more = value_object();

    for (size_t i = 0; i < size_of(now); i++) {
        struct text key = member_key(&now->members[i]), q = quantity_text(a, &now->members[i].value),
                    difference = q;
        const struct value *was = value_get(before, key);
        if (was)
            quantity_sub(a, q, quantity_text(a, was), &difference);
        if (quantity_sign(difference) > 0)
            value_set(a, &more, key, value_string(difference));
    }
    return more;
}

/* --- the quotas of a request --- */

struct charge {
    struct text quota;
    struct value requested; /* of what is hard there, above zero */
};
struct charges {
    struct charge *p;
    size_t n, cap;
    struct value scopes;          /* of all quotas, those that the object matches */
    struct value covered;         /* names that a quota of the request's limits */
    struct value usage, increase; /* of the object; of an update over the old object */
    bool is_measured;
};

static void measure(struct admission_attributes *a, struct charges *c)
{
    if (c->is_measured)
        return;
    c->is_measured = true;
    c->usage = quota_usage(a->arena, a->resource->storage, a->object);
    c->increase = value_object();
    if (a->old) {
        struct value before = quota_usage(a->arena, a->resource->storage, a->old);
        c->increase = increase(a->arena, &c->usage, &before);
    }
}

static bool matches(const struct admission_attributes *a, const struct value *hard,
                    const struct value *scopes, const struct value *obj)
{
    bool has_name = false;

    for (size_t i = 0; i < size_of(hard) && !has_name; i++)
        has_name = quota_covers(a->resource->storage, member_key(&hard->members[i]));
    for (size_t i = 0; has_name && i < scopes->n; i++)
        has_name = quota_scope_matches(a->resource->storage, &scopes->items[i], obj);
    return has_name;
}

/* -1: used has no word of a name that is covered. */
static int check_status(struct admission_attributes *a, struct text quota, const struct value *hard,
                        const struct value *used, struct charges *c, struct status *st)
{
    struct value names = value_object();
    bool is_known = true;

    for (size_t i = 0; i < size_of(hard); i++) {
        struct text name = member_key(&hard->members[i]);
        if (!quota_covers(a->resource->storage, name))
            continue;
        value_set(a->arena, &names, name, value_bool(true));
        value_set(a->arena, &c->covered, name, value_bool(true));
        is_known &= value_get(used, name) != NULL;
    }
    return is_known ? 0
                    : admission_forbid(a, st, "status unknown for quota: %.*s, resources: %s",
                                       TEXT_ARG(quota), print(a->arena, &names, false));
}

static void add_charge(struct admission_attributes *a, struct charges *c, struct text quota,
                       const struct value *hard, const struct value *usage)
{
    struct value requested = value_object();

    for (size_t i = 0; i < size_of(usage); i++) {
        struct text name = member_key(&usage->members[i]);
        if (value_get(hard, name) && quantity_sign(quantity_text(a->arena, &usage->members[i].value)) != 0)
            value_set(a->arena, &requested, name, usage->members[i].value);
    }
    if (!requested.n)
        return;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 4;
        c->p = arena_grow(a->arena, c->p, c->cap * sizeof(*c->p), cap * sizeof(*c->p));
        c->cap = cap;
    }
    c->p[c->n++] = (struct charge){quota, requested};
}

/* What the quota would note, if it has room for it. */
static int add_up(struct admission_attributes *a, const struct charge *charge, const struct value *quota,
                  struct value *ret_used, struct status *st)
{
    const struct value *status = value_get(quota, TEXT("status"));
    const struct value *hard = value_get(status, TEXT("hard")), *used = value_get(status, TEXT("used"));
    struct value requested = value_object(), limits = value_object(), before = value_object(), now;
    struct arena *arena = a->arena;

    now = used && used->kind == VALUE_OBJECT ? value_copy(arena, used) : value_object();
    for (size_t i = 0; i < charge->requested.n; i++) {
        struct text name = member_key(&charge->requested.members[i]), total;
        struct text q = quantity_text(arena, &charge->requested.members[i].value),
                    there = amount(arena, used, name);
        if (!value_get(hard, name))
            continue;
        if (!quantity_add(arena, there, q, &total))
            total = q;
        value_set(arena, &now, name, value_string(total));
        if (is_sub(a, "status") || quantity_cmp(total, amount(arena, hard, name)) <= 0)
            continue;
        value_set(arena, &requested, name, value_string(q));
        value_set(arena, &before, name, value_string(there));
        value_set(arena, &limits, name, value_string(amount(arena, hard, name)));
    }
    *ret_used = now;
    if (!requested.n)
        return 0;
    return admission_forbid(a, st, "exceeded quota: %.*s, requested: %s, used: %s, limited: %s",
                            TEXT_ARG(charge->quota), print(arena, &requested, true),
                            print(arena, &before, true), print(arena, &limits, true));
}

static void unref_object(void *o)
{
    object_unref(o);
}

static int consider(struct admission_attributes *a, struct charges *c, const struct value *tree,
                    struct text name, struct status *st)
{
    const struct value *status = value_get(tree, TEXT("status")), *hard = value_get(status, TEXT("hard"));
    struct value scopes = quota_scopes(a->arena, tree);
    const char *lacking;

    for (size_t i = 0; i < scopes.n; i++)
        if (quota_scope_matches(a->resource->storage, &scopes.items[i], a->object))
            value_append(a->arena, &c->scopes, scopes.items[i]);
    if (!matches(a, hard, &scopes, a->object))
        return 0;
    lacking = quota_lacks(a->arena, a->resource->storage, hard, a->object);
    if (lacking)
        return admission_forbid(a, st, "failed quota: %.*s: %s", TEXT_ARG(name), lacking);
    if (check_status(a, name, hard, value_get(status, TEXT("used")), c, st) < 0)
        return -1;
    measure(a, c);
    /* What was in this quota before is charged for what it has become more. */
    bool was_in = a->old && matches(a, hard, &scopes, a->old);
    add_charge(a, c, name, hard, was_in ? &c->increase : &c->usage);
    return 0;
}

static int gather(const struct quotas *q, struct admission_attributes *a, struct charges *c,
                  struct status *st)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct admission_list list;
    struct object *o;
    int result = 0;

    admission_list_open(&list, a->arena, q->cache, a->namespace);
    while (result == 0 && (o = admission_list_next(&list))) {
        struct value tree;
        arena_defer(a->arena, unref_object, object_ref(o));
        if (object_tree(a->arena, o, &tree, &ignored) < 0)
            continue;
        result = consider(a, c, &tree, o->name, st);
        struct value unused;
        if (result == 0 && c->n && text_eq(c->p[c->n - 1].quota, o->name))
            result = add_up(a, &c->p[c->n - 1], &tree, &unused, st);
    }
    admission_list_close(&list);
    return result;
}

static int check_negative(struct admission_attributes *a, struct charges *c, struct status *st)
{
    struct value negative = value_object();

    measure(a, c);
    for (size_t i = 0; i < c->usage.n; i++)
        if (quantity_sign(quantity_text(a->arena, &c->usage.members[i].value)) < 0)
            value_set(a->arena, &negative, member_key(&c->usage.members[i]), value_bool(true));
    return negative.n ? admission_forbid(a, st, "quota usage is negative for resource(s): %s",
                                         print(a->arena, &negative, false))
                      : 0;
}

/* --- what nobody may have without a quota --- */

static bool is_limited_name(const struct value *limited, struct text name)
{
    const struct value *parts = value_get(limited, TEXT("matchContains"));

    for (size_t i = 0; i < list_size(parts); i++)
        if (text_find_text(name, value_text(&parts->items[i])) >= 0)
            return true;
    return false;
}

static bool has_scope(const struct value *scopes, struct text name)
{
    for (size_t i = 0; i < scopes->n; i++)
        if (text_eq(text_at(&scopes->items[i], "scopeName"), name))
            return true;
    return false;
}

static int check_limited(const struct quotas *q, struct admission_attributes *a, struct charges *c,
                         struct status *st)
{
    const struct resource_type *type = a->resource->storage;
    struct value uncovered = value_object();

    for (size_t i = 0; i < list_size(&q->limited); i++) {
        const struct value *limited = &q->limited.items[i], *scopes = value_get(limited, TEXT("matchScopes"));
        for (size_t k = 0; k < list_size(scopes); k++)
            if (quota_scope_matches(type, &scopes->items[k], a->object) &&
                !has_scope(&c->scopes, text_at(&scopes->items[k], "scopeName"))) {
                const struct value *values = value_get(&scopes->items[k], TEXT("values"));
                struct buffer b = BUFFER_IN(a->arena);
                for (size_t j = 0; j < list_size(values); j++)
                    buffer_addf(&b, "%s%.*s", j ? " " : "", TEXT_ARG(value_text(&values->items[j])));
                return admission_fail(st, "insufficient quota to match these scopes: [{%.*s %.*s [%s]}]",
                                      TEXT_ARG(text_at(&scopes->items[k], "scopeName")),
                                      TEXT_ARG(text_at(&scopes->items[k], "operator")), buffer_str(&b));
            }
        if (!text_eq(text_at(limited, "resource"), type->name) ||
            !text_eq(text_at(limited, "apiGroup"), type->group))
            continue;
        for (size_t k = 0; k < c->usage.n; k++) {
            struct text name = member_key(&c->usage.members[k]);
            if (quantity_sign(quantity_text(a->arena, &c->usage.members[k].value)) > 0 &&
                is_limited_name(limited, name) && !value_get(&c->covered, name))
                value_set(a->arena, &uncovered, name, value_bool(true));
        }
    }
    return uncovered.n ? admission_forbid(a, st, "insufficient quota to consume: %s",
                                          print(a->arena, &uncovered, false))
                       : 0;
}

/* --- charging --- */

struct charging {
    struct operation op;
    struct admission_attributes *attributes;
    const struct charge *charge;
};

static int note_usage(struct operation *op, const struct object *current, const struct value *tree,
                      struct value *ret_new, struct status *st)
{
    struct charging *c = CONTAINER_OF(op, struct charging, op);
    struct value used;

    if (!tree)
        return status_not_found(st, TEXT_NONE, TEXT("resourcequotas"), op->name);
    if (add_up(c->attributes, c->charge, tree, &used, st) < 0)
        return -1;
    *ret_new = value_copy(op->arena, tree);
    value_set(op->arena, value_object_at(op->arena, ret_new, TEXT("status")), TEXT("used"), used);
    schema_arrange(op->arena, op->resource->storage->kind->schema, ret_new);
    return 0;
}

static int charge_one(const struct quotas *q, struct admission_attributes *a, const struct charge *charge,
                      struct status *st)
{
    struct charging c = {.op = {.kind = OPERATION_UPDATE,
                                .registry = a->registry,
                                .resource = q->resource,
                                .sub = q->status,
                                .arena = a->arena,
                                .namespace = a->namespace,
                                .name = charge->quota,
                                .field_manager = TEXT("kube-apiserver"),
                                .transform = note_usage},
                         .attributes = a,
                         .charge = charge};
    int result = registry_run(&c.op);

    if (result < 0 && c.op.st.reason == STATUS_NOT_FOUND) /* a quota that is gone limits nobody */
        result = 0;
    else if (result < 0)
        status_move(st, &c.op.st);
    operation_clear(&c.op);
    return result;
}

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct quotas *q = state;
    struct charges c = {.scopes = value_list(), .covered = value_object()};
    bool is_limited = list_size(&q->limited) > 0;

    if (!a->namespace.n || !a->resource->storage || !q->cache || !quota_counts(a->resource->storage) ||
        !quota_is_touched(a->resource->storage, a->sub ? a->sub->name : TEXT(""), a->object, a->old))
        return 0;
    if (!is_limited && (!a->may_block || !admission_has_any(q->cache, a->namespace)))
        return 0;
    if (gather(q, a, &c, st) < 0 || ((c.n || is_limited) && check_negative(a, &c, st) < 0))
        return -1;
    /* An update that asks for no more needs no quota. */
    if (is_limited && (!a->old || c.increase.n) && check_limited(q, a, &c, st) < 0)
        return -1;
    for (size_t i = 0; i < c.n && !a->is_dry_run && a->may_block; i++)
        if (charge_one(q, a, &c.p[i], st) < 0)
            return -1;
    return 0;
}

static bool has_quotas(void *state, const struct admission_attributes *a)
{
    const struct quotas *q = state;

    return a->namespace.n && q->cache &&
           (list_size(&q->limited) || admission_has_any(q->cache, a->namespace));
}

static const struct admission_rule rules[] = {
    {TEXT("*"), TEXT("*"), TEXT("*"), CREATE | UPDATE, .validate = check, .may_wait = has_quotas},
};
const struct admission_plugin plugin_resource_quota = {"ResourceQuota", true, RULES(rules), .start = start};
