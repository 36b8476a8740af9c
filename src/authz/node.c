/* SPDX-License-Identifier: Apache-2.0 */
/* The mode Node: what a kubelet may do. A kubelet is a user system:node:NAME in the group system:nodes. What
 * is secret, or another node's, it may have only if the graph relates it to the node; a table says which
 * verbs each such resource allows. All else goes by the rules of the role system:node. Admission
 * (NodeRestriction) looks into what is written. Source: kubernetes
 * plugin/pkg/auth/authorizer/node/node_authorizer.go, pkg/auth/nodeidentifier. */
#include "authz/bootstrap.h"
#include "authz/follow.h"
#include "authz/node_graph.h"

#define PREFIX TEXT("system:node:")

struct node_mode {
    struct authz_mode mode;
    struct node_graph *graph;
    struct follow *follow;
    struct arena *arena; /* of the rules */
    struct policy_rule *rules;
    size_t n_rules;
};

/* A question by a node. */
struct ask {
    struct node_mode *mode;
    struct arena *arena;
    const struct authz_attributes *attrs;
    const struct request_info *info;
    struct text node;
    struct authz_answer *answer;
};

/* --- answers --- */

static void allow(struct ask *q)
{
    q->answer->decision = AUTHZ_ALLOW;
}

static void refuse(struct ask *q, const char *why)
{
    log_verbose(2, "NODE DENY", LOG_TEXT("node", q->node), LOG_TEXT("verb", q->info->verb),
                LOG_TEXT("resource", q->info->resource), LOG_TEXT("namespace", q->info->namespace),
                LOG_TEXT("name", q->info->name));
    q->answer->reason = text_of(why);
}

static bool verb_is(const struct ask *q, const char *verbs)
{
    struct text rest = text_of(verbs), verb;

    while (text_split(&rest, ' ', &verb))
        if (text_eq(verb, q->info->verb))
            return true;
    return false;
}

static bool has_relation(struct ask *q, enum node_thing thing)
{
    return node_graph_has(q->mode->graph, thing, q->info->namespace, q->info->name, q->node);
}

static void by_relation(struct ask *q, enum node_thing thing)
{
    if (!q->info->name.n)
        refuse(q, "No Object name found");
    else if (has_relation(q, thing))
        allow(q);
    else
        refuse(q, arena_printf(q->arena, "no relationship found between node '%.*s' and this object",
                               TEXT_ARG(q->node)));
}

/* Does the request ask for those objects only whose field names this node? */
static bool selects_own(const struct ask *q, const char *field)
{
    const struct selector *s = q->attrs->fields;

    for (size_t i = 0; s && i < s->n; i++)
        if (s->requirements[i].op == SELECT_EQUALS && text_is(s->requirements[i].key, field) &&
            s->requirements[i].n_values == 1 && text_eq(s->requirements[i].values[0], q->node))
            return true;
    return false;
}

/* --- resources with rules of their own --- */

static void read_namespaced(struct ask *q, enum node_thing thing)
{
    if (!verb_is(q, "get list watch"))
        refuse(q, "can only read resources of this type");
    else if (q->info->subresource.n)
        refuse(q, "cannot read subresource");
    else if (!q->info->namespace.n)
        refuse(q, "can only read namespaced object of this type");
    else
        by_relation(q, thing);
}

static void get_one(struct ask *q, enum node_thing thing)
{
    if (!verb_is(q, "get"))
        refuse(q, "can only get individual resources of this type");
    else if (q->info->subresource.n)
        refuse(q, "cannot get subresource");
    else
        by_relation(q, thing);
}

static void on_claim(struct ask *q, enum node_thing thing)
{
    if (!text_is(q->info->subresource, "status"))
        get_one(q, thing);
    else if (!verb_is(q, "update patch"))
        refuse(q, "can only get/update/patch this type");
    else
        by_relation(q, thing);
}

/* The accounts of its pods: reads them, makes tokens for them. */
static void on_account(struct ask *q, enum node_thing thing)
{
    if (verb_is(q, "get") && !q->info->subresource.n)
        by_relation(q, thing);
    else if (!verb_is(q, "create") || !q->info->name.n)
        refuse(q, "can only create tokens for individual service accounts");
    else if (!text_is(q->info->subresource, "token"))
        refuse(q, "can only create token subresource of serviceaccount");
    else
        by_relation(q, thing);
}

static bool is_own_name(const struct ask *q)
{
    return verb_is(q, "create") || text_eq(q->info->name, q->node);
}

