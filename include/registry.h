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

/* --- the table of resources --- */

struct strategy;
struct warner;

struct operation;
/* The say of a floor above in writes of a resource, where its rule needs to know who may what. Called for creates and updates after
 * admission with the tree about to be stored (and the old one), on the thread that goes on with the operation; blocks only if
 * op->may_block. */
struct registry_guard {
    int (*check)(void *ctx, struct operation *op, const struct value *obj, const struct value *old, struct status *st);
    void *ctx;
};

/* --- admission: the say of a floor above in writes that clients ask for --- */

enum admission_verb { ADMISSION_CREATE = 1, ADMISSION_UPDATE = 2, ADMISSION_DELETE = 4, ADMISSION_CONNECT = 8 };

/* A write as admission sees it: filled by the registry for operations, by handlers for objects that are not stored (bindings,
 * evictions, reviews). Everything is borrowed for the call. */
struct admission_attributes {
    struct arena *arena; /* of the request */
    enum admission_verb verb;
    const struct registry *registry;
    const struct resource *resource;
    const struct resource_sub *sub;      /* NULL: the resource itself */
    const struct schema_kind *kind;      /* of object and old: the version that is stored, or a kind of the subresource's own */
    struct text namespace, name;         /* name: empty while it is still to be generated */
    struct value *object;                /* NULL for DELETE */
    const struct value *old;             /* NULL for CREATE */
    const struct user_info *user;        /* never NULL */
    const struct delete_options *del;    /* DELETE; else NULL */
    bool is_dry_run;
    bool may_block;                      /* the thread may wait for others; see may_wait below */
    struct text_list *warnings;          /* for the client */
};

/* Two phases, as upstream has them: admit may change the object and comes before the type's rules; validate sees it as it will be
 * stored, behind them. Both 0 or -1 with the refusal, on the thread that goes on with the operation, perhaps once for each attempt of an
 * update.
 * Waiting: on an event loop or the committer thread nobody waits. may_wait is asked first, with attributes that have no objects
 * yet: true sends the request to a worker before its operation begins, with may_block set. Such an operation stays there: when
 * another writer was quicker it is tried again on a worker, not on the committer thread, and so it goes on once it has taken what it
 * needs beside the object (registry_options.workers; registry_run: on the thread that waits). Where may_block is not set nobody foresaw a reason to wait: what has come about since then counts as
 * having come after the request. */
struct admission_hooks {
    int (*admit)(void *ctx, struct admission_attributes *a, struct status *st);
    int (*validate)(void *ctx, struct admission_attributes *a, struct status *st);
    bool (*may_wait)(void *ctx, const struct admission_attributes *a);
    void *ctx;
};

/* One served resource of one version. */
struct resource {
    const struct resource_type *type;
    const struct resource_type *storage; /* the type that is stored; NULL: nothing is stored (reviews) */
    struct storage *store;               /* where its objects are; NULL: nothing is stored */
    struct cache *cache;                 /* of the storage type, shared by its versions; NULL: nothing is stored */
    const struct strategy *strategy;     /* of the storage type; never NULL */
    const struct warner *warner;         /* what its writes are warned of; NULL: nothing */
    struct registry_guard guard;         /* check NULL: none */
    const struct resource *next;         /* in the table's order */
};

/* What services get their addresses and ports of. */
struct service_options {
    struct text ranges[2]; /* CIDRs as Go prints them, of different families; the first is the default. The second may be empty. */
    uint32_t port_base, n_ports; /* node ports */
};

struct registry_options {
    struct storage *storage; /* borrowed, as all of them */
    /* Stores of some resources: who has a cache of a type is its store. Revisions of two stores have nothing in common. */
    struct storage *const *others;
    size_t n_others;
    /* Which versions are served, as --runtime-config says. */
    bool (*is_served)(void *ctx, const struct resource_type *type);
    void *ctx;
    int64_t event_ttl_ms; /* 0: events stay */
    struct workers *workers; /* borrowed: for operations that may block and go on later; NULL: the committer thread does */
    const struct service_options *services; /* copied; NULL: services get neither addresses nor ports */
};
/* Every storage type that a served resource needs: for storage_start, which comes first. is_served NULL: all that is on by
 * default. Not for threads: start-up calls it. Lives until the next call. */
