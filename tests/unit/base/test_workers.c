/* SPDX-License-Identifier: Apache-2.0 */
#include "base/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "unit.h"

/* --- the pool --- */

struct job {
    struct work work;
    int i;
};

static atomic_int n_run, n_inside, most_inside;
static int run_order[100];
static struct workers *pool;

static void note_run(struct work *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);
    int at = atomic_fetch_add(&n_run, 1);
    if (at < 100)
        run_order[at] = j->i;
    free(j);
}

static void add_job(void (*run)(struct work *), int i)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->work.run = run;
    j->i = i;
    workers_add(pool, &j->work);
}

START_TEST(one_worker_keeps_the_order)
{
    pool = workers_start(1, "test");
    for (int i = 0; i < 100; i++)
        add_job(note_run, i);
    workers_stop(pool); /* runs what is queued */
    ck_assert_int_eq(n_run, 100);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(run_order[i], i);
}
END_TEST

static pthread_barrier_t barrier;

static void meet(struct work *w)
{
    int inside = atomic_fetch_add(&n_inside, 1) + 1;
    for (int most = most_inside; inside > most && !atomic_compare_exchange_weak(&most_inside, &most, inside);)
        ;
    pthread_barrier_wait(&barrier); /* passes only if four run at once */
    atomic_fetch_sub(&n_inside, 1);
    note_run(w);
}

START_TEST(threads_start_up_to_the_limit)
{
    pthread_barrier_init(&barrier, NULL, 4);
    pool = workers_start(4, "test");
    for (int i = 0; i < 40; i++)
        add_job(meet, i);
    workers_stop(pool);
    ck_assert_int_eq(n_run, 40);
    ck_assert_int_eq(most_inside, 4);
}
END_TEST

static void add_more(struct work *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);
    if (j->i > 0)
        add_job(add_more, j->i - 1);
    note_run(w);
}

START_TEST(work_may_add_work_while_stopping)
{
    pool = workers_start(3, "test");
    for (int i = 0; i < 10; i++)
        add_job(add_more, 9);
    workers_stop(pool);
    ck_assert_int_eq(n_run, 100);
    workers_stop(NULL);
}
END_TEST

static int depth(int n)
{
    char room[256];
    memset(room, n, sizeof(room));
    return n == 0 ? 0 : depth(n - 1) + 1 + room[n % 256] * 0;
}

static void go_deep(struct work *w)
{
    ck_assert_int_eq(depth(10000), 10000);
    note_run(w);
}

START_TEST(stacks_hold_the_deepest_object)
{
    pool = workers_start(1, "test");
    add_job(go_deep, 0);
    workers_stop(pool);
    ck_assert_int_eq(n_run, 1);
}
END_TEST

/* --- timers --- */

struct alarm {
    struct timer timer;
    int i, again;
};

static struct timers *timers;
static int fired[64], n_fired;

static void note_fire(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
    if (n_fired < 64)
        fired[n_fired] = a->i;
    n_fired++;
    if (a->again-- > 0)
        timer_arm(timers, t, 10);
}

START_TEST(timers_fire_in_order_as_the_clock_passes)
{
    struct alarm a[20] = {0};
    clock_fake(1000000000);
    timers = timers_start();
    for (int i = 0; i < 20; i++) {
        a[i].timer.fire = note_fire;
        a[i].i = i;
        timer_arm(timers, &a[i].timer, 1 + i * 7 % 20 * 100);
    }
    clock_fake_advance_ms(0);
    ck_assert_int_eq(n_fired, 0);
    clock_fake_advance_ms(1000);
    ck_assert_int_eq(n_fired, 10);
    clock_fake_advance_ms(1000);
    ck_assert_int_eq(n_fired, 20);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fired[i] * 7 % 20, i);
    clock_fake_advance_ms(100000);
    ck_assert_int_eq(n_fired, 20);
    timers_stop(timers);
}
END_TEST

