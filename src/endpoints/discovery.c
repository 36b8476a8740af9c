/* SPDX-License-Identifier: Apache-2.0 */
/* What is served: the groups, their versions and the resources of each, as /api and /apis tell it. In two forms: the older
 * one a document for each group and version, and the aggregated one, all at once with an ETag, which clients ask for by
 * the Accept header. Both are made of the schemas' tables, less what has no handler.
 * Source: kubernetes/apiserver pkg/endpoints/discovery and discovery/aggregated. */
#include "endpoints/endpoints_internal.h"

#include <openssl/evp.h>

#include "base/features.h"

/* --- the walk over what is served ------------------------------------------------------------------------------------------- */

/* The next type from *i on that is served, in the order of the tables; NULL at the end. An empty version is any. */
static const struct resource_type *next_type(const struct endpoints *e, size_t *i)
{
    while (*i < n_schema_resources) {
        const struct resource_type *type = &schema_resources[(*i)++];
        if (type_is_offered(e, type))
            return type;
    }
    return NULL;
}

static bool in_version(const struct resource_type *type, struct text group, struct text version)
{
    return text_eq(type->group, group) && text_eq(type->version, version);
}

static struct value verb_list(struct arena *a, unsigned verbs)
{
    /* By name, as upstream sorts them. */
    static const struct {
        enum verb_bit bit;
        struct text name;
    } names[] = {
        {VERB_CREATE, TEXT("create")}, {VERB_DELETE, TEXT("delete")}, {VERB_DELETECOLLECTION, TEXT("deletecollection")},
        {VERB_GET, TEXT("get")},       {VERB_LIST, TEXT("list")},     {VERB_PATCH, TEXT("patch")},
        {VERB_UPDATE, TEXT("update")}, {VERB_WATCH, TEXT("watch")},
    };
    struct value list = value_list();
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (verbs & names[i].bit)
            value_append(a, &list, value_string(names[i].name));
    return list;
}

static void add_texts(struct arena *a, struct value *object, struct text key, const struct text *texts, size_t n)
{
    struct value list = value_list();
    for (size_t i = 0; i < n; i++)
        value_append(a, &list, value_string(texts[i]));
    if (n)
        value_add(a, object, key, list);
}

static struct value typed_object(struct arena *a, struct text kind, struct text api_version)
{
    struct value v = value_object();
    value_add(a, &v, TEXT("kind"), value_string(kind));
    if (api_version.n)
        value_add(a, &v, TEXT("apiVersion"), value_string(api_version));
    return v;
}

/* --- one document for each group and version --------------------------------------------------------------------------------- */

/* A kind of another group or version than the resource's says so. */
static void add_foreign_kind(struct arena *a, struct value *v, const struct resource_type *type, const struct gvk *kind)
{
    if (in_version(type, kind->group, kind->version))
        return;
    value_add(a, v, TEXT("group"), value_string(kind->group));
    value_add(a, v, TEXT("version"), value_string(kind->version));
}

static void add_resource(struct arena *a, struct value *resources, const struct resource_type *type)
{
    struct value v = value_object();
    value_add(a, &v, TEXT("name"), value_string(type->name));
    value_add(a, &v, TEXT("singularName"), value_string(type->singular));
    value_add(a, &v, TEXT("namespaced"), value_bool(type->is_namespaced));
    add_foreign_kind(a, &v, type, &type->kind->gvk);
    value_add(a, &v, TEXT("kind"), value_string(type->kind->gvk.kind));
    value_add(a, &v, TEXT("verbs"), verb_list(a, type->verbs));
    add_texts(a, &v, TEXT("shortNames"), type->short_names, type->n_short_names);
    add_texts(a, &v, TEXT("categories"), type->categories, type->n_categories);
    if (type->storage_hash.n && feature_is_on(FEATURE_STORAGE_VERSION_HASH))
        value_add(a, &v, TEXT("storageVersionHash"), value_string(type->storage_hash));
    value_append(a, resources, v);
}

static void add_sub(struct arena *a, struct value *resources, const struct resource_type *type,
                    const struct resource_sub *sub)
{
    struct value v = value_object();
    value_add(a, &v, TEXT("name"), value_string(arena_textf(a, "%.*s/%.*s", TEXT_ARG(type->name), TEXT_ARG(sub->name))));
    value_add(a, &v, TEXT("singularName"), value_string(TEXT("")));
    value_add(a, &v, TEXT("namespaced"), value_bool(type->is_namespaced));
    add_foreign_kind(a, &v, type, &sub->kind);
    value_add(a, &v, TEXT("kind"), value_string(sub->kind.kind));
    value_add(a, &v, TEXT("verbs"), verb_list(a, sub->verbs));
    value_append(a, resources, v);
}

