/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the core's small kinds: config maps, secrets, namespaces, nodes, endpoints. Source: kubernetes
 * pkg/apis/core/validation/validation.go. */
#include "base/base64.h"
#include "schema/checks.h"

#define DATA_BYTES_MAX (1024 * 1024)

/* --- config maps and secrets --- */

/* What must not change any more. */
CHECK(immutable_data)
{
    static const struct text lists[] = {TEXT("data"), TEXT("binaryData")};
    const char *words = "field is immutable when `immutable` is set";

    if (!value_get_bool(v, TEXT("immutable"), false))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "immutable"), NULL, "%s", words);
    for (size_t i = 0; i < N_ELEMENTS(lists); i++)
        if (differs_at(v, old, lists[i]))
            check_error(w, FIELD_FORBIDDEN, &(struct field_path){at, lists[i], PATH_NAME}, NULL, "%s", words);
}

/* Of the bytes that a text in base64 stands for; decoding has seen to it that it is one. */
static size_t n_bytes(struct text t)
{
    size_t padding = 0;

    while (padding < 2 && padding < t.n && t.p[t.n - 1 - padding] == '=')
        padding++;
    return t.n / 4 * 3 - padding;
}

CHECK(config_data)
{
    const struct value *data = value_get(v, TEXT("data")), *binary = value_get(v, TEXT("binaryData"));
    size_t bytes = 0;

    for (uint32_t i = 0; i < n_items(data); i++) {
        struct text key = member_key(&data->members[i]);
        struct value bad = value_string(key);
        if (binary && value_get(binary, key))
            check_error(w, FIELD_INVALID, PATH_OF_KEY(PATH_FIELD(at, "data"), key), &bad,
                        "duplicate of key present in binaryData");
        bytes += data->members[i].value.n;
    }
    for (uint32_t i = 0; i < n_items(binary); i++)
        bytes += n_bytes(value_text(&binary->members[i].value));
    if (bytes > DATA_BYTES_MAX)
        field_too_long(w->errs, "", DATA_BYTES_MAX);
}

/* A key of the data that the secret's type demands. */
static const struct value *need(struct validation *w, const struct field_path *path, const struct value *data,
                                const char *key)
{
    const struct value *v = value_get(data, text_of(key));

    if (!v)
        check_error(w, FIELD_REQUIRED, PATH_OF_KEY(path, text_of(key)), NULL, "%s", "");
    return v;
}

/* The secret's bytes must be a JSON object; what is wrong with them is not told. */
static void need_json(struct validation *w, const struct field_path *path, const struct value *data,
                      const char *key)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct value *v = need(w, path, data, key),
                       shown = value_string(TEXT("<secret contents redacted>"));
    struct text bytes;
    struct value read;

    if (!v || !base64_decode(w->errs->arena, BASE64_STANDARD, value_text(v), &bytes))
        return;
    if (json_read(w->errs->arena, bytes, NULL, &read, &st) < 0)
        check_error(w, FIELD_INVALID, PATH_OF_KEY(path, text_of(key)), &shown, "%s", st.message);
    else if (read.kind != VALUE_OBJECT && read.kind != VALUE_NULL)
        check_error(w, FIELD_INVALID, PATH_OF_KEY(path, text_of(key)), &shown,
                    "json: cannot unmarshal %s into Go value of type map[string]interface {}",
                    value_kind_name(read.kind));
}

CHECK(secret_data)
{
    const struct field_path *path = PATH_FIELD(at, "data");
    const struct value *data = value_get(v, TEXT("data"));
    const char *account = "kubernetes.io/service-account.name";
    struct text type = value_get_text(v, TEXT("type"));
    size_t bytes = 0;

    for (uint32_t i = 0; i < n_items(data); i++)
        bytes += n_bytes(value_text(&data->members[i].value));
    if (bytes > DATA_BYTES_MAX)
        field_too_long(w->errs, "data", DATA_BYTES_MAX);
    if (text_is(type, "kubernetes.io/service-account-token")) {
        if (!value_text(value_at(v, "metadata", "annotations", account, NULL)).n)
            check_error(w, FIELD_REQUIRED,
                        PATH_OF_KEY(PATH_FIELD(PATH_FIELD(at, "metadata"), "annotations"), text_of(account)),
                        NULL, "%s", "");
    } else if (text_is(type, "kubernetes.io/dockercfg")) {
        need_json(w, path, data, ".dockercfg");
    } else if (text_is(type, "kubernetes.io/dockerconfigjson")) {
        need_json(w, path, data, ".dockerconfigjson");
    } else if (text_is(type, "kubernetes.io/basic-auth")) {
        if (!value_get(data, TEXT("username")) && !value_get(data, TEXT("password"))) {
            need(w, path, data, "username");
            need(w, path, data, "password");
        }
    } else if (text_is(type, "kubernetes.io/ssh-auth")) {
        if (!value_get_text(data, TEXT("ssh-privatekey")).n)
            need(w, path, NULL, "ssh-privatekey");
    } else if (text_is(type, "kubernetes.io/tls")) {
        need(w, path, data, "tls.crt");
        need(w, path, data, "tls.key");
    }
}

/* --- namespaces --- */