static void on_lease(struct ask *q, enum node_thing thing)
{
    if (!verb_is(q, "get create update patch delete"))
        refuse(q, "can only get, create, update, patch, or delete a node lease");
    else if (!text_is(q->info->namespace, "kube-node-lease"))
        refuse(q, "can only access leases in the \"kube-node-lease\" system namespace");
    else if (!is_own_name(q))
        refuse(q, "can only access node lease with the same name as the requesting node");
    else
        allow(q);
}

static void on_csi_node(struct ask *q, enum node_thing thing)
{
    if (!verb_is(q, "get create update patch delete"))
        refuse(q, "can only get, create, update, patch, or delete a CSINode");
    else if (q->info->subresource.n)
        refuse(q, "cannot authorize CSINode subresources");
    else if (!is_own_name(q))
        refuse(q, "can only access CSINode with the same name as the requesting node");
    else
        allow(q);
}

static void on_slice(struct ask *q, enum node_thing thing)
{
    if (q->info->subresource.n)
        refuse(q, "cannot authorize ResourceSlice subresources");
    else if (verb_is(q, "create"))
        allow(q);
    else if (verb_is(q, "get update patch delete"))
        by_relation(q, thing);
    else if (!verb_is(q, "watch list deletecollection"))
        refuse(q, "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, "
                  "update, patch, delete, "
                  "deletecollection");
    else if (selects_own(q, "nodeName") || selects_own(q, "spec.nodeName"))
        allow(q);
    else
        refuse(q, "can only list/watch/deletecollection resourceslices with spec.nodeName field selector");
}

static void on_certificate_request(struct ask *q, enum node_thing thing)
{
    if (q->info->subresource.n)
        refuse(q, "cannot authorize PodCertificateRequest subresources");
    else if (verb_is(q, "create"))
        allow(q);
    else if (verb_is(q, "get"))
        by_relation(q, thing);
    else if (!verb_is(q, "list watch"))
        refuse(q, "can only get, create, list, or watch a PodCertificateRequest");
    else if (selects_own(q, "spec.nodeName"))
        allow(q);
    else
        refuse(q, "can only list/watch podcertificaterequests with spec.nodeName field selector");
}

static void on_node(struct ask *q, enum node_thing thing)
{
    const struct request_info *info = q->info;

    if (text_is(info->subresource, "status") ? verb_is(q, "update patch")
                                             : !info->subresource.n && verb_is(q, "create update patch"))
        allow(q);
    else if (info->subresource.n || !verb_is(q, "get list watch"))
        refuse(q, "");
    else if (text_eq(info->name, q->node)) /* also before it exists */
        allow(q);
    else if (!info->name.n)
        refuse(q, arena_printf(q->arena, "node '%.*s' cannot read all nodes, only its own Node object",
                               TEXT_ARG(q->node)));
    else
        refuse(q, arena_printf(q->arena, "node '%.*s' cannot read '%.*s', only its own Node object",
                               TEXT_ARG(q->node), TEXT_ARG(info->name)));
}

static void on_pod(struct ask *q, enum node_thing thing)
{
    struct text sub = q->info->subresource;

    if (text_is(sub, "status")     ? verb_is(q, "update patch")
        : text_is(sub, "eviction") ? verb_is(q, "create")
                                   : !sub.n && verb_is(q, "create delete"))
        allow(q);
    else if (sub.n || !verb_is(q, "get list watch"))
        refuse(q, "");
    else if (verb_is(q, "get"))
        get_one(q, thing);
    else if (selects_own(q, "spec.nodeName"))
        allow(q);
    else if (q->info->name.n)
        by_relation(q, thing);
    else
        refuse(q, "can only list/watch pods with spec.nodeName field selector");
}

static const struct {
    const char *group, *resource;
    void (*answer)(struct ask *q, enum node_thing thing);
    enum node_thing thing;
} resources[] = {
    {"", "secrets", read_namespaced, NODE_SECRET},
    {"", "configmaps", read_namespaced, NODE_CONFIG_MAP},
    {"", "persistentvolumeclaims", on_claim, NODE_CLAIM},
    {"", "persistentvolumes", get_one, NODE_VOLUME},
    {"resource.k8s.io", "resourceclaims", get_one, NODE_RESOURCE_CLAIM},
    {"storage.k8s.io", "volumeattachments", get_one, NODE_ATTACHMENT},
    {"", "serviceaccounts", on_account, NODE_SERVICE_ACCOUNT},
    {"coordination.k8s.io", "leases", on_lease, 0},
    {"storage.k8s.io", "csinodes", on_csi_node, 0},
    {"resource.k8s.io", "resourceslices", on_slice, NODE_RESOURCE_SLICE},
    {"certificates.k8s.io", "podcertificaterequests", on_certificate_request, NODE_CERTIFICATE_REQUEST},
    {"", "nodes", on_node, 0},
    {"", "pods", on_pod, NODE_POD},
};

