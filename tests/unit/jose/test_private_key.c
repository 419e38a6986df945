#include "introspectd/private_key.h"

#include "introspectd/file.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

static private_key_t *parse(const char *text)
{
    const char *error = NULL;
    private_key_t *key = private_key_parse(slice_of(text), &error);
    if (key == NULL)
        fail_msg("%s", error);
    return key;
}

static const char *parse_error(const char *text)
{
    const char *error = NULL;
    private_key_t *key = private_key_parse(slice_of(text), &error);
    assert_null(key);
    assert_non_null(error);
    return error;
}

static char *private_json(const private_key_t *key)
{
    json_t *jwk = private_key_to_jwk(key, true);
    assert_non_null(jwk);
    char *text = json_dumps(jwk, JSON_COMPACT);
    assert_non_null(text);
    json_decref(jwk);
    return text;
}

/* That what `signer` signs verifies with the public half of `other`. */
static void assert_same_key(const private_key_t *signer, private_key_t *other, algorithm_t algorithm)
{
    char header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithm_name(algorithm));
    keyset_t *keyset = fixture_public_keyset(&other, 1);
    char *token = fixture_token(signer, algorithm, header, "{}");
    verifier_t *verifier = verifier_new();
    assert_int_equal(fixture_verify(verifier, keyset, 1u << algorithm, token, NULL), REASON_NONE);
    verifier_free(verifier);
    free(token);
    keyset_release(keyset);
}

static void generated_keys_survive_as_jwk(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        private_key_t *key = fixture_generate((algorithm_t)i, "a \"kid\"");
        assert_string_equal(private_key_kid(key), "a \"kid\"");
        assert_int_equal(private_key_algorithm(key), i);
        for (unsigned other = 0; other < ALGORITHM_COUNT; other++)
            assert_int_equal(private_key_fits(key, (algorithm_t)other), other == i);
        char *text = private_json(key);
        private_key_t *back = parse(text);
        assert_string_equal(private_key_kid(back), "a \"kid\"");
        assert_int_equal(private_key_algorithm(back), i);
        assert_same_key(key, back, (algorithm_t)i);
        assert_same_key(back, key, (algorithm_t)i);
        free(text);
        private_key_free(back);
        private_key_free(key);
    }
}

static void public_halves_hold_nothing_private(void **state)
{
    (void)state;
    static const algorithm_t ALGORITHMS[] = {ALGORITHM_RS256, ALGORITHM_ES512, ALGORITHM_EDDSA};
    static const char *const PRIVATE[] = {"d", "p", "q", "dp", "dq", "qi", "k"};
    for (size_t i = 0; i < 3; i++) {
        private_key_t *key = fixture_generate(ALGORITHMS[i], NULL);
        assert_null(private_key_kid(key));
        json_t *jwk = private_key_to_jwk(key, false);
        for (size_t m = 0; m < sizeof(PRIVATE) / sizeof(PRIVATE[0]); m++)
            assert_null(json_object_get(jwk, PRIVATE[m]));
        assert_null(json_object_get(jwk, "kid"));
        assert_string_equal(json_string_value(json_object_get(jwk, "use")), "sig");
        assert_string_equal(json_string_value(json_object_get(jwk, "alg")), algorithm_name(ALGORITHMS[i]));
        json_decref(jwk);
        private_key_free(key);
    }
}

static void two_keys_differ(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        if (i >= ALGORITHM_RS256 && i <= ALGORITHM_PS512)
            continue;
        private_key_t *one = fixture_generate((algorithm_t)i, NULL);
        private_key_t *two = fixture_generate((algorithm_t)i, NULL);
        char *one_text = private_json(one);
        char *two_text = private_json(two);
        assert_string_not_equal(one_text, two_text);
        free(two_text);
        free(one_text);
        private_key_free(two);
        private_key_free(one);
    }
}

static void secrets_are_as_long_as_the_hash(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        private_key_t *key = fixture_generate((algorithm_t)(ALGORITHM_HS256 + i), NULL);
        char *secret = NULL;
        size_t len = 0;
        assert_true(private_key_export(key, &secret, &len));
        assert_int_equal(len, 32 + 16 * i);
        file_free_secret(secret, len);
        private_key_free(key);
    }
}

