/* SPDX-License-Identifier: Apache-2.0 */
/* What pods and the templates of pods are warned of: kinds of volumes that are gone, old labels and annotations, lists that
 * repeat a name, ports that overlap. Source: kubernetes pkg/api/pod/warnings.go. */
#include "registry/warnings/warnings.h"

#include "schema/formats.h"

#define PORTS_MAX 1000 /* what is compared with one another */

/* --- containers --- */

static const char *const container_lists[] = {".initContainers", ".containers", ".ephemeralContainers"};

/* Calls visit for each container of spec, in upstream's order; w->path is the container's. */
static void each_container(struct warnings *w, const struct value *spec,
                           void (*visit)(struct warnings *w, const struct value *container, void *ctx), void *ctx)
{
    size_t here = w->path.n;

    for (size_t k = 0; k < N_ELEMENTS(container_lists); k++) {
        const struct value *list = value_get(spec, text_of(container_lists[k] + 1));
        for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
            warnings_step(w, container_lists[k], i);
            visit(w, &list->items[i], ctx);
            w->path.n = here;
        }
    }
}

static const char *quoted(struct warnings *w, struct text t)
{
    struct buffer b = BUFFER_IN(w->op->arena);

    buffer_add_quoted(&b, t);
    return buffer_str(&b);
}

/* Says of an annotation of the pod, wherever the walk is. */
static void say_annotation(struct warnings *w, struct text key, const char *message)
{
    operation_warn(w->op, "%.*s%smetadata.annotations[%.*s]: %s", (int)w->base, w->path.p, w->base ? "." : "", TEXT_ARG(key),
                   message);
}

/* The profile that an annotation stands for, as the field has it. */
static bool same_profile(const struct value *profile, struct text annotation)
{
    struct text type = value_get_text(profile, TEXT("type")), local = value_get_text(profile, TEXT("localhostProfile"));

    if (text_is(annotation, "unconfined"))
        return text_is(type, "Unconfined") && !local.n;
    if (text_is(annotation, "runtime/default"))
        return text_is(type, "RuntimeDefault") && !local.n;
    if (text_starts(annotation, TEXT("localhost/")))
        return text_is(type, "Localhost") && text_eq(local, text_from(annotation, 10));
    return false;
}

static void check_annotations(struct warnings *w, const struct value *container)
{
    const struct value *annotations = value_at(w->root, "metadata", "annotations", NULL);
    const struct value *context = value_get(container, TEXT("securityContext"));
    const struct value *profile = value_at(w->root, "spec", "securityContext", "appArmorProfile", NULL);
    struct text name = value_get_text(container, TEXT("name")), key;

    if (value_is_empty(annotations))
        return;
    key = arena_textf(w->op->arena, "container.seccomp.security.alpha.kubernetes.io/%.*s", TEXT_ARG(name));
    if (!value_get(context, TEXT("seccompProfile")) && value_get(annotations, key))
        say_annotation(w, key, "non-functional in v1.27+; use the \"seccompProfile\" field instead");
    key = arena_textf(w->op->arena, "container.apparmor.security.beta.kubernetes.io/%.*s", TEXT_ARG(name));
    if (w->base > 0 && !value_get(context, TEXT("appArmorProfile")) && value_get(annotations, key) &&
        !(profile && same_profile(profile, value_get_text(annotations, key))))
        say_annotation(w, key, "deprecated since v1.30; use the \"appArmorProfile\" field instead");
}

/* A variable that is there twice is good only where the later one builds on the earlier. */
static void check_env(struct warnings *w, const struct value *env)
{
    size_t here = w->path.n;
    struct map seen = {0};

    for (size_t i = 0; env && env->kind == VALUE_LIST && env->n > 1 && i < env->n; i++) {
        const struct value *item = &env->items[i];
        struct text name = value_get_text(item, TEXT("name")), value = value_get_text(item, TEXT("value")), ref;
        if (!map_put(&seen, name, (void *)env))
            continue;
        ref = arena_textf(w->op->arena, "$(%.*s)", TEXT_ARG(name));
        if (!value_get(item, TEXT("valueFrom")) && !text_eq(value, ref) && text_find_text(value, ref) >= 0)
            continue;
        warnings_step(w, ".env", i);
        warnings_say(w, "hides previous definition of %s, which may be dropped when using apply", quoted(w, name));
        w->path.n = here;
    }
    map_deinit(&seen);
}

