/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of the pod security standards as a table: which level has each, from which version on in which
 * form, and which one of the baseline it stands in for. Source: kubernetes/pod-security-admission policy. */
#include "admission/pod_security.h"

/* A pod under examination, and what a check finds. */
struct pod {
    struct arena *arena;
    const struct value *metadata, *spec;
    const struct value **containers; /* of all kinds */
    size_t n;
    const char *reason, *detail;
};
/* True: the pod passes. Else reason, and perhaps detail, are set. */
typedef bool (*pod_check)(struct pod *p, const void *data);

/* --- words --- */

static const char *join(struct arena *a, const struct text_list *list, bool is_quoted)
{
    struct buffer b = BUFFER_IN(a);

    for (size_t i = 0; i < list->n; i++)
        buffer_addf(&b, is_quoted ? "%s\"%.*s\"" : "%s%.*s", i ? ", " : "", TEXT_ARG(list->p[i]));
    return buffer_str(&b);
}

static const char *join_sorted(struct arena *a, struct text_list *list, bool is_quoted)
{
    text_list_sort(list);
    return join(a, list, is_quoted);
}

static const char *one_or_more(const char *one, const char *more, size_t n)
{
    return n == 1 ? one : more;
}

/* container "a", containers "a", "b" */
static const char *containers(struct arena *a, const struct text_list *names)
{
    return arena_printf(a, "%s %s", one_or_more("container", "containers", names->n), join(a, names, true));
}

/* Who sets something: pod and containers "a", "b" */
static const char *setters(struct arena *a, bool is_pod, const struct text_list *names)
{
    if (is_pod && names->n)
        return arena_printf(a, "pod and %s", containers(a, names));
    return is_pod ? "pod" : containers(a, names);
}

static bool fail(struct pod *p, const char *reason, const char *detail)
{
    p->reason = reason;
    p->detail = detail;
    return false;
}

/* --- look-ups --- */

static const struct value *security_of(const struct value *container_or_spec)
{
    return value_get(container_or_spec, TEXT("securityContext"));
}

static const struct value *setting_of(const struct value *container_or_spec, const char *key)
{
    return value_get(security_of(container_or_spec), text_of(key));
}

static bool is_true(const struct value *v)
{
    return v && v->kind == VALUE_BOOL && v->boolean;
}

static bool is_among(struct text t, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        if (text_is(t, list[i]))
            return true;
    return false;
}

static bool is_windows(const struct pod *p)
{
    return text_is(text_at(value_get(p->spec, TEXT("os")), "name"), "windows");
}

/* Root in a user namespace of its own is not the node's. */
static bool has_own_users(const struct pod *p)
{
    const struct value *host_users = value_get(p->spec, TEXT("hostUsers"));

    return host_users && host_users->kind == VALUE_BOOL && !host_users->boolean;
}

/* --- baseline --- */

/* Values of TYPE.type of the pod and its containers that are not among the allowed. */
struct bad_types {
    bool is_pod;
    struct text_list names, values;
};

static struct bad_types find_bad_types(struct pod *p, const char *profile, const char *const *allowed)
{
    struct bad_types bad = {0};
    const struct value *own = setting_of(p->spec, profile);

    if (own && !is_among(text_at(own, "type"), allowed)) {
        bad.is_pod = true;
        text_list_add_once(p->arena, &bad.values, text_at(own, "type"));
    }
    for (size_t i = 0; i < p->n; i++) {
        own = setting_of(p->containers[i], profile);
        if (!own || is_among(text_at(own, "type"), allowed))
            continue;
        text_list_add(p->arena, &bad.names, text_at(p->containers[i], "name"));
        text_list_add_once(p->arena, &bad.values, text_at(own, "type"));
    }
    return bad;
}

static const char *const profile_types[] = {"RuntimeDefault", "Localhost", NULL};

static bool is_good_apparmor(struct text profile)
{
    return !profile.n || text_is(profile, "runtime/default") || text_starts(profile, TEXT("localhost/"));
}

