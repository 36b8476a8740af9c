/* SPDX-License-Identifier: Apache-2.0 */
/* ServiceAccount: a pod runs as an account of its namespace, "default" unless it names one; its containers
 * get the account's token by a projected volume, and the pod the account's pull secrets. Mirror pods stay as
 * they are, and may have neither. A new namespace's account is made by a controller a moment later: pods wait
 * for it for a second or so, a few at a time, since they hold a worker meanwhile. Source: kubernetes
 * plugin/pkg/admission/serviceaccount/admission.go. */
#include "admission/plugin.h"

#include <stdatomic.h>
#include <time.h>

#define TOKEN_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define VOLUME_PREFIX TEXT("kube-api-access-")
#define MIRROR TEXT("kubernetes.io/config.mirror")
#define ATTEMPTS 10
#define WAITERS_MAX 4

/* A bound token that is renewed long before it ends; 3607 s is what kubelets' tokens of clients that never
 * read again are known by. */
static const struct text token_sources = TEXT(
    "{\"defaultMode\":420,\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":"
    "\"token\"}},"
    "{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}},"
    "{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":"
    "\"metadata.namespace\"}}]}}]}");

struct accounts {
    struct value sources; /* the volume's, as a tree */
    atomic_int n_waiting;
};

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    const struct json_options options = {0};
    struct accounts *s = ARENA_NEW(c->arena, struct accounts);

    *ret_state = s;
    return json_read(c->arena, token_sources, &options, &s->sources, st);
}

/* --- the account --- */

static bool find(const struct admission_attributes *a, struct text name, struct value *ret)
{
    return admission_find(a, "", "v1", "serviceaccounts", a->namespace, name, ret);
}

static bool wait_and_find(struct accounts *s, const struct admission_attributes *a, struct text name,
                          struct value *ret)
{
    unsigned char r;
    bool is_found = false;

    if (!a->may_block || !text_is(name, "default"))
        return false;
    random_bytes(&r, sizeof(r));
    const struct timespec interval = {.tv_nsec = (100 + r * 100 / 256) * 1000000L};
    if (atomic_fetch_add(&s->n_waiting, 1) < WAITERS_MAX)
        for (int i = 1; i < ATTEMPTS && !is_found; i++) {
            nanosleep(&interval, NULL);
            is_found = find(a, name, ret);
        }
    atomic_fetch_sub(&s->n_waiting, 1);
    return is_found;
}

static int find_account(struct accounts *s, const struct admission_attributes *a, const struct value *spec,
                        struct value *ret, struct status *st)
{
    struct text name = text_at(spec, "serviceAccountName");

    if (find(a, name, ret) || wait_and_find(s, a, name, ret))
        return 0;
    return admission_forbid(a, st,
                            "error looking up service account %.*s/%.*s: serviceaccount \"%.*s\" not found",
                            TEXT_ARG(a->namespace), TEXT_ARG(name), TEXT_ARG(name));
}

/* Before the pod is read: most of them run as the default account. */
static bool lacks_default(void *state, const struct admission_attributes *a)
{
    return !admission_exists(a, "", "v1", "serviceaccounts", a->namespace, TEXT("default"));
}

/* --- filling in --- */

static bool has_mount(const struct value *container)
{
    const struct value *mounts = value_get(container, TEXT("volumeMounts"));

    for (size_t i = 0; i < list_size(mounts); i++)
        if (text_is(text_at(&mounts->items[i], "mountPath"), TOKEN_PATH))
            return true;
    return false;
}

static bool mount(struct arena *a, const struct value *containers, struct text volume)
{
    bool is_needed = false;

    for (size_t i = 0; i < list_size(containers); i++) {
        struct value made = value_object();
        if (has_mount(&containers->items[i]))
            continue;
        value_add(a, &made, TEXT("name"), value_string(volume));
        value_add(a, &made, TEXT("readOnly"), value_bool(true));
        value_add(a, &made, TEXT("mountPath"), value_string(TEXT(TOKEN_PATH)));
        value_append(a, list_at(a, &containers->items[i], TEXT("volumeMounts")), made);
        is_needed = true;
    }
    return is_needed;
}

