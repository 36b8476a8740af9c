/* SPDX-License-Identifier: Apache-2.0 */
/* The engine suite over a real etcd, then what is etcd's own: other writers, cuts, compactions, pauses, leases. */
#include "etcd_server.h"
#include "forwarder.h"
#include "storage/etcd_wire.h"
#include "suite.h"

static struct etcd_server server;
static struct timers *engine_timers;
static char through[64]; /* the engine's way to the server, when it is not the direct one */

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    char folder[128];
    if (!etcd_server_runs(&server)) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
        etcd_server_start(&server, folder);
    }
    if (!engine_timers)
        engine_timers = timers_start();
    const char *const way[] = {through};
    const struct etcd_options opt = {.servers = through[0] ? way : server.urls,
                                     .n_servers = through[0] ? 1 : server.n,
                                     .timers = engine_timers};
    return etcd_open(&opt, ret, st);
}

static void end_server(const char *path)
{
    (void)path;
    etcd_server_kill(&server);
}

/* --- the gateway by hand ------------------------------------------------------------------------------------------ */

/* POSTs to the gateway and gives the answer's body. */
static void post(const char *path, struct buffer *body, struct buffer *ret)
{
    char head[256], byte[65536];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)atoi(strrchr(server.urls[0], ':') + 1))};
    int fd = socket(AF_INET, SOCK_STREAM, 0), n;
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    n = snprintf(head, sizeof(head), "POST %s HTTP/1.0\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", path, body->n);
    ck_assert_int_eq(write(fd, head, (size_t)n), n);
    ck_assert_int_eq(write(fd, body->p, body->n), (ssize_t)body->n);
    buffer_clear(ret);
    while ((n = (int)read(fd, byte, sizeof(byte))) > 0)
        buffer_add_bytes(ret, byte, (size_t)n);
    close(fd);
    const char *at = strstr(buffer_str(ret), "\r\n\r\n");
    ck_assert_ptr_nonnull(at);
    size_t skip = (size_t)(at + 4 - ret->p);
    memmove(ret->p, ret->p + skip, ret->n - skip);
    ret->n -= skip;
    buffer_deinit(body);
}

static void put_by_hand(const char *key, const char *value)
{
    CLEANUP(buffer_deinit) struct buffer out = BUFFER_INIT;
    struct buffer body = BUFFER_INIT;
    etcd_write_put(&body, t_of(key), t_of(value), 0);
    post("/v3/kv/put", &body, &out);
    ck_assert_msg(strstr(buffer_str(&out), "revision") != NULL, "%s", buffer_str(&out));
}

static void compact_by_hand(uint64_t revision)
{
    CLEANUP(buffer_deinit) struct buffer out = BUFFER_INIT;
    struct buffer body = BUFFER_INIT;
    buffer_addf(&body, "{\"revision\":\"%llu\",\"physical\":true}", (unsigned long long)revision);
    post("/v3/kv/compaction", &body, &out);
    ck_assert_msg(strstr(buffer_str(&out), "error") == NULL, "%s", buffer_str(&out));
}

#define THING(name, color)                                                                                       \
    "{\"kind\":\"Thing\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\","         \
    "\"uid\":\"u\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"spec\":{\"color\":\"" color "\"}}"

/* --- waiting ------------------------------------------------------------------------------------------------------ */

struct freshness {
    pthread_mutex_t mu;
    pthread_cond_t told;
    bool is_told, is_good;
    enum status_reason reason;
};

static void note_fresh(void *ctx, struct status *st)
{
    struct freshness *f = ctx;
    pthread_mutex_lock(&f->mu);
    f->is_told = true;
    f->is_good = !st;
    f->reason = st ? st->reason : STATUS_OK;
    pthread_cond_signal(&f->told);
    pthread_mutex_unlock(&f->mu);
}

