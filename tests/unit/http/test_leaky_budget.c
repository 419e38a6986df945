#include "chosen_time.h"
#include "leaky_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static leaky_budget_t new_budget(int64_t now_ms)
{
    chosen_time_ms = now_ms;
    return (leaky_budget_t){.since_ms = now_ms};
}

static void lets_the_budget_be_spent(void **state)
{
    (void)state;
    leaky_budget_t budget = new_budget(1000);
    for (int i = 0; i < 10; i++)
        assert_true(leaky_budget_spend(&budget, 1, 10));
    assert_true(leaky_budget_spend(&budget, 0, 10));
    assert_false(leaky_budget_spend(&budget, 1, 10));
}

static void lets_go_on_at_the_pace_of_the_budget(void **state)
{
    (void)state;
    leaky_budget_t budget = new_budget(1000);
    assert_true(leaky_budget_spend(&budget, 10, 10));
    for (int i = 0; i < 1000; i++) {
        chosen_time_ms += 100;
        assert_true(leaky_budget_spend(&budget, 1, 10));
    }
    assert_false(leaky_budget_spend(&budget, 1, 10));
}

static void ends_what_is_faster(void **state)
{
    (void)state;
    leaky_budget_t budget = new_budget(1000);
    int spent = 0;
    while (leaky_budget_spend(&budget, 1, 10)) {
        chosen_time_ms += 50;
        spent++;
    }
    assert_in_range(spent, 11, 40);
}

static void leaks_no_more_than_was_spent(void **state)
{
    (void)state;
    leaky_budget_t budget = new_budget(1000);
    assert_true(leaky_budget_spend(&budget, 5, 10));
    chosen_time_ms += 3600 * 1000;
    assert_true(leaky_budget_spend(&budget, 10, 10));
    assert_false(leaky_budget_spend(&budget, 1, 10));
}

/* A long quiet time buys nothing. */
static void at_most_twice_the_budget_is_spent_at_once(void **state)
{
    (void)state;
    for (uint64_t piece = 1; piece <= 40; piece++) {
        leaky_budget_t budget = new_budget(1000);
        chosen_time_ms += 3600 * 1000;
        uint64_t spent = 0;
        while (leaky_budget_spend(&budget, piece, 10))
            spent += piece;
        assert_in_range(spent, 0, 20);
    }
}

static void gives_back(void **state)
{
    (void)state;
    leaky_budget_t budget = new_budget(1000);
    assert_true(leaky_budget_spend(&budget, 10, 10));
    leaky_budget_refund(&budget, 3);
    assert_true(leaky_budget_spend(&budget, 3, 10));
    assert_false(leaky_budget_spend(&budget, 1, 10));
    leaky_budget_refund(&budget, 1000);
    assert_int_equal(budget.spent, 0);
    assert_true(leaky_budget_spend(&budget, 10, 10));
}

static void holds_the_largest_budget_over_a_long_time(void **state)
{
    (void)state;
    enum { LARGEST = 1000000 };
    leaky_budget_t budget = new_budget(1);
    for (int year = 0; year < 50; year++) {
        chosen_time_ms += INT64_C(365) * 24 * 3600 * 1000;
        assert_true(leaky_budget_spend(&budget, LARGEST, LARGEST));
    }
    assert_false(leaky_budget_spend(&budget, 1, LARGEST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_the_budget_be_spent),
        cmocka_unit_test(lets_go_on_at_the_pace_of_the_budget),
        cmocka_unit_test(ends_what_is_faster),
        cmocka_unit_test(leaks_no_more_than_was_spent),
        cmocka_unit_test(at_most_twice_the_budget_is_spent_at_once),
        cmocka_unit_test(gives_back),
        cmocka_unit_test(holds_the_largest_budget_over_a_long_time),
    };

    return cmocka_run_group_tests_name("leaky_budget", tests, NULL, NULL);
}
