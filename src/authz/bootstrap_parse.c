/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the text of the bootstrap policy into trees of RBAC's objects. */
#include "authz/bootstrap.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

static const struct {
    const char *kind, *resource;
} kinds[] = {
    {"ClusterRole", "clusterroles"},
    {"Role", "roles"},
    {"ClusterRoleBinding", "clusterrolebindings"},
    {"RoleBinding", "rolebindings"},
};

struct reader {
    struct arena *arena;
    struct bootstrap_object *objects;
    size_t n, cap, line;
    struct status *st;
};

static int fail(struct reader *r, const char *why)
{
    return status_set(r->st, STATUS_BAD_REQUEST, "bootstrap policy, line %zu: %s", r->line, why);
}

/* The next word of the line; empty at its end. */
static struct text word(struct text *line)
{
    struct text w = TEXT_NONE;

    while (!w.n && line->p && text_split(line, ' ', &w))
        ;
    return w;
}

/* NAMESPACE/NAME or NAME. Names of RBAC's objects have no slash. */
static void split_name(struct text in, struct text *ret_namespace, struct text *ret_name)
{
    ptrdiff_t slash = text_find(in, '/');

    *ret_namespace = slash < 0 ? TEXT_NONE : text_first(in, (size_t)slash);
    *ret_name = slash < 0 ? in : text_from(in, (size_t)slash + 1);
}

static struct value list_of(struct reader *r, struct text words)
{
    struct value list = value_list();
    struct text part;

    while (text_split(&words, ',', &part))
        value_append(r->arena, &list, value_string(text_is(part, "\"\"") ? TEXT("") : part));
    return list;
}

static int add_pair(struct reader *r, struct value *to, struct text pair)
{
    struct text key;

    if (!text_split(&pair, '=', &key) || !pair.p)
        return fail(r, "KEY=VALUE expected");
    value_add(r->arena, to, key, value_string(pair));
    return 0;
}

static int begin_object(struct reader *r, struct text line)
{
    struct text kind = word(&line), pair;
    struct bootstrap_object o = {.tree = value_object()};
    struct value meta = value_object(), labels = value_object(), notes = value_object();
    bool is_role = text_ends(kind, TEXT("Role"));

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (text_is(kind, kinds[i].kind))
            o.resource = text_of(kinds[i].resource);
    split_name(word(&line), &o.namespace, &o.name);
    if (!o.resource.n || !o.name.n || (o.namespace.n != 0) == text_starts(kind, TEXT("Cluster")))
        return fail(r, "KIND [NAMESPACE/]NAME expected");
    value_add(r->arena, &meta, TEXT("name"), value_string(o.name));
    if (o.namespace.n)
        value_add(r->arena, &meta, TEXT("namespace"), value_string(o.namespace));
    value_add(r->arena, &labels, TEXT("kubernetes.io/bootstrapping"), value_string(TEXT("rbac-defaults")));
    while ((pair = word(&line)).n)
        if (add_pair(r, &labels, pair) < 0)
            return -1;
    value_add(r->arena, &notes, TEXT("rbac.authorization.kubernetes.io/autoupdate"),
              value_string(TEXT("true")));
    value_add(r->arena, &meta, TEXT("labels"), labels);
    value_add(r->arena, &meta, TEXT("annotations"), notes);
    value_add(r->arena, &o.tree, TEXT("metadata"), meta);
    value_add(r->arena, &o.tree, is_role ? TEXT("rules") : TEXT("subjects"), value_list());
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        r->objects = arena_grow(r->arena, r->objects, r->cap * sizeof(o), cap * sizeof(o));
        r->cap = cap;
    }
    r->objects[r->n++] = o;
    return 0;
}

static int add_aggregate(struct reader *r, struct value *tree, struct text line)
{
    struct value *rule = value_object_at(r->arena, tree, TEXT("aggregationRule"));
    struct value match = value_object(), selector = value_object();

    if (add_pair(r, &match, word(&line)) < 0)
        return -1;
    value_add(r->arena, &selector, TEXT("matchLabels"), match);
    if (!value_get(rule, TEXT("clusterRoleSelectors")))
        value_add(r->arena, rule, TEXT("clusterRoleSelectors"), value_list());
    value_append(r->arena, value_get(rule, TEXT("clusterRoleSelectors")), selector);
    return 0;
}

static int add_rule(struct reader *r, struct value *tree, struct text verbs, struct text line)
{
    struct text groups = word(&line), what = word(&line), named = word(&line), names = word(&line);
    struct value rule = value_object();

    if (!what.n || !value_get(tree, TEXT("rules")) || (named.n && (!text_is(named, "named") || !names.n)))
        return fail(r, "a rule of a role expected: VERBS GROUPS RESOURCES [named NAMES]");
    value_add(r->arena, &rule, TEXT("verbs"), list_of(r, verbs));
    if (text_is(groups, "urls")) {
        value_add(r->arena, &rule, TEXT("nonResourceURLs"), list_of(r, what));
    } else {
        value_add(r->arena, &rule, TEXT("apiGroups"), list_of(r, groups));
        value_add(r->arena, &rule, TEXT("resources"), list_of(r, what));
        if (named.n)
            value_add(r->arena, &rule, TEXT("resourceNames"), list_of(r, names));
    }
    value_append(r->arena, value_get(tree, TEXT("rules")), rule);
    return 0;
}

static int add_reference(struct reader *r, struct value *tree, bool is_role, struct text line)
{
    struct text kind = word(&line), name = word(&line), namespace = TEXT_NONE;
    struct value ref = value_object();
    bool is_account = text_is(kind, "ServiceAccount");

    if (!name.n || !value_get(tree, TEXT("subjects")))
        return fail(r, "KIND NAME of a binding expected");
    if (is_account)
        split_name(name, &namespace, &name);
    if (!is_account)
        value_add(r->arena, &ref, TEXT("apiGroup"), value_string(TEXT(RBAC_GROUP)));
    value_add(r->arena, &ref, TEXT("kind"), value_string(kind));
    value_add(r->arena, &ref, TEXT("name"), value_string(name));
    if (is_account)
        value_add(r->arena, &ref, TEXT("namespace"), value_string(namespace));
    if (is_role)
        value_set(r->arena, tree, TEXT("roleRef"), ref);
    else
        value_append(r->arena, value_get(tree, TEXT("subjects")), ref);
    return 0;
}

static int read_line(struct reader *r, struct text line)
{
    bool is_part = line.n && line.p[0] == ' ';

    line = text_trim(line);
    if (!line.n || line.p[0] == '#')
        return 0;
    if (!is_part)
        return begin_object(r, line);
    if (!r->n)
        return fail(r, "an object expected");
    struct value *tree = &r->objects[r->n - 1].tree;
    struct text first = word(&line);
    if (text_is(first, "aggregate"))
        return add_aggregate(r, tree, line);
    if (text_is(first, "grants") || text_is(first, "to"))
        return add_reference(r, tree, text_is(first, "grants"), line);
    return add_rule(r, tree, first, line);
}

int bootstrap_parse(struct arena *a, struct text in, struct bootstrap_object **ret, size_t *ret_n,
                    struct status *st)
{
    struct reader r = {.arena = a, .st = st};
    struct text line;

    while (text_split(&in, '\n', &line)) {
        r.line++;
        if (read_line(&r, line) < 0)
            return -1;
    }
    *ret = r.objects;
    *ret_n = r.n;
    return 0;
}
