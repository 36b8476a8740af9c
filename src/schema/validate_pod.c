/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of pods that look at several fields. Source: kubernetes pkg/apis/core/validation/validation.go. */
#include "schema/checks.h"

/* --- containers --- */

/* Whose fields are forbidden in init containers that end. */
static void check_init_container(struct validation *w, const struct field_path *at,
                                 const struct value *container)
{
    static const struct text names[] = {TEXT("lifecycle"), TEXT("livenessProbe"), TEXT("readinessProbe"),
                                        TEXT("startupProbe")};

    if (text_is(value_get_text(container, TEXT("restartPolicy")), "Always"))
        return;
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (is_set(container, names[i]))
            check_error(w, FIELD_FORBIDDEN, &(struct field_path){at, names[i], PATH_NAME}, NULL,
                        "may not be set for init containers without restartPolicy=Always");
}

static void check_ephemeral_container(struct validation *w, const struct field_path *at,
                                      const struct value *container)
{
    static const struct text allowed[] = {TEXT("name"),
                                          TEXT("image"),
                                          TEXT("command"),
                                          TEXT("args"),
                                          TEXT("workingDir"),
                                          TEXT("envFrom"),
                                          TEXT("env"),
                                          TEXT("volumeMounts"),
                                          TEXT("volumeDevices"),
                                          TEXT("terminationMessagePath"),
                                          TEXT("terminationMessagePolicy"),
                                          TEXT("imagePullPolicy"),
                                          TEXT("securityContext"),
                                          TEXT("stdin"),
                                          TEXT("stdinOnce"),
                                          TEXT("tty"),
                                          TEXT("targetContainerName")};

    for (uint32_t i = 0; i < n_items(container); i++) {
        struct text name = member_key(&container->members[i]);
        bool is_allowed = value_is_empty(&container->members[i].value);
        for (size_t k = 0; k < N_ELEMENTS(allowed); k++)
            is_allowed |= text_eq(allowed[k], name);
        if (!is_allowed)
            check_error(w, FIELD_FORBIDDEN, &(struct field_path){at, name, PATH_NAME}, NULL,
                        "cannot be set for an Ephemeral Container");
    }
}

/* Ports of the host, of all containers together or of each alone, and names of ports. hosts: those that were
 * seen. */
static void check_ports(struct validation *w, const struct field_path *container_path,
                        const struct value *container, struct seen_texts *hosts, bool is_on_host)
{
    CLEANUP(seen_deinit) struct seen_texts names = {.n = 0};
    const struct value *ports = value_get(container, TEXT("ports"));

    for (uint32_t k = 0; k < n_items(ports); k++) {
        const struct value *port = &ports->items[k];
        const struct field_path *at = PATH_INDEX(PATH_FIELD(container_path, "ports"), k);
        struct text name = value_get_text(port, TEXT("name"));
        int64_t host_port = value_get_int(port, TEXT("hostPort"), 0);
        if (name.n && !format_problem(FORMAT_PORT_NAME, name) && !seen_add(&names, name))
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(at, "name"), value_get(port, TEXT("name")), "%s", "");
        if (!host_port)
            continue;
        struct value key = value_string(
            arena_textf(w->errs->arena, "%.*s/%.*s/%lld", TEXT_ARG(value_get_text(port, TEXT("protocol"))),
                        TEXT_ARG(value_get_text(port, TEXT("hostIP"))), (long long)host_port));
        if (!seen_add(hosts, value_text(&key)))
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(at, "hostPort"), &key, "%s", "");
        if (is_on_host && host_port != value_get_int(port, TEXT("containerPort"), 0))
            check_error(w, FIELD_INVALID, PATH_FIELD(at, "hostPort"), value_get(port, TEXT("hostPort")),
                        "must match `containerPort` when `hostNetwork` is true");
    }
}

/* --- mounts --- */

/* The names of the pod's volumes: all, and those that may be devices. */
struct volumes {
    struct seen_texts all, claims;
};

/* What a container's mounts and devices have been given so far, and what they have at all. */
struct mounts {
    struct seen_texts names, paths;
};

static void gather(struct mounts *m, const struct value *list, struct text path)
{
    for (uint32_t i = 0; i < n_items(list); i++) {
        seen_add(&m->names, value_get_text(&list->items[i], TEXT("name")));
        seen_add(&m->paths, value_get_text(&list->items[i], path));
    }
}

static void mounts_deinit(struct mounts *m)
{
    seen_deinit(&m->names);
    seen_deinit(&m->paths);
}

static void complain(struct validation *w, enum field_error type, const struct field_path *item,
                     const char *field, const struct value *bad, const char *words)
{
    check_error(w, type, &(struct field_path){item, text_of(field), PATH_NAME}, bad, "%s", words);
}

