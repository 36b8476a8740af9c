/* SPDX-License-Identifier: Apache-2.0 */
/* PodNodeSelector: a namespace's annotation, or the plugin's configuration, says on which nodes its pods may run. Source: kubernetes
 * plugin/pkg/admission/podnodeselector/admission.go. */
#include "admission/plugin.h"

#define ANNOTATION TEXT("scheduler.alpha.kubernetes.io/node-selector")

struct selectors {
    const struct value *by_namespace; /* texts; clusterDefaultNodeSelector among them; NULL: none */
};

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    struct selectors *s = ARENA_NEW(c->arena, struct selectors);

    s->by_namespace = value_get(c->config, TEXT("podNodeSelectorPluginConfig"));
    *ret_state = s;
    return 0;
}

/* "a=b, c=d" as an object. */
static int read_selector(struct arena *a, struct text t, struct value *ret, struct status *st)
{
    struct text rest = t, part;

    *ret = value_object();
    while (t.n && text_split(&rest, ',', &part)) {
        struct text value = part, key;
        text_split(&value, '=', &key);
        if (!value.p || text_find(value, '=') >= 0)
            return admission_fail(st, "invalid selector: [%.*s]", TEXT_ARG(part));
        key = text_trim(key);
        value = text_trim(value);
        const char *problem = format_qualified_name(key);
        if (!problem)
            problem = format_label_value(value);
        if (problem)
            return admission_fail(st, "invalid label %.*s: %s", TEXT_ARG(part), problem);
        value_set(a, ret, key, value_string(value));
    }
    return 0;
}

static int find_selector(const struct selectors *s, const struct admission_attributes *a, struct value *ret,
                         struct status *st)
{
    const struct value *annotation;
    struct value ns;

    if (!admission_find(a, "", "v1", "namespaces", TEXT_NONE, a->namespace, &ns))
        return status_not_found(st, TEXT_NONE, TEXT("namespaces"), a->namespace);
    annotation = annotation_of(&ns, ANNOTATION);
    return read_selector(a->arena,
                         annotation ? value_text(annotation)
                                    : text_at(s->by_namespace, "clusterDefaultNodeSelector"),
                         ret, st);
}

static int forbid(const struct admission_attributes *a, struct status *st, const char *why)
{
    return status_forbidden(st, TEXT_NONE, TEXT("pods"), name_of(a->object), why);
}

static bool conflicts(const struct value *x, const struct value *y)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct value *other = value_get(y, member_key(&x->members[i]));
        if (other && !value_equal(&x->members[i].value, other))
            return true;
    }
    return false;
}

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct selectors *s = state;
    const struct value *own = value_get(spec_of(a->object), TEXT("nodeSelector"));
    struct value wanted = {0}, allowed = {0};

    if (find_selector(s, a, &wanted, st) < 0)
        return -1;
    if (conflicts(&wanted, own))
        return forbid(a, st, "pod node label selector conflicts with its namespace node label selector");
    if (read_selector(a->arena, value_get_text(s->by_namespace, a->namespace), &allowed, st) < 0)
        return -1;
    for (size_t i = 0; allowed.n && own && own->kind == VALUE_OBJECT && i < own->n; i++) {
        const struct value *value = value_get(&allowed, member_key(&own->members[i]));
        if (!value || !value_equal(value, &own->members[i].value))
            return forbid(a, st, "pod node label selector labels conflict with its namespace whitelist");
    }
    return 0;
}

static int fill(void *state, struct admission_attributes *a, struct status *st)
{
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    struct value wanted = {0};

    if (find_selector(state, a, &wanted, st) < 0)
        return -1;
    if (conflicts(&wanted, value_get(spec, TEXT("nodeSelector"))))
        return forbid(a, st, "pod node label selector conflicts with its namespace node label selector");
    for (size_t i = 0; i < wanted.n; i++)
        value_set(a->arena, value_object_at(a->arena, spec, TEXT("nodeSelector")),
                  member_key(&wanted.members[i]), wanted.members[i].value);
    return check(state, a, st);
}

static const struct admission_rule rules[] = {{TEXT(""), TEXT("pods"), TEXT(""), CREATE, fill, check}};
const struct admission_plugin plugin_pod_node_selector = {"PodNodeSelector", false, RULES(rules),
                                                          .start = start};
