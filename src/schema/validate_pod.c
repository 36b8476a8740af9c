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

/* How mounts of the host and the container see each other; the paths lack the index again. */
static void check_propagation(struct validation *w, const struct field_path *list, const struct value *mount,
                              bool is_privileged)
{
    static const char *const modes[] = {"Bidirectional", "HostToContainer", "None"};
    static const char *const read_only_modes[] = {"Disabled", "Enabled", "IfPossible"};
    const struct value *mode = value_get(mount, TEXT("mountPropagation")),
                       *read_only = value_get(mount, TEXT("recursiveReadOnly"));
    const struct field_path *at = PATH_FIELD(list, "mountPropagation"),
                            *read_only_at = PATH_FIELD(list, "recursiveReadOnly");
    struct text m = value_text(mode), r = value_text(read_only);

    if (mode && !text_is(m, "None") && !text_is(m, "HostToContainer") && !text_is(m, "Bidirectional"))
        check_not_supported(w, at, m, modes, N_ELEMENTS(modes));
    if (text_is(m, "Bidirectional") && !is_privileged)
        check_error(w, FIELD_FORBIDDEN, at, NULL,
                    "Bidirectional mount propagation is available only to privileged containers");
    if (!read_only || text_is(r, "Disabled"))
        return;
    if (!text_is(r, "Enabled") && !text_is(r, "IfPossible")) {
        check_not_supported(w, read_only_at, r, read_only_modes, N_ELEMENTS(read_only_modes));
        return;
    }
    if (!value_get_bool(mount, TEXT("readOnly"), false))
        check_error(w, FIELD_FORBIDDEN, read_only_at, NULL, "may only be specified when readOnly is true");
    if (mode && !text_is(m, "None"))
        check_error(w, FIELD_FORBIDDEN, read_only_at, NULL,
                    "may only be specified when mountPropagation is None or not specified");
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
    for (uint32_t i = 0; i < n_items(mounts); i++) {
        check_mount(w, PATH_FIELD(at, "volumeMounts"), i, &mounts->items[i], volumes, &used, &seen);
        check_propagation(
            w, PATH_FIELD(at, "volumeMounts"), &mounts->items[i],
            value_get_bool(value_get(container, TEXT("securityContext")), TEXT("privileged"), false));
    }
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
    struct seen_texts names, host_ports, claims;
    struct volumes volumes;
    bool is_on_host;
};

static void containers_deinit(struct containers *c)
{
    seen_deinit(&c->names);
    seen_deinit(&c->host_ports);
    seen_deinit(&c->claims);
    volumes_deinit(&c->volumes);
}

/* The pod's resource claims that a container uses: whole ones or single requests of theirs, each once. */
static void check_claims(struct validation *w, const struct field_path *at, const struct value *claims,
                         const struct seen_texts *known)
{
    CLEANUP(seen_deinit) struct seen_texts whole = {.n = 0}, parts = {.n = 0}, split = {.n = 0};

    for (uint32_t i = 0; i < n_items(claims); i++) {
        const struct value *name = value_get(&claims->items[i], TEXT("name"));
        struct text request = value_get_text(&claims->items[i], TEXT("request"));
        if (!value_text(name).n) {
            check_error(w, FIELD_REQUIRED, PATH_INDEX(at, i), NULL, "%s", "");
            continue;
        }
        struct text key =
            arena_textf(w->errs->arena, "%.*s/%.*s", TEXT_ARG(value_text(name)), TEXT_ARG(request));
        bool is_repeated =
            seen_has(&whole, value_text(name)) || (!request.n && seen_has(&split, value_text(name)));
        if (request.n)
            check_format_at(w, PATH_FIELD(PATH_INDEX(at, i), "request"), FORMAT_DNS1123_LABEL, request);
        if (is_repeated || !seen_add(&parts, key))
            check_error(w, FIELD_DUPLICATE, PATH_INDEX(at, i), name, "%s", "");
        seen_add(request.n ? &split : &whole, value_text(name));
        if (!seen_has(known, value_text(name)))
            check_error(w, FIELD_NOT_FOUND, PATH_INDEX(at, i), name,
                        "must be one of the names in pod.spec.resourceClaims");
    }
}

