/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - the file of --admission-control-config-file: what each plugin is told, in itself or in a file of
 * its own. */
#pragma once

#include "base.h"

struct admission_config {
    struct value plugins; /* a list of {name, path, configuration}; null: none */
    struct text folder;   /* of the file: paths begin there */
    struct value legacy;  /* the whole file, in the two forms that had no kind; null: it is none */
};
/* BAD_REQUEST says what is wrong with the file. */
int admission_config_read(struct arena *a, const char *path, struct admission_config *ret, struct status *st);
int admission_config_parse(struct arena *a, struct text yaml, struct admission_config *ret,
                           struct status *st);
/* Null when the plugin is told nothing. */
int admission_config_of(const struct admission_config *c, struct arena *a, struct text plugin,
                        struct value *ret, struct status *st);
