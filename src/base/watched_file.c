/* SPDX-License-Identifier: Apache-2.0 */
/* Polling and no inotify: a mounted secret is a symbolic link to a folder that is swapped, a file system may have no
 * events, and one stat a minute costs nothing. */
#include "base/watched_file.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

struct watched_file {
    struct timer timer;
    struct timers *timers;
    char *path;
    int64_t period_ms;
    void (*changed)(void *ctx, struct text content);
    void *ctx;
    /* the timer thread's */
    struct stat seen;
    uint64_t known_hash;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void look(struct watched_file *f)
{
    CLEANUP(status_clear) struct status st = {0};
    CLEANUP(buffer_deinit) struct buffer content = BUFFER_INIT;
    struct stat now;

    if (stat(f->path, &now) < 0 || is_same(&now, &f->seen))
        return;
    if (file_read(f->path, &content, &st) < 0) {
        log_warning("A watched file cannot be read", LOG_STR("error", st.message));
        return;
    }
    f->seen = now;
    uint64_t hash = text_hash(buffer_text(&content));
    if (hash == f->known_hash)
        return;
    f->known_hash = hash;
    f->changed(f->ctx, buffer_text(&content));
}

static void fire(struct timer *t)
{
    struct watched_file *f = CONTAINER_OF(t, struct watched_file, timer);

    look(f);
    timer_arm(f->timers, &f->timer, f->period_ms);
}

struct watched_file *watched_file_start(struct timers *ts, const char *path, struct text known, int64_t period_ms,
                                        void (*changed)(void *ctx, struct text content), void *ctx)
{
    struct watched_file *f = xcalloc(1, sizeof(*f));

    *f = (struct watched_file){.timer.fire = fire,
                               .timers = ts,
                               .path = xstrdup(path),
                               .period_ms = period_ms,
                               .changed = changed,
                               .ctx = ctx,
                               .known_hash = text_hash(known)};
    timer_arm(ts, &f->timer, period_ms);
    return f;
}

void watched_file_stop(struct watched_file *f)
{
    if (!f)
        return;
    timer_cancel(f->timers, &f->timer);
    free(f->path);
    free(f);
}