static void check_container(struct validation *w, const struct field_path *at, int which,
                            const struct value *container, struct containers *pod)
{
    CLEANUP(seen_deinit) struct seen_texts own_ports = {.n = 0};
    const struct value *name = value_get(container, TEXT("name"));

    check_mounts(w, at, container, &pod->volumes);
    check_claims(w, PATH_FIELD(PATH_FIELD(at, "resources"), "claims"),
                 value_at(container, "resources", "claims", NULL), &pod->claims);
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

    const struct value *claims = value_get(v, TEXT("resourceClaims")),
                       *templates = value_at(w->object, "spec", "volumeClaimTemplates", NULL);

    check_volume_names(w, PATH_FIELD(at, "volumes"), value_get(v, TEXT("volumes")), &pod.volumes);
    for (uint32_t i = 0; i < n_items(templates); i++) { /* of a stateful set: volumes of its pods */
        struct text name = value_text(value_at(&templates->items[i], "metadata", "name", NULL));
        seen_add(&pod.volumes.all, name);
        seen_add(&pod.volumes.claims, name);
    }
    for (uint32_t i = 0; i < n_items(claims); i++)
        seen_add(&pod.claims, value_get_text(&claims->items[i], TEXT("name")));
    for (int which = 0; which < N_LISTS; which++) {
        const struct value *list = value_get(v, names[which]);
        const struct field_path path = {at, names[which], PATH_NAME};
        for (uint32_t i = 0; i < n_items(list); i++)
            check_container(w, PATH_INDEX(&path, i), which, &list->items[i], &pod);
    }
}

/* --- security and the system below --- */

/* They lie in the security context in upstream's own types, and so in its paths. */
CHECK(pod_security)
{
    const struct field_path *path = PATH_FIELD(at, "securityContext");
    const struct value *share = value_get(v, TEXT("shareProcessNamespace")),
                       *users = value_get(v, TEXT("hostUsers"));
    const struct value *sysctls = value_at(v, "securityContext", "sysctls", NULL);
    bool has_network = value_get_bool(v, TEXT("hostNetwork"), false),
         has_ipc = value_get_bool(v, TEXT("hostIPC"), false);
    bool has_pid = value_get_bool(v, TEXT("hostPID"), false),
         has_own_users = users && users->kind == VALUE_BOOL && !users->boolean;

    if (share && share->boolean && has_pid)
        check_error(w, FIELD_INVALID, PATH_FIELD(path, "shareProcessNamespace"), share,
                    "ShareProcessNamespace and HostPID cannot both be enabled");
    for (uint32_t i = 0; i < n_items(sysctls); i++) {
        const struct value *name = value_get(&sysctls->items[i], TEXT("name"));
        const struct field_path *item = PATH_FIELD(PATH_INDEX(PATH_FIELD(path, "sysctls"), i), "name");
        struct text t = value_text(name);
        bool is_ipc = text_starts(t, TEXT("kernel.shm")) || text_starts(t, TEXT("kernel.msg")) ||
                      text_is(t, "kernel.sem") || text_starts(t, TEXT("fs.mqueue."));
        if (has_network && text_starts(t, TEXT("net.")))
            check_error(w, FIELD_INVALID, item, name, "may not be specified when 'hostNetwork' is true");
        else if (has_ipc && is_ipc)
            check_error(w, FIELD_INVALID, item, name, "may not be specified when 'hostIPC' is true");
    }
    if (has_own_users && has_pid)
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "HostPID"), NULL, "when `hostUsers` is false");
    if (has_own_users && has_ipc)
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(at, "HostIPC"), NULL, "when `hostUsers` is false");
}

