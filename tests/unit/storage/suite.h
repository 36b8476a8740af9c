/* SPDX-License-Identifier: Apache-2.0 */
/* suite.h - what every storage engine must do, written against the backend interface. A test program defines open_engine
 * (see things.h), includes this, and runs ENGINE_TESTS among its own. */
#pragma once

#include "things.h"

START_TEST(a_fresh_store_begins_at_revision_1)
{
    struct house h;
    house_new(&h, 0);
    ck_assert_uint_eq(storage_revision(h.storage), 1);
    ck_assert_uint_eq(put(h.storage, "ns/a", "\"color\":\"red\""), 2);
    ck_assert_uint_eq(put(h.storage, "ns/a", "\"color\":\"blue\""), 3);
    ck_assert_uint_eq(del(h.storage, "ns/a"), 4);
    ck_assert_uint_eq(storage_revision(h.storage), 4);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 0);
    house_free(&h);
}
END_TEST

START_TEST(everything_is_there_after_a_restart)
{
    struct house h;
    char key[32];
    house_new(&h, 0);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "n%d/x%d", i % 3, i);
        put(h.storage, key, "\"color\":\"red\"");
    }
    for (int i = 0; i < 300; i += 7) {
        snprintf(key, sizeof(key), "n%d/x%d", i % 3, i);
        del(h.storage, key);
    }
    put_labelled(h.storage, &rooms, "hall", "\"l\":\"1\"", "");
    struct object *before = cache_get(cache_of(&h), TEXT("n1/x1"));
    uint64_t revision = storage_revision(h.storage);
    house_close(&h);

    house_open(&h, 0);
    ck_assert_uint_eq(storage_revision(h.storage), revision);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 300 - 43);
    ck_assert_uint_eq(cache_count(storage_cache(h.storage, &rooms)), 1);
    struct object *after = cache_get(cache_of(&h), TEXT("n1/x1"));
    ck_assert(text_eq(before->json, after->json));
    ck_assert_uint_eq(before->revision, after->revision);
    ck_assert_ptr_null(cache_get(cache_of(&h), TEXT("n0/x0")));
    ck_assert_uint_eq(put(h.storage, "n1/x1", "\"color\":\"blue\""), revision + 1);
    object_unref(before);
    object_unref(after);
    house_free(&h);
}
END_TEST

static void expect_state(struct house *h, uint64_t revision, const char *keys_and_colors)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    struct snapshot s;
    struct status st = {0};
    struct tree_iter it;
    ck_assert_msg(cache_snapshot_at(cache_of(h), revision, &s, &st) == 0, "%s", st.message);
    tree_iter_init(&it, &object_tree_ops, s.tree);
    for (struct object *o; (o = tree_iter_next(&it));)
        buffer_addf(&b, "%.*s@%llu=%.*s ", TEXT_ARG(o->key), (unsigned long long)o->revision, TEXT_ARG(o->fields[0]));
    ck_assert_str_eq(buffer_str(&b), keys_and_colors);
    snapshot_release(&s);
}

START_TEST(the_history_survives_a_restart)
{
    struct house h;
    struct heard heard;
    struct watcher *w;
    uint64_t at;
    struct status st = {0};
    house_new(&h, 0);
    ck_assert_uint_eq(put(h.storage, "ns/a", "\"color\":\"red\""), 2);
    ck_assert_uint_eq(put(h.storage, "ns/b", "\"color\":\"red\""), 3);
    ck_assert_uint_eq(put(h.storage, "ns/a", "\"color\":\"blue\""), 4);
    ck_assert_uint_eq(del(h.storage, "ns/b"), 5);
    ck_assert_uint_eq(put_labelled(h.storage, &rooms, "hall", NULL, ""), 6);
    ck_assert_uint_eq(put(h.storage, "ns/b", "\"color\":\"green\""), 7);
    ck_assert_uint_eq(del(h.storage, "ns/a"), 8);
    for (int i = 0; i < 2; i++) {
        house_close(&h);
        house_open(&h, 0);
        ck_assert_uint_eq(storage_revision(h.storage), 8);
        expect_state(&h, 1, "");
        expect_state(&h, 3, "ns/a@2=red ns/b@3=red ");
        expect_state(&h, 4, "ns/a@4=blue ns/b@3=red ");
        expect_state(&h, 6, "ns/a@4=blue ");
        expect_state(&h, 8, "ns/b@7=green ");
    }
    heard_init(&heard);
    struct watch_options opt = {.ops = &heard_ops, .ctx = &heard, .from = WATCH_FROM_REVISION, .revision = 2};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    ck_assert_uint_eq(put(h.storage, "ns/c", "\"color\":\"red\""), 9);
    heard_expect(&heard, 6,
                 "ADDED ns/b 3 red\nMODIFIED ns/a 4 blue\nDELETED ns/b 5 red\nADDED ns/b 7 green\nDELETED ns/a 8 blue\n"
                 "ADDED ns/c 9 red\n");
    watch_stop(w);
    heard_deinit(&heard);
    house_free(&h);
}
END_TEST