static enum status_reason refresh(struct storage *s)
{
    struct freshness f = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, STATUS_OK};
    storage_refresh(s, note_fresh, &f);
    pthread_mutex_lock(&f.mu);
    while (!f.is_told)
        pthread_cond_wait(&f.told, &f.mu);
    pthread_mutex_unlock(&f.mu);
    return f.reason;
}

static void begin_write(struct storage *s, struct waited_write *ww, const char *key, const char *spec)
{
    *ww = (struct waited_write){.write = {.type = &things, .op = WRITE_PUT, .key = t_of(key)}};
    ww->write.previous = cache_get(storage_cache(s, &things), t_of(key));
    ww->write.expected_revision = ww->write.previous ? ww->write.previous->revision : 0;
    ww->write.object = make_object(&things, key, NULL, spec);
    write_submit(s, ww);
}

/* The end of it, with all that it says. */
static void write_told(struct waited_write *ww)
{
    pthread_mutex_lock(&ww->mu);
    while (!ww->is_done)
        pthread_cond_wait(&ww->cond, &ww->mu);
    pthread_mutex_unlock(&ww->mu);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

START_TEST(changes_of_others_are_seen)
{
    struct house h;
    struct heard heard;
    struct watcher *w;
    uint64_t at;
    CLEANUP(status_clear) struct status st = {0};
    house_new(&h, 0);
    heard_init(&heard);
    struct watch_options opt = {.ops = &heard_ops, .ctx = &heard};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    put_by_hand("/registry/things/ns/a", THING("a", "red"));
    put_by_hand("/elsewhere", "x");
    put(h.storage, "ns/b", "\"color\":\"green\"");
    put_by_hand("/registry/things/ns/a", THING("a", "blue"));
    put_by_hand("/registry/things/ns/c", "no object");
    ck_assert_int_eq(refresh(h.storage), STATUS_OK);
    ck_assert_uint_eq(storage_revision(h.storage), 6);
    struct object *o = cache_get(cache_of(&h), TEXT("ns/c"));
    ck_assert(o->is_unreadable);
    object_unref(o);
    put_by_hand("/elsewhere", "y"); /* nothing of ours, yet the caches are as new as the store */
    ck_assert_int_eq(refresh(h.storage), STATUS_OK);
    ck_assert_uint_eq(storage_revision(h.storage), 7);
    ck_assert_uint_eq(del(h.storage, "ns/a"), 8);
    heard_expect(&heard, 5,
                 "ADDED ns/a 2 red\nADDED ns/b 4 green\nMODIFIED ns/a 5 blue\nADDED ns/c 6 \nDELETED ns/a 8 blue\n");
    watch_stop(w);
    heard_deinit(&heard);
    house_free(&h);
}
END_TEST

START_TEST(a_conflict_tells_what_is_there)
{
    struct house h;
    house_new(&h, 0);
    uint64_t first = put(h.storage, "ns/a", "\"color\":\"red\"");
    put_by_hand("/registry/things/ns/a", THING("a", "blue"));
    struct waited_write ww = {.write = {.type = &things, .op = WRITE_PUT, .key = TEXT("ns/a"),
                                        .expected_revision = first,
                                        .object = make_object(&things, "ns/a", NULL, "\"color\":\"green\"")}};
    write_submit(h.storage, &ww);
    write_told(&ww);
    ck_assert_int_eq(ww.write.result, WRITE_CONFLICT);
    ck_assert(ww.write.has_found);
    ck_assert(text_is(ww.write.found->fields[0], "blue"));
    ck_assert_uint_eq(ww.write.found->revision, first + 1);
    write_wait(&ww);
    ww = (struct waited_write){.write = {.type = &things, .op = WRITE_PUT, .key = TEXT("ns/none"),
                                         .expected_revision = first,
                                         .object = make_object(&things, "ns/none", NULL, NULL)}};
    write_submit(h.storage, &ww);
    write_wait(&ww);
    ck_assert_int_eq(ww.write.result, WRITE_CONFLICT);
    ck_assert(ww.write.has_found && !ww.write.found);
    house_free(&h);
}
END_TEST

static void house_through(struct house *h, struct forwarder *f)
{
    house_new(h, 0);
    house_close(h); /* etcd runs on */
    forwarder_start(f, atoi(strrchr(server.urls[0], ':') + 1));
    snprintf(through, sizeof(through), "http://127.0.0.1:%d", f->port);
    house_open(h, 0);
    through[0] = '\0';
}

/* The watch is cut, what it would have said is compacted away meanwhile: all is loaded anew, watches of what has changed end. */
START_TEST(a_compaction_behind_the_watch_reloads)
{
    struct house h, other;
    struct forwarder f;
    struct heard heard, quiet;
    struct watcher *w, *of_rooms;
    uint64_t at, last = 0;
    CLEANUP(status_clear) struct status st = {0};
    house_through(&h, &f);
    put(h.storage, "ns/stays", "\"color\":\"red\"");
    put(h.storage, "ns/goes", "\"color\":\"red\"");
    put_labelled(h.storage, &rooms, "hall", NULL, "");
    heard_init(&heard);
    heard_init(&quiet);
    struct watch_options opt = {.ops = &heard_ops, .ctx = &heard};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    opt.ctx = &quiet;
    ck_assert_int_eq(watch_start(storage_cache(h.storage, &rooms), &opt, &of_rooms, &at, &st), 0);

    forwarder_set(&f, FORWARD_CUT);
    other = h;
    house_open(&other, 0); /* a second server on the same etcd */
    for (int i = 0; i < 20; i++)
        last = put(other.storage, "ns/new", i % 2 ? "\"color\":\"red\"" : "\"color\":\"blue\"");
    last = del(other.storage, "ns/goes");
    compact_by_hand(last);
    forwarder_set(&f, FORWARD_ALL);
    ck_assert_int_eq(refresh(h.storage), STATUS_OK);
    ck_assert_uint_ge(storage_revision(h.storage), last);
    ck_assert_ptr_null(cache_get(cache_of(&h), TEXT("ns/goes")));
    struct object *o = cache_get(cache_of(&h), TEXT("ns/new"));
    ck_assert(text_is(o->fields[0], "red"));
    object_unref(o);
    heard_expect(&heard, 1, "ENDED\n");
    opt = (struct watch_options){.ops = &heard_ops, .ctx = &heard, .from = WATCH_FROM_REVISION, .revision = 3};
    watch_stop(w);
    ck_assert_int_lt(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    ck_assert_uint_gt(put(h.storage, "ns/new", "\"color\":\"green\""), last);
    put_labelled(h.storage, &rooms, "attic", NULL, "");
    char line[64];
    snprintf(line, sizeof(line), "ADDED attic %llu \n", (unsigned long long)storage_revision(h.storage));
    heard_expect(&quiet, 1, line); /* nothing had happened to it: it goes on */
    watch_stop(of_rooms);
    house_close(&other);
    house_close(&h);
    forwarder_stop(&f);
    heard_deinit(&heard);
    heard_deinit(&quiet);
    house_open(&h, 0);
    house_free(&h);
}
END_TEST

/* What was asked has happened, but nobody hears of it. */
START_TEST(lost_answers_are_found_out)
{
    enum { N = 12 };
    struct house h;
    struct forwarder f;
    static struct waited_write writes[N];
    char keys[N][16];
    house_through(&h, &f);
    for (int round = 0; round < 4; round++) {
        forwarder_set(&f, FORWARD_NO_ANSWERS);
        uint64_t before = storage_revision(h.storage);
        for (int i = 0; i < N; i++) {
            snprintf(keys[i], sizeof(keys[i]), "ns/x%d", i);
            if (i % 4 == 3 && round % 2) {
                writes[i] = (struct waited_write){.write = {.type = &things, .op = WRITE_DELETE, .key = t_of(keys[i])}};
                writes[i].write.previous = cache_get(cache_of(&h), t_of(keys[i]));
                writes[i].write.expected_revision = writes[i].write.previous->revision;
                write_submit(h.storage, &writes[i]);
            } else {
                begin_write(h.storage, &writes[i], keys[i], round % 2 ? "\"color\":\"red\"" : "\"color\":\"blue\"");
            }
        }
        usleep(100000);
        if (round == 3) /* the first of them is written over by somebody else before we can look */
            put_by_hand("/registry/things/ns/x0", THING("x0", "green"));
        ck_assert_uint_gt(atomic_load(&f.n_lost), 0);
        ck_assert_uint_eq(storage_revision(h.storage), before);
        forwarder_set(&f, FORWARD_CUT);
        forwarder_set(&f, FORWARD_ALL);
        for (int i = 0; i < N; i++) {
            write_wait(&writes[i]);
            ck_assert_msg(writes[i].write.result == WRITE_DONE, "round %d, write %d: %d", round, i,
                          (int)writes[i].write.result);
            ck_assert_uint_gt(writes[i].write.revision, before);
        }
        ck_assert_int_eq(refresh(h.storage), STATUS_OK);
        for (int i = 0; i < N; i++) {
            struct object *o = cache_get(cache_of(&h), t_of(keys[i]));
            if (round == 3 && i == 0)
                ck_assert(text_is(o->fields[0], "green"));
            else if (writes[i].write.op == WRITE_PUT)
                ck_assert_uint_eq(o->revision, writes[i].write.revision);
            else
                ck_assert_ptr_null(o);
            object_unref(o);
        }
    }
    house_close(&h);
    forwarder_stop(&f);
    house_open(&h, 0);
    house_free(&h);
}
END_TEST

START_TEST(an_answer_that_does_not_come_is_found_out)
{
    enum { N = 40 };
    struct house h;
    static struct waited_write writes[N];
    char keys[N][16];
    house_new(&h, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            snprintf(keys[i], sizeof(keys[i]), "ns/x%d", i);
            begin_write(h.storage, &writes[i], keys[i], round % 2 ? "\"color\":\"red\"" : "\"color\":\"blue\"");
        }
        usleep(1000 * (unsigned)(round * 7));
        etcd_server_kill(&server); /* in the midst of them */
        usleep(100000);
        etcd_server_start(&server, h.folder);
        int n_done = 0, n_conflict = 0;
        for (int i = 0; i < N; i++) {
            write_wait(&writes[i]);
            n_done += writes[i].write.result == WRITE_DONE;
            n_conflict += writes[i].write.result == WRITE_CONFLICT;
        }
        ck_assert_msg(n_done == N, "round %d: %d of %d were stored, %d conflicts", round, n_done, N, n_conflict);
        ck_assert_int_eq(refresh(h.storage), STATUS_OK);
        for (int i = 0; i < N; i++) {
            struct object *o = cache_get(cache_of(&h), t_of(keys[i]));
            ck_assert_uint_eq(o->revision, writes[i].write.revision);
            object_unref(o);
        }
    }
    house_free(&h);
}
END_TEST

START_TEST(a_paused_etcd_is_waited_for)
{
    struct house h;
    struct waited_write ww;
    house_new(&h, 0);
    put(h.storage, "ns/a", "");
    etcd_server_signal(&server, SIGSTOP);
    begin_write(h.storage, &ww, "ns/a", "\"color\":\"red\"");
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_int_lt(storage_check(h.storage, PROBE_READY, &st), 0);
    ck_assert_msg(strstr(st.message, "error getting data from etcd") != NULL, "%s", st.message);
    etcd_server_signal(&server, SIGCONT);
    write_wait(&ww);
    ck_assert_int_eq(ww.write.result, WRITE_DONE);
    ck_assert_int_eq(storage_check(h.storage, PROBE_READY, &st), 0);
    house_free(&h);
}
END_TEST

START_TEST(nobody_there_is_said_so)
{
    struct house h;
    struct waited_write ww;
    house_new(&h, 0);
    etcd_server_kill(&server);
    begin_write(h.storage, &ww, "ns/a", "");
    enum status_reason reason = refresh(h.storage);
    ck_assert(reason == STATUS_SERVICE_UNAVAILABLE || reason == STATUS_TIMEOUT);
    write_told(&ww);
    ck_assert_int_eq(ww.write.result, WRITE_FAILED);
    ck_assert_int_eq(ww.write.st.reason, STATUS_SERVICE_UNAVAILABLE);
    ck_assert_int_eq(ww.write.st.retry_after_seconds, 1);
    write_wait(&ww);
    etcd_server_start(&server, h.folder);
    begin_write(h.storage, &ww, "ns/a", "");
    write_wait(&ww);
    ck_assert_int_eq(ww.write.result, WRITE_DONE);
    house_free(&h);
}
END_TEST

/* Leases are etcd's: what they delete together has one revision. */
START_TEST(keys_expire_by_shared_leases)
{
    enum { N = 5 };
    struct house h;
    static struct waited_write writes[N];
    char keys[N][16];
    house_new(&h, 0);
    struct heard heard;
    struct watcher *w;
    uint64_t at;
    CLEANUP(status_clear) struct status st = {0};
    heard_init(&heard);
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof(keys[i]), "ns/x%d", i);
        writes[i] = (struct waited_write){.write = {.type = &things, .op = WRITE_PUT, .key = t_of(keys[i])}};
        writes[i].write.object = make_object(&things, keys[i], NULL, "");
        writes[i].write.object->expires_ms = clock_now_ns() / 1000000 + 2000;
        write_submit(h.storage, &writes[i]);
    }
    for (int i = 0; i < N; i++) {
        write_wait(&writes[i]);
        ck_assert_int_eq(writes[i].write.result, WRITE_DONE);
    }
    put(h.storage, "ns/stays", "");
    uint64_t before = storage_revision(h.storage);
    struct watch_options opt = {.ops = &heard_ops, .ctx = &heard};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    heard_expect(&heard, N, "DELETED ns/x0 8 \nDELETED ns/x1 8 \nDELETED ns/x2 8 \nDELETED ns/x3 8 \nDELETED ns/x4 8 \n");
    ck_assert_uint_eq(before + 1, 8);
    ck_assert_uint_eq(storage_revision(h.storage), 8);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 1);
    watch_stop(w);
    heard_deinit(&heard);
    house_free(&h);
}
END_TEST