/* Resource names are keys of a map, and print so. */
static void check_resources(struct warnings *w, const struct value *container)
{
    static const char *const names[] = {"memory", "ephemeral-storage"}, *const lists[] = {"limits", "requests"};
    const struct value *resources = value_get(container, TEXT("resources"));
    size_t here = w->path.n;

    for (size_t i = 0; resources && i < N_ELEMENTS(names); i++) {
        for (size_t k = 0; k < N_ELEMENTS(lists); k++) {
            const struct value *v = value_get(value_get(resources, text_of(lists[k])), text_of(names[i]));
            if (!v)
                continue;
            buffer_addf(&w->path, ".resources.%s[%s]", lists[k], names[i]);
            warn_fraction(w, v, NULL);
            w->path.n = here;
        }
    }
}

static void check_container(struct warnings *w, const struct value *container, void *ctx)
{
    check_annotations(w, container);
    check_resources(w, container);
    check_env(w, value_get(container, TEXT("env")));
}

/* --- ports --- */

struct port {
    const char *path;
    struct text protocol, host_ip;
    int64_t number, host;
};
struct ports {
    struct port *p;
    size_t n;
};

static void compare_ports(struct warnings *w, const struct port *port, const struct port *other)
{
    bool same_host = port->host == other->host;

    if (port->number != other->number || !text_eq(port->protocol, other->protocol))
        return;
    if (same_host && text_eq(port->host_ip, other->host_ip))
        warnings_say(w, "duplicate port definition with %s", other->path);
    else if (port->host == 0 || other->host == 0)
        warnings_say(w, "overlapping port definition with %s", other->path);
    else if (same_host && (port->host_ip.n == 0) != (other->host_ip.n == 0))
        warnings_say(w, "dangerously ambiguous port definition with %s", other->path);
}

static void check_ports(struct warnings *w, const struct value *container, void *ctx)
{
    struct ports *all = ctx;
    const struct value *list = value_get(container, TEXT("ports"));
    size_t here = w->path.n;

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n && all->n < PORTS_MAX; i++) {
        const struct value *v = &list->items[i];
        struct port port = {.protocol = value_get_text(v, TEXT("protocol")),
                            .host_ip = value_get_text(v, TEXT("hostIP")),
                            .number = value_get_int(v, TEXT("containerPort"), 0),
                            .host = value_get_int(v, TEXT("hostPort"), 0)};
        warnings_step(w, ".ports", i);
        port.path = arena_str(w->op->arena, buffer_text(&w->path));
        if (port.host_ip.n && !port.host) /* in Go's form of a struct */
            warnings_say(w, "hostIP set without hostPort: {Name:%.*s HostPort:0 ContainerPort:%lld Protocol:%.*s HostIP:%.*s}",
                         TEXT_ARG(value_get_text(v, TEXT("name"))), (long long)port.number, TEXT_ARG(port.protocol),
                         TEXT_ARG(port.host_ip));
        for (size_t k = 0; k < all->n; k++)
            compare_ports(w, &port, &all->p[k]);
        all->p = arena_grow(w->op->arena, all->p, all->n * sizeof(port), (all->n + 1) * sizeof(port));
        all->p[all->n++] = port;
        w->path.n = here;
    }
}

static void check_port_names(struct warnings *w, const struct value *container, void *ctx)
{
    struct map *seen = ctx;
    const struct value *list = value_get(container, TEXT("ports"));
    size_t here = w->path.n;

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        struct text name = value_get_text(&list->items[i], TEXT("name"));
        const char *other = name.n ? map_get(seen, name) : NULL;
        if (!name.n)
            continue;
        warnings_step(w, ".ports", i);
        if (other)
            warnings_say(w, "duplicate port name %s with %s, services and probes that select ports by name will use %s",
                         quoted(w, name), other, other);
        else
            map_put(seen, name, arena_str(w->op->arena, buffer_text(&w->path)));
        w->path.n = here;
    }
}

static bool check_containers(struct warnings *w, const struct value *spec, const char *arg)
{
    struct ports ports = {0};
    struct map names = {0};

    each_container(w, spec, check_container, NULL);
    each_container(w, spec, check_ports, &ports);
    each_container(w, spec, check_port_names, &names);
    map_deinit(&names);
    return false;
}

/* --- the rest of the spec --- */

static bool warn_label_values(struct warnings *w, const struct value *list, const char *arg)
{
    const char *problems[FORMAT_ERRORS_MAX];
    size_t here = w->path.n;

    for (size_t i = 0; list->kind == VALUE_LIST && i < list->n; i++) {
        struct text value = value_text(&list->items[i]);
        size_t n = format_check(FORMAT_LABEL_VALUE, value, problems);
        warnings_step(w, "", i);
        for (size_t k = 0; k < n; k++)
            warnings_say(w, "%.*s is invalid, %s", TEXT_ARG(value), problems[k]);
        w->path.n = here;
    }
    return false;
}

