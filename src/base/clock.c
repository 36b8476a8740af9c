/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the system, or one fake one that stands still. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL

static atomic_bool is_fake;
static _Atomic int64_t fake_ns;
static _Atomic(void (*)(void)) on_turn;

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_ns) : read_ns(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return atomic_load(&is_fake) ? atomic_load(&fake_ns) : read_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

bool clock_is_fake(void)
{
    return atomic_load(&is_fake);
}

void clock_on_turn(void (*fn)(void))
{
    atomic_store(&on_turn, fn);
}

static void turned(void)
{
    void (*fn)(void) = atomic_load(&on_turn);
    if (fn)
        fn();
}

void clock_fake(int64_t wall_ns)
{
    atomic_store(&fake_ns, wall_ns);
    atomic_store(&is_fake, true);
    turned();
}

void clock_fake_advance_ms(int64_t ms)
{
    atomic_fetch_add(&fake_ns, ms * NS_PER_MS);
    turned();
}

void clock_real(void)
{
    atomic_store(&is_fake, false);
    turned();
}