/* --- the past: what was before the caches' history begins --- */

enum { PAST_MAX = 12 };
struct past_answer {
    struct snapshot snapshot;
    struct status st;
    bool is_told;
};
static struct past_answer answers[PAST_MAX];
static pthread_mutex_t past_mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t past_told = PTHREAD_COND_INITIALIZER;

static void note_past(void *ctx, struct snapshot *snapshot, struct status *st)
{
    struct past_answer *a = ctx;
    pthread_mutex_lock(&past_mu);
    ck_assert(!a->is_told);
    a->is_told = true;
    if (snapshot)
        a->snapshot = *snapshot;
    else
        status_move(&a->st, st);
    pthread_cond_signal(&past_told);
    pthread_mutex_unlock(&past_mu);
}

static void ask_past(struct house *h, int i, uint64_t revision)
{
    answers[i] = (struct past_answer){0};
    storage_snapshot_at(h->storage, cache_of(h), revision, note_past, &answers[i]);
}

static struct past_answer *past_wait(int i)
{
    pthread_mutex_lock(&past_mu);
    while (!answers[i].is_told)
        pthread_cond_wait(&past_told, &past_mu);
    pthread_mutex_unlock(&past_mu);
    return &answers[i];
}

static void past_expect(int i, uint64_t revision, const char *keys_and_colors)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    struct past_answer *a = past_wait(i);
    struct tree_iter it;
    ck_assert_msg(!a->st.reason, "%s", a->st.message);
    ck_assert_uint_eq(a->snapshot.revision, revision);
    tree_iter_init(&it, &object_tree_ops, a->snapshot.tree);
    for (struct object *o; (o = tree_iter_next(&it));)
        buffer_addf(&b, "%.*s@%llu=%.*s ", TEXT_ARG(o->key), (unsigned long long)o->revision, TEXT_ARG(o->fields[0]));
    ck_assert_str_eq(buffer_str(&b), keys_and_colors);
    snapshot_release(&a->snapshot);
}