/* Some of the paths lack the mount's index, as upstream's do. */
static void check_mount(struct validation *w, const struct field_path *list, uint32_t i,
                        const struct value *mount, const struct volumes *volumes,
                        const struct mounts *devices, struct mounts *seen)
{
    const struct field_path *at = PATH_INDEX(list, i);
    const struct value name = value_string(value_get_text(mount, TEXT("name")));
    const struct value path = value_string(value_get_text(mount, TEXT("mountPath")));
    struct text sub_path = value_get_text(mount, TEXT("subPath")),
                expression = value_get_text(mount, TEXT("subPathExpr"));

    if (!name.n)
        complain(w, FIELD_REQUIRED, at, "name", NULL, "");
    if (!seen_has(&volumes->all, value_text(&name)))
        complain(w, FIELD_NOT_FOUND, at, "name", &name, "");
    if (!path.n)
        complain(w, FIELD_REQUIRED, at, "mountPath", NULL, "");
    if (!seen_add(&seen->paths, value_text(&path)))
        complain(w, FIELD_INVALID, at, "mountPath", &path, "must be unique");
    if (seen_has(&devices->names, value_text(&name)))
        complain(w, FIELD_INVALID, at, "name", &name, "must not already exist in volumeDevices");
    if (seen_has(&devices->paths, value_text(&path)))
        complain(w, FIELD_INVALID, at, "mountPath", &path,
                 "must not already exist as a path in volumeDevices");
    if (sub_path.n)
        check_format_at(w, PATH_FIELD(list, "subPath"), FORMAT_RELATIVE_PATH, sub_path);
    if (expression.n && sub_path.n)
        complain(w, FIELD_INVALID, at, "subPathExpr", value_get(mount, TEXT("subPathExpr")),
                 "subPathExpr and subPath are mutually exclusive");
    if (expression.n)
        check_format_at(w, PATH_FIELD(list, "subPathExpr"), FORMAT_RELATIVE_PATH, expression);
}