static enum flow respond_meta(struct request *r, struct text kind_name, struct value *v)
{
    const struct schema_kind *kind = schema_kind_of(TEXT("v1"), kind_name);
    schema_arrange(r->arena, kind->schema, v);
    return respond_tree(r, 200, kind, v);
}

static enum flow serve_resources(struct request *r, struct endpoints *e, struct text group, struct text version)
{
    struct arena *a = r->arena;
    /* The core group's list has no apiVersion, for clients older than it. */
    struct value list = typed_object(a, TEXT("APIResourceList"), group.n ? TEXT("v1") : TEXT_NONE);
    struct value resources = value_list();
    const struct resource_type *type;

    for (size_t i = 0; (type = next_type(e, &i));) {
        if (!in_version(type, group, version))
            continue;
        add_resource(a, &resources, type);
        for (size_t k = 0; k < type->n_subs; k++)
            if (endpoints_serves(type, &type->subs[k]))
                add_sub(a, &resources, type, &type->subs[k]);
    }
    value_add(a, &list, TEXT("groupVersion"), value_string(group_version_text(a, group, version)));
    value_add(a, &list, TEXT("resources"), resources);
    return respond_meta(r, TEXT("APIResourceList"), &list);
}

/* The group's versions as they follow each other in the tables, the preferred one first: false when there are none. */
static bool add_versions(struct arena *a, const struct endpoints *e, struct text group, struct value *ret_group)
{
    struct value versions = value_list();
    struct text last = TEXT_NONE;
    const struct resource_type *type;

    for (size_t i = 0; (type = next_type(e, &i));) {
        if (!text_eq(type->group, group) || text_eq(type->version, last))
            continue;
        struct value v = value_object();
        value_add(a, &v, TEXT("groupVersion"), value_string(group_version_text(a, group, type->version)));
        value_add(a, &v, TEXT("version"), value_string(type->version));
        value_append(a, &versions, v);
        last = type->version;
    }
    if (!versions.n)
        return false;
    value_add(a, ret_group, TEXT("name"), value_string(group));
    value_add(a, ret_group, TEXT("versions"), versions);
    value_add(a, ret_group, TEXT("preferredVersion"), value_copy(a, &versions.items[0]));
    return true;
}

static enum flow serve_group(struct request *r, struct endpoints *e, struct text group)
{
    struct value v = typed_object(r->arena, TEXT("APIGroup"), TEXT("v1"));

    if (!add_versions(r->arena, e, group, &v))
        return fail_no_resource(r);
    return respond_meta(r, TEXT("APIGroup"), &v);
}

static bool has_version(const struct endpoints *e, struct text group, struct text version)
{
    const struct resource_type *type;

    for (size_t i = 0; (type = next_type(e, &i));)
        if (in_version(type, group, version))
            return true;
    return false;
}

/* Upstream serves /apis and a group by handlers of their own, which take any method; a version by its router. */
enum flow serve_group_version(struct request *r, struct endpoints *e, struct text group, struct text version)
{
    if (!version.n)
        return serve_group(r, e, group);
    if (!has_version(e, group, version))
        return fail_no_resource(r);
    if (!request_is_read(r))
        return fail_method(r);
    return router_accepts(r) ? serve_resources(r, e, group, version) : FLOW_DONE;
}

static enum flow serve_core_versions(struct request *r, struct endpoints *e)
{
    struct arena *a = r->arena;
    struct value v = typed_object(a, TEXT("APIVersions"), TEXT_NONE);
    struct value versions = value_list(), cidrs = value_list(), cidr = value_object();

    value_append(a, &versions, value_string(TEXT("v1")));
    value_add(a, &v, TEXT("versions"), versions);
    const char *address = atomic_load(&e->server_address);
    if (address) {
        value_add(a, &cidr, TEXT("clientCIDR"), value_string(TEXT("0.0.0.0/0")));
        value_add(a, &cidr, TEXT("serverAddress"), value_string(text_of(address)));
        value_append(a, &cidrs, cidr);
    }
    value_add(a, &v, TEXT("serverAddressByClientCIDRs"), cidrs);
    return respond_meta(r, TEXT("APIVersions"), &v);
}

