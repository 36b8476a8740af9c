/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of the OpenAPI documents, from the tables of resources: each resource gives a handful of paths,
 * each path an operation for a verb. A parameter that all operations of a path have is the path's own.
 * Source: kubernetes/apiserver pkg/endpoints/installer.go, pkg/endpoints/openapi; kubernetes/kube-openapi
 * pkg/builder, pkg/builder3. */
#include "endpoints/openapi.h"

#include <ctype.h>

#include "schema/publish.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* By name, as they are listed. */
enum {
    P_BOOKMARKS,
    P_CONTINUE,
    P_DRY_RUN,
    P_MANAGER,
    P_MANAGER_OF_PATCH,
    P_FIELDS,
    P_VALIDATION,
    P_FORCE,
    P_GRACE,
    P_IGNORE,
    P_LABELS,
    P_LIMIT,
    P_NAME,
    P_NAMESPACE,
    P_ORPHAN,
    P_PRETTY,
    P_PROPAGATION,
    P_REVISION,
    P_MATCH,
    P_INITIAL,
    P_SHARD,
    P_TIMEOUT,
    P_WATCH,
    N_PARAMETERS
};
#define BIT(p) (1u << (p))
static const struct parameter {
    const char *name, *type;
    const char
        *shared; /* what version 2 calls it in the document's own table; NULL: it stands in each place */
} parameters[N_PARAMETERS] = {
    [P_BOOKMARKS] = {"allowWatchBookmarks", "boolean", "allowWatchBookmarks-HC2hJt-J"},
    [P_CONTINUE] = {"continue", "string", "continue-QfD61s0i"},
    [P_DRY_RUN] = {"dryRun", "string", NULL},
    [P_MANAGER] = {"fieldManager", "string", "fieldManager-Qy4HdaTW"},
    [P_MANAGER_OF_PATCH] = {"fieldManager", "string", "fieldManager-7c6nTn1T"},
    [P_FIELDS] = {"fieldSelector", "string", "fieldSelector-xIcQKXFG"},
    [P_VALIDATION] = {"fieldValidation", "string", NULL},
    [P_FORCE] = {"force", "boolean", "force-tOGGb0Yi"},
    [P_GRACE] = {"gracePeriodSeconds", "integer", "gracePeriodSeconds--K5HaBOS"},
    [P_IGNORE] = {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean",
                  "ignoreStoreReadErrorWithClusterBreakingPotential-QbNkfIqj"},
    [P_LABELS] = {"labelSelector", "string", "labelSelector-5Zw57w4C"},
    [P_LIMIT] = {"limit", "integer", "limit-1NfNmdNH"},
    [P_NAME] = {"name", "string", NULL},
    [P_NAMESPACE] = {"namespace", "string", "namespace-vgWSWtn3"},
    [P_ORPHAN] = {"orphanDependents", "boolean", "orphanDependents-uRB25kX5"},
    [P_PRETTY] = {"pretty", "string", "pretty-tJGM1-ng"},
    [P_PROPAGATION] = {"propagationPolicy", "string", "propagationPolicy-6jk3prlO"},
    [P_REVISION] = {"resourceVersion", "string", "resourceVersion-5WAnf1kx"},
    [P_MATCH] = {"resourceVersionMatch", "string", "resourceVersionMatch-t8XhRHeC"},
    [P_INITIAL] = {"sendInitialEvents", "boolean", "sendInitialEvents-rLXlEK_k"},
    [P_SHARD] = {"shardSelector", "string", "shardSelector-Kgyki_3_"},
    [P_TIMEOUT] = {"timeoutSeconds", "integer", "timeoutSeconds-yvYezaOC"},
    [P_WATCH] = {"watch", "boolean", "watch-XNNPZGbK"},
};
#define WRITE_PARAMETERS (BIT(P_DRY_RUN) | BIT(P_MANAGER) | BIT(P_VALIDATION))
#define PAGE_PARAMETERS                                                                                \
    (BIT(P_CONTINUE) | BIT(P_FIELDS) | BIT(P_LABELS) | BIT(P_LIMIT) | BIT(P_REVISION) | BIT(P_MATCH) | \
     BIT(P_INITIAL) | BIT(P_SHARD) | BIT(P_TIMEOUT))
