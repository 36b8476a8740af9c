/* SPDX-License-Identifier: Apache-2.0 */
/* Which modes there are and in which order: by flags, or by a configuration file. The checks are upstream's.
 * Source: kubernetes pkg/kubeapiserver/options/authorization.go. */
#include "server/permissions.h"

static bool has_mode(const struct settings *set, const char *name)
{
    for (size_t i = 0; i < set->authorization_mode.n; i++)
        if (text_is(set->authorization_mode.p[i], name))
            return true;
    return false;
}

static int check_flags(const struct settings *set, struct status *st)
{
    const struct text_list *modes = &set->authorization_mode;

    if (set->authorization_config) {
        if (set->authorization_mode_is_set || set->authorization_webhook_config_file)
            return status_set(st, STATUS_BAD_REQUEST,
                              "--authorization-config can not be specified when --authorization-mode or "
                              "--authorization-webhook-* flags are defined");
        return 0;
    }
    if (!modes->n)
        return status_set(st, STATUS_BAD_REQUEST, "at least one authorization-mode must be passed");
    for (size_t i = 0; i < modes->n; i++)
        for (size_t j = 0; j < i; j++)
            if (text_eq(modes->p[i], modes->p[j]))
                return status_set(st, STATUS_BAD_REQUEST,
                                  "authorization-mode \"%.*s\" has mode specified more than once",
                                  TEXT_ARG(modes->p[i]));
    if (set->authorization_policy_file && !has_mode(set, "ABAC"))
        return status_set(st, STATUS_BAD_REQUEST,
                          "cannot specify --authorization-policy-file without mode ABAC");
    if (set->authorization_webhook_config_file && !has_mode(set, "Webhook"))
        return status_set(st, STATUS_BAD_REQUEST,
                          "cannot specify --authorization-webhook-config-file without mode Webhook");
    return 0;
}

static int start_modes(const struct settings *set, struct arena *a, const struct authz_options *opt,
                       struct authorizer **ret, struct status *st)
{
    const struct text_list *names = &set->authorization_mode;
    struct authz_mode **modes = ARENA_ARRAY(a, struct authz_mode *, names->n + 1);

    for (size_t n = 0; n < names->n; n++) {
        if (authz_mode_new(names->p[n], opt, &modes[n], st) == 0)
            continue;
        while (n-- > 0)
            modes[n]->free(modes[n]);
        return -1;
    }
    *ret = authorizer_new(modes, names->n);
    return 0;
}

int permissions_start(const struct settings *set, struct arena *a, struct registry *registry,
                      struct workers *workers, struct timers *timers, struct authorizer **ret,
                      struct authz_config **ret_config, struct status *st)
{
    const struct authz_options opt = {
        .registry = registry,
        .workers = workers,
        .policy_file = set->authorization_policy_file,
        .webhook_config_file = set->authorization_webhook_config_file,
        .webhook_version = set->authorization_webhook_version,
        .webhook_authorized_ttl_ms = set->authorization_webhook_cache_authorized_ttl / 1000000,
        .webhook_unauthorized_ttl_ms = set->authorization_webhook_cache_unauthorized_ttl / 1000000,
    };

    if (check_flags(set, st) < 0)
        return -1;
    if (set->authorization_config
            ? authz_config_start(set->authorization_config, &opt, timers, ret, ret_config, st) < 0
            : start_modes(set, a, &opt, ret, st) < 0)
        return -1;
    authorization_metrics_register();
    return authz_guard(*ret, &opt, st);
}
