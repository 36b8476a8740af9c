/* SPDX-License-Identifier: Apache-2.0 */
/* PodSecurity: a namespace's labels say which standard its pods must meet (enforce), and of which its users
 * are warned (warn). Templates are only warned of. A stricter label is checked against the pods that are
 * there, for a warning: that takes time, so such updates run on a worker. Exempt are users, namespaces and
 * runtime classes of the plugin's configuration. What the standard of "audit" has against a pod belongs into
 * the audit trail, which is not there yet. Source: kubernetes/pod-security-admission admission/admission.go,
 * kubernetes plugin/pkg/admission/security/podsecurity. */
#include "admission/pod_security.h"

#define PODS_MAX 3000 /* that a namespace's new label is checked against */
#define CHECK_MS 1000

struct pod_security {
    struct security_policy defaults;
    struct text_list users, namespaces, classes; /* exempt */
};

/* --- configuration --- */

static struct text get_member(const void *from, struct text key, bool *ret_has)
{
    const struct value *v = value_get(from, key);

    *ret_has = v != NULL;
    return value_text(v);
}

static int read_level(const struct value *defaults, const char *key, enum security_level *ret,
                      struct status *st)
{
    struct text t = text_at(defaults, key);

    *ret = LEVEL_PRIVILEGED;
    if (!t.n || security_level_read(t, ret))
        return 0;
    return status_set(st, STATUS_BAD_REQUEST, "defaults.%s: Invalid value: \"%.*s\": %s", key, TEXT_ARG(t),
                      security_level_fault);
}

static int read_version(const struct value *defaults, const char *key, int *ret, struct status *st)
{
    struct text t = text_at(defaults, key);

    *ret = VERSION_LATEST;
    if (!t.n || security_version_read(t, ret))
        return 0;
    return status_set(st, STATUS_BAD_REQUEST, "defaults.%s: Invalid value: \"%.*s\": %s", key, TEXT_ARG(t),
                      security_version_fault);
}

static int read_exemptions(struct arena *a, const struct value *config, const char *key,
                           const char *(*problem)(struct text), struct text_list *ret, struct status *st)
{
    const struct value *list = value_at(config, "exemptions", key, NULL);

    for (size_t i = 0; i < list_size(list); i++) {
        struct text t = value_text(&list->items[i]);
        const char *why = problem(t);
        if (why)
            return status_set(st, STATUS_BAD_REQUEST, "exemptions.%s[%zu]: Invalid value: \"%.*s\": %s", key,
                              i, TEXT_ARG(t), why);
        if (text_list_has(ret, t))
            return status_set(st, STATUS_BAD_REQUEST, "exemptions.%s[%zu]: Duplicate value: \"%.*s\"", key, i,
                              TEXT_ARG(t));
        text_list_add(a, ret, t);
    }
    return 0;
}

static const char *user_problem(struct text t)
{
    return t.n ? NULL : "username must not be empty";
}

static int read_config(struct arena *a, const struct value *config, struct pod_security *p, struct status *st)
{
    const struct value *defaults = value_get(config, TEXT("defaults"));
    struct text version = text_at(config, "apiVersion");

    if (!text_is(text_at(config, "kind"), "PodSecurityConfiguration") ||
        !text_starts(version, TEXT("pod-security.admission.config.k8s.io/v1")))
        return status_set(st, STATUS_BAD_REQUEST, "no kind \"%.*s\" is registered for version \"%.*s\"",
                          TEXT_ARG(text_at(config, "kind")), TEXT_ARG(version));
    if (read_level(defaults, "enforce", &p->defaults.enforce.level, st) < 0 ||
        read_version(defaults, "enforce-version", &p->defaults.enforce.version, st) < 0 ||
        read_level(defaults, "warn", &p->defaults.warn.level, st) < 0 ||
        read_version(defaults, "warn-version", &p->defaults.warn.version, st) < 0 ||
        read_level(defaults, "audit", &p->defaults.audit.level, st) < 0 ||
        read_version(defaults, "audit-version", &p->defaults.audit.version, st) < 0)
        return -1;
    if (read_exemptions(a, config, "namespaces", format_dns1123_label, &p->namespaces, st) < 0 ||
        read_exemptions(a, config, "runtimeClasses", format_dns1123_subdomain, &p->classes, st) < 0 ||
        read_exemptions(a, config, "usernames", user_problem, &p->users, st) < 0)
        return -1;
    return 0;
}

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    struct pod_security *p = ARENA_NEW(c->arena, struct pod_security);
    const struct security_demand none = {LEVEL_PRIVILEGED, VERSION_LATEST};

    p->defaults = (struct security_policy){none, none, none};
    *ret_state = p;
    return c->config ? read_config(c->arena, c->config, p, st) : 0;
}

