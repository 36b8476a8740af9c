/* SPDX-License-Identifier: Apache-2.0 */
/* The index of RBAC. Three persistent structures, so that a change copies little and a reader never waits:
 *   grants by subject      two copy-on-write trees, of ClusterRoleBindings and of RoleBindings, from a
 * subject (and namespace) to its bindings roles by number        pages of 64; a binding knows its role's
 * number, so that a decision does not look the role up, and a role's change touches one page, however many
 * bindings refer to it The numbers belong to references: one is given out for each role that exists or is
 * referred to, and taken back when neither holds. What only changes need (bindings by name, numbers by role)
 * is mutable and private to them. */
#include <pthread.h>

#include "authz/rbac_index.h"

/* A role's number, by its key: "C/name" or "R/namespace/name". */
struct role_slot {
    uint32_t id, n_uses; /* bindings, and one for the role itself */
    struct text key;
    char bytes[];
};

struct rbac {
    pthread_mutex_t write_mu; /* rank 1: all below but current; held through a whole change */
    struct map bindings;      /* key -> rbac_binding, one reference each */
    struct map slots;         /* key -> role_slot */
    VEC(uint32_t) free_ids;
    uint32_t n_ids;
    struct tree *cluster, *namespaced;
    struct rbac_role_page **pages;
    size_t n_pages;
    unsigned n_holds;

    pthread_mutex_t mu; /* rank 2: the next; held for a few instructions */
    struct rbac_index *current;
};

/* --- shared parts --- */

static void role_unref(struct rbac_role *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1) {
        free(r->rules);
        free(r);
    }
}

static void binding_unref(struct rbac_binding *b)
{
    if (b && atomic_fetch_sub(&b->refs, 1) == 1)
        free(b);
}

static struct text grants_key(const void *item)
{
    return ((const struct rbac_grants *)item)->key;
}

static void grants_ref(void *item)
{
    atomic_fetch_add(&((struct rbac_grants *)item)->refs, 1);
}

static void grants_unref(void *item)
{
    struct rbac_grants *g = item;

    if (atomic_fetch_sub(&g->refs, 1) != 1)
        return;
    for (size_t i = 0; i < g->n; i++)
        binding_unref(g->bindings[i]);
    free(g);
}

static const struct tree_ops grants_ops = {.key = grants_key, .ref = grants_ref, .unref = grants_unref};

static void page_unref(struct rbac_role_page *p)
{
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    for (size_t i = 0; i < ROLE_PAGE; i++)
        role_unref(p->roles[i]);
    free(p);
}

