/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's kubeconfig: one cluster, one user, one context, with the certificates inside, so that the file can be
 * copied away alone. */
#include "server/pki.h"

#include "base/base64.h"

static struct value base64(struct arena *a, struct text bytes)
{
    return value_string(base64_encode(a, BASE64_STANDARD, bytes));
}

/* [{name: NAME, KEY: child}] */
static struct value named_list(struct arena *a, const char *name, const char *key, struct value child)
{
    struct value list = value_list(), item = value_object();
    value_add(a, &item, TEXT("name"), value_string(text_of(name)));
    value_add(a, &item, text_of(key), child);
    value_append(a, &list, item);
    return list;
}

int kubeconfig_write(const char *path, const char *server_url, struct text ca_pem, struct text client_cert_pem,
                     struct text client_key_pem, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status ignored = {0};
    struct value root = value_object(), cluster = value_object(), user = value_object(), context = value_object();
    struct buffer b = BUFFER_IN(a), now = BUFFER_IN(a);

    value_add(a, &cluster, TEXT("server"), value_string(text_of(server_url)));
    value_add(a, &cluster, TEXT("certificate-authority-data"), base64(a, ca_pem));
    value_add(a, &user, TEXT("client-certificate-data"), base64(a, client_cert_pem));
    value_add(a, &user, TEXT("client-key-data"), base64(a, client_key_pem));
    value_add(a, &context, TEXT("cluster"), value_string(TEXT("keelson")));
    value_add(a, &context, TEXT("user"), value_string(TEXT("kubernetes-admin")));
    value_add(a, &root, TEXT("apiVersion"), value_string(TEXT("v1")));
    value_add(a, &root, TEXT("kind"), value_string(TEXT("Config")));
    value_add(a, &root, TEXT("current-context"), value_string(TEXT("keelson")));
    value_add(a, &root, TEXT("clusters"), named_list(a, "keelson", "cluster", cluster));
    value_add(a, &root, TEXT("contexts"), named_list(a, "keelson", "context", context));
    value_add(a, &root, TEXT("users"), named_list(a, "kubernetes-admin", "user", user));
    yaml_write(&b, &root);
    if (file_read(path, &now, &ignored) == 0 && text_eq(buffer_text(&now), buffer_text(&b)))
        return 0;
    return file_write(path, buffer_text(&b), 0600, st);
}
