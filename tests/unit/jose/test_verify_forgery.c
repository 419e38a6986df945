/* Signatures that are wrong by construction: each is made from a right one, or with the right key. */
#include "introspectd/verify.h"

#include "introspectd/base64url.h"
#include "introspectd/file.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static const char PAYLOAD[] = "{\"sub\":\"someone\"}";

static private_key_t *keys[ALGORITHM_COUNT];
static keyset_t *sets[ALGORITHM_COUNT];
static verifier_t *verifier;

static int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        keys[i] = fixture_generate((algorithm_t)i, NULL);
        sets[i] = fixture_public_keyset(&keys[i], 1);
    }
    verifier = verifier_new();
    return verifier == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    verifier_free(verifier);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        keyset_release(sets[i]);
        private_key_free(keys[i]);
    }
    return 0;
}

static char *token_of(algorithm_t algorithm, const char *payload)
{
    char header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithm_name(algorithm));
    return fixture_token(keys[algorithm], algorithm, header, payload);
}

static reason_t verify(algorithm_t algorithm, const char *token)
{
    return fixture_verify(verifier, sets[algorithm], ALGORITHM_SET_ALL, token, NULL);
}

/* The reason for a token of that algorithm with these bytes in the place of its signature. */
static reason_t reason_with(algorithm_t algorithm, const void *signature, size_t len)
{
    char *token = token_of(algorithm, PAYLOAD);
    char *forged = fixture_with_signature(token, signature, len);
    reason_t reason = verify(algorithm, forged);
    free(forged);
    free(token);
    return reason;
}

static void signatures_of_other_lengths(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i, PAYLOAD);
        size_t len = 0;
        unsigned char *signature = fixture_signature(token, &len);
        unsigned char *longer = calloc(1, len + 4096);
        memcpy(longer, signature, len);
        static const size_t SHORTER[] = {1, 2, 16};
        char *forged = NULL;
        for (size_t s = 0; s < 3; s++) {
            forged = fixture_with_signature(token, signature, len - SHORTER[s]);
            assert_int_equal(verify((algorithm_t)i, forged), REASON_BAD_SIGNATURE);
            free(forged);
            forged = fixture_with_signature(token, longer, len + SHORTER[s]);
            assert_int_equal(verify((algorithm_t)i, forged), REASON_BAD_SIGNATURE);
            free(forged);
        }
        assert_int_equal(reason_with((algorithm_t)i, "", 0), REASON_BAD_SIGNATURE);
        assert_int_equal(reason_with((algorithm_t)i, longer, len + 4096), REASON_BAD_SIGNATURE);
        memmove(longer + 1, signature, len);
        longer[0] = 0;
        assert_int_equal(reason_with((algorithm_t)i, longer, len + 1), REASON_BAD_SIGNATURE);
        free(longer);
        free(signature);
        free(token);
    }
}

static void zeros_and_ones(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i, PAYLOAD);
        size_t len = 0;
        unsigned char *signature = fixture_signature(token, &len);
        memset(signature, 0, len);
        assert_int_equal(reason_with((algorithm_t)i, signature, len), REASON_BAD_SIGNATURE);
        signature[len - 1] = 1;
        assert_int_equal(reason_with((algorithm_t)i, signature, len), REASON_BAD_SIGNATURE);
        memset(signature, 0xff, len);
        assert_int_equal(reason_with((algorithm_t)i, signature, len), REASON_BAD_SIGNATURE);
        free(signature);
        free(token);
    }
}

typedef struct curve_order {
    algorithm_t algorithm;
    const char *n;
} curve_order_t;

static const curve_order_t ORDERS[] = {
    {ALGORITHM_ES256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
    {ALGORITHM_ES384,
     "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"},
    {ALGORITHM_ES512, "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                      "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"},
};

/* The number plus the order in its place, when it still fits. */
static bool add_order(unsigned char *number, size_t len, const char *order)
{
    BIGNUM *n = NULL;
    BIGNUM *value = BN_bin2bn(number, (int)len, NULL);
    assert_int_not_equal(BN_hex2bn(&n, order), 0);
    assert_int_equal(BN_add(value, value, n), 1);
    bool fits = BN_bn2binpad(value, number, (int)len) == (int)len;
    BN_free(value);
    BN_free(n);
    return fits;
}

static void ecdsa_numbers_out_of_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        algorithm_t algorithm = ORDERS[i].algorithm;
        char *token = token_of(algorithm, PAYLOAD);
        size_t len = 0;
        unsigned char *right = fixture_signature(token, &len);
        unsigned char *forged = malloc(len);
        BIGNUM *n = NULL;
        assert_int_not_equal(BN_hex2bn(&n, ORDERS[i].n), 0);
        for (size_t half = 0; half < 2; half++) {
            unsigned char *number = forged + half * len / 2;
            memcpy(forged, right, len);
            memset(number, 0, len / 2);
            char *other = fixture_with_signature(token, forged, len);
            assert_int_equal(verify(algorithm, other), REASON_BAD_SIGNATURE);
            free(other);

            assert_int_equal(BN_bn2binpad(n, number, (int)len / 2), len / 2);
            other = fixture_with_signature(token, forged, len);
            assert_int_equal(verify(algorithm, other), REASON_BAD_SIGNATURE);
            free(other);

            memcpy(forged, right, len);
            if (add_order(number, len / 2, ORDERS[i].n)) {
                other = fixture_with_signature(token, forged, len);
                assert_int_equal(verify(algorithm, other), REASON_BAD_SIGNATURE);
                free(other);
            }
        }
        assert_int_equal(verify(algorithm, token), REASON_NONE);
        BN_free(n);
        free(forged);
        free(right);
        free(token);
    }
}

