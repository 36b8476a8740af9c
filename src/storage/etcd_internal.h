/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_internal.h - what the files of the etcd engine know of each other.
 *   etcd.c        the interface, start, reads, health, the retry clock
 *   etcd_call.c   one request to whichever server answers, and what its failure means
 *   etcd_writes.c the writes under way: sent, answered, seen in the watch; outcomes found out behind a fence
 *   etcd_watch.c  the one watch stream, and the reload when it cannot go on
 *   etcd_pages.c  keys as they were at one revision: of the load, and of reads of the past
 *   etcd_lease.c  leases shared by writes with a time to live
 *   etcd_compact.c the compaction that all servers of one store share
 * Threads: all state is the I/O thread's (the client's, which is the committer), but for what mu guards and start, which
 * runs before there is anything else. */
#pragma once

#include <pthread.h>
#include <stdio.h>

#include "http/client.h"
#include "storage.h"
#include "storage/etcd_wire.h"

/* --- etcd_call.c -------------------------------------------------------------------------------------------------- */

enum call_outcome {
    CALL_OK,
    CALL_NOT_SENT, /* or turned away at the door: nothing has happened, another try may do */
    CALL_UNKNOWN,  /* it may have happened, now or a little later */
    CALL_REFUSED,  /* the server says no, and why: st */
    CALL_STOPPED,  /* the engine ends */
};

struct etcd;
struct etcd_call {
    struct http_exchange x;
    struct etcd *etcd;
    const char *operation; /* of the metrics: "create", "get" */
    const struct resource_type *type; /* of the metrics, or NULL */
    void (*done)(struct etcd_call *call, enum call_outcome outcome);
    char url[300];
    size_t server;
    struct status st; /* of anything but OK; cleared by call_clear */
    int64_t begun_ms;
};
/* Sends body, which stays the caller's, to path ("/v3/kv/txn") on the server that is in use. done gets the answer in x.body_in. */
void call_send(struct etcd_call *call, const char *path, struct text body, int64_t timeout_ms);
void call_clear(struct etcd_call *call); /* after done: the answer and the status */
/* Sends and waits; before the engine runs and for the health pages, never on the I/O thread. */
enum call_outcome call_wait(struct etcd *e, const char *path, struct text body, int64_t timeout_ms,
                            struct buffer *ret_answer, struct status *st);
/* The next server from now on, unless it was changed since the call began. */
void call_rotate(struct etcd_call *call);

/* --- etcd_lease.c ------------------------------------------------------------------------------------------------- */

struct etcd_write;
struct lease_bucket;
struct leases {
    struct lease_bucket *first;
    int64_t reuse_s;
};
void leases_init(struct etcd *e, int64_t reuse_s);
/* The lease to write with; 0: it is being asked for, and writes_lease_granted or _failed will be called for this ttl. */
int64_t lease_for(struct etcd *e, int64_t ttl_s);
void lease_forget(struct etcd *e, int64_t id); /* the store does not know it any more */
void leases_free(struct etcd *e);

/* --- etcd_writes.c ------------------------------------------------------------------------------------------------ */

enum write_state {
    WRITE_NEW,       /* to be sent, now or at the next kick */
    WRITE_LEASE,     /* waits for its lease */
    WRITE_SENT,      /* waits for the answer */
    WRITE_UNSURE,    /* the answer did not come: the fence and the watch will tell */
    WRITE_COMMITTED, /* answered well; waits until the watch has brought it */
};
struct etcd_write {
    struct etcd_call call;
    struct list link;               /* in etcd.writes */
    struct etcd_write *next_of_key; /* in etcd.by_path's chain */
    struct storage_write *write;
    enum write_state state;
    struct text path;         /* with the prefix; in key */
    struct buffer key, body;
    struct etcd_txn_parts parts;
    int64_t lease, ttl_s;     /* 0: none */
    int64_t deadline_ms, reached_ms; /* reached: when a server was last known to have been reached by it; 0: never */
    uint64_t epoch;           /* of the fence in the body */
    uint64_t revision;        /* COMMITTED */
    uint64_t fence_revision;  /* UNSURE: once the watch is there, what has not been seen has not happened */
    uint64_t seen_revision;   /* the first change of the key behind expected_revision; 0: none came yet */
    bool is_own;              /* ... and it is this write */
    bool is_ambiguous;        /* UNSURE: the change that would tell is lost to a compaction */
};
struct fence {
    struct etcd_call call;
    struct buffer body;
    bool is_running;
    bool is_needed;
    int64_t lease;
    uint64_t epoch; /* how often it was put up */
    char id[17];
};
void writes_submit(struct etcd *e, struct storage_write *w); /* any thread */
void writes_take(struct etcd *e);  /* those that were submitted */
void writes_kick(struct etcd *e);  /* tries again what waits for another try */
void writes_tick(struct etcd *e);  /* gives up what is too late */
size_t writes_lease_granted(struct etcd *e, int64_t ttl_s, int64_t lease); /* how many writes take it */
void writes_lease_failed(struct etcd *e, int64_t ttl_s, const struct status *why);
/* A change of the path has come at this revision: whose is it? NULL: nobody's here. value: in base64. */
struct storage_write *writes_observe(struct etcd *e, struct text path, const struct etcd_event *event);
/* The same of a key found by a reload, where changes in between are lost. */
void writes_found(struct etcd *e, struct text path, const struct etcd_kv *kv);
void writes_reloaded(struct etcd *e, uint64_t revision);
/* The caches have reached etcd.applied: who waits for that is told. */
void writes_reached(struct etcd *e);

