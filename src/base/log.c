/* SPDX-License-Identifier: Apache-2.0 */
/* A line is built in one buffer and goes out in one write, so that lines of several threads do not mix. Which levels are
 * on is one atomic number for most calls: the highest of the general one and those of the patterns. */
#include "base/log.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/containers.h"
#include "base/memory.h"

struct pattern {
    char *glob; /* of a file's name without ".c", or of its folder */
    int level;
};

static atomic_int verbosity;      /* --v */
static atomic_int highest;        /* the maximum of verbosity and all patterns' levels */
static atomic_int out_fd = STDERR_FILENO;
static VEC(struct pattern) patterns; /* changed only before the other threads start */
static pthread_once_t env_once = PTHREAD_ONCE_INIT;

/* --- levels --- */

static bool parse_patterns(const char *s, bool apply)
{
    struct text rest = text_of(s), part;
    while (rest.n && text_split(&rest, ',', &part)) {
        part = text_trim(part);
        ptrdiff_t eq = text_find(part, '=');
        int64_t level;
        if (part.n == 0)
            continue;
        if (eq < 1 || !text_to_i64(text_from(part, (size_t)eq + 1), &level) || level < 0 || level > 100)
            return false;
        if (!apply)
            continue;
        struct pattern p = {.glob = strndup(part.p, (size_t)eq), .level = (int)level};
        if (!p.glob)
            out_of_memory();
        vec_push(&patterns, p);
        if (p.level > atomic_load(&highest))
            atomic_store(&highest, p.level);
    }
    return true;
}

static void read_env(void)
{
    const char *s = getenv("KS_LOG");
    if (s && parse_patterns(s, false))
        parse_patterns(s, true);
    else if (s)
        log_warning("Ignoring KS_LOG, which is not of the form name=level,...", LOG_STR("value", s));
}

bool log_set_vmodule(const char *s)
{
    pthread_once(&env_once, read_env);
    return parse_patterns(s, false) && parse_patterns(s, true);
}

void log_set_verbosity(int level)
{
    pthread_once(&env_once, read_env);
    int most = level;
    for (size_t i = 0; i < patterns.n; i++)
        if (patterns.p[i].level > most)
            most = patterns.p[i].level;
    atomic_store(&verbosity, level);
    atomic_store(&highest, most);
}

void log_set_fd(int fd)
{
    atomic_store(&out_fd, fd);
}

/* The file's name, and the folder it is in, of "src/storage/watcher.c". */
static void split_path(const char *file, struct text *ret_folder, struct text *ret_name)
{
    const char *slash = strrchr(file, '/');
    *ret_name = text_of(slash ? slash + 1 : file);
    *ret_folder = TEXT_NONE;
    if (!slash)
        return;
    const char *start = slash;
    while (start > file && start[-1] != '/')
        start--;
    *ret_folder = (struct text){start, (size_t)(slash - start)};
}

static bool glob_matches(const char *glob, struct text t)
{
    char s[64];
    if (t.n >= sizeof(s))
        return false;
    memcpy(s, t.p ? t.p : "", t.n);
    s[t.n] = '\0';
    return fnmatch(glob, s, 0) == 0;
}

bool log_enabled(const char *file, int level)
{
    pthread_once(&env_once, read_env);
    if (LIKELY(level > atomic_load_explicit(&highest, memory_order_relaxed)))
        return false;
    if (level <= atomic_load_explicit(&verbosity, memory_order_relaxed))
        return true;
    struct text folder, name;
    split_path(file, &folder, &name);
    if (text_ends(name, TEXT(".c")))
        name.n -= 2;
    for (size_t i = 0; i < patterns.n; i++)
        if (level <= patterns.p[i].level &&
            (glob_matches(patterns.p[i].glob, name) || glob_matches(patterns.p[i].glob, folder)))
            return true;
    return false;
}

/* --- lines --- */

static void add_header(struct buffer *b, enum log_level level, const char *file, int line)
{
    int64_t now = clock_now_ns();
    time_t s = (time_t)(now / 1000000000);
    struct tm tm;
    struct text folder, name;
    localtime_r(&s, &tm);
    split_path(file, &folder, &name);
    buffer_addf(b, "%c%02d%02d %02d:%02d:%02d.%06d %7d %.*s:%d] ", "IWEF"[level], tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now / 1000 % 1000000), (int)gettid(), TEXT_ARG(name), line);
}

static void add_field(struct buffer *b, const struct log_field *f)
{
    buffer_addf(b, " %s=", f->key);
    switch (f->type) {
    case LOG_FIELD_TEXT:
        buffer_add_quoted(b, f->text);
        break;
    case LOG_FIELD_I64:
        buffer_add_i64(b, f->number);
        break;
    case LOG_FIELD_U64:
        buffer_add_u64(b, (uint64_t)f->number);
        break;
    case LOG_FIELD_BOOL:
        buffer_add_str(b, f->number ? "true" : "false");
        break;
    }
}

static void write_all(struct text t)
{
    int fd = atomic_load(&out_fd);
    while (t.n) {
        ssize_t n = write(fd, t.p, t.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody to tell */
        t = text_from(t, (size_t)n);
    }
}

void log_write(enum log_level level, const char *file, int line, const char *message, const struct log_field *fields,
               size_t n_fields)
{
    int saved = errno; /* callers log between a failing call and the use of its errno */
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    add_header(&b, level, file, line);
    buffer_add_quoted(&b, text_of(message));
    for (size_t i = 0; i < n_fields; i++)
        add_field(&b, &fields[i]);
    buffer_add_char(&b, '\n');
    write_all(buffer_text(&b));
    errno = saved;
}
