/* SPDX-License-Identifier: Apache-2.0 */
/* A live object (with managedFields, perhaps) and an apply configuration, one JSON value a line: neither is changed, and what was
 * applied once is no change when it is applied again. Both are pods, or custom resource definitions, whose type is recursive. */
#include <stdint.h>
#include <stdlib.h>

#include "patch.h"

static int apply(const struct managing *m, const struct value *live, const struct value *patch, struct value *ret, bool *ret_is_same)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value result, managed;

    if (managed_apply(m, live, patch, true, &result, &managed, ret_is_same, &st) < 0) {
        if (st.reason == STATUS_OK)
            abort();
        return -1;
    }
    *ret = value_copy(m->arena, &result);
    value_remove(value_get(ret, TEXT("metadata")), TEXT("managedFields"));
    if (managed.kind == VALUE_LIST)
        value_set(m->arena, value_object_at(m->arena, ret, TEXT("metadata")), TEXT("managedFields"), managed);
    return schema_decode(m->arena, m->kind->schema, ret, NULL, &st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct text rest = {(const char *)data, n}, first;
    struct value live, patch, once, twice;
    const struct schema_kind *kind;
    bool is_same;

    if (!text_split(&rest, '\n', &first) || !rest.p || json_read(a, first, NULL, &live, &st) < 0 ||
        json_read(a, rest, NULL, &patch, &st) < 0)
        return 0;
    kind = text_is(value_get_text(&patch, TEXT("kind")), "Pod")
               ? schema_kind_of(TEXT("v1"), TEXT("Pod"))
               : schema_kind_of(TEXT("apiextensions.k8s.io/v1"), TEXT("CustomResourceDefinition"));
    const struct managing m = {.arena = a, .kind = kind, .storage = kind, .manager = TEXT("kubectl")};
    if (schema_decode(a, kind->schema, &live, NULL, &st) < 0)
        return 0;
    struct value live_before = value_copy(a, &live), patch_before = value_copy(a, &patch);
    if (apply(&m, &live, &patch, &once, &is_same) < 0)
        return 0;
    if (!value_equal(&live, &live_before) || !value_equal(&patch, &patch_before))
        abort();
    if (apply(&m, &once, &patch, &twice, &is_same) < 0)
        abort();
    struct value updated = value_copy(a, &live_before);
    managed_update(&m, &twice, &updated);
    return 0;
}
