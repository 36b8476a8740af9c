/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the embedded store: taken while it is written to, restored beside it, refused where they would do harm. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "things.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

static char copy_path[160], other_folder[160], other_path[192];

static void make_names(const struct house *h)
{
    snprintf(copy_path, sizeof(copy_path), "%s/copy", h->folder);
    snprintf(other_folder, sizeof(other_folder), "%s/other", h->folder);
    snprintf(other_path, sizeof(other_path), "%s/keelson.db", other_folder);
    ck_assert_int_eq(mkdir(other_folder, 0700), 0);
}

static void must_save(const struct house *h, struct sqlite_snapshot *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_msg(sqlite_snapshot_save(h->path, copy_path, ret, &st) == 0, "%s", st.message);
}

static void must_restore(struct sqlite_snapshot *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_msg(sqlite_snapshot_restore(copy_path, other_path, ret, &st) == 0, "%s", st.message);
}

static void refuses_save(const char *path, const char *target, const char *words)
{
    CLEANUP(status_clear) struct status st = {0};
    struct sqlite_snapshot s;
    ck_assert_int_lt(sqlite_snapshot_save(path, target, &s, &st), 0);
    ck_assert_msg(strstr(st.message, words) != NULL, "%s", st.message);
}

static void refuses_restore(const char *from, const char *path, const char *words)
{
    CLEANUP(status_clear) struct status st = {0};
    struct sqlite_snapshot s;
    ck_assert_int_lt(sqlite_snapshot_restore(from, path, &s, &st), 0);
    ck_assert_msg(strstr(st.message, words) != NULL, "%s", st.message);
}

static bool exists(const char *path, const char *suffix)
{
    char name[256];
    struct stat sb;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &sb) == 0;
}

/* Opens the restored store in the house's place. */
static void house_of_copy(const struct house *h, struct house *ret)
{
    *ret = *h;
    ck_assert_uint_lt(strlen(other_path), sizeof(ret->path));
    memcpy(ret->path, other_path, strlen(other_path) + 1);
    house_open(ret, 0);
}

START_TEST(a_copy_has_everything)
{
    struct house h, other;
    struct sqlite_snapshot saved, restored;
    CLEANUP(status_clear) struct status st = {0};
    struct snapshot state;
    char key[32];
    house_new(&h, 0);
    make_names(&h);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "ns/x%d", i);
        put(h.storage, key, "\"color\":\"red\"");
    }
    put(h.storage, "ns/x7", "\"color\":\"blue\"");
    del(h.storage, "ns/x8");
    put_labelled(h.storage, &rooms, "hall", "\"l\":\"1\"", "");
    uint64_t revision = del(h.storage, "ns/x9");
    must_save(&h, &saved); /* the store is open */
    ck_assert_uint_eq(saved.revision, revision);
    ck_assert_uint_eq(saved.n_objects, 99);
    ck_assert(!exists(copy_path, "-wal") && !exists(copy_path, "-shm") && !exists(copy_path, ".new"));
    struct stat sb;
    ck_assert_int_eq(stat(copy_path, &sb), 0);
    ck_assert_int_eq(sb.st_mode & 0777, 0600);
    ck_assert_int_eq(sb.st_size, saved.bytes);
    put(h.storage, "ns/later", "");

    must_restore(&restored);
    ck_assert_uint_eq(restored.n_objects, 99);
    ck_assert_uint_eq(restored.revision, revision + 1000000);
    house_of_copy(&h, &other);
    ck_assert_uint_eq(storage_revision(other.storage), restored.revision);
    ck_assert_uint_eq(cache_count(cache_of(&other)), 98);
    ck_assert_uint_eq(cache_count(storage_cache(other.storage, &rooms)), 1);
    CLEANUP(object_unrefp) struct object *o = cache_get(cache_of(&other), TEXT("ns/x7"));
    ck_assert(text_is(o->fields[0], "blue"));
    ck_assert_uint_eq(o->revision, 102);
    ck_assert_ptr_null(cache_get(cache_of(&other), TEXT("ns/later")));
    ck_assert_int_lt(cache_snapshot_at(cache_of(&other), revision, &state, &st), 0);
    ck_assert_int_eq(st.reason, STATUS_EXPIRED);
    ck_assert_uint_eq(put(other.storage, "ns/x8", ""), restored.revision + 1);
    ck_assert_uint_eq(del(other.storage, "ns/x7"), restored.revision + 2);
    house_close(&other);
    house_close(&h);

    /* and of a store that nobody has open */
    ck_assert_int_eq(sqlite_snapshot_save(other.path, copy_path, &saved, &st), 0);
    ck_assert_uint_eq(saved.revision, restored.revision + 2);
    ck_assert_uint_eq(saved.n_objects, 99);
    house_open(&h, 0);
    house_free(&h);
}
END_TEST