static void past_expect_failure(int i, enum status_reason reason)
{
    struct past_answer *a = past_wait(i);
    ck_assert_int_eq(a->st.reason, reason);
    ck_assert_ptr_null(a->snapshot.tree);
    status_clear(&a->st);
}

/* Revisions 2 to 7 of things; the caches are then made anew. */
static void house_with_past(struct house *h)
{
    house_new(h, 0);
    ck_assert_uint_eq(put(h->storage, "ns/a", "\"color\":\"red\""), 2);
    ck_assert_uint_eq(put(h->storage, "ns/b", "\"color\":\"red\""), 3);
    ck_assert_uint_eq(put(h->storage, "ns/a", "\"color\":\"blue\""), 4);
    ck_assert_uint_eq(put_labelled(h->storage, &rooms, "hall", NULL, ""), 5);
    ck_assert_uint_eq(del(h->storage, "ns/a"), 6);
    ck_assert_uint_eq(put(h->storage, "ns/c", "\"color\":\"green\""), 7);
    house_close(h);
    house_open(h, 0);
}

START_TEST(the_past_is_read_from_the_store)
{
    struct house h;
    CLEANUP(status_clear) struct status st = {0};
    struct snapshot s;
    house_with_past(&h);
    ck_assert_int_lt(cache_snapshot_at(cache_of(&h), 4, &s, &st), 0); /* the caches do not know */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < PAST_MAX; i++) /* more than run at once, some of them twice */
            ask_past(&h, i, (uint64_t)(2 + i % 6));
        for (int i = 0; i < PAST_MAX; i += 6) {
            past_expect(i, 2, "ns/a@2=red ");
            past_expect(i + 1, 3, "ns/a@2=red ns/b@3=red ");
            past_expect(i + 2, 4, "ns/a@4=blue ns/b@3=red ");
            past_expect(i + 3, 5, "ns/a@4=blue ns/b@3=red ");
            past_expect(i + 4, 6, "ns/b@3=red ");
            past_expect(i + 5, 7, "ns/b@3=red ns/c@7=green ");
        }
    }
    ask_past(&h, 0, 3); /* what is as it was takes no memory */
    struct object *now = cache_get(cache_of(&h), TEXT("ns/b"));
    ck_assert_ptr_eq(tree_get(&object_tree_ops, past_wait(0)->snapshot.tree, TEXT("ns/b")), now);
    object_unref(now);
    snapshot_release(&answers[0].snapshot);
    ask_past(&h, 0, 8);
    past_expect_failure(0, STATUS_TIMEOUT); /* of the future */
    house_free(&h);
}
END_TEST

