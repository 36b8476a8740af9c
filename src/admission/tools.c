/* SPDX-License-Identifier: Apache-2.0 */
/* What plugins share: refusals in upstream's words, look-ups in the caches, small walks over trees. Source of
 * the words: kubernetes/apiserver pkg/admission/errors.go. */
#include "admission/plugin.h"

const struct text container_lists[N_CONTAINER_LISTS] = {TEXT("initContainers"), TEXT("containers"),
                                                        TEXT("ephemeralContainers")};

/* --- refusals --- */

static struct text shown_name(const struct admission_attributes *a)
{
    const struct value *metadata = value_get(a->object, TEXT("metadata"));
    struct text name = a->name;

    if (!name.n)
        name = value_get_text(metadata, TEXT("name"));
    if (!name.n)
        name = value_get_text(metadata, TEXT("generateName"));
    return name.n ? name : TEXT("Unknown");
}

int admission_forbid(const struct admission_attributes *a, struct status *st, const char *fmt, ...)
{
    const struct resource_type *type = a->resource->type;
    va_list args;

    va_start(args, fmt);
    const char *why = arena_vprintf(a->arena, fmt, args);
    va_end(args);
    return status_forbidden(st, type->group, type->name, shown_name(a), why);
}

int admission_fail(struct status *st, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    status_vset(st, STATUS_UNKNOWN, fmt, args);
    va_end(args);
    st->code = 500;
    return -1;
}

void admission_warn(struct admission_attributes *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const char *text = arena_vprintf(a->arena, fmt, args);
    va_end(args);
    if (a->warnings)
        text_list_add_once(a->arena, a->warnings, text_of(text));
}

bool is_resource(const struct admission_attributes *a, const char *group, const char *resource)
{
    return text_is(a->resource->type->group, group) && text_is(a->resource->type->name, resource);
}

bool is_sub(const struct admission_attributes *a, const char *sub)
{
    return text_is(a->sub ? a->sub->name : TEXT(""), sub);
}

/* --- look-ups --- */

/* namespace/name, without the cost of formatting. */
static struct text join_key(struct arena *a, struct text namespace, struct text name)
{
    char *p = arena_alloc(a, namespace.n + 1 + name.n);

    memcpy(p, namespace.p, namespace.n);
    p[namespace.n] = '/';
    if (name.n)
        memcpy(p + namespace.n + 1, name.p, name.n);
    return (struct text){p, namespace.n + 1 + name.n};
}

struct cache *admission_cache(const struct registry *reg, const char *group, const char *version,
                              const char *resource)
{
    const struct resource *res = registry_find(reg, text_of(group), text_of(version), text_of(resource));

    return res ? res->cache : NULL;
}

struct object *admission_find_object(const struct admission_attributes *a, const char *group,
                                     const char *version, const char *resource, struct text namespace,
                                     struct text name)
{
    struct cache *cache = admission_cache(a->registry, group, version, resource);
    struct object *o;

    if (!cache)
        return NULL;
    o = cache_get(cache, namespace.n ? join_key(a->arena, namespace, name) : name);
    if (o && o->is_unreadable) {
        object_unref(o);
        return NULL;
    }
    return o;
}

static void unref_object(void *o)
{
    object_unref(o);
}

bool admission_find(const struct admission_attributes *a, const char *group, const char *version,
                    const char *resource, struct text namespace, struct text name, struct value *ret)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct object *o = admission_find_object(a, group, version, resource, namespace, name);

    if (!o)
        return false;
    arena_defer(a->arena, unref_object, o); /* the tree's strings lie in it */
    return object_tree(a->arena, o, ret, &ignored) == 0;
}

bool admission_exists(const struct admission_attributes *a, const char *group, const char *version,
                      const char *resource, struct text namespace, struct text name)
{
    CLEANUP(object_unrefp)
    struct object *o = admission_find_object(a, group, version, resource, namespace, name);

    return o != NULL;
}

void admission_list_open(struct admission_list *l, struct arena *a, struct cache *c, struct text namespace)
{
    l->prefix = namespace.n ? join_key(a, namespace, TEXT_NONE) : TEXT("");
    cache_snapshot(c, &l->snapshot);
    tree_iter_seek(&l->iter, &object_tree_ops, l->snapshot.tree, l->prefix);
}

struct object *admission_list_next(struct admission_list *l)
{
    struct object *o = tree_iter_next(&l->iter);

    while (o && o->is_unreadable && text_starts(o->key, l->prefix))
        o = tree_iter_next(&l->iter);
    return o && text_starts(o->key, l->prefix) ? o : NULL;
}

void admission_list_close(struct admission_list *l)
{
    snapshot_release(&l->snapshot);
}

bool admission_has_any(struct cache *c, struct text namespace)
{
    struct snapshot snapshot;
    struct tree_iter iter;
    const struct object *o;
    char prefix[300];

    if (!c || !namespace.n || namespace.n + 1 > sizeof(prefix))
        return false;
    memcpy(prefix, namespace.p, namespace.n);
    prefix[namespace.n] = '/';
    cache_snapshot(c, &snapshot);
    tree_iter_seek(&iter, &object_tree_ops, snapshot.tree, (struct text){prefix, namespace.n + 1});
    o = tree_iter_next(&iter);
    bool has_any = o && text_eq(o->namespace, namespace);
    snapshot_release(&snapshot);
    return has_any;
}

/* --- trees --- */

struct text label_of(const struct object *o, struct text key, bool *ret_has)
{
    for (size_t i = 0; i < o->n_labels; i++) {
        if (!text_eq(o->labels[2 * i], key))
            continue;
        if (ret_has)
            *ret_has = true;
        return o->labels[2 * i + 1];
    }
    if (ret_has)
        *ret_has = false;
    return TEXT_NONE;
}

struct value *list_at(struct arena *a, struct value *obj, struct text key)
{
    struct value *list = value_get(obj, key);

    return list && list->kind == VALUE_LIST ? list : value_set(a, obj, key, value_list());
}

bool same_value(const struct value *x, const struct value *y)
{
    bool is_none = !x || value_is_empty(x), is_other_none = !y || value_is_empty(y);

    return is_none || is_other_none ? is_none && is_other_none : value_equal(x, y);
}

struct text quoted(struct arena *a, struct text t)
{
    struct buffer b = BUFFER_IN(a);

    buffer_add_quoted(&b, t);
    return buffer_text(&b);
}

bool has_finalizer(const struct value *obj, struct text name)
{
    const struct value *list = value_get(metadata_of(obj), TEXT("finalizers"));

    for (size_t i = 0; i < list_size(list); i++)
        if (text_eq(value_text(&list->items[i]), name))
            return true;
    return false;
}
