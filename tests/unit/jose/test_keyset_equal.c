#include "introspectd/keyset.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

/* One for each kind of key. */
static const algorithm_t KINDS[] = {ALGORITHM_HS256, ALGORITHM_HS512, ALGORITHM_RS256, ALGORITHM_ES256,
                                    ALGORITHM_ES384, ALGORITHM_ES512, ALGORITHM_EDDSA};

enum { KIND_COUNT = sizeof(KINDS) / sizeof(KINDS[0]) };

static private_key_t *keys[ALGORITHM_COUNT];  /* kid "a" */
static private_key_t *other[ALGORITHM_COUNT]; /* the same kid over other material */

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        keys[KINDS[i]] = fixture_generate(KINDS[i], "a");
        other[KINDS[i]] = fixture_generate(KINDS[i], "a");
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        private_key_free(keys[i]);
        private_key_free(other[i]);
    }
    return 0;
}

static algorithm_set_t set_of_one(algorithm_t algorithm)
{
    return (algorithm_set_t)1 << algorithm;
}

/* The public half of key with another kid; NULL: none. */
static json_t *jwk_of(const private_key_t *key, const char *kid)
{
    json_t *jwk = private_key_to_jwk(key, false);
    assert_non_null(jwk);
    json_object_del(jwk, "kid");
    if (kid != NULL)
        assert_int_equal(json_object_set_new(jwk, "kid", json_string(kid)), 0);
    return jwk;
}

static json_t *with(json_t *jwk, const char *member, json_t *take_value)
{
    assert_int_equal(json_object_set_new(jwk, member, take_value), 0);
    return jwk;
}

static json_t *without(json_t *jwk, const char *member)
{
    assert_int_equal(json_object_del(jwk, member), 0);
    return jwk;
}

/* The set of up to three keys, which are taken; NULL ends them. */
static keyset_t *set_of(json_t *first, json_t *second, json_t *third)
{
    json_t *jwks[] = {first, second, third};
    json_t *array = json_array();
    size_t count = 0;
    for (; count < 3 && jwks[count] != NULL; count++)
        assert_int_equal(json_array_append_new(array, jwks[count]), 0);
    json_t *set = json_pack("{s:o}", "keys", array);
    char *text = json_dumps(set, JSON_COMPACT);
    assert_non_null(text);
    keyset_t *keyset = fixture_keyset(text, NULL);
    assert_int_equal(keyset_size(keyset), count);
    free(text);
    json_decref(set);
    return keyset;
}

/* Both ways round; releases both. */
static bool is_equal(keyset_t *a, keyset_t *b)
{
    bool is_same = keyset_equal(a, b);
    assert_int_equal(keyset_equal(b, a), is_same);
    assert_true(keyset_equal(a, a));
    assert_true(keyset_equal(b, b));
    assert_int_equal(ERR_peek_error(), 0);
    keyset_release(a);
    keyset_release(b);
    return is_same;
}

static void the_same_text_gives_equal_sets(void **state)
{
    (void)state;
    assert_true(is_equal(set_of(NULL, NULL, NULL), set_of(NULL, NULL, NULL)));
    for (size_t i = 0; i < KIND_COUNT; i++)
        assert_true(is_equal(set_of(jwk_of(keys[KINDS[i]], "a"), NULL, NULL),
                             set_of(jwk_of(keys[KINDS[i]], "a"), NULL, NULL)));
}

static void other_material_under_the_same_kid_differs(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++)
        assert_false(is_equal(set_of(jwk_of(keys[KINDS[i]], "a"), NULL, NULL),
                              set_of(jwk_of(other[KINDS[i]], "a"), NULL, NULL)));
}

static void keys_of_different_types_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t j = 0; j < i; j++)
            assert_false(is_equal(set_of(jwk_of(keys[KINDS[i]], "a"), NULL, NULL),
                                  set_of(jwk_of(keys[KINDS[j]], "a"), NULL, NULL)));
    }
}

static void one_changed_bit_of_a_secret_differs(void **state)
{
    (void)state;
    static const char FIRST[] = "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";
    static const char *const OTHERS[] = {
        "{\"kty\":\"oct\",\"k\":\"gAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",
        "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh4\"}",
        "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A\"}"};
    assert_true(is_equal(fixture_keyset(FIRST, NULL), fixture_keyset(FIRST, NULL)));
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
        assert_false(is_equal(fixture_keyset(FIRST, NULL), fixture_keyset(OTHERS[i], NULL)));
}

static void the_order_of_the_text_does_not_count(void **state)
{
    (void)state;
    const private_key_t *rsa = keys[ALGORITHM_RS256];
    const private_key_t *ec = keys[ALGORITHM_ES256];
    const private_key_t *okp = keys[ALGORITHM_EDDSA];
    const private_key_t *oct = keys[ALGORITHM_HS256];
    assert_true(is_equal(set_of(jwk_of(rsa, "a"), jwk_of(ec, "b"), jwk_of(okp, NULL)),
                         set_of(jwk_of(okp, NULL), jwk_of(rsa, "a"), jwk_of(ec, "b"))));
    assert_true(is_equal(set_of(jwk_of(rsa, "a"), jwk_of(ec, "b"), jwk_of(okp, "c")),
                         set_of(jwk_of(okp, "c"), jwk_of(ec, "b"), jwk_of(rsa, "a"))));
    assert_true(is_equal(set_of(jwk_of(oct, "a"), jwk_of(oct, "b"), NULL),
                         set_of(jwk_of(oct, "b"), jwk_of(oct, "a"), NULL)));
    assert_false(is_equal(set_of(jwk_of(rsa, "a"), jwk_of(ec, "b"), NULL),
                          set_of(jwk_of(rsa, "b"), jwk_of(ec, "a"), NULL)));
}

