/* SPDX-License-Identifier: Apache-2.0 */
/* Requests wait in a list. Whoever finds no write on its way begins one: it takes the list, reads the bits of
 * the newest object, carries out each request on them, and writes. The end of that write begins the next.
 *
 *   IDLE --a request--> WORKING --all are answered and none waits--> IDLE
 *   WORKING: bits read, requests carried out
 *     --nothing changed--> answered
 *     --written--> answered
 *     --another server was quicker--> bits read anew
 *     --refused by bits that may be old, since another server writes too--> once more on the newest ones */
#include "registry/core/node_ports.h"

#include <pthread.h>
#include <stdlib.h>

#include "registry/registry_internal.h"

#define N_PORTS 65536
#define LEAK_ROUNDS 3 /* portallocator/controller/repair.go, numRepairsBeforeLeakCleanup */
#define KEY TEXT("servicenodeports")
/* As portallocator/operation.go guesses. */
#define DRY_PORT 32768

struct bits {
    uint8_t p[N_PORTS / 8]; /* by port less the range's base */
    uint64_t revision;      /* of the object; 0: there is none */
    bool is_other_range;
};

struct node_ports {
    struct storage *storage;
    struct cache *cache;
    uint32_t base, n;
    struct text range;
    struct arena *arena;
    uint8_t *leaks; /* the repairer's: rounds left for each port that nobody seems to have, plus one */

    pthread_mutex_t mu;  /* before those of the storage */
    pthread_cond_t idle;
    struct list waiting; /* mu */
    bool is_working;     /* mu */

    /* of the write on its way */
    struct list working;
    struct bits bits;
    bool is_fresh;
    struct storage_write write;
    struct object *current, *written;
};

/* --- the object --- */

const struct resource_type *node_ports_type(void)
{
    static struct resource_type type = {.name = TEXT("servicenodeportallocations"),
                                        .storage_prefix = TEXT("ranges")};

    if (!type.kind)
        type.kind = schema_kind_of(TEXT("v1"), TEXT("RangeAllocation"));
    return &type;
}

/* A big-endian number whose bit 0 is the first port. */
static void read_bits(struct bits *bits, struct text data)
{
    for (size_t i = 0; i < data.n && i < sizeof(bits->p); i++)
        bits->p[i] = (uint8_t)data.p[data.n - 1 - i];
}

static struct text write_bits(struct arena *a, const struct bits *bits)
{
    size_t n = sizeof(bits->p);

    while (n && !bits->p[n - 1])
        n--;
    char *data = arena_alloc(a, n);
    for (size_t i = 0; i < n; i++)
        data[n - 1 - i] = (char)bits->p[i];
    return (struct text){data, n};
}

static int read_tree(struct arena *a, const struct object *o, struct value *ret, struct status *st)
{
    const struct schema *schema = node_ports_type()->kind->schema;

    if (protobuf_is_envelope(o->json))
        return schema_protobuf_read(a, schema, o->json, ret, st);
    if (json_read(a, o->json, &(struct json_options){0}, ret, st) < 0)
        return -1;
    return schema_decode(a, schema, ret, NULL, st);
}

/* bits as o has them, in the range that it names. */
static int read_object(struct node_ports *np, const struct object *o, struct bits *ret, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct value tree;
    struct text data;

    *ret = (struct bits){.revision = o ? o->revision : 0};
    if (!o)
        return 0;
    if (read_tree(a, o, &tree, st) < 0)
        return -1;
    if (!base64_decode(a, BASE64_STANDARD, value_get_text(&tree, TEXT("data")), &data))
        return status_set(st, STATUS_INTERNAL_ERROR, "the stored node ports are no base64");
    read_bits(ret, data);
    ret->is_other_range = !text_eq(value_get_text(&tree, TEXT("range")), np->range);
    return 0;
}

