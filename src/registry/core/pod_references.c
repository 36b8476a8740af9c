/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod refers to, as tables of the places where names stand. Source: kubernetes pkg/api/v1/pod/util.go (VisitPodSecretNames,
 * VisitPodConfigmapNames), plugin/pkg/auth/authorizer/node/graph.go. */
#include "registry.h"

struct walk {
    struct arena *arena;
    pod_reference_visitor visit;
    void *ctx;
};

static void refer(const struct walk *w, enum pod_reference what, struct text name)
{
    if (name.n)
        w->visit(w->ctx, what, name);
}

static struct text text_at(const struct value *v, const char *first, const char *second)
{
    const struct value *inner = value_get(v, text_of(first));

    return second ? value_get_text(inner, text_of(second)) : value_text(inner);
}

static size_t length(const struct value *list)
{
    return list && list->kind == VALUE_LIST ? list->n : 0;
}

static void walk_containers(const struct walk *w, const struct value *containers)
{
    for (size_t i = 0; i < length(containers); i++) {
        const struct value *env = value_get(&containers->items[i], TEXT("env"));
        const struct value *from = value_get(&containers->items[i], TEXT("envFrom"));
        for (size_t j = 0; j < length(env); j++) {
            const struct value *source = value_get(&env->items[j], TEXT("valueFrom"));
            refer(w, POD_REFERS_SECRET, text_at(source, "secretKeyRef", "name"));
            refer(w, POD_REFERS_CONFIG_MAP, text_at(source, "configMapKeyRef", "name"));
        }
        for (size_t j = 0; j < length(from); j++) {
            refer(w, POD_REFERS_SECRET, text_at(&from->items[j], "secretRef", "name"));
            refer(w, POD_REFERS_CONFIG_MAP, text_at(&from->items[j], "configMapRef", "name"));
        }
    }
}

/* Where a volume of a pod names a thing of the pod's namespace. */
static const struct {
    const char *source, *member, *name;
    enum pod_reference what;
} volume_places[] = {
    {"azureFile", "secretName", NULL, POD_REFERS_SECRET},  {"cephfs", "secretRef", "name", POD_REFERS_SECRET},
    {"cinder", "secretRef", "name", POD_REFERS_SECRET},    {"flexVolume", "secretRef", "name", POD_REFERS_SECRET},
    {"rbd", "secretRef", "name", POD_REFERS_SECRET},       {"secret", "secretName", NULL, POD_REFERS_SECRET},
    {"scaleIO", "secretRef", "name", POD_REFERS_SECRET},   {"iscsi", "secretRef", "name", POD_REFERS_SECRET},
    {"storageos", "secretRef", "name", POD_REFERS_SECRET}, {"csi", "nodePublishSecretRef", "name", POD_REFERS_SECRET},
    {"configMap", "name", NULL, POD_REFERS_CONFIG_MAP},    {"persistentVolumeClaim", "claimName", NULL, POD_REFERS_CLAIM},
};

static void walk_volume(const struct walk *w, struct text pod_name, const struct value *volume)
{
    const struct value *sources = value_at(volume, "projected", "sources", NULL);

    for (size_t i = 0; i < N_ELEMENTS(volume_places); i++) {
        const struct value *source = value_get(volume, text_of(volume_places[i].source));
        if (source)
            refer(w, volume_places[i].what, text_at(source, volume_places[i].member, volume_places[i].name));
    }
    for (size_t i = 0; i < length(sources); i++) {
        refer(w, POD_REFERS_SECRET, text_at(&sources->items[i], "secret", "name"));
        refer(w, POD_REFERS_CONFIG_MAP, text_at(&sources->items[i], "configMap", "name"));
    }
    if (value_get(volume, TEXT("ephemeral")))
        refer(w, POD_REFERS_CLAIM,
              arena_textf(w->arena, "%.*s-%.*s", TEXT_ARG(pod_name), TEXT_ARG(value_get_text(volume, TEXT("name")))));
}

/* The claim that was made of a template, as the status says. */
static struct text made_claim(const struct value *status, struct text name)
{
    const struct value *list = value_get(status, TEXT("resourceClaimStatuses"));

    for (size_t i = 0; i < length(list); i++)
        if (text_eq(value_get_text(&list->items[i], TEXT("name")), name))
            return value_get_text(&list->items[i], TEXT("resourceClaimName"));
    return TEXT_NONE;
}

static void walk_claims(const struct walk *w, const struct value *spec, const struct value *status)
{
    const struct value *claims = value_get(spec, TEXT("resourceClaims"));

    for (size_t i = 0; i < length(claims); i++) {
        struct text name = value_get_text(&claims->items[i], TEXT("resourceClaimName"));
        refer(w, POD_REFERS_RESOURCE_CLAIM,
              name.n ? name : made_claim(status, value_get_text(&claims->items[i], TEXT("name"))));
    }
    refer(w, POD_REFERS_RESOURCE_CLAIM,
          text_at(value_get(status, TEXT("extendedResourceClaimStatus")), "resourceClaimName", NULL));
}

void pod_references(struct arena *a, const struct value *pod, pod_reference_visitor visit, void *ctx)
{
    const struct walk w = {a, visit, ctx};
    const struct value *spec = value_get(pod, TEXT("spec")), *status = value_get(pod, TEXT("status"));
    const struct value *secrets = value_get(spec, TEXT("imagePullSecrets")), *volumes = value_get(spec, TEXT("volumes"));
    struct text name = value_get_text(value_get(pod, TEXT("metadata")), TEXT("name"));

    refer(&w, POD_REFERS_SERVICE_ACCOUNT, value_get_text(spec, TEXT("serviceAccountName")));
    for (size_t i = 0; i < length(secrets); i++)
        refer(&w, POD_REFERS_SECRET, value_get_text(&secrets->items[i], TEXT("name")));
    walk_containers(&w, value_get(spec, TEXT("initContainers")));
    walk_containers(&w, value_get(spec, TEXT("containers")));
    walk_containers(&w, value_get(spec, TEXT("ephemeralContainers")));
    for (size_t i = 0; i < length(volumes); i++)
        walk_volume(&w, name, &volumes->items[i]);
    walk_claims(&w, spec, status);
}
