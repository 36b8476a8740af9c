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

/* --- managed fields and server-side apply --- */

/* Who changes an object, and how. Source: kubernetes/apimachinery pkg/util/managedfields. */
struct managing {
    struct arena *arena;
    const struct schema_kind *kind;    /* the version of the request: fields are recorded in it */
    const struct schema_kind *storage; /* the version of the trees */
    struct text subresource;           /* empty: none */
    struct text manager;               /* empty: "unknown" */
    /* Fields that this way of writing cannot change, as paths of names; nobody comes to own them. */
    const char *const *const *reset;
    size_t n_reset;
};
/* Writes who owns what into the new object's metadata.managedFields: whoever changes a field owns it from now on. live: NULL when
 * the object is being created. Both are canonical trees of the storage version. What the client sent as managedFields counts, an
 * empty list (see managed_keep_reset) meaning that nothing is recorded any more. */
void managed_update(const struct managing *m, const struct value *live, struct value *obj);
/* Server-side apply: *ret is live with what the patch says, of the kind, not canonical; *ret_managed its managedFields. *ret_is_same: live
 * stays as it is but for them. CONFLICT with a cause for each field that others own, unless force; BAD_REQUEST for a patch of another
 * kind or with managedFields; UNKNOWN for what does not fit the schema. live: NULL when the object is being created. */
int managed_apply(const struct managing *m, const struct value *live, const struct value *patch, bool force,
                  struct value *ret, struct value *ret_managed, bool *ret_is_same, struct status *st);
/* The managedFields (NULL: none) of an object as those of its Scale, and back once the Scale was written; null: none. api_version:
 * the object's, of the request. */
struct value managed_to_scale(struct arena *a, const struct value *managed);
struct value managed_from_scale(struct arena *a, const struct value *managed, const struct value *of_scale, struct text api_version);
/* Before a tree that a client sent is decoded, which forgets empty lists: managedFields: [] becomes [{}], which means the same. */
void managed_keep_reset(struct arena *a, struct value *sent);
/* The two lists say the same, times apart. */
bool managed_equal_but_times(const struct value *x, const struct value *y);
/* The name of a manager who does not give one: the User-Agent up to its first slash, printable, at most 128 bytes. */
struct text managed_name_of_agent(struct arena *a, struct text user_agent);

/* A tree as Go's %v prints it ("map[a:1 b:[x y]]"), which some of upstream's messages do. At most PATCH_PRINT_MAX bytes. */
#define PATCH_PRINT_MAX 4096
void patch_print_go(struct buffer *b, const struct value *v);
