/* Which keys of a set, good alone, are taken out because of the others. */
#include "introspectd/keyset.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char MIXED[] = "symmetric key in a set with public keys";
static const char AMBIGUOUS[] = "different keys of the same algorithm";
static const char REPEATED[] = "the same key again";

/* Two of each kind. */
static private_key_t *keys[ALGORITHM_COUNT][2];

static const algorithm_t KINDS[] = {ALGORITHM_HS256, ALGORITHM_HS512, ALGORITHM_RS256, ALGORITHM_ES256,
                                    ALGORITHM_ES384, ALGORITHM_ES512, ALGORITHM_EDDSA};

enum { KIND_COUNT = sizeof(KINDS) / sizeof(KINDS[0]) };

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t j = 0; j < 2; j++)
            keys[KINDS[i]][j] = fixture_generate(KINDS[i], NULL);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t j = 0; j < 2; j++)
            private_key_free(keys[KINDS[i]][j]);
    }
    return 0;
}

/* The public half of one of the keys under a kid (NULL: none) with that `alg` (NULL: none). */
static json_t *jwk_of(algorithm_t algorithm, size_t which, const char *kid, const char *alg)
{
    json_t *jwk = private_key_to_jwk(keys[algorithm][which], false);
    assert_non_null(jwk);
    json_object_del(jwk, "alg");
    json_object_del(jwk, "use");
    if (kid != NULL)
        assert_int_equal(json_object_set_new(jwk, "kid", json_string(kid)), 0);
    if (alg != NULL)
        assert_int_equal(json_object_set_new(jwk, "alg", json_string(alg)), 0);
    return jwk;
}

/* The set of the keys that are not NULL, which are taken, and the notes about it. */
static keyset_t *set_of(json_t *const take_jwks[4], fixture_notes_t *notes)
{
    json_t *array = json_array();
    for (size_t i = 0; i < 4 && take_jwks[i] != NULL; i++)
        assert_int_equal(json_array_append_new(array, take_jwks[i]), 0);
    json_t *set = json_pack("{s:o}", "keys", array);
    char *text = json_dumps(set, JSON_COMPACT);
    assert_non_null(text);
    *notes = (fixture_notes_t){0};
    keyset_t *keyset = fixture_keyset(text, notes);
    free(text);
    json_decref(set);
    return keyset;
}

static void assert_skipped(const fixture_notes_t *notes, size_t place, size_t index, const char *text)
{
    assert_in_range(place, 0, notes->count - 1);
    assert_true(notes->notes[place].is_skipped);
    assert_int_equal(notes->notes[place].index, index);
    if (strstr(notes->notes[place].text, text) == NULL)
        fail_msg("%s, not %s", notes->notes[place].text, text);
}

static void symmetric_keys_beside_public_ones_are_dropped(void **state)
{
    (void)state;
    static const algorithm_t PUBLIC[] = {ALGORITHM_RS256, ALGORITHM_ES256, ALGORITHM_ES384, ALGORITHM_ES512,
                                         ALGORITHM_EDDSA};
    for (size_t i = 0; i < sizeof(PUBLIC) / sizeof(PUBLIC[0]); i++) {
        json_t *jwks[4] = {jwk_of(ALGORITHM_HS256, 0, "s", NULL), jwk_of(PUBLIC[i], 0, "p", NULL),
                           jwk_of(ALGORITHM_HS512, 0, NULL, NULL)};
        fixture_notes_t notes;
        keyset_t *keyset = set_of(jwks, &notes);
        assert_int_equal(keyset_size(keyset), 1);
        assert_true(jwk_fits(keyset_at(keyset, 0), PUBLIC[i]));
        for (unsigned a = ALGORITHM_HS256; a <= ALGORITHM_HS512; a++) {
            assert_null(keyset_find(keyset, slice_of("s"), (algorithm_t)a, NULL));
            assert_null(keyset_find(keyset, (slice_t){NULL, 0}, (algorithm_t)a, NULL));
        }
        assert_int_equal(notes.count, 2);
        assert_skipped(&notes, 0, 2, MIXED);
        assert_skipped(&notes, 1, 0, MIXED);
        assert_string_equal(notes.notes[1].kid, "s");
        keyset_release(keyset);
    }
}

