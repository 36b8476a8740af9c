/* SPDX-License-Identifier: Apache-2.0 */
/* The watch cache over SQLite: snapshots of the past, watches and their selectors, waits. */
#include "things.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

static struct watcher *watch(struct house *h, struct heard *heard, struct watch_options opt, uint64_t *ret_revision)
{
    struct watcher *w = NULL;
    struct status st = {0};
    uint64_t revision;
    if (!opt.ops)
        opt.ops = &heard_ops;
    opt.ctx = heard;
    ck_assert_msg(watch_start(cache_of(h), &opt, &w, ret_revision ? ret_revision : &revision, &st) == 0, "%s",
                  st.message);
    return w;
}

START_TEST(past_states_are_exact)
{
    enum { N = 600 };
    struct house h;
    uint64_t revisions[N];
    char key[32];
    house_new(&h, 0);
    for (int i = 0; i < N; i++) { /* add 2, remove 1, add 2, ... */
        snprintf(key, sizeof(key), "ns/x%03d", i % 3 == 2 ? i - 1 : i);
        revisions[i] = i % 3 == 2 ? del(h.storage, key) : put(h.storage, key, "\"color\":\"red\"");
    }
    for (int i = N - 1; i >= 0; i -= 7) {
        struct snapshot s;
        struct status st = {0};
        ck_assert_msg(cache_snapshot_at(cache_of(&h), revisions[i], &s, &st) == 0, "%s", st.message);
        ck_assert_uint_eq(s.revision, revisions[i]);
        size_t n = (size_t)(i + 1);
        ck_assert_uint_eq(tree_count(s.tree), n / 3 + (n % 3 == 0 ? 0 : n % 3));
        struct tree_iter it;
        tree_iter_init(&it, &object_tree_ops, s.tree);
        for (struct object *o; (o = tree_iter_next(&it));)
            ck_assert_uint_le(o->revision, revisions[i]);
        snapshot_release(&s);
        ck_assert_int_eq(cache_snapshot_at(cache_of(&h), revisions[i], &s, &st), 0); /* the one that was kept */
        ck_assert_uint_eq(tree_count(s.tree), n / 3 + (n % 3 == 0 ? 0 : n % 3));
        snapshot_release(&s);
    }
    struct snapshot s;
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_int_lt(cache_snapshot_at(cache_of(&h), revisions[N - 1] + 1, &s, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_TIMEOUT);
    ck_assert_str_eq(st.message, "Timeout: Too large resource version: 602, current: 601");
    house_free(&h);
}
END_TEST

START_TEST(history_ends)
{
    struct house h;
    char key[32];
    house_new(&h, 16);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "ns/x%d", i);
        put(h.storage, key, "");
    }
    CLEANUP(status_clear) struct status st = {0};
    struct snapshot s;
    struct watcher *w;
    uint64_t revision;
    struct watch_options opt = {.ops = &heard_ops, .from = WATCH_FROM_REVISION, .revision = 20};
    ck_assert_int_lt(watch_start(cache_of(&h), &opt, &w, &revision, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    ck_assert_msg(text_starts(t_of(st.message), TEXT("too old resource version: 20 (")), "%s", st.message);
    ck_assert_int_lt(cache_snapshot_at(cache_of(&h), 20, &s, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    ck_assert_int_eq(cache_snapshot_at(cache_of(&h), 90, &s, &st), 0);
    ck_assert_uint_eq(tree_count(s.tree), 89);
    snapshot_release(&s);

    /* a restart makes it no shorter */
    house_close(&h);
    house_open(&h, 16);
    ck_assert_int_lt(cache_snapshot_at(cache_of(&h), 20, &s, &st), 0);
    ck_assert_int_eq(cache_snapshot_at(cache_of(&h), 90, &s, &st), 0);
    ck_assert_uint_eq(tree_count(s.tree), 89);
    snapshot_release(&s);
    house_free(&h);
}
END_TEST

START_TEST(old_history_goes_with_time)
{
    struct house h;
    char key[32];
    clock_fake(1767323045000000000);
    house_new(&h, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "ns/x%d", i);
        put(h.storage, key, "");
    }
    CLEANUP(status_clear) struct status st = {0};
    struct snapshot s;
    ck_assert_int_eq(cache_snapshot_at(cache_of(&h), 2, &s, &st), 0);
    snapshot_release(&s);
    clock_fake_advance_ms(4 * 60 * 1000);
    ck_assert_int_eq(cache_snapshot_at(cache_of(&h), 2, &s, &st), 0);
    snapshot_release(&s);
    clock_fake_advance_ms(2 * 60 * 1000);
    ck_assert_int_lt(cache_snapshot_at(cache_of(&h), 2, &s, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    /* the last hundred stay whatever their age */
    ck_assert_int_eq(cache_snapshot_at(cache_of(&h), 901, &s, &st), 0);
    ck_assert_uint_eq(tree_count(s.tree), 900);
    snapshot_release(&s);
    house_free(&h);
}
END_TEST

START_TEST(selectors_turn_changes_into_added_and_deleted)
{
    struct house h;
    struct heard all, red, label, named, elsewhere;
    struct heard *const each[] = {&all, &red, &label, &named, &elsewhere};
    struct selector color, app;
    struct status st = {0};
    CLEANUP(arena_freep) struct arena *a = arena_new();
    house_new(&h, 0);
    for (size_t i = 0; i < N_ELEMENTS(each); i++)
        heard_init(each[i]);
    ck_assert_int_eq(selector_parse_fields(a, TEXT("spec.color=red"), &things, &color, &st), 0);
    ck_assert_int_eq(selector_parse_labels(a, TEXT("app in (web)"), &app, &st), 0);
    struct watcher *watchers[] = {
        watch(&h, &all, (struct watch_options){.namespace = TEXT("ns")}, NULL),
        watch(&h, &red, (struct watch_options){.fields = &color}, NULL),
        watch(&h, &label, (struct watch_options){.namespace = TEXT("ns"), .labels = &app}, NULL),
        watch(&h, &named, (struct watch_options){.namespace = TEXT("ns"), .name = TEXT("x")}, NULL),
        watch(&h, &elsewhere, (struct watch_options){.namespace = TEXT("n")}, NULL),
    };
    put_labelled(h.storage, &things, "ns/x", "\"app\":\"web\"", "\"color\":\"blue\"");
    put_labelled(h.storage, &things, "ns/x", "\"app\":\"web\"", "\"color\":\"red\"");
    put_labelled(h.storage, &things, "ns/x", "\"app\":\"db\"", "\"color\":\"red\"");
    put_labelled(h.storage, &things, "ns/x", "\"app\":\"db\"", "\"color\":\"green\"");
    put_labelled(h.storage, &things, "ns/x", "\"app\":\"db\"", "\"color\":\"red\"");
    del(h.storage, "ns/x");
    put(h.storage, "other/y", "\"color\":\"red\"");
    put_labelled(h.storage, &rooms, "hall", NULL, "");
    heard_expect(&all, 6,
                 "ADDED ns/x 2 blue\nMODIFIED ns/x 3 red\nMODIFIED ns/x 4 red\nMODIFIED ns/x 5 green\n"
                 "MODIFIED ns/x 6 red\nDELETED ns/x 7 red\n");
    heard_expect(&named, 6,
                 "ADDED ns/x 2 blue\nMODIFIED ns/x 3 red\nMODIFIED ns/x 4 red\nMODIFIED ns/x 5 green\n"
                 "MODIFIED ns/x 6 red\nDELETED ns/x 7 red\n");
    /* who leaves is told of with the content it had, at the revision of its leaving */
    heard_expect(&red, 6,
                 "ADDED ns/x 3 red\nMODIFIED ns/x 4 red\nDELETED ns/x 5 red\nADDED ns/x 6 red\nDELETED ns/x 7 red\n"
                 "ADDED other/y 8 red\n");
    heard_expect(&label, 3, "ADDED ns/x 2 blue\nMODIFIED ns/x 3 red\nDELETED ns/x 4 red\n");
    heard_expect(&elsewhere, 0, "");
    for (size_t i = 0; i < N_ELEMENTS(watchers); i++)
        watch_stop(watchers[i]);

    /* the same from the ring */
    struct heard again;
    heard_init(&again);
    struct watcher *w = watch(
        &h, &again, (struct watch_options){.fields = &color, .from = WATCH_FROM_REVISION, .revision = 3}, NULL);
    heard_expect(&again, 5,
                 "MODIFIED ns/x 4 red\nDELETED ns/x 5 red\nADDED ns/x 6 red\nDELETED ns/x 7 red\n"
                 "ADDED other/y 8 red\n");
    watch_stop(w);
    heard_deinit(&again);
    for (size_t i = 0; i < N_ELEMENTS(each); i++)
        heard_deinit(each[i]);
    house_free(&h);
}
END_TEST

START_TEST(initial_objects_come_first)
{
    struct house h;
    struct heard heard;
    uint64_t at;
    house_new(&h, 0);
    heard_init(&heard);
    put(h.storage, "n/a", "\"color\":\"red\"");
    put(h.storage, "n-1/b", "\"color\":\"red\"");
    put(h.storage, "n/c", "\"color\":\"blue\"");
    put_labelled(h.storage, &rooms, "hall", NULL, "");
    struct watcher *w = watch(
        &h, &heard, (struct watch_options){.ops = &heard_progress_ops, .namespace = TEXT("n"), .send_initial = true},
        &at);
    ck_assert_uint_eq(at, 5);
    heard_expect(&heard, 3, "ADDED n/a 2 red\nADDED n/c 4 blue\nPROGRESS 5\n");
    put(h.storage, "n/d", "");
    heard_expect(&heard, 4, "ADDED n/a 2 red\nADDED n/c 4 blue\nPROGRESS 5\nADDED n/d 6 \n");
    house_close(&h);
    heard_expect(&heard, 5, "ADDED n/a 2 red\nADDED n/c 4 blue\nPROGRESS 5\nADDED n/d 6 \nENDED\n");
    watch_stop(w); /* after the storage is gone */
    heard_deinit(&heard);
    house_free(&h);
}
END_TEST

START_TEST(progress_is_told_by_the_clock)
{
    struct house h;
    struct heard heard;
    clock_fake(1767323045000000000);
    house_new(&h, 0);
    heard_init(&heard);
    struct watcher *w = watch(&h, &heard, (struct watch_options){.ops = &heard_progress_ops}, NULL);
    put_labelled(h.storage, &rooms, "hall", NULL, "");
    clock_fake_advance_ms(1000);
    /* `delivered` is noted just after the writer is told: the second tick sees it for sure */
    usleep(20000);
    clock_fake_advance_ms(1000);
    pthread_mutex_lock(&heard.mu);
    ck_assert_uint_eq(heard.n, 2);
    ck_assert(text_ends(buffer_text(&heard.lines), TEXT("PROGRESS 2\n")));
    pthread_mutex_unlock(&heard.mu);
    watch_stop(w);
    clock_fake_advance_ms(1000);
    ck_assert_uint_eq(heard.n, 2);
    heard_deinit(&heard);
    house_free(&h);
}
END_TEST

/* A watch that stops itself, and its neighbour, at its first event. */
struct stopper {
    struct watcher *self, *other;
    int n;
};

static void stop_at_event(void *ctx, enum event_type type, struct object *o, const struct event *e)
{
    struct stopper *s = ctx;
    (void)type;
    (void)o;
    (void)e;
    s->n++;
    watch_stop(s->self);
    watch_stop(MOVE(s->other));
}

static const struct watcher_ops stopper_ops = {.event = stop_at_event};

START_TEST(a_callback_may_stop_watches)
{
    struct house h;
    struct stopper s = {0}, initial = {0};
    struct heard heard;
    struct status st = {0};
    uint64_t at;
    house_new(&h, 0);
    heard_init(&heard);
    struct watch_options opt = {.ops = &stopper_ops, .ctx = &s, .namespace = TEXT("ns")};
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &s.self, &at, &st), 0);
    s.other = watch(&h, &heard, (struct watch_options){.namespace = TEXT("ns")}, NULL);
    put(h.storage, "ns/a", "");
    put(h.storage, "ns/b", "");
    opt.ctx = &initial;
    opt.send_initial = true;
    ck_assert_int_eq(watch_start(cache_of(&h), &opt, &initial.self, &at, &st), 0);
    ck_assert_int_eq(initial.n, 1);
    house_close(&h);
    ck_assert_int_eq(s.n, 1);
    ck_assert_uint_eq(heard.n, 0);
    heard_deinit(&heard);
    house_free(&h);
}
END_TEST

/* After watch_stop no callback touches what it was given. */
static void touch(void *ctx, enum event_type type, struct object *o, const struct event *e)
{
    (void)type;
    (void)o;
    (void)e;
    **(int **)ctx += 1;
}

static const struct watcher_ops touch_ops = {.event = touch};

static void *churn(void *arg)
{
    for (int i = 0; i < 500; i++)
        put(arg, "ns/a", "\"color\":\"red\"");
    return NULL;
}

START_TEST(nothing_is_called_after_stop)
{
    struct house h;
    pthread_t writer;
    struct status st = {0};
    uint64_t at;
    house_new(&h, 0);
    pthread_create(&writer, NULL, churn, h.storage);
    for (int i = 0; i < 300; i++) {
        int *p = calloc(1, sizeof(*p)), **pp = &p;
        struct watcher *w;
        struct watch_options opt = {.ops = &touch_ops, .ctx = pp, .namespace = i % 2 ? TEXT("ns") : TEXT_NONE};
        ck_assert_int_eq(watch_start(cache_of(&h), &opt, &w, &at, &st), 0);
        usleep(100);
        watch_stop(w);
        free(p);
        p = NULL; /* a late callback would crash */
    }
    pthread_join(writer, NULL);
    house_free(&h);
}
END_TEST

static void note_wait(void *ctx, bool reached)
{
    atomic_store((atomic_int *)ctx, reached ? 1 : 2);
}

START_TEST(waits_end_by_revision_or_time)
{
    struct house h;
    atomic_int now = 0, later = 0, never = 0, stopped = 0;
    clock_fake(1767323045000000000);
    house_new(&h, 0);
    storage_wait(h.storage, 1, 3000, note_wait, &now);
    ck_assert_int_eq(atomic_load(&now), 1);
    storage_wait(h.storage, 3, 3000, note_wait, &later);
    storage_wait(h.storage, 50, 3000, note_wait, &never);
    put(h.storage, "ns/a", "");
    ck_assert_int_eq(atomic_load(&later), 0);
    put(h.storage, "ns/b", "");
    while (!atomic_load(&later)) /* told before the writer is: no wait in fact */
        usleep(100);
    ck_assert_int_eq(atomic_load(&later), 1);
    clock_fake_advance_ms(2999);
    ck_assert_int_eq(atomic_load(&never), 0);
    clock_fake_advance_ms(2);
    ck_assert_int_eq(atomic_load(&never), 2);
    storage_wait(h.storage, 50, 3000, note_wait, &stopped);
    house_free(&h);
    ck_assert_int_eq(atomic_load(&stopped), 2);
}
END_TEST

START_TEST(revisions_are_parsed)
{
    CLEANUP(status_clear) struct status st = {0};
    uint64_t r = 7;
    ck_assert_int_eq(revision_parse(TEXT_NONE, &r, &st), 0);
    ck_assert_uint_eq(r, 0);
    ck_assert_int_eq(revision_parse(TEXT("42"), &r, &st), 0);
    ck_assert_uint_eq(r, 42);
    ck_assert_int_lt(revision_parse(TEXT("-1"), &r, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_BAD_REQUEST);
    ck_assert_int_lt(revision_parse(TEXT("abc"), &r, &st), 0);
    ck_assert_str_eq(st.message,
                     "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax");
}
END_TEST

UNIT_MAIN("storage/cache", past_states_are_exact, history_ends, old_history_goes_with_time,
          selectors_turn_changes_into_added_and_deleted, initial_objects_come_first, progress_is_told_by_the_clock,
          a_callback_may_stop_watches, nothing_is_called_after_stop, waits_end_by_revision_or_time,
          revisions_are_parsed)