const struct resource_type *const *registry_storage_types(bool (*is_served)(void *, const struct resource_type *),
                                                          void *ctx, size_t *ret_n);
/* The type in whose store this one lies: itself, but for what is of no API. */
const struct resource_type *registry_kept_beside(const struct resource_type *type);
int registry_start(const struct registry_options *opt, struct registry **ret, struct status *st);
void registry_stop(struct registry *reg);
const struct resource *registry_find(const struct registry *reg, struct text group, struct text version,
                                     struct text name);
const struct resource *registry_resources(const struct registry *reg); /* the first; follow next */

/* Of all versions of the resource. One at most, set before the first request. */
void registry_guard(struct registry *reg, struct text group, struct text name, struct registry_guard guard);

/* --- strategies --- */

enum strategy_flag {
    STRATEGY_CREATE_ON_UPDATE = 1,    /* a PUT of what is not there creates it */
    STRATEGY_NEEDS_REVISION = 2,      /* no update without a resourceVersion */
    STRATEGY_RETURNS_DELETED = 4,     /* DELETE answers with the object, not with a Status */
    STRATEGY_ANY_FINALIZER = 8,       /* finalizers without a domain are good */
    STRATEGY_CHECKS_META_AGAIN = 16,  /* updates validate metadata once more, which repeats its errors */
    STRATEGY_KEEPS_STATUS = 32,       /* creating does not reset the status */
    STRATEGY_ORPHANS = 64,            /* deleting orphans dependents unless told otherwise */
    STRATEGY_NO_COLLECTION = 128,     /* the garbage collector's finalizers are never set */
    STRATEGY_COUNTS_LABELS = 256,     /* changes of these are new generations too */
    STRATEGY_COUNTS_ANNOTATIONS = 512,
    STRATEGY_FIXED_GENERATION = 1024, /* 1 for ever */
    STRATEGY_CHECKS_UPDATE_ONCE = 2048, /* updates do not check twice what of metadata may change */
    STRATEGY_WARNS_OF_ORPHANS = 8192, /* (jobs) when deleting orphans and was not told to */
    STRATEGY_EXPIRES = 4096,          /* lives for registry_options.event_ttl_ms from its last write on */
};
enum strategy_name { NAME_SUBDOMAIN, NAME_LABEL, NAME_PATH_SEGMENT, NAME_IP };
/* Which metadata the status subresource may change. */
enum strategy_status_metadata { STATUS_METADATA_ANY, STATUS_METADATA_NO_LABELS, STATUS_METADATA_NO_OWNERS, STATUS_METADATA_NONE };
/* What begin_delete decided: the usual way; store obj, which it has changed; leave the object as it is. */
enum delete_plan { DELETE_USUAL, DELETE_STORE, DELETE_NOTHING };

/* What differs from type to type: data first, and hooks, NULL when not needed, where the rule is an algorithm. Hooks work on
 * canonical trees of the storage version in op->arena, and need not keep them in order. What holds for all: has_status types lose their
 * status at create and keep the old one at update; their status subresource changes nothing else but metadata; has_generation
 * types count changes of what is neither metadata nor status.
 * Source: kubernetes pkg/registry/<group>/<kind>/strategy.go. */
struct field_resets {
    const char *sub; /* "": the object's own path; NULL ends a list */
    const char *const *const *paths; /* of names: {"spec", NULL} */
    size_t n;
};
/* What writing an object takes beside the object itself and nobody else may then have: addresses, ports. All of it is asynchronous,
 * made of operations of its own. Only for writes of the object's own path, not of subresources; several attempts of one
 * operation take and give back each time.
 *
 *   (nothing) --take--> held --the object is written, or will not be--> settle --> (nothing) --the object is gone--> let_go
 */