#define LIST_PARAMETERS (PAGE_PARAMETERS | BIT(P_BOOKMARKS) | BIT(P_WATCH))
#define DELETE_PARAMETERS (BIT(P_DRY_RUN) | BIT(P_GRACE) | BIT(P_IGNORE) | BIT(P_ORPHAN) | BIT(P_PROPAGATION))

enum body { BODY_IS_NONE, BODY_IS_OBJECT, BODY_IS_DELETE, BODY_IS_PATCH };
enum answer { ANSWER_OBJECT, ANSWER_LIST, ANSWER_EVENT, ANSWER_STATUS, ANSWER_DELETED };

struct verb_shape {
    uint8_t verb;
    const char *method, *action, *prefix;
    enum body body;
    enum answer answer;
    uint32_t parameters;
    unsigned codes; /* bit 0: 200, 1: 201, 2: 202 */
};
static const struct verb_shape on_collection[] = {
    {VERB_LIST, "get", "list", "list", BODY_IS_NONE, ANSWER_LIST, LIST_PARAMETERS, 1},
    {VERB_CREATE, "post", "post", "create", BODY_IS_OBJECT, ANSWER_OBJECT, WRITE_PARAMETERS, 7},
    {VERB_DELETECOLLECTION, "delete", "deletecollection", "delete", BODY_IS_DELETE, ANSWER_STATUS,
     PAGE_PARAMETERS | DELETE_PARAMETERS, 1},
};
static const struct verb_shape on_object[] = {
    {VERB_GET, "get", "get", "read", BODY_IS_NONE, ANSWER_OBJECT, 0, 1},
    {VERB_UPDATE, "put", "put", "replace", BODY_IS_OBJECT, ANSWER_OBJECT, WRITE_PARAMETERS, 3},
    {VERB_CREATE, "post", "post", "create", BODY_IS_OBJECT, ANSWER_OBJECT, WRITE_PARAMETERS, 7},
    {VERB_DELETE, "delete", "delete", "delete", BODY_IS_DELETE, ANSWER_DELETED, DELETE_PARAMETERS, 5},
    {VERB_PATCH, "patch", "patch", "patch", BODY_IS_PATCH, ANSWER_OBJECT,
     BIT(P_DRY_RUN) | BIT(P_MANAGER_OF_PATCH) | BIT(P_VALIDATION) | BIT(P_FORCE), 3},
};
static const struct verb_shape watch_list = {VERB_WATCH,   "get",        "watchlist",     "watch",
                                             BODY_IS_NONE, ANSWER_EVENT, LIST_PARAMETERS, 1};
static const struct verb_shape watch_one = {VERB_WATCH,   "get",        "watch",         "watch",
                                            BODY_IS_NONE, ANSWER_EVENT, LIST_PARAMETERS, 1};

static const char *const media[] = {"application/json", "application/yaml",
                                    "application/vnd.kubernetes.protobuf", "application/json;stream=watch",
                                    "application/vnd.kubernetes.protobuf;stream=watch"};
static const char *const patch_media[] = {"application/json-patch+json", "application/merge-patch+json",
                                          "application/strategic-merge-patch+json",
                                          "application/apply-patch+yaml"};

struct document {
    struct arena *a;
    const struct endpoints *e;
    bool is_v3;
    struct publish publish;
    struct value paths;
    uint32_t shared; /* parameters that version 2's table must have */
    bool has_delete_body, has_patch_body;
};

struct path {
    struct text name;
    uint32_t own; /* parameters in the path, and pretty */
    size_t n;
    struct {
        const char *method;
        struct value op;
        uint32_t parameters;
        struct value body; /* version 2: a parameter; kind 0: none */
        bool has_body;
    } ops[8];
};

static struct value string(const char *s)
{
    return value_string(text_of(s));
}

static struct value strings(struct arena *a, const char *const *list, size_t n)
{
    struct value v = value_list();

    for (size_t i = 0; i < n; i++)
        value_append(a, &v, string(list[i]));
    return v;
}

static struct value wrap(struct arena *a, const char *key, struct value inner)
{
    struct value v = value_object();

    value_add(a, &v, text_of(key), inner);
    return v;
}

