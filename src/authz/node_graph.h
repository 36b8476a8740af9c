/* SPDX-License-Identifier: Apache-2.0 */
/* node_graph.h - what belongs to a node because a pod of it uses it. Threads: any. */
#pragma once

#include "authz/modes.h"
#include "storage.h"

enum node_thing {
    NODE_CONFIG_MAP = 'c',
    NODE_SECRET = 's',
    NODE_POD = 'p',
    NODE_CLAIM = 'v',  /* persistent volume claim */
    NODE_VOLUME = 'V', /* persistent volume */
    NODE_ATTACHMENT = 'a',
    NODE_SERVICE_ACCOUNT = 't',
    NODE_RESOURCE_CLAIM = 'r',
    NODE_RESOURCE_SLICE = 'l',
    NODE_CERTIFICATE_REQUEST = 'q',
};

struct node_graph;
struct node_graph *node_graph_new(void);
void node_graph_free(struct node_graph *g);
void node_graph_clear(struct node_graph *g); /* forgets everything */
/* An event of one of the resources that node_graph_resources names. previous: the object before, or NULL. */
void node_graph_put(struct node_graph *g, struct object *o, const struct object *previous, bool is_removed);
/* Is the thing used on the node? */
bool node_graph_has(struct node_graph *g, enum node_thing thing, struct text namespace, struct text name,
                    struct text node);

struct node_graph_resource {
    const char *group, *version, *name;
};
#define N_NODE_GRAPH_RESOURCES 5
extern const struct node_graph_resource node_graph_resources[N_NODE_GRAPH_RESOURCES];
