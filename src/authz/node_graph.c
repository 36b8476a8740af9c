/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a node. Two kinds of facts:
 *   relations  (thing, node), counted: a pod on the node uses the thing, or the thing itself names the node
 *   volumes    a persistent volume, with the claim that it is bound to and the secrets that its driver needs
 * on the node: a node may have them if it may have the claim Each object that facts come from (its owner)
 * keeps the list of its relations, so that they go with it. A pod's use of things cannot change once it is on
 * a node, but for claims of devices, which its status names: other events of a pod cost a look at its node.
 * A mirror pod proves nothing: the node itself wrote it.
 * Source: kubernetes plugin/pkg/auth/authorizer/node/graph.go, graph_populator.go, pkg/api/v1/pod/util.go,
 * pkg/api/v1/persistentvolume/util.go. */
#include "authz/node_graph.h"

#include <pthread.h>
#include <stdio.h>

const struct node_graph_resource node_graph_resources[N_NODE_GRAPH_RESOURCES] = {
    {"", "v1", "pods"},
    {"", "v1", "persistentvolumes"},
    {"storage.k8s.io", "v1", "volumeattachments"},
    {"resource.k8s.io", "v1", "resourceslices"},
    {"certificates.k8s.io", "v1beta1", "podcertificaterequests"},
};

struct relation {
    uint32_t count;
    struct text key; /* of relation_key */
    char bytes[];
};

struct owner {
    struct text key; /* "pods/ns/name" */
    VEC(struct relation *) relations;
    struct text claim;        /* of volumes: "ns/name" */
    VEC(struct text) secrets; /* "ns/name" */
    struct arena *arena;      /* of the texts; NULL: none */
    char bytes[];
};

/* Volumes that need a secret. */
struct secret_users {
    struct text key;
    VEC(struct owner *) volumes;
    char bytes[];
};

struct node_graph {
    pthread_mutex_t mu; /* rank 1: all below */
    struct map relations, owners, secrets;
};

/* --- relations --- */

#define KEY_BYTES 1024

/* THING/NAMESPACE/NAME@NODE; no part can hold a slash or an at sign. Empty: longer than any key is. */
static struct text relation_key(char *dst, enum node_thing thing, struct text namespace, struct text name,
                                struct text node)
{
    int n = snprintf(dst, KEY_BYTES, "%c/%.*s/%.*s@%.*s", thing, TEXT_ARG(namespace), TEXT_ARG(name),
                     TEXT_ARG(node));

    return n < KEY_BYTES ? (struct text){dst, (size_t)n} : TEXT_NONE;
}

static void relate(struct node_graph *g, struct owner *o, enum node_thing thing, struct text namespace,
                   struct text name, struct text node)
{
    char scratch[KEY_BYTES];
    struct text key = relation_key(scratch, thing, namespace, name, node);
    struct relation *r;

    if (!key.n || !name.n || !node.n)
        return;
    r = map_get(&g->relations, key);
    if (!r) {
        r = xmalloc(sizeof(*r) + key.n);
        memcpy(r->bytes, key.p, key.n);
        *r = (struct relation){.key = {r->bytes, key.n}};
        map_put(&g->relations, r->key, r);
    }
    r->count++;
    vec_push(&o->relations, r);
}

static bool is_related(struct node_graph *g, enum node_thing thing, struct text namespace, struct text name,
                       struct text node)
{
    char scratch[KEY_BYTES];
    struct text key = relation_key(scratch, thing, namespace, name, node);

    return key.n && map_get(&g->relations, key);
}

/* --- owners --- */

static struct text owner_key(char *dst, struct text resource, struct text key)
{
    int n = snprintf(dst, KEY_BYTES, "%.*s/%.*s", TEXT_ARG(resource), TEXT_ARG(key));

    return n < KEY_BYTES ? (struct text){dst, (size_t)n} : TEXT_NONE;
}

static struct owner *add_owner(struct node_graph *g, struct text key)
{
    struct owner *o = xcalloc(1, sizeof(*o) + key.n);

