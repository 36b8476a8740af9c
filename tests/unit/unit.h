/* unit.h - a unit test file is a program: its tests (Check's START_TEST) and one UNIT_MAIN that lists them. */
#pragma once

#include <check.h>
#include <stdlib.h>

/* Runs the tests, each in a process of its own (CK_FORK=no in the environment for a debugger). */
static inline int unit_run(const char *name, const TTest *const *tests, size_t n)
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 120);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#define UNIT_MAIN(name, ...)                                                                                     \
    int main(void)                                                                                               \
    {                                                                                                            \
        const TTest *const tests[] = {__VA_ARGS__};                                                              \
        return unit_run((name), tests, sizeof(tests) / sizeof(tests[0]));                                        \
    }
