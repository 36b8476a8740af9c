/* schema.h - floor 2: what the API's types look like, and every walk over an object that follows its type.
 * Built-in types are the const tables that the schema compiler made of src/api; a custom type's tables are built at run time of the
 * same structs. Decoding, defaulting, encoding, protobuf, patching, printing and publishing all walk these.
 * Threads: tables are immutable; every function works on its arguments only. */
#pragma once

#include "base.h"
#include "schema/formats.h"
#include "schema/quantity.h"

struct schema;

enum type_kind {
    TYPE_STRING,
    TYPE_INT32,
    TYPE_INT64,
    TYPE_BOOL,
    TYPE_FLOAT64,
    TYPE_BYTES, /* base64 in JSON */
    /* specials; see src/api/meta/special.schema for their messages */
    TYPE_QUANTITY,
    TYPE_INT_OR_STRING,
    TYPE_TIME,
    TYPE_MICRO_TIME,
    TYPE_DURATION,
    TYPE_RAW_EXTENSION,
    TYPE_FIELDS_V1,
    TYPE_UNKNOWN,
    TYPE_ANY, /* any JSON value; objects are written by sorted key */
    /* made of others */
    TYPE_STRUCT, /* schema */
    TYPE_LIST,   /* elem */
    TYPE_WRAPPED_LIST, /* a list of strings that is a message of its own in protobuf, items = 1 */
    TYPE_MAP,    /* elem; keys are strings */
};

struct schema_type {
    uint8_t kind; /* enum type_kind */
    bool is_pointer;
    const struct schema *schema;    /* of a struct */
    const struct schema_type *elem; /* of a list or a map, wrapped lists too */
};

enum merge_kind { MERGE_DEFAULT, MERGE_ATOMIC, MERGE_SET, MERGE_MAP, MERGE_GRANULAR };

/* What a struct type looks like in JSON. */
enum json_form {
    JSON_FORM_OBJECT,
    JSON_FORM_VALUE,  /* any JSON value, the bytes of the one field in protobuf */
    JSON_FORM_EITHER, /* the bare value of one of two fields, whichever it fits: form_fields, the one that wins first */
};

enum field_flag {
    FIELD_IS_REQUIRED = 1,  /* in OpenAPI */
    FIELD_KEEP_EMPTY = 2,   /* JSON always has the field */
    FIELD_KEEP_STRUCT = 4,  /* a plain struct never counts as empty */
    FIELD_OMIT_ZERO = 8,    /* left out when all of it is zero */
    FIELD_PATCH_MERGE = 16, /* strategic merge patch strategies */
    FIELD_PATCH_REPLACE = 32,
    FIELD_PATCH_RETAIN_KEYS = 64,
    FIELD_NO_PROTO = 128,   /* type meta: not in the message */
};

struct schema_enum {
    struct text name; /* "v1.Protocol", as decoding errors print it */
    const struct text *values;
    size_t n_values;
    bool is_closed; /* the set is checked */
};

/* What decoding needs comes first: it shares a cache line. */
struct schema_field {
    struct text name; /* in JSON */
    struct schema_type type;
    uint8_t flags; /* enum field_flag */
    uint8_t merge; /* enum merge_kind, as marked */
    uint16_t number;     /* protobuf; 0: none */
    uint8_t embedded[2]; /* numbers of the embedded messages that the field lies in, outermost first; 0: none */
    uint8_t n_merge_keys;
    bool is_default_free; /* no default anywhere below; not known of types made at run time */
    const struct text *merge_keys; /* list=map(...) */
    struct text patch_key;         /* patch merge key; empty: none */
    struct text fallback;          /* a marker's default, as JSON; empty: none */
    const struct schema_enum *enumeration, *key_enumeration;
    struct text cast; /* "v1.ResourceList": the name of the type where it has one and no declared values */
    struct text description; /* in our own words; may be empty */
};

/* --- defaults: rules of a type, carried out in order; see "Defaults" in docs/schema-language.md --- */

#define SCHEMA_PATH_MAX 5
/* From an object of the type to a part of it: indexes of fields, each of the type that the one before it has. */
struct schema_path {
    uint16_t n;
    uint16_t fields[SCHEMA_PATH_MAX];
};

enum schema_test { TEST_IS_SET, TEST_IS_UNSET, TEST_EQUALS, TEST_DIFFERS, TEST_ABOVE, TEST_NOT_BELOW };
struct schema_condition {
    struct schema_path path;
    uint8_t test;       /* enum schema_test */
    bool is_of_old;     /* of what the object was before the update; without a path: whether it is one */
    struct value value; /* a scalar, for TEST_EQUALS and TEST_DIFFERS */
    struct schema_path other; /* another number, for TEST_ABOVE and TEST_NOT_BELOW */
};

