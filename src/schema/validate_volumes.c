/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of volumes, and of the references that environment variables share with them.
 * Source: kubernetes pkg/apis/core/validation/validation.go. */
#include "schema/checks.h"

/* --- paths --- */

/* Relative, not leading out, and not one of the names that the kubelet keeps for itself. */
CHECK(local_path)
{
    struct text t = value_text(v);

    check_format_at(w, at, FORMAT_RELATIVE_PATH, t);
    if (text_starts(t, TEXT("..")) && !text_starts(t, TEXT("../")))
        check_error(w, FIELD_INVALID, at, v, "must not start with '..'");
}

CHECK(no_backsteps)
{
    struct text t = value_text(v);

    while (t.n && t.p[0] == '/')
        t = text_from(t, 1);
    if (format_problem(FORMAT_RELATIVE_PATH, t))
        check_error(w, FIELD_INVALID, at, v, "must not contain '..'");
}

/* --- what of a pod its containers can read --- */

static bool is_in(struct text t, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(t, list[i]))
            return true;
    return false;
}

/* "metadata.labels['a']": true, and *path and *subscript are its parts. */
static bool split_subscript(struct text t, struct text *path, struct text *subscript)
{
    ptrdiff_t open = text_find_text(t, TEXT("['"));

    *path = t;
    if (open < 0 || t.n < (size_t)open + 4 || t.p[t.n - 1] != ']' || t.p[t.n - 2] != '\'')
        return false;
    *path = text_first(t, (size_t)open);
    *subscript = text_from(text_first(t, t.n - 2), (size_t)open + 2);
    return true;
}

/* What the API's version calls a field, and the reference's own rules; good: the fields that may be read
 * here. */
static void check_field_ref(struct validation *w, const struct field_path *at, const struct value *v,
                            const char *const *good, size_t n)
{
    static const char *const known[] = {
        "metadata.annotations", "metadata.labels", "metadata.name",      "metadata.namespace",
        "metadata.uid",         "spec.nodeName",   "spec.restartPolicy", "spec.serviceAccountName",
        "spec.schedulerName",   "status.phase",    "status.hostIP",      "status.hostIPs",
        "status.podIP",         "status.podIPs",   "spec.host"};
    const struct value *field = value_get(v, TEXT("fieldPath"));
    struct text t = value_text(field), version = value_get_text(v, TEXT("apiVersion")), path, subscript;
    bool has_subscript = split_subscript(t, &path, &subscript);
    bool may_have = text_is(path, "metadata.annotations") || text_is(path, "metadata.labels");

    if (!version.n || !t.n)
        return;
    if (!text_is(version, "v1"))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "fieldPath"), field,
                    "error converting fieldPath: unsupported pod version: %.*s", TEXT_ARG(version));
    else if (has_subscript && !may_have)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "fieldPath"), field,
                    "error converting fieldPath: field label does not support subscript: %.*s", TEXT_ARG(t));
    else if (has_subscript)
        check_format_at(w, at, FORMAT_QUALIFIED_NAME,
                        text_is(path, "metadata.annotations") ? arena_lower(w->errs->arena, subscript)
                                                              : subscript);
    else if (!is_in(t, known, N_ELEMENTS(known)))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "fieldPath"), field,
                    "error converting fieldPath: field label not supported: %.*s", TEXT_ARG(t));
    else if (!is_in(text_is(t, "spec.host") ? TEXT("spec.nodeName") : t, good, n))
        check_not_supported(w, PATH_FIELD(at, "fieldPath"), t, good, n);
}

CHECK(env_field_ref)
{
    static const char *const good[] = {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};

    check_field_ref(w, at, v, good, N_ELEMENTS(good));
}

CHECK(volume_field_ref)
{
    static const char *const good[] = {"metadata.annotations", "metadata.labels", "metadata.name",
                                       "metadata.namespace", "metadata.uid"};

    check_field_ref(w, at, v, good, N_ELEMENTS(good));
}

static void check_divisor(struct validation *w, const struct field_path *at, struct text resource,
                          const struct value *divisor)
{
    static const char *const of_cpu[] = {"1m", "1"}, *const of_bytes[] = {"1",   "1k",  "1M",  "1G",  "1T",
                                                                          "1P",  "1E",  "1Ki", "1Mi", "1Gi",
                                                                          "1Ti", "1Pi", "1Ei"};
    const struct value bad = value_string(resource);
    struct text t = value_text(divisor);
    const char *kind = text_find_text(resource, TEXT(".memory")) >= 0              ? "memory"
                       : text_find_text(resource, TEXT(".ephemeral-storage")) >= 0 ? "local ephemeral storage"
                       : text_find_text(resource, TEXT(".hugepages-")) >= 0        ? "hugepages"
                                                                                   : NULL;

    if (!t.n || text_is(t, "0"))
        return;
    if (text_find_text(resource, TEXT(".cpu")) >= 0 && !is_in(t, of_cpu, N_ELEMENTS(of_cpu)))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "divisor"), &bad,
                    "only divisor's values 1m and 1 are supported with the cpu resource");
    if (kind && !is_in(t, of_bytes, N_ELEMENTS(of_bytes)))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "divisor"), &bad,
                    "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are "
                    "supported with the %s resource",
                    kind);
}