/* What others have written in the object's metadata stays. */
static struct object *make_object(struct node_ports *np, const struct object *current,
                                  const struct bits *bits)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    const struct schema_kind *kind = node_ports_type()->kind;
    struct value tree = value_object();
    struct buffer b = BUFFER_IN(a);
    size_t rv_at;

    if (current && read_tree(a, current, &tree, &st) < 0)
        tree = value_object();
    struct value *metadata = value_object_at(a, &tree, TEXT("metadata"));
    value_remove(metadata, TEXT("resourceVersion"));
    value_set(a, metadata, TEXT("name"), value_string(KEY));
    if (!value_get_text(metadata, TEXT("creationTimestamp")).n)
        value_set(a, metadata, TEXT("creationTimestamp"), value_string(time_text(a, clock_now_ns())));
    value_set(a, &tree, TEXT("kind"), value_string(kind->gvk.kind));
    value_set(a, &tree, TEXT("apiVersion"), value_string(kind->api_version));
    value_set(a, &tree, TEXT("range"), value_string(np->range));
    value_set(a, &tree, TEXT("data"), value_string(base64_encode(a, BASE64_STANDARD, write_bits(a, bits))));
    schema_arrange(a, kind->schema, &tree);
    schema_encode(&b, kind->schema, &tree, &rv_at);
    return object_new(node_ports_type(), buffer_text(&b), rv_at, &tree);
}

/* --- bits --- */

static bool has(const struct bits *b, uint32_t i)
{
    return b->p[i / 8] >> i % 8 & 1;
}

static void put(struct bits *b, uint32_t i, bool on)
{
    uint8_t bit = (uint8_t)(1u << i % 8);

    b->p[i / 8] = on ? b->p[i / 8] | bit : b->p[i / 8] & (uint8_t)~bit;
}

/* The first ports are for those who ask for one by number, as long as there are others. Source:
 * portallocator/allocator.go, calculateRangeOffset. */
static uint32_t static_band(uint32_t n)
{
    uint32_t band = n / 32;

    if (n <= 16)
        return 0;
    return band < 16 ? 16 : band > 128 ? 128 : band;
}

/* A free one of n bits from first on; -1: none. */
static int64_t find_free(const struct bits *b, uint32_t first, uint32_t n)
{
    uint32_t r;

    if (!n)
        return -1;
    random_bytes(&r, sizeof(r));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = first + (r % n + i) % n;
        if (!has(b, at))
            return at;
    }
    return -1;
}

static enum port_problem take_any(const struct node_ports *np, struct bits *b, struct port_want *want)
{
    uint32_t band = static_band(np->n);
    int64_t at = find_free(b, band, np->n - band);

    if (at < 0)
        at = find_free(b, 0, band);
    if (at < 0)
        return PORT_RANGE_FULL;
    put(b, (uint32_t)at, true);
    want->port = np->base + (uint32_t)at;
    return PORT_NO_PROBLEM;
}

static enum port_problem take_one(const struct node_ports *np, struct bits *b, uint32_t port)
{
    if (port < np->base || port - np->base >= np->n)
        return PORT_NOT_IN_RANGE;
    if (has(b, port - np->base))
        return PORT_TAKEN;
    put(b, port - np->base, true);
    return PORT_NO_PROBLEM;
}

/* Ports by number come first, so that no random one takes them away. */
static void take_all(const struct node_ports *np, struct bits *b, struct port_request *r)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->n_wants && !r->problem; i++) {
            struct port_want *want = &r->wants[i];
            if (want->is_any == !pass)
                continue;
            r->problem = want->is_any ? take_any(np, b, want) : take_one(np, b, want->port);
            r->problem_at = i;
        }
    }
}

/* The bits as the repairer wants them. */
static void replace(struct bits *b, struct port_request *r)
{
    r->problem = b->revision == r->revision ? PORT_NO_PROBLEM : PORT_FAILED;
    if (r->problem) {
        status_set(&r->st, STATUS_CONFLICT, "the provided resource version does not match");
        return;
    }
    memcpy(b->p, r->rebuilt->p, sizeof(b->p));
    b->is_other_range = false;
}

/* True: there is something to write. */
static bool carry_out(const struct node_ports *np, struct bits *b, struct port_request *r)
{
    const struct bits before = *b;

    r->problem = PORT_NO_PROBLEM;
    status_clear(&r->st);
    if (r->rebuilt) {
        replace(b, r);
        return !r->problem && (!b->revision || before.is_other_range != b->is_other_range ||
                               memcmp(before.p, b->p, sizeof(before.p)) != 0);
    }
    if (!b->revision || b->is_other_range) {
        r->problem = r->n_wants ? PORT_FAILED : PORT_NO_PROBLEM;
        if (r->n_wants)
            status_set(&r->st, STATUS_INTERNAL_ERROR, "%s",
                       b->revision
                           ? "the provided range does not match the current range"
                           : "cannot allocate resources of type servicenodeportallocations at this time");
        return false;
    }
    take_all(np, b, r);
    if (r->problem) {
        *b = before;
        return false;
    }
    for (size_t i = 0; i < r->n_frees; i++)
        if (r->frees[i] >= np->base && r->frees[i] - np->base < np->n)
            put(b, r->frees[i] - np->base, false);
    return memcmp(before.p, b->p, sizeof(b->p)) != 0;
}

