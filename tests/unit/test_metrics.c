/* SPDX-License-Identifier: MIT */
/* tests/unit/test_metrics.c: histograms, and Prometheus's text. */
#include "http/metrics.h"
#include "test.h"

TEST(a_value_is_counted_in_the_first_bucket_whose_bound_is_not_below_it)
{
        struct histogram h = {0};

        histogram_add(&h, &histogram_count, 1);
        histogram_add(&h, &histogram_count, 2);
        histogram_add(&h, &histogram_count, 3);
        histogram_add(&h, &histogram_count, 1024);
        histogram_add(&h, &histogram_count, 1025);
        CHECK_INT(counter_get(&h.buckets[0]), 1);
        CHECK_INT(counter_get(&h.buckets[1]), 1);
        CHECK_INT(counter_get(&h.buckets[2]), 1);
        CHECK_INT(counter_get(&h.buckets[10]), 1);
        CHECK_INT(counter_get(&h.buckets[11]), 1);
        CHECK_INT(counter_get(&h.sum), 1 + 2 + 3 + 1024 + 1025);
}

TEST(a_scale_ascends_and_ends)
{
        const struct histogram_scale *const scales[] = {&histogram_time, &histogram_count};

        for (size_t i = 0; i < 2; i++) {
                int n = 0;

                while (n < HISTOGRAM_BOUNDS_MAX && scales[i]->bounds[n + 1]) {
                        CHECK(scales[i]->bounds[n] < scales[i]->bounds[n + 1]);
                        n++;
                }
                CHECK(n > 5 && n < HISTOGRAM_BOUNDS_MAX);
        }
}

TEST(a_histogram_is_shown_cumulated_and_in_its_unit)
{
        static const struct histogram_scale scale = {{500, 1000000}};
        struct histogram h = {0};
        struct strbuf b = {0};

        histogram_add(&h, &scale, 500);
        histogram_add(&h, &scale, 600);
        histogram_add(&h, &scale, 2000000);
        metrics_histogram(&b, "t_seconds", "Time.", &h, &scale, 1e6);
        CHECK_STR(strbuf_text(&b), "# HELP t_seconds Time.\n"
                                   "# TYPE t_seconds histogram\n"
                                   "t_seconds_bucket{le=\"0.0005\"} 1\n"
                                   "t_seconds_bucket{le=\"1\"} 2\n"
                                   "t_seconds_bucket{le=\"+Inf\"} 3\n"
                                   "t_seconds_sum 2.0011000000000001\n"
                                   "t_seconds_count 3\n");
        strbuf_done(&b);
}

TEST(a_family_is_its_head_and_its_samples)
{
        struct strbuf b = {0};

        metrics_head(&b, "n_total", "counter", "How many.");
        metrics_int(&b, "n_total", "kind", "a", 3);
        metrics_gauge(&b, "g", "Now.", -2);
        CHECK_STR(strbuf_text(&b), "# HELP n_total How many.\n# TYPE n_total counter\nn_total{kind=\"a\"} 3\n"
                                   "# HELP g Now.\n# TYPE g gauge\ng -2\n");
        strbuf_done(&b);
}

TEST_MAIN("metrics")