static void members_that_change_nothing_do_not_count(void **state)
{
    (void)state;
    const private_key_t *key = keys[ALGORITHM_RS256];
    assert_true(is_equal(set_of(jwk_of(key, "a"), NULL, NULL),
                         set_of(with(jwk_of(key, "a"), "x5t", json_string("abc")), NULL, NULL)));
    json_t *operations = json_pack("[s]", "verify");
    assert_true(is_equal(set_of(jwk_of(key, "a"), NULL, NULL),
                         set_of(with(jwk_of(key, "a"), "key_ops", operations), NULL, NULL)));
}

static void unusable_keys_do_not_count(void **state)
{
    (void)state;
    json_t *unknown = json_pack("{s:s}", "kty", "X");
    json_t *jwk = jwk_of(keys[ALGORITHM_ES256], "a");
    json_t *set = json_pack("{s:[o,O]}", "keys", unknown, jwk);
    char *text = json_dumps(set, JSON_COMPACT);
    assert_true(is_equal(fixture_keyset(text, NULL), set_of(jwk, NULL, NULL)));
    free(text);
    json_decref(set);
}

static void a_changed_kid_differs(void **state)
{
    (void)state;
    static const char *const KIDS[] = {NULL, "", "a", "A", "aa", "b"};
    enum { COUNT = sizeof(KIDS) / sizeof(KIDS[0]) };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++)
            assert_int_equal(is_equal(set_of(jwk_of(keys[ALGORITHM_ES256], KIDS[i]), NULL, NULL),
                                      set_of(jwk_of(keys[ALGORITHM_ES256], KIDS[j]), NULL, NULL)),
                             i == j);
    }
}

static void a_key_more_or_less_differs(void **state)
{
    (void)state;
    const private_key_t *rsa = keys[ALGORITHM_RS256];
    const private_key_t *ec = keys[ALGORITHM_ES256];
    assert_false(is_equal(set_of(jwk_of(rsa, "a"), NULL, NULL), set_of(NULL, NULL, NULL)));
    assert_false(
        is_equal(set_of(jwk_of(rsa, "a"), NULL, NULL), set_of(jwk_of(rsa, "a"), jwk_of(ec, "b"), NULL)));
    assert_false(
        is_equal(set_of(jwk_of(ec, "b"), NULL, NULL), set_of(jwk_of(rsa, "a"), jwk_of(ec, "b"), NULL)));
    assert_false(
        is_equal(set_of(jwk_of(rsa, NULL), NULL, NULL), set_of(jwk_of(rsa, NULL), jwk_of(rsa, NULL), NULL)));
}

/* An RSA key, and a secret of 64 bytes, fit several algorithms: their own `alg` says which one is meant. */
static void what_a_key_may_verify_counts(void **state)
{
    (void)state;
    static const algorithm_t KEYS[] = {ALGORITHM_RS256, ALGORITHM_HS512};
    static const char *const NAMES[] = {"PS256", "HS256"};
    for (size_t i = 0; i < 2; i++) {
        const private_key_t *key = keys[KEYS[i]];
        assert_false(is_equal(set_of(jwk_of(key, "a"), NULL, NULL),
                              set_of(without(jwk_of(key, "a"), "alg"), NULL, NULL)));
        assert_false(is_equal(set_of(jwk_of(key, "a"), NULL, NULL),
                              set_of(with(jwk_of(key, "a"), "alg", json_string(NAMES[i])), NULL, NULL)));
    }
}

static void a_set_is_usable_with_one_fitting_key(void **state)
{
    (void)state;
    keyset_t *keyset = set_of(NULL, NULL, NULL);
    assert_false(keyset_is_usable(keyset, ALGORITHM_SET_ALL));
    keyset_release(keyset);

    keyset = set_of(jwk_of(keys[ALGORITHM_ES384], "a"), jwk_of(keys[ALGORITHM_RS256], "b"), NULL);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++)
        assert_int_equal(keyset_is_usable(keyset, set_of_one((algorithm_t)i)),
                         i == ALGORITHM_ES384 || i == ALGORITHM_RS256);
    assert_true(keyset_is_usable(keyset, set_of_one(ALGORITHM_HS256) | set_of_one(ALGORITHM_RS256)));
    assert_false(keyset_is_usable(keyset, set_of_one(ALGORITHM_HS256) | set_of_one(ALGORITHM_PS256)));
    assert_true(keyset_is_usable(keyset, ALGORITHM_SET_ALL));
    assert_false(keyset_is_usable(keyset, 0));
    keyset_release(keyset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_text_gives_equal_sets),
        cmocka_unit_test(other_material_under_the_same_kid_differs),
        cmocka_unit_test(keys_of_different_types_differ),
        cmocka_unit_test(one_changed_bit_of_a_secret_differs),
        cmocka_unit_test(the_order_of_the_text_does_not_count),
        cmocka_unit_test(members_that_change_nothing_do_not_count),
        cmocka_unit_test(unusable_keys_do_not_count),
        cmocka_unit_test(a_changed_kid_differs),
        cmocka_unit_test(a_key_more_or_less_differs),
        cmocka_unit_test(what_a_key_may_verify_counts),
        cmocka_unit_test(a_set_is_usable_with_one_fitting_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