/* Upstream names them with their index only in the subresource that is for them. */
CHECK(namespace_finalizers)
{
    for (uint32_t i = 0; i < n_items(v); i++) {
        struct text name = value_text(&v->items[i]);
        const struct field_path *path = text_is(w->sub, "finalize") ? PATH_INDEX(at, i) : at;
        check_format_at(w, path, FORMAT_QUALIFIED_NAME, name);
        if (text_find(name, '/') < 0 && !text_is(name, "kubernetes") && !text_is(name, "orphan") &&
            !text_is(name, "foregroundDeletion"))
            check_error(w, FIELD_INVALID, path, &v->items[i],
                        "name is neither a standard finalizer name nor is it fully qualified");
    }
}

CHECK(namespace_phase)
{
    bool is_deleting = value_at(w->object, "metadata", "deletionTimestamp", NULL);
    const char *wanted = is_deleting ? "Terminating" : "Active";

    if (!text_is(value_text(v), wanted))
        check_error(w, FIELD_INVALID, PATH_FIELD(at->parent, "Phase"), v ? v : &value_null,
                    "may only be '%s' if `deletionTimestamp` is %s", wanted,
                    is_deleting ? "not empty" : "empty");
}

/* --- nodes --- */

static void check_taints(struct validation *w, const struct field_path *at, const struct value *taints)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    for (uint32_t i = 0; i < n_items(taints); i++) {
        const struct field_path *item = PATH_INDEX(at, i);
        struct text key = value_get_text(&taints->items[i], TEXT("key")),
                    effect = value_get_text(&taints->items[i], TEXT("effect"));
        check_format_at(w, PATH_FIELD(item, "key"), FORMAT_QUALIFIED_NAME, key);
        check_format_at(w, PATH_FIELD(item, "value"), FORMAT_LABEL_VALUE,
                        value_get_text(&taints->items[i], TEXT("value")));
        if (!effect.n)
            check_error(w, FIELD_REQUIRED, PATH_FIELD(item, "effect"), NULL, "%s", "");
        else if (!text_is(effect, "NoSchedule") && !text_is(effect, "PreferNoSchedule") &&
                 !text_is(effect, "NoExecute"))
            check_not_supported(w, PATH_FIELD(item, "effect"), effect, effects, N_ELEMENTS(effects));
        if (taints->n > 1 &&
            !seen_add(&seen, arena_textf(w->errs->arena, "%.*s:%.*s", TEXT_ARG(key), TEXT_ARG(effect))))
            check_error(w, FIELD_DUPLICATE, item, &taints->items[i],
                        "taints must be unique by key and effect pair");
    }
}

/* One network of each family at most. */
static void check_networks(struct validation *w, const struct field_path *at, const struct value *cidrs)
{
    unsigned n_v4 = 0;

    for (uint32_t i = 0; i < n_items(cidrs); i++) {
        const char *problem = format_cidr_legacy(value_text(&cidrs->items[i]), true);
        struct format_ip address, network;
        unsigned prefix;
        if (problem)
            check_error(w, FIELD_INVALID, PATH_INDEX(at, i), &cidrs->items[i], "%s", problem);
        n_v4 += format_cidr_read(value_text(&cidrs->items[i]), &address, &network, &prefix) && address.is_v4;
    }
    if (n_items(cidrs) > 2 || (n_items(cidrs) == 2 && n_v4 != 1))
        check_error(w, FIELD_INVALID, at, cidrs, "may specify no more than one CIDR for each IP family");
}

/* Taints are named as if they lay in the metadata, and checked twice on updates, as upstream has it. What was given once stays. */
CHECK(node)
{
    const struct value *spec = value_get(v, TEXT("spec")), *old_spec = value_get(w->old, TEXT("spec"));
    const struct value *before = value_get(old_spec, TEXT("podCIDRs"));
    const struct field_path *taints = PATH_FIELD(PATH_FIELD(at, "metadata"), "taints"),
                            *path = PATH_FIELD(at, "spec");

    check_taints(w, taints, value_get(spec, TEXT("taints")));
    check_networks(w, PATH_FIELD(path, "podCIDRs"), value_get(spec, TEXT("podCIDRs")));
    if (!w->old)
        return;
    if (n_items(before) && differs_at(spec, old_spec, TEXT("podCIDRs")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(path, "podCIDRs"), NULL,
                    "node updates may not change podCIDR except from \"\" to valid");
    if (value_get_text(old_spec, TEXT("providerID")).n && differs_at(spec, old_spec, TEXT("providerID")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(path, "providerID"), NULL,
                    "node updates may not change providerID except from \"\" to valid");
    check_taints(w, taints, value_get(spec, TEXT("taints")));
    if (differs_at(spec, old_spec, TEXT("externalID")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(path, "externalID"), NULL, "may not be updated");
}

/* --- endpoints --- */

CHECK(endpoint_subset)
{
    const struct value *ports = value_get(v, TEXT("ports"));

    if (!n_items(value_get(v, TEXT("addresses"))) && !n_items(value_get(v, TEXT("notReadyAddresses"))))
        check_error(w, FIELD_REQUIRED, at, NULL, "must specify `addresses` or `notReadyAddresses`");
    for (uint32_t i = 0; n_items(ports) > 1 && i < n_items(ports); i++)
        if (!value_get_text(&ports->items[i], TEXT("name")).n)
            check_error(w, FIELD_REQUIRED, PATH_FIELD(PATH_INDEX(PATH_FIELD(at, "ports"), i), "name"), NULL,
                        "%s", "");
}

CHECK(endpoint_address)
{
    const char *problem = format_ip_legacy(value_text(v), true);

    if (problem)
        check_error(w, FIELD_INVALID, at, v ? v : &value_null, "%s", problem);
    check_endpoint_ip(w, at, value_text(v));
}