static bool app_armor(struct pod *p, const void *data)
{
    const struct value *annotations = value_get(p->metadata, TEXT("annotations"));
    struct bad_types bad = find_bad_types(p, "appArmorProfile", profile_types);
    struct text_list noted = {0};
    struct buffer who = BUFFER_IN(p->arena);

    for (size_t i = 0; annotations && annotations->kind == VALUE_OBJECT && i < annotations->n; i++) {
        struct text key = member_key(&annotations->members[i]),
                    value = value_text(&annotations->members[i].value);
        if (text_starts(key, TEXT("container.apparmor.security.beta.kubernetes.io/")) &&
            !is_good_apparmor(value))
            text_list_add(
                p->arena, &noted,
                arena_textf(p->arena, "%.*s=%.*s", TEXT_ARG(key), TEXT_ARG(quoted(p->arena, value))));
    }
    if (!bad.is_pod && !bad.names.n && !noted.n)
        return true;
    join_sorted(p->arena, &bad.values, true);
    join_sorted(p->arena, &noted, true);
    for (size_t i = 0; i < noted.n; i++)
        text_list_add(p->arena, &bad.values, noted.p[i]);
    if (bad.is_pod || bad.names.n)
        buffer_add_str(&who, setters(p->arena, bad.is_pod, &bad.names));
    if (noted.n)
        buffer_addf(&who, "%s%s", who.n ? " and " : "", one_or_more("annotation", "annotations", noted.n));
    return fail(p, one_or_more("forbidden AppArmor profile", "forbidden AppArmor profiles", bad.values.n),
                arena_printf(p->arena, "%s must not set AppArmor profile type to %s", buffer_str(&who),
                             join(p->arena, &bad.values, true)));
}

static bool capabilities_baseline(struct pod *p, const void *data)
{
    static const char *const allowed[] = {"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
                                          "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                          "SETPCAP",     "SETUID", "SYS_CHROOT",       NULL};
    struct text_list names = {0}, added = {0};

    for (size_t i = 0; i < p->n; i++) {
        const struct value *add = value_get(setting_of(p->containers[i], "capabilities"), TEXT("add"));
        bool is_bad = false;
        for (size_t k = 0; k < list_size(add); k++)
            if (!is_among(value_text(&add->items[k]), allowed)) {
                text_list_add_once(p->arena, &added, value_text(&add->items[k]));
                is_bad = true;
            }
        if (is_bad)
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    }
    if (!names.n)
        return true;
    return fail(p, "non-default capabilities",
                arena_printf(p->arena, "%s must not include %s in securityContext.capabilities.add",
                             containers(p->arena, &names), join_sorted(p->arena, &added, true)));
}

static bool host_namespaces(struct pod *p, const void *data)
{
    static const char *const members[] = {"hostNetwork", "hostPID", "hostIPC"};
    struct text_list set = {0};

    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        if (is_true(value_get(p->spec, text_of(members[i]))))
            text_list_add(p->arena, &set, arena_textf(p->arena, "%s=true", members[i]));
    return !set.n || fail(p, "host namespaces", join(p->arena, &set, false));
}

static bool host_paths(struct pod *p, const void *data)
{
    const struct value *volumes = value_get(p->spec, TEXT("volumes"));
    struct text_list names = {0};

    for (size_t i = 0; i < list_size(volumes); i++)
        if (value_get(&volumes->items[i], TEXT("hostPath")))
            text_list_add(p->arena, &names, text_at(&volumes->items[i], "name"));
    return !names.n || fail(p, "hostPath volumes",
                            arena_printf(p->arena, "%s %s", one_or_more("volume", "volumes", names.n),
                                         join(p->arena, &names, true)));
}

static bool host_ports(struct pod *p, const void *data)
{
    struct text_list names = {0}, found = {0};

    for (size_t i = 0; i < p->n; i++) {
        const struct value *ports = value_get(p->containers[i], TEXT("ports"));
        bool is_bad = false;
        for (size_t k = 0; k < list_size(ports); k++) {
            int64_t port = value_get_int(&ports->items[k], TEXT("hostPort"), 0);
            is_bad |= port != 0;
            if (port)
                text_list_add_once(p->arena, &found, arena_textf(p->arena, "%lld", (long long)port));
        }
        if (is_bad)
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    }
    if (!names.n)
        return true;
    return fail(p, "hostPort",
                arena_printf(p->arena, "%s %s %s %s", containers(p->arena, &names),
                             one_or_more("uses", "use", names.n),
                             one_or_more("hostPort", "hostPorts", found.n),
                             join_sorted(p->arena, &found, false)));
}

static bool host_probes(struct pod *p, const void *data)
{
    static const struct {
        const char *outer, *inner;
    } places[] = {{"livenessProbe", NULL},
                  {"readinessProbe", NULL},
                  {"startupProbe", NULL},
                  {"lifecycle", "postStart"},
                  {"lifecycle", "preStop"}};
    static const struct text actions[] = {TEXT("httpGet"), TEXT("tcpSocket")};
    struct text_list names = {0}, hosts = {0};

    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < N_ELEMENTS(places); k++) {
            const struct value *at = value_get(p->containers[i], text_of(places[k].outer));
            if (places[k].inner)
                at = value_get(at, text_of(places[k].inner));
            for (size_t j = 0; j < N_ELEMENTS(actions); j++) {
                struct text host = text_at(value_get(at, actions[j]), "host");
                if (!host.n)
                    continue;
                text_list_add_once(p->arena, &names, text_at(p->containers[i], "name"));
                text_list_add_once(p->arena, &hosts, host);
            }
        }
    if (!names.n)
        return true;
    join_sorted(p->arena, &names, true);
    return fail(p, "probe or lifecycle host",
                arena_printf(p->arena, "%s %s %s %s", containers(p->arena, &names),
                             one_or_more("uses", "use", names.n),
                             one_or_more("probe or lifecycle host", "probe or lifecycle hosts", hosts.n),
                             join_sorted(p->arena, &hosts, true)));
}

