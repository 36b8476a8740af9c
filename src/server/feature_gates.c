/* SPDX-License-Identifier: Apache-2.0 */
/* Gates by name to choices, and choices to the few switches that exist. */
#include "server/feature_gates.h"

#include "base/features.h"

#define COMPONENT "kube"

static const char *const stage_names[] = {
    [GATE_ALPHA] = "ALPHA", [GATE_BETA] = "BETA", [GATE_GA] = "", [GATE_DEPRECATED] = "DEPRECATED"};

static struct metric_family enabled_metric = {
    .name = "kubernetes_feature_enabled",
    .help = "This metric records the data about the stage and enablement of a k8s feature.",
    .type = METRIC_GAUGE,
    .stability = "BETA",
    .labels = {"name", "stage", NULL},
};

static const struct feature_gate *find_gate(struct text name)
{
    for (size_t i = 0; i < n_feature_gates; i++)
        if (text_is(name, feature_gates[i].name))
            return &feature_gates[i];
    return NULL;
}

static const char *bool_name(bool b)
{
    return b ? "true" : "false";
}

/* --- the entries --- */

/* Errors that upstream gathers, as it prints several. */
struct problems {
    struct buffer text;
    size_t n;
};

static void add_problem(struct problems *p, const char *message)
{
    buffer_addf(&p->text, "%s%s", p->n++ ? ", " : "", message);
}

static int fail_with(struct problems *p, struct status *st)
{
    return status_set(st, STATUS_BAD_REQUEST, p->n > 1 ? "[%s]" : "%s", buffer_str(&p->text));
}

/* Takes the component off the entry. */
static int read_component(struct text *entry, struct status *st)
{
    struct text rest = *entry, component;

    if (text_find(rest, ':') < 0)
        return 0;
    text_split(&rest, ':', &component);
    component = text_trim(component);
    *entry = text_trim(rest);
    if (!component.n || text_is(component, COMPONENT))
        return component.n > 0;
    return status_set(st, STATUS_BAD_REQUEST, "component not registered: %.*s", TEXT_ARG(component));
}

/* One entry into its choice; -1 ends it all, as an unknown gate does. */
static int read_entry(struct arena *a, struct text entry, struct gate_choice *choices, struct problems *p,
                      struct status *st)
{
    struct text value = entry, name;
    bool is_on;

    text_split(&value, '=', &name);
    name = text_trim(name);
    if (!value.p)
        return status_set(st, STATUS_BAD_REQUEST, "missing bool value for %.*s", TEXT_ARG(name));
    value = text_trim(value);
    if (!text_to_bool(value, &is_on))
        return status_set(
            st, STATUS_BAD_REQUEST,
            "invalid value of %.*s=%.*s, err: strconv.ParseBool: parsing \"%.*s\": invalid syntax",
            TEXT_ARG(name), TEXT_ARG(value), TEXT_ARG(value));
    const struct feature_gate *gate = find_gate(name);
    if (!gate) {
        add_problem(p, arena_printf(a, "unrecognized feature gate: %.*s", TEXT_ARG(name)));
        return fail_with(p, st);
    }
    choices[gate - feature_gates] = (struct gate_choice){is_on, true};
    return 0;
}

static void check_locks(struct arena *a, const struct gate_choice *choices, struct problems *p)
{
    for (size_t i = 0; i < n_feature_gates; i++) {
        const struct feature_gate *g = &feature_gates[i];
        if (g->is_locked && choices[i].is_on != g->default_value)
            add_problem(p, arena_printf(a, "cannot set feature gate %s to %s, feature is locked to %s",
                                        g->name, bool_name(choices[i].is_on), bool_name(g->default_value)));
    }
}

/* AllAlpha and AllBeta stand for others and are nothing themselves. */
static bool is_group(const struct feature_gate *g)
{
    return strcmp(g->name, "AllAlpha") == 0 || strcmp(g->name, "AllBeta") == 0;
}

static void choose_stage(const char *name, enum gate_stage stage, struct gate_choice *choices)
{
    const struct feature_gate *all = find_gate(text_of(name));

    if (!choices[all - feature_gates].is_given)
        return;
    for (size_t i = 0; i < n_feature_gates; i++)
        if (feature_gates[i].stage == stage && !choices[i].is_given && !is_group(&feature_gates[i]))
            choices[i].is_on = choices[all - feature_gates].is_on;
}

