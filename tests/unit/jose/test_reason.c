#include "introspectd/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_are_distinct_snake_case(void **state)
{
    (void)state;
    for (int i = 0; i < REASON_COUNT; i++) {
        const char *name = reason_name((reason_t)i);
        assert_in_range(strlen(name), 4, 40);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int other = 0; other < i; other++)
            assert_string_not_equal(name, reason_name((reason_t)other));
    }
    assert_string_equal(reason_name(REASON_BAD_SIGNATURE), "bad_signature");
    assert_string_equal(reason_name(REASON_TOO_LONG), "too_long");
}

static void texts_are_distinct_sentences(void **state)
{
    (void)state;
    for (int i = 0; i < REASON_COUNT; i++) {
        const char *text = reason_text((reason_t)i);
        assert_in_range(strlen(text), 10, 200);
        assert_int_equal(text[strlen(text) - 1], '.');
        for (int other = 0; other < i; other++)
            assert_string_not_equal(text, reason_text((reason_t)other));
    }
}

static void outside_the_list_is_none(void **state)
{
    (void)state;
    assert_string_equal(reason_name(REASON_NONE), "none");
    assert_string_equal(reason_name(REASON_COUNT), "none");
    assert_string_equal(reason_name((reason_t)1000), "none");
    assert_string_equal(reason_text(REASON_COUNT), reason_text(REASON_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_distinct_snake_case),
        cmocka_unit_test(texts_are_distinct_sentences),
        cmocka_unit_test(outside_the_list_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