static struct text capital(struct arena *a, struct text t)
{
    char *s = arena_str(a, t);

    s[0] = (char)toupper((unsigned char)s[0]);
    return (struct text){s, t.n};
}

/* "rbac.authorization.k8s.io" is rbacAuthorization in tags and names of operations. */
static struct text group_words(struct arena *a, struct text group)
{
    struct buffer b = BUFFER_IN(a);
    struct text part;

    if (!group.n)
        return TEXT("core");
    if (text_ends(group, TEXT(".k8s.io")))
        group.n -= strlen(".k8s.io");
    while (text_split(&group, '.', &part))
        buffer_add(&b, b.n ? capital(a, part) : part);
    return buffer_text(&b);
}

static struct text version_words(struct arena *a, struct text group, struct text version)
{
    struct text words = capital(a, group_words(a, group)), v = capital(a, version);

    return arena_textf(a, "%.*s%.*s", TEXT_ARG(words), TEXT_ARG(v));
}

static struct value gvk_value(struct arena *a, struct gvk k)
{
    struct value v = value_object();

    value_add(a, &v, TEXT("group"), value_string(k.group));
    value_add(a, &v, TEXT("kind"), value_string(k.kind));
    value_add(a, &v, TEXT("version"), value_string(k.version));
    return v;
}

/* --- parameters --- */

static struct value parameter_value(struct document *d, unsigned i)
{
    struct value v = value_object(), type = value_object(), *where = d->is_v3 ? &type : &v;
    const struct parameter *p = &parameters[i];
    bool is_in_path = i == P_NAME || i == P_NAMESPACE;

    value_add(d->a, where, TEXT("type"), string(p->type));
    value_add(d->a, where, TEXT("uniqueItems"), value_bool(true));
    value_add(d->a, &v, TEXT("name"), string(p->name));
    value_add(d->a, &v, TEXT("in"), string(is_in_path ? "path" : "query"));
    if (is_in_path)
        value_add(d->a, &v, TEXT("required"), value_bool(true));
    if (d->is_v3)
        value_add(d->a, &v, TEXT("schema"), type);
    return v;
}

static void parameters_add(struct document *d, uint32_t bits, struct value *list)
{
    for (unsigned i = 0; i < N_PARAMETERS; i++) {
        if (!(bits & BIT(i)))
            continue;
        if (d->is_v3 || !parameters[i].shared) {
            value_append(d->a, list, parameter_value(d, i));
            continue;
        }
        d->shared |= BIT(i);
        value_append(
            d->a, list,
            wrap(d->a, "$ref", value_string(arena_textf(d->a, "#/parameters/%s", parameters[i].shared))));
    }
}

static struct value body_parameter(struct document *d, struct value reference, bool is_required)
{
    struct value v = value_object();

    value_add(d->a, &v, TEXT("name"), string("body"));
    value_add(d->a, &v, TEXT("in"), string("body"));
    if (is_required)
        value_add(d->a, &v, TEXT("required"), value_bool(true));
    value_add(d->a, &v, TEXT("schema"), reference);
    return v;
}

/* --- operations --- */

static struct value content(struct document *d, const char *const *types, size_t n, struct text type_name)
{
    struct value v = value_object();

    for (size_t i = 0; i < n; i++)
        value_add(d->a, &v, text_of(types[i]),
                  wrap(d->a, "schema", publish_reference(&d->publish, type_name)));
    return v;
}

static void responses_add(struct document *d, unsigned codes, size_t n_media, struct text answer,
                          struct value *op)
{
    static const char *const names[] = {"200", "201", "202"}, *const said[] = {"OK", "Created", "Accepted"};
    struct value all = value_object();

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        struct value one = value_object();
        if (!(codes & 1u << i))
            continue;
        value_add(d->a, &one, TEXT("description"), string(said[i]));
        if (d->is_v3)
            value_add(d->a, &one, TEXT("content"), content(d, media, n_media, answer));
        else
            value_add(d->a, &one, TEXT("schema"), publish_reference(&d->publish, answer));
        value_add(d->a, &all, text_of(names[i]), one);
    }
    value_add(d->a, &all, TEXT("401"), wrap(d->a, "description", string("Unauthorized")));
    value_add(d->a, op, TEXT("responses"), all);
}