/* --- one pod or template --- */

static bool is_exempt_class(const struct pod_security *p, const struct value *spec)
{
    struct text class = text_at(spec, "runtimeClassName");

    return class.n && text_list_has(&p->classes, class);
}

static int evaluate(const struct pod_security *p, struct admission_attributes *a,
                    const struct security_policy *policy, const struct value *pod, bool enforces,
                    struct status *st)
{
    const struct value *metadata = metadata_of(pod), *spec = spec_of(pod);
    struct security_faults faults;

    if (is_exempt_class(p, spec))
        return 0;
    if (enforces) {
        faults = security_check(a->arena, policy->enforce, metadata, spec);
        if (faults.n)
            return status_forbidden(
                st, a->resource->type->group, a->resource->type->name, a->name,
                arena_printf(a->arena, "violates PodSecurity %.*s: %s",
                             TEXT_ARG(quoted(a->arena, security_demand_text(a->arena, policy->enforce))),
                             buffer_str(&faults.details)));
        if (security_demand_is(policy->enforce, policy->warn))
            return 0;
    }
    faults = security_check(a->arena, policy->warn, metadata, spec);
    if (faults.n)
        admission_warn(a, "would violate PodSecurity %.*s: %s",
                       TEXT_ARG(quoted(a->arena, security_demand_text(a->arena, policy->warn))),
                       buffer_str(&faults.details));
    return 0;
}

static struct text get_label(const void *from, struct text key, bool *ret_has)
{
    return label_of(from, key, ret_has);
}

/* False: nobody needs to look. */
static bool find_policy(const struct pod_security *p, const struct admission_attributes *a,
                        struct security_policy *ret)
{
    if (text_list_has(&p->namespaces, a->namespace) || text_list_has(&p->users, a->user->name))
        return false;
    CLEANUP(object_unrefp)
    struct object *ns = admission_find_object(a, "", "v1", "namespaces", TEXT_NONE, a->namespace);
    if (!ns)
        return false;
    *ret = security_policy_of((struct security_labels){get_label, ns}, &p->defaults, NULL);
    return !security_policy_is_open(ret);
}

/* --- pods --- */

static bool has_new_images(const struct value *now, const struct value *before)
{
    for (size_t i = 0; i < 2; i++) { /* of these none is ever added */
        const struct value *list = value_get(now, container_lists[i]),
                           *old = value_get(before, container_lists[i]);
        if (list_size(list) != list_size(old))
            return true;
        for (size_t k = 0; k < list_size(list); k++)
            if (!text_eq(text_at(&list->items[k], "image"), text_at(&old->items[k], "image")))
                return true;
    }
    const struct value *late = value_get(now, container_lists[2]),
                       *old = value_get(before, container_lists[2]);
    for (size_t i = 0; i < list_size(late); i++) {
        const struct value *same = NULL;
        for (size_t k = 0; k < list_size(old) && !same; k++)
            if (text_eq(text_at(&old->items[k], "name"), text_at(&late->items[i], "name")))
                same = &old->items[k];
        if (!same || !text_eq(text_at(same, "image"), text_at(&late->items[i], "image")))
            return true;
    }
    return false;
}

static int check_pod(void *state, struct admission_attributes *a, struct status *st)
{
    static const char *const ignored[] = {"exec", "attach",      "binding", "eviction",
                                          "log",  "portforward", "proxy",   "status"};
    struct security_policy policy;

    for (size_t i = 0; i < N_ELEMENTS(ignored); i++)
        if (is_sub(a, ignored[i]))
            return 0;
    if (!find_policy(state, a, &policy) || (a->old && !has_new_images(spec_of(a->object), spec_of(a->old))))
        return 0;
    return evaluate(state, a, &policy, a->object, true, st);
}

static int check_template(void *state, struct admission_attributes *a, struct status *st)
{
    struct security_policy policy;
    const struct value *at = a->object;

    if (!find_policy(state, a, &policy) ||
        (policy.warn.level == LEVEL_PRIVILEGED && policy.audit.level == LEVEL_PRIVILEGED))
        return 0;
    if (is_resource(a, "batch", "cronjobs"))
        at = value_at(at, "spec", "jobTemplate", NULL);
    if (!is_resource(a, "", "podtemplates"))
        at = value_get(at, TEXT("spec"));
    at = value_get(at, TEXT("template"));
    return at && at->kind == VALUE_OBJECT ? evaluate(state, a, &policy, at, false, st) : 0;
}