    memcpy(o->bytes, key.p, key.n);
    o->key = (struct text){o->bytes, key.n};
    map_put(&g->owners, o->key, o);
    return o;
}

static void forget_secret(struct node_graph *g, const struct owner *o, struct text secret)
{
    struct secret_users *users = map_get(&g->secrets, secret);

    for (size_t i = 0; users && i < users->volumes.n; i++) {
        if (users->volumes.p[i] != o)
            continue;
        users->volumes.p[i] = users->volumes.p[--users->volumes.n];
        break;
    }
    if (!users || users->volumes.n)
        return;
    map_remove(&g->secrets, users->key);
    vec_deinit(&users->volumes);
    free(users);
}

static void owner_free(struct owner *o)
{
    vec_deinit(&o->relations);
    vec_deinit(&o->secrets);
    arena_free(o->arena);
    free(o);
}

static void remove_owner(struct node_graph *g, struct text key)
{
    struct owner *o = map_remove(&g->owners, key);

    if (!o)
        return;
    for (size_t i = 0; i < o->relations.n; i++) {
        struct relation *r = o->relations.p[i];
        if (--r->count)
            continue;
        map_remove(&g->relations, r->key);
        free(r);
    }
    for (size_t i = 0; i < o->secrets.n; i++)
        forget_secret(g, o, o->secrets.p[i]);
    owner_free(o);
}

/* --- pods --- */

/* A pod being entered. */
struct user {
    struct node_graph *graph;
    struct owner *owner;
    struct text namespace, node;
};

static void uses(const struct user *u, enum node_thing thing, struct text name)
{
    relate(u->graph, u->owner, thing, u->namespace, name, u->node);
}

static void use_reference(void *ctx, enum pod_reference what, struct text name)
{
    static const enum node_thing things[] = {
        [POD_REFERS_SECRET] = NODE_SECRET, [POD_REFERS_CONFIG_MAP] = NODE_CONFIG_MAP, [POD_REFERS_CLAIM] = NODE_CLAIM,
        [POD_REFERS_RESOURCE_CLAIM] = NODE_RESOURCE_CLAIM, [POD_REFERS_SERVICE_ACCOUNT] = NODE_SERVICE_ACCOUNT};

    uses(ctx, things[what], name);
}

static void put_pod(struct node_graph *g, struct arena *a, struct text key, const struct object *o,
                    const struct value *tree)
{
    struct user u = {.graph = g, .namespace = o->namespace};

    u.node = value_get_text(value_get(tree, TEXT("spec")), TEXT("nodeName"));
    if (!u.node.n)
        return;
    u.owner = add_owner(g, key);
    uses(&u, NODE_POD, o->name);
    if (!value_get(value_at(tree, "metadata", "annotations", NULL), TEXT("kubernetes.io/config.mirror")))
        pod_references(a, tree, use_reference, &u);
}

/* Of the pod's selectable fields, which lie ready. */
static struct text node_of_pod(const struct object *o)
{
    for (size_t i = 0; i < o->type->n_selectable; i++)
        if (text_is(o->type->selectable[i].path, "spec.nodeName"))
            return o->fields[o->type->selectable[i].index];
    return TEXT_NONE;
}

/* What changes of a pod on its node: claims that were made for it (resourceClaimStatuses, extendedResourceClaimStatus: one search
 * finds both), containers that joined it. */
static bool has_late_uses(const struct object *o)
{
    return text_find_text(o->json, TEXT("ourceClaimStatus")) >= 0 ||
           text_find_text(o->json, TEXT("\"ephemeralContainers\"")) >= 0;
}

/* A pod without a node uses nothing. */
static bool pod_uses_the_same(const struct object *o, const struct object *previous)
{
    struct text node = node_of_pod(o), before = previous ? node_of_pod(previous) : TEXT_NONE;

    if (!node.n || !before.n)
        return node.n == before.n;
    return text_eq(o->uid, previous->uid) && text_eq(node, before) && !has_late_uses(o);
}

/* --- volumes --- */