static bool lacks_seccomp(struct warnings *w, const struct value *v, const char *arg)
{
    return !value_at(w->root, "spec", "securityContext", "seccompProfile", NULL);
}

static bool is_empty_name(struct warnings *w, const struct value *reference, const char *arg)
{
    size_t here = w->path.n;

    if (value_get_text(reference, TEXT("name")).n)
        return false;
    buffer_add_str(&w->path, ".name");
    warnings_say(w, "invalid empty name \"\"");
    w->path.n = here;
    return false;
}

#define NO_MATCH "a null labelSelector results in matching no pod"
#define IN_AFFINITY(which) "spec.affinity." which

static const struct warning_rule of_spread[] = {
    {"topologyKey", .check = warn_node_label, .arg = "is"},
    {"labelSelector", NO_MATCH, .is_absent = true},
    {0},
};
static const struct warning_rule of_preference[] = {
    {"key", .check = warn_node_label, .arg = "is"},
    {"values", .check = warn_label_values},
    {0},
};
static const struct warning_rule of_volume[] = {
    {"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
    {"gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
    {"scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
    {"flocker", "deprecated in v1.22, non-functional in v1.25+"},
    {"storageos", "deprecated in v1.22, non-functional in v1.25+", .shown = "storageOS"},
    {"quobyte", "deprecated in v1.22, non-functional in v1.25+"},
    {"glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
    {"ephemeral.volumeClaimTemplate.spec", .each = warnings_of_claim_spec},
    {"cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    {"rbd", "deprecated in v1.28, non-functional in v1.31+"},
    {0},
};

const struct warning_rule warnings_of_claim_spec[] = {
    {"resources.requests[storage]", .check = warn_fraction},
    {"resources.limits[storage]", .check = warn_fraction},
    {0},
};

const struct warning_rule warnings_of_pod[] = {
    {"spec.nodeSelector", .check = warn_node_labels, .arg = "["},
    {IN_AFFINITY("nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[].key"),
     .check = warn_node_label, .arg = "is"},
    {IN_AFFINITY("nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[]"),
     .each = of_preference},
    {"spec.topologySpreadConstraints[]", .each = of_spread},
    {"metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]",
     "non-functional in v1.16+; use the \"priorityClassName\" field instead"},
    {"metadata.annotations[security.alpha.kubernetes.io/sysctls]",
     "non-functional in v1.11+; use the \"sysctls\" field instead"},
    {"metadata.annotations[security.alpha.kubernetes.io/unsafe-sysctls]",
     "non-functional in v1.11+; use the \"sysctls\" field instead"},
    {"spec.volumes[]", .each = of_volume},
    {"spec.volumes", .check = warn_volume_paths},
    {"spec.hostAliases", .check = warn_repeats, .arg = "ip"},
    {"spec.imagePullSecrets", .check = warn_repeats, .arg = "name"},
    {"spec.imagePullSecrets[]", .check = is_empty_name},
    {"spec.overhead[memory]", .check = warn_fraction},
    {"spec.overhead[ephemeral-storage]", .check = warn_fraction},
    {"metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]",
     "non-functional in v1.27+; use the \"seccompProfile\" field instead", .check = lacks_seccomp},
    {"spec", .check = check_containers},
    {"spec.terminationGracePeriodSeconds", "must be >= 0; negative values are invalid and will be treated as 1",
     .check = warn_is_negative},
    {IN_AFFINITY("podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector"), NO_MATCH, .is_absent = true},
    {IN_AFFINITY("podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector"), NO_MATCH,
     .is_absent = true},
    {IN_AFFINITY("podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector"), NO_MATCH,
     .is_absent = true},
    {IN_AFFINITY("podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector"), NO_MATCH,
     .is_absent = true},
    {"spec.dnsConfig.nameservers[]", .check = warn_ip},
    {"spec.hostAliases[].ip", .check = warn_ip},
    {0},
};

/* Updates of pods warn of nothing: no people make them, and they are many. */
void warn_pod(struct operation *op, const struct value *obj, const struct value *old)
{
    struct text name = value_get_text(metadata_of(obj), TEXT("name"));

    if (old)
        return;
    warn_unless_label(op, name, "the Pod's hostname");
    warnings_walk(op, warnings_of_pod, obj, "");
}