/* The store's own clock: a change and time that passes by turns, with restarts. What is too old is gone, the rest is exact. */
START_TEST(old_history_goes_from_the_store_too)
{
    enum { N = 40, STEP_MS = 20000 };
    struct house h;
    char key[32];
    clock_fake(1767323045000000000);
    house_new(&h, 4); /* so that the ring keeps no more than its time */
    for (int i = 0; i < N; i++) { /* a new key, and an old one again or away */
        snprintf(key, sizeof(key), "ns/x%d", i);
        put(h.storage, key, "\"color\":\"red\"");
        snprintf(key, sizeof(key), "ns/x%d", i / 2);
        if (i % 2 == 0)
            put(h.storage, key, "\"color\":\"blue\"");
        else
            del(h.storage, key);
        clock_fake_advance_ms(STEP_MS);
        if (i % 10 == 9) {
            house_close(&h);
            house_open(&h, 0);
        }
    }
    uint64_t newest = storage_revision(h.storage);
    ck_assert_uint_eq(newest, 1 + 2 * N);
    CLEANUP(status_clear) struct status st = {0};
    struct snapshot s;
    for (uint64_t age = 0; age < 14 * 2; age++) { /* 14 steps are 280 s */
        uint64_t n = newest - age - 1; /* changes until then */
        ck_assert_msg(cache_snapshot_at(cache_of(&h), newest - age, &s, &st) == 0, "%s", st.message);
        ck_assert_uint_eq(tree_count(s.tree), (n + 1) / 2 - n / 4);
        snapshot_release(&s);
    }
    /* Each restart loads no more than the history, so the oldest states are gone. */
    ck_assert_int_lt(cache_snapshot_at(cache_of(&h), newest - 2 * 25, &s, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    ck_assert_uint_eq(cache_count(cache_of(&h)), N - N / 2);
    house_free(&h);
    clock_real();
}
END_TEST

static struct object *expiring_object(const char *key, const char *spec, int64_t ttl_ms)
{
    struct object *o = make_object(&things, key, NULL, spec);
    o->expires_ms = clock_now_ns() / 1000000 + ttl_ms;
    return o;
}

static void put_expiring(struct house *h, const char *key, const char *spec, int64_t ttl_ms)
{
    struct waited_write ww = {.write = {.type = &things, .key = text_of(key), .op = WRITE_PUT}};
    ww.write.previous = cache_get(cache_of(h), text_of(key));
    ww.write.expected_revision = ww.write.previous ? ww.write.previous->revision : 0;
    ww.write.object = expiring_object(key, spec, ttl_ms);
    write_submit(h->storage, &ww);
    write_wait(&ww);
    ck_assert_int_eq(ww.write.result, WRITE_DONE);
}

START_TEST(objects_expire)
{
    struct house h;
    struct heard heard;
    struct watcher *w;
    uint64_t at;
    struct status st = {0};
    clock_fake(1767323045000000000);
    house_new(&h, 0);
    put(h.storage, "ns/stays", "\"color\":\"red\"");
    put_expiring(&h, "ns/a", "\"color\":\"red\"", 5000);
    put_expiring(&h, "ns/b", "\"color\":\"red\"", 60000);
    put_expiring(&h, "ns/renewed", "\"color\":\"red\"", 4000);
    put_expiring(&h, "ns/renewed", "\"color\":\"blue\"", 90000);
    heard_init(&heard);
    struct watch_options opt = {.ops = &heard_ops, .ctx = &heard};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    clock_fake_advance_ms(4900);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 4);
    clock_fake_advance_ms(200);
    heard_expect(&heard, 1, "DELETED ns/a 7 red\n");
    house_close(&h); /* ends the watch */
    watch_stop(w);
    heard_deinit(&heard);

    /* what is due while nobody serves goes at the next start, the rest in its time */
    clock_fake_advance_ms(60000);
    house_open(&h, 0);
    heard_init(&heard);
    opt = (struct watch_options){.ops = &heard_ops, .ctx = &heard, .from = WATCH_FROM_REVISION, .revision = 6};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
    clock_fake_advance_ms(1);
    heard_expect(&heard, 2, "DELETED ns/a 7 red\nDELETED ns/b 8 red\n");
    ck_assert_uint_eq(cache_count(cache_of(&h)), 2);
    clock_fake_advance_ms(30000);
    heard_expect(&heard, 3, "DELETED ns/a 7 red\nDELETED ns/b 8 red\nDELETED ns/renewed 9 blue\n");
    watch_stop(w);
    heard_deinit(&heard);
    house_free(&h);
    clock_real();
}
END_TEST

static enum write_result try_write(struct storage *s, enum write_op op, const char *key, uint64_t expected)
{
    struct waited_write ww = {.write = {.type = &things, .key = text_of(key), .op = op, .expected_revision = expected}};
    if (op == WRITE_PUT)
        ww.write.object = make_object(&things, key, NULL, NULL);
    if (expected) { /* an object at a revision that may not be the current one */
        ww.write.previous = make_object(&things, key, NULL, NULL);
        object_seal(ww.write.previous, expected);
    }
    write_submit(s, &ww);
    write_wait(&ww);
    return ww.write.result;
}

START_TEST(preconditions_are_checked)
{
    struct house h;
    house_new(&h, 0);
    uint64_t revision = put(h.storage, "ns/a", "");
    ck_assert_int_eq(try_write(h.storage, WRITE_PUT, "ns/a", 0), WRITE_CONFLICT);
    ck_assert_int_eq(try_write(h.storage, WRITE_PUT, "ns/a", revision + 1), WRITE_CONFLICT);
    ck_assert_int_eq(try_write(h.storage, WRITE_DELETE, "ns/a", revision - 1), WRITE_CONFLICT);
    ck_assert_int_eq(try_write(h.storage, WRITE_PUT, "ns/none", 5), WRITE_CONFLICT);
    ck_assert_int_eq(try_write(h.storage, WRITE_DELETE, "ns/none", 5), WRITE_CONFLICT);
    ck_assert_uint_eq(storage_revision(h.storage), revision);
    ck_assert_int_eq(try_write(h.storage, WRITE_PUT, "ns/a", revision), WRITE_DONE);
    ck_assert_int_eq(try_write(h.storage, WRITE_DELETE, "ns/a", revision + 1), WRITE_DONE);
    ck_assert_uint_eq(storage_revision(h.storage), revision + 2);
    house_free(&h);
}
END_TEST

/* Of many writes of one key in one batch, exactly one may win, and revisions have no gap. */
START_TEST(one_of_many_writers_wins)
{
    enum { N = 100 };
    struct house h;
    static struct waited_write writes[N];
    house_new(&h, 0);
    memset(writes, 0, sizeof(writes));
    for (int i = 0; i < N; i++) {
        writes[i].write = (struct storage_write){.type = &things, .key = TEXT("ns/a"), .op = WRITE_PUT,
                                                 .object = make_object(&things, "ns/a", NULL, NULL)};
        write_submit(h.storage, &writes[i]);
    }
    int n_done = 0;
    for (int i = 0; i < N; i++) {
        write_wait(&writes[i]);
        ck_assert_int_ne(writes[i].write.result, WRITE_FAILED);
        n_done += writes[i].write.result == WRITE_DONE;
    }
    ck_assert_int_eq(n_done, 1);
    ck_assert_uint_eq(storage_revision(h.storage), 2);
    house_free(&h);
}
END_TEST

struct adder {
    struct storage *storage;
    int n_conflicts;
};

/* Counts up by compare and swap, as guaranteed updates do. */
static void *add_up(void *arg)
{
    struct adder *adder = arg;
    for (int i = 0; i < 50;) {
        struct object *o = cache_get(storage_cache(adder->storage, &things), TEXT("ns/counter"));
        uint64_t count = 0;
        char spec[64];
        ck_assert(text_to_u64(o->fields[1], &count));
        snprintf(spec, sizeof(spec), "\"count\":%llu", (unsigned long long)count + 1);
        struct waited_write ww = {.write = {.type = &things, .key = TEXT("ns/counter"), .op = WRITE_PUT,
                                            .expected_revision = o->revision, .previous = o,
                                            .object = make_object(&things, "ns/counter", NULL, spec)}};
        write_submit(adder->storage, &ww);
        write_wait(&ww);
        if (ww.write.result == WRITE_DONE)
            i++;
        else
            adder->n_conflicts++;
    }
    return NULL;
}

START_TEST(no_update_is_lost)
{
    struct house h;
    struct adder adders[4];
    pthread_t threads[4];
    house_new(&h, 0);
    put(h.storage, "ns/counter", "\"count\":0");
    for (int i = 0; i < 4; i++) {
        adders[i] = (struct adder){h.storage, 0};
        pthread_create(&threads[i], NULL, add_up, &adders[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct object *o = cache_get(cache_of(&h), TEXT("ns/counter"));
    ck_assert_msg(text_is(o->fields[1], "200"), "%.*s", TEXT_ARG(o->fields[1]));
    ck_assert_uint_eq(storage_revision(h.storage), 202);
    object_unref(o);
    house_free(&h);
}
END_TEST

/* A watch hears each revision once, in order, whatever else goes on. */
struct ordered {
    uint64_t last;
    size_t n;
    bool is_broken;
};

static void ordered_event(void *ctx, enum event_type type, struct object *o, const struct event *e)
{
    struct ordered *w = ctx;
    (void)type;
    (void)e;
    w->is_broken |= w->last && o->revision != w->last + 1;
    w->last = o->revision;
    w->n++;
}

static const struct watcher_ops ordered_ops = {.event = ordered_event};

static void *write_many(void *arg)
{
    char key[32];
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "ns/t%lu-%d", (unsigned long)pthread_self(), i);
        put(arg, key, "\"color\":\"red\"");
    }
    return NULL;
}

START_TEST(watches_have_no_gap_and_no_duplicate)
{
    struct house h;
    pthread_t threads[4];
    struct ordered told[64] = {0};
    struct watcher *watchers[64];
    struct status st = {0};
    uint64_t revision;
    house_new(&h, 0);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, write_many, h.storage);
    for (int i = 0; i < 64; i++) { /* while the writers run */
        struct watch_options opt = {.ops = &ordered_ops, .ctx = &told[i], .from = WATCH_FROM_REVISION, .revision = 1};
        ck_assert_int_eq(watch_start(cache_of(&h), &opt, &watchers[i], &revision, &st), 0);
        usleep(500);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct cache *c = cache_of(&h);
    struct snapshot s;
    cache_snapshot(c, &s);
    ck_assert_uint_eq(s.revision, 1201);
    ck_assert_uint_eq(tree_count(s.tree), 1200);
    snapshot_release(&s);
    put(h.storage, "ns/last", "");
    storage_stop(MOVE(h.storage)); /* which delivers what is left */
    for (int i = 0; i < 64; i++) {
        ck_assert_msg(!told[i].is_broken && told[i].n == 1201, "watch %d: %zu events", i, told[i].n);
        watch_stop(watchers[i]);
    }
    house_free(&h);
}
END_TEST

START_TEST(a_stopped_store_refuses_nothing_silently)
{
    enum { N = 50 };
    struct house h;
    static struct waited_write writes[N];
    char keys[N][16];
    house_new(&h, 0);
    memset(writes, 0, sizeof(writes));
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof(keys[i]), "ns/x%d", i);
        writes[i].write = (struct storage_write){.type = &things, .key = text_of(keys[i]), .op = WRITE_PUT,
                                                 .object = make_object(&things, keys[i], NULL, NULL)};
        write_submit(h.storage, &writes[i]);
    }
    house_close(&h); /* ends after the queued writes */
    for (int i = 0; i < N; i++) {
        write_wait(&writes[i]);
        ck_assert_int_eq(writes[i].write.result, WRITE_DONE);
    }
    house_open(&h, 0);
    ck_assert_uint_eq(cache_count(cache_of(&h)), N);
    house_free(&h);
}
END_TEST