static bool privileged(struct pod *p, const void *data)
{
    struct text_list names = {0};

    for (size_t i = 0; i < p->n; i++)
        if (is_true(setting_of(p->containers[i], "privileged")))
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    return !names.n || fail(p, "privileged",
                            arena_printf(p->arena, "%s must not set securityContext.privileged=true",
                                         containers(p->arena, &names)));
}

static bool proc_mount(struct pod *p, const void *data)
{
    struct text_list names = {0}, types = {0};

    for (size_t i = 0; i < p->n; i++) {
        const struct value *mount = setting_of(p->containers[i], "procMount");
        if (!mount || text_is(value_text(mount), "Default"))
            continue;
        text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
        text_list_add_once(p->arena, &types, value_text(mount));
    }
    return !names.n || fail(p, "procMount",
                            arena_printf(p->arena, "%s must not set securityContext.procMount to %s",
                                         containers(p->arena, &names), join_sorted(p->arena, &types, true)));
}

static bool proc_mount_but_for_own_users(struct pod *p, const void *data)
{
    return has_own_users(p) || proc_mount(p, data);
}

struct selinux_faults {
    struct text_list types;
    bool has_user, has_role;
};

static bool is_bad_selinux(struct arena *a, const struct value *options, const char *const *allowed,
                           struct selinux_faults *f)
{
    struct text type = text_at(options, "type");
    bool has_user = text_at(options, "user").n, has_role = text_at(options, "role").n,
         is_bad = !is_among(type, allowed);

    if (is_bad)
        text_list_add_once(a, &f->types, type);
    f->has_user |= has_user;
    f->has_role |= has_role;
    return is_bad || has_user || has_role;
}

static bool selinux(struct pod *p, const void *allowed)
{
    struct selinux_faults f = {0};
    struct text_list names = {0}, faults = {0};
    const struct value *own = setting_of(p->spec, "seLinuxOptions");
    bool is_pod = own && is_bad_selinux(p->arena, own, allowed, &f);
    struct buffer b = BUFFER_IN(p->arena);

    for (size_t i = 0; i < p->n; i++) {
        own = setting_of(p->containers[i], "seLinuxOptions");
        if (own && is_bad_selinux(p->arena, own, allowed, &f))
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    }
    if (!is_pod && !names.n)
        return true;
    if (f.types.n)
        text_list_add(p->arena, &faults,
                      arena_textf(p->arena, "%s %s", one_or_more("type", "types", f.types.n),
                                  join_sorted(p->arena, &f.types, true)));
    if (f.has_user)
        text_list_add(p->arena, &faults, TEXT("user may not be set"));
    if (f.has_role)
        text_list_add(p->arena, &faults, TEXT("role may not be set"));
    for (size_t i = 0; i < faults.n; i++)
        buffer_addf(&b, "%s%.*s", i ? "; " : "", TEXT_ARG(faults.p[i]));
    return fail(p, "seLinuxOptions",
                arena_printf(p->arena, "%s set forbidden securityContext.seLinuxOptions: %s",
                             setters(p->arena, is_pod, &names), buffer_str(&b)));
}

