/* SPDX-License-Identifier: Apache-2.0 */
/* subcommands.h - what the program does besides serving: `keelson NAME ...`. */
#pragma once

#include <stddef.h>

struct subcommand {
    const char *name;
    const char *usage; /* what stands behind "keelson ", for --help */
    const char *help;  /* one sentence */
    /* argv[0] is the subcommand's name. The process's exit code. */
    int (*run)(int argc, char **argv);
};
extern const struct subcommand subcommands[];
extern const size_t n_subcommands;
/* NULL: there is none of that name. */
const struct subcommand *subcommand_find(const char *name);

int snapshot_run(int argc, char **argv); /* snapshot.c */
int migrate_run(int argc, char **argv);  /* migrate.c */