static void ecdsa_in_der(void **state)
{
    (void)state;
    /* Many tries, because the length of a DER signature varies and may be that of r||s. */
    for (size_t i = 0; i < 3; i++) {
        algorithm_t algorithm = ORDERS[i].algorithm;
        char *pem = NULL;
        size_t pem_len = 0;
        assert_true(private_key_export(keys[algorithm], &pem, &pem_len));
        BIO *bio = BIO_new_mem_buf(pem, (int)pem_len);
        EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        assert_non_null(pkey);
        static const char *const DIGESTS[] = {"SHA256", "SHA384", "SHA512"};
        for (int try = 0; try < 5; try++) {
            char *token = token_of(algorithm, PAYLOAD);
            unsigned char der[256];
            size_t len = sizeof(der);
            EVP_MD_CTX *ctx = EVP_MD_CTX_new();
            assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, DIGESTS[i], NULL, NULL, pkey, NULL), 1);
            assert_int_equal(
                EVP_DigestSign(ctx, der, &len, (unsigned char *)token, (size_t)(strrchr(token, '.') - token)),
                1);
            char *forged = fixture_with_signature(token, der, len);
            assert_int_equal(verify(algorithm, forged), REASON_BAD_SIGNATURE);
            free(forged);
            EVP_MD_CTX_free(ctx);
            free(token);
        }
        EVP_PKEY_free(pkey);
        BIO_free(bio);
        file_free_secret(pem, pem_len);
    }
}

static void ecdsa_halves_swapped(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *token = token_of(ORDERS[i].algorithm, PAYLOAD);
        size_t len = 0;
        unsigned char *right = fixture_signature(token, &len);
        unsigned char *swapped = malloc(len);
        memcpy(swapped, right + len / 2, len / 2);
        memcpy(swapped + len / 2, right, len / 2);
        char *forged = fixture_with_signature(token, swapped, len);
        assert_int_equal(verify(ORDERS[i].algorithm, forged), REASON_BAD_SIGNATURE);
        free(forged);
        free(swapped);
        free(right);
        free(token);
    }
}

static void short_numbers_are_padded(void **state)
{
    (void)state;
    /* About one signature in 128 has a number with a leading zero byte; each must verify as it stands. */
    unsigned with_zero = 0;
    for (unsigned i = 0; with_zero < 2 && i < 5000; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"jti\":%u}", i);
        char *token = token_of(ALGORITHM_ES256, payload);
        size_t len = 0;
        unsigned char *signature = fixture_signature(token, &len);
        assert_int_equal(len, 64);
        if (signature[0] == 0 || signature[32] == 0) {
            with_zero++;
            assert_int_equal(verify(ALGORITHM_ES256, token), REASON_NONE);
        }
        free(signature);
        free(token);
    }
    assert_int_equal(with_zero, 2);
}

static void eddsa_with_the_group_order_added(void **state)
{
    (void)state;
    /* L of RFC 8032 section 5.1, little-endian: S + L satisfies the same equation. */
    static const unsigned char L[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    char *token = token_of(ALGORITHM_EDDSA, PAYLOAD);
    size_t len = 0;
    unsigned char *signature = fixture_signature(token, &len);
    assert_int_equal(len, 64);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += signature[32 + i] + L[i];
        signature[32 + i] = (unsigned char)carry;
        carry >>= 8;
    }
    char *forged = fixture_with_signature(token, signature, len);
    assert_int_equal(verify(ALGORITHM_EDDSA, token), REASON_NONE);
    assert_int_equal(verify(ALGORITHM_EDDSA, forged), REASON_BAD_SIGNATURE);
    free(forged);
    free(signature);
    free(token);
}

