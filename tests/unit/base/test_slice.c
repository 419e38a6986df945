#include "introspectd/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void slice_of_text_leaves_out_its_nul(void **state)
{
    const char *text = "abc";
    slice_t slice = slice_of(text);

    (void)state;
    assert_ptr_equal(slice.base, text);
    assert_int_equal(slice.len, 3);
}

static void absent_and_empty_differ(void **state)
{
    (void)state;
    assert_null(slice_of(NULL).base);
    assert_int_equal(slice_of(NULL).len, 0);
    assert_non_null(slice_of("").base);
    assert_int_equal(slice_of("").len, 0);
}

static void equal_compares_all_bytes(void **state)
{
    static const char one[] = {'a', '\0', 'b'};
    static const char same[] = {'a', '\0', 'b'};
    static const char other[] = {'a', '\0', 'c'};

    (void)state;
    assert_true(slice_equal((slice_t){one, 3}, (slice_t){same, 3}));
    assert_false(slice_equal((slice_t){one, 3}, (slice_t){other, 3}));
    assert_true(slice_equal((slice_t){one, 2}, (slice_t){other, 2}));
    assert_false(slice_equal((slice_t){one, 3}, (slice_t){same, 2}));
    assert_true(slice_equal(slice_of(NULL), slice_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_of_text_leaves_out_its_nul),
        cmocka_unit_test(absent_and_empty_differ),
        cmocka_unit_test(equal_compares_all_bytes),
    };

    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
