/* migrate.h - from one store to another, whatever their engines. Threads: one call at a time. */
#pragma once

#include "storage/backend.h"

/* How to open one; called once to read or write it, and for the target once more to look at what was written. */
struct migrate_store {
    int (*open)(void *ctx, struct backend **ret, struct status *st);
    void *ctx;
};
struct migrated {
    size_t n_objects;
    uint64_t revision; /* of the source */
};
/* Copies the bytes of every object, as they are (encrypted ones stay so), in the order of their revisions, then reads the target
 * and compares. The target must be empty. Leases of API servers (masterleases) stay behind: they end within seconds.
 * Nobody else may write either store meanwhile. */
int storage_migrate(const struct migrate_store *from, const struct migrate_store *to, struct migrated *ret,
                    struct status *st);