START_TEST(a_past_of_many_keys_comes_in_pages)
{
    enum { N = 1203 };
    struct house h;
    static struct waited_write writes[N];
    static char keys[N][16];
    house_new(&h, 0);
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof(keys[i]), "ns/x%04d", i);
        begin_write(h.storage, &writes[i], keys[i], "\"color\":\"red\"");
    }
    for (int i = 0; i < N; i++)
        write_wait(&writes[i]);
    uint64_t then = storage_revision(h.storage);
    for (int i = 0; i < N; i += 100)
        del(h.storage, keys[i]);
    house_close(&h);
    house_open(&h, 0);
    ask_past(&h, 0, then);
    struct past_answer *a = past_wait(0);
    ck_assert_msg(!a->st.reason, "%s", a->st.message);
    ck_assert_uint_eq(tree_count(a->snapshot.tree), N);
    for (int i = 0; i < N; i++)
        ck_assert_ptr_nonnull(tree_get(&object_tree_ops, a->snapshot.tree, t_of(keys[i])));
    snapshot_release(&a->snapshot);
    house_free(&h);
}
END_TEST

START_TEST(a_past_that_is_compacted_has_expired)
{
    struct house h;
    house_with_past(&h);
    ask_past(&h, 0, 5);
    past_expect(0, 5, "ns/a@4=blue ns/b@3=red ");
    compact_by_hand(6);
    for (int i = 0; i < 3; i++) /* one waits for the others */
        ask_past(&h, i, (uint64_t)(2 + i));
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(past_wait(i)->st.message, "The resourceVersion for the provided list is too old.");
        past_expect_failure(i, STATUS_EXPIRED);
    }
    ask_past(&h, 0, 6);
    past_expect(0, 6, "ns/b@3=red ");
    house_free(&h);
}
END_TEST

