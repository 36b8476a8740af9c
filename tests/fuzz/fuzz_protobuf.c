/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses a kind, the rest is a message. What can be read must come out of writing and reading
 * again as the same tree, and writing that must give the same bytes. */
#include <stdlib.h>

#include "schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct text kinds[] = {
        TEXT("Pod"),        TEXT("Event"),   TEXT("Secret"),        TEXT("ConfigMap"),
        TEXT("LimitRange"), TEXT("Service"), TEXT("PodTemplate"),   TEXT("Node"),
        TEXT("Namespace"),  TEXT("List"),    TEXT("ResourceQuota"), TEXT("PersistentVolume"),
    };
    static const struct text others[][2] = {
        {TEXT("apiextensions.k8s.io/v1"), TEXT("CustomResourceDefinition")},
        {TEXT("authorization.k8s.io/v1"), TEXT("SubjectAccessReview")},
        {TEXT("admissionregistration.k8s.io/v1"), TEXT("ValidatingWebhookConfiguration")},
        {TEXT("apps/v1"), TEXT("ControllerRevision")},
    };
    if (!n)
        return 0;
    size_t at = data[0] % (N_ELEMENTS(kinds) + N_ELEMENTS(others));
    const struct schema_kind *kind =
        at < N_ELEMENTS(kinds)
            ? schema_kind_of(TEXT("v1"), kinds[at])
            : schema_kind_of(others[at - N_ELEMENTS(kinds)][0], others[at - N_ELEMENTS(kinds)][1]);
    if (!kind)
        abort();

    struct arena *a = arena_new();
    struct status st = {0};
    struct buffer first = BUFFER_IN(a), second = BUFFER_IN(a);
    struct value v, again;
    if (schema_protobuf_decode(a, kind->schema, (struct text){(const char *)data + 1, n - 1}, &v, &st) == 0) {
        schema_protobuf_encode(&first, kind->schema, &v);
        if (schema_protobuf_decode(a, kind->schema, buffer_text(&first), &again, &st) < 0 ||
            !value_equal(&v, &again))
            abort();
        schema_protobuf_encode(&second, kind->schema, &again);
        if (!text_eq(buffer_text(&first), buffer_text(&second)))
            abort();
    }
    status_clear(&st);
    arena_free(a);
    return 0;
}