/* A rule that is an algorithm. object is canonical, of type s, and stays so; field: index of the field on whose line the
 * function is named, 0 where it is the type's. */
typedef void (*schema_fill)(struct arena *a, const struct schema *s, struct value *object, uint16_t field);

enum schema_rule_kind {
    RULE_CONSTANT, /* a scalar */
    RULE_STRUCT,   /* an empty struct */
    RULE_JSON,     /* a list or a struct with something in it */
    RULE_COPY,     /* what stands at from, if anything */
    RULE_REMOVE,   /* nothing: the field goes */
    RULE_FUNCTION, /* fill */
};
struct schema_rule {
    struct schema_path path; /* what is filled in */
    uint8_t kind;            /* enum schema_rule_kind */
    uint8_t n_conditions;
    const struct schema_condition *conditions; /* all must hold */
    struct value constant;
    struct text json;
    struct schema_path from;
    schema_fill fill;
};

/* --- checks: rules of a type that an object must keep, in order; see "Checks" in docs/schema-language.md ---
 */

struct validation;
struct field_path;
/* A check that is an algorithm. v is what stands at the check's path, NULL for nothing (only where the check
 * is for unset values too); old what stood there before the update: NULL on creation, a null where there is
 * no counterpart. */
typedef void (*schema_check_function)(struct validation *w, const struct field_path *at,
                                      const struct value *v, const struct value *old);

enum schema_check_kind {
    CHECK_BELOW,         /* goes on with the checks of the types below */
    CHECK_BELOW_UNNAMED, /* the same, but errors name an item as the struct that has the list */
    CHECK_REQUIRED,      /* must be set */
    CHECK_NOT_EMPTY,     /* if it is set there must be something in it */
    CHECK_FORBIDDEN,     /* must not be set */
    CHECK_INVALID,       /* wrong whenever it is set */
    CHECK_ENUM,          /* texts */
    CHECK_RANGE,         /* min, max: of a number or a quantity */
    CHECK_ABOVE,         /* min, exclusive */
    CHECK_LENGTH,        /* max bytes of a string */
    CHECK_ITEMS,         /* min, max: of a list or map */
    CHECK_FORMAT,        /* format, of a string */
    CHECK_IMMUTABLE,     /* as it was before the update */
    CHECK_UNIQUE,        /* items differ, or the fields of theirs that are named */
    CHECK_AT_MOST_ONE,   /* of the fields, of a struct */
    CHECK_AT_LEAST_ONE,
    CHECK_FUNCTION,
};
enum schema_check_target { CHECK_VALUE, CHECK_EACH /* item, or value of a map */, CHECK_KEYS };
struct schema_check {
    struct schema_path path; /* what is checked, from an object of the type; n 0: the object itself */
    uint8_t kind;            /* enum schema_check_kind */
    uint8_t target;          /* enum schema_check_target */
    bool is_for_unset;       /* looks at values that are not set too: at zero, or at NULL */
    uint8_t n_conditions;
    const struct schema_condition *conditions; /* all must hold */
    struct text detail;                        /* instead of the usual words; may be empty */
    int64_t min, max;                          /* INT64_MIN, INT64_MAX: none */
    uint8_t format;                            /* enum format */
    uint8_t n_fields;
    const uint16_t *fields;   /* indexes: of the struct's, of the items' */
    const struct text *texts; /* in the order in which errors name them */
    size_t n_texts;
    schema_check_function function;
};

/* Fields of which at most one is set, as a discriminating field says. */
struct schema_union {
    const struct text *values;     /* of the discriminator, one for each member */
    const uint16_t *members;       /* indexes of the fields */
    uint8_t n_members;
    bool has_discriminator;
    uint16_t discriminator;        /* index of the field */
};

