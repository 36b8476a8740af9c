/* SPDX-License-Identifier: Apache-2.0 */
/* fixtures.h - objects that the server itself wants to be there, as JSON. */
#pragma once

#include "registry.h"

struct fixture {
    const char *group, *version, *resource;
    const char *namespace; /* "" for cluster-scoped ones */
    struct text json;
    bool is_kept_up; /* an object that says otherwise is replaced */
};
/* Creates the object unless it is there. Blocks: never on an event loop or the committer's thread. A resource that is switched
 * off counts as done. */
int fixture_ensure(const struct registry *reg, const struct fixture *f, struct status *st);
