/* SPDX-License-Identifier: Apache-2.0 */
/* The file's content, read strictly into a small struct and checked as upstream checks it.
 * Source: kubernetes/apiserver pkg/apis/apiserver/v1 (types, defaults), pkg/apis/apiserver/validation/validation_encryption.go. */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base.h"
#include "storage/encryption_internal.h"

#define DEFAULT_TIMEOUT_NS (3 * 1000000000LL)

static const char *const provider_names[N_PROVIDERS] = {"aesgcm", "aescbc", "secretbox", "identity", "kms"};

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reader {
    struct arena *arena;
    struct buffer unknown; /* `unknown field "a.b"`, joined */
    struct status *st;
};

static int wrong_kind(struct reader *r, const struct value *v, const char *path, const char *expected)
{
    return status_set(r->st, STATUS_BAD_REQUEST, "json: cannot unmarshal %s into %s: expected %s",
                      value_kind_name(v->kind), path, expected);
}

/* The members of an object that may be absent or null; those that have no place are noted. */
static int check_object(struct reader *r, const struct value *v, const char *path, const char *const *known)
{
    if (!v || v->kind == VALUE_NULL)
        return 0;
    if (v->kind != VALUE_OBJECT)
        return wrong_kind(r, v, path, "an object");
    for (size_t i = 0; i < v->n; i++) {
        size_t k = 0;
        while (known[k] && !text_is(member_key(&v->members[i]), known[k]))
            k++;
        if (!known[k])
            buffer_addf(&r->unknown, "%sunknown field \"%s%s%.*s\"", r->unknown.n ? ", " : "", path, *path ? "." : "",
                        TEXT_ARG(member_key(&v->members[i])));
    }
    return 0;
}

static int read_text(struct reader *r, const struct value *parent, const char *path, const char *name, struct text *ret)
{
    const struct value *v = value_get(parent, text_of(name));
    *ret = TEXT("");
    if (!v || v->kind == VALUE_NULL)
        return 0;
    if (v->kind != VALUE_STRING)
        return wrong_kind(r, v, arena_printf(r->arena, "%s.%s", path, name), "a string");
    *ret = value_text(v);
    return 0;
}

/* *ret_n items of a list that may be absent. */
static int read_list(struct reader *r, const struct value *parent, const char *path, const char *name,
                     const struct value **ret, size_t *ret_n)
{
    const struct value *v = value_get(parent, text_of(name));
    *ret_n = 0;
    if (!v || v->kind == VALUE_NULL)
        return 0;
    if (v->kind != VALUE_LIST)
        return wrong_kind(r, v, arena_printf(r->arena, "%s%s%s", path, *path ? "." : "", name), "a list");
    *ret = v->items;
    *ret_n = v->n;
    return 0;
}

static int read_keys(struct reader *r, const struct value *v, const char *path, struct provider_config *p)
{
    static const char *const known[] = {"keys", NULL}, *const known_of_key[] = {"name", "secret", NULL};
    const struct value *items = NULL;
    size_t n;
    if (check_object(r, v, path, known) < 0 || read_list(r, v, path, "keys", &items, &n) < 0)
        return -1;
    p->keys = ARENA_ARRAY(r->arena, struct key_config, n + 1);
    p->n_keys = n;
    for (size_t i = 0; i < n; i++) {
        const char *at = arena_printf(r->arena, "%s.keys[%zu]", path, i);
        if (check_object(r, &items[i], at, known_of_key) < 0 ||
            read_text(r, &items[i], at, "name", &p->keys[i].name) < 0 ||
            read_text(r, &items[i], at, "secret", &p->keys[i].secret) < 0)
            return -1;
    }
    return 0;
}

