/* SPDX-License-Identifier: Apache-2.0 */
/* A document and a patch, one JSON value a line: whatever comes out must be writable and no deeper than JSON
 * may be. */
#include "fuzz_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_patch(data, n, patch_json);
}