static enum flow serve_groups(struct request *r, struct endpoints *e)
{
    struct arena *a = r->arena;
    struct value list = typed_object(a, TEXT("APIGroupList"), TEXT("v1")), groups = value_list();
    struct text last = TEXT("");
    const struct resource_type *type;

    for (size_t i = 0; (type = next_type(e, &i));) {
        struct value group = value_object();
        if (text_eq(type->group, last) || !type->group.n)
            continue;
        last = type->group;
        if (add_versions(a, e, last, &group))
            value_append(a, &groups, group);
    }
    value_add(a, &list, TEXT("groups"), groups);
    return respond_meta(r, TEXT("APIGroupList"), &list);
}

/* --- all at once --------------------------------------------------------------------------------------------------------------- */

static struct value response_kind(struct arena *a, const struct resource_type *type, const struct gvk *kind)
{
    bool is_own = in_version(type, kind->group, kind->version);
    struct value v = value_object();
    value_add(a, &v, TEXT("group"), value_string(is_own ? TEXT("") : kind->group));
    value_add(a, &v, TEXT("version"), value_string(is_own ? TEXT("") : kind->version));
    value_add(a, &v, TEXT("kind"), value_string(kind->kind));
    return v;
}

static struct value aggregated_resource(struct arena *a, const struct resource_type *type)
{
    struct value v = value_object(), subs = value_list();

    value_add(a, &v, TEXT("resource"), value_string(type->name));
    value_add(a, &v, TEXT("responseKind"), response_kind(a, type, &type->kind->gvk));
    value_add(a, &v, TEXT("scope"), value_string(type->is_namespaced ? TEXT("Namespaced") : TEXT("Cluster")));
    value_add(a, &v, TEXT("singularResource"), value_string(type->singular));
    value_add(a, &v, TEXT("verbs"), verb_list(a, type->verbs));
    add_texts(a, &v, TEXT("shortNames"), type->short_names, type->n_short_names);
    add_texts(a, &v, TEXT("categories"), type->categories, type->n_categories);
    for (size_t k = 0; k < type->n_subs; k++) {
        const struct resource_sub *sub = &type->subs[k];
        struct value s = value_object();
        if (!endpoints_serves(type, sub))
            continue;
        value_add(a, &s, TEXT("subresource"), value_string(sub->name));
        value_add(a, &s, TEXT("responseKind"), response_kind(a, type, &sub->kind));
        value_add(a, &s, TEXT("verbs"), verb_list(a, sub->verbs));
        value_append(a, &subs, s);
    }
    if (subs.n)
        value_add(a, &v, TEXT("subresources"), subs);
    return v;
}

static struct value aggregated_version(struct arena *a, const struct endpoints *e, struct text group, struct text version)
{
    struct value v = value_object(), resources = value_list();
    const struct resource_type *type;

    for (size_t i = 0; (type = next_type(e, &i));)
        if (in_version(type, group, version))
            value_append(a, &resources, aggregated_resource(a, type));
    value_add(a, &v, TEXT("version"), value_string(version));
    value_add(a, &v, TEXT("resources"), resources);
    value_add(a, &v, TEXT("freshness"), value_string(TEXT("Current")));
    return v;
}

static struct value aggregated_group(struct arena *a, const struct endpoints *e, struct text group)
{
    struct value v = value_object(), meta = value_object(), versions = value_list();
    struct text last = TEXT_NONE;
    const struct resource_type *type;

    for (size_t i = 0; (type = next_type(e, &i));) {
        if (!text_eq(type->group, group) || text_eq(type->version, last))
            continue;
        last = type->version;
        value_append(a, &versions, aggregated_version(a, e, group, last));
    }
    if (group.n)
        value_add(a, &meta, TEXT("name"), value_string(group));
    value_add(a, &v, TEXT("metadata"), meta);
    value_add(a, &v, TEXT("versions"), versions);
    return v;
}

/* A group's resources stand together in the tables. */
static struct value aggregated_list(struct arena *a, const struct endpoints *e, bool is_core)
{
    struct value list = typed_object(a, TEXT("APIGroupDiscoveryList"), TEXT("apidiscovery.k8s.io/v2"));
    struct value items = value_list();
    struct text last = TEXT("");
    const struct resource_type *type;

