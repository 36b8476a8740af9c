/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static int pipe_fds[2];

static void catch_log(void)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
    log_set_fd(pipe_fds[1]);
}

static const char *caught(void)
{
    static char line[65536];
    ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);
    ck_assert_int_ge(n, 0);
    line[n] = '\0';
    return line;
}

START_TEST(lines_have_the_form_of_klog)
{
    char expected[300];
    catch_log();
    setenv("TZ", "UTC", 1);
    clock_fake(1787307304120391000); /* 2026-08-21 10:15:04.120391 */
    errno = EPIPE;
    log_write(LOG_INFO, "src/storage/watcher.c", 88, "Watch closed",
              (struct log_field[]){LOG_STR("resource", "pods"), LOG_U64("rv", UINT64_MAX), LOG_I64("i", -3),
                                   LOG_BOOL("ok", true), LOG_TEXT("name", TEXT("a \"b\"\n"))},
              5);
    ck_assert_int_eq(errno, EPIPE);
    snprintf(expected, sizeof(expected),
             "I0821 10:15:04.120391 %7d watcher.c:88] \"Watch closed\" resource=\"pods\" rv=18446744073709551615 i=-3 "
             "ok=true name=\"a \\\"b\\\"\\n\"\n",
             (int)gettid());
    ck_assert_str_eq(caught(), expected);
    log_error("Plain");
    const char *line = caught();
    ck_assert_int_eq(line[0], 'E');
    ck_assert_ptr_nonnull(strstr(line, " test_log.c:"));
    ck_assert_ptr_nonnull(strstr(line, "] \"Plain\"\n"));
}
END_TEST

START_TEST(verbosity_and_patterns)
{
    catch_log();
    setenv("KS_LOG", "patch=5", 1);
    ck_assert(!log_enabled("src/storage/watcher.c", 1));
    ck_assert(log_enabled("src/patch/merge.c", 5) && !log_enabled("src/patch/merge.c", 6));
    log_set_verbosity(2);
    ck_assert(log_enabled("src/storage/watcher.c", 2) && !log_enabled("src/storage/watcher.c", 3));
    ck_assert(log_set_vmodule("watcher=4, sto*=3"));
    ck_assert(log_enabled("src/storage/watcher.c", 4) && !log_enabled("src/storage/watcher.c", 5));
    ck_assert(log_enabled("src/storage/sqlite.c", 3) && !log_enabled("src/storage/sqlite.c", 4));
    ck_assert(!log_enabled("src/http/listener.c", 3));
    ck_assert(!log_set_vmodule("x") && !log_set_vmodule("=3") && !log_set_vmodule("ok=9,a=b"));
    ck_assert(!log_enabled("ok.c", 9));
    log_verbose(2, "Seen");
    ck_assert_ptr_nonnull(strstr(caught(), "\"Seen\""));
}
END_TEST

static void *log_much(void *arg)
{
    for (int i = 0; i < 50; i++)
        log_info("A line that is long enough to be torn apart", LOG_STR("who", arg), LOG_I64("i", i));
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
    pthread_t t[4];
    catch_log();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, log_much, "thread"), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    const char *p = caught();
    int n = 0;
    for (; *p; n++) {
        const char *end = strchr(p, '\n');
        ck_assert_ptr_nonnull(end);
        ck_assert_int_eq(*p, 'I');
        const char *message = strstr(p, "] \"A line that is long enough to be torn apart\" who=\"thread\" i=");
        ck_assert(message && message < end);
        p = end + 1;
    }
    ck_assert_int_eq(n, 200);
}
END_TEST

UNIT_MAIN("base/log", lines_have_the_form_of_klog, verbosity_and_patterns, lines_of_threads_do_not_mix)
