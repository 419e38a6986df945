#include "introspectd/algorithm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const NAMES[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
                                    "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};

static void every_name_goes_both_ways(void **state)
{
    (void)state;
    assert_int_equal(sizeof(NAMES) / sizeof(NAMES[0]), ALGORITHM_COUNT);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        algorithm_t algorithm = ALGORITHM_COUNT;
        assert_string_equal(algorithm_name((algorithm_t)i), NAMES[i]);
        assert_true(algorithm_from_name(slice_of(NAMES[i]), &algorithm));
        assert_int_equal(algorithm, i);
    }
}

static void other_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const STRANGERS[] = {
        "",       "none",  "None",  "NONE",    "nOnE",   "rs256",  "Rs256",   "HS256 ",  " HS256", "HS25",
        "HS2566", "EDDSA", "eddsa", "Ed25519", "ES256K", "RSA1_5", "A256GCM", "ES256\t", "RS256,", "HS1"};
    for (size_t i = 0; i < sizeof(STRANGERS) / sizeof(STRANGERS[0]); i++) {
        algorithm_t algorithm = ALGORITHM_PS384;
        assert_false(algorithm_from_name(slice_of(STRANGERS[i]), &algorithm));
        assert_int_equal(algorithm, ALGORITHM_PS384);
    }
    algorithm_t algorithm = ALGORITHM_PS384;
    assert_false(algorithm_from_name((slice_t){NULL, 0}, &algorithm));
    assert_false(algorithm_from_name((slice_t){"HS256\0", 6}, &algorithm));
    assert_int_equal(algorithm, ALGORITHM_PS384);
}

static void sets_hold_their_members(void **state)
{
    (void)state;
    algorithm_set_t set = 1u << ALGORITHM_ES384 | 1u << ALGORITHM_EDDSA;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        assert_true(algorithm_set_has(ALGORITHM_SET_ALL, (algorithm_t)i));
        assert_false(algorithm_set_has(0, (algorithm_t)i));
        assert_int_equal(algorithm_set_has(set, (algorithm_t)i),
                         i == ALGORITHM_ES384 || i == ALGORITHM_EDDSA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_goes_both_ways),
        cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(sets_hold_their_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