static void body_add(struct document *d, enum body body, struct text object, struct path *path,
                     struct value *op)
{
    static const char *const any[] = {"*/*"};
    struct text type = body == BODY_IS_DELETE  ? TEXT(META "DeleteOptions")
                       : body == BODY_IS_PATCH ? TEXT(META "Patch")
                                               : object;

    if (body == BODY_IS_NONE)
        return;
    if (d->is_v3) {
        struct value v = value_object();
        value_add(d->a, &v, TEXT("content"),
                  body == BODY_IS_PATCH ? content(d, patch_media, N_ELEMENTS(patch_media), type)
                                        : content(d, any, 1, type));
        if (body != BODY_IS_DELETE)
            value_add(d->a, &v, TEXT("required"), value_bool(true));
        value_add(d->a, op, TEXT("requestBody"), v);
        return;
    }
    path->ops[path->n].has_body = true;
    if (body == BODY_IS_OBJECT) {
        path->ops[path->n].body = body_parameter(d, publish_reference(&d->publish, type), true);
        return;
    }
    publish_reference(&d->publish, type);
    path->ops[path->n].body =
        wrap(d->a, "$ref",
             string(body == BODY_IS_PATCH ? "#/parameters/body-78PwaGsr" : "#/parameters/body-2Y1dVQaQ"));
    d->has_patch_body |= body == BODY_IS_PATCH;
    d->has_delete_body |= body == BODY_IS_DELETE;
}

/* What version 2 says of every operation. */
static void transport_add(struct document *d, struct value consumes, size_t n_media, struct value *op)
{
    static const char *const schemes[] = {"https"};

    if (d->is_v3)
        return;
    value_add(d->a, op, TEXT("consumes"), consumes);
    value_add(d->a, op, TEXT("produces"), strings(d->a, media, n_media));
    value_add(d->a, op, TEXT("schemes"), strings(d->a, schemes, 1));
}

/* Namespaces are answered as they are while they end, but upstream's documents do not say so. */
static bool says_deleted(const struct resource *res)
{
    return (res->strategy->flags & STRATEGY_RETURNS_DELETED) &&
           !(res->type->group.n == 0 && text_is(res->type->name, "namespaces"));
}

static void operation_add(struct document *d, struct path *path, const struct verb_shape *shape,
                          const struct resource *res, const struct resource_sub *sub, struct text id)
{
    static const char *const any[] = {"*/*"};
    const struct resource_type *t = res->type;
    struct gvk kind = sub && sub->kind.kind.n ? sub->kind : t->kind->gvk;
    const struct schema_kind *object = schema_kind_find(kind);
    struct text object_name = (object ? object : t->kind)->schema->full_name, answer = object_name;
    struct text group = group_words(d->a, t->group);
    struct value op = value_object(), tags = value_list();
    bool is_stream = shape->answer == ANSWER_LIST || shape->answer == ANSWER_EVENT;
    size_t n_media = is_stream ? 5 : 3;

    if (shape->answer == ANSWER_LIST && t->list_kind)
        answer = t->list_kind->schema->full_name;
    if (shape->answer == ANSWER_EVENT)
        answer = TEXT(META "WatchEvent");
    if (shape->answer == ANSWER_STATUS || (shape->answer == ANSWER_DELETED && !says_deleted(res)))
        answer = TEXT(META "Status");

    transport_add(d,
                  shape->body == BODY_IS_PATCH ? strings(d->a, patch_media, N_ELEMENTS(patch_media))
                                               : strings(d->a, any, 1),
                  n_media, &op);
    value_append(d->a, &tags,
                 value_string(arena_textf(d->a, "%.*s_%.*s", TEXT_ARG(group), TEXT_ARG(t->version))));
    value_add(d->a, &op, TEXT("tags"), tags);
    value_add(d->a, &op, TEXT("operationId"), value_string(id));
    body_add(d, shape->body, object_name, path, &op);
    responses_add(d, shape->codes, n_media, answer, &op);
    value_add(d->a, &op, TEXT("x-kubernetes-action"), string(shape->action));
    value_add(d->a, &op, TEXT("x-kubernetes-group-version-kind"), gvk_value(d->a, kind));
    path->ops[path->n].method = shape->method;
    path->ops[path->n].op = op;
    path->ops[path->n].parameters = shape->parameters | path->own;
    path->n++;
}