/* --- namespaces --- */

/* Pods of which the same is to be said. */
struct same_faults {
    struct text reasons, first; /* the name that sorts first */
    size_t n;
};
struct survey {
    struct same_faults *p;
    size_t n, cap, n_pods, n_checked;
    struct text_list controllers; /* of which one pod was looked at */
};

static struct same_faults *find_faults(struct arena *a, struct survey *s, struct text reasons)
{
    for (size_t i = 0; i < s->n; i++)
        if (text_eq(s->p[i].reasons, reasons))
            return &s->p[i];
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        s->p = arena_grow(a, s->p, s->cap * sizeof(*s->p), cap * sizeof(*s->p));
        s->cap = cap;
    }
    s->p[s->n] = (struct same_faults){.reasons = reasons};
    return &s->p[s->n++];
}

static struct text controller_of(const struct value *pod)
{
    const struct value *owners = value_get(metadata_of(pod), TEXT("ownerReferences"));

    for (size_t i = 0; i < list_size(owners); i++)
        if (value_get_bool(&owners->items[i], TEXT("controller"), false))
            return text_at(&owners->items[i], "uid");
    return TEXT_NONE;
}

/* One pod of each controller first, then the others, as far as time and number go. */
static void look_at_pods(const struct pod_security *p, struct admission_attributes *a, struct cache *pods,
                         struct security_demand demand, bool is_first_round, int64_t until_ms,
                         struct survey *s)
{
    struct admission_list list;
    struct object *o;

    admission_list_open(&list, a->arena, pods, a->name);
    while ((o = admission_list_next(&list)) && s->n_checked < PODS_MAX && clock_mono_ms() < until_ms) {
        CLEANUP(arena_freep) struct arena *arena = arena_new();
        CLEANUP(status_clear) struct status ignored = {0};
        struct value tree;
        if (object_tree(arena, o, &tree, &ignored) < 0 || is_exempt_class(p, spec_of(&tree)))
            continue;
        struct text controller = controller_of(&tree);
        bool is_repeat = controller.n && text_list_has(&s->controllers, controller);
        s->n_pods += is_first_round;
        if (is_first_round ? is_repeat : !is_repeat)
            continue;
        if (is_first_round && controller.n)
            text_list_add(a->arena, &s->controllers, arena_text(a->arena, controller));
        s->n_checked++;
        struct security_faults faults = security_check(arena, demand, metadata_of(&tree), spec_of(&tree));
        if (!faults.n)
            continue;
        struct same_faults *same =
            find_faults(a->arena, s, arena_text(a->arena, buffer_text(&faults.reasons)));
        if (!same->n++ || text_cmp(o->name, same->first) < 0)
            same->first = arena_text(a->arena, o->name);
    }
    admission_list_close(&list);
}

static void warn_of_pods(const struct pod_security *p, struct admission_attributes *a,
                         struct security_demand demand)
{
    struct cache *pods = admission_cache(a->registry, "", "v1", "pods");
    int64_t until_ms = clock_mono_ms() + CHECK_MS;
    struct text_list lines = {0};
    struct survey s = {0};

    if (!pods || !a->may_block) /* nobody waits: there were no pods */
        return;
    look_at_pods(p, a, pods, demand, true, until_ms, &s);
    if (s.n_checked < s.n_pods)
        look_at_pods(p, a, pods, demand, false, until_ms, &s);
    if (s.n_checked < s.n_pods)
        admission_warn(
            a, "new PodSecurity enforce level only checked against the first %zu of %zu existing pods",
            s.n_checked, s.n_pods);
    if (s.n)
        admission_warn(a, "existing pods in namespace %.*s violate the new PodSecurity enforce level %.*s",
                       TEXT_ARG(quoted(a->arena, a->name)),
                       TEXT_ARG(quoted(a->arena, security_demand_text(a->arena, demand))));
    for (size_t i = 0; i < s.n; i++) {
        const struct same_faults *f = &s.p[i];
        struct buffer b = BUFFER_IN(a->arena);
        buffer_add(&b, f->first);
        if (f->n > 1)
            buffer_addf(&b, " (and %zu other pod%s)", f->n - 1, f->n > 2 ? "s" : "");
        buffer_addf(&b, ": %.*s", TEXT_ARG(f->reasons));
        text_list_add(a->arena, &lines, buffer_text(&b));
    }
    text_list_sort(&lines);
    for (size_t i = 0; i < lines.n; i++)
        admission_warn(a, "%.*s", TEXT_ARG(lines.p[i]));
}

