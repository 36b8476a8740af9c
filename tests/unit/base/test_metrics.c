/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "unit.h"

static const double bounds[] = {0.005, 0.1, 1, 60};

static struct metric_family requests = {.name = "app_request_total", .help = "Requests \\ with\nverb.",
    .type = METRIC_COUNTER, .stability = "STABLE", .labels = {"verb", "code"}};
static struct metric_family latency = {.name = "app_latency_seconds", .help = "Latency.", .type = METRIC_HISTOGRAM,
    .stability = "ALPHA", .labels = {"verb"}, .buckets = bounds, .n_buckets = 4};
static struct metric_family plain = {.name = "app_up", .help = "Up.", .type = METRIC_GAUGE, .stability = "BETA"};
static struct metric_family unused = {.name = "app_unused", .help = "No cell.", .type = METRIC_GAUGE, .labels = {"x"}};

static void register_all(void)
{
    metrics_register(&requests);
    metrics_register(&plain);
    metrics_register(&unused);
    metrics_register(&latency);
}

START_TEST(text_form_is_that_of_prometheus)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    register_all();
    metric_add(metric_cell(&requests, "PUT", "200"), 1);
    metric_add(metric_cell(&requests, "GET", "404"), 2);
    metric_add(metric_cell(&requests, "A\"\\\n", "200"), 1);
    metric_add(metric_cell(&requests, "PUT", "200"), 1);
    struct metric_cell *h = metric_cell(&latency, "GET");
    metric_observe(h, 0.005);
    metric_observe(h, 0.05);
    metric_observe(h, 0.5);
    metric_observe(h, 100);
    metrics_write(&b);
    ck_assert_str_eq(buffer_str(&b), "# HELP app_latency_seconds [ALPHA] Latency.\n"
                                     "# TYPE app_latency_seconds histogram\n"
                                     "app_latency_seconds_bucket{verb=\"GET\",le=\"0.005\"} 1\n"
                                     "app_latency_seconds_bucket{verb=\"GET\",le=\"0.1\"} 2\n"
                                     "app_latency_seconds_bucket{verb=\"GET\",le=\"1\"} 3\n"
                                     "app_latency_seconds_bucket{verb=\"GET\",le=\"60\"} 3\n"
                                     "app_latency_seconds_bucket{verb=\"GET\",le=\"+Inf\"} 4\n"
                                     "app_latency_seconds_sum{verb=\"GET\"} 100.555\n"
                                     "app_latency_seconds_count{verb=\"GET\"} 4\n"
                                     "# HELP app_request_total [STABLE] Requests \\\\ with\\nverb.\n"
                                     "# TYPE app_request_total counter\n"
                                     "app_request_total{code=\"200\",verb=\"A\\\"\\\\\\n\"} 1\n"
                                     "app_request_total{code=\"200\",verb=\"PUT\"} 2\n"
                                     "app_request_total{code=\"404\",verb=\"GET\"} 2\n"
                                     "# HELP app_up [BETA] Up.\n"
                                     "# TYPE app_up gauge\n"
                                     "app_up 0\n");
}
END_TEST

/* As strconv.FormatFloat(v, 'g', -1, 64) writes them. */
START_TEST(numbers_are_those_of_go)
{
    static const struct {
        double v;
        const char *s;
    } rows[] = {
        {0, "0"}, {1, "1"}, {-2.5, "-2.5"}, {999999, "999999"}, {1000000, "1e+06"}, {1234567, "1.234567e+06"},
        {123456.75, "123456.75"}, {0.0001, "0.0001"}, {0.00001, "1e-05"}, {0.1, "0.1"}, {1.0 / 3, "0.3333333333333333"},
        {1787307304.25, "1.78730730425e+09"}, {1e100, "1e+100"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"},
        {NAN, "NaN"}, {100000.5, "100000.5"},
    };
    register_all();
    struct metric_cell *c = metric_cell(&plain);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
        metric_set(c, rows[i].v);
        metrics_write(&b);
        const char *line = strstr(buffer_str(&b), "\napp_up ");
        ck_assert_ptr_nonnull(line);
        struct text rest = text_of(line + 8), got;
        text_split(&rest, '\n', &got);
        ck_assert_msg(text_is(got, rows[i].s), "%.*s, not %s", TEXT_ARG(got), rows[i].s);
    }
}
END_TEST

static void set_up(struct metric_family *f)
{
    metric_set(metric_cell(f), 5);
}

START_TEST(collect_is_called_before_printing)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    plain.collect = set_up;
    register_all();
    metrics_write(&b);
    ck_assert_ptr_nonnull(strstr(buffer_str(&b), "\napp_up 5\n"));
}
END_TEST

static void *count(void *arg)
{
    char code[16];
    for (int i = 0; i < 20000; i++) {
        snprintf(code, sizeof(code), "%d", i % 50);
        metric_add(metric_cell(&requests, "GET", code), 1);
        metric_observe(metric_cell(&latency, "GET"), 0.5);
    }
    return NULL;
}

START_TEST(no_update_is_lost)
{
    pthread_t t[4];
    char code[16];
    register_all();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 50; i++) {
        snprintf(code, sizeof(code), "%d", i);
        ck_assert_double_eq(metric_value(metric_cell(&requests, "GET", code)), 4 * 20000 / 50);
    }
    ck_assert_double_eq(metric_value(metric_cell(&latency, "GET")), 80000);
}
END_TEST

UNIT_MAIN("base/metrics", text_form_is_that_of_prometheus, numbers_are_those_of_go, collect_is_called_before_printing,
          no_update_is_lost)