    if (is_core)
        value_append(a, &items, aggregated_group(a, e, TEXT("")));
    for (size_t i = 0; !is_core && (type = next_type(e, &i));) {
        if (text_eq(type->group, last) || !type->group.n)
            continue;
        last = type->group;
        value_append(a, &items, aggregated_group(a, e, last));
    }
    value_add(a, &list, TEXT("metadata"), value_object());
    value_add(a, &list, TEXT("items"), items);
    return list;
}

/* "\"" SHA-512 in hex "\"": upstream's ETag of a document. */
struct text etag_of(struct arena *a, struct text bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buffer b = BUFFER_IN(a);

    EVP_Digest(bytes.p, bytes.n, digest, &n, EVP_sha512(), NULL);
    buffer_add_char(&b, '"');
    for (unsigned i = 0; i < n; i++)
        buffer_addf(&b, "%02X", digest[i]);
    buffer_add_char(&b, '"');
    return buffer_text(&b);
}

static enum flow serve_aggregated(struct request *r, struct endpoints *e, bool is_core, bool is_protobuf)
{
    const struct schema_kind *kind = schema_kind_of(TEXT("apidiscovery.k8s.io/v2"), TEXT("APIGroupDiscoveryList"));
    struct value list = aggregated_list(r->arena, e, is_core);
    struct buffer body = BUFFER_IN(r->arena);

    schema_arrange(r->arena, kind->schema, &list);
    if (is_protobuf) {
        struct buffer message = BUFFER_IN(r->arena);
        schema_protobuf_encode(&message, kind->schema, &list);
        protobuf_envelope(&body, kind->api_version, kind->gvk.kind, buffer_text(&message));
    } else {
        schema_encode(&body, kind->schema, &list, NULL);
        buffer_add_char(&body, '\n');
    }
    struct text etag = etag_of(r->arena, buffer_text(&body));
    const char *type = is_protobuf
                           ? "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                           : "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    if (text_eq(request_header(r, "If-None-Match"), etag))
        response_bytes(r, 304, NULL, TEXT(""));
    else
        response_bytes(r, 200, type, buffer_text(&body));
    response_set_header(r, "Cache-Control", TEXT("public"));
    response_set_header(r, "Etag", etag);
    response_set_header(r, "Vary", TEXT("Accept"));
    return FLOW_DONE;
}

/* --- which form ------------------------------------------------------------------------------------------------------------------ */

enum discovery_form { FORM_OLD, FORM_AGGREGATED_JSON, FORM_AGGREGATED_PROTOBUF, FORM_NOT_SERVED };

static enum discovery_form choose_form(struct request *r)
{
    struct media *clauses;
    size_t n = media_parse_accept(r->arena, request_header(r, "Accept"), &clauses);

    for (size_t i = 0; i < n; i++) {
        struct text as = media_param(&clauses[i], "as");
        bool is_json = text_is(clauses[i].subtype, "json");
        if (!as.n)
            return FORM_OLD; /* negotiated there once more */
        if (text_is(as, "APIGroupDiscoveryList") && text_is(media_param(&clauses[i], "v"), "v2") &&
            text_is(media_param(&clauses[i], "g"), "apidiscovery.k8s.io") &&
            (is_json || text_is(clauses[i].subtype, "vnd.kubernetes.protobuf")))
            return is_json ? FORM_AGGREGATED_JSON : FORM_AGGREGATED_PROTOBUF;
    }
    return request_header(r, "Accept").n ? FORM_NOT_SERVED : FORM_OLD;
}

static enum flow serve_discovery(struct request *r, struct endpoints *e, bool is_core)
{
    CLEANUP(status_clear) struct status st = {0};
    enum discovery_form form = choose_form(r);

    if (is_core && !request_is_read(r))
        return fail_method(r);
    if (is_core && !router_accepts(r))
        return FLOW_DONE;
    switch (form) {
    case FORM_OLD:
        return is_core ? serve_core_versions(r, e) : serve_groups(r, e);
    case FORM_AGGREGATED_JSON:
    case FORM_AGGREGATED_PROTOBUF:
        return serve_aggregated(r, e, is_core, form == FORM_AGGREGATED_PROTOBUF);
    case FORM_NOT_SERVED:
        break;
    }
    status_set(&st, STATUS_NOT_ACCEPTABLE, "only the following media types are accepted: %s", SERVED_MEDIA_NAMES);
    return request_fail(r, &st);
}

enum flow serve_api(struct request *r, struct endpoints *e, struct text rest)
{
    return serve_discovery(r, e, true);
}

enum flow serve_apis(struct request *r, struct endpoints *e, struct text rest)
{
    return serve_discovery(r, e, false);
}