/* --- etcd_pages.c ------------------------------------------------------------------------------------------------- */

/* The keys behind a prefix of ours at one revision, under way. */
struct etcd_pages {
    struct etcd *etcd;
    struct buffer body, next, end; /* next: the first key of the next page; end: behind the last of all */
    uint64_t revision;             /* 0: the first page will tell */
    /* For each key; the texts are there during the call. */
    int (*row)(struct etcd_pages *p, struct text full, const struct etcd_kv *kv, const struct stored_change *row,
               struct status *st);
};
void pages_init(struct etcd_pages *p, struct etcd *e, struct text folder, uint64_t revision); /* folder: "pods/"; empty: all */
void pages_deinit(struct etcd_pages *p);
struct text pages_request(struct etcd_pages *p); /* the next page's body; lives in p */
int pages_take(struct etcd_pages *p, struct text answer, struct status *st); /* 1: there are more pages; -1: st */
/* The key's path in e->scratch, without our prefix; false: it is not one of ours. */
bool etcd_decode_path(struct etcd *e, struct text key, struct text *ret_full, struct text *ret_path);

void reads_submit(struct etcd *e, struct revision_read *read); /* any thread */
void reads_take(struct etcd *e); /* those that were submitted */
void reads_kick(struct etcd *e); /* tries again what waits for another try */
void reads_stop(struct etcd *e); /* tells those that are left; the client has ended */

/* --- etcd_watch.c ------------------------------------------------------------------------------------------------- */

struct etcd_stream {
    struct etcd_call call;
    struct buffer body, line;
    bool is_running, is_created, must_reload, is_reloading, is_missed;
    int64_t heard_ms; /* when the stream last said something */
    int64_t pause_ms, retry_ms; /* between streams that break off at once; not before */
};
void watch_start_stream(struct etcd *e); /* from etcd.applied on, unless it runs */
void watch_kick(struct etcd *e);
void watch_tick(struct etcd *e);
/* Feeds all pages into the sink; blocks. */
int watch_load(struct etcd *e, uint64_t *ret_revision, struct status *st);

/* --- etcd_compact.c ----------------------------------------------------------------------------------------------- */

struct compactor {
    struct etcd_call call;
    struct buffer body;
    bool is_running;
    int64_t next_ms;
    uint64_t time, revision; /* upstream's words: the key's version that we know, the store's revision of then */
};
void compact_tick(struct etcd *e);

/* --- etcd.c ------------------------------------------------------------------------------------------------------- */

struct etcd {
    struct backend base;
    /* set by open */
    char **servers;
    size_t n_servers;
    const char *flag; /* where they come from */
    char *prefix; /* "/registry/" */
    size_t prefix_n;
    char *files[3];
    struct http_tls tls;
    struct timers *timers;
    int64_t compaction_interval_ms, health_timeout_ms, ready_timeout_ms, size_poll_ms, start_timeout_ms;
    const struct storage_sink *sink;
    struct http_client *client;
    struct buffer probe; /* a read's body */

    _Atomic size_t server; /* in use */
    _Atomic int64_t size_bytes;
    _Atomic bool is_stopping;

    /* I/O thread */
    struct list writes;
    struct map by_path;
    size_t n_writes;
    struct fence fence;
    struct leases leases;
    struct etcd_stream stream;
    struct compactor compactor;
    struct etcd_call size_call;
    bool size_is_running;
    int64_t size_next_ms;
    uint64_t applied;       /* the caches are there */
    uint64_t known;         /* the newest revision that any answer has told of */
    int64_t known_ms;       /* since when it is ahead of applied */
    struct etcd_call ask_call;
    bool ask_is_running;
    struct list asked;      /* those whom the running call will answer */
    struct list reads;      /* of the past, under way */
    int64_t backoff_ms;
    struct buffer scratch;  /* a decoded key */
    struct buffer value;    /* a decoded value */

    /* the clock: timers only ring, the work is done by tasks */
    struct timer kick_timer, tick_timer;
    struct http_task kick_task, tick_task, take_task;
    atomic_bool kick_is_armed, tick_is_queued;

    pthread_mutex_t mu;
    pthread_cond_t idle;     /* no writes are left */
    struct list submitted;   /* mu: etcd_write.link */
    struct list asks;        /* mu: for the next call */
    struct list new_reads;   /* mu */
    bool take_is_queued;     /* mu */
    bool is_idle;            /* mu: nothing is under way */
};

struct text etcd_prefix(const struct etcd *e);
void etcd_heard(struct etcd *e, uint64_t revision); /* an answer came, with this revision of the store */
void etcd_kick_later(struct etcd *e);               /* something waits for another try */
void etcd_queue_take(struct etcd *e);               /* any thread, mu not held: new writes or asks wait */
void etcd_asks_begin(struct etcd *e);
/* The whole of one list behind the other. */
void etcd_move_all(struct list *from, struct list *to);