static void mount_token(const struct accounts *s, struct arena *a, struct value *spec)
{
    const struct value *volumes = value_get(spec, TEXT("volumes"));
    struct text name = TEXT_NONE;
    bool is_needed;

    for (size_t i = 0; i < list_size(volumes) && !name.n; i++)
        if (text_starts(text_at(&volumes->items[i], "name"), VOLUME_PREFIX))
            name = text_at(&volumes->items[i], "name");
    bool is_there = name.n > 0;
    if (!is_there)
        name = name_generate(a, VOLUME_PREFIX);
    is_needed = mount(a, value_get(spec, TEXT("initContainers")), name);
    is_needed |= mount(a, value_get(spec, TEXT("containers")), name);
    if (is_there || !is_needed)
        return;
    struct value volume = value_object();
    value_add(a, &volume, TEXT("name"), value_string(name));
    value_add(a, &volume, TEXT("projected"), value_copy(a, &s->sources));
    value_append(a, list_at(a, spec, TEXT("volumes")), volume);
}

static void give_pull_secrets(struct arena *a, const struct value *account, struct value *spec)
{
    const struct value *secrets = value_get(account, TEXT("imagePullSecrets"));

    if (list_size(secrets) && !list_size(value_get(spec, TEXT("imagePullSecrets"))))
        value_set(a, spec, TEXT("imagePullSecrets"), value_copy(a, secrets));
}

/* --- checks --- */

struct sighting {
    bool is_seen;
};

static void see_secret(void *ctx, enum pod_reference what, struct text name)
{
    struct sighting *s = ctx;

    s->is_seen |= what == POD_REFERS_SECRET;
}

static bool projects_token(const struct value *spec)
{
    const struct value *volumes = value_get(spec, TEXT("volumes"));

    for (size_t i = 0; i < list_size(volumes); i++) {
        const struct value *sources = value_at(&volumes->items[i], "projected", "sources", NULL);
        for (size_t k = 0; k < list_size(sources); k++)
            if (value_get(&sources->items[k], TEXT("serviceAccountToken")))
                return true;
    }
    return false;
}

static int check_mirror(const struct admission_attributes *a, struct status *st)
{
    const struct value *spec = spec_of(a->object);
    struct sighting secrets = {0};

    if (text_at(spec, "serviceAccountName").n)
        return admission_forbid(a, st, "a mirror pod may not reference service accounts");
    pod_references(a->arena, a->object, see_secret, &secrets);
    if (secrets.is_seen)
        return admission_forbid(a, st, "a mirror pod may not reference secrets");
    if (projects_token(spec))
        return admission_forbid(a, st, "a mirror pod may not use ServiceAccountToken volume projections");
    return 0;
}

/* Old annotation of accounts: their pods use no secrets but those that the account lists. */
static bool limits_secrets(const struct value *account)
{
    bool is_on = false;

    text_to_bool(value_text(annotation_of(account, TEXT("kubernetes.io/enforce-mountable-secrets"))), &is_on);
    return is_on;
}

static bool lists(const struct value *account, const char *member, struct text name)
{
    const struct value *list = value_get(account, text_of(member));

    for (size_t i = 0; i < list_size(list); i++)
        if (text_eq(text_at(&list->items[i], "name"), name))
            return true;
    return false;
}

static int limit_containers(const struct admission_attributes *a, const struct value *account,
                            const struct value *containers, const char *what, struct status *st)
{
    struct text name = name_of(account);

    for (size_t i = 0; i < list_size(containers); i++) {
        const struct value *c = &containers->items[i], *env = value_get(c, TEXT("env")),
                           *from = value_get(c, TEXT("envFrom"));
        for (size_t k = 0; k < list_size(env); k++) {
            const struct value *ref = value_at(&env->items[k], "valueFrom", "secretKeyRef", NULL);
            if (ref && !lists(account, "secrets", text_at(ref, "name")))
                return admission_forbid(
                    a, st,
                    "%s %.*s with envVar %.*s referencing secret.secretName=\"%.*s\" is not allowed because "
                    "service account %.*s does not reference that secret",
                    what, TEXT_ARG(text_at(c, "name")), TEXT_ARG(text_at(&env->items[k], "name")),
                    TEXT_ARG(text_at(ref, "name")), TEXT_ARG(name));
        }
        for (size_t k = 0; k < list_size(from); k++) {
            const struct value *ref = value_get(&from->items[k], TEXT("secretRef"));
            if (ref && !lists(account, "secrets", text_at(ref, "name")))
                return admission_forbid(a, st,
                                        "%s %.*s with envFrom referencing secret.secretName=\"%.*s\" is not "
                                        "allowed because service "
                                        "account %.*s does not reference that secret",
                                        what, TEXT_ARG(text_at(c, "name")), TEXT_ARG(text_at(ref, "name")),
                                        TEXT_ARG(name));
        }
    }
    return 0;
}