static void path_end(struct document *d, struct path *path)
{
    struct value item = value_object(), list = value_list();
    uint32_t common = UINT32_MAX;

    if (!path->n)
        return;
    for (size_t i = 0; i < path->n; i++)
        common &= path->ops[i].parameters;
    for (size_t i = 0; i < path->n; i++) {
        struct value own = value_list();
        if (path->ops[i].has_body)
            value_append(d->a, &own, path->ops[i].body);
        parameters_add(d, path->ops[i].parameters & ~common, &own);
        if (own.n)
            value_add(d->a, &path->ops[i].op, TEXT("parameters"), own);
        value_add(d->a, &item, text_of(path->ops[i].method), path->ops[i].op);
    }
    parameters_add(d, common, &list);
    if (list.n)
        value_add(d->a, &item, TEXT("parameters"), list);
    value_add(d->a, &d->paths, path->name, item);
}

/* --- paths of a resource --- */

/* verb, group-version, then what is acted on. */
static struct text operation_id(struct document *d, const char *verb, const struct resource_type *t,
                                const char *how, bool is_namespaced, const char *tail)
{
    struct text words = version_words(d->a, t->group, t->version);

    return arena_textf(d->a, "%s%.*s%s%s%.*s%s", verb, TEXT_ARG(words), how,
                       is_namespaced ? "Namespaced" : "", TEXT_ARG(t->kind->gvk.kind), tail);
}

static void add_watches(struct document *d, const struct resource *res, struct text base, uint32_t own)
{
    const struct resource_type *t = res->type;
    bool is_in = own & BIT(P_NAMESPACE), is_all = t->is_namespaced && !is_in;
    struct path list = {.own = own}, one = {.own = own | BIT(P_NAME)};

    if (!(t->verbs & VERB_WATCH))
        return;
    list.name = arena_textf(d->a, "%.*s/watch/%s%.*s", TEXT_ARG(base), is_in ? "namespaces/{namespace}/" : "",
                            TEXT_ARG(t->name));
    operation_add(d, &list, &watch_list, res, NULL,
                  operation_id(d, "watch", t, "", is_in, is_all ? "ListForAllNamespaces" : "List"));
    path_end(d, &list);
    if (is_all)
        return;
    one.name = arena_textf(d->a, "%.*s/{name}", TEXT_ARG(list.name));
    operation_add(d, &one, &watch_one, res, NULL, operation_id(d, "watch", t, "", is_in, ""));
    path_end(d, &one);
}

static void add_resource(struct document *d, const struct resource *res, struct text base)
{
    const struct resource_type *t = res->type;
    uint32_t own = BIT(P_PRETTY) | (t->is_namespaced ? BIT(P_NAMESPACE) : 0);
    struct path collection = {.own = own}, object = {.own = own | BIT(P_NAME)};

    collection.name = arena_textf(d->a, "%.*s/%s%.*s", TEXT_ARG(base),
                                  t->is_namespaced ? "namespaces/{namespace}/" : "", TEXT_ARG(t->name));
    object.name = arena_textf(d->a, "%.*s/{name}", TEXT_ARG(collection.name));
    for (size_t i = 0; i < N_ELEMENTS(on_collection); i++) {
        const struct verb_shape *shape = &on_collection[i];
        if (t->verbs & shape->verb)
            operation_add(d, &collection, shape, res, NULL,
                          operation_id(d, shape->prefix, t,
                                       shape->verb == VERB_DELETECOLLECTION ? "Collection" : "",
                                       t->is_namespaced, ""));
    }
    path_end(d, &collection);
    for (size_t i = 0; i < N_ELEMENTS(on_object); i++) {
        const struct verb_shape *shape = &on_object[i];
        if ((t->verbs & shape->verb) && shape->verb != VERB_CREATE)
            operation_add(d, &object, shape, res, NULL,
                          operation_id(d, shape->prefix, t, "", t->is_namespaced, ""));
    }
    path_end(d, &object);
    if (t->is_namespaced && (t->verbs & VERB_LIST)) {
        struct path all = {.own = BIT(P_PRETTY)};
        all.name = arena_textf(d->a, "%.*s/%.*s", TEXT_ARG(base), TEXT_ARG(t->name));
        operation_add(d, &all, &on_collection[0], res, NULL,
                      operation_id(d, "list", t, "", false, "ForAllNamespaces"));
        path_end(d, &all);
        add_watches(d, res, base, BIT(P_PRETTY));
    }
    add_watches(d, res, base, own);
    for (size_t s = 0; s < t->n_subs; s++) {
        const struct resource_sub *sub = &t->subs[s];
        struct path path = {.own = own | BIT(P_NAME)};
        if (!endpoints_serves(t, sub))
            continue;
        path.name = arena_textf(d->a, "%.*s/%.*s", TEXT_ARG(object.name), TEXT_ARG(sub->name));
        for (size_t i = 0; i < N_ELEMENTS(on_object); i++)
            if (sub->verbs & on_object[i].verb)
                operation_add(d, &path, &on_object[i], res, sub,
                              operation_id(d, on_object[i].prefix, t, "", t->is_namespaced,
                                           capital(d->a, sub->name).p));
        path_end(d, &path);
    }
}

