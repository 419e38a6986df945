/* Memory is asked for at the start alone; a throttle that is there works, whatever of it could not be had. */
#include "introspectd/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../failing_library_alloc.h"
#include "failing_alloc.h"

static bool throttles(throttle_t *throttle)
{
    static const unsigned char LOCALHOST[4] = {127, 0, 0, 1};
    throttle_attempt_t attempt = {.peer = ip_address_from_v4(LOCALHOST), .failures_a_minute = 1, .now_ms = 1};
    return throttle_charge(throttle, &attempt) == 0 && throttle_charge(throttle, &attempt) == 60;
}

static void test_no_failure_gives_half_a_throttle(void **state)
{
    unsigned passing = 0;
    unsigned refused_count = 0;
    bool has_failed = true;
    (void)state;
    for (; has_failed; passing++) {
        failing_alloc_arm(passing);
        throttle_t *throttle = throttle_new();
        has_failed = failing_alloc_disarm();
        refused_count += throttle == NULL;
        assert_true(throttle != NULL || has_failed);
        assert_true(throttle == NULL || throttles(throttle));
        throttle_free(throttle);
    }
    assert_true(refused_count > 4);
}

static void test_charging_takes_no_memory(void **state)
{
    throttle_t *throttle = throttle_new();
    throttle_attempt_t attempt = {.client_id = slice_of("front"), .failures_a_minute = 1, .now_ms = 1};
    (void)state;
    assert_non_null(throttle);
    assert_int_equal(throttle_charge(throttle, &attempt), 0);
    failing_alloc_arm(0);
    unsigned refused_s = throttle_refuses(throttle, &attempt);
    attempt.client_id = slice_of("another");
    unsigned charged_s = throttle_charge(throttle, &attempt);
    bool has_allocated = failing_alloc_disarm();
    assert_false(has_allocated);
    assert_int_equal(refused_s, 60);
    assert_int_equal(charged_s, 0);
    throttle_free(throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_failure_gives_half_a_throttle),
        cmocka_unit_test(test_charging_takes_no_memory),
    };
    if (!failing_library_alloc_init())
        return 1;
    /* OpenSSL does not get over a failure while it sets itself up. */
    throttle_free(throttle_new());
    return cmocka_run_group_tests_name("throttle memory", tests, NULL, NULL);
}
