/* SPDX-License-Identifier: Apache-2.0 */
#include "base/watched_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "unit.h"

static unsigned n_changes;
static char last[64];

static void changed(void *ctx, struct text content)
{
    n_changes++;
    snprintf(last, sizeof(last), "%.*s", TEXT_ARG(content));
    ck_assert_ptr_eq(ctx, last);
}

static void write_text(const char *path, const char *content)
{
    CLEANUP(status_clear) struct status st = {0};
    ck_assert_int_eq(file_write(path, text_of(content), 0600, &st), 0);
}

START_TEST(tells_of_new_content_only)
{
    char folder[] = "/tmp/watched.XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/f", folder);
    write_text(path, "one");
    clock_fake(1000000000);
    struct timers *ts = timers_start();
    struct watched_file *f = watched_file_start(ts, path, TEXT("one"), 1000, changed, last);

    clock_fake_advance_ms(5000);
    ck_assert_int_eq(n_changes, 0);
    write_text(path, "two");
    clock_fake_advance_ms(500);
    ck_assert_int_eq(n_changes, 0);
    clock_fake_advance_ms(500);
    ck_assert_int_eq(n_changes, 1);
    ck_assert_str_eq(last, "two");
    write_text(path, "two"); /* another file with the same content */
    clock_fake_advance_ms(2000);
    ck_assert_int_eq(n_changes, 1);
    unlink(path); /* gone for a moment: nothing to tell */
    clock_fake_advance_ms(2000);
    ck_assert_int_eq(n_changes, 1);
    write_text(path, "three");
    clock_fake_advance_ms(1000);
    ck_assert_str_eq(last, "three");

    watched_file_stop(f);
    write_text(path, "four");
    clock_fake_advance_ms(5000);
    ck_assert_int_eq(n_changes, 2);
    watched_file_stop(NULL);
    timers_stop(ts);
    clock_real();
    unlink(path);
    rmdir(folder);
}
END_TEST

UNIT_MAIN("watched_file", tells_of_new_content_only)
