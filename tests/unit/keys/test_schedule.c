#include "schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW_MS = 1000000 };

static schedule_t with_bounds(int64_t min_s, int64_t max_s)
{
    return (schedule_t){.bounds = {min_s, max_s, 30, 86400}};
}

/* The time from a success to the next attempt. */
static int64_t refresh_ms(int64_t min_s, int64_t max_s, int64_t lifetime_s, uint32_t random)
{
    schedule_t schedule = with_bounds(min_s, max_s);
    schedule_start(&schedule, NOW_MS - 5);
    schedule_succeed(&schedule, NOW_MS, true, lifetime_s, random);
    return schedule_due_ms(&schedule, false) - NOW_MS;
}

static void a_new_schedule_is_due_at_once(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(60, 3600);
    assert_true(schedule_due_ms(&schedule, false) <= 0);
    assert_true(schedule_due_ms(&schedule, true) <= 0);
}

static void a_lifetime_counts_within_the_bounds(void **state)
{
    (void)state;
    assert_int_equal(refresh_ms(60, 3600, 300, 0), 300000);
    assert_int_equal(refresh_ms(60, 3600, 0, 0), 60000);
    assert_int_equal(refresh_ms(60, 3600, 59, 0), 60000);
    assert_int_equal(refresh_ms(60, 3600, 3601, 0), 3600000);
    assert_int_equal(refresh_ms(60, 3600, INT64_MAX, 0), 3600000);
    assert_int_equal(refresh_ms(60, 3600, INT64_MIN, 0), 60000);
    assert_int_equal(refresh_ms(60, 60, 300, 0), 60000);
}

static void what_is_not_said_is_the_upper_bound(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(60, 3600);
    schedule_start(&schedule, NOW_MS);
    schedule_succeed(&schedule, NOW_MS, false, 5, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 3600000);
}

static void jitter_takes_off_up_to_a_fifth(void **state)
{
    (void)state;
    assert_int_equal(refresh_ms(1, 3600, 1000, UINT32_MAX / 2 + 1), 900000);
    int64_t shortest = refresh_ms(1, 3600, 1000, UINT32_MAX);
    assert_true(shortest >= 800000 && shortest <= 800001);
    /* but never below the lower bound */
    assert_int_equal(refresh_ms(950, 3600, 1000, UINT32_MAX), 950000);
    assert_int_equal(refresh_ms(60, 60, 0, UINT32_MAX), 60000);
}

static void failures_back_off_up_to_a_minute(void **state)
{
    (void)state;
    static const int64_t EXPECTED_MS[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    schedule_t schedule = with_bounds(60, 3600);
    for (size_t i = 0; i < sizeof(EXPECTED_MS) / sizeof(EXPECTED_MS[0]); i++) {
        schedule_start(&schedule, NOW_MS);
        schedule_fail(&schedule, NOW_MS, 0, 0);
        assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + EXPECTED_MS[i]);
        assert_int_equal(schedule.failures, i + 1);
    }
    schedule.failures = UINT32_MAX;
    schedule_fail(&schedule, NOW_MS, 0, 0);
    assert_int_equal(schedule.failures, UINT32_MAX);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 60000);
    schedule_succeed(&schedule, NOW_MS, false, 0, 0);
    assert_int_equal(schedule.failures, 0);
    schedule_fail(&schedule, NOW_MS, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 1000);
}

static void a_short_upper_bound_bounds_the_backoff(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(1, 5);
    schedule_start(&schedule, NOW_MS);
    for (int i = 0; i < 10; i++)
        schedule_fail(&schedule, NOW_MS, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 5000);
    schedule = with_bounds(0, 0);
    schedule_start(&schedule, NOW_MS);
    schedule_fail(&schedule, NOW_MS, 0, 0);
    schedule_fail(&schedule, NOW_MS, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 1000);
}

static void backoff_has_jitter(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(60, 3600);
    schedule_start(&schedule, NOW_MS);
    schedule_fail(&schedule, NOW_MS, 0, UINT32_MAX / 2 + 1);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 900);
    schedule_fail(&schedule, NOW_MS, 0, UINT32_MAX);
    assert_in_range(schedule_due_ms(&schedule, false), NOW_MS + 1600, NOW_MS + 1601);
}

