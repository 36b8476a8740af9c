/* runtime_config.h - which versions and resources are served: the defaults of 1.36, changed by --runtime-config. */
#pragma once

#include "schema.h"
#include "server.h"

struct runtime_config;

/* BAD_REQUEST names the entry that means nothing. */
int runtime_config_parse(struct arena *a, const struct text_list *entries, struct runtime_config **ret,
                         struct status *st);
/* For struct registry_options.is_served; ctx is the struct runtime_config. */
bool runtime_config_serves(void *ctx, const struct resource_type *type);