const char *node_ports_words(struct arena *a, const struct node_ports *np, const struct port_request *r)
{
    switch (r->problem) {
    case PORT_TAKEN:
        return "provided port is already allocated";
    case PORT_NOT_IN_RANGE:
        return arena_printf(a, "provided port is not in the valid range. The range of valid ports is %.*s",
                            TEXT_ARG(np->range));
    case PORT_RANGE_FULL:
        return "range is full";
    default:
        return r->st.message ? arena_strdup(a, r->st.message) : "";
    }
}

/* --- the work --- */

static void run(struct node_ports *np);

/* Answers all that the work was for; they may submit anew from within. */
static void answer(struct node_ports *np)
{
    while (!list_is_empty(&np->working)) {
        struct port_request *r = CONTAINER_OF(np->working.next, struct port_request, link);
        list_remove(&r->link);
        r->done(r);
    }
}

static void fail_all(struct node_ports *np, struct status *st)
{
    list_for_each(l, &np->working) {
        struct port_request *r = CONTAINER_OF(l, struct port_request, link);
        r->problem = PORT_FAILED;
        status_set(&r->st, st->reason, "%s", st->message);
    }
    status_clear(st);
    answer(np);
}

/* False: nobody waits, and the work is over. */
static bool take_waiting(struct node_ports *np)
{
    object_unref(MOVE(np->current));
    object_unref(MOVE(np->written));
    pthread_mutex_lock(&np->mu);
    bool goes_on = np->is_working = !list_is_empty(&np->waiting);
    if (!goes_on)
        pthread_cond_signal(&np->idle);
    list_for_each_safe(l, &np->waiting) {
        list_remove(l);
        list_append(&np->working, l);
    }
    pthread_mutex_unlock(&np->mu);
    if (!goes_on)
        return false;
    np->is_fresh = storage_is_sole_writer(np->storage);
    np->current = cache_get(np->cache, KEY);
    return true;
}

static void written(struct storage_write *w)
{
    struct node_ports *np = CONTAINER_OF(w, struct node_ports, write);

    if (w->result == WRITE_CONFLICT) {
        object_unref(np->current);
        np->current = w->has_found ? MOVE(w->found) : cache_get(np->cache, KEY);
        np->is_fresh |= w->has_found;
        object_unref(MOVE(np->written));
    } else {
        if (w->result == WRITE_FAILED)
            fail_all(np, &w->st);
        answer(np);
        if (!take_waiting(np))
            return;
    }
    run(np);
}

static void refreshed(void *ctx, struct status *st)
{
    struct node_ports *np = ctx;

    np->is_fresh = true;
    object_unref(np->current);
    np->current = cache_get(np->cache, KEY);
    if (st) {
        fail_all(np, st);
        if (!take_waiting(np))
            return;
    }
    run(np);
}

static void write_out(struct node_ports *np)
{
    np->written = make_object(np, np->current, &np->bits);
    np->write = (struct storage_write){
        .type = node_ports_type(),
        .op = WRITE_PUT,
        .key = KEY,
        .expected_revision = np->current ? np->current->revision : 0,
        .object = np->written,
        .previous = np->current,
        .done = written,
    };
    storage_submit(np->storage, &np->write);
}

/* True: everybody is answered. False: the work goes on by itself. */
static bool step(struct node_ports *np)
{
    struct status st = {0};
    bool is_refused = false, is_changed = false;

    if (read_object(np, np->current, &np->bits, &st) < 0) {
        fail_all(np, &st);
        return true;
    }
    list_for_each(l, &np->working) {
        struct port_request *r = CONTAINER_OF(l, struct port_request, link);
        is_changed |= carry_out(np, &np->bits, r);
        is_refused |= r->problem != PORT_NO_PROBLEM;
    }
    if (is_refused && !np->is_fresh)
        storage_refresh(np->storage, refreshed, np);
    else if (is_changed)
        write_out(np);
    else
        answer(np);
    return !(is_refused && !np->is_fresh) && !is_changed;
}

static void run(struct node_ports *np)
{
    while (step(np) && take_waiting(np))
        ;
}

