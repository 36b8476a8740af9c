/* SPDX-License-Identifier: Apache-2.0 */
/* A document and a merge patch, one JSON value a line. */
#include "fuzz_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_patch(data, n, patch_merge);
}
