#include "tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const client_t SHARED_CLIENT = {.profile = PROFILE_FRONT_SHARED};

static answer_note_t verdict(int64_t duration_us, bool is_from_cache)
{
    return (answer_note_t){.outcome = OUTCOME_ACTIVE,
                           .client = &SHARED_CLIENT,
                           .token = {"t", 1},
                           .is_from_cache = is_from_cache,
                           .duration_us = duration_us};
}

static uint64_t sum_of(const tally_t *tally)
{
    uint64_t sum = 0;
    const tally_count_t *counts = (const tally_count_t *)tally;
    for (size_t i = 0; i < sizeof(*tally) / sizeof(*counts); i++)
        sum += tally_read(&counts[i]);
    return sum;
}

static void counts_by_profile_protocol_and_outcome(void **state)
{
    (void)state;
    tally_t tally = {0};
    answer_note_t refused = {.outcome = OUTCOME_THROTTLED};
    answer_note_t inactive = verdict(0, true);
    inactive.outcome = OUTCOME_INACTIVE;
    inactive.reason = REASON_EXPIRED;
    tally_note(&tally, &refused, false);
    tally_note(&tally, &inactive, true);
    tally_note(&tally, &inactive, true);
    assert_int_equal(tally_read(&tally.requests[TALLY_PROFILE_NONE][0][OUTCOME_THROTTLED]), 1);
    assert_int_equal(tally_read(&tally.requests[PROFILE_FRONT_SHARED][1][OUTCOME_INACTIVE]), 2);
    assert_int_equal(tally_read(&tally.reasons[REASON_EXPIRED]), 2);
    assert_int_equal(tally_read(&tally.durations[true].buckets[0]), 2);
    /* And nothing else. */
    assert_int_equal(sum_of(&tally), 1 + 2 + 2 + 2);
}

static void a_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        tally_t tally = {0};
        answer_note_t at = verdict((int64_t)TALLY_BUCKET_MAX_US[i], false);
        answer_note_t above = verdict((int64_t)TALLY_BUCKET_MAX_US[i] + 1, false);
        tally_note(&tally, &at, false);
        tally_note(&tally, &above, false);
        assert_int_equal(tally_read(&tally.durations[false].buckets[i]), 1);
        assert_int_equal(tally_read(&tally.durations[false].buckets[i + 1]), 1);
        assert_int_equal(tally_read(&tally.durations[false].sum_us), 2 * TALLY_BUCKET_MAX_US[i] + 1);
        assert_int_equal(tally_read(&tally.durations[true].sum_us), 0);
    }
}

static void a_duration_below_zero_is_none(void **state)
{
    (void)state;
    tally_t tally = {0};
    answer_note_t note = verdict(-5, true);
    tally_note(&tally, &note, false);
    assert_int_equal(tally_read(&tally.durations[true].buckets[0]), 1);
    assert_int_equal(tally_read(&tally.durations[true].sum_us), 0);
}

static void what_has_no_verdict_has_no_duration(void **state)
{
    (void)state;
    tally_t tally = {0};
    answer_note_t note = {.outcome = OUTCOME_INVALID, .duration_us = 100};
    tally_note(&tally, &note, false);
    assert_int_equal(sum_of(&tally), 1);
}

static void sums_of_threads_have_all_of_each(void **state)
{
    (void)state;
    tally_t sum = {0};
    tally_t parts[2] = {0};
    answer_note_t note = verdict(30, false);
    tally_note(&parts[0], &note, false);
    tally_note(&parts[1], &note, false);
    tally_note(&parts[1], &note, true);
    atomic_store(&parts[1].waiting, 7);
    tally_add(&sum, &parts[0]);
    tally_add(&sum, &parts[1]);
    assert_int_equal(tally_read(&sum.requests[PROFILE_FRONT_SHARED][0][OUTCOME_ACTIVE]), 2);
    assert_int_equal(tally_read(&sum.requests[PROFILE_FRONT_SHARED][1][OUTCOME_ACTIVE]), 1);
    assert_int_equal(tally_read(&sum.durations[false].sum_us), 90);
    assert_int_equal(tally_read(&sum.waiting), 7);
    assert_int_equal(sum_of(&sum), sum_of(&parts[0]) + sum_of(&parts[1]));
}

static void every_outcome_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        assert_non_null(outcome_name((outcome_t)i));
        for (int other = 0; other < i; other++)
            assert_string_not_equal(outcome_name((outcome_t)i), outcome_name((outcome_t)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_profile_protocol_and_outcome),
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(a_duration_below_zero_is_none),
        cmocka_unit_test(what_has_no_verdict_has_no_duration),
        cmocka_unit_test(sums_of_threads_have_all_of_each),
        cmocka_unit_test(every_outcome_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
