/* SPDX-License-Identifier: Apache-2.0 */
/* One thing under two names, and what no object may keep: upstream loses these differences when it converts an object to
 * its internal form and back, which every object goes through that is written.
 * Source: kubernetes/kubernetes pkg/apis/core/v1/conversion.go, pkg/apis/apps/v1/conversion.go. */
#include "schema/defaults.h"

/* serviceAccount is the old name of serviceAccountName, which wins. */
void fill_service_account(struct arena *a, const struct schema *s, struct value *spec, uint16_t field)
{
    struct text name = value_get_text(spec, TEXT("serviceAccountName")), old = value_get_text(spec, TEXT("serviceAccount"));

    if (!name.n && old.n)
        default_set(a, s, spec, TEXT("serviceAccountName"), value_string(old));
    else if (!text_eq(name, old))
        default_set(a, s, spec, TEXT("serviceAccount"), value_string(name));
}

/* The first of a list also stands alone. Where they differ the single one wins, and is the list. */
static void pair(struct arena *a, const struct schema *s, struct value *object, struct text one, struct text many,
                 struct text member)
{
    struct text alone = value_get_text(object, one), first;
    const struct value *list = value_get(object, many);
    struct value item = value_string(alone), made = value_list();

    if (list && list->kind == VALUE_LIST && list->n) {
        first = member.n ? value_get_text(&list->items[0], member) : value_text(&list->items[0]);
        if (!alone.n)
            default_set(a, s, object, one, value_string(first));
        if (!alone.n || text_eq(alone, first))
            return;
    }
    if (!alone.n)
        return;
    if (member.n) {
        const struct schema *of_item = schema_field_of(s, many)->type.elem->schema;
        item = value_object();
        default_set(a, of_item, &item, member, value_string(alone));
    }
    value_append(a, &made, item);
    default_set(a, s, object, many, made);
}

void fill_pod_cidrs(struct arena *a, const struct schema *s, struct value *spec, uint16_t field)
{
    pair(a, s, spec, TEXT("podCIDR"), TEXT("podCIDRs"), TEXT_NONE);
}

void fill_pod_ips(struct arena *a, const struct schema *s, struct value *status, uint16_t field)
{
    pair(a, s, status, TEXT("podIP"), TEXT("podIPs"), TEXT("ip"));
}

/* A pod's time to end is not negative; in a template it may be, until a pod is made of it. */
void fill_grace_period(struct arena *a, const struct schema *s, struct value *pod, uint16_t field)
{
    struct value *seconds = value_at(pod, "spec", "terminationGracePeriodSeconds", NULL);

    if (seconds && seconds->kind == VALUE_INT && seconds->integer < 0)
        *seconds = value_int(1);
}

/* Annotations of the time before pods had a field for init containers are dropped, so that no old kubelet follows them. */
void fill_without_old_annotations(struct arena *a, const struct schema *s, struct value *object, uint16_t field)
{
    static const struct text keys[] = {
        TEXT("pod.beta.kubernetes.io/init-containers"), TEXT("pod.alpha.kubernetes.io/init-containers"),
        TEXT("pod.beta.kubernetes.io/init-container-statuses"), TEXT("pod.alpha.kubernetes.io/init-container-statuses")};
    struct value *metadata = value_get(object, TEXT("metadata")), *annotations = value_get(metadata, TEXT("annotations"));

    if (!annotations || annotations->kind != VALUE_OBJECT)
        return;
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        value_remove(annotations, keys[i]);
    if (!annotations->n)
        value_remove(metadata, TEXT("annotations"));
}

/* The claims in a stateful set say what they are, unlike other templates. */
void fill_claim_kinds(struct arena *a, const struct schema *s, struct value *spec, uint16_t field)
{
    const struct value *claims = default_part(&s, spec, s->fields[field].name);

    for (uint32_t i = 0; claims && i < claims->n; i++) {
        default_set(a, s, &claims->items[i], TEXT("kind"), value_string(TEXT("PersistentVolumeClaim")));
        default_set(a, s, &claims->items[i], TEXT("apiVersion"), value_string(TEXT("v1")));
    }
}