struct strategy_claims {
    /* Before the strategy prepares and validates obj: takes what it needs and says it in obj; sets op->claim to be settled. Then calls
     * operation_claimed, with op->st set when that cannot be done; op->claim must be NULL then. Takes op->may_block away before
     * another thread may have a hand in it. */
    void (*take)(struct operation *op, struct value *obj, const struct value *old /* NULL: create */);
    /* Gives back what old had and obj has no more, or, when nothing was written, what take took; then operation_settled. */
    void (*settle)(struct operation *op, bool is_written);
    /* op->current is removed: gives back what it had; then operation_settled. */
    void (*let_go)(struct operation *op);
};

struct strategy {
    const struct field_resets *resets; /* fields that nobody comes to own, where the general rule does not hold; NULL: it does */
    uint16_t flags;          /* enum strategy_flag */
    uint8_t name;            /* enum strategy_name */
    uint8_t status_metadata; /* enum strategy_status_metadata */
    /* What upstream's conversion adds to whatever a client sends: whoever does owns it. old NULL: a creation. */
    void (*convert)(struct operation *op, struct value *obj, const struct value *old);
    void (*prepare_create)(struct operation *op, struct value *obj);
    void (*prepare_update)(struct operation *op, struct value *obj, const struct value *old);
    /* Instead of the rule above, for subresources that are not status; false: there is no such rule, update as usual. */
    bool (*prepare_sub)(struct operation *op, struct value *obj, const struct value *old);
    void (*prepare_status)(struct operation *op, struct value *obj, const struct value *old);
    void (*validate)(struct operation *op, const struct value *obj, const struct value *old /* NULL: create */,
                     struct field_errors *errs);
    /* Seconds of grace for this deletion: given what the caller asked for (-1: nothing). 0: delete at once. NULL: none. */
    int64_t (*grace_seconds)(const struct value *obj, int64_t asked);
    /* Finalizers besides metadata's (namespaces): true while the object must stay. */
    bool (*holds)(const struct value *obj);
    enum delete_plan (*begin_delete)(struct operation *op, struct value *obj);
    const struct strategy_claims *claims; /* NULL: nothing */
};
/* Of a storage type; never NULL. */
const struct strategy *strategy_find(const struct resource_type *type);

/* --- writing --- */

enum operation_kind { OPERATION_CREATE, OPERATION_UPDATE, OPERATION_DELETE };

struct delete_options {
    int64_t grace_seconds; /* -1: not given; what a client sends below 0 counts as 1 */
    struct text uid;       /* preconditions; empty: none */
    struct text resource_version;
    struct text propagation; /* Orphan, Background, Foreground or empty */
    int orphan_dependents;   /* -1: not given */
    /* Removes an object that cannot be read, whatever may hang on it, without a look at the options above; INVALID for any
     * other object. The option ignoreStoreReadErrorWithClusterBreakingPotential. */
    bool ignores_read_error;
};
/* Adds upstream's words for options that contradict each other. */
void delete_options_check(const struct delete_options *del, struct field_errors *errs);

/* One write, embedded in or allocated by the caller, zero-initialised, then filled. */
struct operation {
    /* what is asked; all of it lives until done */
    enum operation_kind kind;
    const struct registry *registry;
    const struct resource *resource;
    const struct resource_sub *sub; /* "status" and the like, or NULL */
    struct arena *arena;
    struct text namespace, name; /* of the request; name is not needed for CREATE */
    bool is_dry_run;
    struct text field_manager; /* recorded as manager of what changes; .p NULL: the managed fields stay as they are */
    bool manages_fields;       /* transform has seen to the managed fields itself (apply) */
    const struct user_info *user;   /* NULL: the server itself */
    bool may_block;                 /* the thread that submits may wait for others; the registry takes it away on its own threads, and
                                       tries again on a worker */
    struct delete_options del;
    void (*done)(struct operation *op);
    void *ctx; /* the caller's */