static bool is_same_demand(struct security_demand x, struct security_demand y)
{
    return security_demand_is(x, y) || (x.level == LEVEL_PRIVILEGED && y.level == LEVEL_PRIVILEGED);
}

static void warn_of_exemption(const struct pod_security *p, struct admission_attributes *a,
                              const struct security_policy *policy, const struct value *labels)
{
    const struct {
        const char *mode, *label;
        struct security_demand demand;
    } modes[] = {{"enforce", "pod-security.kubernetes.io/enforce", policy->enforce},
                 {"audit", "pod-security.kubernetes.io/audit", policy->audit},
                 {"warn", "pod-security.kubernetes.io/warn", policy->warn}};
    struct buffer b = BUFFER_IN(a->arena);

    if (security_policy_is_open(policy) ||
        (is_same_demand(policy->enforce, p->defaults.enforce) &&
         is_same_demand(policy->audit, p->defaults.audit) && is_same_demand(policy->warn, p->defaults.warn)))
        return;
    for (size_t i = 0; i < N_ELEMENTS(modes); i++)
        if (modes[i].demand.level != LEVEL_PRIVILEGED &&
            (value_get(labels, text_of(modes[i].label)) ||
             value_get(labels, arena_textf(a->arena, "%s-version", modes[i].label))))
            buffer_addf(&b, "%s%s=%.*s", b.n ? ", " : "", modes[i].mode,
                        TEXT_ARG(security_demand_text(a->arena, modes[i].demand)));
    admission_warn(a, "namespace %.*s is exempt from Pod Security, and the policy (%s) will be ignored",
                   TEXT_ARG(quoted(a->arena, a->name)), buffer_str(&b));
}

static const struct value *labels_of(const struct value *obj)
{
    return value_get(metadata_of(obj), TEXT("labels"));
}

static bool same_errors(const struct field_errors *x, const struct field_errors *y)
{
    bool is_same = x->n == y->n;

    for (size_t i = 0; is_same && i < x->n; i++)
        is_same = strcmp(x->p[i].field, y->p[i].field) == 0 && strcmp(x->p[i].message, y->p[i].message) == 0;
    return is_same;
}

static int check_namespace(void *state, struct admission_attributes *a, struct status *st)
{
    const struct pod_security *p = state;
    struct field_errors errs = {.arena = a->arena}, old_errs = {.arena = a->arena};
    struct security_policy now =
        security_policy_of((struct security_labels){get_member, labels_of(a->object)}, &p->defaults, &errs);
    struct security_policy before =
        security_policy_of((struct security_labels){get_member, labels_of(a->old)}, &p->defaults, &old_errs);

    if (errs.n && !(a->old && same_errors(&errs, &old_errs)))
        return status_invalid(st, TEXT(""), TEXT("Namespace"), a->name, &errs);
    if (a->old &&
        (security_demand_is(now.enforce, before.enforce) || now.enforce.level == LEVEL_PRIVILEGED ||
         (now.enforce.version == before.enforce.version && now.enforce.level <= before.enforce.level)))
        return 0;
    if (text_list_has(&p->namespaces, a->name))
        warn_of_exemption(p, a, &now, labels_of(a->object));
    else if (a->old)
        warn_of_pods(p, a, now.enforce);
    return 0;
}

static bool has_pods(void *state, const struct admission_attributes *a)
{
    return admission_has_any(admission_cache(a->registry, "", "v1", "pods"), a->name);
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT("*"), CREATE | UPDATE, .validate = check_pod},
    {TEXT(""), TEXT("namespaces"), TEXT(""), CREATE, .validate = check_namespace},
    {TEXT(""), TEXT("namespaces"), TEXT(""), UPDATE, .validate = check_namespace, .may_wait = has_pods},
    {TEXT(""), TEXT("replicationcontrollers"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT(""), TEXT("podtemplates"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT("apps"), TEXT("replicasets"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT("apps"), TEXT("deployments"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT("apps"), TEXT("statefulsets"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT("apps"), TEXT("daemonsets"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT("batch"), TEXT("jobs"), TEXT(""), CREATE | UPDATE, .validate = check_template},
    {TEXT("batch"), TEXT("cronjobs"), TEXT(""), CREATE | UPDATE, .validate = check_template},
};
const struct admission_plugin plugin_pod_security = {"PodSecurity", true, RULES(rules), .start = start};