/* A public key counts although it is used for nothing here: the set is published all the same. */
static void unusable_public_keys_make_a_set_mixed_too(void **state)
{
    (void)state;
    json_t *encrypting = jwk_of(ALGORITHM_ES256, 0, "e", NULL);
    assert_int_equal(json_object_set_new(encrypting, "use", json_string("enc")), 0);
    json_t *const OTHERS[] = {encrypting, json_pack("{s:s,s:s}", "kty", "EC", "crv", "secp256k1"),
                              json_pack("{s:s}", "kty", "RSA")};
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        json_t *jwks[4] = {jwk_of(ALGORITHM_HS256, 0, "s", NULL), OTHERS[i]};
        fixture_notes_t notes;
        keyset_t *keyset = set_of(jwks, &notes);
        assert_int_equal(keyset_size(keyset), 0);
        assert_int_equal(notes.count, 2);
        assert_skipped(&notes, 1, 0, MIXED);
        keyset_release(keyset);
    }
}

static void symmetric_keys_among_themselves_stay(void **state)
{
    (void)state;
    json_t *jwks[4] = {jwk_of(ALGORITHM_HS256, 0, "a", NULL), jwk_of(ALGORITHM_HS256, 1, "b", NULL),
                       jwk_of(ALGORITHM_HS512, 0, NULL, NULL), json_pack("{s:i}", "kty", 1)};
    fixture_notes_t notes;
    keyset_t *keyset = set_of(jwks, &notes);
    assert_int_equal(keyset_size(keyset), 3);
    assert_int_equal(notes.count, 1); /* what has no key type is no public key */
    keyset_release(keyset);
}

static void different_keys_under_one_kid_are_all_dropped(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t first = 0; first < 2; first++) {
            json_t *jwks[4] = {jwk_of(KINDS[i], first, "a", NULL), jwk_of(KINDS[i], 0, "b", NULL),
                               jwk_of(KINDS[i], 1 - first, "a", NULL), jwk_of(KINDS[i], first, "a", NULL)};
            fixture_notes_t notes;
            keyset_t *keyset = set_of(jwks, &notes);
            assert_int_equal(keyset_size(keyset), 1);
            assert_true(slice_equal(jwk_kid(keyset_at(keyset, 0)), slice_of("b")));
            assert_int_equal(notes.count, 3);
            static const size_t INDICES[] = {0, 2, 3};
            for (size_t place = 0; place < 3; place++) {
                assert_skipped(&notes, place, INDICES[place], AMBIGUOUS);
                assert_string_equal(notes.notes[place].kid, "a");
            }
            keyset_release(keyset);
        }
    }
}

static void the_same_key_twice_is_kept_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        json_t *jwks[4] = {jwk_of(KINDS[i], 0, "a", NULL), jwk_of(KINDS[i], 1, "b", NULL),
                           jwk_of(KINDS[i], 0, "a", NULL), jwk_of(KINDS[i], 0, "a", NULL)};
        fixture_notes_t notes;
        keyset_t *keyset = set_of(jwks, &notes);
        assert_int_equal(keyset_size(keyset), 2);
        const jwk_t *kept = keyset_find(keyset, slice_of("a"), KINDS[i], NULL);
        assert_ptr_equal(kept, keyset_at(keyset, 0));
        assert_null(keyset_find(keyset, slice_of("a"), KINDS[i], kept));
        assert_int_equal(notes.count, 2);
        assert_skipped(&notes, 0, 2, REPEATED);
        assert_skipped(&notes, 1, 3, REPEATED);
        keyset_release(keyset);
    }
}

static void keys_of_different_algorithms_share_a_kid(void **state)
{
    (void)state;
    json_t *jwks[4] = {jwk_of(ALGORITHM_RS256, 0, "a", NULL), jwk_of(ALGORITHM_ES256, 0, "a", NULL),
                       jwk_of(ALGORITHM_ES384, 0, "a", NULL), jwk_of(ALGORITHM_EDDSA, 0, "a", NULL)};
    fixture_notes_t notes;
    keyset_t *keyset = set_of(jwks, &notes);
    assert_int_equal(keyset_size(keyset), 4);
    assert_int_equal(notes.count, 0);
    static const algorithm_t ALGORITHMS[] = {ALGORITHM_PS512, ALGORITHM_ES256, ALGORITHM_ES384,
                                             ALGORITHM_EDDSA};
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(keyset_find(keyset, slice_of("a"), ALGORITHMS[i], NULL), keyset_at(keyset, i));
    keyset_release(keyset);
}

