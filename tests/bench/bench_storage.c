/* SPDX-License-Identifier: Apache-2.0 */
/* What storage costs, in microseconds of CPU: bench_storage [WRITERS [VALUE_BYTES [WRITES [FOLDER]]]].
 * Writes of one value each by so many writers in flight (creates, then updates), their fan-out to 200 watchers,
 * loading, and the reading of one object. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "storage.h"

static const struct resource_type things = {.name = TEXT("things"), .version = TEXT("v1"), .is_namespaced = true,
                                            .storage_prefix = TEXT("things")};
static const struct resource_type *const types[] = {&things};

static int value_bytes = 3000, n_writes = 20000;
static struct storage *storage;
static char path[512];

struct slot { /* a writer in flight: its next write is submitted when the last is done */
    struct storage_write write;
    char key[32];
    int next, step, n_objects;
};
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static int n_done;
static int64_t make_ns; /* spent in making objects, which is not storage's */

static int64_t cpu_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static struct object *make_object(const char *key)
{
    static struct buffer b;
    static struct arena *a;
    struct value metadata, tree = value_object();
    int64_t begun = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    if (!a)
        a = arena_new();
    arena_reset(a);
    buffer_clear(&b);
    buffer_addf(&b, "{\"kind\":\"Thing\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",", key);
    size_t rv_at = b.n;
    buffer_add_str(&b, "\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"app\":\"web\"}},\"data\":\"");
    while (b.n < (size_t)value_bytes - 2)
        buffer_add_char(&b, (char)('a' + b.n % 26));
    buffer_add_str(&b, "\"}");
    metadata = value_object();
    value_set(a, &metadata, TEXT("name"), value_string(text_of(key)));
    value_set(a, &metadata, TEXT("namespace"), value_string(TEXT("ns")));
    value_set(a, &tree, TEXT("metadata"), metadata);
    struct object *o = object_new(&things, buffer_text(&b), rv_at, &tree);
    make_ns += cpu_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
    return o;
}

static void submit(struct slot *s)
{
    snprintf(s->key, sizeof(s->key), "ns/thing-%06d", s->next % s->n_objects);
    s->write.key = text_of(s->key);
    s->write.previous = cache_get(storage_cache(storage, &things), s->write.key);
    s->write.expected_revision = s->write.previous ? s->write.previous->revision : 0;
    s->write.object = make_object(s->key + 3);
    storage_submit(storage, &s->write);
}

static void done(struct storage_write *w)
{
    struct slot *s = CONTAINER_OF(w, struct slot, write);
    if (w->result != WRITE_DONE) {
        fprintf(stderr, "bench_storage: a write failed: %s\n", w->st.message ? w->st.message : "conflict");
        exit(1);
    }
    object_unref(MOVE(w->object));
    object_unref(MOVE(w->previous));
    s->next += s->step;
    if (s->next < n_writes) {
        submit(s);
        return;
    }
    pthread_mutex_lock(&mu);
    n_done++;
    pthread_cond_signal(&finished);
    pthread_mutex_unlock(&mu);
}

static void run(const char *what, int n_writers, int n_objects)
{
    struct slot *slots = calloc((size_t)n_writers, sizeof(*slots));
    n_done = 0;
    make_ns = 0;
    int64_t cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), wall = clock_mono_ns();
    for (int i = 0; i < n_writers; i++) { /* the first writes wait for their fellows: submit runs on one thread only */
        slots[i] = (struct slot){.write = {.type = &things, .op = WRITE_PUT, .done = done}, .next = i,
                                 .step = n_writers, .n_objects = n_objects};
    }
    static pthread_mutex_t start = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&start);
    struct object *first[64];
    for (int i = 0; i < n_writers; i++) {
        snprintf(slots[i].key, sizeof(slots[i].key), "ns/thing-%06d", i);
        first[i] = make_object(slots[i].key + 3);
    }
    for (int i = 0; i < n_writers; i++) {
        slots[i].write.key = text_of(slots[i].key);
        slots[i].write.previous = cache_get(storage_cache(storage, &things), slots[i].write.key);
        slots[i].write.expected_revision = slots[i].write.previous ? slots[i].write.previous->revision : 0;
        slots[i].write.object = first[i];
    }
    for (int i = 0; i < n_writers; i++)
        storage_submit(storage, &slots[i].write);
    pthread_mutex_unlock(&start);
    pthread_mutex_lock(&mu);
    while (n_done < n_writers)
        pthread_cond_wait(&finished, &mu);
    pthread_mutex_unlock(&mu);
    cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu - make_ns;
    wall = clock_mono_ns() - wall;
    printf("%-28s %6.1f us CPU, %6.1f us wall\n", what, (double)cpu / n_writes / 1e3, (double)wall / n_writes / 1e3);
    free(slots);
}

