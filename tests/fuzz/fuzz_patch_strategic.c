/* SPDX-License-Identifier: Apache-2.0 */
/* A pod and a strategic merge patch, one JSON value a line. The pod is not decoded, so that lists of anything
 * come up. */
#include "fuzz_patch.h"

static int run(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
               struct status *st)
{
    return patch_strategic(a, schema_kind_of(TEXT("v1"), TEXT("Pod"))->schema, doc, patch, ret, st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_patch(data, n, run);
}