/* --- paths that are no resources --- */

static void add_page(struct document *d, struct text name, struct text tag, struct text id,
                     struct text answer, size_t n_media)
{
    struct path path = {.name = name};
    struct value op = value_object(), tags = value_list();

    transport_add(d, strings(d->a, media, n_media), n_media, &op);
    value_append(d->a, &tags, value_string(tag));
    value_add(d->a, &op, TEXT("tags"), tags);
    value_add(d->a, &op, TEXT("operationId"), value_string(id));
    responses_add(d, 1, n_media, answer, &op);
    path.ops[path.n].method = "get";
    path.ops[path.n++].op = op;
    path_end(d, &path);
}

static void add_part(struct document *d, const struct openapi_part *part)
{
    struct text words = group_words(d->a, part->group), upper = capital(d->a, words), base, gv;

    switch (part->scope) {
    case OPENAPI_CORE:
        add_page(d, TEXT("/api/"), TEXT("core"), TEXT("getCoreAPIVersions"), TEXT(META "APIVersions"), 3);
        return;
    case OPENAPI_GROUPS:
        add_page(d, TEXT("/apis/"), TEXT("apis"), TEXT("getAPIVersions"), TEXT(META "APIGroupList"), 3);
        return;
    case OPENAPI_VERSION:
        add_page(d, TEXT("/version/"), TEXT("version"), TEXT("getCodeVersion"),
                 TEXT("io.k8s.apimachinery.pkg.version.Info"), 1);
        return;
    case OPENAPI_GROUP:
        add_page(d, arena_textf(d->a, "/apis/%.*s/", TEXT_ARG(part->group)), words,
                 arena_textf(d->a, "get%.*sAPIGroup", TEXT_ARG(upper)), TEXT(META "APIGroup"), 3);
        return;
    case OPENAPI_GROUP_VERSION:
        break;
    }
    base = part->group.n
               ? arena_textf(d->a, "/apis/%.*s/%.*s", TEXT_ARG(part->group), TEXT_ARG(part->version))
               : arena_textf(d->a, "/api/%.*s", TEXT_ARG(part->version));
    gv = version_words(d->a, part->group, part->version);
    add_page(d, arena_textf(d->a, "%.*s/", TEXT_ARG(base)),
             arena_textf(d->a, "%.*s_%.*s", TEXT_ARG(words), TEXT_ARG(part->version)),
             arena_textf(d->a, "get%.*sAPIResources", TEXT_ARG(gv)), TEXT(META "APIResourceList"), 3);
    for (const struct resource *res = registry_resources(d->e->opt.registry); res; res = res->next)
        if (text_eq(res->type->group, part->group) && text_eq(res->type->version, part->version) &&
            endpoints_serves(res->type, NULL))
            add_resource(d, res, base);
}

/* --- documents --- */

static bool has_part(const struct openapi_part *parts, size_t n, struct text group, struct text version)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq(parts[i].group, group) && text_eq(parts[i].version, version))
            return true;
    return false;
}

