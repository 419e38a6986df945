#include "introspectd/keyset.h"

#include "failing_alloc.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 32 bytes. */
#define SECRET_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define EC_XY                                                                                                \
    "\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                               \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC "\"kty\":\"EC\"," EC_XY
/* RFC 8037 appendix A.2 */
#define OKP "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OCT "\"kty\":\"oct\",\"k\":\"" SECRET_32 "\""

static const char *parse_error(slice_t text)
{
    const char *error = NULL;
    keyset_t *keyset = keyset_parse(text, NULL, NULL, &error);
    assert_null(keyset);
    assert_non_null(error);
    return error;
}

/* The only note about a set of one key, which is skipped. */
static const char *skip_text(const char *members)
{
    char json[1024];
    snprintf(json, sizeof(json), "{\"keys\":[{%s}]}", members);
    fixture_notes_t notes = {0};
    keyset_t *keyset = fixture_keyset(json, &notes);
    if (keyset_size(keyset) != 0 || notes.count != 1 || !notes.notes[0].is_skipped)
        fail_msg("not skipped with one note: %s", json);
    keyset_release(keyset);
    return notes.notes[0].text;
}

static void assert_used(const char *members)
{
    char json[1024];
    snprintf(json, sizeof(json), "{\"keys\":[{%s}]}", members);
    fixture_notes_t notes = {0};
    keyset_t *keyset = fixture_keyset(json, &notes);
    if (keyset_size(keyset) != 1)
        fail_msg("skipped (%s): %s", notes.notes[0].text, json);
    keyset_release(keyset);
}

static void what_is_no_set_is_an_error(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        "[]",
                                        "null",
                                        "\"keys\"",
                                        "{",
                                        "{}",
                                        "{\"keys\":1}",
                                        "{\"keys\":{}}",
                                        "{\"keys\":null}",
                                        "{\"Keys\":[]}",
                                        "{\"keys\":[],\"keys\":[]}",
                                        "{\"keys\":[{\"kid\":\"a\",\"kid\":\"a\"}]}",
                                        "{\"keys\":[]} x",
                                        "{\"keys\":[]}{}"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_string_not_equal(parse_error(slice_of(TEXTS[i])), "out of memory");
    parse_error((slice_t){NULL, 0});
    parse_error((slice_t){"{\"keys\":[]}\0", 12});
    assert_non_null(strstr(parse_error(slice_of("{}")), "`kty`"));
    assert_non_null(strstr(parse_error(slice_of("{\"keys\":1}")), "array"));
}

static void sets_without_usable_keys_are_legal(void **state)
{
    (void)state;
    keyset_t *keyset = fixture_keyset("{\"keys\":[]}", NULL);
    assert_int_equal(keyset_size(keyset), 0);
    assert_null(keyset_find(keyset, (slice_t){NULL, 0}, ALGORITHM_HS256, NULL));
    assert_null(keyset_find(keyset, slice_of("a"), ALGORITHM_HS256, NULL));
    keyset_release(keyset);

    fixture_notes_t notes = {0};
    keyset = fixture_keyset("{\"keys\":[null,1,\"a\",[],{}],\"other\":1}", &notes);
    assert_int_equal(keyset_size(keyset), 0);
    assert_int_equal(notes.count, 5);
    for (size_t i = 0; i < notes.count; i++) {
        assert_int_equal(notes.notes[i].index, i);
        assert_true(notes.notes[i].is_skipped);
    }
    keyset_release(keyset);
}

static void a_single_key_is_a_set_of_one(void **state)
{
    (void)state;
    keyset_t *keyset = fixture_keyset("{" OCT ",\"kid\":\"one\"}", NULL);
    assert_int_equal(keyset_size(keyset), 1);
    assert_true(slice_equal(jwk_kid(keyset_at(keyset, 0)), slice_of("one")));
    assert_string_equal(jwk_describe(keyset_at(keyset, 0)), "oct 256");
    keyset_release(keyset);
}

static void unusable_keys_do_not_touch_their_neighbours(void **state)
{
    (void)state;
    fixture_notes_t notes = {0};
    keyset_t *keyset = fixture_keyset("{\"keys\":[{" OKP ",\"kid\":\"b\"},{\"kty\":\"X\",\"kid\":\"x\"},{" EC
                                      ",\"kid\":\"a\"},{\"kid\":7}]}",
                                      &notes);
    assert_int_equal(keyset_size(keyset), 2);
    assert_int_equal(notes.count, 2);
    assert_int_equal(notes.notes[0].index, 1);
    assert_string_equal(notes.notes[0].kid, "x");
    assert_int_equal(notes.notes[1].index, 3);
    assert_string_equal(notes.notes[1].kid, "");
    assert_true(slice_equal(jwk_kid(keyset_at(keyset, 0)), slice_of("a")));
    assert_string_equal(jwk_describe(keyset_at(keyset, 0)), "EC P-256");
    assert_true(slice_equal(jwk_kid(keyset_at(keyset, 1)), slice_of("b")));
    keyset_release(keyset);
}

