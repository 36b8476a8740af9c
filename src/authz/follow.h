/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - watches of some resources that go on until they are stopped: where the cache ends them, since
 * the store was loaded anew, all of them begin again with the current objects. */
#pragma once

#include "registry.h"

struct follow_options {
    const struct resource *const *resources; /* NULL ones are left out */
    size_t n;
    struct workers *workers; /* where watches begin again; NULL: they do not (tests) */
    /* Before the first object of all, and after the last one that there was: what is known from before counts
     * no more. */
    void (*begin)(void *ctx);
    void (*synced)(void *ctx);
    /* previous: of a change that is no first word. Called as watchers are, see storage/cache.h. */
    void (*event)(void *ctx, struct object *o, const struct object *previous, bool is_removed);
    void *ctx;
};
struct follow;
/* Returns once all current objects were told. */
int follow_start(const struct follow_options *opt, struct follow **ret, struct status *st);
void follow_stop(struct follow *f); /* accepts NULL; nothing is called afterwards */