void rbac_index_unref(struct rbac_index *x)
{
    if (!x || atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    tree_unref(&grants_ops, x->cluster);
    tree_unref(&grants_ops, x->namespaced);
    for (size_t i = 0; i < x->n_pages; i++)
        page_unref(x->pages[i]);
    free(x);
}

struct rbac_index *rbac_index_get(struct rbac *r)
{
    pthread_mutex_lock(&r->mu);
    struct rbac_index *x = r->current;
    atomic_fetch_add(&x->refs, 1);
    pthread_mutex_unlock(&r->mu);
    return x;
}

static void publish(struct rbac *r)
{
    if (r->n_holds)
        return;
    struct rbac_index *x = xmalloc(sizeof(*x) + r->n_pages * sizeof(x->pages[0]));
    atomic_init(&x->refs, 1);
    x->cluster = tree_ref(r->cluster);
    x->namespaced = tree_ref(r->namespaced);
    x->n_pages = r->n_pages;
    for (size_t i = 0; i < r->n_pages; i++) {
        x->pages[i] = r->pages[i];
        atomic_fetch_add(&x->pages[i]->refs, 1);
    }
    pthread_mutex_lock(&r->mu);
    struct rbac_index *old = r->current;
    r->current = x;
    pthread_mutex_unlock(&r->mu);
    rbac_index_unref(old);
}

/* --- roles --- */

static struct text role_key(struct arena *a, enum rbac_role_kind kind, struct text namespace,
                            struct text name)
{
    if (kind == RBAC_CLUSTER_ROLE)
        return arena_textf(a, "C/%.*s", TEXT_ARG(name));
    return arena_textf(a, "%c/%.*s/%.*s", kind == RBAC_ROLE ? 'R' : '-', TEXT_ARG(namespace), TEXT_ARG(name));
}

static struct role_slot *use_slot(struct rbac *r, struct text key)
{
    struct role_slot *s = map_get(&r->slots, key);

    if (!s) {
        s = xmalloc(sizeof(*s) + key.n);
        memcpy(s->bytes, key.p, key.n);
        *s = (struct role_slot){.id = r->free_ids.n ? r->free_ids.p[--r->free_ids.n] : r->n_ids++,
                                .key = {s->bytes, key.n}};
        map_put(&r->slots, s->key, s);
    }
    s->n_uses++;
    return s;
}

/* n uses fewer. */
static void drop_slot(struct rbac *r, struct role_slot *s, uint32_t n)
{
    s->n_uses -= n;
    if (s->n_uses)
        return;
    map_remove(&r->slots, s->key);
    vec_push(&r->free_ids, s->id);
    free(s);
}

static struct rbac_role_page *copy_page(const struct rbac_role_page *old)
{
    struct rbac_role_page *p = xcalloc(1, sizeof(*p));

    atomic_init(&p->refs, 1);
    for (size_t i = 0; old && i < ROLE_PAGE; i++)
        if ((p->roles[i] = old->roles[i]))
            atomic_fetch_add(&p->roles[i]->refs, 1);
    return p;
}

/* Takes role. Returns whether there was one before. */
static bool set_role(struct rbac *r, uint32_t id, struct rbac_role *role)
{
    size_t at = id / ROLE_PAGE;

    while (r->n_pages <= at) {
        r->pages = xrealloc(r->pages, (r->n_pages + 1) * sizeof(struct rbac_role_page *));
        r->pages[r->n_pages++] = copy_page(NULL);
    }
    if (atomic_load(&r->pages[at]->refs) > 1) { /* published: readers hold it */
        struct rbac_role_page *copy = copy_page(r->pages[at]);
        page_unref(r->pages[at]);
        r->pages[at] = copy;
    }
    struct rbac_role **slot = &r->pages[at]->roles[id % ROLE_PAGE];
    bool was_there = *slot != NULL;
    role_unref(*slot);
    *slot = role;
    return was_there;
}

static void put_role(struct rbac *r, struct arena *a, enum rbac_role_kind kind, const struct object *o,
                     const struct value *tree)
{
    struct role_slot *slot = use_slot(r, role_key(a, kind, o->namespace, o->name));
    struct rbac_role *role = NULL;

    if (tree) {
        struct policy_rule *rules;
        role = xcalloc(1, sizeof(*role));
        atomic_init(&role->refs, 1);
        rules = rules_of_value(a, value_get(tree, TEXT("rules")), &role->n);
        role->rules = rules_copy(rules, role->n);
    }
    /* The use that the old one had; that of this call. */
    drop_slot(r, slot, (set_role(r, slot->id, role) ? 1 : 0) + (tree ? 0 : 1));
}

/* --- bindings --- */

enum rbac_role_kind rbac_role_kind_of(struct text kind)
{
    return text_is(kind, "ClusterRole") ? RBAC_CLUSTER_ROLE
           : text_is(kind, "Role")      ? RBAC_ROLE
                                        : RBAC_OTHER_ROLE;
}

static char subject_kind(struct text kind)
{
    return text_is(kind, "User")             ? 'U'
           : text_is(kind, "Group")          ? 'G'
           : text_is(kind, "ServiceAccount") ? 'S'
                                             : 0;
}

/* Copies t to *at and moves it on. */
static struct text pack(char **at, struct text t)
{
    struct text copy = {*at, t.n};

    if (t.n)
        memcpy(*at, t.p, t.n);
    *at += t.n;
    return copy;
}

static struct text binding_key(struct arena *a, const struct object *o, bool is_cluster)
{
    return is_cluster ? arena_textf(a, "/%.*s", TEXT_ARG(o->name))
                      : arena_textf(a, "%.*s/%.*s", TEXT_ARG(o->namespace), TEXT_ARG(o->name));
}

static struct text binding_words(struct arena *a, const struct object *o, bool is_cluster, struct text kind,
                                 struct text role)
{
    struct buffer b = BUFFER_IN(a);

    buffer_add_str(&b, is_cluster ? "RBAC: allowed by ClusterRoleBinding " : "RBAC: allowed by RoleBinding ");
    buffer_add_quoted(
        &b, is_cluster ? o->name : arena_textf(a, "%.*s/%.*s", TEXT_ARG(o->name), TEXT_ARG(o->namespace)));
    buffer_addf(&b, " of %.*s ", TEXT_ARG(kind));
    buffer_add_quoted(&b, role);
    buffer_add_str(&b, " to ");
    return buffer_text(&b);
}

static struct text subject_words(struct arena *a, const struct rbac_subject *s, struct text namespace)
{
    static const char *const kinds[] = {['U'] = "User ", ['G'] = "Group ", ['S'] = "ServiceAccount "};
    struct buffer b = BUFFER_IN(a);

    if (!s->kind)
        return TEXT_NONE;
    buffer_add_str(&b, kinds[(unsigned char)s->kind]);
    buffer_add_quoted(&b, s->kind == 'S' ? arena_textf(a, "%.*s/%.*s", TEXT_ARG(s->name), TEXT_ARG(namespace))
                                         : s->name);
    return buffer_text(&b);
}

static struct rbac_binding *make_binding(struct arena *a, const struct object *o, bool is_cluster,
                                         const struct value *tree)
{
    const struct value *subjects = value_get(tree, TEXT("subjects")), *ref = value_get(tree, TEXT("roleRef"));
    struct text kind = value_get_text(ref, TEXT("kind")), role = value_get_text(ref, TEXT("name"));
    struct text key = binding_key(a, o, is_cluster);
    size_t n = subjects && subjects->kind == VALUE_LIST ? subjects->n : 0;
    struct rbac_subject *list = ARENA_ARRAY(a, struct rbac_subject, n + 1);
    struct text words = binding_words(a, o, is_cluster, kind, role);
    size_t bytes = key.n + kind.n + role.n + words.n;

    for (size_t i = 0; i < n; i++) {
        const struct value *v = &subjects->items[i];
        struct rbac_subject *s = &list[i];
        *s = (struct rbac_subject){.kind = subject_kind(value_get_text(v, TEXT("kind"))),
                                   .name = value_get_text(v, TEXT("name")),
                                   .namespace = value_get_text(v, TEXT("namespace"))};
        struct text namespace = s->namespace.n || is_cluster ? s->namespace : o->namespace;
        if (s->kind == 'S' && namespace.n)
            s->username =
                arena_textf(a, "system:serviceaccount:%.*s:%.*s", TEXT_ARG(namespace), TEXT_ARG(s->name));
        s->words = subject_words(a, s, namespace);
        bytes += s->name.n + s->namespace.n + s->username.n + s->words.n;
    }
    struct rbac_binding *b = xmalloc(sizeof(*b) + n * sizeof(*list) + bytes);
    *b = (struct rbac_binding){.role_kind = rbac_role_kind_of(kind), .n_subjects = n};
    atomic_init(&b->refs, 1);
    b->subjects = (struct rbac_subject *)(b + 1);
    char *at = (char *)(b->subjects + n);
    b->key = pack(&at, key);
    b->namespace = text_first(b->key, is_cluster ? 0 : o->namespace.n);
    b->name = text_from(b->key, b->namespace.n + 1);
    b->role_kind_name = pack(&at, kind);
    b->role_name = pack(&at, role);
    b->words = pack(&at, words);
    for (size_t i = 0; i < n; i++)
        b->subjects[i] =
            (struct rbac_subject){list[i].kind, pack(&at, list[i].name), pack(&at, list[i].namespace),
                                  pack(&at, list[i].username), pack(&at, list[i].words)};
    return b;
}

/* The key of a subject's grants; empty: the subject is nobody. */
static struct text grant_key(struct arena *a, const struct rbac_binding *b, const struct rbac_subject *s)
{
    struct text who = s->kind == 'S' ? s->username : s->name;
    char kind = s->kind == 'S' ? 'U' : s->kind;

    if (!kind || !who.n)
        return TEXT_NONE;
    if (!b->namespace.n)
        return arena_textf(a, "%c%.*s", kind, TEXT_ARG(who));
    return arena_textf(a, "%.*s/%c%.*s", TEXT_ARG(b->namespace), kind, TEXT_ARG(who));
}

/* The grants of key with this binding in its place (is_gone: without it); NULL: none are left. */
static struct rbac_grants *change_grants(const struct rbac_grants *old, struct text key,
                                         struct rbac_binding *b, bool is_gone)
{
    size_t n = old ? old->n : 0, kept = 0;
    struct rbac_grants *g = xmalloc(sizeof(*g) + (n + 1) * sizeof(g->bindings[0]) + key.n);
    bool is_in = is_gone;

    for (size_t i = 0; i < n; i++) {
        int order = text_cmp(old->bindings[i]->key, b->key);
        if (order >= 0 && !is_in) {
            g->bindings[kept++] = b;
            is_in = true;
        }
        if (order != 0)
            g->bindings[kept++] = old->bindings[i];
    }
    if (!is_in)
        g->bindings[kept++] = b;
    if (!kept) {
        free(g);
        return NULL;
    }
    atomic_init(&g->refs, 1);
    g->n = kept;
    for (size_t i = 0; i < kept; i++)
        atomic_fetch_add(&g->bindings[i]->refs, 1);
    char *bytes = (char *)&g->bindings[n + 1];
    g->key = pack(&bytes, key);
    return g;
}

/* Enters b under each of its subjects, or takes it out. */
static void grant(struct rbac *r, struct arena *a, struct rbac_binding *b, bool is_gone)
{
    struct tree **tree = b->namespace.n ? &r->namespaced : &r->cluster;

    for (size_t i = 0; i < b->n_subjects; i++) {
        struct text key = grant_key(a, b, &b->subjects[i]);
        const struct rbac_grants *old = key.n ? tree_get(&grants_ops, *tree, key) : NULL;
        if (!key.n || (is_gone && !old))
            continue;
        struct rbac_grants *now = change_grants(old, key, b, is_gone);
        *tree = now ? tree_put(&grants_ops, *tree, now) : tree_remove(&grants_ops, *tree, key);
    }
}

static void put_binding(struct rbac *r, struct arena *a, bool is_cluster, const struct object *o,
                        const struct value *tree)
{
    struct rbac_binding *old = map_remove(&r->bindings, binding_key(a, o, is_cluster));

    if (old) {
        grant(r, a, old, true);
        drop_slot(r, map_get(&r->slots, role_key(a, old->role_kind, old->namespace, old->role_name)), 1);
        binding_unref(old);
    }
    if (!tree)
        return;
    struct rbac_binding *b = make_binding(a, o, is_cluster, tree);
    b->role_id = use_slot(r, role_key(a, b->role_kind, b->namespace, b->role_name))->id;
    map_put(&r->bindings, b->key, b);
    grant(r, a, b, false);
}

/* --- changes --- */

struct rbac *rbac_new(void)
{
    struct rbac *r = xcalloc(1, sizeof(*r));

    pthread_mutex_init(&r->write_mu, NULL);
    pthread_mutex_init(&r->mu, NULL);
    publish(r);
    return r;
}

/* All but what is published. */
static void forget(struct rbac *r)
{
    struct map_slot *s;
    size_t i = 0;

    while ((s = map_next(&r->bindings, &i)))
        binding_unref(s->value);
    for (i = 0; (s = map_next(&r->slots, &i));)
        free(s->value);
    map_deinit(&r->bindings);
    map_deinit(&r->slots);
    r->bindings = r->slots = (struct map){0};
    vec_deinit(&r->free_ids);
    r->n_ids = 0;
    tree_unref(&grants_ops, MOVE(r->cluster));
    tree_unref(&grants_ops, MOVE(r->namespaced));
    for (i = 0; i < r->n_pages; i++)
        page_unref(r->pages[i]);
    free(MOVE(r->pages));
    r->n_pages = 0;
}

void rbac_clear(struct rbac *r)
{
    pthread_mutex_lock(&r->write_mu);
    forget(r);
    pthread_mutex_unlock(&r->write_mu);
}

void rbac_free(struct rbac *r)
{
    if (!r)
        return;
    forget(r);
    rbac_index_unref(r->current);
    pthread_mutex_destroy(&r->write_mu);
    pthread_mutex_destroy(&r->mu);
    free(r);
}

void rbac_hold(struct rbac *r)
{
    pthread_mutex_lock(&r->write_mu);
    r->n_holds++;
    pthread_mutex_unlock(&r->write_mu);
}

void rbac_release(struct rbac *r)
{
    pthread_mutex_lock(&r->write_mu);
    r->n_holds--;
    publish(r);
    pthread_mutex_unlock(&r->write_mu);
}

void rbac_put(struct rbac *r, struct object *o, bool is_removed)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct text resource = o->type->name;
    struct value tree;
    bool is_there = !is_removed && !o->is_unreadable && object_tree(a, o, &tree, &st) == 0;

    pthread_mutex_lock(&r->write_mu);
    if (text_is(resource, "clusterroles") || text_is(resource, "roles"))
        put_role(r, a, resource.p[0] == 'c' ? RBAC_CLUSTER_ROLE : RBAC_ROLE, o, is_there ? &tree : NULL);
    else
        put_binding(r, a, text_is(resource, "clusterrolebindings"), o, is_there ? &tree : NULL);
    publish(r);
    pthread_mutex_unlock(&r->write_mu);
}

