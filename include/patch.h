/* patch.h - floor 3: the three patch languages. Each makes a new tree of doc and patch, which stay as they are (the patch may
 * be applied again to a newer document); strings are shared with both, so both must live as long as the result, which is in
 * the arena and not canonical: decode it again.
 * Errors have upstream's codes: BAD_REQUEST for what is no such patch, INVALID (with an empty details object) for a JSON
 * patch that does not apply, REQUEST_ENTITY_TOO_LARGE for too many operations, and UNKNOWN (a 500 without reason) for what
 * upstream's strategic merge reports as a plain error.
 * Threads: any. */
#pragma once

#include "schema.h"

#define PATCH_OPERATIONS_MAX 10000
#define PATCH_COPY_BYTES_MAX (3 * 1024 * 1024) /* of JSON that copy operations may add */

/* RFC 6902 with the liberties of evanphx/json-patch v4, which upstream uses: negative indices count from the end, replace
 * creates absent members, and what stands before the first slash of a path is ignored. A null patch changes nothing. */
int patch_json(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
               struct status *st);
/* Adds the paths of members that no operation has ("[0].foo"), for field validation; upstream words them
 * `json patch unknown field "[0].foo"`. */
void patch_json_unknown(struct arena *a, const struct value *patch, struct text_list *unknown);
/* RFC 7386. A patch that is a list gives that list: decoding refuses it. */
int patch_merge(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
                struct status *st);
/* Strategic merge by the schema's patch strategies and merge keys, with $patch, $deleteFromPrimitiveList, $setElementOrder and
 * $retainKeys. Source: kubernetes/apimachinery pkg/util/strategicpatch. */
int patch_strategic(struct arena *a, const struct schema *s, const struct value *doc, const struct value *patch,
                    struct value *ret, struct status *st);
/* A tree as Go's %v prints it ("map[a:1 b:[x y]]"), which some of upstream's messages do. At most PATCH_PRINT_MAX bytes. */
#define PATCH_PRINT_MAX 4096
void patch_print_go(struct buffer *b, const struct value *v);