static void check_needs(struct arena *a, const struct gate_choice *choices, struct problems *p)
{
    for (size_t i = 0; i < n_feature_gates; i++) {
        struct text rest = text_of(feature_gates[i].needs ? feature_gates[i].needs : ""), name;
        struct buffer missing = BUFFER_IN(a);
        if (!choices[i].is_on)
            continue;
        while (rest.n && text_split(&rest, ',', &name))
            if (!choices[find_gate(name) - feature_gates].is_on)
                buffer_addf(&missing, "%s%.*s", missing.n ? " " : "", TEXT_ARG(name));
        if (missing.n)
            add_problem(p, arena_printf(a, "%s is enabled, but depends on features that are disabled: [%s]",
                                        feature_gates[i].name, buffer_str(&missing)));
    }
}

int feature_gates_read(struct arena *a, const struct text_list *entries, struct gate_choice **ret,
                       struct status *st)
{
    struct gate_choice *choices = ARENA_ARRAY(a, struct gate_choice, n_feature_gates);
    struct problems p = {.text = BUFFER_IN(a)};
    size_t n_with_component = 0;

    for (size_t i = 0; i < n_feature_gates; i++)
        choices[i].is_on = feature_gates[i].default_value;
    for (size_t i = 0; i < entries->n; i++) {
        struct text entry = entries->p[i];
        int has_component = read_component(&entry, st);
        if (has_component < 0)
            return -1;
        n_with_component += (size_t)has_component;
        if (read_entry(a, entry, choices, &p, st) < 0)
            return -1;
    }
    if (n_with_component && n_with_component < entries->n)
        return status_set(
            st, STATUS_BAD_REQUEST,
            "set kube feature gates with default empty prefix or kube: prefix consistently, do not mix use");
    check_locks(a, choices, &p);
    choose_stage("AllAlpha", GATE_ALPHA, choices);
    choose_stage("AllBeta", GATE_BETA, choices);
    if (!p.n)
        check_needs(a, choices, &p);
    if (p.n)
        return fail_with(&p, st);
    *ret = choices;
    return 0;
}

/* --- what comes of them --- */

static bool switches(const struct feature_gate *g, enum feature *ret)
{
    for (enum feature f = 0; f < N_FEATURES; f++) {
        *ret = f;
        if (strcmp(g->name, feature_name(f)) == 0)
            return true;
    }
    return false;
}

/* As upstream tells of gates that will go. */
static void tell_of_end(const struct feature_gate *g, bool is_on)
{
    if (g->stage == GATE_DEPRECATED)
        log_info("Warning: setting deprecated feature gate. It will be removed in a future release.",
                 LOG_STR("featureGate", g->name), LOG_STR("value", bool_name(is_on)));
    else if (g->stage == GATE_GA)
        log_info("Warning: setting GA feature gate. It will be removed in a future release.",
                 LOG_STR("featureGate", g->name), LOG_STR("value", bool_name(is_on)));
}

void feature_gates_adopt(const struct gate_choice *choices)
{
    CLEANUP(buffer_deinit) struct buffer idle = BUFFER_INIT;

    metrics_register(&enabled_metric);
    for (size_t i = 0; i < n_feature_gates; i++) {
        const struct feature_gate *g = &feature_gates[i];
        enum feature f;
        metric_set(metric_cell(&enabled_metric, g->name, stage_names[g->stage]), choices[i].is_on);
        if (choices[i].is_given)
            tell_of_end(g, choices[i].is_on);
        if (switches(g, &f))
            feature_switch(f, choices[i].is_on);
        else if (choices[i].is_on != g->default_value && !is_group(g))
            buffer_addf(&idle, "%s%s=%s", idle.n ? "," : "", g->name, bool_name(choices[i].is_on));
    }
    if (idle.n)
        log_warning("Feature gates without effect: keelson does the same whether these are on or off",
                    LOG_TEXT("featureGates", buffer_text(&idle)));
}
