/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands as a table, in the order of --help. */
#include "server/subcommands.h"

#include <string.h>

#include "base.h"

const struct subcommand subcommands[] = {
    {"snapshot", "snapshot save|restore FILE [flags]",
     "Copies the embedded store of --data-dir into a file, while the server runs or not, or makes it from one.", snapshot_run},
    {"migrate", "migrate --from STORE --to STORE [flags]",
     "Copies everything from one store into an empty one: sqlite:FILE, or the URLs of etcd.", migrate_run},
};
const size_t n_subcommands = N_ELEMENTS(subcommands);

const struct subcommand *subcommand_find(const char *name)
{
    for (size_t i = 0; i < n_subcommands; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}