/* Two RSA keys under one kid are told apart when each says its algorithm, and not when one is silent. */
static void the_alg_of_keys_tells_them_apart(void **state)
{
    (void)state;
    fixture_notes_t notes;
    json_t *apart[4] = {jwk_of(ALGORITHM_RS256, 0, "a", "RS256"), jwk_of(ALGORITHM_RS256, 1, "a", "PS256")};
    keyset_t *keyset = set_of(apart, &notes);
    assert_int_equal(keyset_size(keyset), 2);
    assert_int_equal(notes.count, 0);
    keyset_release(keyset);

    json_t *same[4] = {jwk_of(ALGORITHM_RS256, 0, "a", "RS256"), jwk_of(ALGORITHM_RS256, 0, "a", "PS256")};
    keyset = set_of(same, &notes);
    assert_int_equal(keyset_size(keyset), 2);
    assert_int_equal(notes.count, 0);
    keyset_release(keyset);

    json_t *silent[4] = {jwk_of(ALGORITHM_RS256, 0, "a", "RS256"), jwk_of(ALGORITHM_RS256, 1, "a", NULL),
                         jwk_of(ALGORITHM_ES256, 0, "a", NULL)};
    keyset = set_of(silent, &notes);
    assert_int_equal(keyset_size(keyset), 1);
    assert_string_equal(jwk_describe(keyset_at(keyset, 0)), "EC P-256");
    assert_int_equal(notes.count, 2);
    assert_skipped(&notes, 0, 0, AMBIGUOUS);
    assert_skipped(&notes, 1, 1, AMBIGUOUS);
    keyset_release(keyset);
}

static void keys_without_a_kid_are_never_ambiguous(void **state)
{
    (void)state;
    json_t *jwks[4] = {jwk_of(ALGORITHM_ES256, 0, NULL, NULL), jwk_of(ALGORITHM_ES256, 1, NULL, NULL),
                       jwk_of(ALGORITHM_ES256, 0, "", NULL)};
    fixture_notes_t notes;
    keyset_t *keyset = set_of(jwks, &notes);
    assert_int_equal(keyset_size(keyset), 3);
    assert_int_equal(notes.count, 0);
    keyset_release(keyset);
}

/* Keys that are not used for signatures have no say. */
static void unusable_keys_are_not_ambiguous(void **state)
{
    (void)state;
    json_t *encrypting = jwk_of(ALGORITHM_RS256, 1, "a", NULL);
    assert_int_equal(json_object_set_new(encrypting, "use", json_string("enc")), 0);
    json_t *jwks[4] = {jwk_of(ALGORITHM_RS256, 0, "a", NULL), encrypting,
                       jwk_of(ALGORITHM_HS256, 0, "a", NULL)};
    fixture_notes_t notes;
    keyset_t *keyset = set_of(jwks, &notes);
    assert_int_equal(keyset_size(keyset), 1);
    assert_non_null(keyset_find(keyset, slice_of("a"), ALGORITHM_RS256, NULL));
    assert_int_equal(notes.count, 2);
    assert_skipped(&notes, 1, 2, MIXED);
    keyset_release(keyset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symmetric_keys_beside_public_ones_are_dropped),
        cmocka_unit_test(unusable_public_keys_make_a_set_mixed_too),
        cmocka_unit_test(symmetric_keys_among_themselves_stay),
        cmocka_unit_test(different_keys_under_one_kid_are_all_dropped),
        cmocka_unit_test(the_same_key_twice_is_kept_once),
        cmocka_unit_test(keys_of_different_algorithms_share_a_kid),
        cmocka_unit_test(the_alg_of_keys_tells_them_apart),
        cmocka_unit_test(keys_without_a_kid_are_never_ambiguous),
        cmocka_unit_test(unusable_keys_are_not_ambiguous),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