static atomic_bool is_over;

/* Each round moves one key to the next color; "ns/b" always after "ns/a". */
static void *write_rounds(void *arg)
{
    char spec[64];
    for (int i = 1; !atomic_load(&is_over); i++) {
        snprintf(spec, sizeof(spec), "\"count\":%d", i);
        put(arg, "ns/a", spec);
        put(arg, "ns/b", spec);
    }
    return NULL;
}

static uint64_t count_of(struct house *h, const char *key)
{
    CLEANUP(object_unrefp) struct object *o = cache_get(cache_of(h), text_of(key));
    uint64_t n = 0;
    ck_assert(o && text_to_u64(o->fields[1], &n));
    return n;
}

START_TEST(a_copy_is_one_moment_of_a_busy_store)
{
    struct house h, other;
    struct sqlite_snapshot saved, restored;
    pthread_t thread;
    uint64_t last = 0;
    house_new(&h, 0);
    make_names(&h);
    put(h.storage, "ns/a", "\"count\":0");
    put(h.storage, "ns/b", "\"count\":0");
    pthread_create(&thread, NULL, write_rounds, h.storage);
    for (int i = 0; i < 5; i++) {
        uint64_t before = storage_revision(h.storage);
        must_save(&h, &saved);
        ck_assert_uint_ge(saved.revision, before);
        ck_assert_uint_ge(saved.revision, last);
        ck_assert_uint_le(saved.revision, storage_revision(h.storage) + 1); /* committed, not yet told */
        last = saved.revision;
        unlink(other_path);
        must_restore(&restored);
        ck_assert_uint_eq(restored.revision, saved.revision + 1000000);
        house_of_copy(&h, &other);
        uint64_t a = count_of(&other, "ns/a"), b = count_of(&other, "ns/b");
        ck_assert_msg(a == b || a == b + 1, "%llu and %llu", (unsigned long long)a, (unsigned long long)b);
        house_close(&other);
    }
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    house_free(&h);
}
END_TEST

static void write_at(const char *path, off_t at, const void *p, size_t n)
{
    FILE *f = fopen(path, "r+");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseeko(f, at, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    fclose(f);
}

START_TEST(harm_is_refused)
{
    struct house h;
    struct sqlite_snapshot saved;
    char garbage[3000], missing[192];
    house_new(&h, 0);
    make_names(&h);
    snprintf(missing, sizeof(missing), "%s/none", h.folder);
    memset(garbage, 'x', sizeof(garbage));
    for (int i = 0; i < 50; i++) {
        char key[32], spec[3100];
        snprintf(key, sizeof(key), "ns/x%d", i);
        snprintf(spec, sizeof(spec), "\"color\":\"%.*s\"", (int)sizeof(garbage), garbage);
        put(h.storage, key, spec);
    }
    must_save(&h, &saved);

    refuses_save(missing, copy_path, "there is no database at");
    refuses_save(h.path, h.path, "is the store itself");
    refuses_save(h.path, other_folder, "is not a regular file");
    refuses_restore(copy_path, h.path, "is in use by another process");
    house_close(&h);
    refuses_restore(copy_path, h.path, "there is a store already");
    refuses_restore(missing, other_path, "there is no database at");
    ck_assert(!exists(other_path, ""));

    write_at(copy_path, saved.bytes / 2 / 8192 * 8192, garbage, sizeof(garbage));
    refuses_restore(copy_path, other_path, "is damaged");
    write_at(copy_path, 0, garbage, 100);
    refuses_restore(copy_path, other_path, "is not a database");
    refuses_save(copy_path, missing, "is not a database");
    ck_assert(!exists(other_path, "") && !exists(other_path, ".new") && !exists(missing, ""));
    house_open(&h, 0);
    ck_assert_uint_eq(cache_count(cache_of(&h)), 50);
    house_free(&h);
}
END_TEST

UNIT_MAIN("storage/snapshot", a_copy_has_everything, a_copy_is_one_moment_of_a_busy_store, harm_is_refused)
