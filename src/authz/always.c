/* SPDX-License-Identifier: Apache-2.0 */
/* AlwaysAllow and AlwaysDeny, and the table from a mode's name to its maker: a new mode is a row here. */
#include "authz.h"

struct always {
    struct authz_mode mode;
    enum authz_decision decision;
    struct text reason;
};

static enum authz_decision always_authorize(struct authz_mode *m, struct arena *a,
                                            const struct authz_attributes *attrs, struct text *ret_reason)
{
    const struct always *always = CONTAINER_OF(m, struct always, mode);
    *ret_reason = always->reason;
    return always->decision;
}

static void always_free(struct authz_mode *m)
{
    free(CONTAINER_OF(m, struct always, mode));
}

static struct authz_mode *always_new(const char *name, enum authz_decision decision, struct text reason)
{
    struct always *always = xcalloc(1, sizeof(*always));
    always->mode = (struct authz_mode){.name = name, .authorize = always_authorize, .free = always_free};
    always->decision = decision;
    always->reason = reason;
    return &always->mode;
}

/* system:masters is let in by the union before a mode is asked; AlwaysDeny has no opinion rather than a veto, so that modes
 * behind it count, as upstream has it. */
static const struct {
    const char *name;
    enum authz_decision decision;
    struct text reason;
} modes[] = {
    {"AlwaysAllow", AUTHZ_ALLOW, TEXT_NONE},
    {"AlwaysDeny", AUTHZ_NO_OPINION, TEXT("Everything is forbidden.")},
};

int authz_mode_new(struct text name, struct authz_mode **ret, struct status *st)
{
    for (size_t i = 0; i < N_ELEMENTS(modes); i++) {
        if (!text_is(name, modes[i].name))
            continue;
        *ret = always_new(modes[i].name, modes[i].decision, modes[i].reason);
        return 0;
    }
    return status_set(st, STATUS_BAD_REQUEST,
                      "authorization-mode \"%.*s\" is not a mode that this server has: AlwaysAllow, AlwaysDeny",
                      TEXT_ARG(name));
}