/* Where a driver's secrets for the node stand; own: without a namespace of its own it is the claim's. */
static const struct {
    const char *source, *member;
    bool is_plain, own;
} volume_secrets[] = {
    {"azureFile", "secretName", true, true},
    {"cephfs", "secretRef", false, true},
    {"cinder", "secretRef", false, false},
    {"flexVolume", "secretRef", false, true},
    {"rbd", "secretRef", false, true},
    {"scaleIO", "secretRef", false, true},
    {"iscsi", "secretRef", false, true},
    {"storageos", "secretRef", false, false},
    {"csi", "nodePublishSecretRef", false, false},
    {"csi", "nodeStageSecretRef", false, false},
};

static void need_secret(struct node_graph *g, struct owner *o, struct text namespace, struct text name)
{
    struct text key = arena_textf(o->arena, "%.*s/%.*s", TEXT_ARG(namespace), TEXT_ARG(name));
    struct secret_users *users = map_get(&g->secrets, key);

    if (!users) {
        users = xcalloc(1, sizeof(*users) + key.n);
        memcpy(users->bytes, key.p, key.n);
        users->key = (struct text){users->bytes, key.n};
        map_put(&g->secrets, users->key, users);
    }
    vec_push(&users->volumes, o);
    vec_push(&o->secrets, key);
}

static void put_volume(struct node_graph *g, struct text key, const struct value *tree)
{
    const struct value *spec = value_get(tree, TEXT("spec")), *claim = value_get(spec, TEXT("claimRef"));
    struct text claim_namespace = value_get_text(claim, TEXT("namespace"));
    struct owner *o;

    if (!claim)
        return;
    o = add_owner(g, key);
    o->arena = arena_new();
    o->claim = arena_textf(o->arena, "%.*s/%.*s", TEXT_ARG(claim_namespace),
                           TEXT_ARG(value_get_text(claim, TEXT("name"))));
    for (size_t i = 0; i < N_ELEMENTS(volume_secrets); i++) {
        const struct value *source = value_get(spec, text_of(volume_secrets[i].source));
        const struct value *ref = value_get(source, text_of(volume_secrets[i].member));
        struct text name = volume_secrets[i].is_plain ? value_text(ref) : value_get_text(ref, TEXT("name"));
        struct text namespace = volume_secrets[i].is_plain ? value_get_text(source, TEXT("secretNamespace"))
                                                           : value_get_text(ref, TEXT("namespace"));
        if (name.n)
            need_secret(g, o, namespace.n || !volume_secrets[i].own ? namespace : claim_namespace, name);
    }
}

/* --- the others, which name their node --- */

static void put_named(struct node_graph *g, struct text key, enum node_thing thing, const struct object *o,
                      const struct value *tree)
{
    struct text node = value_get_text(value_get(tree, TEXT("spec")), TEXT("nodeName"));

    if (node.n)
        relate(g, add_owner(g, key), thing, o->namespace, o->name, node);
}

/* --- metrics --- */

static const double buckets[] = {0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032,
                                 0.0064, 0.0128, 0.0256, 0.0512, 0.1024, 0.2048};
static struct metric_family actions_seconds = {
    .name = "node_authorizer_graph_actions_duration_seconds",
    .help = "Histogram of duration of graph actions in node authorizer.",
    .type = METRIC_HISTOGRAM,
    .stability = "ALPHA",
    .labels = {"operation", NULL},
    .buckets = buckets,
    .n_buckets = N_ELEMENTS(buckets),
};

static void observe(struct text resource, bool is_removed, int64_t start_ns)
{
    static const struct {
        const char *resource, *add, *remove;
    } names[] = {{"pods", "AddPod", "DeletePod"},
                 {"persistentvolumes", "AddPV", "DeletePV"},
                 {"volumeattachments", "AddVolumeAttachment", "DeleteVolumeAttachment"},
                 {"resourceslices", "AddResourceSlice", "DeleteResourceSlice"},
                 {"podcertificaterequests", "AddPodCertificateRequest", "DeletePodCertificateRequest"}};

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (text_is(resource, names[i].resource))
            metric_observe(metric_cell(&actions_seconds, is_removed ? names[i].remove : names[i].add),
                           (double)(clock_mono_ns() - start_ns) / 1e9);
}