void node_ports_submit(struct node_ports *np, struct port_request *r)
{
    for (size_t i = 0; i < r->n_wants; i++)
        r->wants[i].is_any = !r->wants[i].port;
    pthread_mutex_lock(&np->mu);
    list_append(&np->waiting, &r->link);
    bool is_mine = !np->is_working;
    np->is_working = true;
    pthread_mutex_unlock(&np->mu);
    if (is_mine && take_waiting(np))
        run(np);
}

void node_ports_pretend(struct node_ports *np, struct port_request *r)
{
    CLEANUP(object_unrefp) struct object *o = cache_get(np->cache, KEY);
    struct bits bits;
    uint32_t last = 0;

    if (read_object(np, o, &bits, &r->st) < 0) {
        r->problem = PORT_FAILED;
        return;
    }
    for (size_t i = 0; i < r->n_wants; i++) {
        struct port_want *want = &r->wants[i];
        if (!want->port)
            want->port = (last ? last : DRY_PORT) + 1;
        else if (take_one(np, &bits, want->port) == PORT_TAKEN && !r->problem) {
            r->problem = PORT_TAKEN;
            r->problem_at = i;
        }
        if (want->port > last)
            last = want->port;
    }
}

/* --- repair --- */

uint64_t node_ports_revision(struct node_ports *np)
{
    CLEANUP(object_unrefp) struct object *o = cache_get(np->cache, KEY);

    return o ? o->revision : 0;
}

/* Bits that no service has: flagged first, then kept while the service may still come. */
static void keep_leaks(struct node_ports *np, const struct bits *stored, struct bits *rebuilt)
{
    for (uint32_t i = 0; i < np->n; i++) {
        if (has(rebuilt, i)) {
            np->leaks[i] = 0;
        } else if (has(stored, i)) {
            if (!np->leaks[i])
                np->leaks[i] = LEAK_ROUNDS;
            else if (np->leaks[i] == 1)
                log_warning("A node port that no service has is free again", LOG_U64("port", np->base + i));
            if (np->leaks[i] > 1) {
                np->leaks[i]--;
                put(rebuilt, i, true);
            }
        }
    }
}

struct repair {
    struct port_request request;
    struct completion ended;
};

static void repaired(struct port_request *r)
{
    completion_signal(&CONTAINER_OF(r, struct repair, request)->ended);
}

int node_ports_repair(struct node_ports *np, const uint8_t *used, uint64_t revision, struct status *st)
{
    CLEANUP(object_unrefp) struct object *o = cache_get(np->cache, KEY);
    struct bits stored, rebuilt = {0};
    struct repair repair = {.request = {.rebuilt = &rebuilt, .revision = revision, .done = repaired}};

    if (read_object(np, o, &stored, st) < 0)
        return -1;
    for (uint32_t i = 0; i < np->n; i++) {
        if (used[np->base + i])
            put(&rebuilt, i, true);
        if (used[np->base + i] && o && !stored.is_other_range && !has(&stored, i))
            log_warning("A service's node port was not taken; it is now", LOG_U64("port", np->base + i));
    }
    if (o && !stored.is_other_range)
        keep_leaks(np, &stored, &rebuilt);
    completion_init(&repair.ended);
    node_ports_submit(np, &repair.request);
    completion_wait(&repair.ended);
    if (repair.request.problem == PORT_NO_PROBLEM)
        return 0;
    status_move(st, &repair.request.st);
    return -1;
}

/* --- life --- */

struct node_ports *node_ports_new(struct storage *s, uint32_t base, uint32_t n_ports)
{
    struct node_ports *np = xcalloc(1, sizeof(*np));

    np->storage = s;
    np->cache = storage_cache(s, node_ports_type());
    np->base = base;
    np->n = n_ports;
    np->leaks = xcalloc(n_ports, 1);
    np->arena = arena_new();
    np->range = n_ports == 1 ? arena_textf(np->arena, "%u", base)
                             : arena_textf(np->arena, "%u-%u", base, base + n_ports - 1);
    list_init(&np->waiting);
    list_init(&np->working);
    pthread_mutex_init(&np->mu, NULL);
    pthread_cond_init(&np->idle, NULL);
    return np;
}

void node_ports_free(struct node_ports *np)
{
    if (!np)
        return;
    pthread_mutex_lock(&np->mu);
    while (np->is_working) /* whoever was answered last may be here before the committer has left */
        pthread_cond_wait(&np->idle, &np->mu);
    pthread_mutex_unlock(&np->mu);
    pthread_cond_destroy(&np->idle);
    pthread_mutex_destroy(&np->mu);
    arena_free(np->arena);
    free(np->leaks);
    free(np);
}