START_TEST(a_write_of_an_unserved_resource_fails)
{
    static const struct resource_type unknown = {.name = TEXT("ghosts"), .storage_prefix = TEXT("ghosts")};
    struct house h;
    house_new(&h, 0);
    struct waited_write ww = {.write = {.type = &unknown, .key = TEXT("a"), .op = WRITE_PUT}};
    ww.write.object = make_object(&unknown, "a", NULL, NULL);
    write_submit(h.storage, &ww);
    ck_assert_int_eq(ww.write.result, WRITE_FAILED);
    ck_assert_int_eq(ww.write.st.reason, STATUS_SERVICE_UNAVAILABLE);
    write_wait(&ww);
    struct status st = {0};
    ck_assert_int_eq(storage_check(h.storage, PROBE_LIVE, &st), 0);
    house_free(&h);
}
END_TEST

#define ENGINE_TESTS                                                                                             \
    a_fresh_store_begins_at_revision_1, everything_is_there_after_a_restart, preconditions_are_checked,         \
        one_of_many_writers_wins, no_update_is_lost, watches_have_no_gap_and_no_duplicate,                       \
        a_stopped_store_refuses_nothing_silently, a_write_of_an_unserved_resource_fails
/* Of engines that keep the history themselves and go by our clock, which a test can turn. */
#define EMBEDDED_ENGINE_TESTS the_history_survives_a_restart, old_history_goes_from_the_store_too, objects_expire
UNUSED static const TTest *const *const embedded_engine_tests[] = {
    &the_history_survives_a_restart, &old_history_goes_from_the_store_too, &objects_expire};
