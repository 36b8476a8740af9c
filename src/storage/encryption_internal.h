/* SPDX-License-Identifier: Apache-2.0 */
/* encryption_internal.h - what the files encryption*.c know of each other.
 * encryption.c: the sets in force and their change; encryption_config.c: what the file says; encryption_build.c: the set made
 * of it; encryption_prefix.c: choosing by prefix; encryption_cipher.c: local keys; encryption_kms.c: plugins;
 * encryption_envelope.c: what they leave beside a value; kms_service.c: the plugin's three calls. */
#pragma once

#include <pthread.h>

#include "base.h"
#include "storage/encryption.h"

/* One value on its way in or out. */
struct transform {
    struct text key;       /* authenticated */
    struct text resource;  /* "secrets", "deployments.apps": for metrics */
    uint32_t id;           /* result: the key that was used */
    const char *grpc_code; /* result of a failed plugin: "Unavailable"; otherwise NULL */
    struct status *st;
};

struct transformer;
struct transformer_ops {
    /* Adds the stored form of plain to ret. */
    int (*seal)(struct transformer *t, struct transform *x, struct text plain, struct buffer *ret);
    /* *ret points into data or scratch, which is overwritten. */
    int (*open)(struct transformer *t, struct transform *x, struct text data, struct buffer *scratch, struct text *ret);
    uint32_t (*write_id)(struct transformer *t);
    void (*free)(struct transformer *t);
};
struct transformer {
    const struct transformer_ops *ops;
};

/* A number for a key, from texts that tell it from all others (its secret may be one of them). Never 0. */
uint32_t transformer_id(const struct text *parts, size_t n);

/* --- encryption_prefix.c --- */

extern struct transformer identity_transformer; /* refuses to read what is encrypted */
uint32_t identity_id(void);

/* The first writes; on reading each one whose prefix fits is tried. */
struct prefix_list;
struct transformer *prefix_list_new(const char *no_match); /* the error when no prefix fits */
void prefix_list_add(struct transformer *list, struct text prefix, struct transformer *t); /* t is borrowed, prefix copied */

/* --- encryption_cipher.c --- */

enum cipher_kind { CIPHER_AESCBC, CIPHER_AESGCM, CIPHER_SECRETBOX };
#define CIPHER_KEY_MAX 32
/* key: 16, 24 or 32 bytes, 32 for SECRETBOX; copied. name goes into the id. */
struct transformer *cipher_new(enum cipher_kind kind, struct text name, struct text key);
/* AES-GCM with the nonce in front, once; used by the envelopes too. */
int aes_gcm_seal(struct text key, struct text authenticated, struct text plain, struct buffer *ret, struct status *st);
int aes_gcm_open(struct text key, struct text authenticated, struct text data, struct buffer *scratch, struct text *ret,
                 struct status *st);
/* The same with a key for each value, derived from the seed: HKDF-Expand with 32 random bytes, which stand in front.
 * Source: pkg/storage/value/encrypt/aes/aes_extended_nonce.go. */
#define SEED_BYTES 32
int seeded_gcm_seal(struct text seed, struct text authenticated, struct text plain, struct buffer *ret,
                    struct status *st);
int seeded_gcm_open(struct text seed, struct text authenticated, struct text data, struct buffer *scratch,
                    struct text *ret, struct status *st);
void random_fill(void *p, size_t n);
struct text hash_text(struct arena *a, struct text t); /* "sha256:..." or "" of nothing */

/* --- encryption_kms.c --- */

struct kms_config {
    struct text name, endpoint, api_version;
    const char *socket; /* path, or "@name" for an abstract one */
    int64_t timeout_ms;
};
struct kms_plugin; /* a struct transformer at its beginning */
struct kms_callbacks {
    void (*well)(void *ctx); /* the plugin was asked and is well, on its own thread */
    void *ctx;
};
/* Asks the plugin once, then starts the thread that asks it again. */
struct transformer *kms_plugin_new(const struct kms_config *config, const char *server_id,
                                   const struct kms_callbacks *callbacks);
int kms_plugin_check(struct transformer *t, struct status *st);

/* --- encryption_envelope.c --- */

enum dek_type { DEK_AES_GCM, DEK_SEED };
struct encrypted_object {
    struct text data, key_id, dek;
    uint64_t dek_type;
    struct text *annotations; /* key, value, ... sorted by key, in the arena */
    size_t n_annotations;
};
int encrypted_object_read(struct arena *a, struct text in, struct encrypted_object *ret, struct status *st);
int encrypted_object_check(const struct encrypted_object *o, struct status *st);
void encrypted_object_write(struct buffer *b, const struct encrypted_object *o); /* everything but the data */
struct text encrypted_object_hash(struct arena *a, const struct encrypted_object *o); /* tells encrypted seeds apart */
int envelope_check_key_id(struct text id, const char **ret_code, struct status *st); /* ret_code: for the metric, or NULL */

