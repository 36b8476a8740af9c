/* SPDX-License-Identifier: Apache-2.0 */
/* DefaultTolerationSeconds: how long pods stay on a node that is not ready or cannot be reached, unless they
 * say it themselves. Source: kubernetes plugin/pkg/admission/defaulttolerationseconds/admission.go. */
#include "admission/plugin.h"

struct toleration_defaults {
    struct text key;
    int64_t seconds;
};
#define N_DEFAULTS 2

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    struct toleration_defaults *d = ARENA_ARRAY(c->arena, struct toleration_defaults, N_DEFAULTS);

    d[0] = (struct toleration_defaults){TEXT("node.kubernetes.io/not-ready"), c->opt->not_ready_toleration_s};
    d[1] = (struct toleration_defaults){TEXT("node.kubernetes.io/unreachable"),
                                        c->opt->unreachable_toleration_s};
    *ret_state = d;
    return 0;
}

static bool tolerates(const struct value *tolerations, struct text key)
{
    for (size_t i = 0; i < list_size(tolerations); i++) {
        struct text own = text_at(&tolerations->items[i], "key"),
                    effect = text_at(&tolerations->items[i], "effect");
        if ((!own.n || text_eq(own, key)) && (!effect.n || text_is(effect, "NoExecute")))
            return true;
    }
    return false;
}

static int add_tolerations(void *state, struct admission_attributes *a, struct status *st)
{
    const struct toleration_defaults *d = state;
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    bool is_there[N_DEFAULTS];

    for (size_t i = 0; i < N_DEFAULTS; i++)
        is_there[i] = tolerates(value_get(spec, TEXT("tolerations")), d[i].key);
    for (size_t i = 0; i < N_DEFAULTS; i++) {
        struct value made = value_object();
        if (is_there[i])
            continue;
        value_add(a->arena, &made, TEXT("key"), value_string(d[i].key));
        value_add(a->arena, &made, TEXT("operator"), value_string(TEXT("Exists")));
        value_add(a->arena, &made, TEXT("effect"), value_string(TEXT("NoExecute")));
        value_add(a->arena, &made, TEXT("tolerationSeconds"), value_int(d[i].seconds));
        value_append(a->arena, list_at(a->arena, spec, TEXT("tolerations")), made);
    }
    return 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE | UPDATE, .admit = add_tolerations},
};
const struct admission_plugin plugin_default_toleration_seconds = {"DefaultTolerationSeconds", true,
                                                                   RULES(rules), .start = start};