/* --- reading --- */

struct visitor {
    const struct rbac_index *index;
    struct arena *arena;
    struct text namespace;
    rbac_visit visit;
    void *ctx;
};

/* False: the visitor has seen enough. */
static bool visit_subject(const struct visitor *v, char kind, struct text who)
{
    char scratch[512];
    size_t prefix = v->namespace.n ? v->namespace.n + 1 : 0, n = prefix + 1 + who.n;
    char *key = n <= sizeof(scratch) ? scratch : arena_alloc(v->arena, n);

    if (prefix) {
        memcpy(key, v->namespace.p, v->namespace.n);
        key[v->namespace.n] = '/';
    }
    key[prefix] = kind;
    memcpy(key + prefix + 1, who.p, who.n);
    const struct rbac_grants *g =
        tree_get(&grants_ops, prefix ? v->index->namespaced : v->index->cluster, (struct text){key, n});
    for (size_t i = 0; g && i < g->n; i++)
        if (!v->visit(v->ctx, g->bindings[i], rbac_index_role(v->index, g->bindings[i]->role_id)))
            return false;
    return true;
}

static bool visit_subjects(const struct visitor *v, const struct user_info *user)
{
    if (user->name.n && !visit_subject(v, 'U', user->name))
        return false;
    for (size_t i = 0; i < user->n_groups; i++)
        if (user->groups[i].n && !visit_subject(v, 'G', user->groups[i]))
            return false;
    return true;
}

void rbac_visit_user(const struct rbac_index *x, struct arena *a, const struct user_info *user,
                     struct text namespace, rbac_visit visit, void *ctx)
{
    struct visitor v = {.index = x, .arena = a, .visit = visit, .ctx = ctx};

    if (!visit_subjects(&v, user) || !namespace.n)
        return;
    v.namespace = namespace;
    visit_subjects(&v, user);
}

const struct rbac_role *rbac_find_role(struct rbac *r, struct rbac_index *x, enum rbac_role_kind kind,
                                       struct text namespace, struct text name)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();

    pthread_mutex_lock(&r->write_mu);
    const struct role_slot *slot = map_get(&r->slots, role_key(a, kind, namespace, name));
    uint32_t id = slot ? slot->id : UINT32_MAX;
    pthread_mutex_unlock(&r->write_mu);
    return rbac_index_role(x, id);
}
