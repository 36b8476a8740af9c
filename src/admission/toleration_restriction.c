/* SPDX-License-Identifier: Apache-2.0 */
/* PodTolerationRestriction: which tolerations a namespace's pods have, and which they may have, by the namespace's annotations or the
 * plugin's configuration. Source: kubernetes plugin/pkg/admission/podtolerationrestriction. */
#include "admission/toleration_sets.h"
#include "registry/quota.h"

#define DEFAULTS TEXT("scheduler.alpha.kubernetes.io/defaultTolerations")
#define ALLOWED TEXT("scheduler.alpha.kubernetes.io/tolerationsWhitelist")

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    *ret_state = (void *)c->config;
    if (!c->config ||
        (text_is(text_at(c->config, "kind"), "Configuration") &&
         text_is(text_at(c->config, "apiVersion"), "podtolerationrestriction.admission.k8s.io/v1alpha1")))
        return 0;
    return status_set(st, STATUS_BAD_REQUEST, "no kind \"%.*s\" is registered for version \"%.*s\"",
                      TEXT_ARG(text_at(c->config, "kind")), TEXT_ARG(text_at(c->config, "apiVersion")));
}

/* The namespace's, or those of the configuration. *ret_is_own: the namespace's. */
static int find(const struct admission_attributes *a, struct text annotation, const struct value *config,
                const char *member, struct value *ret, bool *ret_is_own, struct status *st)
{
    const struct json_options options = {.copy_strings = true};
    const struct value *given, *common = value_get(config, text_of(member));
    struct value ns;

    *ret = common ? *common : value_list();
    *ret_is_own = false;
    if (!admission_find(a, "", "v1", "namespaces", TEXT_NONE, a->namespace, &ns))
        return status_not_found(st, TEXT_NONE, TEXT("namespaces"), a->namespace);
    given = annotation_of(&ns, annotation);
    if (!given)
        return 0;
    *ret_is_own = true;
    *ret = value_list();
    if (!value_text(given).n)
        return 0;
    if (json_read(a->arena, value_text(given), &options, ret, st) == 0 && ret->kind == VALUE_LIST)
        return 0;
    const char *why = st->message ? arena_strdup(a->arena, st->message) : "not a list";
    return admission_fail(st, "%s", why);
}

static int check(void *config, struct admission_attributes *a, struct status *st)
{
    const struct value *own = value_get(spec_of(a->object), TEXT("tolerations"));
    struct value allowed;
    bool is_own;

    if (!list_size(own))
        return 0;
    if (find(a, ALLOWED, config, "whitelist", &allowed, &is_own, st) < 0)
        return -1;
    if (tolerations_are_within(own, &allowed))
        return 0;
    return admission_fail(
        st,
        "pod tolerations (possibly merged with namespace default tolerations) conflict with its %s whitelist",
        is_own ? "namespace" : "cluster");
}

static int fill(void *config, struct admission_attributes *a, struct status *st)
{
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    struct value more = value_list(), all = value_list(), pressure = value_object();
    bool is_own;

    if (!a->old && find(a, DEFAULTS, config, "default", &more, &is_own, st) < 0)
        return -1;
    for (size_t i = 0; i < list_size(&more); i++)
        value_append(a->arena, &all, more.items[i]);
    if (!text_is(pod_qos_class(a->arena, spec), "BestEffort")) {
        value_add(a->arena, &pressure, TEXT("key"), value_string(TEXT("node.kubernetes.io/memory-pressure")));
        value_add(a->arena, &pressure, TEXT("operator"), value_string(TEXT("Exists")));
        value_add(a->arena, &pressure, TEXT("effect"), value_string(TEXT("NoSchedule")));
        value_append(a->arena, &all, pressure);
    }
    if (all.n)
        tolerations_merge(a->arena, spec, &all);
    return check(config, a, st);
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE | UPDATE, fill, check}};
const struct admission_plugin plugin_toleration_restriction = {"PodTolerationRestriction", false,
                                                               RULES(rules), .start = start};
