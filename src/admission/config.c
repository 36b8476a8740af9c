/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an AdmissionConfiguration: strictly, as upstream does. Two plugins were once configured by a file of
 * their own without a kind, which still counts. Source: kubernetes/apiserver pkg/admission/config.go. */
#include "admission/config.h"

static int parse_yaml(struct arena *a, struct text yaml, struct value *ret, struct status *st)
{
    struct text_list duplicates = {0};
    const struct json_options opt = {.duplicates = &duplicates, .copy_strings = true};

    if (yaml_read(a, yaml, &opt, ret, st) < 0)
        return -1;
    if (duplicates.n)
        return status_set(st, STATUS_BAD_REQUEST, "strict decoding error: %.*s", TEXT_ARG(duplicates.p[0]));
    return 0;
}

static int read_yaml(struct arena *a, const char *path, struct value *ret, struct status *st)
{
    struct buffer content = BUFFER_IN(a);

    return file_read(path, &content, st) < 0 ? -1 : parse_yaml(a, buffer_text(&content), ret, st);
}

static int check_members(const struct value *v, const char *const *known, size_t n, const char *where,
                         struct status *st)
{
    for (size_t i = 0; i < v->n; i++) {
        struct text key = member_key(&v->members[i]);
        bool is_known = false;
        for (size_t k = 0; k < n; k++)
            is_known |= text_is(key, known[k]);
        if (!is_known)
            return status_set(st, STATUS_BAD_REQUEST, "strict decoding error: unknown field \"%s%.*s\"",
                              where, TEXT_ARG(key));
    }
    return 0;
}

static int check_plugins(const struct value *plugins, struct status *st)
{
    static const char *const known[] = {"name", "path", "configuration"};

    if (plugins->kind != VALUE_LIST)
        return status_set(st, STATUS_BAD_REQUEST, "plugins: not a list");
    for (size_t i = 0; i < plugins->n; i++)
        if (plugins->items[i].kind != VALUE_OBJECT)
            return status_set(st, STATUS_BAD_REQUEST, "plugins[%zu]: not an object", i);
        else if (check_members(&plugins->items[i], known, N_ELEMENTS(known), "plugins[].", st) < 0)
            return -1;
    return 0;
}

static int read_root(const struct value *root, struct admission_config *ret, struct status *st)
{
    static const char *const versions[] = {"apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1"};
    static const char *const known[] = {"apiVersion", "kind", "plugins"};
    struct text version = value_get_text(root, TEXT("apiVersion")), kind = value_get_text(root, TEXT("kind"));
    const struct value *plugins = value_get(root, TEXT("plugins"));

    if (root->kind != VALUE_OBJECT)
        return status_set(st, STATUS_BAD_REQUEST, "not an object");
    if (!kind.n &&
        (value_get(root, TEXT("imagePolicy")) || value_get(root, TEXT("podNodeSelectorPluginConfig")))) {
        ret->legacy = *root;
        return 0;
    }
    if (!text_is(kind, "AdmissionConfiguration") ||
        !(text_is(version, versions[0]) || text_is(version, versions[1])))
        return status_set(st, STATUS_BAD_REQUEST,
                          "no kind \"%.*s\" is registered for version \"%.*s\": \"AdmissionConfiguration\" "
                          "of \"%s\" is asked for",
                          TEXT_ARG(kind), TEXT_ARG(version), versions[0]);
    if (check_members(root, known, N_ELEMENTS(known), "", st) < 0)
        return -1;
    if (!plugins || plugins->kind == VALUE_NULL)
        return 0;
    ret->plugins = *plugins;
    return check_plugins(plugins, st);
}

int admission_config_parse(struct arena *a, struct text yaml, struct admission_config *ret, struct status *st)
{
    struct value root;

    return parse_yaml(a, yaml, &root, st) < 0 ? -1 : read_root(&root, ret, st);
}

int admission_config_read(struct arena *a, const char *path, struct admission_config *ret, struct status *st)
{
    const char *slash = strrchr(path, '/');
    struct buffer content = BUFFER_IN(a);

    ret->folder = slash ? (struct text){path, (size_t)(slash - path) + 1} : TEXT("");
    if (file_read(path, &content, st) < 0 || admission_config_parse(a, buffer_text(&content), ret, st) < 0)
        return status_wrap(st, "failed to read plugin config: %s", path);
    return 0;
}

int admission_config_of(const struct admission_config *c, struct arena *a, struct text plugin,
                        struct value *ret, struct status *st)
{
    *ret = value_null;
    if (c->legacy.kind == VALUE_OBJECT &&
        (text_is(plugin, "ImagePolicyWebhook") || text_is(plugin, "PodNodeSelector")))
        *ret = c->legacy;
    for (size_t i = 0; c->plugins.kind == VALUE_LIST && i < c->plugins.n; i++) {
        const struct value *one = &c->plugins.items[i], *own = value_get(one, TEXT("configuration"));
        struct text path = value_get_text(one, TEXT("path"));
        if (!text_eq(value_get_text(one, TEXT("name")), plugin))
            continue;
        if (own && own->kind != VALUE_NULL) {
            *ret = *own;
        } else if (path.n) {
            const char *whole = arena_printf(a, "%.*s%.*s", path.p[0] == '/' ? 0 : (int)c->folder.n,
                                             c->folder.p, TEXT_ARG(path));
            if (read_yaml(a, whole, ret, st) < 0)
                return status_wrap(st, "couldn't open admission plugin configuration %s", whole);
        }
        return 0;
    }
    return 0;
}