static void kty_is_one_of_four(void **state)
{
    (void)state;
    assert_non_null(strstr(skip_text("\"k\":\"" SECRET_32 "\""), "`kty`"));
    static const char *const TYPES[] = {"1",       "true",   "null",    "\"\"",      "\"OCT\"",
                                        "\"Oct\"", "\"ec\"", "\"rsa\"", "\"octSSS\""};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        char members[256];
        snprintf(members, sizeof(members), "\"kty\":%s,\"k\":\"" SECRET_32 "\"", TYPES[i]);
        assert_non_null(strstr(skip_text(members), "`kty`"));
    }
}

static void use_must_be_sig(void **state)
{
    (void)state;
    assert_used(OCT ",\"use\":\"sig\"");
    assert_non_null(strstr(skip_text(OCT ",\"use\":\"enc\""), "`use`"));
    assert_non_null(strstr(skip_text(OCT ",\"use\":\"SIG\""), "`use`"));
    assert_non_null(strstr(skip_text(OCT ",\"use\":\"\""), "`use`"));
    assert_non_null(strstr(skip_text(OCT ",\"use\":null"), "`use`"));
    assert_non_null(strstr(skip_text(OCT ",\"use\":[\"sig\"]"), "`use`"));
    assert_non_null(strstr(skip_text(OCT ",\"use\":1"), "`use`"));
}

static void key_ops_must_allow_verify(void **state)
{
    (void)state;
    assert_used(OCT ",\"key_ops\":[\"verify\"]");
    assert_used(OCT ",\"key_ops\":[\"sign\",\"verify\"],\"use\":\"sig\"");
    assert_used(EC ",\"key_ops\":[\"verify\",\"somethingElse\"]");
    static const char *const VALUES[] = {"[]",
                                         "[\"sign\"]",
                                         "[\"encrypt\"]",
                                         "[\"Verify\"]",
                                         "\"verify\"",
                                         "{\"verify\":1}",
                                         "null",
                                         "[null]",
                                         "[1,\"verify\"]",
                                         "[\"verify\",\"verify\"]",
                                         "[\"verify\",[]]",
                                         "true"};
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        char members[512];
        snprintf(members, sizeof(members), EC ",\"key_ops\":%s", VALUES[i]);
        assert_non_null(strstr(skip_text(members), "`key_ops`"));
        snprintf(members, sizeof(members), OCT ",\"key_ops\":%s", VALUES[i]);
        assert_non_null(strstr(skip_text(members), "`key_ops`"));
    }
}

static void a_long_key_ops_costs_nothing(void **state)
{
    (void)state;
    enum { OPERATIONS = 200000 };
    char *json = malloc(OPERATIONS * 12 + 256);
    char *at = stpcpy(json, "{" OCT ",\"key_ops\":[\"verify\"");
    for (int i = 0; i < OPERATIONS; i++)
        at += sprintf(at, ",\"a%d\"", i);
    stpcpy(at, "]}");
    fixture_notes_t notes = {0};
    keyset_t *keyset = fixture_keyset(json, &notes);
    assert_int_equal(keyset_size(keyset), 0);
    keyset_release(keyset);
    free(json);
}

static void a_private_key_gives_its_public_half_and_a_warning(void **state)
{
    (void)state;
    static const char *const TAILS[] = {"", ",\"key_ops\":[\"sign\"]", ",\"key_ops\":[\"sign\",\"verify\"]"};
    for (size_t i = 0; i < sizeof(TAILS) / sizeof(TAILS[0]); i++) {
        char json[1024];
        snprintf(json, sizeof(json),
                 "{\"keys\":[{" EC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"%s}]}", TAILS[i]);
        fixture_notes_t notes = {0};
        keyset_t *keyset = fixture_keyset(json, &notes);
        assert_int_equal(keyset_size(keyset), 1);
        assert_int_equal(notes.count, 1);
        assert_false(notes.notes[0].is_skipped);
        assert_non_null(strstr(notes.notes[0].text, "private"));
        keyset_release(keyset);
    }
    assert_non_null(strstr(skip_text(EC ",\"d\":\"AQ\",\"key_ops\":[\"decrypt\"]"), "`key_ops`"));
}