static void pem_keys_are_read_back(void **state)
{
    (void)state;
    static const struct {
        algorithm_t made;
        algorithm_t meant; /* a PEM has no `alg` */
    } CASES[] = {{ALGORITHM_RS512, ALGORITHM_RS256}, {ALGORITHM_PS256, ALGORITHM_RS256},
                 {ALGORITHM_ES256, ALGORITHM_ES256}, {ALGORITHM_ES384, ALGORITHM_ES384},
                 {ALGORITHM_ES512, ALGORITHM_ES512}, {ALGORITHM_EDDSA, ALGORITHM_EDDSA}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        private_key_t *key = fixture_generate(CASES[i].made, "kid");
        char *pem = NULL;
        size_t len = 0;
        assert_true(private_key_export(key, &pem, &len));
        assert_int_equal(strlen(pem), len);
        assert_non_null(strstr(pem, "BEGIN PRIVATE KEY"));
        private_key_t *back = parse(pem);
        assert_null(private_key_kid(back));
        assert_int_equal(private_key_algorithm(back), CASES[i].meant);
        assert_true(private_key_fits(back, CASES[i].made));
        assert_same_key(back, key, CASES[i].made);
        private_key_free(back);
        file_free_secret(pem, len);
        private_key_free(key);
    }
}

/* A key of OpenSSL's as PEM, traditional (PKCS#1, SEC1) or PKCS#8, encrypted when there is a passphrase. */
static char *pem_of(EVP_PKEY *pkey, bool is_traditional, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase == NULL ? NULL : EVP_aes_128_cbc();
    int len = passphrase == NULL ? 0 : (int)strlen(passphrase);
    int is_written = is_traditional
                         ? PEM_write_bio_PrivateKey_traditional(
                               bio, pkey, cipher, (const unsigned char *)passphrase, len, NULL, NULL)
                         : PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, passphrase, len, NULL, NULL);
    assert_int_equal(is_written, 1);
    char *bytes = NULL;
    long size = BIO_get_mem_data(bio, &bytes);
    char *pem = strndup(bytes, (size_t)size);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return pem;
}

static void traditional_pem_is_read(void **state)
{
    (void)state;
    char *pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), true, NULL);
    assert_non_null(strstr(pem, "BEGIN EC PRIVATE KEY"));
    private_key_t *key = parse(pem);
    assert_int_equal(private_key_algorithm(key), ALGORITHM_ES384);
    private_key_free(key);
    free(pem);
    pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), true, NULL);
    assert_non_null(strstr(pem, "BEGIN RSA PRIVATE KEY"));
    key = parse(pem);
    assert_int_equal(private_key_algorithm(key), ALGORITHM_RS256);
    private_key_free(key);
    free(pem);
}

static void ed448_signs(void **state)
{
    (void)state;
    char *pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), false, NULL);
    private_key_t *key = parse(pem);
    assert_int_equal(private_key_algorithm(key), ALGORITHM_EDDSA);
    assert_same_key(key, key, ALGORITHM_EDDSA);
    char *text = private_json(key);
    private_key_t *back = parse(text);
    assert_same_key(back, key, ALGORITHM_EDDSA);
    private_key_free(back);
    free(text);
    private_key_free(key);
    free(pem);
}

static void pem_that_cannot_sign_is_refused(void **state)
{
    (void)state;
    char *pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), false, "passphrase");
    assert_non_null(strstr(parse_error(pem), "passphrase"));
    free(pem);
    pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), true, "passphrase");
    assert_non_null(strstr(parse_error(pem), "passphrase"));
    free(pem);
    pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), false, NULL);
    assert_non_null(strstr(parse_error(pem), "P-256"));
    free(pem);
    pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), false, NULL);
    parse_error(pem);
    free(pem);
    pem = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), false, NULL);
    assert_non_null(strstr(parse_error(pem), "2048"));
    free(pem);
    parse_error(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END "
        "PUBLIC KEY-----\n");
    parse_error("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    parse_error("");
    parse_error("junk");
    const char *error = NULL;
    assert_null(private_key_parse((slice_t){NULL, 0}, &error));
}

static void jwk_that_cannot_sign_is_refused(void **state)
{
    (void)state;
    private_key_t *key = fixture_generate(ALGORITHM_ES256, NULL);
    json_t *public = private_key_to_jwk(key, false);
    char *text = json_dumps(public, 0);
    assert_non_null(strstr(parse_error(text), "private"));
    free(text);
    text = private_json(key);
    char *set = malloc(strlen(text) + 16);
    sprintf(set, "{\"keys\":[%s]}", text);
    assert_non_null(strstr(parse_error(set), "Set"));
    free(set);
    free(text);
    json_decref(public);
    private_key_free(key);
    parse_error("{}");
    parse_error("{\"kty\":\"oct\",\"k\":\"AAAA\"}");
    parse_error("{\"kty\":\"oct\",\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}");
    assert_non_null(
        strstr(parse_error("{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
                           "\"key_ops\":[\"verify\"]}"),
               "`key_ops`"));
    private_key_free(parse("{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
                           "\"key_ops\":[\"sign\"]}"));
}