    /* CREATE: the object; used up. */
    struct value object;
    /* UPDATE: makes the new tree of the current one; called again with a newer current one when another writer was quicker.
     * The tree is the registry's to change: a copy where the caller keeps one. current: NULL when there is none (create on
     * update). -1 ends the operation with st. Runs on whatever thread goes on with the operation; must not block. */
    int (*transform)(struct operation *op, const struct object *current, const struct value *current_tree,
                     struct value *ret_new, struct status *st);
    struct text expected_uid; /* UPDATE by PUT: the uid that the body gave; CONFLICT if it is another's */
    bool may_create;          /* UPDATE: creates what is not there whatever the type's rule (apply) */
    const struct admission_hooks *admission; /* NULL: none, as for what the server itself writes */

    /* what came of it, when done is called */
    struct status st;          /* STATUS_OK: it worked */
    struct object *result;     /* one reference, op's; of a dry run an object that is not stored */
    bool was_created;          /* UPDATE that created */
    bool was_removed;          /* gone now: DELETE, or an UPDATE that took the last finalizer */
    bool was_unchanged;        /* nothing was written */
    struct text_list warnings; /* for the client, also of a write that failed; perhaps repeated */

    /* private to the registry */
    struct storage_write write;
    struct object *current, *written; /* one reference each */
    struct value written_tree;        /* of which written was encoded */
    void (*proceed)(struct operation *op);
    void (*again)(struct operation *op); /* from the start, with what is stored by then */
    void (*next)(struct operation *op);  /* what a thread that may block shall call */
    void (*resume)(struct operation *op); /* has next called on a thread of the submitter's; NULL: the registry sees to it */
    struct work work;                    /* of a worker that goes on */
    bool is_for_workers;                 /* it was submitted with may_block */
    unsigned attempts;
    struct value *obj; /* while it is worked on: in the arena, as old */
    const struct value *old;
    void *claim; /* of the strategy's claims; NULL: nothing is held */
    void (*settled)(struct operation *op);
    bool has_let_go;
    bool demands_revision; /* CREATE with a resourceVersion */
    bool removes_next;   /* DELETE: the object is stored for a last time, then removed */
    bool is_fresh;       /* it goes by a state that was the newest after the operation began */
    bool is_namespace_fresh; /* the same of its namespace, when that lies in another store */
    bool generates_name; /* CREATE: the name is made up, and another one when it is taken */
};

/* What deleting with these options is warned of, or NULL. */
const char *delete_options_warning(const struct resource *res, const struct delete_options *del);

/* Starts the operation of op->kind. Its metadata rules: name and generateName, uid, creationTimestamp, generation, self-made
 * fields kept from the old object, finalizers, deletion. No-op updates write nothing. */
void registry_submit(struct operation *op);
/* For those who apply: who, and what that way of writing cannot change. */
struct managing registry_managing(const struct operation *op);
/* Releases what op holds (result, status, current); the struct is the caller's. */
void operation_clear(struct operation *op);
/* Start-up hooks and controllers: submits and waits. Never on an event loop or the committer thread. 0 or -1: see op->st. */
int registry_run(struct operation *op);

/* For handlers of what is not stored as it comes: both phases over a's object, 0 without hooks. */
int admission_ask(const struct admission_hooks *hooks, struct admission_attributes *a, struct status *st);

/* BAD_REQUEST unless the object is the one that the request names: an empty namespace is filled in, a name must be there and
 * the same (name.p NULL: not checked). Updates check it after transform; handlers of PUT check it first, since it does not
 * need the stored object. */
int registry_check_identity(struct arena *a, const struct resource *res, struct text namespace, struct text name,
                            struct value *obj, struct status *st);

/* A name with five random letters behind it, as generateName makes them. */
struct text name_generate(struct arena *a, struct text base);

/* --- pods --- */