static void check_device(struct validation *w, const struct field_path *at, const struct value *device,
                         const struct volumes *volumes, const struct mounts *mounts, struct mounts *seen)
{
    const struct value name = value_string(value_get_text(device, TEXT("name")));
    const struct value path = value_string(value_get_text(device, TEXT("devicePath")));
    bool exists = seen_has(&volumes->all, value_text(&name));

    if (!name.n)
        complain(w, FIELD_REQUIRED, at, "name", NULL, "");
    else if (!seen_add(&seen->names, value_text(&name)))
        complain(w, FIELD_INVALID, at, "name", &name, "must be unique");
    if (exists && !seen_has(&volumes->claims, value_text(&name)))
        complain(w, FIELD_INVALID, at, "name", &name,
                 "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
    if (!exists)
        complain(w, FIELD_NOT_FOUND, at, "name", &name, "");
    if (!path.n)
        complain(w, FIELD_REQUIRED, at, "devicePath", NULL, "");
    if (path.n && !seen_add(&seen->paths, value_text(&path)))
        complain(w, FIELD_INVALID, at, "devicePath", &path, "must be unique");
    if (path.n && format_problem(FORMAT_RELATIVE_PATH, text_from(value_text(&path), path.string[0] == '/')))
        complain(w, FIELD_INVALID, at, "devicePath", &path, "can not contain backsteps ('..')");
    if (seen_has(&mounts->names, value_text(&name)))
        complain(w, FIELD_INVALID, at, "name", &name, "must not already exist in volumeMounts");
    if (seen_has(&mounts->paths, value_text(&path)))
        complain(w, FIELD_INVALID, at, "devicePath", &path,
                 "must not already exist as a path in volumeMounts");
}

static void check_mounts(struct validation *w, const struct field_path *at, const struct value *container,
                         const struct volumes *volumes)
{
    const struct value *mounts = value_get(container, TEXT("volumeMounts")),
                       *devices = value_get(container, TEXT("volumeDevices"));
    CLEANUP(mounts_deinit)
    struct mounts mounted = {.names.n = 0}, used = {.names.n = 0}, seen = {.names.n = 0};

    if (!n_items(mounts) && !n_items(devices))
        return;
    gather(&used, devices, TEXT("devicePath"));
    for (uint32_t i = 0; i < n_items(mounts); i++)
        check_mount(w, PATH_FIELD(at, "volumeMounts"), i, &mounts->items[i], volumes, &used, &seen);
    if (!n_items(devices))
        return;
    gather(&mounted, mounts, TEXT("mountPath"));
    mounts_deinit(&seen);
    seen = (struct mounts){.names.n = 0};
    for (uint32_t i = 0; i < n_items(devices); i++)
        check_device(w, PATH_INDEX(PATH_FIELD(at, "volumeDevices"), i), &devices->items[i], volumes, &mounted,
                     &seen);
}

/* --- the pod --- */

static void volumes_deinit(struct volumes *v)
{
    seen_deinit(&v->all);
    seen_deinit(&v->claims);
}

static void check_volume_names(struct validation *w, const struct field_path *at, const struct value *list,
                               struct volumes *ret)
{
    for (uint32_t i = 0; i < n_items(list); i++) {
        const struct value *volume = &list->items[i], *name = value_get(volume, TEXT("name"));
        if (!seen_add(&ret->all, value_text(name)))
            complain(w, FIELD_DUPLICATE, PATH_INDEX(at, i), "name", name, "");
        if (is_set(volume, TEXT("persistentVolumeClaim")) || is_set(volume, TEXT("ephemeral")))
            seen_add(&ret->claims, value_text(name));
    }
}

/* A pod's three lists of containers, and what they have said before. */
enum { CONTAINERS, INIT_CONTAINERS, EPHEMERAL_CONTAINERS, N_LISTS };
struct containers {
    struct seen_texts names, host_ports;
    struct volumes volumes;
    bool is_on_host;
};

static void containers_deinit(struct containers *c)
{
    seen_deinit(&c->names);
    seen_deinit(&c->host_ports);
    volumes_deinit(&c->volumes);
}

static void check_container(struct validation *w, const struct field_path *at, int which,
                            const struct value *container, struct containers *pod)
{
    CLEANUP(seen_deinit) struct seen_texts own_ports = {.n = 0};
    const struct value *name = value_get(container, TEXT("name"));

    check_mounts(w, at, container, &pod->volumes);
    if (value_text(name).n && !seen_add(&pod->names, value_text(name)))
        complain(w, FIELD_DUPLICATE, at, "name", name, "");
    /* Those that run one by one cannot be in each other's way. */
    check_ports(w, at, container, which == CONTAINERS ? &pod->host_ports : &own_ports,
                which == CONTAINERS && pod->is_on_host);
    if (which == INIT_CONTAINERS)
        check_init_container(w, at, container);
    if (which == EPHEMERAL_CONTAINERS)
        check_ephemeral_container(w, at, container);
}

CHECK(pod_spec)
{
    static const struct text names[] = {TEXT("containers"), TEXT("initContainers"),
                                        TEXT("ephemeralContainers")};
    CLEANUP(containers_deinit)
    struct containers pod = {.is_on_host = value_get_bool(v, TEXT("hostNetwork"), false)};

    check_volume_names(w, PATH_FIELD(at, "volumes"), value_get(v, TEXT("volumes")), &pod.volumes);
    for (int which = 0; which < N_LISTS; which++) {
        const struct value *list = value_get(v, names[which]);
        const struct field_path path = {at, names[which], PATH_NAME};
        for (uint32_t i = 0; i < n_items(list); i++)
            check_container(w, PATH_INDEX(&path, i), which, &list->items[i], &pod);
    }
}

/* --- parts of containers --- */

CHECK(env_source)
{
    const struct value *from = value_get(v, TEXT("valueFrom"));
    const struct value none = value_string(TEXT(""));
    uint32_t n = 0;

    if (!from || from->kind != VALUE_OBJECT)
        return;
    for (uint32_t i = 0; i < from->n; i++)
        n += from->members[i].value.kind != VALUE_NULL;
    if (!n)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "valueFrom"), &none,
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` "
                    "or `fileKeyRef`");
    else if (value_get_text(v, TEXT("value")).n)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "valueFrom"), &none,
                    "may not be specified when `value` is not empty");
    else if (n > 1)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "valueFrom"), &none,
                    "may not have more than one field specified at a time");
}

CHECK(liveness_probe)
{
    const struct value *threshold = value_get(v, TEXT("successThreshold"));

    if (!threshold || threshold->integer != 1)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "successThreshold"), threshold ? threshold : &value_null,
                    "must be 1");
}

CHECK(readiness_probe)
{
    if (is_set(v, TEXT("terminationGracePeriodSeconds")))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "terminationGracePeriodSeconds"),
                    value_get(v, TEXT("terminationGracePeriodSeconds")),
                    "must not be set for readinessProbes");
}

/* --- tolerations --- */

CHECK(toleration)
{
    static const char *const operators[] = {"Equal", "Exists"}, *const effects[] = {"NoSchedule",
                                                                                    "PreferNoSchedule",
                                                                                    "NoExecute"};
    struct text operator= value_get_text(v, TEXT("operator")), effect = value_get_text(v, TEXT("effect"));
    struct value operator_value = value_string(operator), effect_value = value_string(effect);
    struct value value = value_string(value_get_text(v, TEXT("value")));
    bool is_equal = !operator.n || text_is(operator, "Equal"), exists = text_is(operator, "Exists");

    if (!value_get_text(v, TEXT("key")).n && !exists)
        check_error(
            w, FIELD_INVALID, PATH_FIELD(at, "operator"), &operator_value,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (is_set(v, TEXT("tolerationSeconds")) && !text_is(effect, "NoExecute"))
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "effect"), &effect_value,
                    "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (is_equal)
        check_format_at(w, PATH_FIELD(at, "operator"), FORMAT_LABEL_VALUE, value_text(&value));
    else if (exists && value.n)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "operator"), &value,
                    "value must be empty when `operator` is 'Exists'");
    else if (!exists)
        check_not_supported(w, PATH_FIELD(at, "operator"), operator, operators, N_ELEMENTS(operators));
    if (effect.n && !text_is(effect, "NoSchedule") && !text_is(effect, "PreferNoSchedule") &&
        !text_is(effect, "NoExecute"))
        check_not_supported(w, PATH_FIELD(at, "effect"), effect, effects, N_ELEMENTS(effects));
}