/* The path of unix:///path, as Go's url.Parse has it; false: the scheme is another one, which *ret_scheme is then. */
static bool parse_endpoint(struct arena *a, struct text endpoint, struct text *ret_scheme, const char **ret_path)
{
    ptrdiff_t colon = text_find(endpoint, ':');
    struct text rest = text_from(endpoint, (size_t)(colon + 1)), part;
    *ret_scheme = colon > 0 ? text_first(endpoint, (size_t)colon) : TEXT("");
    if (!text_is(*ret_scheme, "unix"))
        return false;
    if (text_starts(rest, TEXT("//"))) {
        rest = text_from(rest, 2);
        ptrdiff_t slash = text_find(rest, '/');
        rest = slash < 0 ? TEXT_NONE : text_from(rest, (size_t)slash);
    }
    if (text_split(&rest, '#', &part))
        rest = part;
    if (text_split(&rest, '?', &part))
        rest = part;
    *ret_path = arena_str(a, text_starts(rest, TEXT("/@")) ? text_from(rest, 1) : rest);
    return true;
}

static int read_kms(struct reader *r, const struct value *v, const char *path, struct provider_config *p)
{
    static const char *const known[] = {"apiVersion", "name", "cachesize", "endpoint", "timeout", NULL};
    const struct value *size = value_get(v, TEXT("cachesize"));
    struct text timeout, scheme;
    if (check_object(r, v, path, known) < 0 || read_text(r, v, path, "apiVersion", &p->kms.api_version) < 0 ||
        read_text(r, v, path, "name", &p->kms.name) < 0 || read_text(r, v, path, "endpoint", &p->kms.endpoint) < 0 ||
        read_text(r, v, path, "timeout", &timeout) < 0)
        return -1;
    p->timeout_ns = DEFAULT_TIMEOUT_NS;
    if (value_get(v, TEXT("timeout")) && timeout.n && !duration_parse(timeout, &p->timeout_ns))
        return status_set(r->st, STATUS_BAD_REQUEST, "%s.timeout: time: invalid duration \"%.*s\"", path,
                          TEXT_ARG(timeout));
    if (size && size->kind != VALUE_NULL) {
        if (size->kind != VALUE_INT)
            return wrong_kind(r, size, arena_printf(r->arena, "%s.cachesize", path), "a whole number");
        p->has_cache_size = true;
        p->cache_size = size->integer;
    }
    if (!p->kms.api_version.n)
        p->kms.api_version = TEXT("v1");
    p->kms.timeout_ms = (p->timeout_ns + 999999) / 1000000;
    p->kms.socket = "";
    parse_endpoint(r->arena, p->kms.endpoint, &scheme, &p->kms.socket);
    return 0;
}

