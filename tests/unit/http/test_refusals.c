#include "refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* Labels of a metric: one each, of lower-case letters, digits and underscores. */
static void each_limit_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        const char *name = refusals_name((refusal_t)i);
        assert_non_null(name);
        assert_true(strlen(name) > 0);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int other = 0; other < i; other++)
            assert_string_not_equal(name, refusals_name((refusal_t)other));
    }
}

static void each_limit_is_counted_by_itself(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        for (int times = 0; times <= i; times++)
            refusals_count((refusal_t)i);
    }
    for (int i = 0; i < REFUSAL_COUNT; i++)
        assert_int_equal(refusals_total((refusal_t)i), i + 1);
}

/* The log has less. */
static void each_report_is_counted(void **state)
{
    (void)state;
    uint64_t before = refusals_total(REFUSAL_BUFFERED);
    for (int times = 0; times < 100; times++)
        refusals_report(REFUSAL_BUFFERED, times % 2 == 0 ? "192.0.2.1" : NULL);
    assert_int_equal(refusals_total(REFUSAL_BUFFERED), before + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_has_a_name_of_its_own),
        cmocka_unit_test(each_limit_is_counted_by_itself),
        cmocka_unit_test(each_report_is_counted),
    };

    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
