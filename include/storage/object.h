/* object.h - a stored object: immutable, refcounted bytes and what list and watch need to know of them.
 * GET, LIST items and WATCH events send the JSON as it lies. Other forms (protobuf, a table's cells, metadata only, another
 * served version) hang off the object: made by whoever first asks, shared by all, gone with it.
 * Life: object_new makes it unsealed (no revision yet), the storage engine's commit seals it, from then on any thread
 * may read it. */
#pragma once

#include <stdatomic.h>

#include "schema.h"

struct object {
    atomic_uint refs;
    uint32_t hash;                     /* of the key */
    const struct resource_type *type;  /* the storage version's */
    uint64_t revision;                 /* of its last change */
    struct text key;                   /* "default/web", or "web" when cluster-scoped: unique within its resource */
    struct text namespace, name, uid;  /* these point into json where they can */
    struct text json;                  /* canonical JSON of the storage version, resourceVersion included */
    uint32_t rv_at;                    /* offset in json of `"resourceVersion":"N",`; before the seal, of the hole for it */
    uint32_t rv_n;                     /* its length */
    uint32_t n_labels, n_fields;
    const struct text *labels;         /* key, value, key, value, ... sorted by key */
    const struct text *fields;         /* values of type->selectable, in that order */
    int64_t creation_ns;               /* metadata.creationTimestamp */
    bool is_deleting;                  /* has a deletionTimestamp */
    bool is_sealed;                    /* revision and json are final */
    bool is_unreadable;                /* json is whatever the store holds under this key: answer with an error */
    bool is_undecrypted;               /* of those: it is not known what it says */
    uint32_t bytes;                    /* of this allocation */
    uint32_t sealed_by;                /* how the store has it encrypted, see encryption_write_id; 0: unknown */
    int64_t expires_ms;                /* wall clock; 0: never. For engines that keep TTLs themselves. */
    _Atomic(struct object_form *) forms;
};

/* json: the encoding without resourceVersion, rv_at the place for it (schema_encode gives both); tree: the canonical tree it
 * was made of, for labels and fields. Copies what it needs, so that the object is one allocation. */
struct object *object_new(const struct resource_type *type, struct text json, size_t rv_at, const struct value *tree);
/* From stored bytes: JSON, with or without resourceVersion, of any version and order of members, or protobuf with its
 * envelope; reads and checks them, and makes them what this program would have stored. is_own: only this program writes there,
 * so that JSON which begins as its own does is taken as it lies. */
int object_load(const struct resource_type *type, struct text stored, bool is_own, uint64_t revision, struct object **ret,
                struct status *st);
/* What is kept for a key whose bytes cannot be decrypted or object_load refuses: it holds the key's place and revision, and
 * is_unreadable. */
struct object *object_unreadable(const struct resource_type *type, struct text key, struct text stored,
                                 uint64_t revision, struct text why);
/* Why it is, with upstream's word for which of the two failed. */
struct text object_corruption(struct arena *a, const struct object *o);
/* Only why; empty for any other object. */
static inline struct text object_problem(const struct object *o)
{
    return o->is_unreadable ? o->uid : TEXT_NONE; /* it has no uid that anybody could read */
}
void object_seal(struct object *o, uint64_t revision); /* once, before it is shared */
/* Instead, for an answer that is never stored and has no resource version. */
void object_seal_dry(struct object *o);
/* A sealed copy at another revision: a deletion's last state. */
struct object *object_with_revision(const struct object *o, uint64_t revision);
/* What an engine writes: the JSON around the resource version, as two pieces; sealed or not. */
void object_stored(const struct object *o, struct text ret_pieces[2]);
/* The same as protobuf with its envelope. tree: what the JSON says, whatever its resource version; NULL: it is read again.
 * INTERNAL_ERROR if the type has no message. */
int object_stored_protobuf(const struct object *o, const struct value *tree, struct buffer *b, struct status *st);
bool object_has_protobuf(const struct resource_type *type);

struct object *object_ref(struct object *o);
void object_unref(struct object *o);
DEFINE_CLEANUP(struct object *, object_unref)
size_t object_bytes(const struct object *o); /* memory it takes, forms included */

/* The canonical tree, read anew into the arena (3 us for a 3 KB pod); strings point into o, which must live as long. */
int object_tree(struct arena *a, const struct object *o, struct value *ret, struct status *st);

/* A derived encoding. make runs at most a few times even when many threads ask at once; the first result stays.
 * kind tells the forms apart (FORM_*) and of which version or flavour (of: a schema_kind, resource_type or NULL). */
enum object_form_kind {
    FORM_PROTOBUF,       /* message with envelope, of = kind of the version */
    FORM_JSON_VERSION,   /* JSON of another served version, of = its kind */
    FORM_PARTIAL,        /* PartialObjectMetadata JSON, of = version text's address */
    FORM_CELLS,          /* a table row's cells, of = resource_type */
    FORM_WATCH_EVENT,    /* a framed watch event; flavour in the number */
    FORM_OTHER,
};
struct object_form {
    struct object_form *next;
    enum object_form_kind kind;
    const void *of;
    uint32_t number;
    struct blob *blob;
};
/* Borrowed from o. make gives a new blob, or NULL on failure, which is passed on and not kept. */
struct blob *object_form_get(struct object *o, enum object_form_kind kind, const void *of, uint32_t number,
                             struct blob *(*make)(struct object *o, const void *of, uint32_t number, void *ctx),
                             void *ctx);

/* Trees of objects, keyed by object.key. */
extern const struct tree_ops object_tree_ops;

/* What readers derive from all objects of a leaf of such a tree together. It hangs on the leaf as an object's forms hang
 * on the object: made by whoever first asks, shared by all, gone with the leaf. The first member of its own struct. */
struct leaf_form {
    struct leaf_form *next;
    const void *form, *of; /* what it is; both are compared as addresses */
    uint32_t number;
    void (*free)(struct leaf_form *f);
};
struct leaf_form *leaf_form_find(const struct tree_leaf *leaf, const void *form, const void *of, uint32_t number);
/* Takes mine and gives what stays: another one's if that came first. */
struct leaf_form *leaf_form_add(const struct tree_leaf *leaf, struct leaf_form *mine);