enum pod_reference {
    POD_REFERS_SECRET,
    POD_REFERS_CONFIG_MAP,
    POD_REFERS_CLAIM, /* of a persistent volume */
    POD_REFERS_RESOURCE_CLAIM,
    POD_REFERS_SERVICE_ACCOUNT,
};
typedef void (*pod_reference_visitor)(void *ctx, enum pod_reference what, struct text name);
/* Calls visit for whatever of its namespace the pod's tree names, repeats included. */
void pod_references(struct arena *a, const struct value *pod, pod_reference_visitor visit, void *ctx);

/* --- services --- */

/* Addresses and node ports against the services: what nobody has is given back, what somebody has is taken. Makes the object of the
 * node ports, before which none is given. At start and now and then; one thread, which it blocks. Without service_options nothing. */
int registry_repair_services(struct registry *reg, struct status *st);

/* --- reading --- */

/* One reference; NOT_FOUND worded for the served resource otherwise. The caller has waited for freshness. */
int registry_get(const struct resource *res, struct text namespace, struct text name, struct object **ret,
                 struct status *st);
/* The INTERNAL_ERROR for an object that is stored and cannot be read. Always -1. */
int registry_fail_unreadable(const struct resource *res, const struct object *o, struct status *st);

/* What storage_snapshot_at gave. */
struct past_state {
    uint64_t revision;        /* asked for; 0: not asked yet */
    struct snapshot snapshot; /* revision 0: failure says why not */
    struct status failure;
};
struct list_request {
    struct text namespace; /* empty: all */
    const struct selector *labels, *fields; /* may be NULL */
    int64_t limit;              /* 0: all */
    struct text continue_token; /* opaque, of an earlier page */
    struct text resource_version, resource_version_match; /* as sent */
    const struct past_state *past; /* see listing_open; NULL: what is older than the cache's history has expired */
};
/* A list under way: a snapshot and a position; no lock, no copy. */
struct listing {
    const struct resource *resource;
    struct list_request request;
    struct snapshot snapshot;
    uint64_t revision;       /* metadata.resourceVersion of the list */
    /* private */
    struct tree_iter iter;
    struct buffer scratch;   /* the texts below */
    struct text prefix;      /* keys that count begin with this */
    struct text single;      /* the only key that can match; empty: any */
    struct text last_key;    /* of the last object given */
    int64_t n_given, n_seen;
    bool has_more; /* keys behind the last one, whether they match or not */
    bool is_done, is_open;
};
/* Checks the parameters against each other, for an INVALID of upstream's ListOptions. Of lists only; watches have rules of their
 * own. */
void list_request_check(const struct list_request *req, struct field_errors *errs);
/* Takes the snapshot. Freshness is the caller's: when *ret_wait_for is not 0 the store must reach that revision first
 * (storage_wait) or, when it is beyond it already, request.past be filled for it (storage_snapshot_at); then call again.
 * BAD_REQUEST for bad tokens and versions, EXPIRED for those that are gone; for a token that is, with another one that goes on
 * at the newest revision. The request's texts must live as long as the listing. */
int listing_open(struct listing *l, const struct resource *res, const struct list_request *req, uint64_t *ret_wait_for,
                 struct status *st);
/* A list of what is stored nowhere: the objects of tree (taken), of no revision and without pages. */
void listing_of(struct listing *l, const struct resource *res, const struct list_request *req, struct tree *tree);
struct object *listing_next(struct listing *l); /* borrowed from the snapshot; NULL at the end or limit */
/* Instead of listing_next when no selector has a say: neighbours in a leaf of the snapshot's tree, without a look at any. */
struct listing_run {
    struct tree_leaf leaf;
    size_t from, n; /* of leaf.items */
};
bool listing_is_range(const struct listing *l);
bool listing_next_run(struct listing *l, struct listing_run *ret); /* false at the end or limit */
/* After the end: the token for the next page (empty: there is none) and how many are left (-1: not known). */
struct text listing_continue(struct arena *a, const struct listing *l, int64_t *ret_remaining);
void listing_close(struct listing *l);
