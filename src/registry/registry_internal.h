/* SPDX-License-Identifier: Apache-2.0 */
/* registry_internal.h - what the registry's files share. */
#pragma once

#include "registry.h"

struct registry {
    struct resource *resources; /* n of them, linked in the table's order */
    size_t n;
    struct map by_path; /* "group/version/name" -> resource */
    struct arena *arena;
    const struct resource *namespaces; /* NULL: not served */
    struct workers *workers; /* may be NULL */
    int64_t event_ttl_ms;
    struct services *services; /* NULL: they get nothing */
};

/* --- trees --- */

static inline struct value *metadata_of(const struct value *obj)
{
    return value_get(obj, TEXT("metadata"));
}
static inline bool is_deleting(const struct value *obj)
{
    const struct value *t = value_at(obj, "metadata", "deletionTimestamp", NULL);
    return t && t->kind == VALUE_STRING;
}
/* The member as old has it, or none. */
void keep_member(struct arena *a, struct value *obj, const struct value *old, struct text name);
/* Are the members equal, absent ones too? */
bool same_member(const struct value *x, const struct value *y, struct text name);
size_t finalizer_count(const struct value *obj);
struct text time_text(struct arena *a, int64_t wall_ns); /* RFC 3339 to the second */

/* --- metadata --- */

/* Forgets what is not the client's to say. is_update: an update creates. */
void metadata_wipe(struct arena *a, struct value *obj, bool is_update);
void metadata_fill_system(struct arena *a, struct value *obj); /* uid, creationTimestamp */
/* As upstream's ValidateObjectMeta for the name's rule, with kind's finalizer rule when strategy is not NULL.
 */
void metadata_check(struct arena *a, const struct resource_type *type, const struct strategy *strategy,
                    const struct value *obj, struct field_errors *errs);
void metadata_check_update(const struct value *obj, const struct value *old, struct field_errors *errs);
/* The same by the type's own validation, which looks at the names of finalizers too. is_good: what the first said. */
void metadata_check_update_again(const struct strategy *strategy, const struct value *obj, const struct value *old,
                                 bool is_good, struct field_errors *errs);

/* --- operations --- */

void operation_begin(struct operation *op);
void operation_finish(struct operation *op); /* calls done */
void operation_fail(struct operation *op);   /* op->st says why */
/* The same for a CREATE whose object is still as it came: it may be tried again. */
void operation_fail_unseen(struct operation *op);
/* Prepares obj by the strategy for creation or update, as data and hooks say. */
void strategy_prepare_create(struct operation *op, struct value *obj);
void strategy_prepare_update(struct operation *op, struct value *obj, const struct value *old);
/* Takes what obj needs by the strategy's claims, then calls proceed; obj and old lie in the arena. What fails after it gives back
 * by operation_fail. */
void operation_claim(struct operation *op, struct value *obj, const struct value *old, void (*proceed)(struct operation *op));
void operation_claimed(struct operation *op); /* by the claims: op->st says whether it worked */
void operation_settled(struct operation *op);
/* Both run to the point where a write is queued or the operation ends. */
void create_run(struct operation *op);
void create_object(struct operation *op, struct value *obj); /* the part that create on update shares */
void update_run(struct operation *op);
void delete_run(struct operation *op);
/* Sets or takes away orphan and foregroundDeletion, as the options, the object and its type say. */
void delete_set_collector_finalizers(const struct operation *op, struct value *obj);
/* Makes obj canonical, which hooks need not, and as it will be stored: before it is validated and encoded. */
void operation_arrange(struct operation *op, struct value *obj);
/* For the client, with the answer. */
void operation_warn(struct operation *op, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Of a storage type (warnings/kinds.c); NULL: none. */
const struct warner *warner_find(const struct resource_type *type);
/* Notes what obj, about to be stored, is to be warned of. old NULL: a creation. */
void operation_look_for_warnings(struct operation *op, const struct value *obj, const struct value *old);
/* What the type's checks and its strategy have against obj, beside the metadata. old NULL: a creation. */
void operation_validate(struct operation *op, const struct value *obj, const struct value *old,
                        struct field_errors *errs);
/* What admission says in its two phases; 0 without any. old NULL: a creation; obj NULL: a deletion. */
int operation_admit(struct operation *op, struct value *obj, const struct value *old);
int operation_admit_last(struct operation *op, struct value *obj, const struct value *old);
/* Another writer was quicker: gives back what was taken and calls op->again, on a thread that may block if the operation may. */
void operation_retry(struct operation *op);
/* What the resource's guard says; 0 without one. */
int operation_guard(struct operation *op, const struct value *obj, const struct value *old);
/* Brings metadata.managedFields up to date: old NULL for a creation (managing.c). */
void manage_fields(struct operation *op, struct value *obj, const struct value *old);
void keep_managed_times(struct operation *op, struct value *obj, const struct value *old);
/* Encodes obj into op->written; -1: op->st is set. */
int operation_encode(struct operation *op, struct value *obj);
bool operation_is_no_op(const struct operation *op); /* written says what current says */
/* Queues the write of op->written over op->current (either may be NULL); then proceed is called on the
 * committer thread. */
void operation_write(struct operation *op, enum write_op what, void (*proceed)(struct operation *op));
/* op->current from the cache, readable or not; -1: op->st is set (there may be none: 0 and current NULL). */
int operation_find(struct operation *op);
/* The same, and its tree; -1 also for one that cannot be read. */
int operation_load(struct operation *op, struct value *ret_tree);
struct text operation_key(struct arena *a, const struct operation *op, struct text name);

/* --- rows of strategies.c that have hooks, in files of their own --- */

extern const struct strategy strategy_pods, strategy_namespaces, strategy_services,
    strategy_persistent_volumes, strategy_persistent_volume_claims, strategy_secrets,
    strategy_certificate_requests, strategy_api_services, strategy_custom_resource_definitions,
    strategy_cron_jobs, strategy_jobs, strategy_daemon_sets, strategy_csi_drivers, strategy_limit_ranges, strategy_events;