/* A struct type. Fields of inlined structs stand among the others, in JSON's order. */
struct schema {
    struct text name; /* "PodSpec" */
    const struct schema_field *fields;
    uint16_t n_fields;
    uint16_t n_slots;      /* a power of two, at least twice n_fields */
    uint32_t seed;
    const uint16_t *slots; /* open hash table of names: 1 + index, 0: free; see schema_field_of */
    /* Indexes of the fields that JSON always has (FIELD_KEEP_EMPTY, FIELD_KEEP_STRUCT). */
    const uint16_t *kept;
    const struct schema_rule *rules; /* of defaulting, the fields' fallbacks among them */
    uint16_t n_kept;
    uint16_t n_rules;
    uint16_t n_by_number;
    const uint16_t *by_number; /* indexes in protobuf's order; an embedded message's fields stand at its number */
    uint8_t form;              /* enum json_form */
    uint8_t merge;             /* struct=atomic or granular, for all fields of the type */
    uint16_t form_fields[2];   /* JSON_FORM_EITHER: indexes */
    struct text full_name;     /* "io.k8s.api.core.v1.PodSpec": as OpenAPI names it */
    struct text go_name;       /* "v1.PodSpec": as decoding errors print it */
    struct text description;
    const struct schema_union *one_of; /* NULL: the type is no union */
    const struct schema_check *checks; /* none: nothing of the type is checked, nor of the types below */
    uint16_t n_checks;
};
/* Built-in types by full name, e.g. the one of ObjectMeta; NULL: none. */
const struct schema *schema_find(struct text full_name);
extern const struct schema *const schema_all[]; /* sorted by full name */
extern const size_t n_schema_all;
/* Fills slots, kept, rules and by_number of a type made at run time, from its fields; its checks are its
 * maker's. */
void schema_index(struct arena *a, struct schema *s);
/* The field of this JSON name, or NULL. Exact match: case matters. */
const struct schema_field *schema_field_of(const struct schema *s, struct text name);

/* --- kinds and resources ------------------------------------------------------------------------------------------ */

struct gvk {
    struct text group, version, kind;
};
struct text gvk_api_version(struct arena *a, struct gvk k); /* "v1", "apps/v1" */
struct text group_version_text(struct arena *a, struct text group, struct text version);
void group_version_parse(struct text api_version, struct text *ret_group, struct text *ret_version);

struct schema_kind {
    struct gvk gvk;
    struct text api_version; /* "apps/v1" */
    const struct schema *schema;
    const struct schema_kind *storage; /* the version that is stored; itself mostly */
    uint8_t introduced_minor, deprecated_minor, removed_minor; /* of 1.x; 0: never */
    struct text replacement; /* "apps/v1 Deployment", as deprecation warnings name it; may be empty */
};
extern const struct schema_kind schema_kinds[]; /* sorted by group, version, kind */
extern const size_t n_schema_kinds;
/* NULL: unknown. Kinds of every group-version (DeleteOptions, WatchEvent) are found in any, with their own gvk "*". */
const struct schema_kind *schema_kind_find(struct gvk k);
const struct schema_kind *schema_kind_of(struct text api_version, struct text kind);

enum verb_bit {
    VERB_CREATE = 1,
    VERB_DELETE = 2,
    VERB_DELETECOLLECTION = 4,
    VERB_GET = 8,
    VERB_LIST = 16,
    VERB_PATCH = 32,
    VERB_UPDATE = 64,
    VERB_WATCH = 128,
};

/* A column of a printed table. path is a dotted path into the object or, beginning with "@", the name of a
 * printer function for cells that are computed. */
struct resource_column {
    struct text name, type, format, description, path;
    int priority;
};

/* A field selector. Names of a version that is not the stored one may differ, paths do not: they lie in the stored version.
 * A path that begins with "@" is the name of a function. */
struct resource_selectable {
    struct text name, path;
    uint8_t index; /* of the stored version's first selectable of the same path */
};

struct resource_sub {
    struct text name; /* "status", "scale", "eviction", ... */
    uint8_t verbs;    /* enum verb_bit */
    struct gvk kind;  /* of what is sent and answered */
    bool has_no_table;
};

/* One served resource of one version, as the resource line in a .schema file says. */
struct resource_type {
    struct text group, version, name, singular;
    const struct schema_kind *kind, *list_kind; /* list_kind NULL: not listable */
    bool is_namespaced;
    bool is_on_by_default; /* else only by --runtime-config */
    bool has_status;       /* the status subresource: spec and status are written apart */
    bool has_generation;   /* metadata.generation counts changes of what is not status */
    uint8_t verbs;
    const struct text *short_names, *categories;
    uint8_t n_short_names, n_categories;
    const struct resource_sub *subs;
    uint8_t n_subs;
    /* Besides metadata.name and, but for cluster-scoped resources with selectables of their own, metadata.namespace. */
    const struct resource_selectable *selectable;
    uint8_t n_selectable;
    const struct resource_column *columns;
    uint8_t n_columns;
    struct text storage_prefix; /* where kube-apiserver keeps it below /registry: "pods", "services/specs" */
    struct text storage_hash;   /* storageVersionHash of discovery */
    bool is_kept_as_json;         /* stored as JSON whatever the storage's media type */
    struct text field_annotation; /* an annotation that counts as no metadata; empty: there is none */
    const struct resource_type *storage; /* the version that holds the stored objects; itself mostly */
};
/* All of them, by group in kube-apiserver's order of groups, by version (preferred first), then by name. */
extern const struct resource_type schema_resources[];
extern const size_t n_schema_resources;
const struct resource_type *schema_resource_find(struct text group, struct text version, struct text name);

