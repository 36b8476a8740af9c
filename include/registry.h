/* registry.h - floor 5: what it means to create, change, list and delete an object of the API, whatever its type.
 * Below it only storage; above it the REST handlers, controllers and start-up hooks, which all come through here.
 * Trees here are canonical and of the storage version; handlers convert.
 * Threads: any. Operations are asynchronous: done is called exactly once, perhaps before the call returns, mostly on the
 * storage's committer thread, where it must be short. */
#pragma once

#include "http.h"
#include "patch.h"
#include "storage.h"

struct registry;

/* --- the table of resources --------------------------------------------------------------------------------------------- */

struct strategy;

/* One served resource of one version. */
struct resource {
    const struct resource_type *type;
    const struct resource_type *storage; /* the type that is stored */
    struct cache *cache;                 /* of the storage type; shared by its versions */
    const struct strategy *strategy;     /* of the storage type; never NULL */
    const struct resource *next;         /* in the table's order */
};

struct registry_options {
    struct storage *storage; /* borrowed */
    /* Which versions are served, as --runtime-config says. */
    bool (*is_served)(void *ctx, const struct resource_type *type);
    void *ctx;
};
/* Every storage type that a served resource needs: for storage_start, which comes first. Lives for ever. */
const struct resource_type *const *registry_storage_types(bool (*is_served)(void *, const struct resource_type *),
                                                          void *ctx, size_t *ret_n);
int registry_start(const struct registry_options *opt, struct registry **ret, struct status *st);
void registry_stop(struct registry *reg);
const struct resource *registry_find(const struct registry *reg, struct text group, struct text version,
                                     struct text name);
const struct resource *registry_resources(const struct registry *reg); /* the first; follow next */
struct storage *registry_storage(const struct registry *reg);

/* --- strategies ----------------------------------------------------------------------------------------------------------- */

struct operation;

/* The rules of a type that are algorithms. Every hook may be NULL. Hooks work on canonical trees of the storage version
 * in op->arena. A type without one gets strategy_default. */
struct strategy {
    bool allow_create_on_update;
    bool needs_revision_on_update; /* no unconditional update */
    const char *(*check_name)(struct text name); /* NULL: DNS subdomain; see schema/formats.h for the form */
    void (*prepare_create)(struct operation *op, struct value *obj);
    void (*prepare_update)(struct operation *op, struct value *obj, const struct value *old);
    void (*prepare_status)(struct operation *op, struct value *obj, const struct value *old);
    void (*validate)(struct operation *op, const struct value *obj, const struct value *old /* NULL: create */,
                     struct field_errors *errs);
    /* Seconds of grace for this deletion: given what the caller asked for (-1: nothing). 0: delete at once. NULL: none. */
    int64_t (*grace_seconds)(const struct value *obj, int64_t asked);
    /* Finalizers besides metadata's (namespaces): true while the object must stay. */
    bool (*holds)(const struct value *obj);
    /* What delete does besides: namespaces turn Terminating. obj is the tree that will be stored. */
    void (*prepare_delete)(struct operation *op, struct value *obj);
    int64_t ttl_seconds; /* events; 0: none */
};
extern const struct strategy strategy_default;

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

enum operation_kind { OPERATION_CREATE, OPERATION_UPDATE, OPERATION_DELETE };

struct delete_options {
    int64_t grace_seconds; /* -1: not given */
    struct text uid;       /* preconditions; empty: none */
    struct text resource_version;
    struct text propagation; /* Orphan, Background, Foreground or empty */
    int orphan_dependents;   /* -1: not given */
};

/* One write, embedded in or allocated by the caller, zero-initialised, then filled. */
struct operation {
    /* what is asked; all of it lives until done */
    enum operation_kind kind;
    const struct registry *registry;
    const struct resource *resource;
    const struct resource_sub *sub; /* "status" and the like, or NULL */
    struct arena *arena;
    struct text namespace, name;
    bool is_dry_run;
    const struct user_info *user;   /* NULL: the server itself */
    struct delete_options del;
    void (*done)(struct operation *op);
    void *ctx; /* the caller's */

    /* CREATE: the object. */
    struct value object;
    /* UPDATE: makes the new tree of the current one; called again with a newer current one when another writer was quicker and no
     * resourceVersion was demanded. current: NULL when there is none (create on update). -1 ends the operation with st.
     * Runs on whatever thread goes on with the operation; must not block. */
    int (*transform)(struct operation *op, const struct object *current, const struct value *current_tree,
                     struct value *ret_new, struct status *st);
    /* Admission: called with the tree about to be stored (and the old one), after transform and before validation. NULL: none. */
    int (*admit)(struct operation *op, struct value *obj, const struct value *old, struct status *st);

    /* what came of it, when done is called */
    struct status st;          /* STATUS_OK: it worked */
    struct object *result;     /* one reference, op's; of a dry run an object that is not stored */
    bool was_created;          /* UPDATE that created */
    bool was_removed;          /* DELETE: gone now; otherwise it waits for finalizers or grace */
    bool was_unchanged;        /* nothing was written */

    /* private to the registry */
    struct storage_write write;
    unsigned attempts;
    struct object *current;
    bool must_match; /* a resourceVersion was demanded: no retry */
};

/* Starts the operation of op->kind. Its metadata rules: name and generateName, uid, creationTimestamp, generation, self-made
 * fields kept from the old object, finalizers, deletion. No-op updates write nothing. */
void registry_submit(struct operation *op);
/* Releases what op holds (result, status, current); the struct is the caller's. */
void operation_clear(struct operation *op);
/* Start-up hooks and controllers: submits and waits. Never on an event loop or the committer thread. 0 or -1: see op->st. */
int registry_run(struct operation *op);

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

/* One reference; NOT_FOUND worded for the served resource otherwise. The caller has waited for freshness. */
int registry_get(const struct resource *res, struct text namespace, struct text name, struct object **ret,
                 struct status *st);

struct list_request {
    struct text namespace; /* empty: all */
    const struct selector *labels, *fields; /* may be NULL */
    int64_t limit;              /* 0: all */
    struct text continue_token; /* opaque, of an earlier page */
    struct text resource_version, resource_version_match; /* as sent */
};
/* A list under way: a snapshot and a position; no lock, no copy. */
struct listing {
    const struct resource *resource;
    struct list_request request;
    struct snapshot snapshot;
    uint64_t revision;       /* metadata.resourceVersion of the list */
    struct tree_iter iter;
    int64_t n_given;         /* objects given so far */
    struct object *ahead;    /* private: the next match, looked up to know whether there is more */
    bool is_done;
};
/* Checks the combination of parameters and takes the snapshot. Freshness is the caller's: when *ret_wait_for is not 0 the
 * store must reach that revision first (storage_wait), then call again. */
int listing_open(struct listing *l, const struct resource *res, const struct list_request *req, uint64_t *ret_wait_for,
                 struct status *st);
struct object *listing_next(struct listing *l); /* borrowed from the snapshot; NULL at the end or limit */
/* After the end: the token for the next page (empty: there is none) and how many are left (-1: not known). */
struct text listing_continue(struct arena *a, const struct listing *l, int64_t *ret_remaining);
void listing_close(struct listing *l);
