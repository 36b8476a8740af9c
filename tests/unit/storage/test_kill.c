/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 under write load: a child writes and reports each acknowledged write through a pipe; whatever the parent has
 * read must be in the store afterwards, and the revision goes on. ROUNDS is how often (default 6). */
#include <signal.h>
#include <sys/wait.h>

#include "things.h"

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

#define WRITERS 8
#define ROUNDS_DEFAULT 6

struct ack {
    uint64_t revision;
    uint32_t writer, count;
};

struct writer {
    struct storage *storage;
    int pipe;
    uint32_t id;
};

static void *write_for_ever(void *arg)
{
    struct writer *w = arg;
    char key[32], spec[64];
    snprintf(key, sizeof(key), "ns/w%u", w->id);
    for (uint32_t i = 1;; i++) {
        snprintf(spec, sizeof(spec), "\"count\":%u", i);
        struct ack ack = {put(w->storage, key, spec), w->id, i};
        if (!ack.revision || write(w->pipe, &ack, sizeof(ack)) != sizeof(ack)) /* atomic: below PIPE_BUF */
            _exit(3);
    }
    return NULL;
}

static void child(struct house *h, int pipe_fd)
{
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    h->timers = timers_start();
    house_open(h, 0);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){h->storage, pipe_fd, i};
        pthread_create(&threads[i], NULL, write_for_ever, &writers[i]);
    }
    for (;;)
        pause();
}

/* Reads acknowledgements for a while, kills the child, reads what it had still said. */
static void run_and_kill(struct house *h, int round, struct ack last[WRITERS], uint64_t *newest)
{
    int fds[2], status;
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(fds[0]);
        child(h, fds[1]);
    }
    close(fds[1]);
    struct ack ack;
    int n = 0, n_kill = 100 + 137 * (round % 6);
    while (read(fds[0], &ack, sizeof(ack)) == sizeof(ack)) {
        ck_assert_uint_gt(ack.revision, last[ack.writer].revision);
        last[ack.writer] = ack;
        *newest = ack.revision > *newest ? ack.revision : *newest;
        if (++n == n_kill)
            kill(pid, SIGKILL);
    }
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself: %d", status);
    ck_assert_int_ge(n, n_kill);
}

START_TEST(acknowledged_writes_survive_kill_9)
{
    struct house h = {.folder = "/tmp/keelson-storage-XXXXXX"};
    struct ack last[WRITERS] = {0};
    uint64_t newest = 1;
    ck_assert_ptr_nonnull(mkdtemp(h.folder));
    snprintf(h.path, sizeof(h.path), "%s/keelson.db", h.folder);
    const char *rounds = getenv("ROUNDS");
    int n_rounds = rounds && *rounds ? atoi(rounds) : ROUNDS_DEFAULT;
    ck_assert_int_gt(n_rounds, 0);
    for (int round = 0; round < n_rounds; round++) {
        run_and_kill(&h, round, last, &newest); /* before this process has threads */
        struct house again = h;
        again.timers = NULL;
        house_open(&again, 0);
        ck_assert_uint_ge(storage_revision(again.storage), newest);
        for (uint32_t i = 0; i < WRITERS; i++) {
            char key[32];
            uint64_t count = 0;
            snprintf(key, sizeof(key), "ns/w%u", i);
            struct object *o = cache_get(cache_of(&again), text_of(key));
            if (!last[i].revision) {
                object_unref(o);
                continue;
            }
            ck_assert_ptr_nonnull(o);
            ck_assert_uint_ge(o->revision, last[i].revision);
            ck_assert(text_to_u64(o->fields[1], &count));
            ck_assert_msg(o->revision > last[i].revision || count == last[i].count, "writer %u", i);
            object_unref(o);
        }
        newest = storage_revision(again.storage);
        house_close(&again);
    }
    remove_folder(h.folder);
}
END_TEST

UNIT_MAIN("storage/kill", acknowledged_writes_survive_kill_9)
