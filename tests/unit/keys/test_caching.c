#include "caching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define AN_HOUR_LATER "Sun, 06 Nov 1994 09:49:37 GMT"

static void assert_lifetime(caching_fields_t fields, int64_t expected_s)
{
    int64_t lifetime_s = -1;
    if (!caching_lifetime(&fields, &lifetime_s))
        fail_msg("no lifetime; Cache-Control: %s, Expires: %s", fields.cache_control, fields.expires);
    assert_int_equal(lifetime_s, expected_s);
}

static void assert_not_said(caching_fields_t fields)
{
    int64_t lifetime_s = -1;
    if (caching_lifetime(&fields, &lifetime_s))
        fail_msg("a lifetime; Cache-Control: %s, Expires: %s", fields.cache_control, fields.expires);
    assert_int_equal(lifetime_s, -1);
}

static void control(const char *cache_control, int64_t expected_s)
{
    assert_lifetime((caching_fields_t){.cache_control = cache_control}, expected_s);
}

static void no_control(const char *cache_control)
{
    assert_not_said((caching_fields_t){.cache_control = cache_control});
}

static void max_age_says_it(void **state)
{
    (void)state;
    control("max-age=300", 300);
    control("max-age=0", 0);
    control("MAX-AGE=300", 300);
    control("public, max-age=300, must-revalidate", 300);
    control("public,max-age=300", 300);
    control(" , ,max-age=300,,", 300);
    control("max-age=\"300\"", 300);
    control("\tmax-age = 300 ", 300);
    control("max-age=300, max-age=20", 300);
    control("max-age=junk, max-age=20", 20);
}

static void a_shared_cache_is_another(void **state)
{
    (void)state;
    no_control("s-maxage=300");
    control("s-maxage=10, max-age=300", 300);
    control("max-age=300, s-maxage=10", 300);
    control("private, max-age=300", 300);
}

static void what_may_not_be_kept_is_fresh_for_no_time(void **state)
{
    (void)state;
    control("no-store", 0);
    control("no-cache", 0);
    control("No-Cache", 0);
    control("max-age=300, no-store", 0);
    control("no-cache=\"Set-Cookie\", max-age=300", 0);
}

static void a_comma_between_quotes_separates_nothing(void **state)
{
    (void)state;
    no_control("x=\"no-store, max-age=5\"");
    control("x=\"no-store, max-age=5\", max-age=7", 7);
    control("x=\"\\\", no-store, \", max-age=7", 7);
    no_control("x=\"max-age=7");
    no_control("x=\"\\");
    no_control("=, =\"\", \"");
}

static void huge_and_negative_numbers_do_no_harm(void **state)
{
    (void)state;
    control("max-age=2147483648", CACHING_MAX_S);
    control("max-age=9223372036854775807", CACHING_MAX_S);
    control("max-age=9223372036854775808", CACHING_MAX_S);
    control("max-age=99999999999999999999999999999999999999999999999999", CACHING_MAX_S);
    control("max-age=000000000000000000000000000000000000000000000300", 300);
    no_control("max-age=-1");
    no_control("max-age=-99999999999999999999999999");
}

static void garbage_says_nothing(void **state)
{
    (void)state;
    no_control("");
    no_control("max-age");
    no_control("max-age=");
    no_control("max-age=\"\"");
    no_control("max-age=\"");
    no_control("max-age=+5");
    no_control("max-age=5.5");
    no_control("max-age=5s");
    no_control("max-age=0x10");
    no_control("max-age 5");
    no_control("xmax-age=5");
    no_control("max-agex=5");
    no_control("no-storex");
    assert_not_said((caching_fields_t){.age = "5"});
    assert_not_said((caching_fields_t){.date = DATE});
    assert_not_said((caching_fields_t){0});
}

