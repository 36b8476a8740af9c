/* SPDX-License-Identifier: Apache-2.0 */
/* From one embedded store to another through the engines' interface; tests/integration/test_migrate has etcd too. */
#include "storage/migrate.h"

#include "things.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

static int open_path(void *ctx, struct backend **ret, struct status *st)
{
    return sqlite_open(ctx, ret, st);
}

static int migrate(struct house *from, struct house *to, struct migrated *ret, struct status *st)
{
    const struct migrate_store source = {open_path, from->path}, target = {open_path, to->path};
    return storage_migrate(&source, &target, ret, st);
}

START_TEST(objects_arrive_in_the_order_of_their_revisions)
{
    struct house from, to;
    struct migrated done;
    struct status st = {0};
    char key[32];
    house_new(&from, 0);
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof(key), "ns/x%d", i);
        put(from.storage, key, "\"color\":\"red\"");
    }
    put(from.storage, "ns/x7", "\"color\":\"blue\"");
    del(from.storage, "ns/x8");
    put_labelled(from.storage, &rooms, "hall", "\"l\":\"1\"", "");
    put(from.storage, "ns/x3", "\"color\":\"green\"");
    uint64_t revision = storage_revision(from.storage);
    house_close(&from);
    house_new(&to, 0);
    house_close(&to);

    ck_assert_msg(migrate(&from, &to, &done, &st) == 0, "%s", st.message);
    ck_assert_uint_eq(done.n_objects, 400);
    ck_assert_uint_eq(done.revision, revision);
    house_open(&to, 0);
    ck_assert_uint_eq(cache_count(cache_of(&to)), 399);
    ck_assert_uint_eq(storage_revision(to.storage), 401);
    static const char *const newest[] = {"ns/x399", "ns/x7", NULL, "ns/x3"};
    for (size_t i = 0; i < N_ELEMENTS(newest); i++) {
        struct object *o = newest[i] ? cache_get(cache_of(&to), text_of(newest[i]))
                                     : cache_get(storage_cache(to.storage, &rooms), TEXT("hall"));
        ck_assert_ptr_nonnull(o);
        ck_assert_uint_eq(o->revision, 398 + i);
        object_unref(o);
    }
    ck_assert_ptr_null(cache_get(cache_of(&to), TEXT("ns/x8")));
    house_free(&from);
    house_free(&to);
}
END_TEST

START_TEST(a_target_with_objects_is_left_alone)
{
    struct house from, to;
    struct migrated done;
    struct status st = {0};
    house_new(&from, 0);
    put(from.storage, "ns/a", "");
    house_close(&from);
    house_new(&to, 0);
    put(to.storage, "ns/b", "");
    house_close(&to);
    ck_assert_int_eq(migrate(&from, &to, &done, &st), -1);
    ck_assert_str_eq(st.message, "--to: the target is not empty, it has 1 objects");
    status_clear(&st);
    house_open(&to, 0);
    ck_assert_uint_eq(cache_count(cache_of(&to)), 1);
    house_free(&from);
    house_free(&to);
}
END_TEST

START_TEST(a_store_in_use_is_not_read)
{
    struct house from, to;
    struct migrated done;
    struct status st = {0};
    house_new(&from, 0);
    house_new(&to, 0);
    house_close(&to);
    ck_assert_int_eq(migrate(&from, &to, &done, &st), -1);
    ck_assert_msg(text_starts(text_of(st.message), TEXT("--from: ")), "%s", st.message);
    status_clear(&st);
    house_free(&from);
    house_free(&to);
}
END_TEST

/* Both had revisions of their own: whoever knows the old ones must see that these are others. */
START_TEST(revisions_leap)
{
    struct house h;
    struct status st = {0};
    house_new(&h, 0);
    put(h.storage, "ns/a", "");
    house_close(&h);
    ck_assert_int_eq(sqlite_leap(h.path, 5000, &st), 0);
    house_open(&h, 0);
    ck_assert_uint_ge(storage_revision(h.storage), 1000000 + 5000);
    struct snapshot snap;
    ck_assert_int_eq(cache_snapshot_at(cache_of(&h), 5000, &snap, &st), -1);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    status_clear(&st);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 1);
    house_free(&h);
}
END_TEST

UNIT_MAIN("storage/migrate", objects_arrive_in_the_order_of_their_revisions, a_target_with_objects_is_left_alone,
          a_store_in_use_is_not_read, revisions_leap)