/* --- the mode --- */

static bool is_node(const struct user_info *user)
{
    return text_starts(user->name, PREFIX) && user_in_group(user, TEXT("system:nodes"));
}

static void node_authorize(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                           struct authz_answer *ret)
{
    struct node_mode *mode = CONTAINER_OF(m, struct node_mode, mode);
    struct ask q = {.mode = mode, .arena = a, .attrs = attrs, .info = attrs->info, .answer = ret};
    char scratch[RULE_SCRATCH_BYTES];
    struct rule_query query;

    if (!is_node(attrs->user))
        return;
    q.node = text_from(attrs->user->name, PREFIX.n);
    if (!q.node.n) {
        refuse(&q, arena_printf(a, "unknown node for user \"%.*s\"", TEXT_ARG(attrs->user->name)));
        return;
    }
    for (size_t i = 0; attrs->info->is_resource && i < N_ELEMENTS(resources); i++) {
        if (!text_is(attrs->info->resource, resources[i].resource) ||
            !text_is(attrs->info->group, resources[i].group))
            continue;
        resources[i].answer(&q, resources[i].thing);
        return;
    }
    rule_query_init(&query, attrs, a, scratch);
    for (size_t i = 0; i < mode->n_rules && ret->decision != AUTHZ_ALLOW; i++)
        if (rule_allows(&mode->rules[i], &query))
            allow(&q);
}

static void node_list_rules(struct authz_mode *m, const struct user_info *user, struct text namespace,
                            struct authz_rules *rules)
{
    if (!is_node(user))
        return;
    rules->is_incomplete = true;
    text_list_add(rules->arena, &rules->errors, TEXT("node authorizer does not support user rule resolution"));
}

static void begin(void *ctx)
{
    node_graph_clear(ctx);
}

static void on_event(void *ctx, struct object *o, const struct object *previous, bool is_removed)
{
    node_graph_put(ctx, o, previous, is_removed);
}

static void node_free(struct authz_mode *m)
{
    struct node_mode *mode = CONTAINER_OF(m, struct node_mode, mode);

    follow_stop(mode->follow);
    node_graph_free(mode->graph);
    arena_free(mode->arena);
    free(mode);
}

/* The rules of the role system:node, as they come with the server, not as somebody may have changed them. */
static int read_rules(struct node_mode *mode, struct status *st)
{
    struct bootstrap_object *objects;
    size_t n;

    if (bootstrap_parse(mode->arena, text_of(bootstrap_policy), &objects, &n, st) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (text_is(objects[i].resource, "clusterroles") && text_is(objects[i].name, "system:node"))
            mode->rules =
                rules_of_value(mode->arena, value_get(&objects[i].tree, TEXT("rules")), &mode->n_rules);
    return 0;
}

int node_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    const struct resource *found[N_NODE_GRAPH_RESOURCES];
    struct node_mode *m = xcalloc(1, sizeof(*m));

    m->mode = (struct authz_mode){.type = "Node",
                                  .name = "node",
                                  .authorize = node_authorize,
                                  .list_rules = node_list_rules,
                                  .free = node_free};
    m->graph = node_graph_new();
    m->arena = arena_new();
    for (size_t i = 0; i < N_NODE_GRAPH_RESOURCES; i++) {
        const struct node_graph_resource *r = &node_graph_resources[i];
        found[i] = registry_find(opt->registry, text_of(r->group), text_of(r->version), text_of(r->name));
    }
    const struct follow_options follow = {.resources = found,
                                          .n = N_NODE_GRAPH_RESOURCES,
                                          .workers = opt->workers,
                                          .begin = begin,
                                          .event = on_event,
                                          .ctx = m->graph};
    if (read_rules(m, st) < 0 || follow_start(&follow, &m->follow, st) < 0) {
        node_free(&m->mode);
        return -1;
    }
    *ret = &m->mode;
    return 0;
}