CHECK(sysctl_name)
{
    struct text t = value_text(v), part;
    bool is_good = t.n <= 253;

    /* Segments, divided by dots or slashes, of lower case, digits, dashes and underscores. */
    for (size_t i = 0, start = 0; i <= t.n; i++) {
        if (i < t.n && t.p[i] != '.' && t.p[i] != '/')
            continue;
        part = text_from(text_first(t, i), start);
        is_good &= part.n > 0 && part.p[0] != '_' && part.p[part.n - 1] != '_' && part.p[0] != '-' &&
                   part.p[part.n - 1] != '-';
        for (size_t k = 0; k < part.n; k++)
            is_good &= (part.p[k] >= 'a' && part.p[k] <= 'z') || (part.p[k] >= '0' && part.p[k] <= '9') ||
                       part.p[k] == '-' || part.p[k] == '_';
        start = i + 1;
    }
    if (!is_good)
        check_error(w, FIELD_INVALID, at, v,
                    "must have at most 253 characters and match regex "
                    "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
}

CHECK(security_context)
{
    const struct value *escalation = value_get(v, TEXT("allowPrivilegeEscalation"));
    const struct value *added = value_at(v, "capabilities", "add", NULL);

    if (!escalation || escalation->kind != VALUE_BOOL || escalation->boolean)
        return;
    if (value_get_bool(v, TEXT("privileged"), false))
        check_error(w, FIELD_INVALID, at, v,
                    "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    for (uint32_t i = 0; i < n_items(added); i++)
        if (text_is(value_text(&added->items[i]), "CAP_SYS_ADMIN"))
            check_error(
                w, FIELD_INVALID, at, v,
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
}

static void check_no_windows(struct validation *w, const struct field_path *owner, const struct value *v)
{
    if (is_set(value_get(v, TEXT("securityContext")), TEXT("windowsOptions")))
        check_error(w, FIELD_FORBIDDEN, PATH_FIELD(PATH_FIELD(owner, "securityContext"), "windowsOptions"),
                    NULL, "windows options cannot be set for a linux pod");
}

CHECK(pod_os)
{
    static const char *const systems[] = {"linux", "windows"};
    static const struct text lists[] = {TEXT("initContainers"), TEXT("containers"),
                                        TEXT("ephemeralContainers")};
    const struct value *os = value_get(v, TEXT("os"));
    struct text name = value_get_text(os, TEXT("name"));

    if (!os || os->kind != VALUE_OBJECT)
        return;
    if (!name.n)
        check_error(w, FIELD_REQUIRED, PATH_FIELD(PATH_FIELD(at, "os"), "name"), NULL, "%s", "");
    else if (!text_is(name, "linux") && !text_is(name, "windows"))
        check_not_supported(w, PATH_FIELD(at, "os"), name, systems, N_ELEMENTS(systems));
    if (!text_is(name, "linux"))
        return;
    check_no_windows(w, at, v);
    for (size_t k = 0; k < N_ELEMENTS(lists); k++) {
        const struct value *list = value_get(v, lists[k]);
        const struct field_path path = {at, lists[k], PATH_NAME};
        for (uint32_t i = 0; i < n_items(list); i++)
            check_no_windows(w, PATH_INDEX(&path, i), &list->items[i]);
    }
}

CHECK(dns_config)
{
    enum { SERVERS_MAX = 3, SEARCHES_MAX = 32, SEARCH_CHARACTERS_MAX = 2048 };
    const struct value *servers = value_get(v, TEXT("nameservers")),
                       *searches = value_get(v, TEXT("searches"));
    const struct value *options = value_get(v, TEXT("options"));
    size_t characters = 0;

    if (n_items(servers) > SERVERS_MAX)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "nameservers"), servers,
                    "must not have more than %d nameservers", SERVERS_MAX);
    if (n_items(searches) > SEARCHES_MAX)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "searches"), searches,
                    "must not have more than %d search paths", SEARCHES_MAX);
    for (uint32_t i = 0; i < n_items(searches); i++)
        characters += searches->items[i].n + (i > 0);
    if (characters > SEARCH_CHARACTERS_MAX)
        check_error(w, FIELD_INVALID, PATH_FIELD(at, "searches"), searches,
                    "must not have more than %d characters (including spaces) in the search list",
                    SEARCH_CHARACTERS_MAX);
    for (uint32_t i = 0; i < n_items(searches); i++) {
        struct text t = value_text(&searches->items[i]);
        if (!text_is(t, "."))
            check_format_at(w, PATH_INDEX(PATH_FIELD(at, "searches"), i), FORMAT_DNS1123_SUBDOMAIN_UNDERSCORE,
                            text_ends(t, TEXT(".")) ? text_first(t, t.n - 1) : t);
    }
    for (uint32_t i = 0; i < n_items(options); i++)
        if (!value_get_text(&options->items[i], TEXT("name")).n)
            check_error(w, FIELD_REQUIRED, PATH_INDEX(PATH_FIELD(at, "options"), i), NULL,
                        "must not be empty");
}

/* What holds for pods, not for templates. */
CHECK(pod_only)
{
    static const struct text lists[] = {TEXT("containers"), TEXT("initContainers"),
                                        TEXT("ephemeralContainers")};
    const struct value *volumes = value_get(v, TEXT("volumes"));

    for (uint32_t i = 0; !value_get_text(v, TEXT("serviceAccountName")).n && i < n_items(volumes); i++) {
        const struct value *sources = value_at(&volumes->items[i], "projected", "sources", NULL);
        const struct field_path *path =
            PATH_FIELD(PATH_FIELD(PATH_INDEX(PATH_FIELD(at, "volumes"), i), "projected"), "sources");
        for (uint32_t k = 0; k < n_items(sources); k++)
            if (is_set(&sources->items[k], TEXT("serviceAccountToken")))
                check_error(w, FIELD_FORBIDDEN, PATH_FIELD(PATH_INDEX(path, k), "serviceAccountToken"), NULL,
                            "must not be specified when serviceAccountName is not set");
    }
    for (size_t k = 0; k < N_ELEMENTS(lists); k++) {
        const struct value *list = value_get(v, lists[k]);
        const struct field_path path = {at, lists[k], PATH_NAME};
        for (uint32_t i = 0; i < n_items(list); i++) {
            const struct value *image = value_get(&list->items[i], TEXT("image"));
            if (text_trim(value_text(image)).n != value_text(image).n)
                check_error(w, FIELD_INVALID, PATH_FIELD(PATH_INDEX(&path, i), "image"), image,
                            "must not have leading or trailing whitespace");
        }
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