/* A member of one key in the place of that of another: the halves no longer belong together. */
static void halves_of_two_keys_are_refused(void **state)
{
    (void)state;
    static const struct {
        algorithm_t algorithm;
        const char *member;
    } CASES[] = {{ALGORITHM_ES256, "d"}, {ALGORITHM_EDDSA, "d"}, {ALGORITHM_EDDSA, "x"},
                 {ALGORITHM_RS256, "d"}, {ALGORITHM_RS256, "n"}, {ALGORITHM_RS256, "p"},
                 {ALGORITHM_PS256, "dp"}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        private_key_t *one = fixture_generate(CASES[i].algorithm, NULL);
        private_key_t *two = fixture_generate(CASES[i].algorithm, NULL);
        json_t *mixed = private_key_to_jwk(one, true);
        json_t *other = private_key_to_jwk(two, true);
        assert_int_equal(json_object_set(mixed, CASES[i].member, json_object_get(other, CASES[i].member)), 0);
        char *text = json_dumps(mixed, 0);
        const char *error = NULL;
        private_key_t *key = private_key_parse(slice_of(text), &error);
        /* An RSA key says the same thing twice, and OpenSSL signs with the half that is right. */
        if (key != NULL) {
            assert_true(strchr("dp", CASES[i].member[0]) != NULL && CASES[i].algorithm != ALGORITHM_ES256 &&
                        CASES[i].algorithm != ALGORITHM_EDDSA);
            assert_same_key(key, one, CASES[i].algorithm);
        }
        private_key_free(key);
        free(text);
        json_decref(other);
        json_decref(mixed);
        private_key_free(two);
        private_key_free(one);
    }
}

static void rsa_members_come_all_or_not_at_all(void **state)
{
    (void)state;
    private_key_t *key = fixture_generate(ALGORITHM_RS256, NULL);
    json_t *jwk = private_key_to_jwk(key, true);
    json_object_del(jwk, "qi");
    char *text = json_dumps(jwk, 0);
    parse_error(text);
    free(text);
    static const char *const REST[] = {"p", "q", "dp", "dq"};
    for (size_t i = 0; i < 4; i++)
        json_object_del(jwk, REST[i]);
    text = json_dumps(jwk, 0);
    private_key_t *plain = parse(text);
    assert_same_key(plain, key, ALGORITHM_RS256);
    free(text);
    text = private_json(plain);
    private_key_t *again = parse(text);
    assert_same_key(again, key, ALGORITHM_RS256);
    private_key_free(again);
    private_key_free(plain);
    free(text);
    json_object_set_new(jwk, "oth", json_array());
    text = json_dumps(jwk, 0);
    parse_error(text);
    free(text);
    json_decref(jwk);
    private_key_free(key);
}

static void signing_needs_a_fitting_key(void **state)
{
    (void)state;
    private_key_t *key = fixture_generate(ALGORITHM_ES256, NULL);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        unsigned char *signature = NULL;
        size_t len = 0;
        bool is_signed = private_key_sign(key, (algorithm_t)i, slice_of("x"), &signature, &len);
        assert_int_equal(is_signed, i == ALGORITHM_ES256);
        if (!is_signed)
            assert_true(signature == NULL && len == 0);
        free(signature);
    }
    private_key_free(key);
    private_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_keys_survive_as_jwk),
        cmocka_unit_test(public_halves_hold_nothing_private),
        cmocka_unit_test(two_keys_differ),
        cmocka_unit_test(secrets_are_as_long_as_the_hash),
        cmocka_unit_test(pem_keys_are_read_back),
        cmocka_unit_test(traditional_pem_is_read),
        cmocka_unit_test(ed448_signs),
        cmocka_unit_test(pem_that_cannot_sign_is_refused),
        cmocka_unit_test(jwk_that_cannot_sign_is_refused),
        cmocka_unit_test(halves_of_two_keys_are_refused),
        cmocka_unit_test(rsa_members_come_all_or_not_at_all),
        cmocka_unit_test(signing_needs_a_fitting_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