/* Signs the token's input by hand with an RSA key, so that padding, salt and digest can be chosen. */
static char *rsa_token(algorithm_t claimed, const char *digest, int padding, int salt_len, const char *mgf1)
{
    char header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithm_name(claimed));
    char *input = fixture_signing_input(header, PAYLOAD);
    char *pem = NULL;
    size_t pem_len = 0;
    assert_true(private_key_export(keys[claimed], &pem, &pem_len));
    BIO *bio = BIO_new_mem_buf(pem, (int)pem_len);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;
    unsigned char signature[256];
    size_t len = sizeof(signature);
    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pkey_ctx, digest, NULL, NULL, pkey, NULL), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, padding), 1);
    if (padding == RSA_PKCS1_PSS_PADDING) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, salt_len), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pkey_ctx, mgf1, NULL), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, (unsigned char *)input, strlen(input)), 1);
    char *token = fixture_join(input, signature, len);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    file_free_secret(pem, pem_len);
    free(input);
    return token;
}

static void expect_rsa(algorithm_t claimed, const char *digest, int padding, int salt_len, const char *mgf1,
                       reason_t reason)
{
    char *token = rsa_token(claimed, digest, padding, salt_len, mgf1);
    assert_int_equal(verify(claimed, token), reason);
    free(token);
}

static void pss_parameters(void **state)
{
    (void)state;
    static const char *const DIGESTS[] = {"SHA256", "SHA384", "SHA512"};
    for (int i = 0; i < 3; i++) {
        algorithm_t algorithm = (algorithm_t)(ALGORITHM_PS256 + i);
        const char *digest = DIGESTS[i];
        const char *other = DIGESTS[(i + 1) % 3];
        int hash_len = 32 + 16 * i;
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, hash_len, digest, REASON_NONE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, 0, digest, REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, hash_len - 1, digest, REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, hash_len + 1, digest, REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_MAX, digest,
                   REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, hash_len, other, REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PSS_PADDING, hash_len, "SHA1", REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, other, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST, other,
                   REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, digest, RSA_PKCS1_PADDING, 0, NULL, REASON_BAD_SIGNATURE);
    }
}

static void pkcs1_parameters(void **state)
{
    (void)state;
    static const char *const DIGESTS[] = {"SHA256", "SHA384", "SHA512"};
    for (int i = 0; i < 3; i++) {
        algorithm_t algorithm = (algorithm_t)(ALGORITHM_RS256 + i);
        expect_rsa(algorithm, DIGESTS[i], RSA_PKCS1_PADDING, 0, NULL, REASON_NONE);
        expect_rsa(algorithm, DIGESTS[(i + 1) % 3], RSA_PKCS1_PADDING, 0, NULL, REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, "SHA1", RSA_PKCS1_PADDING, 0, NULL, REASON_BAD_SIGNATURE);
        expect_rsa(algorithm, DIGESTS[i], RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST, DIGESTS[i],
                   REASON_BAD_SIGNATURE);
    }
}

static void rsa_with_the_modulus_added(void **state)
{
    (void)state;
    json_t *jwk = private_key_to_jwk(keys[ALGORITHM_RS256], false);
    unsigned char modulus[300];
    size_t modulus_len = 0;
    assert_true(
        base64url_decode(slice_of(json_string_value(json_object_get(jwk, "n"))), modulus, &modulus_len));
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_len, NULL);
    bool is_tried = false;
    for (unsigned i = 0; !is_tried && i < 400; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"jti\":%u}", i);
        char *token = token_of(ALGORITHM_RS256, payload);
        size_t len = 0;
        unsigned char *signature = fixture_signature(token, &len);
        BIGNUM *s = BN_bin2bn(signature, (int)len, NULL);
        assert_int_equal(BN_add(s, s, n), 1);
        if (BN_bn2binpad(s, signature, (int)len) == (int)len) {
            is_tried = true;
            char *forged = fixture_with_signature(token, signature, len);
            assert_int_equal(verify(ALGORITHM_RS256, forged), REASON_BAD_SIGNATURE);
            free(forged);
        }
        BN_free(s);
        free(signature);
        free(token);
    }
    BN_free(n);
    json_decref(jwk);
    /* With a modulus close to 2^2048 no signature leaves room for it; that is rare. */
    if (!is_tried)
        print_message("no signature left room for the modulus\n");
}

/* HMAC of the token's input with any secret. */
static char *hmac_token(const char *header, const void *secret, size_t len)
{
    char *input = fixture_signing_input(header, PAYLOAD);
    unsigned char mac[64];
    size_t mac_len = 0;
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, len, (unsigned char *)input,
                              strlen(input), mac, sizeof(mac), &mac_len));
    char *token = fixture_join(input, mac, mac_len);
    free(input);
    return token;
}