size_t openapi_parts(struct arena *a, const struct endpoints *e, struct openapi_part **ret)
{
    size_t n = 0, n_resources = 0;
    struct openapi_part *parts;

    for (const struct resource *res = registry_resources(e->opt.registry); res; res = res->next)
        n_resources++;
    parts = ARENA_ARRAY(a, struct openapi_part, 2 * n_resources + 3);
    for (const struct resource *res = registry_resources(e->opt.registry); res; res = res->next) {
        const struct resource_type *t = res->type;
        if (!endpoints_serves(t, NULL))
            continue;
        if (t->group.n && !has_part(parts, n, t->group, TEXT_NONE))
            parts[n++] = (struct openapi_part){OPENAPI_GROUP, t->group, TEXT_NONE};
        if (!has_part(parts, n, t->group, t->version))
            parts[n++] = (struct openapi_part){OPENAPI_GROUP_VERSION, t->group, t->version};
    }
    parts[n++] = (struct openapi_part){.scope = OPENAPI_CORE};
    parts[n++] = (struct openapi_part){.scope = OPENAPI_GROUPS};
    parts[n++] = (struct openapi_part){.scope = OPENAPI_VERSION};
    *ret = parts;
    return n;
}

static void shared_parameters(struct document *d, struct value *ret)
{
    for (unsigned i = 0; i < N_PARAMETERS; i++)
        if (d->shared & BIT(i))
            value_add(d->a, ret, text_of(parameters[i].shared), parameter_value(d, i));
    if (d->has_delete_body)
        value_add(d->a, ret, TEXT("body-2Y1dVQaQ"),
                  body_parameter(d, publish_reference(&d->publish, TEXT(META "DeleteOptions")), false));
    if (d->has_patch_body)
        value_add(d->a, ret, TEXT("body-78PwaGsr"),
                  body_parameter(d, publish_reference(&d->publish, TEXT(META "Patch")), true));
}

static struct value token_scheme(struct arena *a)
{
    struct value v = value_object();

    value_add(a, &v, TEXT("description"), string("Bearer token"));
    value_add(a, &v, TEXT("type"), string("apiKey"));
    value_add(a, &v, TEXT("name"), string("authorization"));
    value_add(a, &v, TEXT("in"), string("header"));
    return wrap(a, "BearerToken", v);
}

struct value openapi_document(struct arena *a, const struct endpoints *e, bool is_v3,
                              const struct openapi_part *parts, size_t n_parts)
{
    struct document d = {.a = a, .e = e, .is_v3 = is_v3, .paths = value_object()};
    struct value doc = value_object(), info = value_object(), definitions = value_object();

    d.publish =
        (struct publish){.arena = a, .is_v3 = is_v3, .group = parts[0].group, .version = parts[0].version};
    for (size_t i = 0; i < n_parts; i++)
        add_part(&d, &parts[i]);
    publish_definitions(&d.publish, &definitions);
    value_add(a, &info, TEXT("title"), string("Kubernetes"));
    value_add(a, &info, TEXT("version"), string("1.36"));
    if (is_v3) {
        struct value components = wrap(a, "schemas", definitions);
        value_add(a, &components, TEXT("securitySchemes"), token_scheme(a));
        value_add(a, &doc, TEXT("openapi"), string("3.0.0"));
        value_add(a, &doc, TEXT("info"), info);
        value_add(a, &doc, TEXT("paths"), d.paths);
        value_add(a, &doc, TEXT("components"), components);
    } else {
        struct value shared = value_object(), security = value_list();
        shared_parameters(&d, &shared);
        value_append(a, &security, wrap(a, "BearerToken", value_list()));
        value_add(a, &doc, TEXT("swagger"), string("2.0"));
        value_add(a, &doc, TEXT("info"), info);
        value_add(a, &doc, TEXT("paths"), d.paths);
        value_add(a, &doc, TEXT("definitions"), definitions);
        value_add(a, &doc, TEXT("parameters"), shared);
        value_add(a, &doc, TEXT("securityDefinitions"), token_scheme(a));
        value_add(a, &doc, TEXT("security"), security);
    }
    publish_deinit(&d.publish);
    return doc;
}
