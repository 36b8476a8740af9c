/* encryption.h - encryption at rest: what lies between an object's bytes and what an engine keeps of them.
 * A file (--encryption-provider-config, kind EncryptionConfiguration) says for each resource which providers there are, in
 * order: the first one writes, all of them read. Prefixes, ciphers and authenticated data are kube-apiserver's byte for byte,
 * so that either reads what the other has written. Without a file (e is NULL below) bytes stay as they are, but encrypted
 * ones are refused with upstream's words.
 * Threads: any. Errors: bare, as upstream words them; the caller says which key and makes them INTERNAL_ERROR.
 * Source: kubernetes/apiserver pkg/server/options/encryptionconfig, pkg/storage/value. */
#pragma once

#include "schema.h"

struct encryption;

struct encryption_options {
    const char *path;      /* of the file */
    bool reloads;          /* follow changes of the file (--encryption-provider-config-automatic-reload) */
    const char *server_id; /* the API server's identity, for the labels of metrics */
    struct timers *timers; /* borrowed; for reloads */
};

/* Reads the file, and asks each KMS plugin once how it is: one that does not answer is no failure, it is asked again. Whatever
 * the file has wrong is BAD_REQUEST, with the file and the field in one sentence. */
int encryption_start(const struct encryption_options *opt, struct encryption **ret, struct status *st);
/* Nobody may use e any more. Ends calls to plugins. Accepts NULL. */
void encryption_stop(struct encryption *e);
/* Told whenever more may have become readable than before: a new file, a plugin that answers again. On a thread of e's own;
 * may call encryption_open. Embedded in its owner's struct. */
struct encryption_listener {
    struct list link;
    void (*changed)(struct encryption_listener *l);
};
void encryption_listen(struct encryption *e, struct encryption_listener *l); /* e NULL: does nothing */
void encryption_unlisten(struct encryption *e, struct encryption_listener *l); /* afterwards it does not run */

/* Adds to ret what is to be kept of an object's bytes under this key ("/registry/secrets/ns/name": the key becomes part of
 * what is authenticated). Does not block. ret_id: see encryption_write_id. */
int encryption_seal(struct encryption *e, const struct resource_type *type, struct text key, struct text plain,
                    struct buffer *ret, uint32_t *ret_id, struct status *st);
/* The object's bytes: in scratch, or stored itself where they are not encrypted. May ask a plugin, and so block for as long as
 * the file allows it. */
int encryption_open(struct encryption *e, const struct resource_type *type, struct text key, struct text stored,
                    struct buffer *scratch, struct text *ret, uint32_t *ret_id, struct status *st);
/* Names the key by which a write would be sealed now. A stored value with another id is stale: an update that changes nothing
 * is then written all the same. 0: that cannot be told now. */
uint32_t encryption_write_id(struct encryption *e, const struct resource_type *type);

/* Is there a health check "kms-providers"? Where a KMS plugin is used, or the file followed. */
bool encryption_has_check(const struct encryption *e);
/* For struct health_check, ctx is e: asks the plugins, unless their last answer is fresh. */
int encryption_check(void *ctx, struct status *st);