static const char *const selinux_types_0[] = {"", "container_t", "container_init_t", "container_kvm_t", NULL};
static const char *const selinux_types_31[] = {
    "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL};

#define SECCOMP_POD TEXT("seccomp.security.alpha.kubernetes.io/pod")
#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"

static void note_seccomp(struct pod *p, struct text key, struct text_list *bad)
{
    const struct value *v = value_get(value_get(p->metadata, TEXT("annotations")), key);
    struct text t = value_text(v);

    if (v && !text_is(t, "runtime/default") && !text_is(t, "docker/default") &&
        !text_starts(t, TEXT("localhost/")))
        text_list_add_once(p->arena, bad,
                           arena_textf(p->arena, "%.*s=%.*s", TEXT_ARG(key), TEXT_ARG(quoted(p->arena, t))));
}

/* Before the field there were annotations. */
static bool seccomp_annotations(struct pod *p, const void *data)
{
    struct text_list bad = {0};

    note_seccomp(p, SECCOMP_POD, &bad);
    for (size_t i = 0; i < p->n; i++)
        note_seccomp(
            p, arena_textf(p->arena, SECCOMP_CONTAINER "%.*s", TEXT_ARG(text_at(p->containers[i], "name"))),
            &bad);
    return !bad.n ||
           fail(p, "seccompProfile",
                arena_printf(p->arena, "forbidden %s %s", one_or_more("annotation", "annotations", bad.n),
                             join_sorted(p->arena, &bad, false)));
}

static bool seccomp_baseline(struct pod *p, const void *data)
{
    struct bad_types bad = find_bad_types(p, "seccompProfile", profile_types);

    if (!bad.is_pod && !bad.names.n)
        return true;
    return fail(p, "seccompProfile",
                arena_printf(p->arena, "%s must not set securityContext.seccompProfile.type to %s",
                             setters(p->arena, bad.is_pod, &bad.names),
                             join_sorted(p->arena, &bad.values, true)));
}

static const char *const sysctls[] = {"kernel.shm_rmid_forced",
                                      "net.ipv4.ip_local_port_range",
                                      "net.ipv4.tcp_syncookies",
                                      "net.ipv4.ping_group_range",
                                      "net.ipv4.ip_unprivileged_port_start",
                                      /* 1.27 */ "net.ipv4.ip_local_reserved_ports",
                                      /* 1.29 */ "net.ipv4.tcp_keepalive_time",
                                      "net.ipv4.tcp_fin_timeout",
                                      "net.ipv4.tcp_keepalive_intvl",
                                      "net.ipv4.tcp_keepalive_probes",
                                      /* 1.32 */ "net.ipv4.tcp_rmem",
                                      "net.ipv4.tcp_wmem"};
static const size_t n_sysctls[] = {5, 6, 10, 12};

static bool safe_sysctls(struct pod *p, const void *n_allowed)
{
    const struct value *set = setting_of(p->spec, "sysctls");
    struct text_list bad = {0};

    for (size_t i = 0; i < list_size(set); i++) {
        bool is_good = false;
        for (size_t k = 0; k < *(const size_t *)n_allowed; k++)
            is_good |= text_is(text_at(&set->items[i], "name"), sysctls[k]);
        if (!is_good)
            text_list_add(p->arena, &bad, text_at(&set->items[i], "name"));
    }
    return !bad.n || fail(p, "forbidden sysctls", join(p->arena, &bad, false));
}

static bool windows_host_process(struct pod *p, const void *data)
{
    bool is_pod = is_true(value_get(setting_of(p->spec, "windowsOptions"), TEXT("hostProcess")));
    struct text_list names = {0};

    for (size_t i = 0; i < p->n; i++)
        if (is_true(value_get(setting_of(p->containers[i], "windowsOptions"), TEXT("hostProcess"))))
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    if (!is_pod && !names.n)
        return true;
    return fail(p, "hostProcess",
                arena_printf(p->arena, "%s must not set securityContext.windowsOptions.hostProcess=true",
                             setters(p->arena, is_pod, &names)));
}

/* --- restricted --- */

static bool escalation(struct pod *p, const void *data)
{
    struct text_list names = {0};

    for (size_t i = 0; i < p->n; i++) {
        const struct value *allowed = setting_of(p->containers[i], "allowPrivilegeEscalation");
        if (!allowed || is_true(allowed))
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    }
    return !names.n ||
           fail(p, "allowPrivilegeEscalation != false",
                arena_printf(p->arena, "%s must set securityContext.allowPrivilegeEscalation=false",
                             containers(p->arena, &names)));
}

static bool escalation_but_windows(struct pod *p, const void *data)
{
    return is_windows(p) || escalation(p, data);
}

static bool drops_all(const struct value *capabilities)
{
    const struct value *drop = value_get(capabilities, TEXT("drop"));

    for (size_t i = 0; i < list_size(drop); i++)
        if (text_is(value_text(&drop->items[i]), "ALL"))
            return true;
    return false;
}

static bool capabilities_restricted(struct pod *p, const void *data)
{
    struct text_list keeping = {0}, adding = {0}, added = {0};
    struct buffer b = BUFFER_IN(p->arena);

    for (size_t i = 0; i < p->n; i++) {
        const struct value *capabilities = setting_of(p->containers[i], "capabilities");
        const struct value *add = value_get(capabilities, TEXT("add"));
        struct text name = text_at(p->containers[i], "name");
        bool is_bad = false;
        if (!drops_all(capabilities))
            text_list_add(p->arena, &keeping, name);
        for (size_t k = 0; k < list_size(add); k++)
            if (!text_is(value_text(&add->items[k]), "NET_BIND_SERVICE")) {
                text_list_add_once(p->arena, &added, value_text(&add->items[k]));
                is_bad = true;
            }
        if (is_bad)
            text_list_add(p->arena, &adding, name);
    }
    if (keeping.n)
        buffer_addf(&b, "%s must set securityContext.capabilities.drop=[\"ALL\"]",
                    containers(p->arena, &keeping));
    if (adding.n)
        buffer_addf(&b, "%s%s must not include %s in securityContext.capabilities.add", b.n ? "; " : "",
                    containers(p->arena, &adding), join_sorted(p->arena, &added, true));
    return !b.n || fail(p, "unrestricted capabilities", buffer_str(&b));
}

static bool capabilities_restricted_but_windows(struct pod *p, const void *data)
{
    return is_windows(p) || capabilities_restricted(p, data);
}

static bool volume_types(struct pod *p, const void *data)
{
    static const char *const good[] = {"configMap", "csi",   "downwardAPI",           "emptyDir",
                                       "ephemeral", "image", "persistentVolumeClaim", "projected",
                                       "secret"};
    static const char *const bad[] = {"hostPath",
                                      "gcePersistentDisk",
                                      "awsElasticBlockStore",
                                      "gitRepo",
                                      "nfs",
                                      "iscsi",
                                      "glusterfs",
                                      "rbd",
                                      "flexVolume",
                                      "cinder",
                                      "cephfs",
                                      "flocker",
                                      "fc",
                                      "azureFile",
                                      "vsphereVolume",
                                      "quobyte",
                                      "azureDisk",
                                      "photonPersistentDisk",
                                      "portworxVolume",
                                      "scaleIO",
                                      "storageos"};
    const struct value *volumes = value_get(p->spec, TEXT("volumes"));
    struct text_list names = {0}, types = {0};

    for (size_t i = 0; i < list_size(volumes); i++) {
        const char *type = NULL;
        bool is_good = false;
        for (size_t k = 0; k < N_ELEMENTS(good); k++)
            is_good |= value_get(&volumes->items[i], text_of(good[k])) != NULL;
        if (is_good)
            continue;
        for (size_t k = 0; k < N_ELEMENTS(bad) && !type; k++)
            type = value_get(&volumes->items[i], text_of(bad[k])) ? bad[k] : NULL;
        text_list_add(p->arena, &names, text_at(&volumes->items[i], "name"));
        text_list_add_once(p->arena, &types, text_of(type ? type : "unknown"));
    }
    if (!names.n)
        return true;
    return fail(p, "restricted volume types",
                arena_printf(p->arena, "%s %s %s %s %s", one_or_more("volume", "volumes", names.n),
                             join(p->arena, &names, true), one_or_more("uses", "use", names.n),
                             one_or_more("restricted volume type", "restricted volume types", types.n),
                             join_sorted(p->arena, &types, true)));
}

static bool not_root(struct pod *p, const void *data)
{
    const struct value *whole = setting_of(p->spec, "runAsNonRoot");
    struct text_list wrong = {0}, silent = {0};
    bool is_pod = whole && !is_true(whole);

    for (size_t i = 0; i < p->n; i++) {
        const struct value *own = setting_of(p->containers[i], "runAsNonRoot");
        if (own && !is_true(own))
            text_list_add(p->arena, &wrong, text_at(p->containers[i], "name"));
        else if (!own && !is_true(whole))
            text_list_add(p->arena, &silent, text_at(p->containers[i], "name"));
    }
    if (is_pod || wrong.n)
        return fail(p, "runAsNonRoot != true",
                    arena_printf(p->arena, "%s must not set securityContext.runAsNonRoot=false",
                                 setters(p->arena, is_pod, &wrong)));
    return !silent.n || fail(p, "runAsNonRoot != true",
                             arena_printf(p->arena, "pod or %s must set securityContext.runAsNonRoot=true",
                                          containers(p->arena, &silent)));
}

static bool not_root_but_own_users(struct pod *p, const void *data)
{
    return has_own_users(p) || not_root(p, data);
}

static bool is_root(const struct value *user)
{
    return user && user->kind == VALUE_INT && user->integer == 0;
}

static bool not_user_zero(struct pod *p, const void *data)
{
    bool is_pod = is_root(setting_of(p->spec, "runAsUser"));
    struct text_list names = {0};

    for (size_t i = 0; i < p->n; i++)
        if (is_root(setting_of(p->containers[i], "runAsUser")))
            text_list_add(p->arena, &names, text_at(p->containers[i], "name"));
    if (!is_pod && !names.n)
        return true;
    return fail(p, "runAsUser=0",
                arena_printf(p->arena, "%s must not set runAsUser=0", setters(p->arena, is_pod, &names)));
}

static bool not_user_zero_but_own_users(struct pod *p, const void *data)
{
    return has_own_users(p) || not_user_zero(p, data);
}

static bool seccomp_restricted(struct pod *p, const void *data)
{
    struct text_list silent = {0};

    if (!seccomp_baseline(p, data))
        return false;
    for (size_t i = 0; i < p->n && !setting_of(p->spec, "seccompProfile"); i++)
        if (!setting_of(p->containers[i], "seccompProfile"))
            text_list_add(p->arena, &silent, text_at(p->containers[i], "name"));
    return !silent.n || fail(p, "seccompProfile",
                             arena_printf(p->arena,
                                          "pod or %s must set securityContext.seccompProfile.type to "
                                          "\"RuntimeDefault\" or \"Localhost\"",
                                          containers(p->arena, &silent)));
}

static bool seccomp_restricted_but_windows(struct pod *p, const void *data)
{
    return is_windows(p) || seccomp_restricted(p, data);
}

/* --- the table --- */

#define FORMS_MAX 4

/* By name, those of the baseline first: so the faults are told. */
static const struct check {
    const char *name;
    enum security_level level;
    const char *instead_of; /* a check of the baseline that this one covers; NULL: none */
    struct {
        int since; /* version 1.x */
        pod_check check;
        const void *data;
    } forms[FORMS_MAX]; /* oldest first; check NULL ends */
} checks[] = {
    {"appArmorProfile", LEVEL_BASELINE, NULL, {{0, app_armor}}},
    {"capabilities_baseline", LEVEL_BASELINE, NULL, {{0, capabilities_baseline}}},
    {"hostNamespaces", LEVEL_BASELINE, NULL, {{0, host_namespaces}}},
    {"hostPathVolumes", LEVEL_BASELINE, NULL, {{0, host_paths}}},
    {"hostPorts", LEVEL_BASELINE, NULL, {{0, host_ports}}},
    {"hostProbesAndHostLifecycle", LEVEL_BASELINE, NULL, {{34, host_probes}}},
    {"privileged", LEVEL_BASELINE, NULL, {{0, privileged}}},
    {"procMount", LEVEL_BASELINE, NULL, {{0, proc_mount}, {35, proc_mount_but_for_own_users}}},
    {"seLinuxOptions",
     LEVEL_BASELINE,
     NULL,
     {{0, selinux, selinux_types_0}, {31, selinux, selinux_types_31}}},
    {"seccompProfile_baseline", LEVEL_BASELINE, NULL, {{0, seccomp_annotations}, {19, seccomp_baseline}}},
    {"sysctls",
     LEVEL_BASELINE,
     NULL,
     {{0, safe_sysctls, &n_sysctls[0]},
      {27, safe_sysctls, &n_sysctls[1]},
      {29, safe_sysctls, &n_sysctls[2]},
      {32, safe_sysctls, &n_sysctls[3]}}},
    {"windowsHostProcess", LEVEL_BASELINE, NULL, {{0, windows_host_process}}},
    {"allowPrivilegeEscalation", LEVEL_RESTRICTED, NULL, {{8, escalation}, {25, escalation_but_windows}}},
    {"capabilities_restricted",
     LEVEL_RESTRICTED,
     "capabilities_baseline",
     {{22, capabilities_restricted}, {25, capabilities_restricted_but_windows}}},
    {"procMount_restricted", LEVEL_RESTRICTED, "procMount", {{35, proc_mount}}},
    {"restrictedVolumes", LEVEL_RESTRICTED, "hostPathVolumes", {{0, volume_types}}},
    {"runAsNonRoot", LEVEL_RESTRICTED, NULL, {{0, not_root}, {35, not_root_but_own_users}}},
    {"runAsUser", LEVEL_RESTRICTED, NULL, {{23, not_user_zero}, {35, not_user_zero_but_own_users}}},
    {"seccompProfile_restricted",
     LEVEL_RESTRICTED,
     "seccompProfile_baseline",
     {{19, seccomp_restricted}, {25, seccomp_restricted_but_windows}}},
};

/* The form for the version, or -1. */
static int form_of(const struct check *c, int version)
{
    int found = -1;

    for (int i = 0; i < FORMS_MAX && c->forms[i].check; i++)
        if (version == VERSION_LATEST || c->forms[i].since <= version)
            found = i;
    return found;
}

static bool is_covered(const struct check *c, struct security_demand demand)
{
    for (size_t i = 0; demand.level == LEVEL_RESTRICTED && i < N_ELEMENTS(checks); i++)
        if (checks[i].instead_of && strcmp(checks[i].instead_of, c->name) == 0 &&
            form_of(&checks[i], demand.version) >= 0)
            return true;
    return false;
}

static void gather_containers(struct pod *p)
{
    size_t n = 0;

    for (size_t i = 0; i < N_CONTAINER_LISTS; i++)
        n += list_size(value_get(p->spec, container_lists[i]));
    p->containers = ARENA_ARRAY(p->arena, const struct value *, n + 1);
    for (size_t i = 0; i < N_CONTAINER_LISTS; i++) {
        const struct value *list = value_get(p->spec, container_lists[i]);
        for (size_t k = 0; k < list_size(list); k++)
            p->containers[p->n++] = &list->items[k];
    }
}

struct security_faults security_check(struct arena *a, struct security_demand demand,
                                      const struct value *metadata, const struct value *spec)
{
    struct security_faults faults = {.details = BUFFER_IN(a), .reasons = BUFFER_IN(a)};
    struct pod p = {.arena = a, .metadata = metadata, .spec = spec};

    if (demand.level == LEVEL_PRIVILEGED)
        return faults;
    gather_containers(&p);
    for (size_t i = 0; i < N_ELEMENTS(checks); i++) {
        int form = form_of(&checks[i], demand.version);
        if (checks[i].level > demand.level || form < 0 || is_covered(&checks[i], demand) ||
            checks[i].forms[form].check(&p, checks[i].forms[form].data))
            continue;
        const char *comma = faults.n++ ? ", " : "";
        buffer_addf(&faults.reasons, "%s%s", comma, p.reason);
        buffer_addf(&faults.details, "%s%s (%s)", comma, p.reason, p.detail);
    }
    return faults;
}