static void a_wish_is_served_one_cooldown_after_the_last_beginning(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(60, 3600);
    schedule_start(&schedule, NOW_MS);
    schedule_succeed(&schedule, NOW_MS + 500, false, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 30000);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 500 + 3600000);
    /* while backing off as well */
    for (int i = 0; i < 10; i++)
        schedule_fail(&schedule, NOW_MS, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 30000);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 60000);
}

static void a_wish_delays_nothing(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(1, 5);
    schedule_start(&schedule, NOW_MS);
    schedule_succeed(&schedule, NOW_MS, false, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 5000);
}

static void a_provider_may_ask_for_peace(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(60, 3600);
    schedule_start(&schedule, NOW_MS);
    schedule_fail(&schedule, NOW_MS, 120, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 120000);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 120000);
    /* for five minutes at most */
    schedule_fail(&schedule, NOW_MS, INT64_MAX, 0);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 300000);
    /* and what it asked for is over with the next attempt */
    schedule_fail(&schedule, NOW_MS, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 4000);
    schedule_fail(&schedule, NOW_MS, 120, 0);
    schedule_succeed(&schedule, NOW_MS, false, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 30000);
    schedule_fail(&schedule, NOW_MS, -5, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 1000);
}

static void keys_are_stale_after_their_time(void **state)
{
    (void)state;
    schedule_t schedule = with_bounds(60, 3600);
    assert_int_equal(schedule_stale_ms(&schedule, NOW_MS), NOW_MS + 86400000);
    schedule.bounds.stale_max_s = 0;
    assert_int_equal(schedule_stale_ms(&schedule, NOW_MS), NOW_MS);
}

static void keys_are_refreshed_well_before_they_are_stale(void **state)
{
    (void)state;
    schedule_t schedule = {.bounds = {60, 3600, 30, 3600}};
    schedule_start(&schedule, NOW_MS);
    schedule_succeed(&schedule, NOW_MS, false, 0, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 1800000);
    schedule_succeed(&schedule, NOW_MS, true, 3000, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 1800000);
    schedule_succeed(&schedule, NOW_MS, true, 300, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 300000);
    /* The lower bound holds all the same. */
    schedule.bounds.stale_max_s = 60;
    schedule_succeed(&schedule, NOW_MS, true, 3000, 0);
    assert_int_equal(schedule_due_ms(&schedule, false), NOW_MS + 60000);
}

static void huge_bounds_do_not_overflow(void **state)
{
    (void)state;
    schedule_t schedule = {.bounds = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
    schedule_start(&schedule, NOW_MS);
    for (uint32_t random = 0; random < 3; random++) {
        schedule_succeed(&schedule, NOW_MS, random == 1, INT64_MAX, random - 1);
        assert_true(schedule_due_ms(&schedule, false) > INT64_MAX / 8);
        assert_true(schedule_due_ms(&schedule, true) > INT64_MAX / 8);
    }
    assert_true(schedule_stale_ms(&schedule, NOW_MS) > INT64_MAX / 8);
    schedule_fail(&schedule, NOW_MS, INT64_MAX, UINT32_MAX);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS + 300000);
    schedule.bounds = (schedule_bounds_t){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
    schedule_succeed(&schedule, NOW_MS, true, INT64_MIN, UINT32_MAX);
    assert_int_equal(schedule_due_ms(&schedule, true), NOW_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_schedule_is_due_at_once),
        cmocka_unit_test(a_lifetime_counts_within_the_bounds),
        cmocka_unit_test(what_is_not_said_is_the_upper_bound),
        cmocka_unit_test(jitter_takes_off_up_to_a_fifth),
        cmocka_unit_test(failures_back_off_up_to_a_minute),
        cmocka_unit_test(a_short_upper_bound_bounds_the_backoff),
        cmocka_unit_test(backoff_has_jitter),
        cmocka_unit_test(a_wish_is_served_one_cooldown_after_the_last_beginning),
        cmocka_unit_test(a_wish_delays_nothing),
        cmocka_unit_test(a_provider_may_ask_for_peace),
        cmocka_unit_test(keys_are_stale_after_their_time),
        cmocka_unit_test(keys_are_refreshed_well_before_they_are_stale),
        cmocka_unit_test(huge_bounds_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
