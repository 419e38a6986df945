#include "introspectd/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

static void assert_formatted(int64_t time_s, const char *expected)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(time_s, text);
    assert_string_equal(text, expected);
}

static void formats_known_times(void **state)
{
    (void)state;
    assert_formatted(0, "1970-01-01T00:00:00Z");
    assert_formatted(-1, "1969-12-31T23:59:59Z");
    assert_formatted(951827696, "2000-02-29T12:34:56Z");
    assert_formatted(1795385222, "2026-11-22T22:07:02Z");
    assert_formatted(2147483648, "2038-01-19T03:14:08Z");
}

static void formats_the_first_and_last_second_with_four_digits(void **state)
{
    (void)state;
    assert_formatted(INT64_C(-62167219200), "0000-01-01T00:00:00Z");
    assert_formatted(INT64_C(253402300799), "9999-12-31T23:59:59Z");
}

static void formats_other_years_as_seconds(void **state)
{
    (void)state;
    assert_formatted(INT64_C(-62167219201), "-62167219201");
    assert_formatted(INT64_C(253402300800), "253402300800");
    assert_formatted(INT64_MAX, "9223372036854775807");
    assert_formatted(INT64_MIN, "-9223372036854775808");
}

static void now_is_the_system_time(void **state)
{
    int64_t before = time(NULL);
    int64_t now = clock_now_s();
    int64_t after = time(NULL);

    (void)state;
    /* time() may lag by one tick of the kernel's clock. */
    assert_true(now >= before && now <= after + 1);
}

static void monotonic_counts_milliseconds(void **state)
{
    struct timespec pause = {.tv_nsec = 20000000};
    int64_t before = clock_monotonic_ms();

    (void)state;
    nanosleep(&pause, NULL);
    assert_true(clock_monotonic_ms() - before >= 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_known_times),
        cmocka_unit_test(formats_the_first_and_last_second_with_four_digits),
        cmocka_unit_test(formats_other_years_as_seconds),
        cmocka_unit_test(now_is_the_system_time),
        cmocka_unit_test(monotonic_counts_milliseconds),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