START_TEST(equal_times_fire_in_order_of_arming)
{
    struct alarm a[20] = {0};
    clock_fake(0);
    timers = timers_start();
    for (int i = 0; i < 20; i++) {
        a[i] = (struct alarm){.timer.fire = note_fire, .i = i};
        timer_arm(timers, &a[i].timer, 5);
    }
    clock_fake_advance_ms(5);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fired[i], i);
    timers_stop(timers);
}
END_TEST

START_TEST(timers_are_armed_anew_and_cancelled)
{
    struct alarm a = {.timer.fire = note_fire, .again = 2}, b = {.timer.fire = note_fire};
    clock_fake(0);
    timers = timers_start();
    ck_assert(!timer_cancel(timers, &a.timer));
    timer_arm(timers, &a.timer, 10);
    timer_arm(timers, &a.timer, 50); /* later */
    timer_arm(timers, &b.timer, 20);
    clock_fake_advance_ms(15);
    ck_assert_int_eq(n_fired, 0);
    ck_assert(timer_cancel(timers, &b.timer));
    ck_assert(!timer_cancel(timers, &b.timer));
    clock_fake_advance_ms(35);
    ck_assert_int_eq(n_fired, 1);
    clock_fake_advance_ms(10);
    clock_fake_advance_ms(10);
    clock_fake_advance_ms(10);
    ck_assert_int_eq(n_fired, 3);
    timer_arm(timers, &b.timer, 20);
    timers_stop(timers); /* armed ones are let go */
    ck_assert_uint_eq(b.timer.position, 0);
    ck_assert_int_eq(n_fired, 3);
}
END_TEST

/* Many timers, random cancellations, against a sorted model. */
START_TEST(the_heap_holds_under_churn)
{
    enum { N = 500 };
    static struct alarm a[N];
    static int64_t due[N];
    int64_t now = 0;
    int expected = 0;
    srand(5);
    clock_fake(0);
    timers = timers_start();
    for (int i = 0; i < N; i++)
        a[i].timer.fire = note_fire;
    for (int round = 0; round < 20000; round++) {
        int i = rand() % N;
        switch (rand() % 3) {
        case 0:
            ck_assert_int_eq(timer_cancel(timers, &a[i].timer), due[i] > now);
            due[i] = 0;
            break;
        case 1:
            due[i] = now + 1 + rand() % 100;
            timer_arm(timers, &a[i].timer, due[i] - now);
            break;
        default:
            if (rand() % 20)
                break;
            int64_t to = now + rand() % 10;
            for (int j = 0; j < N; j++)
                expected += due[j] > now && due[j] <= to;
            clock_fake_advance_ms(to - now);
            now = to;
            ck_assert_int_eq(n_fired, expected);
        }
    }
    ck_assert_int_gt(n_fired, 100);
    timers_stop(timers);
}
END_TEST

static pthread_barrier_t entered;
static atomic_bool is_done;

static void take_long(struct timer *t)
{
    pthread_barrier_wait(&entered);
    for (int64_t until = clock_mono_ms() + 30; clock_mono_ms() < until;)
        ;
    is_done = true;
}

START_TEST(cancel_waits_for_a_running_callback)
{
    struct timer t = {.fire = take_long};
    pthread_barrier_init(&entered, NULL, 2);
    timers = timers_start(); /* on the real clock */
    timer_arm(timers, &t, 1);
    pthread_barrier_wait(&entered);
    ck_assert(!timer_cancel(timers, &t));
    ck_assert(is_done);
    timers_stop(timers);
    timers_stop(NULL);
}
END_TEST

UNIT_MAIN("base/workers", one_worker_keeps_the_order, threads_start_up_to_the_limit, work_may_add_work_while_stopping,
          stacks_hold_the_deepest_object, timers_fire_in_order_as_the_clock_passes,
          equal_times_fire_in_order_of_arming, timers_are_armed_anew_and_cancelled, the_heap_holds_under_churn,
          cancel_waits_for_a_running_callback)