static void alg_must_fit_the_key(void **state)
{
    (void)state;
    assert_used(OCT ",\"alg\":\"HS256\"");
    assert_used(EC ",\"alg\":\"ES256\"");
    static const char *const BAD_FOR_OCT[] = {
        "\"HS384\"", "\"HS512\"",   "\"RS256\"", "\"ES256\"", "\"EdDSA\"",   "\"none\"", "\"hs256\"",
        "\"dir\"",   "\"A256GCM\"", "1",         "null",      "[\"HS256\"]", "\"\""};
    for (size_t i = 0; i < sizeof(BAD_FOR_OCT) / sizeof(BAD_FOR_OCT[0]); i++) {
        char members[256];
        snprintf(members, sizeof(members), OCT ",\"alg\":%s", BAD_FOR_OCT[i]);
        assert_non_null(strstr(skip_text(members), "`alg`"));
    }
    static const char *const BAD_FOR_EC[] = {"\"ES384\"",   "\"ES512\"", "\"ES256K\"", "\"HS256\"",
                                             "\"ECDH-ES\"", "\"RS256\"", "\"EdDSA\""};
    for (size_t i = 0; i < sizeof(BAD_FOR_EC) / sizeof(BAD_FOR_EC[0]); i++) {
        char members[512];
        snprintf(members, sizeof(members), EC ",\"alg\":%s", BAD_FOR_EC[i]);
        assert_non_null(strstr(skip_text(members), "`alg`"));
    }
}

static void one_algorithm_per_key(void **state)
{
    (void)state;
    char json[512];
    const char *secret_64 =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw";
    snprintf(json, sizeof(json), "{\"kty\":\"oct\",\"k\":\"%s\",\"alg\":\"HS384\"}", secret_64);
    keyset_t *keyset = fixture_keyset(json, NULL);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++)
        assert_int_equal(jwk_fits(keyset_at(keyset, 0), (algorithm_t)i), i == ALGORITHM_HS384);
    keyset_release(keyset);

    snprintf(json, sizeof(json), "{\"kty\":\"oct\",\"k\":\"%s\"}", secret_64);
    keyset = fixture_keyset(json, NULL);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++)
        assert_int_equal(jwk_fits(keyset_at(keyset, 0), (algorithm_t)i), i <= ALGORITHM_HS512);
    keyset_release(keyset);
}

static void kid_must_be_a_string(void **state)
{
    (void)state;
    static const char *const VALUES[] = {"1", "null", "[\"a\"]", "{}", "true"};
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        char members[256];
        snprintf(members, sizeof(members), OCT ",\"kid\":%s", VALUES[i]);
        assert_non_null(strstr(skip_text(members), "`kid`"));
    }
    assert_used(OCT ",\"kid\":\"\"");
}

static void strange_members_are_ignored(void **state)
{
    (void)state;
    assert_used(EC ",\"x5c\":[\"junk\"],\"x5t\":1,\"x5u\":\"u\",\"iat\":0,\"ext\":true,\"p\":\"???\"");
}

static void keys_are_sorted_and_found_by_kid(void **state)
{
    (void)state;
    keyset_t *keyset =
        fixture_keyset("{\"keys\":[{" OKP ",\"kid\":\"b\"},{" EC ",\"kid\":\"a\"},{" OKP "},{" OKP
                       ",\"kid\":\"a\"},{" EC ",\"kid\":\"ab\"},{" OKP ",\"kid\":\"\"},{" EC "}]}",
                       NULL);
    static const char *const ORDER[] = {NULL, NULL, "", "a", "a", "ab", "b"};
    static const char *const TYPES[] = {"OKP Ed25519", "EC P-256", "OKP Ed25519", "EC P-256",
                                        "OKP Ed25519", "EC P-256", "OKP Ed25519"};
    assert_int_equal(keyset_size(keyset), 7);
    for (size_t i = 0; i < 7; i++) {
        slice_t kid = jwk_kid(keyset_at(keyset, i));
        assert_int_equal(kid.base == NULL, ORDER[i] == NULL);
        assert_true(slice_equal(kid, slice_of(ORDER[i])));
        assert_string_equal(jwk_describe(keyset_at(keyset, i)), TYPES[i]);
    }

    const slice_t a = slice_of("a");
    const jwk_t *jwk = keyset_find(keyset, a, ALGORITHM_ES256, NULL);
    assert_ptr_equal(jwk, keyset_at(keyset, 3));
    assert_null(keyset_find(keyset, a, ALGORITHM_ES256, jwk));
    jwk = keyset_find(keyset, a, ALGORITHM_EDDSA, NULL);
    assert_ptr_equal(jwk, keyset_at(keyset, 4));
    assert_null(keyset_find(keyset, a, ALGORITHM_EDDSA, jwk));
    assert_null(keyset_find(keyset, a, ALGORITHM_ES384, NULL));
    assert_null(keyset_find(keyset, slice_of("A"), ALGORITHM_ES256, NULL));
    assert_null(keyset_find(keyset, slice_of("abc"), ALGORITHM_ES256, NULL));
    assert_null(keyset_find(keyset, slice_of("zz"), ALGORITHM_ES256, NULL));
    assert_null(keyset_find(keyset, (slice_t){"a\0", 2}, ALGORITHM_ES256, NULL));
    assert_ptr_equal(keyset_find(keyset, slice_of(""), ALGORITHM_EDDSA, NULL), keyset_at(keyset, 2));
    assert_null(keyset_find(keyset, slice_of(""), ALGORITHM_ES256, NULL));

    size_t found = 0;
    for (jwk = NULL; (jwk = keyset_find(keyset, (slice_t){NULL, 0}, ALGORITHM_ES256, jwk)) != NULL;)
        found++;
    assert_int_equal(found, 3);
    keyset_release(keyset);
}

