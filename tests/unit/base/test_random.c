/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "base/containers.h"
#include "unit.h"

START_TEST(uuids_are_version_4_and_never_the_same)
{
    struct arena *a = arena_new();
    struct map seen = {0};
    for (int i = 0; i < 2000; i++) {
        struct text t = random_uuid(a);
        ck_assert_int_eq(t.n, 36);
        for (size_t j = 0; j < t.n; j++)
            ck_assert(j == 8 || j == 13 || j == 18 || j == 23 ? t.p[j] == '-' : strchr("0123456789abcdef", t.p[j]) != NULL);
        ck_assert_int_eq(t.p[14], '4');
        ck_assert(strchr("89ab", t.p[19]));
        ck_assert_ptr_null(map_put(&seen, t, a));
    }
    map_deinit(&seen);
    arena_free(a);
}
END_TEST

START_TEST(every_length_is_filled)
{
    unsigned char bytes[2000];
    for (size_t n = 32; n <= sizeof(bytes); n += 41) {
        unsigned zeros = 0;
        memset(bytes, 0, sizeof(bytes));
        random_bytes(bytes, n);
        for (size_t i = 0; i < n; i++)
            zeros += bytes[i] == 0;
        ck_assert_uint_lt(zeros, n / 4);
        for (size_t i = n; i < sizeof(bytes); i++)
            ck_assert_int_eq(bytes[i], 0);
    }
}
END_TEST

UNIT_MAIN("random", uuids_are_version_4_and_never_the_same, every_length_is_filled)
