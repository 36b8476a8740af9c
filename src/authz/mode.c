/* SPDX-License-Identifier: Apache-2.0 */
/* From a mode's name to its maker: a new mode is a row here. */
#include "authz/modes.h"

static int new_always_allow(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    *ret = always_allow_new();
    return 0;
}

static int new_always_deny(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    *ret = always_deny_new();
    return 0;
}

static const struct {
    const char *name;
    int (*make)(const struct authz_options *opt, struct authz_mode **ret, struct status *st);
} makers[] = {
    {"AlwaysAllow", new_always_allow},
    {"AlwaysDeny", new_always_deny},
    {"Node", node_mode_new},
    {"RBAC", rbac_mode_new},
};

int authz_mode_new(struct text name, const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    struct buffer names = BUFFER_INIT;

    for (size_t i = 0; i < N_ELEMENTS(makers); i++) {
        if (text_is(name, makers[i].name))
            return makers[i].make(opt, ret, st);
        buffer_addf(&names, "%s%s", i ? ", " : "", makers[i].name);
    }
    status_set(st, STATUS_BAD_REQUEST, "authorization-mode \"%.*s\" is not a mode that this server has: %s", TEXT_ARG(name),
               buffer_str(&names));
    buffer_deinit(&names);
    return -1;
}
