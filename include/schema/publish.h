/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - types as OpenAPI definitions, of version 2 or 3, for everything that a document refers to.
 * One struct publish is one document: it gives out references and remembers them; at the end it writes the
 * definitions of all that was referred to, directly or not. Threads: one at a time.
 * Source: kubernetes/kube-openapi pkg/generators, pkg/openapiconv. */
#pragma once

#include "schema.h"

struct published {
    struct text name;
    const struct schema *schema; /* NULL: not in the tables */
    bool is_special;
    struct value definition;
};
struct publish {
    struct arena *arena; /* of all that is made */
    bool is_v3;
    /* Version 3 documents are those of one group-version: kinds that belong to all are said to be this one's.
     */
    struct text group, version;
    struct map seen; /* private from here on */
    VEC(struct published) queue;
};
void publish_deinit(struct publish *p); /* not the arena */

/* {"$ref": ...} to the type of this full name; built-in types, specials, Patch and version's Info. */
struct value publish_reference(struct publish *p, struct text full_name);
/* Adds the definitions to an object, by name. */
void publish_definitions(struct publish *p, struct value *ret);
