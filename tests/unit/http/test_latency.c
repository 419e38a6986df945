#include "latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_nothing_was_counted(void **state)
{
    tally_histogram_t histogram = {0};
    (void)state;
    assert_int_equal(latency_count(&histogram), 0);
    assert_true(latency_quantile_us(&histogram, 0.5) < 0);
}

/* By hand, as Prometheus' manual describes histogram_quantile. */
static void test_quantiles(void **state)
{
    tally_histogram_t histogram = {0};
    (void)state;
    tally_count(&histogram.buckets[0], 10); /* up to 10 */
    tally_count(&histogram.buckets[3], 80); /* 50 to 100 */
    tally_count(&histogram.buckets[9], 10); /* 5000 to 10000 */
    assert_int_equal(latency_count(&histogram), 100);
    assert_float_equal(latency_quantile_us(&histogram, 0.05), 5, 1e-6);
    assert_float_equal(latency_quantile_us(&histogram, 0.1), 10, 1e-6);
    assert_float_equal(latency_quantile_us(&histogram, 0.5), 75, 1e-6);
    assert_float_equal(latency_quantile_us(&histogram, 0.9), 100, 1e-6);
    assert_float_equal(latency_quantile_us(&histogram, 0.99), 9500, 1e-6);
    assert_float_equal(latency_quantile_us(&histogram, 1), 10000, 1e-6);
}

static void test_what_is_above_all_bounds(void **state)
{
    tally_histogram_t histogram = {0};
    (void)state;
    tally_count(&histogram.buckets[0], 1);
    tally_count(&histogram.buckets[TALLY_BUCKETS], 3);
    assert_int_equal(latency_count(&histogram), 4);
    assert_float_equal(latency_quantile_us(&histogram, 0.25), 10, 1e-6);
    assert_float_equal(latency_quantile_us(&histogram, 0.5), 1e6, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_was_counted),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_what_is_above_all_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