/* --- kms_service.c --- */

struct kms_service;
struct kms_answer {
    struct text version, healthz, key_id;     /* Status; Encrypt: key_id */
    struct text bytes;                        /* Encrypt's ciphertext, Decrypt's plaintext */
    struct text *annotations;                 /* as above */
    size_t n_annotations;
};
enum kms_call { KMS_STATUS, KMS_ENCRYPT, KMS_DECRYPT };
struct kms_request {
    struct text uid, bytes, key_id;
    const struct text *annotations;
    size_t n_annotations;
};
struct kms_service *kms_service_new(const struct kms_config *config);
void kms_service_cancel(struct kms_service *s); /* ends calls, refuses new ones */
void kms_service_free(struct kms_service *s);
/* The answer's texts lie in the arena. *ret_grpc_code: the failure's name. */
int kms_service_call(struct kms_service *s, enum kms_call which, const struct kms_request *request, struct arena *a,
                     struct kms_answer *ret, const char **ret_grpc_code, struct status *st);
int kms_answer_read(struct arena *a, enum kms_call which, struct text message, struct kms_answer *ret,
                    struct status *st);
/* Reads one entry of a map<string, bytes>; false: it is none. Sorts what was gathered. */
bool annotation_read(struct text entry, struct text *ret_key, struct text *ret_value);
void annotations_sort(struct text *pairs, size_t *n); /* the last of equal keys stays */
void annotations_write(struct buffer *b, unsigned number, const struct text *pairs, size_t n);

/* --- encryption_config.c --- */

enum provider_kind { AESGCM, AESCBC, SECRETBOX, IDENTITY, KMS, N_PROVIDERS };

struct key_config {
    struct text name, secret; /* secret: decoded once it is checked */
};
struct provider_config {
    bool has[N_PROVIDERS];
    enum provider_kind kind; /* the last one given */
    struct key_config *keys;
    size_t n_keys;
    struct kms_config kms;
    int64_t timeout_ns;
    int64_t cache_size;
    bool has_cache_size;
};
struct resource_config {
    struct text *resources;
    size_t n_resources;
    struct provider_config *providers;
    size_t n_providers;
};
struct encryption_config {
    struct resource_config *entries;
    size_t n;
};
/* For the file's content alone (reload: its rules for names differ). config lies in the arena. */
int encryption_config_read(struct arena *a, struct text content, bool reload, struct encryption_config **ret,
                           struct status *st);
void parse_group_resource(struct text t, struct text *ret_group, struct text *ret_resource); /* "deployments.apps" */

/* --- encryption_build.c --- */

struct rule {
    struct text group, resource; /* "*" for any */
    struct transformer *list;
};
typedef VEC(struct transformer *) transformers;
/* What a file asks for. */
struct encryption_set {
    atomic_uint users; /* of encryption.c: calls that run */
    struct arena *arena;
    struct rule *rules;
    size_t n_rules;
    transformers owned;   /* freed from the end: lists stand behind what they use */
    transformers plugins; /* of owned */
    struct text hash;     /* of the file: "sha256:..." */
    int64_t timeouts_ms;  /* of all plugins together */
};
void encryption_set_free(struct encryption_set *s); /* ends its plugins; accepts NULL */

int encryption_set_load(const char *path, bool reload, const char *server_id, const struct kms_callbacks *callbacks,
                        struct encryption_set **ret, struct status *st);
/* The hash alone; an empty or absent file is an error. */
int encryption_file_hash(const char *path, struct arena *a, struct text *ret, struct status *st);

/* --- encryption_metrics.c --- */

enum transform_direction { TO_STORAGE, FROM_STORAGE };
void encryption_metrics_register(void);
/* prefix: the transformer's; code: NULL for success. */
void encryption_count(const struct transform *x, enum transform_direction d, struct text prefix, bool failed,
                      int64_t ns);
void encryption_count_cache_miss(void);
void encryption_observe_key_generation(int64_t ns);
void encryption_count_reload(struct text server_id_hash, bool failed);
void encryption_note_config(struct text server_id_hash, struct text config_hash);
void kms_observe_call(struct text provider, const char *method, const char *code, int64_t ns);
void kms_count_key_id(enum transform_direction d, struct text provider, struct text key_id_hash, struct text id_hash);
void kms_note_key_id_of_status(struct text provider, struct text key_id_hash, struct text id_hash);
void kms_count_invalid_key_id(struct text provider, const char *error);
void kms_set_cache_size(struct text provider, size_t n);