static void age_is_taken_off(void **state)
{
    (void)state;
    assert_lifetime((caching_fields_t){.cache_control = "max-age=300", .age = "100"}, 200);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=300", .age = "300"}, 0);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=300", .age = "99999999999999999999"}, 0);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=300", .age = " 100 "}, 200);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=300", .age = "-100"}, 300);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=300", .age = "junk"}, 300);
    assert_lifetime((caching_fields_t){.expires = AN_HOUR_LATER, .date = DATE, .age = "600"}, 3000);
    assert_lifetime((caching_fields_t){.cache_control = "no-store", .age = "600"}, 0);
}

static void expires_is_held_against_the_providers_date(void **state)
{
    (void)state;
    assert_lifetime((caching_fields_t){.expires = AN_HOUR_LATER, .date = DATE}, 3600);
    assert_lifetime((caching_fields_t){.expires = DATE, .date = DATE}, 0);
    assert_lifetime((caching_fields_t){.expires = DATE, .date = AN_HOUR_LATER}, 0);
    assert_lifetime((caching_fields_t){.expires = "Fri, 31 Dec 9999 23:59:59 GMT", .date = DATE},
                    CACHING_MAX_S);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=5", .expires = AN_HOUR_LATER, .date = DATE},
                    5);
    assert_lifetime((caching_fields_t){.cache_control = "public", .expires = AN_HOUR_LATER, .date = DATE},
                    3600);
    assert_lifetime((caching_fields_t){.cache_control = "max-age=x", .expires = AN_HOUR_LATER, .date = DATE},
                    3600);
    assert_not_said((caching_fields_t){.expires = AN_HOUR_LATER});
    assert_not_said((caching_fields_t){.expires = AN_HOUR_LATER, .date = "today"});
}

static void all_three_forms_of_a_date_are_read(void **state)
{
    (void)state;
    static const char *const DATES[] = {DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < sizeof(DATES) / sizeof(DATES[0]); i++)
        assert_lifetime((caching_fields_t){.expires = AN_HOUR_LATER, .date = DATES[i]}, 3600);
}

static void an_expires_that_is_no_date_is_long_past(void **state)
{
    (void)state;
    static const char *const DATES[] = {"0",
                                        "-1",
                                        "",
                                        "soon",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        (DATE " x"),
                                        "Sun, 06 Nov 1994 08:49:37 PST",
                                        "Sun, 99 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT"};
    for (size_t i = 0; i < sizeof(DATES) / sizeof(DATES[0]); i++)
        assert_lifetime((caching_fields_t){.expires = DATES[i], .date = DATE}, 0);
    assert_lifetime((caching_fields_t){.expires = "0"}, 0);
}

static void assert_retry(const char *retry_after, const char *date, int64_t expected_s)
{
    const caching_fields_t fields = {.retry_after = retry_after, .date = date};
    assert_int_equal(caching_retry_after(&fields), expected_s);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    assert_retry("120", NULL, 120);
    assert_retry("0", NULL, 0);
    assert_retry(" 120 ", NULL, 120);
    assert_retry("99999999999999999999", NULL, CACHING_MAX_S);
    assert_retry(AN_HOUR_LATER, DATE, 3600);
    assert_retry("Fri, 31 Dec 9999 23:59:59 GMT", DATE, CACHING_MAX_S);
    assert_retry(DATE, AN_HOUR_LATER, 0);
    assert_retry(AN_HOUR_LATER, NULL, 0);
    assert_retry(AN_HOUR_LATER, "junk", 0);
    assert_retry("-5", NULL, 0);
    assert_retry("soon", DATE, 0);
    assert_retry("", DATE, 0);
    assert_retry(NULL, DATE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_age_says_it),
        cmocka_unit_test(a_shared_cache_is_another),
        cmocka_unit_test(what_may_not_be_kept_is_fresh_for_no_time),
        cmocka_unit_test(a_comma_between_quotes_separates_nothing),
        cmocka_unit_test(huge_and_negative_numbers_do_no_harm),
        cmocka_unit_test(garbage_says_nothing),
        cmocka_unit_test(age_is_taken_off),
        cmocka_unit_test(expires_is_held_against_the_providers_date),
        cmocka_unit_test(all_three_forms_of_a_date_are_read),
        cmocka_unit_test(an_expires_that_is_no_date_is_long_past),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