static void public_keys_are_no_hmac_secrets(void **state)
{
    (void)state;
    static const algorithm_t ASYMMETRIC[] = {ALGORITHM_RS256, ALGORITHM_PS256, ALGORITHM_ES256,
                                             ALGORITHM_EDDSA};
    for (size_t i = 0; i < 4; i++) {
        char *pem = NULL;
        size_t pem_len = 0;
        assert_true(private_key_export(keys[ASYMMETRIC[i]], &pem, &pem_len));
        BIO *bio = BIO_new_mem_buf(pem, (int)pem_len);
        EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO *out = BIO_new(BIO_s_mem());
        assert_int_equal(PEM_write_bio_PUBKEY(out, pkey), 1);
        char *public_pem = NULL;
        size_t public_len = (size_t)BIO_get_mem_data(out, &public_pem);

        char *token = hmac_token("{\"alg\":\"HS256\"}", public_pem, public_len);
        assert_int_equal(verify(ASYMMETRIC[i], token), REASON_UNKNOWN_KEY);
        free(token);
        token = hmac_token("{\"alg\":\"HS256\"}", "", 0);
        assert_int_equal(verify(ASYMMETRIC[i], token), REASON_UNKNOWN_KEY);
        assert_int_equal(verify(ALGORITHM_HS256, token), REASON_BAD_SIGNATURE);
        free(token);
        BIO_free(out);
        BIO_free(bio);
        EVP_PKEY_free(pkey);
        file_free_secret(pem, pem_len);
    }
}

static void short_secrets_verify_nothing(void **state)
{
    (void)state;
    const char *secret = "0123456789abcdef0123456789abcde"; /* 31 bytes */
    char *k = fixture_base64url(secret, strlen(secret));
    char json[256];
    snprintf(json, sizeof(json), "{\"kty\":\"oct\",\"k\":\"%s\"}", k);
    keyset_t *keyset = fixture_keyset(json, NULL);
    char *token = hmac_token("{\"alg\":\"HS256\"}", secret, strlen(secret));
    assert_int_equal(fixture_verify(verifier, keyset, ALGORITHM_SET_ALL, token, NULL), REASON_UNKNOWN_KEY);
    free(token);
    keyset_release(keyset);
    free(k);
}

static void keys_inside_the_token_are_not_trusted(void **state)
{
    (void)state;
    private_key_t *attacker = fixture_generate(ALGORITHM_ES256, "evil");
    json_t *jwk = private_key_to_jwk(attacker, false);
    json_t *header =
        json_pack("{s:s, s:O, s:s}", "alg", "ES256", "jwk", jwk, "jku", "https://attacker.example/");
    char *text = json_dumps(header, JSON_COMPACT);
    char *token = fixture_token(attacker, ALGORITHM_ES256, text, PAYLOAD);
    assert_int_equal(verify(ALGORITHM_ES256, token), REASON_BAD_SIGNATURE);
    free(token);
    free(text);
    json_decref(header);
    json_decref(jwk);
    private_key_free(attacker);
}

static void another_spelling_of_a_token_is_refused(void **state)
{
    (void)state;
    char *token = token_of(ALGORITHM_HS256, PAYLOAD);
    static const char *const TAILS[] = {"=", "==", "\n", " ", "!!!", ".", "A", "AA", "AAAA", "%3D"};
    for (size_t i = 0; i < sizeof(TAILS) / sizeof(TAILS[0]); i++) {
        char other[512];
        snprintf(other, sizeof(other), "%s%s", token, TAILS[i]);
        assert_int_not_equal(verify(ALGORITHM_HS256, other), REASON_NONE);
    }
    /* 32 bytes take 43 characters; the last has two bits to spare. */
    size_t last = strlen(token) - 1;
    token[last]++;
    assert_int_equal(verify(ALGORITHM_HS256, token), REASON_MALFORMED);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_other_lengths),
        cmocka_unit_test(zeros_and_ones),
        cmocka_unit_test(ecdsa_numbers_out_of_range),
        cmocka_unit_test(ecdsa_in_der),
        cmocka_unit_test(ecdsa_halves_swapped),
        cmocka_unit_test(short_numbers_are_padded),
        cmocka_unit_test(eddsa_with_the_group_order_added),
        cmocka_unit_test(pss_parameters),
        cmocka_unit_test(pkcs1_parameters),
        cmocka_unit_test(rsa_with_the_modulus_added),
        cmocka_unit_test(public_keys_are_no_hmac_secrets),
        cmocka_unit_test(short_secrets_verify_nothing),
        cmocka_unit_test(keys_inside_the_token_are_not_trusted),
        cmocka_unit_test(another_spelling_of_a_token_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