static int read_provider(struct reader *r, const struct value *v, const char *path, struct provider_config *p)
{
    static const char *const known[] = {"aesgcm", "aescbc", "secretbox", "identity", "kms", NULL};
    static const char *const nothing[] = {NULL};
    if (check_object(r, v, path, known) < 0)
        return -1;
    for (enum provider_kind k = 0; k < N_PROVIDERS; k++) {
        const struct value *m = value_get(v, text_of(provider_names[k]));
        const char *at = arena_printf(r->arena, "%s.%s", path, provider_names[k]);
        if (!m || m->kind == VALUE_NULL)
            continue;
        p->has[k] = true;
        p->kind = k;
        int rc = k == KMS ? read_kms(r, m, at, p) : k == IDENTITY ? check_object(r, m, at, nothing) : read_keys(r, m, at, p);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int read_entry(struct reader *r, const struct value *v, const char *path, struct resource_config *e)
{
    static const char *const known[] = {"resources", "providers", NULL};
    const struct value *items = NULL;
    if (check_object(r, v, path, known) < 0 || read_list(r, v, path, "resources", &items, &e->n_resources) < 0)
        return -1;
    e->resources = ARENA_ARRAY(r->arena, struct text, e->n_resources + 1);
    for (size_t i = 0; i < e->n_resources; i++) {
        if (items[i].kind != VALUE_STRING)
            return wrong_kind(r, &items[i], arena_printf(r->arena, "%s.resources[%zu]", path, i), "a string");
        e->resources[i] = value_text(&items[i]);
    }
    if (read_list(r, v, path, "providers", &items, &e->n_providers) < 0)
        return -1;
    e->providers = ARENA_ARRAY(r->arena, struct provider_config, e->n_providers + 1);
    for (size_t i = 0; i < e->n_providers; i++)
        if (read_provider(r, &items[i], arena_printf(r->arena, "%s.providers[%zu]", path, i), &e->providers[i]) < 0)
            return -1;
    return 0;
}

static int read_config(struct reader *r, struct text content, struct encryption_config *ret)
{
    static const char *const known[] = {"kind", "apiVersion", "resources", NULL};
    struct text_list duplicates = {0};
    const struct json_options opt = {.depth_max = 100, .duplicates = &duplicates};
    struct text kind, version;
    const struct value *items = NULL;
    struct value root;

    if (yaml_read(r->arena, content, &opt, &root, r->st) < 0)
        return -1;
    if (duplicates.n)
        return status_set(r->st, STATUS_BAD_REQUEST, "strict decoding error: yaml: unmarshal errors:\n  %.*s",
                          TEXT_ARG(duplicates.p[0]));
    if (check_object(r, &root, "", known) < 0 || read_text(r, &root, "", "kind", &kind) < 0 ||
        read_text(r, &root, "", "apiVersion", &version) < 0)
        return -1;
    if (!kind.n)
        return status_set(r->st, STATUS_BAD_REQUEST, "Object 'Kind' is missing");
    if (!text_is(kind, "EncryptionConfiguration") || !text_is(version, "apiserver.config.k8s.io/v1"))
        return status_set(r->st, STATUS_BAD_REQUEST, "no kind \"%.*s\" is registered for version \"%.*s\"",
                          TEXT_ARG(kind), TEXT_ARG(version));
    if (read_list(r, &root, "", "resources", &items, &ret->n) < 0)
        return -1;
    ret->entries = ARENA_ARRAY(r->arena, struct resource_config, ret->n + 1);
    for (size_t i = 0; i < ret->n; i++)
        if (read_entry(r, &items[i], arena_printf(r->arena, "resources[%zu]", i), &ret->entries[i]) < 0)
            return -1;
    if (r->unknown.n)
        return status_set(r->st, STATUS_BAD_REQUEST, "strict decoding error: %s", buffer_str(&r->unknown));
    return 0;
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

void parse_group_resource(struct text t, struct text *ret_group, struct text *ret_resource)
{
    text_split(&t, '.', ret_resource);
    *ret_group = t.p ? t : TEXT("");
}

static bool is_any(struct text t)
{
    return text_is(t, "*");
}

static void check_overlap(struct field_errors *errs, const struct resource_config *e, const char *path)
{
    bool has_overlap = false, has_duplicate = false;
    struct value list = value_list();

    for (size_t i = 0; i < e->n_resources; i++) {
        struct text group, resource, other_group, other;
        parse_group_resource(e->resources[i], &group, &resource);
        value_append(errs->arena, &list, value_string(e->resources[i]));
        for (size_t j = 0; j < e->n_resources; j++) {
            if (i == j)
                continue;
            parse_group_resource(e->resources[j], &other_group, &other);
            bool same_group = text_eq(group, other_group);
            if (same_group && text_eq(resource, other) && !has_duplicate)
                has_duplicate = true;
            else if ((is_any(group) && is_any(resource)) || (same_group && (is_any(resource) || is_any(other))))
                has_overlap = true;
        }
    }
    if (has_duplicate)
        field_error(errs, FIELD_INVALID, path, &list, "the same resource cannot be specified multiple times");
    if (has_overlap)
        field_error(errs, FIELD_INVALID, path, &list,
                    "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as "
                    "they will be masked");
}

static bool has_capital(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] >= 'A' && t.p[i] <= 'Z')
            return true;
    return false;
}

/* What is wrong with the name of a resource, or NULL. */
static const char *resource_problem(struct text t)
{
    struct text group, resource;
    parse_group_resource(t, &group, &resource);
    if (has_capital(t))
        return "resource name should not contain capital letters";
    if (is_any(t))
        return "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources";
    if (text_is(t, "apiserveripinfo") || text_is(t, "serviceipallocations") || text_is(t, "servicenodeportallocations"))
        return "resources which do not have REST API/s cannot be encrypted";
    if (text_is(group, "events.k8s.io"))
        return "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the "
               "config file";
    if (text_is(group, "extensions"))
        return "'extensions' group has been removed and cannot be used for encryption";
    if (is_any(group) && !is_any(resource))
        return "encrypting the same resource across groups is not supported";
    return NULL;
}

/* Decodes the secret in place, as Go's decoder does: line breaks are passed over. */
static void check_key(struct field_errors *errs, struct key_config *k, const char *path, bool only_32)
{
    static const struct value redacted = {.kind = VALUE_STRING, .n = 8, .string = "REDACTED"};
    const char *at = arena_printf(errs->arena, "%s.secret", path);
    struct buffer b = BUFFER_IN(errs->arena);
    struct text secret;

    if (!k->name.n)
        field_error(errs, FIELD_REQUIRED, arena_printf(errs->arena, "%s.name", path), NULL,
                    "name is a mandatory field for a key");
    if (!k->secret.n) {
        field_error(errs, FIELD_REQUIRED, at, NULL, "secret is a mandatory field for a key");
        return;
    }
    for (size_t i = 0; i < k->secret.n; i++)
        if (k->secret.p[i] != '\n' && k->secret.p[i] != '\r')
            buffer_add_char(&b, k->secret.p[i]);
    bool good = base64_decode(errs->arena, BASE64_STANDARD, buffer_text(&b), &secret);
    OPENSSL_cleanse(b.p, b.n);
    if (!good)
        field_error(errs, FIELD_INVALID, at, &redacted, "secrets must be base64 encoded");
    else if (secret.n != 32 && (only_32 || (secret.n != 16 && secret.n != 24)))
        field_error(errs, FIELD_INVALID, at, &redacted, "secret is not of the expected length, got %zu, expected one of %s",
                    secret.n, only_32 ? "[32]" : "[16 24 32]");
    k->secret = good ? secret : TEXT("");
}

static void check_keys(struct field_errors *errs, struct provider_config *p, const char *path)
{
    path = arena_printf(errs->arena, "%s.%s.keys", path, provider_names[p->kind]);
    if (!p->n_keys)
        field_error(errs, FIELD_REQUIRED, path, NULL, "at least one keys is required");
    for (size_t i = 0; i < p->n_keys; i++)
        check_key(errs, &p->keys[i], arena_printf(errs->arena, "%s[%zu]", path, i), p->kind == SECRETBOX);
}

static void check_kms_name(struct field_errors *errs, const struct kms_config *k, const char *path, bool reload,
                           struct map *names)
{
    struct value name = value_string(k->name);
    bool is_v1 = text_is(k->api_version, "v1");
    if (!k->name.n)
        field_error(errs, FIELD_REQUIRED, path, NULL, "name is a mandatory field for a provider");
    if (!is_v1 && text_find(k->name, ':') >= 0)
        field_error(errs, FIELD_INVALID, path, &name, "invalid KMS provider name %.*s, must not contain ':'",
                    TEXT_ARG(k->name));
    if ((reload || !is_v1) && map_get(names, k->name))
        field_error(errs, FIELD_INVALID, path, &name, "duplicate KMS provider name %.*s, names must be unique",
                    TEXT_ARG(k->name));
    map_put(names, k->name, names);
}

static void check_kms_endpoint(struct field_errors *errs, const struct kms_config *k, const char *path)
{
    struct value endpoint = value_string(k->endpoint);
    struct text scheme;
    const char *unused;
    if (!k->endpoint.n)
        field_error(errs, FIELD_INVALID, path, &endpoint, "endpoint is a mandatory field for a kms");
    else if (!parse_endpoint(errs->arena, k->endpoint, &scheme, &unused))
        field_error(errs, FIELD_INVALID, path, &endpoint,
                    "unsupported scheme \"%.*s\" for KMS provider, only unix is supported", TEXT_ARG(scheme));
}

static void check_kms(struct field_errors *errs, const struct provider_config *p, const char *path, bool reload,
                      struct map *names)
{
    struct arena *a = errs->arena;
    const struct kms_config *k = &p->kms;
    bool is_v1 = text_is(k->api_version, "v1");
    struct value size = value_int(p->cache_size), version = value_string(k->api_version);

    path = arena_printf(a, "%s.kms", path);
    check_kms_name(errs, k, arena_printf(a, "%s.name", path), reload, names);
    if (p->timeout_ns <= 0) {
        struct buffer b = BUFFER_IN(a);
        duration_add(&b, p->timeout_ns);
        struct value timeout = value_string(buffer_text(&b));
        field_error(errs, FIELD_INVALID, arena_printf(a, "%s.timeout", path), &timeout,
                    "timeout should be a positive value");
    }
    check_kms_endpoint(errs, k, arena_printf(a, "%s.endpoint", path));
    if (!is_v1 && p->has_cache_size)
        field_error(errs, FIELD_INVALID, arena_printf(a, "%s.cachesize", path), &size,
                    "cachesize is not supported in v2");
    if (is_v1 && p->has_cache_size && p->cache_size == 0)
        field_error(errs, FIELD_INVALID, arena_printf(a, "%s.cachesize", path), &size,
                    "cachesize should be a positive value, or negative to disable");
    if (!is_v1 && !text_is(k->api_version, "v2"))
        field_error(errs, FIELD_INVALID, arena_printf(a, "%s.apiVersion", path), &version,
                    "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported");
}

static void check_provider(struct field_errors *errs, struct provider_config *p, const char *path, bool reload,
                           struct map *names)
{
    size_t n = 0;
    for (enum provider_kind k = 0; k < N_PROVIDERS; k++)
        n += p->has[k];
    if (n != 1) {
        /* Without the value: it may hold secrets. */
        field_error(errs, FIELD_INVALID, path, NULL, "%s",
                    n ? "more than one provider specified in a single element, should split into different list elements"
                      : "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, "
                        "Identity");
        return;
    }
    if (p->kind == KMS)
        check_kms(errs, p, path, reload, names);
    else if (p->kind != IDENTITY)
        check_keys(errs, p, path);
}

static void check_entry(struct field_errors *errs, struct resource_config *e, const char *path, bool reload,
                        struct map *names)
{
    const char *resources = arena_printf(errs->arena, "%s.resources", path);
    const char *providers = arena_printf(errs->arena, "%s.providers", path);
    if (!e->n_resources)
        field_error(errs, FIELD_REQUIRED, resources, NULL, "at least one %s is required", resources);
    check_overlap(errs, e, resources);
    for (size_t i = 0; i < e->n_resources; i++) {
        const char *problem = resource_problem(e->resources[i]);
        struct value name = value_string(e->resources[i]);
        if (problem)
            field_error(errs, FIELD_INVALID, arena_printf(errs->arena, "%s[%zu]", resources, i), &name, "%s", problem);
    }
    if (!e->n_providers)
        field_error(errs, FIELD_REQUIRED, providers, NULL, "at least one %s is required", providers);
    for (size_t i = 0; i < e->n_providers; i++)
        check_provider(errs, &e->providers[i], arena_printf(errs->arena, "%s[%zu]", providers, i), reload, names);
}

static int check_config(struct arena *a, struct encryption_config *c, bool reload, struct status *st)
{
    struct field_errors errs = {.arena = a};
    struct buffer b = BUFFER_IN(a);
    struct map names = {0};

    if (!c->n)
        field_error(&errs, FIELD_REQUIRED, "resources", NULL, "at least one resources is required");
    for (size_t i = 0; i < c->n; i++)
        check_entry(&errs, &c->entries[i], arena_printf(a, "resources[%zu]", i), reload, &names);
    map_deinit(&names);
    if (!errs.n)
        return 0;
    field_errors_write(&b, &errs);
    return status_set(st, STATUS_BAD_REQUEST, "%s", buffer_str(&b));
}

int encryption_config_read(struct arena *a, struct text content, bool reload, struct encryption_config **ret,
                           struct status *st)
{
    struct reader r = {.arena = a, .unknown = BUFFER_IN(a), .st = st};
    struct encryption_config *c = ARENA_NEW(a, struct encryption_config);
    if (read_config(&r, content, c) < 0)
        return status_wrap(st, "error decoding encryption provider configuration file");
    if (check_config(a, c, reload, st) < 0)
        return -1;
    *ret = c;
    return 0;
}
