/* patch.h - floor 3: the three patch languages. Each makes a new tree of doc and patch; strings are shared with both, so
 * both must live as long as the result, which is in the arena and not canonical: decode it again.
 * Threads: any. */
#pragma once

#include "schema.h"

#define PATCH_OPERATIONS_MAX 10000
#define PATCH_COPY_BYTES_MAX (3 * 1024 * 1024) /* that copy operations may add */

/* RFC 6902. BAD_REQUEST for a malformed patch, INVALID for one that cannot be applied, as upstream's jsonPatcher says it. */
int patch_json(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
               struct status *st);
/* RFC 7386. */
int patch_merge(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
                struct status *st);
/* Strategic merge by the schema's patch strategies and merge keys, with $patch, $deleteFromPrimitiveList, $setElementOrder and
 * $retainKeys. Source: kubernetes/apimachinery pkg/util/strategicpatch. */
int patch_strategic(struct arena *a, const struct schema *s, const struct value *doc, const struct value *patch,
                    struct value *ret, struct status *st);