static void open_storage(void)
{
    struct status st = {0};
    struct storage_options opt = {.types = types, .n_types = 1};
    if (sqlite_open(path, &opt.backend, &st) < 0 || storage_start(&opt, &storage, &st) < 0) {
        fprintf(stderr, "bench_storage: %s\n", st.message);
        exit(1);
    }
}

static atomic_ulong n_heard;
static void hear(void *ctx, enum event_type type, struct object *o, const struct event *e)
{
    (void)ctx;
    (void)type;
    (void)o;
    (void)e;
    atomic_fetch_add_explicit(&n_heard, 1, memory_order_relaxed);
}
static const struct watcher_ops hear_ops = {.event = hear};

/* How much dearer a write gets with so many watchers, for each of them. */
static void run_watched(int n_writers, int n_watchers)
{
    struct watcher *watchers[1000];
    struct status st = {0};
    uint64_t at;
    char what[64];
    struct watch_options opt = {.ops = &hear_ops, .namespace = TEXT("ns")};
    for (int i = 0; i < n_watchers; i++)
        watch_start(storage_cache(storage, &things), &opt, &watchers[i], &at, &st);
    snprintf(what, sizeof(what), "update, %d watchers", n_watchers);
    run(what, n_writers, n_writes);
    for (int i = 0; i < n_watchers; i++)
        watch_stop(watchers[i]);
    printf("  %lu events heard\n", atomic_load(&n_heard));
}

static void run_reads(void)
{
    int64_t begun = clock_mono_ns();
    for (int i = 0; i < n_writes; i++)
        object_unref(cache_get(storage_cache(storage, &things), TEXT("ns/thing-000100")));
    printf("%-28s %6.3f us\n", "cache_get", (double)(clock_mono_ns() - begun) / n_writes / 1e3);

    struct object *o = cache_get(storage_cache(storage, &things), TEXT("ns/thing-000010")), *loaded;
    struct text pieces[2];
    struct buffer stored = BUFFER_INIT;
    struct status st = {0};
    object_stored(o, pieces);
    buffer_add(&stored, pieces[0]);
    buffer_add(&stored, pieces[1]);
    begun = clock_mono_ns();
    for (int i = 0; i < n_writes; i++) {
        if (object_load(&things, buffer_text(&stored), true, 5, &loaded, &st) == 0)
            object_unref(loaded);
    }
    printf("%-28s %6.3f us\n", "object_load", (double)(clock_mono_ns() - begun) / n_writes / 1e3);
    buffer_deinit(&stored);
    object_unref(o);
}

int main(int argc, char **argv)
{
    int n_writers = argc > 1 ? atoi(argv[1]) : 16;
    char folder[256], command[300];
    value_bytes = argc > 2 ? atoi(argv[2]) : value_bytes;
    n_writes = argc > 3 ? atoi(argv[3]) : n_writes;
    snprintf(folder, sizeof(folder), "%s/keelson-bench-XXXXXX", argc > 4 ? argv[4] : "/tmp");
    if (n_writers < 1 || n_writers > 64 || value_bytes < 300 || n_writes < n_writers || !mkdtemp(folder))
        return 2;
    snprintf(path, sizeof(path), "%s/keelson.db", folder);
    log_set_verbosity(0);
    open_storage();
    run("create", n_writers, n_writes);
    run("update", n_writers, n_writes);
    run("update of 16 objects", n_writers, 16);
    run_watched(n_writers, 200);
    run_reads();
    storage_stop(storage);
    int64_t begun = clock_mono_ns();
    open_storage();
    printf("%-28s %6.3f us an object\n", "start", (double)(clock_mono_ns() - begun) / n_writes / 1e3);
    storage_stop(storage);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : 1;
}