START_TEST(a_past_that_cannot_be_had_now_is_waited_for)
{
    struct house h;
    house_with_past(&h);
    etcd_server_kill(&server);
    for (int i = 0; i < 4; i++)
        ask_past(&h, i, (uint64_t)(2 + i));
    usleep(200000);
    etcd_server_start(&server, h.folder);
    past_expect(0, 2, "ns/a@2=red ");
    past_expect(1, 3, "ns/a@2=red ns/b@3=red ");
    past_expect(2, 4, "ns/a@4=blue ns/b@3=red ");
    past_expect(3, 5, "ns/a@4=blue ns/b@3=red ");
    house_close(&h);
    house_open(&h, 0);
    etcd_server_kill(&server);
    for (int i = 0; i < 4; i++)
        ask_past(&h, i, (uint64_t)(2 + i));
    usleep(100000);
    house_close(&h); /* the end comes first: all are told */
    for (int i = 0; i < 4; i++)
        past_expect_failure(i, STATUS_SERVICE_UNAVAILABLE);
    etcd_server_start(&server, h.folder);
    house_open(&h, 0);
    house_free(&h);
}
END_TEST

START_TEST(a_start_without_etcd_says_why)
{
    static const struct {
        const char *url, *words;
    } rows[] = {{"http://127.0.0.1:1", "cannot be reached"}, {"nonsense", "is not a URL"}};
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(status_clear) struct status st = {0};
        struct timers *timers = timers_start();
        struct storage *s;
        struct storage_options opt = {.types = all_types, .n_types = 2, .timers = timers};
        const struct etcd_options etcd = {.servers = &rows[i].url, .n_servers = 1, .timers = timers, .start_timeout_ms = 300};
        int result = etcd_open(&etcd, &opt.backend, &st);
        if (result == 0)
            result = storage_start(&opt, &s, &st);
        ck_assert_int_lt(result, 0);
        ck_assert_msg(strstr(st.message, rows[i].words) && strstr(st.message, "--etcd-servers"), "%s", st.message);
        timers_stop(timers);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {ENGINE_TESTS, changes_of_others_are_seen, a_conflict_tells_what_is_there,
                                  a_compaction_behind_the_watch_reloads, lost_answers_are_found_out, an_answer_that_does_not_come_is_found_out,
                                  a_paused_etcd_is_waited_for, nobody_there_is_said_so, keys_expire_by_shared_leases,
                                  the_past_is_read_from_the_store, a_past_of_many_keys_comes_in_pages,
                                  a_past_that_is_compacted_has_expired, a_past_that_cannot_be_had_now_is_waited_for,
                                  a_start_without_etcd_says_why};
    if (access(etcd_program(), X_OK) != 0) {
        printf("skip: there is no %s; install etcd-server\n100%%: Checks: 0, Failures: 0, Errors: 0\n", etcd_program());
        return EXIT_SUCCESS;
    }
    end_engine = end_server;
    return unit_run("storage/etcd", tests, N_ELEMENTS(tests));
}
