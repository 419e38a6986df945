#include "recent_refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void add(recent_refusals_t *recent, int number)
{
    json_t *fields = json_pack("{s:i}", "number", number);
    recent_refusals_add(recent, fields);
    /* The caller may go on with it. */
    json_object_clear(fields);
    json_decref(fields);
}

static void assert_listed(recent_refusals_t *recent, const int *numbers, size_t count)
{
    json_t *list = recent_refusals_list(recent);
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        assert_int_equal(json_integer_value(json_object_get(entry, "number")), numbers[i]);
        assert_int_equal(json_string_length(json_object_get(entry, "time")), 20);
    }
    json_decref(list);
}

static void the_newest_first_and_the_oldest_gone(void **state)
{
    (void)state;
    recent_refusals_t *recent = recent_refusals_new(3);
    assert_non_null(recent);
    assert_listed(recent, NULL, 0);
    add(recent, 1);
    add(recent, 2);
    assert_listed(recent, (int[]){2, 1}, 2);
    add(recent, 3);
    assert_listed(recent, (int[]){3, 2, 1}, 3);
    add(recent, 4);
    add(recent, 5);
    assert_listed(recent, (int[]){5, 4, 3}, 3);
    recent_refusals_free(recent);
}

static void nothing_to_keep_is_not_kept(void **state)
{
    (void)state;
    recent_refusals_t *recent = recent_refusals_new(2);
    recent_refusals_add(recent, NULL);
    assert_listed(recent, NULL, 0);
    recent_refusals_free(recent);
    recent_refusals_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_first_and_the_oldest_gone),
        cmocka_unit_test(nothing_to_keep_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