/* --- events --- */

static void put_locked(struct node_graph *g, struct arena *a, struct text key, const struct object *o,
                       const struct value *tree)
{
    struct text resource = o->type->name;

    if (text_is(resource, "pods"))
        put_pod(g, a, key, o, tree);
    else if (text_is(resource, "persistentvolumes"))
        put_volume(g, key, tree);
    else
        put_named(g, key,
                  text_is(resource, "volumeattachments") ? NODE_ATTACHMENT
                  : text_is(resource, "resourceslices")  ? NODE_RESOURCE_SLICE
                                                         : NODE_CERTIFICATE_REQUEST,
                  o, tree);
}

void node_graph_put(struct node_graph *g, struct object *o, const struct object *previous, bool is_removed)
{
    char scratch[KEY_BYTES];
    struct text key = owner_key(scratch, o->type->name, o->key);
    int64_t start_ns = clock_mono_ns();

    if (!key.n || (!is_removed && text_is(o->type->name, "pods") && pod_uses_the_same(o, previous)))
        return;
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct value tree;
    bool is_there = !is_removed && !o->is_unreadable && object_tree(a, o, &tree, &st) == 0;
    pthread_mutex_lock(&g->mu);
    remove_owner(g, key);
    if (is_there)
        put_locked(g, a, key, o, &tree);
    pthread_mutex_unlock(&g->mu);
    observe(o->type->name, is_removed, start_ns);
}

bool node_graph_has(struct node_graph *g, enum node_thing thing, struct text namespace, struct text name,
                    struct text node)
{
    char scratch[KEY_BYTES];
    bool found = false;

    pthread_mutex_lock(&g->mu);
    if (thing == NODE_VOLUME) {
        const struct owner *o = map_get(&g->owners, owner_key(scratch, TEXT("persistentvolumes"), name));
        struct text rest = o ? o->claim : TEXT_NONE, claim_namespace;
        found = o && text_split(&rest, '/', &claim_namespace) &&
                is_related(g, NODE_CLAIM, claim_namespace, rest, node);
    } else {
        found = is_related(g, thing, namespace, name, node);
    }
    if (thing == NODE_SECRET && !found) {
        int n = snprintf(scratch, sizeof(scratch), "%.*s/%.*s", TEXT_ARG(namespace), TEXT_ARG(name));
        const struct secret_users *users =
            n < (int)sizeof(scratch) ? map_get(&g->secrets, (struct text){scratch, (size_t)n}) : NULL;
        for (size_t i = 0; users && i < users->volumes.n && !found; i++) {
            struct text rest = users->volumes.p[i]->claim, claim_namespace;
            found = text_split(&rest, '/', &claim_namespace) &&
                    is_related(g, NODE_CLAIM, claim_namespace, rest, node);
        }
    }
    pthread_mutex_unlock(&g->mu);
    return found;
}

struct node_graph *node_graph_new(void)
{
    struct node_graph *g = xcalloc(1, sizeof(*g));

    pthread_mutex_init(&g->mu, NULL);
    metrics_register(&actions_seconds);
    return g;
}

static void forget_locked(struct node_graph *g)
{
    struct map_slot *s;
    size_t i = 0;

    while ((s = map_next(&g->owners, &i)))
        owner_free(s->value);
    for (i = 0; (s = map_next(&g->relations, &i));)
        free(s->value);
    for (i = 0; (s = map_next(&g->secrets, &i));) {
        struct secret_users *users = s->value;
        vec_deinit(&users->volumes);
        free(users);
    }
    map_deinit(&g->owners);
    map_deinit(&g->relations);
    map_deinit(&g->secrets);
    g->owners = g->relations = g->secrets = (struct map){0};
}

void node_graph_clear(struct node_graph *g)
{
    pthread_mutex_lock(&g->mu);
    forget_locked(g);
    pthread_mutex_unlock(&g->mu);
}

void node_graph_free(struct node_graph *g)
{
    forget_locked(g);
    pthread_mutex_destroy(&g->mu);
    free(g);
}