static int limit_secrets(const struct admission_attributes *a, const struct value *account, struct status *st)
{
    const struct value *spec = spec_of(a->object), *volumes = value_get(spec, TEXT("volumes"));
    const struct value *pull = value_get(spec, TEXT("imagePullSecrets"));
    struct text name = name_of(account);

    for (size_t i = 0; i < list_size(volumes); i++) {
        const struct value *secret = value_get(&volumes->items[i], TEXT("secret"));
        if (secret && !lists(account, "secrets", text_at(secret, "secretName")))
            return admission_forbid(
                a, st,
                "volume with secret.secretName=\"%.*s\" is not allowed because service account %.*s does not "
                "reference that secret",
                TEXT_ARG(text_at(secret, "secretName")), TEXT_ARG(name));
    }
    if (limit_containers(a, account, value_get(spec, TEXT("initContainers")), "init container", st) < 0 ||
        limit_containers(a, account, value_get(spec, TEXT("containers")), "container", st) < 0)
        return -1;
    for (size_t i = 0; i < list_size(pull); i++)
        if (!lists(account, "imagePullSecrets", text_at(&pull->items[i], "name")))
            return admission_forbid(
                a, st,
                "imagePullSecrets[%zu].name=\"%.*s\" is not allowed because service account %.*s does not "
                "reference that imagePullSecret",
                i, TEXT_ARG(text_at(&pull->items[i], "name")), TEXT_ARG(name));
    return 0;
}

static int fail_nameless(const struct admission_attributes *a, struct status *st)
{
    return admission_forbid(a, st, "no service account specified for pod %.*s/%.*s", TEXT_ARG(a->namespace),
                            TEXT_ARG(name_of(a->object)));
}

static int check_pod(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *spec = spec_of(a->object);
    struct value account;

    if (annotation_of(a->object, MIRROR))
        return check_mirror(a, st);
    if (!text_at(spec, "serviceAccountName").n)
        return fail_nameless(a, st);
    if (find_account(state, a, spec, &account, st) < 0)
        return -1;
    return limits_secrets(&account) ? limit_secrets(a, &account, st) : 0;
}

static int check_ephemeral(void *state, struct admission_attributes *a, struct status *st)
{
    const struct value *spec = spec_of(a->object);
    struct value account;

    if (!text_at(spec, "serviceAccountName").n)
        return fail_nameless(a, st);
    if (find_account(state, a, spec, &account, st) < 0)
        return -1;
    if (!limits_secrets(&account))
        return 0;
    if (limit_containers(a, &account, value_get(spec, TEXT("ephemeralContainers")), "ephemeral container",
                         st) == 0)
        return 0;
    const char *why = arena_strdup(a->arena, st->message); /* upstream never made it a refusal of the API's */
    ptrdiff_t at = text_find_text(text_of(why), TEXT(" is forbidden: "));
    return admission_fail(st, "%s", at < 0 ? why : why + at + sizeof(" is forbidden: ") - 1);
}

static int fill_pod(void *state, struct admission_attributes *a, struct status *st)
{
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    const struct value *wish;
    struct value account;

    if (annotation_of(a->object, MIRROR))
        return check_mirror(a, st);
    if (!text_at(spec, "serviceAccountName").n) {
        value_set(a->arena, spec, TEXT("serviceAccountName"), value_string(TEXT("default")));
        value_set(a->arena, spec, TEXT("serviceAccount"), value_string(TEXT("default")));
    }
    if (find_account(state, a, spec, &account, st) < 0)
        return -1;
    wish = value_get(spec, TEXT("automountServiceAccountToken"));
    if (wish ? wish->boolean : value_get_bool(&account, TEXT("automountServiceAccountToken"), true))
        mount_token(state, a->arena, spec);
    give_pull_secrets(a->arena, &account, spec);
    return limits_secrets(&account) ? limit_secrets(a, &account, st) : 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE, .admit = fill_pod, .validate = check_pod,
     .may_wait = lacks_default},
    {TEXT(""), TEXT("pods"), TEXT("ephemeralcontainers"), UPDATE, .admit = NULL, .validate = check_ephemeral},
};
const struct admission_plugin plugin_service_account = {"ServiceAccount", true, RULES(rules), .start = start};
