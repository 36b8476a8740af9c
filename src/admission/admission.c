/* SPDX-License-Identifier: Apache-2.0 */
/* The chain: which plugins are on, what they are told at their start, and the two phases over them. A request
 * is shown to the rules that fit it, plugin after plugin; the first refusal ends it. Source:
 * kubernetes/apiserver pkg/server/options/admission.go, pkg/admission/chain.go, pkg/admission/config.go. */
#include "admission/plugin.h"

#include "admission/config.h"

struct active {
    const struct admission_plugin *plugin;
    void *state;
    bool is_started;
};

struct admission {
    struct admission_hooks hooks;
    struct arena *arena;
    struct active *active; /* in calling order */
    size_t n;
};

/* --- the phases --- */

static bool fits(const struct admission_rule *rule, const struct admission_attributes *a)
{
    const struct resource_type *type = a->resource->type;
    struct text sub = a->sub ? a->sub->name : TEXT_NONE;

    if (!(rule->verbs & a->verb) || !(text_is(rule->sub, "*") || text_eq(rule->sub, sub)))
        return false;
    return text_is(rule->resource, "*") ||
           (text_eq(rule->resource, type->name) && text_eq(rule->group, type->group));
}

enum phase { ADMIT, VALIDATE };

static int run(const struct admission *ad, enum phase phase, struct admission_attributes *a, struct status *st)
{
    for (size_t i = 0; i < ad->n; i++)
        for (size_t k = 0; k < ad->active[i].plugin->n_rules; k++) {
            const struct admission_rule *rule = &ad->active[i].plugin->rules[k];
            admission_step step = phase == ADMIT ? rule->admit : rule->validate;
            if (step && fits(rule, a) && step(ad->active[i].state, a, st) < 0)
                return -1;
        }
    return 0;
}

static int admit(void *ctx, struct admission_attributes *a, struct status *st)
{
    return run(ctx, ADMIT, a, st);
}

static int validate(void *ctx, struct admission_attributes *a, struct status *st)
{
    return run(ctx, VALIDATE, a, st);
}

static bool may_wait(void *ctx, const struct admission_attributes *a)
{
    const struct admission *ad = ctx;

    for (size_t i = 0; i < ad->n; i++)
        for (size_t k = 0; k < ad->active[i].plugin->n_rules; k++) {
            const struct admission_rule *rule = &ad->active[i].plugin->rules[k];
            if (rule->may_wait && fits(rule, a) && rule->may_wait(ad->active[i].state, a))
                return true;
        }
    return false;
}

/* --- which ones --- */

bool admission_plugin_at(size_t i, struct admission_plugin_info *ret)
{
    if (i >= n_admission_plugins)
        return false;
    *ret = (struct admission_plugin_info){admission_plugins[i]->name, admission_plugins[i]->is_default,
                                          admission_plugins[i]->rules != NULL};
    return true;
}

static bool is_known(struct text name)
{
    for (size_t i = 0; i < n_admission_plugins; i++)
        if (text_is(name, admission_plugins[i]->name))
            return true;
    return false;
}

static void check_names(struct arena *a, const char *flag, const struct text_list *names,
                        struct text_list *errors)
{
    for (size_t i = 0; names && i < names->n; i++)
        if (!is_known(names->p[i]))
            text_list_add(a, errors,
                          arena_textf(a, "%s plugin \"%.*s\" is unknown", flag, TEXT_ARG(names->p[i])));
}

static int check_flags(struct arena *a, const struct admission_options *opt, struct status *st)
{
    struct text_list errors = {0}, both = {0};
    struct buffer b = BUFFER_IN(a);

    check_names(a, "enable-admission-plugins", opt->enable, &errors);
    check_names(a, "disable-admission-plugins", opt->disable, &errors);
    for (size_t i = 0; opt->enable && i < opt->enable->n; i++)
        if (text_list_has(opt->disable, opt->enable->p[i]))
            text_list_add_once(a, &both, opt->enable->p[i]);
    if (both.n) {
        text_list_sort(&both);
        for (size_t i = 0; i < both.n; i++)
            buffer_addf(&b, "%s%.*s", i ? " " : "", TEXT_ARG(both.p[i]));
        text_list_add(a, &errors,
                      arena_textf(a,
                                  "[%s] in enable-admission-plugins and disable-admission-plugins overlapped",
                                  buffer_str(&b)));
        buffer_clear(&b);
    }
    text_list_write_errors(&b, &errors);
    return errors.n ? status_set(st, STATUS_BAD_REQUEST, "%s", buffer_str(&b)) : 0;
}

static bool is_on(const struct admission_plugin *p, const struct admission_options *opt)
{
    struct text name = text_of(p->name);

    return text_list_has(opt->enable, name) || (p->is_default && !text_list_has(opt->disable, name));
}

/* --- start and stop --- */

static int start_plugin(struct admission *ad, const struct admission_plugin *p,
                        const struct admission_options *opt, const struct admission_config *config,
                        struct status *st)
{
    struct plugin_context c = {.opt = opt, .arena = ad->arena};
    struct active *active = &ad->active[ad->n];
    struct value own;

    if (admission_config_of(config, ad->arena, text_of(p->name), &own, st) < 0)
        return status_wrap(st, "couldn't init admission plugin \"%s\"", p->name);
    c.config = own.kind == VALUE_NULL ? NULL : &own;
    *active = (struct active){.plugin = p};
    if (p->start && p->start(&c, &active->state, st) < 0)
        return status_wrap(st, "couldn't init admission plugin \"%s\"", p->name);
    ad->n++;
    return 0;
}

int admission_start(const struct admission_options *opt, struct admission **ret, struct status *st)
{
    struct arena *arena = arena_new();
    struct admission *ad = ARENA_NEW(arena, struct admission);
    struct admission_config config = {0};

    *ad = (struct admission){.hooks = {admit, validate, may_wait, ad}, .arena = arena};
    ad->active = ARENA_ARRAY(arena, struct active, n_admission_plugins);
    *ret = ad;
    if (check_flags(arena, opt, st) < 0 ||
        (opt->config_file && admission_config_read(arena, opt->config_file, &config, st) < 0))
        return -1;
    for (size_t i = 0; i < n_admission_plugins; i++)
        if (admission_plugins[i]->rules && is_on(admission_plugins[i], opt) &&
            start_plugin(ad, admission_plugins[i], opt, &config, st) < 0)
            return -1;
    return 0;
}

void admission_stop(struct admission *ad)
{
    if (!ad)
        return;
    for (size_t i = 0; i < ad->n; i++)
        if (ad->active[i].plugin->stop)
            ad->active[i].plugin->stop(ad->active[i].state);
    arena_free(ad->arena);
}

const struct admission_hooks *admission_hooks(const struct admission *ad)
{
    return &ad->hooks;
}
