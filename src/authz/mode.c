/* SPDX-License-Identifier: Apache-2.0 */
/* From a mode's name to its maker: a new mode is a row in both tables here. */
#include "authz/modes.h"

const char *const authz_mode_names[] = {"ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"};
const size_t n_authz_modes = N_ELEMENTS(authz_mode_names);

static int (*const makers[])(const struct authz_options *opt, struct authz_mode **ret, struct status *st) = {
    abac_mode_new, always_allow_new, always_deny_new, node_mode_new, rbac_mode_new, webhook_mode_new,
};
_Static_assert(N_ELEMENTS(makers) == N_ELEMENTS(authz_mode_names), "each name has its maker");

int authz_mode_new(struct text name, const struct authz_options *opt, struct authz_mode **ret,
                   struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer names = BUFFER_INIT;

    for (size_t i = 0; i < n_authz_modes; i++) {
        if (text_is(name, authz_mode_names[i]))
            return makers[i](opt, ret, st);
        buffer_addf(&names, "%s%s", i ? ", " : "", authz_mode_names[i]);
    }
    return status_set(st, STATUS_BAD_REQUEST, "authorization-mode \"%.*s\" is not a valid mode: there are %s",
                      TEXT_ARG(name), buffer_str(&names));
}

const char *authz_mode_metric_name(struct arena *a, struct text type)
{
    char *name = arena_str(a, type);

    for (size_t i = 0; i < type.n; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] += 'a' - 'A';
    return name;
}