static void many_keys_are_all_found(void **state)
{
    (void)state;
    enum { KEYS = 10000 };
    char *json = malloc(KEYS * 128);
    char *at = stpcpy(json, "{\"keys\":[");
    for (unsigned i = 0; i < KEYS; i++)
        at += sprintf(at, "%s{" OCT ",\"kid\":\"%u\"}", i == 0 ? "" : ",", i * 7919u % KEYS);
    stpcpy(at, "]}");
    keyset_t *keyset = fixture_keyset(json, NULL);
    assert_int_equal(keyset_size(keyset), KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        char kid[16];
        sprintf(kid, "%u", i);
        const jwk_t *jwk = keyset_find(keyset, slice_of(kid), ALGORITHM_HS256, NULL);
        assert_non_null(jwk);
        assert_true(slice_equal(jwk_kid(jwk), slice_of(kid)));
        assert_null(keyset_find(keyset, slice_of(kid), ALGORITHM_HS256, jwk));
    }
    keyset_release(keyset);
    free(json);
}

static void the_last_holder_frees(void **state)
{
    (void)state;
    keyset_t *keyset = fixture_keyset("{" OCT ",\"kid\":\"x\"}", NULL);
    assert_ptr_equal(keyset_acquire(keyset), keyset);
    keyset_release(keyset);
    assert_true(slice_equal(jwk_kid(keyset_at(keyset, 0)), slice_of("x")));
    keyset_release(keyset);
    keyset_release(NULL);
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    const slice_t text = slice_of("{\"keys\":[{" OCT ",\"kid\":\"a\"},{" OCT "},{" EC ",\"kid\":\"b\"},{" OCT
                                  "},{" OCT "},{\"kty\":\"X\"}]}");
    unsigned passing = 0;
    for (bool has_failed = true; has_failed; passing++) {
        const char *error = NULL;
        failing_alloc_arm(passing);
        keyset_t *keyset = keyset_parse(text, NULL, NULL, &error);
        has_failed = failing_alloc_disarm();
        assert_int_equal(keyset == NULL, has_failed);
        if (has_failed)
            assert_string_equal(error, "out of memory");
        keyset_release(keyset);
    }
    assert_in_range(passing, 8, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_set_is_an_error),
        cmocka_unit_test(sets_without_usable_keys_are_legal),
        cmocka_unit_test(a_single_key_is_a_set_of_one),
        cmocka_unit_test(unusable_keys_do_not_touch_their_neighbours),
        cmocka_unit_test(kty_is_one_of_four),
        cmocka_unit_test(use_must_be_sig),
        cmocka_unit_test(key_ops_must_allow_verify),
        cmocka_unit_test(a_long_key_ops_costs_nothing),
        cmocka_unit_test(a_private_key_gives_its_public_half_and_a_warning),
        cmocka_unit_test(alg_must_fit_the_key),
        cmocka_unit_test(one_algorithm_per_key),
        cmocka_unit_test(kid_must_be_a_string),
        cmocka_unit_test(strange_members_are_ignored),
        cmocka_unit_test(keys_are_sorted_and_found_by_kid),
        cmocka_unit_test(many_keys_are_all_found),
        cmocka_unit_test(the_last_holder_frees),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