static void check_resource_ref(struct validation *w, const struct field_path *at, const struct value *v,
                               bool needs_container)
{
    static const char *const good[] = {"limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
                                       "requests.cpu", "requests.ephemeral-storage", "requests.memory"};
    struct text resource = value_get_text(v, TEXT("resource"));

    if (needs_container && !value_get_text(v, TEXT("containerName")).n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "containerName"), NULL, "%s", "");
    else if (!resource.n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "resource"), NULL, "%s", "");
    else if (!is_in(resource, good, N_ELEMENTS(good)) &&
             !text_starts(resource, TEXT("requests.hugepages-")) &&
             !text_starts(resource, TEXT("limits.hugepages-")))
        check_not_supported(w, PATH_FIELD(at, "resource"), resource, good, N_ELEMENTS(good));
    check_divisor(w, at, resource, value_get(v, TEXT("divisor")));
}

CHECK(env_resource_ref)
{
    check_resource_ref(w, at, v, false);
}

CHECK(volume_resource_ref)
{
    check_resource_ref(w, at, v, true);
}

/* --- projected volumes: files of several sources in one folder --- */

static void note_path(struct validation *w, const struct field_path *at, struct seen_texts *seen,
                      struct text path, struct text shown)
{
    struct value bad = value_string(shown);

    if (path.n && !seen_add(seen, path))
        check_error(w, FIELD_INVALID, at, &bad, "conflicting duplicate paths");
}

static void note_items(struct validation *w, const struct field_path *at, struct seen_texts *seen,
                       const struct value *source, bool is_named)
{
    const struct value *items = value_get(source, TEXT("items"));

    for (uint32_t i = 0; i < n_items(items); i++) {
        struct text path = value_get_text(&items->items[i], TEXT("path"));
        note_path(w, at, seen, path, is_named ? value_get_text(source, TEXT("name")) : path);
    }
}

CHECK(projected_sources)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};
    const struct value *sources = value_get(v, TEXT("sources"));

    for (uint32_t i = 0; i < n_items(sources); i++) {
        const struct value *source = &sources->items[i],
                           *token = value_get(source, TEXT("serviceAccountToken"));
        const struct field_path *item = PATH_INDEX(PATH_FIELD(at, "sources"), i);
        uint32_t n = 0;
        for (uint32_t k = 0; k < n_items(source); k++)
            n += source->members[k].value.kind != VALUE_NULL;
        note_items(w, at, &seen, value_get(source, TEXT("secret")), true);
        note_items(w, at, &seen, value_get(source, TEXT("configMap")), true);
        note_items(w, at, &seen, value_get(source, TEXT("downwardAPI")), false);
        if (token && token->kind == VALUE_OBJECT && !value_get_text(token, TEXT("path")).n)
            check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "path"), NULL, "%s", "");
        else if (token && token->kind == VALUE_OBJECT)
            check_local_path(w, PATH_FIELD(at, "path"), value_get(token, TEXT("path")), NULL);
        note_path(w, at, &seen, value_get_text(value_get(source, TEXT("clusterTrustBundle")), TEXT("path")),
                  value_get_text(value_get(source, TEXT("clusterTrustBundle")), TEXT("path")));
        if (n > 1)
            check_error(w, FIELD_FORBIDDEN, item, NULL, "may not specify more than 1 volume type per source");
    }
}

/* --- other sources --- */

CHECK(iscsi_name)
{
    struct text t = value_text(v);
    const struct field_path *path =
        text_is(at->name, "initiatorName") ? PATH_FIELD(at->parent, "initiatorname") : at;

    if (!text_starts(t, TEXT("iqn")) && !text_starts(t, TEXT("eui")) && !text_starts(t, TEXT("naa")))
        check_error(w, FIELD_INVALID, path, v, "must be valid format starting with iqn, eui, or naa");
    else if (t.n < 5 || t.p[3] != '.')
        check_error(w, FIELD_INVALID, path, v, "must be valid format");
}

CHECK(fibre_channel)
{
    const struct value *names = value_get(v, TEXT("targetWWNs")), *ids = value_get(v, TEXT("wwids"));

    if (!n_items(names) && !n_items(ids))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "targetWWNs"), NULL,
                    "must specify either targetWWNs or wwids, but not both");
    if (n_items(names) && n_items(ids))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "targetWWNs"), names,
                    "targetWWNs and wwids can not be specified simultaneously");
    if (n_items(names) && !is_set(v, TEXT("lun")))
        check_error(w, FIELD_REQUIRED, PATH_FIELD(at, "lun"), NULL,
                    "lun is required if targetWWNs is specified");
}

CHECK(flex_options)
{
    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text key = member_key(&v->members[i]);
        ptrdiff_t slash = text_find(key, '/');
        struct text domain = arena_textf(w->errs->arena, ".%.*s",
                                         TEXT_ARG(text_first(key, slash < 0 ? key.n : (size_t)slash)));
        struct value bad = value_string(key);
        domain = arena_lower(w->errs->arena, domain);
        if (text_ends(domain, TEXT(".kubernetes.io")) || text_ends(domain, TEXT(".k8s.io")))
            check_error(w, FIELD_INVALID, PATH_OF_KEY(at, key), &bad,
                        "kubernetes.io and k8s.io namespaces are reserved");
    }
}
