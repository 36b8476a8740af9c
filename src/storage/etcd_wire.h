/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_wire.h - requests to the etcd gateway as JSON, and its answers. The gateway writes protobuf messages by their JSON
 * mapping: bytes in base64, 64-bit numbers as strings, zero values left out.
 * Answers come from outside: whatever is not as expected is refused, never guessed at. Texts point into the answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/containers.h"
#include "base/buffer.h"

struct etcd_kv {
    struct text key, value; /* in base64, as they came; value.p may be NULL when it is empty */
    uint64_t mod_revision, create_revision, version;
};

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* Where in a write's body its parts lie. */
struct etcd_txn_parts {
    size_t fence_at, fence_n, key_at, key_n, value_at, value_n; /* value_n 0: a deletion */
};
/* Puts or deletes key (both are raw) if its mod revision is still expected and the fence key is not there; a failed compare reads
 * the key. lease 0: none. */
void etcd_write_txn(struct buffer *b, struct text fence, struct text key, uint64_t expected, bool is_delete,
                    struct text value, int64_t lease, struct etcd_txn_parts *ret);
/* Keys from first up to (not including) end at a revision (0: the newest); limit 0: all. */
void etcd_write_range(struct buffer *b, struct text first, struct text end, int64_t limit, uint64_t revision);
/* Only the key's existence: the cheapest linearizable read. */
void etcd_write_probe(struct buffer *b, struct text key);
void etcd_write_put(struct buffer *b, struct text key, struct text value, int64_t lease);
/* Of every key there is, from this revision on. */
void etcd_write_watch(struct buffer *b, uint64_t first_revision);

/* --- answers ------------------------------------------------------------------------------------------------------ */

struct etcd_txn_answer {
    uint64_t revision; /* of the store */
    bool has_succeeded;
    bool has_kv; /* the compare failed: what the key holds */
    struct etcd_kv kv;
};
bool etcd_read_txn(struct text in, struct etcd_txn_answer *ret);

typedef VEC(struct etcd_kv) etcd_kv_list;
struct etcd_range_answer {
    uint64_t revision;
    bool has_more;
    etcd_kv_list kvs; /* to be freed by the caller, on failure too */
};
bool etcd_read_range(struct text in, struct etcd_range_answer *ret);

struct etcd_event {
    bool is_delete;
    struct etcd_kv kv;
};
struct etcd_watch_answer {
    uint64_t revision; /* of the store when this was sent, perhaps ahead of the events */
    bool is_created, is_canceled, has_error;
    uint64_t compact_revision; /* canceled because older ones are gone */
    struct text reason;        /* of a cancellation or an error: the JSON string's inside */
    VEC(struct etcd_event) events; /* to be freed by the caller, on failure too */
};
/* One message of the stream. */
bool etcd_read_watch(struct text in, struct etcd_watch_answer *ret);

/* The member of a flat answer: "ID" of a granted lease, "dbSize" of a status. False: it is not there. */
bool etcd_read_number(struct text in, struct text name, int64_t *ret);
/* "etcdserver" of /version; empty: it is not there. */
struct text etcd_read_string(struct text in, struct text name);
/* An error's message (the JSON string's inside) and gRPC code. */
bool etcd_read_error(struct text in, struct text *ret_message, int *ret_code);