/* A served group-version, in the same order. The priorities are those of kube-apiserver's own APIServices. */
struct schema_version {
    struct text group, version;
    uint16_t group_priority, version_priority;
    const struct resource_type *resources; /* sorted by name */
    uint16_t n_resources;
};
extern const struct schema_version schema_versions[];
extern const size_t n_schema_versions;

/* --- walks ---------------------------------------------------------------------------------------------------------- */

/* What decoding noticed beside errors: bare paths ("spec.foo"), which field validation prints as `unknown field "spec.foo"`. */
struct decode_notes {
    struct text_list unknown;    /* paths, at most 100 */
    struct text_list duplicates; /* paths; see struct json_options */
};

/* The canonical tree of an object is what upstream's encoder writes of it: members in the schema's order, maps by sorted key, each
 * member with its field's index, no member that JSON leaves out, each that JSON always has (resources: {}, null for a list that is
 * not there). Equal objects have equal trees. Raw values (RawExtension, JSON) stay as they were read, but
 * for FieldsV1, which is kept as its JSON text (VALUE_RAW): it is long, and most who handle an object leave it alone. */

/* Turns a tree as read into the canonical tree of the type, in place: keys become the schema's own, which must outlive the tree, unknown members are dropped (and noted), nulls that mean
 * "absent" go, quantities, times and numbers take their canonical form. BAD_REQUEST with upstream's words for a wrong type ("json:
 * cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container"). notes may be NULL. */
int schema_decode(struct arena *a, const struct schema *s, struct value *v, struct decode_notes *notes,
                  struct status *st);
/* Fills in the defaults of the type and of all types below, as upstream's decoder does. The tree is canonical and stays so. */
void schema_default(struct arena *a, const struct schema *s, struct value *v);
/* JSON of a canonical tree. Members that were put in by hand are found by name and need not be in order, but schema_arrange makes
 * it cheap again. With ret_rv_offset (may be NULL) the resourceVersion of the top-level metadata is left out, and the offset is
 * where `"resourceVersion":"N",` goes; SIZE_MAX, and nothing left out, if nothing follows there (an object without
 * creationTimestamp: never a stored one). */
void schema_encode(struct buffer *b, const struct schema *s, const struct value *v, size_t *ret_rv_offset);
/* A canonical tree as it comes back from protobuf, which does not know an empty list or map from none: what JSON always has is null. */
void schema_forget_empty(const struct schema *s, struct value *v);
/* Makes a tree canonical again that was changed by hand, all the way down: order, indexes, what JSON leaves out or always has. Values are
 * trusted to be of the right kind. */
void schema_arrange(struct arena *a, const struct schema *s, struct value *v);

/* The message of a canonical tree, without envelope. Type meta is in the envelope only. */
void schema_protobuf_encode(struct buffer *b, const struct schema *s, const struct value *v);
/* Gives a canonical tree without apiVersion and kind; its strings point into the message. Unknown numbers are skipped; BAD_REQUEST
 * for anything that is no such message. */
int schema_protobuf_decode(struct arena *a, const struct schema *s, struct text message, struct value *ret,
                           struct status *st);
/* The same with the k8s\0 envelope: apiVersion and kind are the tree's. Reading does not check that they are those of s: protobuf_open
 * says what lies in an envelope. */
void schema_protobuf_write(struct buffer *b, const struct schema *s, const struct value *v);
int schema_protobuf_read(struct arena *a, const struct schema *s, struct text in, struct value *ret,
                         struct status *st);
/* The envelope around a message. */
void protobuf_envelope(struct buffer *b, struct text api_version, struct text kind, struct text message);
int protobuf_open(struct text in, struct text *ret_api_version, struct text *ret_kind, struct text *ret_message,
                  struct status *st);
bool protobuf_is_envelope(struct text in);
void protobuf_varint(struct buffer *b, uint64_t v);
void protobuf_field_bytes(struct buffer *b, unsigned number, struct text bytes);

/* Turns a canonical tree of one version of a kind into that of another (same kind, or the pairs that share storage, as
 * events do); apiVersion is set. The trees share strings. Fails only for kinds that have no conversion. */
int schema_convert(struct arena *a, const struct schema_kind *from, const struct schema_kind *to,
                   const struct value *v, struct value *ret, struct status *st);
