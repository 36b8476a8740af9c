/* SPDX-License-Identifier: Apache-2.0 */
/* managers.h - who manages which fields of an object, and how that changes when the object does.
 * Source: sigs.k8s.io/structured-merge-diff merge/update.go. */
#pragma once

#include "patch/typed.h"

struct manager {
    struct text name, api_version, subresource;
    struct text time; /* RFC 3339; empty: not known */
    bool is_apply;    /* by server-side apply; else by updates */
    bool is_dropped;  /* while a list is read */
    const struct field_set *fields;
    /* As they are stored, which is how they are written as long as fields is still as_read; empty: not known. */
    struct text stored;
    const struct field_set *as_read;
};
struct managers {
    struct arena *arena;
    struct manager *p;
    size_t n, cap;
};
struct manager *managers_add(struct managers *ms, const struct manager *m);
/* The entry of the same identity: appliers are one whatever the version, updaters are one for each version. NULL: none. */
struct manager *managers_find(struct managers *ms, const struct manager *like);
void managers_remove(struct managers *ms, struct manager *m);
void managers_remove_empty(struct managers *ms); /* those without fields */
/* As upstream's identifiers of managers sort. */
int manager_cmp(const struct manager *a, const struct manager *b);

int64_t manager_seconds(const struct manager *m); /* its time; 0: none */

/* The entries of metadata.managedFields, NULL being none; of one identity the last. BAD_REQUEST for what is no entry. */
int managers_read(struct arena *a, const struct value *list, struct managers *ret, struct status *st);
/* The same, or none at all. is_stored: the list was written here, so entries that stay are not written anew. */
struct managers managers_read_or_none(struct arena *a, const struct value *list, bool is_stored);
/* In upstream's order. */
struct value managers_write(struct arena *a, struct managers *ms);

/* One change of one object, in the version of the request. */
struct change {
    struct arena *arena;
    const struct schema_kind *kind;
    const struct field_set *reset; /* fields that this way of writing cannot change: nobody gets them */
    /* Asked when an apply meets conflicts: the fields over which it has none after all. NULL: no such fields. */
    const struct field_set *(*yielded)(void *ctx);
    void *ctx;
};

/* The fields that turn from before to after, taken from those who had them. ret_fields: what the one who changed it owns now.
 * Managers of versions that are gone are left out. -1: there are list items that cannot be told apart. */
int managers_update(struct managers *ms, const struct change *c, const struct value *before, const struct value *after,
                    const struct field_set **ret_fields);

/* live with what `applied` says, for `who`. What who applied before and leaves out now goes, unless another owns it. CONFLICT,
 * one cause a field, where another owns what changes, unless force. *ret is in c's version and not canonical; *ret_is_same: it
 * equals live. who joins ms. -1 with *st untouched: live has list items that cannot be told apart. */
int managers_apply(struct managers *ms, const struct change *c, const struct value *live, const struct value *applied,
                   const struct manager *who, bool force, struct value *ret, bool *ret_is_same, struct status *st);

/* Takes out of ms what the types' shapes do not have any more. */
void managers_reconcile(struct managers *ms, const struct change *c);
